package invariant

import (
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
)

// demandFor is how long after a card was presented its edge may come: 400 ms for the server's answer,
// 2 s for a durable record, the time to key in a PIN begins with a presentation of its own; and slack.
const demandFor = 4 * time.Second

type doorKey struct {
	gateway access.GatewayID
	door    access.DoorID
}

// I1 is "no unlock edge without a durable record of the decision first": an edge needs an earlier
// committed decision that granted its attempt (decided by the server) or an earlier durable record of
// the grant (decided by the gateway), at the same door.
func I1() Checker { return &i1{permits: map[permit]bool{}} }

type permit struct {
	doorKey
	attempt door.Attempt
	by      access.DecidedBy
}

type i1 struct{ permits map[permit]bool }

func (c *i1) Observe(e *Event) error {
	k := permit{doorKey{e.Gateway, e.Door}, e.Attempt, e.By}
	switch e.Kind {
	case Decided:
		k.by = access.ByServer
		if e.Granted {
			c.permits[k] = true
		}
	case Durable:
		if e.Event == door.EventGranted || e.Event == door.EventCommandAccepted {
			c.permits[k] = true
		}
	case Edge:
		if e.Command != (wire.BootID{}) {
			return nil // commands are I7's
		}
		if !c.permits[k] {
			return violation("I1", e, "unlocked, decided by %s, without a durable record of a grant", e.By)
		}
	}
	return nil
}

// I5 is "a revoked card is not granted later than 5 s after the revocation while linked, nor beyond
// max_age while not".
func I5() Checker { return &i5{revoked: map[string]revocation{}} }

// Latencies are the times from a revocation to the latest grant after it, for those cards that were
// granted after it at all; a checker made by I5 has them.
type Latencies interface {
	// Linked is the longest one while linked, and how many revocations the trace has.
	Linked() (longest time.Duration, revocations int)
	// Offline is the longest one by the wall clock while not linked, and the longest excess over
	// max_age (negative: how much was left).
	Offline() (longest, excess time.Duration, grants int)
}

type revocation struct {
	at     time.Duration
	wallMS int64
}

// Slack of I5 while offline: a lease that named the old version may have been under way, and clocks
// are compared that differ by what their quality allows (a battery clock drifts 10 s a week).
const offlineSlack = 3*time.Second + 15*time.Second

type i5 struct {
	revoked        map[string]revocation
	count, grants  int
	linked         time.Duration
	offline, worst time.Duration
}

func (c *i5) Linked() (time.Duration, int) { return c.linked, c.count }

func (c *i5) Offline() (longest, excess time.Duration, grants int) {
	return c.offline, c.worst, c.grants
}

func (c *i5) Observe(e *Event) error {
	switch e.Kind {
	case Revoked:
		if _, already := c.revoked[e.Card]; !already {
			c.revoked[e.Card] = revocation{e.At, e.WallMS}
			c.count++
		}
	case Reinstated:
		delete(c.revoked, e.Card)
	case Edge:
		r, revoked := c.revoked[e.Card]
		if e.Card == "" || !revoked || e.Side == access.SideExit || e.Reason == access.ReasonRecoveryCard {
			return nil // leaving is never blocked (D11); a recovery card is there for when age cannot be told (AD-18)
		}
		since, wall := e.At-r.at, time.Duration(e.WallMS-r.wallMS)*time.Millisecond
		if e.Linked {
			c.linked = max(c.linked, since)
			if since > 5*time.Second {
				return violation("I5", e, "granted %v after the revocation, while linked", since)
			}
			return nil
		}
		if c.grants == 0 || wall-e.MaxAge > c.worst {
			c.worst = wall - e.MaxAge
		}
		c.grants++
		c.offline = max(c.offline, wall)
		if wall > e.MaxAge+offlineSlack {
			return violation("I5", e, "granted offline %v after the revocation, max_age is %v", wall, e.MaxAge)
		}
	}
	return nil
}

// I6 is "link loss, link return, restarts and brokers never produce an unlock edge": every edge needs
// somebody who asked for it a moment ago at that door.
func I6() Checker {
	return &i6{demand: map[doorKey]time.Duration{}, last: map[access.GatewayID]string{}}
}

