package outbox

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"monban/firmware/door"
	"monban/firmware/wire"
)

// plan is what one transaction will write, worked out before it begins, and the state in memory that
// follows from it. It is published only after the commit.
type plan struct {
	cfg    Config
	epochs []epochRow
	dirty  map[int]bool // indices into epochs
	rows   []savedRow
	state  map[string]uint64 // changed values; 0 deletes
	drop   []epochRow        // epochs that vanish
	gone   []savedRow        // rows that vanish (bytes unused)
	minted bool
}

// savedRow is one row as it lies in the file.
type savedRow struct {
	epoch wire.Epoch
	seq   uint64
	bytes []byte
}

// plan starts from the present state. Only Run's goroutine and open call it.
func (o *Outbox) plan() plan {
	return plan{cfg: o.cfg, epochs: slices.Clone(o.epochs), dirty: map[int]bool{}, state: map[string]uint64{}}
}

func (p *plan) empty() bool {
	return len(p.dirty) == 0 && len(p.rows) == 0 && len(p.state) == 0 && len(p.drop) == 0 && len(p.gone) == 0
}

// append gives rec the next number and adds its row.
func (p *plan) append(rec wire.Record, private []byte) (Result, error) {
	i := len(p.epochs) - 1
	e := &p.epochs[i]
	rec.Gateway, rec.Epoch, rec.Seq, rec.GCommit = e.gateway, e.epoch, e.head+1, wire.Hash{}
	var r row
	if len(private) > 0 {
		var salt [32]byte
		if _, err := io.ReadFull(p.cfg.Rand, salt[:]); err != nil {
			return Result{}, fmt.Errorf("salt: %w", err)
		}
		r.private, r.salt = private, salt[:]
		rec.GCommit = wire.Commit(salt, private)
	}
	r.body = wire.AppendRecord(nil, &rec)
	if len(r.body) > maxBody || len(private) > maxPrivate {
		return Result{}, ErrTooLarge
	}
	// A record the server cannot read would stand in the queue for ever and hold up all after it. One that this
	// file gave back in other words would break the chain.
	r.rec = rec
	r.hash = wire.ChainHash(e.headHash, r.body)
	if _, err := wire.ParseRecord(r.body); err != nil {
		return Result{}, err
	}
	saved := appendRow(nil, r)
	if back, err := parseRow(e.origin, seqKey(rec.Seq), saved); err != nil || !bytes.Equal(back.body, r.body) {
		return Result{}, fmt.Errorf("record %d cannot be stored: %w", rec.Seq, errRow)
	}
	p.rows = append(p.rows, savedRow{epoch: e.epoch, seq: rec.Seq, bytes: saved})
	e.head, e.headHash = rec.Seq, r.hash
	p.dirty[i] = true
	return Result{Epoch: e.epoch, Seq: rec.Seq}, nil
}

func (p *plan) pin(u PINUpdate) {
	if u.Set {
		k := pinKey(u.Key)
		p.state[keyPIN+string(k[:])] = uint64(u.Failed)
	}
}

// ack moves the watermark of one epoch. hash is our chain's hash at seq.
func (p *plan) ack(i int, seq uint64, hash wire.Hash) {
	e := &p.epochs[i]
	if seq > e.acked {
		e.acked, e.ackedHash = seq, hash
		p.dirty[i] = true
	}
}

// recall offers what is kept of older epochs once more: the server was restored from a backup and may lack
// their ends, of which nothing in the present epoch tells. What it has it acknowledges by its welcome.
func (p *plan) recall() {
	for i := range p.epochs[:len(p.epochs)-1] {
		e := &p.epochs[i]
		if e.aside || e.tail > e.head || e.acked < e.tail {
			continue
		}
		e.acked, e.ackedHash = e.tail-1, e.tailPrev
		p.dirty[i] = true
	}
}

// mint begins a new epoch whose first record names the end of the one before.
func (p *plan) mint(why string) error {
	if len(why) < 1 || len(why) > 20 || strings.Trim(why, "abcdefghijklmnopqrstuvwxyz") != "" {
		return fmt.Errorf("new epoch: bad reason %q", why)
	}
	next := epochRow{origin: origin{gateway: p.cfg.Gateway}}
	if _, err := io.ReadFull(p.cfg.Rand, next.epoch[:]); err != nil {
		return fmt.Errorf("new epoch: %w", err)
	}
	detail := why
	if n := len(p.epochs); n > 0 {
		last := p.epochs[n-1]
		next.index = last.index + 1
		detail = EpochDetail(why, last.epoch, last.head, last.headHash)
	}
	next.tail = 1
	p.epochs = append(p.epochs, next)
	if p.dirty == nil {
		p.dirty = map[int]bool{}
	}
	p.minted = true
	_, err := p.append(wire.Record{Event: door.EventEpoch, Stamp: p.cfg.Stamp(), Detail: detail}, nil)
	return err
}

