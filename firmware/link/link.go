// Package link is the protocol between a gateway and the server as two pure machines (D1): who says
// hello, when a lease holds, how long an answer counts, what is sent again and what an ack means.
//
// A machine has no clock, no goroutine and no socket. Its shell (gateway/uplink, server/downlink)
// calls Step with the time and one thing that happened, and carries out the actions it gets back,
// in their order. Nothing here moves a lock or decides about a person; what the absence of a lease
// or an answer means at the door is the controller's business (D8).
//
// It serves I2 and I3 (records arrive once and in order), I4 (only what the shell reports as
// committed is acknowledged), I5 (a lease never outlasts 3 s after its heartbeat was sent) and I6
// (nothing that a network does is an input of a door).
//
// Both machines are idempotent towards their peer: every message may be lost, doubled, delayed or
// come from an earlier connection.
package link

import (
	"io"
	"time"

	"monban/firmware/mono"
	"monban/firmware/wire"
)

// Times of the protocol.
const (
	// HeartbeatEvery is how often a gateway asks for a lease; three may be lost before one ends.
	HeartbeatEvery = time.Second
	// LeaseTime is how long a lease holds from when its heartbeat was sent (I5).
	LeaseTime = wire.MaxLeaseMS * time.Millisecond
	// AskTimeout is how long a person waits for the server before the gateway decides (D8).
	AskTimeout = 400 * time.Millisecond
	// askAgain: an unanswered ask is sent again, with the same id, while it still has time.
	askAgain = 130 * time.Millisecond

	helloFirst = 500 * time.Millisecond // the wait after the first hello; doubles
	helloMost  = 5 * time.Second
	sendFirst  = time.Second // the wait for progress of the pump; doubles
	sendMost   = 30 * time.Second
	pullFirst  = time.Second // the wait for a manifest or chunks; doubles
	pullMost   = 5 * time.Second
	loadMost   = 5 * time.Second  // the wait for the shell's own storage
	storeMost  = 30 * time.Second // the wait for the shell to make a policy durable
)

// Window is how many records may be under way without an ack.
const Window = 64

// MaxAsks is how many asks may be outstanding; a site's doors and readers need far fewer.
const MaxAsks = 64

// Message is a payload that arrived on a topic of this gateway; Kind is the topic's last element.
// The shell has dropped topics of other gateways. The payload then belongs to the machine.
type Message struct {
	Kind    string
	Payload []byte
	// Retained: the broker had kept it. Whatever a broker kept is not what its sender says now: it is dropped.
	Retained bool
}

// Tick says that time has passed.
type Tick struct{}

// Publish asks for a message to be sent, once, at QoS 0, not retained.
type Publish struct {
	Topic   string
	Payload []byte
}

// Rejected counts something that was dropped. Why is a stable word; Kind the kind of message.
type Rejected struct {
	Kind string
	Why  string
}

// Words of Rejected.Why beside the faults of package wire.
const (
	WhyUnknownKind  = "unknown_kind"
	WhyOtherGateway = "other_gateway" // the body names another gateway than the envelope
	WhyStale        = "stale"         // answers something that is not, or no longer, asked; or repeated
	WhyWayBack      = "way_back"      // a policy version falls
	WhyUnknownChunk = "unknown_chunk"
	WhyDamaged      = "damaged" // chunks or records do not add up to their hash
	WhySeal         = "seal"    // our own message could not be signed
	WhyRandom       = "random"  // the source of randomness failed
	WhyKeys         = "keys"    // a keys note that is not the root's or falls
	WhyBusy         = "busy"
)

func rejected(kind string, err error) Rejected {
	return Rejected{Kind: kind, Why: wire.FaultOf(err).String()}
}

// dice draws from a reader; the first failure sticks.
type dice struct{ r io.Reader }

func (d dice) fill(b []byte) bool {
	_, err := io.ReadFull(d.r, b)
	return err == nil
}

// spread moves a wait by up to half in either direction, so that gateways that lost their server
// together do not come back together. Without randomness it is the wait itself.
func (d dice) spread(wait time.Duration) time.Duration {
	var b [2]byte
	if !d.fill(b[:]) {
		return wait
	}
	part := time.Duration(b[0])<<8 | time.Duration(b[1])
	return wait/2 + wait*part>>16
}

// backoff is a doubling wait.
type backoff struct {
	wait time.Duration
	at   mono.Time // when to try again
}

func (b *backoff) start(now mono.Time, first time.Duration, d dice) {
	b.wait = first
	b.at = now.Add(d.spread(first))
}

func (b *backoff) again(now mono.Time, most time.Duration, d dice) {
	b.wait = min(2*b.wait, most)
	b.at = now.Add(d.spread(b.wait))
}
