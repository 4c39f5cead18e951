package app

import (
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/link"
	"monban/firmware/mono"
	"monban/gateway/controller"
)

const (
	minuteMS = int64(60_000)
	hourMS   = 60 * minuteMS
	maxAgeMS = 24 * hourMS
	noonMS   = int64(1795489200000) // 2026-11-24 12:00 JST
	rulesNo  = 5
)

// disk is what a gateway's card keeps over a power cut.
type disk struct {
	trusted, age int64
}

func (d *disk) SaveTrusted(ms int64, _ func(error)) { d.trusted = max(d.trusted, ms) }
func (d *disk) CorrectTrusted(ms int64, _ func(error)) {
	if ms > 0 {
		d.trusted = ms
	}
}
func (d *disk) Age(uint64) int64 { return d.age }
func (d *disk) SaveAge(_ uint64, ms int64) error {
	d.age = ms
	return nil
}

// clockWorld is one gateway in virtual time: the true time, the kernel's clock, the disk, and the
// product's own timekeeping, policy age and door machine.
type clockWorld struct {
	t    *testing.T
	rand *rand.Rand
	disk disk

	real   int64               // true UTC ms
	skew   int64               // kernel's wall − true, ms
	kernel access.ClockQuality // what the kernel says of it

	policy *access.Policy
	anchor *anchor
	keeper *timekeeper
	mono   mono.Time
	saveAt mono.Time
	since  int64 // what the door was told
	events int   // clock steps noted

	confirmed int64 // true time at which the server last said that the policy is in force
	up        int64 // ms this gateway has run since
	crashes   int64 // each may lose a minute of it
	fooled    bool  // a wrong clock was taken for good since
	expired   bool  // the door has said policy_expired since, in this process
}

func (w *clockWorld) boot() {
	w.mono, w.saveAt, w.expired = 0, mono.Time(ageEvery), false
	w.anchor = &anchor{start: time.UnixMilli(w.real + w.skew)}
	w.anchor.quality.Store(uint32(w.kernel))
	w.anchor.notBefore(w.disk.trusted)
	p := &policies{
		wall: func() int64 { return w.anchor.wall(w.mono) }, clock: w.anchor.clock, now: func() mono.Time { return w.mono },
		trusted: func() int64 { return w.disk.trusted }, ages: &w.disk, log: slog.New(slog.DiscardHandler),
	}
	w.keeper = &timekeeper{anchor: w.anchor, policies: p, store: &w.disk, confirm: func(ms int64) { w.since = ms },
		note: func(door.Event, string) { w.events++ }, log: p.log}
	p.save = w.keeper.save
	w.since = p.loaded(link.PolicyHeld{Manifest: 1})
	w.trust()
}

// trust notes that the clock now in use is wrong although it is trusted.
func (w *clockWorld) trust() {
	off := w.anchor.wall(w.mono) - w.real
	if w.anchor.clock() >= access.ClockRTC && (off > 1000 || off < -1000) {
		w.fooled = true
	}
}

// advance lets ms of true time pass while the gateway runs.
func (w *clockWorld) advance(ms int64) {
	for ms > 0 {
		step := min(ms, minuteMS)
		ms -= step
		w.real += step
		w.up += step
		w.mono = w.mono.Add(time.Duration(step) * time.Millisecond)
		w.keeper.look(w.real+w.skew, w.kernel, w.mono)
		w.trust()
		if w.mono >= w.saveAt {
			w.keeper.save()
			w.saveAt = w.mono.Add(ageEvery)
		}
	}
}

// restart is a power cut or a clean stop, and a start after off ms.
func (w *clockWorld) restart(off int64, clean bool) {
	if clean {
		w.keeper.save()
	} else {
		w.crashes++
	}
	w.real += off
	w.boot()
}

// linked lets the gateway hear its server: the time, and whether the policy is still in force.
func (w *clockWorld) linked(inForce bool) {
	before := w.anchor.clock()
	w.keeper.moved(w.anchor.serverTime(w.real, w.mono, w.mono), before)
	if inForce {
		w.since = w.keeper.policies.wall()
		w.keeper.policies.confirmed()
		w.confirmed, w.up, w.crashes, w.fooled, w.expired = w.real, 0, 0, false, false
	}
}

