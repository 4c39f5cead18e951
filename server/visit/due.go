package visit

import (
	"slices"
	"strconv"
)

// DueKind says what is owed. The finding that is made of an overdue item has the same name (server/review).
type DueKind string

// What may be owed.
const (
	DueBadge     DueKind = "badge_unreturned"      // VE-3
	DueExit      DueKind = "exit_not_recorded"     // 退室未記録, VE-8
	DueOral      DueKind = "oral_unconfirmed"      // VE-12
	DueReport    DueKind = "emergency_unreported"  // AD-14
	DueTemporary DueKind = "temporary_unreturned"  // AD-16
	DueHolder    DueKind = "entries_unconfirmed"   // AD-17
	DueResume    DueKind = "card_not_settled"      // AD-17: asked for re-activation, nobody has decided
	DueItems     DueKind = "carry_list_open"       // EQ-1
	DueCarryOut  DueKind = "carry_not_out"         // EQ-3
	DueKey       DueKind = "key_unreturned"        // EQ-4
	DueHeads     DueKind = "tour_heads_differ"     // a tour came out with fewer or more than went in
	DueDeclared  DueKind = "bring_in_flagged"      // EQ-2: let in with something personal
	DuePurpose   DueKind = "purpose_blank"         // RR-7
	DueDecision  DueKind = "application_undecided" // an application whose window begins and nobody has decided
)

// DueKinds lists what may be owed.
func DueKinds() []DueKind {
	return []DueKind{DueBadge, DueExit, DueOral, DueReport, DueTemporary, DueHolder, DueResume, DueItems, DueCarryOut, DueKey, DueHeads, DueDeclared, DuePurpose, DueDecision}
}

// DueState is how far an item is.
type DueState string

// States of an item. What is done is not listed.
const (
	Waiting DueState = "waiting" // not due yet
	Overdue DueState = "overdue"
)

// Due is one thing that somebody owes.
type Due struct {
	Kind   DueKind
	Matter string // id of the matter; "" of a blank purpose
	Part   string // machine word that tells the items of one matter apart: the guest's number, …
	Zone   string
	DueMS  int64
	State  DueState
}

// Dues lists what is owed for matters at a moment, UTC ms, sorted by time. It is a function of what is given: a job runs it
// and tells of what is overdue, once each. passages are those of the log that may belong to open visits, in order of time.
func Dues(matters []Matter, passages []Passage, nowMS int64, s *Site) []Due {
	l := dueList{nowMS: nowMS, site: s}
	var carries []Carry
	visits := map[string]bool{"": false}
	for _, m := range matters {
		switch m := m.(type) {
		case *Carry:
			carries = append(carries, *m)
		case *Visit:
			visits[m.ID] = true
		}
	}
	slices.SortStableFunc(carries, func(a, b Carry) int { return int(a.Opened.AtMS - b.Opened.AtMS) })
	for _, m := range matters {
		l.head = m.Head()
		switch m := m.(type) {
		case *Visit:
			l.visit(m, passages)
			l.carried(m.ID, m.UntilMS+s.Settings.GraceMS, carries)
		case *TemporaryCard:
			if !m.Returned.Done() {
				l.add(DueTemporary, "", m.UntilMS)
			}
		case *Suspension:
			l.suspension(m)
		case *Emergency:
			if m.FromMS != 0 && !m.Reported.Done() {
				l.add(DueReport, "", m.DueMS)
			}
		case *Carry:
			if !m.complete() {
				l.add(DueItems, "", m.ItemsDueMS)
			}
			if !visits[m.Visit] && m.Closed.Done() { // of no visit, or of one that is over
				l.notOut(m, s.closing(s.dayOf(m.Closed.AtMS)), carries)
			}
		case *KeyLoan:
			if !m.Returned.Done() {
				l.add(DueKey, "", m.DueMS)
			}
		}
	}
	slices.SortStableFunc(l.out, func(a, b Due) int { return int(a.DueMS - b.DueMS) })
	return l.out
}

