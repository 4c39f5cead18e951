package link

import (
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/mono"
	"monban/firmware/wire"
)

// CommandTime is how long a command holds at most, from when the heartbeat it names was sent (I7).
const CommandTime = wire.MaxCommandMS * time.Millisecond

// maxCommands bounds the commands remembered. It is far more than people can order within CommandTime;
// beyond it commands are refused, never forgotten.
const maxCommands = 256

// Words of Rejected.Why and NotOrdered.Why about commands.
const (
	WhyRetained  = "retained"
	WhyOtherBoot = "other_boot" // made for an earlier running of this gateway
	WhyChallenge = "challenge"  // names no heartbeat of the last seconds
	WhyExpired   = "expired"
	WhyRepeated  = "repeated"
	WhyNotFresh  = "not_linked"  // no heartbeat is young enough to bind a command to
	WhyNoKey     = "no_key"      // this server does not sign commands
	WhyCommand   = "bad_command" // the order itself is outside the limits of the protocol
)

// Commanded is a command that holds until just before Until: verified, for this running of the gateway,
// and given out once. Whoever acts on it looks at the time again (I7).
type Commanded struct {
	Command wire.Command
	Until   mono.Time
}

func (Commanded) isGatewayAction() {}

// commands is the gateway's memory of challenges that a command may name and of commands that it has had.
type commands struct {
	issued []beat // of the last CommandTime, oldest first
	had    [maxCommands]hadCommand
	next   int // the oldest entry of had
}

type hadCommand struct {
	id   wire.CommandID
	till mono.Time // no message that names it can hold at or after this
}

// issue remembers a heartbeat that was sent. It is not used up by its lease.
func (c *commands) issue(now mono.Time, b beat) {
	c.issued = append(c.issued, b)
	for len(c.issued) > 0 && !now.Before(c.issued[0].sent.Add(CommandTime)) {
		c.issued = c.issued[1:]
	}
}

// sentAt is when the heartbeat with a challenge was sent.
func (c *commands) sentAt(challenge wire.Challenge) (mono.Time, bool) {
	for i := range c.issued {
		if c.issued[i].challenge == challenge {
			return c.issued[i].sent, true
		}
	}
	return 0, false
}

// take remembers a command; it says why it may not be acted on, "" when it may.
func (c *commands) take(now mono.Time, id wire.CommandID) string {
	for i := range c.had {
		if c.had[i].id == id {
			return WhyRepeated
		}
	}
	if now.Before(c.had[c.next].till) { // fail locked: forgetting one that could still come would let it act twice
		return WhyBusy
	}
	c.had[c.next] = hadCommand{id: id, till: now.Add(CommandTime)}
	c.next = (c.next + 1) % maxCommands
	return ""
}

// command takes a command whose signature is good: once, in this running, and in time (I7).
func (g *Gateway) command(m *wire.Command) {
	refuse := func(why string) { g.do(Rejected{Kind: wire.KindCommand, Why: why}) }
	if m.Boot != g.cfg.Boot { // the door: stays as it is; so for every refusal here
		refuse(WhyOtherBoot)
		return
	}
	sent, ok := g.commands.sentAt(m.Challenge)
	if !ok {
		refuse(WhyChallenge)
		return
	}
	until := sent.Add(min(time.Duration(m.TTLMS)*time.Millisecond, CommandTime))
	if !g.now.Before(until) {
		refuse(WhyExpired)
		return
	}
	if why := g.commands.take(g.now, m.ID); why != "" {
		refuse(why)
		return
	}
	g.do(Commanded{Command: *m, Until: until})
}

// Inputs and actions of the server's machine about commands.
type (
	// Order asks for a command to be sent now, once; the leaf that says who ordered it is COMMITTED.
	// Gateway, Boot, Challenge and ServerMS are set by the machine. It comes back with Ordered or NotOrdered
	// in the same Step.
	Order struct{ Command wire.Command }
	// Ordered: the command has been published. Whether it arrived, the gateway's records say.
	Ordered struct{ ID wire.CommandID }
	// NotOrdered: nothing was sent, and nothing will be.
	NotOrdered struct {
		ID  wire.CommandID
		Why string
	}
)

func (Order) isServerInput()       {}
func (Ordered) isServerAction()    {}
func (NotOrdered) isServerAction() {}

// orders is what the server's machine needs to bind a command.
type orders struct {
	signer    note.Signer // role command, nil = none
	heard     bool
	at        mono.Time // when the newest heartbeat arrived
	boot      wire.BootID
	challenge wire.Challenge
	had       [maxCommands]wire.CommandID
	next      int
}

// beat remembers the newest fresh heartbeat.
func (o *orders) beat(now mono.Time, h *wire.Heartbeat) {
	o.heard, o.at, o.boot, o.challenge = true, now, h.Stamp.Boot, h.Challenge
}

// order sends a command bound to the newest heartbeat, or says why not. It keeps nothing to be sent
// later: an unlock that waits opens a door at which nobody stands any more (I7).
func (s *Server) order(in Order) {
	o, m := &s.orders, in.Command
	refuse := func(why string) { s.do(NotOrdered{ID: m.ID, Why: why}) }
	if o.signer == nil {
		refuse(WhyNoKey)
		return
	}
	if !o.heard || s.now.Sub(o.at) >= LeaseTime {
		refuse(WhyNotFresh)
		return
	}
	for i := range o.had {
		if o.had[i] == m.ID { // the zero id too: it names no command
			refuse(WhyRepeated)
			return
		}
	}
	m.Gateway, m.Boot, m.Challenge, m.ServerMS = s.cfg.Gateway, o.boot, o.challenge, s.wallMS
	body := wire.AppendCommand(nil, &m)
	if _, err := wire.ParseCommand(body); err != nil { // never sign what no gateway would take
		refuse(WhyCommand)
		return
	}
	msg, err := wire.Seal(o.signer, s.cfg.Site, s.cfg.Gateway, wire.KindCommand, body)
	if err != nil {
		refuse(WhySeal)
		return
	}
	o.had[o.next], o.next = m.ID, (o.next+1)%maxCommands
	s.send(wire.KindCommand, msg)
	s.do(Ordered{ID: m.ID})
}
