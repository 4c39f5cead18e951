package link

import (
	"monban/firmware/mono"
	"monban/firmware/wire"
)

// pump sends the outbox's records: at most Window of them beyond what the server is known to have,
// and from there again when nothing moves (go-back-N).
type pump struct {
	known  bool // an OutboxState has come
	box    OutboxState
	halted bool // NewEpoch was asked for; nothing is sent

	// base is the last seq that the server says it has, baseHash the chain hash there by the server.
	// Until proved, our own chain has not been compared with it.
	base     uint64
	baseHash wire.Hash
	proved   bool
	blind    bool // base is not the server's word but where our kept records begin; see adopt

	next   uint64      // next seq to send
	hashes []wire.Hash // of base+1 … next-1

	loading bool
	loadBy  mono.Time
	pause   mono.Time // no Load before; the outbox failed to give records
	resend  backoff   // runs while records are under way
}

// stop forgets everything that holds only for one connection.
func (p *pump) stop() {
	p.base, p.next, p.hashes, p.loading, p.proved, p.blind = 0, 1, nil, false, false, false
	p.resend, p.pause = backoff{}, 0
}

// waiting reports whether records are under way.
func (p *pump) waiting() bool { return p.next > p.base+1 }

// outbox takes the outbox's state. Another epoch needs another greeting.
func (g *Gateway) outbox(o OutboxState) {
	p := &g.pump
	if !p.known || o.Epoch != p.box.Epoch {
		p.stop()
		p.halted = false
		g.session.welcomed, g.session.asked = false, false
		g.session.hello = backoff{at: g.now}
	}
	p.known, p.box = true, o
}

// adopt takes the server's signed word that it has everything up to seq, with this chain hash. A
// welcome may name less than we knew: the server was restored from a backup, and we send again.
func (g *Gateway) adopt(seq uint64, hash wire.Hash, checkpoint string, welcome bool) {
	p := &g.pump
	if p.halted || !g.session.welcomed || !welcome && seq < p.base {
		return
	}
	if seq > p.box.Head {
		g.newEpoch("rollback")
		return
	}
	own, known := p.own(seq)
	if known && own != hash {
		g.newEpoch("fork")
		return
	}
	moved := seq != p.base
	if seq < p.base || seq >= p.next {
		p.next, p.hashes, p.loading = seq+1, nil, false
	} else {
		p.hashes = p.hashes[seq-p.base:]
	}
	p.base, p.baseHash, p.proved, p.blind = seq, hash, known, false
	if welcome && seq+1 < p.box.Tail { // trimmed here and lost there: send what there is, the server names the gap
		p.base, p.next, p.proved, p.blind = p.box.Tail-1, p.box.Tail, false, true
	}
	if moved {
		p.resend = backoff{}
		if p.waiting() {
			p.resend.start(g.now, sendFirst, g.dice)
		}
	}
	if known && seq > 0 && (moved || welcome && seq > p.box.Acked) {
		g.do(Acked{Epoch: p.box.Epoch, Seq: seq, Hash: hash, Checkpoint: checkpoint})
	}
}

// own gives our chain hash at seq, when it is at hand.
func (p *pump) own(seq uint64) (wire.Hash, bool) {
	switch {
	case seq == 0:
		return wire.Hash{}, true
	case seq == p.box.Head:
		return p.box.HeadHash, true
	case p.proved && seq == p.base:
		return p.baseHash, true
	case seq > p.base && seq-p.base <= uint64(len(p.hashes)):
		return p.hashes[seq-p.base-1], true
	}
	return wire.Hash{}, false
}

func (g *Gateway) newEpoch(why string) {
	g.pump.stop()
	g.pump.halted = true
	g.do(NewEpoch{Why: why})
}

func (g *Gateway) ack(a *wire.Ack) {
	if a.Epoch != g.pump.box.Epoch || !g.session.welcomed {
		g.do(Rejected{Kind: wire.KindAck, Why: WhyStale})
		return
	}
	g.adopt(a.Seq, a.Hash, a.Checkpoint, false)
	if a.Proves && g.witness.known {
		g.do(WitnessCheck{Log: g.cfg.Verifiers.For(wire.RoleLog), Checkpoint: a.Checkpoint, Old: a.Old, Proof: a.Proof})
	}
}

// load asks the shell for the next records while the window has room.
func (g *Gateway) load() {
	p := &g.pump
	if p.halted || p.loading || !g.session.connected || !g.session.welcomed || p.next > p.box.Head || g.now.Before(p.pause) {
		return
	}
	under := p.next - 1 - p.base
	if under >= Window {
		return
	}
	n := min(Window-under, wire.MaxBatchRecords, p.box.Head-p.next+1)
	p.loading, p.loadBy = true, g.now.Add(loadMost)
	g.do(Load{Epoch: p.box.Epoch, First: p.next, Max: int(n)})
}

// batch sends loaded records, after comparing our chain with the server's.
func (g *Gateway) batch(m wire.Events) {
	p := &g.pump
	if !p.loading || !g.session.welcomed || len(m.Records) > 0 && (m.Epoch != p.box.Epoch || m.First != p.next) {
		return // for a Load that no longer matters
	}
	p.loading = false
	if len(m.Records) == 0 {
		g.pumpLater()
		return
	}
	hashes, err := m.Chain()
	if err != nil { // never send what does not chain: the outbox itself is damaged
		g.do(Rejected{Kind: wire.KindEvents, Why: WhyDamaged})
		g.pumpLater()
		return
	}
	if !g.follows(m.Prev) {
		return
	}
	m.Gateway = g.cfg.ID
	if _, ok := g.publish(wire.KindEvents, wire.AppendEvents(nil, &m)); !ok {
		g.pumpLater()
		return
	}
	if !p.waiting() {
		p.resend.at = g.now.Add(g.dice.spread(max(p.resend.wait, sendFirst)))
		p.resend.wait = max(p.resend.wait, sendFirst)
	}
	p.next += uint64(len(hashes))
	p.hashes = append(p.hashes, hashes...)
}

// follows compares the hash before the first record of a batch with what the server says it has, or
// with what we sent before it.
func (g *Gateway) follows(prev wire.Hash) bool {
	p := &g.pump
	if p.waiting() || p.proved {
		if own, _ := p.own(p.next - 1); own != prev {
			g.do(Rejected{Kind: wire.KindEvents, Why: WhyDamaged})
			g.pumpLater()
			return false
		}
		return true
	}
	if p.blind {
		p.baseHash, p.proved = prev, true
		return true
	}
	if prev != p.baseHash { // the server has other records under our numbers
		g.newEpoch("fork")
		return false
	}
	p.proved = true
	if p.base > p.box.Acked {
		g.do(Acked{Epoch: p.box.Epoch, Seq: p.base, Hash: p.baseHash})
	}
	return true
}

// pumpLater pauses after the outbox failed to give records.
func (g *Gateway) pumpLater() { g.pump.pause = g.now.Add(g.dice.spread(sendFirst)) }

// duePump goes back when nothing moved, and greets again: the server may have been restored or may
// never have heard of us.
func (g *Gateway) duePump() {
	p := &g.pump
	if p.loading && !g.now.Before(p.loadBy) {
		p.loading = false
	}
	if p.halted || !g.session.welcomed || !p.waiting() || g.now.Before(p.resend.at) {
		return
	}
	p.next, p.hashes, p.loading = p.base+1, nil, false
	p.resend.again(g.now, sendMost, g.dice)
	g.sendHello()
}
