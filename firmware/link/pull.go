package link

import (
	"bytes"
	"crypto/sha256"

	"monban/firmware/access"
	"monban/firmware/wire"
)

// pullPhase is how far the fetching of a policy is.
type pullPhase uint8

const (
	pullIdle     pullPhase = iota
	pullManifest           // the manifest is asked for
	pullChunks             // chunks are asked for
	pullStoring            // the shell makes the policy durable
)

// pull fetches policies: a lease names newer versions than are held, then the manifest, then the
// chunks it names, then every hash is checked and the shell takes over.
type pull struct {
	held  PolicyHeld
	phase pullPhase
	retry backoff

	note   []byte
	target wire.Manifest
	have   map[wire.Hash][]byte // chunks of target that have come
	asked  map[wire.Hash]bool   // chunks under way

	whole uint64 // version of a target that came to nothing: it is fetched whole, without deltas
}

// pullReset gives up what was asked for on another connection; chunks that came are kept.
func (g *Gateway) pullReset() {
	p := &g.pull
	if p.phase == pullStoring {
		return
	}
	p.retry.at = g.now
	p.asked = nil
}

// policyHeld takes what is in force, at the start and after each attempt to store.
func (g *Gateway) policyHeld(h PolicyHeld) {
	p := &g.pull
	failed := p.phase == pullStoring && h.Manifest < p.target.Version
	if failed { // whatever it was: the next try does without deltas
		p.whole = p.target.Version
	}
	p.held = h
	if p.phase == pullStoring || p.target.Version <= h.Manifest {
		g.pullDone()
		p.retry = backoff{}
	}
	if failed {
		p.retry.start(g.now, pullMost, g.dice)
	}
}

func (g *Gateway) pullDone() {
	p := &g.pull
	*p = pull{held: p.held, retry: p.retry, whole: p.whole}
}

// behind reports whether the lease names a part that is newer than what is held.
func (g *Gateway) behind() bool {
	s, h := &g.session, &g.pull.held
	return s.leased(g.now) &&
		(s.rules > h.Parts[0].Version || s.modes > h.Parts[1].Version || s.state > h.Parts[2].Version)
}

// duePull asks for the manifest or for chunks, and again when nothing came.
func (g *Gateway) duePull() {
	p := &g.pull
	switch {
	case p.phase == pullIdle:
		if !g.behind() || g.now.Before(p.retry.at) {
			return
		}
		p.phase = pullManifest
		p.retry.start(g.now, pullFirst, g.dice)
		g.want(nil)
	case g.now.Before(p.retry.at):
	case p.phase == pullStoring: // the shell never answered: begin again
		g.pullDone()
	case p.phase == pullManifest:
		if !g.behind() {
			g.pullDone()
			return
		}
		p.retry.again(g.now, pullMost, g.dice)
		g.want(nil)
	case p.phase == pullChunks:
		p.asked = nil
		p.whole = p.target.Version // chunks of a delta may not be had any more; those of a part can
		p.retry.again(g.now, pullMost, g.dice)
		g.wantChunks()
	}
}

func (g *Gateway) want(chunks []wire.Hash) {
	h := &g.pull.held
	m := wire.Want{
		Gateway: g.cfg.ID, Rules: h.Parts[0].Version, Modes: h.Parts[1].Version, State: h.Parts[2].Version, Chunks: chunks,
	}
	g.publish(wire.KindWant, wire.AppendWant(nil, &m))
}

// manifest takes a signed manifest, asked for or pushed. A version never falls, of the whole or of a
// part: an old manifest is signed too, and a broker may keep it.
func (g *Gateway) manifest(noteBytes []byte, m *wire.Manifest) {
	p := &g.pull
	if m.Version < p.held.Manifest {
		g.do(Rejected{Kind: wire.KindPolicy, Why: WhyWayBack})
		return
	}
	for i := range p.held.Parts {
		if m.Parts[i].Version < p.held.Parts[i].Version {
			g.do(Rejected{Kind: wire.KindPolicy, Why: WhyWayBack})
			return
		}
	}
	if p.phase == pullStoring || m.Version == p.held.Manifest || m.Version <= p.target.Version {
		g.do(Rejected{Kind: wire.KindPolicy, Why: WhyStale})
		return
	}
	before := p.have
	p.note, p.target, p.phase = bytes.Clone(noteBytes), *m, pullChunks
	p.have, p.asked = map[wire.Hash][]byte{}, nil
	for i := range m.Parts {
		if p.reuse(i) != nil {
			continue
		}
		for _, h := range g.needs(i) {
			if b, ok := before[h]; ok {
				p.have[h] = b
			}
		}
	}
	p.retry.start(g.now, pullFirst, g.dice)
	if g.session.connected {
		g.wantChunks()
	}
}

