package signer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Split moves the keys of log, policy and command, and what was signed last, from a site's key
// directory into to, for a signer of its own; link.key and all public halves stay. to must not hold
// keys yet. The copies are durable and opened once before anything is removed:
//
//	crash point 1: some copies, all originals → to has keys; empty it and run again
//	crash point 2: all copies, some originals → run again: what is the same in both is removed
func Split(from, to string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return fmt.Errorf("split keys: %w", err)
	}
	names := []string{stateFile}
	roles := []Role{RoleLog, RolePolicy, RoleCommand}
	for _, r := range roles {
		names = append(names, string(r)+".key")
	}
	for _, name := range names {
		if err := copyPrivate(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			return fmt.Errorf("split keys: %w", err)
		}
	}
	for _, r := range roles {
		if err := copyPrivate(filepath.Join(from, string(r)+".vkey"), filepath.Join(to, string(r)+".vkey")); err != nil {
			return fmt.Errorf("split keys: %w", err)
		}
	}
	if err := syncDir(to); err != nil {
		return fmt.Errorf("split keys: %w", err)
	}
	if _, err := Open(to, nil, roles...); err != nil {
		return fmt.Errorf("split keys: the copies do not open, nothing was removed: %w", err)
	}
	for _, name := range names {
		if err := os.Remove(filepath.Join(from, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("split keys: %w", err)
		}
	}
	return syncDir(from)
}

// copyPrivate copies a key file. A source that is gone is well when the copy is there (crash point 2);
// a missing state file means that nothing was signed yet.
func copyPrivate(from, to string) error {
	text, err := readPrivate(from)
	have, haveErr := readPrivate(to)
	switch {
	case errors.Is(err, fs.ErrNotExist) && (haveErr == nil || filepath.Base(from) == stateFile):
		return nil
	case err != nil:
		return err
	case haveErr == nil && have == text:
		return nil
	case haveErr == nil:
		return fmt.Errorf("%s holds another key already", to)
	}
	return createFile(to, text+"\n")
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
