package year

import "time"

// togetherSeedings are about who is inside with whom, and who gave whom the right.
func togetherSeedings() []seeding {
	return []seeding{
		{"left_alone", "twin-1", 8 * time.Minute,
			func(m *maker, at int64, d *doorway) {
				p, other := m.inspector(), m.inspector()
				m.in(at, p, d)
				m.in(at+20_000, other, d)
				m.out(at+2*minute, p, d)
				m.must("left_alone", d, at+2*minute, at+2*minute+5_000, "one of two went away")
				m.out(at+4*minute, other, d)
			},
			func(m *maker, at int64, d *doorway) {
				p, other, third := m.inspector(), m.inspector(), m.inspector()
				m.in(at, p, d)
				m.in(at+20_000, other, d)
				m.in(at+40_000, third, d)
				m.out(at+2*minute, p, d)
				m.near("left_alone", d, at, at+3*minute, "one of three went away")
				m.out(at+4*minute, other, d)
				m.entry(Must, "left_alone", d, at+4*minute, at+4*minute+5_000, false, "one of two went away")
				m.out(at+5*minute, third, d)
			}},
		{"unescorted_visitor", "lab-1", 12 * time.Minute,
			func(m *maker, at int64, d *doorway) {
				_, guest := m.flooded(at-minute, d)
				m.in(at, guest, d)
				m.must("unescorted_visitor", d, at, at+3_000, "went in alone in the emergency")
				m.out(at+4*minute, guest, d)
			},
			func(m *maker, at int64, d *doorway) {
				escort, guest := m.flooded(at-minute, d)
				m.in(at, guest, d)
				m.in(at+30_000, escort, d)
				m.near("unescorted_visitor", d, at, at+5*minute, "an escort followed within the minute")
				m.out(at+4*minute, guest, d)
				m.out(at+5*minute, escort, d)
			}},
		{"self_granted", "twin-1", 8 * time.Minute,
			func(m *maker, at int64, d *doorway) {
				p := m.nobody()
				m.act(Act{AtMS: at - 5*minute, Do: Grant, Person: p.id, Word: d.Inner, By: p.id})
				m.in(at, p, d)
				m.must("self_granted", d, at, at+3_000, "wrote the right in on an account of their own")
				m.out(at+4*minute, p, d)
			},
			func(m *maker, at int64, d *doorway) {
				p, other := m.nobody(), m.attendant()
				m.act(Act{AtMS: at - 5*minute, Do: Grant, Person: p.id, Word: d.Inner, By: other.id})
				m.in(at, p, d)
				m.near("self_granted", d, at, at+5*minute, "somebody else wrote the right in")
				m.out(at+4*minute, p, d)
			}},
		{"zone_unknown", "twin-1", 8 * time.Minute,
			func(m *maker, at int64, d *doorway) {
				p := m.inspector()
				at = m.together(at, []string{d.ID, "records-1"})
				m.outage(at, d.Gateway, 240_000, false)
				m.in(at+60_000, p, d)
				m.must("zone_unknown", d, at+60_000, at+63_000, "let in by a gateway that could not know who was inside")
				m.out(at+120_000, p, d)
			},
			func(m *maker, at int64, d *doorway) {
				p := m.inspector()
				at = m.together(at, []string{d.ID, "records-1"})
				m.outage(at, d.Gateway, 45_000, false)
				m.in(at+60_000, p, d)
				m.near("zone_unknown", d, at, at+120_000, "the link was back a quarter of a minute before")
				m.out(at+120_000, p, d)
			}},
	}
}

// inspector may enter where nobody should be alone.
func (m *maker) inspector() *person {
	return m.newPerson("a", "施設管理課", grant{twin, "always"})
}

// flooded is an emergency in a zone that outsiders enter with an escort only, for one of them.
func (m *maker) flooded(at int64, d *doorway) (escort, guest *person) {
	escort, guest = m.newPerson("a", "施設管理課", grant{d.Inner, "always"}), m.newPerson("k", "施設管理課", grant{d.Inner, "always"})
	guest.category, guest.company = "contractor", "東北システム保守株式会社"
	e := Errand{Ref: m.ref("emergency"), Zone: d.Inner, Person: guest.id}
	m.then(e, at, BreakGlass)
	m.counter(Must, "emergency_begun", e.Ref, at, at+minute, false, "an officer broke the glass")
	m.then(e, at+30*minute, EndEmergency)
	m.then(e, at+2*hour, Report)
	m.may(d, at, at+12*minute, "the rules stand aside", "emergency_entry", "escort_left")
	return escort, guest
}