// reuse gives the held bytes of part i when the new manifest does not change them; nil when it does
// or they are not at hand.
func (p *pull) reuse(i int) []byte {
	h := &p.held.Parts[i]
	if h.Data == nil || h.Sum != p.target.Parts[i].Sum || uint64(len(h.Data)) != p.target.Parts[i].Bytes {
		return nil
	}
	return h.Data
}

// base gives the held bytes of part i when the new manifest has a delta from them; nil when it has
// none, or when deltas of this manifest led nowhere before.
func (g *Gateway) base(i int) []byte {
	p := &g.pull
	h, d := &p.held.Parts[i], &p.target.Parts[i].Delta
	if !g.cfg.Deltas || d.Bytes == 0 || h.Data == nil || h.Sum != d.From || p.whole == p.target.Version {
		return nil
	}
	return h.Data
}

// needs lists the chunks that make part i: those of its delta, or its own.
func (g *Gateway) needs(i int) []wire.Hash {
	if g.base(i) != nil {
		return g.pull.target.Parts[i].Delta.Chunks
	}
	return g.pull.target.Parts[i].Chunks
}

// wantChunks asks for the next missing chunks, or finishes when none is missing.
func (g *Gateway) wantChunks() {
	p := &g.pull
	if len(p.asked) > 0 {
		return
	}
	var list []wire.Hash
	asked := map[wire.Hash]bool{}
	for i := range p.target.Parts {
		if p.reuse(i) != nil {
			continue
		}
		for _, h := range g.needs(i) {
			if _, ok := p.have[h]; ok || asked[h] {
				continue
			}
			if len(list) == wire.MaxWantChunks {
				break
			}
			list = append(list, h)
			asked[h] = true
		}
	}
	if len(list) == 0 {
		g.assemble()
		return
	}
	p.asked = asked
	g.want(list)
}

// chunk takes unsigned bytes: their hash is what counts. Only chunks that are under way are kept, so
// nobody fills the memory.
func (g *Gateway) chunk(payload []byte) {
	p := &g.pull
	if len(payload) > wire.MaxChunk || len(p.asked) == 0 {
		g.do(Rejected{Kind: wire.KindChunk, Why: WhyUnknownChunk})
		return
	}
	h := wire.Hash(sha256.Sum256(payload))
	if !p.asked[h] {
		g.do(Rejected{Kind: wire.KindChunk, Why: WhyUnknownChunk})
		return
	}
	delete(p.asked, h)
	p.have[h] = payload
	p.retry.start(g.now, pullFirst, g.dice)
	if len(p.asked) == 0 {
		g.wantChunks()
	}
}

// assemble joins the chunks, checks each part's sum and hands the policy over. A delta is applied by
// the shell, off this goroutine: with 100,000 cards that is no work between two asks.
func (g *Gateway) assemble() {
	p := &g.pull
	ready := PolicyReady{Note: p.note, Manifest: p.target}
	for i := range p.target.Parts {
		part := &p.target.Parts[i]
		data := p.reuse(i)
		if base := g.base(i); data == nil && base != nil {
			ready.Bases[i], ready.Deltas[i] = base, p.join(part.Delta.Chunks, part.Delta.Bytes)
			continue
		}
		if data == nil {
			data = p.join(part.Chunks, part.Bytes)
		}
		if uint64(len(data)) != part.Bytes || wire.Hash(sha256.Sum256(data)) != part.Sum {
			// A signed manifest whose chunks do not make its sum: drop it and ask again later.
			g.do(Rejected{Kind: wire.KindPolicy, Why: WhyDamaged})
			g.pullDone()
			p.retry.start(g.now, pullMost, g.dice)
			return
		}
		ready.Parts[i] = data
	}
	p.phase = pullStoring
	p.have, p.asked = nil, nil
	p.retry = backoff{wait: storeMost, at: g.now.Add(storeMost)}
	g.do(ready)
}

// join puts chunks together.
func (p *pull) join(chunks []wire.Hash, size uint64) []byte {
	var whole bytes.Buffer
	whole.Grow(int(size))
	for _, h := range chunks {
		whole.Write(p.have[h])
	}
	return whole.Bytes()
}

// Assemble gives the three whole parts, in the order of wire.PartNames. An error means that a delta
// led nowhere: answer with the PolicyHeld that still counts, and the machine fetches the whole.
func (r *PolicyReady) Assemble() ([3][]byte, error) {
	parts := r.Parts
	for i, delta := range r.Deltas {
		if delta == nil {
			continue
		}
		whole, err := access.ApplyDelta(r.Bases[i], delta)
		if err != nil {
			return parts, err
		}
		if part := &r.Manifest.Parts[i]; uint64(len(whole)) != part.Bytes || wire.Hash(sha256.Sum256(whole)) != part.Sum {
			return parts, access.ErrDelta
		}
		parts[i] = whole
	}
	return parts, nil
}
