// Package datarequest is a request of the person whom personal data are about: disclosure (開示), correction (訂正), stop of use and erasure
// (利用停止・消去), from its receipt to its being carried out (PR-3).
//
// It is pure: a request is moved by functions that refuse or change it, and time is an argument. It is kept as a matter, so that its words stand
// encrypted in the openings of leaves and go with the class and year they were written in.
package datarequest

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"monban/firmware/calendar"
	"monban/server/directory"
	"monban/server/visit"
)

// Kind is the kind of Record among the matters.
const Kind = "data_request"

// Want is what is asked for.
type Want string

// What may be asked for.
const (
	Disclosure Want = "disclosure" // 開示
	Correction Want = "correction" // 訂正
	Stop       Want = "stop"       // 利用停止・消去
)

// Wants lists them.
func Wants() []Want { return []Want{Disclosure, Correction, Stop} }

// Done is one thing that was done with a request. The zero value is none.
type Done string

// What may be done with a request, also the verbs of the leaves after "data_request_".
const (
	Asked     Done = "asked"     // by the person, on a page
	Received  Done = "received"  // on paper, by an officer
	Taken     Done = "taken"     // somebody works on it
	Extended  Done = "extended"  // the note is what the person is told
	Granted   Done = "granted"   // likewise of the decisions
	InPart    Done = "in_part"   //
	Refused   Done = "refused"   //
	Suspended Done = "suspended" // the use of one entry
	Erased    Done = "erased"    // that entry, by another person
	Lifted    Done = "lifted"    // its suspension
	Carried   Done = "carried"   // carried out and answered
	Withdrawn Done = "withdrawn" // by the person
)

// Decisions lists what may be decided.
func Decisions() []Done { return []Done{Granted, InPart, Refused} }

// Turn is one thing done, by whom and with what words.
type Turn struct {
	Done Done       `json:"done"`
	Step visit.Step `json:"step"`
}

// Told reports whether its note is what the person is told.
func (t *Turn) Told() bool {
	switch t.Done {
	case Extended, Granted, InPart, Refused, Carried:
		return true
	}
	return false
}

// Paper says of a request that came on paper who was recognised and how. The kind of document alone, never its number (VE-5).
type Paper struct {
	Name     string         `json:"name"`            // of the person
	Contact  string         `json:"contact"`         // where the answer goes
	Identity visit.Identity `json:"identity"`        // by what the person, or the agent, was recognised
	Agent    string         `json:"agent,omitempty"` // who came for the person, and by what right
}

// Record is one request as it stands. Its turns are only added.
type Record struct {
	ID       string             `json:"id"`
	Want     Want               `json:"want"`
	Account  string             `json:"account,omitempty"` // of the person, "" = has none
	Person   directory.PersonID `json:"person,omitempty"`  // "" = not in the directory
	Paper    *Paper             `json:"paper,omitempty"`   // nil = asked for on a page
	Text     string             `json:"text"`              // what is asked for, in the person's words
	Entry    string             `json:"entry,omitempty"`   // id of the line it is about, hexadecimal; "" = none in particular
	Received string             `json:"received"`          // YYYY-MM-DD, from which the time runs
	Turns    []Turn             `json:"turns"`
	Held     []string           `json:"held,omitempty"` // ids of the suspensions of entries that were made for it
	Pack     string             `json:"pack,omitempty"` // SHA-256 of the pack that was given, hexadecimal
}

// States of a request.
const (
	StateAsked     = "asked"
	StateTaken     = "taken"
	StateDecided   = "decided"
	StateDone      = "done"
	StateWithdrawn = "withdrawn"
)

// Of gives the newest step of a kind; the zero Step when there was none.
func (x *Record) Of(done ...Done) visit.Step {
	for _, t := range slices.Backward(x.Turns) {
		if slices.Contains(done, t.Done) {
			return t.Step
		}
	}
	return visit.Step{}
}

// Decision gives what was decided; "" = nothing yet.
func (x *Record) Decision() Done {
	for _, t := range x.Turns {
		if slices.Contains(Decisions(), t.Done) {
			return t.Done
		}
	}
	return ""
}

