package link

import (
	"monban/firmware/door"
	"monban/firmware/mono"
	"monban/firmware/wire"
)

// asks is the table of questions under way.
type asks struct {
	open []asked
	late []asked // failed ones whose answer may still come, oldest first; at most MaxAsks
}

// asked is one question.
type asked struct {
	id       wire.AskID
	attempt  door.Attempt
	tag      uint64
	deadline mono.Time
	againAt  mono.Time
	message  []byte
}

// ask sends a question, or fails it at once when no answer could count.
func (g *Gateway) ask(in Ask) {
	a := asked{attempt: in.Attempt, tag: in.Tag, deadline: in.Deadline, againAt: g.now.Add(askAgain)}
	if a.deadline == 0 {
		a.deadline = g.now.Add(g.cfg.AskTimeout)
	}
	switch {
	case !g.session.leased(g.now):
		g.failAsk(a, AskNoLease)
		return
	case !g.session.connected:
		g.failAsk(a, AskDisconnected)
		return
	case !g.now.Before(a.deadline):
		g.failAsk(a, AskTimedOut)
		return
	case len(g.asks.open) >= MaxAsks:
		g.failAsk(a, AskTooMany)
		return
	}
	m := in.Ask
	m.Gateway = g.cfg.ID
	if !g.dice.fill(m.ID[:]) {
		g.failAsk(a, AskUnsent)
		return
	}
	if m.PINGiven {
		m.PIN = wire.PINProof(g.cfg.AskKey, in.PIN, m.ID)
	} else if !g.dice.fill(m.PIN[:]) { // an ask looks the same with and without a PIN
		g.failAsk(a, AskUnsent)
		return
	}
	if m.Stamp == (wire.Stamp{}) {
		m.Stamp = g.stamp
	}
	m.Stamp.Boot = g.cfg.Boot
	a.id = m.ID
	message, ok := g.publish(wire.KindAsk, wire.AppendAsk(nil, &m))
	if !ok {
		g.failAsk(a, AskUnsent)
		return
	}
	a.message = message
	g.asks.open = append(g.asks.open, a)
}

// failAsk tells the door that no answer will count; an answer that still comes is reported as late.
func (g *Gateway) failAsk(a asked, why AskWhy) {
	g.do(AskFailed{Attempt: a.attempt, Tag: a.tag, Why: why})
	if a.message == nil {
		return
	}
	a.message = nil
	if len(g.asks.late) == MaxAsks {
		g.asks.late = append(g.asks.late[:0], g.asks.late[1:]...)
	}
	g.asks.late = append(g.asks.late, a)
}

// expireAsks fails what has passed its deadline.
func (g *Gateway) expireAsks() {
	kept := g.asks.open[:0]
	for _, a := range g.asks.open {
		if g.now.Before(a.deadline) {
			kept = append(kept, a)
		} else {
			g.failAsk(a, AskTimedOut)
		}
	}
	g.asks.open = kept
}

// dueAsks repeats unanswered asks, byte for byte: the server answers a known id with the answer it
// has given.
func (g *Gateway) dueAsks() {
	for i := range g.asks.open {
		a := &g.asks.open[i]
		if g.now.Before(a.againAt) {
			continue
		}
		a.againAt = g.now.Add(askAgain)
		g.do(Publish{Topic: wire.Topic(g.cfg.Site, g.cfg.ID, wire.KindAsk), Payload: a.message})
	}
}

// answer takes an answer: it counts when its ask is outstanding, which expire has made sure of, and
// then never again.
func (g *Gateway) answer(m *wire.Answer) {
	if i := findAsk(g.asks.open, m); i >= 0 {
		a := g.asks.open[i]
		g.asks.open = append(g.asks.open[:i], g.asks.open[i+1:]...)
		g.do(Answered{Attempt: a.attempt, Tag: a.tag, Answer: *m})
		return
	}
	if i := findAsk(g.asks.late, m); i >= 0 {
		a := g.asks.late[i]
		g.asks.late = append(g.asks.late[:i], g.asks.late[i+1:]...)
		g.do(Answered{Attempt: a.attempt, Tag: a.tag, Answer: *m, Late: true})
		return
	}
	g.do(Rejected{Kind: wire.KindAnswer, Why: WhyStale})
}

func findAsk(list []asked, m *wire.Answer) int {
	for i := range list {
		if list[i].id == m.ID && list[i].attempt == m.Attempt {
			return i
		}
	}
	return -1
}
