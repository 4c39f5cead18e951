package link

import (
	"bytes"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/wire"
)

// rulesPart is a small canonical rules part with one active card per number.
func rulesPart(t *testing.T, version uint64, cards int) []byte {
	t.Helper()
	r := access.Rules{
		Version: version, Site: "tagajo-demo", TimeZone: "Asia/Tokyo",
		Zones: []access.Zone{{ID: "server-room", Level: 1, MinAssurance: card.UIDOnly}},
		Doors: []access.Door{{ID: "d1", EnterZone: "server-room", Sides: []access.Side{access.SideEnter}, MaxAgeMS: 86_400_000}},
	}
	for i := range cards {
		r.Persons = append(r.Persons, access.Person{ID: "p" + string(rune('a'+i)), Active: true, Category: access.CategoryStaff})
		r.Credentials = append(r.Credentials, access.Credential{
			Key: access.Key{1, byte(i)}, Person: access.PersonNo(i), Status: access.CredentialActive, Assurance: card.CardAuth,
		})
	}
	b, err := access.EncodeRules(&r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// deltaPolicy is a policy whose rules part comes with a delta from base.
func deltaPolicy(t *testing.T, version uint64, base, rules, delta []byte) (Policy, [3][]byte) {
	t.Helper()
	m := wire.Manifest{Gateway: testGW, Version: version, MinVersion: version}
	parts := [3][]byte{rules, []byte("modes"), nil}
	chunks := chunkMap{}
	for i, name := range wire.PartNames() {
		v := uint64(1)
		if i == 0 {
			v = version
		}
		part, list, err := wire.PartOf(name, v, parts[i])
		if err != nil {
			t.Fatal(err)
		}
		for n, c := range list {
			chunks[part.Chunks[n]] = c
		}
		m.Parts = append(m.Parts, part)
	}
	if base != nil {
		from, _, _ := wire.PartOf("rules", 1, base)
		d, list := wire.DeltaOf(from.Sum, delta)
		for n, c := range list {
			chunks[d.Chunks[n]] = c
		}
		m.Parts[0].Delta = d
	}
	return Policy{Note: sealAs(t, wire.RolePolicy, wire.KindPolicy, wire.AppendManifest(nil, &m)), Chunks: chunks}, parts
}

// D23: who holds the part before fetches the delta alone; the result has the signed sum.
func TestPullDelta(t *testing.T) {
	t.Parallel()
	base, next := rulesPart(t, 1, 3), rulesPart(t, 2, 4)
	good, err := access.Delta(base, next)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := access.Delta(base, rulesPart(t, 2, 5)) // only the signed sum tells
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name    string
		delta   []byte
		lost    bool // the server does not have the delta's chunks any more
		byDelta bool
	}{
		{"a good delta", good, false, true},
		{"a delta whose rows do not fit", bytes.Replace(good, []byte("pd"), []byte("pe"), 1), false, false},
		{"a sound delta to another policy", elsewhere, false, false},
		{"garbage", []byte("garbage"), false, false},
		{"lost chunks", good, true, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, 0)
			r.g.cfg.Deltas = true
			p, parts := deltaPolicy(t, 2, base, next, x.delta)
			held := heldOf(1, [3]uint64{1, 1, 1}, [3][]byte{base, parts[1], parts[2]})
			r.in(held)
			r.link(Versions{Rules: 2, Modes: 1, State: 1})
			actions := r.policy(p)
			if x.lost {
				if w := r.wants(actions); len(w) != 1 || len(w[0].Chunks) != 1 {
					t.Fatalf("wants %+v, not the delta's chunk", w)
				}
				actions = r.after(2 * time.Second)
			}
			all, chunks := r.fetch(actions, p)
			ready := ofType[PolicyReady](all)
			if len(ready) != 1 || chunks != 1 {
				t.Fatalf("%d policies after %d chunks", len(ready), chunks)
			}
			if !x.lost {
				if ready[0].Parts[0] != nil || ready[0].Deltas[0] == nil {
					t.Fatal("the part came whole")
				}
				got, err := ready[0].Assemble()
				if (err == nil) != x.byDelta || err == nil && !bytes.Equal(got[0], next) {
					t.Fatalf("assembled: %v", err)
				}
				if x.byDelta {
					return
				}
				// The shell says what still counts; then the whole part is fetched.
				r.in(held)
				all = r.after(time.Minute)
				all, _ = r.fetch(append(all, r.policy(p)...), p)
				if ready = ofType[PolicyReady](all); len(ready) != 1 {
					t.Fatalf("%d policies after a delta that led nowhere", len(ready))
				}
			}
			if got, err := ready[0].Assemble(); err != nil || !bytes.Equal(got[0], next) || ready[0].Deltas[0] != nil {
				t.Errorf("the whole part: %v", err)
			}
		})
	}
}
