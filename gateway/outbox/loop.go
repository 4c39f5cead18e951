package outbox

import (
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"monban/firmware/access"
	"monban/firmware/wire"
)

// work commits one group of queued operations or does one step of trimming. It reports whether there
// may be more to do.
func (o *Outbox) work() bool {
	if o.drain() {
		return true
	}
	return !o.isLatched() && o.trim()
}

// drain commits one group of queued operations; false = nothing was queued.
func (o *Outbox) drain() bool {
	o.queueMu.Lock()
	n := min(len(o.queue), batchLimit)
	ops := append([]op(nil), o.queue[:n]...)
	o.queue = append(o.queue[:0:0], o.queue[n:]...)
	o.queueMu.Unlock()
	if n == 0 {
		return false
	}
	if o.isLatched() {
		refuse(ops, ErrLatched) // fail secure: nothing moves for a record that cannot be kept
		return true
	}
	o.commit(ops)
	return true
}

// commit does ops in one transaction. Results are reported only after it has returned (I1): crash
// point 7 lies before the commit, 8 between the commit and the reports.
func (o *Outbox) commit(ops []op) {
	p := o.plan()
	results := make([]Result, len(ops))
	for i, q := range ops {
		results[i] = o.add(&p, q)
	}
	if o.isLatched() { // an operation of this group has told of damage
		refuse(ops, ErrLatched)
		return
	}
	if !p.empty() {
		if err := o.write(p.store); err != nil {
			o.latch(err)
			err = fmt.Errorf("%w: %w", ErrLatched, err)
			for i := range results {
				if results[i].Err == nil {
					results[i] = Result{Err: err} // unknown, so: not durable
				}
			}
		} else {
			o.publish(p)
		}
	}
	for i, q := range ops {
		q.answer(results[i])
	}
}

// add works one operation into the plan.
func (o *Outbox) add(p *plan, q op) Result {
	switch q.kind {
	case opAppend:
		if o.full() {
			return Result{Err: ErrFull}
		}
		res, err := p.append(q.entry.Record, q.entry.Private)
		if err != nil {
			return Result{Err: fmt.Errorf("append record: %w", err)}
		}
		p.pin(q.entry.PIN)
		return res
	case opAck:
		i := o.find(q.epoch)
		if i < 0 {
			return Result{Err: fmt.Errorf("ack of epoch %x: %w", q.epoch, ErrUnknown)}
		}
		if q.seq <= p.epochs[i].acked {
			return Result{}
		}
		hash, err := o.HashAt(q.epoch, q.seq)
		if err != nil {
			return Result{Err: fmt.Errorf("ack of record %d: %w", q.seq, err)}
		}
		if hash != q.hash {
			return Result{Err: fmt.Errorf("ack of record %d: %w", q.seq, ErrFork)}
		}
		p.ack(i, q.seq, hash)
		if i == len(p.epochs)-1 {
			o.recalled = false
		}
		return Result{}
	case opTrusted:
		if q.back && q.wall > 0 || q.wall > max(o.Trusted(), int64(p.state[keyTrusted])) {
			p.state[keyTrusted] = uint64(q.wall)
		}
		return Result{}
	case opResetPINs:
		if q.wall > max(o.PINReset(), int64(p.state[keyPINReset])) {
			p.state[keyPINReset] = uint64(q.wall)
			for _, u := range q.pins {
				p.pin(u)
			}
		}
		return Result{}
	case opNewEpoch:
		i := sendingOf(p.epochs) // the one that the server was told of; it may be older than the present one
		p.epochs[i].aside = true
		p.dirty[i] = true
		return Result{Err: p.mint(q.why)}
	case opRecall:
		if o.recalled {
			return Result{}
		}
		o.recalled = true
		p.recall()
		return Result{}
	case opSuspect:
		o.latch(errRow)
		return Result{}
	default:
		panic(fmt.Sprintf("BUG: outbox operation %d", q.kind))
	}
}

// find is the index of an epoch, -1 if it is not kept. Only Run's goroutine calls it.
func (o *Outbox) find(epoch wire.Epoch) int {
	for i, e := range o.epochs {
		if e.epoch == epoch {
			return i
		}
	}
	return -1
}

func (o *Outbox) full() bool {
	o.stateMu.RLock()
	defer o.stateMu.RUnlock()
	return o.used >= o.limit()
}

