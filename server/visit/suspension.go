package visit

import (
	"monban/firmware/access"
	"monban/server/directory"
)

// Suspension is a card that somebody stopped (AD-17): reversible, with a reason, by a guard or the holder at any hour.
// What the card opened since it was surely in its holder's hand has to be confirmed by the holder; to make it good again
// takes another person.
type Suspension struct {
	ID         string             `json:"id"`
	Card       directory.CardID   `json:"card"`
	Person     directory.PersonID `json:"person"`
	Lost       bool               `json:"lost,omitempty"` // reported lost, not only mislaid
	Reason     string             `json:"reason"`
	Stopped    Step               `json:"stopped"`
	LastSureMS int64              `json:"last_sure_ms"` // when it was last surely in the holder's hand
	Entries    []DoubtfulEntry    `json:"entries,omitempty"`
	More       bool               `json:"more,omitempty"` // there were more entries than a matter holds; see the log
	Asked      Step               `json:"asked,omitzero"` // re-activation
	Resumed    Step               `json:"resumed,omitzero"`
	Given      Step               `json:"given_up,omitzero"` // the card was revoked instead
}

// DoubtfulEntry is one use of the card since the last sure one.
type DoubtfulEntry struct {
	Attempt  string        `json:"attempt"` // id of the line in the log, hexadecimal
	AtMS     int64         `json:"at_ms"`
	Door     access.DoorID `json:"door"`
	Mine     string        `json:"mine,omitempty"` // "" = not answered, "yes", "no"
	Answered Step          `json:"answered,omitzero"`
}

// maxDoubtful bounds the list of a matter.
const maxDoubtful = 30

// Head implements Matter.
func (x *Suspension) Head() Head {
	h := Head{ID: x.ID, Kind: KindSuspension, State: "suspended", Open: true, FromMS: x.Stopped.AtMS}
	switch {
	case x.Resumed.Done():
		h.State, h.Open, h.UntilMS = "resumed", false, x.Resumed.AtMS
	case x.Given.Done():
		h.State, h.Open, h.UntilMS = "given_up", x.unanswered() > 0, x.Given.AtMS
	case x.Asked.Done():
		h.State = "asked"
	}
	return h
}

// Subject implements Matter.
func (x *Suspension) Subject() directory.PersonID { return x.Person }

// Suspend makes the matter of stopping a card. It grants nothing, so that one person is enough, at any hour (D27). lastSureMS
// is when the holder surely had it, 0 = not known: then the day before counts. The status of the card is the caller's to set.
func Suspend(id directory.CardID, lost bool, lastSureMS int64, reason string, by Actor, nowMS int64, s *Site) (Suspension, error) {
	if err := free("reason", reason, maxText, true); err != nil {
		return Suspension{}, err
	}
	var found *directory.Credential
	for i := range s.Dir.Credentials {
		if s.Dir.Credentials[i].ID == id {
			found = &s.Dir.Credentials[i]
		}
	}
	switch {
	case found == nil:
		return Suspension{}, ErrUnknown.at("card")
	case found.Status == access.CredentialRevoked:
		return Suspension{}, ErrRevoked.at("card")
	case found.Status == access.CredentialSuspended && !lost, found.Status == access.CredentialLost:
		return Suspension{}, ErrState.at("card")
	case lastSureMS > nowMS:
		return Suspension{}, ErrWindow.at("last_sure")
	}
	if lastSureMS == 0 {
		lastSureMS = nowMS - 24*3_600_000
	}
	return Suspension{Card: id, Person: found.Person, Lost: lost, Reason: reason, Stopped: by.step(nowMS, ""), LastSureMS: lastSureMS}, nil
}

// Doubt lists the uses of the card since the last sure one, newest last. Of more than a matter holds the newest are kept.
func (x *Suspension) Doubt(uses []DoubtfulEntry) {
	if len(uses) > maxDoubtful {
		uses, x.More = uses[len(uses)-maxDoubtful:], true
	}
	x.Entries = nil
	for _, e := range uses {
		x.Entries = append(x.Entries, DoubtfulEntry{Attempt: e.Attempt, AtMS: e.AtMS, Door: e.Door})
	}
}

func (x *Suspension) unanswered() (n int) {
	for i := range x.Entries {
		if x.Entries[i].Mine == "" {
			n++
		}
	}
	return n
}

// Disowned counts the entries that the holder says were somebody else's.
func (x *Suspension) Disowned() (n int) {
	for i := range x.Entries {
		if x.Entries[i].Mine == "no" {
			n++
		}
	}
	return n
}

// Answer is what the holder says about one entry.
func (x *Suspension) Answer(entry int, mine bool, by Actor, nowMS int64, note string) error {
	switch {
	case by.Person == "" || by.Person != x.Person:
		return ErrNotHolder
	case entry < 0 || entry >= len(x.Entries) || x.Entries[entry].Mine != "":
		return ErrState.at("entry")
	}
	if err := free("note", note, maxText, false); err != nil {
		return err
	}
	x.Entries = append([]DoubtfulEntry(nil), x.Entries...)
	e := &x.Entries[entry]
	e.Mine, e.Answered = "no", by.step(nowMS, note)
	if mine {
		e.Mine = "yes"
	}
	return nil
}

// AskResume asks for the card to be made good again: it was found, or the suspicion was unfounded.
func (x *Suspension) AskResume(by Actor, nowMS int64, reason string) error {
	if x.Resumed.Done() || x.Given.Done() || x.Asked.Done() {
		return ErrState
	}
	if err := free("reason", reason, maxText, true); err != nil {
		return err
	}
	x.Asked = by.step(nowMS, reason)
	return nil
}

// Resume approves it: never who asked, never the holder, and not before every entry was confirmed. The status of the card is
// the caller's to set.
func (x *Suspension) Resume(by Actor, nowMS int64, note string) error {
	switch {
	case !x.Asked.Done() || x.Resumed.Done() || x.Given.Done():
		return ErrState
	case x.Asked.same(by) || by.Person != "" && by.Person == x.Person:
		return ErrSamePerson
	case x.unanswered() > 0 || x.Disowned() > 0:
		return ErrEntries
	}
	if err := free("note", note, maxText, false); err != nil {
		return err
	}
	x.Resumed = by.step(nowMS, note)
	return nil
}

// GiveUp ends the matter with the card revoked for good; one person is enough (D27).
func (x *Suspension) GiveUp(by Actor, nowMS int64, reason string) error {
	if x.Resumed.Done() || x.Given.Done() {
		return ErrState
	}
	if err := free("reason", reason, maxText, true); err != nil {
		return err
	}
	x.Given = by.step(nowMS, reason)
	return nil
}
