package link

import (
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/mono"
	"monban/firmware/wire"
)

// session is the gateway's connection, greeting and lease.
type session struct {
	connected bool
	welcomed  bool // the server's watermark is known on this connection
	asked     bool // a hello is out whose welcome has not come
	hello     backoff
	serverMS  int64 // the newest server time of a welcome or lease

	beatAt mono.Time
	beats  []beat // heartbeats whose lease may still come, oldest first

	linked bool      // LinkUp was given and not LinkLost
	until  mono.Time // end of the lease
	sent   mono.Time // when the heartbeat of the lease was sent
	rules  uint64    // versions named by the lease
	modes  uint64
	state  uint64
}

// beat is one heartbeat under way.
type beat struct {
	challenge wire.Challenge
	sent      mono.Time
}

func (s *session) leased(now mono.Time) bool { return now.Before(s.until) }

func (g *Gateway) connected() {
	s := &g.session
	s.connected, s.welcomed, s.asked = true, false, false
	s.beatAt = g.now
	s.hello = backoff{at: g.now}
	g.pump.stop()
	g.pump.halted = false // a fork is found again if it is still there
	g.pullReset()
}

func (g *Gateway) disconnected() {
	s := &g.session
	s.connected, s.welcomed, s.asked = false, false, false
	g.pump.stop()
	for _, a := range g.asks.open { // each still has a lease and no answer (D8)
		g.failAsk(a, AskDisconnected)
	}
	g.asks.open = nil
}

// dueHello greets until welcomed. The first hello goes out at once.
func (g *Gateway) dueHello() {
	s := &g.session
	if s.welcomed || !g.pump.known || g.now.Before(s.hello.at) {
		return
	}
	if s.hello.wait == 0 {
		s.hello.start(g.now, helloFirst, g.dice)
	} else {
		s.hello.again(g.now, helloMost, g.dice)
	}
	g.sendHello()
}

func (g *Gateway) sendHello() {
	o := &g.pump.box
	m := wire.Hello{
		Gateway: g.cfg.ID, Epoch: o.Epoch, Tail: o.Tail, Head: o.Head, HeadHash: o.HeadHash, Acked: o.Acked,
		Stamp: g.stamp, Rules: g.pull.held.Parts[0].Version, Modes: g.pull.held.Parts[1].Version,
		State: g.pull.held.Parts[2].Version, Software: g.cfg.Software,
	}
	if _, ok := g.publish(wire.KindHello, wire.AppendHello(nil, &m)); ok {
		g.session.asked = true
	}
}

func (g *Gateway) welcome(w *wire.Welcome) {
	s := &g.session
	// A restarted server may greet unasked; a repeated old welcome must not send us back again and again.
	wanted := s.asked || w.ServerMS > s.serverMS
	if !s.connected || !wanted || w.Boot != g.cfg.Boot || w.Epoch != g.pump.box.Epoch {
		g.do(Rejected{Kind: wire.KindWelcome, Why: WhyStale})
		return
	}
	s.asked, s.welcomed = false, true
	s.serverMS = max(s.serverMS, w.ServerMS)
	g.adopt(w.Watermark, w.Hash, "", true)
}

// learnKeys follows a newer keys note. The root's signature on the note is enough: a hostile broker
// can at most show us a note that the root did sign, and never an older one. While the root is changed, the
// next one's signature counts too, and with it the old root has had its day.
func (g *Gateway) learnKeys(payload []byte) {
	if g.cfg.Root == nil {
		return
	}
	text, err := wire.KeysInWelcome(g.cfg.Site, g.cfg.ID, payload)
	if err != nil || text == "" {
		return // a malformed welcome is counted when it is opened
	}
	root := g.cfg.Root
	keys, err := wire.OpenKeys(root, g.cfg.Site, text)
	if err != nil && g.cfg.Next != nil {
		root = g.cfg.Next
		keys, err = wire.OpenKeys(root, g.cfg.Site, text)
	}
	if err != nil {
		g.do(Rejected{Kind: wire.KindWelcome, Why: WhyKeys})
		return
	}
	if keys.Version == g.keys {
		return
	}
	verifiers, err := keys.Verifiers()
	next, nextErr := NextRoot(&keys)
	if err != nil || nextErr != nil || keys.Version < g.keys {
		g.do(Rejected{Kind: wire.KindWelcome, Why: WhyKeys})
		return
	}
	g.keys, g.cfg.Verifiers, g.cfg.Root, g.cfg.Next = keys.Version, verifiers, root, next
	g.do(KeysChanged{Note: text, Keys: keys})
}

