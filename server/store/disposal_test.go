package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/door"
	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/keystore"
	"monban/server/logcheck"
)

// april is the minute of the traffic at which fiscal year 2027 begins in Tokyo.
const april = 185_220

// twoYears is a log over two fiscal years, with an attempt that crosses from one into the other.
func twoYears(t *testing.T, n int) (*site, *Store, *traffic) {
	t.Helper()
	s := newSite(t)
	st := s.open(t)
	tr := newTraffic()
	for i := range n {
		must(t, st.Write(t.Context(), tr.step))
		if i%10 == 9 {
			must(t, st.SignNow(t.Context()))
		}
	}
	at := int64(monday + april*60_000)
	must(t, st.Write(t.Context(), func(tx *Tx) error { // decided in the old year, passed and found in the new one
		d := decision(april, at-1000)
		d.Outcome, d.Reason, d.Failed = "granted", "granted", nil
		if _, err := tx.AppendDecision(d, person(1)); err != nil {
			return err
		}
		if _, err := tr.record(tx, d.Gateway, door.EventEntry, d.Attempt, at+2000, person(1)); err != nil {
			return err
		}
		f := attempt.Finding{Kind: "held_open", Severity: "medium", Gateway: d.Gateway, Door: d.Door, Attempt: d.Attempt, Cause: attempt.NoIndex, AtMS: at + 5000, Detail: "rule"}
		_, err := tx.AppendFinding(f, &entrylog.Opening{Text: "見回り"})
		return err
	}))
	tr.n = april + 12
	for range n {
		must(t, st.Write(t.Context(), tr.step))
	}
	must(t, st.SignNow(t.Context()))
	return s, st, tr
}

// disposalMS is when the tests dispose of fiscal year 2026, UTC ms.
var disposalMS = time.Date(2030, 4, 2, 0, 0, 0, 0, time.UTC).UnixMilli()

// approved puts a run that one account has asked for and another approved, with their leaves.
func approved(t *testing.T, st *Store, id string, class entrylog.Class, year int) {
	t.Helper()
	must(t, st.Write(t.Context(), func(tx *Tx) error {
		idx, err := wanted(tx, id, class, year, "acct1", "acct2", disposalMS)
		if err != nil {
			return err
		}
		return tx.AddDisposalRun(DisposalRun{ID: id, Class: class, Year: year, State: RunApproved, AskedBy: "acct1", AskedIdx: idx, ApprovedBy: "acct2", Started: -1, Done: -1})
	}))
}

// wanted writes the leaves of those who want a run.
func wanted(tx *Tx, id string, class entrylog.Class, year int, asks, approves string, ms int64) (asked int64, err error) {
	asked, err = said(tx, asks, "disposal_asked", "disposal", fmt.Sprintf("%s:%s:%d", id, class, year), ms)
	if err == nil {
		_, err = said(tx, approves, "disposal_approved", "disposal", id, ms)
	}
	return asked, err
}

func said(tx *Tx, account, verb, target, id string, ms int64) (int64, error) {
	return tx.AppendAction(entrylog.Action{Account: account, Verb: verb, Target: target, ID: id, From: "lan", Result: "ok", Reason: true, AtMS: ms}, &entrylog.Opening{Text: "満了"})
}

// closeMatters ends every open visit, so that no step of it blocks.
func closeMatters(t *testing.T, st *Store) {
	t.Helper()
	must(t, st.Write(t.Context(), func(tx *Tx) error {
		open, err := tx.OpenMatters("visit")
		for _, m := range open {
			text := MatterText{ID: m.ID, Kind: m.Kind, State: "closed", FromMS: m.FromMS, UntilMS: m.UntilMS, Doc: []byte(`{}`)}
			if err == nil {
				_, err = tx.PutMatter(m, text, entrylog.Action{Account: "acct2", Verb: "visit_closed", From: "lan", Result: "ok", AtMS: monday + (april+500)*60_000}, entrylog.Opening{})
			}
		}
		return err
	}))
}

