package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/logcheck"
)

// bundleOf exports a part of the template's log.
func bundleOf(t *testing.T, st *Store, s *site, o BundleOptions) []byte {
	t.Helper()
	o.Keys, o.NowMS = []string{logKeyText(t, s)}, monday
	var out bytes.Buffer
	_, sum, err := st.WriteBundle(t.Context(), &out, o)
	must(t, err)
	if !strings.HasSuffix(out.String(), sum+"\n") {
		t.Errorf("the last line does not end in the sum %s", sum)
	}
	return out.Bytes()
}

func logKeyText(t *testing.T, s *site) string {
	t.Helper()
	data, err := os.ReadFile(s.dir + "/sign/log.vkey")
	must(t, err)
	return strings.TrimSpace(string(data))
}

func checked(t *testing.T, data []byte, opt logcheck.Options) *logcheck.Report {
	t.Helper()
	rep, err := logcheck.CheckBundle(t.Context(), bytes.NewReader(data), opt)
	must(t, err)
	return rep
}

// EV-1, I8: a bundle of all or of a part checks clean, with the openings that it holds, and says what it covers.
func TestBundle(t *testing.T) {
	s, _ := template(t)
	st := s.open(t)
	var size, mid int64
	must(t, st.Read(t.Context(), func(r *ReadTx) error {
		must(t, r.row(`SELECT max(size) FROM checkpoint`).Scan(&size))
		return r.row(`SELECT size FROM checkpoint ORDER BY size LIMIT 1 OFFSET 2`).Scan(&mid)
	}))
	key := logcheck.Options{Keys: []note.Verifier{s.log}}
	for _, tc := range []struct {
		name string
		o    BundleOptions
	}{
		{"whole", BundleOptions{}},
		{"openings", BundleOptions{Openings: true}},
		{"from a checkpoint", BundleOptions{From: mid}},
		{"from between two", BundleOptions{From: mid + 1, Openings: true}},
		{"a part", BundleOptions{From: mid - 3, To: mid + 7, Openings: true}},
		{"one leaf", BundleOptions{From: 5, To: 6}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			data := bundleOf(t, st, s, tc.o)
			rep := checked(t, data, key)
			wantClean(t, *rep.Result)
			to := tc.o.To
			if to == 0 {
				to = size
			}
			if rep.Head.From != tc.o.From || rep.Head.To != to || rep.Result.Leaves != to-tc.o.From || rep.Signed < to || rep.OwnKeys {
				t.Errorf("head %+v, %d leaves, signed %d", rep.Head, rep.Result.Leaves, rep.Signed)
			}
			if tc.o.Openings != (rep.Result.Openings > 0) || tc.o.Openings == (rep.Closed > 0) && tc.name != "one leaf" {
				t.Errorf("%d openings checked, %d not there", rep.Result.Openings, rep.Closed)
			}
			if !tc.o.Openings { // PR-2
				for _, n := range names {
					if bytes.Contains(data, []byte(n)) {
						t.Errorf("the bundle names %s", n)
					}
				}
			}
			for _, lang := range []logcheck.Lang{logcheck.Japanese, logcheck.English} {
				var page strings.Builder
				must(t, rep.Page(&page, lang, "log.monban"))
				if n := strings.Count(page.String(), "\n"); n < 15 || n > 60 || strings.Contains(page.String(), "%!") {
					t.Errorf("a page of %d lines:\n%s", n, page.String())
				}
			}
		})
	}
	t.Run("not signed yet", func(t *testing.T) {
		must(t, st.Write(t.Context(), func(tx *Tx) error {
			_, err := tx.AppendCoverage(attempt.Coverage{Gateway: "g1", FromMS: monday, ToMS: monday + 1, State: "alive", Heard: 1}, monday)
			return err
		}))
		_, _, err := st.WriteBundle(t.Context(), &bytes.Buffer{}, BundleOptions{To: size + 1, Keys: []string{logKeyText(t, s)}})
		if !errors.Is(err, ErrNotSigned) {
			t.Errorf("WriteBundle = %v", err)
		}
	})
}

// again puts a changed bundle's last line right: whoever changes one can do that too.
func again(lines []string) []byte {
	body := strings.Join(lines[:len(lines)-1], "\n") + "\n"
	sum := sha256.Sum256([]byte(body))
	return fmt.Appendf([]byte(body), "end %d %s\n", len(lines)-1, hex.EncodeToString(sum[:]))
}

