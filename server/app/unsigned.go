package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"monban/firmware/access"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/policypub"
	"monban/server/review"
	"monban/server/signoff"
	"monban/server/store"
)

// unsignedSwept is the setting that holds the last day of which it was looked whether it was signed in time.
const unsignedSwept = "unsigned_swept"

// unsignedDays is how many days before the one that is due are looked at again: an addition or a signature taken back comes late.
const unsignedDays = 365

// tellUnsigned makes one finding of each zone's day that was not signed at its due time though there is something on it, and another when
// it waits anew after that: opened again, returned, for the second person, or with an addition (VR-11). It runs once a minute and takes one
// day that has come due at a time, with those before it; a new site's first is a week ago.
func (p *pages) tellUnsigned(ctx context.Context) error {
	now := p.now()
	day := directory.DateOf(now.In(p.store.Zone())).AddDays(-7)
	err := p.store.Read(ctx, func(r *store.ReadTx) error {
		swept, err := r.Setting(unsignedSwept)
		if last, bad := directory.ParseDate(swept); err == nil && bad == nil {
			day = last.AddDays(1)
		}
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil || !day.Before(directory.DateOf(now.In(p.store.Zone()))) {
		return err
	}
	due, err := p.isDue(ctx, day, now)
	if err != nil || !due {
		return err // another minute
	}
	var late []string
	dir := p.directory()
	for i := range dir.Zones {
		zone := dir.Zones[i].ID
		list, err := p.unsignedOf(ctx, zone, day)
		if err != nil {
			return fmt.Errorf("signatures of %s to %s: %w", zone, day, err)
		}
		late = append(late, list...)
	}
	return p.store.Write(ctx, func(tx *store.Tx) error {
		for _, detail := range late {
			f := review.New(review.UnsignedDay, review.NoCause)
			_, err := tx.AppendFinding(attempt.Finding{Kind: string(f.Kind), Severity: f.Severity.String(), Cause: f.Cause, Detail: detail, AtMS: now.UnixMilli()}, nil)
			if err != nil {
				return fmt.Errorf("log finding %s: %w", f.Kind, err)
			}
		}
		return tx.SetSetting(unsignedSwept, day.String())
	})
}

// isDue reports whether a day's due time is over: it is asked each minute, so without reading the days.
func (p *pages) isDue(ctx context.Context, day directory.Date, now time.Time) (due bool, err error) {
	dir := p.directory()
	err = p.store.Read(ctx, func(r *store.ReadTx) error {
		site, err := policypub.VisitSite(r.Reader, &dir, p.store.Zone())
		if err == nil {
			due = now.UnixMilli() >= site.ClosingAfter(day.StartMS(p.store.Zone()), dueDays)
		}
		return err
	})
	return due, err
}

// unsignedOf lists the details of a zone's days up to the one that has come due of which it is to be told that they wait.
func (p *pages) unsignedOf(ctx context.Context, zone access.ZoneID, day directory.Date) (late []string, err error) {
	n := p.names(ctx)
	from := day.AddDays(-unsignedDays)
	err = p.store.Read(ctx, func(r *store.ReadTx) error {
		v, err := p.openReview(r.Reader, n, zone, from, day)
		if err != nil {
			return err
		}
		days, err := v.read(p, r, from, day)
		if err != nil {
			return err
		}
		for x := from; !day.Before(x); x = x.AddDays(1) {
			d := days[x.String()]
			if d == nil || !d.waits(x == day) {
				continue
			}
			detail := string(zone) + "/" + x.String()
			told, err := r.FoundAfter(string(review.UnsignedDay), detail, d.since())
			if err != nil {
				return err
			}
			if !told {
				late = append(late, detail)
			}
		}
		return nil
	})
	return late, err
}

// waits reports whether a day is overdue with something on it. first: its due time has only come.
func (d *reviewDay) waits(first bool) bool {
	s := &d.sheet
	switch {
	case !s.Overdue:
		return false
	case s.Status == signoff.Additional:
		return true
	case s.Status == signoff.Waiting && !first && s.Last.AtMS < d.facts.DueMS:
		return false // it was told then, or was done and waits only because the zone takes two persons by now
	}
	return d.facts.Rows > 0 || d.facts.Findings > 0
}

// since gives the leaf with which the day began to stand as it does, -1 = it was never signed: a finding after that has told it.
func (d *reviewDay) since() int64 {
	leaf := int64(-1)
	if d.sheet.Last != nil {
		leaf = d.sheet.Last.Idx
	}
	if d.sheet.Status == signoff.Additional {
		leaf = max(leaf, d.facts.Last)
	}
	return leaf
}
