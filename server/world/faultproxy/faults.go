package faultproxy

import (
	"math/rand/v2"
	"time"
)

// Odds are the chances, 0 to 1 each, that something happens to one PUBLISH. They are drawn in the
// order in which they stand here.
type Odds struct {
	Drop     float64
	Truncate float64 // the end of the payload is missing; the frame itself is right
	Flip     float64 // one bit of the payload
	Double   float64
	Hold     float64 // it is sent after its successor, at the latest after MaxHold
	Delay    float64 // by up to MaxDelay; those behind it are not delayed
}

// Faults gives the odds by class (ask, answer, events, ack, …); those of "" hold for all others.
type Faults map[string]Odds

const (
	// MaxHold bounds how long a message waits for a successor that does not come.
	MaxHold = 50 * time.Millisecond
	// MaxDelay is the longest delay.
	MaxDelay = 300 * time.Millisecond
)

// Stats counts what was done to messages.
type Stats struct {
	Messages, Dropped, Truncated, Flipped, Doubled, Held, Delayed uint64
	Sessions, Cut, Injected                                       uint64
}

// fate is what happens to one message, drawn before anything is sent.
type fate struct {
	drop, truncate, flip, double, hold, delay bool
	at                                        uint32        // which byte and bit
	wait                                      time.Duration // of delay
}

// draw always takes the same number of draws, so that the fate of the n-th message of a stream depends
// on the seed and n alone.
func (o Odds) draw(r *rand.Rand) fate {
	hit := func(p float64) bool { return r.Float64() < p }
	return fate{
		drop: hit(o.Drop), truncate: hit(o.Truncate), flip: hit(o.Flip), double: hit(o.Double), hold: hit(o.Hold), delay: hit(o.Delay),
		at: r.Uint32(), wait: time.Duration(r.Int64N(int64(MaxDelay))),
	}
}

// spoil changes the payload as f says; the original is left alone.
func (f fate) spoil(payload []byte) []byte {
	if len(payload) == 0 || !f.truncate && !f.flip {
		return payload
	}
	out := append([]byte(nil), payload...)
	if f.flip {
		out[int(f.at>>3)%len(out)] ^= 1 << (f.at & 7)
	}
	if f.truncate {
		out = out[:int(f.at)%len(out)]
	}
	return out
}