// dispose carries a run out; each is called between its steps.
func dispose(t *testing.T, s *site, st *Store, id string, class entrylog.Class, year, limit int, each func(step string)) {
	t.Helper()
	if each == nil {
		each = func(string) {}
	}
	sc, err := st.DisposalScope(t.Context(), class, year)
	must(t, err)
	if sc.Spans.Count() == 0 {
		t.Fatalf("nothing of %s %d", class, year)
	}
	p := keystore.Period{FiscalYear: year, Class: class}
	now := disposalMS
	must(t, st.Write(t.Context(), func(tx *Tx) error { _, err := tx.StartDisposal(id, sc, s.keys.KeyID(p), false, now); return err }))
	each("started")
	_, err = s.keys.Destroy(keystore.Disposal{Run: id, Class: class, FiscalYear: year, Asked: "acct1", Approved: "acct2", AtMS: now})
	must(t, err)
	each("key")
	for done := false; !done; {
		must(t, st.Write(t.Context(), func(tx *Tx) (err error) { done, err = tx.DropBatch(id, limit); return err }))
		each("batch")
	}
	must(t, st.Compact(t.Context()))
	must(t, st.EmptyWAL(t.Context(), 1))
	each("compact")
	must(t, st.Write(t.Context(), func(tx *Tx) error { _, err := tx.FinishDisposal(id, 1, now+1000); return err }))
	each("done")
}

// EV-9: after every step of a run, of each class and in either order, the log verifies, with and without openings, as a file and as a bundle;
// nothing of it can be read, and the rows that are left are those that the leaves give.
func TestDisposalVerifies(t *testing.T) {
	for _, order := range [][]entrylog.Class{
		{entrylog.ClassRegister, entrylog.ClassAction, entrylog.ClassViolation},
		{entrylog.ClassViolation, entrylog.ClassAction, entrylog.ClassRegister},
	} {
		t.Run(string(order[0])+" first", func(t *testing.T) {
			s, st, _ := twoYears(t, 40)
			closeMatters(t, st)
			wantClean(t, s.verify(t, true))
			var before Head
			before, err := st.Head(t.Context())
			must(t, err)
			for i, class := range order {
				id := fmt.Sprintf("disposal-2031-%05d", i+1)
				approved(t, st, id, class, 2026)
				n := 0
				dispose(t, s, st, id, class, 2026, 37, func(step string) {
					if n++; step == "batch" && n%4 != 0 {
						return
					}
					res := s.verify(t, true)
					wantClean(t, res)
					wantClean(t, s.verify(t, false))
					if step == "done" && (res.Dropped == 0 || res.Erased > 0) {
						t.Errorf("%s: %d dropped, %d erased", class, res.Dropped, res.Erased)
					}
				})
				must(t, st.SignNow(t.Context()))
				for _, o := range []BundleOptions{{}, {Openings: true}, {From: 50, To: 120}} {
					rep := checked(t, bundleOf(t, st, s, o), logcheck.Options{Keys: []note.Verifier{s.log}})
					wantClean(t, *rep.Result)
					if rep.Result.Dropped == 0 || len(rep.Disposals) != i+1 {
						t.Errorf("bundle %+v: %d dropped, %d disposals", o, rep.Result.Dropped, len(rep.Disposals))
					}
				}
			}
			rep := checked(t, bundleOf(t, st, s, BundleOptions{}), logcheck.Options{Keys: []note.Verifier{s.log}})
			for k, c := range rep.Chains { // what was there once is no gap
				if c.Gaps%5 != 0 || c.Gaps > 40 {
					t.Errorf("%s: %d records are said to be missing", k, c.Gaps)
				}
			}
			must(t, st.Close())
			st = s.open(t)
			must(t, st.Read(t.Context(), func(r *ReadTx) error {
				leaves, err := r.Leaves(0, 1<<20)
				must(t, err)
				for _, l := range leaves {
					p, err := entrylog.Parse(l.Body)
					must(t, err)
					if c := p.Class(); c != entrylog.ClassSystem && entrylog.FiscalYear(p.AtMS(), s.zone) == 2026 {
						t.Fatalf("leaf %d of %s 2026 is still there", l.Idx, c)
					}
				}
				if _, err := r.Opening(1); err != ErrErased { //nolint:errorlint // returned bare
					t.Errorf("opening of a dropped leaf: %v", err)
				}
				h, err := r.LogSize()
				if h <= before.Size {
					t.Error("the log did not grow by the disposals")
				}
				return err
			}))
		})
	}
}

