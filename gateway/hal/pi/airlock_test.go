package pi

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/gateway/controller"
	"monban/gateway/reader"
	"monban/hardware/board"
)

// airlockProfile is two doors of one airlock, each with a lock and a contact on the header, and the fire panel.
const airlockProfile = `name = "Airlock"
board = "pi"

[box.fire]
pin = 20
rest = "low"
pull = "up"

[[door]]
id = "outer"
kind = "controlled"

[door.lock]
pin = 23
type = "fail-secure"
active = "high"
relay = "no"
max_release = "60s"

[door.contact]
pin = 16
rest = "low"
pull = "up"

[[door.reader]]
side = "enter"
type = "wiegand"
d0 = 5
d1 = 6
formats = ["H10301"]

[[door]]
id = "inner"
kind = "controlled"

[door.lock]
pin = 24
type = "fail-secure"
active = "high"
relay = "no"
max_release = "60s"

[door.contact]
pin = 17
rest = "low"
pull = "up"

[[door.reader]]
side = "enter"
type = "wiegand"
d0 = 12
d1 = 13
formats = ["H10301"]
`

var (
	airlockLock    = map[access.DoorID]int{"outer": 23, "inner": 24}
	airlockContact = map[access.DoorID]int{"outer": 16, "inner": 17}
	airlockOther   = map[access.DoorID]access.DoorID{"outer": "inner", "inner": "outer"}
)

const airlockNoon = int64(1_795_700_000_000)

// airlockRig is the loops of two doors on the real drivers, over pins in memory. Who reads a card is given; the rest is real.
type airlockRig struct {
	*testing.T
	chip  *fakeChip
	reads map[access.DoorID]chan reader.Read
	tries byte

	mu      sync.Mutex
	records []wire.Record
	hold    bool          // grants become durable only when both doors have one
	held    []func(error) // of those that wait for it
	both    int           // moments in which two grants became durable
}

// Append implements controller.Recorder: everything is durable at once, or two grants in the same moment.
func (r *airlockRig) Append(rec wire.Record, _ []byte, _ *controller.PINFailures, done func(error)) {
	r.mu.Lock()
	r.records = append(r.records, rec)
	ready := []func(error){done}
	switch {
	case r.hold && rec.Event == door.EventGranted:
		r.held = append(r.held, done)
		if ready = nil; len(r.held) == len(airlockLock) {
			ready, r.held, r.hold = r.held, nil, false
			r.both++
		}
	case r.hold && rec.Event == door.EventDenied: // one had not heard yet that the other is closed again: no such moment
		ready, r.held, r.hold = append(ready, r.held...), nil, false
	}
	r.mu.Unlock()
	for _, f := range ready {
		f(nil)
	}
}

// PINFailed implements controller.Recorder.
func (r *airlockRig) PINFailed(access.Key) uint8 { return 0 }

// PINReset implements controller.Recorder.
func (r *airlockRig) PINReset() int64 { return 0 }

// Ask implements controller.Asker: there is no server.
func (r *airlockRig) Ask(_ wire.Ask, _ [32]byte, _ func(wire.Answer, bool), failed func()) { failed() }