type dueList struct {
	out   []Due
	head  Head
	nowMS int64
	site  *Site
}

func (l *dueList) add(kind DueKind, part string, dueMS int64) {
	d := Due{Kind: kind, Matter: l.head.ID, Part: part, Zone: l.head.Zone, DueMS: dueMS, State: Waiting}
	if l.nowMS >= dueMS {
		d.State = Overdue
	}
	l.out = append(l.out, d)
}

func (l *dueList) visit(v *Visit, passages []Passage) {
	grace := l.site.Settings.GraceMS
	if v.State == Applied {
		l.add(DueDecision, "", v.FromMS)
	}
	if o := v.Oral; o != nil && !o.Confirmed.Done() && !o.Denied.Done() {
		l.add(DueOral, "", o.DueMS)
	}
	if v.State != Running {
		return
	}
	inside := v.Insider(passages)
	for i := range v.Guests {
		g := &v.Guests[i]
		if !g.Received() {
			continue
		}
		part := strconv.Itoa(i + 1)
		if g.Here() {
			l.add(DueBadge, part, v.badgeDue(l.site, l.site.closing(l.site.dayOf(v.FromMS))))
		}
		if inside(i) {
			l.add(DueExit, part, v.UntilMS+grace)
		}
		for _, d := range g.Declared {
			if d.Flagged {
				l.add(DueDeclared, part, g.Checked.AtMS) // to be looked at, from the moment of entry
				break
			}
		}
	}
	if v.CountIn.Done() && (!v.CountOut.Done() || v.HeadsIn != v.HeadsOut) {
		l.add(DueHeads, "", v.UntilMS+grace)
	}
}

// badgeDue is when a badge that is out is missed: at closing time of a visit that ends before, which is when reception goes
// home, else at the window's end and grace (VE-3, VE-9).
func (v *Visit) badgeDue(s *Site, closingMS int64) int64 {
	end := v.UntilMS + s.Settings.GraceMS
	if v.UntilMS <= closingMS && v.FromMS < closingMS {
		return min(end, max(closingMS, v.UntilMS))
	}
	return end
}

func (l *dueList) suspension(x *Suspension) {
	due := l.site.nextClosing(x.Stopped.AtMS, 3)
	if x.unanswered() > 0 {
		l.add(DueHolder, "", due)
	}
	if x.Asked.Done() && !x.Resumed.Done() && !x.Given.Done() {
		l.add(DueResume, "", l.site.nextClosing(x.Asked.AtMS, 1))
	}
}

// carried lists what was carried in for a visit and has not come out at its end.
func (l *dueList) carried(visit string, dueMS int64, carries []Carry) {
	for i := range carries {
		if carries[i].Visit == visit && visit != "" {
			head := l.head
			l.head = carries[i].Head()
			l.notOut(&carries[i], dueMS, carries)
			l.head = head
		}
	}
}

func (l *dueList) notOut(c *Carry, dueMS int64, carries []Carry) {
	var later []Carry
	for i := range carries {
		if carries[i].Opened.AtMS >= c.Opened.AtMS && carries[i].ID != c.ID {
			later = append(later, carries[i])
		}
	}
	if len(NotOut(*c, later)) > 0 {
		l.add(DueCarryOut, "", dueMS)
	}
}

// Blank makes an item of an entry without a purpose (RR-7): to be stated until the closing time of the n-th open day. The
// matter is empty: no matter is about it yet; Part is the line's id.
func Blank(e Passage, nowMS int64, s *Site) Due {
	d := Due{Kind: DuePurpose, Part: e.Attempt, Zone: string(e.Zone), DueMS: s.nextClosing(e.AtMS, s.Settings.PurposeDays), State: Waiting}
	if nowMS >= d.DueMS {
		d.State = Overdue
	}
	return d
}
