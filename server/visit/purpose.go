package visit

import (
	"slices"

	"monban/firmware/access"
	"monban/server/directory"
)

// Purpose is what somebody says afterwards about an entry whose purpose nothing else told (RR-7).
type Purpose struct {
	ID      string             `json:"id"`
	Attempt string             `json:"attempt"` // id of the line in the log, hexadecimal
	Person  directory.PersonID `json:"person"`  // who entered
	EntryMS int64              `json:"entry_ms"`
	Text    string             `json:"text"`
	Stated  Step               `json:"stated"`
}

// Head implements Matter.
func (p *Purpose) Head() Head {
	return Head{ID: p.ID, Kind: KindPurpose, State: "stated", FromMS: p.EntryMS, UntilMS: p.EntryMS + 1}
}

// Subject implements Matter.
func (p *Purpose) Subject() directory.PersonID { return p.Person }

// StatePurpose makes the statement about an entry. Only who entered can make it; a zone manager corrects the row instead.
func StatePurpose(e Passage, text string, by Actor, nowMS int64) (Purpose, error) {
	if by.Person == "" || by.Person != e.Person {
		return Purpose{}, ErrNotHolder
	}
	if err := free("purpose", text, maxText, true); err != nil {
		return Purpose{}, err
	}
	return Purpose{Attempt: e.Attempt, Person: e.Person, EntryMS: e.AtMS, Text: text, Stated: by.step(nowMS, "")}, nil
}

// PurposeSource says where the purpose of an entry comes from.
type PurposeSource string

// Sources, in order of precedence.
const (
	FromWork   PurposeSource = "approved_work" // the visit that the entry belongs to
	FromKeypad PurposeSource = "keypad"        // a code 1–9 at the reader
	FromPerson PurposeSource = "stated"        // asked afterwards
	NoPurpose  PurposeSource = ""              // blank: an item of the day review
)

// PurposeOf gives the purpose of an entry and where it comes from (RR-7): the approved work in whose window and zones the
// person entered, as guest, carrier or attendee; else what was keyed in at the reader; else what was stated afterwards.
func PurposeOf(e Passage, visits []Visit, stated []Purpose) (string, PurposeSource) {
	for i := range visits {
		if v := &visits[i]; v.Covers(e) {
			return v.Purpose, FromWork
		}
	}
	if e.Keyed != "" {
		return e.Keyed, FromKeypad
	}
	for i := range stated {
		if stated[i].Attempt == e.Attempt {
			return stated[i].Text, FromPerson
		}
	}
	return "", NoPurpose
}

// Covers reports whether an entry belongs to a visit: approved work, in its window and zones, by one of its people.
func (v *Visit) Covers(e Passage) bool {
	if v.State != Approved && v.State != Running && v.State != Closed {
		return false
	}
	if e.AtMS < v.FromMS-earlyWork || e.AtMS >= v.UntilMS || !slices.Contains(v.Zones, e.Zone) {
		return false
	}
	if e.Person == "" {
		return false
	}
	if e.Person == v.Attendee || v.isCarrier(e.Person) {
		return true
	}
	for i := range v.Guests {
		if v.Guests[i].Received() && v.PersonID(i) == e.Person {
			return true
		}
	}
	return false
}

// Plans reports whether approved work or an inspection goes on in one of the zones at a moment, UTC ms: what is switched off there
// then is meant to be.
func (v *Visit) Plans(zones []access.ZoneID, atMS int64) bool {
	return (v.Type == Work || v.Type == Inspection) && (v.State == Approved || v.State == Running) && atMS >= v.FromMS-earlyWork && atMS < v.UntilMS &&
		slices.ContainsFunc(v.Zones, func(z access.ZoneID) bool { return slices.Contains(zones, z) })
}

// earlyWork: who attends goes in a little earlier to switch the light on.
const earlyWork = 30 * 60_000

// AfterHours reports whether an entry is outside office hours without approved work (VE-9).
func AfterHours(e Passage, visits []Visit, opensS int, s *Site) bool {
	for i := range visits {
		if visits[i].Covers(e) {
			return false
		}
	}
	d := s.dayOf(e.AtMS)
	return !s.open(d) || e.AtMS < d.StartMS(s.Zone)+int64(opensS)*1000 || e.AtMS >= s.closing(d)
}

// Passage is what the log says of one badge at a door that was followed through.
type Passage struct {
	Attempt string // id of the line, hexadecimal
	AtMS    int64  // when the door was passed, UTC ms
	Door    access.DoorID
	Zone    access.ZoneID // the zone that was entered or left
	In      bool          // entered; false = left
	Outside bool          // left into no zone at all: who was in an inner zone is out of it too
	Person  directory.PersonID
	Badge   string // masked last digits of the card, for the register
	Keyed   string // what was keyed in at the reader, in the words that its code had then; "" = nothing
}
