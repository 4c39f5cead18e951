package sim

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"monban/gateway/hal"
)

// passTime is how long a person takes to walk through a door that closes by itself.
const passTime = 2 * time.Second

// ErrLocked: the door was pushed and did not move.
var ErrLocked = errors.New("is locked")

// Door is one simulated door: what stands in the wall, and its devices.
type Door struct {
	hal     *HAL
	cfg     DoorConfig
	enter   *Reader
	exit    *Reader
	contact *input
	request *input
	tamper  *input
	fire    *input
	lock    *lock
}

func newDoor(h *HAL, cfg DoorConfig) *Door {
	d := &Door{hal: h, cfg: cfg, contact: newInput(h), tamper: newInput(h), fire: newInput(h)}
	if cfg.Enter != nil {
		d.enter = newReader(h, cfg.ID+" enter", *cfg.Enter)
	}
	if cfg.Exit != nil {
		d.exit = newReader(h, cfg.ID+" exit", *cfg.Exit)
	}
	if cfg.Request {
		d.request = newInput(h)
	}
	if cfg.Lock {
		d.lock = &lock{hal: h, door: cfg.ID}
		h.lockEdge(Edge{At: h.Now(), Door: cfg.ID, Why: "start"})
	}
	return d
}

// devices leaves out what is not fitted, so that the fields are nil and not typed nils.
func (d *Door) devices() hal.Door {
	out := hal.Door{Contact: d.contact, Tamper: d.tamper, Fire: d.fire}
	if d.enter != nil {
		out.Enter = d.enter
	}
	if d.exit != nil {
		out.Exit = d.exit
	}
	if d.request != nil {
		out.Request = d.request
	}
	if d.lock != nil {
		out.Lock = d.lock
	}
	return out
}

func (d *Door) close() error {
	var errs []error
	if d.lock != nil {
		errs = append(errs, d.lock.Close())
	}
	for _, r := range []*Reader{d.enter, d.exit} {
		if r != nil {
			errs = append(errs, r.Close())
		}
	}
	for _, in := range []*input{d.contact, d.request, d.tamper, d.fire} {
		if in != nil {
			errs = append(errs, in.Close())
		}
	}
	return errors.Join(errs...)
}

// reader finds the reader of a side by its word.
func (d *Door) reader(side string) (*Reader, error) {
	r := map[string]*Reader{"enter": d.enter, "exit": d.exit}[side]
	if r == nil {
		return nil, fmt.Errorf("door %s has no reader on side %q", d.cfg.ID, side)
	}
	return r, nil
}

// Open pushes the door from outside: it moves when there is no lock, when the lock is released, or when
// the fire panel has cut the lock's supply.
func (d *Door) Open() error {
	if d.lock != nil && !d.lock.Released() && !d.fire.active() {
		return fmt.Errorf("door %s %w", d.cfg.ID, ErrLocked)
	}
	d.contact.set(hal.LevelActive)
	return nil
}

// OpenInside turns the handle: leaving is mechanical and always works (I9). A door that senses its
// handle senses it.
func (d *Door) OpenInside() {
	d.Request()
	d.contact.set(hal.LevelActive)
}

// Pass walks through: the door is opened, from inside or outside, and falls shut after a while.
func (d *Door) Pass(inside bool) error {
	if inside {
		d.OpenInside()
	} else if err := d.Open(); err != nil {
		return err
	}
	time.AfterFunc(passTime, d.Shut) // on a closed HAL it does nothing
	return nil
}

// Force opens the door whatever the lock does.
func (d *Door) Force() { d.contact.set(hal.LevelActive) }

// Shut closes the door; the lock's state is not touched.
func (d *Door) Shut() { d.contact.set(hal.LevelRest) }

// Request presses the exit button, or turns the handle, for a moment; false = none is fitted.
func (d *Door) Request() bool {
	if d.request == nil {
		return false
	}
	d.request.set(hal.LevelActive)
	d.request.set(hal.LevelRest)
	return true
}

// State is what one sees standing before the door.
type State struct {
	ID       string
	Open     bool
	HasLock  bool
	Released bool
	Tamper   bool
	Fire     bool
	Failing  bool // the strike does not obey
	Request  bool // a button or handle is fitted
	Enter    *ReaderState
	Exit     *ReaderState
}

