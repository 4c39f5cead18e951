// Package desk joins a sign-in page that waits with what somebody does at the reader on the same desk: a card, the number that
// the page shows, and the PIN (RA-3, D28). It is pure but for the random numbers that its caller passes; time is an argument.
//
// It lets nobody in. It says whether a page waits for a number, and keeps the person whom the authority has judged until that
// page's own request fetches them, once. All of it lies in memory: after a restart everybody begins again.
package desk

import (
	"crypto/subtle"
	"errors"
	"sync"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
)

const (
	// Life is how long a page waits for its card: time to find it in a bag.
	Life = 90 * time.Second
	// Fetch is how long the page may take to fetch a person who was proved.
	Fetch = 30 * time.Second
	// MaxMisses is how many wrong numbers one waiting page is good for: three tries at 9000 numbers.
	MaxMisses = 3
	// maxWaits bounds the memory; a desk has a handful of browsers.
	maxWaits = 1000
)

// ErrBusy: too many pages wait.
var ErrBusy = errors.New("too many sign-ins wait at desk readers")

// Stage says how far a waiting page is.
type Stage uint8

// The stages. The zero Stage is over: nothing comes of it any more.
const (
	Over    Stage = iota
	Waiting       // for the card and the number
	Crowded       // another browser waits at the same desk: neither gets anything until one is gone
	PIN           // the number was right, the PIN is awaited
	Refused       // card or PIN were not accepted; the page begins again
	Proved        // the person can be fetched, once
)

// wait is one page.
type wait struct {
	desk    access.DoorID
	number  string
	until   time.Time
	misses  int
	stage   Stage // Waiting, PIN, Refused, Proved
	attempt door.Attempt
	ref     card.Ref
	person  string
}

// Board holds the pages that wait. It is used by several goroutines. The zero Board is empty.
type Board struct {
	mu sync.Mutex
	by map[string]*wait // mu; by ticket
}

// Begin makes a page wait at a desk. ticket and number are the caller's random ones; number is what the page shows.
func (b *Board) Begin(ticket, number string, desk access.DoorID, now time.Time) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for t, w := range b.by {
		if !now.Before(w.until) {
			delete(b.by, t)
		}
	}
	if len(b.by) >= maxWaits {
		return ErrBusy
	}
	if b.by == nil {
		b.by = map[string]*wait{}
	}
	b.by[ticket] = &wait{desk: desk, number: number, until: now.Add(Life), stage: Waiting}
	return nil
}

// Drop ends a page's wait.
func (b *Board) Drop(ticket string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.by, ticket)
}

// Look says how far a page is, and the number that it shows.
func (b *Board) Look(ticket string, now time.Time) (s Stage, number string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.live(ticket, now)
	switch {
	case w == nil:
		return Over, ""
	case w.stage == Waiting && b.alone(w.desk, now) == "":
		return Crowded, ""
	}
	return w.stage, w.number
}

// Take fetches the person whom a page was proved to be. It works once, and only for the ticket's own page.
func (b *Board) Take(ticket string, now time.Time) (person string, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.live(ticket, now)
	delete(b.by, ticket)
	if w == nil || w.stage != Proved || w.person == "" {
		return "", false
	}
	return w.person, true
}

// Expected is what a question from a desk is held against.
type Expected struct {
	Ticket string // "" = no page waits, or more than one
	Number string // to be keyed in now; "" = the number was right already, and the PIN is due
}

// Expect looks for the page that an entry can be for. A PIN is due only for the very attempt and card whose number was right.
// It changes nothing: the authority may run again before it commits.
func (b *Board) Expect(desk access.DoorID, a door.Attempt, ref card.Ref, now time.Time) Expected {
	b.mu.Lock()
	defer b.mu.Unlock()
	for t, w := range b.by {
		if w.desk == desk && w.stage == PIN && w.attempt == a && now.Before(w.until) {
			if subtle.ConstantTimeCompare(w.ref[:], ref[:]) == 1 {
				return Expected{Ticket: t}
			}
			return Expected{}
		}
	}
	if t := b.alone(desk, now); t != "" {
		return Expected{Ticket: t, Number: b.by[t].number}
	}
	return Expected{}
}

// Numbered says, once it has committed, that the number was right. A page that meanwhile is not alone any more, or not waiting,
// stays as it is.
func (b *Board) Numbered(ticket string, a door.Attempt, ref card.Ref, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w := b.live(ticket, now); w != nil && w.stage == Waiting && b.alone(w.desk, now) == ticket {
		w.stage, w.attempt, w.ref = PIN, a, ref
	}
}

// Missed says that a wrong number was keyed in; the last one ends the wait, and the page begins again with another.
func (b *Board) Missed(ticket string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w := b.live(ticket, now); w != nil && w.stage == Waiting {
		if w.misses++; w.misses >= MaxMisses {
			w.stage = Refused
		}
	}
}

// Judged says, once it has committed, what came of card and PIN: person is whose card it is when all was right, "" when not.
func (b *Board) Judged(ticket string, a door.Attempt, person string, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w := b.live(ticket, now)
	if w == nil || w.stage != PIN || w.attempt != a {
		return // used up by another question of the same attempt
	}
	w.stage, w.person = Refused, person
	if person != "" {
		w.stage, w.until = Proved, now.Add(Fetch)
	}
}

// live is a page that is not over. mu is held.
func (b *Board) live(ticket string, now time.Time) *wait {
	w := b.by[ticket]
	if w == nil || !now.Before(w.until) {
		return nil
	}
	return w
}

// alone is the one page that waits at a desk, "" when there is none or more than one: of two nobody knows whose card it is. A
// page whose number was keyed in counts too until its PIN is judged. mu is held.
func (b *Board) alone(desk access.DoorID, now time.Time) string {
	found := ""
	for t, w := range b.by {
		if w.desk != desk || !now.Before(w.until) || w.stage != Waiting && w.stage != PIN {
			continue
		}
		if found != "" {
			return ""
		}
		found = t
	}
	if found != "" && b.by[found].stage != Waiting {
		return ""
	}
	return found
}
