package visit

import (
	"monban/firmware/access"
	"monban/server/directory"
)

// KindExit is the kind of ExitStated.
const KindExit = "exit_stated"

// ExitStated is what somebody says afterwards about an own exit that the log does not show (退室未記録, RR-6). It changes no
// record: the register shows the statement and who confirmed it.
type ExitStated struct {
	ID        string             `json:"id"`
	Attempt   string             `json:"attempt"` // id of the entry's line in the log, hexadecimal
	Person    directory.PersonID `json:"person"`
	Door      access.DoorID      `json:"door"`
	Zone      access.ZoneID      `json:"zone"`
	EntryMS   int64              `json:"entry_ms"`
	LeftMS    int64              `json:"left_ms"` // when they left, as they say
	Stated    Step               `json:"stated"`
	Confirmed Step               `json:"confirmed,omitzero"`
}

// Head implements Matter.
func (x *ExitStated) Head() Head {
	h := Head{ID: x.ID, Kind: KindExit, State: "stated", Open: true, Zone: string(x.Zone), Doors: []string{string(x.Door)}, FromMS: x.EntryMS, UntilMS: x.EntryMS + 1}
	if x.Confirmed.Done() {
		h.State, h.Open = "confirmed", false
	}
	return h
}

// Subject implements Matter.
func (x *ExitStated) Subject() directory.PersonID { return x.Person }

// StateExit makes the statement about an entry; only who entered can. leftMS lies after the entry, not in the future, and
// before nextMS, when the person entered again (0 = has not).
func StateExit(e Passage, leftMS, nextMS int64, by Actor, nowMS int64) (ExitStated, error) {
	switch {
	case by.Person == "" || by.Person != e.Person || !e.In:
		return ExitStated{}, ErrNotHolder
	case leftMS <= e.AtMS || leftMS > nowMS || nextMS != 0 && leftMS > nextMS:
		return ExitStated{}, ErrWindow.at("left")
	}
	return ExitStated{Attempt: e.Attempt, Person: e.Person, Door: e.Door, Zone: e.Zone, EntryMS: e.AtMS, LeftMS: leftMS, Stated: by.step(nowMS, "")}, nil
}

// Confirm is the zone manager's word, never the person's own.
func (x *ExitStated) Confirm(by Actor, nowMS int64) error {
	switch {
	case x.Confirmed.Done():
		return ErrState
	case x.Stated.same(by) || by.Person != "" && by.Person == x.Person:
		return ErrSamePerson
	}
	x.Confirmed = by.step(nowMS, "")
	return nil
}

// MarkExits notes, of the lines of one person in order of time, which entries no exit followed: the person entered the zone
// again, or the day of the entry (before todayMS) is over. reads tells whether an exit at a door is read at all; where it is
// not, nobody forgets one.
func MarkExits(list []OwnEntry, reads func(access.DoorID) bool, todayMS int64, stated []ExitStated) {
	last := map[access.ZoneID]int{} // entry that is open, index + 1
	open := func(i int) {
		e := &list[i]
		for j := range stated {
			if stated[j].Attempt == e.Attempt {
				e.LeftMS, e.Confirmed = stated[j].LeftMS, stated[j].Confirmed.Done()
				return
			}
		}
		e.NoExit = true
	}
	for i := range list {
		e := &list[i]
		if !e.Passed || e.Zone == "" || !reads(e.Door) {
			continue
		}
		if n := last[e.Zone]; n > 0 && e.Side == access.SideEnter {
			open(n - 1)
			list[n-1].NextMS = e.AtMS
		}
		delete(last, e.Zone)
		if e.Side == access.SideEnter {
			last[e.Zone] = i + 1
		}
	}
	for _, n := range last {
		if list[n-1].AtMS < todayMS {
			open(n - 1)
		}
	}
}
