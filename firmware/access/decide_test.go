package access

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"monban/firmware/card"
)

// what a condition of the truth table looks at; hidden when that is not there.
type depends uint8

const (
	onCard depends = 1 << iota
	onZone
)

// condition makes exactly one check fail. Two of one group exclude each other.
type condition struct {
	reason Reason
	group  string
	on     depends
	hides  depends
	spoil  func(r *Rules, v *View, q *Request)
}

func conditions(t rapid.TB) []condition {
	now := at(t, "2026-11-24 09:00:00")
	credential := func(r *Rules) *Credential { return &r.Credentials[1] }
	return []condition{
		{ReasonUnknownDoor, "door", 0, onZone, func(_ *Rules, _ *View, q *Request) { q.Door = "nowhere" }},
		{ReasonUnknownDoor, "door", 0, onZone, func(r *Rules, _ *View, _ *Request) { r.Doors[0].Sides = []Side{SideExit} }},
		{ReasonReadError, "read", 0, onCard, func(_ *Rules, _ *View, q *Request) { q.HasCard = false }},
		{ReasonUnknownCredential, "read", 0, onCard, func(_ *Rules, _ *View, q *Request) { q.Key = key(77) }},
		{ReasonCredentialLost, "status", onCard, 0, func(r *Rules, _ *View, _ *Request) { credential(r).Status = CredentialLost }},
		{ReasonCredentialSuspended, "status", onCard, 0, func(r *Rules, _ *View, _ *Request) { credential(r).Status = CredentialSuspended }},
		{ReasonCredentialRevoked, "status", onCard, 0, func(r *Rules, _ *View, _ *Request) { credential(r).Status = CredentialRevoked }},
		{ReasonCredentialExpired, "card time", onCard, 0, func(r *Rules, _ *View, _ *Request) { credential(r).UntilMS = now }},
		{ReasonCredentialExpired, "card time", onCard, 0, func(r *Rules, _ *View, _ *Request) { credential(r).FromMS = now + 1 }},
		{ReasonPersonInactive, "person", onCard, 0, func(r *Rules, _ *View, _ *Request) { r.Persons[staff].Active = false }},
		{ReasonPersonInactive, "person", onCard, 0, func(r *Rules, _ *View, _ *Request) { r.Persons[staff].UntilMS = now }},
		{ReasonPersonInactive, "person", onCard, 0, func(r *Rules, _ *View, _ *Request) { r.Persons[staff].FromMS = now + 1 }},
		{ReasonContractExpired, "contract", onCard, 0, func(r *Rules, _ *View, _ *Request) { r.Persons[staff].ContractUntilMS = now }},
		{ReasonContractExpired, "contract", onCard, 0, func(r *Rules, _ *View, _ *Request) { r.Persons[staff].ContractFromMS = now + 1 }},
		{ReasonNoGrant, "grant", onCard | onZone, 0, func(r *Rules, _ *View, _ *Request) { r.Grants = r.Grants[1:] }},
		{ReasonGrantExpired, "grant", onCard | onZone, 0, func(r *Rules, _ *View, _ *Request) { r.Grants[0].UntilMS = now }},
		{ReasonGrantNotYet, "grant", onCard | onZone, 0, func(r *Rules, _ *View, _ *Request) { r.Grants[0].FromMS = now + 1 }},
		{ReasonOutsideSchedule, "grant", onCard | onZone, 0, func(r *Rules, _ *View, _ *Request) { r.Grants[0].Schedule = 1 }},
		{ReasonAssuranceLow, "assurance", onCard | onZone, 0, func(_ *Rules, _ *View, q *Request) { q.Assurance = card.CardAuth }},
		{ReasonAssuranceLow, "assurance", onCard | onZone, 0, func(r *Rules, _ *View, _ *Request) { credential(r).Assurance = card.UIDOnly }},
		{ReasonPINRequired, "pin", onCard | onZone, 0, func(_ *Rules, _ *View, q *Request) { q.PIN = PINNone }},
		{ReasonPINBad, "pin", onCard | onZone, 0, func(_ *Rules, _ *View, q *Request) { q.PIN = PINBad }},
		{ReasonPINLocked, "pin", onCard | onZone, 0, func(_ *Rules, v *View, _ *Request) { v.PIN.Failed = DefaultPINLimit }},
		{ReasonKnowledgeMissing, "pin", onCard | onZone, 0, func(_ *Rules, v *View, _ *Request) { v.PIN.Known = false }},
		{ReasonDoorLocked, "mode", onZone, 0, func(r *Rules, _ *View, _ *Request) { r.Doors[0].Mode = ModeLocked }},
		{ReasonLockdown, "mode", onZone, 0, func(r *Rules, _ *View, _ *Request) { r.Doors[0].Mode = ModeLockdown }},
		{ReasonClockUntrusted, "clock", 0, 0, func(_ *Rules, _ *View, q *Request) { q.Clock = ClockNone }},
		{ReasonClockUntrusted, "clock", 0, 0, func(_ *Rules, _ *View, q *Request) { q.Clock = ClockFloor }},
		{ReasonPolicyBehind, "link", 0, 0, func(_ *Rules, _ *View, q *Request) { q.Behind = true }},
		{ReasonOfflineDeny, "link", onZone, 0, func(r *Rules, _ *View, q *Request) { q.Link = LinkOffline; r.Doors[0].OfflineMode = OfflineDeny }},
		{ReasonPolicyExpired, "age", onZone, 0, func(_ *Rules, _ *View, q *Request) { q.AgeMS = 3600_001 }},
		{ReasonPolicyExpired, "age", onZone, 0, func(_ *Rules, _ *View, q *Request) { q.AgeMS = -1 }},
		{ReasonConditionsPending, "conditions", onCard | onZone, 0, func(r *Rules, _ *View, _ *Request) {
			r.Zones[1].Conditions, r.Persons[staff].Conditions = 3, 2
		}},
		{ReasonTrainingExpired, "training", onCard | onZone, 0, func(r *Rules, _ *View, _ *Request) {
			r.Zones[1].Training, r.Persons[staff].TrainingUntilMS = TrainingDeny, now
		}},
		{ReasonTrainingExpired, "training", onCard | onZone, 0, func(r *Rules, _ *View, _ *Request) { r.Zones[1].Training = TrainingDeny }},
		{ReasonAntiPassback, "company", onCard | onZone, 0, func(r *Rules, v *View, _ *Request) {
			r.Zones[1].AntiPassback, v.Person = AntiPassbackHard, PersonView{Known: true, Inside: "server-room", LastMS: 1}
		}},
		{ReasonAntiPassback, "company", onCard | onZone, 0, func(r *Rules, v *View, _ *Request) {
			r.Zones[1].AntiPassback, r.Zones[1].AntiPassbackMS = AntiPassbackTimed, 60_000
			v.Person = PersonView{Known: true, Inside: "server-room", LastMS: now - 59_999}
		}},
		{ReasonOccupancyFull, "company", onCard | onZone, 0, func(r *Rules, v *View, _ *Request) {
			r.Zones[1].MaxInside = 3
			v.Person.Known, v.Zone, v.Door.Known = true, ZoneView{Known: true, Count: 3}, true
		}},
		{ReasonSecondPerson, "company", onCard | onZone, 0, func(r *Rules, v *View, _ *Request) { // the same person's other card
			r.Zones[1].TwoPersonMS, r.Zones[1].TwoPersonAlways = 30_000, true
			v.Door = DoorView{Known: true, Present: [MaxPresent]Presence{{SinceMS: now - 1000, Self: true, Category: CategoryStaff}}}
		}},
		{ReasonStaffNeeded, "company", onCard | onZone, 0, func(r *Rules, v *View, _ *Request) {
			r.Zones[1].TwoPersonMS, r.Zones[1].TwoPersonAlways, r.Zones[1].StaffNeeded = 30_000, true, true
			r.Persons[staff].Category = CategoryContractor
			v.Door = DoorView{Known: true, Present: [MaxPresent]Presence{{SinceMS: now - 1000, Category: CategoryContractor}}}
		}},
		{ReasonEscortRatio, "company", onCard | onZone, 0, func(r *Rules, v *View, _ *Request) {
			r.Zones[1].Escort, r.Persons[staff].Category = EscortVisitors, CategoryVisitor
			v.Person.Known, v.Door.Known = true, true
			v.Zone = ZoneView{Known: true, Count: 6, Escorts: 1, Visitors: 5}
		}},
		{ReasonKnowledgeMissing, "company", onCard | onZone, 0, func(r *Rules, v *View, _ *Request) { r.Zones[1].MaxInside, v.Zone.Known = 3, false }},
		{ReasonKnowledgeMissing, "company", onCard | onZone, 0, func(r *Rules, v *View, _ *Request) { r.Zones[1].AntiPassback, v.Person.Known = AntiPassbackHard, false }},
		{ReasonKnowledgeMissing, "company", onCard | onZone, 0, func(r *Rules, v *View, _ *Request) { r.Zones[1].TwoPersonMS, v.Zone.Known = 1, false }},
	}
}

