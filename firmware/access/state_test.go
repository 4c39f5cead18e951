package access

import (
	"encoding"
	"testing"

	"pgregory.net/rapid"
)

// DS-4: a grant moves nothing; the passage does.
func TestStateMovesOnPassages(t *testing.T) {
	p := compile(t, site(t))
	_, q := good(t)
	q.Link = LinkServer
	st := NewState(KnowAll)
	d := Decide(p, st.View(p, q), q)
	if d.Outcome != Granted || st.Count("server-room") != 0 || st.Inside("p-staff") != "" {
		t.Fatalf("%+v; count %d", d, st.Count("server-room"))
	}
	Apply(st, Event{Kind: EventPassage, Person: "p-staff", Zone: "server-room", WallMS: 5})
	v := st.View(p, q)
	if v.Zone != (ZoneView{Known: true, Count: 1}) || v.Person != (PersonView{Known: true, Inside: "server-room", LastMS: 5}) {
		t.Errorf("after the passage: %+v", v)
	}
	Apply(st, Event{Kind: EventPassage, Person: "p-staff", Zone: "lobby", WallMS: 4}) // a late record
	if v := st.View(p, q); v.Zone.Count != 0 || v.Person.Inside != "lobby" || v.Person.LastMS != 5 {
		t.Errorf("after leaving: %+v", v)
	}
	Apply(st, Event{Kind: EventPassage, Person: "p-visitor", Zone: "lobby"})
	Apply(st, Event{Kind: EventForgiven, Person: "p-staff"})
	if st.Inside("p-staff") != "" || st.Count("lobby") != 1 {
		t.Errorf("forgiven: %q, %d in the lobby", st.Inside("p-staff"), st.Count("lobby"))
	}
	Apply(st, Event{Kind: EventZoneReset, Zone: "lobby"})
	if st.Inside("p-visitor") != "" || st.Count("lobby") != 0 {
		t.Errorf("reset: %q, %d", st.Inside("p-visitor"), st.Count("lobby"))
	}
	for _, e := range []Event{{}, {Kind: EventPassage, Zone: "lobby"}, {Kind: EventForgiven, Person: "nobody"}, {Kind: EventZoneReset}, {Kind: eventKindCount, Person: "p-staff", Zone: "lobby"}, {Kind: EventPINFailed}} {
		Apply(st, e)
	}
	if st.Count("lobby") != 0 || st.Count("") != 0 || len(st.pins) != 0 {
		t.Error("an event that names nobody moved the state")
	}
}

// D7: what the state does not know, the view does not claim.
func TestViewKnowsWhatItMay(t *testing.T) {
	p := compile(t, site(t))
	_, q := good(t)
	var none *State
	if v := none.View(p, q); v != (View{}) {
		t.Errorf("nil state: %+v", v)
	}
	if v := NewState(0).View(p, q); v != (View{}) {
		t.Errorf("knows nothing: %+v", v)
	}
	if v := NewState(KnowAll).View(nil, q); v != (View{}) {
		t.Errorf("nil policy: %+v", v)
	}
	st := NewState(KnowAll)
	if v := st.View(p, q); !v.PIN.Known || !v.Person.Known || !v.Zone.Known {
		t.Errorf("knows all: %+v", v)
	}
	r := site(t)
	r.Zones[1].Shared = true
	shared := compile(t, r)
	for _, link := range []Link{LinkOffline, LinkLeased} {
		q.Link = link
		if v := st.View(shared, q); !v.PIN.Known || v.Person.Known || v.Zone.Known {
			t.Errorf("shared zone over link %s: %+v", link, v)
		}
	}
	q.Link = LinkServer
	if v := st.View(shared, q); !v.Person.Known || !v.Zone.Known {
		t.Errorf("shared zone at the server: %+v", v)
	}
	q.Key = key(77)
	if v := st.View(p, q); v.Person.Known {
		t.Errorf("unknown card: %+v", v)
	}
}

// AD-13: five wrong PINs lock out; a right one does not lift the lockout, an officer does.
func TestPINLockout(t *testing.T) {
	p := compile(t, site(t))
	_, q := good(t)
	st := NewState(KnowAll)
	try := func(pin PINState) Decision {
		q.PIN = pin
		d := Decide(p, st.View(p, q), q)
		if e, ok := PINEvent(q, d); ok {
			Apply(st, e)
		}
		return d
	}
	for n := range 4 {
		if d := try(PINBad); d.Primary != ReasonPINBad {
			t.Fatalf("try %d: %s", n, d.Primary)
		}
	}
	if d := try(PINOK); d.Outcome != Granted || st.PINFailed(q.Key) != 0 {
		t.Fatalf("a right PIN before the limit: %s, count %d", d.Primary, st.PINFailed(q.Key))
	}
	for range 5 {
		try(PINBad)
	}
	for _, pin := range []PINState{PINOK, PINDuress, PINBad, PINNone} {
		if d := try(pin); d.Outcome != Denied || d.Primary != ReasonPINLocked {
			t.Errorf("locked out, PIN %s: %s %s", pin, d.Outcome, d.Primary)
		}
	}
	if st.PINFailed(q.Key) != DefaultPINLimit {
		t.Errorf("count %d", st.PINFailed(q.Key))
	}
	Apply(st, Event{Kind: EventPINReset, Key: q.Key})
	if d := try(PINOK); d.Outcome != Granted {
		t.Errorf("after the reset: %s", d.Primary)
	}
	for range 300 {
		Apply(st, Event{Kind: EventPINFailed, Key: q.Key})
	}
	if st.PINFailed(q.Key) != 255 {
		t.Errorf("300 wrong PINs count %d", st.PINFailed(q.Key))
	}
}

