package year

// Times of the definitions in docs/reference.md, "Rules over time".
const (
	dayMS    = 24 * 3_600_000
	overstay = 12 * 3_600_000
	warmUp   = 30 * dayMS
	longAgo  = 180 * dayMS
)

// passback lists the zones that ask who comes in twice.
func passback(zone string) bool { return zone == server || zone == depot }

// sensed enters in the sheet what a passage on one's own card shows of those before it that nothing sensed: somebody leaves who was
// never sensed to come in, or comes in who was never sensed to leave. It also tells first uses of a door.
func (m *maker) sensed(at int64, p *person, d *doorway, out bool) {
	verdict := Must
	if p.missed { // a contact's fault and nobody's deed: what is told of it is no invention
		verdict = May
	}
	switch {
	case out && !within(p.sensed, d.Inner) && (p.first > 0 || at-m.begin() > warmUp):
		m.entry(verdict, "exit_without_entry", d, at-2_600, at+1_000, false, "leaves who came in unsensed")
	case !out && passback(d.Inner) && within(p.sensed, d.Inner):
		m.entry(verdict, "anti_passback", d, at-2_600, at+1_000, false, "comes in who left unsensed")
	}
	if !out {
		last, ever := p.used[d.ID]
		if (!ever || at-last > longAgo) && at-m.begin() > warmUp && p.first > 0 && at-p.first > warmUp {
			m.entry(Must, "first_use", d, at-2_600, at+1_000, false, "a door that the person has not used for half a year")
		}
		if p.used == nil {
			p.used = map[string]int64{}
		}
		p.used[d.ID] = at
		if d.Outer == "" {
			p.since = at
		}
	}
	if p.first == 0 {
		p.first = at
	}
	if p.sensed = d.Inner; out {
		if p.sensed = d.Outer; p.sensed == "" {
			p.since = 0
		}
	}
	p.missed = false
}

// begin is when the log begins.
func (m *maker) begin() int64 { return m.plan.First.Start(m.zone).UnixMilli() }
