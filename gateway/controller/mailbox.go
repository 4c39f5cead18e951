package controller

import "sync"

// mailbox holds what other goroutines tell the Loop. Posting never blocks, because the outbox's and
// the link's goroutines must not wait for a door. It cannot grow without bound: each message answers
// something that the Loop itself asked for, replaces a policy or a lease, tells of somebody's passage, or is a command, of which the link gives out at most 256 in 5 s.
type mailbox struct {
	mu     sync.Mutex
	letter []message
	signal chan struct{} // capacity 1
}

// message is one of answer, noAnswer, durable, newLease, newPolicy, confirmed, ordered, interlocked, escortAway.
type message interface{ isMessage() }

func newMailbox() *mailbox { return &mailbox{signal: make(chan struct{}, 1)} }

func (b *mailbox) post(m message) {
	b.mu.Lock()
	b.letter = append(b.letter, m)
	b.mu.Unlock()
	select {
	case b.signal <- struct{}{}:
	default:
	}
}

func (b *mailbox) take() []message {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.letter
	b.letter = nil
	return out
}
