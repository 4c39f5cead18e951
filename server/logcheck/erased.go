package logcheck

import (
	"fmt"
	"maps"
	"slices"

	"monban/server/entrylog"
)

// SaidErased takes the newest leaf, of whose opening what is checked says that it was erased. Nobody vouches for that word until a leaf of the
// log does.
func (c *Check) SaidErased(idx int64) { c.gone.SaidErased = c.gone.SaidErased.Add(idx) }

// finishErased compares what is said to be erased with what the leaves say: a leaf that says so, or a disposal that has the leaf in its ranges.
// all says that the walk ended where the log did, so that such a leaf has to be here; else it counts those without one.
func (c *Check) finishErased(all bool) (open int64) {
	for _, s := range c.gone.SaidErased {
		for idx := s.From; idx < s.To; idx++ {
			_, erased := c.gone.Erased[idx]
			switch {
			case erased || c.inDisposal(idx):
			case all:
				c.Result.Add("opening", Key(idx), "is missing: the file says that it was erased, and no leaf of the log does")
			default:
				open++
			}
		}
	}
	return open
}

func (c *Check) inDisposal(idx int64) bool {
	for _, d := range c.gone.Runs {
		if d.Ranges.Has(idx) {
			return true
		}
	}
	return false
}

// NoKey takes the newest leaf, whose opening could not be read where the bundle was made: its key of that fiscal year was missing.
func (c *Check) NoKey(idx int64, year int) {
	if c.gone.Keyless == nil {
		c.gone.Keyless = map[string]entrylog.Spans{}
	}
	of := fmt.Sprintf("%s of fiscal year %d", c.parsed.Class(), year)
	c.gone.Keyless[of] = c.gone.Keyless[of].Add(idx)
}

// finishKeyless names each class and year whose key was missing, as verify does of a database. What a leaf says was destroyed is none.
func (w *walk) finishKeyless() {
	c := w.c
	for _, of := range slices.Sorted(maps.Keys(c.gone.Keyless)) {
		first, n := int64(-1), int64(0)
		for _, s := range c.gone.Keyless[of] {
			for idx := s.From; idx < s.To; idx++ {
				if _, erased := c.gone.Erased[idx]; erased || c.inDisposal(idx) {
					w.rep.Result.Erased++
					continue
				}
				if n++; first < 0 {
					first = idx
				}
			}
		}
		if w.rep.NoKey += n; n > 0 {
			c.Result.Add("opening", Key(first), "cannot be read, nor any other of %s (%d in the file): the key was not in the key store when the file was made, and no leaf says that it was destroyed", of, n)
		}
	}
}
