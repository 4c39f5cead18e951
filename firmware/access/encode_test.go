package access

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"monban/firmware/card"
	"monban/firmware/mono"
)

func encode(t rapid.TB, r Rules) []byte {
	t.Helper()
	b, err := EncodeRules(&r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// D23: equal rules have equal bytes, whatever the order of the rows; they decode to the canonical form.
func TestRulesRoundTrip(t *testing.T) {
	r := site(t)
	allRules(&r)
	b := encode(t, r)
	got, err := DecodeRules(b)
	if err != nil {
		t.Fatal(err)
	}
	want := r.Canonical()
	if diff := cmp.Diff(want, *got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if again := encode(t, *got); !bytes.Equal(again, b) {
		t.Error("decoded rules encode to other bytes")
	}
	rapid.Check(t, func(rt *rapid.T) {
		if shuffled := encode(rt, shuffle(rt, r)); !bytes.Equal(shuffled, b) {
			rt.Fatal("another order gives other bytes")
		}
	})
}

// shuffle gives the same rules with all rows in another order.
func shuffle(t *rapid.T, r Rules) Rules {
	order := rapid.Permutation([]PersonNo{0, 1, 2}).Draw(t, "persons")
	number := make([]PersonNo, len(order))
	persons := make([]Person, len(order))
	for n, old := range order {
		persons[n], number[old] = r.Persons[old], PersonNo(n)
	}
	r.Persons = persons
	r.Credentials = rapid.Permutation(r.Credentials).Draw(t, "cards")
	for i := range r.Credentials {
		if r.Credentials[i].Person != NoPerson {
			r.Credentials[i].Person = number[r.Credentials[i].Person]
		}
	}
	r.Grants = rapid.Permutation(r.Grants).Draw(t, "grants")
	for i := range r.Grants {
		r.Grants[i].Person = number[r.Grants[i].Person]
	}
	r.Zones = rapid.Permutation(r.Zones).Draw(t, "zones")
	r.Doors = rapid.Permutation(r.Doors).Draw(t, "doors")
	return r
}

// Whatever DecodeRules accepts is canonical; every cut, every changed byte and every addition is
// refused or means other rules. It never yields the same rules twice.
func TestDecodeRulesIsStrict(t *testing.T) {
	b := encode(t, site(t))
	accepted := map[string]bool{}
	try := func(b []byte) {
		r, err := DecodeRules(b)
		if err != nil {
			return
		}
		again, err := EncodeRules(r)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("accepted bytes that are not canonical (%v)", err)
		}
		accepted[string(b)] = true
	}
	for n := range len(b) {
		if _, err := DecodeRules(b[:n]); err == nil {
			t.Errorf("the first %d bytes are accepted", n)
		}
		c := bytes.Clone(b)
		c[n] ^= 1
		try(c)
		c[n] ^= 0xff
		try(c)
	}
	if len(accepted) == 0 {
		t.Error("no changed byte gave other rules: keys and times must")
	}
	for _, extra := range []string{"\n", " ", "\x00"} {
		if _, err := DecodeRules(append(bytes.Clone(b), extra...)); err == nil {
			t.Errorf("%q after the rows is accepted", extra)
		}
		if _, err := DecodeRules(append([]byte(extra), b...)); err == nil {
			t.Errorf("%q before the head is accepted", extra)
		}
	}
	rows := bytes.IndexByte(b, '\n') + 1
	swapped := bytes.Clone(b)
	first, second := swapped[rows:rows+personRow], swapped[rows+personRow:rows+2*personRow]
	for i := range first {
		first[i], second[i] = second[i], first[i]
	}
	if _, err := DecodeRules(swapped); err == nil {
		t.Error("unsorted persons are accepted")
	}
	head := strings.Replace(string(b), `{"v":1,`, `{"v":1,"x":0,`, 1)
	if _, err := DecodeRules([]byte(head)); err == nil {
		t.Error("an unknown field is accepted")
	}
	if _, err := DecodeRules([]byte(strings.Replace(string(b), `{"v":1,`, `{"v":2,`, 1))); err == nil {
		t.Error("another format is accepted")
	}
}

func FuzzDecodeRules(f *testing.F) {
	small := site(f)
	b, err := EncodeRules(&small)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"v":1,"version":1,"site":"a","time_zone":"UTC","zones":[],"doors":[],"schedules":[],"calendar":{"closed":[]},"persons":0,"credentials":0,"grants":0}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := DecodeRules(b)
		if err != nil {
			return
		}
		again, err := EncodeRules(r)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("accepted bytes that do not come back (%v)", err)
		}
	})
}

