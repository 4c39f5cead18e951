package store

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"monban/firmware/door"
	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/logcheck"
)

// states collects what a check saves.
type states struct {
	name string
	all  [][]byte
}

func (k *states) save(name string, data []byte) {
	k.name, k.all = name, append(k.all, slices.Clone(data))
}

// sizes gives after how many leaves each was saved.
func (k *states) sizes(t *testing.T) (out []int64) {
	t.Helper()
	for _, data := range k.all {
		var s struct{ Size int64 }
		must(t, json.Unmarshal(data, &s))
		out = append(out, s.Size)
	}
	return out
}

func giving(data []byte) func(string) ([]byte, error) {
	return func(string) ([]byte, error) { return data, nil }
}

// sorted are the findings in an order of their own: the walk gives those of its end in the order of a map.
func sorted(r *entrylog.Result) []string {
	var out []string
	for _, f := range r.Findings {
		out = append(out, f.String())
	}
	slices.Sort(out)
	return out
}

func sameReport(t *testing.T, what string, got, want *logcheck.Report) {
	t.Helper()
	if g, w := sorted(got.Result), sorted(want.Result); !slices.Equal(g, w) {
		t.Fatalf("%s: found\n%s\nwant\n%s", what, strings.Join(g, "\n"), strings.Join(w, "\n"))
	}
	g, w := *got, *want
	gr, wr := *got.Result, *want.Result
	gr.Findings, wr.Findings = nil, nil
	if !reflect.DeepEqual(gr, wr) {
		t.Fatalf("%s: %+v, want %+v", what, gr, wr)
	}
	g.Result, w.Result, g.Resumed, g.ResumedAt = nil, nil, false, 0
	if !reflect.DeepEqual(g, w) {
		t.Fatalf("%s: %+v, want %+v", what, g, w)
	}
}

// straddling is a closed database in which attempts, findings and chains go on over checkpoints.
func straddling(t *testing.T) (*site, []byte) {
	t.Helper()
	s := newSite(t)
	st := s.open(t)
	tr := newTraffic()
	write := func(fn func(*Tx) error) {
		t.Helper()
		must(t, st.Write(t.Context(), fn))
		must(t, st.SignNow(t.Context()))
	}
	for range 15 {
		write(tr.step)
	}
	for n := 100; n < 104; n++ {
		g, at, id := []string{"g1", "g2", "g3"}[n%3], int64(monday+n*60_000), attemptID(n)
		var finding int64
		write(func(tx *Tx) error { _, err := tx.AppendDecision(decision(n, at), person(n)); return err })
		write(func(tx *Tx) (err error) {
			if _, err = tr.record(tx, g, door.EventEntry, id, at+2000, nil); err != nil {
				return err
			}
			finding, err = tx.AppendFinding(attempt.Finding{Kind: "held_open", Severity: "medium", Gateway: g, Door: g + "-north", Attempt: id, Cause: attempt.NoIndex, AtMS: at, Detail: "rule"}, nil)
			return err
		})
		write(tr.step)
		write(func(tx *Tx) error { _, err := tr.record(tx, g, door.EventClosed, id, at+9000, nil); return err })
		write(func(tx *Tx) error {
			_, err := tx.AppendAction(entrylog.Action{Account: "acct1", Verb: "finding_taken", Target: "finding", ID: fmt.Sprint(finding), From: "lan", Result: "ok", AtMS: at}, nil)
			return err
		})
	}
	must(t, st.Close())
	wantClean(t, s.verify(t, true))
	data, err := os.ReadFile(s.path)
	must(t, err)
	return s, data
}

// EV-1: a check of a database that was broken off at any checkpoint and goes on comes to what a whole one comes to: of a log that is as it
// was written, and of one in which anything was changed before the check began.
func TestVerifyResumes(t *testing.T) {
	t.Parallel()
	s, data := straddling(t)
	r, rows := testSeed(t), covered(t)
	changes := 120
	if testing.Short() {
		changes = 30
	}
	resumed, refused := 0, 0
	for n := range changes + 2 {
		must(t, os.WriteFile(s.path, data, 0o600))
		what := "unchanged"
		if n >= 2 { // the first two are whole
			c := rows[r.IntN(len(rows))]
			column := c.columns[r.IntN(len(c.columns))]
			db := rawDB(t, s.path)
			_, _, ok := change(t, db, r, c, column)
			must(t, db.Close())
			if !ok {
				continue
			}
			what = c.table + "." + column
		}
		var kept states
		opt := s.verifyOptions(n%2 == 0)
		opt.Save, opt.Every = kept.save, 1
		want, err := ReportOnFile(t.Context(), s.path, opt)
		if err != nil || len(kept.all) == 0 {
			continue // nothing to compare with, or nothing to go on from
		}
		if n < 2 && len(kept.all) < 3 {
			t.Fatalf("saved %d times", len(kept.all))
		}
		opt.Save = nil
		for i, size := range kept.sizes(t) {
			if n >= 2 && i != r.IntN(len(kept.all)) {
				continue
			}
			opt.State = giving(kept.all[i])
			got, err := ReportOnFile(t.Context(), s.path, opt)
			if err != nil && n >= 2 && strings.Contains(err.Error(), "what was checked already was changed since") {
				refused++ // a leaf whose body is not what was hashed: the whole check names it
				continue
			}
			must(t, err)
			if !got.Resumed || got.ResumedAt != size {
				t.Fatalf("%s: resumed %v at %d, want at %d", what, got.Resumed, got.ResumedAt, size)
			}
			sameReport(t, what, got, want)
			resumed++
		}
	}
	t.Logf("%d checks went on, %d were refused", resumed, refused)
	if resumed < changes/4 {
		t.Errorf("only %d checks went on", resumed)
	}
}

