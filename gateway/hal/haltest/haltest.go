// Package haltest is the suite that every implementation of package hal passes. It is called from
// tests only; it takes a small T instead of package testing so that no binary can link that.
//
//	for _, c := range haltest.Cases() {
//		t.Run(c.Name, func(t *testing.T) { c.Run(t, fixture(t)) })
//	}
package haltest

import (
	"errors"
	"time"

	"monban/firmware/mono"
	"monban/gateway/hal"
)

// T is what the suite needs of *testing.T.
type T interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
	Skipf(format string, args ...any)
}

// Fixture is one freshly opened implementation with one door, and the hands to work it with. On real
// hardware the hands are a person's; a nil one skips, loudly, the cases that need it.
type Fixture struct {
	Door     hal.Door
	Released func() bool             // whether the strike would let somebody in, by an independent sense
	Card     func(reader hal.Reader) // holds a card before the reader
	Open     func(open bool)         // opens or closes the door
	Now      func() mono.Time        // the scale of the implementation's times
	Close    func() error            // closes the whole implementation
}

// Case is one promise.
type Case struct {
	Name string
	Run  func(t T, f Fixture)
}

// patience is how long a case waits for something that must come.
const patience = 5 * time.Second

// Cases lists the promises of package hal.
func Cases() []Case {
	return []Case{
		{"locks are secure at start", secureAtStart},
		{"release ends by itself", releaseEnds},
		{"release replaces the time", releaseReplaces},
		{"release refuses times out of range", releaseRange},
		{"secure is idempotent", secureTwice},
		{"close secures the lock", closeSecures},
		{"closed devices refuse", closedRefuse},
		{"close closes the channels", closeChannels},
		{"close twice is harmless", closeTwice},
		{"levels are the truth", levels},
		{"times never fall", times},
		{"indicate takes everything", indicate},
	}
}

func needLock(t T, f Fixture) hal.Lock {
	t.Helper()
	if f.Door.Lock == nil || f.Released == nil {
		t.Skipf("SKIPPED: no lock, or nothing that senses it")
	}
	return f.Door.Lock
}

// I9
func secureAtStart(t T, f Fixture) {
	needLock(t, f)
	if f.Released() {
		t.Errorf("the lock is released before anybody asked")
	}
}

// I9: the lock secures itself even if nobody calls again.
func releaseEnds(t T, f Fixture) {
	l := needLock(t, f)
	begin := f.Now()
	if err := l.Release(150 * time.Millisecond); err != nil {
		t.Fatalf("release: %v", err)
	}
	if !f.Released() {
		t.Fatalf("not released")
	}
	until(t, "secured by its own limit", func() bool { return !f.Released() })
	if d := f.Now().Sub(begin); d < 100*time.Millisecond || d > 2*time.Second {
		t.Errorf("released for %v, asked for 150ms", d)
	}
}

func releaseReplaces(t T, f Fixture) {
	l := needLock(t, f)
	if err := errors.Join(l.Release(50*time.Millisecond), l.Release(400*time.Millisecond)); err != nil {
		t.Fatalf("release: %v", err)
	}
	begin := f.Now()
	until(t, "secured", func() bool { return !f.Released() })
	if d := f.Now().Sub(begin); d < 250*time.Millisecond {
		t.Errorf("secured after %v: the first, shorter time still counted", d)
	}
}

func releaseRange(t T, f Fixture) {
	l := needLock(t, f)
	for _, d := range []time.Duration{0, -time.Second, hal.MaxRelease + 1} {
		if err := l.Release(d); !errors.Is(err, hal.ErrRelease) {
			t.Errorf("release for %v: %v", d, err)
		}
		if f.Released() {
			t.Errorf("released for %v", d)
		}
	}
}

func secureTwice(t T, f Fixture) {
	l := needLock(t, f)
	if err := errors.Join(l.Secure(), l.Release(time.Minute), l.Secure(), l.Secure()); err != nil {
		t.Fatalf("%v", err)
	}
	if f.Released() {
		t.Errorf("released after Secure")
	}
}

