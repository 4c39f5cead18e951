package datarequest

import (
	"errors"
	"slices"
	"testing"

	"monban/firmware/calendar"
	"monban/server/visit"
)

var (
	me      = visit.Actor{Account: "a-me", Person: "1001"}
	mine    = visit.Actor{Account: "a-second", Person: "1001"}
	officer = visit.Actor{Account: "a-officer", Person: "2001"}
	deputy  = visit.Actor{Account: "a-deputy"}
)

func day(s string) calendar.Date {
	d, err := calendar.ParseDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

func asked(t *testing.T, w Want) Record {
	t.Helper()
	x, err := Ask(Record{Want: w, Text: "記録がほしい"}, me, 1, day("2026-11-24"))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// PR-3: 30 days from the day after receipt (第83条第1項), 30 more when extended in time, once.
func TestTimesOfTheLaw(t *testing.T) {
	x := asked(t, Disclosure)
	if x.Due() != day("2026-12-24") || x.Late(day("2026-12-24")) || !x.Late(day("2026-12-25")) {
		t.Errorf("due %v", x.Due())
	}
	if err := x.Take(officer, 2); err != nil {
		t.Fatal(err)
	}
	before := x
	if err := x.Extend("量が多い", officer, 3, day("2026-12-25")); !errors.Is(err, ErrLate) {
		t.Errorf("extended too late: %v", err)
	}
	if err := x.Extend("量が多い", officer, 3, day("2026-12-24")); err != nil || x.Due() != day("2027-01-23") || x.Late(day("2027-01-23")) || !x.Late(day("2027-01-24")) {
		t.Errorf("extended: %v, due %v", err, x.Due())
	}
	if err := x.Extend("x", officer, 4, day("2026-12-24")); !errors.Is(err, ErrState) {
		t.Errorf("extended twice: %v", err)
	}
	if len(before.Turns) != 2 || before.Of(Extended).Done() {
		t.Error("the record of before was changed")
	}
	if err := x.Decide(Granted, "開示する", officer, 5); err != nil || x.Late(day("2030-01-01")) {
		t.Errorf("decided: %v", err)
	}
}

// PR-3: nobody works on a request of their own, by whichever account; no step is made out of turn.
func TestStepsOutOfTurn(t *testing.T) {
	x := asked(t, Stop)
	for _, by := range []visit.Actor{me, mine, {}} {
		if err := x.Take(by, 2); !errors.Is(err, ErrOwn) {
			t.Errorf("taken by %+v: %v", by, err)
		}
	}
	refused := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	refused("decided first", x.Decide(Granted, "x", officer, 2), ErrState)
	refused("suspended first", x.Suspend("r", "x", officer, 2), ErrState)
	refused("carried first", x.Carry(Facts{}, "", "x", officer, 2), ErrState)
	if err := x.Take(officer, 2); err != nil {
		t.Fatal(err)
	}
	refused("decided by the person", x.Decide(Granted, "x", mine, 3), ErrOwn)
	refused("no decision", x.Decide("", "x", officer, 3), ErrMissing)
	refused("another word", x.Decide(Carried, "x", officer, 3), ErrMissing)
	refused("no reasons", x.Decide(Refused, " ", officer, 3), ErrMissing)
	refused("not seen", x.At(1), ErrState)
	if err := x.Suspend("request-00001", "本人の請求", officer, 3); err != nil {
		t.Fatal(err)
	}
	refused("erased undecided", x.Settle("request-00001", true, "x", deputy, 4), ErrState)
	if err := x.Decide(Refused, "保存の義務", officer, 4); err != nil {
		t.Fatal(err)
	}
	refused("decided twice", x.Decide(Granted, "x", deputy, 5), ErrState)
	refused("erased though refused", x.Settle("request-00001", true, "x", deputy, 5), ErrState)
	refused("suspended though refused", x.Suspend("r", "x", officer, 5), ErrState)
	refused("another suspension", x.Settle("request-00002", false, "x", deputy, 5), ErrState)
	refused("closed while suspended", x.Carry(Facts{Open: 1, Kept: 1}, "", "x", officer, 5), ErrHeld)
	refused("withdrawn late", x.Withdraw("", me, 5), ErrState)
	if err := errors.Join(x.Settle("request-00001", false, "認めない", deputy, 5), x.Carry(Facts{}, "", "通知した", officer, 6)); err != nil {
		t.Fatal(err)
	}
	if h := x.Head(); h.Open || h.State != StateDone || h.FromMS != 1 || h.UntilMS != 7 {
		t.Errorf("%+v", h)
	}
	granted := asked(t, Stop)
	if err := errors.Join(granted.Take(officer, 2), granted.Decide(Granted, "x", officer, 3)); err != nil {
		t.Fatal(err)
	}
	refused("closed with nothing stopped", granted.Carry(Facts{}, "", "x", officer, 4), ErrNothing)
	c := asked(t, Correction)
	c.Entry = "00"
	if err := errors.Join(c.Take(officer, 2), c.Decide(InPart, "x", officer, 3)); err != nil {
		t.Fatal(err)
	}
	refused("closed with nothing appended", c.Carry(Facts{}, "", "x", officer, 4), ErrNotYet)
	if err := c.Carry(Facts{Appended: true}, "", "x", officer, 4); err != nil {
		t.Error(err)
	}
	w := asked(t, Disclosure)
	refused("withdrawn by another", w.Withdraw("", officer, 2), ErrOther)
	if err := w.Withdraw("", me, 2); err != nil || w.State() != StateWithdrawn || w.Head().Open {
		t.Errorf("withdrawn: %v, %s", err, w.State())
	}
	refused("taken after", w.Take(officer, 3), ErrState)
}

// PR-3, VE-5: on paper somebody else recognises the person, by a kind of document.
func TestOnPaper(t *testing.T) {
	good := Record{Want: Disclosure, Text: "記録", Received: "2026-11-20", Person: "1001", Paper: &Paper{Name: "髙橋", Contact: "窓口", Identity: visit.DrivingLicence}}
	x, err := Receive(good, officer, 1, day("2026-11-24"))
	if err != nil || x.Due() != day("2026-12-20") {
		t.Fatalf("%v, due %v", err, x.Due())
	}
	if _, err := Receive(good, mine, 1, day("2026-11-24")); !errors.Is(err, ErrOwn) {
		t.Errorf("recognised oneself: %v", err)
	}
	for what, bad := range map[string]func(x *Record){
		"no paper": func(x *Record) { x.Paper = nil }, "no name": func(x *Record) { x.Paper.Name = "" }, "no document": func(x *Record) { x.Paper.Identity = "" },
		"a number for a document": func(x *Record) { x.Paper.Identity = "123" }, "tomorrow": func(x *Record) { x.Received = "2026-11-25" }, "long ago": func(x *Record) { x.Received = "2025-11-01" },
		"no day": func(x *Record) { x.Received = "" }, "an Individual Number": func(x *Record) { x.Text = "123456789018" }, "turned letters": func(x *Record) { x.Paper.Name = "a\u202eb" },
	} {
		p := *good.Paper
		x := good
		x.Paper = &p
		bad(&x)
		var f *Fault
		if _, err := Receive(x, officer, 1, day("2026-11-24")); !errors.As(err, &f) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := x.Withdraw("電話で", officer, 2); err != nil || !slices.Contains([]string{StateWithdrawn}, x.State()) {
		t.Errorf("withdrawn: %v", err)
	}
}
