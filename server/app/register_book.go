package app

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/policypub"
	"monban/server/register"
	"monban/server/store"
	"monban/server/visit"
)

// book gathers what the rows of a register are made of, within one view of the database.
type book struct {
	r      store.Reader
	pages  *pages
	names  names
	zone   *time.Location
	tree   register.Tree
	site   *visit.Site
	visits []visit.Visit
	stated []visit.Purpose
	carry  []visit.Carry
	exits  []visit.ExitStated
	drills []visit.Drill
	wrong  []visit.Correction
	paper  []visit.PaperEntry
	// paperLeaf is the newest leaf of each of them.
	paperLeaf map[string]int64
	said      map[string][]said // by attempt

	from, to string // days whose rows are shown
	anyDay   bool   // rows of any day are: who is inside

	lines  map[string]attempt.Row // by attempt id, hexadecimal
	fresh  []string               // those of which no event was made yet
	made   []register.Event       // of the others
	person map[string]string      // person reference → person, "" = nobody can tell any more
	opened map[int64]store.Opened // by leaf
}

// fortnight is how long before the days asked for the matters begin that a book reads, ms: no visit or session is longer.
const fortnight = 14 * 24 * 3_600_000

// openBook reads what the days from…to may need beside the lines themselves.
func (p *pages) openBook(r store.Reader, n names, from, to directory.Date) (*book, error) {
	if err := n.load(r); err != nil {
		return nil, err
	}
	dir := p.directory()
	site, err := policypub.VisitSite(r, &dir, p.store.Zone())
	if err != nil {
		return nil, err
	}
	b := &book{
		r: r, pages: p, names: n, zone: p.store.Zone(), tree: n.treeAt(to.EndMS(p.store.Zone())), site: site, from: from.String(), to: to.String(),
		lines: map[string]attempt.Row{}, person: map[string]string{}, opened: map[int64]store.Opened{},
	}
	start, end := from.StartMS(b.zone), to.EndMS(b.zone)
	rows, err := r.MattersBetween(visit.KindVisit, start-fortnight, end)
	if b.visits, err = list[visit.Visit](r, rows, err); err != nil {
		return nil, err
	}
	rows, err = r.MattersBetween(visit.KindCarry, start-fortnight, end)
	if b.carry, err = list[visit.Carry](r, rows, err); err != nil {
		return nil, err
	}
	rows, err = r.MattersBetween(visit.KindExit, start-fortnight, end)
	if b.exits, err = list[visit.ExitStated](r, rows, err); err != nil {
		return nil, err
	}
	spoken := rows
	rows, err = r.MattersBetween(visit.KindCorrection, start-fortnight, end)
	if b.wrong, err = list[visit.Correction](r, rows, err); err != nil {
		return nil, err
	}
	spoken = append(spoken, rows...)
	rows, err = r.MattersBetween(visit.KindDrill, start-2*24*3_600_000, end) // a drill lasts a day at most
	if b.drills, err = list[visit.Drill](r, rows, err); err != nil {
		return nil, err
	}
	rows, err = r.MattersBetween(visit.KindPaper, start, end)
	b.paperLeaf = map[string]int64{}
	for _, m := range rows {
		b.paperLeaf[m.ID] = m.Idx
	}
	if b.paper, err = list[visit.PaperEntry](r, rows, err); err != nil {
		return nil, err
	}
	rows, err = r.MattersBetween(visit.KindPurpose, start-fortnight, end)
	if b.stated, err = list[visit.Purpose](r, rows, err); err != nil {
		return nil, err
	}
	b.say(append(rows, spoken...))
	return b, nil
}

// add takes lines in; one that is there already is the same, since all is read in one view.
func (b *book) add(lines []attempt.Row) {
	for _, l := range lines {
		id := hex.EncodeToString(l.ID[:])
		if _, there := b.lines[id]; !there {
			b.lines[id] = l
			b.fresh = append(b.fresh, id)
		}
	}
}

