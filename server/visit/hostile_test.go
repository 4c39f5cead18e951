package visit

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"monban/firmware/access"
	"monban/server/directory"
)

// hostileTexts are what no free text of a form may hold (VE-5).
var hostileTexts = map[string]string{
	"NUL": "a\x00b", "escape": "a\x1b[2Jb", "C1 control": "a\u009bb", "RTL mark": "a\u200fb", "RTL override": "a\u202eb", "RTL isolate": "a\u2067b",
	"Arabic letter mark": "a\u061cb", "zero width": "a\u200bb", "word joiner": "a\u2060b", "line separator": "a\u2028b", "not UTF-8": "a\xed\xa0\x80b",
	"10 kB": strings.Repeat("漢", 3500), "My Number": "本人 1234-5678-9018 確認",
}

// VE-5, EQ-1, AD-14, AD-16, AD-17: each free text of each form × each hostile text is refused with the field or the word of
// what is wrong, the message repeats nothing of it, and the matter stays as it was.
func TestHostileTexts(t *testing.T) {
	s := hall(t)
	now := s.at(24, 10, 0)
	forms := 0
	try := func(form string, m any, do func(text string) error) {
		t.Helper()
		forms++
		for name, text := range hostileTexts {
			before := copyOf(m)
			err := do(text)
			var refusal *Error
			switch {
			case !errors.As(err, &refusal):
				t.Errorf("%s, %s: got %v, want a refusal", form, name, err)
			case refusal.Word != ErrText.Word && refusal.Word != ErrMyNumber.Word:
				t.Errorf("%s, %s: refused as %s", form, name, refusal.Word)
			case strings.Contains(err.Error(), "5678") || strings.ContainsAny(err.Error(), "\x00\x1b\u202e"):
				t.Errorf("%s, %s: the message repeats it: %q", form, name, err)
			}
			if m != nil && !reflect.DeepEqual(before, copyOf(m)) {
				t.Errorf("%s, %s: refused and changed", form, name)
			}
		}
	}
	apply := func(spoil func(a *Application, text string)) func(string) error {
		return func(text string) error {
			app := s.work()
			spoil(&app, text)
			_, _, err := Apply(app, applicant, s.at(24, 8, 0), s)
			return err
		}
	}
	try("purpose", nil, apply(func(a *Application, x string) { a.Purpose = x }))
	try("system", nil, apply(func(a *Application, x string) { a.System = x }))
	try("section", nil, apply(func(a *Application, x string) { a.Section = x }))
	try("company", nil, apply(func(a *Application, x string) { a.Company = x }))
	try("guest's name", nil, apply(func(a *Application, x string) { a.Guests[0].Name = x }))
	try("guest's kana", nil, apply(func(a *Application, x string) { a.Guests[0].Kana = x }))
	try("guest's company", nil, apply(func(a *Application, x string) { a.Guests[0].Company = x }))
	try("permit", nil, func(x string) error {
		p := s.permit()
		p.Purpose = x
		_, _, err := ApplyPermit(p, applicant, now, s)
		return err
	})

	applied, _, err := Apply(s.work(), applicant, s.at(24, 8, 0), s)
	must(t, err)
	try("approval", &applied, func(x string) error { return applied.Approve(approver, now, x) })
	try("refusal", &applied, func(x string) error { return applied.Refuse(approver, now, x) })
	try("withdrawal", &applied, func(x string) error { return applied.Withdraw(applicant, now, x) })
	approved := s.approved(t, s.work())
	try("extension", &approved, func(x string) error { return approved.Extend(s.at(24, 13, 0), approver, now, x, s) })
	try("substitute's reason", &approved, func(x string) error {
		return approved.ChangeWorker(0, Guest{Name: "田中", Category: directory.Contractor}, approver, now, x, s)
	})
	try("substitute's name", &approved, func(x string) error {
		return approved.ChangeWorker(0, Guest{Name: x, Category: directory.Contractor}, approver, now, "急用", s)
	})
	urgent, _, err := Urgent(s.work(), "1001", reception, s.at(24, 8, 45), s)
	must(t, err)
	try("phone approval", &urgent, func(x string) error { return urgent.ConfirmOral(true, approver, now, x) })
	running := s.received(t, s.tour("髙橋 一"))
	try("badge", &running, func(x string) error { return running.ReturnBadge(0, false, outside, reception, now, x) })
	try("exit", &running, func(x string) error { return running.Left(0, reception, now, x) })
	closing := s.received(t, s.tour("髙橋 一"))
	closing.Guests[0].Lost = true
	try("closing", &closing, func(x string) error { return closing.Close(outside, reception, now, x) })

	permit := s.permit()
	permit, _, err = ApplyPermit(permit, applicant, now, s)
	must(t, err)
	try("permit's decision", &permit, func(x string) error { return permit.Decide(true, approver, now, x) })
	try("permit's end", &permit, func(x string) error { return permit.End(approver, now, x) })

	try("temporary card", nil, func(x string) error {
		b := badge(1)
		b.Kind = TemporaryKind
		_, err := IssueTemporary(TemporaryRequest{Person: "1002", Identity: KnownInPerson, Badge: b, Reason: x}, nil, 0, nobody, reception, now, s)
		return err
	})
	temporary := TemporaryCard{ID: "t", Person: "1002"}
	try("temporary card back", &temporary, func(x string) error { return temporary.Return(false, reception, now, x) })

	try("stopped card", nil, func(x string) error { _, err := Suspend("C-2", false, 0, x, guard, now, s); return err })
	stopped, err := Suspend("C-2", false, 0, "見当たらない", guard, now, s)
	must(t, err)
	stopped.Doubt([]DoubtfulEntry{{Attempt: "a", AtMS: now}})
	holder := Actor{Account: "x", Person: "1002"}
	try("holder's answer", &stopped, func(x string) error { return stopped.Answer(0, true, holder, now, x) })
	try("found", &stopped, func(x string) error { return stopped.AskResume(reception, now, x) })
	try("given up", &stopped, func(x string) error { return stopped.GiveUp(reception, now, x) })
	asked, err := Suspend("C-2", false, 0, "見当たらない", guard, now, s)
	must(t, err)
	must(t, asked.AskResume(reception, now, "見つかった"))
	try("resumed", &asked, func(x string) error { return asked.Resume(approver, now, x) })

	try("emergency", nil, func(x string) error {
		_, err := Declare([]access.ZoneID{"server-room"}, []directory.PersonID{"1002"}, 0, x, true, approver, now, s)
		return err
	})
	emergency, err := Declare([]access.ZoneID{"server-room"}, []directory.PersonID{"1002"}, 0, "漏水", true, approver, now, s)
	must(t, err)
	try("emergency's end", &emergency, func(x string) error { return emergency.End(approver, now, x) })
	try("emergency's report", &emergency, func(x string) error { return emergency.Tell(x, approver, now) })

	carry := func(spoil func(c *Carry, text string)) func(string) error {
		return func(text string) error {
			c := s.carry(CarryIn, Item{What: "ディスク", Serial: "S1"})
			spoil(&c, text)
			_, _, err := OpenCarry(c, nil, reception, now, s)
			return err
		}
	}
	try("carried for", nil, carry(func(c *Carry, x string) { c.Purpose = x }))
	try("impact", nil, carry(func(c *Carry, x string) { c.Impact.Note = x }))
	try("authorization", nil, carry(func(c *Carry, x string) { c.Authorization = x }))
	try("thing", nil, carry(func(c *Carry, x string) { c.Items[0].What = x }))
	try("owner", nil, carry(func(c *Carry, x string) { c.Items[0].Owner = x }))
	try("protection", nil, carry(func(c *Carry, x string) { c.Items[0].Protection = x }))
	shut, _, err := OpenCarry(s.carry(CarryIn, Item{What: "ディスク", Serial: "S1"}), nil, reception, now, s)
	must(t, err)
	must(t, shut.Shut(reception, now))
	try("what became of it", &shut, func(x string) error { return shut.Settle(reception, now, x) })

	free := func(string) bool { return false }
	try("key lent for", nil, func(x string) error {
		_, err := LendKey(KeyLoan{Key: "KEY-1", Person: "1002", Purpose: x}, free, reception, now, s)
		return err
	})
	loan, err := LendKey(KeyLoan{Key: "KEY-1", Person: "1002", Purpose: "点検"}, free, reception, now, s)
	must(t, err)
	try("key back", &loan, func(x string) error { return loan.Return(true, reception, now, x) })
	try("purpose said afterwards", nil, func(x string) error { _, err := StatePurpose(Passage{Person: "1002"}, x, holder, now); return err })
	try("badge's label", nil, func(x string) error { b := *badge(1); b.Label = x; return b.Check() })
	try("badge's look", nil, func(x string) error { b := *badge(1); b.Look = x; return b.Check() })
	for _, x := range []struct{ field, text string }{{"serial", "a\x00b"}, {"serial", "a\u202eb"}, {"asset", strings.Repeat("1", 10_000)}} {
		err := carry(func(c *Carry, text string) {
			if c.Items[0].Serial = text; x.field == "asset" {
				c.Items[0].Asset = text
			}
		})(x.text)
		refused(t, err, ErrText)
	}
	if forms < 40 {
		t.Errorf("%d forms", forms)
	}
}

