package visit

import (
	"testing"

	"monban/firmware/access"
	"monban/server/directory"
)

// AD-17: lost at 23:00. The guard stops the card alone; what it opened since goes to the holder; good again takes another person.
func TestSuspension(t *testing.T) {
	s := hall(t)
	now := s.at(24, 23, 0)
	_, err := Suspend("C-1", false, 0, "", guard, now, s)
	refused(t, err, ErrMissing)
	_, err = Suspend("C-404", false, 0, "x", guard, now, s)
	refused(t, err, ErrUnknown)
	x, err := Suspend("C-1", true, s.at(24, 18, 0), "帰宅途中で紛失", guard, now, s)
	must(t, err)
	x.Doubt([]DoubtfulEntry{{Attempt: "a1", AtMS: s.at(24, 19, 0), Door: "front"}, {Attempt: "a2", AtMS: s.at(24, 22, 0), Door: "front"}})
	holder := Actor{Account: "h", Person: "1001"}
	refused(t, x.Answer(0, true, guard, now, ""), ErrNotHolder)
	must(t, x.AskResume(guard, s.at(25, 9, 0), "机の下にあった"))
	refused(t, x.Resume(approver2, s.at(25, 9, 30), ""), ErrEntries)
	must(t, x.Answer(0, true, holder, s.at(25, 9, 10), ""))
	refused(t, x.Resume(approver2, s.at(25, 9, 30), ""), ErrEntries)
	y := x
	must(t, y.Answer(1, false, holder, s.at(25, 9, 10), "その時間は自宅"))
	refused(t, y.Resume(approver2, s.at(25, 9, 30), ""), ErrEntries)
	if y.Disowned() != 1 || x.Disowned() != 0 {
		t.Error("an answer changed another copy")
	}
	must(t, x.Answer(1, true, holder, s.at(25, 9, 11), ""))
	refused(t, x.Answer(1, false, holder, s.at(25, 9, 12), ""), ErrState)
	refused(t, x.Resume(guard, s.at(25, 9, 30), ""), ErrSamePerson)
	refused(t, x.Resume(holder, s.at(25, 9, 30), ""), ErrSamePerson)
	must(t, x.Resume(approver2, s.at(25, 9, 30), ""))
	if x.Head().Open {
		t.Error("it is settled")
	}
	refused(t, x.GiveUp(guard, s.at(25, 9, 40), "x"), ErrState)
	must(t, y.GiveUp(guard, s.at(25, 9, 40), "再発行"))
	if y.Head().Open {
		t.Error("every entry was answered, the card is revoked: nothing is owed")
	}
}

var approver2 = Actor{Account: "ap2", Person: "1002", From: "lan"}

// AD-17: the list and the decision are owed; a card that is stopped is not stopped again, one that was revoked neither.
func TestSuspensionOwed(t *testing.T) {
	s := hall(t)
	x, err := Suspend("C-2", false, 0, "見当たらない", guard, s.at(20, 23, 0), s)
	must(t, err)
	if x.LastSureMS != s.at(19, 23, 0) {
		t.Error("without a last sure use the day before counts")
	}
	uses := make([]DoubtfulEntry, maxDoubtful+5)
	for i := range uses {
		uses[i] = DoubtfulEntry{Attempt: "a", AtMS: int64(i)}
	}
	x.Doubt(uses)
	if len(x.Entries) != maxDoubtful || !x.More || x.Entries[0].AtMS != 5 {
		t.Error("of too many the newest are kept, and it is said")
	}
	if !owes(s, s.at(26, 17, 15), DueHolder, &x) || owes(s, s.at(26, 17, 14), DueHolder, &x) {
		t.Error("the holder has three open days: 24, 25, 26")
	}
	y, err := Suspend("C-1", false, 0, "見当たらない", guard, s.at(24, 9, 0), s)
	must(t, err)
	if owes(s, s.at(26, 17, 15), DueResume, &y) {
		t.Error("nobody has asked for the card to be made good again")
	}
	must(t, y.AskResume(guard, s.at(24, 10, 0), "机の下にあった"))
	if !owes(s, s.at(25, 17, 15), DueResume, &y) || owes(s, s.at(25, 17, 14), DueResume, &y) {
		t.Error("the decision is due at the next day's closing time")
	}
	must(t, y.Resume(approver2, s.at(25, 9, 0), ""))
	if owes(s, s.at(25, 17, 15), DueResume, &y) {
		t.Error("it is decided")
	}
	for status, want := range map[access.CredentialStatus]*Error{access.CredentialRevoked: ErrRevoked, access.CredentialSuspended: ErrState, access.CredentialLost: ErrState} {
		dir := *s.Dir
		dir.Credentials = []directory.Credential{{ID: "C-2", Person: "1002", Status: status}}
		_, err := Suspend("C-2", false, 0, "x", guard, s.at(24, 9, 0), &Site{Dir: &dir, Settings: s.Settings, Zone: s.Zone})
		refused(t, err, want)
	}
}

