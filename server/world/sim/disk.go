package sim

import (
	"crypto/sha256"
	"errors"
	"maps"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/link"
	"monban/firmware/wire"
	"monban/gateway/controller"
	"monban/gateway/outbox"
	"monban/server/world/invariant"
)

// disk is the durable half of a gateway: what a crash keeps. Everything else of a gateway lives in its
// process and is gone with it.
type disk struct {
	epochs  []epochRows // oldest first; the last is the current one
	pins    map[access.Key]uint8
	trusted int64 // last trusted wall time, UTC ms
	policy  *snapshot
	floor   uint64                 // lowest manifest version still accepted
	unarmed map[access.DoorID]bool // released by the fire panel, not re-armed (DS-6)
	age     struct {
		version uint64
		ms      int64
	}
}

type epochRows struct {
	epoch  wire.Epoch
	rows   []wire.Carried // seq = index+1; bodies are never changed
	hashes []wire.Hash
	acked  uint64
	aside  bool // not sent any more: its numbers are taken by others
}

// snapshot is a policy on the disk.
type snapshot struct {
	note     []byte
	manifest wire.Manifest
	parts    [3][]byte
}

// clone is an image of the disk, as somebody with the card in his hand would make it.
func (d *disk) clone() *disk {
	c := *d
	c.epochs = make([]epochRows, len(d.epochs))
	for i, e := range d.epochs {
		e.rows, e.hashes = e.rows[:len(e.rows):len(e.rows)], e.hashes[:len(e.hashes):len(e.hashes)]
		c.epochs[i] = e
	}
	c.pins, c.unarmed = maps.Clone(d.pins), maps.Clone(d.unarmed)
	return &c
}

func (e *epochRows) head() uint64 { return uint64(len(e.rows)) }

func (e *epochRows) hashAt(seq uint64) wire.Hash {
	if seq == 0 || seq > e.head() {
		return wire.Hash{}
	}
	return e.hashes[seq-1]
}

func (d *disk) current() *epochRows { return &d.epochs[len(d.epochs)-1] }

// sending is the oldest epoch that still has something to send.
func (d *disk) sending() *epochRows {
	for i := range d.epochs {
		if e := &d.epochs[i]; !e.aside && e.acked < e.head() {
			return e
		}
	}
	return d.current()
}

func (d *disk) state() link.OutboxState {
	e := d.sending()
	s := link.OutboxState{Epoch: e.epoch, Tail: 1, Head: e.head(), HeadHash: e.hashAt(e.head()), Acked: e.acked}
	for i := range d.epochs {
		if x := &d.epochs[i]; !x.aside {
			s.Pending += x.head() - x.acked
		}
	}
	return s
}

// load reads records for the link, as many as fit into one message.
func (d *disk) load(l link.Load) wire.Events {
	for i := range d.epochs {
		e := &d.epochs[i]
		if e.epoch != l.Epoch || l.First < 1 || l.First > e.head() {
			continue
		}
		ev := wire.Events{Epoch: l.Epoch, First: l.First, Prev: e.hashAt(l.First - 1)}
		room, seq := wire.BatchRoom, l.First
		for ; seq <= e.head() && len(ev.Records) < l.Max; seq++ {
			c := e.rows[seq-1]
			if room -= wire.CarriedSize(&c); room < 0 {
				break
			}
			ev.Records = append(ev.Records, c)
		}
		ev.Head = e.hashAt(seq - 1)
		return ev
	}
	return wire.Events{}
}

func (d *disk) held() link.PolicyHeld {
	if d.policy == nil {
		return link.PolicyHeld{}
	}
	h := link.PolicyHeld{Manifest: d.policy.manifest.Version}
	for i, data := range d.policy.parts {
		h.Parts[i] = link.HeldPart{Version: d.policy.manifest.Parts[i].Version, Sum: sha256.Sum256(data), Data: data}
	}
	return h
}

// queued is one thing that waits for the outbox's next commit.
type queued struct {
	record   *wire.Record
	private  []byte
	pin      *controller.PINFailures
	done     func(err error)
	acked    *link.Acked
	trusted  int64
	newEpoch string
}

var errDisk = errors.New("the disk failed")

// push queues for the volatile half and sees that it is committed.
func (g *gateway) push(q queued) {
	if g.latched {
		if q.done != nil {
			q.done(outbox.ErrLatched) // fail secure: no record, the door stays locked (I1)
		}
		return
	}
	if g.w.opt.Hooks.ActBeforeRecord && q.done != nil {
		q.done(nil)
		q.done = nil
	}
	g.queue = append(g.queue, q)
	if g.committing {
		return
	}
	g.committing = true
	life := g.life
	g.w.after(g.diskTime(), func() {
		if g.life == life && g.up {
			g.commit()
		}
	})
}

