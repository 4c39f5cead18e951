package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"monban/server/entrylog"
)

// append puts leaves at the end of the log, as somebody does who has the database and no key: the signer signs what extends what it has signed.
func (e *edits) append(bodies ...[]byte) {
	e.t.Helper()
	var tree entrylog.Tree
	for _, l := range e.read() {
		tree.Append(nil, entrylog.LeafHash(l.body))
	}
	for _, b := range bodies {
		kind, err := entrylog.KindOf(b)
		must(e.t, err)
		idx := tree.Size()
		_, hashes := tree.Append(nil, entrylog.LeafHash(b))
		e.exec(`INSERT INTO log_leaf (idx, kind, body, hashes) VALUES (?, ?, ?, ?)`, idx, string(kind), b, hashes)
		e.size = tree.Size()
	}
}

func (e *edits) system(ms int64, name string, values ...string) []byte {
	e.t.Helper()
	y := entrylog.System{Name: name, Values: values, AtMS: ms}
	b, err := y.Append(nil)
	must(e.t, err)
	return b
}

func (e *edits) act(ms int64, account, verb, target, id string) []byte {
	e.t.Helper()
	a := entrylog.Action{Account: account, Verb: verb, Target: target, ID: id, From: "lan", Result: "ok", AtMS: ms}
	b, err := a.Append(nil)
	must(e.t, err)
	return b
}

// gone takes a decision that is an attempt by itself, with its opening and its line, and says for the leaf and the row what a disposal run says.
func (e *edits) gone(idx, started int64) {
	e.t.Helper()
	e.exec(`DELETE FROM opening WHERE idx = ?`, idx)
	e.exec(`DELETE FROM attempt_leaf WHERE first_idx = ?`, idx)
	e.exec(`DELETE FROM attempt WHERE first_idx = ?`, idx)
	e.exec(`UPDATE log_leaf SET kind = 'system', body = ? WHERE idx = ?`, entrylog.DroppedBody(started), idx)
}

// forgery is a disposal that an insider writes beside the log's own.
type forgery struct {
	class   string
	year    int
	words   [][3]string // account, verb, class:year of the run
	atMS    int64       // of the run's leaves
	afterMS int64       // of a leaf of the server after it
}

func (f *forgery) carryOut(e *edits, idx int64) {
	e.t.Helper()
	for _, w := range f.words {
		id := "run"
		if w[2] != "" {
			id += ":" + w[2]
		}
		e.append(e.act(f.atMS, w[0], w[1], "disposal", id))
	}
	started := e.size
	year := fmt.Sprint(f.year)
	e.append(e.system(f.atMS, entrylog.SystemDisposalStarted, "run", f.class, year, "1", "1", "none", "key_destroyed_and_bodies_dropped", "acc-a", "acc-b"))
	e.append(e.system(f.atMS, entrylog.SystemDisposalRange, fmt.Sprint(started), fmt.Sprintf("%d:1", idx)))
	e.append(e.system(f.atMS, entrylog.SystemDisposalDone, fmt.Sprint(started), f.class, year, "3", "1"))
	e.append(e.act(f.afterMS, "acc-c", "login", "", ""))
	e.gone(idx, started)
	e.exec(`INSERT INTO disposal_run (id, class, fiscal_year, state, count, asked_by, asked_ms, asked_idx, approved_by, started_idx, at_idx, rows, done_idx)
		VALUES ('run', ?, ?, 'done', 1, 'acc-a', 0, 0, 'acc-b', ?, ?, 3, ?)`, f.class, f.year, started, idx+1, started+2)
}

