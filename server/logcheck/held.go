package logcheck

import (
	"cmp"
	"fmt"
	"slices"

	"monban/server/entrylog"
)

// Held is a checkpoint that somebody other than the log's keeper holds: printed, mailed, or cosigned by a witness. It
// is what finds out an insider who has the log's key and wrote everything anew.
type Held struct {
	Name       string   // where it comes from, for findings
	Own        bool     // it lay in what is checked: nobody else vouches for it
	Stamp      *Stamped // when it was stamped, nil = it was not; one that is Own counts only by whose stamp it is
	Checkpoint entrylog.Checkpoint
}

type heldList struct {
	list   []Held // by size, rising
	next   int
	met    int64     // that were compared and fit
	own    int64     // that fit and are Own; not counted in met
	stamps []Stamped // that fit and are Own; counted in neither
	past   int64     // of leaves that this walk does not reach, before or behind it
	lost   int64     // of leaves of an earlier log that a succession records as lost
}

// Hold has the leaves compared with these checkpoints as the walk passes their sizes. Their signatures are the
// caller's to check. It is called before the first leaf.
func (c *Check) Hold(list []Held) {
	c.held.list = slices.Clone(list)
	slices.SortStableFunc(c.held.list, func(a, b Held) int { return cmp.Compare(a.Checkpoint.Size, b.Checkpoint.Size) })
}

// PassHeld compares what is held of as many leaves as were taken. It is called before each leaf and at the end.
func (c *Check) PassHeld() {
	for c.held.next < len(c.held.list) {
		h := &c.held.list[c.held.next]
		size := h.Checkpoint.Size
		if size > c.tree.Next() {
			return
		}
		c.held.next++
		root, ok := c.tree.Root()
		switch {
		case c.ended(h): // judged there
		case size < c.tree.Next() || c.unknownEnd(h.Checkpoint.Origin):
			c.held.past++
		case !ok:
			c.Result.Add("held", fmt.Sprint(size), "%s cannot be compared: a leaf before it is missing or changed", h.Name)
		case root != h.Checkpoint.Root:
			c.Result.Add("held", fmt.Sprint(size), "%s names another root: this is not the log that was shown to its holder; a leaf before %d was changed, taken out or put in", h.Name, size)
		case h.Own && h.Stamp != nil:
			c.held.stamps = append(c.held.stamps, *h.Stamp)
		case h.Own:
			c.held.own++
		default:
			c.held.met++
		}
	}
}

// ended judges what is held of an earlier log and of more leaves than the log after it took over: the tree of that size is another one, and what was
// lost cannot be shown. Where the earlier log is known to have ended, by a signature of its own, the root must be that one. What lay in what is checked
// is of no more use there. ok is false when h is to be compared like any other.
func (c *Check) ended(h *Held) (ok bool) {
	size := h.Checkpoint.Size
	for i := range c.Result.Successions {
		s := &c.Result.Successions[i]
		if s.Before != h.Checkpoint.Origin || size <= s.Size {
			continue
		}
		if h.Own {
			return true
		}
		known, err := s.KnownCheckpoint()
		switch _, lost := s.Lost(); {
		case size > lost:
			c.Result.Add("held", fmt.Sprint(size), "%s is of %d leaves of %s; the restore that leaf %d records knew of %d: more was lost than is recorded, or leaves were cut off", h.Name, size, s.Before, s.Size, lost)
		case err == nil && known.Size == size && known.Root != h.Checkpoint.Root:
			c.Result.Add("held", fmt.Sprint(size), "%s names another root than the checkpoint of %s that leaf %d records: this is not the log that was shown to its holder", h.Name, s.Before, s.Size)
		default:
			c.held.lost++
		}
		return true
	}
	return false
}

// unknownEnd reports whether a log ended before this part of the log began, so that nothing here tells how many of its leaves were taken over.
func (c *Check) unknownEnd(origin string) bool {
	if !c.part || origin == c.origin || origin == c.keys.Log.Name() {
		return false
	}
	return !slices.ContainsFunc(c.Result.Successions, func(s entrylog.Succession) bool { return s.Before == origin })
}

// FinishHeld tells of what is held of more leaves than the log has, or had when the bundle was made. Those up to log
// that the walk did not reach are no finding.
func (c *Check) FinishHeld(log int64) (met, past int64) {
	c.PassHeld()
	for i := range c.held.list[c.held.next:] {
		h := &c.held.list[c.held.next:][i]
		switch {
		case c.ended(h):
			continue
		case h.Checkpoint.Size <= log || c.unknownEnd(h.Checkpoint.Origin):
			c.held.past++
			continue
		}
		c.Result.Add("held", fmt.Sprint(h.Checkpoint.Size), "%s is of %d leaves, the log has %d here: unless it is newer than what was checked, leaves were cut off", h.Name, h.Checkpoint.Size, log)
	}
	c.held.next = len(c.held.list)
	return c.held.met, c.held.past
}

// HeldOwn is how many of the Held that lay in what is checked, time stamps apart, were compared and fit.
func (c *Check) HeldOwn() int64 { return c.held.own }

// HeldLost is how many of the Held are of leaves of an earlier log that its successor records as lost.
func (c *Check) HeldLost() int64 { return c.held.lost }

// HeldStamps are the time stamps in what is checked whose checkpoints fit.
func (c *Check) HeldStamps() []Stamped { return c.held.stamps }
