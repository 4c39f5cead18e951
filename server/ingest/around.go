package ingest

import (
	"errors"
	"hash/maphash"
	"slices"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/policypub"
	"monban/server/review"
	"monban/server/store"
	"monban/server/visit"
)

func timeIn(ms int64, zone *time.Location) time.Time { return time.UnixMilli(ms).In(zone) }

func dateIn(y int, m time.Month, d int, zone *time.Location) int64 {
	return time.Date(y, m, d, 0, 0, 0, 0, zone).UnixMilli()
}

// number makes an opaque number of a person's id or a card's reference: it means nothing outside of this process.
func (p *Pipeline) number(id string) uint64 { return maphash.String(p.seed, id) | 1 }

// Around is what is read of the log around one record.
type Around interface {
	AttemptRow(id [16]byte) (attempt.Row, error)
	PassedBefore(person string, ms int64, limit int) ([]attempt.Row, error)
	PassedAfter(person string, ms int64, limit int) ([]attempt.Row, error)
	Habits(person, door string, fromMS, beforeMS int64) (firstMS int64, used bool, err error)
	WorkCovers(e visit.Passage) (bool, error)
	OwnRights(person string) ([]store.OwnRight, error)
	Opening(idx int64) (entrylog.Opening, error)
}

// place fills in where a fact is and who made it, as far as no other record is needed. person is whose it is, "" = nobody's.
func (p *Pipeline) place(f *review.Fact, site *policypub.Current, person string) {
	at := timeIn(f.AtMS, p.zone)
	f.Minute = at.Hour()*60 + at.Minute()
	f.OpenDay = open(site.Directory(), directory.DateOf(at), at.Weekday())
	x := site.Door(f.Door)
	if x == nil || x.Gateway != f.Gateway {
		return // a door that is not the gateway's leads nowhere
	}
	d, known := site.Policy.Door(f.Door)
	if !known {
		return
	}
	f.Into, f.From = d.EnterZone, d.ExitZone
	if f.Event == door.EventExit {
		f.Into, f.From = d.ExitZone, d.EnterZone
	}
	zone, _ := site.Policy.Zone(f.Into)
	f.Together = zone.TwoPersonMS > 0 || zone.Escort != access.EscortNone
	if person == "" {
		return
	}
	f.Person = p.number(person)
	if no, ok := site.Policy.PersonNo(person); ok {
		who, _ := site.Policy.Person(no)
		f.Escort = who.MayEscort
		f.Outsider = !who.MayEscort && (zone.Escort == access.EscortVisitors && who.Category == access.CategoryVisitor ||
			zone.Escort == access.EscortOutsiders && who.Category != access.CategoryStaff)
	}
}

// open reports whether the offices are open on a day.
func open(dir *directory.Snapshot, d directory.Date, w time.Weekday) bool {
	if w == time.Saturday || w == time.Sunday {
		return false
	}
	for i := range dir.ClosedDays {
		if dir.ClosedDays[i].Day == d {
			return false
		}
	}
	return true
}

// past fills in what the log says of the person before and after a passage.
func (p *Pipeline) past(tx Around, f *review.Fact, site *policypub.Current, person string) error {
	if !f.Passed() {
		return nil
	}
	before, err := tx.PassedBefore(person, f.AtMS, 1)
	if err != nil {
		return err
	}
	if len(before) > 0 {
		f.Before = p.passage(&before[len(before)-1], f, site)
	}
	if f.Late && len(p.set.Walks) > 0 {
		after, err := tx.PassedAfter(person, f.AtMS, 1)
		if err != nil {
			return err
		}
		if len(after) > 0 {
			f.After = p.passage(&after[0], f, site)
		}
	}
	if f.Event != door.EventEntry {
		return nil
	}
	if f.FirstMS, f.Used, err = tx.Habits(person, string(f.Door), f.AtMS-p.set.FirstUseMS, f.AtMS); err != nil {
		return err
	}
	if f.Own, err = own(tx, f, site, person, directory.DateOf(timeIn(f.AtMS, p.zone))); err != nil || !p.watch.AsksWork(f) {
		return err
	}
	f.Named = p.named(site, directory.PersonID(person), f)
	f.Covered, err = tx.WorkCovers(visit.Passage{AtMS: f.AtMS, Door: f.Door, Zone: f.Into, In: true, Person: directory.PersonID(person)})
	return err
}