// spoiled decides with the given conditions and says which reasons must show.
func spoiled(t rapid.TB, conds []condition) (Decision, ReasonSet) {
	r := site(t)
	v, q := good(t)
	var hidden depends
	for _, c := range conds {
		c.spoil(&r, &v, &q)
		hidden |= c.hides
	}
	var want ReasonSet
	for _, c := range conds {
		if c.on&hidden == 0 {
			want = want.With(c.reason)
		}
	}
	return Decide(compile(t, r), v, q), want
}

func checkSpoiled(t rapid.TB, name string, conds []condition) {
	t.Helper()
	d, want := spoiled(t, conds)
	if d.Failed != want {
		t.Errorf("%s: failed %q, want %q", name, d.Failed, want)
	}
	if d.Primary != want.Primary() {
		t.Errorf("%s: primary %s, want %s", name, d.Primary, want.Primary())
	}
	outcome := Denied
	if want == ReasonSet(0).With(ReasonPINRequired) {
		outcome = NeedPIN
	}
	if d.Outcome != outcome {
		t.Errorf("%s: %s, want %s", name, d.Outcome, outcome)
	}
}

// AD-1: everything right grants; every condition false, alone and in every pair, denies with its
// reason, the first in order being the primary one.
func TestTruthTable(t *testing.T) {
	v, q := good(t)
	d := Decide(compile(t, site(t)), v, q)
	if d.Outcome != Granted || d.Primary != ReasonGranted || d.Failed != 0 || !d.KnownPerson || d.Person != staff {
		t.Fatalf("the good request: %+v", d)
	}
	if d.Until != q.At.Add(GrantTime) {
		t.Errorf("until %v", d.Until)
	}
	all := conditions(t)
	pairs := 0
	for i, a := range all {
		checkSpoiled(t, fmt.Sprintf("%s(%d)", a.reason, i), all[i:i+1])
		for j, b := range all[:i] {
			if a.group != b.group {
				checkSpoiled(t, fmt.Sprintf("%s(%d) and %s(%d)", b.reason, j, a.reason, i), []condition{b, a})
				pairs++
			}
		}
	}
	t.Logf("%d conditions, %d pairs", len(all), pairs)
	have := ReasonSet(0)
	for _, c := range all {
		have = have.With(c.reason)
	}
	for _, r := range Reasons() { // a new reason of Decide must come into this table
		switch r {
		case ReasonUndecided, ReasonGranted: // no checks
		case ReasonNoPolicy, ReasonExitUnattributed: // own tests
		case ReasonRecoveryCard: // flags a grant, see recovery_test.go
		case ReasonOutboxFull, ReasonNotDurable: // the controller's
		case ReasonEscortMissing, ReasonEmergencyEntry: // waits, flags: company_test.go
		case ReasonInterlock: // the door's own
		case ReasonDeskNobody, ReasonDeskSigned: // a desk reader's, where there is no door: server/authority
		default:
			if !have.Has(r) {
				t.Errorf("no condition for %s", r)
			}
		}
	}
}

