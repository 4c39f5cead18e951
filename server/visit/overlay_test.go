package visit

import (
	"errors"
	"reflect"
	"testing"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/server/directory"
)

func find[T any](list []T, is func(*T) bool) *T {
	for i := range list {
		if is(&list[i]) {
			return &list[i]
		}
	}
	return nil
}

func person(s directory.Snapshot, id directory.PersonID) *directory.Person {
	return find(s.People, func(p *directory.Person) bool { return p.ID == id })
}

func credential(s directory.Snapshot, id directory.CardID) *directory.Credential {
	return find(s.Credentials, func(c *directory.Credential) bool { return c.ID == id })
}

func grantsOf(s directory.Snapshot, id directory.PersonID) (out []directory.Grant) {
	for _, g := range s.Grants {
		if g.Person == id {
			out = append(out, g)
		}
	}
	return out
}

// received is a running visit with badge 1 lent at 09:00.
func (s *Site) received(t *testing.T, app Application) Visit {
	t.Helper()
	v := s.approved(t, app)
	must(t, v.Receive(Reception{Identity: CompanyCard, Conditions: 4, Badge: badge(1)}, 4, nobody, reception, s.at(24, 9, 0), s))
	return v
}

// VE-3, VE-9: a lent badge opens the visit's doors in its window and not a moment longer, whoever reaches the gateway then.
func TestOverlayVisit(t *testing.T) {
	s := hall(t)
	v := s.received(t, s.tour("髙橋 一"))
	before := *s.Dir
	dir := Overlay(*s.Dir, []Matter{&v}, []Badge{*badge(1)}, s.at(24, 9, 0), s)
	if !reflect.DeepEqual(before, *s.Dir) {
		t.Error("the directory itself was changed")
	}
	p := person(dir, "visit-2026-00001.1")
	if p == nil || p.Name != "髙橋 一" || p.Category != directory.Visitor || !p.Active || p.Conditions != 4 || p.MayEscort {
		t.Fatalf("the guest is %+v", p)
	}
	if c := credential(dir, "B-1"); c == nil || c.Person != p.ID || c.Exact.UntilMS != v.UntilMS || c.Exact.FromMS != s.at(24, 9, 0) || c.Status != access.CredentialActive {
		t.Errorf("the badge is %+v", c)
	}
	g := grantsOf(dir, p.ID)
	if len(g) != 1 || g[0].Zone != "server-room" || g[0].Exact.UntilMS != v.UntilMS || g[0].Emergency {
		t.Errorf("grants %+v", g)
	}
	// After the window: no grant; the badge is known, so that its exit has a name (D11).
	dir = Overlay(*s.Dir, []Matter{&v}, []Badge{*badge(1)}, v.UntilMS, s)
	if len(grantsOf(dir, p.ID)) != 0 || credential(dir, "B-1") == nil || person(dir, p.ID) == nil {
		t.Error("after the window: want the person and the badge, no grant")
	}
	for name, spoil := range map[string]func(*Visit, *Badge){
		"before reception":     func(v *Visit, _ *Badge) { v.Guests[0].Checked = Step{} },
		"badge returned":       func(v *Visit, _ *Badge) { v.Guests[0].Returned = Step{AtMS: 1} },
		"badge lost":           func(v *Visit, _ *Badge) { v.Guests[0].Lost = true },
		"badge written off":    func(_ *Visit, b *Badge) { b.Status = BadgeLost },
		"closed":               func(v *Visit, _ *Badge) { v.State = Closed },
		"zero state":           func(v *Visit, _ *Badge) { v.State = "" },
		"oral approval denied": func(v *Visit, _ *Badge) { v.Oral = &Oral{Denied: Step{AtMS: 1}} },
		"another's card":       func(_ *Visit, b *Badge) { b.Ref = s.Dir.Credentials[0].Ref },
		"another's number":     func(v *Visit, b *Badge) { b.ID, v.Guests[0].Badge = "C-1", "C-1" },
	} {
		w, b := s.received(t, s.tour("髙橋 一")), *badge(1)
		spoil(&w, &b)
		if dir := Overlay(*s.Dir, []Matter{&w}, []Badge{b}, s.at(24, 9, 30), s); len(grantsOf(dir, p.ID)) != 0 {
			t.Errorf("%s: still grants", name)
		}
	}
}