// own says by what a person came in that they gave themselves: the card, or every right that they have to the zone. Where another
// right lets them in too, they have not.
func own(tx Around, f *review.Fact, site *policypub.Current, person string, day directory.Date) (string, error) {
	list, err := tx.OwnRights(person)
	if err != nil || len(list) == 0 {
		return "", err
	}
	has := func(noun, id string) bool { return slices.Contains(list, store.OwnRight{Noun: noun, ID: id}) }
	row, err := tx.AttemptRow(f.Attempt)
	if err == nil && row.Opening != attempt.NoIndex {
		o, err := tx.Opening(row.Opening)
		if err != nil && !isNotFound(err) && !errors.Is(err, store.ErrErased) {
			return "", err
		}
		cards := site.Directory().Credentials
		for i := range cards {
			if c := &cards[i]; o.Masked != "" && c.Masked == o.Masked && string(c.Person) == person && has("card", string(c.ID)) {
				return "card", nil
			}
		}
	} else if err != nil && !isNotFound(err) {
		return "", err
	}
	what := ""
	for _, r := range site.Directory().RightsOf(directory.PersonID(person), day) {
		switch {
		case !r.Holds || r.Grant.Zone != f.Into:
		case r.Group == nil && has("grant", string(r.Grant.ID)):
			what = "grant"
		case r.Group != nil && has("group", string(r.Group.ID)):
			what = "group"
		default:
			return "", nil // somebody else let them in
		}
	}
	return what, nil
}

// passage is an earlier or later passage of the person of f.
func (p *Pipeline) passage(r *attempt.Row, f *review.Fact, site *policypub.Current) review.Passage {
	out := review.Passage{Known: true, AtMS: r.PassedMS, WidthMS: r.ToMS - r.FromMS, Door: access.DoorID(r.Door), Into: ledInto(site, r)}
	at := timeIn(r.PassedMS, p.zone)
	out.Usual = p.watch.Usual(open(site.Directory(), directory.DateOf(at), at.Weekday()), at.Hour()*60+at.Minute())
	out.Within = site.Policy.Within(out.Into, f.From)
	return out
}

// ledInto is the zone that a passage led into, "" = outside or a door that there is no more.
func ledInto(site *policypub.Current, r *attempt.Row) access.ZoneID {
	d, _ := site.Policy.Door(access.DoorID(r.Door))
	if r.Passage == string(door.EventExit) {
		return d.ExitZone
	}
	return d.EnterZone
}

// named reports whether a right of the person to the zone names the hour: its schedule holds then and is not around the
// clock. Where that cannot be told it does not.
func (p *Pipeline) named(site *policypub.Current, person directory.PersonID, f *review.Fact) bool {
	dir, at := site.Directory(), timeIn(f.AtMS, p.zone)
	for _, r := range dir.RightsOf(person, directory.DateOf(at)) {
		if !r.Holds || r.Grant.Zone != f.Into || r.Grant.Emergency {
			continue
		}
		for i := range dir.Schedules {
			s := &dir.Schedules[i]
			if s.ID != r.Grant.Schedule || s.Always() {
				continue
			}
			if hours, err := policypub.Hours(dir, s, p.zone, at, at.Add(time.Second)); err == nil && len(hours) > 0 {
				return true
			}
		}
	}
	return false
}

// whose finds the person of a record: its private part says, or the attempt that it belongs to.
func whose(tx Around, r *wire.Record, s *secret) (string, error) {
	if s != nil && s.opening != nil && s.opening.Person != "" {
		return s.opening.Person, nil
	}
	if r.Event != door.EventEntry && r.Event != door.EventExit || r.Attempt == (door.Attempt{}) {
		return "", nil
	}
	return holderOf(tx, r.Attempt)
}

// holderOf is whose an attempt is by the log, "" = nobody's, or nobody can tell any more.
func holderOf(tx Around, id [16]byte) (string, error) {
	row, err := tx.AttemptRow(id)
	if isNotFound(err) || err == nil && row.Opening == attempt.NoIndex {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	o, err := tx.Opening(row.Opening)
	if isNotFound(err) || errors.Is(err, store.ErrErased) {
		return "", nil
	}
	return o.Person, err
}
