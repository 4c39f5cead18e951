package supervision

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"monban/firmware/mono"
)

const ms = mono.Time(time.Millisecond)

func line(t *testing.T, b Bands) *Line {
	t.Helper()
	l, err := New(b)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// DS-5: every band, both kinds of contact, at its ends.
func TestBands(t *testing.T) {
	swapped := Standard()
	swapped.Swapped = true
	for _, c := range []struct {
		r           float64
		rest, other State
	}{
		{0, Short, Short}, {0.149, Short, Short}, {0.40, Rest, Active}, {0.5, Rest, Active}, {0.60, Rest, Active},
		{0.75, Active, Rest}, {0.825, Active, Rest}, {0.88, Active, Rest}, {0.93, Cut, Cut}, {1, Cut, Cut},
	} {
		for b, want := range map[Bands]State{Standard(): c.rest, swapped: c.other} {
			if s, changed := line(t, b).Add(0, c.r); s != want || !changed {
				t.Errorf("r = %.3f, swapped %v: %v, want %v", c.r, b.Swapped, s, want)
			}
		}
	}
}

// DS-5: between two bands is a fault after 100 ms, and not before: a moving contact passes there.
func TestBetween(t *testing.T) {
	l := line(t, Standard())
	l.Add(0, 0.5)
	for at := mono.Time(0); at <= 100*ms; at += 10 * ms {
		if s, _ := l.Add(ms+at, 0.68); s != Rest {
			t.Fatalf("after %v: %v", at, s)
		}
	}
	if s, changed := l.Add(102*ms, 0.68); s != Fault || !changed {
		t.Errorf("%v, changed %v", s, changed)
	}
	// A line that never was anything else is unknown until then, not rest.
	l = line(t, Standard())
	if s, _ := l.Add(0, 0.68); s != Unknown {
		t.Errorf("the first measurement makes %v", s)
	}
	if s, _ := l.Add(0, math.NaN()); s != Fault {
		t.Errorf("no number makes %v", s)
	}
}

// DS-5: noise at the end of a band changes nothing.
func TestHysteresis(t *testing.T) {
	l := line(t, Standard())
	l.Add(0, 0.59)
	for i := range 1000 {
		if s, changed := l.Add(mono.Time(i)*10*ms, 0.60+0.019*math.Sin(float64(i))); s != Rest || changed {
			t.Fatalf("sample %d: %v", i, s)
		}
	}
}

// DS-5: trouble that comes and goes between two looks is still there a second later, and latched until reset.
func TestTroubleLasts(t *testing.T) {
	for r, want := range map[float64]State{0.02: Short, 0.99: Cut} {
		l := line(t, Standard())
		l.Add(0, 0.5)
		l.Add(10*ms, r)
		for at := 20 * ms; at < 1015*ms; at += 10 * ms {
			if s, _ := l.Add(at, 0.5); s != want {
				t.Fatalf("%v after %v: %v", want, at, s)
			}
		}
		if s, changed := l.Add(1020*ms, 0.5); s != Rest || !changed {
			t.Errorf("%v does not end: %v", want, s)
		}
		if !l.Latched(want) || l.Latched(Fault) || l.Latched(Rest) {
			t.Error("latch")
		}
		l.Reset()
		if l.Latched(want) {
			t.Error("reset does not forget")
		}
	}
	// Trouble turns into other trouble at once.
	l := line(t, Standard())
	l.Add(0, 0.99)
	if s, _ := l.Add(ms, 0.01); s != Short {
		t.Errorf("cut, then short: %v", s)
	}
	l.Reset()
	if !l.Latched(Short) {
		t.Error("reset forgets trouble that holds")
	}
	if s, _ := l.Lost(); s != Unknown {
		t.Errorf("lost: %v", s)
	}
}

// I9: whatever is measured, a line says rest only while its ratio has been in the band of rest, or just outside.
func TestNeverRestInDoubt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, err := New(Standard())
		if err != nil {
			t.Fatal(err)
		}
		now, lastRest := mono.Time(0), mono.Time(-1)
		for range rapid.IntRange(1, 200).Draw(t, "n") {
			now += mono.Time(rapid.Int64Range(0, int64(300*time.Millisecond)).Draw(t, "wait"))
			r := rapid.Float64Range(-0.1, 1.1).Draw(t, "r")
			s, _ := l.Add(now, r)
			inside := r >= 0.40-Hysteresis && r <= 0.60+Hysteresis
			if inside {
				lastRest = now
			}
			if s == Rest && !inside && (lastRest < 0 || now.Sub(lastRest) > BetweenTime+600*time.Millisecond) {
				t.Fatalf("rest at %.3f, in the band last %v ago", r, now.Sub(lastRest))
			}
			if s == Rest && (r <= 0.15 || r >= 0.93) {
				t.Fatalf("rest at %.3f", r)
			}
		}
	})
}

func TestBandsRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Bands){
		"overlap": func(b *Bands) { b.RestMost = 0.8 }, "touch": func(b *Bands) { b.ActiveLeast = 0.61 },
		"zero": func(b *Bands) { *b = Bands{} }, "no number": func(b *Bands) { b.CutLeast = math.NaN() },
		"above the rail": func(b *Bands) { b.CutLeast = 1 },
	} {
		b := Standard()
		spoil(&b)
		if _, err := New(b); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