// RR-7: the purpose comes from the approved work, else from the keypad, else from the person; blank otherwise.
func TestPurpose(t *testing.T) {
	s := hall(t)
	s.Settings.PurposeLabels = map[access.ZoneID][]string{"server-room": {"巡回", "障害対応"}}
	v := s.received(t, s.work())
	e := Passage{Attempt: "aa", AtMS: s.at(24, 9, 30), Zone: "server-room", In: true, Person: "1002"}
	stated := []Purpose{{Attempt: "aa", Text: "後から記入"}}
	for name, c := range map[string]struct {
		visits []Visit
		code   int
		stated []Purpose
		text   string
		from   PurposeSource
	}{
		"approved work first": {[]Visit{v}, 2, stated, "ディスク交換", FromWork},
		"keypad":              {nil, 2, stated, "障害対応", FromKeypad},
		"no such code":        {nil, 3, stated, "後から記入", FromPerson},
		"stated":              {nil, 0, stated, "後から記入", FromPerson},
		"blank":               {nil, 0, nil, "", NoPurpose},
	} {
		e := e
		e.Keyed = s.Settings.KeyedPurpose(e.Zone, c.code)
		if text, from := PurposeOf(e, c.visits, c.stated); text != c.text || from != c.from {
			t.Errorf("%s: %q from %q", name, text, from)
		}
	}
	other := e
	other.Person = "1003"
	if _, from := PurposeOf(other, []Visit{v}, nil); from != NoPurpose {
		t.Error("somebody who has nothing to do with the visit took its purpose")
	}
	late := e
	late.AtMS = v.UntilMS
	if _, from := PurposeOf(late, []Visit{v}, nil); from != NoPurpose {
		t.Error("after the window the work is no purpose any more")
	}
	_, err := StatePurpose(e, "x", guard, s.at(25, 9, 0))
	refused(t, err, ErrNotHolder)
	_, err = StatePurpose(e, "", applicant, s.at(25, 9, 0))
	refused(t, err, ErrMissing)
	p, err := StatePurpose(e, "障害対応", applicant, s.at(25, 9, 0))
	must(t, err)
	if p.Attempt != "aa" || p.Head().FromMS != e.AtMS {
		t.Errorf("%+v", p)
	}
	if d := Blank(e, s.at(27, 17, 15), s); d.State != Overdue || Blank(e, s.at(27, 17, 14), s).State != Waiting {
		t.Errorf("%+v", d)
	}
}

// VE-12: a standing permit for cleaning, Monday to Friday 06:00–07:00, ends with the fiscal year and opens no door by itself.
func TestPermit(t *testing.T) {
	s := hall(t)
	ask := s.permit()
	p, _, err := ApplyPermit(ask, applicant, s.at(20, 10, 0), s)
	must(t, err)
	p.ID = "permit-2026-00001"
	if p.Last != (directory.Date{Year: 2027, Month: 3, Day: 31}) {
		t.Errorf("ends %v (AD-6)", p.Last)
	}
	long := ask
	long.Last = directory.Date{Year: 2027, Month: 4, Day: 1}
	_, _, err = ApplyPermit(long, applicant, s.at(20, 10, 0), s)
	refused(t, err, ErrWindow)
	_, err = p.VisitNow(reception, s.at(24, 6, 0), s)
	refused(t, err, ErrState)
	refused(t, p.Decide(true, applicant, s.at(20, 11, 0), ""), ErrSamePerson)
	must(t, p.Decide(true, approver, s.at(20, 11, 0), ""))
	for at, ok := range map[int64]bool{
		s.at(24, 5, 29): false, s.at(24, 5, 30): true, s.at(24, 6, 59): true, s.at(24, 7, 0): false,
		s.at(23, 6, 0): false, // a holiday
		s.at(21, 6, 0): false, // Saturday
	} {
		v, err := p.VisitNow(reception, at, s)
		if ok != (err == nil) {
			t.Errorf("at %d: %v", at, err)
		}
		if err == nil && (v.State != Approved || v.Permit != p.ID || v.UntilMS != s.at(24, 7, 0) || v.Decided.Account != "mgr") {
			t.Errorf("%+v", v)
		}
	}
	night := ask
	night.FromS, night.ToS = 22*3600, 5*3600
	n, _, err := ApplyPermit(night, applicant, s.at(20, 10, 0), s)
	must(t, err)
	must(t, n.Decide(true, approver, s.at(20, 11, 0), ""))
	if v, err := n.VisitNow(reception, s.at(25, 3, 0), s); err != nil || v.FromMS != s.at(24, 22, 0) {
		t.Errorf("the window of the evening before: %v %v", v.FromMS, err)
	}
	must(t, p.End(reception, s.at(25, 9, 0), ""))
	_, err = p.VisitNow(reception, s.at(26, 6, 0), s)
	refused(t, err, ErrState)
}

