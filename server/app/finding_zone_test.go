package app

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/directory"
	"monban/server/signoff"
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
	all = slices.DeleteFunc(all, func(f web.Finding) bool {
		return f.Kind != kind || kind == "unsigned_day" && !strings.HasPrefix(f.Detail, string(archive)+"/")
	})
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

// VE-3, VE-8, VE-12, EQ-4, VR-11: what reception still has to do stands on the day of its zone on which it was told, counts as a finding of it,
// and whoever signs has had it on the page; a holiday with nothing else is not quiet. On another zone's day it is not. That a day is not
// signed stands on that day and not on the next.
func TestDayHoldsTheFindingsOfItsZone(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	c.keyOf(string(store1))
	v, _, err := c.UrgentVisit(ctx, c.application("来訪 一"), "1001", clerk)
	c.must(err)
	_, err = c.ReceiveGuest(ctx, v.ID, ReceptionForm{Identity: visit.CompanyCard, Badge: "B-1"}, clerk)
	c.must(err)
	c.pass(c.site.Ref(30001), store1, door.EventEntry)
	p := c.registers()
	c.must(c.site.Store.Write(ctx, func(tx *store.Tx) error { return tx.SetSetting(unsignedSwept, "2026-11-23") }))
	tell := func(day, hour, minute int) {
		t.Helper()
		c.clock(day, hour, minute)
		c.must(c.sweep(ctx))
		c.must(p.tellUnsigned(ctx))
	}
	found := func(zone access.ZoneID, day int) (kinds []string) {
		t.Helper()
		sheet, err := p.ReviewDay(ctx, zone, "2026-11-"+number(day), true)
		c.must(err)
		for _, f := range sheet.Found {
			kinds = append(kinds, f.Kind)
		}
		if sheet.Findings != len(kinds) {
			t.Errorf("%s %d: %d open of %q", zone, day, sheet.Findings, kinds)
		}
		return kinds
	}
	tell(24, 17, 30)
	before := c.site.Store.Size() // the page of the 25th, before its evening
	tell(25, 17, 30)
	// On Saturday the guard lends a key, and it does not come back.
	c.clock(28, 10, 0)
	_, err = c.LendKey(ctx, visit.KeyLoan{Key: "ZZ-KEY", Person: "1005", Purpose: "点検", DueMS: c.ms(28, 12, 0)}, watchman)
	c.must(err)
	tell(28, 12, 1)
	c.clock(30, 8, 0)
	p = c.registers() // every gateway was heard until now
	for day, want := range map[int][]string{
		24: {"badge_unreturned", "exit_not_recorded", "unsigned_day"}, 25: {"oral_unconfirmed", "unsigned_day"}, 26: nil, 27: nil, 28: {"key_unreturned"}, 29: nil,
	} {
		got := found(archive, day)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("the media store's %d holds %q, want %q", day, got, want)
		}
		if got := found("server-room", day); len(got) > 0 {
			t.Errorf("the server room's %d holds %q", day, got)
		}
	}
	days, err := p.ReviewDays(ctx, archive, "2026-11-25", "2026-11-29")
	c.must(err)
	for _, d := range days {
		want := d.Day != "2026-11-25" && d.Day != "2026-11-28"
		if d.Sheet.Quiet != want || !d.Covered {
			t.Errorf("%s is quiet: %v, covered %v", d.Day, d.Sheet.Quiet, d.Covered)
		}
	}
	act := web.Action{At: c.at, Actor: clerk.Account}
	err = p.ActOnDay(ctx, archive, "2026-11-25", signoff.Sign, uint64(before), act)
	if !errors.Is(err, signoff.ErrUnseen) {
		t.Errorf("signed without having seen what was told in the evening: %v", err)
	}
	signed, err := p.SignQuiet(ctx, archive, "2026-11-25", "2026-11-29", act)
	c.must(err)
	if !slices.Equal(signed, []string{"2026-11-26", "2026-11-27", "2026-11-29"}) {
		t.Errorf("signed together: %v", signed)
	}
	// A day that waits for its second signature when it is told waits on: what tells of it is no addition to what was signed.
	act.Reason = "二人で確認"
	c.must(p.SetTwoSign(ctx, archive, true, []string{clerk.Account, chief.Account}, act))
	c.must(p.ActOnDay(ctx, archive, "2026-11-28", signoff.Sign, uint64(c.site.Store.Size()), act))
	for range 5 {
		tell(30, 17, 30)
	}
	for _, want := range []signoff.Status{signoff.Waiting, signoff.Done} {
		days, err = p.ReviewDays(ctx, archive, "2026-11-28", "2026-11-28")
		c.must(err)
		if days[0].Sheet.Status != want || days[0].Findings != 2 {
			t.Errorf("%s with %d findings, want %s", days[0].Sheet.Status, days[0].Findings, want)
		}
		if want == signoff.Waiting {
			c.must(p.ActOnDay(ctx, archive, "2026-11-28", signoff.Countersign, uint64(c.site.Store.Size()), web.Action{At: c.at, Actor: chief.Account}))
		}
	}
}