// A visit that names what is gone, or a name that the directory would refuse, gives nothing and stops no publication.
func TestOverlayStale(t *testing.T) {
	s := hall(t)
	v := s.received(t, s.tour("髙橋 一"))
	v.Zones = []access.ZoneID{"gone", "server-room"}
	dir := Overlay(*s.Dir, []Matter{&v}, []Badge{*badge(1)}, s.at(24, 9, 0), s)
	if g := grantsOf(dir, "visit-2026-00001.1"); len(g) != 1 || g[0].Zone != "server-room" {
		t.Errorf("%+v", g)
	}
	v.Guests[0].Name = "x\u202ey"
	dir = Overlay(*s.Dir, []Matter{&v}, []Badge{*badge(1)}, s.at(24, 9, 0), s)
	if person(dir, "visit-2026-00001.1") != nil || credential(dir, "B-1") != nil || len(dir.Grants) != 0 {
		t.Error("a person that the directory refuses was put in")
	}
	w := s.received(t, s.work())
	w.Guests[0].Person = "K-9"
	if dir = Overlay(*s.Dir, []Matter{&w}, []Badge{*badge(1)}, s.at(24, 9, 0), s); len(dir.Grants) != 0 {
		t.Error("a person who is gone got a grant")
	}
}

// VE-4: a worker of the contract stays who they are, with their own limits.
func TestOverlayWorker(t *testing.T) {
	s := hall(t)
	v := s.received(t, s.work())
	dir := Overlay(*s.Dir, []Matter{&v}, []Badge{*badge(1)}, s.at(24, 9, 0), s)
	if len(dir.People) != len(s.Dir.People) || credential(dir, "B-1").Person != "K-1" || len(grantsOf(dir, "K-1")) != 1 {
		t.Errorf("%+v", dir.Grants)
	}
	if person(dir, "K-1").Conditions != 4 || person(*s.Dir, "K-1").Conditions != 0 {
		t.Error("VE-6: the accepted conditions count for the visit, and are not written into the directory")
	}
}

// VE-9: night work 22:00–05:00 runs over midnight; a grant's days cover both.
func TestNightWork(t *testing.T) {
	s := hall(t)
	app := s.work()
	app.FromMS, app.UntilMS = s.at(24, 22, 0), s.at(25, 5, 0)
	v := s.approved(t, app)
	must(t, v.Receive(Reception{Identity: CompanyCard, Badge: badge(1)}, 0, nobody, guard, s.at(24, 21, 45), s))
	dir := Overlay(*s.Dir, []Matter{&v}, []Badge{*badge(1)}, s.at(25, 1, 0), s)
	g := grantsOf(dir, "K-1")
	if len(g) != 1 || g[0].ValidFrom.Day != 24 || g[0].ValidUntil.Day != 25 || g[0].Exact.UntilMS != s.at(25, 5, 0) {
		t.Fatalf("%+v", g)
	}
	due := func(at int64) (out []DueKind) {
		for _, d := range Dues([]Matter{&v}, nil, at, s) {
			if d.State == Overdue {
				out = append(out, d.Kind)
			}
		}
		return out
	}
	if got := due(s.at(25, 5, 14)); len(got) != 0 {
		t.Errorf("05:14: %v, want nothing before the grace is over", got)
	}
	if got := due(s.at(25, 5, 15)); len(got) != 1 || got[0] != DueBadge {
		t.Errorf("05:15: %v, want the badge", got)
	}
	e := Passage{AtMS: s.at(25, 1, 0), Zone: "server-room", Person: "K-1", In: true}
	if AfterHours(e, []Visit{v}, 8*3600+1800, s) {
		t.Error("approved work is not after hours")
	}
	if !AfterHours(e, nil, 8*3600+1800, s) || !AfterHours(Passage{AtMS: s.at(23, 10, 0)}, nil, 8*3600+1800, s) || AfterHours(Passage{AtMS: s.at(24, 8, 30)}, nil, 8*3600+1800, s) {
		t.Error("night and holiday are after hours, 08:30 of an open day is not")
	}
}

