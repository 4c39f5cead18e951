// Package story runs small texts that say what happens at a site and what must come of it: who badges
// where, what fails, and what the doors, the log and the findings have to say to that. It runs them in
// virtual time on the real cores (package sim), with every promise checked at every step.
//
// Tests use it for the behaviour of the whole; administrators use it to try their rules before anybody
// stands at a door (monban-server simulate). docs/stories.md describes the language.
package story

import (
	"fmt"
	"strings"
	"unicode"
)

// Line is one line of a story.
type Line struct {
	File   string
	Number int // from 1
	Words  []string
}

// Fault is something wrong with a story, or a difference between it and what came out.
type Fault struct {
	File string
	Line int // 0 = the file as a whole
	Text string
}

// Error gives FILE:LINE: text.
func (f Fault) Error() string {
	if f.Line == 0 {
		return f.File + ": " + f.Text
	}
	return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text)
}

func (l Line) fault(format string, args ...any) Fault {
	return Fault{l.File, l.Number, fmt.Sprintf(format, args...)}
}

// maxLines bounds a story; one that is longer is not one story.
const maxLines = 20_000

// Lines splits a text into its lines. A # begins a comment; "…" holds a word with blanks.
func Lines(file, text string) ([]Line, error) {
	var out []Line
	for i, raw := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		l := Line{File: file, Number: i + 1}
		words, err := split(raw)
		if err != nil {
			return nil, l.fault("%v", err)
		}
		if l.Words = words; len(words) > 0 {
			out = append(out, l)
		}
		if len(out) > maxLines {
			return nil, l.fault("has more than %d lines; split it", maxLines)
		}
	}
	return out, nil
}

func split(s string) (words []string, err error) {
	word, quoted, open := strings.Builder{}, false, false
	flush := func() {
		if open {
			words = append(words, word.String())
		}
		word.Reset()
		open = false
	}
	for _, r := range s {
		switch {
		case r == '"':
			quoted, open = !quoted, true
		case quoted:
			word.WriteRune(r)
		case r == '#' && !open:
			flush()
			return words, nil
		case unicode.IsSpace(r):
			flush()
		case unicode.IsControl(r):
			return nil, fmt.Errorf("holds a control character; remove it")
		default:
			word.WriteRune(r)
			open = true
		}
	}
	if quoted {
		return nil, fmt.Errorf("a quotation mark is not closed")
	}
	flush()
	return words, nil
}

// options takes key=value words apart; the others are returned in order.
func options(words []string) (plain []string, opts map[string]string) {
	opts = map[string]string{}
	for _, w := range words {
		if k, v, ok := strings.Cut(w, "="); ok && k != "" {
			opts[k] = v
			continue
		}
		plain = append(plain, w)
	}
	return plain, opts
}
