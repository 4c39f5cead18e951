// Package signer holds the server's role keys behind one interface (D18) and looks at what it signs:
// a checkpoint that does not extend the last one it signed, a policy older than the last one, or a command whose
// approvals are not in the log that it signed (orders.go) is refused, whoever asks.
//
// Local keeps the keys in this process. A real installation serves a Local from a process and user of
// its own (Serve), and the server, which also shows pages, asks it through a Remote: whoever takes over
// the server cannot read the keys, nor have anything signed that contradicts what was signed. Serves I8.
package signer

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Role is what a key may sign.
type Role string

// The roles. RoleRoot signs the keys note only; its key belongs offline.
const (
	RoleRoot    Role = "root"
	RoleLog     Role = "log"     // checkpoints
	RolePolicy  Role = "policy"  // manifests
	RoleCommand Role = "command" // remote commands
	RoleLink    Role = "link"    // welcome, lease, answer, ack
)

// Roles lists the roles the server signs with.
func Roles() []Role { return []Role{RoleLog, RolePolicy, RoleCommand, RoleLink} }

// Refusals that a caller branches on.
var (
	// ErrNotExtending says that the tree to be signed is smaller than, or different from, one that
	// was already signed. Nothing may be signed until a person has looked (EV-3).
	ErrNotExtending = errors.New("the tree does not extend the last signed checkpoint")
	// ErrOlderPolicy says that a manifest's version is below one already signed for that gateway.
	ErrOlderPolicy = errors.New("policy version is below one already signed")
	// ErrNoRole says that this signer does not hold the key of the role.
	ErrNoRole = errors.New("no key for this role")
	// ErrNotApproved says that a command's approvals are not in the log, or not those that it needs (ADR 0031).
	ErrNotApproved = errors.New("the command is not approved")
	// ErrUnavailable says that the signer's process did not answer. Nothing is known to be wrong: the
	// same is asked again later, and doors go on meanwhile.
	ErrUnavailable = errors.New("the signer does not answer")
)

// Signer signs for a role and checks first.
type Signer interface {
	// Sign signs text, which ends in a newline, and returns the whole note. It refuses RoleLog
	// (SignCheckpoint) and RoleRoot.
	Sign(role Role, text string) ([]byte, error)
	// SignCheckpoint signs a checkpoint's text. proof shows that the tree of LastCheckpoint is a
	// prefix of it; nil when nothing was signed yet or the sizes are equal.
	SignCheckpoint(text string, proof tlog.TreeProof) ([]byte, error)
	// LastCheckpoint gives size and root of the last checkpoint signed; size 0 when none was.
	LastCheckpoint() (size int64, root tlog.Hash)
	// Approve shows who asked for a command and who ordered it. A signer that demands approvals signs no other
	// command, and each once.
	Approve(e Evidence) error
	// Verifier gives the role's public half.
	Verifier(role Role) (note.Verifier, error)
	// NoteSigner gives a note.Signer that goes through Sign, for code that seals messages.
	NoteSigner(role Role) (note.Signer, error)
}

// KeyName is the note name of a site's role key. That of the log is neutral: it names no site, since
// checkpoints leave the house (EV-2).
func KeyName(site string, role Role) string { return "monban/" + site + "/" + string(role) }

// GatewayKeyName is the note name of a gateway's key.
func GatewayKeyName(site, gateway string) string { return "monban/" + site + "/gw/" + gateway }

// GenerateLogKey makes a log key. Its name, the origin of all its checkpoints, is monban/ and 8 hex
// digits of the SHA-256 of the public key.
func GenerateLogKey(rand io.Reader) (skey, vkey string, err error) {
	// The name depends on the key, so the key is made under a first name and then renamed: note's
	// encoding is "…+name+hash+base64(algorithm ‖ seed)", where the hash covers name and public key.
	var seed [32]byte
	if _, err := io.ReadFull(rand, seed[:]); err != nil {
		return "", "", fmt.Errorf("make log key: %w", err)
	}
	pub := publicKey(seed)
	sum := sha256.Sum256(pub)
	return encodeKey(fmt.Sprintf("monban/%x", sum[:4]), seed)
}

// GenerateKey makes an Ed25519 note key of this name.
func GenerateKey(rand io.Reader, name string) (skey, vkey string, err error) {
	skey, vkey, err = note.GenerateKey(rand, name)
	if err != nil {
		return "", "", fmt.Errorf("make key %s: %w", name, err)
	}
	return skey, vkey, nil
}
