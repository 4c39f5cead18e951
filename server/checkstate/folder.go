// Package checkstate keeps where checks of the log on this machine were broken off, in the cache directory of whoever checks. A state is
// believed when a check goes on from it, so nothing that came with a bundle or lies beside a database is ever one.
package checkstate

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Folder is where the states of one program lie. The zero value is nowhere: it keeps nothing.
type Folder struct{ dir string }

// Open finds the folder of a program. The error says that this account has no cache directory.
func Open(program string) (Folder, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return Folder{}, err
	}
	return Folder{filepath.Join(cache, program)}, nil
}

func (f Folder) path(name string) string { return filepath.Join(f.dir, name+".state") }

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
	if err = errors.Join(err, file.Close()); err == nil {
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
