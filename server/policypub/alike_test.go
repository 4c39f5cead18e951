package policypub_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/directory"
	"monban/server/policypub/sitetest"
	"monban/server/store"
)

// ruledSite is the sample site with every kind of zone rule: the server room has a door on each gateway, so that neither knows alone
// who is inside; the media store is all gw-2's, the room behind the server room all gw-1's.
func ruledSite(t *testing.T) *sitetest.Site {
	t.Helper()
	s := sitetest.New(t)
	edit(t, s, func(d *directory.Snapshot) {
		for i := range d.Zones {
			switch z := &d.Zones[i]; z.ID {
			case "server-room":
				z.AntiPassback, z.MaxInside = directory.PassbackHard, 4
				z.TwoPersonWithin, z.Escort, z.EscortRatio, z.EscortWithin, z.EscortGrace = 30*time.Second, directory.EscortOutsiders, 2, 30*time.Second, time.Minute
			case "archive":
				z.AntiPassback, z.AntiPassbackFor, z.MaxInside = directory.PassbackTimed, 10*time.Minute, 2
			case "media-store":
				z.AntiPassback, z.MaxInside, z.Escort, z.EscortRatio, z.EscortWithin, z.EscortGrace = directory.PassbackSoft, 3, directory.EscortOutsiders, 1, 30*time.Second, time.Minute
			}
		}
		var outside directory.Person
		for _, p := range d.People {
			if p.ID == "K-2001" {
				outside = p
			}
		}
		for i := range d.People { // two more of the same company
			if p := &d.People[i]; p.ID == "1006" || p.ID == "1007" {
				outside.ID, outside.Name = p.ID, p.Name
				*p = outside
			}
		}
		for i := range d.Contracts {
			if k := &d.Contracts[i]; slices.Contains(k.Workers, "K-2001") {
				k.Workers = append([]directory.PersonID{"1006", "1007"}, k.Workers...)
			}
		}
		for i := range d.Doors {
			d.Doors[i].Kind, d.Doors[i].Sensing, d.Doors[i].Offline = door.KindControlled, door.ExitReader, access.OfflineCached
			d.Doors[i].MaxAge = time.Hour
		}
		second, inner := d.Doors[0], d.Doors[0]
		for _, x := range d.Doors {
			if x.ID == "server-room-1" {
				second, inner = x, x
			}
		}
		second.ID, second.Gateway, second.GuardsServer, second.Recovery = "server-room-2", "gw-2", false, directory.RecoveryCards{}
		inner.ID, inner.Enter, inner.Exit, inner.GuardsServer, inner.Recovery = "archive-1", "archive", "server-room", false, directory.RecoveryCards{}
		d.Doors = append(d.Doors, second, inner)
		var grants []directory.Grant
		until := directory.Date{Year: 2027, Month: 3, Day: 31}
		for _, p := range d.People {
			for _, z := range []access.ZoneID{"server-room", "archive", "media-store"} {
				if len(grants)%7 != 6 { // somebody has no right to something
					g := directory.Grant{Person: p.ID, Zone: z, Schedule: "always", ValidUntil: until}
					g.ID = directory.GrantID(string(p.ID) + "/" + string(z) + "/always")
					grants = append(grants, g)
				} else {
					grants = append(grants, directory.Grant{ID: directory.GrantID(string(p.ID) + "/" + string(z) + "/office"), Person: p.ID, Zone: z, Schedule: "office", ValidUntil: until})
				}
			}
		}
		d.Grants = grants
	})
	return s
}

// box is one gateway: its own snapshot, as it came signed, and what it has seen at its own doors.
type box struct {
	policy *access.Policy
	state  *access.State
	token  func(card.Ref) access.Key
}

