package osdp

import (
	"time"

	"monban/firmware/mono"
)

// Bus is the panel's side of one half-duplex line: it asks one reader at a time and waits for the answer. It is a pure
// machine with one owner: feed it with Receive what comes from the port, call Tick no later than at Next, and carry out
// the actions in order. It never blocks, and one bad reader costs the others one reply time per probe.
type Bus struct {
	cfg     Config
	random  func() [8]byte // for RND.A: fresh from the owner's random source
	readers []*peer
	scan    Scanner
	current *peer // who was asked, nil = nobody
	late    mono.Time
	latest  mono.Time // late never moves beyond
	actions []Action
}

// NewBus makes a bus whose readers are all to be found yet. random gives eight unpredictable bytes at each call; a
// repeated value would let an old answer be replayed.
func NewBus(now mono.Time, cfg Config, random func() [8]byte) (*Bus, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	b := &Bus{cfg: cfg, random: random}
	b.scan.Limit = DefaultMaxFrame
	for i := range cfg.Readers {
		b.readers = append(b.readers, newPeer(b, i, now))
	}
	return b, nil
}

// Tell has a reader show or sound something. A reader that is not online forgets it.
func (b *Bus) Tell(reader int, c Command) {
	p := b.readers[reader]
	if p.state != online {
		return
	}
	if c.LED != nil {
		p.led = c.LED
	}
	if c.Buzzer != nil {
		p.buzzer = c.Buzzer
	}
	if c.Text != "" {
		p.text = c.Text
	}
}

// Receive takes bytes from the line.
func (b *Bus) Receive(now mono.Time, in []byte) []Action {
	b.scan.Feed(in)
	for {
		f, ok := b.scan.Next()
		if !ok {
			break
		}
		if !f.Reply || b.current == nil || f.Addr != b.current.cfg.Addr {
			continue // our own echo, another panel, or an answer to nothing
		}
		b.current.accept(now, &f)
	}
	if b.current != nil {
		// The rest of a slow answer is on its way: wait for it, but not for ever.
		b.late = min(max(b.late, now.Add(b.lineTime(16)+20*time.Millisecond)), b.latest)
	}
	return b.Tick(now)
}

// Tick lets time pass.
func (b *Bus) Tick(now mono.Time) []Action {
	if p := b.current; p != nil && !now.Before(b.late) {
		b.current = nil
		p.silence(now)
	}
	for _, p := range b.readers {
		p.closeWindow(now)
	}
	if b.current == nil {
		if p := b.due(now); p != nil {
			b.ask(now, p)
		}
	}
	out := b.actions
	b.actions = nil
	return out
}

// Next is when Tick has to be called at the latest.
func (b *Bus) Next() mono.Time {
	if b.current != nil {
		return b.late
	}
	next := b.readers[0].next
	for _, p := range b.readers[1:] {
		next = min(next, p.next)
	}
	return next
}

// due is the reader that has waited longest, nil when none is due.
func (b *Bus) due(now mono.Time) *peer {
	var first *peer
	for _, p := range b.readers {
		if !p.next.After(now) && (first == nil || p.asked.Before(first.asked)) {
			first = p
		}
	}
	return first
}

func (b *Bus) ask(now mono.Time, p *peer) {
	if p.out == nil {
		p.compose(now)
	}
	p.asked = now
	b.current = p
	b.scan.Reset() // what came before this question cannot be its answer
	b.scan.Limit = p.limit
	b.late = now.Add(b.lineTime(len(p.out)) + replyTime)
	b.latest = b.late.Add(b.lineTime(p.limit))
	b.actions = append(b.actions, Action{Write: p.out})
}

// settled: the question was answered, and the line is free.
func (b *Bus) settled() { b.current = nil }

func (b *Bus) event(p *peer, e Event) {
	e.Reader = p.index
	b.actions = append(b.actions, Action{Event: &e})
}

// lineTime is how long n bytes take, ten bits each.
func (b *Bus) lineTime(n int) time.Duration {
	return time.Duration(n) * 10 * time.Second / time.Duration(b.cfg.Baud)
}
