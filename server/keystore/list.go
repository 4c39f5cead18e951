package keystore

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
