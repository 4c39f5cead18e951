package app

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/store"
	"monban/server/visit"
)

// VisitSite is the directory and the settings that decisions look at.
func (v *Visits) VisitSite(ctx context.Context) (out *visit.Site, err error) {
	err = v.read(ctx, func(_ store.Reader, s *visit.Site) error { out = s; return nil })
	return out, err
}

// OwnEntries lists the lines of the last days that are a person's, newest first, each with its purpose (RR-7).
func (v *Visits) OwnEntries(ctx context.Context, person directory.PersonID, days int) (out []visit.OwnEntry, err error) {
	if person == "" {
		return nil, nil // an account without a person has no entries
	}
	err = v.read(ctx, func(r store.Reader, s *visit.Site) error {
		const day = 24 * 3_600_000
		now := v.nowMS()
		rows, err := r.OfPerson(string(person), entrylog.Day(now-int64(days)*day, s.Zone), entrylog.Day(now, s.Zone))
		if err == nil {
			out, err = ownEntries(r, s, person, rows, now)
		}
		return err
	})
	slices.Reverse(out)
	return out, err
}

// ownEntries tells of a person's lines, oldest first, what their own pages and the pack that they are handed say (PR-3).
func ownEntries(r store.Reader, s *visit.Site, person directory.PersonID, rows []attempt.Row, nowMS int64) (out []visit.OwnEntry, err error) {
	seen := map[string]*dayPurposes{}
	for _, row := range rows {
		e := visit.OwnEntry{Attempt: hex.EncodeToString(row.ID[:]), AtMS: middle(&row), Door: access.DoorID(row.Door), Granted: row.Outcome == access.Granted.String()}
		e.Side, _ = access.ParseSide(row.Side)       // unknown reads "unknown"
		e.Reason, _ = access.ParseReason(row.Reason) // unknown text reads "undecided"
		e.Passed = row.Passage == string(door.EventEntry) || row.Passage == string(door.EventExit)
		p := passage(&row, s.Dir)
		p.Person, e.Zone = person, p.Zone
		if e.Passed && p.In {
			if len(seen) > 40 {
				clear(seen) // a pack of years does not hold them all
			}
			known, err := purposesAt(r, s, row.Day, seen)
			if err != nil {
				return nil, err
			}
			if p.Keyed, err = keyed(r, &row); err != nil {
				return nil, err
			}
			e.Purpose, e.From = visit.PurposeOf(p, known.visits, known.stated)
			e.Asks = e.From == visit.NoPurpose && p.Zone != "" && s.Settings.AsksPurpose(p.Zone)
		}
		out = append(out, e)
	}
	exits, err := exitsOf(r, out, nowMS)
	if err != nil {
		return nil, err
	}
	visit.MarkExits(out, readsExit(s), directory.DateOf(time.UnixMilli(nowMS).In(s.Zone)).StartMS(s.Zone), exits)
	return out, nil
}

// exitsOf reads the statements about the exits of entries.
func exitsOf(r store.Reader, entries []visit.OwnEntry, nowMS int64) ([]visit.ExitStated, error) {
	from := nowMS
	for i := range entries {
		from = min(from, entries[i].AtMS)
	}
	rows, err := r.MattersBetween(visit.KindExit, from-3_600_000, nowMS+1)
	return list[visit.ExitStated](r, rows, err)
}

// readsExit tells at which doors an exit is read: where it is not, nobody forgets one.
func readsExit(s *visit.Site) func(access.DoorID) bool {
	return func(id access.DoorID) bool {
		return slices.ContainsFunc(s.Dir.Doors, func(d directory.Door) bool { return d.ID == id && d.Sensing == door.ExitReader })
	}
}

// StateExit says afterwards when somebody left whose exit was not read (RR-6); only who entered can, about an entry of the last
// 60 days that no exit followed.
func (v *Visits) StateExit(ctx context.Context, attempt string, left time.Time, by visit.Actor) (visit.ExitStated, error) {
	entries, err := v.OwnEntries(ctx, by.Person, 60)
	if err != nil {
		return visit.ExitStated{}, err
	}
	i := slices.IndexFunc(entries, func(e visit.OwnEntry) bool { return e.Attempt == attempt })
	if i < 0 {
		return visit.ExitStated{}, visit.ErrNotHolder
	}
	return begin(ctx, v, visit.KindExit, false, deed{by, "exit_stated", ""}, func(t *visitTx, id string) (none visit.ExitStated, err error) {
		e, _, err := entryOf(t.Reader, t.site, attempt)
		if err != nil {
			return none, err
		}
		stated, err := exitsOf(t.Reader, entries, t.nowMS)
		if err != nil {
			return none, err
		}
		if !entries[i].NoExit || slices.ContainsFunc(stated, func(x visit.ExitStated) bool { return x.Attempt == attempt }) {
			return none, visit.ErrState // an exit followed, or it was said already
		}
		x, err := visit.StateExit(e, left.UnixMilli(), entries[i].NextMS, by, t.nowMS)
		x.ID = id
		return x, err
	}, nil)
}

// ConfirmExit is the zone manager's word about it.
func (v *Visits) ConfirmExit(ctx context.Context, id string, by visit.Actor) (visit.ExitStated, error) {
	return step(ctx, v, visit.KindExit, id, false, deed{by, "exit_confirmed", ""}, func(t *visitTx, m *visit.ExitStated) error {
		if err := t.twoAccounts(m.Stated, by); err != nil {
			return err
		}
		return m.Confirm(by, t.nowMS)
	})
}

// ExitStatements lists the stated exits that nobody has confirmed.
func (v *Visits) ExitStatements(ctx context.Context) (out []visit.ExitStated, err error) {
	err = v.read(ctx, func(r store.Reader, s *visit.Site) error {
		out, err = list[visit.ExitStated](openOf(r, visit.KindExit))
		return err
	})
	return out, err
}

// dayPurposes is what tells the purposes of a day's entries.
type dayPurposes struct {
	visits []visit.Visit
	stated []visit.Purpose
}

func purposesAt(r store.Reader, s *visit.Site, day string, seen map[string]*dayPurposes) (*dayPurposes, error) {
	if p := seen[day]; p != nil {
		return p, nil
	}
	d, err := directory.ParseDate(day)
	if err != nil {
		return nil, err
	}
	visits, err1 := visitsOf(r, s, d)
	stated, err2 := purposesOf(r, s, d)
	seen[day] = &dayPurposes{visits, stated}
	return seen[day], errors.Join(err1, err2)
}
