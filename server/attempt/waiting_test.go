package attempt

import (
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
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

// AD-8, VE-11: who waited for a second person and went in with them is granted on their line, by the door's own
// record; a wait that ended otherwise stays what the server said.
func TestWaitThatWasJoined(t *testing.T) {
	f := Fold{Zone: time.UTC}
	failed := access.ReasonSet(0).With(access.ReasonSecondPerson)
	waits := func() (r Row) {
		f.Decision(&r, true, 1, &entrylog.Decision{
			Attempt: [16]byte{1}, Gateway: "gw-1", Outcome: access.NeedSecond.String(), Reason: access.ReasonSecondPerson.String(), Failed: failed.Names(),
		}, Ref{})
		return r
	}
	record := func(r *Row, e door.Event, reason access.Reason) {
		f.Record(r, false, 2, &entrylog.Record{FromMS: 5, ToMS: 5}, &wire.Record{Attempt: door.Attempt{1}, Event: e, By: access.ByServer, Reason: reason, Failed: failed}, Ref{})
	}
	r := waits()
	record(&r, door.EventGranted, access.ReasonGranted)
	record(&r, door.EventEntry, access.ReasonGranted)
	if r.Outcome != "granted" || r.Reason != "granted" || r.Failed != "second_person" || r.Passage != "entry" || r.Flags != 0 {
		t.Errorf("joined: %+v", r)
	}
	r = waits()
	record(&r, door.EventDenied, access.ReasonSecondPerson)
	if r.Outcome != "need_second" || r.Reason != "second_person" {
		t.Errorf("nobody came: %+v", r)
	}
}
