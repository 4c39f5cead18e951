package pi

import (
	"errors"
	"sync"
	"time"

	"monban/gateway/hal"
)

// indicator shows indications by up to three lines: a red and a green light and a sounder. What is not fitted is nil. It
// is best effort: a light that fails never holds up a door.
type indicator struct {
	red, green, buzzer Output
	activeHigh         bool

	mu     sync.Mutex // guards closed
	closed bool
	shows  chan hal.Indication
	done   chan struct{}
}

// step of a moving indication.
const step = 25 * time.Millisecond

// newIndicator takes lines that are low. Active-low ones light until the first Indicate has put them out, which is
// before newIndicator returns.
func newIndicator(red, green, buzzer Output, activeHigh bool) *indicator {
	i := &indicator{red: red, green: green, buzzer: buzzer, activeHigh: activeHigh, shows: make(chan hal.Indication, 1), done: make(chan struct{})}
	i.put(hal.Dark, false)
	go i.run()
	return i
}

// Indicate implements hal.Reader; one that was not shown yet is replaced.
func (i *indicator) Indicate(ind hal.Indication) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return hal.ErrClosed
	}
	select {
	case <-i.shows:
	default:
	}
	i.shows <- ind
	return nil
}

func (i *indicator) run() {
	defer close(i.done)
	tick := time.NewTicker(step)
	defer tick.Stop()
	tick.Stop()
	var ind hal.Indication
	var begin time.Time
	for {
		select {
		case next, ok := <-i.shows:
			if !ok {
				i.put(hal.Dark, false)
				return
			}
			ind, begin = next, time.Now()
			tick.Reset(step)
		case <-tick.C:
		}
		light, sound, moves := shown(ind, time.Since(begin))
		i.put(light, sound)
		if !moves {
			tick.Stop()
		}
	}
}

// shown is what an indication looks and sounds like after a while, and whether that will change.
func shown(ind hal.Indication, after time.Duration) (light hal.Colour, sound, moves bool) {
	in := func(t, from, to time.Duration) bool { return t >= from*time.Millisecond && t < to*time.Millisecond }
	second := after % time.Second
	light, moves = ind.Light, ind.Blink != hal.BlinkSteady
	switch ind.Blink {
	case hal.BlinkSlow:
		if !in(second, 0, 500) {
			light = hal.Dark
		}
	case hal.BlinkDouble:
		if !in(second, 0, 125) && !in(second, 250, 375) {
			light = hal.Dark
		}
	case hal.BlinkTurn:
		if !in(second, 0, 500) {
			light = ind.Other
		}
	case hal.BlinkSteady:
	}
	end := time.Duration(0)
	switch ind.Tone {
	case hal.ToneClick:
		sound, end = in(after, 0, 40), 40
	case hal.ToneShort:
		sound, end = in(after, 0, 120), 120
	case hal.ToneLong:
		sound, end = in(after, 0, 800), 800
	case hal.ToneTwoShort:
		sound, end = in(after, 0, 120) || in(after, 240, 360), 360
	case hal.ToneThreeShort:
		sound, end = in(after, 0, 120) || in(after, 240, 360) || in(after, 480, 600), 600
	case hal.ToneIntermittent:
		sound, moves = in(second, 0, 500), true
	case hal.ToneSilent:
	}
	return light, sound, moves || after < end*time.Millisecond
}

// put drives the lines.
func (i *indicator) put(light hal.Colour, sound bool) {
	for _, l := range []struct {
		out Output
		on  bool
	}{
		{i.red, light == hal.Red || light == hal.Amber && i.green != nil}, // amber without the other light is dark, not red
		{i.green, light == hal.Green || light == hal.Amber && i.red != nil},
		{i.buzzer, sound},
	} {
		if l.out != nil {
			_ = l.out.Set(l.on == i.activeHigh) // best effort: the door goes on without its light
		}
	}
}

func (i *indicator) close() error {
	i.mu.Lock()
	if i.closed {
		i.mu.Unlock()
		return nil
	}
	i.closed = true
	close(i.shows)
	i.mu.Unlock()
	<-i.done
	var errs []error
	for _, out := range []Output{i.red, i.green, i.buzzer} {
		if out != nil {
			errs = append(errs, out.Close())
		}
	}
	return errors.Join(errs...)
}
