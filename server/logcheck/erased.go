package logcheck

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
