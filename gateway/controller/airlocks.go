package controller

import (
	"sync"

	"monban/firmware/access"
)

// Airlocks joins the doors of this gateway of which one opens only while the other is closed (DS-9), as
// the policy pairs them. Each door says whether it holds its other one shut; whoever comes first has it.
// It knows no contact and no strike: doubt about a contact is its own door's to declare. Its methods may
// be called from several goroutines; nil joins nothing.
type Airlocks struct {
	mu    sync.Mutex
	other map[access.DoorID]access.DoorID   // mu
	holds map[access.DoorID]bool            // mu; the door is not known to be closed
	tell  map[access.DoorID]func(shut bool) // mu; the doors' loops; must not block
}

// NewAirlocks joins nothing until a policy is set.
func NewAirlocks() *Airlocks {
	return &Airlocks{holds: map[access.DoorID]bool{}, tell: map[access.DoorID]func(bool){}}
}

// SetPolicy takes the pairs from a policy. Without a policy there are none, and nobody enters anyway.
func (l *Airlocks) SetPolicy(p *access.Policy) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := l.other
	l.other = map[access.DoorID]access.DoorID{}
	for _, id := range p.Doors() {
		if d, _ := p.Door(id); d.Interlock != "" {
			l.other[id] = d.Interlock
		}
	}
	for id, f := range l.tell {
		if was, is := l.holds[before[id]], l.holds[l.other[id]]; was != is {
			f(is)
		}
	}
}

// Follow tells a door whenever its other one begins or ceases to hold it shut, and at once
// when it does.
func (l *Airlocks) Follow(d access.DoorID, f func(shut bool)) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tell[d] = f
	if l.holds[l.other[d]] {
		f(true)
	}
}

// Set says whether a door holds its other one shut. A door that lets somebody out does so whatever the
// other one says: both may then stand open, and nobody is trapped.
func (l *Airlocks) Set(d access.DoorID, holds bool) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.put(d, holds)
}

// Claim asks whether a door may be released for somebody who enters, and has it hold the other one shut
// from now on when it may. It is asked right before the strike moves, so of two doors granted in the same
// moment one opens.
func (l *Airlocks) Claim(d access.DoorID) bool {
	if l == nil {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.holds[l.other[d]] {
		return false
	}
	l.put(d, true)
	return true
}

func (l *Airlocks) put(d access.DoorID, holds bool) {
	if d == "" || l.holds[d] == holds {
		return
	}
	l.holds[d] = holds
	if f := l.tell[l.other[d]]; f != nil {
		f(holds)
	}
}
