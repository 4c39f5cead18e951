package logcheck_test

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/server/entrylog"
	"monban/server/logcheck"
	"monban/server/logcheck/independent"
	"monban/server/timestamp"
)

// vectorPack is a pack of a log of 11 leaves, whose twelfth holds its hash.
func vectorPack(t *testing.T) (l *proofLog, data []byte) {
	t.Helper()
	l = newProofLog(t, 11)
	var file bytes.Buffer
	p := logcheck.NewPackWriter(&file, "person", "vector", time.UnixMilli(1795392000000))
	must(t, p.Put("proofs/leaf-5.tlog-proof", l.proof(t, 5, 2).Text()))
	must(t, p.Put("proofs/leaf-6.tlog-proof", l.proof(t, 6, 2).Text()))
	must(t, p.Put("lines.csv", []byte("\ufeff氏名 name\r\n髙橋 花子\r\nほかの人 another person\r\n")))
	sum, err := p.Manifest()
	must(t, err)
	a := entrylog.Action{Account: "a1", Verb: logcheck.PackVerb, Target: logcheck.PackTarget, ID: sum, From: "lan", Result: "ok", Reason: true, AtMS: 1795392001000}
	body, err := a.Append(nil)
	must(t, err)
	l.bodies = append(l.bodies, body)
	_, stored := l.tree.Append(nil, entrylog.LeafHash(body))
	l.stored = append(l.stored, stored)
	must(t, p.Close(l.proof(t, 11, 0)))
	return l, file.Bytes()
}

func unpacked(t *testing.T, data []byte) (names []string, files map[string]string) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	must(t, err)
	files = map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		must(t, err)
		text, err := io.ReadAll(r)
		must(t, err)
		names, files[f.Name] = append(names, f.Name), string(text)
	}
	return names, files
}

// RR-5, EV-5: the vector of docs/log-format.md, which is never changed, holds for the check that is shipped and for one that shares no code
// with it; what is written now says the same (how the zip squeezes it is not ours). Each changed file, and a list without its leaf, fails both.
func TestPackVector(t *testing.T) {
	l, data := vectorPack(t)
	name := filepath.Join("testdata/v1", "person.zip")
	if os.Getenv("MONBAN_NEW_VECTORS") != "" {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		must(t, err)
		_, err = f.Write(data)
		must(t, err)
		must(t, f.Close())
	}
	want, err := os.ReadFile(name)
	must(t, err)
	_, now := unpacked(t, data)
	names, then := unpacked(t, want)
	if len(now) != len(then) {
		t.Errorf("%d files, the vector has %d", len(now), len(then))
	}
	for n, text := range then {
		if now[n] != text {
			t.Errorf("%s is written otherwise:\n%s", n, now[n])
		}
	}
	check := func(data []byte) (shipped, other bool) {
		rep, err := logcheck.CheckPack(t.Context(), bytes.NewReader(data), int64(len(data)), logcheck.Options{Keys: []note.Verifier{l.key}})
		n, err2 := independent.CheckPack(bytes.NewReader(data), int64(len(data)), l.vkey)
		return err == nil && rep.Clean() && rep.Proofs == 2, err2 == nil && n == 2
	}
	if a, b := check(want); !a || !b {
		t.Fatalf("the vector holds for the program: %v, for the independent check: %v", a, b)
	}
	again := func(change func(name, text string) (string, bool), more ...string) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		put := func(name, text string) {
			w, err := z.Create(name)
			must(t, err)
			_, err = io.WriteString(w, text)
			must(t, err)
		}
		for _, n := range names {
			if text, keep := change(n, then[n]); keep {
				put(n, text)
			}
		}
		for _, n := range more {
			put(n, "x")
		}
		must(t, z.Close())
		return b.Bytes()
	}
	same := func(_, text string) (string, bool) { return text, true }
	if a, b := check(again(same)); !a || !b {
		t.Fatal("zipped anew it does not hold: the test shows nothing")
	}
	bad := map[string][]byte{"a file more": again(same, "lists/people.csv")}
	for _, n := range names {
		bad[n+" is missing"] = again(func(name, text string) (string, bool) { return text, name != n })
		bad[n+" is changed"] = again(func(name, text string) (string, bool) {
			if name == n {
				text = text[:len(text)/2] + string(text[len(text)/2]^1) + text[len(text)/2+1:]
			}
			return text, true
		})
	}
	bad["the proof of the record beside it"] = again(func(name, text string) (string, bool) {
		if name == "proofs/leaf-5.tlog-proof" {
			text = then["proofs/leaf-6.tlog-proof"]
		}
		return text, true
	})
	bad["the list of another pack"] = again(func(name, text string) (string, bool) {
		if name == logcheck.ManifestName {
			text = strings.Replace(text, "kind person", "kind audit", 1)
		}
		return text, true
	})
	for what, data := range bad {
		if a, b := check(data); a || b {
			t.Errorf("%s: holds for the program: %v, for the independent check: %v", what, a, b)
		}
	}
}

// EV-4, RR-5: what an auditor gives to the check of a pack without a log counts or is refused: a checkpoint that somebody else holds is compared with
// those of its proofs, and the page says so; certificates of time stamps have nothing to be held against.
func TestWhatIsGivenForAPack(t *testing.T) {
	l, data := vectorPack(t)
	held := func(n int) []logcheck.NamedNote {
		short := newProofLog(t, n)
		return []logcheck.NamedNote{{Name: "paper", Signed: short.checkpoint(t, 0)}}
	}
	for name, c := range map[string]struct {
		held              []logcheck.NamedNote
		clean             bool
		fits              int
		yes, no, wantsNot string
	}{
		"none":            {nil, true, 0, "", "compared with no checkpoint that somebody else holds", "by a checkpoint that somebody else holds."},
		"of this tree":    {held(11), true, 2, "The proofs of 2 records are by a checkpoint that somebody else holds", "", "compared with no checkpoint"},
		"of another size": {held(7), true, 0, "", "The proofs of 2 records are by checkpoints of other sizes", "compared with no checkpoint"},
	} {
		rep, err := logcheck.CheckPack(t.Context(), bytes.NewReader(data), int64(len(data)), logcheck.Options{Keys: []note.Verifier{l.key}, Held: c.held})
		must(t, err)
		if rep.Clean() != c.clean || rep.Held != c.fits {
			t.Errorf("%s: %d fit, %v", name, rep.Held, rep.Result.Findings)
		}
		yes, no := proven(t, logcheck.English, func(w *strings.Builder) error { return rep.Page(w, logcheck.English, "x", "") })
		if !strings.Contains(yes, c.yes) || !strings.Contains(no, c.no) || strings.Contains(yes+no, c.wantsNot) {
			t.Errorf("%s:\n%s\n%s", name, yes, no)
		}
		if text := pageOf(t, rep, logcheck.Japanese); strings.Contains(text, "%!") {
			t.Error(text)
		}
	}
	if rep, err := logcheck.CheckPack(t.Context(), bytes.NewReader(data), int64(len(data)), logcheck.Options{Keys: []note.Verifier{l.key}, Stamps: &timestamp.Trust{}}); err == nil {
		t.Errorf("certificates of time stamps are dropped: %+v", rep)
	}
}

func pageOf(t *testing.T, rep *logcheck.PackReport, lang logcheck.Lang) string {
	t.Helper()
	var out strings.Builder
	must(t, rep.Page(&out, lang, "x", ""))
	return out.String()
}
