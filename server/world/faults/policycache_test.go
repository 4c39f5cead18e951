package faults

import (
	"errors"
	"fmt"
	"strconv"
	"sync"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/wire"
	"monban/gateway/policycache"
)

// policyKeys sign the policies of all writers. They are made from a fixed seed: a restarted writer needs the same.
var policyKeys = sync.OnceValues(func() (note.Signer, note.Verifier) {
	skey, vkey, err := note.GenerateKey(fixedRand(7), "monban/s/policy")
	if err != nil {
		panic("BUG: " + err.Error())
	}
	s, err1 := note.NewSigner(skey)
	v, err2 := note.NewVerifier(vkey)
	if err := errors.Join(err1, err2); err != nil {
		panic("BUG: " + err.Error())
	}
	return s, v
})

func policyConfig(folder string) policycache.Config {
	_, v := policyKeys()
	return policycache.Config{Dir: folder, Site: "s", Gateway: "gw-1", Verifiers: wire.Verifiers{}.With(wire.RolePolicy, v)}
}

// policyOf is the signed policy of a version. Its parts say their version and grow and shrink with it.
func policyOf(version uint64) ([]byte, [3][]byte, error) {
	var parts [3][]byte
	m := wire.Manifest{Gateway: "gw-1", Version: version}
	for i, name := range wire.PartNames() {
		for range 1 + version%500 {
			parts[i] = fmt.Appendf(parts[i], "%s of version %d\n", name, version)
		}
		part, _, err := wire.PartOf(name, version, parts[i])
		if err != nil {
			return nil, parts, err
		}
		m.Parts = append(m.Parts, part)
	}
	signer, _ := policyKeys()
	msg, err := wire.Seal(signer, "s", m.Gateway, wire.KindPolicy, wire.AppendManifest(nil, &m))
	return msg, parts, err
}

// writePolicies stores one version after another and saves ages.
func writePolicies(folder string) error {
	c, err := policycache.Open(policyConfig(folder))
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for v := c.Floor() + 1; ; v++ {
		msg, parts, err := policyOf(v)
		if err != nil {
			return err
		}
		if _, err := c.Store(msg, parts); err != nil {
			return err
		}
		fmt.Printf("policy %d\n", v)
		for ms := range int64(3) {
			if err := c.SaveAge(v, 1000+ms); err != nil {
				return err
			}
			fmt.Printf("age %d %d\n", v, 1000+ms)
		}
	}
}

// policyLedger is what a policy cache said.
type policyLedger struct {
	version uint64
	ages    map[uint64]int64
}

func newPolicyLedger() *policyLedger { return &policyLedger{ages: map[uint64]int64{}} }

func (l *policyLedger) writer() string { return "policycache" }

func (l *policyLedger) forget() { *l = *newPolicyLedger() }

func (l *policyLedger) told(f []string) error {
	if len(f) < 2 {
		return errors.New("not a line of this writer")
	}
	v, err := strconv.ParseUint(f[1], 10, 64)
	if err != nil {
		return err
	}
	if f[0] == "policy" {
		l.version = max(l.version, v)
		return nil
	}
	ms, err := strconv.ParseInt(f[2], 10, 64)
	l.ages[v] = max(l.ages[v], ms)
	return err
}

// check: a whole policy, not older than told; the floor neither; its age not younger than told (D12, I5).
func (l *policyLedger) check(folder string) (int, error) {
	c, err := policycache.Open(policyConfig(folder))
	if err != nil {
		return 0, err
	}
	s, ok := c.Held()
	switch {
	case !ok && l.version > 0:
		return 0, fmt.Errorf("LOST policy %d: none is held", l.version)
	case !ok:
		return 0, nil
	case s.Manifest.Version < l.version || c.Floor() < l.version:
		return 0, fmt.Errorf("LOST policy %d: %d is held, floor %d", l.version, s.Manifest.Version, c.Floor())
	}
	_, want, err := policyOf(s.Manifest.Version)
	if err != nil {
		return 0, err
	}
	if string(s.Rules) != string(want[0]) || string(s.Modes) != string(want[1]) || string(s.State) != string(want[2]) {
		return 0, fmt.Errorf("policy %d is not the one that was stored", s.Manifest.Version)
	}
	if got, told := c.Age(s.Manifest.Version), l.ages[s.Manifest.Version]; got < told {
		return 0, fmt.Errorf("LOST age %d ms of policy %d: %d ms is held", told, s.Manifest.Version, got)
	}
	return 1, nil
}
