package policypub_test

import (
	"testing"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/policypub"
	"monban/server/policypub/sitetest"
	"monban/server/store"
)

// edit changes the sample site and publishes it.
func edit(t *testing.T, s *sitetest.Site, change func(*directory.Snapshot)) {
	t.Helper()
	_, err := s.Change(t.Context(), func(tx *store.Tx) ([]directory.Change, error) {
		return directory.Update(tx, directory.Actor{From: "cli"}, "test", now.UnixMilli(), func(d *directory.Snapshot) error {
			change(d)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// decided is the decision about a sample card with its PIN.
func decided(s *sitetest.Site, door access.DoorID, number uint64, at time.Time) access.Decision {
	return access.Decide(s.Site().Policy, access.View{PIN: access.PINView{Known: true}}, request(s, door, number, at))
}

// VE-4, A21: a contractor enters while a contract names them, and not a day longer; nobody else of the company does.
func TestContractNamesItsWorkers(t *testing.T) {
	s := sitetest.New(t)
	night := time.Date(2026, 11, 24, 17, 0, 0, 0, time.UTC) // 02:00 on the 25th in Tokyo
	if d := decided(s, "server-room-1", 20001, night); d.Outcome != access.Granted {
		t.Fatalf("named worker: %v", d.Failed)
	}
	edit(t, s, func(d *directory.Snapshot) {
		d.Contracts[0].ValidUntil = directory.Date{Year: 2026, Month: 11, Day: 24}
	})
	if d := decided(s, "server-room-1", 20001, night); d.Outcome == access.Granted || d.Primary != access.ReasonContractExpired {
		t.Errorf("the day after the contract: %v %v", d.Outcome, d.Failed)
	}
	if d := decided(s, "server-room-1", 20001, time.Date(2026, 11, 24, 14, 59, 59, 0, time.UTC)); d.Outcome != access.Granted {
		t.Errorf("the last second of the contract: %v", d.Failed)
	}
	edit(t, s, func(d *directory.Snapshot) {
		d.Contracts[0].ValidUntil = directory.Date{Year: 2027, Month: 3, Day: 31}
		d.Contracts[0].Workers = nil
	})
	if d := decided(s, "server-room-1", 20001, night); d.Outcome == access.Granted || d.Primary != access.ReasonContractExpired {
		t.Errorf("unnamed worker: %v %v", d.Outcome, d.Failed)
	}
	if d := decided(s, "server-room-1", 4567, night); d.Outcome != access.Granted {
		t.Errorf("staff beside contracts: %v", d.Failed)
	}
}

// VE-4: between two contracts there is no right, although the later one begins.
func TestBetweenContracts(t *testing.T) {
	s := sitetest.New(t)
	day := func(d int) directory.Date { return directory.Date{Year: 2026, Month: 11, Day: d} }
	edit(t, s, func(d *directory.Snapshot) {
		second := d.Contracts[0]
		second.ID, second.ValidFrom = "2026-joho-018", day(28)
		d.Contracts[0].ValidUntil = day(24)
		d.Contracts = append(d.Contracts, second)
	})
	at := func(d int) time.Time { return time.Date(2026, 11, d, 17, 0, 0, 0, time.UTC) } // 02:00 the next day
	for d, want := range map[int]bool{23: true, 24: false, 26: false, 27: true} {
		if got := decided(s, "server-room-1", 20001, at(d)); (got.Outcome == access.Granted) != want {
			t.Errorf("night of the %d: %v %v", d, got.Outcome, got.Failed)
		}
	}
}

// AD-3, VR-8: what an exception sets aside comes back by itself when it has run out: the PIN, and where no exit can be
// seen, nobody who would need an escort gets in.
func TestExceptionRunsOut(t *testing.T) {
	s := sitetest.New(t)
	edit(t, s, func(d *directory.Snapshot) {
		d.Grants = append(d.Grants, directory.Grant{
			ID: "K-2001:media-store:always", Person: "K-2001", Zone: "media-store", Schedule: "always", ValidUntil: directory.Date{Year: 2027, Month: 3, Day: 31},
		})
	})
	dir := s.Site().Directory()
	if z, _ := s.Site().Policy.Zone("media-store"); z.RequirePIN {
		t.Fatal("the exception does not count")
	}
	later := dir.InForce(directory.Date{Year: 2027, Month: 4, Day: 1})
	rules, err := policypub.Rules(&later, sitetest.Name, s.Zone, 9)
	if err != nil {
		t.Fatal(err)
	}
	for _, z := range rules.Zones {
		switch z.ID {
		case "media-store":
			if !z.RequirePIN || z.Escort != access.EscortNone {
				t.Errorf("media store after the exception: %+v", z)
			}
		case "server-room":
			if z.TwoPersonMS != 60_000 || !z.StaffNeeded || z.Escort != access.EscortOutsiders {
				t.Errorf("server room after the exceptions: %+v", z)
			}
		}
	}
	count := func(r access.Rules, zone access.ZoneID, person string) (n int) {
		for _, g := range r.Grants {
			if g.Zone == zone && r.Persons[g.Person].ID == person {
				n++
			}
		}
		return n
	}
	if n := count(rules, "media-store", "K-2001"); n != 1 {
		t.Errorf("a contractor has %d rights at level 2, where visitors alone are escorted", n)
	}
	for i := range later.People {
		if later.People[i].ID == "1001" {
			later.People[i].Category, later.People[i].Kind, later.People[i].MayEscort = directory.Visitor, directory.SchoolEmployee, false
		}
	}
	if rules, err = policypub.Rules(&later, sitetest.Name, s.Zone, 9); err != nil {
		t.Fatal(err)
	}
	if n := count(rules, "media-store", "1001"); n != 0 {
		t.Errorf("a visitor has %d rights where an escort cannot be watched", n)
	}
}

// AD-2: each member of a group has its grants, and loses them on leaving. VR-5: a suspended grant gives nothing.
func TestGroupGrants(t *testing.T) {
	s := sitetest.New(t)
	edit(t, s, func(d *directory.Snapshot) {
		d.Grants = append(d.Grants, directory.Grant{
			ID: "@all:media-store:always", Group: "all", Zone: "media-store", Schedule: "always", ValidUntil: directory.Date{Year: 2027, Month: 3, Day: 31},
		})
		d.Groups = append(d.Groups, directory.Group{ID: "all", Name: "全員", Members: []directory.PersonID{"1008", "1009"}})
	})
	if d := decided(s, "media-store-1", 4575, now); d.Outcome != access.Granted {
		t.Errorf("member: %v", d.Failed)
	}
	edit(t, s, func(d *directory.Snapshot) { d.Groups[0].Members = d.Groups[0].Members[:1] })
	if d := decided(s, "media-store-1", 4575, now); d.Primary != access.ReasonNoGrant {
		t.Errorf("who left: %v", d.Failed)
	}
	edit(t, s, func(d *directory.Snapshot) {
		for i := range d.Grants {
			d.Grants[i].Suspended = d.Grants[i].Person == "1002"
		}
	})
	if d := decided(s, "server-room-1", 4568, now); d.Primary != access.ReasonNoGrant {
		t.Errorf("suspended: %v %v", d.Outcome, d.Failed)
	}
	if d := decided(s, "server-room-1", 4567, now); d.Outcome != access.Granted {
		t.Errorf("another: %v", d.Failed)
	}
}

// AD-8…AD-10, AD-15, VE-2, VE-6, DS-9: what a zone's page says is what the policy says.
func TestZoneRulesReachThePolicy(t *testing.T) {
	s := sitetest.New(t)
	edit(t, s, func(d *directory.Snapshot) {
		for i := range d.Zones {
			if z := &d.Zones[i]; z.ID == "server-room" {
				z.AntiPassback, z.AntiPassbackFor, z.MaxInside, z.MinInside = directory.PassbackTimed, 5*time.Minute, 3, 2
				z.TwoPersonWithin, z.TwoPersonAlways, z.StaffNeeded = 30*time.Second, true, true
				z.Escort, z.EscortRatio, z.EscortWithin, z.EscortGrace = directory.EscortOutsiders, 4, 20*time.Second, time.Minute
				z.Training, z.Conditions = directory.TrainingDeny, 1
			}
		}
	})
	z, ok := s.Site().Policy.Zone("server-room")
	want := access.Zone{
		ID: "server-room", Level: 3, MinAssurance: z.MinAssurance, RequirePIN: true, Parent: "floor-3", AntiPassback: access.AntiPassbackTimed,
		AntiPassbackMS: 300_000, MaxInside: 3, MinInside: 2, TwoPersonMS: 30_000, TwoPersonAlways: true, StaffNeeded: true,
		Escort: access.EscortOutsiders, EscortRatio: 4, EscortWithinMS: 20_000, EscortGraceMS: 60_000, Training: access.TrainingDeny, Conditions: 1,
	}
	if !ok || z != want {
		t.Errorf("zone\n%+v, want\n%+v", z, want)
	}
	no := access.PersonNo(0) // people are sorted: 1001
	p, ok := s.Site().Policy.Person(no)
	if !ok || p.ID != "1001" || !p.MayEscort || p.Conditions != 1 || p.TrainingUntilMS != (directory.Date{Year: 2027, Month: 3, Day: 31}).EndMS(s.Zone) {
		t.Errorf("person %+v", p)
	}
}
