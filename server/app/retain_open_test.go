package app

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/incident"
	"monban/server/store"
)

// EV-8, AL-4: what nobody has closed is never disposed of: neither an open finding, with what was done about it, nor one in review, nor the closed finding of an
// incident that goes on. The plan says how much its year waits for; it is neither asked for, nor approved, nor, when it is opened again afterwards, carried out.
func TestOpenCasesAreKept(t *testing.T) {
	cfg := testSite(t)
	withSite(t, cfg, func(s *Site) {
		seed(t, s, 10)
		r := retainer(s)
		var finding int64
		write := func(f func(tx *store.Tx) error) {
			t.Helper()
			if err := s.Store.Write(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		act := func(kind string, ms int64) {
			t.Helper()
			write(func(tx *store.Tx) error {
				_, err := tx.AppendFindingAct(store.FindingAct{Finding: finding, Kind: kind, Account: "a1", AtMS: ms}, "lan", "")
				return err
			})
		}
		planned := func(class entrylog.Class, want int64) {
			t.Helper()
			for _, x := range ok(r.Plan(t.Context()))(t).Items {
				if x.Class == class && x.Year == 2021 && x.Open != want {
					t.Errorf("the plan has %d open cases of %s, want %d", x.Open, class, want)
				}
			}
		}
		refused := func(when string, classes ...entrylog.Class) {
			t.Helper()
			for _, c := range classes {
				planned(c, 1)
				if id, err := r.Ask(t.Context(), c, 2021, "満了", kato); !errors.Is(err, store.ErrOpenCases) {
					t.Errorf("%s: %s was asked for as %q: %v", when, c, id, err)
				}
			}
		}
		write(func(tx *store.Tx) (err error) {
			finding, err = tx.AppendFinding(attempt.Finding{Kind: "tamper", Severity: "high", Gateway: "gw-old", Door: "old-door", Cause: attempt.NoIndex, AtMS: seedMS}, nil)
			return err
		})
		refused("open", entrylog.ClassViolation)
		planned(entrylog.ClassAction, 0)
		act("finding_taken", seedMS+1000)
		refused("in review", entrylog.ClassViolation, entrylog.ClassAction)
		now := disposalDay.UnixMilli()
		act("finding_incident", now-3000)
		case1 := func(state string, open bool) {
			t.Helper()
			write(func(tx *store.Tx) error {
				old, err := tx.Matter("incident-2030-00001")
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					return err
				}
				text := store.MatterText{ID: "incident-2030-00001", Kind: incident.Kind, State: state, Open: open, FromMS: now - 9000, Doc: fmt.Appendf(nil, `{"findings":[%d]}`, finding)}
				_, err = tx.PutMatter(old, text, entrylog.Action{Account: "a1", Verb: "incident_" + state, From: "lan", Result: "ok", AtMS: now - 2000}, entrylog.Opening{})
				return err
			})
		}
		case1("open", true)
		refused("of an incident", entrylog.ClassViolation)
		case1("closed", false)
		planned(entrylog.ClassViolation, 0)
		planned(entrylog.ClassAction, 0)

		id := ok(r.Ask(t.Context(), entrylog.ClassViolation, 2021, "満了", kato))(t)
		act("finding_reopened", now-1000)
		if err := r.Approve(t.Context(), id, "確認済", false, sato); !errors.Is(err, store.ErrOpenCases) {
			t.Errorf("approved with an open finding: %v", err)
		}
		act("finding_closed", now-900)
		if err := r.Approve(t.Context(), id, "確認済", false, sato); err != nil {
			t.Fatal(err)
		}
		kept := func(when string) {
			t.Helper()
			if done, err := r.CarryOut(t.Context()); !errors.Is(err, store.ErrOpenCases) || len(done) != 0 {
				t.Errorf("%s: carried out %v: %v", when, done, err)
			}
			err := s.Store.Read(t.Context(), func(r *store.ReadTx) error { _, err := r.Finding(finding); return err })
			if err != nil {
				t.Fatalf("%s: the finding is gone: %v", when, err)
			}
		}
		act("finding_reopened", now-800)
		kept("reopened after the approval")
		act("finding_closed", now-700)
		r.step = func(name string) error {
			if name == "started" {
				r.step = nil
				act("finding_reopened", now-600)
			}
			return nil
		}
		kept("reopened after the run had begun")
		act("finding_closed", now-500)
		if done := ok(r.CarryOut(t.Context()))(t); len(done) != 1 || done[0].ID != id {
			t.Errorf("closed, and carried out: %v", done)
		}
	})
	verified(t, cfg)
}

// EV-8, AL-4: a year that only waits for an open case is told as due all the same, and the note says that it waits.
func TestYearThatWaitsIsTold(t *testing.T) {
	cfg := testSite(t)
	withSite(t, cfg, func(s *Site) {
		seed(t, s, 10)
		r := retainer(s)
		var others []string
		for _, x := range ok(r.Plan(t.Context()))(t).Items {
			if x.Due && x.Class != entrylog.ClassViolation {
				others = append(others, string(x.Class))
			}
		}
		before := ok(r.tellDue(t.Context(), disposalDay))(t)
		err := s.Store.Write(t.Context(), func(tx *store.Tx) error {
			_, err := tx.AppendFinding(attempt.Finding{Kind: "tamper", Severity: "high", Gateway: "gw-old", Door: "old-door", Cause: attempt.NoIndex, AtMS: seedMS}, nil)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, x := range ok(r.Plan(t.Context()))(t).Items {
			if x.Due && x.Class == entrylog.ClassViolation && x.Open != 0 {
				n++
			}
		}
		want := fmt.Sprintf("%d classes and years are due, %d of them wait for open cases", len(others)+n, n)
		if after := ok(r.tellDue(t.Context(), disposalDay))(t); n != 1 || after != want {
			t.Errorf("told %q, before %q, want %q", after, before, want)
		}
	})
}

// EV-8, AL-4: an open incident whose key is lost keeps the years of violation up to its newest step, none after it, and is named: else nobody knew what they wait for.
func TestUnreadIncidentIsNamed(t *testing.T) {
	cfg := siteOf2021(t)
	const id, later = "incident-2022-00001", seedMS + 366*86_400_000
	withSite(t, cfg, func(s *Site) {
		seed(t, s, 10)
		err := s.Store.Write(t.Context(), func(tx *store.Tx) error {
			text := store.MatterText{ID: id, Kind: incident.Kind, State: "open", Open: true, FromMS: later, Doc: []byte(`{"findings":[]}`)}
			if _, err := tx.PutMatter(store.Matter{}, text, entrylog.Action{Account: "a1", Verb: "incident_open", From: "lan", Result: "ok", AtMS: later}, entrylog.Opening{}); err != nil {
				return err
			}
			idx, err := tx.AppendFinding(attempt.Finding{Kind: "tamper", Severity: "high", Gateway: "gw-old", Door: "old-door", Cause: attempt.NoIndex, AtMS: later + 366*86_400_000}, nil)
			if err != nil {
				return err
			}
			_, err = tx.AppendFindingAct(store.FindingAct{Finding: idx, Kind: "finding_closed", Account: "a1", AtMS: later + 367*86_400_000}, "lan", "")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	whole := ok(os.ReadFile(cfg.Path(keyStoreFile)))(t)
	if err := os.WriteFile(cfg.Path(keyStoreFile), withoutKey(t, whole, 2022, entrylog.ClassAction), 0o600); err != nil {
		t.Fatal(err)
	}
	withSite(t, cfg, func(s *Site) {
		r := retainer(s)
		met := 0
		for _, x := range ok(r.Plan(t.Context()))(t).Items {
			if want := map[int]int64{2021: 1, 2023: 0}; x.Class == entrylog.ClassViolation {
				if x.Open != want[x.Year] {
					t.Errorf("violation of %d waits for %d cases, want %d", x.Year, x.Open, want[x.Year])
				}
				met++
			}
		}
		if met != 2 {
			t.Errorf("%d years of violation, want 2", met)
		}
		_, err := r.Ask(t.Context(), entrylog.ClassViolation, 2021, "満了", kato)
		wantLine(t, err, id, "cannot be read")
	})
}