// AD-1: the same for any subset of conditions.
func TestTruthTableSubsets(t *testing.T) {
	all := conditions(t)
	groups := map[string][]condition{}
	var names []string
	for _, c := range all {
		if groups[c.group] == nil {
			names = append(names, c.group)
		}
		groups[c.group] = append(groups[c.group], c)
	}
	rapid.Check(t, func(rt *rapid.T) {
		var pick []condition
		for _, g := range names {
			if n := rapid.IntRange(-len(groups[g]), len(groups[g])-1).Draw(rt, g); n >= 0 {
				pick = append(pick, groups[g][n])
			}
		}
		if len(pick) > 0 {
			checkSpoiled(rt, fmt.Sprint(len(pick), " conditions"), pick)
		}
	})
}

// I9, goal 36: nil, zero values and unknown enum values deny.
func TestDoubtDenies(t *testing.T) {
	v, q := good(t)
	p := compile(t, site(t))
	if d := Decide(nil, v, q); d.Outcome != Denied || d.Primary != ReasonNoPolicy {
		t.Errorf("nil policy: %+v", d)
	}
	if d := (Decision{}); d.Outcome != Denied || d.Primary != ReasonUndecided {
		t.Errorf("zero decision: %+v", d)
	}
	if d := Decide(p, View{}, Request{}); d.Outcome != Denied {
		t.Errorf("zero request: %+v", d)
	}
	if d := Decide(&Policy{}, v, q); d.Outcome != Denied {
		t.Errorf("zero policy: %+v", d)
	}
	spoil := map[string]func(q *Request, n uint8){
		"side":      func(q *Request, n uint8) { q.Side = Side(n) },
		"assurance": func(q *Request, n uint8) { q.Assurance = card.Assurance(n) },
		"pin":       func(q *Request, n uint8) { q.PIN = PINState(n) },
		"clock":     func(q *Request, n uint8) { q.Clock = ClockQuality(n) },
	}
	known := map[string]uint8{"side": 2, "assurance": 3, "pin": 3, "clock": 4}
	for name, f := range spoil {
		for _, link := range []Link{LinkOffline, LinkLeased, LinkServer} {
			for n := known[name] + 1; n != 0; n++ {
				q := q
				q.Link = link
				f(&q, n)
				if d := Decide(p, v, q); d.Outcome == Granted {
					t.Errorf("%s %d granted over link %s", name, n, link)
				}
			}
		}
	}
	r := site(t)
	r.Doors[0].OfflineMode = OfflineDeny
	strict := compile(t, r)
	for n := uint8(3); n != 0; n++ { // an unknown link is the strictest footing
		q := q
		q.Link = Link(n)
		if d := Decide(strict, v, q); d.Outcome == Granted {
			t.Errorf("link %d granted", n)
		}
	}
	// Values that Validate would refuse, should a policy hold them all the same.
	for n := range 256 {
		broken := compile(t, site(t))
		broken.doors[broken.doorIndex["server-door"]].Mode = DoorMode(n)
		if d := Decide(broken, v, q); (d.Outcome == Granted) != (DoorMode(n) == ModeNormal) {
			t.Errorf("mode %d: %s", n, d.Outcome)
		}
		broken = compile(t, site(t))
		broken.find(key(1)).Status = CredentialStatus(n)
		if d := Decide(broken, v, q); (d.Outcome == Granted) != (CredentialStatus(n) == CredentialActive) {
			t.Errorf("credential status %d: %s", n, d.Outcome)
		}
		broken = compile(t, site(t))
		broken.doors[broken.doorIndex["server-door"]].OfflineMode = OfflineMode(n)
		offline := q
		offline.Link = LinkOffline
		if d := Decide(broken, v, offline); (d.Outcome == Granted) != (n == int(OfflineCached) || n == int(OfflineCachedPIN)) {
			t.Errorf("offline mode %d: %s", n, d.Outcome)
		}
		broken = compile(t, site(t))
		broken.zones[1].OfflineRules = ZoneRule(n)
		if d := Decide(broken, View{}, q); (d.Outcome == Granted) != (ZoneRule(n) == ZoneRuleGrantAndFlag) {
			t.Errorf("offline rule %d: %s", n, d.Outcome)
		}
	}
}

