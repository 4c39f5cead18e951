package logcheck_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/server/entrylog"
	"monban/server/logcheck"
)

// logPack is a pack of a log, log.monban, and proofs of some of its records; of those the first n are cosigned.
func logPack(t *testing.T, log bool, proofs, n int) (l *proofLog, data []byte) {
	t.Helper()
	l = newProofLog(t, proofs)
	var file, bundle bytes.Buffer
	p := logcheck.NewPackWriter(&file, "audit", "vector", time.UnixMilli(1795392000000))
	if log {
		w, err := logcheck.NewWriter(&bundle, logcheck.BundleHead{To: l.tree.Size(), Size: l.tree.Size(), Log: l.tree.Size(), Origin: origin}, []string{l.vkey}, nil, nil)
		must(t, err)
		for i, body := range l.bodies {
			must(t, w.Leaf(int64(i), entrylog.LeafHash(body), body))
		}
		must(t, w.Checkpoint(l.tree.Size(), l.checkpoint(t, 0)))
		_, err = w.Close()
		must(t, err)
		must(t, p.Put(logcheck.BundleName, bundle.Bytes()))
	}
	for i := range proofs {
		by := 0
		if i < n {
			by = 2
		}
		must(t, p.Put(fmt.Sprintf("proofs/leaf-%d.tlog-proof", i), l.proof(t, int64(i), by).Text()))
	}
	must(t, p.Put("lines.csv", []byte("a,b\r\n")))
	sum, err := p.Manifest()
	must(t, err)
	a := entrylog.Action{Account: "a1", Verb: logcheck.PackVerb, Target: logcheck.PackTarget, ID: sum, From: "lan", Result: "ok", Reason: true, AtMS: 1795392001000}
	body, err := a.Append(nil)
	must(t, err)
	l.bodies = append(l.bodies, body)
	_, stored := l.tree.Append(nil, entrylog.LeafHash(body))
	l.stored = append(l.stored, stored)
	must(t, p.Close(l.proof(t, int64(proofs), 0)))
	return l, file.Bytes()
}

// zipped puts files together again, each changed.
func zipped(t *testing.T, names []string, files map[string]string, change func(name, text string) string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, n := range names {
		w, err := z.Create(n)
		must(t, err)
		_, err = io.WriteString(w, change(n, files[n]))
		must(t, err)
	}
	must(t, z.Close())
	return b.Bytes()
}

// EV-4, RR-5: of a pack's proofs those that the policy's witnesses have not cosigned stand by name under what is not proven: one of many is not all.
func TestQuorumOfEachProof(t *testing.T) {
	l, data := logPack(t, false, 15, 1)
	opt := logcheck.Options{Policy: l.policy(t, "group g all w0 w1\nquorum g\n")}
	rep, err := logcheck.CheckPack(t.Context(), bytes.NewReader(data), int64(len(data)), opt)
	must(t, err)
	if !rep.Clean() || rep.Proofs != 15 || rep.Quorate != 1 {
		t.Fatalf("%d of %d: %v", rep.Quorate, rep.Proofs, rep.Result.Findings)
	}
	for lang, want := range map[logcheck.Lang][]string{
		logcheck.English:  {"The proofs of 14 records are not cosigned", "and 4 more"},
		logcheck.Japanese: {"記録 14 件の証明には、ポリシーが求める証人の連署がまだありません", "ほか 4 件"},
	} {
		_, no := proven(t, lang, func(w *strings.Builder) error { return rep.Page(w, lang, "x", "") })
		for _, w := range append(want, "\n  proofs/leaf-1.tlog-proof\n") {
			if !strings.Contains(no, w) {
				t.Errorf("does not say %q:\n%s", w, no)
			}
		}
		if strings.Contains(no, "proofs/leaf-0.tlog-proof") {
			t.Errorf("names one that is cosigned:\n%s", no)
		}
	}
}

// RR-5: a pack in which something was found does not end with the word that nothing was; one that is checked with its own key says so of its log too.
func TestLogOfAPack(t *testing.T) {
	l, data := logPack(t, true, 7, 0)
	page := func(data []byte, keys []note.Verifier) string {
		rep, err := logcheck.CheckPack(t.Context(), bytes.NewReader(data), int64(len(data)), logcheck.Options{Keys: keys})
		must(t, err)
		return pageOf(t, rep, logcheck.English)
	}
	whole := page(data, []note.Verifier{l.key})
	if strings.Count(whole, "RESULT: nothing was found.") != 2 || strings.Contains(whole, "came with the file") {
		t.Fatalf("a pack that holds:\n%s", whole)
	}
	names, files := unpacked(t, data)
	changed := zipped(t, names, files, func(name, text string) string {
		if name == "lines.csv" {
			return strings.Replace(text, "a", "c", 1)
		}
		return text
	})
	if text := page(changed, []note.Verifier{l.key}); strings.Contains(text, "nothing was found.") || !strings.Contains(text, "in the pack that it is of there are 1 findings") || !strings.Contains(text, "RESULT: 1 findings.") {
		t.Errorf("a pack with a changed list:\n%s", text)
	}
	own := page(data, nil)
	if _, log, _ := strings.Cut(own, "Verification of the entry log"); strings.Count(own, "came with the file") != 2 || !strings.Contains(log, "The public key came with the file") {
		t.Errorf("with its own key:\n%s", own)
	}
}
