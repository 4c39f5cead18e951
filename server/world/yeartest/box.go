package yeartest

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/mono"
	"monban/firmware/wire"
	"monban/gateway/controller"
	"monban/server/directory"
	"monban/server/ingest"
	"monban/server/policypub"
	"monban/server/store"
)

// box is one gateway: its queue of records and its doors. The wiring is that of the gateway's app package.
type box struct {
	p      *Plant
	id     access.GatewayID
	keys   policypub.GatewayKeys
	up     bool
	whole  bool // the cable
	quiet  silence
	boot   wire.BootID
	bootAt mono.Time
	places *controller.Places
	air    *controller.Airlocks
	doors  []*leaf
	pins   map[access.Key]uint8
	policy *access.Policy
	rules  uint64

	epoch   wire.Epoch
	first   uint64 // number of the oldest record that the server does not have
	prev    wire.Hash
	records []wire.Carried
	due     bool // a batch is on its way
}

// sendAfter is how long records wait for others to go with.
const sendAfter = 3 * time.Second

// maxBatch is how many records one batch holds.
const maxBatch = 64

func newBox(p *Plant, id access.GatewayID) *box {
	b := &box{p: p, id: id, keys: p.Site.Keys.Gateways[id], whole: true, pins: map[access.Key]uint8{}, first: 1}
	p.fill(b.epoch[:])
	return b
}

func (b *box) addDoor(d *directory.Door) {
	l := &leaf{b: b, cfg: door.DefaultConfig(d.ID, d.Kind, d.Sensing)}
	b.doors = append(b.doors, l)
	b.p.doors[string(d.ID)] = l
}

// start is the process's start, after power has come.
func (b *box) start(detail string) error {
	b.up, b.bootAt = true, b.p.now
	b.p.fill(b.boot[:])
	b.places, b.air = controller.NewPlaces(), controller.NewAirlocks()
	b.note(door.EventBoot, detail)
	for _, l := range b.doors {
		if err := l.start(); err != nil {
			return err
		}
	}
	return nil
}

func (b *box) linked() bool { return b.up && b.whole }

func (b *box) mono() mono.Time { return b.p.now - b.bootAt + 1 }

func (b *box) moment() controller.Moment {
	return controller.Moment{At: b.mono(), WallMS: b.p.wallMS(), Clock: access.ClockNTP}
}

func (b *box) stamp(m controller.Moment) wire.Stamp {
	return wire.Stamp{Boot: b.boot, BoottimeNS: int64(m.At), WallMS: m.WallMS, Quality: m.Clock}
}

// note records an event of the gateway itself.
func (b *box) note(e door.Event, detail string) {
	b.push(&wire.Record{Event: e, Detail: detail, Stamp: b.stamp(b.moment())}, nil)
}

// push makes a record durable and sends it soon.
func (b *box) push(r *wire.Record, private []byte) {
	r.Gateway, r.Epoch, r.Seq = b.id, b.epoch, b.first+uint64(len(b.records))
	c := wire.Carried{}
	if private != nil {
		var salt [32]byte
		b.p.fill(salt[:])
		r.GCommit = wire.Commit(salt, private)
		c.Private, c.Salt = private, salt[:]
	}
	c.Body = wire.AppendRecord(nil, r)
	b.records = append(b.records, c)
	b.later()
}

func (b *box) later() {
	if b.due || !b.linked() || len(b.records) == 0 {
		return
	}
	b.due = true
	b.p.after(sendAfter, func() error { b.due = false; return b.send() })
}

