package year

import "time"

// doorSeedings are what happens to the leaf of a door.
func doorSeedings() []seeding {
	const min = time.Minute
	return []seeding{
		{"forced_open", "depot-1", 2 * min,
			func(m *maker, at int64, d *doorway) {
				m.act(Act{AtMS: at, Do: Open, Door: d.ID, Forced: true})
				m.act(Act{AtMS: at + 9_000, Do: Close, Door: d.ID})
				m.must("forced_open", d, at, at+1_000, "the door was levered open")
			},
			func(m *maker, at int64, d *doorway) {
				m.act(Act{AtMS: at, Do: Chatter, Door: d.ID})
				m.near("forced_open", d, at, at+1_000, "a lorry shook the door: the contact bounced")
			}},
		{"held_open", "depot-1", 4 * min,
			func(m *maker, at int64, d *doorway) {
				p := m.actor()
				m.walk(at, p, d, false, manner{held: 45 * time.Second})
				m.must("held_open", d, at+30_000, at+36_000, "the door stood open for 45 s")
				m.out(at+90_000, p, d)
			},
			func(m *maker, at int64, d *doorway) {
				p := m.actor()
				m.walk(at, p, d, false, manner{held: 25 * time.Second})
				m.near("held_open", d, at, at+60_000, "the door stood open for 25 s")
				m.out(at+90_000, p, d)
			}},
		{"inside_open", "back-1", 3 * min,
			func(m *maker, at int64, d *doorway) {
				p := m.actor()
				p.grants = append(p.grants, grant{office, "work"})
				m.in(at, p, d)
				m.act(Act{AtMS: at + 60_000, Do: Open, Door: d.ID, Out: true, Forced: true})
				m.act(Act{AtMS: at + 64_000, Do: Close, Door: d.ID})
				m.pass(at+60_000, p, d, true, false, false)
				m.must("inside_open", d, at+60_000, at+61_000, "went out where nothing senses an exit")
			},
			func(m *maker, at int64, d *doorway) {
				m.act(Act{AtMS: at, Do: Chatter, Door: d.ID})
				m.near("inside_open", d, at, at+1_000, "the contact bounced")
			}},
		{"exit_unattributed", "annex-1", 4 * min,
			func(m *maker, at int64, d *doorway) {
				p := m.actor()
				p.grants = append(p.grants, grant{annex, "always"})
				m.in(at, p, d)
				m.byHandle(at+90_000, p, d, true)
			},
			func(m *maker, at int64, d *doorway) {
				m.act(Act{AtMS: at, Do: Press, Door: d.ID, Out: true})
				m.near("exit_unattributed", d, at, at+30_000, "leant on the handle and stayed inside")
			}},
		{"no_entry", "depot-1", 2 * min,
			func(m *maker, at int64, d *doorway) {
				p := m.actor()
				m.read(at, d, p.card, "", false, false)
				m.must("no_entry", d, at, at+8_000, "badged and did not go in")
			},
			func(m *maker, at int64, d *doorway) {
				p := m.actor()
				m.read(at, d, p.card, "", false, false)
				m.act(Act{AtMS: at + 4_200, Do: Open, Door: d.ID})
				m.act(Act{AtMS: at + 7_000, Do: Close, Door: d.ID})
				m.passOn(at+4_200, p, d, false)
				m.near("no_entry", d, at, at+10_000, "went in at the last moment")
				m.out(at+60_000, p, d)
			}},
	}
}