// AD-11, AD-12, I9: 20,000 random decisions in a random walk of people through a site with every zone rule, each made by the server and by the snapshot
// of the door's gateway. With the server's knowledge the snapshot says the very same; with its own it says the same wherever nothing
// is missing, and names what is missing elsewhere, where it lets nobody in. Replayed later on the version that the store keeps, each of the server's
// decisions is bit for bit the same.
func TestServerAndGatewayDecideAlike(t *testing.T) {
	s := ruledSite(t)
	server := s.Site().Policy
	whole := access.NewState(access.KnowAll)
	boxes := map[access.GatewayID]*box{}
	for _, gw := range []access.GatewayID{"gw-1", "gw-2"} {
		_, rules := pull(t, s, gw)
		p, err := access.Compile(*rules, s.Zone)
		if err != nil {
			t.Fatal(err)
		}
		key := s.Keys.Gateways[gw].Token
		boxes[gw] = &box{p, access.NewState(access.KnowAll), func(r card.Ref) access.Key { return access.Key(r.Token(key[:])) }}
	}
	type way struct {
		door     access.DoorID
		gw       access.GatewayID
		in, from access.ZoneID
	}
	ways := []way{{"server-room-1", "gw-1", "server-room", ""}, {"server-room-2", "gw-2", "server-room", ""}, {"archive-1", "gw-1", "archive", "server-room"},
		{"media-store-1", "gw-2", "media-store", ""}, {"media-store-2", "gw-2", "media-store", ""}}
	numbers := []uint64{4567, 4568, 4569, 4570, 4571, 4572, 4573, 4574, 4575, 20001, 9999} // the last is nobody's
	rng := rand.New(rand.NewPCG(4, 11))
	where := map[uint64]access.ZoneID{}
	waits := map[uint64]*wait{}
	at := now
	outcomes, missing, reasons := map[access.Outcome]int{}, map[access.KnowledgeSet]int{}, map[access.Reason]int{}
	doubtful := 0
	type made struct {
		inputs []byte
		want   access.Decision
	}
	var log []made
	const n = 20_000
	for range n {
		number := numbers[rng.IntN(len(numbers))]
		for who, x := range waits { // whoever has waited in vain goes away, and the gateway says so
			if at.Sub(x.since) > 30*time.Second {
				x.end(whole, server, boxes)
				delete(waits, who)
			}
		}
		var can []way // nobody comes out of a room without passing its door; who is inside may badge once more
		var sides []access.Side
		for _, w := range ways {
			if x := waits[number]; x != nil && x.door != w.door {
				continue
			}
			if where[number] == w.from || where[number] == w.in && rng.IntN(4) == 0 {
				can, sides = append(can, w), append(sides, access.SideEnter)
			}
			if where[number] == w.in {
				can, sides = append(can, w), append(sides, access.SideExit)
			}
		}
		i := rng.IntN(len(can))
		w, b := can[i], boxes[can[i].gw]
		at = at.Add(time.Duration(1+rng.IntN(25)) * time.Second)
		if rng.IntN(200) == 0 {
			at = at.Add(time.Duration(1+rng.IntN(9)) * time.Hour) // the office closes
		}
		ref := s.Ref(number)
		q := access.Request{Door: w.door, Side: sides[i], Key: access.Key(ref), HasCard: true, Assurance: card.UIDOnly, PIN: access.PINOK, WallMS: at.UnixMilli(),
			Clock: access.ClockServer, Link: access.LinkServer}
		if rng.IntN(8) == 0 { // wrong PINs are counted where they are given; no card has five of them
			q.PIN = access.PINNone
		}
		g := q
		g.Key, g.Link, g.AgeMS = b.token(ref), access.LinkLeased, int64(rng.IntN(60_000))
		if rng.IntN(6) == 0 {
			g.Link = access.LinkOffline
		}
		all := whole.View(server, q)
		want := access.Decide(server, all, q)
		log = append(log, made{access.AppendInputs(nil, all, q), want})
		if got := access.Decide(b.policy, all, g); !alike(got, want) {
			t.Fatalf("%s of card %d at %v: the server %+v, the snapshot with the same knowledge %+v", w.door, number, at, want, got)
		}
		got := access.Decide(b.policy, b.state.View(b.policy, g), g)
		switch {
		case got.Missing == 0 && !alike(got, want):
			t.Fatalf("%s of card %d at %v: the server %+v, the gateway %+v and misses nothing", w.door, number, at, want, got)
		case got.Missing != 0 && got.Outcome != access.Denied:
			t.Fatalf("%s of card %d at %v: the gateway %+v without %s", w.door, number, at, got, got.Missing)
		case got.Missing != 0 && !got.Failed.Has(access.ReasonKnowledgeMissing):
			t.Fatalf("%s: %+v does not say what it lacks", w.door, got)
		case got.Missing != 0 && want.Outcome != access.Denied:
			doubtful++
		}
		outcomes[want.Outcome]++
		missing[got.Missing]++
		reasons[want.Primary]++
		// What follows is told to both; the other gateway does not learn of it.
		for _, x := range []struct {
			p  *access.Policy
			st *access.State
			q  access.Request
			d  access.Decision
		}{{server, whole, q, want}, {b.policy, b.state, g, access.Decide(b.policy, all, g)}} {
			if e, ok := access.PendingEvent(x.p, x.q, x.d); ok {
				access.Apply(x.st, e)
			}
		}
		if (want.Outcome == access.NeedSecond || want.Outcome == access.NeedEscort) && want.KnownPerson {
			waits[number] = &wait{w.door, w.gw, at, q.Key, g.Key}
		}
		if want.Outcome != access.Granted || !want.KnownPerson {
			continue
		}
		delete(waits, number)
		to := w.in
		if q.Side == access.SideExit {
			to = w.from
		}
		passes := rng.IntN(10) != 0
		for _, x := range []struct {
			p   *access.Policy
			st  *access.State
			key access.Key
		}{{server, whole, q.Key}, {b.policy, b.state, g.Key}} {
			who := holder(x.p, x.key)
			e := access.Event{Kind: access.EventGone, Person: who, Door: w.door, WallMS: q.WallMS}
			if passes {
				e = access.Event{Kind: access.EventPassage, Person: who, Zone: to, Door: w.door, WallMS: q.WallMS}
			}
			access.Apply(x.st, e)
		}
		if passes {
			where[number] = to
		}
	}
	t.Logf("%d decisions: %v; gateways missed %v; %d refused in doubt that the server let in or let wait", n, outcomes, missing, doubtful)
	for _, o := range []access.Outcome{access.Denied, access.NeedPIN, access.NeedSecond, access.NeedEscort, access.Granted} {
		if outcomes[o] < 50 {
			t.Errorf("only %d came out %s: the sample says little", outcomes[o], o)
		}
	}
	for _, r := range []access.Reason{access.ReasonAntiPassback, access.ReasonOccupancyFull, access.ReasonEscortRatio, access.ReasonUnknownCredential, access.ReasonCredentialSuspended, access.ReasonOutsideSchedule} {
		if reasons[r] < 10 {
			t.Errorf("%s only %d times: the sample says little", r, reasons[r])
		}
	}
	// Years later: the rules have changed, those of then are read from the store, and the inputs from their bytes.
	version := server.Version()
	edit(t, s, func(d *directory.Snapshot) { d.Zones[0].Name = "別の名" })
	edit(t, s, func(d *directory.Snapshot) { d.Grants = d.Grants[:3] })
	if s.Site().Policy.Version() == version {
		t.Fatal("the rules have not changed; nothing is tested")
	}
	var kept store.PolicyVersion
	s.Read(func(r *store.ReadTx) error {
		var err error
		kept, err = r.Policy("", wire.PartRules, version)
		return err
	})
	rules, err := access.DecodeRules(kept.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	then, err := access.Compile(*rules, s.Zone)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range log {
		v, q, err := access.ParseInputs(x.inputs)
		if err != nil {
			t.Fatal(err)
		}
		if again := access.Decide(then, v, q); again != x.want {
			t.Fatalf("%+v, replayed on version %d %+v", x.want, version, again)
		}
	}
	if missing[0] < n/2 || n-missing[0] < n/20 || doubtful < 100 {
		t.Errorf("nothing missing %d times of %d, %d in doubt: the sample says little", missing[0], n, doubtful)
	}
}

// wait is somebody who stands at a door until another comes.
type wait struct {
	door          access.DoorID
	gw            access.GatewayID
	since         time.Time
	key, keyThere access.Key
}

func (x *wait) end(whole *access.State, server *access.Policy, boxes map[access.GatewayID]*box) {
	b := boxes[x.gw]
	access.Apply(whole, access.Event{Kind: access.EventGone, Door: x.door, Person: holder(server, x.key)})
	access.Apply(b.state, access.Event{Kind: access.EventGone, Door: x.door, Person: holder(b.policy, x.keyThere)})
}

// holder is the id by which a policy knows the holder of a card.
func holder(p *access.Policy, k access.Key) string {
	c, _ := p.Credential(k)
	who, _ := p.Person(c.Person)
	return who.ID
}

// alike compares decisions of different policies: the number of a person differs.
func alike(a, b access.Decision) bool {
	a.Person, b.Person = 0, 0
	return a == b
}
