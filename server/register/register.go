// Package register pairs entries with exits: the rows of the entry register (入退室管理簿) of each zone, and from
// the same rows who was inside at any time (RR-1 to RR-3).
//
// It is a pure fold over what doors reported, in the order in which it happened. A crossing stands in exactly one row
// of each zone whose border it crosses; nothing is guessed: what is missing stays blank and the row says why. The
// package reads no clock, no store and no name.
package register

import (
	"cmp"
	"slices"
)

// ZoneID names a zone of the directory; "" is outside every zone.
type ZoneID string

// Kind is what a door reported. The zero value is no event and makes no row.
type Kind uint8

// Kinds of Event.
const (
	KindUnknown   Kind = iota
	Crossed            // somebody known passed from From to To
	LeftUnknown        // somebody left From and nobody knows who: button, handle, unreadable card (DS-3)
	OpenedInside       // opened without a badge with somebody inside and no sensor that would tell more (DS-10)
	OpenedByForce      // opened without a badge with nobody inside
	NotEntered         // let in, and did not open the door (DS-4)
	Refused            // not let in
	kindCount
)

// Event is one line of a door's attempts as the register needs it.
type Event struct {
	ID      string // attempt id; one event an id
	Kind    Kind
	Person  string // as the directory calls them; "" = nobody known
	Party   []string
	From    ZoneID // of a crossing and of leaving: the zone left
	To      ZoneID // of a crossing, a refusal and not entering: the zone that is or would have been entered
	Door    string
	Gateway string
	Seq     uint64 // orders events of one gateway in the same millisecond
	AtMS    int64  // when it happened, UTC ms; of an interval the middle
	Day     string // YYYY-MM-DD in the site's zone, frozen at ingest (D21)
	Late    bool   // reached the server long after it happened
}

// before is the order of the fold: occurred, then gateway and number (D7).
func before(a, b *Event) int {
	return cmp.Or(cmp.Compare(a.AtMS, b.AtMS), cmp.Compare(a.Gateway, b.Gateway), cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.ID, b.ID))
}

// State is what is known of a row. The zero value is no row.
type State uint8

// States of a Row.
const (
	StateUnknown     State = iota
	Inside                 // entered and, for all that is known, still there
	Complete               // entry and exit
	ExitNotRecorded        // 退室未記録: entered, and seen elsewhere later without having left
	EntryNotRecorded       // left, or seen inside, without having entered
	ExitUnattributed       // an exit of nobody known
	Unexplained            // an opening of nobody known
	NoEntry                // 未入室
	Denied                 // refused
	stateCount
)

var stateWords = [stateCount]string{
	"unknown", "inside", "complete", "exit_not_recorded", "entry_not_recorded", "exit_unattributed", "unexplained", "no_entry", "denied",
}

// String gives the stable name.
func (s State) String() string {
	if s < stateCount {
		return stateWords[s]
	}
	return stateWords[StateUnknown]
}

// Row is one row of one zone's register. Which of its events is set follows from State; a blank that somebody would look for is
// explained by Seen or Elsewhere.
type Row struct {
	Zone   ZoneID
	Person string // "" = nobody known
	Leader string // whose badge the person went in on, "" = their own (VE-11)
	State  State
	Entry  *Event // in at the border of the zone
	Exit   *Event // out at the border of the zone
	Other  *Event // of a row without a crossing: what happened
	// Seen is the first event that shows somebody inside whose entry is blank, Elsewhere the one that shows them outside
	// whose exit is blank. They are crossings of other borders and stand in their own rows too.
	Seen, Elsewhere *Event
}

// First is the event by which the row is found: entry, else the earliest that there is.
func (r *Row) First() *Event {
	switch {
	case r.Entry != nil:
		return r.Entry
	case r.Other != nil:
		return r.Other
	case r.Seen != nil:
		return r.Seen
	}
	return r.Exit
}

// Day is the day on which the row stands: that of the entry, also when the exit is of the next day (VE-9).
func (r *Row) Day() string { return r.First().Day }

// Late reports whether an event of the row came long after it happened.
func (r *Row) Late() bool {
	for _, e := range []*Event{r.Entry, r.Exit, r.Other} {
		if e != nil && e.Late {
			return true
		}
	}
	return false
}

// InsideAt reports whether somebody known was in the zone at a time, as far as the events tell: from the entry until the exit
// or until they were seen elsewhere. The moment of entering counts, that of leaving does not.
func (r *Row) InsideAt(ms int64) bool {
	from := r.Entry
	if from == nil {
		from = r.Seen
	}
	until := r.Exit
	if until == nil {
		until = r.Elsewhere
	}
	return from != nil && from.AtMS <= ms && (until == nil || until.AtMS > ms)
}

// Tree gives each zone's parent; a zone that is not in it lies in none.
type Tree map[ZoneID]ZoneID