// After any events the count of a zone is the number of persons whose place it is.
func TestCountsAgreeWithPlaces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		st := NewState(KnowAll)
		people := []string{"a", "b", "c", "d"}
		zones := []ZoneID{"", "x", "y"}
		for range rapid.IntRange(1, 50).Draw(t, "events") {
			Apply(st, Event{
				Kind:   EventKind(rapid.IntRange(0, int(eventKindCount)).Draw(t, "kind")),
				Person: rapid.SampledFrom(people).Draw(t, "person"),
				Zone:   rapid.SampledFrom(zones).Draw(t, "zone"),
			})
			want := map[ZoneID]uint32{}
			for _, p := range people {
				want[st.Inside(p)]++
			}
			for _, z := range zones[1:] {
				if st.Count(z) != want[z] {
					t.Fatalf("zone %s: count %d, %d persons", z, st.Count(z), want[z])
				}
			}
		}
	})
}

// text is what every enum of this package offers.
type text interface {
	encoding.TextMarshaler
	String() string
}

func checkEnum[E interface {
	~uint8
	text
}](t *testing.T, what string, count int, parse func(string) (E, error), safe E) {
	t.Helper()
	seen := map[string]bool{}
	for n := range 256 {
		e := E(n)
		b, err := e.MarshalText()
		if n >= count {
			if err == nil || e.String() != safe.String() && what != "pin" {
				t.Errorf("%s %d: %q, %v; want an error and the safe name", what, n, e.String(), err)
			}
			continue
		}
		got, perr := parse(string(b))
		if err != nil || perr != nil || got != e || string(b) != e.String() || seen[e.String()] {
			t.Errorf("%s %d: %q, %v, back %d, %v", what, n, b, err, got, perr)
		}
		seen[e.String()] = true
	}
	for _, bad := range []string{"", "x", " granted", "GRANTED", "許可"} {
		if got, err := parse(bad); err == nil || got != safe {
			t.Errorf("%s %q parses as %d, %v; want the safe value and an error", what, bad, got, err)
		}
	}
}

// I9: every enum has stable names, and what is no name is the safe value and an error.
func TestEnums(t *testing.T) {
	checkEnum(t, "side", 3, ParseSide, SideUnknown)
	checkEnum(t, "outcome", 5, ParseOutcome, Denied)
	checkEnum(t, "decided_by", 3, ParseDecidedBy, ByNobody)
	checkEnum(t, "pin", 4, ParsePINState, PINNone)
	checkEnum(t, "clock", 5, ParseClockQuality, ClockNone)
	checkEnum(t, "offline mode", 3, ParseOfflineMode, OfflineDeny)
	checkEnum(t, "door mode", 3, ParseDoorMode, ModeLocked)
	checkEnum(t, "credential", 5, ParseCredentialStatus, CredentialUnset)
	checkEnum(t, "link", 3, ParseLink, LinkOffline)
	checkEnum(t, "category", 4, ParseCategory, CategoryUnset)
	checkEnum(t, "zone rule", 2, ParseZoneRule, ZoneRuleDeny)
	checkEnum(t, "anti-passback", 4, ParseAntiPassback, AntiPassbackHard)
	checkEnum(t, "escort", 3, ParseEscort, EscortOutsiders)
	checkEnum(t, "training", 3, ParseTraining, TrainingDeny)
	checkEnum(t, "reason", int(reasonCount), func(s string) (Reason, error) {
		r := ReasonGranted
		err := r.UnmarshalText([]byte(s))
		return r, err
	}, ReasonUndecided)
}

func TestSets(t *testing.T) {
	var s ReasonSet
	if s.Primary() != ReasonUndecided || (ReasonSet(1)<<60).Primary() != ReasonUndecided {
		t.Error("an empty or unknown set has a primary reason that is not undecided")
	}
	for _, r := range Reasons() {
		s = s.With(r)
		if got, ok := ParseReason(r.String()); !ok || got != r {
			t.Errorf("%s: %v, %v", r, got, ok)
		}
	}
	got, err := ParseReasonSet(s.String())
	if err != nil || got != s {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := ParseReasonSet("no_grant+x"); err == nil || got != 0 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := (ReasonSet(1) << 60).MarshalText(); err == nil {
		t.Error("a reason without a name was written")
	}
	if reasonCount > 64 {
		t.Error("reasons no longer fit a set")
	}
	k := KnowledgeSet(0).With(KnowPIN).With(KnowZone).With(200)
	if k.String() != "pin+zone" || k.Has(KnowPerson) || k.Has(200) {
		t.Errorf("%q", k)
	}
	if got, err := ParseKnowledgeSet(KnowAll.String()); got != KnowAll || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}

// AD-8: the end of one wait does not take away who has badged at the door again since.
func TestGoneIsOneWait(t *testing.T) {
	st := NewState(KnowAll)
	here := func() int { return len(st.doors["d"]) }
	for _, ms := range []int64{1000, 2000} {
		Apply(st, Event{Kind: EventPending, Door: "d", Person: "a", Key: key(1), WallMS: ms})
	}
	if Apply(st, Event{Kind: EventGone, Door: "d", Person: "a", WallMS: 1000}); here() != 1 {
		t.Error("the second wait ended with the first")
	}
	if Apply(st, Event{Kind: EventGone, Door: "d", Person: "a", WallMS: 2000}); here() != 0 {
		t.Error("still there")
	}
	Apply(st, Event{Kind: EventPending, Door: "d", Person: "a", Key: key(1), WallMS: 3000})
	if Apply(st, Event{Kind: EventGone, Door: "d", Person: "a"}); here() != 0 {
		t.Error("gone whenever they badged, and still there")
	}
}
