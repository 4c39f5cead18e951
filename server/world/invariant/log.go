package invariant

import (
	"time"

	"monban/firmware/access"
	"monban/firmware/wire"
	"monban/server/entrylog"
)

// I2 is "every durable gateway record becomes exactly one row at the server": no row twice, none that
// no gateway made, and at Drained every kept record has its row.
func I2() Checker {
	return &i2{made: map[Key]map[wire.Hash]bool{}, rows: map[Key]wire.Hash{}}
}

type i2 struct {
	made map[Key]map[wire.Hash]bool // a rolled-back disk makes another record under an old number
	rows map[Key]wire.Hash
}

func (c *i2) Observe(e *Event) error {
	k := Key{e.Gateway, e.Epoch, e.Seq}
	switch e.Kind {
	case Durable:
		if c.made[k] == nil {
			c.made[k] = map[wire.Hash]bool{}
		}
		c.made[k][e.Hash] = true
	case Restored:
		clear(c.rows) // the rows of the backup are told again
	case Row:
		if _, twice := c.rows[k]; twice {
			return violation("I2", e, "record %d has two rows", e.Seq)
		}
		if !c.made[k][e.Hash] {
			return violation("I2", e, "row %d is of no record that the gateway made", e.Seq)
		}
		c.rows[k] = e.Hash
	case Drained:
		for _, r := range e.Kept {
			if h, there := c.rows[r.Key]; !there || h != r.Hash {
				return violation("I2", e, "record %d of the outbox has no row (or another) although faults have stopped", r.Seq)
			}
		}
	}
	return nil
}

type chainID struct {
	gateway access.GatewayID
	epoch   wire.Epoch
}

// I3 is "one gateway's rows have no gap up to its watermark and are chained; a gap, fork or rollback
// is a finding".
func I3() Checker {
	return &i3{heads: map[chainID]head{}, owed: map[access.GatewayID]bool{}}
}

type head struct {
	seq  uint64
	hash wire.Hash
}

type i3 struct {
	heads map[chainID]head
	owed  map[access.GatewayID]bool // a rollback that nobody has been told of
}

func (c *i3) Observe(e *Event) error {
	k := chainID{e.Gateway, e.Epoch}
	switch e.Kind {
	case Restored:
		clear(c.heads)
		clear(c.owed) // what a restored server can still know of is told again
	case Row:
		h := c.heads[k]
		if e.Seq != h.seq+1 {
			return violation("I3", e, "row %d follows on row %d and no gap was declared", e.Seq, h.seq)
		}
		if wire.ChainHash(h.hash, e.Body) != e.Hash {
			return violation("I3", e, "row %d is not chained to the row before", e.Seq)
		}
		c.heads[k] = head{e.Seq, e.Hash}
	case Gap:
		c.heads[k] = head{e.Seq, e.Hash}
	case RolledBack:
		c.owed[e.Gateway] = true
	case Finding:
		switch e.Word {
		case "gateway_rolled_back", "gateway_cloned", "chain_fork":
			delete(c.owed, e.Gateway)
		}
	case Drained:
		if c.owed[e.Gateway] {
			return violation("I3", e, "the gateway's disk was rolled back and there is no finding")
		}
	}
	return nil
}

// I4 is "the server acknowledges only what is committed", and what it says was committed never falls
// but by a recorded restore.
func I4() Checker { return &i4{rows: map[Key]wire.Hash{}, told: map[chainID][]told{}} }

// lookup is how long a welcome may have been under way in the server since its rows were looked up:
// an ack of rows that were committed meanwhile may overtake it.
const lookup = 2 * time.Second

type told struct {
	at  time.Duration
	seq uint64
}

type i4 struct {
	rows map[Key]wire.Hash
	told map[chainID][]told // rising; all but the first are younger than lookup
}

func (c *i4) Observe(e *Event) error {
	k := chainID{e.Gateway, e.Epoch}
	switch e.Kind {
	case Row, Gap:
		c.rows[Key{e.Gateway, e.Epoch, e.Seq}] = e.Hash
	case Restored:
		clear(c.rows)
		clear(c.told)
	case Ack:
		if h, there := c.rows[Key{e.Gateway, e.Epoch, e.Seq}]; e.Seq > 0 && (!there || h != e.Hash) {
			return violation("I4", e, "record %d was acknowledged and is not committed", e.Seq)
		}
		before := c.told[k]
		for len(before) > 1 && before[1].at+lookup < e.At {
			before = before[1:]
		}
		if len(before) > 0 && before[0].at+lookup < e.At && e.Seq < before[0].seq && e.Word == wire.KindWelcome {
			return violation("I4", e, "the watermark fell from %d to %d without a restore", before[0].seq, e.Seq)
		}
		if len(before) == 0 || e.Seq > before[len(before)-1].seq {
			before = append(before, told{e.At, e.Seq})
		}
		c.told[k] = before
	}
	return nil
}

// I8 is "every signed checkpoint is consistent with every other": each must be the root of the leaves
// as they were appended, of which every earlier checkpoint is a prefix.
//
// A restore ends a log and begins another, with another key (D22): the leaves restored must be those that were signed, the
// next one the succession, which names the log that signs from then on; each log signs one tree of a size.
func I8() Checker { return &i8{roots: map[signedTree]entrylog.Hash{}} }

