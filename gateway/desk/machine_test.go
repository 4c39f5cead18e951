package desk

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/mono"
	"monban/firmware/wire"
	"monban/gateway/controller"
)

var (
	at    = controller.Moment{At: mono.Time(time.Second), WallMS: 1_800_000_000_000, Clock: access.ClockServer}
	cardA = Read{Attempt: door.Attempt{1}, Key: access.Key{1}, HasCard: true, Sealed: []byte("sealed"), Grade: card.CardAuth, Link: "secure"}
)

func entry(r Read, of byte) Read { r.HasEntry, r.Entry = true, [32]byte{of}; return r }

func machine(failed uint8) *Machine {
	return NewMachine("desk-1", 20*time.Second, func(access.Key) uint8 { return failed })
}

func answer(r Read, o access.Outcome, reason access.Reason, failed ...access.Reason) wire.Answer {
	a := wire.Answer{Attempt: r.Attempt, Outcome: o, Reason: reason, Rules: 7}
	for _, f := range failed {
		a.Failed = a.Failed.With(f)
	}
	return a
}

// RA-3: a card is one record, number and PIN are one question each, and what the server says is a record with its reason.
func TestSignIn(t *testing.T) {
	m := machine(2)
	e := m.OnRead(cardA, at)
	if len(e.records) != 1 || e.ask != nil || e.show.what != door.IndPIN {
		t.Fatalf("card: %+v", e)
	}
	if r := e.records[0]; r.Draft.Event != door.EventDeskRead || r.Draft.Door != "desk-1" || r.Draft.By != access.ByNobody || string(r.Private.Card) != "sealed" || r.Private.PIN != access.PINNone || r.Draft.Link != "secure" {
		t.Errorf("record %+v", r)
	}
	e = m.OnRead(entry(cardA, 10), at)
	if e.ask == nil || e.ask.PIN != [32]byte{10} || !e.ask.PINGiven || e.ask.PINFailed != 2 || e.ask.Attempt != cardA.Attempt || e.ask.Assurance != "card_auth" || len(e.records) != 0 {
		t.Fatalf("number: %+v", e)
	}
	if e = m.OnAnswer(e.ask.Question, answer(cardA, access.NeedPIN, access.ReasonPINRequired, access.ReasonPINRequired), false, at); e.show.what != door.IndPIN || len(e.records) != 0 {
		t.Fatalf("after the number: %+v", e)
	}
	e = m.OnRead(entry(cardA, 11), at)
	if e.ask == nil || e.ask.Question != 2 || e.ask.PIN != [32]byte{11} {
		t.Fatalf("PIN: %+v", e)
	}
	e = m.OnAnswer(2, answer(cardA, access.Denied, access.ReasonDeskSigned), false, at)
	if len(e.records) != 1 || e.records[0].Draft.Event != door.EventDeskJudged || e.records[0].Draft.Reason != access.ReasonDeskSigned || e.records[0].Draft.By != access.ByServer || e.show.what != door.IndGranted {
		t.Errorf("signed: %+v", e)
	}
	if e.pin == nil || e.pin.Failed != 0 { // AD-13: a right PIN ends the count, as at a door
		t.Errorf("count %+v", e.pin)
	}
	if again := m.OnRead(entry(cardA, 11), at); again.ask != nil || again.show.what != door.IndDenied {
		t.Errorf("an entry after the end: %+v", again)
	}
}

