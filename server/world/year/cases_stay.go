package year

import "time"

// staySeedings are about who is inside, with whom and for how long.
func staySeedings() []seeding {
	const min = time.Minute
	return []seeding{
		{"exit_without_entry", "depot-1", 6 * min,
			func(m *maker, at int64, d *doorway) {
				p, other := m.actor(), m.actor()
				m.in(at, p, d)
				m.out(at+60_000, p, d)
				d.behind[0] = append(d.behind[0], p) // comes in again behind the other
				m.in(at+120_000, other, d)
				m.out(at+180_000, p, d)
				m.lastSeeded("exit_without_entry")
				m.out(at+240_000, other, d)
			},
			func(m *maker, at int64, d *doorway) {
				p := m.actor()
				m.in(at, p, d)
				m.out(at+60_000, p, d)
				m.near("exit_without_entry", d, at, at+63_000, "in and out on the card")
			}},
		{"tailgating_possible", "depot-2", 5 * min,
			func(m *maker, at int64, d *doorway) {
				p, other := m.actor(), m.actor()
				m.walk(at, p, d, false, manner{held: 9 * time.Second})
				m.read(at+5_000, d, other.card, "", false, false)
				m.passOn(at+5_000, other, d, false)
				m.must("tailgating_possible", d, at+4_000, at+7_000, "two on one opening, each on a card")
				m.out(at+60_000, p, d)
				m.out(at+90_000, other, d)
			},
			func(m *maker, at int64, d *doorway) {
				p, other := m.actor(), m.actor()
				m.in(at, p, d)
				m.in(at+12_000, other, d)
				m.near("tailgating_possible", d, at, at+20_000, "one after the other, the door shut between")
				m.out(at+60_000, p, d)
				m.out(at+90_000, other, d)
			}},
		{"escort_left", "lab-1", 12 * min,
			func(m *maker, at int64, d *doorway) {
				p, guest := m.pair(at, d)
				m.out(at+120_000, p, d)
				m.must("escort_left", d, at+115_000, at+345_000, "the escort went away")
				m.in(at+420_000, p, d)
				m.out(at+480_000, guest, d)
				m.out(at+510_000, p, d)
			},
			func(m *maker, at int64, d *doorway) {
				p, guest := m.pair(at, d)
				m.out(at+120_000, p, d)
				m.in(at+240_000, p, d)
				m.near("escort_left", d, at, at+400_000, "the escort was away for two minutes")
				m.out(at+480_000, guest, d)
				m.out(at+510_000, p, d)
			}},
		{"escort_left", "lab-1", 26 * min, // and again, after having come back: each absence is one of its own
			func(m *maker, at int64, d *doorway) {
				p, guest := m.pair(at, d)
				m.out(at+120_000, p, d)
				m.must("escort_left", d, at+115_000, at+345_000, "the escort went away")
				m.in(at+420_000, p, d)
				m.out(at+540_000, p, d)
				m.must("escort_left", d, at+535_000, at+765_000, "the escort went away again")
				m.in(at+900_000, p, d)
				m.out(at+960_000, guest, d)
				m.out(at+990_000, p, d)
			},
			func(m *maker, at int64, d *doorway) {
				p, guest := m.pair(at, d)
				m.out(at+120_000, p, d)
				m.in(at+240_000, p, d)
				m.out(at+300_000, p, d)
				m.in(at+420_000, p, d)
				m.near("escort_left", d, at, at+480_000, "the escort was away twice, for two minutes each")
				m.out(at+480_000, guest, d)
				m.out(at+510_000, p, d)
			}},
		{"overstay", "depot-1", 2 * min,
			func(m *maker, at int64, d *doorway) { m.long(at, d, 12*60+30, true) },
			func(m *maker, at int64, d *doorway) { m.long(at, d, 11*60+30, false) }},
		{"lone_worker", "vault-1", 255 * min,
			func(m *maker, at int64, d *doorway) {
				p := m.withPIN()
				m.in(at, p, d)
				m.must("lone_worker", d, at+4*3_600_000, at+4*3_600_000+70_000, "alone in the vault for four hours")
				m.out(at+250*60_000, p, d)
			},
			func(m *maker, at int64, d *doorway) {
				p := m.withPIN()
				m.in(at, p, d)
				m.near("lone_worker", d, at, at+255*60_000, "alone in the vault for less than four hours")
				m.out(at+230*60_000, p, d)
			}},
	}
}