// EV-9, I8: what a run did not name cannot go: not through the program's own statements, and not past verify.
func TestDisposalTriggers(t *testing.T) {
	s, st, _ := twoYears(t, 12)
	try := func(what, q string, args ...any) {
		t.Helper()
		err := st.Write(t.Context(), func(tx *Tx) error { _, err := tx.exec(q, args...); return err })
		if err == nil {
			t.Errorf("%s went through", what)
		}
	}
	all := func(when string) {
		t.Helper()
		for _, table := range []string{"log_leaf", "opening", "record", "attempt", "attempt_leaf", "finding", "quarantine", "day_act", "finding_act", "zone_act", "matter"} {
			try(when+": "+table, `DELETE FROM `+table)
		}
		try(when+": body", `UPDATE log_leaf SET body = ?, kind = 'system' WHERE idx = 1`, entrylog.DroppedBody(3))
	}
	all("without a run")
	approved(t, st, "run", entrylog.ClassRegister, 2026)
	all("approved, not begun")
	try("one person twice", `INSERT INTO disposal_run (id, class, fiscal_year, state, count, asked_by, asked_ms, asked_idx, approved_by) VALUES ('x', 'register', 2026, 'approved', 0, 'a', 0, 0, 'a')`)
	sc, err := st.DisposalScope(t.Context(), entrylog.ClassRegister, 2026)
	must(t, err)
	must(t, st.Write(t.Context(), func(tx *Tx) error { _, err := tx.StartDisposal("run", sc, "none", false, disposalMS); return err }))
	var named, other int64 = sc.Spans[0].From, -1
	for i := range st.Size() {
		if !sc.Spans.Has(i) && i > named {
			other = i
			break
		}
	}
	d := DisposalRun{}
	must(t, st.Read(t.Context(), func(r *ReadTx) (err error) { d, err = r.DisposalRun("run"); return err }))
	try("a leaf outside", `UPDATE log_leaf SET body = ?, kind = 'system' WHERE idx = ?`, entrylog.DroppedBody(d.Started), other)
	try("another body", `UPDATE log_leaf SET body = ?, kind = 'system' WHERE idx = ?`, []byte(`{"leaf":1}`), named)
	try("another run", `UPDATE log_leaf SET body = ?, kind = 'system' WHERE idx = ?`, entrylog.DroppedBody(d.Started+1), named)
	try("its hash", `UPDATE log_leaf SET body = ?, kind = 'system', hashes = zeroblob(length(hashes)) WHERE idx = ?`, entrylog.DroppedBody(d.Started), named)
	try("a whole leaf", `DELETE FROM log_leaf WHERE idx = ?`, named)
	try("an opening outside", `DELETE FROM opening WHERE idx NOT IN (SELECT idx FROM log_leaf l JOIN disposal_range g ON l.idx >= g.from_idx AND l.idx < g.to_idx)`)
	must(t, st.Close())
	wantClean(t, s.verify(t, true))
}

