package year

import "time"

// deviceSeedings are what happens to gateways, readers and locks.
func deviceSeedings() []seeding {
	const min = time.Minute
	state := func(kind string, do Deed, bad bool, tells string) seeding {
		return seeding{kind, "depot-2", 4 * min, func(m *maker, at int64, d *doorway) {
			m.act(Act{AtMS: at, Do: do, Door: d.ID, Gateway: d.Gateway, On: bad})
			m.act(Act{AtMS: at + 60_000, Do: do, Door: d.ID, Gateway: d.Gateway, On: !bad})
			m.act(Act{AtMS: at + 90_000, Do: Rearm, Door: d.ID})
			m.must(kind, d, at, at+2_000, tells)
		}, stopped(kind, do, bad)}
	}
	gateway := func(kind string, do Deed, tells string) seeding {
		return seeding{kind, "depot-2", 4 * min, func(m *maker, at int64, d *doorway) {
			m.act(Act{AtMS: at, Do: do, Gateway: d.Gateway})
			m.act(Act{AtMS: at + 60_000, Do: do, Gateway: d.Gateway, On: true})
			m.of(Must, kind, d.Gateway, at, at+2_000, true, tells)
		}, stopped(kind, do, false)}
	}
	return []seeding{
		state("tamper", Tamper, true, "a cover was opened"),
		state("line_fault", Line, false, "the contact's line was cut"),
		state("reader_lost", Reader, false, "the reader's plug was pulled"),
		state("fire_release", Fire, true, "the fire panel opened the doors"),
		{"strike_failed", "depot-2", 6 * min,
			func(m *maker, at int64, d *doorway) {
				p := m.actor()
				m.act(Act{AtMS: at, Do: Strike, Door: d.ID})
				m.read(at+10_000, d, p.card, "", false, true)
				m.act(Act{AtMS: at + 60_000, Do: Strike, Door: d.ID, On: true})
				m.act(Act{AtMS: at + 90_000, Do: Rearm, Door: d.ID})
				m.must("strike_failed", d, at+10_000, at+13_000, "the lock did not obey")
				m.entry(MustNot, "no_entry", d, at+10_000, at+20_000, false, "nobody could go in: the lock has told of it")
			},
			func(m *maker, at int64, d *doorway) {
				m.act(Act{AtMS: at, Do: Strike, Door: d.ID})
				m.act(Act{AtMS: at + 60_000, Do: Strike, Door: d.ID, On: true})
				p := m.actor()
				m.in(at+90_000, p, d)
				m.out(at+150_000, p, d)
				m.near("strike_failed", d, at, at+160_000, "the lock was exchanged while nobody came")
			}},
		gateway("mains_lost", Mains, "the mains failed and the battery carried the gateway"),
		{"battery_low", "depot-2", 4 * min,
			func(m *maker, at int64, d *doorway) {
				m.act(Act{AtMS: at, Do: Battery, Gateway: d.Gateway})
				m.act(Act{AtMS: at + 60_000, Do: Battery, Gateway: d.Gateway, On: true})
				m.of(Must, "battery_low", d.Gateway, at, at+2_000, true, "the battery ran low")
			},
			func(m *maker, at int64, d *doorway) {
				m.act(Act{AtMS: at, Do: Mains, Gateway: d.Gateway})
				m.act(Act{AtMS: at + 60_000, Do: Mains, Gateway: d.Gateway, On: true})
				m.of(Must, "mains_lost", d.Gateway, at, at+2_000, true, "the mains failed for a minute")
				m.of(MustNot, "battery_low", d.Gateway, at, at+120_000, true, "the battery carried it and did not run low")
			}},
		{"clock_step", "depot-2", 2 * min, func(m *maker, at int64, d *doorway) {
			m.act(Act{AtMS: at, Do: Clock, Gateway: d.Gateway})
			m.of(Must, "clock_step", d.Gateway, at, at+2_000, true, "the clock was put right by minutes")
		}, stopped("clock_step", Clock, false)},
		{"late_record", "depot-2", 8 * min,
			func(m *maker, at int64, d *doorway) {
				m.outage(m.together(at, []string{d.ID, "lab-1"}), d.Gateway, 240_000, true)
			},
			func(m *maker, at int64, d *doorway) {
				at = m.together(at, []string{d.ID, "lab-1"})
				m.outage(at, d.Gateway, 40_000, true)
				p := m.actor()
				m.in(at+10_000, p, d)
				m.out(at+120_000, p, d)
			}},
		{"unclean_boot", "depot-2", 8 * min,
			func(m *maker, at int64, d *doorway) {
				at = m.together(at, []string{d.ID, "lab-1"})
				m.act(Act{AtMS: at, Do: Power, Gateway: d.Gateway})
				m.act(Act{AtMS: at + 30_000, Do: Power, Gateway: d.Gateway, On: true})
				m.of(Must, "unclean_boot", d.Gateway, at+30_000, at+35_000, true, "the power failed for half a minute")
				m.silent(at, d.Gateway, 30_000, true, "the power failed for half a minute")
			},
			func(m *maker, at int64, d *doorway) {
				at = m.together(at, []string{d.ID, "lab-1"})
				m.act(Act{AtMS: at, Do: Power, Gateway: d.Gateway, Word: "ordered"})
				m.act(Act{AtMS: at + 30_000, Do: Power, Gateway: d.Gateway, On: true})
				m.of(MustNot, "unclean_boot", d.Gateway, at+30_000, at+35_000, true, "stopped in order and started again")
				m.silent(at, d.Gateway, 30_000, true, "stopped in order and started again")
			}},
	}
}

// stopped is a near miss of a device: what would be a fault is done by the service engineer while the gateway is stopped in order.
func stopped(kind string, do Deed, bad bool) func(m *maker, at int64, d *doorway) {
	return func(m *maker, at int64, d *doorway) {
		at = m.together(at, []string{d.ID, "lab-1"}) // the other door of the gateway
		m.act(Act{AtMS: at, Do: Power, Gateway: d.Gateway, Word: "ordered"})
		m.act(Act{AtMS: at + 8_000, Do: do, Door: d.ID, Gateway: d.Gateway, On: bad})
		m.act(Act{AtMS: at + 20_000, Do: do, Door: d.ID, Gateway: d.Gateway, On: !bad})
		m.act(Act{AtMS: at + 30_000, Do: Power, Gateway: d.Gateway, On: true})
		m.of(MustNot, kind, d.Gateway, at, at+60_000, true, "done by an engineer while the gateway was stopped in order")
		m.of(MustNot, "unclean_boot", d.Gateway, at+30_000, at+35_000, false, "stopped in order and started again")
		m.silent(at, d.Gateway, 30_000, false, "stopped in order and started again")
	}
}