// open reads openings that were not read yet.
func (b *book) open(leaves []int64) error {
	leaves = slices.DeleteFunc(leaves, func(idx int64) bool { _, there := b.opened[idx]; return there || idx < 0 })
	read, err := b.r.Openings(leaves)
	if err != nil {
		return err
	}
	for _, idx := range leaves {
		if x, there := read[idx]; there {
			b.opened[idx] = x
		} else {
			b.opened[idx] = store.Opened{Err: store.ErrNotFound}
		}
	}
	return nil
}

// openFirst reads the openings of which rows are made.
func (b *book) openFirst(rows []register.Row) error {
	leaves := make([]int64, 0, len(rows))
	for i := range rows {
		leaves = append(leaves, b.lines[rows[i].First().ID].Opening)
	}
	return b.open(leaves)
}

// opening gives one that is read already, or reads it.
func (b *book) opening(idx int64) (entrylog.Opening, error) {
	if err := b.open([]int64{idx}); err != nil {
		return entrylog.Opening{}, err
	}
	x := b.opened[idx]
	return x.Opening, x.Err
}

// who is the person of a line, "" when nobody is known or the personal data are gone. A reference stands for one person.
func (b *book) who(l *attempt.Row) (string, error) {
	if l.PersonRef == nil || l.Opening < 0 {
		return "", nil
	}
	if who, known := b.person[string(l.PersonRef)]; known {
		return who, nil
	}
	o, err := b.opening(l.Opening)
	if err != nil && !errors.Is(err, store.ErrErased) && !errors.Is(err, store.ErrNotFound) {
		return "", fmt.Errorf("who line %d is of: %w", l.First, err)
	}
	b.person[string(l.PersonRef)] = o.Person
	return o.Person, nil
}

// meet reads the openings of whoever is met for the first time in lines.
func (b *book) meet(lines []attempt.Row) error {
	var leaves []int64
	seen := map[string]bool{}
	for i := range lines {
		l := &lines[i]
		if _, known := b.person[string(l.PersonRef)]; !known && l.PersonRef != nil && l.Opening >= 0 && !seen[string(l.PersonRef)] {
			seen[string(l.PersonRef)] = true
			leaves = append(leaves, l.Opening)
		}
	}
	return b.open(leaves)
}

// events makes the register's events of the lines.
func (b *book) events() ([]register.Event, error) {
	lines := make([]attempt.Row, 0, len(b.fresh))
	for _, id := range b.fresh {
		lines = append(lines, b.lines[id])
	}
	if err := b.meet(lines); err != nil {
		return nil, err
	}
	for i, id := range b.fresh {
		if e, ok := b.event(id, &lines[i]); ok {
			b.made = append(b.made, e)
		}
	}
	b.fresh = nil
	return b.made, nil
}

func (b *book) event(id string, l *attempt.Row) (e register.Event, ok bool) {
	e = register.Event{
		ID: id, Door: l.Door, Gateway: l.Gateway, Seq: uint64(l.First), AtMS: l.FromMS + (l.ToMS-l.FromMS)/2, Day: l.Day,
		Late: l.Flags&attempt.FlagLate != 0,
	}
	if l.PassedMS != 0 {
		e.AtMS = l.PassedMS
	}
	d, known := b.names.past.door(access.DoorID(l.Door), e.AtMS)
	if !known {
		return e, false // nobody knows where it led
	}
	in, out := register.ZoneID(d.Enter), register.ZoneID(d.Exit)
	leaving := l.Side == access.SideExit.String()
	switch door.Event(l.Passage) {
	case door.EventEntry:
		e.Kind, e.From, e.To = register.Crossed, out, in
	case door.EventExit:
		e.Kind, e.From, e.To = register.Crossed, in, out
	case door.EventExitUnattributed:
		e.Kind, e.From = register.LeftUnknown, in
	case door.EventInsideOpen:
		e.Kind, e.From = register.OpenedInside, in
	case door.EventForcedOpen:
		e.Kind, e.To = register.OpenedByForce, in
	case door.EventNoEntry, door.EventLapsed:
		e.Kind, e.To = register.NotEntered, in
	default:
		if l.Outcome != access.Denied.String() {
			return e, false // nothing has come of it yet, or nobody was to pass
		}
		if e.Kind, e.To = register.Refused, in; leaving {
			e.From, e.To = in, ""
		}
	}
	var err error
	if e.Person, err = b.who(l); err != nil {
		b.pages.log.Error("a line of the register cannot be read", "err", err)
	}
	if e.Person == "" && l.PersonRef != nil {
		e.Person = erasedPrefix + hex.EncodeToString(l.PersonRef) // still one person, whose name nobody can tell
	}
	if e.Kind == register.Crossed {
		e.Party = b.party(l, e.Person)
	}
	return e, true
}

