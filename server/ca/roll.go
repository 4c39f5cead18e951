package ca

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// nextDir holds a whole second authority while the root is changed (ADR 0024).
const nextDir = "next"

// ErrNoRoll: no change of the root is under way.
var ErrNoRoll = errors.New("no change of the root is under way")

// Rolling are the two roots of a change, DER.
type Rolling struct{ Root, Next []byte }

// StartRoll makes the next authority beside the one in dir, or finds the one that an earlier try has made. From the next Open on
// certificates of both are taken, and gateways' are issued under the next one; the server goes on showing the old.
// The server must be stopped.
func StartRoll(dir string, now time.Time) (Rolling, error) {
	if err := finishRenewal(dir); err != nil {
		return Rolling{}, fmt.Errorf("change the root: %w", err)
	}
	roots, err := readCerts(filepath.Join(dir, "root.crt"))
	if err != nil {
		return Rolling{}, err
	}
	names, err := serverNames(dir)
	if err != nil {
		return Rolling{}, err
	}
	next := filepath.Join(dir, nextDir)
	// root.crt is written last: without it nothing there has ever been used.
	if _, err := os.Lstat(filepath.Join(next, "root.crt")); errors.Is(err, fs.ErrNotExist) {
		if err := os.RemoveAll(next); err != nil {
			return Rolling{}, fmt.Errorf("change the root: %w", err)
		}
		if _, err := Create(next, Options{Site: siteOf(roots[0]), Names: names, Now: now}); err != nil {
			return Rolling{}, fmt.Errorf("change the root: %w", err)
		}
		if err := syncDir(dir); err != nil {
			return Rolling{}, fmt.Errorf("change the root: %w", err)
		}
	}
	young, err := readCerts(filepath.Join(next, "root.crt"))
	if err != nil {
		return Rolling{}, err
	}
	return Rolling{Root: roots[0].Raw, Next: young[0].Raw}, nil
}

// FinishRoll puts the next authority in the place of the old one. The old root's files stay under other names and are
// trusted by nothing any more. It may be run again after a crash; ErrNoRoll when there is no next authority. The server must
// be stopped.
func FinishRoll(dir string) error {
	if err := finishRenewal(dir); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	next := filepath.Join(dir, nextDir)
	young, err := readPublic(filepath.Join(next, "root.crt"))
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNoRoll
	} else if err != nil {
		return err
	}
	old, err := readPublic(filepath.Join(dir, "root.crt"))
	if err != nil {
		return err
	}
	if !bytes.Equal(old, young) { // else crash point 2: swapped, the folder still there
		if err := keepOld(dir, old); err != nil {
			return fmt.Errorf("change the root: %w", err)
		}
		files := map[string][]byte{}
		for _, name := range renewFiles() {
			data, err := os.ReadFile(filepath.Join(next, name))
			if errors.Is(err, fs.ErrNotExist) && name == "root.key" {
				continue // it is where it belongs: offline
			}
			if err != nil {
				return short(filepath.Join(next, name), err)
			}
			files[name] = data
		}
		// crash point 1: copied in part, no mark → begun again
		if err := swap(dir, files); err != nil {
			return err
		}
	}
	if err := errors.Join(os.RemoveAll(next), syncDir(dir)); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	return nil
}

// keepOld gives the old root's files names of their own. Its key goes first: under its old name it would be taken for the
// new root's.
func keepOld(dir string, pem []byte) error {
	roots, err := readCerts(filepath.Join(dir, "root.crt"))
	if err != nil {
		return err
	}
	name := "root-until-" + roots[0].NotAfter.Format(time.DateOnly) + "-" + roots[0].SerialNumber.Text(16)[:8]
	if err := os.Rename(filepath.Join(dir, "root.key"), filepath.Join(dir, name+".key")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err = writeNew(filepath.Join(dir, name+".crt"), pem)
	if errors.Is(err, fs.ErrExist) {
		err = nil // from an earlier try
	}
	return err
}

// readNext reads the next authority, nil when the root is not being changed.
func readNext(dir string, now *authority, at time.Time) (*authority, error) {
	next := filepath.Join(dir, nextDir)
	if _, err := os.Lstat(filepath.Join(next, "root.crt")); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err := finishRenewal(next); err != nil {
		return nil, err
	}
	a, err := readAuthority(next, at)
	if err != nil {
		return nil, err
	}
	if a.root.Equal(now.root) { // crash point 2 of FinishRoll
		return nil, nil
	}
	return a, nil
}
