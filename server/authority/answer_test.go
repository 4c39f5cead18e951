package authority_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"monban/firmware/access"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/authority"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/policypub"
	"monban/server/policypub/sitetest"
	"monban/server/store"
)

var _ authority.Tx = (*store.Tx)(nil)

type harness struct {
	*sitetest.Site
	*authority.Authority
	t *testing.T
}

func newHarness(t *testing.T) *harness {
	s := sitetest.New(t)
	return &harness{Site: s, Authority: authority.New(s.Publisher), t: t}
}

// ask is card number at the server room's front door, without a PIN.
func (h *harness) ask(number uint64) wire.Ask {
	a := wire.Ask{Gateway: "gw-1", Door: "server-room-1", Side: access.SideEnter, Card: h.Sealed("gw-1", number), Assurance: "uid_only", Rules: 1}
	for _, b := range [...][]byte{a.ID[:], a.Attempt[:], a.PIN[:]} {
		_, _ = rand.Read(b) // crypto/rand never fails
	}
	return a
}

func (h *harness) withPIN(a wire.Ask, number uint64, digits string) wire.Ask {
	a.PINGiven, a.PIN = true, h.Proof(a.Gateway, number, digits, a.ID)
	return a
}

func (h *harness) answer(a wire.Ask) wire.Answer {
	h.t.Helper()
	ans, err := h.try(&a, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	return ans
}

// try answers inside a transaction; fault, if any, stands between.
func (h *harness) try(a *wire.Ask, fault func(authority.Tx) authority.Tx) (ans wire.Answer, err error) {
	err = h.Store.Write(context.Background(), func(tx *store.Tx) error {
		var t authority.Tx = tx
		if fault != nil {
			t = fault(tx)
		}
		var err error
		ans, err = h.Answer(t, a, sitetest.Now().UnixMilli())
		return err
	})
	return ans, err
}

func (h *harness) opening(ans wire.Answer) (entrylog.Decision, entrylog.Opening) {
	h.t.Helper()
	var d entrylog.Decision
	var o entrylog.Opening
	h.Read(func(r *store.ReadTx) error {
		leaf, err := r.Leaf(int64(ans.Leaf))
		if err != nil {
			return err
		}
		if d, err = entrylog.ParseDecision(leaf.Body); err != nil {
			return err
		}
		o, err = r.Opening(int64(ans.Leaf))
		return err
	})
	return d, o
}

// AD-1, AD-12, I1: each answer is a leaf with its opening, and replaying the opening's inputs on the
// policy gives the same decision.
func TestAnswers(t *testing.T) {
	h := newHarness(t)
	unreadable := h.ask(4567)
	unreadable.Card = nil
	exit := h.ask(4573) // an expired grant
	exit.Side = access.SideExit
	for name, c := range map[string]struct {
		ask     wire.Ask
		outcome access.Outcome
		reason  access.Reason
		person  string
	}{
		"granted":             {h.withPIN(h.ask(4567), 4567, "2468"), access.Granted, access.ReasonGranted, "1001"},
		"needs a PIN":         {h.ask(4567), access.NeedPIN, access.ReasonPINRequired, "1001"},
		"wrong PIN":           {h.withPIN(h.ask(4567), 4567, "2469"), access.Denied, access.ReasonPINBad, "1001"},
		"another's PIN":       {h.withPIN(h.ask(4567), 4568, "1357"), access.Denied, access.ReasonPINBad, "1001"},
		"no PIN of his":       {h.withPIN(h.ask(4575), 4575, "0000"), access.Denied, access.ReasonNoGrant, "1009"},
		"grant expired":       {h.withPIN(h.ask(4573), 4573, "5260"), access.Denied, access.ReasonGrantExpired, "1007"},
		"suspended":           {h.withPIN(h.ask(4574), 4574, "7418"), access.Denied, access.ReasonCredentialSuspended, "1008"},
		"unknown card":        {h.ask(9999), access.Denied, access.ReasonUnknownCredential, ""},
		"unreadable":          {unreadable, access.Denied, access.ReasonReadError, ""},
		"leaves all the same": {exit, access.Granted, access.ReasonGranted, "1007"},
	} {
		t.Run(name, func(t *testing.T) {
			ans := h.answer(c.ask)
			if ans.Outcome != c.outcome || ans.Reason != c.reason || ans.ID != c.ask.ID || ans.Attempt != c.ask.Attempt || ans.Rules != 1 {
				t.Errorf("answer %+v, want %v %v", ans, c.outcome, c.reason)
			}
			d, o := h.opening(ans)
			if d.Outcome != c.outcome.String() || d.Reason != c.reason.String() || d.Ask != c.ask.ID || d.Gateway != "gw-1" {
				t.Errorf("leaf %+v", d)
			}
			if o.Person != c.person || (c.person == "1001") != (o.Name == "髙橋 健一") || (c.person == "") != (o.Masked == "") {
				t.Errorf("opening names %q %q %q", o.Person, o.Name, o.Masked)
			}
			view, request, err := access.ParseInputs(o.Inputs)
			if err != nil {
				t.Fatal(err)
			}
			again := access.Decide(h.Publisher.Site().Policy, view, request)
			if again.Outcome != ans.Outcome || again.Primary != ans.Reason || again.Failed != ans.Failed {
				t.Errorf("replayed: %+v, answered %+v", again, ans)
			}
		})
	}
}

// I1: asked again, also after a restart of the authority, the answer is the same and nothing is
// logged twice. A second question of the same attempt (now with the PIN) is a question of its own.
func TestSameAskSameAnswer(t *testing.T) {
	h := newHarness(t)
	a := h.ask(4567)
	first := h.answer(a)
	size := h.Store.Size()
	h.Authority = authority.New(h.Publisher)
	if again := h.answer(a); again != first || h.Store.Size() != size {
		t.Errorf("again %+v, first %+v; %d new leaves", again, first, h.Store.Size()-size)
	}
	second := a
	_, _ = rand.Read(second.ID[:])
	second = h.withPIN(second, 4567, "2468")
	ans := h.answer(second)
	if ans.Outcome != access.Granted || ans.Leaf == first.Leaf {
		t.Errorf("with the PIN: %+v", ans)
	}
	size = h.Store.Size()
	if again := h.answer(second); again != ans || h.Store.Size() != size {
		t.Errorf("again %+v, want %+v", again, ans)
	}
	other := a
	other.Gateway, other.Door = "gw-2", "media-store-1"
	if _, err := h.try(&other, nil); !errors.Is(err, authority.ErrForeignAttempt) {
		t.Errorf("another gateway's attempt: %v", err)
	}
}

// D10: a PIN under duress differs from the right one in the opening's inputs and nowhere else: not in
// the answer, not in the leaf, not in any length, not in the number of leaves.
func TestDuressShowsNowhere(t *testing.T) {
	h := newHarness(t)
	type trace struct {
		Answer  wire.Answer
		Leaf    entrylog.Decision
		Bytes   [2]int // answer, opening
		Line    attempt.Flags
		Finding int
	}
	look := func(digits string) (trace, access.PINState) {
		a := h.withPIN(h.ask(4568), 4568, digits)
		ans := h.answer(a)
		d, o := h.opening(ans)
		_, request, err := access.ParseInputs(o.Inputs)
		if err != nil {
			t.Fatal(err)
		}
		b, err := o.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		tr := trace{Answer: ans, Leaf: d, Bytes: [2]int{len(wire.AppendAnswer(nil, &ans)), len(b)}}
		h.Read(func(r *store.ReadTx) error {
			list, _, err := r.Findings(true, 0, 100)
			if tr.Finding = len(list); err != nil {
				return err
			}
			row, err := r.AttemptRow(a.Attempt)
			tr.Line = row.Flags
			return err
		})
		tr.Answer.ID, tr.Answer.Attempt, tr.Answer.Leaf = wire.AskID{}, [16]byte{}, 0
		tr.Leaf.Ask, tr.Leaf.Attempt, tr.Leaf.Commit = [16]byte{}, [16]byte{}, entrylog.Hash{}
		return tr, request.PIN
	}
	right, okState := look("1357")
	duress, duressState := look("7531")
	if okState != access.PINOK || duressState != access.PINDuress {
		t.Fatalf("states %v, %v", okState, duressState)
	}
	if diff := cmp.Diff(right, duress); diff != "" || right.Answer.Outcome != access.Granted {
		t.Errorf("%v\n%s", right.Answer.Outcome, diff)
	}
	// AD-13: the one exception is the alert for the security officer. It names the door, and no attempt.
	h.Read(func(r *store.ReadTx) error {
		list, total, err := r.FindingsWithDuress(false, 0, 10)
		if err != nil {
			return err
		}
		if total != 1 || len(list) != 1 || list[0].Kind != "duress" || list[0].Severity != "high" || list[0].Door != "server-room-1" || list[0].Attempt != [16]byte{} {
			t.Errorf("alerts: %+v", list)
		}
		return nil
	})
}

// AD-13: the fifth wrong PIN locks the card out, whoever counts: five tries at the server's doors,
// or five that the gateway tells of. Then the right one does not help.
func TestPINLockout(t *testing.T) {
	h := newHarness(t)
	for range 5 {
		if ans := h.answer(h.withPIN(h.ask(4569), 4569, "0000")); ans.Reason != access.ReasonPINBad {
			t.Fatalf("%v", ans.Reason)
		}
	}
	if ans := h.answer(h.withPIN(h.ask(4569), 4569, "8024")); ans.Reason != access.ReasonPINLocked {
		t.Errorf("after five: %v", ans.Reason)
	}
	h.resetPIN(4569, 0)
	if ans := h.answer(h.withPIN(h.ask(4569), 4569, "8024")); ans.Outcome != access.Granted {
		t.Errorf("after the reset: %v", ans.Reason)
	}
	a := h.withPIN(h.ask(4570), 4570, "9173")
	a.PINFailed = 5
	if ans := h.answer(a); ans.Reason != access.ReasonPINLocked {
		t.Errorf("the gateway counts five: %v", ans.Reason)
	}
}

// A door of another gateway, or of nobody, is denied and found, once while nobody has looked.
func TestUnknownDoor(t *testing.T) {
	h := newHarness(t)
	for range 3 {
		a := h.withPIN(h.ask(4567), 4567, "2468")
		a.Door = "media-store-1"
		if ans := h.answer(a); ans.Outcome != access.Denied || ans.Reason != access.ReasonUnknownDoor {
			t.Fatalf("%+v", ans)
		}
	}
	h.Read(func(r *store.ReadTx) error {
		list, _, err := r.Findings(false, 0, 10)
		if err == nil && (len(list) != 1 || list[0].Kind != "unknown_door" || list[0].Door != "media-store-1") {
			t.Errorf("findings %+v", list)
		}
		return err
	})
}

// I9: before a policy is loaded, everything is denied, and that is logged too.
func TestNoPolicyDenies(t *testing.T) {
	h := newHarness(t)
	h.Authority = authority.New(policypub.New(h.Config))
	if ans := h.answer(h.withPIN(h.ask(4567), 4567, "2468")); ans.Outcome != access.Denied || ans.Reason != access.ReasonNoPolicy {
		t.Errorf("%+v", ans)
	}
}

// I5: a suspension counts for the very next question.
func TestSuspensionCountsAtOnce(t *testing.T) {
	h := newHarness(t)
	if ans := h.answer(h.withPIN(h.ask(4567), 4567, "2468")); ans.Outcome != access.Granted {
		t.Fatal(ans.Reason)
	}
	if err := h.SetCardStatus(t.Context(), directory.Actor{From: "cli"}, "lost", "C-001", access.CredentialLost); err != nil {
		t.Fatal(err)
	}
	if ans := h.answer(h.withPIN(h.ask(4567), 4567, "2468")); ans.Reason != access.ReasonCredentialLost || ans.Rules != 2 {
		t.Errorf("%+v", ans)
	}
}

// faulty fails at one of its writes.
type faulty struct {
	authority.Tx
	decision, finding bool
}

var errFault = errors.New("the disk is full")

func (f faulty) AppendFirstDecision(d entrylog.Decision, o *entrylog.Opening) (int64, bool, error) {
	if f.decision {
		return 0, false, errFault
	}
	return f.Tx.AppendFirstDecision(d, o)
}

func (f faulty) AppendDecision(d entrylog.Decision, o *entrylog.Opening) (int64, error) {
	if f.decision {
		return 0, errFault
	}
	return f.Tx.AppendDecision(d, o)
}

func (f faulty) AppendFinding(x attempt.Finding, o *entrylog.Opening) (int64, error) {
	if f.finding {
		return 0, errFault
	}
	return f.Tx.AppendFinding(x, o)
}

// I1: each fault twice: it was not stored, and it was stored but the asker was not told. Either way
// there is no answer without its leaf, and asking again gives exactly one decision.
func TestFaultPairs(t *testing.T) {
	for name, fault := range map[string]func(authority.Tx) authority.Tx{
		"decision": func(tx authority.Tx) authority.Tx { return faulty{Tx: tx, decision: true} },
		"finding":  func(tx authority.Tx) authority.Tx { return faulty{Tx: tx, finding: true} },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t)
			a := h.withPIN(h.ask(4567), 4567, "0000")
			a.Door = "media-store-1" // not gw-1's: a decision and a finding
			size := h.Store.Size()

			// Failed, not stored.
			if ans, err := h.try(&a, fault); !errors.Is(err, errFault) || ans.Outcome == access.Granted || h.Store.Size() != size {
				t.Fatalf("answer %+v, err %v, %d leaves", ans, err, h.Store.Size()-size)
			}
			// Stored, but the reply was lost: the gateway asks again.
			lost := h.answer(a)
			stored := h.Store.Size()
			if again := h.answer(a); again != lost || h.Store.Size() != stored || stored != size+2 {
				t.Errorf("again %+v, want %+v; %d leaves", again, lost, h.Store.Size()-size)
			}
		})
	}
}

