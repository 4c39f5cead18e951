package store

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/server/entrylog"
	"monban/server/logcheck"
)

// span is a run of leaves that the thief writes anew in place of from … to.
type span struct {
	from, to int64
	leaves   []rawLeaf
}

// rewrite makes the log anew from s.from on: the leaves before keep their rows, those after s.to follow what was put in, and tree and
// the one checkpoint left are right again. It is what allAnew does, without holding the whole log in memory.
func (f *thief) rewrite(s span, cut bool) int64 {
	f.t.Helper()
	var tree entrylog.Tree
	tx, err := f.db.Begin() // the handle has one connection
	must(f.t, err)
	_, err = tx.Exec(`CREATE TEMP TABLE fresh (idx INTEGER PRIMARY KEY, kind TEXT, body BLOB, hashes BLOB)`)
	must(f.t, err)
	rows, err := tx.Query(`SELECT kind, body FROM log_leaf ORDER BY idx`)
	must(f.t, err)
	defer rows.Close()
	put := func(l rawLeaf) {
		idx := tree.Size()
		_, hashes := tree.Append(nil, entrylog.LeafHash(l.body))
		if idx < s.from {
			return
		}
		_, err := tx.Exec(`INSERT INTO fresh VALUES (?, ?, ?, ?)`, idx, l.kind, l.body, hashes)
		must(f.t, err)
	}
	for at := int64(0); rows.Next(); at++ {
		if at == s.from {
			for _, l := range s.leaves {
				put(l)
			}
		}
		if at >= s.from && (at < s.to || cut) {
			continue
		}
		var l rawLeaf
		must(f.t, rows.Scan(&l.kind, &l.body))
		put(l)
	}
	must(f.t, rows.Err())
	must(f.t, rows.Close())
	for _, text := range []string{
		fmt.Sprintf(`DELETE FROM log_leaf WHERE idx >= %d`, s.from), `INSERT INTO log_leaf (idx, kind, body, hashes) SELECT idx, kind, body, hashes FROM fresh`,
		`DROP TABLE fresh`, `DELETE FROM checkpoint`, `DELETE FROM cosignature`,
	} {
		_, err := tx.Exec(text)
		must(f.t, err)
	}
	c := entrylog.Checkpoint{Origin: f.site.log.Name(), Size: tree.Size(), Root: tree.Root()}
	signed, err := note.Sign(&note.Note{Text: c.Text()}, f.signer)
	must(f.t, err)
	_, err = tx.Exec(`INSERT INTO checkpoint (size, note) VALUES (?, ?)`, tree.Size(), string(signed))
	must(f.t, err)
	must(f.t, tx.Commit())
	return tree.Size()
}

func (f *thief) at(idx int64) (l rawLeaf) {
	f.t.Helper()
	must(f.t, f.db.QueryRow(`SELECT kind, body FROM log_leaf WHERE idx = ?`, idx).Scan(&l.kind, &l.body))
	return l
}