// maxDepth bounds a walk up a tree that was never checked; the directory refuses cycles.
const maxDepth = 16

// within gives a zone and those that it lies in.
func (t Tree) within(z ZoneID) []ZoneID {
	var out []ZoneID
	for n := 0; z != "" && n < maxDepth; n++ {
		out = append(out, z)
		z = t[z]
	}
	return out
}

// Pair makes the rows of all zones. events may come in any order and are not changed; those of unknown kind are left out. The
// rows are ordered by zone and the time of their first event.
func Pair(events []Event, zones Tree) []Row {
	sorted := slices.Clone(events)
	slices.SortStableFunc(sorted, func(a, b Event) int { return before(&a, &b) })
	p := pairing{zones: zones, open: map[whereabouts]int{}, of: map[string][]ZoneID{}}
	for i := range sorted {
		p.event(&sorted[i])
	}
	slices.SortStableFunc(p.rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Zone, b.Zone), before(a.First(), b.First()), cmp.Compare(a.Person, b.Person))
	})
	return p.rows
}

type whereabouts struct {
	person string
	zone   ZoneID
}

type pairing struct {
	zones Tree
	rows  []Row
	open  map[whereabouts]int // index of the row that waits for an exit
	of    map[string][]ZoneID // zones in which a person has such a row
}

func (p *pairing) event(e *Event) {
	row := Row{Person: e.Person, Other: e}
	switch e.Kind {
	case Crossed:
		if e.Person != "" {
			p.cross(e, e.Person, "")
		} else { // a door that was passed on a card of nobody: an opening
			row.State = Unexplained
			p.alone(row, cmp.Or(e.To, e.From))
		}
		for _, who := range e.Party {
			if who != "" && who != e.Person {
				p.cross(e, who, e.Person)
			}
		}
	case LeftUnknown:
		row.State = ExitUnattributed
		p.alone(row, e.From)
	case OpenedInside, OpenedByForce:
		row.State = Unexplained
		p.alone(row, cmp.Or(e.From, e.To))
	case NotEntered:
		row.State = NoEntry
		p.alone(row, cmp.Or(e.To, e.From))
	case Refused:
		row.State = Denied
		p.alone(row, cmp.Or(e.To, e.From))
	default: // no event of the register
	}
}

// alone adds a row of an event that moves nobody.
func (p *pairing) alone(r Row, zone ZoneID) {
	r.Zone = zone
	p.rows = append(p.rows, r)
}

// cross moves one person. After it they are in To and in the zones around it, and nowhere else.
func (p *pairing) cross(e *Event, person, leader string) {
	left, entered := p.zones.within(e.From), p.zones.within(e.To)
	for _, z := range slices.Clone(p.of[person]) {
		if !slices.Contains(left, z) && !slices.Contains(entered, z) {
			p.close(e, person, z, false) // they are somewhere else, so they have left
		}
	}
	for _, z := range left {
		if !slices.Contains(entered, z) {
			if !p.close(e, person, z, true) {
				p.rows = append(p.rows, Row{Zone: z, Person: person, Leader: leader, State: EntryNotRecorded, Exit: e})
			}
		}
	}
	for _, z := range entered {
		switch {
		case !slices.Contains(left, z): // over the border
			p.close(e, person, z, false) // in again without having left
			p.begin(Row{Zone: z, Person: person, Leader: leader, State: Inside, Entry: e})
		case !slices.Contains(p.of[person], z): // over a border inside it
			p.begin(Row{Zone: z, Person: person, Leader: leader, State: EntryNotRecorded, Seen: e})
		}
	}
}

func (p *pairing) begin(r Row) {
	p.open[whereabouts{r.Person, r.Zone}] = len(p.rows)
	p.of[r.Person] = append(p.of[r.Person], r.Zone)
	p.rows = append(p.rows, r)
}

// close ends the row that waits for an exit, with the exit itself or with what shows that there was one; false = none waits.
func (p *pairing) close(e *Event, person string, zone ZoneID, exit bool) bool {
	at := whereabouts{person, zone}
	i, waits := p.open[at]
	if !waits {
		return false
	}
	delete(p.open, at)
	p.of[person] = slices.DeleteFunc(p.of[person], func(z ZoneID) bool { return z == zone })
	r := &p.rows[i]
	if !exit {
		r.Elsewhere = e
		if r.Entry != nil {
			r.State = ExitNotRecorded
		}
		return true
	}
	if r.Exit = e; r.Entry != nil {
		r.State = Complete
	}
	return true
}

// Present lists the rows of those who were in a zone at a time, in the order of the rows (RR-3).
func Present(rows []Row, zone ZoneID, ms int64) []Row {
	var out []Row
	for i := range rows {
		if r := &rows[i]; r.Zone == zone && r.InsideAt(ms) {
			out = append(out, *r)
		}
	}
	return out
}
