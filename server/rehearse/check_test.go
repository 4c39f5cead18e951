package rehearse

import (
	"math/bits"
	"testing"

	"monban/firmware/access"
)

// VR-9: each reason of a refusal shows in exactly one check, which is then not called passed.
func TestEveryReasonHasItsCheck(t *testing.T) {
	for _, r := range access.Reasons() {
		if r == access.ReasonUndecided || r == access.ReasonGranted {
			continue
		}
		want := Failed
		if r == access.ReasonPINRequired {
			want = Asked // whatever else fails, nobody has refused a PIN yet
		}
		found := 0
		for _, l := range Lines(access.Decision{Failed: set(r), Primary: r}) {
			if l.Result == want {
				found++
				if len(l.Reasons) != 1 || l.Reasons[0] != r {
					t.Errorf("%s: check %s says %v", r, l.Check, l.Reasons)
				}
			}
		}
		if found != 1 {
			t.Errorf("%s shows as %s in %d checks", r, want, found)
		}
	}
	var seen access.ReasonSet
	for _, c := range checks {
		if seen&c.reasons != 0 {
			t.Errorf("check %s shares %d reasons with others", c.check, bits.OnesCount64(uint64(seen&c.reasons)))
		}
		seen |= c.reasons
	}
}

// A grant with a flag, a door that asks for more, and what nobody looked at are told apart.
func TestLinesTellResultsApart(t *testing.T) {
	at := func(d access.Decision, c Check) Result {
		for _, l := range Lines(d) {
			if l.Check == c {
				return l.Result
			}
		}
		t.Fatalf("no line for %s", c)
		return ""
	}
	for _, tc := range []struct {
		d    access.Decision
		c    Check
		want Result
	}{
		{access.Decision{Outcome: access.Granted, Primary: access.ReasonGranted}, CheckGrant, Passed},
		{access.Decision{Outcome: access.Granted, Failed: set(access.ReasonAntiPassback)}, CheckZone, Flagged},
		{access.Decision{Outcome: access.NeedPIN, Failed: set(access.ReasonPINRequired)}, CheckPIN, Asked},
		{access.Decision{Outcome: access.NeedSecond, Failed: set(access.ReasonSecondPerson)}, CheckZone, Asked},
		{access.Decision{Failed: set(access.ReasonNoGrant)}, CheckGrant, Failed},
		{access.Decision{Failed: set(access.ReasonUnknownCredential)}, CheckGrant, NotLooked},
		{access.Decision{Failed: set(access.ReasonUnknownCredential)}, CheckMode, Passed},
		{access.Decision{Failed: set(access.ReasonUnknownDoor)}, CheckCard, Passed},
		{access.Decision{Failed: set(access.ReasonUnknownDoor)}, CheckAssurance, NotLooked},
		{access.Decision{Failed: set(access.ReasonNoPolicy)}, CheckCard, NotLooked},
	} {
		if got := at(tc.d, tc.c); got != tc.want {
			t.Errorf("%s with %s: %s is %s, want %s", tc.d.Outcome, tc.d.Failed, tc.c, got, tc.want)
		}
	}
}