// D8 as far as Decide sees it: {lease, version, mode, age, clock} → what a local decision is worth.
func TestFooting(t *testing.T) {
	const deny, cached, withPIN = OfflineDeny, OfflineCached, OfflineCachedPIN
	for _, tc := range []struct {
		link   Link
		behind bool
		mode   OfflineMode
		ageMS  int64
		clock  ClockQuality
		pin    PINState
		want   Reason
	}{
		{LinkServer, false, deny, 0, ClockServer, PINNone, ReasonGranted},
		{LinkServer, true, deny, 1 << 40, ClockServer, PINNone, ReasonGranted}, // age and lease are a gateway's
		{LinkServer, false, deny, 0, ClockNone, PINNone, ReasonGranted},
		{LinkLeased, false, deny, 0, ClockNTP, PINNone, ReasonGranted}, // offline mode counts only without a lease
		{LinkLeased, false, withPIN, 0, ClockNTP, PINNone, ReasonGranted},
		{LinkLeased, true, cached, 0, ClockNTP, PINNone, ReasonPolicyBehind},
		{LinkLeased, false, cached, 86400_000, ClockNTP, PINNone, ReasonGranted},
		{LinkLeased, false, cached, 86400_001, ClockNTP, PINNone, ReasonPolicyExpired},
		{LinkLeased, false, cached, 0, ClockFloor, PINNone, ReasonClockUntrusted},
		{LinkOffline, false, deny, 0, ClockNTP, PINOK, ReasonOfflineDeny},
		{LinkOffline, false, cached, 0, ClockNTP, PINNone, ReasonGranted},
		{LinkOffline, true, cached, 0, ClockNTP, PINNone, ReasonGranted}, // nobody can say it is behind
		{LinkOffline, false, withPIN, 0, ClockNTP, PINNone, ReasonPINRequired},
		{LinkOffline, false, withPIN, 0, ClockNTP, PINOK, ReasonGranted},
		{LinkOffline, false, withPIN, 0, ClockNTP, PINDuress, ReasonGranted},
		{LinkOffline, false, withPIN, 0, ClockNTP, PINBad, ReasonPINBad},
		{LinkOffline, false, cached, 86400_000, ClockRTC, PINNone, ReasonGranted},
		{LinkOffline, false, cached, 86400_001, ClockRTC, PINNone, ReasonPolicyExpired},
		{LinkOffline, false, cached, 0, ClockRTC, PINNone, ReasonGranted},
		{LinkOffline, false, cached, 0, ClockFloor, PINNone, ReasonClockUntrusted},
		{LinkOffline, false, cached, 0, ClockNone, PINNone, ReasonClockUntrusted},
		{LinkOffline, false, cached, 0, ClockServer, PINNone, ReasonGranted},
	} {
		r := site(t)
		r.Doors[1].OfflineMode = tc.mode
		v, q := good(t)
		q.Door, q.Link, q.Behind, q.AgeMS, q.Clock, q.PIN = "archive-door", tc.link, tc.behind, tc.ageMS, tc.clock, tc.pin
		d := Decide(compile(t, r), v, q)
		if d.Primary != tc.want {
			t.Errorf("%+v: %s", tc, d.Primary)
		}
		if (d.Outcome == NeedPIN) != (tc.want == ReasonPINRequired) || (d.Outcome == Granted) != (tc.want == ReasonGranted) {
			t.Errorf("%+v: %s", tc, d.Outcome)
		}
	}
}

