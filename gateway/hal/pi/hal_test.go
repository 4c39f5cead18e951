package pi

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/firmware/mono"
	"monban/gateway/hal"
	"monban/gateway/hal/haltest"
	"monban/hardware/board"
)

func profile(t *testing.T, name string) *board.Profile {
	t.Helper()
	data, err := board.Text(name)
	if err != nil {
		t.Fatal(err)
	}
	p, err := board.Parse(name, data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func fromAnchor() func() mono.Time {
	anchor := time.Now()
	return func() mono.Time { return mono.Time(time.Since(anchor)) }
}

func openHAL(t *testing.T, p *board.Profile, c *fakeChip) *HAL {
	t.Helper()
	h, err := New(Config{Profile: p, Chip: func() (Chip, error) { return c, nil }, Now: fromAnchor()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// card26 has even parity before and odd parity after: facility 1, card 2.
const card26 = "10000000100000000000000100"

// I9: the promises of package hal, on pins.
func TestConformance(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{board.FailSecure, board.FailSafe, board.Bistable} {
		for _, c := range haltest.Cases() {
			t.Run(kind+"/"+c.Name, func(t *testing.T) {
				p, chip := profile(t, "one-door-wiegand"), newFakeChip()
				l := p.Doors[0].Lock
				l.Type = kind
				if kind == board.Bistable {
					l.SecurePin, l.Pulse = 24, board.D(50*time.Millisecond)
				}
				now := fromAnchor()
				h, err := New(Config{Profile: p, Chip: func() (Chip, error) { return chip, nil }, Now: now})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { h.Close() })
				d, err := h.Door("door-1")
				if err != nil {
					t.Fatal(err)
				}
				chip.set(16, false)
				c.Run(t, haltest.Fixture{
					Door: d, Now: now, Close: h.Close,
					Released: func() bool { return strike(chip, kind) },
					Card: func(hal.Reader) {
						time.Sleep(30 * time.Millisecond) // the train's edges lie in the past
						chip.train(5, 6, card26)
					},
					Open: func(open bool) { chip.set(16, open) },
				})
			})
		}
	}
}

// strike is what stands in the door frame, moved by the relay alone.
func strike(c *fakeChip, kind string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if kind != board.Bistable {
		return c.levels[23]
	}
	open := true // nobody knows: worst before the first pulse
	for _, s := range c.steps {
		switch s {
		case "23 high":
			open = true
		case "24 high":
			open = false
		}
	}
	return open
}

// I9: the lock's lines are taken low and nothing is high before New returns; a bistable lock gets its locking pulse and
// no other. On every way down the last thing a line is told is low.
func TestLockLines(t *testing.T) {
	c := newFakeChip()
	h := openHAL(t, profile(t, "one-door-wiegand"), c)
	if c.steps[0] != "23 low (taken)" || slices.Contains(c.steps, "23 high") {
		t.Errorf("start: %q", c.steps)
	}
	if err := errors.Join(h.locks["door-1"].Release(time.Minute), h.Close()); err != nil {
		t.Fatal(err)
	}
	var own []string
	for _, s := range c.steps {
		if strings.HasPrefix(s, "23 ") {
			own = append(own, s)
		}
	}
	if want := []string{"23 low (taken)", "23 low", "23 high", "23 low", "23 closed"}; !slices.Equal(own, want) {
		t.Errorf("%q, want %q", own, want)
	}
}

// I9: the profile's longest release holds whatever is asked.
func TestLongestRelease(t *testing.T) {
	c := newFakeChip()
	l, err := newLock(c, &board.Lock{Pin: 23, Type: board.FailSecure, MaxRelease: board.D(100 * time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Release(time.Minute); err != nil || !c.high(23) {
		t.Fatal(err)
	}
	until(t, "secured by the profile's limit", func() bool { return !c.high(23) })
}

// I9: a strike that does not obey is ErrStrike, and it is told to secure until it does.
func TestStrikeFails(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{board.FailSecure, board.Bistable} {
		c := newFakeChip()
		cfg := &board.Lock{Pin: 23, Type: kind, MaxRelease: board.D(time.Minute)}
		if kind == board.Bistable {
			cfg.SecurePin, cfg.Pulse = 24, board.D(50*time.Millisecond)
		}
		l, err := newLock(c, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Release(time.Minute); err != nil {
			t.Fatal(err)
		}
		c.with(func() { c.fail[23], c.fail[24] = true, true })
		if err := l.Secure(); !errors.Is(err, hal.ErrStrike) {
			t.Errorf("%s: secure of a dead line: %v", kind, err)
		}
		if err := l.Release(time.Second); !errors.Is(err, hal.ErrStrike) {
			t.Errorf("%s: release of a dead line: %v", kind, err)
		}
		c.with(func() { c.fail[23], c.fail[24] = false, false })
		until(t, kind+" secured by itself", func() bool { return !strike(c, kind) && !c.high(23) })
		until(t, kind+" pulse over", func() bool { return !c.high(24) })
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
}

// I9: a locking pulse that a release cut short is ended, also when its line fails in that moment.
func TestLockingCoilEnds(t *testing.T) {
	t.Parallel()
	c := newFakeChip()
	l, err := newLock(c, &board.Lock{Pin: 23, SecurePin: 24, Type: board.Bistable, Pulse: board.D(time.Second), MaxRelease: board.D(time.Minute)})
	if err != nil || !c.high(24) {
		t.Fatal(err, "the locking pulse of the start is missing")
	}
	c.with(func() { c.fail[24] = true })
	if err := l.Release(time.Second); !errors.Is(err, hal.ErrStrike) {
		t.Fatalf("release over a locking coil that stays on: %v", err)
	}
	c.with(func() { c.fail[24] = false })
	until(t, "the locking coil is off", func() bool { return !c.high(24) })
	if c.high(23) {
		t.Error("opened all the same")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// I9: Close does not leave a released lock behind because its line failed for a moment.
func TestCloseInsists(t *testing.T) {
	c := newFakeChip()
	l, err := newLock(c, &board.Lock{Pin: 23, Type: board.FailSecure, MaxRelease: board.D(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Release(time.Minute); err != nil {
		t.Fatal(err)
	}
	c.with(func() { c.fail[23] = true })
	time.AfterFunc(2*retryEvery, func() { c.with(func() { c.fail[23] = false }) })
	if err := l.Close(); err != nil || c.high(23) {
		t.Errorf("closed, released %v: %v", c.high(23), err)
	}
}

// Lines that two inputs share tell of changes while the second one is made.
func TestTapsWhileLinesChange(t *testing.T) {
	a, b := &source{level: hal.LevelRest}, &source{level: hal.LevelRest}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 1000 {
			a.set([]hal.Level{hal.LevelActive, hal.LevelRest}[i%2], mono.Time(i))
		}
	}()
	for range 100 {
		newTap(a, b)
	}
	<-done
	if got := newTap(a, b); got.level != hal.LevelRest {
		t.Error(got.level)
	}
}

// A missing chip is named; so is a pin that another program holds. The other locks were secured all the same.
func TestMissing(t *testing.T) {
	_, err := New(Config{Profile: profile(t, "bench"), Now: fromAnchor(), Chip: OpenChip})
	if err == nil {
		t.Skip("this machine has a header")
	}
	if !strings.Contains(err.Error(), headerLabel) || !strings.Contains(err.Error(), "Bench kit") || strings.Contains(err.Error(), "\n") {
		t.Errorf("the error does not say what is missing in one line: %v", err)
	}
	p, c := profile(t, "one-door-wiegand"), newFakeChip()
	second := p.Doors[0]
	lock := *second.Lock
	lock.Pin = 24
	second.ID, second.Lock = "door-2", &lock
	p.Doors = append([]board.Door{second}, p.Doors...)
	c.fail[24] = true
	if _, err := New(Config{Profile: p, Chip: func() (Chip, error) { return c, nil }, Now: fromAnchor()}); err == nil || !strings.Contains(err.Error(), "GPIO 24") {
		t.Errorf("%v", err)
	}
	if !slices.Contains(c.steps, "23 low") {
		t.Errorf("the other lock was not secured: %q", c.steps)
	}
}

// DS-2: every edge is told with the kernel's time, however short the press; a lost edge lasts until the next re-reading.
func TestInputs(t *testing.T) {
	t.Parallel()
	c := newFakeChip()
	h := openHAL(t, profile(t, "one-door-wiegand"), c)
	d, _ := h.Door("door-1")
	c.with(func() { // pressed for 10 µs: over before anybody looks
		e := c.event(27)
		at := kernelNow()
		_, _ = e.w.Write(append(e.event(27, false, at), e.event(27, true, at+10000)...)) // in one read: between two the level is looked at
	})
	first, then := change(t, d.Request), change(t, d.Request)
	if first.Level != hal.LevelActive || then.Level != hal.LevelRest || then.At.Sub(first.At) != 10*time.Microsecond {
		t.Errorf("%+v, %+v", first, then)
	}
	c.with(func() { c.levels[27] = false }) // an edge that the kernel lost
	if got := change(t, d.Request); got.Level != hal.LevelActive {
		t.Errorf("%+v", got)
	}
	// A line that cannot be read is a fault, never rest.
	c.with(func() { c.fail[16] = true })
	if level, err := d.Contact.Level(); err == nil || level != hal.LevelUnknown {
		t.Errorf("%v, %v", level, err)
	}
	for got := change(t, d.Contact); got.Level != hal.LevelUnknown; got = change(t, d.Contact) {
	}
	// The box's tamper switch and the fire relay are every door's.
	c.set(25, false)
	for got := change(t, d.Tamper); got.Level != hal.LevelRest; got = change(t, d.Tamper) {
	}
	c.set(25, true)
	if got := change(t, d.Tamper); got.Level != hal.LevelActive {
		t.Errorf("%+v", got)
	}
}

func (c *fakeChip) event(pin int) *fakeEvents {
	i := slices.IndexFunc(c.events, func(e *fakeEvents) bool { return slices.Contains(e.pins, pin) })
	return c.events[i]
}

func change(t *testing.T, in hal.Input) hal.Change {
	t.Helper()
	select {
	case c := <-in.Changes():
		return c
	case <-time.After(patience):
		t.Fatal("no change came")
		return hal.Change{}
	}
}

// DS-5: a line that stays low is a fault and ends as one; edges that nobody takes are an overrun, never a silent hole.
func TestWiegandFaults(t *testing.T) {
	t.Parallel()
	c := newFakeChip()
	h := openHAL(t, profile(t, "one-door-wiegand"), c)
	d, _ := h.Door("door-1")
	c.with(func() { c.levels[5] = false })
	if f := next[hal.Fault](t, d.Enter); f.Kind != hal.FaultLine || !f.On {
		t.Errorf("%+v", f)
	}
	c.with(func() { c.levels[5] = true })
	if f := next[hal.Fault](t, d.Enter); f.Kind != hal.FaultLine || f.On {
		t.Errorf("%+v", f)
	}
	w := d.Enter.(*Wiegand)
	for n := range batches { // one batch each: the watcher is waited for
		c.train(5, 6, "1")
		until(t, "read", func() bool { return len(w.signals) > n })
	}
	c.train(5, 6, "1") // one that finds no room
	until(t, "dropped", w.overrun.Load)
	for range batches {
		<-w.signals
	}
	c.train(5, 6, "1")
	if f := next[hal.Fault](t, d.Enter); f.Kind != hal.FaultOverrun || !f.On {
		t.Errorf("%+v", f)
	}
}

// Each colour, and what is shown when a light is not fitted: never another colour.
func TestShown(t *testing.T) {
	for _, row := range []struct {
		ind   hal.Indication
		at    time.Duration
		light hal.Colour
		sound bool
	}{
		{hal.Indication{}, 0, hal.Dark, false},
		{hal.Indication{Light: hal.Green}, time.Hour, hal.Green, false},
		{hal.Indication{Light: hal.Red, Blink: hal.BlinkSlow}, 499 * time.Millisecond, hal.Red, false},
		{hal.Indication{Light: hal.Red, Blink: hal.BlinkSlow}, 501 * time.Millisecond, hal.Dark, false},
		{hal.Indication{Light: hal.Red, Blink: hal.BlinkDouble}, 300 * time.Millisecond, hal.Red, false},
		{hal.Indication{Light: hal.Red, Blink: hal.BlinkDouble}, 700 * time.Millisecond, hal.Dark, false},
		{hal.Indication{Light: hal.Red, Other: hal.Amber, Blink: hal.BlinkTurn}, 1700 * time.Millisecond, hal.Amber, false},
		{hal.Indication{Tone: hal.ToneThreeShort}, 500 * time.Millisecond, hal.Dark, true},
		{hal.Indication{Tone: hal.ToneThreeShort}, 700 * time.Millisecond, hal.Dark, false},
		{hal.Indication{Tone: hal.ToneIntermittent}, 10 * time.Minute, hal.Dark, true},
	} {
		if light, sound, _ := shown(row.ind, row.at); light != row.light || sound != row.sound {
			t.Errorf("%+v after %v: %v, %v", row.ind, row.at, light, sound)
		}
	}
	c := newFakeChip()
	green, _ := c.Output(19)
	i := newIndicator(nil, green, nil, false)
	i.put(hal.Amber, false)
	if !c.high(19) {
		t.Error("amber lights green alone")
	}
	i.put(hal.Green, false)
	if c.high(19) {
		t.Error("green does not light")
	}
	_ = i.close()
	if !c.high(19) {
		t.Error("a closed reader is lit")
	}
}

// DS-8, I9: a lock whose release cannot be ended because its driver hangs is seen by Tend; one that works is not.
func TestTendSeesALockThatHangs(t *testing.T) {
	c := newFakeChip()
	l, err := newLock(c, &board.Lock{Pin: 23, Type: board.FailSecure, MaxRelease: board.D(10 * time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	l.Tend()
	if err := l.Release(10 * time.Millisecond); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock() // from now on no line can be set: the end of the release hangs in the driver
	if !soon(func() bool {
		free := l.mu.TryLock()
		if free {
			l.mu.Unlock()
		}
		return !free
	}) {
		t.Fatal("the release never ended")
	}
	tended := make(chan struct{})
	go func() { l.Tend(); close(tended) }()
	select {
	case <-tended:
		t.Error("Tend returned while the lock's own work hangs")
	case <-time.After(200 * time.Millisecond):
	}
	c.mu.Unlock()
	<-tended
	if err := l.Close(); err != nil || c.high(23) {
		t.Errorf("afterwards: %v, released %t", err, c.high(23))
	}
}
