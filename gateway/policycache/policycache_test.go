package policycache

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/wire"
)

// publisher signs policies like the server's.
type publisher struct {
	t      *testing.T
	signer note.Signer
	cfg    Config
}

func newPublisher(t *testing.T) *publisher {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, "monban/s/policy")
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return &publisher{t: t, signer: signer, cfg: Config{
		Dir: t.TempDir(), Site: "s", Gateway: "gw-1", Verifiers: wire.Verifiers{}.With(wire.RolePolicy, verifier),
	}}
}

func parts(v int) [3][]byte {
	return [3][]byte{fmt.Appendf(nil, "rules of version %d", v), fmt.Appendf(nil, "modes of version %d", v), {}}
}

// policy makes a signed policy whose manifest and parts have version v.
func (p *publisher) policy(v uint64, change func(*wire.Manifest)) ([]byte, [3][]byte) {
	p.t.Helper()
	m := wire.Manifest{Gateway: "gw-1", Version: v}
	data := parts(int(v))
	for i, name := range wire.PartNames() {
		part, _, err := wire.PartOf(name, v, data[i])
		if err != nil {
			p.t.Fatal(err)
		}
		m.Parts = append(m.Parts, part)
	}
	if change != nil {
		change(&m)
	}
	msg, err := wire.Seal(p.signer, "s", m.Gateway, wire.KindPolicy, wire.AppendManifest(nil, &m))
	if err != nil {
		p.t.Fatal(err)
	}
	return msg, data
}

