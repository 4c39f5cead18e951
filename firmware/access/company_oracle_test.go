package access

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"monban/firmware/card"
)

// decider is one side of the comparison of TestCompany: a policy, the state kept beside it, and what its rules are read back
// from, as a replay years later has them.
type decider struct {
	policy, replay *Policy
	st             *State
}

func newDecider(t rapid.TB, r Rules) decider {
	t.Helper()
	stored, err := DecodeRules(encode(t, r))
	if err != nil {
		t.Fatal(err)
	}
	return decider{policy: compile(t, *stored), replay: compile(t, *stored), st: NewState(KnowAll)}
}

// decide decides, and again from the bytes that a log keeps (AD-12).
func (d *decider) decide(t rapid.TB, q Request) Decision {
	t.Helper()
	v := d.st.View(d.policy, q)
	out := Decide(d.policy, v, q)
	b := AppendInputs(nil, v, q)
	rv, rq, err := ParseInputs(b)
	if err != nil {
		t.Fatal(err)
	}
	if again := Decide(d.replay, rv, rq); again != out || !bytes.Equal(AppendInputs(nil, rv, rq), b) {
		t.Fatalf("decided %+v, replayed %+v", out, again)
	}
	return out
}

// tally counts what a run of companies came to.
type tally struct {
	decisions, missing, granted, denied, waiting int
	reasons                                      ReasonSet
}

// companies plays badges and passages on one random site, up to most decisions, once at the server and once at a gateway.
func companies(t rapid.TB, pick func(n int, what string) int, most int, n *tally) {
	elsewhere := pick(2, "elsewhere") == 1
	r := crewRules(t, func(r *Rules) {
		z := &r.Zones[1]
		z.AntiPassback, z.AntiPassbackMS = AntiPassback(pick(4, "passback")), 60_000
		z.MaxInside, z.MinInside = uint32([]int{0, 2, 4}[pick(3, "cap")]), 0
		z.TwoPersonMS = int64(pick(2, "two") * 30_000)
		z.TwoPersonAlways, z.StaffNeeded = z.TwoPersonMS > 0 && pick(2, "always") == 1, z.TwoPersonMS > 0 && pick(2, "staff") == 1
		z.Escort, z.EscortRatio = Escort(pick(3, "escort")), 2
		z.OfflineRules = ZoneRule(pick(2, "offline"))
		z.RequirePIN, z.Training, z.Conditions = pick(4, "pin") == 0, Training(pick(3, "training")), uint32(pick(2, "conditions"))
		r.Zones[2].Parent = []ZoneID{"", "server-room"}[pick(2, "nested")]
		r.Persons[1].Party = uint8(pick(4, "party"))
		for i := range r.Persons {
			r.Persons[i].Conditions, r.Persons[i].TrainingUntilMS = uint32(min(1, pick(8, "agreed"))), r.Grants[0].UntilMS*int64(min(1, pick(8, "trained")))
		}
		for i := range r.Credentials {
			if pick(8, "bad card") == 0 {
				r.Credentials[i].Status = CredentialStatus(1 + pick(4, "status"))
			}
		}
		for i := range r.Grants {
			switch pick(12, "grant") {
			case 0:
				r.Grants[i].Emergency = true
			case 1:
				r.Grants[i].Schedule = int32(pick(2, "schedule"))
			case 2:
				r.Grants[i].UntilMS = at(t, "2026-11-24 09:05:00")
			}
		}
	})
	doors := []DoorID{"server-door", "archive-door", "front"}
	if elsewhere { // the archive's door, which leaves into the server room, is another gateway's
		doors = []DoorID{"server-door", "front"}
	}
	g, err := ForGateway(&r, doors, func(k Key) Key { return Key{31: 1, 0: k[0]} }, func(k Key) Key { return k })
	if err != nil {
		t.Fatal(err)
	}
	server, own := newDecider(t, r), newDecider(t, g)
	there, here := server.policy, own.policy
	now := at(t, "2026-11-24 09:00:00")
	alias := map[string]string{}
	for i := range r.Persons {
		c, back := here.find(Key{31: 1, 0: byte(i + 1)}), there.find(key(byte(i+1)))
		alias[there.persons[back.Person].ID] = here.persons[c.Person].ID
	}
	moves := func(e Event) {
		Apply(server.st, e)
		e.Person = alias[e.Person]
		Apply(own.st, e)
	}
	granted := map[string]DoorID{}
	for steps := 0; steps < 3*most && most > 0; steps++ {
		now += int64(pick(20_000, "ms"))
		who := byte(1 + pick(len(r.Persons), "who"))
		no := there.find(key(who)).Person
		id := there.persons[no].ID
		if d, ok := granted[id]; ok && pick(2, "passes") == 1 {
			door, _ := there.Door(d)
			moves(Event{Kind: EventPassage, Person: id, Zone: door.EnterZone, Party: there.persons[no].Party, WallMS: now})
			delete(granted, id)
			continue
		}
		q := Request{
			Door: doors[pick(len(doors), "door")], Side: Side(1 + pick(2, "side")), Key: key(who), HasCard: pick(20, "read") > 0, Assurance: card.MutualAuth,
			PIN: PINState([]int{0, 0, 1, 1, 1, 2, 3}[pick(7, "keyed")]), WallMS: now, Clock: ClockServer, Link: LinkServer,
		}
		if who == 1 && pick(4, "forgotten") > 0 {
			q.PIN = PINBad // a has forgotten it
		}
		want := server.decide(t, q)
		gq := q
		gq.Key, gq.Link, gq.Clock = Key{31: 1, 0: who}, LinkLeased, ClockNTP
		got := own.decide(t, gq)
		most--
		n.decisions++
		n.reasons |= want.Failed
		if e, ok := PendingEvent(there, q, want); ok {
			Apply(server.st, e)
		}
		if e, ok := PendingEvent(here, gq, want.as(got)); ok { // linked, the gateway remembers what the server said
			Apply(own.st, e)
		}
		if e, ok := PINEvent(q, want); ok {
			Apply(server.st, e)
			e.Key = gq.Key
			Apply(own.st, e)
		}
		same := got
		same.Person = want.Person
		switch {
		case got.Missing == 0 && same != want:
			t.Fatalf("gateway %+v (%s), server %+v (%s)", got, got.Failed, want, want.Failed)
		case got.Missing != 0 && (!elsewhere || here.zones[here.door(q.Door).zone].OfflineRules == ZoneRuleDeny &&
			got.Outcome != Denied && got.Outcome != NeedPIN && !onlySoft(here, q.Door, got) && !got.Failed.Has(ReasonEmergencyEntry)):
			t.Fatalf("gateway lacks %s and decides %+v (%s)", got.Missing, got, got.Failed)
		case got.Missing != 0:
			n.missing++
		}
		switch want.Outcome {
		case Granted:
			n.granted++
		case Denied:
			n.denied++
		default:
			n.waiting++
		}
		if q.Side == SideExit && q.HasCard && there.door(q.Door).exit {
			if want.Outcome != Granted || got.Outcome != Granted {
				t.Fatalf("exit refused: %+v, %+v", want, got)
			}
			moves(Event{Kind: EventPassage, Person: id, Zone: there.door(q.Door).ExitZone, WallMS: now})
		} else if want.Outcome == Granted {
			granted[id] = q.Door
		}
		total := uint32(0)
		for i := range there.persons {
			if server.st.Inside(there.persons[i].ID) == "server-room" {
				total += weight(server.st.places[there.persons[i].ID].party)
			}
		}
		if server.st.Count("server-room") != total {
			t.Fatalf("count %d, persons inside %d", server.st.Count("server-room"), total)
		}
	}
}

