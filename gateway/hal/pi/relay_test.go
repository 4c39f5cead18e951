package pi

import (
	"errors"
	"slices"
	"testing"

	"monban/gateway/hal"
	"monban/hardware/board"
)

// AL-6, I9: a relay that warns is off from the start and after the end, is taken after the locks are secured, and one that cannot be had says
// so to whoever turns it on and keeps no door from working.
func TestRelays(t *testing.T) {
	p, c := profile(t, "one-door-wiegand"), newFakeChip()
	p.Outputs = []board.Output{{Name: board.Lamp, Pin: 18}, {Name: board.Contact, Pin: 24}}
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	c.fail[24] = true
	h := openHAL(t, p, c)
	if at := slices.Index(c.steps, "18 low (taken)"); at < 0 || at < slices.Index(c.steps, "23 low") || slices.Contains(c.steps, "18 high") {
		t.Errorf("start: %q", c.steps)
	}
	lamp := h.Output(board.Lamp)
	if err := lamp.Set(true); err != nil || !c.high(18) {
		t.Errorf("on: %v", err)
	}
	if err := h.Output(board.Contact).Set(true); err == nil {
		t.Error("a relay that cannot be had is on")
	}
	if h.Output(board.Siren) != nil {
		t.Error("a relay that is not fitted is given")
	}
	if _, err := h.Door("door-1"); err != nil {
		t.Error(err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if c.high(18) {
		t.Error("on after the end")
	}
	if err := lamp.Set(true); !errors.Is(err, hal.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}