// D7: a check that lacks knowledge says so, and the zone's rule decides.
func TestMissingKnowledge(t *testing.T) {
	_, q := good(t)
	if d := Decide(compile(t, site(t)), View{}, q); d.Outcome != Denied || d.Primary != ReasonKnowledgeMissing || !d.Missing.Has(KnowPIN) {
		t.Errorf("deny: %+v", d)
	}
	r := site(t)
	r.Zones[1].OfflineRules = ZoneRuleGrantAndFlag
	if d := Decide(compile(t, r), View{}, q); d.Outcome != Granted || !d.Missing.Has(KnowPIN) {
		t.Errorf("grant and flag: %+v", d)
	}
	q.PIN = PINBad
	if d := Decide(compile(t, r), View{}, q); d.Outcome != Denied || d.Primary != ReasonPINBad {
		t.Errorf("grant and flag, bad PIN: %+v", d)
	}
	q.Door, q.PIN = "front", PINNone // no PIN asked: nothing is missing
	if d := Decide(compile(t, r), View{}, q); d.Outcome != Granted || d.Missing != 0 {
		t.Errorf("no PIN needed: %+v", d)
	}
}

// AD-4: the lower of read and card, against the zone's minimum.
func TestAssurance(t *testing.T) {
	grades := []card.Assurance{card.AssuranceUnknown, card.UIDOnly, card.CardAuth, card.MutualAuth, 200}
	for _, zone := range grades[1:4] {
		for _, held := range grades[:4] {
			for _, read := range grades {
				r := site(t)
				r.Zones[1].MinAssurance, r.Credentials[1].Assurance = zone, held
				v, q := good(t)
				q.Assurance = read
				d := Decide(compile(t, r), v, q)
				enough := read >= zone && held >= zone && read <= card.MutualAuth
				if (d.Outcome == Granted) != enough || d.Failed.Has(ReasonAssuranceLow) == enough {
					t.Errorf("zone %s, card %s, read %s: %s %s", zone, held, read, d.Outcome, d.Failed)
				}
			}
		}
	}
}

