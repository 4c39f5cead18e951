package pi

import (
	"errors"
	"sync"
	"time"

	"monban/firmware/mono"
	"monban/gateway/hal"
	"monban/hardware/board"
)

// rereadEvery is how often a line is read although no edge came: an edge is a hint, the level is the truth.
const rereadEvery = time.Second

// source is one sensed line. Whatever drives it (GPIO, expander, ADC) calls set; doors listen by taps.
type source struct {
	read func() (hal.Level, error) // the level now

	mu    sync.Mutex // guards what follows
	level hal.Level
	taps  []*tap
}

// set says what the level is; taps hear of changes.
func (s *source) set(level hal.Level, at mono.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.level == level {
		return
	}
	s.level = level
	for _, t := range s.taps {
		t.hear(s, level, at)
	}
}

// tap is one door's view of one or more sources: the worst of their levels. It implements hal.Input.
type tap struct {
	sources []*source

	mu      sync.Mutex // guards what follows
	levels  map[*source]hal.Level
	level   hal.Level
	changes chan hal.Change
	closed  bool
}

// newTap makes an input of the sources that are fitted; nil when there is none.
func newTap(sources ...*source) *tap {
	t := &tap{levels: map[*source]hal.Level{}, changes: make(chan hal.Change, 16)}
	for _, s := range sources {
		if s != nil {
			t.sources = append(t.sources, s)
		}
	}
	if len(t.sources) == 0 {
		return nil
	}
	for _, s := range t.sources {
		s.mu.Lock()
		t.mu.Lock() // lines that are joined already may tell of changes
		t.levels[s] = s.level
		t.mu.Unlock()
		s.taps = append(s.taps, t)
		s.mu.Unlock()
	}
	t.mu.Lock()
	t.level = t.worst()
	t.mu.Unlock()
	return t
}

// worst is a fault of any line, else active if any is, else rest. A line that is unknown is a fault.
func (t *tap) worst() hal.Level {
	worst := hal.LevelRest
	for _, s := range t.sources {
		worst = worse(worst, t.levels[s])
	}
	return worst
}

func worse(a, b hal.Level) hal.Level {
	switch {
	case a.Faulty():
		return a
	case b.Faulty():
		return b
	}
	return max(a, b)
}

// hear takes a change; when nobody listens the oldest is dropped, never the newest.
func (t *tap) hear(s *source, level hal.Level, at mono.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	t.levels[s] = level
	if now := t.worst(); now != t.level {
		t.level = now
		c := hal.Change{Level: now, At: at}
		for {
			select {
			case t.changes <- c:
				return
			default:
			}
			select {
			case <-t.changes:
			default:
			}
		}
	}
}

// Changes implements hal.Input.
func (t *tap) Changes() <-chan hal.Change { return t.changes }

// Level implements hal.Input: every line is read now. A line that cannot be read is unknown, never rest.
func (t *tap) Level() (hal.Level, error) {
	t.mu.Lock()
	closed := t.closed
	t.mu.Unlock()
	if closed {
		return hal.LevelUnknown, hal.ErrClosed
	}
	worst := hal.LevelRest
	for _, s := range t.sources {
		level, err := s.read()
		if err != nil {
			return hal.LevelUnknown, err
		}
		worst = worse(worst, level)
	}
	return worst, nil
}

// Close implements hal.Input.
func (t *tap) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.closed = true
		close(t.changes)
	}
	return nil
}

// gpioInput drives one source by the edges of a pin.
type gpioInput struct {
	source
	events   Events
	restHigh bool
	clock    clock
	over     bool // closed; owned by the HAL
	stop     chan struct{}
	done     chan struct{}
}

// newGPIOInput takes the line and starts watching it.
func newGPIOInput(chip Chip, cfg *board.Input, clock clock) (*gpioInput, error) {
	ev, err := chip.Events([]int{cfg.Pin}, EventOptions{Rising: true, Pull: cfg.Pull})
	if err != nil {
		return nil, err
	}
	g := &gpioInput{events: ev, restHigh: cfg.Rest == board.High, clock: clock, stop: make(chan struct{}), done: make(chan struct{})}
	g.read = g.now
	if g.level, err = g.now(); err != nil {
		return nil, errors.Join(err, ev.Close())
	}
	go g.watch()
	return g, nil
}

func (g *gpioInput) means(high bool) hal.Level {
	if high == g.restHigh {
		return hal.LevelRest
	}
	return hal.LevelActive
}

func (g *gpioInput) now() (hal.Level, error) {
	bits, err := g.events.Levels()
	if err != nil {
		return hal.LevelUnknown, err
	}
	return g.means(bits&1 != 0), nil
}

// watch passes every edge on with the kernel's time, so that a press shorter than our scheduling is seen, and then reads
// the level, so that a lost edge lasts a second at most. A line that cannot be read is unknown: the door takes that for
// a line fault, never for a closed door.
func (g *gpioInput) watch() {
	defer close(g.done)
	readEvents(g.events, rereadEvery, g.stop, func(p []byte, err error) error {
		for ; len(p) >= eventSize; p = p[eventSize:] {
			e := decodeEvent(p)
			g.set(g.means(e.rising), g.clock.kernel(e.stamp))
		}
		level, readErr := g.now()
		g.set(level, g.clock.now())
		return errors.Join(readErr, err)
	})
}

func (g *gpioInput) close() error {
	close(g.stop)
	err := g.events.Close() // ends the Read
	<-g.done
	return err
}
