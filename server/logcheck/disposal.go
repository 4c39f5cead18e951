package logcheck

import (
	"fmt"
	"slices"

	"monban/server/entrylog"
)

// Disposal is one disposal run as the log states it: what it was to destroy, on whose word, and whether it came to its end.
type Disposal struct {
	Started  int64          // its disposal_started leaf
	Run      string         // its id
	Class    string         // record class
	Year     uint64         // fiscal year
	Leaves   uint64         // as the leaf says
	Asked    string         // account
	Approved string         // another account
	AtMS     int64          // UTC ms
	Done     int64          // its disposal_done leaf, -1 = not yet
	Ranges   entrylog.Spans // leaves whose bodies and openings it destroys
}

// disposed is what a walk knows of bodies and openings that are gone. Leaves that say so come after those they speak of, so all is compared
// at the end.
type disposed struct {
	Runs     map[int64]*Disposal      // by their first leaf
	Missing  map[int64]entrylog.Spans // leaves without a body, by the run that the row names; anyRun where nothing is named
	Chains   []chainStatement
	Jumps    []chainJump
	Gaps     []gapSpan
	Unopened entrylog.Spans   // leaves with a body whose opening is gone
	Erased   map[int64]string // leaves whose openings were erased, with the decisions
	From     int64            // first leaf of the walk

	Keyless    map[string]entrylog.Spans // leaves whose key a bundle says is missing, by class and fiscal year, in words
	SaidErased entrylog.Spans            // leaves of whose openings a bundle says that they were erased
	Words      RunWords
	Years      map[string]*yearsSet // newest period by class
	Decided    map[string][]string  // attempts whose erasure was decided, by the number of the decision
	Begun      []begun              // in the order of their leaves
	Erasures   []erasure
	Attempts   map[int64]string // of leaves whose opening is gone
	Steps      []yearStep
	Restored   bool // no entry has come since the log was restored

	stepFrom, stepTo int64 // times that are of the newest step
}

// anyRun is the run of leaves of which only the hash is at hand.
const anyRun = -1

// chainStatement says that a run dropped the records from From to To of a chain, and where the chain stood after them.
type chainStatement struct {
	Started  int64
	Key      ChainKey
	From, To int64
	Hash     entrylog.Hash
	Idx      int64 // leaf of To
}

// chainJump is a record that does not follow on the one before it: what stood between was dropped, or is missing.
type chainJump struct {
	Key      ChainKey
	From, To int64 // not met
	Body     []byte
	Chain    entrylog.Hash // that the record claims
	Idx      int64
}

// gapSpan is what a gap leaf passed over.
type gapSpan struct {
	Key      ChainKey
	From, To int64
}

// Dropped takes a leaf whose body a disposal run has taken, with its stored hashes; started is the leaf that began the run, as the row has it.
func (c *Check) Dropped(idx int64, hashes []byte, started int64) {
	c.tree.Dropped(idx, hashes)
	c.drop(idx, started)
}

func (c *Check) drop(idx, started int64) {
	if c.gone.Missing == nil {
		c.gone.Missing = map[int64]entrylog.Spans{}
	}
	c.gone.Missing[started] = c.gone.Missing[started].Add(idx)
	c.Result.Dropped++
	c.parsed, c.hasRec = entrylog.Parsed{}, false
}

// Gone reports whether a leaf before the newest has no body any more.
func (c *Check) Gone(idx int64) bool {
	for _, s := range c.gone.Missing {
		if s.Has(idx) {
			return true
		}
	}
	return false
}

// Unopened takes the newest leaf, which commits to an opening that is gone: some leaf has to say that it was erased.
func (c *Check) Unopened(idx int64) {
	c.gone.Unopened = c.gone.Unopened.Add(idx)
	if c.gone.Attempts == nil {
		c.gone.Attempts = map[int64]string{}
	}
	c.gone.Attempts[idx] = c.attemptOf()
}

// Disposals are the runs met so far, the oldest first.
func (c *Check) Disposals() (out []Disposal) {
	for _, r := range c.gone.Runs {
		out = append(out, *r)
	}
	slices.SortFunc(out, func(a, b Disposal) int { return int(a.Started - b.Started) })
	return out
}