// AD-5, AD-6: to the second, over closed days, midnight, leap day and the end of the fiscal year.
func TestTimes(t *testing.T) {
	for _, tc := range []struct {
		key  Key
		door DoorID
		wall string
		want Reason
	}{
		{key(1), "server-door", "2026-11-24 07:59:59", ReasonOutsideSchedule},
		{key(1), "server-door", "2026-11-24 08:00:00", ReasonGranted},
		{key(1), "server-door", "2026-11-24 17:59:59", ReasonGranted},
		{key(1), "server-door", "2026-11-24 18:00:00", ReasonOutsideSchedule},
		{key(1), "server-door", "2026-11-22 09:00:00", ReasonOutsideSchedule}, // Sunday
		{key(1), "server-door", "2026-09-22 09:00:00", ReasonOutsideSchedule}, // 国民の休日
		{key(1), "server-door", "2026-09-24 09:00:00", ReasonGranted},
		{key(1), "server-door", "2026-05-06 09:00:00", ReasonOutsideSchedule}, // 振替休日
		{key(1), "server-door", "2026-12-29 09:00:00", ReasonOutsideSchedule}, // 年末年始
		{key(1), "server-door", "2024-02-29 09:00:00", ReasonGranted},         // leap day, a Thursday
		{key(1), "server-door", "2027-03-31 17:59:59", ReasonGranted},
		{key(1), "archive-door", "2027-03-31 23:59:59", ReasonGranted},
		{key(1), "archive-door", "2027-04-01 00:00:00", ReasonGrantExpired},
		{key(2), "archive-door", "2026-11-24 21:59:59", ReasonOutsideSchedule}, // 22:00–05:00
		{key(2), "archive-door", "2026-11-24 22:00:00", ReasonGranted},
		{key(2), "archive-door", "2026-11-24 23:59:59", ReasonGranted},
		{key(2), "archive-door", "2026-11-25 00:00:00", ReasonGranted},
		{key(2), "archive-door", "2026-11-25 04:59:59", ReasonGranted},
		{key(2), "archive-door", "2026-11-25 05:00:00", ReasonOutsideSchedule},
		{key(2), "archive-door", "2026-03-31 23:59:59", ReasonContractExpired},
		{key(2), "archive-door", "2026-04-01 00:00:00", ReasonGranted},
		{key(2), "archive-door", "2027-04-01 00:00:00", ReasonContractExpired},
	} {
		v, q := good(t)
		q.Key, q.Door, q.WallMS = tc.key, tc.door, at(t, tc.wall)
		if tc.door == "archive-door" {
			q.PIN = PINNone
		}
		if d := Decide(compile(t, site(t)), v, q); d.Primary != tc.want {
			t.Errorf("%s at %s %s: %s", tc.key, tc.door, tc.wall, d.Primary)
		}
	}
}

