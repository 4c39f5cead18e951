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
	backupName = "update-backup" // in the data directory: the backup that was made before
	copyName   = "update-before" // in the data directory: the stopped server's database, for going back
)

// Stage is how far an update has come. It is written before the step that it names.
type Stage string

// The stages, in their order.
const (
	StageStop    Stage = "stop"    // the old server is stopped, its database copied
	StageInstall Stage = "install" // the mark of the trial lies there; files are replaced
	StageTrial   Stage = "trial"   // the new program runs and holds back
	StageOpen    Stage = "open"    // it was told to open: nothing of the database can go back
)

// State is an update that is under way.
type State struct {
	Stage   Stage   `json:"stage"`
	Version string  `json:"version"`
	Reason  string  `json:"reason"`
	By      string  `json:"by"`
	Applied []int64 `json:"applied"` // migrations that the new program brings
	Linked  []string
	Faults  []string // that doctor had before
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
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("%s: is damaged: %w", filepath.Join(u.Dir, stateFile), err)
	}
	return &s, nil
}

// save makes the state durable before the step it names is begun.
func (u *Updater) save(s *State, stage Stage) error {
	u.step()
	s.Stage = stage
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
	return errors.Join(os.RemoveAll(filepath.Join(u.Dir, newDir)), os.RemoveAll(filepath.Join(u.Data, copyName)))
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
