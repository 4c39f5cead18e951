package year

import (
	"time"

	"monban/firmware/calendar"
)

// reception is the counter as it is on ordinary days, with people behind it who make few mistakes: visitors to the archive, staff who have
// forgotten their cards, a key, equipment, a card that somebody does not find for an hour, and a clerk who goes into the room whose entries
// need a purpose. A stretch with seeded cases has none of it: its doors there are kept for the cases.
type reception struct {
	badges, cards []lent // visitors' badges, temporary cards
	archivist     *person
	clerk         *person
	key           string
	forgot        map[string]int // person and month → temporary cards so far
}

// lent is a card of the drawer, and until when it is out.
type lent struct {
	id   string
	free int64
}

func (m *maker) openReception() *reception {
	if m.plan.Cases > 0 || m.plan.Near > 0 {
		return nil
	}
	return &reception{
		archivist: m.newPerson("a", "施設管理課", grant{archive, "always"}), clerk: m.newPerson("a", "総務課", grant{records, "always"}),
		key: m.mechanical("records-1"), forgot: map[string]int{},
	}
}

// day plans an open day at the counter. A nil reception is none.
func (r *reception) day(m *maker, n int, day calendar.Date, staff []*person) {
	if r == nil || n > m.plan.Days-settled {
		return
	}
	at := m.clock(day, 9, 30)
	for range 2 + m.rng.IntN(4) {
		if at += m.ms(20*time.Minute, 80*time.Minute); at > m.clock(day, 15, 30) {
			break
		}
		r.visitor(m, at)
	}
	for _, p := range staff {
		if m.often(30) {
			r.forgotten(m, day, p)
		}
	}
	r.purpose(m, m.clock(day, 11, 0)+m.ms(0, 4*time.Hour))
	switch day.Weekday() {
	case time.Monday:
		r.keyOut(m, m.clock(day, 9, 40)+m.ms(0, time.Hour))
	case time.Wednesday:
		r.equipment(m, m.clock(day, 10, 0)+m.ms(0, 3*time.Hour))
	case time.Friday:
		if day.Day <= 7 {
			s := m.mislaid(m.clock(day, 10, 0)+m.ms(0, 3*time.Hour), m.doors["archive-2"])
			for i, do := range []Job{AnswerUses, AskCard, GiveCard} { // found in another jacket
				m.then(s, m.clock(day, 14, 20+i), do)
			}
		}
	}
}

// take gives a card of the drawer that is in it at a time, a new one when all are out, and until when it will be out.
func (m *maker) take(drawer *[]lent, temporary bool, at, until int64) *lent {
	for i := range *drawer {
		if c := &(*drawer)[i]; c.free < at {
			c.free = until
			return c
		}
	}
	*drawer = append(*drawer, lent{m.badge(temporary), until})
	return &(*drawer)[len(*drawer)-1]
}

// visitor is one who comes for half an hour or so.
func (r *reception) visitor(m *maker, at int64) {
	d := m.doors["archive-1"]
	stay := m.ms(10*time.Minute, 50*time.Minute)
	gone := at + stay
	v := &visit{ref: m.ref("visit"), d: d, from: at - 15*minute, until: gone + 20*minute}
	v.who = &person{id: v.ref, name: surnames[m.seq%len(surnames)] + " 客 " + v.ref}
	m.year.Guests[v.who.name] = v.who.id
	luck := m.rng.IntN(1000)
	home := luck >= 50 && luck < 70 // takes the badge home
	back := gone + 4*minute
	if home {
		back = m.morning(at)
	}
	badge := m.take(&r.badges, false, v.from-hour, back+hour)
	v.who.card = badge.id
	if luck < 20 { // stands there, and nobody has looked at the application
		v.until = v.from + 150*minute
		m.step(v, v.from-40*minute, ApplyVisit, 0)
		m.noted("application_undecided", v.ref, v.from, v.from+telling, "nobody has looked at the application")
		return
	}
	if phone := luck >= 900; phone {
		m.step(v, v.from-30*minute, PhoneVisit, 0)
		due := m.closing(v.from-30*minute, 1)
		if luck >= 990 {
			m.noted("oral_unconfirmed", v.ref, due, due+telling, "nobody confirmed the word on the phone")
			m.step(v, due+3*hour, ConfirmPhone, 0)
		} else {
			m.step(v, due-2*hour, ConfirmPhone, 0)
		}
	} else {
		m.step(v, v.from-40*minute, ApplyVisit, 0)
		m.step(v, v.from-35*minute, ApproveVisit, 0)
	}
	if luck < 50 {
		m.noted("application_unmatched", v.ref, v.until, v.until+telling, "nobody came")
		return
	}
	brings := 0
	switch { // a telephone goes into the locker; one in a hundred is taken in
	case m.often(100):
		brings = 1
		m.noted("bring_in_flagged", v.ref, at-3*minute, at, "took a telephone in")
	case m.often(3000):
		brings = 2
	}
	m.step(v, at-3*minute, Receive, brings)
	m.at(at, v.who, d.ID, func(at int64) { m.ordinary(at, v.who, d, false) })
	if luck >= 70 && luck < 78 {
		r.leavesBehind(m, v, at, gone)
	} else {
		m.at(gone, v.who, d.ID, func(at int64) { m.ordinary(at, v.who, d, true) })
	}
	switch {
	case home:
		m.noted("badge_unreturned", v.ref, v.until+grace, v.until+grace+telling, "went home with the badge")
		m.step(v, back, BadgeBack, 0)
	case luck >= 78 && luck < 82:
		m.step(v, back, BadgeGone, 0)
		m.noted("badge_lost", v.ref, back, back+minute, "the badge is gone")
		badge.id = m.badge(false)
	default:
		m.step(v, back, BadgeBack, 0)
	}
}