// VE-11: three without a card enter on the escort's badge: one opening, four persons; the register has each by name.
func TestParty(t *testing.T) {
	s := hall(t)
	v := s.approved(t, s.tour("髙橋 一", "渡邉 二", "𠮷田 三"))
	for i := range 3 {
		must(t, v.Receive(Reception{Guest: i, Identity: DrivingLicence, Badge: plain(byte(i + 1)), Carrier: "1001"}, 0, nobody, reception, s.at(24, 9, 0), s))
	}
	if v.Party() != 4 || v.Carrier() != "1001" {
		t.Fatalf("party of %d on %s", v.Party(), v.Carrier())
	}
	badges := []Badge{*plain(1), *plain(2), *plain(3)}
	dir := Overlay(*s.Dir, []Matter{&v}, badges, s.at(24, 9, 5), s)
	if person(dir, "1001").Party != 4 || len(dir.Credentials) != len(s.Dir.Credentials) || len(dir.Grants) != 0 {
		t.Error("the escort's badge carries four; name plates open nothing")
	}
	log := []Passage{
		{Attempt: "a1", AtMS: s.at(24, 9, 10), Zone: "server-room", In: true, Person: "1001"},
		{Attempt: "a2", AtMS: s.at(24, 11, 0), Zone: "server-room", Outside: true, Person: "1001"},
	}
	for _, p := range v.Match(log[:1]) {
		if !p.Carried || p.EnteredMS != s.at(24, 9, 10) || p.Attempt != "a1" || !p.Inside {
			t.Errorf("after the opening: %+v", p)
		}
	}
	for _, p := range v.Match(log) {
		if p.LeftMS != s.at(24, 11, 0) || p.Inside {
			t.Errorf("after the exit: %+v", p)
		}
	}
	// VE-10: another escort takes the party over; the first one's exit is theirs alone.
	refused(t, v.CarryBy("1003", s.at(24, 10, 0), s.escorted()), ErrCarrier)
	must(t, v.CarryBy("1003", s.at(24, 10, 0), s))
	for _, p := range v.Match(log) {
		if !p.Inside {
			t.Errorf("the first escort left alone: %+v", p)
		}
	}
	if got := Overlay(*s.Dir, []Matter{&v}, badges, s.at(24, 10, 5), s); person(got, "1001").Party != 0 || person(got, "1003").Party != 4 {
		t.Error("the party is the second escort's now")
	}
	for i := range 3 {
		must(t, v.ReturnBadge(i, false, outside, reception, s.at(24, 11, 5), ""))
	}
	if v.Party() != 0 || v.State != Closed {
		t.Errorf("party %d, %s", v.Party(), v.State)
	}
}

// escorted is the site with an escort rule on the server room.
func (s *Site) escorted() *Site {
	out := *s
	dir := *s.Dir
	dir.Zones = append([]directory.Zone(nil), dir.Zones...)
	for i := range dir.Zones {
		if dir.Zones[i].ID == "server-room" {
			dir.Zones[i].Escort = directory.EscortVisitors
		}
	}
	out.Dir = &dir
	return &out
}

// A tour has a leader and a head count in and out; it stays open while the counts differ.
func TestTour(t *testing.T) {
	s := hall(t)
	app := s.tour("団長 太郎")
	app.Type, app.Heads = Tour, 14
	v := s.approved(t, app)
	must(t, v.Receive(Reception{Identity: KnownInPerson, Badge: plain(1), Carrier: "1001"}, 0, nobody, reception, s.at(24, 9, 0), s))
	refused(t, v.Count(true, 14, reception, s.at(24, 9, 5)), ErrState)
	must(t, v.Count(false, 14, reception, s.at(24, 9, 5)))
	if v.Party() != 16 {
		t.Errorf("party of %d, want escort, leader and 14", v.Party())
	}
	must(t, v.Count(true, 13, reception, s.at(24, 11, 0)))
	must(t, v.ReturnBadge(0, false, outside, reception, s.at(24, 11, 1), ""))
	if v.State != Running {
		t.Error("one is missing and the visit closed")
	}
	if !owes(s, s.at(24, 12, 15), DueHeads, &v) || owes(s, s.at(24, 12, 14), DueHeads, &v) {
		t.Error("the missing head is owed at the window's end and grace")
	}
	refused(t, v.Close(outside, reception, s.at(24, 12, 20), ""), ErrInside)
	must(t, v.Count(true, 14, reception, s.at(24, 12, 21)))
	must(t, v.Close(outside, reception, s.at(24, 12, 22), ""))
}

func owes(s *Site, at int64, kind DueKind, matters ...Matter) bool {
	for _, d := range Dues(matters, nil, at, s) {
		if d.Kind == kind && d.State == Overdue {
			return true
		}
	}
	return false
}