// EV-1, I8: what was changed after a check was broken off is not passed over: a leaf before that place ends the check, anything behind it is found.
func TestChangedSinceBrokenOff(t *testing.T) {
	t.Parallel()
	s, data := template(t)
	var kept states
	opt := s.verifyOptions(true)
	opt.Save, opt.Every = kept.save, 1
	_, err := ReportOnFile(t.Context(), s.path, opt)
	must(t, err)
	at := len(kept.all) / 2
	size := kept.sizes(t)[at]
	opt.Save, opt.State = nil, giving(kept.all[at])
	for _, c := range []struct {
		sql  string
		idx  int64
		want string // in the error or a finding
	}{
		{`UPDATE log_leaf SET body = x'0000' WHERE idx = ?`, size - 1, "what was checked already was changed since: leaf"},
		{`UPDATE log_leaf SET body = CAST('{"dropped":5}' AS BLOB) WHERE idx = ?`, size - 2, "what was checked already was changed since: leaf"},
		{`UPDATE log_leaf SET hashes = zeroblob(length(hashes)) WHERE idx = ?`, 1, "what was checked already was changed since: leaf 1"},
		{`DELETE FROM log_leaf WHERE idx = ?`, size / 2, "what was checked already was changed since"},
		{`UPDATE log_leaf SET body = x'0000' WHERE idx = ?`, size, "log_leaf"},
		{`DELETE FROM log_leaf WHERE idx = ?`, size + 1, "is missing"},
		{`UPDATE attempt SET day = '2020-01-01' WHERE first_idx = (SELECT min(first_idx) FROM attempt WHERE first_idx >= ?)`, size, "day"},
		{`UPDATE opening SET ciphertext = zeroblob(length(ciphertext)) WHERE idx = (SELECT min(idx) FROM opening WHERE idx >= ?)`, size, "opening"},
		{`DELETE FROM record WHERE idx = (SELECT min(idx) FROM record WHERE idx >= ?)`, size, "is missing"},
	} {
		must(t, os.WriteFile(s.path, data, 0o600))
		db := rawDB(t, s.path)
		res, err := db.Exec(c.sql, c.idx)
		must(t, err)
		if n, _ := res.RowsAffected(); n != 1 {
			t.Fatalf("%s changed %d rows", c.sql, n)
		}
		must(t, db.Close())
		rep, err := ReportOnFile(t.Context(), s.path, opt)
		said := strings.Join(sorted(rep.Result), "\n")
		if err != nil {
			said = err.Error()
		}
		if !strings.Contains(said, c.want) {
			t.Errorf("%s (%d, broken off at %d): %q, want %q", c.sql, c.idx, size, said, c.want)
		}
	}
}

// EV-1: a state is of one log as it was, with one set of keys: one of another, or of a log that has grown, is never gone on from.
func TestStateOfAnotherLog(t *testing.T) {
	t.Parallel()
	s, _ := template(t)
	other := newSite(t)
	st := other.open(t)
	other.fill(t, st, 60)
	must(t, st.Close())
	var kept states
	opt := s.verifyOptions(false)
	opt.Save, opt.Every = kept.save, 1
	_, err := ReportOnFile(t.Context(), s.path, opt)
	must(t, err)
	name, state := kept.name, kept.all[1]
	refused := func(what string, s *site, opt VerifyOptions) {
		t.Helper()
		asked := ""
		opt.Save, opt.State = nil, func(name string) ([]byte, error) { asked = name; return nil, nil }
		rep, err := ReportOnFile(t.Context(), s.path, opt)
		if err != nil || rep.Resumed || asked == name {
			t.Errorf("%s: %v, resumed %v, asked for the state of the other", what, err, rep.Resumed)
		}
		opt.State = giving(state)
		if _, err := ReportOnFile(t.Context(), s.path, opt); err == nil || !strings.Contains(err.Error(), "another log") {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("another log", other, other.verifyOptions(false))
	refused("with openings", s, s.verifyOptions(true))
	restored := s.verifyOptions(false)
	restored.Restored = true
	refused("as a restored one", s, restored)
	st = s.open(t)
	s.fill2(t, st, 3)
	must(t, st.Close())
	refused("grown", s, s.verifyOptions(false))
}

// A state that cannot be one is refused with a word, whatever it holds, and never ends the program.
func FuzzVerifyState(f *testing.F) {
	s := newSite(f)
	st, err := Open(s.path, s.options())
	must(f, err)
	s.fill(f, st, 20)
	must(f, st.Close())
	var kept states
	opt := s.verifyOptions(true)
	opt.Save, opt.Every = kept.save, 1
	_, err = ReportOnFile(context.Background(), s.path, opt)
	must(f, err)
	for _, data := range kept.all {
		f.Add(data)
	}
	text := string(kept.all[0])
	for _, change := range [][2]string{{`"size":`, `"size":1`}, {`"size":`, `"size":-`}, {`"From":`, `"From":9`}, {`"checkpoints":`, `"checkpoints":-`}, {`"status":{`, `"status":{"7":null,`}, {`"before":0`, `"before":7`}, {`{`, `[`}} {
		f.Add([]byte(strings.Replace(text, change[0], change[1], 1)))
	}
	opt.Save = nil
	f.Fuzz(func(t *testing.T, data []byte) {
		opt := opt
		opt.State = giving(data)
		rep, err := ReportOnFile(context.Background(), s.path, opt)
		if err == nil && !rep.Resumed {
			t.Error("a state that was given was passed over without a word")
		}
	})
}
