package logcheck

import (
	"fmt"

	"monban/server/attempt"
	"monban/server/entrylog"
)

// ChainKey names the chain of one outbox.
type ChainKey struct {
	Gateway string
	Epoch   [16]byte
}

// String gives "gateway/epoch", the epoch in hex.
func (k ChainKey) String() string { return fmt.Sprintf("%s/%x", k.Gateway, k.Epoch) }

// Record gives "gateway/epoch/seq", which names a record in findings.
func (k ChainKey) Record(seq int64) string { return fmt.Sprintf("%s/%d", k, seq) }

// Chain is where a chain stands.
type Chain struct {
	Watermark int64         // newest seq
	Hash      entrylog.Hash // chain hash there
	Idx       int64         // leaf that brought it there
	First     int64         // first seq that was seen
	Records   int64
	Gaps      int64 // records that the log itself says are missing
}

// Chains are the chains met so far.
func (c *Check) Chains() map[ChainKey]*Chain { return c.chains }

// chainRecord checks the link of one record to the one before (I3).
func (c *Check) chainRecord(idx int64) {
	r, b := &c.parsed.Record, &c.body
	k := ChainKey{Gateway: string(b.Gateway), Epoch: b.Epoch}
	seq := int64(b.Seq)
	st := c.chains[k]
	fresh := st == nil
	if fresh {
		st = &Chain{First: seq}
		c.chains[k] = st
	}
	// Of a part of a log, the first record of a chain tells where the chain stands: what it follows is not here.
	if !fresh || !c.part {
		if seq <= st.Watermark+1 || !c.jump(idx, k, st.Watermark+1, seq-1, r.Body, r.Chain) {
			if seq != st.Watermark+1 {
				c.Result.Add("log_leaf", Key(idx), "record %d of %s follows on %d", seq, k, st.Watermark)
			}
			if entrylog.Link(st.Hash, r.Body) != r.Chain {
				c.Result.Add("log_leaf", Key(idx), "record %d of %s does not have the hash of its chain", seq, k)
			}
		}
	}
	st.Watermark, st.Hash, st.Idx = seq, r.Chain, idx
	st.Records++
}

// chainGap moves a chain over records that are missing and will not come.
func (c *Check) chainGap(idx int64) {
	y := &c.parsed.System
	k := ChainKey{Gateway: y.Value("gateway")}
	var h entrylog.Hash
	seq, ok := y.Uint("seq")
	if !ok || !y.Hex("epoch", k.Epoch[:]) || !y.Hex("h", h[:]) {
		c.Result.Add("log_leaf", Key(idx), "the gap is malformed")
		return
	}
	st := c.chains[k]
	if st == nil {
		st = &Chain{First: int64(seq) + 1}
		if c.part {
			st.Watermark = int64(seq) - 1
		}
		c.chains[k] = st
	}
	if int64(seq) <= st.Watermark {
		c.Result.Add("log_leaf", Key(idx), "gap up to %d of %s after %d", seq, k, st.Watermark)
	}
	st.Gaps += max(0, int64(seq)-st.Watermark)
	if len(c.gone.Missing) > 0 {
		c.gone.Gaps = append(c.gone.Gaps, gapSpan{k, st.Watermark + 1, int64(seq)})
	}
	st.Watermark, st.Hash, st.Idx = int64(seq), h, idx
}

// Coverage is how far a gateway was watched (I10): every moment between FromMS and ToMS is either in an interval in
// which it was heard, or in one of SilentMS, or in none at all (HolesMS).
type Coverage struct {
	FromMS, ToMS int64 // UTC ms
	SilentMS     int64 // the log says that the gateway was not heard
	HolesMS      int64 // the log says nothing
	HoleFromMS   int64 // where the longest hole begins, with its length
	HoleMS       int64
}

// Covered gives the coverage of each gateway met so far.
func (c *Check) Covered() map[string]*Coverage { return c.cover }

func (c *Check) coverage(idx int64) {
	v, ok := attempt.ParseCoverage(idx, &c.parsed.System)
	if !ok {
		c.Result.Add("log_leaf", Key(idx), "the coverage is malformed")
		return
	}
	g := c.cover[v.Gateway]
	if g == nil {
		g = &Coverage{FromMS: v.FromMS, ToMS: v.FromMS}
		c.cover[v.Gateway] = g
	}
	if hole := v.FromMS - g.ToMS; hole > 0 {
		g.HolesMS += hole
		if hole > g.HoleMS {
			g.HoleFromMS, g.HoleMS = g.ToMS, hole
		}
	}
	from := max(v.FromMS, g.ToMS)
	if v.State != "alive" && v.ToMS > from {
		g.SilentMS += v.ToMS - from
	}
	g.ToMS = max(g.ToMS, v.ToMS)
}