// EV-1: whatever is changed in a bundle, its own sum put right, is found, and the first bad record is named.
func TestChangedBundle(t *testing.T) {
	s, _ := template(t)
	st := s.open(t)
	data := bundleOf(t, st, s, BundleOptions{Openings: true})
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	rnd := testSeed(t)
	key := logcheck.Options{Keys: []note.Verifier{s.log}}
	find := func(t *testing.T, data []byte) (first entrylog.Finding, could bool) {
		t.Helper()
		rep, err := logcheck.CheckBundle(context.Background(), bytes.NewReader(data), key)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("an error of more than a line: %v", err)
			}
			return first, false
		}
		first, ok := rep.First()
		if !ok {
			t.Errorf("not found")
		}
		return first, true
	}
	which := func(word string) int { // a random line of that kind
		for {
			if i := rnd.IntN(len(lines) - 1); strings.HasPrefix(lines[i], word+" ") {
				return i
			}
		}
	}
	idx := func(i int) string { return strings.Fields(lines[i])[1] }
	n := 60
	if testing.Short() {
		n = 10
	}
	for range n {
		i := which("leaf")
		l := slices.Clone(lines)
		l[i] = strings.Replace(l[i], `,"commit"`, ` ,"commit"`, 1)
		if f, ok := find(t, again(l)); !ok || f.Table != "log_leaf" || f.Key != idx(i) {
			t.Errorf("an edited leaf %s: first finding %v", idx(i), f)
		}
		l = slices.Delete(slices.Clone(lines), i, i+1)
		next := "" // a checkpoint that follows the leaf at once is the first to miss it
		for _, line := range lines[i+1:] {
			w := strings.Fields(line)
			if w[0] == "leaf" {
				break
			}
			if w[0] == "checkpoint" {
				next = w[1]
				break
			}
		}
		if f, ok := find(t, again(l)); ok && (f.Table != "log_leaf" || f.Key != idx(i)) && (f.Table != "checkpoint" || f.Key != next) {
			t.Errorf("leaf %s taken out: first finding %v", idx(i), f)
		}
		l = slices.Insert(slices.Clone(lines), which("leaf"), lines[i])
		find(t, again(l))
		i = which("checkpoint")
		if i < len(lines)-2 {
			l = slices.Delete(slices.Clone(lines), i+1, len(lines)-1) // cut at a checkpoint: the head tells
			if f, ok := find(t, again(l)); !ok || f.Table != "log_leaf" {
				t.Errorf("cut after line %d: first finding %v", i, f)
			}
		}
		i = which("opening")
		l = slices.Clone(lines)
		l[i] = strings.Replace(l[i], `{"opening":1,"person":`, `{"opening":1,"person":null,"person":`, 1)
		if f, ok := find(t, again(l)); !ok || f.Table != "opening" {
			t.Errorf("an edited opening: first finding %v", f)
		}
		b := slices.Clone(data) // one bit anywhere
		b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(7)
		find(t, b)
	}
	t.Run("key of another log", func(t *testing.T) {
		_, text, err := note.GenerateKey(seeded(9), s.log.Name())
		must(t, err)
		other, err := note.NewVerifier(text)
		must(t, err)
		rep, err := logcheck.CheckBundle(t.Context(), bytes.NewReader(data), logcheck.Options{Keys: []note.Verifier{other}})
		if err == nil && rep.Clean() {
			t.Error("was checked with the key of another log")
		}
	})
}