// pair is an outsider and an escort who enter together: the outsider's card first, which waits for the escort's.
func (m *maker) pair(at int64, d *doorway) (escort, guest *person) {
	escort = m.newPerson("a", "施設管理課", grant{lab, "always"})
	guest = m.newPerson("k", "施設管理課", grant{lab, "always"})
	guest.category, guest.company = "contractor", "東北システム保守株式会社"
	m.read(at, d, guest.card, "", false, true) // nothing opens yet
	m.walk(at+4_000, escort, d, false, manner{held: 5 * time.Second})
	opened := m.year.Sheet.Passages[len(m.year.Sheet.Passages)-1].AtMS
	m.passOn(opened, guest, d, false)
	return escort, guest
}

// long is a stay of so many minutes; the door is kept for the way out too.
func (m *maker) long(at int64, d *doorway, minutes int64, told bool) {
	p := m.actor()
	out := at + minutes*60_000
	m.keep(d, out-90_000, 180_000)
	m.in(at, p, d)
	if told {
		m.must("overstay", d, at+overstay, at+overstay+70_000, "inside for more than twelve hours")
	} else {
		m.near("overstay", d, at, out, "inside for less than twelve hours")
	}
	m.out(out, p, d)
}

// hourSeedings are about the hour, and about doors that somebody has not used before.
func hourSeedings() []seeding {
	const min = time.Minute
	return []seeding{
		{"after_hours", "depot-2", min,
			func(m *maker, at int64, d *doorway) {
				p := m.actor()
				at = m.evening(at, d)
				m.in(at, p, d)
				m.must("after_hours", d, at, at+4_000, "came in the evening, and nothing says why")
				m.out(at+120_000, p, d)
			},
			func(m *maker, at int64, d *doorway) {
				p := m.actor()
				p.grants = []grant{{depot, "evening"}}
				at = m.evening(at, d)
				m.in(at, p, d)
				m.near("after_hours", d, at, at+4_000, "came in the evening, as the right says")
				m.out(at+120_000, p, d)
			}},
		{"first_use", "depot-1", 4 * min,
			func(m *maker, _ int64, d *doorway) { m.used(d, m.doors["depot-2"], true) },
			func(m *maker, _ int64, d *doorway) { m.used(d, d, false) }},
	}
}

// used is somebody who enters by one door and two months later by another, or by the same. A stretch that is too short for that has none.
func (m *maker) used(d, later *doorway, told bool) {
	for range 1_000 {
		n := m.rng.IntN(max(m.plan.Days-61, 1))
		first, second := m.day(n), m.day(n+60)
		if m.plan.Days < 75 || !m.cal.IsBusinessDay(first) || !m.cal.IsBusinessDay(second) {
			continue
		}
		at, then := m.clock(first, 9, 30)+m.ms(0, 6*time.Hour), m.clock(second, 9, 30)+m.ms(0, 6*time.Hour)
		if d.kept(at-90_000, at+180_000) || later.kept(then-90_000, then+180_000) {
			continue
		}
		m.keep(d, at-90_000, 270_000)
		m.keep(later, then-90_000, 270_000)
		p := m.actor()
		m.in(at, p, d)
		m.out(at+60_000, p, d)
		m.in(then, p, later)
		if told {
			m.lastSeeded("first_use")
		} else {
			m.near("first_use", later, then, then+4_000, "the door of two months ago")
		}
		m.out(then+60_000, p, later)
		return
	}
}

// kept reports whether a door is kept clear for something in a time.
func (d *doorway) kept(from, to int64) bool {
	for _, r := range d.reserved {
		if from < r.to && r.from < to {
			return true
		}
	}
	return false
}

// evening finds a time after nine of the same evening or a later one, and keeps the door.
func (m *maker) evening(at int64, d *doorway) int64 {
	for {
		at = m.clock(m.dayOf(at), 21, 0) + m.ms(0, 2*time.Hour)
		if !d.kept(at-60_000, at+240_000) {
			m.keep(d, at-60_000, 300_000)
			return at
		}
	}
}
