package logcheck

import (
	"fmt"

	"monban/server/entrylog"
)

// Saved is where a walk stands: all that the leaves taken so far have left. It is taken right after a checkpoint that fits, so
// the tree needs nothing but its edge. It holds nothing that was encrypted.
type Saved struct {
	Size       int64        `json:"size"`
	Edge       [][]byte     `json:"edge"`
	Origin     string       `json:"origin"`
	Chains     []savedChain `json:"chains"`
	Cover      map[string]*Coverage
	Gone       disposed
	HeldNext   int       `json:"held_next"`
	HeldMet    int64     `json:"held_met"`
	HeldOwn    int64     `json:"held_own,omitempty"`
	HeldPast   int64     `json:"held_past"`
	HeldLost   int64     `json:"held_lost,omitempty"`
	HeldStamps []Stamped `json:"held_stamps,omitempty"`
}

type savedChain struct {
	Key   ChainKey
	Chain Chain
}

// Save gives where the walk stands; ok is false where the next checkpoint still has to tell which leaves are the logged ones.
func (c *Check) Save() (s Saved, ok bool) {
	tree, ok := c.tree.Tree()
	if !ok {
		return s, false
	}
	s = Saved{
		Size: tree.Size(), Origin: c.origin, Cover: c.cover, Gone: c.gone,
		HeldNext: c.held.next, HeldMet: c.held.met, HeldOwn: c.held.own, HeldPast: c.held.past, HeldLost: c.held.lost, HeldStamps: c.held.stamps,
	}
	for _, h := range tree.Edge() {
		s.Edge = append(s.Edge, h[:])
	}
	for k, x := range c.chains {
		s.Chains = append(s.Chains, savedChain{k, *x})
	}
	return s, true
}

// Dropped reports whether a leaf had no body when the state was saved.
func (s *Saved) Dropped(idx int64) bool {
	for _, m := range s.Gone.Missing {
		if m.Has(idx) {
			return true
		}
	}
	return false
}

// Tree is the tree of the leaves that were taken.
func (s *Saved) Tree() (entrylog.Tree, error) {
	var edge []entrylog.Hash
	for _, h := range s.Edge {
		if len(h) != len(entrylog.Hash{}) {
			return entrylog.Tree{}, errState
		}
		edge = append(edge, entrylog.Hash(h))
	}
	return entrylog.TreeOf(s.Size, edge)
}

// resume has the check go on from s, with what was found until there, and gives the key that signs there and the tree.
func (c *Check) resume(s *Saved, found *entrylog.Result) (entrylog.Tree, error) {
	tree, err := s.Tree()
	if err != nil {
		return tree, err
	}
	log := c.keys.Of(s.Origin)
	if log == nil {
		return tree, fmt.Errorf("the public key of log %s is not at hand", s.Origin)
	}
	c.Result, c.origin, c.cover, c.gone = found, s.Origin, s.Cover, s.Gone
	c.tree = entrylog.VerifierFrom(log, found, tree)
	c.held.next, c.held.met, c.held.own, c.held.past, c.held.lost, c.held.stamps = s.HeldNext, s.HeldMet, s.HeldOwn, s.HeldPast, s.HeldLost, s.HeldStamps
	if c.cover == nil {
		c.cover = map[string]*Coverage{}
	}
	for _, x := range s.Chains {
		c.chains[x.Key] = &x.Chain
	}
	return tree, nil
}

// Resume has the check of a whole log go on from s, with what was found until there.
func (c *Check) Resume(s *Saved, found *entrylog.Result) error {
	if err := s.check(0, s.Size, len(c.held.list)); err != nil {
		return err
	}
	tree, err := c.resume(s, found)
	if err == nil {
		c.tree = entrylog.VerifierOn(c.keys.Of(s.Origin), found, tree)
	}
	return err
}
