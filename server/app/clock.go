package app

import (
	"context"
	"errors"
	"strconv"
	"time"

	"monban/server/attempt"
	"monban/server/review"
	"monban/server/store"
)

const (
	// clockSetting holds when this server last looked at its clock, UTC ms.
	clockSetting = "clock_seen"
	// clockKept is how old that may become: it is what is not noticed of a step.
	clockKept = 10 * time.Minute
	// clockBack is by how much the clock may go back untold (†): NTP's first correction after a boot.
	clockBack = time.Hour
	// ownClock is the detail of a finding about the server's clock.
	ownClock = "server"
)

// watchClock makes a finding, once, of a clock that has gone back by more than clockBack, also while the server was away: until then, or now, entries got
// wrong times (EV-7), and the regular work ran for days that were none. A clock that goes ahead cannot be told from a server that was away.
func watchClock(ctx context.Context, s *store.Store, now time.Time) error {
	var seen time.Time
	read := func(r store.Reader) error {
		text, err := r.Setting(clockSetting)
		if errors.Is(err, store.ErrNotFound) {
			seen, err = r.NewestJobStart() // of before the clock was watched
			return err
		}
		if err != nil {
			return err
		}
		ms, err := strconv.ParseInt(text, 10, 64)
		seen = time.UnixMilli(ms)
		return err
	}
	if err := s.Read(ctx, func(r *store.ReadTx) error { return read(r.Reader) }); err != nil {
		return err
	}
	if now.Sub(seen) < clockKept && seen.Sub(now) <= clockBack {
		return nil
	}
	return s.Write(ctx, func(tx *store.Tx) error {
		if err := read(tx.Reader); err != nil {
			return err
		}
		if err := tx.SetSetting(clockSetting, strconv.FormatInt(now.UnixMilli(), 10)); err != nil {
			return err
		}
		if seen.Sub(now) <= clockBack {
			return nil
		}
		f := review.New(review.ClockStep, review.NoCause)
		_, err := tx.AppendFinding(attempt.Finding{Kind: string(f.Kind), Severity: review.Medium.String(), Cause: f.Cause, Detail: ownClock, AtMS: now.UnixMilli()}, nil)
		return err
	})
}
