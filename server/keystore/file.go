package keystore

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// copyFile is a second file that holds the same keys.
type copyFile struct {
	path string
	err  error // why it does not hold the same, nil = it does
}

// Copy is how a further copy of the key store stands.
type Copy struct {
	Path string
	Err  error // why it could not be read or written; nil = it holds what the key store holds
}

// Copies tells how the further copies stand.
func (ks *KeyStore) Copies() []Copy {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	var out []Copy
	for _, c := range ks.copies {
		out = append(out, Copy{c.path, c.err})
	}
	return out
}

// joinCopies takes from the copies what the key store lacks, and makes all alike.
func (ks *KeyStore) joinCopies(paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	before, err := ks.form()
	if err != nil {
		return err
	}
	for _, path := range paths {
		c := &copyFile{path: path}
		ks.copies = append(ks.copies, c)
		form, err := readForm(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			c.err = err
		default:
			c.err = ks.take(path, form)
		}
	}
	for _, d := range ks.disposals {
		delete(ks.keys, d.Period())
	}
	after, err := ks.form()
	if err != nil {
		return err
	}
	if !bytes.Equal(before, after) {
		if err := replaceFile(ks.path, after); err != nil {
			return err
		}
	}
	for _, c := range ks.copies {
		if c.err != nil {
			continue // another site's, or damaged: a person has to look before it is written over
		}
		if data, err := os.ReadFile(c.path); err == nil && bytes.Equal(data, after) {
			continue
		}
		c.err = replaceCopy(c.path, after)
	}
	return nil
}

// take adds what a copy has. An error says that it cannot be a copy of this key store; then nothing was taken.
func (ks *KeyStore) take(path string, form fileForm) error {
	keys, err := ks.read(path, form)
	if err != nil {
		return err
	}
	for p, k := range keys {
		if own := ks.keys[p]; own != nil && !bytes.Equal(own.wrapped, k.wrapped) {
			return fmt.Errorf("key store %s: its key of %d %s is not the one of %s: one of the two files is another site's or of another time", path, p.FiscalYear, p.Class, ks.path)
		}
	}
	if err := ks.vouched(path, form); err != nil {
		return err
	}
	for p, k := range keys {
		ks.keys[p] = k
	}
	for _, d := range form.Disposals {
		if !slices.ContainsFunc(ks.disposals, func(x Disposal) bool { return x.Run == d.Run }) {
			ks.disposals = append(ks.disposals, d)
		}
	}
	for _, e := range form.Erased {
		if !slices.Contains(ks.erased, e) {
			ks.erased = append(ks.erased, e)
		}
	}
	return nil
}

// form gives the bytes of the file. Call with mu held.
func (ks *KeyStore) form() ([]byte, error) {
	form := fileForm{Version: 1, Keys: []keyForm{}, Disposals: ks.disposals, Erased: ks.erased}
	for _, p := range ks.sorted() {
		form.Keys = append(form.Keys, keyForm{FiscalYear: p.FiscalYear, Class: string(p.Class),
			Key: base64.StdEncoding.EncodeToString(ks.keys[p].wrapped)})
	}
	var err error
	if ks.mac { // also of empty lists: a file without one is of before the MAC, or somebody took it away, and a new key does not make that good
		if form.MAC, err = ks.listMAC(form); err != nil {
			return nil, err
		}
	}
	data, err := json.MarshalIndent(form, "", " ")
	if err != nil {
		return nil, fmt.Errorf("save key store: %w", err)
	}
	return append(data, '\n'), nil
}

// save writes the key store, and then its copies. Only the first may fail: a copy that is not there is told by Copies and
// written when it is there again. Call with mu held.
func (ks *KeyStore) save() error {
	data, err := ks.form()
	if err != nil {
		return err
	}
	if err := replaceFile(ks.path, data); err != nil {
		return err
	}
	for _, c := range ks.copies {
		var form fileForm
		if form, err = readForm(c.path); errors.Is(err, fs.ErrNotExist) {
			err = nil
		} else if err == nil {
			err = ks.sameKeys(c.path, form)
		}
		if err == nil {
			err = replaceCopy(c.path, data)
		}
		c.err = err
	}
	return nil
}

// sameKeys refuses to write over a file whose keys are not those of this key store or of its past.
func (ks *KeyStore) sameKeys(path string, form fileForm) error {
	if _, err := ks.read(path, form); err != nil {
		return err
	}
	if err := ks.vouched(path, form); err != nil {
		return err
	}
	for _, k := range form.Keys {
		for p, own := range ks.keys {
			if p.FiscalYear == k.FiscalYear && string(p.Class) == k.Class && base64.StdEncoding.EncodeToString(own.wrapped) != k.Key {
				return fmt.Errorf("key store %s: its key of %d %s is another: it is not written over", path, p.FiscalYear, p.Class)
			}
		}
	}
	return nil
}

// replaceCopy is replaceFile for a copy, whose medium may keep no modes: what the next start would refuse to read is told at once.
func replaceCopy(path string, data []byte) error {
	if err := replaceFile(path, data); err != nil {
		return err
	}
	_, err := readPrivate(path)
	return err
}

// replaceFile writes the file anew beside the old one, then swaps: a crash leaves one of the two whole. The old bytes are
// written over, as far as the file system lets us: a destroyed key should not stay in its free blocks.
func replaceFile(path string, data []byte) error {
	fail := func(err error) error { return fmt.Errorf("save key store: %w", err) }
	old, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail(err)
	}
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail(err)
	}
	if err := createFile(tmp, data); err != nil {
		return fail(err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fail(err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fail(err)
	}
	if old == nil {
		return nil
	}
	info, err := old.Stat()
	if err == nil {
		_, err = old.WriteAt(make([]byte, info.Size()), 0)
	}
	if err := errors.Join(err, old.Sync(), old.Close()); err != nil {
		return fail(err)
	}
	return nil
}
