package app

import (
	"slices"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/review"
	"monban/server/store"
	"monban/server/web"
)

// RA-1: a reach holds a zone, the zones inside it, and their doors; log, findings and the live page show nothing else; the zero reach
// shows nothing. A finding about a matter lies in the matter's zone.
func TestReach(t *testing.T) {
	c := newCounter(t)
	const annex = access.ZoneID("annex")
	c.edit(func(s *directory.Snapshot) {
		i := slices.IndexFunc(s.Zones, func(z directory.Zone) bool { return z.ID == archive })
		around := s.Zones[i]
		around.ID, around.Name, around.Parent, around.Level = annex, "別館", "", 1
		s.Zones[i].Parent = annex
		s.Zones = append(s.Zones, around)
		// A gateway that two zones share: beside the store's door hangs one of the server room.
		shared := s.Doors[slices.IndexFunc(s.Doors, func(d directory.Door) bool { return d.ID == store1 })].Gateway
		d := s.Doors[slices.IndexFunc(s.Doors, func(d directory.Door) bool { return d.Enter == "server-room" })]
		d.ID, d.Name, d.Gateway, d.Interlock = "server-room-9", "サーバ室 裏扉", shared, ""
		s.Doors = append(s.Doors, d)
	})
	p := c.registers()
	p.versions, p.certificates = func(access.GatewayID) web.Versions { return web.Versions{} }, func() map[string]time.Time { return nil }
	media, err := p.ReachOf(t.Context(), []access.ZoneID{annex, "nowhere"})
	c.must(err)
	room, err := p.ReachOf(t.Context(), []access.ZoneID{"server-room"})
	c.must(err)
	if !media.Zone(archive) || !media.Zone(annex) || media.Zone("server-room") || !media.Door(store1) || media.All || room.Door(store1) {
		t.Fatalf("%+v %+v", media, room)
	}
	// A gateway with a door of another zone is seen, but is not wholly of this one.
	doors := map[access.GatewayID]int{}
	for _, x := range p.directory().Doors {
		doors[x.Gateway]++
	}
	for name, x := range map[string]web.Reach{"annex": media, "server room": room} {
		for _, g := range x.Gateways {
			own := 0
			for _, y := range p.directory().Doors {
				if y.Gateway == g && x.Door(y.ID) {
					own++
				}
			}
			if slices.Contains(x.Whole, g) != (own == doors[g]) {
				t.Errorf("%s: %s has %d of its %d doors here, whole %v", name, g, own, doors[g], x.Whole)
			}
		}
	}
	shared := c.pub.Site().Door(store1).Gateway
	for name, x := range map[string]web.Reach{"annex": media, "server room": room} {
		if !slices.Contains(x.Gateways, shared) || slices.Contains(x.Whole, shared) {
			t.Errorf("%s: the gateway that both share: %v, whole %v", name, x.Gateways, x.Whole)
		}
	}
	c.pass(c.site.Ref(4568), store1, door.EventEntry)
	c.found("held_open", [16]byte{0, 0, 0, byte(c.n)})
	var loan int64
	v := c.approved(c.application("来訪 一")) // of the media store
	c.must(c.site.Store.Write(t.Context(), func(tx *store.Tx) error {
		m, err := tx.Matter(v.ID)
		if err != nil {
			return err
		}
		loan, err = tx.AppendFinding(attempt.Finding{Kind: string(review.KeyLost), Severity: "medium", Cause: m.First, AtMS: c.at.UnixMilli()}, nil)
		if err != nil {
			return err
		}
		if _, err = tx.AppendFinding(attempt.Finding{Kind: "mains_lost", Severity: "medium", Gateway: string(shared), Cause: attempt.NoIndex, AtMS: c.at.UnixMilli()}, nil); err != nil {
			return err
		}
		_, err = tx.AppendFinding(attempt.Finding{Kind: "some_kind", Severity: "low", Cause: attempt.NoIndex, AtMS: c.at.UnixMilli()}, nil)
		return err
	}))
	for name, x := range map[string]struct {
		in              web.Reach
		lines, findings int
	}{"annex": {media, 1, 3}, "server room": {room, 0, 1}, "nothing": {web.Reach{}, 0, 0}, "all": {web.Reach{All: true}, 1, 4}} {
		day, err := p.DayLog(t.Context(), web.LogQuery{Day: "2026-11-24", In: x.in, Names: true, Limit: 50})
		c.must(err)
		list, total, err := p.ListFindings(t.Context(), web.FindingQuery{In: x.in, Names: true, Limit: 50})
		c.must(err)
		if day.Total != x.lines || len(list) != x.findings || total != x.findings {
			t.Errorf("%s: %d lines, %d findings of %d, want %+v", name, day.Total, len(list), total, x)
		}
		over, err := p.Overview(t.Context(), x.in, true)
		c.must(err)
		if over.OpenAll != x.findings || (len(over.Recent) > 0) != (x.lines > 0) {
			t.Errorf("%s: overview %+v, %d open", name, over.Recent, over.OpenAll)
		}
	}
	got, err := p.CaseByID(t.Context(), number(int(loan)), true, false)
	if err != nil || !slices.Equal(got.Zones, []access.ZoneID{archive}) {
		t.Errorf("case of a matter: zones %q, %v", got.Zones, err)
	}
}
