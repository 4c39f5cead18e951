package app

import (
	"cmp"
	"context"
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
	"monban/server/policypub"
	"monban/server/register"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

// RegisterZones implements web.Registers.
func (p *pages) RegisterZones(ctx context.Context) ([]web.ZoneName, error) {
	n, s := p.names(ctx), p.directory()
	parent := map[access.ZoneID]access.ZoneID{}
	for _, z := range s.Zones {
		parent[z.ID] = z.Parent
	}
	reached := map[access.ZoneID]bool{} // by a door of theirs or of a zone in them
	for _, d := range s.Doors {
		for _, z := range []access.ZoneID{d.Enter, d.Exit} {
			for ; z != "" && !reached[z]; z = parent[z] {
				reached[z] = true
			}
		}
	}
	var out []web.ZoneName
	for _, z := range s.Zones {
		if !reached[z.ID] {
			continue // nobody comes in by a door that is watched
		}
		out = append(out, web.ZoneName{ID: z.ID, Name: n.zone(z.ID)})
	}
	return out, nil
}

// ReachOf implements web.Registers.
func (p *pages) ReachOf(_ context.Context, zones []access.ZoneID) (out web.Reach, err error) {
	s, tree := p.directory(), p.tree()
	for _, z := range s.Zones {
		if slices.ContainsFunc(zones, func(of access.ZoneID) bool { return tree.within(z.ID, of) }) {
			out.Zones = append(out.Zones, z.ID)
		}
	}
	for _, d := range s.Doors {
		if !out.Zone(d.Enter) && !out.Zone(d.Exit) {
			continue
		}
		if out.Doors = append(out.Doors, d.ID); !slices.Contains(out.Gateways, d.Gateway) {
			out.Gateways = append(out.Gateways, d.Gateway)
		}
	}
	for _, g := range out.Gateways {
		if !slices.ContainsFunc(s.Doors, func(d directory.Door) bool { return d.Gateway == g && !out.Door(d.ID) }) {
			out.Whole = append(out.Whole, g)
		}
	}
	return out, nil
}

// zone is a zone's name; its id when the directory does not know it any more.
func (n names) zone(id access.ZoneID) string {
	if z, ok := n.zones[id]; ok && z.Name != "" {
		return z.Name
	}
	return string(id)
}

// Register implements web.Registers.
func (p *pages) Register(ctx context.Context, q web.RegisterQuery) (out web.Register, err error) {
	from, to, err := registerDays(q)
	if err != nil {
		return out, err
	}
	n := p.names(ctx)
	if _, ok := n.zones[q.Zone]; !ok {
		return out, fmt.Errorf("zone %q: %w", q.Zone, web.ErrNotFound)
	}
	out = web.Register{Zone: web.ZoneName{ID: q.Zone, Name: n.zone(q.Zone)}, UpTo: p.now()}
	err = p.store.Read(ctx, func(r *store.ReadTx) error {
		book, err := p.openBook(r.Reader, n, from, to)
		if err != nil {
			return err
		}
		lines, err := r.Lines(from.String(), to.String())
		if err != nil {
			return err
		}
		book.add(lines)
		if err := book.reach(q.Zone); err != nil {
			return err
		}
		for _, row := range register.Pair(book.events(), book.tree) {
			if day := row.Day(); row.Zone == register.ZoneID(q.Zone) && day >= from.String() && day <= to.String() {
				out.Rows = append(out.Rows, book.row(&row, q.Names))
			}
		}
		out.Rows = book.withPaper(out.Rows, q.Zone, from, to, q.Names)
		out.Gaps, err = p.gapsOf(r, n, q.Zone, from, to)
		return err
	})
	return out, err
}

func registerDays(q web.RegisterQuery) (from, to directory.Date, err error) {
	if from, err = directory.ParseDate(q.From); err == nil {
		to, err = directory.ParseDate(q.To)
	}
	if err != nil || to.Before(from) || from.AddDays(web.MaxRegisterDays-1).Before(to) {
		return from, to, fmt.Errorf("register of %q to %q: %w", q.From, q.To, web.ErrNotFound)
	}
	return from, to, nil
}

// gapsOf lists when the gateways of a zone's doors were silent: rows of then may still come, or never were made (I10).
func (p *pages) gapsOf(r *store.ReadTx, n names, zone access.ZoneID, from, to directory.Date) (out []web.Gap, err error) {
	mine := map[access.GatewayID]bool{}
	tree := p.tree()
	for _, d := range n.doors {
		if d.Enter == zone || d.Exit == zone || tree.borders(d.Enter, d.Exit, zone) {
			mine[d.Gateway] = true
		}
	}
	gaps, err := r.CoverageOf(from.StartMS(p.store.Zone()), to.EndMS(p.store.Zone()))
	for _, g := range gaps {
		if gw := access.GatewayID(g.Gateway); mine[gw] {
			out = append(out, web.Gap{Gateway: gw, From: time.UnixMilli(g.FromMS), To: time.UnixMilli(g.ToMS)})
		}
	}
	for gw := range mine {
		if gap, ok := p.health.silence(gw, p.now()); ok && gap.From.Before(to.AddDays(1).Start(p.store.Zone())) {
			out = append(out, gap)
		}
	}
	slices.SortStableFunc(out, func(a, b web.Gap) int { return a.From.Compare(b.From) })
	return out, err
}

// zoneTree gives each zone's parent.
type zoneTree map[access.ZoneID]access.ZoneID

func (p *pages) tree() zoneTree {
	t := zoneTree{}
	s := p.directory()
	for _, z := range s.Zones {
		t[z.ID] = z.Parent
	}
	return t
}

// within reports whether a zone is, or lies in, another.
func (t zoneTree) within(in, zone access.ZoneID) bool {
	for n := 0; in != "" && n <= access.MaxZoneDepth; n++ {
		if in == zone {
			return true
		}
		in = t[in]
	}
	return false
}

// borders reports whether a door leads into or out of a zone, also by a zone in it: who passes it has a row in the zone's register.
func (t zoneTree) borders(enter, exit, zone access.ZoneID) bool {
	return t.within(enter, zone) != t.within(exit, zone)
}

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

	from, to string // days whose rows are shown
	anyDay   bool   // rows of any day are: who is inside

	lines  map[string]attempt.Row // by attempt id, hexadecimal
	person map[string]string      // person reference → person, "" = nobody can tell any more
}

