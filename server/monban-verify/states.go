package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// states keeps where checks on this PC were broken off, in the auditor's own cache directory. A state is believed when a
// check goes on from it, so nothing that came with a bundle is ever one.
type states struct{ dir string } // "" = nowhere

func openStates() (states, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return states{}, err
	}
	dir := filepath.Join(cache, "monban-verify")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return states{}, err
	}
	return states{dir}, nil
}

func (s states) path(name string) string { return filepath.Join(s.dir, name+".state") }

// load gives the state of that name; nil when there is none.
func (s states) load(name string) ([]byte, error) {
	data, err := os.ReadFile(s.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read where it was broken off: %w", err)
	}
	return data, nil
}

// save replaces the state of that name as a whole. What cannot be written is no harm: the check then begins anew.
func (s states) save(name string, data []byte) {
	f, err := os.CreateTemp(s.dir, name+".*")
	if err != nil {
		return
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), s.path(name))
	}
	if err != nil {
		_ = os.Remove(f.Name()) // a torn one is of no use
	}
}

// drop forgets the state of a check that has come to its end. One that stays is only used when somebody asks for it.
func (s states) drop(name string) {
	if s.dir != "" {
		_ = os.Remove(s.path(name))
	}
}
