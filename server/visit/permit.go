package visit

import (
	"time"

	"monban/firmware/access"
	"monban/server/directory"
)

// Permit is a standing permit (VE-12): the same people come at the same hours, for cleaning or air conditioning. It opens no
// door; each coming is a visit that reception makes of it.
type Permit struct {
	ID       string             `json:"id"`
	Type     Type               `json:"type"`
	Purpose  string             `json:"purpose"`
	System   string             `json:"system"`
	Zones    []access.ZoneID    `json:"zones"`
	Days     directory.Day      `json:"days"`   // as in a schedule: bit 7 = closed days too
	FromS    int                `json:"from_s"` // seconds since midnight
	ToS      int                `json:"to_s"`   // ≤ FromS = ends on the next day
	First    directory.Date     `json:"first"`
	Last     directory.Date     `json:"last"` // at most the end of the fiscal year (AD-6)
	Section  string             `json:"section"`
	Company  string             `json:"company,omitempty"`
	Contract string             `json:"contract,omitempty"`
	Attendee directory.PersonID `json:"attendee"`
	Guests   []Guest            `json:"guests"`
	Asked    Step               `json:"asked"`
	Decided  Step               `json:"decided,omitzero"`
	Granted  bool               `json:"granted,omitempty"`
	Ended    Step               `json:"ended,omitzero"`
}

// Head implements Matter.
func (p *Permit) Head() Head {
	h := Head{ID: p.ID, Kind: KindPermit, State: "applied", Open: true, FromMS: p.First.StartMS(time.UTC), UntilMS: p.Last.EndMS(time.UTC)}
	if len(p.Zones) > 0 {
		h.Zone = string(p.Zones[0])
	}
	switch {
	case p.Ended.Done():
		h.State, h.Open = "ended", false
	case p.Granted:
		h.State = "granted"
	case p.Decided.Done():
		h.State, h.Open = "refused", false
	}
	return h
}

// Subject implements Matter.
func (p *Permit) Subject() directory.PersonID {
	if len(p.Guests) > 0 {
		return p.Guests[0].Person
	}
	return ""
}

// ApplyPermit checks an application for a standing permit. Without a last day it ends with the fiscal year.
func ApplyPermit(p Permit, by Actor, nowMS int64, s *Site) (Permit, []string, error) {
	today := s.dayOf(nowMS)
	if p.First.IsZero() {
		p.First = today
	}
	end := p.First.FiscalYearEnd()
	if p.Last.IsZero() {
		p.Last = end
	}
	switch {
	case p.Last.Before(p.First) || p.Last.Before(today) || end.Before(p.Last):
		return Permit{}, nil, ErrWindow.at("last")
	case p.Days == 0 || p.FromS < 0 || p.FromS >= 86400 || p.ToS <= 0 || p.ToS > 86400 || p.FromS == p.ToS:
		return Permit{}, nil, ErrWindow.at("from")
	}
	// The rest is what a visit of it would have to satisfy.
	fromMS, untilMS := p.windowOn(later(p.First, today), s)
	v, warnings, err := Apply(p.application(fromMS, untilMS), by, min(nowMS, fromMS), s)
	if err != nil {
		return Permit{}, nil, err
	}
	p = Permit{
		Type: p.Type, Purpose: p.Purpose, System: p.System, Zones: p.Zones, Days: p.Days, FromS: p.FromS, ToS: p.ToS, First: p.First, Last: p.Last,
		Section: p.Section, Company: p.Company, Contract: p.Contract, Attendee: p.Attendee, Guests: v.Guests, Asked: by.step(nowMS, ""),
	}
	return p, warnings, nil
}

func later(a, b directory.Date) directory.Date {
	if a.Before(b) {
		return b
	}
	return a
}

func (p *Permit) application(fromMS, untilMS int64) Application {
	return Application{
		Type: p.Type, Purpose: p.Purpose, System: p.System, Zones: p.Zones, FromMS: fromMS, UntilMS: untilMS, Section: p.Section,
		Company: p.Company, Contract: p.Contract, Attendee: p.Attendee, Guests: p.Guests,
	}
}

// windowOn is the window that begins on a day.
func (p *Permit) windowOn(d directory.Date, s *Site) (fromMS, untilMS int64) {
	at := func(d directory.Date, seconds int) int64 {
		return time.Date(d.Year, d.Month, d.Day, 0, 0, seconds, 0, s.Zone).UnixMilli()
	}
	fromMS, untilMS = at(d, p.FromS), at(d, p.ToS)
	if p.ToS <= p.FromS {
		untilMS = at(d.AddDays(1), p.ToS)
	}
	return fromMS, untilMS
}

// Decide grants or refuses a permit; the second person's word (VE-1).
func (p *Permit) Decide(grant bool, by Actor, nowMS int64, note string) error {
	switch {
	case p.Decided.Done() || p.Ended.Done():
		return ErrState
	case p.Asked.same(by):
		return ErrSamePerson
	}
	for i := range p.Guests {
		if by.Person != "" && p.Guests[i].Person == by.Person {
			return ErrSamePerson
		}
	}
	if err := free("note", note, maxText, !grant); err != nil {
		return err
	}
	p.Granted, p.Decided = grant, by.step(nowMS, note)
	return nil
}

// End ends a permit; one person is enough.
func (p *Permit) End(by Actor, nowMS int64, reason string) error {
	if p.Ended.Done() {
		return ErrState
	}
	if err := free("reason", reason, maxText, false); err != nil {
		return err
	}
	p.Ended = by.step(nowMS, reason)
	return nil
}

// Expire ends, by a job, a permit that is over.
func (p *Permit) Expire(nowMS int64, s *Site) bool {
	if p.Ended.Done() || p.Decided.Done() && !p.Granted || nowMS < p.Last.EndMS(s.Zone)+2*24*3_600_000 {
		return false
	}
	p.Ended = Step{AtMS: nowMS}
	return true
}

// VisitNow makes the visit for which somebody stands at the counter: approved by the permit, in the window that runs now or
// begins within the time that reception may begin early.
func (p *Permit) VisitNow(by Actor, nowMS int64, s *Site) (Visit, error) {
	if !p.Granted || p.Ended.Done() {
		return Visit{}, ErrState
	}
	today := s.dayOf(nowMS)
	for _, d := range []directory.Date{today, today.AddDays(-1)} { // yesterday's window may cross midnight
		fromMS, untilMS := p.windowOn(d, s)
		if !p.on(d, s) || nowMS < fromMS-s.Settings.EarlyMS || nowMS >= untilMS {
			continue
		}
		v, _, err := Apply(p.application(fromMS, untilMS), by, nowMS, s)
		if err != nil {
			return Visit{}, err
		}
		v.State, v.Permit, v.Decided = Approved, p.ID, p.Decided
		return v, nil
	}
	return Visit{}, ErrTooEarly
}

// on reports whether a window of the permit begins on a day.
func (p *Permit) on(d directory.Date, s *Site) bool {
	if d.Before(p.First) || p.Last.Before(d) {
		return false
	}
	for _, c := range s.Dir.ClosedDays {
		if c.Day == d {
			return p.Days&directory.DayClosed != 0
		}
	}
	weekday := (int(d.Start(time.UTC).Weekday()) + 6) % 7 // Monday is bit 0
	return p.Days&(1<<weekday) != 0
}
