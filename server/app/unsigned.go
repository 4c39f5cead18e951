package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/review"
	"monban/server/signoff"
	"monban/server/store"
)

// unsignedSwept is the setting that holds the last day of which it was looked whether it was signed in time.
const unsignedSwept = "unsigned_swept"

// tellUnsigned makes one finding of each zone's day that was not signed at its due time though there is something on it (VR-11). It runs
// once a minute and looks at one day at a time; a new site's first is a week ago.
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
	var late []string
	dir := p.directory()
	for i := range dir.Zones {
		zone := dir.Zones[i].ID
		days, err := p.ReviewDays(ctx, zone, day.String(), day.String())
		if err != nil {
			return fmt.Errorf("signatures of %s on %s: %w", zone, day, err)
		}
		for _, d := range days {
			if now.Before(time.UnixMilli(d.DueMS)) {
				return nil // another minute
			}
			unsigned := d.Sheet.Status == signoff.Open || d.Sheet.Status == signoff.Returned || d.Sheet.Status == signoff.Waiting
			if unsigned && (d.Rows > 0 || d.Findings > 0) {
				late = append(late, string(zone)+"/"+day.String())
			}
		}
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