// ErasedBy gives the decision by which a leaf's opening was erased, of the leaves met so far.
func (c *Check) ErasedBy(idx int64) (decision string, ok bool) {
	decision, ok = c.gone.Erased[idx]
	return decision, ok
}

// disposalLeaf takes a system leaf of retention.
func (c *Check) disposalLeaf(idx int64, y *entrylog.System) {
	bad := func() { c.Result.Add("log_leaf", Key(idx), "the %s is malformed", y.Name) }
	switch y.Name {
	case entrylog.SystemDisposalStarted:
		d := &Disposal{Started: idx, Run: y.Value("run"), Class: y.Value("class"), Asked: y.Value("asked"), Approved: y.Value("approved"), AtMS: y.AtMS, Done: -1}
		var a, b bool
		d.Year, a = y.Uint("fiscal_year")
		d.Leaves, b = y.Uint("leaves")
		if !a || !b {
			bad()
		}
		if d.Approved == "" || d.Approved == d.Asked {
			c.Result.Add("log_leaf", Key(idx), "the disposal was not approved by a second person")
		}
		if c.gone.Runs == nil {
			c.gone.Runs = map[int64]*Disposal{}
		}
		c.gone.Runs[idx] = d
		c.begin(d)
	case entrylog.SystemErased:
		n, ok := y.Uint("index")
		if !ok {
			bad()
			return
		}
		if c.gone.Erased == nil {
			c.gone.Erased = map[int64]string{}
		}
		c.gone.Erased[int64(n)] = y.Value("decision")
		c.gone.Erasures = append(c.gone.Erasures, erasure{idx, int64(n), y.Value("decision"), y.AtMS, c.gone.Restored})
	case entrylog.SystemDisposalRange, entrylog.SystemDisposalChain, entrylog.SystemDisposalDone:
		n, ok := y.Uint("started")
		d := c.gone.Runs[int64(n)]
		if d == nil && c.part && int64(n) < c.gone.From {
			return // of a run that began before this part
		}
		if !ok || d == nil {
			c.Result.Add("log_leaf", Key(idx), "belongs to no disposal that was begun")
			return
		}
		if !c.disposalStep(idx, y, d) {
			bad()
		}
	}
}

func (c *Check) disposalStep(idx int64, y *entrylog.System, d *Disposal) bool {
	switch y.Name {
	case entrylog.SystemDisposalRange:
		s, err := entrylog.ParseSpans(y.Value("ranges"))
		if err != nil || len(s) == 0 || s[len(s)-1].To > d.Started || len(d.Ranges) > 0 && s[0].From < d.Ranges[len(d.Ranges)-1].To {
			return false
		}
		d.Ranges = append(d.Ranges, s...)
	case entrylog.SystemDisposalChain:
		st := chainStatement{Started: d.Started, Key: ChainKey{Gateway: y.Value("gateway")}}
		var a, b, ok bool
		st.From, a = y.Int("from")
		st.To, b = y.Int("to")
		st.Idx, ok = y.Int("idx")
		if !a || !b || !ok || st.From < 1 || st.To < st.From || !y.Hex("epoch", st.Key.Epoch[:]) || !y.Hex("h", st.Hash[:]) {
			return false
		}
		c.gone.Chains = append(c.gone.Chains, st)
	case entrylog.SystemDisposalDone:
		if d.Done >= 0 || y.Value("class") != d.Class {
			return false
		}
		d.Done = idx
	}
	return true
}

// jump notes a record that does not follow on its chain; false when nothing was dropped so far, and so nothing can explain it.
func (c *Check) jump(idx int64, k ChainKey, from, to int64, body []byte, chain entrylog.Hash) bool {
	if len(c.gone.Missing) == 0 {
		return false
	}
	c.gone.Jumps = append(c.gone.Jumps, chainJump{Key: k, From: from, To: to, Body: slices.Clone(body), Chain: chain, Idx: idx})
	return true
}

