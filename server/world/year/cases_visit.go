package year

import "time"

// visitSeedings are about visitors and what they owe.
func visitSeedings() []seeding {
	const keep = 12 * time.Minute
	return []seeding{
		{"badge_unreturned", "archive-1", keep,
			func(m *maker, at int64, d *doorway) {
				v := m.approved(at, d)
				m.received(v, at)
				m.owed("badge_unreturned", v.ref, v.until+grace, v.until+grace+telling, "went home with the badge")
				m.step(v, m.morning(at), BadgeBack, 0)
			},
			func(m *maker, at int64, d *doorway) {
				v := m.approved(at, d)
				m.received(v, at)
				m.step(v, v.until+grace-minute, BadgeBack, 0)
				m.wellKept("badge_unreturned", v.ref, at, v.until+24*hour, "brought the badge back in the last minute")
			}},
		{"exit_not_recorded", "archive-1", keep,
			func(m *maker, at int64, d *doorway) {
				v, other := m.approved(at, d), m.newPerson("a", "施設管理課", grant{archive, "always"})
				m.step(v, at-3*minute, Receive, 0)
				m.in(at, v.who, d)
				m.in(at+2*minute, other, d)
				d.behind[1] = append(d.behind[1], v.who) // goes out behind the other
				m.out(at+4*minute, other, d)
				m.step(v, at+8*minute, BadgeBack, 0)
				m.owed("exit_not_recorded", v.ref, v.until+grace, v.until+grace+telling, "left behind somebody else")
				m.step(v, m.morning(at), SaysLeft, 0)
			},
			func(m *maker, at int64, d *doorway) {
				v := m.wholeVisit(at, d)
				m.wellKept("exit_not_recorded", v.ref, at, v.until+24*hour, "left on the badge")
			}},
		{"oral_unconfirmed", "archive-1", keep,
			func(m *maker, at int64, d *doorway) {
				v := m.phoned(at, d)
				due := m.closing(v.from-30*minute, 1)
				m.owed("oral_unconfirmed", v.ref, due, due+telling, "nobody confirmed the word on the phone")
				m.step(v, due+3*hour, ConfirmPhone, 0)
			},
			func(m *maker, at int64, d *doorway) {
				v := m.phoned(at, d)
				due := m.closing(v.from-30*minute, 1)
				m.step(v, due-minute, ConfirmPhone, 0)
				m.wellKept("oral_unconfirmed", v.ref, at, due+24*hour, "confirmed a minute before closing time")
			}},
		{"oral_denied", "archive-1", keep,
			func(m *maker, at int64, d *doorway) {
				v := m.phoned(at, d)
				then := m.morning(at)
				m.step(v, then, DenyPhone, 0)
				m.owed("oral_denied", v.ref, then, then+minute, "who was named knows of no call")
			},
			func(m *maker, at int64, d *doorway) {
				v := m.phoned(at, d)
				m.step(v, m.morning(at), ConfirmPhone, 0)
				m.wellKept("oral_denied", v.ref, at, at+120*hour, "who was named remembers the call")
			}},
		{"application_undecided", "archive-1", keep,
			func(m *maker, at int64, d *doorway) {
				v := m.expected(at, d)
				v.until = v.from + 150*minute
				m.step(v, v.from-40*minute, ApplyVisit, 0)
				m.owed("application_undecided", v.ref, v.from, v.from+telling, "nobody has looked at the application")
			},
			func(m *maker, at int64, d *doorway) {
				v := m.expected(at, d)
				m.step(v, v.from-40*minute, ApplyVisit, 0)
				m.step(v, v.from-minute, ApproveVisit, 0)
				m.received(v, at)
				m.step(v, at+8*minute, BadgeBack, 0)
				m.wellKept("application_undecided", v.ref, at-hour, v.until+24*hour, "approved in the last minute")
			}},
		{"application_unmatched", "archive-1", keep,
			func(m *maker, at int64, d *doorway) {
				v := m.approved(at, d)
				if m.often(5000) { // is received, and turns round
					m.step(v, at-3*minute, Receive, 0)
					m.noted("badge_unreturned", v.ref, v.until+grace, v.until+grace+telling, "went home with the badge")
					m.step(v, m.morning(at), BadgeBack, 0)
				}
				m.owed("application_unmatched", v.ref, v.until, v.until+telling, "nobody came")
			},
			func(m *maker, at int64, d *doorway) {
				v := m.expected(at, d)
				v.until = at + 5*minute
				m.step(v, v.from-40*minute, ApplyVisit, 0)
				m.step(v, v.from-35*minute, ApproveVisit, 0)
				m.received(v, at)
				m.step(v, at+8*minute, BadgeBack, 0)
				m.wellKept("application_unmatched", v.ref, at, at+24*hour, "came late")
			}},
		{"tour_heads_differ", "archive-1", keep,
			func(m *maker, at int64, d *doorway) {
				v := m.tour(at, d, 4)
				m.owed("tour_heads_differ", v.ref, v.until+grace, v.until+grace+telling, "five went in, four came out")
				m.step(v, m.morning(at), SaysLeft, 0)
			},
			func(m *maker, at int64, d *doorway) {
				v := m.tour(at, d, 5)
				m.wellKept("tour_heads_differ", v.ref, at, v.until+24*hour, "five went in and came out")
			}},
		{"bring_in_flagged", "archive-1", keep,
			func(m *maker, at int64, d *doorway) {
				v := m.brings(at, d, 1)
				m.owed("bring_in_flagged", v.ref, at-3*minute, at, "took a telephone in")
			},
			func(m *maker, at int64, d *doorway) {
				v := m.brings(at, d, 2)
				m.wellKept("bring_in_flagged", v.ref, at-hour, v.until+24*hour, "left the telephone in the locker")
			}},
		{"badge_lost", "archive-1", keep,
			func(m *maker, at int64, d *doorway) {
				v := m.approved(at, d)
				m.received(v, at)
				m.step(v, at+8*minute, BadgeGone, 0)
				m.owed("badge_lost", v.ref, at+8*minute, at+9*minute, "the badge is gone")
			},
			func(m *maker, at int64, d *doorway) {
				v := m.wholeVisit(at, d)
				m.wellKept("badge_lost", v.ref, at, v.until+24*hour, "the badge was found in the pocket")
			}},
	}
}

// phoned is a visit on somebody's word by phone.
func (m *maker) phoned(at int64, d *doorway) *visit {
	v := m.expected(at, d)
	m.step(v, v.from-30*minute, PhoneVisit, 0)
	m.received(v, at)
	m.step(v, at+8*minute, BadgeBack, 0)
	return v
}

// tour is a leader with a badge and four others; so many come out.
func (m *maker) tour(at int64, d *doorway, out int) *visit {
	v := m.expected(at, d)
	m.step(v, v.from-40*minute, ApplyVisit, 4)
	m.step(v, v.from-35*minute, ApproveVisit, 0)
	m.received(v, at)
	m.step(v, at-minute, HeadsIn, 5)
	m.step(v, at+6*minute, HeadsOut, out)
	m.step(v, at+8*minute, BadgeBack, 0)
	return v
}

// brings is a visitor with a telephone.
func (m *maker) brings(at int64, d *doorway, how int) *visit {
	v := m.approved(at, d)
	m.step(v, at-3*minute, Receive, how)
	m.in(at, v.who, d)
	m.out(at+4*minute, v.who, d)
	m.step(v, at+8*minute, BadgeBack, 0)
	return v
}
