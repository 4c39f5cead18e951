package app

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/signoff"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

// dueDays is how many open days a day's review may take: it is due at the closing time of that open day.
const dueDays = 1

// dayReview reads how days of one zone stand, within one view of the database.
type dayReview struct {
	*book
	area     access.ZoneID
	doors    []string
	borders  []string // doors of zones in it by which people come into it and leave it
	gateways []string
	parents  zoneTree
	within   []string       // doors between its parts: who passes one has a row only when nothing says how they came in
	rowsOf   store.DayDoors // doors of which a line makes a row in its register
	accounts map[string]signoff.Actor
	fullName map[string]string
	began    string // first day that is signed
	two      bool   // each day takes two persons
	nowMS    int64
}

func (p *pages) openReview(r store.Reader, n names, zone access.ZoneID, from, to directory.Date) (*dayReview, error) {
	b, err := p.openBook(r, n, from, to)
	if err != nil {
		return nil, err
	}
	if _, ok := n.zones[zone]; !ok {
		return nil, fmt.Errorf("zone %q: %w", zone, web.ErrNotFound)
	}
	v := &dayReview{book: b, area: zone, accounts: map[string]signoff.Actor{}, fullName: map[string]string{}, nowMS: p.now().UnixMilli()}
	accounts, err := r.Accounts()
	if err != nil {
		return nil, err
	}
	for _, a := range accounts {
		v.accounts[a.ID], v.fullName[a.ID] = signoff.Actor{Account: a.ID, Person: a.Person}, a.FullName
	}
	settings, err := reviewSettings(r)
	if err != nil {
		return nil, err
	}
	v.two = settings.TwoSign(string(zone))
	v.began, err = p.zoneBegan(r, zone, n.past.firstDoors(zone))
	return v, err
}

// day is what the log says of one day.
type reviewDay struct {
	facts signoff.Facts
	acts  []signoff.Act
	sheet signoff.Sheet
	found []int64
}

// readAlike is read for days between which no door came to lead elsewhere.
func (v *dayReview) readAlike(p *pages, r *store.ReadTx, from, to directory.Date) (map[string]*reviewDay, error) {
	days := map[string]*reviewDay{}
	for d := from; !to.Before(d); d = d.AddDays(1) {
		if d.String() < v.began {
			continue
		}
		end := d.EndMS(v.zone)
		days[d.String()] = &reviewDay{facts: signoff.Facts{EndMS: end, DueMS: v.site.ClosingAfter(d.StartMS(v.zone), dueDays), Last: -1, Covered: true}}
	}
	acts, err := r.DayActs(string(v.area), from.String(), to.String())
	if err != nil {
		return nil, err
	}
	for _, a := range acts {
		if d := days[a.Day]; d != nil {
			d.acts = append(d.acts, dayAct(a, v.accounts))
		}
	}
	for _, d := range days { // what is signed so far says what is late
		d.sheet = signoff.Read(d.acts, d.facts, v.two, v.nowMS)
	}
	count := v.lines
	if from != to {
		count = v.sums // a list of days shows no line
	}
	if err := count(r, days, from, to); err != nil {
		return nil, err
	}
	v.papers(days)
	if err := v.spoken(days); err != nil {
		return nil, err
	}
	found, err := r.DayFindings(from.String(), to.String(), &store.Within{Doors: v.doors, Gateways: v.gateways, Zones: []string{string(v.area)}})
	if err != nil {
		return nil, err
	}
	for _, f := range found {
		d := days[f.Day]
		if d == nil {
			continue
		}
		if d.found = append(d.found, f.Idx); f.Open {
			d.facts.Findings++
		}
		if !f.Unsigned { // that it waits for a signature adds nothing to what is signed
			d.facts.Last = max(d.facts.Last, f.Idx)
		}
	}
	gaps, err := p.gapsOf(r, v.names, v.area, from, to)
	if err != nil {
		return nil, err
	}
	for day, d := range days {
		date, _ := directory.ParseDate(day) // made above
		for _, g := range gaps {
			if g.From.UnixMilli() < d.facts.EndMS && (g.To.IsZero() || g.To.UnixMilli() > date.StartMS(v.zone)) {
				d.facts.Covered = false
			}
		}
		d.sheet = signoff.Read(d.acts, d.facts, v.two, v.nowMS)
	}
	return days, nil
}

