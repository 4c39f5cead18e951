package attempt

import (
	"testing"
	"time"

	"monban/firmware/access"
	"monban/server/entrylog"
)

// A card that needs a PIN is asked about twice under one attempt: the line says what came of the
// second question. Only two final decisions are a contradiction.
func TestDecisionAfterWaiting(t *testing.T) {
	f := Fold{Zone: time.UTC}
	decision := func(out access.Outcome, reason access.Reason) *entrylog.Decision {
		return &entrylog.Decision{Attempt: [16]byte{1}, Gateway: "gw-1", Outcome: out.String(), Reason: reason.String()}
	}
	var r Row
	f.Decision(&r, true, 1, decision(access.NeedPIN, access.ReasonPINRequired), Ref{})
	f.Decision(&r, false, 2, decision(access.Granted, access.ReasonGranted), Ref{})
	if r.Outcome != "granted" || r.Reason != "granted" || r.Decision != 2 || r.Flags&FlagTwice != 0 {
		t.Errorf("after the PIN: %+v", r)
	}
	f.Decision(&r, false, 3, decision(access.Denied, access.ReasonNoGrant), Ref{})
	if r.Outcome != "granted" || r.Decision != 2 || r.Flags&FlagTwice == 0 {
		t.Errorf("after a second final decision: %+v", r)
	}
}
