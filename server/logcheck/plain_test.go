package logcheck_test

import (
	"archive/zip"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/witness"
	"monban/server/entrylog"
	"monban/server/logcheck"
)

// resultLines are all the lines that may say what came of a check.
var resultLines = []string{"【結果】異常は見つかりませんでした。", "【結果】異常が ", "【結果】証明は成り立", "RESULT: nothing was found.", "RESULT: the proof ", "RESULT: "}

// wantPlain checks that a page has only lines of our own: no character that moves a cursor or turns the direction, and one line of a result for
// each check that was made, ended by this program.
func wantPlain(t *testing.T, what, page string, results int) {
	t.Helper()
	if !utf8.ValidString(page) || !strings.HasSuffix(page, "\n") {
		t.Errorf("%s: is no text: %q", what, page)
	}
	for _, r := range page {
		if r != '\n' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			t.Errorf("%s: holds %U: %q", what, r, page)
			return
		}
	}
	n := 0
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		for _, r := range resultLines {
			if strings.HasPrefix(line, r) {
				n++
				break
			}
		}
	}
	if n != results {
		t.Errorf("%s: %d lines of a result, want %d:\n%s", what, n, results, page)
	}
}

// crafted makes what somebody with a log of their own can hand over, with s wherever they can put it: packs, a proof, bundles.
func crafted(t *testing.T, s string) (packs, others map[string][]byte) {
	packs, others = map[string][]byte{}, map[string][]byte{}
	pack := func(what string, manifest func(sum string) string, files ...[2]string) {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, f := range files {
			w, err := z.CreateHeader(&zip.FileHeader{Name: f[0]})
			must(t, err)
			_, err = io.WriteString(w, f[1])
			must(t, err)
		}
		l := newProofLog(t, 3)
		var text string
		if len(files) > 0 {
			text = manifest(sumOf(files[0][1]))
		} else {
			text = manifest("")
		}
		a := entrylog.Action{Account: "a1", Verb: logcheck.PackVerb, Target: logcheck.PackTarget, ID: sumOf(text), From: "lan", Result: "ok", AtMS: 1795392001000}
		body, err := a.Append(nil)
		must(t, err)
		l.bodies = append(l.bodies, body)
		_, stored := l.tree.Append(nil, entrylog.LeafHash(body))
		l.stored = append(l.stored, stored)
		for _, f := range [][2]string{{logcheck.ManifestName, text}, {"MANIFEST.tlog-proof", string(l.proof(t, 3, 0).Text())}} {
			w, err := z.Create(f[0])
			must(t, err)
			_, err = io.WriteString(w, f[1])
			must(t, err)
		}
		must(t, z.Close())
		packs[what] = b.Bytes()
	}
	const head = "monban-pack 1\nkind audit\nmade 2026-11-23T00:00:00Z\nsoftware x\n"
	pack("a kind", func(string) string { return "monban-pack 1\nkind " + s + "\nmade 2026-11-23T00:00:00Z\nsoftware x\n" })
	pack("a time", func(string) string { return "monban-pack 1\nkind audit\nmade " + s + "\nsoftware x\n" })
	pack("software", func(string) string {
		return "monban-pack 1\nkind audit\nmade 2026-11-23T00:00:00Z\nsoftware " + s + "\n"
	})
	pack("a path", func(sum string) string { return head + sum + " 1 " + s + "\n" }, [2]string{s, "x"})
	pack("a large list", func(sum string) string { return head + sum + " 1099511627776 large\n" }, [2]string{"large", "x"})
	pack("a file more", func(string) string { return head }, [2]string{s, "x"})
	verifier := s + "  x\n" + s + "\n" + strings.Repeat("0", 64) + "  " + s + "\n"
	pack("verifiers", func(sum string) string {
		return head + sum + " " + strconv.Itoa(len(verifier)) + " " + logcheck.VerifierName + "\n"
	}, [2]string{logcheck.VerifierName, verifier})
	pack("a proof", func(sum string) string { return head + sum + " " + strconv.Itoa(len(s)) + " proofs/x.tlog-proof\n" }, [2]string{"proofs/x.tlog-proof", s})

	name := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || r == '+' || r == utf8.RuneError {
			return -1
		}
		return r
	}, "x"+s)
	l := newProofLog(t, 7)
	p := l.proof(t, 6, 0)
	p.Leaf = []byte(s)
	others["a leaf"] = p.Text()
	o := entrylog.Opening{Name: s}
	if raw, err := o.Append(nil); err == nil {
		l := newProofLog(t, 5)
		a := entrylog.Action{Account: "a1", Verb: "grant_add", Target: "grant", From: "lan", Result: "ok", AtMS: 1795392000000, Commit: entrylog.Commit(l.salt, raw)}
		body, err := a.Append(nil)
		must(t, err)
		l.raw, l.bodies = raw, append(l.bodies, body)
		_, stored := l.tree.Append(nil, entrylog.LeafHash(body))
		l.stored = append(l.stored, stored)
		others["an opening"] = l.proof(t, openIdx, 0).Text()
	}
	cosigner := witness.New(name, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{9}, 32)))
	l = newProofLog(t, 7)
	l.cosigner = []*witness.Cosigner{cosigner}
	others["a witness"] = l.proof(t, 6, 1).Text()
	var bundle bytes.Buffer
	w, err := logcheck.NewWriter(&bundle, logcheck.BundleHead{To: 7, Size: 7, Log: 7, Origin: origin, Software: s}, []string{l.vkey}, []string{cosigner.VKey()}, nil)
	must(t, err)
	for i, body := range l.bodies {
		must(t, w.Leaf(int64(i), entrylog.LeafHash(body), body))
	}
	must(t, w.Checkpoint(7, l.checkpoint(t, 0)))
	must(t, w.Cosigned(7, l.checkpoint(t, 1)))
	_, err = w.Close()
	must(t, err)
	others["a bundle's witness"] = bundle.Bytes()
	if _, vkey, err := note.GenerateKey(fixed(8), name); err == nil {
		others["a key"] = bytes.Replace(bundle.Bytes(), []byte(l.vkey), []byte(vkey), 1)
	}
	others["a line"] = bytes.Replace(bundle.Bytes(), []byte("\nleaf 3"), []byte("\n"+s+" 3"), 1)
	return packs, others
}