// Goal of the insider harness on a long log, EV-1, EV-4: the classes of TestInsiderWithKeys, where every leaf counts. The log is made
// once and copied. MONBAN_INSIDER_LEAVES sets its size; without it 2,000 leaves and one of each class keep the test itself alive.
func TestInsiderMillion(t *testing.T) {
	each, want := 1, int64(2000)
	if v := os.Getenv("MONBAN_INSIDER_LEAVES"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		must(t, err)
		want = n
		if v := os.Getenv("MONBAN_INSIDER"); v != "" {
			each, err = strconv.Atoi(v)
			must(t, err)
		}
	}
	s := newSite(t)
	st := s.open(t)
	guards := []*guard{newGuard("w1"), newGuard("w2"), newGuard("w3")}
	tr := newTraffic()
	for n := 0; st.Size() < want; n++ {
		must(t, st.Write(t.Context(), func(tx *Tx) error {
			before := tr.n
			for range 50 {
				if err := tr.step(tx); err != nil {
					return fmt.Errorf("attempt %d: %w", before, err)
				}
			}
			return nil
		}))
		if n%100 == 99 {
			must(t, st.SignNow(t.Context()))
		}
	}
	must(t, st.SignNow(t.Context()))
	var held []logcheck.NamedNote
	for i, g := range guards {
		must(t, g.visit(t, st, s.log, int64(monday)))
		held = append(held, logcheck.NamedNote{Name: fmt.Sprintf("gateway %d", i+1), Signed: g.state.Note})
	}
	size := st.Size()
	must(t, st.Close())
	list, err := logcheck.OpenHeld(&logcheck.Keys{Log: s.log}, held)
	must(t, err)
	key, err := os.ReadFile(s.dir + "/sign/log.key")
	must(t, err)
	signer, err := note.NewSigner(string(trimmed(key)))
	must(t, err)
	kept := s.dir + "/kept.db"
	copyDB(t, kept, s.path)
	rnd := testSeed(t)
	pick := func() int64 { return 1 + rnd.Int64N(size-30) }
	two := func() (int64, int64) {
		a, b := pick(), pick()
		if a > b {
			a, b = b, a
		}
		return a, b
	}
	classes := []struct {
		name string
		do   func(f *thief)
	}{
		{"edit", func(f *thief) {
			i := pick()
			l := f.at(i)
			l.body = f.bend(l.body)
			f.rewrite(span{i, i + 1, []rawLeaf{l}}, false)
		}},
		{"delete", func(f *thief) { i := pick(); f.rewrite(span{i, i + 1, nil}, false) }},
		{"insert in the past", func(f *thief) { i := pick(); f.rewrite(span{i, i, []rawLeaf{f.at(pick())}}, false) }},
		{"swap", func(f *thief) {
			a, b := two()
			for string(f.at(a).body) == string(f.at(b).body) {
				a, b = two()
			}
			b = min(b, a+20) // near each other, or between lies what has to be written too
			run := []rawLeaf{f.at(b)}
			for i := a + 1; i < b; i++ {
				run = append(run, f.at(i))
			}
			if b > a {
				run = append(run, f.at(a))
			}
			f.rewrite(span{a, b + 1, run}, false)
		}},
		{"hash the whole tree anew", func(f *thief) {
			i := pick()
			run := []rawLeaf{f.at(i)}
			run[0].body = f.bend(run[0].body)
			for range 1 + rnd.IntN(20) {
				run = append(run, f.at(pick()))
			}
			f.rewrite(span{i, i + int64(len(run)), run}, false)
		}},
		{"truncate", func(f *thief) { f.rewrite(span{pick(), size, nil}, true) }},
		{"roll back and go on", func(f *thief) {
			i := max(pick(), size-50_000) // a short while ago, as a copy of yesterday would be
			var run []rawLeaf
			for k := i; k < size; k++ {
				l := f.at(k)
				l.body = f.bend(l.body)
				run = append(run, l)
			}
			f.rewrite(span{i, size, append(run, run[0])}, true)
		}},
	}
	for _, c := range classes {
		start := time.Now()
		for n := range each {
			copyDB(t, s.path, kept)
			db := rawDB(t, s.path)
			c.do(&thief{edits: &edits{t: t, db: db, rnd: rnd, size: size}, site: s, signer: signer})
			must(t, db.Close())
			opt := s.verifyOptions(false)
			opt.Held = slices.Clone(list)
			if !heldTells(t, s.path, opt) {
				t.Errorf("%s %d: what the gateways hold does not tell", c.name, n)
			}
		}
		t.Logf("%-26s %d on %d leaves, all told by what the gateways hold (%v)", c.name, each, size, time.Since(start).Round(time.Second))
	}
}

// copyDB copies a closed database.
func copyDB(t *testing.T, to, from string) {
	t.Helper()
	for _, end := range []string{"-wal", "-shm"} {
		if err := os.Remove(to + end); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	if err := os.Remove(to); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	in, err := os.Open(from)
	must(t, err)
	defer in.Close()
	out, err := os.Create(to)
	must(t, err)
	_, err = out.ReadFrom(in)
	must(t, err)
	must(t, out.Close())
}
