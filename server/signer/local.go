package signer

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"monban/server/entrylog"
)

// PolicyVersion reads gateway and version out of a manifest's note text; wire supplies it, so that
// this package knows no message.
type PolicyVersion func(text string) (gateway string, version uint64, err error)

// Local is a Signer whose keys are files of one directory: log.key, policy.key, command.key,
// link.key (signing keys), signed.json (what was signed last), all 0600.
type Local struct {
	dir    string
	policy PolicyVersion
	keys   map[Role]roleKey

	orders *orders // nil = commands are signed without approvals

	mu     sync.Mutex
	last   lastSigned          // mu; in signed.json before a signature leaves
	lately map[int64]tlog.Hash // mu; size → root of the newest checkpoints signed by this process
}

type roleKey struct {
	signer   note.Signer
	verifier note.Verifier
}

type lastSigned struct {
	Size     int64             `json:"size"`
	Root     tlog.Hash         `json:"root"`
	Policies map[string]uint64 `json:"policies"`         // gateway → highest manifest version
	Sum      []byte            `json:"sha256,omitempty"` // of all but itself; missing in files of before
}

// encode gives the file's text with its checksum.
func (s lastSigned) encode() ([]byte, error) {
	s.Sum = nil
	b, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	h := sha256.Sum256(b)
	s.Sum = h[:]
	return json.Marshal(s)
}

// decodeState reads what encode wrote. A number that a flipped bit has made smaller would let an older policy or log be signed.
func decodeState(text string) (s lastSigned, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("is damaged: put it back from the newest copy of the keys: %w", err)
	}
	if s.Sum != nil {
		was := s.Sum
		s.Sum = nil
		b, err := json.Marshal(s)
		if h := sha256.Sum256(b); err != nil || !bytes.Equal(h[:], was) {
			return s, errors.New("is damaged (its checksum does not fit): put it back from the newest copy of the keys")
		}
	}
	if s.Policies == nil {
		s.Policies = map[string]uint64{}
	}
	return s, nil
}

const (
	rootKeyFile = "root.key"
	rootVerFile = "root.vkey"
	stateFile   = "signed.json"
)

// Create makes a new site's keys in dir: the root and one per role. It refuses a directory that
// already holds any. root.key signs the keys note (wire.SealKeys) and then belongs offline.
func Create(dir, site string, rand io.Reader) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create keys: %w", err)
	}
	for _, role := range append([]Role{RoleRoot}, Roles()...) {
		var skey, vkey string
		var err error
		if role == RoleLog {
			skey, vkey, err = GenerateLogKey(rand)
		} else {
			skey, vkey, err = GenerateKey(rand, KeyName(site, role))
		}
		if err != nil {
			return err
		}
		if err := createFile(filepath.Join(dir, string(role)+".key"), skey+"\n"); err != nil {
			return err
		}
		if err := createFile(filepath.Join(dir, string(role)+".vkey"), vkey+"\n"); err != nil {
			return err
		}
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("create keys: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

func createFile(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("create key file: %w", err)
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// Open loads the role keys of dir: those named, or all. root.key is not read. It refuses key files
// that anybody but their owner can read. policy may be nil for a signer that never signs manifests;
// then RolePolicy is refused.
func Open(dir string, policy PolicyVersion, roles ...Role) (*Local, error) {
	if len(roles) == 0 {
		roles = Roles()
	}
	l := &Local{dir: dir, policy: policy, keys: map[Role]roleKey{}, last: lastSigned{Policies: map[string]uint64{}}}
	for _, role := range roles {
		path := filepath.Join(dir, string(role)+".key")
		skey, err := readPrivate(path)
		if err != nil {
			return nil, err
		}
		if l.keys[role], err = parseKey(skey); err != nil {
			return nil, fmt.Errorf("key file %s: %w", path, err)
		}
	}
	state, err := readPrivate(filepath.Join(dir, stateFile))
	switch {
	case errors.Is(err, os.ErrNotExist): // nothing signed yet
	case err != nil:
		return nil, err
	default:
		if l.last, err = decodeState(state); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, stateFile), err)
		}
	}
	return l, nil
}

func parseKey(skey string) (roleKey, error) {
	s, err := note.NewSigner(skey)
	if err != nil {
		return roleKey{}, err
	}
	vkey, err := verifierKey(skey)
	if err != nil {
		return roleKey{}, err
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return roleKey{}, err
	}
	return roleKey{signer: s, verifier: v}, nil
}

// Verifier gives a role's public half.
func (l *Local) Verifier(role Role) (note.Verifier, error) {
	k, ok := l.keys[role]
	if !ok {
		return nil, fmt.Errorf("%s: %w", role, ErrNoRole)
	}
	return k.verifier, nil
}

// VerifierKey gives a role's public half as text; RoleRoot's too when root.vkey is there.
func (l *Local) VerifierKey(role Role) (string, error) {
	return readPrivate(filepath.Join(l.dir, string(role)+".vkey"))
}