// openBook reads what the days from…to may need beside the lines themselves.
func (p *pages) openBook(r store.Reader, n names, from, to directory.Date) (*book, error) {
	dir := p.directory()
	site, err := policypub.VisitSite(r, &dir, p.store.Zone())
	if err != nil {
		return nil, err
	}
	b := &book{
		r: r, pages: p, names: n, zone: p.store.Zone(), tree: register.Tree{}, site: site, from: from.String(), to: to.String(),
		lines: map[string]attempt.Row{}, person: map[string]string{},
	}
	for _, z := range dir.Zones {
		b.tree[register.ZoneID(z.ID)] = register.ZoneID(z.Parent)
	}
	start, end := from.StartMS(b.zone), to.EndMS(b.zone)
	const fortnight = 14 * 24 * 3_600_000 // no visit or session is longer
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
	rows, err = r.MattersBetween(visit.KindCorrection, start-fortnight, end)
	if b.wrong, err = list[visit.Correction](r, rows, err); err != nil {
		return nil, err
	}
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
	rows, err = r.MattersBetween(visit.KindPurpose, start, end)
	b.stated, err = list[visit.Purpose](r, rows, err)
	return b, err
}

func (b *book) add(lines []attempt.Row) {
	for _, l := range lines {
		b.lines[hex.EncodeToString(l.ID[:])] = l
	}
}

// who is the person of a line, "" when nobody is known or the personal data are gone. A reference stands for one person.
func (b *book) who(l *attempt.Row) (string, error) {
	if l.PersonRef == nil || l.Opening < 0 {
		return "", nil
	}
	if who, known := b.person[string(l.PersonRef)]; known {
		return who, nil
	}
	o, err := b.r.Opening(l.Opening)
	if err != nil && !errors.Is(err, store.ErrErased) && !errors.Is(err, store.ErrNotFound) {
		return "", fmt.Errorf("who line %d is of: %w", l.First, err)
	}
	b.person[string(l.PersonRef)] = o.Person
	return o.Person, nil
}

// events makes the register's events of the lines.
func (b *book) events() []register.Event {
	out := make([]register.Event, 0, len(b.lines))
	for id := range b.lines {
		l := b.lines[id]
		if e, ok := b.event(id, &l); ok {
			out = append(out, e)
		}
	}
	return out
}

