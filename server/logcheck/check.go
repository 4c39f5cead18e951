// Package logcheck checks the entry log in the order of its leaves, wherever they come from: `monban-server verify`
// reads them from a database, monban-verify from a bundle on an auditor's PC. Both use this one check: tree and
// checkpoints, who signs after a succession, the chain of each gateway's records, coverage, and openings against the
// leaves' commitments.
//
// It is pure and must stay so: the program for the auditor links it and holds neither a database driver nor anything
// that reaches a network.
package logcheck

import (
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/wire"
	"monban/server/entrylog"
)

// Keys are the public keys that a log is checked against.
type Keys struct {
	Log    note.Verifier
	Before []note.Verifier // of the logs that Log's follows, in any order

	// Restored says that the log may end as one of those in Before: a backup older than a succession.
	Restored bool
}

// Of gives the key of the log with this origin, nil when it is not at hand.
func (k *Keys) Of(origin string) note.Verifier {
	if k.Log != nil && k.Log.Name() == origin {
		return k.Log
	}
	for _, v := range k.Before {
		if v != nil && v.Name() == origin {
			return v
		}
	}
	return nil
}

// Check is one walk through a log.
type Check struct {
	Result *entrylog.Result
	keys   Keys
	tree   *entrylog.Verifier
	part   bool   // the walk does not begin with leaf 0
	origin string // of the log that signs where the walk stands
	chains map[ChainKey]*Chain
	cover  map[string]*Coverage
	held   heldList
	gone   disposed

	parsed entrylog.Parsed
	body   wire.Record
	hasRec bool
}

// New checks a whole log, from its genesis leaf on.
func New(keys Keys, r *entrylog.Result) *Check {
	return &Check{Result: r, keys: keys, tree: entrylog.NewVerifier(keys.Log, r), chains: map[ChainKey]*Chain{}, cover: map[string]*Coverage{}}
}

// NewPart checks leaves that follow on those of before, as the log of that origin, each with its own hash and no
// others. With an empty tree it is a whole log.
func NewPart(keys Keys, r *entrylog.Result, before entrylog.Tree, origin string) (*Check, error) {
	c := New(keys, r)
	c.tree = entrylog.VerifierFrom(keys.Log, r, before)
	c.gone.From = before.Size()
	if c.part = before.Size() > 0; c.part {
		v := keys.Of(origin)
		if v == nil {
			return nil, fmt.Errorf("the part begins as log %s, whose public key is not at hand", origin)
		}
		c.origin = origin
		c.tree.Follow(v)
	}
	return c, nil
}

// Key names a leaf in findings.
func Key(idx int64) string { return fmt.Sprint(idx) }

// Leaf takes the next leaf with its stored hashes. ok is false when the leaf cannot be read, which is a finding; else
// Parsed and Record give what it says. An error says that the check cannot go on.
func (c *Check) Leaf(idx int64, kind entrylog.Kind, body, hashes []byte) (ok bool, err error) {
	if err := c.whoSigns(idx, body); err != nil {
		return false, err
	}
	c.tree.Leaf(idx, kind, body, hashes)
	c.hasRec = false
	if c.parsed, err = entrylog.Parse(body); err != nil {
		c.Result.Add("log_leaf", Key(idx), "%v", err)
		return false, nil
	}
	if idx > 0 { // where a log begins says nothing of its years
		c.gone.met(idx, c.parsed.AtMS())
	}
	switch c.parsed.Kind {
	case entrylog.KindDecision:
		c.gone.Restored = false
	case entrylog.KindAction:
		c.retentionAct(idx, &c.parsed.Action)
	case entrylog.KindRecord:
		c.gone.Restored = false
		if c.body, err = wire.ParseRecord(c.parsed.Record.Body); err != nil {
			c.Result.Add("log_leaf", Key(idx), "record body: %v", err)
			return false, nil
		}
		c.hasRec = true
		c.chainRecord(idx)
	case entrylog.KindSystem:
		switch c.parsed.System.Name {
		case entrylog.SystemGap:
			c.chainGap(idx)
		case entrylog.SystemCoverage:
			c.coverage(idx)
		default:
			c.disposalLeaf(idx, &c.parsed.System)
		}
	}
	return true, nil
}

// Parsed is what the newest leaf says; valid until the next.
func (c *Check) Parsed() *entrylog.Parsed { return &c.parsed }

