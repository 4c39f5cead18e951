package app

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// I4, OP-2 (ADR 0098): a command is refused to root while the folder is somebody else's, with the line to type; and to anybody else. Who
// owns it is let through, and root where nothing is there yet.
func TestAsOwner(t *testing.T) {
	t.Parallel()
	me, dir := os.Geteuid(), t.TempDir()
	args := []string{"monban-server", "gateway", "deny", "--reason", "it's stolen", "gw-1"}
	if err := AsOwner(me, dir, args); err != nil {
		t.Errorf("the owner: %v", err)
	}
	err := AsOwner(me+1, dir, args)
	if !errors.Is(err, ErrOtherUser) || !strings.Contains(err.Error(), `sudo -u `+userName(uint32(me))+` -- monban-server gateway deny --reason 'it'\''s stolen' gw-1`) {
		t.Errorf("another user: %v", err)
	}
	if err := AsOwner(me+1, filepath.Join(dir, "none"), args); err != nil {
		t.Errorf("nothing there: %v", err)
	}
	if me != 0 {
		return // what follows needs a folder of another user
	}
	if err := os.Chown(dir, 1, 1); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "a", "b")} {
		if err := AsOwner(0, path, args); !errors.Is(err, ErrOtherUser) || !strings.Contains(err.Error(), "runuser -u "+userName(1)+" -- monban-server gateway deny") {
			t.Errorf("root in %s: %v", path, err)
		}
	}
}

// OP-2: the doctor names what belongs to another user, and whom to give it to.
func TestOwnersCheck(t *testing.T) {
	t.Parallel()
	me, dir := os.Geteuid(), t.TempDir()
	ca := filepath.Join(dir, "ca")
	if err := errors.Join(os.Mkdir(ca, 0o700), os.WriteFile(filepath.Join(ca, "denied.txt"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if c := ownersAre(me, dir, ca); c.Err != nil {
		t.Errorf("all my own: %v", c.Err)
	}
	c := ownersAre(me+1, ca, dir)
	if c.Err == nil || !strings.Contains(c.Err.Error(), ca+" ("+userName(uint32(me))+")") || !strings.Contains(c.Err.Error(), "chown -R") {
		t.Errorf("another user's: %v", c.Err)
	}
	if me != 0 {
		return
	}
	if err := os.Chown(filepath.Join(ca, "denied.txt"), 1, 1); err != nil {
		t.Fatal(err)
	}
	if c := ownersAre(me, dir, ca); c.Err == nil || strings.Count(c.Err.Error(), "denied.txt") != 1 || strings.Contains(c.Err.Error(), ca+" (") {
		t.Errorf("one file of another user: %v", c.Err)
	}
}

// EV-2 (ADR 0098): what root locks in the server's folder stays usable for the server, and no link leads root's hand elsewhere: the lock is the one
// file that a root's command opens there.
func TestRootFollowsNoLink(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), filepath.Join(t.TempDir(), "shadow")
	if err := os.Symlink(other, filepath.Join(dir, "lock")); err != nil {
		t.Fatal(err)
	}
	if l, err := lock(filepath.Join(dir, "lock")); err == nil {
		t.Errorf("a lock behind a link: %v", l.Close())
	}
	if _, err := os.Lstat(other); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was made behind the link: %v", err)
	}
	path := filepath.Join(dir, "x.request")
	if err := os.Symlink(other, path+".new"); err != nil {
		t.Fatal(err)
	}
	if err := place(path, []byte("x")); err == nil {
		t.Error("a request was written through a link")
	}
	if _, err := os.Lstat(other); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was made behind the link: %v", err)
	}
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Chown(dir, 1, 1); err != nil {
		t.Fatal(err)
	}
	l, err := lock(filepath.Join(dir, "lock2"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // a test's
	if info, err := l.Stat(); err != nil || info.Sys().(*syscall.Stat_t).Uid != 1 {
		t.Errorf("the lock is root's: %v", err)
	}
}
