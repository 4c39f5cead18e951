package visit

import (
	"monban/firmware/access"
	"monban/server/directory"
)

// Emergency is an entry in an emergency (災害等, AD-14): two officers, or one who breaks the glass where nobody else is
// present. The rules of the zone stand aside for the named persons; their cards are checked as always. It owes a report.
type Emergency struct {
	ID         string               `json:"id"`
	Zones      []access.ZoneID      `json:"zones"`
	Persons    []directory.PersonID `json:"persons"`
	Reason     string               `json:"reason"`
	Declared   Step                 `json:"declared"`
	Agreed     Step                 `json:"agreed,omitzero"` // the second officer
	BreakGlass bool                 `json:"break_glass,omitempty"`
	FromMS     int64                `json:"from_ms"`  // 0 = not in force
	UntilMS    int64                `json:"until_ms"` // ends by itself
	DueMS      int64                `json:"due_ms"`   // of the report
	Ended      Step                 `json:"ended,omitzero"`
	Report     string               `json:"report,omitempty"`
	Reported   Step                 `json:"reported,omitzero"`
	Given      Step                 `json:"given_up,omitzero"` // never came into force
}

// InForce reports whether the doors open for it at a moment, UTC ms.
func (e *Emergency) InForce(nowMS int64) bool {
	return e.FromMS != 0 && nowMS < e.UntilMS && !e.Ended.Done() && !e.Given.Done()
}

// Head implements Matter.
func (e *Emergency) Head() Head {
	h := Head{ID: e.ID, Kind: KindEmergency, State: "asked", Open: true, FromMS: e.Declared.AtMS, UntilMS: e.UntilMS}
	if len(e.Zones) > 0 {
		h.Zone = string(e.Zones[0])
	}
	switch {
	case e.Given.Done():
		h.State, h.Open = "given_up", false
	case e.Reported.Done():
		h.State, h.Open = "reported", !e.Ended.Done() // what was reported early may still be in force
	case e.Ended.Done():
		h.State = "ended"
	case e.FromMS != 0:
		h.State = "in_force"
	}
	return h
}

// Subject implements Matter.
func (e *Emergency) Subject() directory.PersonID {
	if len(e.Persons) > 0 {
		return e.Persons[0]
	}
	return ""
}

// askedLife is how long a second officer may take to agree.
const askedLife = 30 * 60_000

// Declare asks for an emergency entry of persons whom the directory knows into zones. With breakGlass it is in force at
// once, by one person; else when a second officer agrees. ms is how long it is to last, 0 = as long as is allowed.
func Declare(zones []access.ZoneID, persons []directory.PersonID, ms int64, reason string, breakGlass bool, by Actor, nowMS int64, s *Site) (Emergency, error) {
	var none Emergency
	if ms == 0 {
		ms = s.Settings.EmergencyMS
	}
	if err := free("reason", reason, maxText, true); err != nil {
		return none, err
	}
	switch {
	case len(zones) == 0:
		return none, ErrMissing.at("zones")
	case len(persons) == 0:
		return none, ErrMissing.at("persons")
	case len(zones) > 10 || len(persons) > 50:
		return none, ErrTooMany.at("persons")
	case ms < 0 || ms > s.Settings.EmergencyMS:
		return none, ErrWindow.at("until")
	}
	for _, z := range zones {
		if s.zone(string(z)) == nil {
			return none, ErrUnknown.at("zones")
		}
	}
	for _, id := range persons {
		if p := s.person(id); p == nil || !p.Active {
			return none, ErrUnknown.at("persons")
		}
	}
	e := Emergency{Zones: zones, Persons: persons, Reason: reason, Declared: by.step(nowMS, ""), BreakGlass: breakGlass, UntilMS: nowMS + ms}
	if breakGlass {
		e.begin(nowMS, s)
	}
	return e, nil
}

func (e *Emergency) begin(nowMS int64, s *Site) {
	length := e.UntilMS - e.Declared.AtMS
	e.FromMS, e.UntilMS, e.DueMS = nowMS, nowMS+length, nowMS+s.Settings.ReportMS
}

// Agree is the second officer's word: another person than the first.
func (e *Emergency) Agree(by Actor, nowMS int64, s *Site) error {
	switch {
	case e.FromMS != 0 || e.Given.Done():
		return ErrState
	case e.Declared.same(by):
		return ErrSamePerson
	case nowMS-e.Declared.AtMS > askedLife:
		return ErrTooLate
	}
	e.Agreed = by.step(nowMS, "")
	e.begin(nowMS, s)
	return nil
}

// End ends it early, or drops one that nobody agreed to; one person is enough (D27).
func (e *Emergency) End(by Actor, nowMS int64, note string) error {
	if e.Ended.Done() || e.Given.Done() {
		return ErrState
	}
	if err := free("note", note, maxText, false); err != nil {
		return err
	}
	if e.FromMS == 0 {
		e.Given = by.step(nowMS, note)
	} else {
		e.Ended = by.step(nowMS, note)
	}
	return nil
}

// Expire ends, by a job, what is over by itself.
func (e *Emergency) Expire(nowMS int64) bool {
	switch {
	case e.Ended.Done() || e.Given.Done():
		return false
	case e.FromMS == 0 && nowMS-e.Declared.AtMS > askedLife:
		e.Given = Step{AtMS: nowMS}
	case e.FromMS != 0 && nowMS >= e.UntilMS:
		e.Ended = Step{AtMS: nowMS}
	default:
		return false
	}
	return true
}

// Tell gives the report afterwards: who went in, why, what was done.
func (e *Emergency) Tell(report string, by Actor, nowMS int64) error {
	if e.FromMS == 0 || e.Reported.Done() {
		return ErrState
	}
	if err := free("report", report, 2000, true); err != nil {
		return err
	}
	e.Report, e.Reported = report, by.step(nowMS, "")
	return nil
}
