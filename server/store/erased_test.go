package store

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"monban/server/entrylog"
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