type i6 struct {
	demand map[doorKey]time.Duration
	last   map[access.GatewayID]string
}

func (c *i6) Observe(e *Event) error {
	k := doorKey{e.Gateway, e.Door}
	switch e.Kind {
	case Badge:
		c.demand[k] = e.At
	case Transport:
		c.last[e.Gateway] = e.Word
	case Edge:
		if e.Command != (wire.BootID{}) {
			return nil
		}
		if at, asked := c.demand[k]; !asked || e.At-at > demandFor {
			return violation("I6", e, "unlocked and nobody had asked; the last thing that happened to the gateway: %q", c.last[e.Gateway])
		}
	}
	return nil
}

// I7 is "a command acts at most once and never after it expired", nor in another life of the gateway
// than the one it was made for, nor at another gateway.
func I7() Checker {
	return &i7{issued: map[wire.BootID]Event{}, acted: map[wire.BootID]bool{}, boot: map[access.GatewayID]wire.BootID{}}
}

type i7 struct {
	issued map[wire.BootID]Event
	acted  map[wire.BootID]bool
	boot   map[access.GatewayID]wire.BootID
}

func (c *i7) Observe(e *Event) error {
	switch e.Kind {
	case Boot:
		c.boot[e.Gateway] = e.Boot
	case CommandIssued:
		c.issued[e.Command] = *e
	case Edge:
		if e.Command == (wire.BootID{}) {
			return nil
		}
		cmd, known := c.issued[e.Command]
		switch {
		case !known:
			return violation("I7", e, "a command acted that nobody issued")
		case cmd.Gateway != e.Gateway:
			return violation("I7", e, "a command for %s acted", cmd.Gateway)
		case c.acted[e.Command]:
			return violation("I7", e, "a command acted twice")
		case e.At > cmd.Until:
			return violation("I7", e, "a command acted %v after it had expired", e.At-cmd.Until)
		case c.boot[e.Gateway] != cmd.Boot:
			return violation("I7", e, "a command of an earlier life of the gateway acted")
		}
		c.acted[e.Command] = true
	}
	return nil
}

// I9 is "zero values deny; doubt keeps the door locked; leaving is never blocked": no entry decided by
// a gateway without a policy or a trusted clock, no known card refused at an exit, no lock driven
// secure between a fire release and the person who re-arms.
func I9() Checker { return &i9{fire: map[doorKey]bool{}, leaving: map[door.Attempt]bool{}} }

type i9 struct {
	fire    map[doorKey]bool
	leaving map[door.Attempt]bool
}

func (c *i9) Observe(e *Event) error {
	k := doorKey{e.Gateway, e.Door}
	switch e.Kind {
	case Badge:
		if e.Known && e.Side == access.SideExit {
			c.leaving[e.Attempt] = true
		}
	case Durable:
		if e.Event == door.EventDenied && c.leaving[e.Attempt] && e.Reason != access.ReasonNoPolicy && e.Reason != access.ReasonUnknownDoor {
			// Without a policy no card is known, so an exit reader tells nobody apart; the handle opens.
			return violation("I9", e, "a known card was refused at the exit: %s", e.Reason)
		}
	case Edge:
		if e.Command != (wire.BootID{}) || e.Side != access.SideEnter || e.By == access.ByServer {
			return nil
		}
		switch {
		case e.By != access.ByGateway:
			return violation("I9", e, "unlocked and nobody decided")
		case e.Rules == 0:
			return violation("I9", e, "the gateway let somebody in without a policy")
		case !e.Trusted && e.Reason != access.ReasonRecoveryCard: // AD-18
			return violation("I9", e, "the gateway let somebody in without a trusted clock")
		}
	case Boot: // a new process drives the lock secure before it reads any line; the wires still hold it open
		for f := range c.fire {
			if f.gateway == e.Gateway {
				delete(c.fire, f)
			}
		}
	case Fire:
		if e.On {
			c.fire[k] = true
		}
	case Rearmed:
		delete(c.fire, k)
	case Secured:
		if c.fire[k] {
			return violation("I9", e, "locked after a fire release that nobody has re-armed")
		}
	}
	return nil
}
