package year

import (
	"slices"
	"time"
)

// counterSeedings are about cards, keys, things and emergencies: what staff owe the counter.
func counterSeedings() []seeding {
	const keep, none = 12 * time.Minute, time.Second
	return []seeding{
		{"temporary_unreturned", "archive-2", keep,
			func(m *maker, at int64, d *doorway) {
				ref, p, badge := m.forgot(at, d)
				midnight := m.clock(m.dayOf(at).AddDays(1), 0, 0)
				m.owed("temporary_unreturned", ref, midnight, midnight+telling, "took the temporary card home")
				m.errand(m.morning(at), Errand{Do: CardBack, Ref: ref, Person: p.id, Badge: badge})
			},
			func(m *maker, at int64, d *doorway) {
				ref, p, badge := m.forgot(at, d)
				m.errand(m.closing(at, 0), Errand{Do: CardBack, Ref: ref, Person: p.id, Badge: badge})
				m.wellKept("temporary_unreturned", ref, at, at+36*hour, "gave the temporary card back in the evening")
			}},
		{"temporary_frequent", "archive-2", none,
			func(m *maker, at int64, d *doorway) { m.forgetful(at, d, 3) },
			func(m *maker, at int64, d *doorway) { m.forgetful(at, d, 2) }},
		{"entries_unconfirmed", "archive-2", keep,
			func(m *maker, at int64, d *doorway) {
				s := m.mislaid(at, d)
				due := m.closing(at, 3)
				m.owed("entries_unconfirmed", s.Ref, due, due+telling, "does not say who it was")
				m.then(s, due+3*hour, AnswerUses)
				m.then(s, due+4*hour, AskCard)
				m.then(s, due+5*hour, GiveCard)
			},
			func(m *maker, at int64, d *doorway) {
				s := m.mislaid(at, d)
				due := m.closing(at, 3)
				m.then(s, due-minute, AnswerUses)
				m.then(s, due, AskCard)
				m.then(s, due+hour, GiveCard)
				m.wellKept("entries_unconfirmed", s.Ref, at, due+24*hour, "said in the last minute that it was them")
			}},
		{"entry_disowned", "archive-2", keep,
			func(m *maker, at int64, d *doorway) {
				s := m.mislaid(at, d)
				s.N = 1
				m.then(s, at+hour, AnswerUses)
				m.owed("entry_disowned", s.Ref, at+hour, at+hour+minute, "was not there")
			},
			func(m *maker, at int64, d *doorway) {
				s := m.mislaid(at, d)
				m.then(s, at+hour, AnswerUses)
				m.then(s, at+2*hour, AskCard)
				m.then(s, at+2*hour+minute, GiveCard)
				m.wellKept("entry_disowned", s.Ref, at, at+24*hour, "remembers the entry")
			}},
		{"card_not_settled", "archive-2", keep,
			func(m *maker, at int64, d *doorway) {
				s := m.mislaid(at, d)
				m.then(s, at+hour, AnswerUses)
				m.then(s, at+hour+minute, AskCard)
				due := m.closing(at+hour+minute, 1)
				m.owed("card_not_settled", s.Ref, due, due+telling, "nobody decides about the card")
				m.then(s, due+3*hour, GiveCard)
			},
			func(m *maker, at int64, d *doorway) {
				s := m.mislaid(at, d)
				m.then(s, at+hour, AnswerUses)
				m.then(s, at+hour+minute, AskCard)
				due := m.closing(at+hour+minute, 1)
				m.then(s, due-minute, GiveCard)
				m.wellKept("card_not_settled", s.Ref, at, due+24*hour, "decided in the last minute")
			}},
		{"emergency_begun", "archive-2", none,
			func(m *maker, at int64, d *doorway) { m.emergency(at, d, "emergency_begun", 2*hour) },
			func(m *maker, at int64, d *doorway) {
				ref := m.ref("emergency")
				m.errand(at, Errand{Do: AskEmergency, Ref: ref, Zone: d.Inner, Person: m.nobody().id})
				m.wellKept("emergency_begun", ref, at, at+24*hour, "the second officer did not agree")
			}},
		{"emergency_unreported", "archive-2", none,
			func(m *maker, at int64, d *doorway) {
				ref, _ := m.emergency(at, d, "", reportDue+4*hour)
				m.owed("emergency_unreported", ref, at+reportDue, at+reportDue+telling, "no report within a day")
			},
			func(m *maker, at int64, d *doorway) {
				ref, _ := m.emergency(at, d, "", reportDue-minute)
				m.wellKept("emergency_unreported", ref, at, at+48*hour, "reported in the last minute")
			}},
		{"emergency_entry", "archive-2", keep,
			func(m *maker, at int64, d *doorway) {
				_, p := m.emergency(at, d, "", 2*hour)
				m.in(at+minute, p, d)
				m.must("emergency_entry", d, at+minute, at+minute+3_000, "water in the archive")
				m.out(at+4*minute, p, d)
				m.may(d, at+3*minute, at+5*minute, "leaves without a right of their own", "exit_invalid_card")
			},
			func(m *maker, at int64, d *doorway) {
				m.emergency(at, d, "", 2*hour)
				p := m.newPerson("a", "施設管理課", grant{archive, "always"})
				m.in(at+minute, p, d)
				m.near("emergency_entry", d, at, at+5*minute, "has a right of their own and nothing to do with the emergency")
				m.out(at+4*minute, p, d)
			}},
		{"carry_list_open", "archive-2", none,
			func(m *maker, at int64, d *doorway) {
				c := m.carries(at, d, "")
				due := max(m.closing(at, 0), at+hour)
				m.owed("carry_list_open", c.Ref, due, due+telling, "nobody wrote down what was brought")
				m.then(c, m.morning(at), CarryList)
				m.noted("carry_not_out", c.Ref, m.morning(at)-hour, m.morning(at)+telling, "it is still there")
				m.then(c, m.morning(at)+3*hour, CarrySettle)
			},
			func(m *maker, at int64, d *doorway) {
				c := m.carries(at, d, "")
				due := max(m.closing(at, 0), at+hour)
				m.then(c, due-2*minute, CarryList)
				m.then(c, due-minute, CarryOut)
				m.wellKept("carry_list_open", c.Ref, at, due+24*hour, "the list was written in time")
				m.then(c, due+hour, CarrySettle)
			}},
		{"carry_not_out", "archive-2", none,
			func(m *maker, at int64, d *doorway) {
				c := m.carries(at, d, "SN")
				due := m.closing(at, 0)
				m.owed("carry_not_out", c.Ref, due, due+telling, "the measuring device stayed inside")
				m.then(c, m.morning(at), CarrySettle)
			},
			func(m *maker, at int64, d *doorway) {
				c := m.carries(at, d, "SN")
				due := m.closing(at, 0)
				m.then(c, due-minute, CarryOut)
				m.wellKept("carry_not_out", c.Ref, at, due+24*hour, "taken out a minute before closing time")
				m.then(c, due+hour, CarrySettle)
			}},
		{"key_unreturned", "records-1", none,
			func(m *maker, at int64, d *doorway) {
				k := m.lends(at, d)
				m.owed("key_unreturned", k.Ref, at+keyLoan, at+keyLoan+telling, "took the key home")
				m.then(k, at+keyLoan+6*hour, KeyBack)
			},
			func(m *maker, at int64, d *doorway) {
				k := m.lends(at, d)
				m.then(k, at+keyLoan-minute, KeyBack)
				m.wellKept("key_unreturned", k.Ref, at, at+2*keyLoan, "brought the key back a minute before")
			}},
		{"key_lost", "records-1", none,
			func(m *maker, at int64, d *doorway) {
				k := m.lends(at, d)
				m.then(k, at+2*hour, KeyGone)
				m.owed("key_lost", k.Ref, at+2*hour, at+2*hour+minute, "the key is gone")
			},
			func(m *maker, at int64, d *doorway) {
				k := m.lends(at, d)
				m.then(k, at+2*hour, KeyBack)
				m.wellKept("key_lost", k.Ref, at, at+24*hour, "the key was found")
			}},
		{"key_entry", "archive-2", keep,
			func(m *maker, at int64, d *doorway) {
				k := m.lends(at, d)
				m.forced(at+minute, d)
				m.must("key_entry", d, at+minute, at+minute+1_000, "opened with the key")
				m.then(k, at+5*minute, KeyBack)
			},
			func(m *maker, at int64, d *doorway) {
				k := m.lends(at, d)
				m.then(k, at+minute, KeyBack)
				m.forced(at+3*minute, d)
				m.near("key_entry", d, at, at+8*minute, "the key was back when the door was levered open")
				m.entry(Must, "forced_open", d, at+3*minute, at+3*minute+1_000, false, "the door was levered open")
			}},
		{"purpose_blank", "records-1", keep,
			func(m *maker, at int64, d *doorway) {
				at, _ = m.recorded(at, d)
				due := m.closing(at, 3)
				m.owed("purpose_blank", "", due, due+telling, "nobody said what for")
			},
			func(m *maker, at int64, d *doorway) {
				at, p := m.recorded(at, d)
				due := m.closing(at, 3)
				m.errand(due-minute, Errand{Do: SayPurpose, Ref: m.ref("purpose"), Person: p.id, FromMS: at})
				m.wellKept("purpose_blank", "", due, due+telling, "said in the last minute what for")
			}},
	}
}