// AD-13: a wrong PIN at the desk is one more of the card's, and the fifth is told like a door's; a wrong number is none.
func TestWrongPINsCount(t *testing.T) {
	for failed, c := range map[uint8]struct {
		reason  access.Reason
		count   int
		records int
	}{0: {access.ReasonPINBad, 1, 1}, 4: {access.ReasonPINBad, 5, 2}, 5: {access.ReasonPINLocked, -1, 1}, 3: {access.ReasonDeskNobody, -1, 1}} {
		m := machine(failed)
		m.OnRead(cardA, at)
		m.OnRead(entry(cardA, 1), at)
		e := m.OnAnswer(1, answer(cardA, access.Denied, c.reason, c.reason), false, at)
		if len(e.records) != c.records || (e.pin == nil) != (c.count < 0) || e.pin != nil && int(e.pin.Failed) != c.count || e.show.what != door.IndDenied {
			t.Errorf("%d wrong before, %s: %+v", failed, c.reason, e)
		}
		if c.records == 2 && e.records[1].Draft.Event != door.EventPINLocked {
			t.Errorf("the fifth: %+v", e.records[1])
		}
	}
}

// RA-3: without an answer nobody signs in; a late one is recorded and counts for nothing; nor does an entry before the answer.
func TestNoAnswer(t *testing.T) {
	m := machine(0)
	m.OnRead(cardA, at)
	m.OnRead(entry(cardA, 1), at)
	if e := m.OnNoAnswer(1); e.show == nil || e.show.what != door.IndDeniedOffline || len(e.records) != 0 {
		t.Errorf("no answer: %+v", e)
	}
	if e := m.OnAnswer(1, answer(cardA, access.NeedPIN, access.ReasonPINRequired), true, at); len(e.records) != 1 || e.records[0].Draft.Event != door.EventLateIgnored || e.show != nil {
		t.Errorf("late: %+v", e)
	}
	m.OnRead(cardA, at)
	m.OnRead(entry(cardA, 1), at)
	if e := m.OnRead(entry(cardA, 2), at); e.ask != nil || e.show.what != door.IndDenied {
		t.Errorf("keyed in before the answer: %+v", e)
	}
	if e := m.OnAnswer(2, answer(cardA, access.NeedPIN, access.ReasonPINRequired), false, at); len(e.records) != 1 || e.records[0].Draft.Event != door.EventLateIgnored {
		t.Errorf("its answer: %+v", e)
	}
}

// I1, I9: whatever comes in whatever order, a desk asks only after a card of its own attempt, records each card once with its
// private part, shows green only after desk_signed, and has no effect that could move a lock (the type has none).
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := machine(rapid.Uint8().Draw(t, "failed"))
		var held Read
		asked := uint64(0)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			r := cardA
			r.Attempt = door.Attempt{rapid.Uint8Range(1, 3).Draw(t, "attempt")}
			a := answer(r, rapid.SampledFrom([]access.Outcome{access.Denied, access.NeedPIN, access.Granted, access.NeedSecond}).Draw(t, "outcome"),
				rapid.SampledFrom(access.Reasons()).Draw(t, "reason"))
			n := rapid.Uint64Range(0, asked+1).Draw(t, "question")
			signed := false
			var e effects
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0:
				e = m.OnRead(r, at)
				held = r
				if len(e.records) != 1 || e.records[0].Private == nil {
					t.Fatalf("a card without its record: %+v", e)
				}
			case 1:
				e = m.OnRead(entry(r, 9), at)
				if e.ask != nil && r.Attempt != held.Attempt {
					t.Fatal("asked for a card that is not at hand")
				}
			case 2:
				e = m.OnAnswer(n, a, rapid.Bool().Draw(t, "late"), at)
				signed = a.Reason == access.ReasonDeskSigned && a.Attempt == held.Attempt && n == asked
				if len(e.records) == 0 && a.Outcome != access.NeedPIN {
					t.Fatal("an answer without a record")
				}
			case 3:
				e = m.OnNoAnswer(n)
			default:
				e = m.OnRead(Read{Attempt: r.Attempt, Fault: "parity"}, at)
			}
			if e.ask != nil {
				if asked++; e.ask.Question != asked {
					t.Fatalf("question %d, want %d", e.ask.Question, asked)
				}
			}
			if e.show != nil && e.show.what == door.IndGranted && !signed {
				t.Fatal("green without desk_signed")
			}
		}
	})
}
