package access

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"monban/firmware/card"
)

// D23: base and delta give the next part byte for byte, whatever changed.
func TestDeltaGivesNext(t *testing.T) {
	base := bigSite(t, 40, 60, 6)
	rapid.Check(t, func(rt *rapid.T) {
		next := changed(rt, base)
		a, b := encode(rt, base), encode(rt, next)
		d, err := Delta(a, b)
		if err != nil {
			rt.Fatal(err)
		}
		got, err := ApplyDelta(a, d)
		if err != nil || !bytes.Equal(got, b) {
			rt.Fatalf("applied: %v, equal %v", err, bytes.Equal(got, b))
		}
		if back, err := Delta(b, a); err != nil {
			rt.Fatal(err)
		} else if got, err := ApplyDelta(b, back); err != nil || !bytes.Equal(got, a) {
			rt.Fatalf("way back: %v", err)
		}
	})
}

// changed draws other rules: people, cards, grants, zones and schedules come, go and change.
func changed(t *rapid.T, r Rules) Rules {
	r.Version += rapid.Uint64Range(0, 3).Draw(t, "version")
	r = r.Canonical()
	r.Doors = append([]Door(nil), r.Doors...)
	for range rapid.IntRange(0, 12).Draw(t, "changes") {
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0: // a newcomer, anywhere in the order of ids
			letter, no := rapid.IntRange(0, 2).Draw(t, "letter"), rapid.IntRange(0, 1_000_000).Draw(t, "n")
			id := fmt.Sprintf("%c%d", "apz"[letter], no)
			known := false
			for i := range r.Persons {
				known = known || r.Persons[i].ID == id
			}
			if known {
				continue
			}
			r.Persons = append(r.Persons, Person{ID: id, Active: true, Category: CategoryVisitor, UntilMS: 9e12})
			n := PersonNo(len(r.Persons) - 1)
			r.Credentials = append(r.Credentials, Credential{Key: numbered(1000 + 3*no + letter), Person: n, Status: CredentialActive, Assurance: card.UIDOnly})
			r.Grants = append(r.Grants, Grant{Person: n, Zone: r.Zones[0].ID, Schedule: Always, UntilMS: 9e12})
		case 1: // a card changes hands, status and PIN
			c := &r.Credentials[rapid.IntRange(0, len(r.Credentials)-1).Draw(t, "card")]
			c.Status, c.PIN, c.HasPIN = CredentialSuspended, key(0x33), true
			c.Person = rapid.SampledFrom([]PersonNo{0, 1, NoPerson}).Draw(t, "holder")
		case 2:
			i := rapid.IntRange(0, len(r.Credentials)-1).Draw(t, "card that goes")
			r.Credentials = append(r.Credentials[:i:i], r.Credentials[i+1:]...)
		case 3:
			i := rapid.IntRange(0, len(r.Grants)-1).Draw(t, "grant that goes")
			r.Grants = append(r.Grants[:i:i], r.Grants[i+1:]...)
		case 4:
			i := rapid.IntRange(0, len(r.Persons)-1).Draw(t, "person")
			r.Persons[i].Active = !r.Persons[i].Active
			r.Persons[i].ContractUntilMS = 5
		case 5:
			r.Doors[rapid.IntRange(0, len(r.Doors)-1).Draw(t, "door")].MaxAgeMS++
		case 6:
			r.Zones[rapid.IntRange(0, len(r.Zones)-1).Draw(t, "zone")].RequirePIN = false
		case 7:
			p := &r.Persons[rapid.IntRange(0, len(r.Persons)-1).Draw(t, "trained")]
			p.TrainingUntilMS, p.Conditions, p.MayEscort, p.Party = 7, 8, p.Category != CategoryVisitor, 4
		case 8:
			g := &r.Grants[rapid.IntRange(0, len(r.Grants)-1).Draw(t, "emergency")]
			g.Emergency = !g.Emergency
		case 9:
			z := &r.Zones[rapid.IntRange(1, len(r.Zones)-1).Draw(t, "inner")]
			z.Parent, z.AntiPassback, z.MaxInside, z.TwoPersonMS = r.Zones[0].ID, AntiPassbackHard, 3, 30_000
		}
	}
	return r
}

// D23: one person with card and grants is at most 4 KiB, a thousand changed cards at most 64 KiB, on the largest site.
func TestDeltaIsSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("encodes 100,000 cards")
	}
	base := bigSite(t, 5000, 100_000, 200)
	a := encode(t, base)
	one := base
	one.Version++
	one.Persons = append(append([]Person(nil), base.Persons...), Person{ID: "a-newcomer", Active: true, Category: CategoryContractor, UntilMS: 9e12})
	one.Credentials = append(append([]Credential(nil), base.Credentials...), Credential{Key: numbered(200_000), Person: 5000, Status: CredentialActive, Assurance: card.MutualAuth, HasPIN: true, PIN: key(3)})
	one.Grants = append([]Grant(nil), base.Grants...)
	for i := range 20 {
		one.Grants = append(one.Grants, Grant{Person: 5000, Zone: base.Zones[i].ID, Schedule: Always, UntilMS: 9e12})
	}
	thousand := base
	thousand.Version++
	thousand.Credentials = append([]Credential(nil), base.Credentials...)
	for i := range 1000 {
		thousand.Credentials[97*i].Status = CredentialRevoked
	}
	for _, x := range []struct {
		name string
		next Rules
		most int
	}{{"one person", one, 4 << 10}, {"a thousand cards", thousand, 64 << 10}} {
		b := encode(t, x.next)
		d, err := Delta(a, b)
		if err != nil || len(d) > x.most {
			t.Errorf("%s: %d bytes of %d, %v; at most %d are allowed", x.name, len(d), len(b), err, x.most)
		}
		t.Logf("%s: %d bytes instead of %d", x.name, len(d), len(b))
		if got, err := ApplyDelta(a, d); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%s: applied: %v", x.name, err)
		}
	}
}

// I9: a delta that was cut or changed gives an error or other bytes, which the signed hash refuses; never a panic.
func FuzzApplyDelta(f *testing.F) {
	base := bigSite(f, 5, 6, 3)
	next := base
	next.Version++
	next.Persons = append(append([]Person(nil), base.Persons...), Person{ID: "new", Active: true, Category: CategoryStaff})
	next.Grants = base.Grants[3:]
	a, b := encode(f, base), encode(f, next)
	d, err := Delta(a, b)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(d)
	for i := 0; i < len(d); i += 7 {
		f.Add(d[:i])
	}
	f.Fuzz(func(t *testing.T, delta []byte) {
		if _, err := ApplyDelta(a, delta); err != nil && !errors.Is(err, ErrDelta) {
			t.Errorf("%v is no ErrDelta", err)
		}
		if _, err := ApplyDelta(delta, d); err == nil && !bytes.Equal(delta, a) {
			t.Log("a foreign base was taken; its hash tells")
		}
	})
}
