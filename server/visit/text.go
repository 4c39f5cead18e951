package visit

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"monban/server/directory"
)

// longest are the lengths of free texts, in characters.
const (
	maxName = 100
	maxLine = 200
	maxText = 500
)

// free checks a free text: it prints, fits and holds no Individual Number (VE-5). need says that it may not be empty.
func free(field, s string, most int, need bool) error {
	switch {
	case need && blank(s):
		return ErrMissing.at(field)
	case !prints(s, most) || most == maxName && strings.ContainsAny(s, "\n\t"):
		return ErrText.at(field)
	case directory.MyNumber(s):
		return ErrMyNumber.at(field)
	}
	return nil
}

// CheckReason checks why something is done that is no matter of its own, as a badge or a setting: at most 500 characters that print
// and hold no Individual Number (VE-5). Empty passes: whether a reason is needed is the form's to say.
func CheckReason(s string) error { return free("reason", s, maxText, false) }

// number checks a serial or contract number, in which twelve digits may be right by chance: only a warning (VE-5).
func number(field, s string) (warning string, err error) {
	if !prints(s, maxLine) {
		return "", ErrText.at(field)
	}
	if directory.MyNumber(s) {
		return field, nil
	}
	return "", nil
}

func blank(s string) bool {
	for _, c := range s {
		if !unicode.IsSpace(c) {
			return false
		}
	}
	return true
}

// prints refuses control characters, those that turn the direction of writing and those that nobody sees: a name must look
// the same wherever it is read. Line breaks are allowed.
func prints(s string, most int) bool {
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > most {
		return false
	}
	for _, c := range s {
		switch {
		case c == '\n' || c == '\t':
		case unicode.IsControl(c), unicode.Is(unicode.Bidi_Control, c), c == '\u2028', c == '\u2029', c == '\u200b', c == '\u2060', c == '\ufeff':
			return false
		}
	}
	return true
}

// firstErr gives the first error.
func firstErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