// ReaderState is what one sees of a reader.
type ReaderState struct {
	Keypad bool
	Lost   bool
	Shows  hal.Indication
}

// State reads every device of the door.
func (d *Door) State() State {
	s := State{
		ID: d.cfg.ID, Open: d.contact.active(), Tamper: d.tamper.active(), Fire: d.fire.active(),
		Request: d.request != nil, Enter: d.enter.state(), Exit: d.exit.state(),
	}
	if d.lock != nil {
		s.HasLock, s.Released, s.Failing = true, d.lock.Released(), d.lock.failing()
	}
	return s
}

// Doors gives the state of every door, in the order of the configuration.
func (h *HAL) Doors() []State {
	all := make([]State, len(h.doors))
	for i, d := range h.doors {
		all[i] = d.State()
	}
	return all
}

// lock is one lock output.
type lock struct {
	hal  *HAL
	door string

	mu       sync.Mutex // guards what follows
	released bool
	failed   bool
	closed   bool
	limit    *time.Timer
	turn     uint64 // numbers releases, so that an old timer cannot end a new one
}

// Release implements hal.Lock.
func (l *lock) Release(limit time.Duration) error {
	if limit <= 0 || limit > hal.MaxRelease {
		return hal.ErrRelease
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return hal.ErrClosed
	case l.failed:
		return hal.ErrStrike // stays as it is: a dead coil does not move
	}
	l.move(true, "release")
	l.turn++
	turn := l.turn
	l.stopLimit()
	// The lock secures itself even if the controller never calls again.
	l.limit = time.AfterFunc(limit, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.turn == turn {
			l.move(false, "limit")
		}
	})
	return nil
}

// Secure implements hal.Lock.
func (l *lock) Secure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return hal.ErrClosed
	}
	l.secure("secure")
	return nil
}

// Close implements hal.Lock.
func (l *lock) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.secure("close")
		l.closed = true
	}
	return nil
}

// Released reports whether the lock lets the door be opened.
func (l *lock) Released() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.released
}

func (l *lock) failing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// fail makes the strike stop obeying; a coil without current is locked.
func (l *lock) fail(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed = on; on {
		l.secure("failure")
	}
}

// secure is called with mu held.
func (l *lock) secure(why string) {
	l.turn++
	l.stopLimit()
	l.move(false, why)
}

func (l *lock) stopLimit() {
	if l.limit != nil {
		l.limit.Stop()
		l.limit = nil
	}
}

// move is called with mu held; only a change is an edge.
func (l *lock) move(released bool, why string) {
	if l.released == released {
		return
	}
	l.hal.lockEdge(Edge{At: l.hal.Now(), Door: l.door, Released: released, Why: why})
	l.released = released
}

// input is one sensed line.
type input struct {
	hal *HAL

	mu      sync.Mutex // guards what follows
	level   hal.Level
	changes chan hal.Change
	closed  bool
}

func newInput(h *HAL) *input {
	return &input{hal: h, level: hal.LevelRest, changes: make(chan hal.Change, 16)}
}

// Changes implements hal.Input.
func (in *input) Changes() <-chan hal.Change { return in.changes }

// Level implements hal.Input.
func (in *input) Level() (hal.Level, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return hal.LevelUnknown, hal.ErrClosed
	}
	return in.level, nil
}

// Close implements hal.Input.
func (in *input) Close() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.closed {
		in.closed = true
		close(in.changes)
	}
	return nil
}

func (in *input) active() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.level == hal.LevelActive
}

// set changes the level and says so; when nobody listens the oldest change is dropped.
func (in *input) set(level hal.Level) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed || in.level == level {
		return
	}
	in.level = level
	c := hal.Change{Level: level, At: in.hal.Now()}
	for {
		select {
		case in.changes <- c:
			return
		default:
		}
		select {
		case <-in.changes:
		default:
		}
	}
}

func (in *input) setOn(on bool) {
	if on {
		in.set(hal.LevelActive)
	} else {
		in.set(hal.LevelRest)
	}
}
