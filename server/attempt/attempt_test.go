package attempt

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/entrylog"
)

var tokyo = time.FixedZone("JST", 9*3600)

// at is 2026-11-23 23:59:50 in Tokyo.
const at = 1795445990000

var id = [16]byte{7}

type leafOf func(f Fold, r *Row, fresh bool, idx int64)

func decided(outcome string, o Ref) leafOf {
	return func(f Fold, r *Row, fresh bool, idx int64) {
		f.Decision(r, fresh, idx, &entrylog.Decision{Attempt: id, Gateway: "g1", Door: "d1", Side: "enter", Outcome: outcome, Reason: outcome, Policy: 3, AtMS: at}, o)
	}
}

func record(e door.Event, by access.DecidedBy, spread int64, o Ref) leafOf {
	return func(f Fold, r *Row, fresh bool, idx int64) {
		body := wire.Record{Gateway: "g1", Door: "d1", Side: access.SideEnter, Event: e, Attempt: id, By: by, Reason: access.ReasonGranted, Policy: 2}
		if e == door.EventDenied {
			body.Reason, body.Failed = access.ReasonNoGrant, access.ReasonSet(0).With(access.ReasonNoGrant)
		}
		l := entrylog.Record{AtMS: at + 500, FromMS: at, ToMS: at + spread}
		f.Record(r, fresh, idx, &l, &body, o)
	}
}

func fold(leaves ...leafOf) Row {
	f := Fold{Zone: tokyo}
	var r Row
	for i, l := range leaves {
		l(f, &r, i == 0, int64(10+i))
	}
	return r
}

func TestFold(t *testing.T) { // D15, D21
	who := Ref{Has: true, Person: []byte("0123456789abcdef")}
	nobody := Ref{Has: true}
	server := Row{ID: id, First: 10, Last: 10, Decision: 10, Opening: NoIndex, Day: "2026-11-23", Gateway: "g1", Door: "d1", Side: "enter",
		Outcome: "granted", Reason: "granted", DecidedBy: "server", Policy: 3, FromMS: at, ToMS: at, Received: at}
	with := func(change func(*Row)) Row { r := server; change(&r); return r }
	for name, tc := range map[string]struct{ got, want Row }{
		"decision alone": {fold(decided("granted", Ref{})), server},
		"server decided, entered, closed": {
			fold(decided("granted", who), record(door.EventGranted, access.ByServer, 0, Ref{}), record(door.EventEntry, access.ByServer, 0, Ref{}), record(door.EventClosed, access.ByServer, 0, Ref{})),
			with(func(r *Row) {
				r.Last, r.Opening, r.PersonRef, r.Passage, r.PassedMS, r.ClosedMS = 13, 10, who.Person, "entry", at, at
			}),
		},
		"server granted, the door refused": {
			fold(decided("granted", Ref{}), record(door.EventDenied, access.ByGateway, 0, Ref{})),
			with(func(r *Row) {
				r.Last, r.Outcome, r.Reason, r.Failed, r.DecidedBy, r.Policy, r.Flags = 11, "denied", "no_grant", "no_grant", "gateway", 2, FlagOverruled
			}),
		},
		"the gateway's record came first": {
			fold(record(door.EventDenied, access.ByGateway, 0, nobody), decided("granted", who)),
			with(func(r *Row) {
				r.Last, r.Decision, r.Opening, r.PersonRef, r.Received = 11, 11, 11, who.Person, at+500
				r.Outcome, r.Reason, r.Failed, r.DecidedBy, r.Policy, r.Flags = "denied", "no_grant", "no_grant", "gateway", 2, FlagOverruled
			}),
		},
		"decided twice": {fold(decided("granted", Ref{}), decided("denied", Ref{})), with(func(r *Row) { r.Last, r.Flags = 11, FlagTwice })},
		"over midnight: counted on the day of the middle": {
			fold(record(door.EventForcedOpen, access.ByNobody, 40_000, Ref{})),
			with(func(r *Row) {
				*r = Row{ID: id, First: 10, Last: 10, Decision: NoIndex, Opening: NoIndex, Day: "2026-11-24", Gateway: "g1", Door: "d1", Side: "enter",
					FromMS: at, ToMS: at + 40_000, Received: at + 500, Passage: "forced_open", PassedMS: at + 20_000, Flags: FlagMidnight}
			}),
		},
		"not opened in time": {
			fold(decided("granted", Ref{}), record(door.EventNoEntry, access.ByServer, 0, Ref{})), // DS-4
			with(func(r *Row) { r.Last, r.Passage, r.PassedMS = 11, "no_entry", at }),
		},
		"entered after a request to exit, then lapsed is nothing new": {
			fold(decided("granted", Ref{}), record(door.EventRequestExit, access.ByNobody, 0, Ref{}), record(door.EventEntry, access.ByServer, 0, Ref{}), record(door.EventLapsed, access.ByServer, 0, Ref{})),
			with(func(r *Row) { r.Last, r.Passage, r.PassedMS = 13, "entry", at }),
		},
	} {
		if d := cmp.Diff(tc.want, tc.got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		if d := Diff(&tc.got, &tc.want); len(d) != 0 {
			t.Errorf("%s: Diff of equal rows: %v", name, d)
		}
	}
}

func TestFindingStatus(t *testing.T) {
	for _, tc := range []struct {
		a      entrylog.Action
		idx    int64
		status string
		ok     bool
	}{
		{entrylog.Action{Verb: "finding_taken", Target: "finding", ID: "5", Result: "ok"}, 5, StatusInReview, true},
		{entrylog.Action{Verb: "finding_closed", Target: "finding", ID: "5", Result: "ok"}, 5, StatusClosed, true},
		{entrylog.Action{Verb: "finding_reopened", Target: "finding", ID: "5", Result: "ok"}, 5, StatusOpen, true},
		{a: entrylog.Action{Verb: "finding_closed", Target: "finding", ID: "5", Result: "refused"}},
		{a: entrylog.Action{Verb: "finding_closed", Target: "zone", ID: "5", Result: "ok"}},
		{a: entrylog.Action{Verb: "view_findings", Target: "finding", ID: "5", Result: "ok"}},
	} {
		idx, status, ok := FindingStatus(&tc.a)
		if ok != tc.ok || ok && (idx != tc.idx || status != tc.status) {
			t.Errorf("%+v: %d %q %v", tc.a, idx, status, ok)
		}
	}
}

// RA-4: a command that lets nobody in has a result too: it was carried out. An unlock from afar is a grant, as before.
func TestCommandWithoutPassage(t *testing.T) {
	accepted := record(door.EventCommandAccepted, access.ByServer, 0, Ref{})
	if r := fold(accepted); r.Passage != "" || r.Outcome != "" {
		t.Errorf("accepted: %q %q", r.Passage, r.Outcome)
	}
	rearmed := func(f Fold, r *Row, fresh bool, idx int64) {
		body := wire.Record{Gateway: "g1", Door: "d1", Event: door.EventCommandDone, Attempt: id, By: access.ByServer, Detail: "rearm"}
		f.Record(r, fresh, idx, &entrylog.Record{AtMS: at, FromMS: at, ToMS: at}, &body, Ref{})
	}
	if r := fold(accepted, rearmed); r.Passage != string(door.EventCommandDone) || r.Outcome != "" {
		t.Errorf("re-armed: %q %q", r.Passage, r.Outcome)
	}
	if r := fold(accepted, record(door.EventCommandDone, access.ByServer, 0, Ref{})); r.Passage != "" || r.Outcome != access.Granted.String() {
		t.Errorf("unlocked: %q %q", r.Passage, r.Outcome)
	}
}
