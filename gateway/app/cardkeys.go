package app

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"monban/firmware/nfc"
	"monban/gateway/hal/pi"
)

// cardKeysFile holds what contactless cards prove themselves with. Whoever reads it can make cards: only its owner may.
const cardKeysFile = "cards.json"

// cardKeysText is the file. Keys are 32 hexadecimal digits, the newest first; two during a change of keys.
type cardKeysText struct {
	LiteS *struct {
		System  string   `json:"system"`
		Masters []string `json:"masters"`
	} `json:"lite_s"`
	DESFire *struct {
		AID     string   `json:"aid"`    // six hexadecimal digits
		Key     int      `json:"key"`    // 0–13
		File    int      `json:"file"`   // 0–31
		System  string   `json:"system"` // at most 18 bytes
		Masters []string `json:"masters"`
	} `json:"desfire"`
}

// loadCardKeys reads the file. Errors say where and what to do and never quote it. The door: a reader that is to check
// proofs and has no keys does not start, so nobody takes a number for a proof.
func loadCardKeys(dir string) (keys pi.CardKeys, err error) {
	path := filepath.Join(dir, cardKeysFile)
	fail := func(what string) (pi.CardKeys, error) { return pi.CardKeys{}, fmt.Errorf("%s: %s", path, what) }
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return fail("not there: write the card keys of the site, see hardware/installation.md, or take lite-s and desfire out of the board profile")
	}
	data, err := secret(dir, cardKeysFile)
	if err != nil {
		return pi.CardKeys{}, err
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var text cardKeysText
	if dec.Decode(&text) != nil { // its text may quote the file
		return fail("is no JSON of the form in hardware/installation.md, or has a key that is not known")
	}
	if l := text.LiteS; l != nil {
		masters, ok := masterKeys(l.Masters)
		if !ok || len(l.System) > 18 {
			return fail("lite_s: masters are one or two keys of 32 hexadecimal digits, not all zero; system has at most 18 bytes")
		}
		keys.LiteS = &nfc.LiteS{System: []byte(l.System), Masters: masters}
	}
	if d := text.DESFire; d != nil {
		masters, ok := masterKeys(d.Masters)
		aid, err := hex.DecodeString(d.AID)
		if !ok || err != nil || len(aid) != 3 || d.Key < 0 || d.Key > 13 || d.File < 0 || d.File > 31 || len(d.System) > 18 {
			return fail("desfire: aid has 6 hexadecimal digits, key is 0–13, file 0–31, system has at most 18 bytes, masters are one or two keys of 32 hexadecimal digits, not all zero")
		}
		keys.DESFire = &nfc.DESFire{AID: [3]byte(aid), KeyNo: byte(d.Key), File: byte(d.File), System: []byte(d.System), Masters: masters}
	}
	return keys, nil
}

func masterKeys(text []string) (list []nfc.Key, ok bool) {
	for _, s := range text {
		b, err := hex.DecodeString(s)
		if err != nil || len(b) != len(nfc.Key{}) || nfc.Key(b) == (nfc.Key{}) {
			return nil, false
		}
		list = append(list, nfc.Key(b))
	}
	return list, len(list) == 1 || len(list) == 2
}
