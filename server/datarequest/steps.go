package datarequest

import (
	"slices"

	"monban/firmware/calendar"
	"monban/server/visit"
)

// At refuses a step of a page that shows the request as it was before somebody else's step, also after the button "back". seen is the number of turns
// that the page showed.
func (x *Record) At(seen int) error {
	if seen != len(x.Turns) || len(x.Turns) >= maxTurns {
		return ErrState
	}
	return nil
}

// office refuses who may not work on a request: nobody works on one of their own.
func (x *Record) office(by visit.Actor, states ...string) error {
	switch {
	case x.Own(by) || by.Account == "":
		return ErrOwn
	case !slices.Contains(states, x.State()):
		return ErrState
	}
	return nil
}

// Take says who works on it, and who instead of whom.
func (x *Record) Take(by visit.Actor, nowMS int64) error {
	if err := x.office(by, StateAsked, StateTaken, StateDecided); err != nil {
		return err
	}
	if x.Of(Taken).Account == by.Account {
		return ErrState
	}
	x.add(Taken, "", by, nowMS)
	return nil
}

// Extend moves the day of the decision once, while it is not over. told is what the person is told (第83条第2項).
func (x *Record) Extend(told string, by visit.Actor, nowMS int64, today calendar.Date) error {
	if err := x.office(by, StateTaken); err != nil {
		return err
	}
	if x.Of(Extended).Done() {
		return ErrState
	}
	if today.After(x.Due()) {
		return ErrLate
	}
	if err := words("text", told, maxText); err != nil {
		return err
	}
	x.add(Extended, told, by, nowMS)
	return nil
}

// Decide grants a request, in part or not; told is what the person is told, with the reasons.
func (x *Record) Decide(what Done, told string, by visit.Actor, nowMS int64) error {
	if err := x.office(by, StateTaken); err != nil {
		return err
	}
	if !slices.Contains(Decisions(), what) {
		return refusal(ErrMissing, "decision")
	}
	if err := words("text", told, maxText); err != nil {
		return err
	}
	x.add(what, told, by, nowMS)
	return nil
}

// Suspend notes that the use of an entry is suspended for this request: it acts at once, before anything is decided (利用停止). held is the suspension.
func (x *Record) Suspend(held, reason string, by visit.Actor, nowMS int64) error {
	if err := x.office(by, StateTaken, StateDecided); err != nil {
		return err
	}
	if x.Want != Stop || x.Decision() == Refused || len(x.Held) >= maxHeld {
		return ErrState
	}
	if err := words("reason", reason, maxText); err != nil {
		return err
	}
	x.Held = append(slices.Clone(x.Held), held)
	x.add(Suspended, reason, by, nowMS)
	return nil
}

// Settle notes that a suspended entry was erased, which takes a decision that grants it, or that its suspension ended. That another person does so is the
// suspension's to say.
func (x *Record) Settle(held string, erase bool, reason string, by visit.Actor, nowMS int64) error {
	states := []string{StateDecided}
	if !erase {
		states = append(states, StateWithdrawn, StateDone)
	}
	if err := x.office(by, states...); err != nil {
		return err
	}
	if !slices.Contains(x.Held, held) || erase && x.Decision() == Refused {
		return ErrState
	}
	if err := words("reason", reason, maxText); err != nil {
		return err
	}
	done := Lifted
	if erase {
		done = Erased
	}
	x.add(done, reason, by, nowMS)
	return nil
}

// Facts are what the log says about what was decided.
type Facts struct {
	Open     int  // entries whose use is still suspended for this request
	Kept     int  // entries that were erased or are still suspended
	Appended bool // a correction stands beside the entry since the request came
}

// Carry ends a request: what was decided is carried out and the person has the answer. pack is the hash of the pack that was given, "" = on paper.
func (x *Record) Carry(f Facts, pack, note string, by visit.Actor, nowMS int64) error {
	if err := x.office(by, StateDecided); err != nil {
		return err
	}
	granted := x.Decision() != Refused
	switch {
	case !granted && f.Open > 0:
		return ErrHeld
	case granted && x.Want == Stop && f.Kept == 0:
		return ErrNothing
	case granted && x.Want == Correction && x.Entry != "" && !f.Appended:
		return ErrNotYet
	}
	if err := words("text", note, maxText); err != nil {
		return err
	}
	x.Pack = pack
	x.add(Carried, note, by, nowMS)
	return nil
}

// Withdraw ends a request on the person's word, while it is not decided: on their own page, or, when it came on paper, by an officer who notes how they
// said so. What was suspended for it stays so until another officer ends that.
func (x *Record) Withdraw(note string, by visit.Actor, nowMS int64) error {
	switch {
	case !x.undecided():
		return ErrState
	case x.Paper == nil && (x.Account == "" || x.Account != by.Account):
		return ErrOther
	case x.Paper != nil:
		if err := x.office(by, StateAsked, StateTaken); err != nil {
			return err
		}
		if err := words("text", note, maxText); err != nil {
			return err
		}
	default:
		note = ""
	}
	x.add(Withdrawn, note, by, nowMS)
	return nil
}