// then is the next thing done about the same matter.
func (m *maker) then(e Errand, at int64, do Job) {
	e.Do = do
	m.errand(at, e)
}

// forgot is somebody without their card, who goes in and out on a temporary one.
func (m *maker) forgot(at int64, d *doorway) (ref string, p *person, badge string) {
	p, badge, ref = m.newPerson("a", "施設管理課", grant{archive, "always"}), m.badge(true), m.ref("temporary")
	m.errand(at-5*minute, Errand{Do: LendCard, Ref: ref, Person: p.id, Badge: badge})
	own := p.card
	p.card = badge
	m.in(at, p, d)
	m.out(at+4*minute, p, d)
	p.card = own
	return ref, p, badge
}

// forgetful is somebody who has forgotten the card so many times in one month.
func (m *maker) forgetful(at int64, _ *doorway, times int) {
	p := m.newPerson("a", "施設管理課", grant{archive, "always"})
	first := m.dayOf(at)
	var days []int64
	for n := range m.plan.Days - settled {
		if day := m.day(n); day.Year == first.Year && day.Month == first.Month && m.cal.IsBusinessDay(day) {
			days = append(days, m.clock(day, 9, 0))
		}
	}
	if len(days) < times { // the stretch begins or ends in that month
		return
	}
	m.rng.Shuffle(len(days), func(i, j int) { days[i], days[j] = days[j], days[i] })
	days = days[:times]
	slices.Sort(days)
	var ref string
	for _, day := range days {
		badge := m.badge(true)
		ref = m.ref("temporary")
		at = day + m.ms(0, time.Hour)
		m.errand(at, Errand{Do: LendCard, Ref: ref, Person: p.id, Badge: badge})
		m.errand(m.closing(day, 0), Errand{Do: CardBack, Ref: ref, Person: p.id, Badge: badge})
	}
	if times > 2 {
		m.owed("temporary_frequent", ref, at, at+minute, "forgot the card three times this month")
	} else {
		m.wellKept("temporary_frequent", ref, at, at+24*hour, "forgot the card twice this month")
	}
}