// Sign signs text for a role other than log and root.
func (l *Local) Sign(role Role, text string) ([]byte, error) {
	k, ok := l.keys[role]
	if !ok || role == RoleLog {
		return nil, fmt.Errorf("sign for %s: %w", role, ErrNoRole)
	}
	if err := l.allow(role, text); err != nil {
		return nil, fmt.Errorf("sign for %s: %w", role, err)
	}
	return signNote(k, text)
}

func signNote(k roleKey, text string) ([]byte, error) {
	signed, err := note.Sign(&note.Note{Text: text}, k.signer)
	if err != nil {
		return nil, fmt.Errorf("sign as %s: %w", k.signer.Name(), err)
	}
	// note.Sign signs text that note.Open refuses (control characters); never hand such a note out.
	if _, err := note.Open(signed, note.VerifierList(k.verifier)); err != nil {
		return nil, fmt.Errorf("sign as %s: the note would not open: %w", k.signer.Name(), err)
	}
	return signed, nil
}

// allow checks what is to be signed for a role, and remembers it.
func (l *Local) allow(role Role, text string) error {
	switch {
	case role == RolePolicy:
		return l.raisePolicy(text)
	case role == RoleCommand && l.orders != nil:
		return l.orders.take(text)
	}
	return nil
}

// raisePolicy moves a gateway's version floor up, durably, before the manifest is signed. A manifest
// of the same version may be signed again: it is published at each hello.
func (l *Local) raisePolicy(text string) error {
	if l.policy == nil {
		return fmt.Errorf("no reader of manifests: %w", ErrNoRole)
	}
	gateway, version, err := l.policy(text)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	floor := l.last.Policies[gateway]
	switch {
	case version < floor:
		return fmt.Errorf("gateway %s: version %d, floor %d: %w", gateway, version, floor, ErrOlderPolicy)
	case version == floor:
		return nil
	}
	l.last.Policies[gateway] = version
	if err := l.save(); err != nil {
		l.last.Policies[gateway] = floor
		return err
	}
	return nil
}

// LastCheckpoint gives what SignCheckpoint must extend.
func (l *Local) LastCheckpoint() (size int64, root tlog.Hash) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last.Size, l.last.Root
}

// SignCheckpoint signs a checkpoint that extends the last one. The new state is durable before the
// signature is handed out: whatever happens afterwards, nothing inconsistent with it will be signed.
func (l *Local) SignCheckpoint(text string, proof tlog.TreeProof) ([]byte, error) {
	k, ok := l.keys[RoleLog]
	if !ok {
		return nil, fmt.Errorf("sign checkpoint: %w", ErrNoRole)
	}
	c, err := entrylog.ParseCheckpointText(text)
	if err != nil {
		return nil, err
	}
	if c.Origin != k.signer.Name() {
		return nil, fmt.Errorf("sign checkpoint: origin %q is not this log's %q", c.Origin, k.signer.Name())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case c.Size < l.last.Size:
		return nil, fmt.Errorf("sign checkpoint of size %d after %d: %w", c.Size, l.last.Size, ErrNotExtending)
	case c.Size == l.last.Size:
		if c.Size > 0 && c.Root != l.last.Root {
			return nil, fmt.Errorf("sign checkpoint of size %d with another root: %w", c.Size, ErrNotExtending)
		}
	default:
		if err := entrylog.CheckTree(proof, c.Size, c.Root, l.last.Size, l.last.Root); err != nil {
			return nil, fmt.Errorf("sign checkpoint of size %d after %d: %w (%w)", c.Size, l.last.Size, ErrNotExtending, err)
		}
		before := l.last
		l.last.Size, l.last.Root = c.Size, c.Root
		if err := l.save(); err != nil {
			l.last = before
			return nil, err
		}
	}
	l.keep(c.Size, c.Root)
	return signNote(k, text)
}

// save swaps signed.json for a new one, durably. Call with mu held.
func (l *Local) save() error {
	data, err := l.last.encode()
	if err != nil {
		return fmt.Errorf("save signer state: %w", err)
	}
	path := filepath.Join(l.dir, stateFile)
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("save signer state: %w", err)
	}
	if err := createFile(tmp, string(data)+"\n"); err != nil {
		return fmt.Errorf("save signer state: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("save signer state: %w", err)
	}
	d, err := os.Open(l.dir)
	if err != nil {
		return fmt.Errorf("save signer state: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// NoteSigner adapts a role to note.Signer. Each signature goes through Sign and its checks.
func (l *Local) NoteSigner(role Role) (note.Signer, error) {
	k, ok := l.keys[role]
	if !ok || role == RoleLog {
		return nil, fmt.Errorf("%s: %w", role, ErrNoRole)
	}
	return roleSigner{local: l, role: role, key: k}, nil
}

type roleSigner struct {
	local *Local
	role  Role
	key   roleKey
}

func (s roleSigner) Name() string    { return s.key.signer.Name() }
func (s roleSigner) KeyHash() uint32 { return s.key.signer.KeyHash() }

func (s roleSigner) Sign(msg []byte) ([]byte, error) {
	if err := s.local.allow(s.role, string(msg)); err != nil {
		return nil, err
	}
	return s.key.signer.Sign(msg)
}
