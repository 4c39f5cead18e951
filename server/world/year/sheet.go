package year

import (
	"cmp"
	"slices"
)

// Inside lists who was in a zone, or in one that lies in it, at a time, sorted.
func (s *Sheet) Inside(zone string, ms int64) []string {
	at := map[string]string{}
	for i := range s.Passages {
		p := &s.Passages[i]
		if p.AtMS > ms {
			break
		}
		at[p.Person] = s.behind(p)
	}
	var out []string
	for who, z := range at {
		if within(z, zone) {
			out = append(out, who)
		}
	}
	slices.Sort(out)
	return out
}

// behind is the zone that a passage leads into.
func (s *Sheet) behind(p *Passage) string {
	d := s.doors[p.Door]
	if p.Out {
		return d.Outer
	}
	return d.Inner
}

// Entries counts the passages into a zone from outside every zone.
func (s *Sheet) Entries() (n int) {
	for i := range s.Passages {
		if !s.Passages[i].Out {
			n++
		}
	}
	return n
}

// sorted puts passages and acts in the order of time.
func (y *Year) sort() {
	end := y.Plan.First.AddDays(y.Plan.Days).Start(y.Zone).UnixMilli() // what begins before and ends after has no end
	y.Acts = slices.DeleteFunc(y.Acts, func(a Act) bool { return a.AtMS >= end })
	y.Sheet.Passages = slices.DeleteFunc(y.Sheet.Passages, func(p Passage) bool { return p.AtMS >= end })
	y.Sheet.Cases = slices.DeleteFunc(y.Sheet.Cases, func(c Case) bool { return c.ToMS >= end && c.Verdict != May })
	slices.SortStableFunc(y.Acts, func(a, b Act) int { return cmp.Compare(a.AtMS, b.AtMS) })
	slices.SortStableFunc(y.Sheet.Passages, func(a, b Passage) int { return cmp.Compare(a.AtMS, b.AtMS) })
	slices.SortStableFunc(y.Sheet.Cases, func(a, b Case) int { return cmp.Compare(a.FromMS, b.FromMS) })
}