// diskTime is how long a commit takes; now and then a card does its housekeeping.
func (g *gateway) diskTime() time.Duration {
	if g.slowDisk > 0 {
		g.slowDisk--
		return g.w.between(200*time.Millisecond, 3*time.Second)
	}
	return g.w.between(2*time.Millisecond, 12*time.Millisecond)
}

// commit writes what is queued in one transaction, in one of three ways: well; failed and not written;
// failed and written all the same.
func (g *gateway) commit() {
	ops := g.queue
	g.queue, g.committing = nil, false
	fault := g.failing
	g.failing = commitOK
	if fault != commitLost {
		g.write(ops)
	}
	if fault != commitOK {
		g.w.count("disk write failed")
		g.latched = true
		life := g.life
		g.w.after(time.Second, func() { // the file is read again, then it takes records
			if g.life == life && g.up {
				g.latched = false
				g.step(g.disk.state())
			}
		})
		for _, q := range ops {
			if q.done != nil {
				q.done(errDisk) // "unknown", never "absent"
			}
		}
		return
	}
	for _, q := range ops {
		if q.done != nil {
			q.done(nil)
		}
	}
	g.step(g.disk.state())
}

// write makes ops durable.
func (g *gateway) write(ops []queued) {
	d := g.disk
	for _, q := range ops {
		switch {
		case q.record != nil:
			g.append(*q.record, q.private)
			if q.pin != nil {
				if d.pins[q.pin.Key] = q.pin.Failed; q.pin.Failed == 0 {
					delete(d.pins, q.pin.Key)
				}
			}
		case q.acked != nil:
			for i := range d.epochs {
				if e := &d.epochs[i]; e.epoch == q.acked.Epoch && q.acked.Seq <= e.head() && e.hashAt(q.acked.Seq) == q.acked.Hash {
					e.acked = max(e.acked, q.acked.Seq)
				}
			}
		case q.newEpoch != "":
			for i := range d.epochs { // the one being sent is the one that the server contradicts
				if &d.epochs[i] == d.sending() {
					d.epochs[i].aside = true
					break
				}
			}
			g.mint(q.newEpoch)
		case q.trusted > 0:
			d.trusted = max(d.trusted, q.trusted)
		}
	}
}

// append gives a record the next number.
func (g *gateway) append(r wire.Record, private []byte) {
	e := g.disk.current()
	prev := e.hashAt(e.head())
	r.Gateway, r.Epoch, r.Seq, r.GCommit = g.id, e.epoch, e.head()+1, wire.Hash{}
	c := wire.Carried{}
	if len(private) > 0 {
		var salt [32]byte
		g.w.fill(salt[:])
		r.GCommit = wire.Commit(salt, private)
		c.Private, c.Salt = private, salt[:]
	}
	c.Body = wire.AppendRecord(nil, &r)
	h := wire.ChainHash(prev, c.Body)
	e.rows, e.hashes = append(e.rows, c), append(e.hashes, h)
	g.w.emit(invariant.Event{
		Kind: invariant.Durable, Gateway: g.id, Door: r.Door, Epoch: r.Epoch, Seq: r.Seq, Prev: prev, Hash: h, Attempt: r.Attempt,
		By: r.By, Event: r.Event, Side: r.Side, Reason: r.Reason, Granted: r.Event == door.EventGranted, Word: r.Detail,
	})
}

// mint begins a new epoch.
func (g *gateway) mint(why string) {
	d := g.disk
	next := epochRows{}
	g.w.fill(next.epoch[:])
	detail := why
	if n := len(d.epochs); n > 0 {
		last := &d.epochs[n-1]
		detail = outbox.EpochDetail(why, last.epoch, last.head(), last.hashAt(last.head()))
	}
	d.epochs = append(d.epochs, next)
	g.append(wire.Record{Event: door.EventEpoch, Stamp: g.stamp(g.moment()), Detail: detail}, nil)
}

// storePolicy does what the policy cache does: floor, then file, then floor raised.
func (g *gateway) storePolicy(p link.PolicyReady, parts [3][]byte) error {
	d := g.disk
	if p.Manifest.Version < d.floor {
		return errors.New("a policy version falls")
	}
	d.policy = &snapshot{note: p.Note, manifest: p.Manifest, parts: parts}
	d.floor = max(d.floor, p.Manifest.Version, p.Manifest.MinVersion)
	return nil
}