// A wrong PIN whose decision did not commit is not counted, however often the transaction was run.
func TestRollbackCountsNothing(t *testing.T) {
	h := newHarness(t)
	a := h.withPIN(h.ask(4571), 4571, "0000")
	for range 6 {
		err := h.Store.Write(context.Background(), func(tx *store.Tx) error {
			if ans, err := h.Answer(tx, &a, sitetest.Now().UnixMilli()); err != nil || ans.Reason != access.ReasonPINBad {
				t.Errorf("%+v, err %v", ans, err)
			}
			return errFault
		})
		if !errors.Is(err, errFault) {
			t.Fatal(err)
		}
	}
	if ans := h.answer(h.withPIN(h.ask(4571), 4571, "6042")); ans.Outcome != access.Granted {
		t.Errorf("tries that never committed were counted: %v", ans.Reason)
	}
}

// blank is a store that costs nothing.
type blank struct{ authority.Tx }

func (blank) AttemptRow([16]byte) (attempt.Row, error)                           { return attempt.Row{}, store.ErrNotFound }
func (blank) AppendDecision(entrylog.Decision, *entrylog.Opening) (int64, error) { return 1, nil }
func (blank) AppendFirstDecision(entrylog.Decision, *entrylog.Opening) (int64, bool, error) {
	return 1, true, nil
}
func (blank) AfterCommit(func()) {}

// The server's own work for one answer, without the store.
func BenchmarkAnswer(b *testing.B) {
	s := sitetest.New(b)
	auth := authority.New(s.Publisher)
	a := wire.Ask{Gateway: "gw-1", Door: "server-room-1", Side: access.SideEnter, Card: s.Sealed("gw-1", 4567), Assurance: "uid_only", PINGiven: true}
	a.PIN = s.Proof("gw-1", 4567, "2468", a.ID)
	var tx authority.Tx = blank{}
	b.ReportAllocs()
	for b.Loop() {
		if ans, err := auth.Answer(tx, &a, sitetest.Now().UnixMilli()); err != nil || ans.Outcome != access.Granted {
			b.Fatal(ans, err)
		}
	}
}