type signedTree struct {
	origin string // log that signed
	size   int64
}

type i8 struct {
	tree  entrylog.Tree
	roots map[signedTree]entrylog.Hash // of every size at which one was signed

	origin   string // the log that signs; "" before the first checkpoint
	began    bool   // the first checkpoint was seen
	restored int64  // leaves of the newest restore
	due      bool   // leaves restored are told again, then comes the succession
}

func (c *i8) Observe(e *Event) error {
	switch e.Kind {
	case Leaf:
		if int64(e.Seq) != c.tree.Size() {
			return violation("I8", e, "leaf %d was written where leaf %d was due", e.Seq, c.tree.Size())
		}
		if c.due && c.tree.Size() == c.restored {
			if err := c.succession(e); err != nil {
				return err
			}
		}
		c.tree.Append(nil, entrylog.Hash(e.Hash))
		if c.due {
			if was, signed := c.roots[signedTree{c.origin, c.tree.Size()}]; signed && was != c.tree.Root() {
				return violation("I8", e, "the %d leaves restored are not those that were signed", c.tree.Size())
			}
		}
	case Restored:
		c.tree, c.restored, c.due = entrylog.Tree{}, int64(e.Seq), true
	case Checkpoint:
		if c.due {
			return violation("I8", e, "signed after a restore and before the log says so")
		}
		if c.began && e.Word != c.origin {
			return violation("I8", e, "signed by %q while the log is %q", e.Word, c.origin)
		}
		c.origin, c.began = e.Word, true
		size := int64(e.Seq)
		want, before := c.roots[signedTree{c.origin, size}]
		if size == c.tree.Size() {
			root := c.tree.Root()
			if before && want != root {
				return violation("I8", e, "two histories of %d leaves", size)
			}
			want, before = root, true
		}
		if !before || want != entrylog.Hash(e.Hash) {
			return violation("I8", e, "the checkpoint of %d leaves is not the root of the leaves that were written", size)
		}
		c.roots[signedTree{c.origin, size}] = want
	}
	return nil
}

// succession takes the leaf after the restored ones.
func (c *i8) succession(e *Event) error {
	y, err := entrylog.ParseSystem(e.Body)
	if err != nil || y.Name != entrylog.SystemSuccession {
		return violation("I8", e, "leaf %d follows on a restore and is no succession", e.Seq)
	}
	s, err := entrylog.SuccessionOf(&y)
	if err != nil {
		return violation("I8", e, "leaf %d: %v", e.Seq, err)
	}
	if s.Size != c.restored || s.Root != c.tree.Root() || c.began && s.Before != c.origin {
		return violation("I8", e, "the succession names %d leaves of %q; %d of %q were restored", s.Size, s.Before, c.restored, c.origin)
	}
	for t := range c.roots {
		if t.origin == s.Origin {
			return violation("I8", e, "the log after a restore has the key of an older one")
		}
	}
	// What the ended log signed of the leaves that go on stays true of the new one.
	for t, root := range c.roots {
		if t.origin == c.origin && t.size <= c.restored {
			c.roots[signedTree{s.Origin, t.size}] = root
		}
	}
	c.origin, c.due = s.Origin, false
	return nil
}

// MaxSilence is how long a gateway may be unheard before the log must say so.
const MaxSilence = time.Minute

// I10 is "a quiet time is told from a dead logger": every silence of more than MaxSilence between two
// heartbeats is stated in the log, and no silence is stated over a time in which the gateway was heard.
func I10() Checker {
	return &i10{heard: map[access.GatewayID]time.Duration{}, owed: map[access.GatewayID]silence{}}
}

type silence struct{ from, to time.Duration }

type i10 struct {
	heard map[access.GatewayID]time.Duration
	owed  map[access.GatewayID]silence
}

// statedWithin: the leaf may be written a moment after the heartbeat that ended the silence.
const statedWithin = 5 * time.Second

func (c *i10) Observe(e *Event) error {
	switch e.Kind {
	case Restored: // what was heard after the backup, and what was stated then, is gone with the database
		for gw, at := range c.heard {
			if at <= e.From {
				continue
			}
			c.heard[gw] = e.From
			if s, owed := c.owed[gw]; owed {
				c.heard[gw] = min(e.From, s.from)
				delete(c.owed, gw)
			}
		}
	case Heard:
		if s, owed := c.owed[e.Gateway]; owed && e.At-s.to > statedWithin {
			return violation("I10", e, "silent from %v to %v, and the log does not say so", s.from, s.to)
		}
		if last, before := c.heard[e.Gateway]; before && e.At-last > MaxSilence {
			c.owed[e.Gateway] = silence{last, e.At}
		}
		c.heard[e.Gateway] = e.At
	case Coverage:
		s, owed := c.owed[e.Gateway]
		if owed && e.From <= s.from+MaxSilence && e.Until >= s.to-time.Second {
			delete(c.owed, e.Gateway)
		}
		if !owed && e.Until-e.From > MaxSilence && c.heard[e.Gateway] > e.From+MaxSilence && c.heard[e.Gateway] < e.Until-time.Second {
			return violation("I10", e, "a silence is stated over a time in which the gateway was heard")
		}
	case Drained:
		if s, owed := c.owed[e.Gateway]; owed {
			return violation("I10", e, "silent from %v to %v, and the log does not say so", s.from, s.to)
		}
	}
	return nil
}
