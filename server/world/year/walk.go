package year

import (
	"time"
)

// How a body passes.
type manner struct {
	held   time.Duration // the leaf stays open so long instead of a moment
	unseen bool          // the contact misses the opening
	card   string        // another card than one's own
}

// walk lets a body pass a door on a card and gives the moment at which the door is free again. Whoever waits for an open door to slip
// through goes with it.
func (m *maker) walk(at int64, p *person, d *doorway, out bool, how manner) int64 {
	card := how.card
	if card == "" {
		card = p.card
	}
	m.read(at, d, card, m.pinAt(p, d, out), out, false)
	opened := at + m.ms(900*time.Millisecond, 2500*time.Millisecond)
	open := m.ms(1500*time.Millisecond, 3500*time.Millisecond)
	if how.held > 0 {
		open = how.held.Milliseconds()
	}
	if how.unseen {
		d.free = at + 9_000
	} else {
		m.act(Act{AtMS: opened, Do: Open, Door: d.ID, Out: out})
		m.act(Act{AtMS: opened + open, Do: Close, Door: d.ID})
		d.free = opened + open + 1_500
	}
	m.pass(opened, p, d, out, how.card == "", how.unseen)
	if last := &m.year.Sheet.Passages[len(m.year.Sheet.Passages)-1]; how.card == "" {
		last.As = p.id
		if how.unseen {
			p.missed = true
		} else {
			m.sensed(opened, p, d, out)
		}
	}
	side := 0
	if out {
		side = 1
	}
	from := d.Outer
	if out {
		from = d.Inner
	}
	for i, x := range d.behind[side] {
		if x.place != from {
			continue // has gone elsewhere meanwhile
		}
		m.pass(opened+int64(i+1)*200, x, d, out, false, how.unseen)
	}
	d.behind[side] = nil
	return d.free
}

// read holds a card to a reader.
func (m *maker) read(at int64, d *doorway, card, pin string, out, denied bool) {
	m.act(Act{AtMS: at, Do: Read, Door: d.ID, Card: card, PIN: pin, Out: out, Denied: denied})
}

// pinAt is what a person keys in at a door: only two zones ask, and only on the way in.
func (m *maker) pinAt(p *person, d *doorway, out bool) string {
	if (d.Inner == server || d.Inner == vault) && !out {
		return p.pin
	}
	return ""
}

// passOn moves a body on its own card through a door that is open for somebody else too.
func (m *maker) passOn(at int64, p *person, d *doorway, out bool) {
	m.pass(at, p, d, out, true, false)
	m.year.Sheet.Passages[len(m.year.Sheet.Passages)-1].As = p.id
	m.sensed(at, p, d, out)
}

// pass moves a body.
func (m *maker) pass(at int64, p *person, d *doorway, out, own, unseen bool) {
	p.place = d.Inner
	if out {
		p.place = d.Outer
	}
	p.free = max(p.free, at+15_000)
	if out && (!own || unseen) && p.since > 0 { // by the cards they stay
		m.entry(May, "overstay", nil, p.since+overstay, p.since+overstay+120_000, false, "left unsensed")
	}
	m.year.Sheet.Passages = append(m.year.Sheet.Passages, Passage{AtMS: at, Person: p.id, Door: d.ID, Out: out, Own: own, Unseen: unseen})
}

// through is an ordinary way through a door with all that may go a little wrong. A body that is not where it would have to be
// does not go.
func (m *maker) through(at int64, p *person, door string, out bool) {
	m.at(at, p, door, func(at int64) {
		d := m.doors[door]
		from := d.Outer
		if out {
			from = d.Inner
		}
		if p.place != from || p.left {
			return
		}
		switch {
		case out && d.Inner == office && m.often(150): // leaves behind a colleague
			m.slip(at, p, d, out)
		case !out && d.Inner == office && m.often(15): // comes in behind one
			m.slip(at, p, d, out)
		case m.often(80): // the railway's card first
			m.read(at, d, m.stranger(), "", out, true)
			if !out {
				m.odd(at, d)
			}
			d.free = at + 4_000
			m.ordinary(at+4_500, p, d, out)
		case !out && m.pinAt(p, d, out) != "" && m.often(200): // one wrong key
			m.read(at, d, p.card, "9999", out, true)
			d.free = at + 6_000
			m.ordinary(at+7_000, p, d, out)
		case !out && m.often(4): // badges and is called away
			m.read(at, d, p.card, m.pinAt(p, d, out), out, false)
			m.entry(Must, "no_entry", d, at, at+8_000, false, "badged and did not go in")
			d.free = at + 9_000
		case m.often(1): // the contact misses it
			m.walk(at, p, d, out, manner{unseen: true})
			m.entry(May, "no_entry", d, at, at+9_000, false, "the contact missed an opening")
		default:
			m.ordinary(at, p, d, out)
		}
	})
}

// ordinary is a body that passes on its own card.
func (m *maker) ordinary(at int64, p *person, d *doorway, out bool) {
	m.walk(at, p, d, out, manner{})
	p.free = max(p.free, d.free)
}

// slip waits for somebody else to open the door and goes with them; after ten minutes it takes the own card.
func (m *maker) slip(at int64, p *person, d *doorway, out bool) {
	side := 0
	if out {
		side = 1
	}
	d.behind[side] = append(d.behind[side], p)
	p.free = at + 1_000
	m.at(at+600_000, nil, d.ID, func(at int64) {
		for i, x := range d.behind[side] {
			if x == p {
				d.behind[side] = append(d.behind[side][:i:i], d.behind[side][i+1:]...)
				if from := []string{d.Outer, d.Inner}[side]; p.place == from {
					m.ordinary(at, p, d, out)
				}
				return
			}
		}
	})
}

// odd enters in the sheet that people at one door have held three strange cards to it within ten minutes, though each had just the wrong
// one in hand: nobody can tell that from outside.
func (m *maker) odd(at int64, d *doorway) {
	for len(d.strange) > 0 && d.strange[0] <= at-600_000 {
		d.strange = d.strange[1:]
	}
	d.strange = append(d.strange, at)
	switch {
	case len(d.strange) < 3:
		d.full = false
	case !d.full:
		d.full = true
		m.entry(Must, "unknown_card_repeated", d, at, at+1_000, false, "three colleagues took the wrong card")
	}
}