// badge presents a card that has every right, without a lease, and gives the reason.
func (w *clockWorld) badge() access.Reason {
	at := controller.Moment{At: w.mono, WallMS: w.anchor.wall(w.mono), Clock: w.anchor.clock()}
	m := controller.NewMachine("gw-1", door.DefaultConfig("d", door.KindControlled, door.ExitReader), func(access.Key) uint8 { return 0 }, nil)
	m.Start(false, w.mono)
	m.SetPolicy(w.policy, rulesNo, w.since, at)
	for _, e := range m.OnRead(controller.Read{Attempt: door.Attempt{1}, Side: access.SideEnter, Key: access.Key{1}, HasCard: true, Grade: card.UIDOnly}, at) {
		if r, ok := e.(controller.Record); ok {
			return r.Draft.Reason
		}
	}
	w.t.Fatal("a badge without a record")
	return 0
}

// check holds the badge's outcome against what is true.
func (w *clockWorld) check() access.Reason {
	got := w.badge()
	age := w.real - w.confirmed
	say := func(format string, args ...any) {
		w.t.Helper()
		w.t.Fatalf("%s; door says %s, policy %v old (ran %v of it, %d crashes), skew %v, clock %s, disk %+v",
			fmt.Sprintf(format, args...), got, time.Duration(age)*time.Millisecond, time.Duration(w.up)*time.Millisecond, w.crashes,
			time.Duration(w.skew)*time.Millisecond, w.anchor.clock(), w.disk)
	}
	if got == access.ReasonGranted {
		switch {
		case w.anchor.clock() < access.ClockRTC:
			say("granted without a trusted clock")
		case w.disk.age > maxAgeMS || w.expired:
			say("a policy that was known to be expired is revived")
		case w.up-w.crashes*minuteMS > maxAgeMS:
			say("granted although it ran longer than max_age")
		case !w.fooled && age > maxAgeMS+w.crashes*minuteMS:
			say("granted beyond max_age with a good clock")
		}
	}
	w.expired = w.expired || got == access.ReasonPolicyExpired
	return got
}