// finishDisposals compares what is gone with what the leaves say has gone. to is one past the last leaf whose body should be at hand.
func (c *Check) finishDisposals(to int64) {
	var all []entrylog.Spans
	for _, d := range c.gone.Runs {
		all = append(all, d.Ranges)
	}
	named := entrylog.Merge(all...)
	var missing []entrylog.Spans
	for run, spans := range c.gone.Missing {
		may := named
		if run != anyRun {
			may = nil
			if d := c.gone.Runs[run]; d != nil {
				may = d.Ranges
			}
		}
		if idx, ok := firstOutside(spans, may, c.gone.From, to); ok {
			c.Result.Add("log_leaf", Key(idx), "its body is gone and no disposal leaf says so")
		}
		missing = append(missing, spans)
	}
	gone := entrylog.Merge(missing...)
	for _, d := range c.Disposals() {
		if d.Done < 0 {
			continue
		}
		if idx, ok := firstOutside(d.Ranges, gone, c.gone.From, to); ok {
			c.Result.Add("log_leaf", Key(idx), "its body is there, though leaf %d says that it was disposed of", d.Done)
		}
		if n := d.Ranges.Count(); uint64(n) != d.Leaves {
			c.Result.Add("log_leaf", Key(d.Started), "speaks of %d leaves, its ranges of %d", d.Leaves, n)
		}
	}
	for _, s := range c.gone.Unopened {
		for idx := s.From; idx < s.To; idx++ {
			if _, ok := c.gone.Erased[idx]; !ok {
				c.Result.Add("opening", Key(idx), "is missing: the leaf commits to one")
			}
		}
	}
	c.finishWords(to)
	c.finishJumps()
}

// firstOutside gives the first index of a in [from, to) that is not in b.
func firstOutside(a, b entrylog.Spans, from, to int64) (idx int64, ok bool) {
	i := 0
	for _, s := range a {
		s.From, s.To = max(s.From, from), min(s.To, to)
		for s.From < s.To {
			for i < len(b) && b[i].To <= s.From {
				i++
			}
			if i == len(b) || b[i].From > s.From {
				return s.From, true
			}
			s.From = b[i].To
		}
	}
	return 0, false
}

// finishJumps links each chain over the records that were dropped from it.
func (c *Check) finishJumps() {
	by := map[ChainKey][]chainStatement{}
	for _, s := range c.gone.Chains {
		by[s.Key] = append(by[s.Key], s)
	}
	for _, list := range by {
		slices.SortFunc(list, func(a, b chainStatement) int { return int(min(max(a.From-b.From, -1), 1)) })
	}
	for _, j := range c.gone.Jumps {
		at, last := j.From, chainStatement{}
		for _, s := range by[j.Key] {
			if s.From <= at && s.To >= at {
				at, last = s.To+1, s
			}
		}
		switch {
		case at-1 == j.To:
			if entrylog.Link(last.Hash, j.Body) != j.Chain {
				c.Result.Add("log_leaf", Key(j.Idx), "record %d of %s does not have the hash of its chain", j.To+1, j.Key)
			}
		case at-1 > j.To && c.gone.Runs[last.Started] != nil && c.gone.Runs[last.Started].Done < 0:
			// A run that was cut off: the records that it still has to drop follow, each linked to the one before.
		default:
			c.Result.Add("log_leaf", Key(j.Idx), "record %d of %s follows on %d", j.To+1, j.Key, at-1)
		}
	}
	for k, list := range by {
		st := c.chains[k]
		if st == nil {
			st = &Chain{First: list[0].From}
			if c.part {
				st.Watermark = list[0].From - 1
			}
			c.chains[k] = st
		}
		for _, s := range list {
			if s.From == st.Watermark+1 {
				st.Watermark, st.Hash, st.Idx = s.To, s.Hash, s.Idx
			}
		}
	}
	for _, g := range c.gone.Gaps { // what a run dropped was there once
		for _, s := range by[g.Key] {
			if n := min(s.To, g.To) - max(s.From, g.From) + 1; n > 0 {
				c.chains[g.Key].Gaps -= n
			}
		}
	}
}

// String says in a line what the run was.
func (d *Disposal) String() string { return fmt.Sprintf("%s %s %d", d.Run, d.Class, d.Year) }
