package access

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"monban/firmware/card"
)

// recoverySite is the fixture with two recovery cards at the server door: the staff member's, who has
// an ordinary grant by day, and one of the contractor's, who has none there.
func recoverySite(t *testing.T) Rules {
	r := site(t)
	r.Credentials[2].HasPIN, r.Credentials[2].PIN = true, key(0x21)
	r.Doors[0].Recovery = []Key{key(2), key(1)}
	return r
}

// AD-18, D12: over {link, behind, age, clock, offline mode, card state, PIN, wrong PINs, door mode,
// recovery card or not} the door opens to a recovery card exactly where D12 says, and to nobody else
// where the footing fails. The expectation is written out here, independently of Decide.
func TestRecoveryTable(t *testing.T) {
	links := []Link{LinkOffline, LinkLeased, LinkServer}
	ages := []int64{1000, 3600_001, math.MaxInt64, -1}
	clocks := []ClockQuality{ClockNone, ClockFloor, ClockRTC, ClockNTP, ClockServer}
	offline := []OfflineMode{OfflineDeny, OfflineCached, OfflineCachedPIN}
	pins := []PINState{PINNone, PINOK, PINDuress, PINBad}
	modes := []DoorMode{ModeNormal, ModeLocked, ModeLockdown}
	statuses := []CredentialStatus{CredentialActive, CredentialSuspended, CredentialLost, CredentialRevoked}
	cases, granted := 0, 0
	for _, status := range statuses {
		for _, off := range offline {
			for _, mode := range modes {
				for _, recovery := range []bool{true, false} {
					r := recoverySite(t)
					if !recovery {
						r.Doors[0].Recovery = nil
					}
					r.Credentials[1].Status = status
					r.Doors[0].OfflineMode, r.Doors[0].Mode = off, mode
					p := compile(t, r)
					for _, link := range links {
						for _, behind := range []bool{false, true} {
							for _, age := range ages {
								for _, clock := range clocks {
									for _, pin := range pins {
										for _, wrong := range []uint8{0, DefaultPINLimit} {
											v, q := good(t)
											v.PIN.Failed = wrong
											q.Link, q.Behind, q.AgeMS, q.Clock, q.PIN = link, behind, age, clock, pin
											checkRecovery(t, p, v, q, recovery, status, off, mode)
											cases++
											if Decide(p, v, q).Failed.Has(ReasonRecoveryCard) {
												granted++
											}
										}
									}
								}
							}
						}
					}
				}
			}
		}
	}
	t.Logf("%d cases, %d grants by recovery card", cases, granted)
	if granted == 0 {
		t.Error("no case was granted by a recovery card")
	}
}

func checkRecovery(t *testing.T, p *Policy, v View, q Request, recovery bool, status CredentialStatus, off OfflineMode, mode DoorMode) {
	t.Helper()
	gateway := q.Link != LinkServer
	badClock := gateway && (q.Clock == ClockNone || q.Clock == ClockFloor)
	behind := q.Link == LinkLeased && q.Behind
	old := gateway && (q.AgeMS < 0 || q.AgeMS > 3600_000)
	denies := q.Link == LinkOffline && off == OfflineDeny
	emergency := badClock || behind || old
	sound := status == CredentialActive && mode == ModeNormal && v.PIN.Failed < DefaultPINLimit
	want, flagged := Denied, false
	switch {
	case !sound || q.PIN == PINBad:
	case emergency && !recovery || !emergency && denies:
	case q.PIN == PINNone:
		want = NeedPIN // the zone asks for one, and so does recovery
	default:
		want, flagged = Granted, emergency
	}
	d := Decide(p, v, q)
	if d.Outcome != want || d.Failed.Has(ReasonRecoveryCard) != flagged {
		t.Fatalf("%s, want %s flagged %v: %+v status %s offline %s mode %s failed %s",
			d.Outcome, want, flagged, q, status, off, mode, d.Failed)
	}
	if flagged {
		aside := ReasonSet(0)
		for r, on := range map[Reason]bool{ReasonClockUntrusted: badClock, ReasonPolicyBehind: behind, ReasonPolicyExpired: old, ReasonOfflineDeny: denies} {
			if on {
				aside = aside.With(r)
			}
		}
		if d.Primary != ReasonGranted || d.Failed != aside.With(ReasonRecoveryCard) {
			t.Fatalf("primary %s, failed %s, want granted and %s", d.Primary, d.Failed, aside)
		}
	}
	if want == Granted && !flagged && d.Failed != 0 {
		t.Fatalf("an ordinary grant has failed checks %s", d.Failed)
	}
}

