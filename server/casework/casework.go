// Package casework is what people do with a finding (要確認): taken, worked, closed with a verdict (VR-2).
//
// It is a pure fold over the acts that stand in the log. Notes are only added; a case closed by mistake is opened again with a reason.
// Nobody works a case about themselves or about what they approved. Where that cannot be known any more, one person takes it and another
// closes it; what a whole office has left undone nobody of it excuses alone.
package casework

import (
	"errors"
	"slices"
)

// Kind is what was done. The words are the verbs of the leaves.
type Kind string

// Kinds of Act. The last four before Reopen are the verdicts, each of which closes the case.
const (
	Take      Kind = "finding_taken"     // somebody looks into it
	Assign    Kind = "finding_assigned"  // to another account
	Note      Kind = "finding_noted"     // what was learnt
	Justified Kind = "finding_justified" // there was a good reason
	Violation Kind = "finding_violation" // 違反
	Mistake   Kind = "finding_mistake"   // of a person or device; no breach of a rule
	Incident  Kind = "finding_incident"  // goes on as an incident
	Reopen    Kind = "finding_reopened"
)

// Kinds lists the kinds of acts.
func Kinds() []Kind {
	return []Kind{Take, Assign, Note, Justified, Violation, Mistake, Incident, Reopen}
}

// Verdict reports whether an act closes the case.
func (k Kind) Verdict() bool {
	return k == Justified || k == Violation || k == Mistake || k == Incident
}

// Actor is who acts.
type Actor struct {
	Account string
	Person  string // of the directory; "" = an account without a person
}

// Act is one act on a finding.
type Act struct {
	Idx  int64 // its leaf
	Kind Kind
	By   Actor
	To   string // account that the case was given to, of Assign
	AtMS int64
}

// Facts are what the log says about a finding.
type Facts struct {
	Subjects  []string // persons whose passage, card, key or deed it is about
	Approvers []string // persons who approved the entry or visit that it is about, or were to
	Accounts  []string // accounts that took a step in what it is about, of persons or not
	Owing     []Actor  // any of whom could have done what is missing: the signers of a zone's day
	Hidden    bool     // whom it concerns can no longer be read
}

// Status is how a case stands. The zero value is open.
type Status uint8

// States of a Case.
const (
	Open Status = iota
	InReview
	Closed
)

// Case is a finding with what was done about it.
type Case struct {
	Status  Status
	Owner   string // account that works on it; "" = nobody
	Verdict Kind   // of a closed case
	Closed  *Act
	Given   *Act // by which it came to its owner: taken, or assigned by somebody
}

// Read folds the acts of one finding, in the order of their leaves.
func Read(acts []Act) (c Case) {
	for i := range acts {
		a := &acts[i]
		switch {
		case a.Kind == Take:
			c.Status, c.Owner, c.Given = InReview, a.By.Account, a
		case a.Kind == Assign:
			c.Status, c.Owner, c.Given = InReview, a.To, a
		case a.Kind.Verdict():
			c.Status, c.Verdict, c.Closed = Closed, a.Kind, a
		case a.Kind == Reopen:
			c.Status, c.Owner, c.Verdict, c.Closed, c.Given = Open, "", "", nil, nil
		}
	}
	return c
}

// Reasons why an act is refused. Nothing is written then.
var (
	ErrClosed   = errors.New("the case is closed")
	ErrNotTaken = errors.New("nobody has taken the case")
	ErrNotOpen  = errors.New("somebody has taken the case already")
	ErrSubject  = errors.New("the case is about the same person or what they did")
	ErrApprover = errors.New("the same person approved what it is about")
	ErrHidden   = errors.New("whom the case concerns can no longer be read: another person than who took it closes it")
	ErrAlone    = errors.New("who could have done it themselves does not excuse it alone")
	ErrNoText   = errors.New("a text is needed")
	ErrNobody   = errors.New("no such account")
	ErrKind     = errors.New("no such act")
)

// May reports why somebody may not do something with a case, nil when they may. to is whom Assign gives it to; text the note, cause or
// reason. to must be somebody who may work on it: another check of the same kind.
func (c *Case) May(k Kind, by Actor, to *Actor, text string, f Facts) error {
	if err := f.may(by); err != nil && k != Note {
		return err // who is concerned may say something, and decides nothing
	}
	switch {
	case k == Take:
		switch c.Status {
		case Closed:
			return ErrClosed
		case InReview:
			return ErrNotOpen
		}
		return nil
	case k == Assign:
		if c.Status == Closed {
			return ErrClosed
		}
		if to == nil || to.Account == "" {
			return ErrNobody
		}
		return f.may(*to)
	case k == Note:
		if c.Status == Closed {
			return ErrClosed
		}
		return need(text)
	case k.Verdict():
		switch c.Status {
		case Closed:
			return ErrClosed
		case Open:
			return ErrNotTaken
		}
		if err := c.alone(k, by, &f); err != nil {
			return err
		}
		return need(text)
	case k == Reopen:
		if c.Status != Closed {
			return ErrNotOpen
		}
		return need(text)
	}
	return ErrKind
}

// alone reports why a verdict takes another person beside who gives it.
func (c *Case) alone(k Kind, by Actor, f *Facts) error {
	own := c.Given == nil || c.Given.By.same(by)
	if f.Hidden && own {
		return ErrHidden
	}
	owes := slices.ContainsFunc(f.Owing, by.same)
	if k == Justified && owes && (own || c.Given.Kind != Assign || c.Owner != by.Account) {
		return ErrAlone
	}
	return nil
}

// same reports whether two accounts are one human.
func (a Actor) same(b Actor) bool {
	return a.Account == b.Account || a.Person != "" && a.Person == b.Person
}

func (f *Facts) may(by Actor) error {
	switch {
	case slices.Contains(f.Accounts, by.Account):
		if by.Person != "" && slices.Contains(f.Approvers, by.Person) && !slices.Contains(f.Subjects, by.Person) {
			return ErrApprover
		}
		return ErrSubject
	case by.Person == "":
		return nil
	case slices.Contains(f.Subjects, by.Person):
		return ErrSubject
	case slices.Contains(f.Approvers, by.Person):
		return ErrApprover
	}
	return nil
}

func need(text string) error {
	if text == "" {
		return ErrNoText
	}
	return nil
}
