package app

import (
	"context"
	"slices"
	"testing"
	"time"

	"monban/server/jobs"
	"monban/server/review"
	"monban/server/store"
)

// EV-7: a clock of the server that has gone back by more than an hour is found once, also when it did so over a restart, and each time; what NTP
// corrects after a boot is not, nor is a server that was away.
func TestServersClockWentBack(t *testing.T) {
	withSite(t, testSite(t), func(s *Site) {
		now := time.Date(2026, 11, 24, 9, 0, 0, 0, s.Config.Location())
		step := func(after time.Duration, want int) {
			t.Helper()
			now = now.Add(after)
			for range 2 {
				if err := watchClock(t.Context(), s.Store, now); err != nil {
					t.Fatal(err)
				}
			}
			if n := countFindings(t, s.Store, review.ClockStep); n != want {
				t.Errorf("%s: %d findings, want %d", now, n, want)
			}
		}
		step(0, 0)
		step(time.Minute, 0)
		step(100*24*time.Hour, 0) // away, or ahead: nobody can tell
		step(-59*time.Minute, 0)
		step(-100*24*time.Hour, 1)
		step(time.Minute, 1)
		step(200*24*time.Hour, 1)
		step(-200*24*time.Hour, 2)
	})
}

// AL-1, OP-2: a server that begins on a wrong date, months ahead, does all its regular work from the day on which its clock is right again, each of it once
// for each time; what it counted meanwhile is told.
func TestEveryJobAfterAWrongClock(t *testing.T) {
	withSite(t, testSite(t), func(s *Site) {
		pub, err := s.publisher()
		if err != nil {
			t.Fatal(err)
		}
		if err := pub.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		cfg := *s.Config
		cfg.Backup.Dir = t.TempDir()
		a := &App{site: s, log: quiet, pub: pub}
		list := a.regularWork(&cfg)
		ran := map[string][]string{}
		for i := range list {
			name := list[i].Name
			list[i].Do = func(_ context.Context, due time.Time) (string, error) {
				ran[name] = append(ran[name], due.In(cfg.Location()).Format(time.DateOnly))
				return "", nil
			}
		}
		var now time.Time
		look := func(day string) {
			t.Helper()
			at, err := time.ParseInLocation(time.DateTime, day+" 23:50:00", cfg.Location())
			if err != nil {
				t.Fatal(err)
			}
			now = at
			r, err := jobs.New(list, jobLog{s.Store}, cfg.Location(), func() time.Time { return now }, quiet) // a new process
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := r.Look(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		look("2028-08-01")
		look("2028-08-02")
		clear(ran)
		if err := s.Store.Write(t.Context(), func(tx *store.Tx) error {
			return tx.PutCounted(store.More{Kind: string(review.NoEntry), Severity: "low", Count: 2, Cause: -1, AtMS: now.UnixMilli(), SinceMS: now.UnixMilli(), DueMS: now.UnixMilli()})
		}); err != nil {
			t.Fatal(err)
		}
		look("2026-03-30")
		look("2026-03-31")
		look("2026-04-01") // Wednesday
		for _, j := range list {
			want := []string{"2026-03-31", "2026-04-01"}
			if j.Name == "disposal_due" {
				want = want[1:] // once a year
			}
			if !slices.Equal(ran[j.Name], want) {
				t.Errorf("%s ran for %v, want %v", j.Name, ran[j.Name], want)
			}
		}
		err = s.Store.Read(t.Context(), func(r *store.ReadTx) error {
			list, err := r.CountedUntil(now.UnixMilli())
			if len(list) != 1 {
				t.Errorf("to be told of what was counted: %v", list)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
