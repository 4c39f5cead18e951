package casework

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

var (
	officer  = Actor{"acc-1", "1001"}
	other    = Actor{"acc-2", "1002"}
	subject  = Actor{"acc-3", "1005"}
	approver = Actor{"acc-4", "1006"}
	nobody   = Actor{"acc-5", ""}
	facts    = Facts{Subjects: []string{"1005"}, Approvers: []string{"1006"}}
)

type desk struct {
	t    *testing.T
	acts []Act
}

func (d *desk) do(k Kind, by Actor, to *Actor, text string, want error) {
	d.t.Helper()
	c := Read(d.acts)
	if err := c.May(k, by, to, text, facts); !errors.Is(err, want) || want == nil && err != nil {
		d.t.Fatalf("%s by %s: %v, want %v", k, by.Account, err, want)
	}
	if want == nil {
		a := Act{Idx: int64(len(d.acts)), Kind: k, By: by}
		if to != nil {
			a.To = to.Account
		}
		d.acts = append(d.acts, a)
	}
}

// VR-2: open, in review, closed with a verdict and its cause, opened again with a reason; the notes stay.
func TestCase(t *testing.T) {
	d := &desk{t: t}
	d.do(Violation, officer, nil, "x", ErrNotTaken)
	d.do(Reopen, officer, nil, "x", ErrNotOpen)
	d.do(Note, other, nil, "", ErrNoText)
	d.do(Note, other, nil, "見回り済", nil)
	d.do(Take, officer, nil, "", nil)
	d.do(Take, other, nil, "", ErrNotOpen)
	d.do(Assign, officer, nil, "", ErrNobody)
	d.do(Assign, officer, &other, "", nil)
	if c := Read(d.acts); c.Owner != other.Account || c.Status != InReview {
		t.Errorf("%+v", c)
	}
	d.do(Justified, other, nil, "", ErrNoText)
	d.do(Justified, other, nil, "搬入のため", nil)
	for _, k := range []Kind{Take, Note, Violation} {
		d.do(k, officer, nil, "x", ErrClosed)
	}
	d.do(Assign, officer, &other, "x", ErrClosed)
	if c := Read(d.acts); c.Status != Closed || c.Verdict != Justified || c.Closed.By != other {
		t.Errorf("%+v", c)
	}
	d.do(Reopen, officer, nil, "", ErrNoText)
	d.do(Reopen, officer, nil, "別の扉だった", nil)
	if c := Read(d.acts); c.Status != Open || c.Owner != "" || c.Verdict != "" || len(d.acts) != 5 {
		t.Errorf("%+v", c)
	}
	d.do(Kind("finding_deleted"), officer, nil, "x", ErrKind)
}

// VR-2: reviewer ≠ subject, ≠ approver of the entry; who is concerned may add a note.
func TestNobodyWorksTheirOwnCase(t *testing.T) {
	for by, want := range map[Actor]error{subject: ErrSubject, approver: ErrApprover} {
		d := &desk{t: t}
		d.do(Take, by, nil, "", want)
		d.do(Note, by, nil, "忘れ物を取りに戻った", nil)
		d.do(Take, officer, nil, "", nil)
		d.do(Assign, officer, &by, "", want)
		for _, k := range []Kind{Justified, Violation, Mistake, Incident} {
			d.do(k, by, nil, "x", want)
		}
		d.do(Mistake, nobody, nil, "x", nil) // an account without a person is nobody's
		d.do(Reopen, by, nil, "x", want)
	}
}

// VR-2: who took a step in what it is about works it as little as its subject, person or not; where that cannot be read any more, another
// person than who took it closes it; who could have done what is missing excuses it only when somebody else has given it to them, and may
// say alone that it was a mistake or a violation.
func TestNotAlone(t *testing.T) {
	f := Facts{Accounts: []string{nobody.Account}}
	for k, want := range map[Kind]error{Take: ErrSubject, Note: nil} {
		if err := (&Case{}).May(k, nobody, nil, "x", f); !errors.Is(err, want) {
			t.Errorf("%s: %v", k, err)
		}
	}
	twin := Actor{Account: "OFFICER2", Person: officer.Person}
	taken := []Act{{Kind: Take, By: officer}}
	given := []Act{{Kind: Assign, By: other, To: officer.Account}}
	passed := []Act{{Kind: Take, By: officer}, {Kind: Reopen, By: other}, {Kind: Assign, By: twin, To: officer.Account}}
	hidden, owing := Facts{Hidden: true}, Facts{Owing: []Actor{officer, other}}
	for _, x := range []struct {
		what string
		acts []Act
		k    Kind
		by   Actor
		f    Facts
		want error
	}{
		{"hidden, taken by the same", taken, Mistake, officer, hidden, ErrHidden},
		{"hidden, taken by another account of theirs", taken, Violation, twin, hidden, ErrHidden},
		{"hidden, taken by another", taken, Mistake, other, hidden, nil},
		{"owing, taken by the same", taken, Justified, officer, owing, ErrAlone},
		{"owing, over the head of who took it", taken, Justified, other, owing, ErrAlone},
		{"owing, admits a mistake", taken, Mistake, officer, owing, nil},
		{"owing, admits a violation", taken, Violation, officer, owing, nil},
		{"owing, given by another", given, Justified, officer, owing, nil},
		{"owing, given by an own account", passed, Justified, officer, owing, ErrAlone},
		{"owes nothing", taken, Justified, nobody, owing, nil},
	} {
		c := Read(x.acts)
		if err := c.May(x.k, x.by, nil, "x", x.f); !errors.Is(err, x.want) {
			t.Errorf("%s: %v, want %v", x.what, err, x.want)
		}
	}
}

// VR-2: whatever is tried, a closed case was closed by somebody who is not concerned, after somebody had taken it, and each act that was let
// through stays in the list.
func TestCaseProperty(t *testing.T) {
	all := []Actor{officer, other, subject, approver, nobody}
	rapid.Check(t, func(t *rapid.T) {
		var acts []Act
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			k, by := rapid.SampledFrom(Kinds()).Draw(t, "kind"), rapid.SampledFrom(all).Draw(t, "by")
			to := rapid.SampledFrom(all).Draw(t, "to")
			text := rapid.SampledFrom([]string{"", "x"}).Draw(t, "text")
			c := Read(acts)
			if c.May(k, by, &to, text, facts) != nil {
				continue
			}
			acts = append(acts, Act{Idx: int64(len(acts)), Kind: k, By: by, To: to.Account})
			c = Read(acts)
			if c.Status == Closed {
				if c.Closed.By == subject || c.Closed.By == approver {
					t.Fatalf("closed by %s", c.Closed.By.Account)
				}
				if c.Owner == "" || c.Owner == subject.Account || c.Owner == approver.Account {
					t.Fatalf("closed and owned by %q", c.Owner)
				}
			}
		}
	})
}