func (p *publisher) open() *Cache {
	p.t.Helper()
	c, err := Open(p.cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

func (p *publisher) store(c *Cache, v uint64) {
	p.t.Helper()
	msg, data := p.policy(v, nil)
	if _, err := c.Store(msg, data); err != nil {
		p.t.Fatal(err)
	}
}

func held(c *Cache) uint64 {
	s, ok := c.Held()
	if !ok {
		return 0
	}
	return s.Manifest.Version
}

func TestStoreAndRestart(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	c := p.open()
	if held(c) != 0 || c.Floor() != 0 {
		t.Fatal("a new gateway holds a policy")
	}
	p.store(c, 3)
	p.store(c, 3) // the same again is no fault
	if err := c.SaveAge(3, 61_000); err != nil {
		t.Fatal(err)
	}
	c = p.open()
	s, ok := c.Held()
	if !ok || string(s.Rules) != "rules of version 3" || string(s.Modes) != "modes of version 3" || len(s.State) != 0 ||
		s.Version(wire.PartRules) != 3 || c.Floor() != 3 {
		t.Errorf("after restart: %+v", s)
	}
	if c.Age(3) != 61_000 || c.Age(4) != 0 {
		t.Errorf("age %d", c.Age(3))
	}
	info, err := os.Stat(filepath.Join(p.cfg.Dir, "policy"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// AD-11: TUF's attacks on what a gateway holds: rollback, mix-and-match, wrong target, forged.
func TestRefused(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	c := p.open()
	p.store(c, 5)
	other := newPublisher(t)
	cases := map[string]struct {
		want   error
		signer *publisher
		v      uint64
		change func(*wire.Manifest)
		spoil  func(msg []byte, parts *[3][]byte) []byte
	}{
		"rollback":            {want: ErrFalling, v: 4},
		"one part falls":      {want: ErrFalling, v: 6, change: func(m *wire.Manifest) { m.Parts[1].Version = 4 }},
		"same version, other": {want: ErrFalling, v: 5, change: func(m *wire.Manifest) { m.NotBeforeMS = 7 }},
		"foreign key":         {v: 6, signer: other},
		"other gateway":       {v: 6, change: func(m *wire.Manifest) { m.Gateway = "gw-2" }},
		"part of another":     {want: ErrDamaged, v: 6, spoil: func(m []byte, p *[3][]byte) []byte { p[0] = parts(7)[0]; return m }},
		"part cut":            {want: ErrDamaged, v: 6, spoil: func(m []byte, p *[3][]byte) []byte { p[0] = p[0][1:]; return m }},
		"text changed": {v: 6, spoil: func(m []byte, _ *[3][]byte) []byte {
			return bytes.Replace(m, []byte(`"version":6`), []byte(`"version":9`), 1)
		}},
		"empty":     {v: 6, spoil: func([]byte, *[3][]byte) []byte { return nil }},
		"version 0": {want: ErrDamaged, v: 0},
	}
	for name, x := range cases {
		from := p
		if x.signer != nil {
			from = x.signer
		}
		msg, data := from.policy(x.v, x.change)
		if x.spoil != nil {
			msg = x.spoil(msg, &data)
		}
		_, err := c.Store(msg, data)
		if err == nil || x.want != nil && !errors.Is(err, x.want) {
			t.Errorf("%s: %v", name, err)
		}
		if s, ok := c.Held(); !ok || s.Manifest.Version != 5 || string(s.Rules) != "rules of version 5" {
			t.Errorf("%s: the policy in force changed", name)
		}
	}
	if got := p.open(); held(got) != 5 {
		t.Error("a refused policy reached the disk")
	}
}

// MinVersion raises the floor above what is held; it stays through a restart.
func TestFloor(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	c := p.open()
	msg, data := p.policy(8, func(m *wire.Manifest) { m.MinVersion = 8 })
	if _, err := c.Store(msg, data); err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(p.cfg.Dir, "policy")
	oldMsg, oldData := p.policy(7, nil)
	// The card's policy file is replaced by an older one, well signed: the floor finds it.
	q := *p
	q.cfg.Dir = t.TempDir()
	if _, err := q.open().Store(oldMsg, oldData); err != nil {
		t.Fatal(err)
	}
	data7, err := os.ReadFile(filepath.Join(q.cfg.Dir, "policy"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(old, data7, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err = Open(p.cfg)
	if !errors.Is(err, ErrFalling) || held(c) != 0 {
		t.Errorf("rolled back file: %v, holds %d", err, held(c))
	}
	if c, err = Open(p.cfg); err != nil || held(c) != 0 || c.Floor() != 8 {
		t.Errorf("afterwards: %v, %d, floor %d", err, held(c), c.Floor())
	}
	p.store(c, 9)
}

// Every byte of every file: damage is found, and no door gets a policy that nobody signed (I9).
func TestDamage(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	c := p.open()
	p.store(c, 3)
	if err := c.SaveAge(3, 1); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"policy", "policy.floor", "policy.age"} {
		path := filepath.Join(p.cfg.Dir, name)
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range good {
			bad := bytes.Clone(good)
			if i%7 == 0 {
				bad = bad[:i]
			} else {
				bad[i] ^= 1 << (i % 8)
			}
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := Open(p.cfg)
			if err == nil || held(c) != 0 {
				t.Fatalf("%s, byte %d: %v, holds %d", name, i, err, held(c))
			}
			if name == "policy" {
				if err := os.Rename(path+".bad", path); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
		if held(p.open()) != 3 {
			t.Fatalf("%s: repaired file", name)
		}
	}
}

// Crash points 1–3: a write that stops anywhere leaves the old policy or the new one, never a lower
// floor, never none.
func TestCrashPoints(t *testing.T) {
	t.Parallel()
	errCrash := errors.New("crash")
	for _, step := range []string{
		"policy write", "policy rename", "policy sync", "policy.floor write", "policy.floor rename", "policy.floor sync",
	} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			p := newPublisher(t)
			p.store(p.open(), 3)
			p.cfg.Step = func(s string) error {
				if s == step {
					return errCrash
				}
				return nil
			}
			msg, data := p.policy(4, nil)
			c := p.open()
			if _, err := c.Store(msg, data); !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			if held(c) != 3 {
				t.Errorf("in force before it was durable: %d", held(c))
			}
			p.cfg.Step = nil
			c = p.open()
			want := uint64(4)
			if step == "policy write" || step == "policy rename" {
				want = 3
			}
			if held(c) != want || c.Floor() != want {
				t.Errorf("after restart: holds %d, floor %d, want %d", held(c), c.Floor(), want)
			}
			p.store(c, 4)
		})
	}
}

// FuzzDecode: no file makes the decoder fail but by an error.
func FuzzDecode(f *testing.F) {
	f.Add(encodePolicy(&Snapshot{Note: []byte("n"), Rules: []byte("r")}))
	f.Add([]byte(policyMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, in := range [][]byte{b, sealed(append([]byte(policyMagic), b...))} {
			note, parts, err := decodePolicy(in)
			if err != nil {
				continue
			}
			s := Snapshot{Note: note, Rules: parts[0], Modes: parts[1], State: parts[2]}
			if !bytes.Equal(encodePolicy(&s), in) {
				t.Error("not canonical")
			}
		}
	})
}

// A manifest below the floor is refused for itself, and so is each of its parts, not only both together (I5).
func TestFloorOfEach(t *testing.T) {
	manifest := func(version uint64, parts ...uint64) *wire.Manifest {
		m := &wire.Manifest{Version: version}
		for _, v := range parts {
			m.Parts = append(m.Parts, wire.Part{Version: v})
		}
		return m
	}
	f := floor{version: 8, parts: [3]uint64{8, 5, 8}}
	if err := f.check(manifest(8, 8, 5, 8)); err != nil {
		t.Errorf("at the floor: %v", err)
	}
	for _, m := range []*wire.Manifest{manifest(7, 8, 5, 8), manifest(9, 7, 5, 8), manifest(9, 8, 4, 8), manifest(9, 8, 5, 7)} {
		if err := f.check(m); !errors.Is(err, ErrFalling) {
			t.Errorf("%+v: %v, want ErrFalling", m, err)
		}
	}
}
