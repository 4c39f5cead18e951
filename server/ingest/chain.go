package ingest

import (
	"fmt"

	"monban/firmware/access"
	"monban/firmware/link"
	"monban/firmware/wire"
	"monban/server/entrylog"
	"monban/server/review"
)

// forked reports whether an epoch's chain has forked before, from memory when it is known.
func (p *Pipeline) forked(past Past, key chain) (bool, error) {
	p.mu.Lock()
	forked, known := p.forks[key]
	p.mu.Unlock()
	if known {
		return forked, nil
	}
	forked, err := past.ForkedAt(string(key.gateway), key.epoch)
	if err != nil {
		return false, err
	}
	p.remember(key, forked)
	return forked, nil
}

// remember notes what is known of an epoch; a fork is never forgotten.
func (p *Pipeline) remember(key chain, forked bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forks[key] = p.forks[key] || forked
}

// fork keeps the records of the batch from number from on in quarantine, overwrites nothing, and ends
// acknowledging this epoch: two outboxes count with the same numbers, which a copied SD card does.
func (b *batch) fork(from int) error {
	for i := range b.records[from:] {
		if err := b.quarantine(&b.records[from+i]); err != nil {
			return err
		}
	}
	b.forked = true
	b.tx.AfterCommit(func() { b.p.remember(b.key, true) })
	return b.find(review.ChainFork, review.NoCause, b.records[from].body.Seq)
}

// quarantine keeps a record that cannot be part of the chain, once (D20): it counts as found.
func (b *batch) quarantine(r *parsed) error {
	kept, err := b.tx.Quarantined(b.gw, b.key.epoch, r.body.Seq, r.wired.Body)
	if err != nil || kept {
		return err
	}
	var o *entrylog.Opening
	if len(r.wired.Private) > 0 {
		o = &entrylog.Opening{Private: r.wired.Private, PrivateSalt: r.wired.Salt}
	}
	_, err = b.tx.AppendQuarantine(b.gw, b.key.epoch, r.body.Seq, r.wired.Body, b.nowMS, o)
	if err != nil {
		return fmt.Errorf("quarantine record %d: %w", r.body.Seq, err)
	}
	return nil
}

// stuckAfter: a batch that still begins after the same missing record this long, ms, is no longer a
// batch that overtook another. A gateway repeats from the watermark after 1 s, doubling to 30 s.
const stuckAfter = 60_000

// hole is a place at which batches begin too late.
type hole struct {
	seq     uint64 // watermark before it
	sinceMS int64
}

// gap deals with a batch that begins later than the watermark seq. Mostly the batch before it was
// lost on the way and comes again: nothing is logged and nothing beyond seq is acknowledged. When the
// gateway has said in its hello that it has no older record, the missing ones are lost for good: that
// is logged, found, and the chain goes on. When it has not and stays stuck, it is found all the same.
func (b *batch) gap(seq uint64) (missing bool, err error) {
	b.p.mu.Lock()
	tail, at := b.p.tails[b.key], b.p.holes[b.key]
	if at.seq != seq || at.sinceMS == 0 { // may be set although this run is rolled back: then it is set again
		at = hole{seq: seq, sinceMS: b.nowMS}
		b.p.holes[b.key] = at
	}
	b.p.mu.Unlock()
	if b.ev.First != tail {
		if b.nowMS-at.sinceMS < stuckAfter {
			return true, nil
		}
		return true, b.find(review.SequenceGap, review.NoCause, seq+1)
	}
	idx, err := b.tx.AppendGap(b.gw, b.key.epoch, b.ev.First-1, entrylog.Hash(b.ev.Prev), b.nowMS)
	if err != nil {
		return false, err
	}
	return false, b.find(review.SequenceGap, idx, seq+1)
}

// Greet says how far a gateway's records are logged, for the welcome, and remembers where its outbox
// begins. What the hello shows of rollbacks and forks is package link's to notice (Report).
func (p *Pipeline) Greet(past interface {
	Past
	Chain(gateway string, epoch [16]byte) (uint64, entrylog.Hash, error)
}, h *wire.Hello) (Result, error) {
	key := chain{h.Gateway, h.Epoch}
	seq, hash, err := past.Chain(string(h.Gateway), h.Epoch)
	if err != nil {
		return Result{}, err
	}
	forked, err := p.forked(past, key)
	if err != nil {
		return Result{}, err
	}
	p.mu.Lock()
	p.tails[key] = h.Tail
	p.mu.Unlock()
	return Result{Gateway: h.Gateway, Epoch: h.Epoch, Seq: seq, Hash: wire.Hash(hash), Forked: forked}, nil
}

// Report logs what the protocol's machine noticed about a gateway: its outbox went back, forked, or
// runs twice. seq is the record at which it shows. The same is told once while it is open.
func (p *Pipeline) Report(tx Tx, gw access.GatewayID, kind link.FindingKind, epoch wire.Epoch, seq uint64, nowMS int64) error {
	var f review.Finding
	switch kind {
	case link.FindingRollback:
		f = review.New(review.GatewayRolledBack, review.NoCause)
	case link.FindingClone:
		f = review.New(review.GatewayCloned, review.NoCause)
	case link.FindingFork:
		f = review.New(review.ChainFork, review.NoCause)
		tx.AfterCommit(func() { p.remember(chain{gw, epoch}, true) })
	default:
		return fmt.Errorf("BUG: unknown finding %q", kind)
	}
	return findOnce(tx, f, gw, review.Place(epoch, seq), nowMS)
}

// Forget drops what memory holds of a gateway that was removed.
func (p *Pipeline) Forget(gw access.GatewayID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key := range p.tails {
		if key.gateway == gw {
			delete(p.tails, key)
		}
	}
	for key := range p.holes {
		if key.gateway == gw {
			delete(p.holes, key)
		}
	}
	for key := range p.forks {
		if key.gateway == gw {
			delete(p.forks, key)
		}
	}
}
