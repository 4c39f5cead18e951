package upgrade

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Names in the folder of an Updater, which is root's.
const (
	trustFile  = "trust"  // what is remembered of releases
	stateFile  = "state"  // of an update that is under way
	lockFile   = "lock"   // held by who works on it
	newDir     = "new"    // the release's packages, checked
	beforeDir  = "before" // the package and the program of before
	program    = "monban-server"
	backupName = "update-backup" // in the data directory, during the rehearsal: a copy of the running server's database
	tryName    = "update-try"    // in the data directory, during the rehearsal: what the new program changes
	copyName   = "update-before" // in the data directory, until the new version has opened: the stopped server's database, for going back
)

// Stage is how far an update has come. It is written before the step that it names.
type Stage string

// The stages, in their order.
const (
	StageStop    Stage = "stop"    // the old server is stopped, its database copied
	StageInstall Stage = "install" // the mark of the trial lies there; files are replaced
	StageTrial   Stage = "trial"   // the new program runs and holds back
	StageOpen    Stage = "open"    // it was told to open: nothing of the database can go back
	StageBack    Stage = "back"    // it was not well after it had opened: the program of before comes back over its database
)

// State is an update that is under way.
type State struct {
	Format  int      `json:"monban_update"` // 1
	Stage   Stage    `json:"stage"`
	Version string   `json:"version"`
	Reason  string   `json:"reason"`
	By      string   `json:"by"`
	Applied []int64  `json:"applied"` // migrations that the new program brings
	Linked  []string `json:"linked"`
	Faults  []string `json:"faults"` // that doctor had before
}

// State reads the update that is under way; nil when there is none.
func (u *Updater) State() (*State, error) {
	data, err := os.ReadFile(filepath.Join(u.Dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var s State
	if err := read(data, &s); err != nil {
		return nil, fmt.Errorf("%s: %w: run `%s update resume` with the same flags, the program that has begun this", filepath.Join(u.Dir, stateFile), err, u.old())
	}
	switch s.Stage {
	case StageStop, StageInstall, StageTrial, StageOpen, StageBack:
		return &s, nil
	default:
		return nil, fmt.Errorf("%s: holds a stage %q that this program does not know: run `%s update resume` with the same flags", filepath.Join(u.Dir, stateFile), s.Stage, u.old())
	}
}

// format is what the answers and files say that two versions of the program hand each other. It changes with what one of them would read wrongly.
const format = 1

// read takes such an answer or file. One of another format is refused: what a program does not find in it would be a zero, and a zero of migrations or
// of faults would be good news.
func read(data []byte, to any) error {
	var head struct {
		Format int `json:"monban_update"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return fmt.Errorf("is damaged: %w", err)
	}
	if head.Format != format {
		return fmt.Errorf("has format %d, this program knows %d", head.Format, format)
	}
	if err := json.Unmarshal(data, to); err != nil {
		return fmt.Errorf("is damaged: %w", err)
	}
	return nil
}

// save makes the state durable before the step it names is begun.
func (u *Updater) save(s *State, stage Stage) error {
	u.step()
	s.Stage, s.Format = stage, format
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	path := filepath.Join(u.Dir, stateFile)
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncFolder(u.Dir)
}

// forget ends the update: nothing is under way any more.
func (u *Updater) forget() error {
	u.step()
	if err := os.Remove(filepath.Join(u.Dir, stateFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := syncFolder(u.Dir); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(filepath.Join(u.Dir, newDir)), os.RemoveAll(filepath.Join(u.Data, copyName)), u.clean())
}

// clean removes the copies of a rehearsal: they hold the directory in clear, and must not outlive a disposal (EV-8).
func (u *Updater) clean() error {
	var errs []error
	for _, name := range []string{backupName, backupName + ".partial", tryName} {
		errs = append(errs, os.RemoveAll(filepath.Join(u.Data, name)))
	}
	return errors.Join(errs...)
}

// ErrBusy says that another process is at work on an update.
var ErrBusy = errors.New("another update is at work here")

// lock keeps a second update away; it ends with the process.
func (u *Updater) lock() (*os.File, error) {
	// The new program is read from there by the server's user.
	if err := errors.Join(os.MkdirAll(u.Dir, 0o755), os.Chmod(u.Dir, 0o755)); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(u.Dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrBusy
		}
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