// send hands batches to the server while the cable is whole.
func (b *box) send() error {
	for b.linked() && len(b.records) > 0 {
		n := min(len(b.records), maxBatch)
		head := b.prev
		for i := range n {
			head = wire.ChainHash(head, b.records[i].Body)
		}
		ev := wire.Events{Gateway: b.id, Epoch: b.epoch, First: b.first, Prev: b.prev, Head: head, Records: b.records[:n]}
		var out ingest.Result
		err := b.p.step(func(tx yearTx) (err error) {
			out, err = b.p.pipe.Handle(tx, b.id, &ev, b.p.wallMS())
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", b.id, err)
		}
		if out.Seq != b.first+uint64(n)-1 || out.Forked {
			return fmt.Errorf("%s: acknowledged up to %d of %d", b.id, out.Seq, b.first+uint64(n)-1)
		}
		b.p.sent += n
		b.first, b.prev, b.records = b.first+uint64(n), head, b.records[n:]
	}
	return nil
}

// cable cuts the link or makes it whole.
func (b *box) cable(whole bool) error {
	if b.whole == whole {
		return nil
	}
	if !whole {
		for _, l := range b.doors {
			l.machine.Confirmed(b.p.wallMS()) // in force until now
			l.machine.SetLease(controller.Lease{})
		}
		b.whole = false
		b.hush()
		if b.up {
			b.note(door.EventLinkLost, "")
		}
		return nil
	}
	b.whole = true
	b.hush()
	if !b.up {
		return nil
	}
	b.note(door.EventLinkUp, "")
	return b.renew(b.p.tx.Reader)
}

// power takes the gateway's power or gives it back. Without it a reader is dark and a lock stays secure.
func (b *box) power(on, ordered bool) error {
	if b.up == on {
		return nil
	}
	if !on {
		detail := door.BootUnclean
		if ordered {
			detail = door.BootClean
			b.note(door.EventShutdown, "")
			if err := b.send(); err != nil {
				return err
			}
		}
		for _, l := range b.doors {
			l.released, l.life = false, l.life+1
		}
		b.up = false
		b.hush()
		b.boot = wire.BootID{}
		b.doors[0].next = detail
		return nil
	}
	if err := b.start(b.doors[0].next); err != nil {
		return err
	}
	b.hush()
	if !b.whole {
		return nil
	}
	b.note(door.EventLinkUp, "")
	return b.renew(b.p.tx.Reader)
}

// policies brings every gateway that is linked to the rules in force.
func (p *Plant) policies(ctx context.Context) error {
	return p.Site.Store.Read(ctx, func(r *store.ReadTx) error {
		for _, b := range p.ordered() {
			if !b.up && b.policy == nil {
				if err := b.start(door.BootFirst); err != nil {
					return err
				}
			}
			if !b.linked() {
				continue
			}
			if err := b.renew(r.Reader); err != nil {
				return err
			}
		}
		return nil
	})
}

// ordered gives the gateways in the order of their doors.
func (p *Plant) ordered() (out []*box) {
	seen := map[string]bool{}
	for _, d := range p.Year.Doors {
		if !seen[d.Gateway] {
			seen[d.Gateway] = true
			out = append(out, p.boxes[d.Gateway])
		}
	}
	return out
}

// silence is a gateway's that the server does not hear, and what was done about it.
type silence struct {
	began   int64 // UTC ms, 0 = it is heard
	againMS int64 // when to ask again, 0 = it is told
}

// hush begins or ends a silence, when the gateway went or came.
func (b *box) hush() {
	switch now := b.p.wallMS(); {
	case b.linked():
		b.quiet = silence{}
	case b.quiet.began == 0:
		b.quiet = silence{began: now, againMS: now + b.p.silentMS}
	}
}

// tellOffline is what the server does by its clock about gateways that have fallen silent (OP-1).
func (p *Plant) tellOffline() error {
	for _, b := range p.ordered() {
		now := p.wallMS()
		if b.quiet.againMS == 0 || now < b.quiet.againMS {
			continue
		}
		if err := p.step(func(tx yearTx) (err error) {
			b.quiet.againMS, err = p.pipe.Offline(tx, b.id, b.quiet.began, now)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// renew takes the rules in force from the server, and a lease on them.
func (b *box) renew(r store.Reader) error {
	site := b.p.pub.Site()
	v, ok := site.VersionsOf(b.id)
	if !ok {
		return fmt.Errorf("%s has no policy", b.id)
	}
	if b.policy == nil || b.rules != v.Rules {
		if err := b.load(r, v); err != nil {
			return err
		}
	}
	for _, l := range b.doors {
		l.machine.SetLease(controller.Lease{Until: math.MaxInt64, Rules: b.rules})
		l.machine.Confirmed(b.p.wallMS())
	}
	b.later()
	return nil
}

func (b *box) load(r store.Reader, v policypub.Versions) error {
	part, err := r.Policy(string(b.id), wire.PartRules, v.Rules)
	if err != nil {
		return fmt.Errorf("rules %d of %s: %w", v.Rules, b.id, err)
	}
	rules, err := access.DecodeRules(part.Bytes)
	if err != nil {
		return err
	}
	if b.policy, err = access.Compile(*rules, b.p.Year.Zone); err != nil {
		return err
	}
	modes, err := r.Policy(string(b.id), wire.PartModes, v.Modes)
	if err != nil {
		return fmt.Errorf("modes %d of %s: %w", v.Modes, b.id, err)
	}
	m, err := access.DecodeModes(modes.Bytes)
	if err != nil {
		return err
	}
	b.policy, b.rules = b.policy.WithModes(m), v.Rules
	return b.put()
}

// put puts the policy held in force at the doors.
func (b *box) put() error {
	b.places.SetPolicy(b.policy, b.p.wallMS())
	b.air.SetPolicy(b.policy)
	for _, l := range b.doors {
		if err := l.apply(l.machine.SetPolicy(b.policy, b.rules, b.p.wallMS(), b.moment())); err != nil {
			return err
		}
	}
	b.note(door.EventPolicyApplied, "rules-"+strconv.FormatUint(b.rules, 10))
	return nil
}
