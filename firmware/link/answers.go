package link

import "monban/firmware/wire"

// remembered is how many asks of one gateway the server's machine knows again: many times what can
// be outstanding, so that a repeated ask of the last seconds is always met with the same bytes.
const remembered = 256

// answers is the server's memory of asks.
type answers struct {
	by   map[wire.AskID]*answered
	ring [remembered]wire.AskID
	next int
}

// answered is one ask; message is nil until it is decided.
type answered struct {
	ask     wire.Ask
	message []byte
}

func (a *answers) add(ask *wire.Ask) {
	if a.by == nil {
		a.by = make(map[wire.AskID]*answered, remembered)
	}
	delete(a.by, a.ring[a.next])
	a.ring[a.next] = ask.ID
	a.next = (a.next + 1) % remembered
	a.by[ask.ID] = &answered{ask: *ask}
}

func (a *answers) forget(id wire.AskID) {
	if e := a.by[id]; e != nil && e.message == nil {
		delete(a.by, id)
	}
}

// ask lets a new ask be decided; one that is being decided waits; one that was is answered with the
// same bytes.
func (s *Server) ask(m *wire.Ask) {
	switch e := s.asks.by[m.ID]; {
	case e == nil:
		s.asks.add(m)
		s.do(Decide{Ask: *m})
	case e.ask.Attempt != m.Attempt:
		s.do(Rejected{Kind: wire.KindAsk, Why: WhyStale})
	case e.message != nil:
		s.send(wire.KindAnswer, e.message)
	}
}

// decided signs and sends an answer. Its decision is committed (I1); if the machine has forgotten
// the ask meanwhile, the gateway has long stopped waiting.
func (s *Server) decided(a wire.Answer) {
	e := s.asks.by[a.ID]
	if e == nil || e.message != nil || e.ask.Attempt != a.Attempt {
		s.do(Rejected{Kind: wire.KindAnswer, Why: WhyStale})
		return
	}
	a.Gateway = s.cfg.Gateway
	if msg, ok := s.publish(wire.KindAnswer, wire.AppendAnswer(nil, &a)); ok {
		e.message = msg
	}
}
