// Package signoff is the daily review (日次確認) of each zone's log: who signed which day, what they had seen, what is still to
// be done (VR-4, VR-10 to VR-12).
//
// It is a pure fold over the acts that stand in the log. Nothing is ever taken back: a signature by mistake is followed by an
// opening with a reason, a record that comes after the signature by an addition (追補), and both are kept. No row is signed by
// its own person alone.
package signoff

import (
	"errors"
	"slices"
)

// Kind is what was done with a day. The words are the verbs of the leaves.
type Kind string

// Kinds of Act.
const (
	Sign        Kind = "day_signed"
	Countersign Kind = "day_countersigned" // the second person, where one is needed
	Return      Kind = "day_returned"      // with a remark: to be looked at again
	Reopen      Kind = "day_reopened"      // signed by mistake, with a reason
	Add         Kind = "day_added"         // what came after the signature, signed for itself
	SignMonth   Kind = "month_signed"      // Day is YYYY-MM
)

// Kinds lists the kinds of acts.
func Kinds() []Kind { return []Kind{Sign, Countersign, Return, Reopen, Add, SignMonth} }

// Actor is who acts.
type Actor struct {
	Account string
	Person  string // of the directory; "" = an account without a person, who has no rows
}

// same reports whether two accounts are one human.
func (a Actor) same(b Actor) bool {
	return a.Account == b.Account || a.Person != "" && a.Person == b.Person
}

// Act is one act on one zone's day.
type Act struct {
	Idx  int64 // its leaf
	Zone string
	Day  string // YYYY-MM-DD, or YYYY-MM of a month
	Kind Kind
	Upto int64 // size of the log that the actor had seen: every line below it was on the page
	By   Actor
	AtMS int64
}

// Facts are what the log says of one zone's day.
type Facts struct {
	EndMS    int64    // when the day is over, UTC ms
	DueMS    int64    // until when it is to be signed: counted in open days (VR-11)
	Last     int64    // highest leaf index of a line or finding of that day, -1 = none
	People   []string // who has a row on it
	Late     []string // who has a row with a leaf at or above the last signature
	Rows     int
	Findings int  // of that day, open
	Covered  bool // the gateways of the zone were heard all day (I10)
}

// Quiet reports whether there is nothing to look at: nobody came, nothing was found, and that is known and not merely unheard of.
func (f *Facts) Quiet(nowMS int64) bool {
	return nowMS >= f.EndMS && f.Rows == 0 && f.Findings == 0 && f.Covered
}

// Status is how a day stands. The zero value is not signed.
type Status uint8

// States of a Sheet.
const (
	Open       Status = iota // over, not signed
	NotOver                  // still going on
	Returned                 // sent back with a remark
	Waiting                  // signed, waits for the second person
	Additional               // signed, and something has come since
	Done                     // signed, and nothing is missing
	statusCount
)

var statusWords = [statusCount]string{"open", "not_over", "returned", "waiting", "additional", "done"}

// String gives the stable name.
func (s Status) String() string {
	if s < statusCount {
		return statusWords[s]
	}
	return statusWords[Open]
}

// Sheet is one zone's day with its signatures.
type Sheet struct {
	Status  Status
	Overdue bool // its time is over and it is not done
	Quiet   bool
	Signed  *Act  // the signature in force
	Second  *Act  // the second person's
	Last    *Act  // the newest act of any kind
	Upto    int64 // lines below it are signed; 0 = none
	waits   []Act // signatures and additions that wait for a second person
}

// Read folds the acts of one zone's day, in the order of their leaves. second: the site wants two signatures on every day.
func Read(acts []Act, f Facts, second bool, nowMS int64) Sheet {
	s := Sheet{Quiet: f.Quiet(nowMS)}
	for i := range acts {
		a := &acts[i]
		s.Last = a
		switch a.Kind {
		case Sign:
			s.Signed, s.Second, s.Upto = a, nil, a.Upto
		case Countersign:
			if s.Second == nil && s.Signed != nil && !s.Signed.By.same(a.By) {
				s.Second = a
			}
		case Add:
			s.Upto = max(s.Upto, a.Upto)
		case Return, Reopen:
			s.Signed, s.Second, s.Upto = nil, nil, 0
		}
	}
	in := inForce(acts)
	for i := range in {
		a := &in[i]
		if a.Kind != Countersign && (second || a.Kind == Sign && owns(f.People, a.By)) && other(in, i) == nil {
			s.waits = append(s.waits, *a)
		}
	}
	switch {
	case nowMS < f.EndMS:
		s.Status = NotOver
	case s.Signed == nil && s.Last != nil && s.Last.Kind == Return:
		s.Status = Returned
	case s.Signed == nil:
		s.Status = Open
	case f.Last >= s.Upto:
		s.Status = Additional
	case len(s.waits) > 0:
		s.Status = Waiting
	default:
		s.Status = Done
	}
	s.Overdue = s.Status != Done && s.Status != NotOver && nowMS >= f.DueMS
	return s
}

