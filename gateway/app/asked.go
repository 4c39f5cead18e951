package app

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// asked is what is kept of an enrolment that has begun, beside the folder of the identity, 0600: the server knows a code as that of the keys
// that came with it first, so that keys in memory alone would be lost with the code at a power cut.
type asked struct {
	Gateway string `json:"gateway"`
	Site    string `json:"site"`
	Code    string `json:"code"` // SHA-256 of the secret part, hex: which code these keys were asked for with
	TLSKey  []byte `json:"tls_key"`
	CSR     []byte `json:"csr"`
	NoteKey string `json:"note_key"`
	VKey    string `json:"note_vkey"`
}

func askedFile(dir string) string {
	dir = filepath.Clean(dir)
	return filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+"-asked")
}

func codeHash(secret []byte) string {
	sum := sha256.Sum256(secret)
	return hex.EncodeToString(sum[:])
}

// askedBefore gives the keys that were asked for with this code already; a nil request when there are none. What another code left, or a power
// cut tore, is dropped: new keys are made, and no door knows either.
func askedBefore(dir, gateway, site string, secret []byte) (newIdentity, *keyRequest, error) {
	path := askedFile(dir)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newIdentity{}, nil, nil
	}
	if err != nil {
		return newIdentity{}, nil, fmt.Errorf("keys of the last attempt: %w", err)
	}
	var a asked
	if json.Unmarshal(data, &a) != nil || a.Code != codeHash(secret) || a.Gateway != gateway || a.Site != site {
		return newIdentity{}, nil, forgetAsked(dir)
	}
	id, q := asking(gateway, secret, a.TLSKey, a.CSR, a.NoteKey, a.VKey)
	return id, q, nil
}

// remember keeps the keys before anybody is asked for their certificate. A power cut leaves the whole file or none.
func (id newIdentity) remember(dir, site string, secret []byte, q *keyRequest) error {
	path := askedFile(dir)
	data, err := json.Marshal(asked{Gateway: q.Gateway, Site: site, Code: codeHash(secret), TLSKey: id.tlsKey, CSR: q.CSR, NoteKey: id.noteKey, VKey: q.NoteKey})
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = os.RemoveAll(path + ".new") // a power cut's
	}
	if err == nil {
		err = writeDurably(path+".new", data)
	}
	if err == nil {
		err = errors.Join(os.Rename(path+".new", path), syncFolder(filepath.Dir(path)))
	}
	if err != nil {
		return fmt.Errorf("keep the new keys: %w", err)
	}
	return nil
}

// forgetAsked removes the kept keys: the identity has them.
func forgetAsked(dir string) error {
	path := askedFile(dir)
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("keys of the last attempt: %w", err)
	}
	return nil
}
