package access

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"monban/firmware/card"
)

// bigSite has as many rows as the largest site we plan for: 100,000 cards, 5,000 persons, 200 doors.
func bigSite(t rapid.TB, persons, cards, doors int) Rules {
	r := site(t)
	r.Persons, r.Credentials, r.Zones, r.Doors, r.Grants = nil, nil, nil, nil, nil
	for i := range doors {
		zone := ZoneID(fmt.Sprintf("zone-%03d", i))
		r.Zones = append(r.Zones, Zone{ID: zone, Level: 2, MinAssurance: card.CardAuth, RequirePIN: true,
			AntiPassback: AntiPassbackHard, MaxInside: 40, TwoPersonMS: 30_000, Escort: EscortOutsiders, Training: TrainingDeny})
		r.Doors = append(r.Doors, Door{ID: DoorID(fmt.Sprintf("door-%03d", i)), EnterZone: zone, Sides: []Side{SideEnter, SideExit}, OfflineMode: OfflineCached, MaxAgeMS: 1 << 40})
	}
	until := at(t, "2027-04-01 00:00:00")
	for i := range persons {
		r.Persons = append(r.Persons, Person{ID: fmt.Sprintf("p%06d", i), Active: true, Category: CategoryStaff, TrainingUntilMS: until})
		for z := range 20 {
			r.Grants = append(r.Grants, Grant{Person: PersonNo(i), Zone: r.Zones[(i+z)%doors].ID, Schedule: int32(z % 2), UntilMS: until})
		}
	}
	for i := range cards {
		r.Credentials = append(r.Credentials, Credential{Key: numbered(i), Person: PersonNo(i % persons), Status: CredentialActive, Assurance: card.MutualAuth, HasPIN: true, PIN: key(0x11)})
	}
	return r
}

func numbered(n int) Key { return Key(sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(n)))) }

// Decide allocates nothing, on a grant as on a denial, at either side.
func TestDecideAllocatesNothing(t *testing.T) {
	rules := site(t)
	allRules(&rules)
	p := compile(t, rules)
	v, q := good(t)
	v.Person.Known, v.Zone, v.Door = true, ZoneView{Known: true}, crowd(q.WallMS)
	denied, exit, pin, unknown := q, q, q, q
	denied.WallMS += 12 * 3600_000
	exit.Side = SideExit
	pin.PIN = PINNone
	unknown.Key, unknown.Door = key(77), "nowhere"
	if d := Decide(p, v, q); d.Outcome != Granted {
		t.Fatalf("%+v (%s)", d, d.Failed)
	}
	for name, r := range map[string]Request{"grant": q, "denial": denied, "exit": exit, "PIN": pin, "unknown": unknown} {
		if n := testing.AllocsPerRun(100, func() { Decide(p, v, r) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	if n := testing.AllocsPerRun(100, func() { CheckPIN(p, key(1), key(0x11)) }); n != 0 {
		t.Errorf("CheckPIN: %v allocations", n)
	}
}

// crowd is a door at which as many stand as one can hold, all but the last too long.
func crowd(now int64) DoorView {
	v := DoorView{Known: true}
	for i := range v.Present {
		v.Present[i] = Presence{SinceMS: now - 59_000, Category: CategoryContractor}
	}
	v.Present[MaxPresent-1] = Presence{SinceMS: now - 1000, Category: CategoryStaff}
	return v
}

// A large site compiles in time; five times the measured second, so that a busy machine passes.
func TestCompileLargeSite(t *testing.T) {
	r := bigSite(t, 5000, 100_000, 200)
	start := time.Now()
	compile(t, r)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("compiling took %v", took)
	}
}

func BenchmarkDecide(b *testing.B) {
	p := compile(b, bigSite(b, 5000, 100_000, 200))
	v, q := good(b)
	v.Person.Known, v.Zone, v.Door = true, ZoneView{Known: true}, crowd(q.WallMS)
	q.Key, q.Door = numbered(4321), "door-121" // person 4321 has zones 121 … 140 of 200
	denied := q
	denied.Door = "door-100"
	if d := Decide(p, v, q); d.Outcome != Granted {
		b.Fatalf("%+v %s", d, d.Failed)
	}
	if d := Decide(p, v, denied); d.Primary != ReasonNoGrant {
		b.Fatalf("%+v", d)
	}
	for name, r := range map[string]Request{"grant": q, "denial": denied} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Decide(p, v, r)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	r := bigSite(b, 5000, 100_000, 200)
	for b.Loop() {
		compile(b, r)
	}
}
