package review

import (
	"monban/firmware/access"
	"monban/firmware/door"
)

// tailgating: signs that more people passed than the log knows. A contact cannot see two people, so this is a question and
// never an alarm (VE-11): the door opened a second time on one permission, or somebody passed by an opening that another's
// permission had made, where the zone does not ask people to go in together.
type tailgating struct {
	closed *memory[door.Attempt, bool]     // attempts whose opening has closed once
	open   *memory[access.DoorID, opening] // the door stands open
}

// opening is by whose permission a door was opened, and when.
type opening struct {
	attempt door.Attempt
	atMS    int64
}

// standsOpen is how long a door is believed to stand open without a word: its closing may be among records that were lost.
const standsOpen = 10 * minute

// openings is how long an attempt's opening is remembered: a door stands open for minutes; carrying takes an hour.
const openings = hour

func newTailgating(book *journal) *tailgating {
	return &tailgating{
		newMemory[door.Attempt, bool](book, openings), newMemory[access.DoorID, opening](book, openings),
	}
}

func (r *tailgating) step(f *Fact) []Finding {
	switch f.Event {
	case door.EventEntry, door.EventExit:
		first, standing := r.open.get(f.Door)
		if !standing || f.AtMS-first.atMS >= standsOpen {
			r.open.set(f.ReceivedMS, f.Door, opening{f.Attempt, f.AtMS})
			return nil
		}
		if first.attempt == f.Attempt || f.Together || f.Event != door.EventEntry {
			return nil
		}
		x := f.about(TailgatingPossible, "two_passages")
		x.Once = OncePerDay
		return []Finding{x}
	case door.EventClosed, door.EventHeldEnd:
		r.open.drop(f.Door)
		if f.Attempt == (door.Attempt{}) {
			return nil
		}
		if again, _ := r.closed.get(f.Attempt); again {
			return []Finding{f.about(TailgatingPossible, "second_opening")}
		}
		r.closed.set(f.ReceivedMS, f.Attempt, true)
	}
	return nil
}