// NextRoot is the verifier of the root that a keys note announces, nil for none.
func NextRoot(k *wire.Keys) (note.Verifier, error) {
	if k.NextRoot == "" {
		return nil, nil
	}
	return note.NewVerifier(k.NextRoot)
}

// dueHeartbeat sends one heartbeat a second.
func (g *Gateway) dueHeartbeat() {
	s := &g.session
	if !g.pump.known || g.now.Before(s.beatAt) {
		return
	}
	if s.beatAt = s.beatAt.Add(HeartbeatEvery); !s.beatAt.After(g.now) { // we were late: no burst
		s.beatAt = g.now.Add(HeartbeatEvery)
	}
	b := beat{sent: g.now}
	if !g.dice.fill(b.challenge[:]) { // no lease without a fresh challenge: the link is lost in 3 s
		g.do(Rejected{Kind: wire.KindHeartbeat, Why: WhyRandom})
		return
	}
	o := &g.pump.box
	m := wire.Heartbeat{
		Gateway: g.cfg.ID, Challenge: b.challenge, Stamp: g.stamp, Epoch: o.Epoch, Head: o.Head, Acked: o.Acked,
		Rules: g.pull.held.Parts[0].Version, Modes: g.pull.held.Parts[1].Version,
		State: g.pull.held.Parts[2].Version, Doors: g.doors, Pending: o.Pending, Keys: g.kept, Power: g.power,
	}
	if _, ok := g.publish(wire.KindHeartbeat, wire.AppendHeartbeat(nil, &m)); !ok {
		return
	}
	g.commands.issue(g.now, b)
	s.beats = append(s.beats, b)
	for len(s.beats) > 0 && !g.now.Before(s.beats[0].sent.Add(LeaseTime)) {
		s.beats = s.beats[1:] // its lease would be over on arrival
	}
}

// lease takes a lease for one of our own heartbeats. It holds from when that was SENT, so whoever
// delays a lease extends nothing (I5).
func (g *Gateway) lease(l *wire.Lease) {
	s := &g.session
	i := 0
	for i < len(s.beats) && s.beats[i].challenge != l.Challenge {
		i++
	}
	if i == len(s.beats) {
		g.do(Rejected{Kind: wire.KindLease, Why: WhyStale})
		return
	}
	sent := s.beats[i].sent
	s.beats = s.beats[i+1:] // older ones could only shorten what we now hold
	until := sent.Add(min(time.Duration(l.TTLMS)*time.Millisecond, LeaseTime))
	if !g.now.Before(until) {
		g.do(Rejected{Kind: wire.KindLease, Why: WhyStale})
		return
	}
	s.until, s.sent = until, sent
	s.rules, s.modes, s.state = l.Rules, l.Modes, l.State
	s.serverMS = max(s.serverMS, l.ServerMS)
	// The clock first: whoever hears of the lease reckons the age of the policy by it (D12).
	g.do(ServerTime{ServerMS: l.ServerMS, Sent: sent, At: g.now})
	if !s.linked {
		s.linked = true
		g.do(LinkUp{})
	}
	g.do(Lease{Until: until, Rules: l.Rules, Modes: l.Modes, State: l.State})
}