// sums counts the zone's lines into their days without reading each. Of who has one only whoever signed is looked for, and nobody's late
// lines: enough to read a sheet and to act on quiet days, not to act on others.
func (v *dayReview) sums(r *store.ReadTx, days map[string]*reviewDay, from, to directory.Date) error {
	signers, refs := map[string]string{}, [][]byte(nil)
	for _, d := range days {
		if d.sheet.Signed == nil || d.sheet.Signed.By.Person == "" {
			continue
		}
		for ref := range r.PersonRefs(d.sheet.Signed.By.Person) {
			if signers[ref] == "" {
				signers[ref], refs = d.sheet.Signed.By.Person, append(refs, []byte(ref))
			}
		}
	}
	sums, err := r.DaySums(from.String(), to.String(), v.rowsOf, refs)
	if err != nil {
		return err
	}
	for _, s := range sums {
		d := days[s.Day]
		if d == nil {
			continue
		}
		d.facts.Rows += s.Rows
		d.facts.Last = max(d.facts.Last, s.Last)
		for _, ref := range s.Refs {
			d.facts.People = append(d.facts.People, signers[string(ref)])
		}
	}
	return v.seen(r, days, from, to)
}

// seen counts those who passed a door between parts of the zone and have a row there by that, since nothing says how they came in. Of all
// others such a passage is in the register of the zone within only.
func (v *dayReview) seen(r *store.ReadTx, days map[string]*reviewDay, from, to directory.Date) error {
	list, err := r.DaysInside(from.String(), to.String(), v.within)
	if err != nil {
		return err
	}
	for i := range list {
		x := &list[i]
		d := days[x.Day]
		if d == nil {
			continue
		}
		counts, err := v.seenFirst(x)
		if err != nil {
			return err
		}
		if !counts {
			continue
		}
		who, err := v.who(&attempt.Row{PersonRef: x.Ref, Opening: x.Opening})
		if err != nil {
			return err
		}
		d.facts.Rows += x.Rows
		d.facts.Last = max(d.facts.Last, x.Last)
		if d.facts.People = append(d.facts.People, who); d.sheet.Signed != nil && x.Last >= d.sheet.Upto {
			d.facts.Late = append(d.facts.Late, who)
		}
	}
	return nil
}

// seenFirst reports whether one of the passages may make a row: the one before them did not lead into the zone, or another door was passed
// between them, or guests may have come along, of whom their own passages tell.
func (v *dayReview) seenFirst(x *store.DayInside) (bool, error) {
	if x.Between {
		return true, nil
	}
	carriers := slices.ContainsFunc(v.visits, func(y visit.Visit) bool { return len(y.Carriers) > 0 })
	if !carriers && x.Door != "" {
		return !v.ledWithin(x.Door, x.Passage, x.PassedMS), nil
	}
	who, err := v.who(&attempt.Row{PersonRef: x.Ref, Opening: x.Opening})
	if err != nil {
		return false, err
	}
	for i := range v.visits {
		if slices.ContainsFunc(v.visits[i].Carriers, func(c visit.Carrier) bool { return string(c.Person) == who }) {
			return true, nil
		}
	}
	if x.Door != "" || who == "" {
		return x.Door == "" || !v.ledWithin(x.Door, x.Passage, x.PassedMS), nil
	}
	before, err := v.r.PassedBefore(who, x.FirstMS, 1) // a person's reference is another one each fiscal year
	if err != nil || len(before) == 0 {
		return true, err
	}
	l := &before[len(before)-1]
	return !v.ledWithin(l.Door, l.Passage, l.PassedMS), nil
}

