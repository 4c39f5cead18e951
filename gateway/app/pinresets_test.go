package app

import (
	"testing"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/gateway/outbox"
)

// AD-13: a reset that reaches a gateway late lifts what was counted before the officer's act and nothing else, once.
func TestPINResetsAreTakenOnce(t *testing.T) {
	ask, k1, k2 := wire.AskKey{}, access.Key{1}, access.Key{2}
	box := &kept{stat: outbox.Stat{Epoch: wire.Epoch{1}, Current: wire.Epoch{1}, Tail: 1}, records: map[uint64]wire.Carried{}}
	add := func(ms int64, key access.Key, pin access.PINState, failed access.ReasonSet) {
		box.stat.Head++
		r := wire.Record{
			Gateway: "gw-1", Epoch: wire.Epoch{1}, Seq: box.stat.Head, Door: "d", Side: access.SideEnter, Event: door.EventDenied, Attempt: door.Attempt{byte(box.stat.Head), 1},
			By: access.ByGateway, Failed: failed, Link: "clear", Stamp: wire.Stamp{WallMS: ms - 7, OffsetMS: 7},
		}
		if failed == 0 {
			r.Event, r.Reason = door.EventGranted, access.ReasonGranted
		}
		c := wire.Carried{Body: wire.AppendRecord(nil, &r)}
		if pin != access.PINNone {
			inputs := access.AppendInputs(nil, access.View{}, access.Request{Door: "d", Key: key, HasCard: true, PIN: pin})
			c.Private = wire.SealPrivate(ask, wire.Nonce{1}, wire.Private{PIN: pin, Inputs: inputs})
		}
		box.records[box.stat.Head] = c
	}
	bad, locked := access.ReasonSet(0).With(access.ReasonPINBad), access.ReasonSet(0).With(access.ReasonPINLocked)
	for ms := int64(100); ms < 105; ms++ {
		add(ms, k1, access.PINBad, bad)
	}
	add(150, k1, access.PINBad, locked)
	for range 200 { // more than one batch
		add(160, k2, access.PINNone, bad)
	}
	add(300, k1, access.PINBad, bad)
	add(301, k2, access.PINBad, bad)
	add(302, k2, access.PINOK, 0)
	add(303, k2, access.PINBad, bad)
	add(304, k2, access.PINBad, bad)
	lift := func(k access.Key, ms int64) []access.Lifted { return []access.Lifted{{Key: k, AtMS: ms}} }
	for name, c := range map[string]struct {
		counts map[access.Key]uint8
		taken  int64
		lifted []access.Lifted
		want   map[access.Key]uint8
		number int64
	}{
		"none":                    {number: 0},
		"before all":              {map[access.Key]uint8{k1: 5}, 0, lift(k1, 99), map[access.Key]uint8{k1: 6}, 99},
		"the fifth came later":    {map[access.Key]uint8{k1: 5}, 0, lift(k1, 103), map[access.Key]uint8{k1: 2}, 103},
		"after the lock":          {map[access.Key]uint8{k1: 5}, 0, lift(k1, 200), map[access.Key]uint8{k1: 1}, 200},
		"after all":               {map[access.Key]uint8{k1: 5}, 0, lift(k1, 300), map[access.Key]uint8{k1: 0}, 300},
		"a right one in between":  {map[access.Key]uint8{k2: 2}, 0, lift(k2, 200), map[access.Key]uint8{k2: 2}, 200},
		"taken already":           {map[access.Key]uint8{k1: 5}, 200, lift(k1, 200), nil, 0},
		"nothing is counted here": {nil, 0, lift(k1, 200), nil, 200},
		"two, one of them taken":  {map[access.Key]uint8{k1: 5, k2: 2}, 200, []access.Lifted{{Key: k1, AtMS: 200}, {Key: k2, AtMS: 303}}, map[access.Key]uint8{k2: 1}, 303},
	} {
		box.pins, box.reset = c.counts, c.taken
		got, number, err := recount(c.lifted, box, ask, func(s wire.Stamp) int64 { return s.WallMS + s.OffsetMS })
		if err != nil || number != c.number || len(got) != len(c.want) {
			t.Errorf("%s: %v, number %d, %v", name, got, number, err)
		}
		for _, u := range got {
			if want, ok := c.want[u.Key]; !ok || !u.Set || u.Failed != want {
				t.Errorf("%s: %+v, want %d", name, u, want)
			}
		}
	}
	box.reset = 0
	box.pins, box.stat.Current = map[access.Key]uint8{k1: 5}, wire.Epoch{2}
	if got, number, err := recount(lift(k1, 200), box, ask, func(s wire.Stamp) int64 { return 0 }); err == nil || number != 0 || got != nil {
		t.Errorf("records that are not all here: %v, %d, %v; want it left for later", got, number, err)
	}
}
