package app

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"monban/firmware/phrase"
)

// doctorFuncs are the functions whose sentences the doctor says, by file.
var doctorFuncs = map[string][]string{
	"doctor.go":        nil, // all
	"master_copies.go": {"masterCopies"},
	"upkeep.go":        {"ends", "certificates"},
	"startup.go":       {"certificateEnd"},
	"owner.go":         {"ownersAre"},
	"nightly.go":       {"recipientsThere", "writable"},
	"lost_key.go":      {"keysThere", "lostError"},
}

// sentencesOf gives the texts in a source file that people read: formats, and what begins a Check.
func sentencesOf(t *testing.T, path string, only []string) (out []string) {
	t.Helper()
	src, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range src.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || only != nil && !strings.Contains(" "+strings.Join(only, " ")+" ", " "+f.Name.Name+" ") {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				if s, err := strconv.Unquote(l.Value); err == nil {
					out = append(out, s)
				}
			}
			return true
		})
	}
	return out
}

func isJapanese(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) })
}

// OP-2: each sentence of the doctor has a line in the catalogue, and each line of the catalogue belongs to a sentence; the Japanese has the same places.
func TestDoctorSpeaksJapanese(t *testing.T) {
	// Pieces of which longer lines are made; those stand in the catalogue whole.
	pieces := map[string]bool{", renewed by serve": true, ": do it now: ": true, ": plan it: ": true, ": look at ": true, "; and %d more": true, ": waits for ": true, " and %d more": true, ".monban-probe-*": true, " and ": true, " lie on one medium: move one": true,
		" (without closed_days.csv schedules take national holidays for working days)": true, "gateway ": true, "configuration ": true, "keys, certificates, database in ": true}
	for file, only := range doctorFuncs {
		for _, s := range sentencesOf(t, file, only) {
			plain := strings.TrimPrefix(s, ": ")
			if pieces[s] || plain == "%s" || !strings.ContainsFunc(plain, unicode.IsLetter) || !strings.Contains(plain, " ") && !strings.ContainsFunc(plain, unicode.IsLower) || plain == "%s (%d)" {
				continue
			}
			filled := strings.NewReplacer("%d", "7", "%s", "X-1", "%v", "X-1", "%w", "X-1", "%q", `"X-1"`).Replace(plain)
			if got := inJapanese(filled); !isJapanese(got) {
				t.Errorf("%s: %q has no Japanese", file, s)
			}
		}
	}
	for _, fault := range phrase.Faults(doctorPhrases) {
		t.Error(fault)
	}
}

// OP-2: what a site's doctor says, in both languages: the same checks in the same order, with the same marks; and a fault of a fault keeps what the
// machine said.
func TestDoctorLines(t *testing.T) {
	cfg := testSite(t)
	path := filepath.Join(t.TempDir(), "no-such.toml")
	list := Doctor(t.Context(), path, time.Now())
	if en, ja := list[0].Line(false), list[0].Line(true); !strings.HasPrefix(en, "BAD  configuration "+path+": ") || !strings.HasPrefix(ja, "BAD  設定ファイル "+path+"：") {
		t.Errorf("%q\n%q", en, ja)
	}
	s, err := OpenSite(cfg, time.Now(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for _, c := range siteChecks(t.Context(), s, time.Now()) {
		en, ja := c.Line(false), c.Line(true)
		if en[:5] != ja[:5] || !isJapanese(ja) || isJapanese(en) && !isJapanese(cfg.Site) {
			t.Errorf("%q\n%q", en, ja)
		}
	}
	for _, x := range []struct {
		c        Check
		en, want string
	}{
		{Check{Name: "certificates", Note: ": 12 days left, renewed by serve: plan it: the root certificate ends on 2027-01-01: change the root (`monban-server ca roll`)"},
			"ok   certificates: 12 days left, renewed by serve: plan it: the root certificate ends on 2027-01-01: change the root (`monban-server ca roll`)",
			"ok   証明書：残り 12 日、serve が更新します。予定に入れてください：ルート証明書の期限は 2027-01-01 です。ルートを交換してください（`monban-server ca roll`）"},
		{Check{Name: "copies of the master key", Err: errors.New("copy-1 is not at /a and was read back last on 2026-01-01: bring it and run `monban-server keys check`; copy-2 is not at /b and was read back last on 2026-02-01: bring it and run `monban-server keys check`")},
			"BAD  copies of the master key: copy-1 is not at /a and was read back last on 2026-01-01: bring it and run `monban-server keys check`; copy-2 is not at /b and was read back last on 2026-02-01: bring it and run `monban-server keys check`",
			"BAD  マスター鍵の控え：copy-1 が /a にありません（最後の読み戻しは 2026-01-01）。媒体を用意して `monban-server keys check` を実行してください；copy-2 が /b にありません（最後の読み戻しは 2026-02-01）。媒体を用意して `monban-server keys check` を実行してください"},
		{Check{Name: "database pages", Err: errors.New("disk I/O error")}, "BAD  database pages: disk I/O error", "BAD  データベースのページ：disk I/O error"},
		{Check{Name: "accounts"}, "ok   accounts", "ok   利用者"},
	} {
		if en, ja := x.c.Line(false), x.c.Line(true); en != x.en || ja != x.want {
			t.Errorf("%q\nwant %q\n%q\nwant %q", en, x.en, ja, x.want)
		}
	}
	if got := ChecksFailed(2, 12, false); got != "2 of 12 checks failed" {
		t.Error(got)
	}
	if got := ChecksFailed(2, 12, true); got != "12 項目のうち 2 項目に異常があります" {
		t.Error(got)
	}
}
