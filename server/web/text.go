package web

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// textWord says what is wrong with a text of one line that somebody typed, as a word of the section people_fault; "" = nothing. The
// directory checks again, and knows more (Individual Numbers, what exists).
func textWord(s string, least, most int) string {
	switch n := utf8.RuneCountInString(s); {
	case !utf8.ValidString(s):
		return "unreadable"
	case n < least || least > 0 && strings.TrimSpace(s) == "":
		return "required"
	case n > most:
		return "too_long"
	}
	for _, r := range s {
		switch {
		case r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029':
			return "control"
		case r == utf8.RuneError:
			return "unreadable"
		case unicode.Is(unicode.Bidi_Control, r) || r == '\u200b' || r == '\u2060' || r == '\ufeff':
			return "invisible"
		}
	}
	return ""
}

// dayWord checks a day of a form; "" is a day that was left open.
func dayWord(s string) string {
	if s == "" {
		return ""
	}
	t, err := time.Parse(dayLayout, s)
	if err != nil || t.Year() < 1900 || t.Year() > 2999 {
		return "day"
	}
	return ""
}

// orderWord checks that a span of days does not end before it begins.
func orderWord(from, until string) string {
	if from != "" && until != "" && until < from {
		return "backwards"
	}
	return ""
}
