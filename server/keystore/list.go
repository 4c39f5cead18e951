package keystore

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"monban/server/entrylog"
)

// errList says that the lists of a file are not this key store's word: nothing may be destroyed by them.
var errList = errors.New("its list of what was destroyed is not vouched for")

func listKey(master []byte) []byte {
	m := hmac.New(sha256.New, master)
	m.Write([]byte("monban/1 list of what was destroyed"))
	return m.Sum(nil)
}

// listMAC is the MAC of a file's lists: a line in one of them destroys a year in every file at the next start.
func (ks *KeyStore) listMAC(form fileForm) (string, error) {
	data, err := json.Marshal(fileForm{Version: form.Version, Disposals: form.Disposals, Erased: form.Erased})
	if err != nil {
		return "", fmt.Errorf("key store: %w", err)
	}
	m := hmac.New(sha256.New, ks.list)
	m.Write(data)
	return hex.EncodeToString(m.Sum(nil)), nil
}

// vouched refuses a copy whose lists have no MAC, unless they say nothing that this key store does not say.
func (ks *KeyStore) vouched(path string, form fileForm) error {
	if form.MAC != "" { // read has checked it
		return nil
	}
	for _, d := range form.Disposals {
		if !slices.Contains(ks.disposals, d) {
			return fmt.Errorf("key store %s: %w: run %s has no MAC", path, errList, d.Run)
		}
	}
	for _, e := range form.Erased {
		if !slices.Contains(ks.erased, e) {
			return fmt.Errorf("key store %s: %w: erased leaf %d has no MAC", path, errList, e.Index)
		}
	}
	return nil
}

// plausible refuses a disposal before the shortest period, one full fiscal year, was over.
func plausible(path string, list []Disposal) error {
	for _, d := range list {
		if entrylog.FiscalYear(d.AtMS, time.FixedZone("", 14*60*60)) < d.FiscalYear+2 { // wherever the site is, the year began there not earlier
			return fmt.Errorf("key store %s: %w: run %s of fiscal year %d is before its time", path, errList, d.Run, d.FiscalYear)
		}
	}
	return nil
}

// NoPeople says that a run of the directory took nobody.
const NoPeople = "none"

// Tags are what a run's entry in the list says of the people that it takes: 16 hex digits of each, which only who has the master key can hold against a
// person's id. A restored database is told by them whom the run took, and takes nobody else (EV-8).
func (ks *KeyStore) Tags(run string, people []string) string {
	tags := make([]string, 0, len(people))
	for _, p := range people {
		tags = append(tags, ks.tag(run, p))
	}
	slices.Sort(tags) // not in the order of the directory
	return cmp.Or(strings.Join(tags, ","), NoPeople)
}

// Took reports whether a run of the directory took a person; known is false when its entry does not say.
func (ks *KeyStore) Took(run, person string) (took, known bool) {
	ks.mu.Lock()
	i := slices.IndexFunc(ks.disposals, func(d Disposal) bool { return d.Run == run })
	tags := ""
	if i >= 0 {
		tags = ks.disposals[i].People
	}
	ks.mu.Unlock()
	return slices.Contains(strings.Split(tags, ","), ks.tag(run, person)), tags != ""
}

func (ks *KeyStore) tag(run, person string) string {
	m := hmac.New(sha256.New, ks.list)
	m.Write([]byte("person " + run + "\x00" + person))
	return hex.EncodeToString(m.Sum(nil)[:8])
}

// Vouched reports whether the main file has a MAC of its lists. Who knows that it once had one must not go on without.
func (ks *KeyStore) Vouched() bool {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	return ks.mac
}

// Vouch writes the file with a MAC of its lists: whoever calls it has looked that there never was one. Only for whoever holds the site alone.
func (ks *KeyStore) Vouch() error {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	ks.mac = true
	return ks.save()
}