// D12, AD-7, EV-7, I5: 10,000 jumps of the kernel's clock, by ±1 s to ±50 years, with restarts, power cuts
// and links in between. No policy known to be expired is revived, none is used beyond max_age with a good
// clock, and nobody is locked out for good: once the server has been heard, the door opens again, also
// after another start with the right time.
func TestClockJumps(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("MONBAN_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("MONBAN_SEED=%d", seed)
	w := &clockWorld{t: t, rand: rand.New(rand.NewPCG(seed, 0)), real: noonMS, confirmed: noonMS, kernel: access.ClockNTP, policy: clockPolicy(t)}
	w.boot()
	w.linked(true)
	jumps, granted, expired, untrusted, reborn := 0, 0, 0, 0, 0
	for jumps < 10_000 {
		switch w.rand.IntN(8) {
		case 0, 1, 2:
			jumps++
			w.jump()
		case 3:
			w.advance(w.rand.Int64N(90 * minuteMS))
		case 4:
			w.restart(w.rand.Int64N(5*minuteMS), w.rand.IntN(2) == 0)
		case 5:
			w.restart(w.rand.Int64N(30*hourMS), false)
		case 6:
			if w.rand.IntN(12) > 0 {
				w.advance(w.rand.Int64N(minuteMS))
				break
			}
			w.linked(true)
			if got := w.check(); got != access.ReasonGranted {
				t.Fatalf("just linked, and the door says %s", got)
			}
			// Another start with the right time, the server away: nobody is locked out.
			w.skew, w.kernel = 0, access.ClockNTP
			w.restart(w.rand.Int64N(20*hourMS), w.rand.IntN(2) == 0)
			if got := w.check(); got != access.ReasonGranted {
				t.Fatalf("after a start with the right time the door says %s: locked out (disk %+v, now %d)", got, w.disk, w.real)
			}
			reborn++
		case 7:
			if w.rand.IntN(30) == 0 {
				w.linked(false) // the server has newer rules, which have not come
			}
		}
		switch w.check() {
		case access.ReasonGranted:
			granted++
		case access.ReasonPolicyExpired:
			expired++
		case access.ReasonClockUntrusted:
			untrusted++
		}
	}
	t.Logf("%d jumps: %d badges granted, %d policy_expired, %d clock_untrusted, %d starts after a link, %d clock steps noted",
		jumps, granted, expired, untrusted, reborn, w.events)
	if granted == 0 || expired == 0 || untrusted == 0 || reborn == 0 || w.events == 0 {
		t.Error("something never happened: the test shows nothing")
	}
}

// D12, I5: a server whose clock stood hours ahead and is then corrected leaves no time of the future on the card,
// whenever the power fails after that: with the right time at the next start, and no server, the gateway decides.
func TestServerClockCorrected(t *testing.T) {
	w := &clockWorld{t: t, rand: rand.New(rand.NewPCG(1, 0)), real: noonMS, confirmed: noonMS, kernel: access.ClockNTP, policy: clockPolicy(t)}
	w.boot()
	w.real += 7 * hourMS // the server's claim
	w.linked(true)
	w.real -= 7 * hourMS
	w.advance(5 * minuteMS)
	if w.disk.trusted < noonMS+7*hourMS {
		t.Fatalf("the wrong time was not taken: %+v", w.disk)
	}
	w.linked(true)
	w.restart(1000, false) // the power fails at once
	if w.disk.trusted > w.real || w.anchor.clock() != access.ClockNTP {
		t.Errorf("trusted until %d, now %d, clock %s", w.disk.trusted, w.real, w.anchor.clock())
	}
	if got := w.badge(); got != access.ReasonGranted {
		t.Errorf("the door says %s", got)
	}
	// The policy got no younger by it.
	w.advance(25 * hourMS)
	if got := w.badge(); got != access.ReasonPolicyExpired {
		t.Errorf("a day later the door says %s", got)
	}
}

// D12, I5: the first policy of a gateway without a clock of its own: the server's time is on the card as soon as it is
// known. A power cut right after it, and a start long after max_age, revive nothing; nor does a card that lost the time.
func TestFirstPolicyHasAnAge(t *testing.T) {
	for _, lost := range []bool{false, true} {
		w := &clockWorld{t: t, rand: rand.New(rand.NewPCG(1, 0)), real: noonMS, skew: -noonMS, kernel: access.ClockNone, policy: clockPolicy(t)}
		w.boot()
		w.keeper.policies.confirmed() // the policy came before the time
		w.linked(true)
		if got := w.badge(); got != access.ReasonGranted {
			t.Fatalf("linked, and the door says %s", got)
		}
		if lost {
			w.disk = disk{}
		}
		w.restart(maxAgeMS+hourMS, false)
		w.skew, w.kernel = 0, access.ClockNTP // the network's time comes a little later
		w.advance(minuteMS)
		if got := w.badge(); got != access.ReasonPolicyExpired {
			t.Errorf("lost %v: a policy of yesterday and the door says %s (%+v)", lost, got, w.disk)
		}
		w.linked(true)
		if got := w.badge(); got != access.ReasonGranted {
			t.Errorf("lost %v: linked again, and the door says %s", lost, got)
		}
	}
}

// D12, I5, AD-7: a card that holds a policy and no saved time tells nobody how long the gateway was off. A clock near the
// true time, whatever it says of itself, must not make the policy one of today: the card opens again when the server has named it.
func TestPolicyWithoutASavedTime(t *testing.T) {
	for _, c := range []struct {
		behind int64 // how far the clock stands before the true time at the start, ms
		says   access.ClockQuality
	}{
		{0, access.ClockNTP}, {0, access.ClockNone}, {hourMS, access.ClockNone}, {hourMS, access.ClockFloor}, {-hourMS, access.ClockNone},
	} {
		w := &clockWorld{t: t, rand: rand.New(rand.NewPCG(1, 0)), real: noonMS, kernel: access.ClockNTP, policy: clockPolicy(t)}
		w.boot()
		w.linked(true)
		if got := w.badge(); got != access.ReasonGranted {
			t.Fatalf("linked, and the door says %s", got)
		}
		w.disk = disk{}
		w.skew, w.kernel = -c.behind, c.says
		w.restart(maxAgeMS+hourMS, false)
		if got := w.badge(); got == access.ReasonGranted {
			t.Errorf("%+v: the door opens at the start", c)
		}
		w.skew, w.kernel = 0, access.ClockNTP // the network's time comes a little later
		w.advance(minuteMS)
		if got := w.badge(); got != access.ReasonPolicyExpired {
			t.Errorf("%+v: a policy of yesterday and the door says %s", c, got)
		}
		w.linked(true)
		if got := w.badge(); got != access.ReasonGranted {
			t.Errorf("%+v: linked again, and the door says %s", c, got)
		}
	}
}

// jump sets the kernel's clock: mostly wrong, now and then right, with a word about itself that may be wrong too.
func (w *clockWorld) jump() {
	const fiftyYears = 50 * 365 * 24 * 3600
	seconds := int64(math.Exp(w.rand.Float64() * math.Log(fiftyYears)))
	switch w.rand.IntN(5) {
	case 0:
		w.skew = 0
	case 1, 2:
		w.skew += seconds * 1000
	default:
		w.skew -= seconds * 1000
	}
	w.skew = min(max(w.skew, -fiftyYears*1000), fiftyYears*1000)
	w.kernel = [...]access.ClockQuality{access.ClockNone, access.ClockFloor, access.ClockNTP, access.ClockNTP}[w.rand.IntN(4)]
}

func clockPolicy(t *testing.T) *access.Policy {
	t.Helper()
	p, err := access.Compile(access.Rules{
		Version: rulesNo, Site: "s", TimeZone: "UTC",
		Persons:     []access.Person{{ID: "p", Active: true, Category: access.CategoryStaff}},
		Credentials: []access.Credential{{Key: access.Key{1}, Status: access.CredentialActive, Assurance: card.UIDOnly}},
		Zones:       []access.Zone{{ID: "z", Level: 2, MinAssurance: card.UIDOnly}},
		Doors:       []access.Door{{ID: "d", EnterZone: "z", Sides: []access.Side{access.SideEnter}, OfflineMode: access.OfflineCached, MaxAgeMS: maxAgeMS}},
		Grants:      []access.Grant{{Zone: "z", Schedule: access.Always, UntilMS: noonMS + 200*365*24*hourMS}},
	}, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// D12: what each step of the clock does, one by one.
func TestAnchor(t *testing.T) {
	at := func(q access.ClockQuality, wall, trusted int64) *anchor {
		a := &anchor{start: time.UnixMilli(wall)}
		a.quality.Store(uint32(q))
		a.notBefore(trusted)
		return a
	}
	const second = mono.Time(time.Second)
	for name, c := range map[string]struct {
		a    *anchor
		wall int64
		q    access.ClockQuality
	}{
		"first start":            {at(access.ClockNTP, noonMS, 0), noonMS, access.ClockNTP},
		"later":                  {at(access.ClockNTP, noonMS, noonMS-hourMS), noonMS, access.ClockNTP},
		"slewed a little back":   {at(access.ClockNTP, noonMS-30_000, noonMS), noonMS, access.ClockNTP},
		"set back":               {at(access.ClockNTP, noonMS-hourMS, noonMS), noonMS, access.ClockFloor},
		"1970":                   {at(access.ClockNone, 0, noonMS), noonMS, access.ClockNone},
		"not synchronised":       {at(access.ClockFloor, noonMS+hourMS, noonMS), noonMS + hourMS, access.ClockFloor},
		"1970 and nothing known": {at(access.ClockFloor, 0, 0), 0, access.ClockFloor},
	} {
		if got := c.a.wall(0); got != c.wall || c.a.clock() != c.q {
			t.Errorf("%s: %d ms from noon, %s; want %d, %s", name, got-noonMS, c.a.clock(), c.wall-noonMS, c.q)
		}
	}
	a := at(access.ClockFloor, 0, noonMS)
	if step := a.kernelTime(noonMS-hourMS, access.ClockNTP, second); step != 0 || a.clock() != access.ClockFloor {
		t.Errorf("a network time before the last trusted one is taken: %d, %s", step, a.clock())
	}
	if step := a.kernelTime(noonMS+hourMS, access.ClockFloor, second); step != 0 {
		t.Error("a clock that is not good is taken")
	}
	if step := a.kernelTime(noonMS+hourMS, access.ClockNTP, second); step != hourMS-1000 || a.clock() != access.ClockNTP || a.wall(second) != noonMS+hourMS {
		t.Errorf("network time: step %d, %s, wall %d", step, a.clock(), a.wall(second)-noonMS)
	}
	if step := a.serverTime(noonMS+5000, second, second); step != 5000-hourMS || a.clock() != access.ClockServer || a.least(second) != noonMS+5000 {
		t.Errorf("server time: step %d, %s, least %d", step, a.clock(), a.least(second)-noonMS)
	}
	if step := a.kernelTime(noonMS+hourMS, access.ClockNTP, second); step != 0 {
		t.Error("the network's time moves a clock that has the server's")
	}
}
