// Package incident is what findings become when they are more than a violation: a record with a class, a timeline and, where personal data
// may have leaked, the clock of the reports to the commission (AL-4, AL-5).
//
// It is pure: a record is moved by functions that refuse or change it, and time is an argument. It is kept as a matter, so that its words stand
// encrypted in the opening of a leaf.
package incident

import (
	"errors"
	"slices"

	"monban/server/directory"
	"monban/server/visit"
)

// Kind is the kind of Record among the matters.
const Kind = "incident"

// Classes of incidents, as the city's rules number them (A30–A32).
const (
	Outage    = 1 // something failed or stopped
	Attack    = 2 // somebody attacks
	Leak      = 3 // something leaked, was lost or was falsified
	mostClass = Leak
)

// Lengths of what is typed, in characters, and of the timeline.
const (
	maxTitle    = 100
	maxEntry    = 1000
	maxTimeline = 500
	maxFindings = 200
)

// Record is what findings became when they were more than a violation (AL-4). Its words stand in the encrypted opening of its leaf.
type Record struct {
	ID       string     `json:"id"`
	Class    int        `json:"class"` // 1–3
	Title    string     `json:"title"`
	Zone     string     `json:"zone,omitempty"`
	Findings []int64    `json:"findings,omitempty"` // leaves
	KnownMS  int64      `json:"known_ms"`           // when the office knew of it; UTC ms
	Personal bool       `json:"personal,omitempty"` // personal data may have leaked: the breach clock runs
	ByAttack bool       `json:"by_attack,omitempty"`
	Opened   visit.Step `json:"opened"`
	Timeline []Entry    `json:"timeline,omitempty"`
	Reported visit.Step `json:"reported,omitzero"` // 速報
	Finished visit.Step `json:"finished,omitzero"` // 確報
	Closed   visit.Step `json:"closed,omitzero"`   // Note: what came of it
}

// Entry is one line of the timeline. It is only added.
type Entry struct {
	AtMS int64  `json:"at_ms"` // when it happened, UTC ms
	Text string `json:"text"`
	ByMS int64  `json:"by_ms"` // when it was written
	By   string `json:"by"`    // account
}

// Head implements visit.Matter.
func (x *Record) Head() visit.Head {
	h := visit.Head{ID: x.ID, Kind: Kind, State: "open", Open: true, Zone: x.Zone, FromMS: x.KnownMS}
	if x.Closed.Done() {
		h.State, h.Open, h.UntilMS = "closed", false, x.Closed.AtMS
	}
	return h
}

// Subject implements visit.Matter: an incident is about nobody in particular.
func (x *Record) Subject() directory.PersonID { return "" }

// Reasons why a step of an incident is refused.
var (
	ErrClosed   = errors.New("the incident is closed")
	ErrNoText   = errors.New("a text is needed")
	ErrClass    = errors.New("an incident is of class 1, 2 or 3")
	ErrTime     = errors.New("the time is after now or before the year 2000")
	ErrTooLong  = errors.New("the text or the timeline is too long")
	ErrReports  = errors.New("the reports to the commission are not both made")
	ErrReported = errors.New("that report was made, or the one before it was not")
)

func words(text string, most int) error {
	switch {
	case text == "":
		return ErrNoText
	case len([]rune(text)) > most:
		return ErrTooLong
	}
	return nil
}

const year2000 = 946_684_800_000

func happened(ms, nowMS int64) error {
	if ms < year2000 || ms > nowMS {
		return ErrTime
	}
	return nil
}

func step(by visit.Actor, nowMS int64, note string) visit.Step {
	return visit.Step{Account: by.Account, Person: by.Person, AtMS: nowMS, Note: note}
}

// Begin makes an incident. x.Class, Title, Zone, Findings, KnownMS, Personal and ByAttack count.
func Begin(x Record, by visit.Actor, nowMS int64) (Record, error) {
	if x.Class < Outage || x.Class > mostClass {
		return x, ErrClass
	}
	if len(x.Findings) > maxFindings {
		return x, ErrTooLong
	}
	if err := errors.Join(words(x.Title, maxTitle), happened(x.KnownMS, nowMS)); err != nil {
		return x, err
	}
	x.Opened, x.Timeline, x.Reported, x.Finished, x.Closed = step(by, nowMS, ""), nil, visit.Step{}, visit.Step{}, visit.Step{}
	return x, nil
}

// Write adds a line to the timeline, in the order of what happened.
func (x *Record) Write(atMS int64, text string, by visit.Actor, nowMS int64) error {
	if x.Closed.Done() {
		return ErrClosed
	}
	if err := errors.Join(words(text, maxEntry), happened(atMS, nowMS)); err != nil {
		return err
	}
	if len(x.Timeline) >= maxTimeline {
		return ErrTooLong
	}
	x.Timeline = append(x.Timeline, Entry{AtMS: atMS, Text: text, ByMS: nowMS, By: by.Account})
	slices.SortStableFunc(x.Timeline, func(a, b Entry) int { return int(a.AtMS/1000 - b.AtMS/1000) })
	return nil
}

// Judge sets the class and whether the breach clock runs; the reason becomes a line of the timeline.
func (x *Record) Judge(class int, personal, attack bool, knownMS int64, reason string, by visit.Actor, nowMS int64) error {
	if x.Closed.Done() {
		return ErrClosed
	}
	if class < Outage || class > mostClass {
		return ErrClass
	}
	if err := happened(knownMS, nowMS); err != nil {
		return err
	}
	if err := x.Write(nowMS, reason, by, nowMS); err != nil {
		return err
	}
	x.Class, x.Personal, x.ByAttack, x.KnownMS = class, personal, attack, knownMS
	return nil
}

// Report notes that the commission was told: first the preliminary report, then the final one.
func (x *Record) Report(final bool, note string, by visit.Actor, nowMS int64) error {
	switch {
	case x.Closed.Done():
		return ErrClosed
	case !x.Personal || final && (!x.Reported.Done() || x.Finished.Done()) || !final && x.Reported.Done():
		return ErrReported
	}
	if err := words(note, maxEntry); err != nil {
		return err
	}
	if final {
		x.Finished = step(by, nowMS, note)
	} else {
		x.Reported = step(by, nowMS, note)
	}
	return nil
}

// Close ends the work. A leak of personal data is not closed before both reports are made.
func (x *Record) Close(text string, by visit.Actor, nowMS int64) error {
	switch {
	case x.Closed.Done():
		return ErrClosed
	case x.Personal && !x.Finished.Done():
		return ErrReports
	}
	if err := words(text, maxEntry); err != nil {
		return err
	}
	x.Closed = step(by, nowMS, text)
	return nil
}
