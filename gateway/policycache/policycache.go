// Package policycache keeps the last verified policy of this gateway on disk: the signed manifest
// and its parts, the version floor, and how old the policy was when last looked at.
//
// It trusts nothing that it reads back: Open verifies the manifest's signature, the parts' sums and the
// floor again, so a card that was edited or rolled back past the floor gives no policy at all, and
// the doors deny (I9). A version never falls. It neither fetches nor compiles policies.
package policycache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"monban/firmware/access"
	"monban/firmware/wire"
)

// Errors that callers branch on. The doors: as before the call; a policy in force stays in force.
var (
	// ErrFalling: the manifest's version, or the version of one of its parts, is below what this
	// gateway has held, or below the floor (a rollback).
	ErrFalling = errors.New("policy version falls")
	// ErrDamaged: a file or a part is not what was written or signed.
	ErrDamaged = errors.New("policy is damaged")
)

// Config is what Open needs.
type Config struct {
	Dir       string // exists; the cache's files are policy, policy.state, policy.floor and policy.age in it
	Site      string
	Gateway   access.GatewayID
	Verifiers wire.Verifiers
	// Step is called between the steps of a write, with their names; an error there stops the write
	// as a crash would. nil in the product; tests use it.
	Step func(step string) error
}

// Snapshot is one whole verified policy. Its bytes must not be changed.
type Snapshot struct {
	Note     []byte // the signed manifest as received
	Manifest wire.Manifest
	Rules    []byte
	Modes    []byte
	State    []byte
	// StateLost: State is older than one that was held before; who is inside is not known.
	StateLost bool
}

// Version gives the version of a part by its name (wire.PartRules …), 0 when there is none.
func (s *Snapshot) Version(part string) uint64 {
	for _, p := range s.Manifest.Parts {
		if p.Name == part {
			return p.Version
		}
	}
	return 0
}

// Cache is the policy on disk. Its methods may be called from any goroutine.
type Cache struct {
	cfg Config

	mu    sync.Mutex
	held  Snapshot
	has   bool
	floor floor
	age   age
}

// floor is what a later policy may not fall below.
type floor struct {
	version uint64    // of the manifest
	parts   [3]uint64 // in the order of wire.PartNames
}

// age is how old a policy was when last saved (D12).
type age struct {
	version uint64
	ms      int64
}

// Open reads the cache. A missing policy is no error. A damaged or rolled back one is: it is renamed
// aside, and the returned Cache, which is usable, holds no policy; the doors deny no_policy.
func Open(cfg Config) (*Cache, error) {
	c := &Cache{cfg: cfg}
	for _, name := range []string{"policy", "policy.state", "policy.floor", "policy.age"} {
		if err := os.Remove(c.path(name) + ".new"); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("open policy cache: %w", err)
		}
	}
	var faults []error
	if err := c.readFloor(); err != nil {
		faults = append(faults, err)
	}
	if err := c.readAge(); err != nil {
		faults = append(faults, err)
	}
	snap, err := c.readPolicy()
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err == nil && len(faults) == 0:
		c.held, c.has = snap, true
		c.floor = c.floor.raised(&snap.Manifest) // crash point 2: the policy is newer than the floor
	case err == nil:
		// Without its floor or age a policy could be any old one: none is in force until the server
		// has sent it again. The doors deny.
	default:
		faults = append(faults, err)
		if err := os.Rename(c.path("policy"), c.path("policy.bad")); err != nil {
			faults = append(faults, err)
		}
	}
	if len(faults) > 0 {
		return c, fmt.Errorf("open policy cache: %w", errors.Join(faults...))
	}
	return c, nil
}

// Held returns the policy in force; ok is false when there is none.
func (c *Cache) Held() (s Snapshot, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.held, c.has
}

// Floor is the lowest manifest version that is still accepted.
func (c *Cache) Floor() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.floor.version
}

