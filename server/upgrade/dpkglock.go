package upgrade

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// ErrInUse says that another program is installing packages.
var ErrInUse = errors.New("is installing packages: wait until it has ended")

// Files of dpkg. Who installs locks the first, whoever calls dpkg; dpkg itself locks the second.
const (
	frontLock = "/var/lib/dpkg/lock-frontend"
	dpkgLock  = "/var/lib/dpkg/lock"
)

// Hold implements Machine: it takes dpkg's own lock, as apt does around its calls of dpkg. From then on until it is given back nobody else installs
// anything, so that neither the way there nor the way back finds it taken. It goes with the process.
func (Debian) Hold(context.Context) (release func() error, err error) {
	return holdPackages(frontLock, dpkgLock)
}

func holdPackages(front, inner string) (release func() error, err error) {
	f, err := os.OpenFile(front, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	whole := syscall.Flock_t{Type: syscall.F_WRLCK} // POSIX, as dpkg does; flock(2) would be another lock
	err = syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &whole)
	if err == nil {
		err = free(inner) // a dpkg whose caller was killed
	} else if errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EACCES) {
		err = free(front)
		if err == nil {
			err = fmt.Errorf("another program %w", ErrInUse) // it has just ended
		}
	}
	if err == nil {
		err = os.Setenv("DPKG_FRONTEND_LOCKED", "true") // our dpkg does not wait for us
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error { return errors.Join(os.Unsetenv("DPKG_FRONTEND_LOCKED"), f.Close()) }, nil
}

// free is ErrInUse with the name of the process that holds the lock.
func free(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	l := syscall.Flock_t{Type: syscall.F_WRLCK}
	err = syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &l)
	if err == nil && l.Type != syscall.F_UNLCK {
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", l.Pid)) // it may have ended
		err = fmt.Errorf("process %d (%s) %w", l.Pid, bytes.TrimSpace(name), ErrInUse)
	}
	return errors.Join(err, f.Close())
}

// hold keeps everybody else from installing packages until the update has ended; it waits as long as Patience. Nothing is stopped before it.
func (u *Updater) hold(ctx context.Context) error {
	for waited := time.Duration(0); u.release == nil; waited += u.Every {
		release, err := u.Machine.Hold(ctx)
		switch {
		case err == nil:
			u.release = release
		case !errors.Is(err, ErrInUse):
			return err
		case waited >= u.Patience:
			return fmt.Errorf("after %s: %w", u.Patience, err)
		case waited == 0:
			u.say("waiting: %v", err)
			fallthrough
		default:
			u.Wait(u.Every)
		}
	}
	return nil
}

// letGo ends what hold has begun.
func (u *Updater) letGo() {
	if u.release != nil {
		if err := u.release(); err != nil {
			u.say("dpkg's lock: %v", err) // it goes with this process
		}
		u.release = nil
	}
}

// Kept implements Machine: dpkg says that the package of before is installed and whole, and its program is there.
func (d Debian) Kept(ctx context.Context, dir string) (bool, error) {
	was, err := command(ctx, "dpkg-deb", "-f", filepath.Join(dir, program+".deb"), "Version")
	if err != nil {
		return false, err
	}
	is, err := installed(ctx)
	if err != nil || !is.whole || is.version != strings.TrimSpace(string(was)) {
		return false, err
	}
	return sameBytes(filepath.Join(dir, program), d.Program())
}