// Applications and entries are laid beside each other: who never came in, who came in outside the window, a badge without a visit.
func TestCompare(t *testing.T) {
	s := hall(t)
	v := s.received(t, s.tour("髙橋 一"))
	who := v.PersonID(0)
	log := []Passage{
		{Attempt: "a0", AtMS: s.at(24, 8, 29), Zone: "server-room", In: true, Person: who}, // earlier than reception may begin
		{Attempt: "a1", AtMS: s.at(24, 8, 50), Zone: "server-room", In: true, Person: who},
		{Attempt: "a2", AtMS: s.at(24, 9, 10), Zone: "server-room", In: true, Person: who},
		{Attempt: "a3", AtMS: s.at(24, 12, 5), Zone: "server-room", In: true, Person: who},
		{Attempt: "a4", AtMS: s.at(24, 12, 6), Zone: "server-room", In: true, Person: "visit-2026-00777.1"},
		{Attempt: "a5", AtMS: s.at(24, 12, 7), Zone: "server-room", In: true, Person: "1001"},
	}
	got := Compare([]Visit{v}, log, s.at(24, 13, 0), s)
	want := map[string]string{"a0": "outside_window", "a3": "outside_window", "a4": "no_visit"}
	if len(got) != len(want) {
		t.Errorf("%+v", got)
	}
	for _, m := range got {
		if want[m.Entry.Attempt] != m.Kind {
			t.Errorf("%+v", m)
		}
	}
	if got := Compare([]Visit{v}, nil, s.at(24, 13, 0), s); len(got) != 1 || got[0].Kind != "never_entered" {
		t.Errorf("%+v", got)
	}
	if got := Compare([]Visit{v}, nil, s.at(24, 11, 0), s); len(got) != 0 {
		t.Errorf("may still enter: %+v", got)
	}
}

// Unreturned at closing time or the window's end and grace (VE-3), told as an item of each guest.
func TestBadgeDue(t *testing.T) {
	s := hall(t)
	for _, c := range []struct{ fromH, fromM, untilH, untilM, dueH, dueM int }{
		{9, 0, 12, 0, 12, 15}, {13, 0, 17, 15, 17, 15}, {16, 0, 17, 10, 17, 15}, {16, 0, 20, 0, 20, 15}, {18, 0, 20, 0, 20, 15},
	} {
		app := s.work()
		app.FromMS, app.UntilMS = s.at(24, c.fromH, c.fromM), s.at(24, c.untilH, c.untilM)
		v := s.approved(t, app)
		must(t, v.Receive(Reception{Identity: CompanyCard, Badge: badge(1)}, 0, nobody, reception, app.FromMS, s))
		due := s.at(24, c.dueH, c.dueM)
		if owes(s, due-1, DueBadge, &v) || !owes(s, due, DueBadge, &v) {
			t.Errorf("%02d:%02d–%02d:%02d: want it missed at %02d:%02d, %+v", c.fromH, c.fromM, c.untilH, c.untilM, c.dueH, c.dueM, Dues([]Matter{&v}, nil, due, s))
		}
		must(t, v.ReturnBadge(0, false, func(int) bool { return true }, reception, due-1, ""))
		if owes(s, due, DueBadge, &v) {
			t.Error("it is back")
		}
	}
}