// ledWithin reports whether a passage led into the zone or one in it.
func (v *dayReview) ledWithin(at, passage string, ms int64) bool {
	d, known := v.names.past.door(access.DoorID(at), ms)
	to := d.Enter
	if passage == string(door.EventExit) {
		to = d.Exit
	}
	return known && v.parents.within(to, v.area)
}

// lines reads the zone's lines and counts them into their days.
func (v *dayReview) lines(r *store.ReadTx, days map[string]*reviewDay, from, to directory.Date) error {
	lines, err := r.Lines(from.String(), to.String())
	if err == nil {
		err = v.meet(lines)
	}
	if err != nil {
		return err
	}
	for i := range lines {
		l := &lines[i]
		d := days[l.Day]
		if d == nil || !v.makesRow(l) {
			continue
		}
		who, err := v.who(l)
		if err != nil {
			return err
		}
		d.facts.Rows++
		d.facts.Last = max(d.facts.Last, l.Last)
		if d.facts.People = append(d.facts.People, who); d.sheet.Signed != nil && l.Last >= d.sheet.Upto {
			d.facts.Late = append(d.facts.Late, who)
		}
	}
	v.add(lines)
	return v.seen(r, days, from, to)
}

// makesRow reports whether a line makes a row in the zone's register whatever came before it, or may yet, as DaySums counts it.
func (v *dayReview) makesRow(l *attempt.Row) bool {
	out := door.Event(l.Passage) == door.EventExit
	switch passed := out || door.Event(l.Passage) == door.EventEntry; {
	case passed && l.PersonRef != nil:
		return slices.Contains(v.rowsOf.Across, l.Door)
	case out: // of nobody known: an opening of the zone that it leads to, else of the one that was left
		return slices.Contains(v.rowsOf.Back, l.Door)
	}
	return slices.Contains(v.rowsOf.Into, l.Door)
}

// papers counts what was typed in from paper into the day that it tells of (OP-8).
func (v *dayReview) papers(days map[string]*reviewDay) {
	tree := zoneTree{}
	for z, parent := range v.tree {
		tree[access.ZoneID(z)] = access.ZoneID(parent)
	}
	for i := range v.paper {
		x := &v.paper[i]
		d := days[directory.DateOf(time.UnixMilli(x.InMS).In(v.zone)).String()]
		if d == nil || !tree.within(x.Zone, v.area) {
			continue
		}
		d.facts.Rows++
		d.facts.Last = max(d.facts.Last, v.paperLeaf[x.ID])
	}
}

func (v *dayReview) show(day string, d *reviewDay) web.ReviewDay {
	out := web.ReviewDay{Day: day, Sheet: d.sheet, Rows: d.facts.Rows, Findings: d.facts.Findings, Covered: d.facts.Covered, DueMS: d.facts.DueMS, Two: v.two}
	if a := d.sheet.Signed; a != nil {
		out.SignedBy = v.fullName[a.By.Account]
	}
	if a := d.sheet.Second; a != nil {
		out.SecondBy = v.fullName[a.By.Account]
	}
	return out
}

// ReviewDays implements web.Reviews.
func (p *pages) ReviewDays(ctx context.Context, zone access.ZoneID, from, to string) (out []web.ReviewDay, err error) {
	first, last, err := registerDays(web.RegisterQuery{From: from, To: to})
	if err != nil {
		return nil, err
	}
	n := p.names(ctx)
	err = p.store.Read(ctx, func(r *store.ReadTx) error {
		v, err := p.openReview(r.Reader, n, zone, first, last)
		if err != nil {
			return err
		}
		days, err := v.read(p, r, first, last)
		for day, d := range days {
			out = append(out, v.show(day, d))
		}
		return err
	})
	slices.SortFunc(out, func(a, b web.ReviewDay) int { return cmp.Compare(a.Day, b.Day) })
	return out, err
}

