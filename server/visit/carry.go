package visit

import (
	"strings"

	"monban/firmware/access"
	"monban/server/directory"
)

// Direction of a carry session.
type Direction string

// Directions.
const (
	CarryIn  Direction = "in"   // 搬入
	CarryOut Direction = "out"  // 搬出
	CarryTo  Direction = "move" // from one zone into another
)

// Impact is the check of the effect on running systems before something is carried in (M9).
type Impact struct {
	Result  string             `json:"result"` // none, accepted, refused
	Checker directory.PersonID `json:"checker"`
	Note    string             `json:"note,omitempty"`
}

// Item is one thing that is carried.
type Item struct {
	What         string `json:"what"` // server, disk, switch, laptop, tool, medium, other, in words
	Serial       string `json:"serial,omitempty"`
	Asset        string `json:"asset,omitempty"` // the city's own number
	Owner        string `json:"owner,omitempty"` // company or section
	Count        int    `json:"count,omitempty"` // of things without a number; 0 = 1
	Medium       bool   `json:"medium,omitempty"`
	PersonalData bool   `json:"personal_data,omitempty"` // holds personal data: needs Protection
	Protection   string `json:"protection,omitempty"`    // encrypted, locked case, erased, …
	Stays        bool   `json:"stays,omitempty"`         // is installed and not carried out again
}

// key tells things apart: the city's number, else the serial number; "" for a thing without one.
func (i *Item) key() string {
	switch {
	case i.Asset != "":
		return "asset " + strings.ToUpper(strings.TrimSpace(i.Asset))
	case i.Serial != "":
		return "serial " + strings.ToUpper(strings.TrimSpace(i.Serial))
	}
	return ""
}

// Carry is one carry session (EQ-1): what goes in or out, who attends, what was checked. A door may stand open only inside
// one.
type Carry struct {
	ID            string             `json:"id"`
	Direction     Direction          `json:"direction"`
	Zone          access.ZoneID      `json:"zone"`              // carried into, or out of
	To            access.ZoneID      `json:"to,omitempty"`      // of a move: into
	Doors         []access.DoorID    `json:"doors"`             // that may stand open
	Visit         string             `json:"visit,omitempty"`   // the visit it belongs to
	Attempt       string             `json:"attempt,omitempty"` // the badge at the door it began with
	Purpose       string             `json:"purpose"`
	Impact        Impact             `json:"impact"`
	Attendee      directory.PersonID `json:"attendee"`                // staff who attends (M10)
	Authorization string             `json:"authorization,omitempty"` // number of the permission to carry out (EQ-3)
	Items         []Item             `json:"items,omitempty"`
	ItemsDueMS    int64              `json:"items_due_ms,omitempty"` // while items or serials are missing: the day's closing time
	Opened        Step               `json:"opened"`
	Closed        Step               `json:"closed,omitzero"`
	Settled       Step               `json:"settled,omitzero"` // a person said what became of what did not come out again
}

// Head implements Matter. A session stays open after the door is shut while the list of what was carried is not complete.
func (c *Carry) Head() Head {
	h := Head{ID: c.ID, Kind: KindCarry, State: "open", Open: true, Zone: string(c.Zone), FromMS: c.Opened.AtMS}
	for _, d := range c.Doors {
		h.Doors = append(h.Doors, string(d))
	}
	if c.Closed.Done() {
		h.State, h.UntilMS = "closed", c.Closed.AtMS
		h.Open = !c.complete() || c.Direction == CarryIn && !c.Settled.Done() && c.returns()
	}
	return h
}

// Subject implements Matter.
func (c *Carry) Subject() directory.PersonID { return c.Attendee }

func (c *Carry) complete() bool {
	if len(c.Items) == 0 {
		return false
	}
	for i := range c.Items {
		if x := &c.Items[i]; x.key() == "" && x.Count == 0 {
			return false
		}
	}
	return true
}

// returns reports whether something carried in has to come out again.
func (c *Carry) returns() bool {
	for i := range c.Items {
		if !c.Items[i].Stays {
			return true
		}
	}
	return false
}

// MaxItems is how many things one session lists.
const MaxItems = 30