// State gives the state.
func (x *Record) State() string {
	switch {
	case x.Of(Withdrawn).Done():
		return StateWithdrawn
	case x.Of(Carried).Done():
		return StateDone
	case x.Decision() != "":
		return StateDecided
	case x.Of(Taken).Done():
		return StateTaken
	}
	return StateAsked
}

func (x *Record) undecided() bool { return x.Decision() == "" && !x.Of(Withdrawn).Done() }

// Head implements visit.Matter.
func (x *Record) Head() visit.Head {
	h := visit.Head{ID: x.ID, Kind: Kind, State: x.State(), Open: true}
	if len(x.Turns) > 0 {
		h.FromMS = x.Turns[0].Step.AtMS
	}
	if h.State == StateDone || h.State == StateWithdrawn {
		h.Open, h.UntilMS = false, x.Turns[len(x.Turns)-1].Step.AtMS+1
	}
	return h
}

// Subject implements visit.Matter.
func (x *Record) Subject() directory.PersonID { return x.Person }

// Own reports whether a request is of who does something: by the account, or by the person behind it.
func (x *Record) Own(by visit.Actor) bool {
	return x.Account != "" && x.Account == by.Account || x.Person != "" && x.Person == by.Person
}

// Longest texts, in characters.
const (
	maxLine  = 200
	maxText  = 1000
	maxTurns = 200
	maxHeld  = 100
)

// words checks a text: it is there, prints, fits and holds no Individual Number (VE-5).
func words(field, s string, most int) error {
	switch {
	case strings.TrimSpace(s) == "":
		return refusal(ErrMissing, field)
	case !utf8.ValidString(s) || utf8.RuneCountInString(s) > most || strings.ContainsFunc(s, unprinted):
		return refusal(ErrText, field)
	case directory.MyNumber(s):
		return refusal(ErrMyNumber, field)
	}
	return nil
}

func unprinted(c rune) bool {
	return c != '\n' && (unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) || c == '\u2028' || c == '\u2029' || c == '\u200b' || c == '\u2060' || c == '\ufeff')
}

// Ask makes a request of who is signed in. x.Want, Text and Entry count.
func Ask(x Record, by visit.Actor, nowMS int64, today calendar.Date) (Record, error) {
	x.Account, x.Person, x.Paper, x.Received = by.Account, by.Person, nil, today.String()
	if by.Account == "" {
		return x, ErrState
	}
	return x.begin(Asked, by, nowMS)
}

// Receive makes a request that came on paper on x.Received. x.Want, Text, Entry, Person and Paper count, too.
func Receive(x Record, by visit.Actor, nowMS int64, today calendar.Date) (Record, error) {
	x.Account = ""
	if x.Paper == nil {
		return x, refusal(ErrMissing, "name")
	}
	p := *x.Paper
	if x.Paper = &p; p.Agent != "" {
		if err := words("agent", p.Agent, maxLine); err != nil {
			return x, err
		}
	}
	if err := words("name", p.Name, maxLine); err != nil {
		return x, err
	}
	if err := words("contact", p.Contact, maxLine); err != nil {
		return x, err
	}
	if !slices.Contains(visit.Identities(), p.Identity) {
		return x, refusal(ErrMissing, "identity")
	}
	d, err := calendar.ParseDate(x.Received)
	if err != nil || d.After(today) || d.AddDays(366).Before(today) {
		return x, refusal(ErrDay, "received")
	}
	if x.Own(by) {
		return x, ErrOwn // nobody recognises themselves
	}
	return x.begin(Received, by, nowMS)
}

func (x Record) begin(done Done, by visit.Actor, nowMS int64) (Record, error) {
	if !slices.Contains(Wants(), x.Want) {
		return x, refusal(ErrMissing, "want")
	}
	if err := words("text", x.Text, maxText); err != nil {
		return x, err
	}
	x.Turns, x.Held, x.Pack = nil, nil, ""
	x.add(done, "", by, nowMS)
	return x, nil
}

func (x *Record) add(done Done, note string, by visit.Actor, nowMS int64) {
	// A copy: whoever holds the record of before keeps it.
	x.Turns = append(slices.Clone(x.Turns), Turn{done, visit.Step{Account: by.Account, Person: by.Person, AtMS: nowMS, Note: note}})
}