// write runs one transaction, wrapped by the configured hook.
func (o *Outbox) write(fn func(*bbolt.Tx) error) error {
	o.dbMu.RLock()
	defer o.dbMu.RUnlock()
	if o.db == nil {
		return ErrClosed
	}
	return guard(func() error {
		return o.cfg.Commit(func() error { return o.db.Update(fn) })
	})
}

// latch refuses everything until the file has been closed, scanned and reopened: after a failed
// write or fsync the next commit would succeed as if nothing had happened, on a file whose content
// nobody knows.
func (o *Outbox) latch(err error) {
	o.stateMu.Lock()
	was := o.latched
	o.latched = true
	o.stateMu.Unlock()
	if !was {
		o.cfg.Log.Error("outbox latched", "err", err)
		o.notify(Notice{Kind: NoticeLatched, Err: err})
		o.tellChanged()
	}
}

func (q op) answer(r Result) {
	if q.kind == opAppend && q.entry.Done != nil {
		q.entry.Done(r)
	}
	if q.kind != opAppend && q.done != nil {
		q.done(r.Err)
	}
}

func refuse(ops []op, err error) {
	for _, q := range ops {
		q.answer(Result{Err: err})
	}
}

// trim deletes up to trimStep acknowledged records that are over a limit: their number, their age,
// or, before anything is refused, the size of the file. Unacknowledged records are never deleted,
// but those of an epoch put aside count as acknowledged. It reports whether it deleted any.
func (o *Outbox) trim() bool {
	p := o.plan()
	over := o.excess()
	now := time.Time{}
	stamp := o.cfg.Stamp()
	aged := stamp.Quality >= access.ClockRTC && time.Now().After(o.nextAge)
	if over == 0 && !aged {
		return false
	}
	if aged {
		now = time.UnixMilli(stamp.WallMS)
	}
	err := o.planTrim(&p, over, now)
	if err != nil {
		if !errors.Is(err, ErrClosed) {
			o.latch(err)
		}
		return false
	}
	if p.empty() {
		o.nextAge = time.Now().Add(agePause)
		return false
	}
	if err := o.write(p.store); err != nil {
		o.latch(err)
		return false
	}
	o.publish(p)
	return true
}

// excess is how many acknowledged records are over the limits of number and size.
func (o *Outbox) excess() uint64 {
	o.stateMu.RLock()
	defer o.stateMu.RUnlock()
	var acked uint64
	for _, e := range o.epochs {
		acked += e.deletable()
	}
	over := uint64(0)
	if acked > o.cfg.KeepAcked {
		over = acked - o.cfg.KeepAcked
	}
	if o.used > o.limit()/4*3 {
		over = max(over, min(acked, trimStep))
	}
	return over
}

// deletable is the number of records of the epoch that may go.
func (e epochRow) deletable() uint64 {
	if e.aside {
		return e.head + 1 - e.tail
	}
	return e.acked + 1 - e.tail
}

// planTrim plans the deletion of the oldest records: over of them whatever their age, and those older
// than the limit at now, unless now is zero.
func (o *Outbox) planTrim(p *plan, over uint64, now time.Time) error {
	for i := 0; i < len(p.epochs); i++ {
		e := &p.epochs[i]
		last := e.tail + e.deletable() // first that stays
		for e.tail < last && len(p.gone) < trimStep {
			r, err := o.row(e.origin, e.tail)
			if err != nil {
				return err
			}
			old := !now.IsZero() && r.wallMS() != 0 && now.Sub(time.UnixMilli(r.wallMS())) > o.cfg.KeepFor
			if uint64(len(p.gone)) >= over && !old {
				return nil
			}
			p.gone = append(p.gone, savedRow{epoch: e.epoch, seq: r.rec.Seq})
			p.dirty[i] = true
			e.tail, e.tailPrev = r.rec.Seq+1, r.hash
			if e.aside && e.acked < r.rec.Seq {
				e.acked, e.ackedHash = r.rec.Seq, r.hash
			}
		}
		if e.tail <= e.head || i == len(p.epochs)-1 {
			return nil
		}
		// An older epoch whose records are all gone vanishes whole.
		p.drop = append(p.drop, *e)
		p.epochs = append(p.epochs[:i:i], p.epochs[i+1:]...)
		p.dirty = shift(p.dirty, i)
		i--
	}
	return nil
}

// shift renumbers the dirty set after epoch i has left.
func shift(dirty map[int]bool, i int) map[int]bool {
	out := map[int]bool{}
	for k := range dirty {
		if k < i {
			out[k] = true
		} else if k > i {
			out[k-1] = true
		}
	}
	return out
}
