// Package update says whether a release may be installed: who signed it, whether it is older than one that was here, whether it is still
// meant to be used, and whether a file is the one that was signed. It is a subset of The Update Framework (TUF) for folders that are carried
// by hand (ADR 0067). A release is a folder with
//
//	root/1, root/2, …  the keys of each role and how many must sign; each root is signed by itself and by the one before
//	STAMP              which list is the present one, its length and hash, and until when that holds
//	MANIFEST           the list: version, number, and size and hash of every file
//
// The order of looking is fixed: length, then hash where one is known, then signatures, then the text. Nothing is parsed that too few keys
// have signed. It is pure: the folder is an argument, and so is the time.
package update

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Role is a kind of signed text.
type Role uint8

// The roles. Each may sign one kind of text only: the first line of a text says which.
const (
	RoleRoot    Role = iota + 1 // says who has the roles
	RoleRelease                 // signs lists of files
	RoleStamp                   // says which list is the present one
)

var roles = []Role{RoleRoot, RoleRelease, RoleStamp}

// String is the role's word in a root and on the command line.
func (r Role) String() string {
	switch r {
	case RoleRoot:
		return "root"
	case RoleRelease:
		return "release"
	case RoleStamp:
		return "stamp"
	}
	return "none"
}

const mostKeys = 20 // of one role

// Holders are the keys of a role and how many of them must sign.
type Holders struct {
	Threshold int
	Keys      []string // as note.NewVerifier reads them
}

// open gives a signed text whose signatures suffice, and nothing of it otherwise. what names it in errors.
func (h Holders) open(what string, r Role, data []byte) (string, error) {
	var keys []note.Verifier
	for _, k := range h.Keys {
		v, err := note.NewVerifier(k)
		if err != nil {
			return "", fmt.Errorf("%s: a key of role %s cannot be read: get the root again", what, r)
		}
		keys = append(keys, v)
	}
	n, err := note.Open(data, note.VerifierList(keys...))
	if err != nil {
		return "", fmt.Errorf("%s: is not signed by role %s (%w): do not use this release", what, r, err)
	}
	if len(n.Sigs) < h.Threshold { // of one key one signature is counted
		return "", fmt.Errorf("%s: %d of the %d keys of role %s have signed, %d must: do not use this release", what, len(n.Sigs), len(h.Keys), r, h.Threshold)
	}
	return n.Text, nil
}

// check demands what the number of signatures rests on: keys that can be read and that differ.
func (h Holders) check() error {
	if h.Threshold < 1 || h.Threshold > len(h.Keys) || len(h.Keys) > mostKeys {
		return fmt.Errorf("%d of %d keys must sign: from 1 to all of them, of at most %d", h.Threshold, len(h.Keys), mostKeys)
	}
	var seen []string
	for _, k := range h.Keys {
		if _, err := note.NewVerifier(k); err != nil || strings.ContainsAny(k, " \n") {
			return fmt.Errorf("one of the keys cannot be read")
		}
		key := strings.SplitN(k, "+", 3)[2] // without name: one key under two names would count twice
		if slices.Contains(seen, key) {
			return fmt.Errorf("a key stands there twice")
		}
		seen = append(seen, key)
	}
	return nil
}

// lines reads a signed text line by line, strictly.
type lines struct {
	what string
	rest []string
	at   int
}

func textLines(what, text string) *lines {
	return &lines{what: what, rest: strings.Split(strings.TrimSuffix(text, "\n"), "\n")}
}

func (l *lines) bad(why string) error { return fmt.Errorf("%s: line %d: %s", l.what, l.at, why) }

// next gives the rest of the line after a word and a blank.
func (l *lines) next(word string) (string, error) {
	l.at++
	if len(l.rest) == 0 {
		return "", l.bad("ends before " + word)
	}
	s, ok := strings.CutPrefix(l.rest[0], word+" ")
	if !ok || s == "" {
		return "", l.bad("is not " + word)
	}
	l.rest = l.rest[1:]
	return s, nil
}

func (l *lines) number(word string) (int64, error) {
	s, err := l.next(word)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 {
		return 0, l.bad("has no number over 0")
	}
	return n, nil
}

// day is the second, UTC, at which a text is over: the beginning of the day that it names.
func (l *lines) day(word string) (int64, error) {
	s, err := l.next(word)
	if err != nil {
		return 0, err
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Unix() <= 0 {
		return 0, l.bad("has no day such as 2030-01-31")
	}
	return t.Unix(), nil
}

func dayOf(second int64) string { return time.Unix(second, 0).UTC().Format(time.DateOnly) }
