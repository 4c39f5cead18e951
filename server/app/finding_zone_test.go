package app

import (
	"slices"
	"strings"
	"testing"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/directory"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

// keyOf puts a key of doors into the inventory.
func (c *counter) keyOf(doors ...string) {
	c.t.Helper()
	c.edit(func(s *directory.Snapshot) {
		s.Items = append(s.Items, directory.Item{ID: "ZZ-KEY", Kind: directory.ItemKey, Name: "正鍵", Doors: strings.Join(doors, " "), State: directory.ItemPresent})
	})
}

// only finds the one finding of a kind, of an unsigned day that of the media store.
func (c *counter) only(kind string) web.CaseDetail {
	c.t.Helper()
	p := c.registers()
	all, _, err := p.ListFindings(c.t.Context(), web.FindingQuery{In: web.Reach{All: true}, Names: true, All: true, Limit: 100})
	c.must(err)
	all = slices.DeleteFunc(all, func(f web.Finding) bool { return f.Kind != kind || strings.HasPrefix(f.Detail, "floor-3/") })
	if len(all) != 1 {
		c.t.Fatalf("%d findings %s: %+v", len(all), kind, all)
	}
	got, err := p.CaseByID(c.t.Context(), all[0].ID, true, false)
	c.must(err)
	return got
}

// RA-1, VR-3, VR-11, RR-7, EQ-4: a finding with neither door nor gateway lies in the zone whose day it tells of, else in that of its matter,
// else in those of the matter's doors; the list of a part of the site and the case say the same. A temporary card is of no zone.
func TestFindingKnowsItsZone(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	c.keyOf(string(store1), "server-room-1")
	c.must(c.SetVisitSettings(ctx, func() visit.Settings {
		s := visit.DefaultSettings()
		s.PurposeZones = []access.ZoneID{archive}
		return s
	}(), "媒体庫だけ", chief))
	c.pass(c.site.Ref(4570), store1, door.EventEntry)
	_, err := c.ReceiveGuest(ctx, c.approved(c.application("来訪 一")).ID, ReceptionForm{Identity: visit.CompanyCard, Badge: "B-1"}, clerk)
	c.must(err)
	k, err := c.LendKey(ctx, visit.KeyLoan{Key: "ZZ-KEY", Person: "1005", Purpose: "点検"}, clerk)
	c.must(err)
	_, err = c.ReturnKey(ctx, k.ID, true, "側溝に落とした", clerk)
	c.must(err)
	_, err = c.IssueTemporary(ctx, TemporaryForm{Person: "1004", Identity: visit.KnownInPerson, Badge: "B-5"}, clerk)
	c.must(err)
	p := c.registers()
	c.must(c.site.Store.Write(ctx, func(tx *store.Tx) error { return tx.SetSetting(unsignedSwept, "2026-11-23") }))
	c.clock(30, 8, 0)
	for range 40 {
		c.must(c.sweep(ctx))
	}
	c.must(p.tellUnsigned(ctx))

	both := []access.ZoneID{archive, "server-room"}
	for kind, want := range map[string][]access.ZoneID{
		"unsigned_day": both[:1], "purpose_blank": both[:1], "badge_unreturned": both[:1], "key_lost": both, "temporary_unreturned": {},
	} {
		got := c.only(kind)
		if !slices.Equal(got.Zones, want) {
			t.Errorf("%s lies in %q, want %q", kind, got.Zones, want)
		}
		for _, z := range both {
			list, _, err := p.ListFindings(ctx, web.FindingQuery{In: web.Reach{Zones: []access.ZoneID{z}}, Names: true, Limit: 100})
			c.must(err)
			listed := slices.ContainsFunc(list, func(f web.Finding) bool { return f.ID == got.Finding.ID })
			if listed != slices.Contains(want, z) {
				t.Errorf("%s is in the list of %s: %v", kind, z, listed)
			}
		}
	}
}
