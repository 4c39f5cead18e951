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
	"unicode"

	"monban/firmware/phrase"
	"monban/gateway/hal"
)

// doctorFiles hold the functions whose sentences the doctor says.
var doctorFiles = []string{"doctor.go", "machine.go", "../hal/pi/inspect.go"}

func isJapanese(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) })
}

// OP-2: each sentence of the doctor, those about the wires too, has a line in the catalogue; the Japanese has the same places.
func TestDoctorSpeaksJapanese(t *testing.T) {
	// Names of files, words of the wires, and pieces of which longer lines are made; those stand in the catalogue whole.
	pieces := " rest.toml outbox.db doctor.tmp /dev/rtc0 tcp tls:// none up D0 D1 dialout , door %d %s I²C  wiegand "
	whole := map[string]bool{"contact": true, "request": true, "tamper": true, "fire": true, "door ": true, ", ": true, "serial line ": true, "configuration ": true, "identity in ": true,
		"way in without the server, door ": true, "disk of ": true, "link to ": true, "watchdog ": true, "it is renewed by itself when the gateway runs and reaches ": true, ": see that it does": true,
		" (local decisions wait for the server's time)": true, "controlled": true, "watchdog": true}
	n := 0
	for _, file := range doctorFiles {
		src, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash(file), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range src.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.IMPORT {
				continue
			}
			ast.Inspect(d, func(x ast.Node) bool {
				l, ok := x.(*ast.BasicLit)
				if !ok || l.Kind != token.STRING {
					return true
				}
				s, err := strconv.Unquote(l.Value)
				plain := strings.TrimPrefix(s, ": ")
				if err != nil || whole[s] || strings.Contains(pieces, " "+plain+" ") || !strings.ContainsFunc(plain, unicode.IsLetter) || plain == "%s" {
					return true
				}
				n++
				filled := phrase.Fill(plain, func(verb string) string {
					if strings.HasSuffix(verb, "d") {
						return "7"
					}
					return "X-1"
				})
				if got := inJapanese(filled); got == filled {
					t.Errorf("%s: %q has no Japanese", file, s)
				}
				return true
			})
		}
	}
	if n < 40 {
		t.Errorf("only %d sentences were looked at", n)
	}
	for l := hal.LevelRest; l <= hal.LevelFault; l++ {
		if !isJapanese(inJapanese(l.String())) {
			t.Errorf("level %s has no Japanese", l)
		}
	}
	for _, fault := range phrase.Faults(doctorPhrases) {
		t.Error(fault)
	}
}

// OP-2: the same line in both languages, with the same mark.
func TestDoctorLines(t *testing.T) {
	for _, x := range []struct {
		c        Check
		en, want string
	}{
		{Check{Name: "clock", Note: ": none (local decisions wait for the server's time)"}, "ok   clock: none (local decisions wait for the server's time)", "ok   時計：none（自分での判定は、サーバの時刻を受け取ってからです）"},
		{Check{Name: "door d1, contact", Note: ": short, 0.10 V of 3.3 V", Err: errors.New("short (0.10 V of 3.3 V): the line is shorted: look for a crushed cable, and for the series resistor at the end")},
			"BAD  door d1, contact: short (0.10 V of 3.3 V): the line is shorted: look for a crushed cable, and for the series resistor at the end",
			"BAD  扉 d1、開閉検知：短絡（3.3 V 中 0.10 V）：短絡しています。潰れたケーブルと、終端の直列抵抗を確かめてください"},
		{Check{Name: "link to tls://x:8883", Err: errors.New("dial tcp: connection refused: check cable, address, port and firewall; is the server running?")},
			"BAD  link to tls://x:8883: dial tcp: connection refused: check cable, address, port and firewall; is the server running?",
			"BAD  サーバとの接続（tls://x:8883）：dial tcp: connection refused。ケーブル、宛先、ポート、ファイアウォールを確かめてください。サーバは動いていますか"},
		{Check{Name: "GPIO chip"}, "ok   GPIO chip", "ok   GPIO"},
	} {
		if en, ja := x.c.Line(false), x.c.Line(true); en != x.en || ja != x.want {
			t.Errorf("%q\nwant %q\n%q\nwant %q", en, x.en, ja, x.want)
		}
	}
	if got := ChecksFailed(1, 9, true); got != "9 項目のうち 1 項目に異常があります" {
		t.Error(got)
	}
}
