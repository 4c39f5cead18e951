package signer

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
)

const algEd25519 = 1 // C2SP signed-note signature type

func publicKey(seed [32]byte) []byte {
	return ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey)
}

// encodeKey writes a key in the signed-note text form (C2SP signed-note): the signing key as
// PRIVATE+KEY+name+id+base64(1 ‖ seed), the verifier as name+id+base64(1 ‖ public key), where id is
// the first 4 bytes of SHA-256(name ‖ newline ‖ 1 ‖ public key) in hex.
func encodeKey(name string, seed [32]byte) (skey, vkey string, err error) {
	pub := append([]byte{algEd25519}, publicKey(seed)...)
	h := sha256.New()
	h.Write([]byte(name))
	h.Write([]byte("\n"))
	h.Write(pub)
	id := binary.BigEndian.Uint32(h.Sum(nil))
	skey = fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", name, id, base64.StdEncoding.EncodeToString(append([]byte{algEd25519}, seed[:]...)))
	vkey = fmt.Sprintf("%s+%08x+%s", name, id, base64.StdEncoding.EncodeToString(pub))
	return skey, vkey, nil
}

// verifierKey derives the public text form from a signing key's.
func verifierKey(skey string) (string, error) {
	parts := strings.SplitN(skey, "+", 5) // base64 may hold "+", so cut at the first four only
	if len(parts) != 5 || parts[0] != "PRIVATE" || parts[1] != "KEY" {
		return "", fmt.Errorf("not a signing key")
	}
	raw, err := base64.StdEncoding.DecodeString(parts[4])
	if err != nil || len(raw) != 33 || raw[0] != algEd25519 {
		return "", fmt.Errorf("not an Ed25519 signing key")
	}
	_, vkey, err := encodeKey(parts[2], [32]byte(raw[1:]))
	return vkey, err
}

// readPrivate reads a file that nobody but its owner may be able to read.
func readPrivate(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("key file: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return "", fmt.Errorf("key file %s has mode %#o; others could read it, want 0600", path, mode)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("key file: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}