// Rules are JSON-able for the server's pages and tests.
func TestRulesAsJSON(t *testing.T) {
	r := site(t)
	allRules(&r)
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var got Rules
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// allRules sets every field of the zones' rules, so that encodings have something to lose.
func allRules(r *Rules) {
	r.Zones[1] = Zone{
		ID: "server-room", Level: 3, MinAssurance: card.MutualAuth, RequirePIN: true, OfflineRules: ZoneRuleGrantAndFlag, Parent: "lobby",
		AntiPassback: AntiPassbackTimed, AntiPassbackMS: 600_000, MaxInside: 9, MinInside: 2,
		TwoPersonMS: 30_000, TwoPersonAlways: true, StaffNeeded: true,
		Escort: EscortOutsiders, EscortRatio: 4, EscortWithinMS: 20_000, EscortGraceMS: 170_000, Training: TrainingDeny, Conditions: 3,
	}
	r.Zones[0].Training = TrainingFlag
	r.Doors[0].Interlock, r.Doors[1].Interlock = "archive-door", "server-door"
	r.Persons[staff].TrainingUntilMS, r.Persons[staff].Conditions, r.Persons[staff].MayEscort, r.Persons[staff].Party = 1_900_000_000_000, 3, true, 4
	r.Grants[0].Emergency = true
}

func TestModes(t *testing.T) { // D13
	m := Modes{Version: 3, Doors: []DoorModeItem{{"server-door", ModeLockdown}, {"front", ModeNormal}, {"archive-door", ModeLocked}}}
	b, err := EncodeModes(m)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"v":1,"version":3,"doors":[{"door":"archive-door","mode":"locked"},{"door":"server-door","mode":"lockdown"}]}` + "\n"
	if string(b) != want {
		t.Errorf("got  %swant %s", b, want)
	}
	got, err := DecodeModes(b)
	if err != nil || got.Version != 3 || got.Of("server-door") != ModeLockdown || got.Of("archive-door") != ModeLocked || got.Of("front") != ModeNormal {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{
		"", "{}", "null\n", want[:len(want)-1], want + "\n", " " + want, strings.Replace(want, `"v":1`, `"v":2`, 1),
		strings.Replace(want, "lockdown", "open", 1), strings.Replace(want, `"version":3`, `"version":0`, 1),
		strings.Replace(want, "server-door", "archive-door", 1), strings.Replace(want, `"mode":"locked"`, `"mode":"normal"`, 1),
		strings.Replace(want, `"v":1`, `"v":1,"x":1`, 1),
	} {
		if m, err := DecodeModes([]byte(bad)); err == nil {
			t.Errorf("accepted %q as %+v", bad, m)
		}
	}
	if _, err := EncodeModes(Modes{}); err == nil {
		t.Error("version 0 accepted")
	}
	p := compile(t, site(t))
	v, q := good(t)
	locked := p.WithModes(got)
	if d := Decide(locked, v, q); d.Primary != ReasonLockdown {
		t.Errorf("lockdown: %s", d.Primary)
	}
	if d := Decide(p, v, q); d.Outcome != Granted {
		t.Errorf("WithModes changed its receiver: %+v", d)
	}
	if d := Decide(locked.WithModes(Modes{Version: 4}), v, q); d.Outcome != Granted {
		t.Errorf("lifted: %+v", d)
	}
	if locked.ModesVersion() != 3 || p.ModesVersion() != 0 || (*Policy)(nil).WithModes(got) != nil {
		t.Error("versions")
	}
}

// token stands for a gateway's key: any keyed one-way function will do.
func token(secret string) func(Key) Key {
	return func(k Key) Key {
		h := hmac.New(sha256.New, []byte(secret))
		h.Write(k[:])
		return Key(h.Sum(nil))
	}
}

// D7, D9: a gateway decides what the site would decide, from rules that name no card and no person.
func TestForGateway(t *testing.T) {
	r := site(t)
	card1, pin1 := token("gateway 1 card"), token("gateway 1 pin")
	gw, err := ForGateway(&r, []DoorID{"server-door"}, card1, pin1)
	if err != nil {
		t.Fatal(err)
	}
	if len(gw.Doors) != 1 || len(gw.Zones) != 2 || len(gw.Credentials) != 4 || len(gw.Persons) != 3 {
		t.Errorf("%d doors, %d zones, %d cards, %d persons", len(gw.Doors), len(gw.Zones), len(gw.Credentials), len(gw.Persons))
	}
	if len(gw.Grants) != 1 || len(gw.Schedules) != 1 {
		t.Errorf("%d grants with %d schedules, want the server room's one", len(gw.Grants), len(gw.Schedules))
	}
	for _, z := range gw.Zones { // the archive's door leaves into the server room, the front door enters the lobby
		if !z.Shared {
			t.Errorf("zone %s has doors elsewhere and is not marked", z.ID)
		}
	}
	b := encode(t, gw)
	for _, c := range r.Credentials {
		for _, secret := range []Key{c.Key, c.PIN, c.Duress} {
			if secret != (Key{}) && bytes.Contains(b, secret[:]) {
				t.Errorf("the snapshot holds the site's %s", secret)
			}
		}
	}
	if bytes.Contains(b, []byte("p-staff")) {
		t.Error("the snapshot holds a person's id")
	}
	other, err := ForGateway(&r, []DoorID{"server-door"}, token("gateway 2 card"), token("gateway 2 pin"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range gw.Persons {
		for j := range other.Persons {
			if gw.Persons[i].ID == other.Persons[j].ID {
				t.Error("two gateways share a pseudonym")
			}
		}
	}
	next := site(t)
	next.Version++
	next.Credentials = next.Credentials[1:]
	later, err := ForGateway(&next, []DoorID{"server-door"}, card1, pin1)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(gw.Persons, later.Persons); diff != "" {
		t.Errorf("pseudonyms change from version to version:\n%s", diff)
	}
	lock := site(t)
	lock.Doors[0].Interlock, lock.Doors[1].Interlock = "archive-door", "server-door"
	if _, err := ForGateway(&lock, []DoorID{"server-door"}, card1, pin1); err == nil || !strings.Contains(err.Error(), "same gateway") {
		t.Errorf("half an airlock: %v (DS-9)", err)
	}
	inner := site(t)
	inner.Zones[2].Parent = "lobby" // the archive's door is elsewhere, so who is in the lobby is not known here
	if gw, err := ForGateway(&inner, []DoorID{"front"}, card1, pin1); err != nil || len(gw.Zones) != 1 || !gw.Zones[0].Shared {
		t.Errorf("a zone around another gateway's: %v, %+v", err, gw.Zones)
	}
	if gw, err := ForGateway(&inner, []DoorID{"archive-door"}, card1, pin1); err != nil || len(gw.Zones) != 3 {
		t.Errorf("the zone around comes along: %v, %+v", err, gw.Zones)
	}
	if _, err := ForGateway(&r, []DoorID{"moon"}, card1, pin1); err == nil {
		t.Error("an unknown door is accepted")
	}
	if _, err := ForGateway(&r, []DoorID{"front"}, func(Key) Key { return key(1) }, pin1); err == nil {
		t.Error("colliding tokens are accepted")
	}

	there, here := compile(t, r), compile(t, gw)
	rapid.Check(t, func(rt *rapid.T) {
		v, q := randomInputs(rt, drawn(rt))
		q.Door = "server-door"
		want := Decide(there, v, q)
		q.Key = card1(q.Key)
		got := Decide(here, v, q)
		got.Person, want.Person = 0, 0 // numbered differently on purpose
		if got != want {
			rt.Fatalf("gateway %+v, site %+v, request %+v", got, want, q)
		}
	})
	for _, pin := range []Key{key(0x11), key(0x12), key(0x13)} {
		if got, want := CheckPIN(here, card1(key(1)), pin1(pin)), CheckPIN(there, key(1), pin); got != want {
			t.Errorf("PIN %s: %s, want %s", pin, got, want)
		}
	}
}

// randomInputs makes a request out of the fixture's; pick gives a number below n. About half of what
// is drawn is as in the good request, so that some requests get far.
func randomInputs(t rapid.TB, pick func(n int) int) (View, Request) {
	v, r := good(t)
	change := func() bool { return pick(4) == 0 }
	r.Door = []DoorID{"server-door", "server-door", "archive-door", "front", "", "nowhere"}[pick(6)]
	r.Side = []Side{SideEnter, SideEnter, SideExit, SideUnknown}[pick(4)]
	r.Key = key([]byte{1, 1, 1, 1, 2, 3, 9, 77}[pick(8)])
	r.PIN = PINState(pick(4))
	if change() {
		r.HasCard = pick(2) == 0
		r.Assurance = card.Assurance(pick(4))
	}
	if change() {
		r.WallMS = at(t, "2026-11-24 00:00:00") + int64(pick(7*86400))*1000
	}
	if change() {
		r.Clock = ClockQuality(pick(5))
		r.Link = Link(pick(3))
		r.Behind = pick(4) == 0
		r.AgeMS = []int64{-1, 0, 1000, 3600_000, 3600_001, 86400_001}[pick(6)]
	}
	r.At = mono.Time(pick(1<<30) << 10)
	ids := []ZoneID{"", "lobby", "server-room", "archive", "a-zone-of-thirty-two-characters-"}
	v.PIN = PINView{Known: pick(6) > 0, Failed: uint8(pick(7))}
	v.Person = PersonView{Known: pick(2) == 1, Inside: ids[pick(len(ids))], LastMS: int64(pick(1<<30))<<12 - 1<<40}
	few := func() uint32 { return []uint32{0, 0, 0, 0, 1, 5, 1 << 31}[pick(7)] }
	v.Zone = ZoneView{Known: pick(4) > 0, Count: few(), Escorts: few(), Contractors: few(), Visitors: few(), Reserved: few()}
	for i := range v.Zone.Above {
		v.Zone.Above[i] = CountView{Known: pick(2) == 1, Count: few(), Reserved: few()}
	}
	v.Door.Known = pick(4) > 0
	for i := range max(0, pick(2*MaxPresent)-MaxPresent+1) {
		v.Door.Present[i] = Presence{
			SinceMS: max(1, r.WallMS-int64(pick(60_000))), Category: Category(pick(len(categoryNames))), Self: pick(4) == 0,
			MayEscort: pick(4) == 0, Party: uint8(pick(3)), Granted: pick(3) == 0,
		}
	}
	return v, r
}

// drawn lets rapid do the picking.
func drawn(t *rapid.T) func(int) int {
	return func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "pick") }
}

// AD-12: 10,000 random requests, kept as canonical bytes and read back, decide bit for bit as before.
func TestReplay(t *testing.T) {
	// The same policy after a journey through its own bytes, as a replay years later would have it.
	// PersonNo is compared too, so both start from the canonical form.
	rules := site(t)
	allRules(&rules)
	rules.Zones[1].OfflineRules, rules.Zones[1].RequirePIN, rules.Grants[0].Emergency = ZoneRuleDeny, true, false
	rules.Zones[0].OfflineRules, rules.Zones[0].Escort, rules.Doors[2].Sides = ZoneRuleDeny, EscortVisitors, []Side{SideEnter, SideExit}
	rules.Grants = append(rules.Grants, Grant{Person: contractor, Zone: "server-room", Schedule: Always, UntilMS: rules.Grants[1].UntilMS})
	rules.Persons[contractor].Conditions, rules.Persons[contractor].TrainingUntilMS = 3, 1_900_000_000_000
	rules.Credentials[2].HasPIN, rules.Credentials[2].PIN = true, key(0x21)
	rules.Zones[0].AntiPassback, rules.Zones[0].TwoPersonMS = AntiPassbackSoft, 30_000
	rules.Zones[2].MaxInside, rules.Doors[1].Sides = 2, []Side{SideEnter, SideExit}
	stored, err := DecodeRules(encode(t, rules))
	if err != nil {
		t.Fatal(err)
	}
	p := compile(t, *stored)
	replayed, err := DecodeRules(encode(t, *stored))
	if err != nil {
		t.Fatal(err)
	}
	q := compile(t, *replayed)
	outcomes := map[Outcome]int{}
	const n = 20_000
	random := rand.New(rand.NewPCG(1, 2))
	for range n {
		v, r := randomInputs(t, random.IntN)
		b := AppendInputs(nil, v, r)
		first := Decide(p, v, r)
		v, r, err := ParseInputs(b)
		if err != nil {
			t.Fatal(err)
		}
		if again := AppendInputs(nil, v, r); !bytes.Equal(again, b) {
			t.Fatalf("other bytes after parsing: %x, %x", b, again)
		}
		if second := Decide(q, v, r); first != second {
			t.Fatalf("%+v, then %+v", first, second)
		}
		outcomes[first.Outcome]++
	}
	t.Log(outcomes)
	for _, o := range []Outcome{Denied, NeedPIN, NeedSecond, NeedEscort, Granted} {
		if outcomes[o] < 5 {
			t.Errorf("only %d of %d came out %s: the sample says little", outcomes[o], n, o)
		}
	}
}

// The canonical bytes keep every field, have one length (D10), and nothing else parses.
func TestInputs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		v, r := randomInputs(rt, drawn(rt))
		b := AppendInputs([]byte("x"), v, r)[1:]
		if len(b) != InputsSize {
			rt.Fatalf("%d bytes", len(b))
		}
		gotV, gotR, err := ParseInputs(b)
		if err != nil || gotV != v || gotR != r {
			rt.Fatalf("%v\n%+v %+v\n%+v %+v", err, v, gotV, r, gotR)
		}
	})
	v, r := good(t)
	b := AppendInputs(nil, v, r)
	for n := range len(b) {
		if _, _, err := ParseInputs(b[:n]); err == nil {
			t.Errorf("%d bytes accepted", n)
		}
		for _, x := range []byte{0xff, 0x80, 2} {
			c := bytes.Clone(b)
			c[n] ^= x
			if v2, r2, err := ParseInputs(c); err == nil && !bytes.Equal(AppendInputs(nil, v2, r2), c) {
				t.Errorf("byte %d changed by %#x parses to something else", n, x)
			}
		}
	}
	if _, _, err := ParseInputs(append(b, 0)); err == nil {
		t.Error("a trailing byte is accepted")
	}
	// An id that no policy can hold stays one after the journey.
	r.Door = DoorID(strings.Repeat("a", 40))
	_, got, err := ParseInputs(AppendInputs(nil, v, r))
	if err != nil || len(got.Door) <= maxIDLen || got.Door == r.Door {
		t.Errorf("overlong door: %q, %v", got.Door, err)
	}
	if !bytes.Equal(AppendInputs(nil, v, got), AppendInputs(nil, v, r)) {
		t.Error("an overlong door does not keep its bytes")
	}
}

func FuzzParseInputs(f *testing.F) {
	v, r := good(f)
	f.Add(AppendInputs(nil, v, r))
	f.Add(make([]byte, InputsSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, r, err := ParseInputs(b)
		if err == nil && !bytes.Equal(AppendInputs(nil, v, r), b) {
			t.Fatal("accepted bytes that do not come back")
		}
	})
}

func TestKey(t *testing.T) {
	text, err := key(1).MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	var k Key
	if err := k.UnmarshalText(text); err != nil || k != key(1) {
		t.Errorf("%v, %v", k, err)
	}
	for _, bad := range []string{"", "00", strings.ToUpper(string(text)), strings.Repeat("g", 64)} {
		k = key(1)
		if err := k.UnmarshalText([]byte(bad)); err == nil || k != (Key{}) {
			t.Errorf("%q: %v, %v", bad, k, errors.Unwrap(err))
		}
	}
	if s := key(1).LogValue().String(); strings.Contains(s, string(text)) || len(s) > 12 {
		t.Errorf("a log shows %q", s)
	}
}