// Record is the body of the newest leaf when that is a record; nil otherwise.
func (c *Check) Record() *wire.Record {
	if !c.hasRec {
		return nil
	}
	return &c.body
}

// Hash takes the hash of the next leaf in place of a body that is not at hand.
func (c *Check) Hash(idx int64, h entrylog.Hash) { c.tree.Hash(idx, h) }

// Checkpoint takes a checkpoint once its leaves were taken.
func (c *Check) Checkpoint(size int64, signed string) { c.tree.Checkpoint(size, signed) }

// Next is the index the next leaf must have.
func (c *Check) Next() int64 { return c.tree.Next() }

// Sure is how many leaves, from the log's beginning, a checkpoint has confirmed so far.
func (c *Check) Sure() int64 { return c.tree.Sure() }

// Opening compares an opening with the commitment of the newest leaf, and a gateway's private part in it with the
// commitment in the record's body. It reports whether everything fits.
func (c *Check) Opening(idx int64, salt [32]byte, raw []byte) bool {
	if entrylog.Commit(salt, raw) != c.parsed.Commit() {
		c.Result.Add("opening", Key(idx), "is not what the leaf commits to")
		return false
	}
	o, err := entrylog.ParseOpening(raw)
	if err != nil {
		c.Result.Add("opening", Key(idx), "%v", err)
		return false
	}
	return c.Private(idx, &o)
}

// Private compares a gateway's private part in an opening with the commitment in the newest leaf's record body.
func (c *Check) Private(idx int64, o *entrylog.Opening) bool {
	if c.hasRec && len(o.PrivateSalt) == 32 && wire.Commit([32]byte(o.PrivateSalt), o.Private) != c.body.GCommit {
		c.Result.Add("opening", Key(idx), "the gateway's private part is not what its record commits to")
		return false
	}
	return true
}

// Finish ends the walk: a log that ends before its newest key's succession was cut off, and what is gone has to be what disposals took.
func (c *Check) Finish() {
	c.finishDisposals(c.tree.Next())
	c.whole()
}

// whole looks whether the walk ended where the newest log does.
func (c *Check) whole() {
	if !c.keys.Restored && c.origin != "" && c.origin != c.keys.Log.Name() {
		c.Result.Add("log_leaf", Key(c.tree.Next()), "is missing: the log ends as %s, and %s follows it", c.origin, c.keys.Log.Name())
	}
}

// whoSigns follows the logs that succeed each other: checkpoints are checked against the key of the log
// that signed there, and a succession leaf against the leaves before it.
func (c *Check) whoSigns(idx int64, body []byte) error {
	kind, err := entrylog.KindOf(body)
	if err != nil || kind != entrylog.KindSystem {
		return nil // told by the tree
	}
	y, err := entrylog.ParseSystem(body)
	if err != nil {
		return nil // told when the leaf is taken apart
	}
	switch {
	case y.Name == entrylog.SystemGenesis && idx == 0:
		v := c.keys.Of(y.Value("origin"))
		if v == nil {
			return fmt.Errorf("the log begins as %q, whose public key is not at hand", y.Value("origin"))
		}
		c.origin = y.Value("origin")
		c.tree.Follow(v)
	case y.Name == entrylog.SystemGenesis:
		c.Result.Add("log_leaf", Key(idx), "is a second genesis leaf")
	case y.Name == entrylog.SystemSuccession:
		return c.succession(idx, &y)
	}
	return nil
}

func (c *Check) succession(idx int64, y *entrylog.System) error {
	s, err := entrylog.SuccessionOf(y)
	if err != nil {
		c.Result.Add("log_leaf", Key(idx), "%v", err)
		return nil
	}
	before, now := c.keys.Of(s.Before), c.keys.Of(s.Origin)
	if now == nil || before == nil && s.Known != "" {
		return fmt.Errorf("leaf %d: log %s follows %s: the public keys of both are needed", idx, s.Origin, s.Before)
	}
	if root, ok := c.tree.Root(); ok {
		if err := s.Check(idx, root, before); err != nil {
			c.Result.Add("log_leaf", Key(idx), "%v", err)
		}
	}
	c.origin = s.Origin
	c.tree.Follow(now)
	c.gone.Restored = true
	c.Result.Successions = append(c.Result.Successions, s)
	return nil
}