// mislaid is somebody who goes in and out and then does not find the card, which is stopped.
func (m *maker) mislaid(at int64, d *doorway) Errand {
	p := m.newPerson("a", "施設管理課", grant{archive, "always"})
	m.in(at, p, d)
	m.out(at+4*minute, p, d)
	e := Errand{Ref: m.ref("card"), Person: p.id, FromMS: at - hour}
	m.then(e, at+9*minute, StopCard)
	return e
}

// emergency is one on one officer's word, with its report after a while; kind is what the case is about.
func (m *maker) emergency(at int64, d *doorway, kind string, report int64) (string, *person) {
	p, ref := m.nobody(), m.ref("emergency")
	e := Errand{Ref: ref, Zone: d.Inner, Person: p.id}
	m.then(e, at, BreakGlass)
	m.counter(Must, "emergency_begun", ref, at, at+minute, kind == "emergency_begun", "an officer broke the glass")
	m.then(e, at+30*minute, EndEmergency)
	m.then(e, at+report, Report)
	return ref, p
}

// carries is something that is brought in; serial "" = the list follows.
func (m *maker) carries(at int64, d *doorway, serial string) Errand {
	e := Errand{Ref: m.ref("carry"), Zone: d.Inner, Door: d.ID, Person: m.attendant().id}
	if serial != "" {
		e.Key = serial + "-" + e.Ref
	}
	m.then(e, at, CarryIn)
	m.then(e, at+5*minute, CarryShut)
	e.Key = "SN-" + e.Ref
	return e
}

// lends is a key of a door that somebody takes.
func (m *maker) lends(at int64, d *doorway) Errand {
	e := Errand{Ref: m.ref("key"), Person: m.nobody().id, Key: m.mechanical(d.ID)}
	m.then(e, at, LendKey)
	return e
}

// forced is a door that opens though nobody has held a card to it.
func (m *maker) forced(at int64, d *doorway) {
	m.act(Act{AtMS: at, Do: Open, Door: d.ID, Forced: true})
	m.act(Act{AtMS: at + 9_000, Do: Close, Door: d.ID})
}

// recorded is somebody who goes into the room whose entries need a purpose, on a day of its own: of a day one is told.
func (m *maker) recorded(at int64, d *doorway) (int64, *person) {
	for !m.once("purpose", m.dayOf(at)) {
		at = m.slot(d, 12*time.Minute)
	}
	p := m.newPerson("a", "施設管理課", grant{records, "always"})
	m.in(at, p, d)
	m.out(at+4*minute, p, d)
	return at, p
}