// EpochDetail is the Detail of the first record of an epoch that follows another: the reason, a dot
// and the first 40 hex digits of SHA-256("monban/1 epoch" ‖ previous epoch ‖ its last seq, big-endian
// ‖ its chain hash there). The server holds those values and can recompute it.
func EpochDetail(why string, prev wire.Epoch, seq uint64, hash wire.Hash) string {
	b := append([]byte("monban/1 epoch"), prev[:]...)
	b = binary.BigEndian.AppendUint64(b, seq)
	sum := sha256.Sum256(append(b, hash[:]...))
	return why + "." + hex.EncodeToString(sum[:20])
}

// store writes the plan; it is the body of one transaction.
func (p plan) store(tx *bbolt.Tx) error {
	if err := putRows(tx, p.rows); err != nil {
		return err
	}
	for _, d := range p.gone {
		if b := tx.Bucket(recordsBucket(d.epoch)); b != nil {
			if err := b.Delete(seqKey(d.seq)); err != nil {
				return fmt.Errorf("delete record %d: %w", d.seq, err)
			}
		}
	}
	epochs := tx.Bucket([]byte(bucketEpochs))
	for _, i := range slices.Sorted(maps.Keys(p.dirty)) {
		e := p.epochs[i]
		if _, err := tx.CreateBucketIfNotExists(recordsBucket(e.epoch)); err != nil {
			return err
		}
		if err := epochs.Put(indexKey(e.index), appendEpochRow(nil, e)); err != nil {
			return fmt.Errorf("epoch %x: %w", e.epoch, err)
		}
	}
	for _, e := range p.drop {
		if err := epochs.Delete(indexKey(e.index)); err != nil {
			return err
		}
		if err := tx.DeleteBucket(recordsBucket(e.epoch)); err != nil {
			return err
		}
	}
	state := tx.Bucket([]byte(bucketState))
	for _, k := range slices.Sorted(maps.Keys(p.state)) {
		var err error
		if v := p.state[k]; v == 0 {
			err = state.Delete([]byte(k))
		} else {
			err = state.Put([]byte(k), stateValue(k, v))
		}
		if err != nil {
			return fmt.Errorf("state: %w", err)
		}
	}
	return nil
}

func putRows(tx *bbolt.Tx, rows []savedRow) error {
	var b *bbolt.Bucket
	var of wire.Epoch
	for _, r := range rows {
		if b == nil || of != r.epoch {
			var err error
			if b, err = tx.CreateBucketIfNotExists(recordsBucket(r.epoch)); err != nil {
				return err
			}
			b.FillPercent = 1 // keys only grow
			of = r.epoch
		}
		if err := b.Put(seqKey(r.seq), r.bytes); err != nil {
			return fmt.Errorf("record %d: %w", r.seq, err)
		}
	}
	return nil
}

// publish makes the plan's result visible; its transaction is committed.
func (o *Outbox) publish(p plan) {
	o.stateMu.Lock()
	o.epochs = p.epochs
	for k, v := range p.state {
		if raw, ok := cutPIN(k); ok {
			if v == 0 {
				delete(o.pins, raw)
			} else {
				o.pins[raw] = uint8(min(v, 255))
			}
		}
		switch k {
		case keyTrusted:
			o.trusted = int64(v)
		case keyPINReset:
			o.reset = int64(v)
		}
	}
	o.dbMu.RLock()
	before := o.level
	o.measure(o.db)
	o.dbMu.RUnlock()
	level, current := o.level, o.epochs[len(o.epochs)-1].epoch
	o.stateMu.Unlock()
	o.tellChanged()
	if level != before {
		o.notify(Notice{Kind: NoticeLevel, Level: level, Epoch: current})
	}
	if p.minted {
		o.notify(Notice{Kind: NoticeEpoch, Epoch: current})
	}
}

// measure works out how full the file is; the caller holds stateMu for writing.
func (o *Outbox) measure(db *bbolt.DB) {
	if db == nil {
		return
	}
	st := db.Stats()
	var size int64
	if err := guard(func() error {
		return db.View(func(tx *bbolt.Tx) error { size = tx.Size(); return nil })
	}); err != nil {
		return // the next write finds out and latches
	}
	o.used = size - int64(st.FreePageN+st.PendingPageN)*int64(db.Info().PageSize)
	switch limit := o.limit(); {
	case o.used >= limit:
		o.level = LevelFull
	case o.used >= limit/100*95:
		o.level = LevelCritical
	case o.used >= limit/100*80:
		o.level = LevelWarn
	default:
		o.level = LevelOK
	}
}

// limit is where appends are refused: a little below the cap, so that acknowledgements and trimming
// still have pages to write.
func (o *Outbox) limit() int64 { return o.cfg.MaxBytes - o.cfg.MaxBytes/32 }

func cutPIN(key string) (raw [32]byte, ok bool) {
	rest, ok := strings.CutPrefix(key, keyPIN)
	if !ok || len(rest) != len(raw) {
		return raw, false
	}
	copy(raw[:], rest)
	return raw, true
}