// AD-16: the register shows the real person; the own card stays shut while the temporary one is out.
func TestTemporaryCard(t *testing.T) {
	s := hall(t)
	now := s.at(24, 8, 40)
	tmp := badge(7)
	tmp.Kind = TemporaryKind
	ask := TemporaryRequest{Person: "1001", Identity: StaffCard, Badge: tmp}
	good := func() (TemporaryCard, error) { return IssueTemporary(ask, nil, 0, nobody, reception, now, s) }
	x, err := good()
	must(t, err)
	if len(x.Suspended) != 1 || x.Suspended[0] != "C-1" {
		t.Errorf("suspends %v; a recovery card lies in a safe and is nobody's forgotten card (AD-18)", x.Suspended)
	}
	if x.UntilMS != s.at(25, 0, 0) || x.Frequent || x.Month != 1 {
		t.Errorf("%+v", x)
	}
	dir := Overlay(*s.Dir, []Matter{&x}, []Badge{*tmp}, now, s)
	if c := credential(dir, "B-7"); c == nil || c.Person != "1001" || c.Exact.UntilMS != x.UntilMS {
		t.Errorf("the temporary card is %+v", c)
	}
	if credential(dir, "C-1").Status != access.CredentialSuspended || credential(dir, "C-1R").Status != access.CredentialActive || credential(dir, "C-2").Status != access.CredentialActive {
		t.Error("only the own card is suspended")
	}
	// Lost meanwhile: the stronger status stays.
	lost := *s.Dir
	lost.Credentials = append([]directory.Credential(nil), lost.Credentials...)
	lost.Credentials[0].Status = access.CredentialLost
	if dir := Overlay(lost, []Matter{&x}, []Badge{*tmp}, now, s); credential(dir, "C-1").Status != access.CredentialLost {
		t.Error("a lost card became merely suspended")
	}
	// D27: it opens nothing that the own card does not.
	weak := *s.Dir
	weak.Credentials = append([]directory.Credential(nil), weak.Credentials...)
	strong := *tmp
	weak.Credentials[0].Assurance, strong.Assurance = card.UIDOnly, card.MutualAuth
	if c := credential(Overlay(weak, []Matter{&x}, []Badge{strong}, now, s), "B-7"); c == nil || c.Assurance != card.UIDOnly {
		t.Errorf("in the place of a card that proves less: %+v", c)
	}
	ends := *s
	ends.Dir = &weak
	weak.Credentials[0].ValidUntil = directory.Date{Year: 2026, Month: 11, Day: 23}
	if _, err := IssueTemporary(ask, nil, 0, nobody, reception, now, &ends); !errors.Is(err, ErrOwnCard) {
		t.Errorf("in the place of a card that has ended: %v", err)
	}
	weak.Credentials[0].ValidUntil = directory.Date{Year: 2026, Month: 11, Day: 24}
	long := ask
	long.UntilMS = s.at(25, 8, 0)
	if y, err := IssueTemporary(long, nil, 0, nobody, reception, now, &ends); err != nil || y.UntilMS != s.at(25, 0, 0) {
		t.Errorf("longer than the own card: %+v %v", y, err)
	}
	must(t, x.Return(false, reception, s.at(24, 17, 0), ""))
	refused(t, x.Return(false, reception, s.at(24, 17, 0), ""), ErrState)
	dir = Overlay(*s.Dir, []Matter{&x}, []Badge{*tmp}, s.at(24, 17, 0), s)
	if credential(dir, "B-7") != nil || credential(dir, "C-1").Status != access.CredentialActive {
		t.Error("it was returned: the own card opens again, the temporary one does not")
	}
	if y, err := IssueTemporary(ask, nil, 2, nobody, reception, now, s); err != nil || !y.Frequent || y.Month != 3 {
		t.Errorf("the third in a month is noted: %+v %v", y, err)
	}
	for name, c := range map[string]struct {
		spoil func(*TemporaryRequest)
		by    Actor
		want  *Error
	}{
		"no identity seen":       {func(r *TemporaryRequest) { r.Identity = "" }, reception, ErrIdentity},
		"a visitor's badge":      {func(r *TemporaryRequest) { r.Badge = badge(1) }, reception, ErrBadge},
		"a name plate":           {func(r *TemporaryRequest) { b := *tmp; b.Ref = card.Ref{}; r.Badge = &b }, reception, ErrBadge},
		"nobody":                 {func(r *TemporaryRequest) { r.Person = "9999" }, reception, ErrUnknown},
		"who left":               {func(r *TemporaryRequest) { r.Person = "1004" }, reception, ErrUnknown},
		"no card of one's own":   {func(r *TemporaryRequest) { r.Person = "K-1" }, reception, ErrOwnCard},
		"only a recovery card":   {func(r *TemporaryRequest) { r.Person = "1003" }, guard, ErrOwnCard},
		"for oneself":            {func(r *TemporaryRequest) {}, Actor{Account: "x", Person: "1001"}, ErrSamePerson},
		"for more than a day":    {func(r *TemporaryRequest) { r.UntilMS = now + 25*3_600_000 }, reception, ErrWindow},
		"ended before it begins": {func(r *TemporaryRequest) { r.UntilMS = now }, reception, ErrWindow},
	} {
		r := ask
		c.spoil(&r)
		if _, err := IssueTemporary(r, nil, 0, nobody, c.by, now, s); err == nil {
			t.Errorf("%s: issued", name)
		} else {
			refused(t, err, c.want)
		}
	}
	open, _ := good()
	_, err = IssueTemporary(ask, []TemporaryCard{open}, 1, nobody, reception, now, s)
	refused(t, err, ErrLentTwice)
	if !owes(s, s.at(25, 0, 0), DueTemporary, &open) || owes(s, s.at(24, 23, 59), DueTemporary, &open) {
		t.Error("its return is owed when it ends")
	}
}

