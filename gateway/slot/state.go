// Package slot keeps two programs of a gateway: the one that was found good and the one that is tried. A release is checked by firmware/update
// before anything of it is written; a new program runs once, says within some minutes that doors are served, and is kept; or the machine goes
// back to the one before. Power may go away at any moment: what is there then is one of the two, whole.
//
// At the doors: the change of a program is a restart. Locks are secured at its end and at its beginning; while no program runs they are without
// current, which is locked. Leaving is mechanical.
package slot

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Program is one release's program for this machine. The zero Program is none.
type Program struct {
	Number  int64  // of the release, s since 1970: a later one is higher
	Version string // one word
	Size    int64
	Sum     string // SHA-256, 64 hex digits
}

// State is what the machine remembers of its programs.
type State struct {
	Floor  int64   // no program with a lower number is started; it never falls
	Held   Program // found good; none = the program that came with the machine's own package or image
	Next   Program // to be tried, or being tried
	Tried  bool    // Next was started
	Linked bool    // the link was up when Next was put here: a good program brings it up again
	Failed Program // the last that did not get well
}

// Choice is what is to be started.
type Choice struct {
	Program       // none = the machine's own
	Trial   bool  // once: it must say that it is well
	Dropped int64 // number of a program that was tried and did not get well, 0 = none
}

// ErrOlder says that there is nothing to start that is not older than what ran here.
var ErrOlder = errors.New("the machine's own program is older than one that ran here: install the newest package; doors stay locked until then")

// Start says what to start, own being the number of the machine's own program (0 = unknown). The state is to be kept before anything is started.
func (s State) Start(own int64) (State, Choice, error) {
	var c Choice
	s, c.Dropped = s.Drop()
	if own >= s.Held.Number {
		s.Held = Program{} // a newer package was installed
	}
	s.Floor = max(s.Floor, s.Held.Number, own)
	if s.Next.Number != 0 && s.Next.Number <= s.Floor {
		s.Next = Program{}
	}
	switch {
	case s.Next.Number != 0:
		s.Tried = true
		c.Program, c.Trial = s.Next, true
	case s.Held.Number != 0:
		c.Program = s.Held
	case own < s.Floor:
		return s, Choice{}, ErrOlder
	}
	return s, c, nil
}

// Drop ends the trial of a program that was started and has not said that it is well; number is its, 0 = there is none. For when nothing runs: it would
// take a running program's trial away.
func (s State) Drop() (next State, number int64) {
	if s.Next.Number == 0 || !s.Tried {
		return s, 0
	}
	number = s.Next.Number
	s.Failed, s.Next, s.Tried = s.Next, Program{}, false
	return s, number
}

// Well says that the program on trial serves its doors: from now on it is the one, and nothing older is.
func (s State) Well(number int64) (State, error) {
	if s.Next.Number != number || !s.Tried {
		return s, fmt.Errorf("program %d is not on trial", number)
	}
	s.Held, s.Next, s.Tried = s.Next, Program{}, false
	s.Floor = max(s.Floor, s.Held.Number)
	return s, nil
}

const stateHead = "monban slots 1"

func (p Program) line() string {
	if p.Number == 0 {
		return "0 - 0 -"
	}
	return fmt.Sprintf("%d %s %d %s", p.Number, p.Version, p.Size, p.Sum)
}

func (s State) text() string {
	body := fmt.Sprintf("%s\nfloor %d\nheld %s\nnext %s %t %t\nfailed %s\n", stateHead, s.Floor, s.Held.line(), s.Next.line(), s.Tried, s.Linked, s.Failed.line())
	sum := sha256.Sum256([]byte(body))
	return body + hex.EncodeToString(sum[:]) + "\n"
}

// parse reads that form. Damage is an error: a state that says less would start something older.
func parse(text string) (State, error) {
	var s State
	p := func(q *Program) []any { return []any{&q.Number, &q.Version, &q.Size, &q.Sum} }
	args := append([]any{&s.Floor}, p(&s.Held)...)
	args = append(args, p(&s.Next)...)
	args = append(args, &s.Tried, &s.Linked)
	args = append(args, p(&s.Failed)...)
	_, err := fmt.Sscanf(strings.TrimPrefix(text, stateHead+"\n"), "floor %d\nheld %d %s %d %s\nnext %d %s %d %s %t %t\nfailed %d %s %d %s\n", args...)
	for _, q := range []*Program{&s.Held, &s.Next, &s.Failed} {
		if q.Number == 0 {
			*q = Program{}
		}
	}
	if err != nil || s.text() != text {
		return State{}, errors.New("is damaged: install the newest package and remove this folder; doors stay locked until then")
	}
	return s, nil
}
