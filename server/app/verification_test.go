package app

import (
	"context"
	"errors"
	"testing"
	"time"

	"monban/server/entrylog"
	"monban/server/logcheck"
	"monban/server/store"
	"monban/server/web"
)

// EV-1, EV-5, RA-4: on the page of a running server the log is checked in the background, with a leaf, and one record is proved, with
// two; what is proved holds with the site's key and no other; D10: no inputs of a decision are shown,
// so that a missing opening does not tell a PIN under duress.
func TestVerificationOfALiveLog(t *testing.T) {
	cfg := testSite(t)
	a, _, stop := running(t, cfg)
	defer func() { _ = stop() }()
	someEntries(t, a.site.Store, time.Now())
	act := web.Action{At: time.Now(), Kind: web.ActionLogChecked, Actor: "a-auditor", Address: "192.0.2.1"}
	if err := a.proofs.StartCheck(t.Context(), act); err != nil {
		t.Fatal(err)
	}
	var s web.LogStanding
	until(t, "the end of the check", func() bool {
		var err error
		if s, err = a.proofs.Standing(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s.Check.State != web.CheckRunning
	})
	if s.Check.State != web.CheckClean || s.Check.Leaves < 6 || s.Size < s.Check.Leaves || s.Refused || s.Signed == 0 {
		t.Errorf("%+v", s)
	}
	var opt logcheck.Options
	keys, err := logKeys(cfg.Path(keysDir))
	if err != nil {
		t.Fatal(err)
	}
	opt.Keys = append(opt.Keys, keys.Log)
	act.Kind = web.ActionProofMade
	if _, err := a.proofs.ProveLeaf(t.Context(), 0, true, act); err == nil {
		t.Error("a proof without a reason")
	}
	act.Reason = "監査"
	var list []store.StoredLeaf
	if err := a.site.Store.Read(t.Context(), func(r *store.ReadTx) (err error) { list, err = r.Leaves(0, 10_000); return err }); err != nil {
		t.Fatal(err)
	}
	shown, closed := 0, 0
	for _, l := range list {
		if l.Kind != entrylog.KindDecision {
			continue
		}
		data, err := a.proofs.ProveLeaf(t.Context(), l.Idx, true, act)
		if err != nil {
			t.Fatal(err)
		}
		rep, err := logcheck.CheckProof(data, opt)
		if err != nil || !rep.Clean() {
			t.Fatalf("leaf %d: %v %v", l.Idx, err, rep)
		}
		switch rep.Proof.Shown {
		case logcheck.ShownOpen:
			shown++
		case logcheck.ShownClosed:
			closed++
		}
	}
	if shown != 3 || closed != 2 { // with the inputs of a decision: none, whichever PIN
		t.Errorf("%d openings shown, %d not", shown, closed)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if hasAction(t, cfg, "proof_exported", "0") {
		t.Error("a refused proof left a leaf")
	}
}

// A check that is being begun when the server ends is waited for, none begins after, and pages do not wait for its leaf.
func TestCheckBegunAtTheEnd(t *testing.T) {
	cfg := testSite(t)
	a, _, stop := running(t, cfg)
	defer func() { _ = stop() }()
	hold, held := make(chan struct{}), make(chan struct{})
	go func() {
		_ = a.site.Store.Write(context.Background(), func(*store.Tx) error { close(held); <-hold; return nil })
	}()
	<-held
	act := web.Action{At: time.Now(), Kind: web.ActionLogChecked, Actor: "a-auditor", Address: "192.0.2.1"}
	began, shown, closed := make(chan error, 1), make(chan struct{}), make(chan struct{})
	go func() { began <- a.proofs.StartCheck(context.Background(), act) }()
	go func() {
		defer close(shown)
		for s := (web.LogStanding{}); s.Check.State != web.CheckRunning; time.Sleep(time.Millisecond) {
			s, _ = a.proofs.Standing(context.Background())
		}
	}()
	select {
	case <-shown:
	case <-time.After(10 * time.Second):
		close(hold)
		t.Fatal("the page waits for the leaf of a check")
	}
	go func() { a.proofs.Close(); close(closed) }()
	select {
	case <-closed:
		t.Error("ends before the check that is being begun")
	case <-time.After(50 * time.Millisecond):
	}
	close(hold)
	if err := <-began; err != nil {
		t.Error(err)
	}
	<-closed
	if err := a.proofs.StartCheck(t.Context(), act); !errors.Is(err, web.ErrBusy) {
		t.Errorf("begun after the end: %v", err)
	}
}
