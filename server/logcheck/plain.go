package logcheck

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"monban/server/entrylog"
)

// Plain gives text that came with what is checked, or names it, as it may stand in a line for people: whatever would move a terminal's cursor, end
// the line or turn its direction round is spelt out. The file is whoever's who hands it over; the page is ours.
func Plain(text string) string {
	if isPlain(text) {
		return text
	}
	var b strings.Builder
	for i, n := 0, 0; i < len(text); i += n {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch n = size; {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case !moves(r):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}

func isPlain(text string) bool { return utf8.ValidString(text) && !strings.ContainsFunc(text, moves) }

// moves reports whether a character is none that stands in its place in the line: controls (C0, DEL, C1), line and paragraph separators, and what
// formats without being seen, those that change the direction of writing among them.
func moves(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) }

// PlainError is an error of a check in one plain line.
type PlainError struct{ Err error }

func (e PlainError) Error() string { return Plain(e.Err.Error()) }

func (e PlainError) Unwrap() error { return e.Err }

// page gathers what a check says to people. Everything that is not this program's own words passes through Plain.
type page struct {
	strings.Builder
	lang Lang
}

// say adds a line.
func (p *page) say(ja, en string, args ...any) {
	for i, x := range args {
		switch x := x.(type) {
		case string:
			args[i] = Plain(x)
		case entrylog.Finding:
			args[i] = Plain(x.String())
		}
	}
	fmt.Fprintf(p, p.lang.words(ja, en)+"\n", args...)
}

// item adds a line of what was found or shown.
func (p *page) item(text string) { fmt.Fprintf(p, "  %s\n", Plain(text)) }

// gap adds an empty line.
func (p *page) gap() { p.WriteString("\n") }

// pageDay gives a moment on a page.
func pageDay(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05 UTC") }
