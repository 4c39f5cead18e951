package store

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"monban/server/entrylog"
	"monban/server/logcheck"
)

// thief is an insider who has the database file, the log's key and the key store: whatever the program can write, the
// thief can. What is not in the thief's hand is what witnesses hold.
type thief struct {
	*edits
	site   *site
	signer note.Signer
}

// allAnew makes a log out of these leaves that nothing in the file contradicts: tree, checkpoints and every row that
// follows from leaves are written again, and the cosignatures are taken out.
func (f *thief) allAnew(leaves []rawLeaf) {
	f.t.Helper()
	f.rehash(leaves)
	f.exec(`DELETE FROM checkpoint`)
	f.exec(`DELETE FROM cosignature`)
	f.sign(int64(len(leaves)))
}

// sign signs the tree of n leaves as it is in the file.
func (f *thief) sign(n int64) {
	f.t.Helper()
	rows, err := f.db.Query(`SELECT body FROM log_leaf WHERE idx < ? ORDER BY idx`, n)
	must(f.t, err)
	defer rows.Close()
	var tree entrylog.Tree
	for rows.Next() {
		var body []byte
		must(f.t, rows.Scan(&body))
		tree.Append(nil, entrylog.LeafHash(body))
	}
	must(f.t, rows.Err())
	c := entrylog.Checkpoint{Origin: f.site.log.Name(), Size: tree.Size(), Root: tree.Root()}
	signed, err := note.Sign(&note.Note{Text: c.Text()}, f.signer)
	must(f.t, err)
	must(f.t, rows.Close())
	f.exec(`INSERT INTO checkpoint (size, note) VALUES (?, ?) ON CONFLICT (size) DO UPDATE SET note = excluded.note`, tree.Size(), string(signed))
}

// Goal of the insider harness, EV-1, EV-4, I8: somebody with raw SQL and both keys edits, deletes, inserts into the past, swaps,
// hashes all anew, shows each gateway another log, cuts off, rolls back; the log's tree and checkpoints fit afterwards.
// What three gateways hold tells of each. What of it would be found by the file alone is counted and stands in
// docs/log-format.md. MONBAN_INSIDER sets how many of each class, MONBAN_INSIDER_ATTEMPTS how long the log is.
func TestInsiderWithKeys(t *testing.T) {
	each, attempts := 2, 60
	for name, to := range map[string]*int{"MONBAN_INSIDER": &each, "MONBAN_INSIDER_ATTEMPTS": &attempts} {
		if v := os.Getenv(name); v != "" {
			n, err := strconv.Atoi(v)
			must(t, err)
			*to = n
		}
	}
	s := newSite(t)
	st := s.open(t)
	guards := []*guard{newGuard("w1"), newGuard("w2"), newGuard("w3")}
	tr := newTraffic()
	for i := range attempts {
		must(t, st.Write(t.Context(), tr.step))
		if i%10 == 9 || i == attempts-1 {
			must(t, st.SignNow(t.Context()))
			for _, g := range guards {
				must(t, g.visit(t, st, s.log, int64(monday+i*60_000)))
				g.keep(t, s, st)
			}
		}
	}
	size := st.Size()
	must(t, st.Close())
	wantClean(t, s.verify(t, true))
	data, err := os.ReadFile(s.path)
	must(t, err)
	key, err := os.ReadFile(s.dir + "/sign/log.key")
	must(t, err)
	signer, err := note.NewSigner(string(trimmed(key)))
	must(t, err)
	var held []logcheck.NamedNote // what auditors get from the gateways themselves
	for i, g := range guards {
		held = append(held, logcheck.NamedNote{Name: fmt.Sprintf("gateway %d", i+1), Signed: g.state.Note})
	}
	list, err := logcheck.OpenHeld(&logcheck.Keys{Log: s.log}, held)
	must(t, err)
	rnd := testSeed(t)
	pick := func() int { return 1 + rnd.IntN(int(size)-2) } // never the genesis leaf
	const closely = 20                                      // of each class: also with each gateway's note alone, and with none
	classes := []struct {
		name string
		do   func(f *thief)
	}{
		{"edit", func(f *thief) {
			l, i := f.read(), pick()
			l[i].body = f.bend(l[i].body)
			f.allAnew(l)
		}},
		{"delete", func(f *thief) { l, i := f.read(), pick(); f.allAnew(slices.Delete(l, i, i+1)) }},
		{"insert in the past", func(f *thief) { l := f.read(); f.allAnew(slices.Insert(l, pick(), l[pick()])) }},
		{"swap", func(f *thief) {
			l := f.read()
			i, j := pick(), pick()
			for string(l[i].body) == string(l[j].body) {
				j = pick()
			}
			l[i], l[j] = l[j], l[i]
			f.allAnew(l)
		}},
		{"hash the whole tree anew", func(f *thief) { // a run of leaves gone and others in their place
			l, i := f.read(), pick()
			n := min(1+rnd.IntN(20), int(size)-1-i)
			for k := range n {
				l[i+k] = l[pick()]
			}
			l[i].body = f.bend(l[i].body)
			f.allAnew(l)
		}},
		{"truncate", func(f *thief) { l := f.read(); f.allAnew(l[:pick()]) }},
		{"roll back and go on", func(f *thief) {
			l := f.read()
			at := pick()
			for k := at; k < len(l); k++ { // as many leaves as before, and more, of another present
				l[k].body = f.bend(l[k].body)
			}
			f.allAnew(append(l, l[at]))
		}},
	}
	for _, c := range classes {
		alone := 0
		for n := range each {
			must(t, os.WriteFile(s.path, data, 0o600))
			db := rawDB(t, s.path)
			c.do(&thief{edits: &edits{t: t, db: db, rnd: rnd, size: size}, site: s, signer: signer})
			must(t, db.Close())
			opt := s.verifyOptions(false)
			if n < closely && tells(t, s.path, opt) {
				alone++
			}
			opt.Held = list
			if !tells(t, s.path, opt) {
				t.Errorf("%s %d: not found with what the gateways hold", c.name, n)
			}
			for i := range list { // any one of them is enough
				if n >= closely {
					break
				}
				opt.Held = list[i : i+1]
				if !heldTells(t, s.path, opt) {
					t.Errorf("%s %d: %s alone does not tell", c.name, n, list[i].Name)
				}
			}
		}
		t.Logf("%-26s %d, all found with the witnesses; of the first %d, %d by the file alone (its rows were left as they were)", c.name, each, min(each, closely), alone)
	}
	t.Run("another log for each gateway", func(t *testing.T) { forkPerGateway(t, s, min(each, closely), rnd.IntN(1000)) })
}