// Store verifies a policy, makes it durable and only then returns it as the one in force. note is
// the signed manifest; parts are the whole bytes of rules, modes and state. On an error the policy
// before stays in force.
func (c *Cache) Store(note []byte, parts [3][]byte) (Snapshot, error) {
	snap, err := c.verify(note, parts)
	if err != nil {
		return Snapshot{}, fmt.Errorf("store policy: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.floor.check(&snap.Manifest); err != nil {
		return Snapshot{}, fmt.Errorf("store policy: %w", err)
	}
	if c.has && snap.Manifest.Version == c.held.Manifest.Version && !bytes.Equal(note, c.held.Note) {
		return Snapshot{}, fmt.Errorf("store policy: %w: two manifests with version %d", ErrFalling, snap.Manifest.Version)
	}
	// Crash points: 1 nothing written yet or policy.new incomplete: the policy before is in force;
	// 2 policy in place, floor older: Open raises the floor from the policy; 3 both in place.
	// Who is inside changes often and the rules are large, so a policy that differs in its state alone
	// writes a small file beside them; it counts while it fits them, so what is left of it after the next
	// whole policy is of no account.
	name, b := "policy", []byte(nil)
	if c.has && !c.held.StateLost && sameRules(&c.held.Manifest, &snap.Manifest) {
		name, b = "policy.state", encodeState(&snap)
	} else {
		b = encodePolicy(&snap)
	}
	if err := c.write(name, b); err != nil {
		return Snapshot{}, fmt.Errorf("store policy: %w", err)
	}
	next := c.floor.raised(&snap.Manifest)
	if err := c.write("policy.floor", encodeFloor(next)); err != nil {
		return Snapshot{}, fmt.Errorf("store policy: %w", err)
	}
	c.held, c.has, c.floor = snap, true, next
	return snap, nil
}

// sameRules reports whether rules and modes of two manifests are the same bytes.
func sameRules(a, b *wire.Manifest) bool {
	return len(a.Parts) == 3 && len(b.Parts) == 3 && a.Parts[0].Sum == b.Parts[0].Sum && a.Parts[1].Sum == b.Parts[1].Sum &&
		a.Parts[0].Version == b.Parts[0].Version && a.Parts[1].Version == b.Parts[1].Version
}

// Age returns the age, in ms, that was last saved for the policy of the given manifest version;
// 0 when none was.
func (c *Cache) Age(version uint64) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.age.version != version {
		return 0
	}
	return c.age.ms
}

// SaveAge stores how old the policy of the given manifest version is, ms ≥ 0. Called each 60 s and
// at a clean stop, so that a restart does not make a policy young again (D12).
func (c *Cache) SaveAge(version uint64, ms int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := age{version: version, ms: max(ms, 0)}
	b := binary.BigEndian.AppendUint64([]byte(ageMagic), a.version)
	b = binary.BigEndian.AppendUint64(b, uint64(a.ms))
	if err := c.write("policy.age", sealed(b)); err != nil {
		return fmt.Errorf("save policy age: %w", err)
	}
	c.age = a
	return nil
}

// verify checks signature, gateway, sums and lengths, but not the floor.
func (c *Cache) verify(note []byte, parts [3][]byte) (Snapshot, error) {
	body, err := wire.Open(c.cfg.Verifiers, c.cfg.Site, c.cfg.Gateway, wire.KindPolicy, note)
	if err != nil {
		return Snapshot{}, err
	}
	m, err := wire.ParseManifest(body)
	if err != nil {
		return Snapshot{}, err
	}
	if m.Gateway != c.cfg.Gateway || m.Version == 0 || len(m.Parts) != len(parts) {
		return Snapshot{}, fmt.Errorf("%w: manifest of another gateway, without version or parts", ErrDamaged)
	}
	for i, p := range m.Parts {
		if uint64(len(parts[i])) != p.Bytes || wire.Hash(sha256.Sum256(parts[i])) != p.Sum {
			return Snapshot{}, fmt.Errorf("%w: part %s", ErrDamaged, p.Name)
		}
	}
	return Snapshot{Note: bytes.Clone(note), Manifest: m,
		Rules: bytes.Clone(parts[0]), Modes: bytes.Clone(parts[1]), State: bytes.Clone(parts[2])}, nil
}

// check refuses a manifest below the floor.
func (f floor) check(m *wire.Manifest) error {
	if m.Version < f.version {
		return fmt.Errorf("%w: manifest %d, floor %d", ErrFalling, m.Version, f.version)
	}
	for i, p := range m.Parts {
		if p.Version < f.parts[i] {
			return fmt.Errorf("%w: part %s %d, floor %d", ErrFalling, p.Name, p.Version, f.parts[i])
		}
	}
	return nil
}

// raised is the floor after m was accepted.
func (f floor) raised(m *wire.Manifest) floor {
	f.version = max(f.version, m.Version, m.MinVersion)
	for i, p := range m.Parts {
		f.parts[i] = max(f.parts[i], p.Version)
	}
	return f
}

func (c *Cache) path(name string) string { return filepath.Join(c.cfg.Dir, name) }
