package year

import "time"

// trySeedings are people who try doors, and cards that somebody else has.
func trySeedings() []seeding {
	const min = time.Minute
	tries := func(m *maker, at int64, d *doorway, n int, card func(i int) string) int64 {
		for i := range n {
			m.read(at+int64(i)*25_000, d, card(i), "", false, true)
		}
		return at + int64(n-1)*25_000
	}
	return []seeding{
		{"denied_burst", "depot-1", 6 * min,
			func(m *maker, at int64, d *doorway) {
				p := m.nobody()
				last := tries(m, at, d, 5, func(int) string { return p.card })
				m.must("denied_burst", d, last, last+2_000, "five times without a right to enter")
			},
			func(m *maker, at int64, d *doorway) {
				p := m.nobody()
				last := tries(m, at, d, 4, func(int) string { return p.card })
				m.near("denied_burst", d, at, last+2_000, "four times without a right to enter")
			}},
		{"denied_burst", "depot-2", 8 * min,
			func(m *maker, at int64, d *doorway) {
				p := []*person{m.nobody(), m.nobody(), m.nobody()}
				last := tries(m, at, d, 10, func(i int) string { return p[i%3].card })
				m.must("denied_burst", d, last, last+2_000, "three people, ten times")
			},
			func(m *maker, at int64, d *doorway) {
				p := []*person{m.nobody(), m.nobody(), m.nobody()}
				last := tries(m, at, d, 9, func(i int) string { return p[i%3].card })
				m.near("denied_burst", d, at, last+2_000, "three people, nine times")
			}},
		{"card_scan", "depot-2", 12 * min,
			func(m *maker, at int64, d *doorway) {
				last := tries(m, at, d, 5, func(int) string { return m.stranger() })
				m.must("card_scan", d, last, last+2_000, "five strange cards in turn")
				m.must("unknown_card_repeated", d, at+50_000, at+52_000, "the third of them")
			},
			func(m *maker, at int64, d *doorway) {
				last := tries(m, at, d, 4, func(int) string { return m.stranger() })
				m.near("card_scan", d, at, last+2_000, "four strange cards in turn")
				m.must("unknown_card_repeated", d, at+50_000, at+52_000, "the third of them")
			}},
		{"card_scan", "vault-1", 12 * min,
			func(m *maker, at int64, d *doorway) {
				p, doors := m.nobody(), []string{"vault-1", "lab-1", "depot-1", "depot-2"}
				at = m.together(at, doors)
				for i, x := range doors {
					m.read(at+int64(i)*60_000, m.doors[x], p.card, "", false, true)
				}
				m.must("card_scan", m.doors["depot-2"], at+180_000, at+182_000, "one card at four doors")
			},
			func(m *maker, at int64, d *doorway) {
				p, doors := m.nobody(), []string{"vault-1", "lab-1", "depot-1"}
				at = m.together(at, doors)
				for i, x := range doors {
					m.read(at+int64(i)*60_000, m.doors[x], p.card, "", false, true)
				}
				m.near("card_scan", m.doors["depot-1"], at, at+182_000, "one card at three doors")
			}},
		{"lost_card_used", "depot-1", 13 * min,
			func(m *maker, at int64, d *doorway) {
				p := m.actor()
				m.act(Act{AtMS: at, Do: SetCard, Card: p.card, Word: "lost"})
				m.read(at+60_000, d, p.card, "", false, true)
				m.must("lost_card_used", d, at+60_000, at+62_000, "somebody has a card that was reported lost")
			},
			func(m *maker, at int64, d *doorway) {
				p := m.actor()
				m.act(Act{AtMS: at, Do: SetCard, Card: p.card, Word: "suspended"})
				m.act(Act{AtMS: at + 30_000, Do: SetCard, Card: p.card, Word: "active"})
				m.in(at+60_000, p, d)
				m.near("lost_card_used", d, at, at+90_000, "the card was found again")
				m.out(at+120_000, p, d)
			}},
		{"inactive_person_card", "depot-1", 13 * min,
			func(m *maker, at int64, d *doorway) {
				p := m.actor()
				m.act(Act{AtMS: at, Do: SetHolder, Person: p.id})
				m.read(at+60_000, d, p.card, "", false, true)
				m.must("inactive_person_card", d, at+60_000, at+62_000, "the card of somebody who has left")
			},
			func(m *maker, at int64, d *doorway) {
				p := m.actor()
				m.act(Act{AtMS: at, Do: SetHolder, Person: p.id})
				m.act(Act{AtMS: at + 30_000, Do: SetHolder, Person: p.id, On: true})
				m.in(at+60_000, p, d)
				m.near("inactive_person_card", d, at, at+90_000, "back from leave")
				m.out(at+120_000, p, d)
			}},
		{"impossible_travel", "depot-2", 20 * min,
			func(m *maker, at int64, d *doorway) {
				p, thief := m.actor(), m.actor()
				p.grants = append(p.grants, grant{annex, "always"})
				m.in(at, p, d)
				m.out(at+60_000, p, d)
				x := m.doors["annex-1"]
				m.keep(x, at+120_000, 300_000)
				m.walk(at+180_000, thief, x, false, manner{card: p.card})
				m.year.Sheet.Passages[len(m.year.Sheet.Passages)-1].As = p.id
				m.may(x, at+180_000+overstay, at+185_000+overstay+120_000, "by the card its holder is still there", "overstay")
				m.must("impossible_travel", x, at+178_000, at+184_000, "a copy of the card across the town")
				m.byHandle(at+240_000, thief, x, true)
			},
			func(m *maker, at int64, d *doorway) {
				p := m.actor()
				p.grants = append(p.grants, grant{annex, "always"})
				m.in(at, p, d)
				m.out(at+60_000, p, d)
				x := m.doors["annex-1"]
				m.keep(x, at+780_000, 300_000)
				m.in(at+840_000, p, x)
				m.near("impossible_travel", x, at, at+900_000, "went there by car")
				m.byHandle(at+900_000, p, x, true)
			}},
	}
}

// nobody has a card and no right.
func (m *maker) nobody() *person { return m.newPerson("a", "広報課") }

// keep keeps another door clear for a case.
func (m *maker) keep(d *doorway, at, ms int64) { d.reserved = append(d.reserved, span{at, at + ms}) }

// together finds a time from one on at which several doors are clear for twelve minutes before and after, and keeps them.
func (m *maker) together(at int64, doors []string) int64 {
	const around = 720_000
	for n := 0; ; n++ {
		free := true
		for _, x := range doors[1:] { // the first is kept for it
			free = free && !m.doors[x].kept(at-around, at+around)
		}
		if free || n > 10_000 {
			break
		}
		at = m.slot(m.doors[doors[0]], 12*time.Minute)
	}
	for _, x := range doors[1:] {
		m.keep(m.doors[x], at-around, 2*around)
	}
	return at
}
