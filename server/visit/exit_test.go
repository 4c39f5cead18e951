package visit

import (
	"testing"

	"monban/firmware/access"
)

// RR-6: only who entered states an exit, between the entry and now or the next entry; another person confirms it, once.
func TestStateExit(t *testing.T) {
	s := hall(t)
	e := Passage{Attempt: "aa", AtMS: s.at(24, 9, 0), Door: "front", Zone: "server-room", In: true, Person: "1001"}
	own, now := Actor{Account: "a", Person: "1001"}, s.at(24, 18, 0)
	for what, c := range map[string]struct {
		left, next int64
		by         Actor
		want       *Error
	}{
		"somebody else": {s.at(24, 12, 0), 0, applicant, ErrNotHolder}, "nobody": {s.at(24, 12, 0), 0, guard, ErrNotHolder}, "before the entry": {s.at(24, 8, 0), 0, own, ErrWindow},
		"in the future": {now + 1, 0, own, ErrWindow}, "after the next entry": {s.at(24, 14, 0), s.at(24, 13, 0), own, ErrWindow},
	} {
		if _, err := StateExit(e, c.left, c.next, c.by, now); err == nil {
			t.Errorf("%s: allowed", what)
		} else {
			refused(t, err, c.want)
		}
	}
	x, err := StateExit(e, s.at(24, 12, 0), s.at(24, 13, 0), own, now)
	must(t, err)
	if h := x.Head(); !h.Open || h.State != "stated" {
		t.Errorf("head %+v", h)
	}
	refused(t, x.Confirm(Actor{Account: "b", Person: "1001"}, now), ErrSamePerson)
	must(t, x.Confirm(manager2, now))
	refused(t, x.Confirm(manager2, now), ErrState)
	if h := x.Head(); h.Open {
		t.Errorf("head %+v", h)
	}
}

var manager2 = Actor{Account: "mgr2", Person: "1003"}

// RR-6: an entry without an exit is one that another entry or the end of the day followed; where no exit is read, none is missed.
func TestMarkExits(t *testing.T) {
	s := hall(t)
	line := func(attempt string, day, hour int, d access.DoorID, side access.Side) OwnEntry {
		z := access.ZoneID("server-room")
		if d == "store" {
			z = "media"
		}
		return OwnEntry{Attempt: attempt, AtMS: s.at(day, hour, 0), Door: d, Zone: z, Side: side, Passed: true}
	}
	list := []OwnEntry{
		line("1", 23, 9, "front", access.SideEnter), line("2", 23, 10, "front", access.SideEnter), line("3", 23, 11, "front", access.SideExit), line("4", 23, 12, "front", access.SideEnter),
		line("5", 23, 13, "store", access.SideEnter), line("6", 24, 9, "front", access.SideEnter),
	}
	list[1].Passed = true
	MarkExits(list, func(d access.DoorID) bool { return d == "front" }, s.at(24, 0, 0), []ExitStated{{Attempt: "4", LeftMS: 7}})
	for i, want := range []bool{true, false, false, false, false, false} {
		if list[i].NoExit != want {
			t.Errorf("line %s: no exit %v, want %v", list[i].Attempt, list[i].NoExit, want)
		}
	}
	if list[0].NextMS != s.at(23, 10, 0) || list[3].LeftMS != 7 || list[5].NoExit {
		t.Errorf("%+v", list)
	}
}
