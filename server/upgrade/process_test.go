package upgrade

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// alone says that this process is the command of TestTerminalGoesAway, in the folder that it names.
const alone = "MONBAN_UPDATE_ALONE"

// atWork is `update apply` with the tests' site in a process of its own. In the middle of it, with the server stopped, it waits for a child, as for a
// dpkg at work, and says more than anybody reads. The child goes on when it is told so through the named pipe "go".
func atWork(t *testing.T, dir string) {
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt, syscall.SIGTERM) // as main
	defer stop()
	OwnProcess()
	tell := NewTeller(os.Stdout)
	s := newSite(t)
	s.u.Out = tell
	talk := func() {
		for range 200 {
			s.u.say("%s", strings.Repeat("at work ", 100))
		}
	}
	m := s.u.Machine.(Plain)
	stopUnit := m.StopUnit
	again := false
	m.StopUnit = func(ctx context.Context) error {
		if again { // the way back
			return stopUnit(ctx)
		}
		again = true
		talk()
		out, err := command(ctx, "sh", "-c", `read word <"$1/go" && echo "$word"`, "sh", dir)
		if err == nil && string(out) != "on\n" {
			err = fmt.Errorf("the child read %q", out)
		}
		talk()
		for _, path := range []string{"", newDir, newDir + "/" + program, beforeDir, beforeDir + "/" + program} {
			st, serr := os.Stat(filepath.Join(s.u.Dir, path))
			if serr != nil || st.Mode().Perm() != 0o755 {
				err = errors.Join(err, serr, fmt.Errorf("%q is not for the server's user", path))
			}
		}
		return errors.Join(err, stopUnit(ctx))
	}
	s.u.Machine = m
	err := s.u.Apply(ctx, Order{Bundle: s.h.makes(t, s.h.plan(held+100), "good 2"), Root: filepath.Join(s.root, "release.root"), Reason: "r", By: "b", Clock: now})
	err = errors.Join(err, tell.Close())
	if err == nil && s.program() == "good 2" {
		err = os.WriteFile(filepath.Join(dir, "well"), nil, 0o600)
	}
	if err != nil {
		_ = os.WriteFile(filepath.Join(dir, "unwell"), []byte(err.Error()), 0o600)
	}
	os.Exit(0) // the words of package testing would wait for a reader
}

// OP-4: an update goes on to its good end when its terminal is closed (after Ctrl-C), its pipe breaks, or its reader stands still, in the middle, with the
// server stopped; so does what it has started; and all of it whatever umask root has.
func TestTerminalGoesAway(t *testing.T) {
	if dir := os.Getenv(alone); dir != "" {
		atWork(t, dir)
	}
	shut := func(files ...*os.File) {
		for _, f := range files {
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	for name, ends := range map[string]func(*testing.T, *exec.Cmd) (away func()){
		"terminal": func(t *testing.T, c *exec.Cmd) func() {
			master, slave := terminal(t)
			c.Stdin, c.Stdout, c.Stderr = slave, slave, slave
			c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			return func() {
				if _, err := master.WriteString("\x03"); err != nil {
					t.Error(err)
				}
				shut(slave, master) // SIGHUP to the group in front
			}
		},
		"pipe": func(t *testing.T, c *exec.Cmd) func() {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			c.Stdout, c.Stderr = w, w
			return func() { shut(w, r) }
		},
		"reader": func(t *testing.T, c *exec.Cmd) func() {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { shut(r, w) })
			c.Stdout, c.Stderr = w, w
			return func() {}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := syscall.Mkfifo(filepath.Join(dir, "go"), 0o600); err != nil {
				t.Fatal(err)
			}
			c := exec.CommandContext(t.Context(), "sh", "-c", `umask 077; exec "$0" "$@"`, os.Args[0], "-test.run", "^TestTerminalGoesAway$")
			c.Env = append(os.Environ(), alone+"="+dir, "TMPDIR="+dir)
			away := ends(t, c)
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- c.Wait() }()
			child := make(chan *os.File, 1)
			go func() { // opens when its child reads
				f, err := os.OpenFile(filepath.Join(dir, "go"), os.O_WRONLY, 0)
				if err != nil {
					t.Error(err)
				}
				child <- f
			}()
			late := time.After(3 * time.Minute)
			select {
			case f := <-child:
				away()
				if _, err := f.WriteString("on\n"); err != nil {
					t.Errorf("the child is gone: %v", err)
				}
				shut(f)
			case err := <-ended:
				ended <- err
			case <-late:
				t.Fatal("its child never began")
			}
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("the update ended: %v", err)
				}
			case <-late:
				t.Error("it never ended", c.Process.Kill())
			}
			if _, err := os.Stat(filepath.Join(dir, "well")); err != nil {
				why, _ := os.ReadFile(filepath.Join(dir, "unwell"))
				t.Errorf("not well: %s", why)
			}
		})
	}
}

// terminal gives both ends of a new one.
func terminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminal can be had here:", err)
	}
	var zero, number uint32
	for req, arg := range map[uintptr]*uint32{syscall.TIOCSPTLCK: &zero, syscall.TIOCGPTN: &number} {
		if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, master.Fd(), req, uintptr(unsafe.Pointer(arg))); e != 0 { //nolint:gosec // as ptsname(3)
			t.Fatal(e)
		}
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminal can be had here:", err)
	}
	return master, slave
}