func sumOf(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

// EV-5, RR-5: no page of whatever somebody hands over, and no error, moves the reader's cursor, begins a line of its own, or has a result of its
// own: the file is theirs, the page is ours.
func FuzzPage(f *testing.F) {
	for _, s := range []string{
		"x", "\x1b[2J\x1b[H【結果】異常は見つかりませんでした。", "a\n【結果】異常は見つかりませんでした。\n", "\rRESULT: nothing was found.", "【結果】異常は見つかりませんでした。", "RESULT: nothing was found.",
		"\u202eb\u2066a", "\u009b2J", "\x9b2J", "\u2028RESULT: 0", "\x7f\x00\b\b", "葛󠄀城 𩸽", "a/../b", "\u200b",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 200 {
			return
		}
		packs, others := crafted(t, s)
		langs := []logcheck.Lang{logcheck.Japanese, logcheck.English}
		keys := newProofLog(t, 1)
		for _, opt := range []logcheck.Options{{}, {Keys: []note.Verifier{keys.key}}, {Policy: keys.policy(t, "quorum none\n")}} {
			for what, data := range packs {
				rep, err := logcheck.CheckPack(t.Context(), bytes.NewReader(data), int64(len(data)), opt)
				if err != nil {
					wantPlain(t, what, logcheck.PlainError{Err: err}.Error()+"\n", 0)
					continue
				}
				for _, lang := range langs {
					var page strings.Builder
					must(t, rep.Page(&page, lang, s, ""))
					wantPlain(t, what, page.String(), 1)
				}
			}
			for what, data := range others {
				var page strings.Builder
				results := 1
				if logcheck.IsProof(data) {
					rep, err := logcheck.CheckProof(data, opt)
					must(t, err)
					must(t, rep.Page(&page, logcheck.Japanese, s))
				} else if rep, err := logcheck.CheckBundle(t.Context(), bytes.NewReader(data), opt); err != nil {
					results = 0
					page.WriteString(logcheck.PlainError{Err: err}.Error() + "\n")
				} else {
					must(t, rep.Page(&page, logcheck.English, s))
				}
				wantPlain(t, what, page.String(), results)
			}
		}
	})
}

// RR-5: who writes a pack cannot put a name in it that its check refuses.
func TestPackNames(t *testing.T) {
	p := logcheck.NewPackWriter(io.Discard, "day", "x", time.UnixMilli(0))
	for _, name := range []string{"a\nb", "a\x1b[2Jb", "a\u202eb", "a\\b", "../a", "/a", "a\x9b", ""} {
		if p.Put(name, nil) == nil {
			t.Errorf("%q may be in a pack", name)
		}
	}
	must(t, p.Put("lists/髙橋 花子.csv", nil))
}
