package app

import (
	"testing"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/directory"
	"monban/server/visit"
)

// keys has somebody key in a purpose after the card of an attempt.
func (c *counter) keys(attempt [16]byte, ref card.Ref, at access.DoorID, code uint8) {
	c.t.Helper()
	gw := c.pub.Site().Door(at).Gateway
	ask := c.site.Keys.Gateways[gw].Ask
	sealed := wire.SealPrivate(ask, wire.Nonce{1, code}, wire.Private{Card: wire.SealCard(ask, wire.Nonce{2, code}, ref), Purpose: code})
	salt := [32]byte{code}
	c.carried = wire.Carried{Private: sealed, Salt: salt[:]}
	defer func() { c.carried = wire.Carried{} }()
	c.record(gw, wire.Record{Door: at, Side: access.SideEnter, Event: door.EventPurposeKeyed, Attempt: door.Attempt(attempt), Link: "clear", GCommit: wire.Commit(salt, sealed)})
}

// RR-7: the keypad's code is the purpose in the register's sources, on My page and in the list of blanks: in the words of then.
func TestKeyedPurposeIsTold(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	set := func(labels ...string) {
		s := visit.DefaultSettings()
		s.PurposeZones, s.PurposeLabels = []access.ZoneID{"media-store"}, map[access.ZoneID][]string{"media-store": labels}
		c.must(c.SetVisitSettings(ctx, s, "目的の番号", chief))
	}
	set("巡回", "媒体の搬出")
	ref := c.site.Ref(4567)
	first := c.pass(ref, store1, door.EventEntry) // 1001
	id := [16]byte{}
	id[3] = byte(c.n)
	if hexID(id) != first {
		t.Fatalf("the attempt is %s", first)
	}
	if end, err := c.DayEnd(ctx, "2026-11-24"); err != nil || len(end.Blank) != 1 {
		t.Fatalf("before: %+v %v", end.Blank, err)
	}
	c.keys(id, ref, store1, 2)
	set("別", "別")
	if text, from, err := c.PurposeOf(ctx, first); err != nil || text != "媒体の搬出" || from != visit.FromKeypad {
		t.Errorf("%q %q %v", text, from, err)
	}
	if end, err := c.DayEnd(ctx, "2026-11-24"); err != nil || len(end.Blank) != 0 {
		t.Errorf("still asked for: %+v %v", end.Blank, err)
	}
	own, err := c.OwnEntries(ctx, directory.PersonID("1001"), 1)
	if err != nil || len(own) != 1 || own[0].Purpose != "媒体の搬出" || own[0].From != visit.FromKeypad || own[0].Asks {
		t.Errorf("My page: %+v %v", own, err)
	}
}