func (b *book) event(id string, l *attempt.Row) (e register.Event, ok bool) {
	d, known := b.names.doors[access.DoorID(l.Door)]
	if !known {
		return e, false // a door that is gone leads nowhere that has a register
	}
	in, out := register.ZoneID(d.Enter), register.ZoneID(d.Exit)
	e = register.Event{
		ID: id, Door: l.Door, Gateway: l.Gateway, Seq: uint64(l.First), AtMS: l.FromMS + (l.ToMS-l.FromMS)/2, Day: l.Day,
		Late: l.Flags&attempt.FlagLate != 0,
	}
	if l.PassedMS != 0 {
		e.AtMS = l.PassedMS
	}
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
	x := passage(l, b.site.Dir)
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

// reach adds, for whoever's entry or exit lies outside of the days read, the passages around them, so that a stay over midnight or
// over a holiday is one row (RR-2).
func (b *book) reach(zone access.ZoneID) error {
	for _, n := range reaches {
		before, after := map[string]int64{}, map[string]int64{}
		for _, row := range register.Pair(b.events(), b.tree) {
			if day := row.Day(); !b.anyDay && (day < b.from || day > b.to) {
				continue // what was read around a stay begins and ends in the middle of something too
			}
			who := cmp.Or(row.Leader, row.Person) // a guest without a card passes on the carrier's badge
			if row.Zone != register.ZoneID(zone) || who == "" || strings.HasPrefix(who, erasedPrefix) {
				continue
			}
			switch {
			case row.State == register.EntryNotRecorded:
				before[who] = min(cmp.Or(before[who], row.First().AtMS), row.First().AtMS)
			case row.State == register.Inside:
				after[who] = max(after[who], row.First().AtMS)
			}
		}
		if len(before) == 0 && len(after) == 0 {
			return nil
		}
		for who, ms := range before {
			lines, err := b.r.PassedBefore(who, ms, n)
			if err != nil {
				return err
			}
			b.add(lines)
		}
		for who, ms := range after {
			lines, err := b.r.PassedAfter(who, ms, n)
			if err != nil {
				return err
			}
			b.add(lines)
		}
	}
	return nil
}

// row makes a row as pages show it.
func (b *book) row(r *register.Row, show bool) web.RegisterRow {
	first := r.First()
	out := web.RegisterRow{
		State: r.State, Day: r.Day(), Door: b.names.door(access.DoorID(first.Door)), Attempt: first.ID, Late: r.Late(),
		EnteredAt: timeOf(r.Entry), ExitedAt: timeOf(r.Exit), OtherAt: timeOf(r.Other), SeenAt: timeOf(r.Seen), ElsewhereAt: timeOf(r.Elsewhere),
	}
	if r.Exit != nil {
		out.ExitDoor = b.names.door(access.DoorID(r.Exit.Door))
	}
	for _, e := range []*register.Event{r.Entry, r.Exit, r.Other} {
		if e != nil {
			l := b.lines[e.ID]
			out.Last = max(out.Last, uint64(l.Last))
		}
	}
	line := b.lines[first.ID]
	if len(line.PersonRef) > 0 && r.Leader == "" {
		out.Who.Ref = hex.EncodeToString(line.PersonRef)
	}
	o, err := b.r.Opening(line.Opening)
	switch {
	case line.Opening < 0:
	case err == nil && r.Leader == "":
		out.Category = o.Category
		if out.Badge = o.Badge; show {
			out.Who.Name, out.Who.Section, out.Purpose = o.Name, o.Section, o.Purpose
		}
	case errors.Is(err, store.ErrErased):
		out.Erased = true
	}
	if r.Person != "" {
		b.work(r, &out, show)
	}
	b.corrected(r, &out, show)
	for _, e := range []*register.Event{r.Entry, r.Exit, r.Other} {
		out.Drill = out.Drill || e != nil && b.drilled(access.DoorID(e.Door), e.AtMS)
	}
	return out
}

// drilled reports whether a door was in a drill at a moment (OP-6): the row says so and stands as any other.
func (b *book) drilled(at access.DoorID, ms int64) bool {
	return slices.ContainsFunc(b.drills, func(x visit.Drill) bool {
		until := x.UntilMS
		if x.Ended.Done() {
			until = min(until, x.Ended.AtMS)
		}
		return !x.Disaster && x.FromMS <= ms && ms < until && slices.Contains(x.Doors, at)
	})
}

func timeOf(e *register.Event) time.Time {
	if e == nil {
		return time.Time{}
	}
	return time.UnixMilli(e.AtMS)
}

// work fills in what the approved work, the carry sessions and the person's own statement tell of a stay.
func (b *book) work(r *register.Row, out *web.RegisterRow, show bool) {
	line := b.lines[r.First().ID]
	x := passage(&line, b.site.Dir)
	x.Person, x.Zone, x.AtMS = directory.PersonID(r.Person), access.ZoneID(r.Zone), r.First().AtMS
	if text, from := visit.PurposeOf(x, b.visits, 0, b.site, b.stated); from != visit.NoPurpose {
		out.PurposeSource = string(from)
		if show {
			out.Purpose = text
		}
	}
	b.left(r, out, show)
	var of string
	for i := range b.visits {
		v := &b.visits[i]
		covers := v.Covers(x)
		b.guest(v, r, out, covers, show)
		if covers && of == "" {
			of = v.ID
			b.visit(v, r, out, show)
		}
	}
	for i := range b.carry {
		c := &b.carry[i]
		if string(c.Zone) == string(r.Zone) && (c.Attempt == r.First().ID || c.Visit != "" && c.Visit == of && r.InsideAt(c.Opened.AtMS)) && show {
			for _, item := range c.Items {
				out.Items = append(out.Items, strings.TrimSpace(item.What+" "+cmp.Or(item.Asset, item.Serial)))
			}
		}
	}
}

// left fills in what the person said of an exit that the log does not show (RR-6).
func (b *book) left(r *register.Row, out *web.RegisterRow, show bool) {
	for i := range b.exits {
		x := &b.exits[i]
		if r.Entry == nil || r.Exit != nil || x.Attempt != r.Entry.ID || string(x.Zone) != string(r.Zone) || string(x.Person) != r.Person {
			continue
		}
		out.StatedAt, out.Stated = time.UnixMilli(x.LeftMS), x.ID
		if x.Confirmed.Done() {
			if out.ConfirmedBy = accountName(b.r, x.Confirmed.Account); !show {
				out.ConfirmedBy = x.Confirmed.Account
			}
		}
	}
}

// guest fills in what reception wrote down of somebody. A worker whom the directory knows has many visits: there only the one
// counts that the entry belongs to.
func (b *book) guest(v *visit.Visit, r *register.Row, out *web.RegisterRow, covers, show bool) {
	for i := range v.Guests {
		g := &v.Guests[i]
		if string(v.PersonID(i)) != r.Person || g.Person != "" && !covers {
			continue
		}
		out.Category, out.Badge, out.Identity, out.Conditions = string(g.Category), g.Label, string(g.Identity), g.Conditions
		if show {
			out.Who.Name, out.Who.Section, out.Leader = g.Name, cmp.Or(g.Company, v.Company), b.personName(directory.PersonID(r.Leader))
		}
	}
}

func (b *book) visit(v *visit.Visit, r *register.Row, out *web.RegisterRow, show bool) {
	if !show {
		return
	}
	approver := v.Decided.Person
	if v.Oral != nil {
		approver = v.Oral.Approver
	}
	out.System, out.Approver = v.System, b.personName(approver)
	if string(v.Attendee) != r.Person {
		out.Attendee = b.personName(v.Attendee)
	}
}

// personName is the name that the directory has now.
func (b *book) personName(id directory.PersonID) string {
	for i := range b.site.Dir.People {
		if p := &b.site.Dir.People[i]; p.ID == id && id != "" {
			return p.Name
		}
	}
	return ""
}

// Present implements web.Registers.
func (p *pages) Present(ctx context.Context, zone access.ZoneID, at time.Time, show bool) (out web.Register, err error) {
	n := p.names(ctx)
	if _, ok := n.zones[zone]; !ok {
		return out, fmt.Errorf("zone %q: %w", zone, web.ErrNotFound)
	}
	out = web.Register{Zone: web.ZoneName{ID: zone, Name: n.zone(zone)}, UpTo: p.now()}
	return out, p.eachPresent(ctx, n, zone, at, func(b *book, row *register.Row) { out.Rows = append(out.Rows, b.row(row, show)) })
}

// eachPresent calls f for everybody who was in a zone at a moment.
func (p *pages) eachPresent(ctx context.Context, n names, zone access.ZoneID, at time.Time, f func(*book, *register.Row)) error {
	return p.store.Read(ctx, func(r *store.ReadTx) error {
		day := directory.DateOf(at.In(p.store.Zone()))
		book, err := p.openBook(r.Reader, n, day, day)
		if err != nil {
			return err
		}
		last, err := r.LastPassages(at.UnixMilli())
		if err != nil {
			return err
		}
		book.anyDay = true
		book.add(last)
		for i := range book.visits { // guests without a card are where their carriers took them, also one who has left since
			for _, c := range book.visits[i].Carriers {
				lines, err := r.PassedBefore(string(c.Person), at.UnixMilli()+1, 16)
				if err != nil {
					return err
				}
				book.add(lines)
			}
		}
		if err := book.reach(zone); err != nil {
			return err
		}
		for _, row := range register.Present(register.Pair(book.events(), book.tree), register.ZoneID(zone), at.UnixMilli()) {
			f(book, &row)
		}
		return nil
	})
}

// accountName is the full name of an account; its id when it is not there any more.
func accountName(r store.Reader, id string) string {
	a, err := r.AccountByID(id)
	if err != nil {
		return id
	}
	return a.FullName
}