// AD-18: whatever else is wrong with card, person, assurance, PIN count or side refuses a recovery card
// as well; a missing grant, one that ended and the hour do not; dates count when the clock is good.
func TestRecoveryIsNoBypass(t *testing.T) {
	now := at(t, "2026-11-24 09:00:00")
	for name, c := range map[string]struct {
		spoil func(r *Rules, v *View, q *Request)
		want  Reason
	}{
		"nothing else wrong": {func(*Rules, *View, *Request) {}, ReasonGranted},
		"no grant":           {func(r *Rules, _ *View, _ *Request) { r.Grants = r.Grants[1:] }, ReasonGranted},
		"grant over":         {func(r *Rules, _ *View, _ *Request) { r.Grants[0].UntilMS = now }, ReasonGranted},
		"at night":           {func(_ *Rules, _ *View, q *Request) { q.WallMS = at(t, "2026-11-24 03:00:00") }, ReasonGranted},
		"PIN count not known": {func(r *Rules, v *View, _ *Request) {
			v.PIN.Known, r.Zones[1].OfflineRules = false, ZoneRuleGrantAndFlag
		}, ReasonPolicyExpired},
		"person inactive":               {func(r *Rules, _ *View, _ *Request) { r.Persons[staff].Active = false }, ReasonPersonInactive},
		"person over":                   {func(r *Rules, _ *View, _ *Request) { r.Persons[staff].UntilMS = now }, ReasonPersonInactive},
		"contract over":                 {func(r *Rules, _ *View, _ *Request) { r.Persons[staff].ContractUntilMS = now }, ReasonContractExpired},
		"card over":                     {func(r *Rules, _ *View, _ *Request) { r.Credentials[1].UntilMS = now }, ReasonCredentialExpired},
		"card over, but no clock":       {func(r *Rules, _ *View, q *Request) { r.Credentials[1].UntilMS, q.Clock = now, ClockNone }, ReasonGranted},
		"person inactive, but no clock": {func(r *Rules, _ *View, q *Request) { r.Persons[staff].Active, q.Clock = false, ClockNone }, ReasonPersonInactive},
		"proved too little":             {func(_ *Rules, _ *View, q *Request) { q.Assurance = card.CardAuth }, ReasonAssuranceLow},
		"another card":                  {func(_ *Rules, _ *View, q *Request) { q.Key = key(9) }, ReasonPersonInactive},
		"unknown card":                  {func(_ *Rules, _ *View, q *Request) { q.Key = key(77) }, ReasonUnknownCredential},
		"no card":                       {func(_ *Rules, _ *View, q *Request) { q.HasCard = false }, ReasonReadError},
		"zone asks for no PIN": {func(r *Rules, _ *View, q *Request) {
			r.Zones[1].RequirePIN, r.Doors[0].OfflineMode, q.PIN = false, OfflineCached, PINNone
		}, ReasonPINRequired},
		"the server itself": {func(_ *Rules, _ *View, q *Request) { q.Link, q.Clock = LinkServer, 9 }, ReasonClockUntrusted},
		"another door":      {func(_ *Rules, _ *View, q *Request) { q.Door = "front"; q.AgeMS = math.MaxInt64 }, ReasonPolicyExpired},
		"no side":           {func(_ *Rules, _ *View, q *Request) { q.Side = SideUnknown }, ReasonUnknownDoor},
		"unknown link":      {func(_ *Rules, _ *View, q *Request) { q.Link = 9 }, ReasonGranted},  // offline, the strictest footing
		"unknown clock":     {func(_ *Rules, _ *View, q *Request) { q.Clock = 9 }, ReasonGranted}, // untrusted
	} {
		r := recoverySite(t)
		v, q := good(t)
		q.Link, q.AgeMS = LinkOffline, 3600_001
		c.spoil(&r, &v, &q)
		if d := Decide(compile(t, r), v, q); d.Primary != c.want || (d.Outcome == Granted) != (c.want == ReasonGranted) {
			t.Errorf("%s: %s %s (%s), want %s", name, d.Outcome, d.Primary, d.Failed, c.want)
		}
	}
	v, q := good(t)
	if d := Decide(nil, v, q); d.Outcome != Denied {
		t.Error("without a policy there is no recovery")
	}
}

// D23: rules without recovery cards have the bytes they always had; with them the cards are sorted,
// come back, and each gateway sees its own tokens.
func TestRecoveryInTheRules(t *testing.T) {
	plain := encode(t, site(t))
	if bytes.Contains(plain, []byte("recovery")) || bytes.Contains(plain, []byte("guards_server")) {
		t.Error("rules without recovery cards mention them: published bytes would change")
	}
	r := recoverySite(t)
	r.Doors[0].GuardsServer = true
	got, err := DecodeRules(encode(t, r))
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range got.Doors {
		if want := fmt.Sprint(d.ID == "server-door"); fmt.Sprint(d.GuardsServer) != want {
			t.Errorf("door %s guards the server: %v", d.ID, d.GuardsServer)
		}
		if d.ID == "server-door" && (len(d.Recovery) != 2 || d.Recovery[0] != key(1) || d.Recovery[1] != key(2)) {
			t.Errorf("recovery cards %v, want those given, sorted", d.Recovery)
		}
	}
	token := func(k Key) Key { k[1] ^= 0x5a; return k }
	own, err := ForGateway(&r, []DoorID{"server-door"}, token, token)
	if err != nil {
		t.Fatal(err)
	}
	if k := own.Doors[0].Recovery; len(k) != 2 || k[0] != token(key(1)) || k[1] != token(key(2)) {
		t.Errorf("the gateway's recovery cards are %v", k)
	}
	if r.Doors[0].Recovery[0] != key(2) {
		t.Error("deriving or encoding has changed the site's rules")
	}
	for want, cards := range map[string][]Key{
		"1 recovery cards, want none or 2–4": {key(1)},
		"5 recovery cards":                   {key(1), key(2), key(3), key(4), key(9)},
		"recovery card 1 does not exist":     {key(1), key(77)},
		"recovery card 1 has no PIN":         {key(1), key(3)},
		"recovery card 1 stands twice":       {key(1), key(1)},
	} {
		r.Doors[0].Recovery = cards
		if err := r.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", cards, err, want)
		}
	}
}
