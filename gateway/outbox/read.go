package outbox

import (
	"bytes"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"monban/firmware/wire"
)

// Load reads records of epoch from seq first on for one batch: at most max, and never more than a
// batch may hold. Each is checked against the chain again. An empty batch with a nil error
// cannot happen: ErrUnknown says that first is not kept.
func (o *Outbox) Load(epoch wire.Epoch, first uint64, max int) (wire.Events, error) {
	ev := wire.Events{Gateway: o.cfg.Gateway, Epoch: epoch, First: first}
	max = min(max, wire.MaxBatchRecords)
	size := 0
	of, prev, err := o.before(epoch, first)
	if err != nil {
		return wire.Events{}, fmt.Errorf("load records from %d: %w", first, err)
	}
	err = o.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket(recordsBucket(epoch))
		if b == nil {
			return ErrUnknown
		}
		cur := b.Cursor()
		c := chain{next: first, prev: prev}
		ev.Prev = prev
		for k, v := cur.Seek(seqKey(first)); k != nil && len(ev.Records) < max; k, v = cur.Next() {
			if len(ev.Records) == 0 && !bytes.Equal(k, seqKey(first)) {
				return ErrUnknown
			}
			r, err := parseRow(of, k, v)
			if err != nil {
				return err
			}
			if err := c.accept(r); err != nil {
				return err
			}
			carried := wire.Carried{Body: r.body, Private: r.private, Salt: r.salt}
			if size += wire.CarriedSize(&carried); size > wire.BatchRoom && len(ev.Records) > 0 {
				return nil
			}
			ev.Head = r.hash
			ev.Records = append(ev.Records, wire.Carried{ // copies: the row's memory is the mapped file's
				Body: r.body, Private: bytes.Clone(r.private), Salt: bytes.Clone(r.salt),
			})
		}
		if len(ev.Records) == 0 {
			return ErrUnknown
		}
		return nil
	})
	if err != nil {
		return wire.Events{}, fmt.Errorf("load records from %d: %w", first, err)
	}
	o.noteAgain(epoch, first)
	return ev, nil
}

// before is what Load needs to check and send the record at first: what its epoch's rows share, and the chain hash
// in front of it.
func (o *Outbox) before(epoch wire.Epoch, first uint64) (origin, wire.Hash, error) {
	o.stateMu.RLock()
	i := o.find(epoch)
	var of origin
	if i >= 0 {
		of = o.epochs[i].origin
	}
	o.stateMu.RUnlock()
	if i < 0 || first == 0 {
		return origin{}, wire.Hash{}, ErrUnknown
	}
	prev, err := o.HashAt(epoch, first-1)
	return of, prev, err
}

// noteAgain recalls older epochs when a record of the present one is asked for that was acknowledged: by its
// signed welcome the server knows less than it did, so it was restored (D22).
func (o *Outbox) noteAgain(epoch wire.Epoch, first uint64) {
	o.stateMu.RLock()
	n := len(o.epochs)
	again := n > 1 && o.epochs[n-1].epoch == epoch && first <= o.epochs[n-1].acked
	o.stateMu.RUnlock()
	if again {
		o.pushOr(op{kind: opRecall})
	}
}

// HashAt is the chain hash of epoch at seq: the zero hash at 0. It is known for every kept record and
// for the one before the first.
func (o *Outbox) HashAt(epoch wire.Epoch, seq uint64) (wire.Hash, error) {
	o.stateMu.RLock()
	i := o.find(epoch)
	var e epochRow
	if i >= 0 {
		e = o.epochs[i]
	}
	o.stateMu.RUnlock()
	switch {
	case i < 0 || seq > e.head || seq+1 < e.tail:
		return wire.Hash{}, fmt.Errorf("hash at %d: %w", seq, ErrUnknown)
	case seq+1 == e.tail:
		return e.tailPrev, nil
	case seq == e.head:
		return e.headHash, nil
	}
	r, err := o.row(e.origin, seq)
	if err != nil {
		return wire.Hash{}, fmt.Errorf("hash at %d: %w", seq, err)
	}
	return r.hash, nil
}

// row reads one row; its slices are not valid afterwards and are cleared.
func (o *Outbox) row(of origin, seq uint64) (row, error) {
	var r row
	err := o.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket(recordsBucket(of.epoch))
		if b == nil {
			return ErrUnknown
		}
		v := b.Get(seqKey(seq))
		if v == nil {
			return ErrUnknown
		}
		var err error
		r, err = parseRow(of, seqKey(seq), v)
		return err
	})
	r.body, r.private, r.salt = nil, nil, nil
	return r, err
}

// view runs one read transaction. Damage that it meets latches the outbox: the file is scanned again
// before anything is appended.
func (o *Outbox) view(fn func(*bbolt.Tx) error) error {
	o.dbMu.RLock()
	defer o.dbMu.RUnlock()
	if o.db == nil {
		return ErrLatched
	}
	err := guard(func() error { return o.db.View(fn) })
	if errors.Is(err, errRow) || errors.Is(err, errFault) {
		o.pushOr(op{kind: opSuspect})
	}
	return err
}
