package upgrade

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// holder says that this process holds the lock of dpkg that it names, until its input ends.
const holder = "MONBAN_HOLDS_LOCK"

// OP-4: another process that installs packages is seen by dpkg's own locks, whichever it holds, and named; once we hold them it is kept out.
func TestDpkgLock(t *testing.T) {
	if path := os.Getenv(holder); path != "" {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
		if err == nil {
			err = syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK})
		}
		if err != nil {
			os.Exit(3)
		}
		_, _ = os.Stdout.WriteString("held\n")
		_, _ = os.Stdin.Read(make([]byte, 1))
		os.Exit(0)
	}
	dir := t.TempDir()
	front, inner := filepath.Join(dir, "lock-frontend"), filepath.Join(dir, "lock")
	other := func(path string) (end func() error, code func() int) {
		c := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestDpkgLock$")
		c.Env = append(os.Environ(), holder+"="+path)
		in, err := c.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.StdoutPipe()
		if err == nil {
			err = c.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		_, _ = bufio.NewReader(out).ReadString('\n')
		return func() error { return errors.Join(in.Close(), c.Wait()) }, func() int { _ = c.Wait(); return c.ProcessState.ExitCode() }
	}
	for _, path := range []string{front, inner} {
		end, _ := other(path)
		if _, err := holdPackages(front, inner); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "process ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s is held: %v", filepath.Base(path), err)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	}
	release, err := holdPackages(front, inner)
	if err != nil || os.Getenv("DPKG_FRONTEND_LOCKED") == "" {
		t.Fatalf("when nobody holds it: %v", err)
	}
	if _, code := other(front); code() != 3 {
		t.Error("another took it meanwhile")
	}
	if err := release(); err != nil || os.Getenv("DPKG_FRONTEND_LOCKED") != "" {
		t.Error(err)
	}
	end, _ := other(front)
	if err := end(); err != nil {
		t.Errorf("given back, another cannot have it: %v", err)
	}
}

// busyMachine is one on which others install packages so many times that it is asked.
type busyMachine struct {
	Plain
	busy     *int
	released *int
	install  error
	putBacks *int
}

func (m busyMachine) Hold(context.Context) (func() error, error) {
	if *m.busy > 0 {
		*m.busy--
		return nil, ErrInUse
	}
	return func() error { *m.released++; return nil }, nil
}

func (m busyMachine) Install(ctx context.Context, pkg string) error {
	if m.install != nil {
		return m.install
	}
	return m.Plain.Install(ctx, pkg)
}

func (m busyMachine) PutBack(ctx context.Context, dir string) error {
	*m.putBacks++
	return m.Plain.PutBack(ctx, dir)
}

// OP-4: while another program installs packages nothing is stopped: the update waits, and gives up with nothing changed. A package that did not go in is not
// put back.
func TestPackagesInUse(t *testing.T) {
	for name, c := range map[string]struct {
		busy     int
		install  error
		says     string
		notes    []string
		putBacks int
	}{
		"for some seconds": {busy: 5, notes: []string{"update_begun", "update_done"}},
		"for ever":         {busy: 1 << 30, says: "nothing was changed"},
		"dpkg fails":       {install: errors.New("dpkg: a lock is held"), says: "nothing was lost", notes: []string{"update_begun", "update_rolled_back"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			released, putBacks, stops := 0, 0, 0
			p := s.u.Machine.(Plain)
			stop := p.StopUnit
			p.StopUnit = func(ctx context.Context) error { stops++; return stop(ctx) }
			s.u.Machine = busyMachine{Plain: p, busy: &c.busy, released: &released, install: c.install, putBacks: &putBacks}
			err := s.apply(s.h.makes(t, s.h.plan(held+100), "good 2"))
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
			s.whole()
			if !s.runs || !slices.Equal(s.notes, c.notes) || putBacks != c.putBacks || (stops == 0) != (c.busy > 0) || (released == 1) != (c.busy == 0) {
				t.Errorf("runs: %t, leaves %v, put back %d times, stopped %d times, given back %d times", s.runs, s.notes, putBacks, stops, released)
			}
		})
	}
}