// Goal of size, EV-1: a check that is broken off anywhere goes on from its newest state and comes to the same.
func TestResumedBundle(t *testing.T) {
	s, _ := template(t)
	st := s.open(t)
	data := bundleOf(t, st, s, BundleOptions{Openings: true})
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	bad := slices.Clone(lines)
	bad[len(bad)-20] = strings.Replace(bad[len(bad)-20], " ", "  ", 1)
	opt := logcheck.Options{Keys: []note.Verifier{s.log}, Every: 1, Held: []logcheck.NamedNote{{Name: "paper", Signed: st.Checkpoint()}}}
	for name, data := range map[string][]byte{"clean": data, "with a bad line near the end": again(bad)} {
		var states [][]byte
		o := opt
		o.Save = func(_ string, s []byte) { states = append(states, s) }
		want, wantErr := logcheck.CheckBundle(t.Context(), bytes.NewReader(data), o)
		if len(states) < 5 {
			t.Fatalf("%s: %d states", name, len(states))
		}
		for i, state := range states {
			o := opt
			o.State = func(string) ([]byte, error) { return state, nil }
			got, err := logcheck.CheckBundle(t.Context(), bytes.NewReader(data), o)
			if fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Fatalf("%s: resumed at state %d: %v, want %v", name, i, err, wantErr)
			}
			if err != nil {
				continue
			}
			if !got.Resumed {
				t.Error("does not say that it was resumed")
			}
			got.Resumed = false
			if a, b := reportText(t, got), reportText(t, want); a != b {
				t.Fatalf("%s: resumed at state %d:\n%s\nwant\n%s", name, i, a, b)
			}
		}
		o = opt
		o.State, o.Held = func(string) ([]byte, error) { return states[0], nil }, nil // another question
		if _, err := logcheck.CheckBundle(t.Context(), bytes.NewReader(data), o); err == nil {
			t.Error("a state of a check with other checkpoints was taken")
		}
	}
}

func reportText(t *testing.T, r *logcheck.Report) string {
	var b strings.Builder
	must(t, r.Page(&b, logcheck.English, "x"))
	return b.String()
}

// EV-1, EV-3: a checkpoint that somebody else holds finds out the one who has the log's key and writes all anew, in a
// database and in a bundle; without it the forgery is perfect, which is why others hold some.
func TestHeldCheckpoint(t *testing.T) {
	s, _ := template(t)
	st := s.open(t)
	held := logcheck.NamedNote{Name: "paper", Signed: st.Checkpoint()}
	size := st.Size()
	must(t, st.Close())

	for attempts, want := range map[int]string{8: "cut off", 70: "another root"} { // shorter and longer than what is held
		// The same keys, another past: what an administrator can make who holds all of them.
		forged := s.forged(t, attempts)
		opt := forged.verifyOptions(false)
		if res, err := VerifyFile(t.Context(), forged.path, opt); err != nil || !res.Clean() {
			t.Fatalf("the forgery is not perfect: %v %v", err, res.Findings)
		}
		var err error
		opt.Held, err = logcheck.OpenHeld(&logcheck.Keys{Log: forged.log}, []logcheck.NamedNote{held})
		must(t, err)
		res, err := VerifyFile(t.Context(), forged.path, opt)
		must(t, err)
		if len(res.Findings) != 1 || res.Findings[0].Table != "held" || res.Findings[0].Key != fmt.Sprint(size) || !strings.Contains(res.Findings[0].What, want) {
			t.Errorf("with the held checkpoint: %v", res.Findings)
		}
		st := forged.open(t)
		data := bundleOf(t, st, forged, BundleOptions{})
		key := []note.Verifier{s.log}
		wantClean(t, *checked(t, data, logcheck.Options{Keys: key}).Result)
		if f, ok := checked(t, data, logcheck.Options{Keys: key, Held: []logcheck.NamedNote{held}}).First(); !ok || f.Table != "held" {
			t.Errorf("a forged bundle: %v", f)
		}
	}
	st = s.open(t)
	rep := checked(t, bundleOf(t, st, s, BundleOptions{}), logcheck.Options{Held: []logcheck.NamedNote{held}})
	if !rep.Clean() || rep.HeldMet != 1 {
		t.Errorf("the true bundle: %v, %d met", rep.Result.Findings, rep.HeldMet)
	}
}

// forged is another past of n attempts, signed with this site's log key.
func (s *site) forged(t *testing.T, n int) *site {
	t.Helper()
	f := newSite(t)
	must(t, os.RemoveAll(f.dir+"/sign"))
	must(t, os.CopyFS(f.dir+"/sign", os.DirFS(s.dir+"/sign")))
	must(t, os.Remove(f.dir+"/sign/signed.json"))
	for _, name := range []string{"log.key", "policy.key", "command.key", "link.key", "root.key"} {
		if err := os.Chmod(f.dir+"/sign/"+name, 0o600); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	f.reload(t)
	st := f.open(t)
	tr := newTraffic()
	tr.n = 6
	for range n {
		must(t, st.Write(t.Context(), tr.step))
	}
	must(t, errors.Join(st.SignNow(t.Context()), st.Close()))
	return f
}
