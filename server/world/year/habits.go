package year

import (
	"time"

	"monban/firmware/calendar"
)

// habits plans every day of everybody.
func (m *maker) habits() {
	sections := []string{"情報政策課", "総務課", "税務課", "会計課", "施設管理課"}
	var staff, systems []*person
	for i := range m.plan.Staff {
		p := m.newPerson("s", sections[i%len(sections)], grant{office, "work"})
		if i < 8 {
			p.section, p.pin = sections[0], "2468"
			p.grants = []grant{{office, "always"}, {server, "always"}, {media, "always"}, {annex, "always"}, {depot, "always"}}
			systems = append(systems, p)
		}
		staff = append(staff, p)
	}
	m.movements(staff[8:], sections)
	cleaner := m.newPerson("k", sections[4], grant{office, "work"})
	cleaner.category, cleaner.company = "contractor", "多賀城清掃株式会社"
	guard := m.newPerson("g", sections[4], grant{office, "rounds"})
	desk := m.openReception()
	for n := range m.plan.Days {
		day := m.day(n)
		open := m.cal.IsBusinessDay(day)
		if open {
			desk.day(m, n, day, staff[8:])
			for _, p := range staff {
				if !m.often(700) { // leave, illness, business trips
					m.workday(day, p)
				}
			}
			for _, p := range systems {
				m.systemsWork(day, p)
			}
			m.round(day, cleaner, "office-1", 6, 40, 50*time.Minute)
			m.deliveries(day, staff)
		}
		if day.Weekday() == time.Tuesday && open {
			m.plantRoom(day, systems[n%len(systems)])
		}
		if n%2 == 0 && open {
			m.round(day, systems[(n/2)%len(systems)], "depot-1", 13, 30, 20*time.Minute)
		}
		m.round(day, guard, "office-2", 23, 10, 12*time.Minute)
	}
}

// workday is a day in the office: arrival, ways out and back, lunch, home.
func (m *maker) workday(day calendar.Date, p *person) {
	door := func() string {
		if m.often(5500) {
			return "office-1"
		}
		return "office-2"
	}
	m.through(m.clock(day, 8, 0)+m.ms(0, 28*time.Minute), p, door(), false)
	ways := 2 + m.rng.IntN(3)
	for i := range ways { // a meeting, the toilet, another floor
		hour := 9 + i*8/ways
		if hour == 12 {
			hour++
		}
		out := m.clock(day, hour, 0) + m.ms(0, 40*time.Minute)
		m.through(out, p, door(), true)
		m.through(out+m.ms(4*time.Minute, 18*time.Minute), p, door(), false)
	}
	if m.often(7000) {
		m.through(m.clock(day, 12, 0)+m.ms(0, 6*time.Minute), p, door(), true)
		m.through(m.clock(day, 12, 40)+m.ms(0, 19*time.Minute), p, door(), false)
	}
	home := m.clock(day, 17, 16) + m.ms(0, 25*time.Minute)
	if m.often(2500) { // overtime
		home = m.clock(day, 18, 0) + m.ms(0, 150*time.Minute)
	}
	m.through(home, p, door(), true)
}

// systemsWork is what the systems people do inside the office.
func (m *maker) systemsWork(day calendar.Date, p *person) {
	for _, hour := range []int{10, 15} {
		if !m.often(5000) {
			continue
		}
		door := "server-1"
		if m.often(2500) {
			door = "media-1"
		}
		in := m.clock(day, hour, 42) + m.ms(0, 8*time.Minute)
		m.through(in, p, door, false)
		m.through(in+m.ms(3*time.Minute, 9*time.Minute), p, door, true)
	}
}

// round is somebody who comes in and goes out again.
func (m *maker) round(day calendar.Date, p *person, door string, hour, minute int, stay time.Duration) {
	in := m.clock(day, hour, minute) + m.ms(0, 15*time.Minute)
	m.through(in, p, door, false)
	m.through(in+stay.Milliseconds(), p, door, true)
}

// plantRoom is a round through the plant room, whose exit senses the handle and no card.
func (m *maker) plantRoom(day calendar.Date, p *person) {
	in := m.clock(day, 14, 20) + m.ms(0, 10*time.Minute)
	m.at(in, p, "annex-1", func(at int64) {
		if p.place != "" {
			return
		}
		m.ordinary(at, p, m.doors["annex-1"], false)
		m.at(at+m.ms(5*time.Minute, 12*time.Minute), p, "annex-1", func(at int64) { m.byHandle(at, p, m.doors["annex-1"], false) })
	})
}

// byHandle is somebody who leaves where only the handle is sensed: nobody knows who it was, and the register asks.
func (m *maker) byHandle(at int64, p *person, d *doorway, seeded bool) {
	m.act(Act{AtMS: at, Do: Press, Door: d.ID, Out: true})
	m.act(Act{AtMS: at + 700, Do: Open, Door: d.ID, Out: true, Forced: true})
	m.act(Act{AtMS: at + 3_200, Do: Close, Door: d.ID})
	m.pass(at+700, p, d, true, false, false)
	m.entry(Must, "exit_unattributed", d, at, at+1_000, seeded, "left by the handle")
	d.free = at + 5_000
}

// deliveries keep a door open twice a week: a trolley.
func (m *maker) deliveries(day calendar.Date, staff []*person) {
	if !m.often(3500) {
		return
	}
	p := staff[m.rng.IntN(len(staff))]
	at := m.clock(day, 11, 5) + m.ms(0, 30*time.Minute)
	m.at(at, p, "office-2", func(at int64) {
		d := m.doors["office-2"]
		if p.place != office {
			return
		}
		held := time.Duration(m.ms(20*time.Second, 70*time.Second)) * time.Millisecond
		m.walk(at, p, d, true, manner{held: held})
		m.through(at+m.ms(4*time.Minute, 9*time.Minute), p, "office-2", false)
		switch {
		case held > 33*time.Second:
			m.entry(Must, "held_open", d, at+30_000, at+36_000, false, "a trolley")
		case held > 27*time.Second:
			m.entry(May, "held_open", d, at+30_000, at+36_000, false, "a trolley, just in time or not")
		}
		p.free = d.free
	})
}

// movements are what the personnel section does: every other month somebody moves to another section, and twice a year somebody leaves for
// good, the evening before at the latest. The card of who has left is in no purse any more.
func (m *maker) movements(staff []*person, sections []string) {
	if len(staff) == 0 {
		return
	}
	for n := 20; n < m.plan.Days; n += 60 {
		p := staff[m.rng.IntN(len(staff))]
		m.act(Act{AtMS: m.clock(m.day(n), 7, 0), Do: Transfer, Person: p.id, Word: sections[m.rng.IntN(len(sections))]})
	}
	for n := 12; n < m.plan.Days; n += 170 {
		p := staff[m.rng.IntN(len(staff))]
		m.at(m.clock(m.day(n), 23, 40), nil, "", func(at int64) {
			if p.place == "" { // else it is a case of its own
				p.left = true
				m.act(Act{AtMS: at, Do: SetHolder, Person: p.id})
			}
		})
	}
}
