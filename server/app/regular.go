package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"monban/firmware/calendar"
	"monban/server/config"
	"monban/server/jobs"
	"monban/server/store"
)

// keepRuns is how long runs of jobs and messages that arrived are kept.
const keepRuns = 90 * 24 * time.Hour

// jobLog keeps runs of jobs in the database.
type jobLog struct{ store *store.Store }

// Last implements jobs.Log.
func (l jobLog) Last(ctx context.Context, job string, until time.Time) (x jobs.Run, err error) {
	err = l.store.Read(ctx, func(r *store.ReadTx) error {
		x, err = r.LastJobRun(job, until)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		err = jobs.ErrNever
	}
	return x, err
}

// Put implements jobs.Log.
func (l jobLog) Put(ctx context.Context, x jobs.Run) error {
	return l.store.Write(ctx, func(tx *store.Tx) error { return tx.PutJobRun(x) })
}

// mailCheckpoint sends the log's newest checkpoint to who should keep it (EV-4). It holds no name and no room (PR-6).
func (a *App) mailCheckpoint(ctx context.Context, due time.Time) (string, error) {
	channels := a.site.Config.Alerts.Checkpoint
	if len(channels) == 0 {
		return "not set up", nil
	}
	signed := a.site.Store.Checkpoint()
	if signed == "" {
		return "", errors.New("nothing is signed: see doctor")
	}
	return "", a.alerts.Checkpoint(ctx, due.In(a.site.Config.Location()).Format(time.DateOnly), signed, channels)
}

// openJobs makes the regular work of the server.
func (a *App) openJobs(cfg *config.Config) (err error) {
	a.jobs, err = jobs.New(a.regularWork(cfg), jobLog{a.site.Store}, cfg.Location(), time.Now, a.log)
	return err
}

func (a *App) regularWork(cfg *config.Config) []jobs.Job {
	zone := cfg.Location()
	openDay := func(t time.Time) bool {
		days := closedOf(a.pub.Site().Directory())
		return days.IsBusinessDay(calendar.DateOf(t.In(zone)))
	}
	daily := func(s string) string {
		at, _ := config.TimeOfDay(s) // Validate has read it
		at = min(at, 24*3600-60)     // an office that closes at 24:00
		return fmt.Sprintf("%d %d * * *", at/60%60, at/3600)
	}
	bird := &canary{orders: a.orders, alerts: a.alerts, store: a.site.Store, channels: cfg.Alerts.Canary, wait: canaryWait}
	list := []jobs.Job{
		// Before people come, so that the digest can tell what it found.
		{Name: "self_test", Spec: "0 6 * * *", Do: a.selfTest},
		{Name: "digest", Spec: daily(cfg.Alerts.DigestAt), Days: openDay, Do: func(ctx context.Context, due time.Time) (string, error) { return "", a.alerts.Digest(ctx, due) }},
		{Name: "inside", Spec: daily(cfg.Alerts.Close), Days: openDay, Do: func(ctx context.Context, due time.Time) (string, error) {
			return (&insideTeller{a.reports.pages, a.alerts}).tell(ctx, due)
		}},
		{Name: "canary", Spec: daily(cfg.Alerts.CanaryAt), Do: bird.send},
		{Name: "canary_check", Spec: daily(cfg.Alerts.CanaryBy), Do: bird.check},
		// Late enough that one that was away overnight has been asked again, before people come.
		{Name: "witness_check", Spec: "10 6 * * *", Do: a.outside.check},
		{Name: "cosigned", Spec: "30 0 * * *", Do: a.outside.commit},
		{Name: "checkpoint", Spec: "20 6 * * *", Do: a.mailCheckpoint},
		{Name: "key_copies", Spec: "15 6 * * *", Do: a.remindCopies},
		{Name: "requests", Spec: "5 3 * * *", Do: func(ctx context.Context, _ time.Time) (string, error) {
			return factors{store: a.site.Store}.withdrawOld(ctx, time.Now())
		}},
		{Name: "upkeep", Spec: "15 3 * * *", Do: func(ctx context.Context, due time.Time) (string, error) {
			return "", a.site.Store.Write(ctx, func(tx *store.Tx) error {
				return errors.Join(tx.ForgetDeliveries(due.Add(-keepRuns)), tx.ForgetJobRuns(due.Add(-keepRuns)))
			})
		}},
	}
	list = append(list,
		// After the nightly backup; doors decide alone while the file is compacted.
		jobs.Job{Name: "disposal", Spec: "45 3 * * *", Do: a.retain.nightly},
		// In the first morning of a fiscal year something more is due.
		jobs.Job{Name: "disposal_due", Spec: "30 6 1 4 *", Do: a.retain.tellDue},
	)
	if cfg.Report.DayAt != "" {
		list = append(list, jobs.Job{Name: "day_paper", Spec: daily(cfg.Report.DayAt), Do: func(ctx context.Context, due time.Time) (string, error) {
			return (&dayPapers{a.reports, a.pages.DayPaper, zone, func() calendar.Calendar { return closedOf(a.pub.Site().Directory()) }}).make(ctx, due)
		}})
	}
	if cfg.Backup.Dir != "" {
		list = append(list, jobs.Job{Name: "backup", Spec: daily(cfg.Backup.At), Do: func(ctx context.Context, due time.Time) (string, error) {
			return nightly(ctx, cfg, due)
		}})
	}
	return list
}
