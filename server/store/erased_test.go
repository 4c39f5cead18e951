package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"monban/server/entrylog"
	"monban/server/keystore"
	"monban/server/logcheck"
)

// endedAnew puts the last line of a bundle right, as anybody who hands one over can.
func endedAnew(data []byte) []byte {
	body := data[:bytes.LastIndex(data, []byte("\nend "))+1]
	return append(slices.Clone(body), fmt.Appendf(nil, "end %d %x\n", bytes.Count(body, []byte("\n")), sha256.Sum256(body))...)
}

// PR-3, EV-1: that an opening was erased is the log's to say, not the file's: one that was taken out of a bundle, with the word "erased" in its
// place, is found; where the log goes on behind the bundle the page says whose word it is. One erased on a decision, and those of a disposal whose
// key is gone and whose bodies are still there, are none.
func TestErasedIsForTheLogToSay(t *testing.T) {
	s, st, _ := twoYears(t, 12)
	var idx int64
	must(t, st.Read(t.Context(), func(r *ReadTx) error {
		return r.row(`SELECT opening_idx FROM attempt WHERE person_ref IS NOT NULL AND opening_idx = decision_idx LIMIT 1`).Scan(&idx)
	}))
	must(t, st.Write(t.Context(), func(tx *Tx) error {
		l, err := tx.Leaf(idx)
		must(t, err)
		p, err := entrylog.Parse(l.Body)
		must(t, err)
		if _, err := said(tx, "acct2", "erasure_decided", "attempt", entrylog.HexText(p.Decision.Attempt[:])+":decision-7", monday); err != nil {
			return err
		}
		_, err = tx.EraseOpening(idx, "decision-7", false, monday)
		return err
	}))
	must(t, st.SignNow(t.Context()))
	opt := logcheck.Options{Keys: []note.Verifier{s.log}}
	data := bundleOf(t, st, s, BundleOptions{Openings: true})
	at := bytes.Index(data, []byte("\nopening ")) + 1
	line, _, _ := bytes.Cut(data[at:], []byte("\n"))
	hushed := endedAnew(bytes.Replace(data, line, []byte("erased"), 1))
	rep := checked(t, hushed, opt)
	if len(rep.Result.Findings) != 1 || rep.Result.Findings[0].Table != "opening" || !strings.Contains(rep.Result.Findings[0].What, "no leaf of the log does") {
		t.Errorf("an opening that was taken out: %v", rep.Result.Findings)
	}
	head, rest, _ := bytes.Cut(hushed, []byte("\n"))
	longer := bytes.Replace(head, fmt.Appendf(nil, `"log":%d,`, rep.Head.Log), fmt.Appendf(nil, `"log":%d,`, rep.Head.Log+1), 1)
	rep = checked(t, endedAnew(slices.Concat(longer, []byte("\n"), rest)), opt)
	wantClean(t, *rep.Result)
	if rep.SaidErased != 1 || rep.Result.Erased != 2 {
		t.Errorf("%d of %d are the file's own word", rep.SaidErased, rep.Result.Erased)
	}
	for lang, words := range map[logcheck.Lang]string{logcheck.English: "Of 1 openings the file says that they were erased", logcheck.Japanese: "1 件の開示部は消去されたとこのファイルに書かれています"} {
		var out strings.Builder
		must(t, rep.Page(&out, lang, "log.monban"))
		if !strings.Contains(out.String(), words) {
			t.Errorf("does not say %q:\n%s", words, out.String())
		}
	}

	closeMatters(t, st)
	approved(t, st, "disposal-2031-00001", entrylog.ClassRegister, 2026)
	dispose(t, s, st, "disposal-2031-00001", entrylog.ClassRegister, 2026, 5, func(step string) {
		must(t, st.SignNow(t.Context()))
		rep := checked(t, bundleOf(t, st, s, BundleOptions{Openings: true}), opt)
		wantClean(t, *rep.Result)
		if rep.SaidErased != 0 || step == "key" && rep.Result.Erased < 2 {
			t.Errorf("after %s: %d erased, %d of them the file's own word", step, rep.Result.Erased, rep.SaidErased)
		}
	})
}