// ReviewDay implements web.Reviews.
func (p *pages) ReviewDay(ctx context.Context, zone access.ZoneID, day string, show bool) (out web.ReviewSheet, err error) {
	date, _, err := registerDays(web.RegisterQuery{From: day, To: day})
	if err != nil {
		return out, err
	}
	n := p.names(ctx)
	err = p.store.Read(ctx, func(r *store.ReadTx) error {
		size, err := r.LogSize()
		if err != nil {
			return err
		}
		v, err := p.openReview(r.Reader, n, zone, date, date)
		if err != nil {
			return err
		}
		days, err := v.read(p, r, date, date)
		if err != nil {
			return err
		}
		d := days[day]
		if d == nil {
			return fmt.Errorf("day %s is before the log: %w", day, web.ErrNotFound)
		}
		out = web.ReviewSheet{ReviewDay: v.show(day, d), Size: uint64(size)}
		out.Register = web.Register{Zone: web.ZoneName{ID: zone, Name: n.zone(zone)}, UpTo: p.now()}
		if out.Register.Gaps, err = p.gapsOf(r, n, zone, date, date); err != nil {
			return err
		}
		rows, ended, err := v.rows(zone)
		if err != nil {
			return err
		}
		for i := range rows {
			x := v.row(&rows[i], show)
			out.Register.Rows = append(out.Register.Rows, x)
			if x.Purpose == "" && x.PurposeSource == "" && rows[i].Entry != nil && v.site.Settings.AsksPurpose(zone) {
				out.Blank++
			}
		}
		out.Register.Rows = v.withPaper(out.Register.Rows, zone, date, date, show)
		for i := range out.Register.Rows {
			if x := &out.Register.Rows[i]; d.sheet.Signed != nil && x.Last >= uint64(d.sheet.Upto) {
				out.Late = append(out.Late, cmp.Or(x.Attempt, x.Paper))
			}
		}
		for i := range ended {
			x := v.row(&ended[i], show)
			if out.Ended = append(out.Ended, x); d.sheet.Signed != nil && x.ExitLast >= uint64(d.sheet.Upto) {
				out.Late = append(out.Late, x.Attempt)
			}
		}
		if out.Out, err = v.outOfService(date, show); err != nil {
			return err
		}
		for _, idx := range d.found {
			f, err := r.Finding(idx)
			if err != nil {
				return err
			}
			out.Found = append(out.Found, p.finding(r.Reader, f, n, show))
		}
		for i := range d.acts {
			a := &d.acts[i]
			x := web.ReviewAct{Kind: a.Kind, By: v.fullName[a.By.Account], AtMS: a.AtMS, Leaf: uint64(a.Idx), Upto: uint64(a.Upto)}
			if o, err := r.Opening(a.Idx); err == nil && show {
				x.Reason = o.Text
			}
			out.History = append(out.History, x)
		}
		return nil
	})
	return out, err
}

// outOfService lists the zone's doors that were in paper mode on a day: each review shows them (OP-8).
func (v *dayReview) outOfService(day directory.Date, show bool) (out []web.DoorOut, err error) {
	const most = 31 * 24 * 3_600_000 // no outage is longer
	start, end := day.StartMS(v.zone), day.EndMS(v.zone)
	rows, err := v.r.MattersBetween(visit.KindOutage, start-most, end)
	all, err := list[visit.Outage](v.r, rows, err)
	for i := range all {
		x := &all[i]
		if x.Until() <= start || !slices.Contains(v.doors, string(x.Door)) && !slices.Contains(v.borders, string(x.Door)) {
			continue
		}
		d := web.DoorOut{Door: x.Door, Name: v.names.door(x.Door), Ticket: x.Ticket, Outage: *x}
		if show {
			d.Owner = x.Owner
		}
		out = append(out, d)
	}
	return out, err
}