// Among several grants one that holds is enough, and the nearest miss is named.
func TestSeveralGrants(t *testing.T) {
	now := at(t, "2026-11-24 09:00:00")
	expired := Grant{Person: staff, Zone: "server-room", Schedule: Always, UntilMS: now}
	later := Grant{Person: staff, Zone: "server-room", Schedule: Always, FromMS: now + 1, UntilMS: now + 2}
	byNight := Grant{Person: staff, Zone: "server-room", Schedule: 1, UntilMS: now + 1}
	holds := Grant{Person: staff, Zone: "server-room", Schedule: 0, UntilMS: now + 1}
	for _, tc := range []struct {
		grants []Grant
		want   Reason
	}{
		{[]Grant{expired}, ReasonGrantExpired},
		{[]Grant{later, expired}, ReasonGrantNotYet},
		{[]Grant{expired, byNight, later}, ReasonOutsideSchedule},
		{[]Grant{expired, byNight, later, holds}, ReasonGranted},
		{[]Grant{holds, expired}, ReasonGranted},
	} {
		r := site(t)
		r.Grants = append(tc.grants, r.Grants[1:]...)
		v, q := good(t)
		if d := Decide(compile(t, r), v, q); d.Primary != tc.want {
			t.Errorf("%v: %s, want %s", tc.grants, d.Primary, tc.want)
		}
	}
}

// A policy shares nothing with the rules it was compiled from.
func TestPolicyIsImmutable(t *testing.T) {
	r := site(t)
	p := compile(t, r)
	v, q := good(t)
	want := Decide(p, v, q)
	r.Persons[staff].Active = false
	r.Credentials[1].Status = CredentialRevoked
	r.Grants[0].UntilMS = 1
	r.Doors[0].Sides[0] = SideExit
	r.Schedules[0].Windows[0].To = r.Schedules[0].Windows[0].From + 1
	for i := range r.Calendar.Closed {
		r.Calendar.Closed[i].Date.Day = 24
	}
	r.Zones[1].MinAssurance = 0
	if got := Decide(p, v, q); got != want {
		t.Errorf("changed rules changed a compiled policy: %+v", got)
	}
}

func TestCompileRefuses(t *testing.T) {
	if _, err := Compile(site(t), nil); err == nil {
		t.Error("no location accepted")
	}
	if _, err := Compile(site(t), time.UTC); err == nil {
		t.Error("another zone accepted")
	}
}