// EV-1, EV-9, I8: somebody who can append leaves, and has no key, says that evidence was disposed of and takes it; the signer signs that, and witnesses cosign it.
// Verify judges each by the leaves of those who wanted it, by its time, and by the leaves around what it takes. The last one is what stays possible
// (docs/log-format.md): it names two accounts that never said so, in leaves that everybody sees who looks at the log.
func TestInsiderDisposes(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	tr := newTraffic()
	for range 60 {
		must(t, st.Write(t.Context(), tr.step))
	}
	must(t, st.SignNow(t.Context()))
	must(t, st.Close())
	wantClean(t, s.verify(t, true))
	back := s.keep(t)
	now := int64(monday + 100*60_000) // of fiscal year 2026, as all its leaves
	word := func(class string, year int) [][3]string {
		return [][3]string{{"acc-a", "disposal_asked", fmt.Sprintf("%s:%d", class, year)}, {"acc-b", "disposal_approved", ""}}
	}
	for name, tc := range map[string]struct {
		forgery
		want string // "" = it stays possible
	}{
		"nobody asked":             {forgery{"register", 2020, nil, now, now}, "is a disposal that nobody wanted"},
		"nobody approved":          {forgery{"register", 2026, word("register", 2026)[:1], disposalMS, disposalMS}, "is a disposal that nobody wanted"},
		"another approved":         {forgery{"register", 2026, append(word("register", 2026)[:1], [3]string{"acc-c", "disposal_approved", ""}), disposalMS, disposalMS}, "is a disposal that nobody wanted"},
		"withdrawn":                {forgery{"register", 2026, append(word("register", 2026), [3]string{"acc-c", "disposal_withdrawn", ""}), disposalMS, disposalMS}, "is a disposal that nobody wanted"},
		"another year asked for":   {forgery{"register", 2026, word("register", 2025), disposalMS, disposalMS}, "is a disposal that nobody wanted"},
		"leaf of another year":     {forgery{"register", 2020, word("register", 2020), now, now}, "takes leaf"},
		"before its time":          {forgery{"register", 2026, word("register", 2026), now, now}, "is a disposal of fiscal year 2026 before its time"},
		"a time that never was":    {forgery{"register", 2026, word("register", 2026), disposalMS, now}, "is a disposal of fiscal year 2026 before its time"},
		"what the log says itself": {forgery{"system", 2026, word("system", 2026), disposalMS, disposalMS}, "is a disposal of class system"},
		"two accounts, in time":    {forgery{"register", 2026, word("register", 2026), disposalMS, disposalMS}, ""},
	} {
		back()
		db := rawDB(t, s.path)
		e := &edits{t: t, db: db}
		var idx int64
		must(t, db.QueryRow(`SELECT first_idx FROM attempt a WHERE first_idx = decision_idx AND last_idx = first_idx AND opening_idx IS NOT NULL
			AND NOT EXISTS (SELECT 1 FROM attempt_leaf l WHERE l.first_idx = a.first_idx) ORDER BY first_idx DESC LIMIT 1`).Scan(&idx))
		tc.carryOut(e, idx)
		must(t, db.Close())
		s.signed(t)
		if told := fmt.Sprint(s.verify(t, true).Findings); tc.want == "" && !strings.Contains(told, "is in the key store, though it was destroyed") {
			t.Errorf("%s: the key lives, and with the key store nothing says so: %s", name, told)
		}
		found := slices.DeleteFunc(s.verify(t, false).Findings, func(f entrylog.Finding) bool { return f.Table == "sqlite_master" }) // its triggers, which anybody can put back
		if hit := strings.Contains(fmt.Sprint(found), tc.want); !hit || tc.want == "" && len(found) > 0 {
			t.Errorf("%s: want %q, found %v", name, tc.want, found)
		}
	}
}

// keep gives what puts the site's files, the signer's and the anchor too, back as they are now.
func (s *site) keep(t *testing.T) func() {
	t.Helper()
	kept := t.TempDir()
	must(t, os.CopyFS(kept, os.DirFS(s.dir)))
	return func() {
		t.Helper()
		must(t, filepath.WalkDir(kept, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			must(t, err)
			rel, err := filepath.Rel(kept, path)
			must(t, err)
			return os.WriteFile(filepath.Join(s.dir, rel), data, 0o600)
		}))
		s.reload(t)
	}
}

// signed has the site's own signer sign what is in the file.
func (s *site) signed(t *testing.T) {
	t.Helper()
	st := s.open(t)
	must(t, st.SignNow(t.Context()))
	must(t, st.Close())
}

