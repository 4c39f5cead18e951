package authority_test

import (
	"context"
	"testing"

	"monban/firmware/access"
	"monban/server/authority"
	"monban/server/policypub/sitetest"
	"monban/server/store"
)

// resetPIN is the officer's act, ms after the site's now; it gives the number of the reset.
func (h *harness) resetPIN(number uint64, ms int64) int64 {
	h.t.Helper()
	var done store.ZoneAct
	err := h.Store.Write(context.Background(), func(tx *store.Tx) (err error) {
		act := store.ZoneAct{Kind: store.ActPINReset, Subject: h.card(number), AtMS: sitetest.Now().UnixMilli() + ms}
		if done, err = tx.AppendZoneAct(act, "", "cli", "", "asked at the counter"); err == nil {
			tx.AfterCommit(func() { h.Places().Apply(done) })
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return done.AtMS
}

func (h *harness) restart(ms int64) {
	h.t.Helper()
	h.Authority = authority.New(h.Publisher)
	h.Read(func(r *store.ReadTx) error { return h.Places().Load(r, sitetest.Now().UnixMilli()+ms, h.Zone) })
}

// AD-13: a lockout that was reached over several gateways outlives a restart of the server, and is lifted by the reset
// and by nothing else.
func TestPINLockoutOutlivesARestart(t *testing.T) {
	h := newHarness(t)
	for n := range 5 {
		if ans := h.answer(h.withPIN(h.ask(4569), 4569, "0000")); ans.Reason != access.ReasonPINBad {
			t.Fatalf("try %d: %v", n, ans.Reason)
		}
		h.restart(int64(n))
	}
	right := func() access.Reason { return h.answer(h.withPIN(h.ask(4569), 4569, "8024")).Reason }
	h.restart(400 * 86_400_000)
	if got := right(); got != access.ReasonPINLocked {
		t.Fatalf("a year and a restart later: %v", got)
	}
	h.resetPIN(4569, 1000)
	h.restart(2000)
	if got := right(); got != access.ReasonGranted {
		t.Errorf("after the reset and a restart: %v", got)
	}
}

// AD-13: after a reset a gateway's count is passed by until it has taken the reset, and counts again from then on,
// also after a restart of the server and whatever PINs were right meanwhile.
func TestAResetIsNoLongerOneThatWasTaken(t *testing.T) {
	h := newHarness(t)
	reset := h.resetPIN(4569, 0)
	ask := func(failed uint8, taken int64) access.Reason {
		a := h.withPIN(h.ask(4569), 4569, "8024")
		a.PINFailed, a.PINReset = failed, taken
		return h.answer(a).Reason
	}
	for _, when := range []string{"at once", "after a restart"} {
		if got := ask(5, 0); got != access.ReasonGranted {
			t.Errorf("%s: the count of before the reset: %v", when, got)
		}
		if got := ask(5, reset-1); got != access.ReasonGranted {
			t.Errorf("%s: another reset taken: %v", when, got)
		}
		if got := ask(5, reset); got != access.ReasonPINLocked {
			t.Errorf("%s: five wrong ones since the reset: %v", when, got)
		}
		h.restart(1000)
	}
	if again := h.resetPIN(4569, -5000); again <= reset { // a clock that was put back
		t.Errorf("reset %d after %d", again, reset)
	}
}

// AD-13, D7: each gateway is told of a reset with its state part, also one without rules of who is inside, and the
// server goes on telling after a restart, for a gateway may have been away.
func TestGatewaysAreToldOfAReset(t *testing.T) {
	h := newHarness(t)
	if _, ok := h.Places().Whereabouts("gw-1"); ok {
		t.Fatal("something to say before anything happened")
	}
	reset := h.resetPIN(4569, 0)
	if !h.Places().Urgent() || h.Places().Urgent() {
		t.Error("urgent: want once")
	}
	for range 2 {
		w, ok := h.Places().Whereabouts("gw-1")
		if !ok || !w.Untold || len(w.Lifted) != 1 || w.Lifted[0] != (access.Lifted{Key: access.Key(h.Ref(4569)), AtMS: reset}) {
			t.Errorf("%v %+v", ok, w)
		}
		h.restart(40 * 86_400_000)
	}
}
