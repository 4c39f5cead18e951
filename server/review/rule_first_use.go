package review

import "monban/firmware/door"

// firstUse: somebody's first entry by a door, or the first for half a year† (VR-7). Not in the first month† of a log or of a
// person in it, when everything is the first, and not for work that was approved.
type firstUse struct {
	set     *Settings
	beganMS int64
}

func (r firstUse) step(f *Fact) []Finding {
	if !r.asksWork(f) || f.Covered {
		return nil
	}
	return []Finding{f.about(FirstUse, "")}
}

func (r firstUse) asksWork(f *Fact) bool {
	return r.set.FirstUseMS != 0 && f.passed() && f.Event == door.EventEntry && !f.Used && f.Into != "" &&
		f.FirstMS != 0 && f.AtMS-f.FirstMS >= r.set.WarmUpMS && f.AtMS-r.beganMS >= r.set.WarmUpMS
}
