package report

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"
)

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func openSpool(t *testing.T, dir string, c *clock) *Spool {
	t.Helper()
	s, err := OpenSpool(dir, c.now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// ended waits until a job is over.
func ended(t *testing.T, s *Spool, account, id string) Job {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		for _, j := range s.Jobs(account) {
			if j.ID == id && j.State != Waiting && j.State != Running {
				return j
			}
		}
	}
	t.Fatal("the job does not end")
	return Job{}
}

func done(name string) func(context.Context, func(int, int)) (*Output, error) {
	return func(context.Context, func(int, int)) (*Output, error) {
		return &Output{Files: []File{{"a.csv", "text/csv", []byte(name)}}, Rows: 1, Hash: "h"}, nil
	}
}

// RR-1: a file is for whoever asked, for a day, and lies encrypted under a key that ends with the process; after a restart a job is
// lost and is asked for again.
func TestSpool(t *testing.T) {
	dir, c := t.TempDir(), &clock{time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)}
	s := openSpool(t, dir, c)
	id, err := s.Start(Job{Account: "A", Kind: "entry_register", Format: AsCSV, Query: "q"}, done("𠮷田"))
	if err != nil {
		t.Fatal(err)
	}
	if j := ended(t, s, "A", id); j.State != Done || j.Output.Rows != 1 || len(j.Files) != 1 || len(j.Output.Files) != 0 {
		t.Errorf("%+v", j)
	}
	if f, err := s.Read("A", id, 0); err != nil || string(f.Data) != "𠮷田" || f.Name != "a.csv" {
		t.Errorf("%+v %v", f, err)
	}
	for _, x := range []struct {
		account, id string
		n           int
	}{{"B", id, 0}, {"", id, 0}, {"A", id, 1}, {"A", id, -1}, {"A", "x", 0}} {
		if _, err := s.Read(x.account, x.id, x.n); !errors.Is(err, ErrNone) {
			t.Errorf("%+v: %v", x, err)
		}
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, f := range files {
		if data, _ := os.ReadFile(f); bytes.Contains(data, []byte("𠮷")) {
			t.Errorf("%s holds a name", f)
		}
	}
	bad, err := s.Start(Job{Account: "A"}, func(context.Context, func(int, int)) (*Output, error) { panic("library") })
	if err != nil {
		t.Fatal(err)
	}
	if j := ended(t, s, "A", bad); j.State != Failed {
		t.Errorf("after a panic: %+v", j)
	}

	again := openSpool(t, dir, c)
	if j := ended(t, again, "A", id); j.State != Lost || j.Query != "q" {
		t.Errorf("after a restart: %+v", j)
	}
	if _, err := again.Read("A", id, 0); !errors.Is(err, ErrNone) {
		t.Errorf("after a restart: %v", err)
	}
	c.at = c.at.Add(KeptFor - time.Second)
	if n := len(again.Jobs("A")); n != 2 {
		t.Errorf("%d jobs before their time", n)
	}
	c.at = c.at.Add(time.Second)
	if n := len(again.Jobs("A")); n != 0 {
		t.Errorf("%d jobs after their time", n)
	}
	if files, _ = filepath.Glob(filepath.Join(dir, "*")); len(files) != 0 {
		t.Errorf("files stay: %v", files)
	}
}

// One job at a time; too many are refused; a restart ends what runs and it is lost, not shown as running for ever.
func TestSpoolInTurn(t *testing.T) {
	dir, c := t.TempDir(), &clock{time.Now()}
	s := openSpool(t, dir, c)
	began, both := make(chan struct{}, maxWaiting), 0
	hang := func(ctx context.Context, progress func(int, int)) (*Output, error) {
		both++ // one at a time: no race
		progress(1, 3)
		began <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	var accounts []string
	for i := range maxWaiting { // in what order they get their turn is the scheduler's
		if i%maxWaitingEach == 0 {
			accounts = append(accounts, string(rune('A'+i/maxWaitingEach)))
		}
		if _, err := s.Start(Job{Account: string(rune('A' + i/maxWaitingEach))}, hang); err != nil {
			t.Fatal(err)
		}
	}
	<-began
	if _, err := s.Start(Job{Account: "Z"}, hang); !errors.Is(err, ErrBusy) {
		t.Errorf("one too many: %v", err)
	}
	running := 0
	for _, account := range accounts {
		for _, j := range s.Jobs(account) {
			if j.State == Running {
				if running++; j.Part != 1 || j.Parts != 3 {
					t.Errorf("%+v", j)
				}
			}
		}
	}
	if running != 1 {
		t.Errorf("%d run at once", running)
	}
	s.Close()
	again := openSpool(t, dir, c)
	for _, j := range again.Jobs("A") {
		if j.State != Lost && j.State != Failed {
			t.Errorf("after a restart: %+v", j)
		}
	}
	if _, err := s.Start(Job{Account: "A"}, hang); !errors.Is(err, ErrBusy) {
		t.Errorf("after its end: %v", err)
	}
}

// RR-1: one account's papers never keep another's waiting outside: each has its own share of the places.
func TestShareOfEach(t *testing.T) {
	s, err := OpenSpool(t.TempDir(), time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	gate := make(chan struct{})
	defer close(gate)
	hang := func(ctx context.Context, _ func(done, of int)) (*Output, error) {
		select {
		case <-gate:
		case <-ctx.Done():
		}
		return nil, context.Canceled
	}
	for i := range maxWaitingEach {
		if _, err := s.Start(Job{Account: "A"}, hang); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if _, err := s.Start(Job{Account: "A"}, hang); !errors.Is(err, ErrBusy) {
		t.Errorf("one more of the same: %v", err)
	}
	if _, err := s.Start(Job{Account: "B"}, hang); err != nil {
		t.Errorf("somebody else: %v", err)
	}
}

// PR-3, EV-8: a paper that was asked for before something was withheld is lost, with its file; one that was asked for after stays.
func TestPapersOfBefore(t *testing.T) {
	dir, c := t.TempDir(), &clock{time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)}
	s := openSpool(t, dir, c)
	var ids []string
	for range 2 {
		id, err := s.Start(Job{Account: "A", Kind: "entry_register", Format: AsCSV, Query: "q"}, done("𠮷田"))
		if err != nil {
			t.Fatal(err)
		}
		ended(t, s, "A", id)
		ids = append(ids, id)
		c.at = c.at.Add(time.Minute)
	}
	s.DropMadeBefore(c.at.Add(-time.Minute))
	if _, err := s.Read("A", ids[0], 0); !errors.Is(err, ErrNone) {
		t.Errorf("the older: %v", err)
	}
	if _, err := s.Read("A", ids[1], 0); err != nil {
		t.Errorf("the newer: %v", err)
	}
	c.at = c.at.Add(-time.Hour) // the clock was ahead and is set
	s.DropMadeBefore(c.at.Add(-time.Hour))
	if _, err := s.Read("A", ids[1], 0); !errors.Is(err, ErrNone) {
		t.Errorf("the newer, after the clock went back: %v", err)
	}
	if j := ended(t, s, "A", ids[0]); j.State != Lost || len(j.Files) != 0 {
		t.Errorf("%+v", j)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.bin")); len(left) != 0 {
		t.Errorf("files left: %v", left)
	}
}

// RR-1: papers that nobody asked for have room of their own: as many as there are zones and days, whatever the accounts have, which keep theirs.
func TestSpoolUnasked(t *testing.T) {
	dir, c := t.TempDir(), &clock{time.Now()}
	s := openSpool(t, dir, c)
	defer s.Close()
	quick := func(context.Context, func(int, int)) (*Output, error) { return &Output{}, nil }
	for range maxJobs + 1 {
		if _, err := s.Start(Job{Account: Unasked, Until: c.at.Add(3 * KeptFor)}, quick); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Start(Job{Account: "A"}, quick); err != nil {
		t.Errorf("an account's own: %v", err)
	}
	s.work.Wait()
	c.at = c.at.Add(3*KeptFor - time.Second)
	if n := len(s.Jobs(Unasked)); n != maxJobs+1 {
		t.Errorf("%d left before their time", n)
	}
	if n := len(s.Jobs("A")); n != 0 {
		t.Errorf("%d of an account kept for longer", n)
	}
	c.at = c.at.Add(time.Second)
	if n := len(s.Jobs(Unasked)); n != 0 {
		t.Errorf("%d left after their time", n)
	}
}