// OpenCarry begins a session. Serial numbers may follow on the same day, so that nobody types them at an open door;
// attendee, purpose and the check of the effect may not (EQ-1, M9, M10). warnings name fields that look like an Individual
// Number. past are the sessions that tell what is inside, for carrying out.
func OpenCarry(c Carry, past []Carry, by Actor, nowMS int64, s *Site) (Carry, []string, error) {
	n := Carry{
		Direction: c.Direction, Zone: c.Zone, To: c.To, Doors: c.Doors, Visit: c.Visit, Attempt: c.Attempt, Purpose: c.Purpose, Impact: c.Impact,
		Attendee: c.Attendee, Authorization: c.Authorization, Opened: by.step(nowMS, ""),
	}
	if err := firstErr(free("purpose", n.Purpose, maxText, true), free("impact", n.Impact.Note, maxText, false), free("authorization", n.Authorization, 64, false)); err != nil {
		return Carry{}, nil, err
	}
	switch {
	case n.Direction != CarryIn && n.Direction != CarryOut && n.Direction != CarryTo:
		return Carry{}, nil, ErrMissing.at("direction")
	case s.zone(string(n.Zone)) == nil:
		return Carry{}, nil, ErrUnknown.at("zone")
	case n.Direction == CarryTo && (s.zone(string(n.To)) == nil || n.To == n.Zone):
		return Carry{}, nil, ErrUnknown.at("to")
	case n.Attendee == "":
		return Carry{}, nil, ErrMissing.at("attendee")
	case s.staff(n.Attendee) == nil:
		return Carry{}, nil, ErrNotStaff.at("attendee")
	case n.Impact.Result != "none" && n.Impact.Result != "accepted" || s.person(n.Impact.Checker) == nil:
		return Carry{}, nil, ErrImpact.at("impact")
	case len(n.Doors) == 0:
		return Carry{}, nil, ErrMissing.at("doors")
	}
	for _, id := range n.Doors {
		known := false
		for i := range s.Dir.Doors {
			d := &s.Dir.Doors[i]
			known = known || d.ID == id && (d.Enter == n.Zone || d.Exit == n.Zone || n.To != "" && (d.Enter == n.To || d.Exit == n.To))
		}
		if !known {
			return Carry{}, nil, ErrUnknown.at("doors")
		}
	}
	warnings, err := n.SetItems(c.Items, past, by, nowMS, s)
	if err != nil {
		return Carry{}, nil, err
	}
	return n, warnings, nil
}

// SetItems writes the list of what is carried, also after the door was shut, until the list is complete. What goes out has to
// have been carried in, or an authorization is named (EQ-3).
func (c *Carry) SetItems(items []Item, past []Carry, by Actor, nowMS int64, s *Site) (warnings []string, err error) {
	if c.Closed.Done() && c.complete() {
		return nil, ErrState // a finished list is not rewritten
	}
	if len(items) > MaxItems {
		return nil, ErrTooMany.at("items")
	}
	inside := Inside(past, c.Zone)
	for i := range items {
		x := &items[i]
		for field, text := range map[string]string{"serial": x.Serial, "asset": x.Asset} {
			warn, err := number(field, text)
			if err != nil {
				return nil, err
			}
			if warn != "" {
				warnings = append(warnings, warn)
			}
		}
		if err := firstErr(free("what", x.What, maxName, true), free("owner", x.Owner, maxName, false), free("protection", x.Protection, maxName, false)); err != nil {
			return nil, err
		}
		switch {
		case x.Count < 0 || x.Count > 1000:
			return nil, ErrTooMany.at("count")
		case x.Medium && x.PersonalData && blank(x.Protection):
			return nil, ErrProtection.at("protection")
		case c.Direction != CarryIn && blank(c.Authorization) && (x.key() == "" || !inside[x.key()]):
			if x.key() == "" && c.Direction == CarryOut && x.Count > 0 && !x.Medium {
				continue // packing and tools without a number: nothing to match, and no medium
			}
			return nil, ErrUnmatched.at("items")
		}
	}
	c.Items, c.ItemsDueMS = append([]Item(nil), items...), 0
	if !c.complete() {
		c.ItemsDueMS = max(s.closing(s.dayOf(c.Opened.AtMS)), c.Opened.AtMS+3_600_000)
	}
	return warnings, nil
}

// Shut ends the session at the door: from now on a door that stands open is one that was left open.
func (c *Carry) Shut(by Actor, nowMS int64) error {
	if c.Closed.Done() {
		return ErrState
	}
	c.Closed = by.step(nowMS, "")
	return nil
}

// Settle says, by a person, what became of what did not come out again.
func (c *Carry) Settle(by Actor, nowMS int64, note string) error {
	if !c.Closed.Done() || c.Settled.Done() || c.Direction != CarryIn {
		return ErrState
	}
	if err := free("note", note, maxText, true); err != nil {
		return err
	}
	c.Settled = by.step(nowMS, note)
	return nil
}

// Inside gives what is in a zone by the sessions, in order of time: carried or moved in and not out since. What stays is
// inside too.
func Inside(past []Carry, zone access.ZoneID) map[string]bool {
	in := map[string]bool{}
	for i := range past {
		c := &past[i]
		for j := range c.Items {
			k := c.Items[j].key()
			if k == "" {
				continue
			}
			if c.Zone == zone {
				in[k] = c.Direction == CarryIn
			}
			if c.Direction == CarryTo && c.To == zone {
				in[k] = true
			}
		}
	}
	return in
}

// NotOut lists, of one session that carried in, the things that have to come out again and have not: later are the sessions
// after it, in order of time (EQ-3). A move into another zone counts as out of this one; there it is looked for again.
func NotOut(c Carry, later []Carry) (open []Item) {
	if c.Direction != CarryIn && c.Direction != CarryTo || c.Settled.Done() {
		return nil
	}
	zone := c.Zone
	if c.Direction == CarryTo {
		zone = c.To
	}
	for _, x := range c.Items {
		if x.Stays || c.Direction == CarryTo && x.key() == "" {
			continue
		}
		out := false
		for j := range later {
			l := &later[j]
			if l.Direction == CarryIn || l.Zone != zone {
				continue
			}
			for k := range l.Items {
				y := &l.Items[k]
				out = out || x.key() != "" && y.key() == x.key() ||
					x.key() == "" && y.key() == "" && strings.EqualFold(strings.TrimSpace(x.What), strings.TrimSpace(y.What)) && l.Visit == c.Visit
			}
		}
		if !out {
			open = append(open, x)
		}
	}
	return open
}
