package app

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Identity is what a gateway was given when it was enrolled: the files of its identity directory.
type Identity struct {
	TLS      *tls.Config // mutual TLS 1.3 towards the broker
	Note     note.Signer // signs what this gateway sends
	Root     note.Verifier
	KeysNote []byte // the server's role keys, signed by the root
	Keys     Symmetric
	belief   belief
}

// Symmetric holds the 32-byte keys shared with the server.
type Symmetric struct {
	CardKey    []byte // site card key: card → card_ref
	PINKey     []byte // site PIN key
	GatewayKey []byte // card_ref → this gateway's token
	AskKey     []byte // AES-256-GCM towards the server
}

type symmetricFile struct {
	CardKey    versionedKey `json:"card_key"`
	PINKey     versionedKey `json:"pin_key"`
	GatewayKey versionedKey `json:"gateway_key"`
	AskKey     versionedKey `json:"ask_key"`
}

type versionedKey struct {
	Version int    `json:"version"`
	Key     []byte `json:"key"`
}

// LoadIdentity reads an identity directory. Secret files that others can read are refused. Each error
// names the file and what to do.
func LoadIdentity(dir string) (Identity, error) {
	var id Identity
	pair, err := loadPair(dir)
	if err != nil {
		return id, err
	}
	believed, err := loadBelief(dir)
	if err != nil {
		return id, err
	}
	id.belief = believed
	id.Root, id.KeysNote = believed.root, believed.note
	id.TLS = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}, RootCAs: believed.pool}

	skey, err := secret(dir, "note.key")
	if err != nil {
		return id, err
	}
	if id.Note, err = note.NewSigner(strings.TrimSpace(string(skey))); err != nil {
		return id, fmt.Errorf("%s: is not a note key: make the identity again with `monban-server gateway add`", filepath.Join(dir, "note.key"))
	}
	raw, err := secret(dir, "symmetric.json")
	if err != nil {
		return id, err
	}
	var sym symmetricFile
	if err := json.Unmarshal(raw, &sym); err != nil {
		return id, fmt.Errorf("%s: is damaged", filepath.Join(dir, "symmetric.json")) // the text of err may quote the file
	}
	id.Keys = Symmetric{sym.CardKey.Key, sym.PINKey.Key, sym.GatewayKey.Key, sym.AskKey.Key}
	for name, k := range map[string][]byte{"card_key": id.Keys.CardKey, "pin_key": id.Keys.PINKey, "gateway_key": id.Keys.GatewayKey, "ask_key": id.Keys.AskKey} {
		if len(k) != 32 {
			return id, fmt.Errorf("%s: %s has %d bytes, want 32", filepath.Join(dir, "symmetric.json"), name, len(k))
		}
	}
	return id, nil
}

// loadPair reads certificate and key: of one file, as enrolment and renewal write it, else of two.
func loadPair(dir string) (tls.Certificate, error) {
	both, err := secret(dir, certificateFile)
	if err == nil {
		pair, err := tls.X509KeyPair(both, both)
		if err != nil {
			return pair, fmt.Errorf("%s: holds no certificate with its key or is damaged: %w", filepath.Join(dir, certificateFile), err)
		}
		return pair, nil
	}
	if _, missing := os.Lstat(filepath.Join(dir, certificateFile)); !errors.Is(missing, fs.ErrNotExist) {
		return tls.Certificate{}, err
	}
	cert, err := os.ReadFile(filepath.Join(dir, "tls.crt"))
	if err != nil {
		return tls.Certificate{}, notFound(err)
	}
	key, err := secret(dir, "tls.key")
	if err != nil {
		return tls.Certificate{}, err
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return pair, fmt.Errorf("%s: is not the key of tls.crt or is damaged: %w", filepath.Join(dir, "tls.key"), err)
	}
	return pair, nil
}

// secret reads a file that only its owner may read.
func secret(dir, name string) ([]byte, error) {
	path := filepath.Join(dir, name)
	st, err := os.Stat(path)
	if err != nil {
		return nil, notFound(err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: others can read this key (mode %04o): run chmod 600 on it", path, st.Mode().Perm())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, notFound(err)
	}
	return data, nil
}

func notFound(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) && errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: not there: make this gateway's identity with `monban-server gateway add` and copy the directory here", pe.Path)
	}
	return fmt.Errorf("gateway identity: %w", err)
}
