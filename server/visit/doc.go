// Package visit is everything that lets somebody in for a while and has to be put right afterwards: visits with their
// badges, standing permits, temporary cards, suspended cards, emergency entries, equipment carried in and out, key loans,
// purposes stated afterwards.
//
// Each of them is a matter (案件): plain data with pure functions that move it, or refuse to with an *Error that a page can
// put into words. The functions change nothing when they refuse. Time is an argument. What a matter does at the doors is one
// function, Overlay; what is still owed is another, Dues. server/store keeps a matter as the opening of the action leaf
// that moved it last, so that names are encrypted and every step stays in the log (ADR 0028).
//
// No matter has a field for the number of an identity document or for a copy of one (VE-5): only what kind was seen, and
// by whom.
package visit

import (
	"encoding/json"
	"fmt"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
)

// Kinds of matters, as they stand in ids and in the log.
const (
	KindVisit      = "visit"
	KindPermit     = "permit"
	KindTemporary  = "temporary_card"
	KindSuspension = "suspension"
	KindEmergency  = "emergency"
	KindCarry      = "carry"
	KindKeyLoan    = "key_loan"
	KindPurpose    = "purpose"
)

// Head is what is known of a matter without reading it: the columns of its row.
type Head struct {
	ID      string
	Kind    string
	State   string
	Open    bool // something is still to come
	Zone    string
	Doors   []string
	FromMS  int64
	UntilMS int64 // exclusive; 0 = while it is open
}

// Matter is one of the types of this package.
type Matter interface {
	Head() Head
	// Subject is the directory's person that the matter is about first, "" when it is about nobody whom the directory knows.
	Subject() directory.PersonID
}

// Knows reports whether a kind of matters is this package's.
func Knows(kind string) bool { return empty(kind) != nil }

// Decode reads a matter of a kind from its JSON. An unknown kind is an error.
func Decode(kind string, doc []byte) (Matter, error) {
	m := empty(kind)
	if m == nil {
		return nil, fmt.Errorf("matter of unknown kind %q", kind)
	}
	if err := json.Unmarshal(doc, m); err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	return m, nil
}

// empty makes a matter of a kind, nil for an unknown one.
func empty(kind string) (m Matter) {
	switch kind {
	case KindVisit:
		m = &Visit{}
	case KindPermit:
		m = &Permit{}
	case KindTemporary:
		m = &TemporaryCard{}
	case KindSuspension:
		m = &Suspension{}
	case KindEmergency:
		m = &Emergency{}
	case KindCarry:
		m = &Carry{}
	case KindKeyLoan:
		m = &KeyLoan{}
	case KindPurpose:
		m = &Purpose{}
	case KindExit:
		m = &ExitStated{}
	case KindCorrection:
		m = &Correction{}
	case KindOutage:
		m = &Outage{}
	case KindPaper:
		m = &PaperEntry{}
	case KindDrill:
		m = &Drill{}
	}
	return m
}

// Actor is who does something.
type Actor struct {
	Account string             // opaque account id; "" for a job of the server itself
	Person  directory.PersonID // of the directory, "" = the account belongs to nobody there
	From    string             // class of the origin for the leaf: "lan", "local", "remote", "cli", "job"
	Address string             // for the opening
}

// Step says who did something and when; the zero Step was not done.
type Step struct {
	Account string             `json:"account,omitempty"`
	Person  directory.PersonID `json:"person,omitempty"`
	AtMS    int64              `json:"at_ms,omitempty"`
	Note    string             `json:"note,omitempty"`
}

// Done reports whether the step was taken.
func (s Step) Done() bool { return s.AtMS != 0 }

func (a Actor) step(nowMS int64, note string) Step {
	return Step{Account: a.Account, Person: a.Person, AtMS: nowMS, Note: note}
}

// same reports whether a step and an actor may be one human being: the same account, or two accounts of one person. Two
// of whom nothing is known count as the same.
func (s Step) same(a Actor) bool {
	return s.Account == a.Account || s.Person != "" && s.Person == a.Person
}

// Site is what decisions about matters look at. All fields are required.
type Site struct {
	Dir      *directory.Snapshot // as stored, without overlay
	Settings Settings
	Zone     *time.Location // the site's time zone
}

func (s *Site) person(id directory.PersonID) *directory.Person {
	for i := range s.Dir.People {
		if s.Dir.People[i].ID == id && id != "" {
			return &s.Dir.People[i]
		}
	}
	return nil
}

// staff gives an active member of staff; nil for anybody else.
func (s *Site) staff(id directory.PersonID) *directory.Person {
	if p := s.person(id); p != nil && p.Active && p.Category == directory.Staff {
		return p
	}
	return nil
}

func (s *Site) contract(id string) *directory.Contract {
	for i := range s.Dir.Contracts {
		if string(s.Dir.Contracts[i].ID) == id && id != "" {
			return &s.Dir.Contracts[i]
		}
	}
	return nil
}

func (s *Site) zone(id string) *directory.Zone {
	for i := range s.Dir.Zones {
		if string(s.Dir.Zones[i].ID) == id {
			return &s.Dir.Zones[i]
		}
	}
	return nil
}

// ConditionsOf is the version of the entry conditions that has to be accepted for zones: the highest that one of them asks
// for, 0 = none (VE-6).
func (s *Site) ConditionsOf(zones []access.ZoneID) (version uint32) {
	for _, z := range zones {
		if x := s.zone(string(z)); x != nil {
			version = max(version, x.Conditions)
		}
	}
	return version
}

// excepted reports whether an exception measure is in force on a day (VR-8).
func (s *Site) excepted(id string, d directory.Date) bool {
	for i := range s.Dir.Exceptions {
		if x := &s.Dir.Exceptions[i]; string(x.ID) == id && id != "" {
			return !d.Before(x.From) && !x.Until.Before(d)
		}
	}
	return false
}

// escort gives a member of staff who may take outsiders into zones; nil for anybody else (VE-2).
func (s *Site) escort(id directory.PersonID, zones []access.ZoneID) *directory.Person {
	p := s.staff(id)
	for _, z := range zones {
		if x := s.zone(string(z)); p != nil && x != nil && x.Escort != directory.EscortNone && !p.MayEscort {
			return nil
		}
	}
	return p
}