func trimmed(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == ' ') {
		b = b[:len(b)-1]
	}
	return b
}

func tells(t *testing.T, path string, opt VerifyOptions) bool {
	t.Helper()
	res, err := VerifyFile(context.Background(), path, opt)
	return err != nil || !res.Clean()
}

// heldTells reports whether the comparison with what others hold found it, whatever else was found.
func heldTells(t *testing.T, path string, opt VerifyOptions) bool {
	t.Helper()
	res, err := VerifyFile(context.Background(), path, opt)
	return err != nil || slices.ContainsFunc(res.Findings, func(f entrylog.Finding) bool { return f.Table == "held" }) || res.More > 0
}

// forkPerGateway shows each of three gateways a log of its own from some leaf on, all signed with the log's key. No
// gateway notices alone; any two of their notes contradict each other, and the one true log contradicts all but one.
func forkPerGateway(t *testing.T, s *site, each, seed int) {
	t.Helper()
	for n := range each {
		var held []logcheck.NamedNote
		var logs []*site
		for g := range 3 {
			f := s.forged(t, 6+(seed+n)%5) // equal up to here but for the salts of openings
			st := f.open(t)
			w := newGuard(fmt.Sprintf("w%d", g+1))
			must(t, w.visit(t, st, s.log, monday))
			must(t, st.Close())
			held = append(held, logcheck.NamedNote{Name: fmt.Sprintf("gateway %d", g+1), Signed: w.state.Note})
			logs = append(logs, f)
		}
		list, err := logcheck.OpenHeld(&logcheck.Keys{Log: s.log}, held)
		must(t, err)
		for g, f := range logs {
			opt := f.verifyOptions(false)
			if tells(t, f.path, opt) {
				t.Fatal("a gateway's own fork is not perfect: the test shows nothing")
			}
			for h := range list {
				opt.Held = list[h : h+1]
				if got := heldTells(t, f.path, opt); got != (g != h) {
					t.Errorf("fork %d of gateway %d, with the note of gateway %d: told %v", n, g+1, h+1, got)
				}
			}
		}
	}
}
