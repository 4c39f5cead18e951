package review

// impossibleTravel: one person passed two doors sooner after one another than anybody walks between them (VR-7). The times
// count at their widest, so that a clock that is off invents nothing. How long the way takes is a setting; without one
// nothing is found.
type impossibleTravel struct{ set *Settings }

func (r impossibleTravel) step(f *Fact) (out []Finding) {
	if !f.passed() || len(r.set.Walks) == 0 {
		return nil
	}
	for _, other := range []Passage{f.Before, f.After} {
		if !other.Known || other.Door == f.Door {
			continue
		}
		apart := f.AtMS - other.AtMS
		if apart < 0 {
			apart = -apart
		}
		if apart += (f.WidthMS + other.WidthMS + 1) / 2; apart < r.set.walk(f.Door, other.Door, f.area(), other.Into) {
			x := f.about(ImpossibleTravel, string(other.Door))
			x.Once = OncePerAttempt
			out = append(out, x)
			break
		}
	}
	return out
}