func owns(people []string, a Actor) bool { return a.Person != "" && slices.Contains(people, a.Person) }

// Reasons why an act is refused. Nothing is written then.
var (
	ErrNotOver    = errors.New("the day is not over")
	ErrSigned     = errors.New("the day is signed already")
	ErrNotSigned  = errors.New("the day is not signed")
	ErrUnseen     = errors.New("something has come since the page was made: look again")
	ErrSamePerson = errors.New("another person has to sign")
	ErrNoReason   = errors.New("a reason is needed")
	ErrNothing    = errors.New("nothing has come since the signature")
	ErrNotQuiet   = errors.New("the day is not quiet")
	ErrMonth      = errors.New("a day or the month before is not signed")
	ErrBefore     = errors.New("the month before has changed since its signature")
	ErrKind       = errors.New("no such act")
)

// May reports why somebody may not do something with a day, nil when they may. upto is the size of the log when the page was
// made, on which they decided.
func (s *Sheet) May(k Kind, by Actor, upto int64, reason string, f Facts) error {
	switch k {
	case Sign:
		switch s.Status {
		case NotOver:
			return ErrNotOver
		case Open, Returned:
			return seen(upto, f)
		}
		return ErrSigned
	case Countersign:
		if len(s.waits) == 0 || s.Status != Waiting && s.Status != Additional {
			return ErrNotSigned
		}
		if !s.WaitsFor(by) {
			return ErrSamePerson
		}
		return seen(upto, f)
	case Add:
		if s.Signed == nil {
			return ErrNotSigned
		}
		if s.Status != Additional {
			return ErrNothing
		}
		if owns(f.Late, by) {
			return ErrSamePerson
		}
		return seen(upto, f)
	case Return, Reopen:
		if s.Signed == nil {
			return ErrNotSigned
		}
		if k == Return && s.Signed.By.same(by) {
			return ErrSamePerson // one's own signature is opened again, not returned
		}
		if reason == "" {
			return ErrNoReason
		}
		return nil
	}
	return ErrKind
}

// WaitsFor reports whether somebody may be the second person of what waits for one: nobody is of what they signed themselves.
func (s *Sheet) WaitsFor(by Actor) bool {
	return slices.ContainsFunc(s.waits, func(a Act) bool { return !a.By.same(by) })
}

// QuietAct is what somebody may do with a quiet day together with others: sign it, or countersign what another has signed.
func (s *Sheet) QuietAct(by Actor) (Kind, bool) {
	switch {
	case !s.Quiet:
	case s.Status == Open:
		return Sign, true
	case s.Status == Waiting && s.WaitsFor(by):
		return Countersign, true
	}
	return "", false
}

// seen: whoever signs has had every line on the page.
func seen(upto int64, f Facts) error {
	if upto <= f.Last {
		return ErrUnseen
	}
	return nil
}

// MonthChanged reports whether a month's signature no longer covers its days: one of them is not done, or was acted on after the leaf of the
// signature, which stays on record.
func MonthChanged(days []Sheet, leaf int64) bool {
	for i := range days {
		if s := &days[i]; s.Status != Done || s.Last != nil && s.Last.Idx > leaf {
			return true
		}
	}
	return false
}

// ChangedSince reports whether something has come of a month's days after the leaf of its signature. A day on which nobody has acted since and
// that waits for a second person all the same does so because the zone has come to want one: that is no change of the day.
func ChangedSince(days []Sheet, leaf int64) bool {
	for i := range days {
		if s := &days[i]; s.Status != Done && s.Status != Waiting || s.Last != nil && s.Last.Idx > leaf {
			return true
		}
	}
	return false
}

// Before is how the month before one stands. The zero value is not signed.
type Before uint8

// States of the month before.
const (
	BeforeOpen    Before = iota
	BeforeChanged        // signed, and its days have changed since
	BeforeSigned
	BeforeNone // the log has no earlier month
)

// MayMonth reports why a month may not be signed: each of its days is done and the month before is signed, empty or not, as its days stand
// now (VR-4). signed: it has a signature after which its days have not changed.
func MayMonth(days []Sheet, signed bool, before Before) error {
	if signed {
		return ErrSigned
	}
	missing := before == BeforeOpen
	for i := range days {
		switch days[i].Status {
		case NotOver:
			return ErrNotOver
		case Done:
		default:
			missing = true
		}
	}
	switch {
	case missing:
		return ErrMonth
	case before == BeforeChanged:
		return ErrBefore
	}
	return nil
}