func newAirlockRig(t *testing.T) *airlockRig {
	t.Helper()
	p, err := board.Parse("airlock", []byte(airlockProfile))
	if err != nil {
		t.Fatal(err)
	}
	rules := access.Rules{
		Version: 1, Site: "s", TimeZone: "UTC", Persons: []access.Person{{ID: "p", Active: true, Category: access.CategoryStaff}},
		Credentials: []access.Credential{{Key: access.Key{1}, Status: access.CredentialActive, Assurance: card.UIDOnly}},
		Zones:       []access.Zone{{ID: "lock", Level: 1, MinAssurance: card.UIDOnly}, {ID: "room", Level: 1, MinAssurance: card.UIDOnly}},
		Doors: []access.Door{
			{ID: "inner", EnterZone: "room", ExitZone: "lock", Interlock: "outer", OfflineMode: access.OfflineCached, MaxAgeMS: 86_400_000, Sides: []access.Side{access.SideEnter, access.SideExit}},
			{ID: "outer", EnterZone: "lock", Interlock: "inner", OfflineMode: access.OfflineCached, MaxAgeMS: 86_400_000, Sides: []access.Side{access.SideEnter, access.SideExit}},
		},
	}
	for _, z := range rules.Zones {
		rules.Grants = append(rules.Grants, access.Grant{Person: 0, Zone: z.ID, Schedule: access.Always, UntilMS: airlockNoon + 86_400_000})
	}
	policy, err := access.Compile(rules, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	r := &airlockRig{T: t, chip: newFakeChip(), reads: map[access.DoorID]chan reader.Read{}}
	r.chip.low = map[int]bool{16: true, 17: true, 20: true} // both doors closed, no fire
	now := fromAnchor()
	h, err := New(Config{Profile: p, Chip: func() (Chip, error) { return r.chip, nil }, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	locks := controller.NewAirlocks()
	locks.SetPolicy(policy)
	ctx, stop := context.WithCancel(context.Background())
	var all sync.WaitGroup
	t.Cleanup(func() {
		stop()
		all.Wait()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	for id := range airlockLock {
		d, err := h.Door(string(id))
		if err != nil {
			t.Fatal(err)
		}
		cfg := door.DefaultConfig(id, door.KindControlled, door.ExitReader)
		cfg.ReleaseTime, cfg.DurableWait = time.Minute, 10*time.Second // what ends a release here is the door, whatever the load
		r.reads[id] = make(chan reader.Read, 8)
		l, err := controller.New(controller.Config{
			Gateway: "gw-1", Door: cfg, HAL: d, Reads: r.reads[id], Recorder: r, Asker: r, Rand: rand.Reader, Airlocks: locks,
			Now: func() controller.Moment {
				at := now()
				return controller.Moment{At: at, WallMS: airlockNoon + int64(time.Duration(at)/time.Millisecond), Clock: access.ClockServer}
			},
			Stamp: func(controller.Moment) wire.Stamp { return wire.Stamp{} },
		})
		if err != nil {
			t.Fatal(err)
		}
		l.SetPolicy(policy, 1, airlockNoon)
		all.Go(func() {
			if err := l.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	return r
}

// mark puts a word into the trace of the pins, where it stands in their order.
func (r *airlockRig) mark(word string) {
	r.chip.with(func() { r.chip.steps = append(r.chip.steps, word) })
}

// badge holds a good card before a reader and gives its attempt.
func (r *airlockRig) badge(id access.DoorID, side access.Side) door.Attempt {
	return r.card(id, side, 1)
}

func (r *airlockRig) card(id access.DoorID, side access.Side, key byte) door.Attempt {
	r.tries++
	a := door.Attempt{r.tries}
	r.reads[id] <- reader.Read{Kind: reader.KindCard, Attempt: a, Side: side, Token: access.Key{key}, Assurance: card.UIDOnly, Sealed: []byte("x"), Link: reader.LinkClear}
	return a
}

// contact moves a door; a door that is open stands in the trace before the drivers hear of it.
func (r *airlockRig) contact(id access.DoorID, open bool) {
	r.Helper()
	r.mark(fmt.Sprint(airlockContact[id], map[bool]string{true: " open", false: " shut"}[open]))
	r.chip.set(airlockContact[id], open)
}

// open opens a door that is released, and waits for the record.
func (r *airlockRig) open(id access.DoorID, e door.Event) {
	r.Helper()
	before := r.count(id, e)
	r.contact(id, true)
	until(r.T, fmt.Sprintf("%s at %s", e, id), func() bool { return r.count(id, e) > before })
}

// shut closes a door that somebody went through, and waits until its contact is believed.
func (r *airlockRig) shut(id access.DoorID) {
	r.Helper()
	before := r.count(id, door.EventClosed)
	r.contact(id, false)
	until(r.T, fmt.Sprintf("%s is closed and locked", id), func() bool { return r.count(id, door.EventClosed) > before && !r.chip.high(airlockLock[id]) })
}

// ends waits for how an attempt ended: "granted" that moved the lock of its own door, or a refusal with its reason. A grant is recorded before
// anything is done, so one that the interlock stops is "granted" for a moment.
func (r *airlockRig) ends(a door.Attempt) (last wire.Record) {
	r.Helper()
	until(r.T, fmt.Sprintf("attempt %d is decided", a[0]), func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, rec := range r.records {
			if rec.Attempt == a {
				last = rec
			}
		}
		return last.Event == door.EventDenied || last.Event == door.EventNoEntry || last.Event == door.EventGranted && r.chip.high(airlockLock[last.Door])
	})
	return last
}

// count counts the records of an event at a door.
func (r *airlockRig) count(id access.DoorID, e door.Event) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range r.records {
		if x.Door == id && x.Event == e {
			n++
		}
	}
	return n
}

// DS-9: on the trace of two real lock drivers' pins no lock of an airlock is released for somebody who enters while the other
// is released or its door is not closed, over doors granted in the same moment, doors that stand open and a contact that is stuck;
// somebody who leaves is let out whatever the other door says; and a fire release ends the interlock.
func TestAirlockTrace(t *testing.T) {
	t.Parallel()
	r := newAirlockRig(t)
	defer func() { // however the test ends
		_, _, bad := judgeAirlock(r.steps())
		for _, b := range bad {
			t.Error(b)
		}
	}()
	for id := range airlockLock { // its loop has the policy when it knows that the card is a stranger's
		until(t, "the policy is in force", func() bool { return r.ends(r.card(id, access.SideEnter, 9)).Reason != access.ReasonNoPolicy })
	}
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	for range rounds {
		// Two cards, and both grants durable in the same moment: one door opens.
		r.mu.Lock()
		r.hold = true
		r.mu.Unlock()
		tries := map[access.DoorID]door.Attempt{"outer": r.badge("outer", access.SideEnter), "inner": r.badge("inner", access.SideEnter)}
		first := access.DoorID("")
		until(t, "one of two doors is released", func() bool {
			for id, pin := range airlockLock {
				if r.chip.high(pin) {
					first = id
				}
			}
			return first != ""
		})
		other := airlockOther[first]
		if rec := r.ends(tries[other]); rec.Reason != access.ReasonInterlock {
			t.Fatalf("the other door's card ended in %s, %s", rec.Event, rec.Reason)
		}
		r.open(first, door.EventEntry)
		// It stands open: the other one stays shut for a card.
		if rec := r.ends(r.badge(other, access.SideEnter)); rec.Event != door.EventDenied || rec.Reason != access.ReasonInterlock {
			t.Fatalf("while %s stands open a card at %s ends in %s, %s", first, other, rec.Event, rec.Reason)
		}
		r.shut(first)
		// Closed again: each door in its turn lets somebody in.
		for _, id := range []access.DoorID{other, first} {
			until(t, "the airlock is free for "+string(id), func() bool { return r.ends(r.badge(id, access.SideEnter)).Event == door.EventGranted })
			r.open(id, door.EventEntry)
			r.shut(id)
		}
	}

	// A contact that is stuck open: nobody enters by the other door, and nobody is trapped behind it.
	r.contact("outer", true)
	until(t, "the outer door's opening is recorded", func() bool { return r.count("outer", door.EventForcedOpen) > 0 })
	if rec := r.ends(r.badge("inner", access.SideEnter)); rec.Reason != access.ReasonInterlock {
		t.Errorf("past a stuck contact: %s, %s", rec.Event, rec.Reason)
	}
	r.mark("leaves")
	r.badge("inner", access.SideExit)
	until(t, "somebody is let out past a stuck contact", func() bool { return r.chip.high(24) })
	r.open("inner", door.EventExit)
	r.shut("inner")
	r.mark("enters")

	// The fire panel opens both by its wires: the interlock is over, and no pin of ours moves.
	r.mark("fire")
	r.chip.set(20, true)
	until(t, "the fire release is recorded", func() bool {
		return r.count("outer", door.EventFireRelease) > 0 && r.count("inner", door.EventFireRelease) > 0
	})
	granted := r.count("inner", door.EventGranted)
	r.badge("inner", access.SideEnter)
	until(t, "a card past the outer door, which stands open, is granted", func() bool { return r.count("inner", door.EventGranted) > granted })
	releases, stuck, _ := judgeAirlock(r.steps())
	if releases < 3*rounds+1 || r.both == 0 || stuck == 0 {
		t.Errorf("the test saw nothing: %d releases, %d moments with two cards, %d past an open door", releases, r.both, stuck)
	}
	t.Logf("%d releases in %d rounds, %d with two grants in the same moment; %d past an open door, to leave", releases, rounds, r.both, stuck)
}

func (r *airlockRig) steps() (out []string) {
	r.chip.with(func() { out = slices.Clone(r.chip.steps) })
	return out
}

// judgeAirlock reads the trace: levels of locks, doors, and who is asked for. bad names what must not be.
func judgeAirlock(steps []string) (releases, past int, bad []string) {
	high, open, leaves, fire := map[int]bool{}, map[int]bool{}, false, false
	for i, s := range steps {
		switch s {
		case "leaves", "enters":
			leaves = s == "leaves"
			continue
		case "fire":
			fire = true
			continue
		}
		number, what, _ := strings.Cut(s, " ")
		pin, err := strconv.Atoi(number)
		if err != nil {
			bad = append(bad, fmt.Sprintf("step %d cannot be read: %q", i, s))
		}
		if what == "open" || what == "shut" {
			open[pin] = what == "open"
			continue
		}
		high[pin] = what == "high"
		if !high[pin] || pin != 23 && pin != 24 {
			continue
		}
		releases++
		lock, contact := 24, 17 // the other door's
		if pin == 24 {
			lock, contact = 23, 16
		}
		switch busy := high[lock] || open[contact]; {
		case fire:
			bad = append(bad, fmt.Sprintf("step %d: lock %d is driven during a fire release", i, pin))
		case busy && !leaves:
			bad = append(bad, fmt.Sprintf("step %d: lock %d is released; the other lock is released: %t, its door open: %t; %q", i, pin, high[lock], open[contact], steps[max(i-8, 0):i+1]))
		case busy:
			past++
		}
	}
	return releases, past, bad
}

// The judge of the trace sees what it is for.
func TestAirlockJudge(t *testing.T) {
	t.Parallel()
	for trace, want := range map[string]int{
		"23 high,16 open,23 low,16 shut,24 high": 0, "23 high,24 high": 1, "24 high,24 low,17 open,23 high": 1, "16 open,leaves,24 high": 0,
		"16 open,leaves,enters,24 high": 1, "fire,23 high": 1, "23 high,23 low,24 high": 0, "what": 1,
	} {
		if _, _, bad := judgeAirlock(strings.Split(trace, ",")); len(bad) != want {
			t.Errorf("%s: %q", trace, bad)
		}
	}
}
