package upgrade

import (
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// OwnProcess makes this process one that an update can rely on. It is for the command, before anything else is done.
//
//   - The server is stopped for some time, and only this process starts one again. A terminal or a pipe that goes away in the middle must not end it: SIGHUP and
//     SIGPIPE do nothing.
//   - The new program is run as the server's user out of root's folder, and a package's files are for everybody to read. With root's umask
//     of 027 or 077, which hardening guides ask for, neither could be.
func OwnProcess() {
	signal.Ignore(syscall.SIGHUP) // its children get that too
	// Taken and dropped rather than ignored: what this process starts has its pipes from here, and is to die of a broken one as always.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	syscall.Umask(0o022)
}

// group starts a command in a process group of its own: what a terminal sends to this process's group when it goes away, or on Ctrl-C, is not
// for a dpkg in the middle of its work. The end of its context ends the whole group.
func group(c *exec.Cmd) {
	if c.SysProcAttr == nil {
		c.SysProcAttr = &syscall.SysProcAttr{}
	}
	c.SysProcAttr.Setpgid = true
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = time.Second // for a pipe that a grandchild holds
}

// Teller writes for somebody who may be gone, or whose terminal stands still: the update goes on without him.
type Teller struct {
	words chan []byte
	done  chan struct{}
}

// NewTeller gives one that writes to w.
func NewTeller(w io.Writer) *Teller {
	t := &Teller{words: make(chan []byte, 64), done: make(chan struct{})}
	go func() {
		defer close(t.done)
		for b := range t.words {
			_, _ = w.Write(b) // nobody reads it any more; the log's leaves say what became of the update
		}
	}()
	return t
}

// Write never waits and never fails.
func (t *Teller) Write(b []byte) (int, error) {
	select {
	case t.words <- append([]byte(nil), b...):
	default: // 64 lines were not read: nobody reads
	}
	return len(b), nil
}

// Close waits until everything is written, a second at most. Nothing may be written after it.
func (t *Teller) Close() error {
	close(t.words)
	select {
	case <-t.done:
	case <-time.After(time.Second):
	}
	return nil
}