// AD-14: two officers, or one who breaks the glass; the named persons only; ends by itself; a report is owed in 24 hours.
func TestEmergency(t *testing.T) {
	s := hall(t)
	now := s.at(24, 3, 0)
	zones, who := []access.ZoneID{"server-room"}, []directory.PersonID{"1001"}
	e, err := Declare(zones, who, 0, "漏水", false, guard, now, s)
	must(t, err)
	grants := func(e *Emergency, at int64) int {
		return len(grantsOf(Overlay(*s.Dir, []Matter{e}, nil, at, s), "1001"))
	}
	if e.InForce(now) || grants(&e, now) != 0 {
		t.Error("one officer's word was enough")
	}
	refused(t, e.Agree(guard, now, s), ErrSamePerson)
	late := e
	refused(t, late.Agree(approver, now+31*60_000, s), ErrTooLate)
	must(t, e.Agree(approver, now+60_000, s))
	dir := Overlay(*s.Dir, []Matter{&e}, nil, now+60_000, s)
	if g := grantsOf(dir, "1001"); len(g) != 1 || !g[0].Emergency || g[0].Exact.UntilMS != e.UntilMS {
		t.Errorf("%+v", g)
	}
	if len(dir.Credentials) != len(s.Dir.Credentials) {
		t.Error("an emergency makes no card good")
	}
	if grants(&e, e.UntilMS) != 0 {
		t.Error("it did not end by itself")
	}
	if owes(s, e.DueMS-1, DueReport, &e) || !owes(s, e.DueMS, DueReport, &e) || e.DueMS != now+60_000+24*3_600_000 {
		t.Error("the report is owed 24 hours after it began")
	}
	refused(t, e.Tell(" ", approver, now+3_600_000), ErrMissing)
	must(t, e.Tell("漏水を確認し止水した。", approver, now+3_600_000))
	if owes(s, e.DueMS, DueReport, &e) {
		t.Error("it was reported")
	}
	g, err := Declare(zones, who, 0, "漏水", true, guard, now, s)
	must(t, err)
	if !g.InForce(now) || grants(&g, now) != 1 || !g.BreakGlass {
		t.Error("break-glass is in force at once")
	}
	must(t, g.End(guard, now+60_000, ""))
	if grants(&g, now+60_000) != 0 || !g.Head().Open {
		t.Error("ended early: no grant, and the report is owed all the same")
	}
	_, err = Declare(zones, who, s.Settings.EmergencyMS+1, "x", true, guard, now, s)
	refused(t, err, ErrWindow)
	_, err = Declare(zones, []directory.PersonID{"1004"}, 0, "x", true, guard, now, s)
	refused(t, err, ErrUnknown)
	_, err = Declare(zones, who, 0, "", true, guard, now, s)
	refused(t, err, ErrMissing)
}
