package app

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"

	"monban/firmware/access"
	"monban/firmware/door"
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
		if err != nil {
			return err
		}
		seen := map[string]*dayPurposes{}
		for _, row := range rows {
			e := visit.OwnEntry{Attempt: hex.EncodeToString(row.ID[:]), AtMS: middle(&row), Door: access.DoorID(row.Door), Granted: row.Outcome == access.Granted.String()}
			e.Side, _ = access.ParseSide(row.Side)       // unknown reads "unknown"
			e.Reason, _ = access.ParseReason(row.Reason) // unknown text reads "undecided"
			e.Passed = row.Passage == string(door.EventEntry) || row.Passage == string(door.EventExit)
			p := passage(&row, s.Dir)
			p.Person, e.Zone = person, p.Zone
			if e.Passed && p.In {
				known, err := purposesAt(r, s, row.Day, seen)
				if err != nil {
					return err
				}
				e.Purpose, e.From = visit.PurposeOf(p, known.visits, 0, s, known.stated)
				e.Asks = e.From == visit.NoPurpose && p.Zone != "" && s.Settings.AsksPurpose(p.Zone)
			}
			out = append(out, e)
		}
		return nil
	})
	slices.Reverse(out)
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
