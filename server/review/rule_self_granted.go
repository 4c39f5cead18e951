package review

import "monban/firmware/door"

// selfGranted: somebody entered by a right, a group or a card that an account of their own wrote into the directory,
// proposed or agreed to.
type selfGranted struct{}

func (selfGranted) step(f *Fact) []Finding {
	if !f.passed() || f.Event != door.EventEntry || f.Own == "" {
		return nil
	}
	x := f.about(SelfGranted, f.Own)
	x.Once = OncePerDay
	return []Finding{x}
}