func closeSecures(t T, f Fixture) {
	l := needLock(t, f)
	if err := l.Release(time.Minute); err != nil {
		t.Fatalf("release: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	if f.Released() {
		t.Errorf("released after Close")
	}
}

func closedRefuse(t T, f Fixture) {
	if err := f.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	if l := f.Door.Lock; l != nil {
		if err := l.Release(time.Second); !errors.Is(err, hal.ErrClosed) {
			t.Errorf("release after close: %v", err)
		}
	}
	if r := f.Door.Enter; r != nil {
		if err := r.Indicate(hal.Indication{}); !errors.Is(err, hal.ErrClosed) {
			t.Errorf("indicate after close: %v", err)
		}
	}
	for _, in := range inputs(f.Door) {
		if level, err := in.Level(); !errors.Is(err, hal.ErrClosed) || level != hal.LevelUnknown {
			t.Errorf("level after close: %v, %v", level, err)
		}
	}
}

func closeChannels(t T, f Fixture) {
	if err := f.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	for _, r := range readers(f.Door) {
		for open := true; open; {
			select {
			case _, open = <-r.Signals():
			case <-late.C:
				t.Fatalf("a reader's channel stays open")
			}
		}
	}
	for _, in := range inputs(f.Door) {
		for open := true; open; {
			select {
			case _, open = <-in.Changes():
			case <-late.C:
				t.Fatalf("an input's channel stays open")
			}
		}
	}
}

func closeTwice(t T, f Fixture) {
	d := f.Door
	for range 2 {
		for _, r := range readers(d) {
			if err := r.Close(); err != nil {
				t.Errorf("reader: %v", err)
			}
		}
		for _, in := range inputs(d) {
			if err := in.Close(); err != nil {
				t.Errorf("input: %v", err)
			}
		}
		if d.Lock != nil {
			if err := d.Lock.Close(); err != nil {
				t.Errorf("lock: %v", err)
			}
		}
		if err := f.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

// An edge is a hint: whatever was missed, the level can be read again.
func levels(t T, f Fixture) {
	if f.Open == nil || f.Door.Contact == nil {
		t.Skipf("SKIPPED: nobody to open the door")
	}
	for i := range 50 { // more changes than any buffer holds, nobody listening
		f.Open(i%2 == 0)
	}
	f.Open(true)
	until(t, "level active", func() bool {
		l, err := f.Door.Contact.Level()
		return err == nil && l == hal.LevelActive
	})
	var newest hal.Change
	until(t, "the newest change says that the door stands open", func() bool {
		for {
			select {
			case newest = <-f.Door.Contact.Changes():
			default:
				return newest.Level == hal.LevelActive
			}
		}
	})
	f.Open(false)
	until(t, "level rest", func() bool {
		l, err := f.Door.Contact.Level()
		return err == nil && l == hal.LevelRest
	})
}

func times(t T, f Fixture) {
	if f.Card == nil || f.Door.Enter == nil {
		t.Skipf("SKIPPED: nobody to hold a card before the reader")
	}
	begin := f.Now()
	var last mono.Time
	var seq uint32
	edges := 0
	for range 3 {
		f.Card(f.Door.Enter)
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	for edges < 3*26 {
		var s hal.Signal
		select {
		case s = <-f.Door.Enter.Signals():
		case <-late.C:
			t.Fatalf("%d edges of 3 cards", edges)
		}
		list, ok := s.(hal.Edges)
		if !ok {
			edges += 26 // a reader that assembles cards itself
			list = nil
		}
		if s.When().Before(last) || s.When().After(f.Now()) || s.When().Before(begin) {
			t.Errorf("signal at %v after one at %v, begun at %v, now %v", s.When(), last, begin, f.Now())
		}
		for _, e := range list {
			if e.At.Before(last) || edges > 0 && e.Seq != seq+1 {
				t.Errorf("edge %d at %v after edge %d at %v", e.Seq, e.At, seq, last)
			}
			last, seq = e.At, e.Seq
			edges++
		}
	}
}

func indicate(t T, f Fixture) {
	for _, r := range readers(f.Door) {
		for c := hal.Dark; c <= hal.Amber; c++ {
			for b := hal.BlinkSteady; b <= hal.BlinkTurn; b++ {
				for tone := hal.ToneSilent; tone <= hal.ToneIntermittent; tone++ {
					if err := r.Indicate(hal.Indication{Light: c, Other: hal.Red, Blink: b, Tone: tone}); err != nil {
						t.Fatalf("%v %v %v: %v", c, b, tone, err)
					}
				}
			}
		}
	}
}

func readers(d hal.Door) []hal.Reader {
	var all []hal.Reader
	for _, r := range []hal.Reader{d.Enter, d.Exit} {
		if r != nil {
			all = append(all, r)
		}
	}
	return all
}

func inputs(d hal.Door) []hal.Input {
	var all []hal.Input
	for _, in := range []hal.Input{d.Contact, d.Request, d.Tamper, d.Fire} {
		if in != nil {
			all = append(all, in)
		}
	}
	return all
}

// until polls a condition.
func until(t T, what string, ok func() bool) {
	t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-end.C:
			t.Fatalf("never: %s", what)
		}
	}
}
