// Package witness is what a witness of a log does: it remembers the newest checkpoint it has seen, takes another only
// with a proof that the log has but grown since, and cosigns it (C2SP tlog-cosignature, cosignature/v1). Somebody who
// holds the log's key can then no longer write the log anew: the witnesses' notes say what it was.
//
// It is pure: time is an argument, and what has to be on a disk before a cosignature leaves is the caller's to write.
package witness

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// algorithm is the type byte of cosignature/v1 keys.
const algorithm = 0x04

// Cosigner makes cosignatures with one key.
type Cosigner struct {
	name string
	id   uint32
	key  ed25519.PrivateKey
}

// keyID is the first four bytes of SHA-256(name ‖ LF ‖ type ‖ public key).
func keyID(name string, public ed25519.PublicKey) uint32 {
	h := sha256.New()
	h.Write([]byte(name))
	h.Write([]byte{'\n', algorithm})
	h.Write(public)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

// FromNoteKey derives a gateway's cosigning key from its note key (the text of note.key): one secret file holds both,
// and neither signs what the other does. The name is the note key's with "/witness" behind it.
func FromNoteKey(skey string) (*Cosigner, error) {
	bad := errors.New("witness: not an Ed25519 note key")
	rest, ok := strings.CutPrefix(strings.TrimSpace(skey), "PRIVATE+KEY+")
	if !ok {
		return nil, bad
	}
	name, rest, ok := strings.Cut(rest, "+")
	if !ok {
		return nil, bad
	}
	_, text, ok := strings.Cut(rest, "+")
	if !ok {
		return nil, bad
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != 1+ed25519.SeedSize || raw[0] != 1 {
		return nil, bad
	}
	seed := sha256.Sum256(append([]byte("monban/1 cosign"), raw[1:]...))
	return New(name+"/witness", ed25519.NewKeyFromSeed(seed[:])), nil
}

// New makes a cosigner with a key of its own.
func New(name string, key ed25519.PrivateKey) *Cosigner {
	return &Cosigner{name: name, id: keyID(name, key.Public().(ed25519.PublicKey)), key: key}
}

// VKey is the verifier key: name+id+base64(type ‖ public key).
func (c *Cosigner) VKey() string {
	public := append([]byte{algorithm}, c.key.Public().(ed25519.PublicKey)...)
	return fmt.Sprintf("%s+%08x+%s", c.name, c.id, base64.StdEncoding.EncodeToString(public))
}

// message is what a cosignature signs: two lines and the note's text.
func message(seconds uint64, text []byte) []byte {
	return append([]byte("cosignature/v1\ntime "+strconv.FormatUint(seconds, 10)+"\n"), text...)
}

// Line gives the signature line for a checkpoint's text (its lines, the last LF included) at a time in Unix seconds.
func (c *Cosigner) Line(text string, seconds uint64) string {
	sig := binary.BigEndian.AppendUint32(nil, c.id)
	sig = binary.BigEndian.AppendUint64(sig, seconds)
	sig = append(sig, ed25519.Sign(c.key, message(seconds, []byte(text)))...)
	return "— " + c.name + " " + base64.StdEncoding.EncodeToString(sig) + "\n"
}

// Verifier checks cosignatures of one witness; it is a note.Verifier.
type Verifier struct {
	name   string
	id     uint32
	public ed25519.PublicKey
}

// NewVerifier reads a verifier key as VKey gives it.
func NewVerifier(vkey string) (*Verifier, error) {
	name, rest, ok1 := strings.Cut(vkey, "+")
	hash, text, ok2 := strings.Cut(rest, "+") // base64 holds plus signs: cut at the first two
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if !ok1 || !ok2 || err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != algorithm || !validName(name) {
		return nil, errors.New("witness: not a cosignature/v1 key")
	}
	v := &Verifier{name: name, public: raw[1:]}
	v.id = keyID(name, v.public)
	if fmt.Sprintf("%08x", v.id) != hash {
		return nil, errors.New("witness: the key does not have its id")
	}
	return v, nil
}

func validName(s string) bool { return s != "" && !strings.ContainsAny(s, " +\t\r\n") }

// Name is the witness's name.
func (v *Verifier) Name() string { return v.name }

// KeyHash is the key id.
func (v *Verifier) KeyHash() uint32 { return v.id }

// Verify checks the bytes after the key id: 8 of time, 64 of signature.
func (v *Verifier) Verify(text, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	return ed25519.Verify(v.public, message(binary.BigEndian.Uint64(sig), text), sig[8:])
}

// Seconds is when this witness cosigned a note, Unix seconds; ok is false when it did not.
func (v *Verifier) Seconds(signed string) (seconds uint64, ok bool) {
	n, err := note.Open([]byte(signed), note.VerifierList(v))
	if err != nil {
		return 0, false
	}
	for _, s := range n.Sigs {
		raw, err := base64.StdEncoding.DecodeString(s.Base64)
		if err == nil && s.Hash == v.id && len(raw) > 12 {
			return binary.BigEndian.Uint64(raw[4:12]), true
		}
	}
	return 0, false
}

// LogLineOnly gives a signed note with the one signature line that this log's key made. A line that only bears its name could be anybody's, and a note
// kept with that one would be no evidence.
func LogLineOnly(signed string, log note.Verifier) (string, error) {
	n, err := note.Open([]byte(signed), note.VerifierList(log))
	if err != nil {
		return "", fmt.Errorf("witness: %w", err)
	}
	return n.Text + "\n— " + n.Sigs[0].Name + " " + n.Sigs[0].Base64 + "\n", nil
}

// LogLineNamed gives a signed note with the first signature line of that name, whoever made it: for notes that were looked at before they were kept.
func LogLineNamed(signed, name string) (string, error) {
	text, sigs, ok := bytes.Cut([]byte(signed), []byte("\n\n"))
	if !ok {
		return "", errors.New("witness: not a signed note")
	}
	for line := range bytes.Lines(sigs) {
		if bytes.HasPrefix(line, []byte("— "+name+" ")) {
			return string(text) + "\n\n" + string(line), nil
		}
	}
	return "", fmt.Errorf("witness: no signature of %s", name)
}