// PR-3, EV-1, D17: an opening whose key was lost or taken away was not erased. The bundle says so, its check finds it and the page tells it in words, as verify
// of the database does; a proof does not call it erased either.
func TestMissingKeyIsNoErasure(t *testing.T) {
	s, st, _ := twoYears(t, 12)
	must(t, st.Close())
	p := keystore.Period{FiscalYear: 2026, Class: entrylog.ClassRegister}
	takeKey(t, s, p)
	st = s.open(t)
	var idx, n int64
	must(t, st.Read(t.Context(), func(r *ReadTx) error {
		must(t, r.row(`SELECT min(idx), count(*) FROM opening WHERE class = 'register' AND fiscal_year = 2026`).Scan(&idx, &n))
		if _, err := r.Opening(idx); !errors.Is(err, ErrKeyMissing) || !errors.Is(err, ErrErased) {
			t.Errorf("opening: %v", err)
		}
		proof, err := r.Proof(idx, ProofOptions{Keys: []string{logKeyText(t, s)}, Opening: true})
		must(t, err)
		if proof.Shown != logcheck.ShownClosed {
			t.Errorf("the proof says %d of the opening", proof.Shown)
		}
		return nil
	}))
	opt := logcheck.Options{Keys: []note.Verifier{s.log}}
	for name, o := range map[string]BundleOptions{
		"all": {Openings: true}, "a part": {To: idx + 1, Openings: true},
		"shown": {Show: func(int64, entrylog.Kind, *entrylog.Opening) bool { return true }},
	} {
		data := bundleOf(t, st, s, o)
		want := n
		if name == "a part" {
			want = 1
		}
		if bytes.Contains(data, []byte("\nerased\n")) || int64(bytes.Count(data, []byte("\nnokey 2026\n"))) != want || !bytes.HasPrefix(data, []byte(`monban-bundle {"version":4,`)) {
			t.Errorf("%s: the bundle does not say %d times that the key is missing", name, want)
		}
		rep := checked(t, data, opt)
		if f := rep.Result.Findings; len(f) != 1 || f[0].Table != "opening" || f[0].Key != fmt.Sprint(idx) || !strings.Contains(f[0].What, "no leaf says that it was destroyed") {
			t.Errorf("%s: findings %v", name, f)
		}
		if rep.NoKey != want || rep.SaidErased != 0 || rep.Result.Erased != 0 {
			t.Errorf("%s: %d without a key, %d erased, %d said so", name, rep.NoKey, rep.Result.Erased, rep.SaidErased)
		}
		for lang, words := range map[logcheck.Lang]string{
			logcheck.English:  fmt.Sprintf("What %d openings say: their key was missing", want),
			logcheck.Japanese: fmt.Sprintf("%d 件の開示部(氏名など)は、ファイルの作成時に鍵がなく、読めません", want),
		} {
			var out strings.Builder
			must(t, rep.Page(&out, lang, "log.monban"))
			if !strings.Contains(out.String(), words) || strings.Contains(out.String(), "were erased") || strings.Contains(out.String(), "消去されています") {
				t.Errorf("%s: does not say %q:\n%s", name, words, out.String())
			}
		}
	}
	if res := s.verify(t, true); len(res.Findings) != 1 || res.Findings[0].Table != "opening" {
		t.Errorf("verify of the database: %v", res.Findings)
	}
}

// takeKey takes a key out of the key store's file, as a thief or an accident may, and opens what is left.
func takeKey(t *testing.T, s *site, p keystore.Period) {
	t.Helper()
	path := s.dir + "/keys.json"
	data, err := os.ReadFile(path)
	must(t, err)
	var form map[string]json.RawMessage
	must(t, json.Unmarshal(data, &form))
	var keys []map[string]any
	must(t, json.Unmarshal(form["keys"], &keys))
	left := slices.DeleteFunc(slices.Clone(keys), func(k map[string]any) bool {
		return k["fiscal_year"] == float64(p.FiscalYear) && k["class"] == string(p.Class)
	})
	if len(left) != len(keys)-1 {
		t.Fatalf("no key of %v in the file", p)
	}
	form["keys"], err = json.Marshal(left)
	must(t, err)
	data, err = json.Marshal(form)
	must(t, err)
	must(t, os.WriteFile(path, data, 0o600))
	s.keys, err = keystore.Open(path, s.dir+"/master.key", s.rand)
	must(t, err)
}