// EV-8: a hold that comes between approval and run stops it; nothing is destroyed.
func TestDisposalHeld(t *testing.T) {
	s, st, _ := twoYears(t, 8)
	approved(t, st, "run", entrylog.ClassRegister, 2026)
	hold := Hold{ID: "hold-1", Class: entrylog.ClassRegister, FromFY: 2020, ToFY: 2026, Until: "2030-01-01", State: HoldInForce, PlacedBy: "acct3"}
	must(t, st.Write(t.Context(), func(tx *Tx) error { return tx.PutHold(hold) }))
	sc, err := st.DisposalScope(t.Context(), entrylog.ClassRegister, 2026)
	must(t, err)
	size := st.Size()
	start := func() error {
		return st.Write(t.Context(), func(tx *Tx) error { _, err := tx.StartDisposal("run", sc, "none", false, disposalMS); return err })
	}
	for _, state := range []string{HoldInForce, HoldReleaseAsked} {
		hold.State, hold.AskedBy = state, "acct3"
		must(t, st.Write(t.Context(), func(tx *Tx) error { return tx.PutHold(hold) }))
		if err := start(); !errors.Is(err, ErrHeld) || st.Size() != size {
			t.Fatalf("%s: begun: %v", state, err)
		}
	}
	hold.State, hold.ReleasedBy = HoldReleased, "acct3"
	if st.Write(t.Context(), func(tx *Tx) error { return tx.PutHold(hold) }) == nil {
		t.Error("one person released a hold")
	}
	hold.ReleasedBy = "acct4"
	must(t, st.Write(t.Context(), func(tx *Tx) error { return tx.PutHold(hold) }))
	must(t, start())
	wantClean(t, s.verify(t, true))
}

// EV-9, I8: a body that is gone and that no disposal names is found, with the first such leaf; so is one that came back, and a run without its leaves.
func TestDisposalForged(t *testing.T) {
	s, st, _ := twoYears(t, 12)
	closeMatters(t, st)
	approved(t, st, "run", entrylog.ClassRegister, 2026)
	sc, err := st.DisposalScope(t.Context(), entrylog.ClassRegister, 2026)
	must(t, err)
	old := map[int64][]byte{}
	must(t, st.Read(t.Context(), func(r *ReadTx) error {
		l, err := r.Leaf(sc.Spans[0].From)
		old[sc.Spans[0].From] = l.Body
		return err
	}))
	dispose(t, s, st, "run", entrylog.ClassRegister, 2026, 100, nil)
	must(t, st.SignNow(t.Context()))
	var d DisposalRun
	must(t, st.Read(t.Context(), func(r *ReadTx) (err error) { d, err = r.DisposalRun("run"); return err }))
	must(t, st.Close())
	wantClean(t, s.verify(t, true))
	clean, err := os.ReadFile(s.path)
	must(t, err)
	var outside int64
	for outside = d.Started - 1; sc.Spans.Has(outside); outside-- {
	}
	for name, tc := range map[string]struct {
		q    string
		args []any
		want string
	}{
		"body outside":   {`UPDATE log_leaf SET body = ?, kind = 'system' WHERE idx = ?`, []any{entrylog.DroppedBody(d.Started), outside}, fmt.Sprintf("log_leaf %d: its body is gone", outside)},
		"no such run":    {`UPDATE log_leaf SET body = ? WHERE idx = ?`, []any{entrylog.DroppedBody(d.Started + 1), sc.Spans[0].From}, fmt.Sprintf("log_leaf %d: its body is gone", sc.Spans[0].From)},
		"body came back": {`UPDATE log_leaf SET body = ?, kind = 'decision' WHERE idx = ?`, []any{old[sc.Spans[0].From], sc.Spans[0].From}, fmt.Sprintf("log_leaf %d: its body is there", sc.Spans[0].From)},
		"run undone":     {`UPDATE disposal_run SET state = 'started' WHERE id = 'run'`, nil, "disposal_run"},
		"run renamed":    {`UPDATE disposal_run SET approved_by = 'acct9' WHERE id = 'run'`, nil, "disposal_run"},
		"erased by none": {`INSERT INTO erased (idx, leaf, decision) VALUES (5, 6, 'x')`, nil, "erased 5"},
	} {
		must(t, os.WriteFile(s.path, clean, 0o600))
		db := openPool(s.path, false, 1)
		for _, q := range []string{`DROP TRIGGER log_leaf_no_update`} {
			_, err := db.Exec(q)
			must(t, err)
		}
		_, err := db.Exec(tc.q, tc.args...)
		must(t, err)
		must(t, db.Close())
		res := s.verify(t, false)
		hit := false
		for _, f := range res.Findings {
			hit = hit || strings.HasPrefix(f.String(), tc.want)
		}
		if !hit {
			t.Errorf("%s: no finding %q in %v", name, tc.want, res.Findings)
		}
	}
}