// D7, D11: over random rules and badges, a known card is always granted at the exit; the server and a
// gateway that knows the zone agree; a gateway that does not names what is missing or agrees all the
// same; counts follow the passages and are never negative.
func TestCompany(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		companies(rt, func(n int, what string) int { return rapid.IntRange(0, n-1).Draw(rt, what) }, 50, &tally{})
	})
}

// Issue "Rules", AD-12, D7: the same 10,000 requests decided by the server and by a gateway's snapshot give the same decision
// wherever the gateway has the knowledge, and name what is missing elsewhere; each is replayed on the stored
// policy from its stored inputs, bit for bit.
func TestTenThousandDecisions(t *testing.T) {
	const want = 10_000
	random := rand.New(rand.NewPCG(8, 10))
	var n tally
	for n.decisions < want {
		companies(t, func(n int, _ string) int { return random.IntN(n) }, min(100, want-n.decisions), &n)
	}
	t.Logf("%+v", n)
	if n.decisions != want {
		t.Errorf("%d decisions, want %d", n.decisions, want)
	}
	if n.granted < 1000 || n.denied < 1000 || n.waiting < 200 || n.missing < 500 || n.missing > want/2 {
		t.Errorf("%+v: the sample says little", n)
	}
	for _, r := range []Reason{
		ReasonAntiPassback, ReasonOccupancyFull, ReasonSecondPerson, ReasonStaffNeeded, ReasonEscortMissing, ReasonEscortRatio, ReasonPINBad, ReasonPINLocked,
		ReasonTrainingExpired, ReasonConditionsPending, ReasonEmergencyEntry, ReasonGrantExpired, ReasonCredentialLost, ReasonReadError,
	} {
		if !n.reasons.Has(r) {
			t.Errorf("%s never happened", r)
		}
	}
}

// as is the server's decision in the gateway's numbers: linked, the gateway remembers what the server said.
func (d Decision) as(own Decision) Decision {
	own.Outcome = d.Outcome
	return own
}

// onlySoft: all that the gateway lacked was what soft anti-passback would have flagged.
func onlySoft(p *Policy, door DoorID, d Decision) bool {
	z := &p.zones[p.door(door).zone]
	return z.AntiPassback == AntiPassbackSoft && d.Missing == KnowledgeSet(0).With(KnowPerson)
}
