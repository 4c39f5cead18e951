package visit

import (
	"monban/firmware/access"
	"monban/server/directory"
)

// KindCorrection is the kind of Correction.
const KindCorrection = "correction"

// correctionDays is how many open days an application for a correction may wait for its answer.
const correctionDays = 3

// Correction says what is wrong in a row of the register and what is right (訂正, VR-12). It changes no record: the register shows the old
// line and this one beside it. A manager's is in force at once; a person's (訂正申出) waits for an answer.
type Correction struct {
	ID      string             `json:"id"`
	Attempt string             `json:"attempt"` // id of the line that the row begins with, hexadecimal
	Zone    access.ZoneID      `json:"zone"`
	Person  directory.PersonID `json:"person,omitempty"` // whose row it is, as recorded; "" = nobody known
	AtMS    int64              `json:"at_ms"`            // when the row began
	Right   Right              `json:"right"`
	Asked   Step               `json:"asked,omitzero"` // by the person; not done of a manager's own
	DueMS   int64              `json:"due_ms,omitempty"`
	Decided Step               `json:"decided,omitzero"` // Note is the answer, of a manager's own the reason
	Refused bool               `json:"refused,omitempty"`
}

// Right is what is right; what is empty stays as it was recorded.
type Right struct {
	Name    string `json:"name,omitempty"`
	Badge   string `json:"badge,omitempty"`
	Purpose string `json:"purpose,omitempty"`
	InMS    int64  `json:"in_ms,omitempty"`
	OutMS   int64  `json:"out_ms,omitempty"`
}

func (r *Right) check(nowMS int64) error {
	if *r == (Right{}) {
		return ErrMissing.at("right")
	}
	if r.InMS < 0 || r.OutMS < 0 || r.InMS > nowMS || r.OutMS > nowMS || r.InMS != 0 && r.OutMS != 0 && r.OutMS <= r.InMS {
		return ErrWindow.at("out")
	}
	return firstErr(free("name", r.Name, maxName, false), free("badge", r.Badge, maxName, false), free("purpose", r.Purpose, maxText, false))
}

// Head implements Matter.
func (x *Correction) Head() Head {
	h := Head{ID: x.ID, Kind: KindCorrection, State: "asked", Open: true, Zone: string(x.Zone), FromMS: x.AtMS, UntilMS: x.AtMS + 1}
	switch {
	case x.Refused:
		h.State, h.Open = "refused", false
	case x.Decided.Done():
		h.State, h.Open = "made", false
	}
	return h
}

// Subject implements Matter.
func (x *Correction) Subject() directory.PersonID { return x.Person }

// InForce reports whether the register shows it as right.
func (x *Correction) InForce() bool { return x.Decided.Done() && !x.Refused }

// Correct is a manager's correction of somebody else's row, with its reason.
func Correct(row Correction, reason string, by Actor, nowMS int64) (Correction, error) {
	if err := firstErr(row.Right.check(nowMS), free("reason", reason, maxText, true)); err != nil {
		return Correction{}, err
	}
	if by.Person != "" && by.Person == row.Person {
		return Correction{}, ErrSamePerson
	}
	row.Asked, row.Refused, row.DueMS, row.Decided = Step{}, false, 0, by.step(nowMS, reason)
	return row, nil
}

// AskCorrection is a person's application to have an own row corrected.
func AskCorrection(row Correction, reason string, by Actor, nowMS int64, s *Site) (Correction, error) {
	if err := firstErr(row.Right.check(nowMS), free("reason", reason, maxText, true)); err != nil {
		return Correction{}, err
	}
	if by.Person == "" || by.Person != row.Person {
		return Correction{}, ErrNotHolder
	}
	row.Asked, row.Refused, row.Decided, row.DueMS = by.step(nowMS, reason), false, Step{}, s.nextClosing(nowMS, correctionDays)
	return row, nil
}

// Answer says yes or no to an application, never by the person themselves.
func (x *Correction) Answer(right bool, answer string, by Actor, nowMS int64) error {
	if x.Decided.Done() || !x.Asked.Done() {
		return ErrState
	}
	if err := free("answer", answer, maxText, !right); err != nil { // a refusal says why
		return err
	}
	if x.Asked.same(by) || by.Person != "" && by.Person == x.Person {
		return ErrSamePerson
	}
	x.Decided, x.Refused = by.step(nowMS, answer), !right
	return nil
}
