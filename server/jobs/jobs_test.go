package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
)

var farOff = time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)

var jst = time.FixedZone("Asia/Tokyo", 9*3600)

func at(s string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04:05", s, jst)
	if err != nil {
		panic(err)
	}
	return t
}

// memory is a Log; lose makes the next Put fail.
type memory struct {
	runs map[string][]Run
	lose error
}

func (m *memory) Last(_ context.Context, job string, until time.Time) (x Run, err error) {
	err = ErrNever
	for _, r := range m.runs[job] {
		if !r.Due.After(until) && (err != nil || r.Due.After(x.Due)) {
			x, err = r, nil
		}
	}
	return x, err
}

func (m *memory) Put(_ context.Context, x Run) error {
	if m.lose != nil {
		return m.lose
	}
	list := m.runs[x.Job]
	if i := slices.IndexFunc(list, func(r Run) bool { return r.Due.Equal(x.Due) }); i >= 0 {
		list[i] = x
		return nil
	}
	m.runs[x.Job] = append(list, x)
	return nil
}

// bench is one job with a clock of its own; every restart is a new Runner over the same log.
type bench struct {
	t    *testing.T
	now  time.Time
	runs *memory
	did  []string
	job  Job
	r    *Runner
}

func newBench(t *testing.T, start string) *bench {
	b := &bench{t: t, now: at(start), runs: &memory{runs: map[string][]Run{}}}
	b.job = Job{Name: "digest", Spec: "30 8 * * *", Do: func(_ context.Context, due time.Time) (string, error) {
		b.did = append(b.did, due.In(jst).Format("01-02 15:04"))
		return "sent", nil
	}}
	b.restart()
	return b
}

func (b *bench) restart() {
	b.t.Helper()
	loc, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		b.t.Fatal(err)
	}
	if b.r, err = New([]Job{b.job}, b.runs, loc, func() time.Time { return b.now }, slog.New(slog.DiscardHandler)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) at(when string) {
	b.t.Helper()
	b.now = at(when)
	if err := b.r.pass(b.t.Context(), &b.r.jobs[0]); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) want(list ...string) {
	b.t.Helper()
	if !slices.Equal(b.did, list) {
		b.t.Errorf("ran %q, want %q", b.did, list)
	}
}

func (b *bench) last() Run {
	x, err := b.runs.Last(b.t.Context(), "digest", farOff)
	if err != nil {
		b.t.Fatal(err)
	}
	return x
}

// A job runs at its hour of the site's zone, once, however often it is looked at and over restarts.
func TestOnceAtItsHour(t *testing.T) {
	b := newBench(t, "2026-11-24 08:00:00")
	b.at("2026-11-24 08:00:00")
	b.at("2026-11-24 08:29:59")
	b.want()
	b.at("2026-11-24 08:30:00")
	b.at("2026-11-24 08:30:00")
	b.restart()
	b.at("2026-11-24 23:59:59")
	b.want("11-24 08:30")
	if x := b.last(); x.State != StateDone || x.Note != "sent" || x.Missed != 0 || x.Tries != 1 {
		t.Errorf("run %+v", x)
	}
	b.at("2026-11-25 08:31:00")
	b.want("11-24 08:30", "11-25 08:30")
}

// A new server does not do yesterday's work.
func TestNothingIsDueBeforeTheFirstStart(t *testing.T) {
	b := newBench(t, "2026-11-24 09:00:00")
	b.at("2026-11-24 09:00:00")
	b.at("2026-11-24 18:00:00")
	b.want()
}

// After a downtime it runs once for all the times that were missed, and says how many there were.
func TestCatchUp(t *testing.T) {
	b := newBench(t, "2026-11-24 08:00:00")
	b.at("2026-11-24 08:00:00")
	b.restart()
	b.at("2026-11-28 12:00:00")
	b.want("11-28 08:30")
	if x := b.last(); x.Missed != 4 {
		t.Errorf("missed %d, want 4", x.Missed)
	}
	b.at("2026-11-28 12:00:05")
	b.want("11-28 08:30")
	b.at("2030-01-01 12:00:00")
	if x := b.last(); x.Missed != 39 {
		t.Errorf("after years missed %d: the counting has no bound", x.Missed)
	}
}

