package review

import "monban/firmware/door"

// afterHours: somebody entered outside the usual hours† and neither approved work nor a schedule that names this hour covers
// it (VR-7, VE-9). Each way in from outside every zone is told; a door further in only for who came in during usual hours.
type afterHours struct{ set *Settings }

func (r afterHours) step(f *Fact) []Finding {
	if !r.asksWork(f) || f.Covered || f.Named {
		return nil
	}
	return []Finding{f.about(AfterHours, "")}
}

func (r afterHours) asksWork(f *Fact) bool {
	return f.passed() && f.Event == door.EventEntry && f.Into != "" && !r.set.usual(f.OpenDay, f.Minute) &&
		(f.From == "" || f.Before.Known && f.Before.Usual)
}
