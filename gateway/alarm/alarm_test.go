package alarm

import (
	"testing"
	"time"

	"monban/firmware/door"
	"monban/firmware/mono"
)

// AL-6, D10: exactly a forced door, tampering and a fire release ring; everything else a door records leaves the bell as it is,
// but a re-arm, which ends it.
func TestWhatRings(t *testing.T) {
	r := Rule{Hold: 30 * time.Minute, Buzz: 3 * time.Minute}
	ring := map[door.Event]bool{door.EventForcedOpen: true, door.EventTamper: true, door.EventFireRelease: true}
	seen := 0
	for _, e := range door.Events() {
		if ring[e] {
			seen++
		}
		if got := (State{}).See(e, 5).At(r, 6); got != (Outputs{Lamp: ring[e], Buzzer: ring[e], Contact: ring[e]}) {
			t.Errorf("%s: %+v", e, got)
		}
		on := State{}.See(door.EventForcedOpen, 5).See(e, 6).At(r, 7)
		if on.Lamp == (e == door.EventRearmed) {
			t.Errorf("ringing, then %s: %+v", e, on)
		}
	}
	if seen != len(ring) {
		t.Errorf("%d of %d events seen", seen, len(ring))
	}
}

// AL-6: a forked log rings as a forced door does; a re-arm ends it.
func TestForkRings(t *testing.T) {
	r := Rule{Hold: 30 * time.Minute, Buzz: 3 * time.Minute}
	if got := (State{}).Fork(5).At(r, 6); got != (Outputs{true, true, true}) {
		t.Errorf("a fork: %+v", got)
	}
	if got := (State{}).Fork(5).See(door.EventRearmed, 6).At(r, 7); got != (Outputs{}) {
		t.Errorf("after a re-arm: %+v", got)
	}
}

// The buzzer ends before the lamp, both by themselves; another event begins the times anew.
func TestTimes(t *testing.T) {
	r := Rule{Hold: 30 * time.Minute, Buzz: 3 * time.Minute}
	at := func(d time.Duration) mono.Time { return mono.Time(0).Add(d) }
	s := State{}.See(door.EventTamper, at(time.Minute))
	for after, want := range map[time.Duration]Outputs{
		time.Minute: {true, true, true}, 4*time.Minute - 1: {true, true, true}, 4 * time.Minute: {true, false, true},
		31*time.Minute - 1: {true, false, true}, 31 * time.Minute: {},
	} {
		if got := s.At(r, at(after)); got != want {
			t.Errorf("after %v %+v, want %+v", after, got, want)
		}
	}
	if got := s.See(door.EventForcedOpen, at(20*time.Minute)).At(r, at(22*time.Minute)); !got.Buzzer {
		t.Error("another event does not buzz")
	}
	if got := (State{}).At(r, at(time.Hour)); got != (Outputs{}) {
		t.Errorf("the zero state rings: %+v", got)
	}
}
