package year

import (
	"time"
)

// troubles are what happens to a site in the ordinary course: links that fail, links that are taken down on a Sunday, and two
// power cuts a year.
func (m *maker) troubles() {
	gateways := []string{"gw-1", "gw-2", "gw-3", "gw-4", "gw-5", "gw-6", "gw-7"}
	for n := range m.plan.Days {
		day := m.day(n)
		if m.often(1200) { // somebody trips over a cable, a switch restarts
			gw := gateways[m.rng.IntN(5)] // not those of the old town hall: a badge that was lent a minute ago opens nothing there then
			at := m.clock(day, 7, 0) + m.ms(0, 12*time.Hour)
			if m.plan.Cases+m.plan.Near == 0 {
				at = max(at, m.clock(day, 9, 0)) // whoever was lent a card at a quarter to eight would find a door that has not heard of it
			}
			m.outage(at, gw, m.ms(10*time.Second, 25*time.Minute), false)
		}
		if day.Weekday() == time.Sunday && day.Day <= 7 { // maintenance
			for i, gw := range gateways {
				m.outage(m.clock(day, 10, 3*i), gw, m.ms(2*time.Minute, 6*time.Minute), false)
			}
		}
		if n%181 == 90 {
			at := m.clock(day, 3, 0) + m.ms(0, 2*time.Hour)
			for _, gw := range gateways {
				m.powerCut(at, gw, m.ms(5*time.Minute, 9*time.Minute), false)
			}
		}
	}
}

// cut tells of an outage.
const cut = "the link was down"

// outage cuts a gateway's link for a while. Doors go on by themselves.
func (m *maker) outage(at int64, gw string, ms int64, seeded bool) {
	m.act(Act{AtMS: at, Do: Cable, Gateway: gw})
	m.act(Act{AtMS: at + ms, Do: Cable, Gateway: gw, On: true})
	m.silent(at, gw, ms, seeded, cut)
}

// silent enters in the sheet that nothing is heard of a gateway for a while.
func (m *maker) silent(at int64, gw string, ms int64, seeded bool, tells string) {
	v, known := Must, "gateway_offline"
	switch {
	case ms < 60_000:
		v = MustNot
	case ms < 90_000:
		v = May
	}
	m.of(v, known, gw, at, at+ms+120_000, seeded, tells)
	switch {
	case ms >= 70_000 && tells == cut: // what the gateway says of the link at its loss is late by then
		m.of(Must, "late_record", gw, at, at+ms+10_000, seeded, tells)
	case ms >= 50_000:
		m.of(May, "late_record", gw, at, at+ms+10_000, false, tells)
	case tells == cut:
		m.of(MustNot, "late_record", gw, at, at+ms+10_000, seeded, tells)
	}
	m.of(May, "zone_unknown", gw, at, at+ms, false, tells)
}

// powerCut takes the power of a gateway whose doors are kept clear of people meanwhile.
func (m *maker) powerCut(at int64, gw string, ms int64, seeded bool) {
	for _, d := range m.doors {
		if d.Gateway == gw {
			d.reserved = append(d.reserved, span{at - 60_000, at + ms + 60_000})
		}
	}
	m.act(Act{AtMS: at, Do: Power, Gateway: gw})
	m.act(Act{AtMS: at + ms, Do: Power, Gateway: gw, On: true})
	m.of(Must, "unclean_boot", gw, at+ms, at+ms+5_000, seeded, "the power failed")
	m.silent(at, gw, ms, false, "the power failed")
}