// PR-3: one record's opening goes on a decision; the log verifies, the line knows nobody, and no other opening goes with it.
func TestEraseOneOpening(t *testing.T) {
	s, st, _ := twoYears(t, 12)
	var idx int64
	var ref []byte
	must(t, st.Read(t.Context(), func(r *ReadTx) error {
		return r.row(`SELECT opening_idx, person_ref FROM attempt WHERE person_ref IS NOT NULL AND opening_idx = decision_idx LIMIT 1`).Scan(&idx, &ref)
	}))
	must(t, st.Write(t.Context(), func(tx *Tx) error {
		l, err := tx.Leaf(idx)
		must(t, err)
		p, err := entrylog.Parse(l.Body)
		must(t, err)
		if _, err := said(tx, "acct2", "erasure_decided", "attempt", entrylog.HexText(p.Decision.Attempt[:])+":decision-7", monday+april*60_000); err != nil {
			return err
		}
		_, err = tx.EraseOpening(idx, "decision-7", false, monday+april*60_000)
		return err
	}))
	must(t, st.Read(t.Context(), func(r *ReadTx) error {
		if _, err := r.Opening(idx); err != ErrErased { //nolint:errorlint // returned bare
			t.Errorf("opening: %v", err)
		}
		if d, err := r.ErasedBy(idx); err != nil || d != "decision-7" {
			t.Errorf("decision %q, %v", d, err)
		}
		var n int
		must(t, r.row(`SELECT count(*) FROM attempt WHERE opening_idx = ?`, idx).Scan(&n))
		if n != 0 {
			t.Error("the line still points to the opening")
		}
		return nil
	}))
	if st.Write(t.Context(), func(tx *Tx) error { _, err := tx.EraseOpening(idx, "decision-8", false, monday); return err }) == nil {
		t.Error("erased twice")
	}
	res := s.verify(t, true)
	wantClean(t, res)
	must(t, st.SignNow(t.Context()))
	rep := checked(t, bundleOf(t, st, s, BundleOptions{Openings: true}), logcheck.Options{Keys: []note.Verifier{s.log}})
	wantClean(t, *rep.Result)
	if rep.Result.Erased != 1 {
		t.Errorf("%d erased in the bundle, want 1", rep.Result.Erased)
	}
	data := bundleOf(t, st, s, BundleOptions{Openings: true})
	if !bytes.Contains(data, []byte("\nerased\n")) {
		t.Error("the bundle does not say that an opening was erased")
	}
}

// EV-8: findings and quarantined records, which have no openings, are in the plan of their fiscal year, and gone from it after their run.
func TestPeriodsOfFindings(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	must(t, st.Write(t.Context(), func(tx *Tx) error {
		for _, ms := range []int64{monday, monday + april*60_000 - 1, monday + april*60_000} {
			if _, err := tx.AppendFinding(attempt.Finding{Kind: "held_open", Severity: "medium", Gateway: "gw1", Cause: attempt.NoIndex, AtMS: ms, Detail: "rule"}, nil); err != nil {
				return err
			}
		}
		_, err := tx.AppendQuarantine("gw1", [16]byte{1}, 1, []byte("x"), monday+april*60_000, nil)
		return err
	}))
	periods := func() (out []PeriodCount) {
		t.Helper()
		must(t, st.Read(t.Context(), func(r *ReadTx) (err error) { out, err = r.Periods(s.zone); return err }))
		return out
	}
	if got := fmt.Sprint(periods()); got != "[{violation 2026 2} {violation 2027 2}]" {
		t.Errorf("the plan says %s", got)
	}
	approved(t, st, "run", entrylog.ClassViolation, 2026)
	dispose(t, s, st, "run", entrylog.ClassViolation, 2026, 10, nil)
	if got := fmt.Sprint(periods()); strings.Contains(got, "violation 2026") || !strings.Contains(got, "{violation 2027 2}") {
		t.Errorf("after the run the plan says %s", got)
	}
	wantClean(t, s.verify(t, true))
}
