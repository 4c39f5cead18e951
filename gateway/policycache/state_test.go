package policycache

import (
	"os"
	"path/filepath"
	"testing"

	"monban/firmware/wire"
)

// whereabouts makes a policy of the rules of version 3 whose state part is newer.
func (p *publisher) whereabouts(v uint64, state string) ([]byte, [3][]byte) {
	p.t.Helper()
	data := parts(3)
	data[2] = []byte(state)
	msg, _ := p.policy(v, func(m *wire.Manifest) {
		for i, name := range wire.PartNames() {
			version := uint64(3)
			if i == 2 {
				version = v
			}
			part, _, err := wire.PartOf(name, version, data[i])
			if err != nil {
				p.t.Fatal(err)
			}
			m.Parts[i] = part
		}
	})
	return msg, data
}

// D7: who is inside is stored beside the rules, which stay where they are; it survives a restart, and a
// damaged one takes nothing else away.
func TestStateIsStoredAlone(t *testing.T) {
	t.Parallel()
	p := newPublisher(t)
	c := p.open()
	p.store(c, 3)
	file := filepath.Join(p.cfg.Dir, "policy")
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	for v, state := range map[uint64]string{4: "one inside"} {
		msg, data := p.whereabouts(v, state)
		if _, err := c.Store(msg, data); err != nil {
			t.Fatal(err)
		}
	}
	msg, data := p.whereabouts(5, "two inside")
	if _, err := c.Store(msg, data); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(file)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the rules were written again (%v)", err)
	}
	s, ok := p.open().Held()
	if !ok || string(s.State) != "two inside" || string(s.Rules) != "rules of version 3" || s.Manifest.Version != 5 || s.StateLost {
		t.Errorf("after a restart: %+v", s)
	}
	old, oldData := p.whereabouts(4, "one inside")
	if _, err := p.open().Store(old, oldData); err == nil {
		t.Error("an older state is taken")
	}
	side := filepath.Join(p.cfg.Dir, "policy.state")
	good, err := os.ReadFile(side)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"empty": {}, "cut": good[:len(good)-1], "changed": append([]byte("x"), good[1:]...)} {
		if err := os.WriteFile(side, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, ok := p.open().Held()
		if !ok || string(s.Rules) != "rules of version 3" || !s.StateLost || string(s.State) == "two inside" {
			t.Errorf("%s: %+v", name, s)
		}
	}
	c = p.open() // the next one makes it whole again
	msg, data = p.whereabouts(6, "three inside")
	if _, err := c.Store(msg, data); err != nil {
		t.Fatal(err)
	}
	if s, ok := p.open().Held(); !ok || s.StateLost || string(s.State) != "three inside" {
		t.Errorf("afterwards: %+v", s)
	}
	p.store(c, 9) // other rules: what lies beside them is of no account
	if s, ok := p.open().Held(); !ok || s.Manifest.Version != 9 || len(s.State) != 0 || s.StateLost {
		t.Errorf("other rules: %+v", s)
	}
}
