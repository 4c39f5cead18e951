package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// hanging stands for the gateway's own check of a release that never gets well: it is taken at the first time, and then only with --again.
type hanging struct {
	tried   int  // how often it was taken
	refuses bool // whatever is asked
	trial   bool // it is held to be on trial until somebody drops it; then it is refused, whatever is asked
}

var errNotWell = errors.New("exit status 1")

func (h *hanging) stage(_ string, again bool) error {
	if h.refuses || h.tried > 0 && !again {
		return errNotWell
	}
	h.tried++
	return errTaken
}

// run is that check as a command of the gateway, with its arguments.
func (h *hanging) run(args []string) error {
	if slices.Contains(args, "--cut") {
		h.trial = false
	}
	if h.trial {
		return errNotWell
	}
	err := h.stage("", slices.Contains(args, "--again"))
	h.trial = errors.Is(err, errTaken)
	return err
}

// stick is a folder with a release and an again.txt.
func stick(t *testing.T, number int64, written time.Time) (dir, file string) {
	t.Helper()
	dir = t.TempDir()
	file = filepath.Join(dir, again)
	text := fmt.Sprintf("monban list 2\nversion v\nnumber %d\nexpires 2030-01-01\n", number)
	if err := errors.Join(os.WriteFile(filepath.Join(dir, "MANIFEST"), []byte(text), 0o600), os.WriteFile(file, nil, 0o600), os.Chtimes(file, written, written)); err != nil {
		t.Fatal(err)
	}
	return dir, file
}

// OP-4: a release that hangs until the machine is reset is tried once more for each again.txt, not at each start for ever.
func TestAgainOnce(t *testing.T) {
	var said bytes.Buffer
	used, h := retries(filepath.Join(t.TempDir(), "again")), &hanging{}
	day := time.Unix(1_800_000_000, 0)
	dir, file := stick(t, 200, day)
	starts := func(n int) (last error) {
		for range n { // each a reset: nothing but the files is remembered
			last = (&gateway{machine: &machine{out: &journal{console: &said}}}).offer(dir, file, used, h.stage)
		}
		return last
	}
	if starts(1); h.tried != 1 || said.Len() != 0 {
		t.Fatalf("tried %d times, said %q: the first time needs no again.txt", h.tried, said.String())
	}
	err := starts(20)
	if h.tried != 2 || !strings.Contains(fmt.Sprint(err), "already: a newer release, or make the file anew") {
		t.Errorf("tried %d times, want 2: %v", h.tried, err)
	}
	if n := strings.Count(said.String(), "again.txt: release 200 is tried once more"); n != 1 {
		t.Errorf("told %d times: %s", n, said.String())
	}
	if err := os.Chtimes(file, day, day.Add(2*time.Second)); err != nil { // made anew
		t.Fatal(err)
	}
	if starts(20); h.tried != 3 {
		t.Errorf("tried %d times, want 3: somebody made the file anew", h.tried)
	}
	other, second := stick(t, 200, day) // two sticks in turn: the older file has had its retry
	for range 20 {
		if err := used.once(retry{200, day.Unix()}, func() error { h.tried++; return nil }); err == nil {
			t.Fatal("an older file is good again")
		}
	}
	if r, err := retryOf(other, second); err != nil || r != (retry{200, day.Unix()}) {
		t.Errorf("%+v, %v", r, err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := starts(1); !errors.Is(err, errNotWell) || h.tried != 3 {
		t.Errorf("without the file: tried %d times, %v", h.tried, err)
	}
}

// OP-4: an again.txt that lies there at the first start after the trial was cut short acts at that start: the trial is dropped first. Beside a running
// gateway nothing is dropped: its program may be on trial.
func TestAgainAtTheStartAfterTheCut(t *testing.T) {
	used, h := retries(filepath.Join(t.TempDir(), "again")), &hanging{}
	dir, file := stick(t, 200, time.Unix(1_800_000_000, 0))
	look := func(at moment) error {
		g := &gateway{machine: &machine{out: &journal{console: io.Discard}}}
		return g.offer(dir, file, used, func(dir string, again bool) error { return h.run(stageArgs(dir, again, at)) })
	}
	if err := look(beforeGateway); !errors.Is(err, errTaken) || h.tried != 1 {
		t.Fatalf("the first time: %v, tried %d times", err, h.tried)
	}
	if err := look(besideGateway); errors.Is(err, errTaken) || h.tried != 1 || !h.trial {
		t.Fatalf("a stick while it is tried: %v, tried %d times", err, h.tried)
	}
	if all, err := used.read(); err != nil || len(all) != 0 {
		t.Fatalf("spent while it could not be tried: %v, %v", all, err)
	}
	if err := look(beforeGateway); !errors.Is(err, errTaken) || h.tried != 2 { // the power was away
		t.Fatalf("at the first start after the cut: %v, tried %d times", err, h.tried)
	}
	if err := look(beforeGateway); !strings.Contains(fmt.Sprint(err), "already") || h.tried != 2 {
		t.Fatalf("for the same file: %v, tried %d times", err, h.tried)
	}
}

// OP-4: what the gateway refuses does not spend the retry; what cannot be written down is not tried.
func TestAgainIsWrittenFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "again")
	used, r := retries(path), retry{200, 5}
	if err := used.once(r, func() error { return errNotWell }); !errors.Is(err, errNotWell) {
		t.Error(err)
	}
	cut := false // the power goes away while it is tried
	func() {
		defer func() { cut = recover() != nil }()
		_ = used.once(r, func() error { panic("power cut") })
	}()
	if err := used.once(r, func() error { t.Error("tried twice"); return nil }); !cut || err == nil {
		t.Errorf("after a power cut in the trial: %v", err)
	}
	for i := range int64(mostAgain + 3) { // bounded
		if err := used.once(retry{i + 300, 5}, func() error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := used.read(); err != nil || len(all) != mostAgain {
		t.Errorf("%d lines, %v", len(all), err)
	}
	for _, text := range []string{"x\n", "200 5", "200 5\n\n", "200  5\n", "200 5 6\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := used.once(retry{999, 5}, func() error { t.Errorf("%q: tried", text); return nil }); err == nil || !strings.Contains(err.Error(), "is damaged") {
			t.Errorf("%q: %v", text, err)
		}
	}
	none := retries(filepath.Join(t.TempDir(), "no folder", "again"))
	if err := none.once(r, func() error { t.Error("tried without a word of it on the disk"); return nil }); err == nil {
		t.Error("no error")
	}
	dir, file := stick(t, 200, time.Unix(5, 0))
	if err := os.WriteFile(filepath.Join(dir, "MANIFEST"), []byte("monban list 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := retryOf(dir, file); err == nil || !strings.Contains(err.Error(), "no line with its number") {
		t.Error(err)
	}
}
