// Package checkstate keeps where checks of the log on this machine were broken off, in the cache directory of whoever checks. A state is
// believed when a check goes on from it, so nothing that came with a bundle or lies beside a database is ever one.
package checkstate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Folder is where the states of one program lie. The zero value is nowhere: it keeps nothing.
type Folder struct{ dir string }

// Kept is how long the state of a check lies there that nobody goes on with: it holds pseudonyms (ADR 0087).
const Kept = 30 * 24 * time.Hour

// Open finds the folder of a program and removes what has lain there for longer than Kept, and what a kill between writing and renaming has left.
// The error says that this account has no cache directory.
func Open(program string, now time.Time) (Folder, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return Folder{}, err
	}
	f := Folder{filepath.Join(cache, program)}
	f.sweep(now)
	return f, nil
}

// halfWritten is how old a file is that no running check is still writing: a state is written in less than a second.
const halfWritten = time.Hour

func (f Folder) sweep(now time.Time) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return // there is none yet
	}
	for _, e := range entries {
		limit := Kept
		if filepath.Ext(e.Name()) != extension {
			limit = halfWritten
		}
		// One that cannot be looked at or removed is tried the next time.
		if st, err := e.Info(); err == nil && st.Mode().IsRegular() && now.Sub(st.ModTime()) > limit {
			_ = os.Remove(filepath.Join(f.dir, e.Name()))
		}
	}
}

const extension = ".state"

func (f Folder) path(name string) string { return filepath.Join(f.dir, name+extension) }

// Load gives the state of that name; nil when there is none.
func (f Folder) Load(name string) ([]byte, error) {
	if f.dir == "" {
		return nil, nil
	}
	data, err := os.ReadFile(f.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read where it was broken off: %w", err)
	}
	return data, nil
}

// Save replaces the state of that name as a whole. What cannot be written is no harm: the check then begins anew.
func (f Folder) Save(name string, data []byte) {
	if f.dir == "" || os.MkdirAll(f.dir, 0o700) != nil {
		return
	}
	file, err := os.CreateTemp(f.dir, name+".*")
	if err != nil {
		return
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil {
		err = os.Rename(file.Name(), f.path(name))
	}
	if err != nil {
		_ = os.Remove(file.Name()) // a torn one is of no use
	}
}

// Drop forgets the state of a check that has come to its end. One that stays is only used when somebody asks for it.
func (f Folder) Drop(name string) {
	if f.dir != "" && name != "" {
		_ = os.Remove(f.path(name))
	}
}
