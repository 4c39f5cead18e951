package app

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/gateway/outbox"
)

// kept is an outbox with records from tail on.
type kept struct {
	stat    outbox.Stat
	records map[uint64]wire.Carried
	loads   int
	pins    map[access.Key]uint8
	reset   int64
}

func (k *kept) PINFailed(key access.Key) uint8 { return k.pins[key] }
func (k *kept) PINReset() int64                { return k.reset }

func (k *kept) Stat() outbox.Stat { return k.stat }

func (k *kept) Load(_ wire.Epoch, first uint64, _ int) (wire.Events, error) {
	k.loads++
	if first < k.stat.Tail || first > k.stat.Head {
		return wire.Events{}, outbox.ErrUnknown
	}
	return wire.Events{First: first, Records: []wire.Carried{k.records[first]}}, nil // one at a time: a batch has its bounds
}

// D7: at start who is inside is the last state part and the outbox's later records; where something is missing nobody's
// place is known.
func TestRebuildPlaces(t *testing.T) {
	policy, err := access.Compile(access.Rules{
		Version: 1, Site: "s", TimeZone: "UTC",
		Persons:     []access.Person{{ID: "p", Active: true, Category: access.CategoryStaff}},
		Credentials: []access.Credential{{Key: access.Key{1}, Status: access.CredentialActive, Assurance: card.UIDOnly}},
		Zones:       []access.Zone{{ID: "z", Level: 1, MinAssurance: card.UIDOnly, AntiPassback: access.AntiPassbackHard}},
		Doors:       []access.Door{{ID: "d", EnterZone: "z", Sides: []access.Side{access.SideEnter, access.SideExit}, MaxAgeMS: 1}},
	}, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	var ask wire.AskKey
	record := func(seq uint64, e door.Event, key byte) wire.Carried {
		r := wire.Record{Gateway: "gw-1", Epoch: wire.Epoch{1}, Seq: seq, Door: "d", Side: access.SideEnter, Event: e, Attempt: door.Attempt{1}, By: access.ByServer, Link: "clear"}
		c := wire.Carried{Body: wire.AppendRecord(nil, &r)}
		if key != 0 {
			inputs := access.AppendInputs(nil, access.View{}, access.Request{Door: "d", Key: access.Key{key}, HasCard: true})
			c.Private = wire.SealPrivate(ask, wire.Nonce{1}, wire.Private{Inputs: inputs})
		}
		return c
	}
	part := func(version uint64, epoch wire.Epoch, through uint64) []byte {
		s := access.StatePart{Version: version, Through: through}
		if through > 0 {
			s.Epoch = fmt.Sprintf("%x", epoch[:])
		}
		b, err := access.EncodeState(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	box := func(tail uint64) *kept {
		return &kept{stat: outbox.Stat{Epoch: wire.Epoch{1}, Current: wire.Epoch{1}, Tail: tail, Head: 3}, records: map[uint64]wire.Carried{
			1: record(1, door.EventGranted, 1), 2: record(2, door.EventEntry, 0), 3: record(3, door.EventTamper, 0),
		}}
	}
	two := box(1)
	two.stat.Current = wire.Epoch{2}
	for name, c := range map[string]struct {
		part   []byte
		box    *kept
		policy *access.Policy
		inside string // "?" = not known, "!" = an error
	}{
		"the entry came after":  {part(9, wire.Epoch{1}, 1), box(1), policy, "p"},
		"the server has it":     {part(9, wire.Epoch{1}, 2), box(1), policy, ""}, // and says that nobody is inside
		"another run before":    {part(9, wire.Epoch{7}, 99), box(1), policy, "p"},
		"nothing is said yet":   {part(1, wire.Epoch{}, 0), box(1), policy, "?"},
		"no policy":             {part(9, wire.Epoch{1}, 1), box(1), nil, "?"},
		"records are gone":      {part(9, wire.Epoch{7}, 99), box(3), policy, "!"},
		"two runs at once":      {part(9, wire.Epoch{1}, 1), two, policy, "!"},
		"not what was signed":   {[]byte("{}"), box(1), policy, "!"},
		"only the rest is kept": {part(9, wire.Epoch{1}, 2), box(3), policy, ""},
	} {
		st, err := rebuild(c.part, c.policy, ask, c.box)
		switch {
		case (c.inside == "!") != (err != nil):
			t.Errorf("%s: %v", name, err)
		case err != nil:
		case (c.inside == "?") != !st.Knows().Has(access.KnowZone):
			t.Errorf("%s: knows %s", name, st.Knows())
		case c.inside != "?" && strings.Join(st.People("z"), " ") != c.inside:
			t.Errorf("%s: %v inside", name, st.People("z"))
		}
	}
}
