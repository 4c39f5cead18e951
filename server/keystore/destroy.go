package keystore

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"monban/server/entrylog"
)

// ErrDestroyed says that K of a period was destroyed by a disposal: it is never made again.
var ErrDestroyed = errors.New("the key for this fiscal year and class was destroyed")

// ErrCopyAway says that a copy of the key store cannot be reached or is not one.
var ErrCopyAway = errors.New("copy of the key store")

// Disposal is one entry of the erasure list: what a disposal run has destroyed. The list stays with the keys for ever, because a
// restored backup from before the run has to be told of it.
type Disposal struct {
	Run        string         `json:"run"`
	Class      entrylog.Class `json:"class"`
	FiscalYear int            `json:"fiscal_year"`
	Asked      string         `json:"asked"`    // account
	Approved   string         `json:"approved"` // another account
	AtMS       int64          `json:"at_ms"`    // UTC ms
	// People are tags of those whom a run of the directory took, of Tags; NoPeople = nobody; "" = of another class, or written before there were tags.
	People string `json:"people,omitempty"`
}

// Period is the key that died.
func (d Disposal) Period() Period { return Period{d.FiscalYear, d.Class} }

// Erasure is one record whose opening was erased on a decision. The leaf's hash tells it from another leaf of that index in a
// restored log.
type Erasure struct {
	Index    int64  `json:"index"`
	Leaf     string `json:"leaf"` // leaf hash, hex
	Decision string `json:"decision"`
}

// Disposals is the list of what was destroyed.
func (ks *KeyStore) Disposals() []Disposal {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	return append([]Disposal(nil), ks.disposals...)
}

// Erased is the list of records whose openings were erased.
func (ks *KeyStore) Erased() []Erasure {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	return append([]Erasure(nil), ks.erased...)
}

func (ks *KeyStore) destroyed(p Period) bool {
	for _, d := range ks.disposals {
		if d.Period() == p {
			return true
		}
	}
	return false
}

// KeyID names K of a period without saying anything of it: 16 hex digits, "none" when there is no such key.
func (ks *KeyStore) KeyID(p Period) string {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	pk := ks.keys[p]
	if pk == nil {
		return "none"
	}
	sum := sha256.Sum256(append([]byte("monban/1 key id "), pk.wrapped...))
	return hex.EncodeToString(sum[:8])
}

// CheckCopies is an error unless every copy of the key store is there and holds what this one holds: nothing may be called
// destroyed while a copy of its key lies where this program cannot reach it.
func (ks *KeyStore) CheckCopies() error {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	if err := ks.save(); err != nil { // a copy that was away is made good
		return err
	}
	for _, c := range ks.copies {
		if c.err != nil {
			return fmt.Errorf("%w: %w: put the medium in its place first", ErrCopyAway, c.err)
		}
	}
	return nil
}

// Destroy destroys K of d's period, if there is one, in the key store and in every copy, reads all back, and puts d on the list.
// It may be called again after a crash. It gives the number of files in which the key no longer is.
func (ks *KeyStore) Destroy(d Disposal) (files int, err error) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	wrapped := ""
	if pk := ks.keys[d.Period()]; pk != nil {
		wrapped = base64.StdEncoding.EncodeToString(pk.wrapped)
	}
	known := false
	for _, x := range ks.disposals {
		known = known || x.Run == d.Run
	}
	if !known {
		ks.disposals = append(ks.disposals, d)
	}
	delete(ks.keys, d.Period())
	ks.mac = true
	// A crash between the files is made good by the next Open: what one of them calls destroyed dies in all.
	if err := ks.save(); err != nil {
		return 0, err
	}
	paths := []string{ks.path}
	for _, c := range ks.copies {
		if c.err != nil {
			return 0, fmt.Errorf("%w: %w: the key of %d %s is still in it", ErrCopyAway, c.err, d.FiscalYear, d.Class)
		}
		paths = append(paths, c.path)
	}
	for _, path := range paths {
		form, err := readForm(path)
		if err != nil {
			return 0, err
		}
		for _, k := range form.Keys {
			if k.FiscalYear == d.FiscalYear && k.Class == string(d.Class) {
				return 0, fmt.Errorf("key store %s: the key of %d %s is still in it", path, d.FiscalYear, d.Class)
			}
		}
		if data, err := os.ReadFile(path); err != nil || wrapped != "" && strings.Contains(string(data), wrapped) {
			return 0, errors.Join(err, fmt.Errorf("key store %s: reads back with the destroyed key", path))
		}
	}
	return len(paths), nil
}

// Erase puts a record on the list of those whose openings are gone, in the key store and its copies.
func (ks *KeyStore) Erase(e Erasure) error {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	for _, x := range ks.erased {
		if x == e {
			return nil
		}
	}
	ks.erased, ks.mac = append(ks.erased, e), true
	return ks.save()
}