// leavesBehind is a visitor who goes out behind the archivist.
func (r *reception) leavesBehind(m *maker, v *visit, at, gone int64) {
	d, p := v.d, r.archivist
	m.at(at+5*minute, p, d.ID, func(at int64) { m.ordinary(at, p, d, false) })
	m.at(gone, p, d.ID, func(at int64) {
		d.behind[1] = append(d.behind[1], v.who)
		m.ordinary(at, p, d, true)
	})
	m.noted("exit_not_recorded", v.ref, v.until+grace, v.until+grace+telling, "left behind somebody else")
	m.step(v, m.morning(at), SaysLeft, 0)
}

// forgotten is a member of staff who has forgotten the card and goes about on one of the counter's until the evening; one in ten takes it home
// and brings it back on the next open day.
func (r *reception) forgotten(m *maker, day calendar.Date, p *person) {
	late := m.often(1000)
	lend, back := m.clock(day, 7, 45), m.clock(day, 21, 0)
	if late {
		back = m.closing(lend, 1) - 9*hour - 35*minute // 7:40
	}
	ref, own := m.ref("temporary"), p.card
	card := m.take(&r.cards, true, lend, back+minute).id
	e := Errand{Ref: ref, Person: p.id, Badge: card}
	m.at(lend, nil, "", func(int64) {
		if p.left || p.place != "" || p.card != own {
			return // has left, works through the night, or has one already
		}
		m.then(e, lend, LendCard)
		p.card = card
		month := p.id + day.String()[:7]
		if r.forgot[month]++; r.forgot[month] > 2 {
			m.noted("temporary_frequent", ref, lend, lend+minute, "forgot the card three times this month")
		}
		if late {
			midnight := m.clock(day.AddDays(1), 0, 0)
			m.noted("temporary_unreturned", ref, midnight, midnight+telling, "took the temporary card home")
		}
		m.at(back, nil, "", func(int64) {
			m.then(e, back, CardBack)
			p.card = own
		})
	})
}

// purpose is the clerk's way into the records, and what is said of it in the evening; one in twenty-five is forgotten.
func (r *reception) purpose(m *maker, at int64) {
	d, p := m.doors["records-1"], r.clerk
	m.at(at, p, d.ID, func(at int64) { m.ordinary(at, p, d, false) })
	m.at(at+12*minute, p, d.ID, func(at int64) { m.ordinary(at, p, d, true) })
	if m.often(400) {
		due := m.closing(at, 3)
		m.noted("purpose_blank", "", due, due+telling, "nobody said what for")
		return
	}
	m.errand(m.closing(at, 0)+30*minute, Errand{Do: SayPurpose, Ref: m.ref("purpose"), Person: p.id, FromMS: at})
}

// keyOut is the key of the records, which comes back in the afternoon, or, one time in twenty, on the next day.
func (r *reception) keyOut(m *maker, at int64) {
	e := Errand{Ref: m.ref("key"), Person: r.clerk.id, Key: r.key}
	m.then(e, at, LendKey)
	if m.often(500) {
		m.noted("key_unreturned", e.Ref, at+keyLoan, at+keyLoan+telling, "took the key home")
		m.then(e, at+keyLoan+4*hour, KeyBack)
		return
	}
	m.then(e, at+3*hour, KeyBack)
}

// equipment is a measuring device that comes and goes on one day, or, one time in twenty, stays for the night.
func (r *reception) equipment(m *maker, at int64) {
	c := m.carries(at, m.doors["archive-1"], "SN")
	if m.often(500) {
		due := m.closing(at, 0)
		m.noted("carry_not_out", c.Ref, due, due+telling, "the measuring device stayed inside")
		m.then(c, m.morning(at), CarrySettle)
		return
	}
	m.then(c, at+2*hour, CarryOut)
	m.then(c, at+3*hour, CarrySettle)
}
