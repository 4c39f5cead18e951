// Package jobs does the server's regular work at its hours: each job once for each time it is due, and once after a downtime for
// all the times that were missed.
//
// When a job is due is a pure function of its schedule, its last run and the time. What has run stands in the database before
// the job begins, so that neither a restart nor a second look runs it twice; one that the end of the server has cut off runs again.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/robfig/cron/v3"
)

// State of a run.
type State string

// States.
const (
	StateFirst   State = "first"   // the job was seen for the first time: from then on it is due
	StateRunning State = "running" // it runs, or the server ended under it
	StateDone    State = "done"
	StateFailed  State = "failed"
)

// Run is one time a job was due.
type Run struct {
	Job     string
	Due     time.Time
	Started time.Time
	Ended   time.Time // zero = not yet
	Tries   int
	Missed  int // earlier times it was due while the server was away
	State   State
	Note    string // what came of it, or the error
}

const (
	// look is how often the runner sees whether something is due.
	look = 5 * time.Second
	// retryAfter and mostTries: a job that fails is tried again, then it waits for its next hour.
	retryAfter = 5 * time.Minute
	mostTries  = 3
	// farthest is how long ago a missed time may be to be counted.
	farthest = 40 * 24 * time.Hour
	// mostNote is how much of a note is kept, bytes.
	mostNote = 300
)

// ErrNever is what Log.Last gives for a job that was never looked at.
var ErrNever = errors.New("never run")

// Log keeps runs.
type Log interface {
	// Last is the newest run that was due at a moment or before it; ErrNever.
	Last(ctx context.Context, job string, until time.Time) (Run, error)
	Put(ctx context.Context, x Run) error
}

// Job is regular work.
type Job struct {
	Name string
	Spec string // five fields of cron, in the site's zone
	// Days leaves only some days, e.g. business days; nil = every day.
	Days func(t time.Time) bool
	// Do does the work that was due at a time. It may run again for the same time after the server ended under it. note says
	// what came of it, without names.
	Do func(ctx context.Context, due time.Time) (note string, err error)

	schedule cron.Schedule
}

// Runner runs jobs.
type Runner struct {
	jobs []Job
	runs Log
	now  func() time.Time
	log  *slog.Logger
}

// New reads the schedules. zone is the site's.
func New(list []Job, runs Log, zone *time.Location, now func() time.Time, log *slog.Logger) (*Runner, error) {
	r := &Runner{runs: runs, now: now, log: log}
	names := map[string]bool{}
	for _, j := range list {
		var err error
		if j.schedule, err = cron.ParseStandard("CRON_TZ=" + zone.String() + " " + j.Spec); err != nil {
			return nil, fmt.Errorf("job %s: %w", j.Name, err)
		}
		if names[j.Name] {
			return nil, fmt.Errorf("job %s: stands twice", j.Name)
		}
		names[j.Name] = true
		r.jobs = append(r.jobs, j)
	}
	return r, nil
}

// Look does once what is due now, one job after the other.
func (r *Runner) Look(ctx context.Context) error {
	var errs []error
	for i := range r.jobs {
		errs = append(errs, r.pass(ctx, &r.jobs[i]))
	}
	return errors.Join(errs...)
}

// Run does what is due until ctx ends; then it waits for what runs. A long job keeps no other one waiting.
func (r *Runner) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for i := range r.jobs {
		wg.Go(func() {
			t := time.NewTicker(look)
			defer t.Stop()
			for ctx.Err() == nil {
				if err := r.pass(ctx, &r.jobs[i]); err != nil && ctx.Err() == nil {
					r.log.LogAttrs(ctx, slog.LevelError, "job not looked at, trying again", slog.String("job", r.jobs[i].Name), slog.Any("err", err))
				}
				select {
				case <-ctx.Done():
				case <-t.C:
				}
			}
		})
	}
	wg.Wait()
}

// pass runs a job if it is due.
func (r *Runner) pass(ctx context.Context, j *Job) error {
	now := r.now()
	last, err := r.runs.Last(ctx, j.Name, j.horizon(now))
	if errors.Is(err, ErrNever) {
		return r.runs.Put(ctx, Run{Job: j.Name, Due: now, Started: now, Ended: now, State: StateFirst})
	}
	if err != nil {
		return err
	}
	next, ok := following(j, last, now)
	if !ok {
		return nil
	}
	next.Started, next.Ended, next.State, next.Note = now, time.Time{}, StateRunning, ""
	next.Tries++
	if err := r.runs.Put(ctx, next); err != nil {
		return err
	}
	// From here on a restart finds it running and begins it again.
	note, failed := do(ctx, j, next.Due)
	if ctx.Err() != nil {
		return nil // cut off by the end of the server: it stays "running"
	}
	next.Ended, next.State, next.Note = r.now(), StateDone, note
	if failed != nil {
		next.State, next.Note = StateFailed, failed.Error()
		r.log.LogAttrs(ctx, slog.LevelError, "job failed", slog.String("job", j.Name), slog.Int("try", next.Tries), slog.Any("err", failed))
	}
	next.Note = clip(next.Note)
	return r.runs.Put(ctx, next)
}

// horizon is how far ahead of now a run may have been due that counts: the next time the job is due. A clock that was set back a little
// runs nothing twice. What was due later was made while the clock was far ahead; counted, it would stop the job until then.
func (j *Job) horizon(now time.Time) time.Time {
	if next := j.schedule.Next(now); !next.IsZero() {
		return next
	}
	return now
}

// following is the run that is to be made now, if any: the last one again when it was cut off or failed, else the newest time
// that the job was due since.
func following(j *Job, last Run, now time.Time) (Run, bool) {
	switch {
	case last.State == StateRunning: // of a process that has ended: this one runs a job one at a time
		return last, true
	case last.State == StateFailed && last.Tries < mostTries && !now.Before(last.Ended.Add(retryAfter)):
		return last, true
	}
	due, missed, ok := latest(j, last.Due, now)
	return Run{Job: j.Name, Due: due, Missed: missed}, ok
}

// latest is the newest time at which a job was due after one moment and not after another, and how many there were before it.
func latest(j *Job, after, now time.Time) (due time.Time, missed int, ok bool) {
	if oldest := now.Add(-farthest); after.Before(oldest) {
		after = oldest
	}
	for t := j.schedule.Next(after); !t.IsZero() && !t.After(now); t = j.schedule.Next(t) {
		if j.Days != nil && !j.Days(t) {
			continue
		}
		if ok {
			missed++
		}
		due, ok = t, true
	}
	return due, missed, ok
}

// do turns a panic into an error: one job must not end the server.
func do(ctx context.Context, j *Job, due time.Time) (note string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("BUG: panic in job %s: %v\n%s", j.Name, p, debug.Stack())
		}
	}()
	return j.Do(ctx, due)
}

func clip(s string) string {
	if len(s) > mostNote {
		s = strings.ToValidUTF8(s[:mostNote], "")
	}
	return s
}
