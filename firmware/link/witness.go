package link

import (
	"time"

	"monban/firmware/mono"
	"monban/firmware/wire"
)

// WitnessEvery is how often a gateway asks, as a witness, for a newer checkpoint of the entry log.
const WitnessEvery = 30 * time.Second

// witness is the gateway's part as a witness of the entry log. What it holds survives connections and restarts: it
// comes from the shell's disk.
type witness struct {
	known bool
	held  WitnessHeld
	askAt mono.Time
}

// witnessHeld takes what is on the disk now. What is new is told at once: the sooner the server has the cosignature,
// the smaller is what somebody there could still write anew.
func (g *Gateway) witnessHeld(in WitnessHeld) {
	w := &g.witness
	news := w.known && in != w.held
	w.known, w.held = true, in
	if news && g.session.connected && g.session.welcomed {
		g.sendWitness(false)
	}
}

// dueWitness asks for a newer checkpoint. An answer that is lost is asked for again the next time.
func (g *Gateway) dueWitness() {
	w := &g.witness
	if !w.known || !g.session.welcomed || g.now.Before(w.askAt) {
		return
	}
	w.askAt = g.now.Add(g.dice.spread(WitnessEvery))
	g.sendWitness(true)
}

func (g *Gateway) sendWitness(ask bool) {
	h := &g.witness.held
	g.publish(wire.KindWitness, wire.AppendWitness(nil, &wire.Witness{
		Gateway: g.cfg.ID, Epoch: g.pump.box.Epoch, Key: h.Key, Held: h.Held, Refused: h.Refused, Ask: ask,
	}))
}

// witnessed takes what a gateway says as a witness: the shell keeps it, and answers an Ask with Proof.
func (s *Server) witnessed(w *wire.Witness) { s.do(Witnessed{Witness: *w}) }

// prove answers a witness: an ack that says no more than what is committed anyway, with checkpoint and proof.
func (s *Server) prove(p Proof) {
	m := wire.Ack{
		Gateway: s.cfg.Gateway, Epoch: p.Epoch, Seq: p.Seq, Hash: p.Hash, Checkpoint: p.Checkpoint, Proves: true, Old: p.Old, Proof: p.Proof,
	}
	s.publish(wire.KindAck, wire.AppendAck(nil, &m))
}