// PR-3, I8: an opening goes with a leaf that says so and a row, but no leaf decides it, or one of another record.
func TestInsiderErases(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	tr := newTraffic()
	for range 20 {
		must(t, st.Write(t.Context(), tr.step))
	}
	must(t, st.SignNow(t.Context()))
	must(t, st.Close())
	back := s.keep(t)
	for name, tc := range map[string]struct{ attempt, decision string }{
		"nobody decided":       {"", ""},
		"of another record":    {"00000000000000000000000000000001", "R1"},
		"with another number":  {"own", "R2"},
		"decided, as it is so": {"own", "R1"},
	} {
		back()
		db := rawDB(t, s.path)
		e := &edits{t: t, db: db}
		var idx int64
		var own string
		must(t, db.QueryRow(`SELECT first_idx, lower(hex(attempt)) FROM attempt WHERE first_idx = decision_idx AND opening_idx = first_idx LIMIT 1`).Scan(&idx, &own))
		var more int
		must(t, db.QueryRow(`SELECT count(*) FROM attempt_leaf l JOIN opening o ON o.idx = l.idx WHERE l.first_idx = ?`, idx).Scan(&more))
		if tc.attempt == "own" {
			tc.attempt = own
		}
		ms := int64(monday + 100_000*60_000)
		if tc.decision != "" {
			e.append(e.act(ms, "acc-a", "erasure_decided", "attempt", tc.attempt+":"+tc.decision))
		}
		e.append(e.system(ms, entrylog.SystemErased, fmt.Sprint(idx), "R1"))
		e.exec(`INSERT INTO erased (idx, leaf, decision) VALUES (?, ?, 'R1')`, idx, e.size-1)
		e.exec(`DELETE FROM opening WHERE idx = ?`, idx)
		if more == 0 {
			e.exec(`UPDATE attempt SET opening_idx = NULL, person_ref = NULL WHERE first_idx = ?`, idx)
		}
		must(t, db.Close())
		s.signed(t)
		res, err := VerifyFile(context.Background(), s.path, s.verifyOptions(true))
		must(t, err)
		if hit := strings.Contains(fmt.Sprint(res.Findings), fmt.Sprintf("erases leaf %d, and no leaf decides so", idx)); hit == (name == "decided, as it is so") {
			t.Errorf("%s: %v", name, res.Findings)
		}
	}
}

// EV-8, RA-2: a row that says that a run is approved starts nothing, nor does one of which the leaves say another thing, or said it too long ago.
func TestStartNeedsTheWord(t *testing.T) {
	s, st, _ := twoYears(t, 12)
	_ = s
	closeMatters(t, st)
	sc, err := st.DisposalScope(t.Context(), entrylog.ClassRegister, 2026)
	must(t, err)
	for name, words := range map[string]func(tx *Tx, id string) (int64, error){
		"a row alone": func(*Tx, string) (int64, error) { return -1, nil },
		"asked for only": func(tx *Tx, id string) (int64, error) {
			return said(tx, "acct1", "disposal_asked", "disposal", id+":register:2026", disposalMS)
		},
		"of another class": func(tx *Tx, id string) (int64, error) {
			return wanted(tx, id, entrylog.ClassAction, 2026, "acct1", "acct2", disposalMS)
		},
		"by others": func(tx *Tx, id string) (int64, error) {
			return wanted(tx, id, entrylog.ClassRegister, 2026, "acct1", "acct3", disposalMS)
		},
		"two years ago": func(tx *Tx, id string) (int64, error) {
			return wanted(tx, id, entrylog.ClassRegister, 2026, "acct1", "acct2", disposalMS-2*366*86_400_000)
		},
	} {
		id := "run-" + strings.ReplaceAll(name, " ", "-")
		must(t, st.Write(t.Context(), func(tx *Tx) error {
			idx, err := words(tx, id)
			if err != nil {
				return err
			}
			return tx.AddDisposalRun(DisposalRun{ID: id, Class: entrylog.ClassRegister, Year: 2026, State: RunApproved, AskedBy: "acct1", AskedIdx: idx, ApprovedBy: "acct2", Started: -1, Done: -1})
		}))
		size := st.Size()
		err := st.Write(t.Context(), func(tx *Tx) error { _, err := tx.StartDisposal(id, sc, "none", false, disposalMS); return err })
		if !errors.Is(err, ErrNoWord) || st.Size() != size {
			t.Errorf("%s: begun: %v", name, err)
		}
		must(t, st.Write(t.Context(), func(tx *Tx) error {
			d, err := tx.DisposalRun(id)
			must(t, err)
			d.State = RunWithdrawn
			return tx.PutDisposalRun(d)
		}))
	}
}