// erasedPrefix begins the name that the fold knows somebody by whose personal data were destroyed.
const erasedPrefix = "erased "

// party lists the guests who went through on somebody's badge (VE-11).
func (b *book) party(l *attempt.Row, person string) (out []string) {
	x := b.passage(l)
	x.Person = directory.PersonID(person)
	for i := range b.visits {
		for _, g := range b.visits[i].Carried(x) {
			out = append(out, string(b.visits[i].PersonID(g)))
		}
	}
	return out
}

// reaches are how many passages of one person are read to find where a stay began or ended.
var reaches = []int{4, 32, 1024}

// reach pairs the lines, and adds for whoever's entry or exit lies outside of the days read the passages around them, so that a stay
// over midnight or over a holiday is one row (RR-2).
func (b *book) reach(zone access.ZoneID) ([]register.Row, error) {
	for try := 0; ; try++ {
		events, err := b.events()
		if err != nil {
			return nil, err
		}
		rows := register.Pair(events, b.tree)
		before, after := b.missing(rows, zone)
		if try == len(reaches) || len(before) == 0 && len(after) == 0 {
			return rows, nil
		}
		lines, err := b.r.PassedAround(before, after, reaches[try])
		if err != nil {
			return nil, err
		}
		b.add(lines)
	}
}

// missing lists of whose rows the entry is missing, and of whose the exit.
func (b *book) missing(rows []register.Row, zone access.ZoneID) (before, after []store.Reach) {
	entries, exits := map[string]int64{}, map[string]int64{}
	for i := range rows {
		row := &rows[i]
		if day := row.Day(); !b.anyDay && (day < b.from || day > b.to) {
			continue // what was read around a stay begins and ends in the middle of something too
		}
		who := cmp.Or(row.Leader, row.Person) // a guest without a card passes on the carrier's badge
		if row.Zone != register.ZoneID(zone) || who == "" || strings.HasPrefix(who, erasedPrefix) {
			continue
		}
		switch {
		case row.State == register.EntryNotRecorded:
			entries[who] = min(cmp.Or(entries[who], row.First().AtMS), row.First().AtMS)
		case row.State == register.Inside:
			exits[who] = max(exits[who], row.First().AtMS)
		}
	}
	for who, ms := range entries {
		before = append(before, store.Reach{Person: who, MS: ms})
	}
	for who, ms := range exits {
		after = append(after, store.Reach{Person: who, MS: ms})
	}
	return before, after
}

// rows gives the rows of a zone of the days from…to, and of earlier days those that an exit on these days ended.
func (b *book) rows(zone access.ZoneID) (out, ended []register.Row, err error) {
	all, err := b.reach(zone)
	if err != nil {
		return nil, nil, err
	}
	within := func(day string) bool { return day >= b.from && day <= b.to }
	for _, row := range all {
		switch {
		case row.Zone != register.ZoneID(zone):
		case within(row.Day()):
			out = append(out, row)
		case row.Exit != nil && within(row.Exit.Day):
			ended = append(ended, row)
		}
	}
	return out, ended, b.openFirst(slices.Concat(out, ended))
}