// EV-7, AL-2: a clock that was far ahead stops nothing. When it is right again the job is due at its hours; what was due meanwhile is made
// up for, and what has run for a time does not run for it again. So with a clock that was far back, or a little ahead.
func TestClockWasWrong(t *testing.T) {
	b := newBench(t, "2026-11-24 08:00:00")
	b.at("2026-11-24 08:00:00")
	b.at("2026-11-24 08:30:00")
	b.at("2027-03-05 10:00:00") // the battery's clock is wrong
	b.restart()
	b.at("2026-11-25 10:00:00")
	b.at("2026-11-25 10:00:05")
	b.at("2026-11-26 08:30:00")
	b.want("11-24 08:30", "03-05 08:30", "11-25 08:30", "11-26 08:30")
	b.at("2026-01-01 00:00:00") // another battery is empty
	b.at("2026-11-26 09:00:00")
	b.want("11-24 08:30", "03-05 08:30", "11-25 08:30", "11-26 08:30")
	b.at("2026-11-27 08:29:00")
	b.at("2026-11-27 08:31:00")
	b.at("2026-11-27 08:29:00") // set back by two minutes
	b.at("2026-11-27 08:30:00")
	b.want("11-24 08:30", "03-05 08:30", "11-25 08:30", "11-26 08:30", "11-27 08:30")

	// The first start of a server with a wrong date; and one that ended under a run of then.
	b = newBench(t, "2027-03-04 08:00:00")
	b.at("2027-03-04 08:00:00")
	b.at("2027-03-05 08:30:00")
	x := b.last()
	x.State = StateRunning
	if err := b.runs.Put(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	b.restart()
	b.at("2026-11-24 08:00:00")
	b.at("2026-11-24 08:30:00")
	b.at("2026-11-25 08:30:00")
	b.want("03-05 08:30", "11-24 08:30", "11-25 08:30")
}

// Business days only: AL-2's dates. A closed day is not made up for.
func TestDays(t *testing.T) {
	b := newBench(t, "2026-11-20 08:00:00") // Friday
	b.job.Days = func(d time.Time) bool {
		d = d.In(jst)
		return d.Weekday() != time.Saturday && d.Weekday() != time.Sunday && d.Format("01-02") != "11-23"
	}
	b.restart()
	for day := 20; day <= 24; day++ {
		for _, hour := range []string{"08:00:00", "08:30:00", "20:00:00"} {
			b.at(fmt.Sprintf("2026-11-%d %s", day, hour))
		}
	}
	b.want("11-20 08:30", "11-24 08:30")
}

// What fails is tried again after five minutes, three times in all, and then waits for its next hour; a panic is a failure.
func TestFailuresAreTriedAgain(t *testing.T) {
	b := newBench(t, "2026-11-24 08:00:00")
	good := b.job.Do
	b.job.Do = func(ctx context.Context, due time.Time) (string, error) {
		_, _ = good(ctx, due)
		if len(b.did) == 2 {
			panic("oh")
		}
		return "", errors.New("no paper")
	}
	b.restart()
	b.at("2026-11-24 08:00:00")
	for _, when := range []string{"08:30:00", "08:34:59", "08:35:00", "08:40:00", "08:45:00", "09:00:00"} {
		b.at("2026-11-24 " + when)
	}
	b.want("11-24 08:30", "11-24 08:30", "11-24 08:30")
	if x := b.last(); x.State != StateFailed || x.Tries != 3 || x.Note != "no paper" {
		t.Errorf("run %+v", x)
	}
	b.at("2026-11-25 08:30:00")
	if x := b.last(); x.Tries != 1 || !x.Due.Equal(at("2026-11-25 08:30:00")) {
		t.Errorf("next day %+v", x)
	}
}

// A run that the end of the server cut off is made again by the next process, for the same time; one that could not be written
// down is not begun at all.
func TestCutOff(t *testing.T) {
	b := newBench(t, "2026-11-24 08:00:00")
	b.at("2026-11-24 08:00:00")
	ctx, kill := context.WithCancel(t.Context())
	good := b.job.Do
	b.job.Do = func(ctx context.Context, due time.Time) (string, error) { kill(); return good(ctx, due) }
	b.restart()
	b.now = at("2026-11-24 08:30:00")
	if err := b.r.pass(ctx, &b.r.jobs[0]); err != nil {
		t.Fatal(err)
	}
	if x := b.last(); x.State != StateRunning {
		t.Fatalf("run %+v", x)
	}
	b.job.Do = good
	b.restart()
	b.at("2026-11-24 08:31:00")
	b.at("2026-11-24 08:32:00")
	b.want("11-24 08:30", "11-24 08:30")

	b.runs.lose = errors.New("disk full")
	b.now = at("2026-11-25 08:30:00")
	if err := b.r.pass(t.Context(), &b.r.jobs[0]); err == nil {
		t.Error("no error")
	}
	b.want("11-24 08:30", "11-24 08:30")
}

// A schedule that is none is an error at start, and so is a name that stands twice.
func TestBadJobs(t *testing.T) {
	for _, list := range [][]Job{{{Name: "x", Spec: "61 * * * *"}}, {{Name: "x", Spec: ""}}, {{Name: "x", Spec: "0 0 * * *"}, {Name: "x", Spec: "0 1 * * *"}}} {
		if _, err := New(list, nil, time.UTC, nil, nil); err == nil || !strings.HasPrefix(err.Error(), "job x: ") {
			t.Errorf("%+v: %v", list, err)
		}
	}
}