// An end before its beginning, in each form that has a window.
func TestBackwardWindows(t *testing.T) {
	s := hall(t)
	now := s.at(24, 8, 0)
	app := s.work()
	app.FromMS, app.UntilMS = app.UntilMS, app.FromMS
	_, _, err := Apply(app, applicant, now, s)
	refused(t, err, ErrWindow)
	p := s.permit()
	p.First, p.Last = directory.Date{Year: 2026, Month: 12, Day: 1}, directory.Date{Year: 2026, Month: 11, Day: 30}
	_, _, err = ApplyPermit(p, applicant, now, s)
	refused(t, err, ErrWindow)
	v := s.approved(t, s.work())
	refused(t, v.Extend(v.FromMS-1, approver, now, "x", s), ErrWindow)
	_, err = Suspend("C-2", false, now+1, "x", guard, now, s)
	refused(t, err, ErrWindow)
	_, err = Declare([]access.ZoneID{"server-room"}, []directory.PersonID{"1002"}, -1, "x", true, approver, now, s)
	refused(t, err, ErrWindow)
	_, err = LendKey(KeyLoan{Key: "KEY-1", Person: "1002", Purpose: "x", DueMS: now - 1}, func(string) bool { return false }, reception, now, s)
	refused(t, err, ErrWindow)
	b := badge(1)
	b.Kind = TemporaryKind
	_, err = IssueTemporary(TemporaryRequest{Person: "1002", Identity: KnownInPerson, Badge: b, UntilMS: now - 1}, nil, 0, nobody, reception, now, s)
	refused(t, err, ErrWindow)
}

func copyOf(m any) any {
	if m == nil {
		return nil
	}
	return reflect.ValueOf(m).Elem().Interface()
}
