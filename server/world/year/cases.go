package year

import (
	"slices"
	"time"
)

// seeding is how one kind's cases and near misses are made. at is when the kept time begins; d is the door.
type seeding struct {
	kind string
	door string
	keep time.Duration // so long the door is kept clear
	yes  func(m *maker, at int64, d *doorway)
	no   func(m *maker, at int64, d *doorway)
}

// seed makes the seeded cases of every kind, before anybody has gone anywhere: the doors are kept clear for them.
func (m *maker) seed() {
	if m.plan.Cases == 0 && m.plan.Near == 0 {
		return
	}
	for _, s := range seedings() {
		d := m.doors[s.door]
		for range m.plan.Cases {
			s.yes(m, m.slot(d, s.keep), d)
		}
		for range m.plan.Near {
			if s.no != nil {
				s.no(m, m.slot(d, s.keep), d)
			}
		}
	}
}

// settled is how many days a year goes on after the last seeded case begins: some are told days later.
const settled = 8

// slot finds a time of a business day at which a door is not kept for anything, and keeps it.
func (m *maker) slot(d *doorway, keep time.Duration) int64 {
	const before, after = 90_000, 90_000
	for {
		day := m.day(m.rng.IntN(max(m.plan.Days-settled, 7)))
		if !m.cal.IsBusinessDay(day) {
			continue
		}
		at := m.clock(day, 9, 30) + m.ms(0, 6*time.Hour+30*time.Minute)
		s := span{at - before, at + keep.Milliseconds() + after}
		if d.kept(s.from, s.to) {
			m.slots++
			if m.slots%100_000 == 0 {
				panic("year: more seeded cases than the days have room for")
			}
			continue
		}
		d.reserved = append(d.reserved, s)
		return at
	}
}

// must, may and near are lines of the sheet for a seeded case at a door.
func (m *maker) must(kind string, d *doorway, from, to int64, tells string) {
	m.entry(Must, kind, d, from, to, true, tells)
}

func (m *maker) near(kind string, d *doorway, from, to int64, tells string) {
	m.entry(MustNot, kind, d, from, to, true, tells)
}

func (m *maker) may(d *doorway, from, to int64, tells string, kinds ...string) {
	for _, kind := range kinds {
		m.entry(May, kind, d, from, to, true, tells)
	}
}

// lastSeeded marks the newest line of a kind as one that was seeded.
func (m *maker) lastSeeded(kind string) {
	for i := len(m.year.Sheet.Cases) - 1; i >= 0; i-- {
		if c := &m.year.Sheet.Cases[i]; c.Kind == kind && c.Verdict == Must {
			c.Seeded = true
			return
		}
	}
	panic("year: no case of " + kind)
}

// actor makes somebody with a card of their own for one case: what happens to the card concerns nobody else.
func (m *maker) actor() *person {
	return m.newPerson("a", "施設管理課", grant{depot, "always"})
}

// in and outAgain are an actor's ordinary passages.
func (m *maker) in(at int64, p *person, d *doorway) int64 { return m.walk(at, p, d, false, manner{}) }
func (m *maker) out(at int64, p *person, d *doorway) int64 {
	return m.walk(at, p, d, true, manner{})
}

// seedings lists every kind that is seeded.
func seedings() []seeding {
	return slices.Concat(doorSeedings(), cardSeedings(), deviceSeedings(), trySeedings(), staySeedings(), hourSeedings(), visitSeedings(), counterSeedings(), togetherSeedings())
}
