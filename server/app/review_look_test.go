package app

import (
	"testing"
	"time"

	"monban/firmware/door"
	"monban/server/signoff"
	"monban/server/web"
)

// VR-10, VR-12: what is new on a day's page stays marked for the whole sitting, also when the page is read again after the proof of identity or
// after something came; the mark moves with the next sitting and with a signature.
func TestWhatIsNewStaysMarked(t *testing.T) {
	c := newCounter(t)
	c.pass(c.site.Ref(4568), store1, door.EventEntry)
	const day = "2026-11-24"
	p := c.registers()
	look := func(size, want uint64) {
		t.Helper()
		before, at, err := p.Looked(t.Context(), archive, day, chief.Account, size, c.at)
		c.must(err)
		if before != want || at.IsZero() != (want == 0) {
			t.Errorf("at %s with %d leaves: compared with %d of %v, want %d", c.at.Format("02 15:04"), size, before, at, want)
		}
	}
	c.clock(25, 8, 30)
	look(100, 0)
	c.clock(25, 8, 31)
	look(104, 100) // it is read again: what came since the first look is new
	c.clock(25, 8, 50)
	look(110, 100)
	c.clock(26, 8, 30) // another sitting
	look(150, 110)
	c.clock(26, 8, 32) // after the proof of identity
	look(152, 110)
	c.clock(26, 9, 10) // a sitting lasts as long as somebody looks
	look(155, 110)
	c.clock(26, 9, 50)
	look(156, 110)
	if _, at, err := p.Looked(t.Context(), archive, day, section.Account, 156, c.at); err != nil || !at.IsZero() {
		t.Errorf("another's first look: %v %v", at, err)
	}
	sheet, err := p.ReviewDay(t.Context(), archive, day, true)
	c.must(err)
	c.must(p.ActOnDay(t.Context(), archive, day, signoff.Sign, sheet.Size, web.Action{At: c.at, Actor: chief.Account}))
	c.at = c.at.Add(time.Minute)
	look(sheet.Size+9, sheet.Size)
}
