// Package sim is doors, readers and locks in software. It behaves like the hardware towards the rest
// of the gateway: a card is put on the two lines of a Wiegand reader edge by edge, a lock secures itself
// after its maximum time, a door opens only when something lets it.
//
// It is driven by lines of text (Do, ServeControl) and by the demo's page (hal/sim/panel), and it keeps
// its own list of lock edges and presented cards outside the product's files, so that tests can
// compare what the strike did with what the records say (I1, I6). A card number never appears in an
// error, a log line or the list.
package sim

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"monban/firmware/mono"
	"monban/firmware/wiegand"
	"monban/gateway/hal"
)

// Config describes what is fitted.
type Config struct {
	Anchor time.Time // zero of the times in signals, changes and the trace; the process's anchor (D4)
	Doors  []DoorConfig
	Cards  []Card // named demo cards
	// Trace is a file to which each lock edge, each presented card and each indication of a reader is
	// appended; "" = none.
	Trace string
	// SetLink cuts (false) or restores (true) the connection to the server; nil = there is none to cut.
	SetLink func(up bool)
	// Status says in one line how the gateway stands towards the server; nil = nothing to say.
	Status func() string
	// Quit ends the process; nil = the command is refused.
	Quit func()
	Log  *slog.Logger // nil = none
}

// DoorConfig is one door.
type DoorConfig struct {
	ID    string
	Lock  bool // false: an observed door (D14)
	Enter *ReaderConfig
	Exit  *ReaderConfig
	// Request: an exit button or handle is sensed.
	Request bool
}

// ReaderConfig is one reader.
type ReaderConfig struct {
	Keypad wiegand.Keypad
}

// Edge is one movement of a lock output.
type Edge struct {
	At       mono.Time
	Door     string
	Released bool
	Why      string // start, release, secure, limit, close
}

// HAL is the simulated hardware of one gateway.
type HAL struct {
	cfg   Config
	doors []*Door
	mains *input
	cell  *input // the battery

	mu        sync.Mutex // guards what follows
	trace     *os.File
	edges     []Edge
	presented uint64
	link      bool
	closed    bool
	outputs   []*output
}

// New builds the doors; every lock is secured before it returns.
func New(cfg Config) (*HAL, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Anchor.IsZero() {
		return nil, errors.New("simulator: no anchor")
	}
	h := &HAL{cfg: cfg, link: true}
	h.mains, h.cell = newInput(h), newInput(h)
	if cfg.Trace != "" {
		f, err := os.OpenFile(cfg.Trace, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("simulator: %w", err)
		}
		h.trace = f
	}
	for _, d := range cfg.Doors {
		if d.ID == "" || h.door(d.ID) != nil {
			return nil, errors.Join(fmt.Errorf("simulator: door %q without id or given twice", d.ID), h.Close())
		}
		h.doors = append(h.doors, newDoor(h, d))
	}
	return h, nil
}

// Now is the simulator's reading of the process's monotonic clock.
func (h *HAL) Now() mono.Time { return mono.Time(time.Since(h.cfg.Anchor)) }

// Door gives the devices of a door.
func (h *HAL) Door(id string) (hal.Door, error) {
	d := h.door(id)
	if d == nil {
		return hal.Door{}, fmt.Errorf("simulator: no door %q", id)
	}
	return d.devices(), nil
}

// Power gives what is sensed of the power supply.
func (h *HAL) Power() hal.Power { return hal.Power{Mains: h.mains, Battery: h.cell} }

func (h *HAL) door(id string) *Door {
	i := slices.IndexFunc(h.doors, func(d *Door) bool { return d.cfg.ID == id })
	if i < 0 {
		return nil
	}
	return h.doors[i]
}

// Edges is every lock edge so far, in order.
func (h *HAL) Edges() []Edge {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.edges)
}

// Link reports whether the connection to the server is left alone (true) or cut.
func (h *HAL) Link() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.link
}

// SetLink cuts or restores the connection to the server.
func (h *HAL) SetLink(up bool) error {
	if h.cfg.SetLink == nil {
		return errors.New("this simulator has no link to cut")
	}
	h.mu.Lock()
	h.link = up
	h.mu.Unlock()
	h.cfg.SetLink(up)
	return nil
}

// Close secures every lock and closes every device.
func (h *HAL) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return nil
	}
	h.closed = true
	h.mu.Unlock()
	errs := []error{h.mains.Close(), h.cell.Close()}
	for _, d := range h.doors {
		errs = append(errs, d.close())
	}
	if h.trace != nil {
		errs = append(errs, h.trace.Close())
	}
	return errors.Join(errs...)
}

// lockEdge notes a lock edge; it is called while the lock's own mutex is held, before the level counts
// as changed, so that no edge can be missing from the list.
func (h *HAL) lockEdge(e Edge) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.edges = append(h.edges, e)
	state := "secured"
	if e.Released {
		state = "released"
	}
	h.write("lock %s %s %s", e.Door, state, e.Why)
}

// note writes that a card was presented, by a running number instead of the card's.
func (h *HAL) note(door, side string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.presented++
	h.write("badge %s %s %d", door, side, h.presented)
}

// showed writes down what a reader shows its person.
func (h *HAL) showed(place string, i hal.Indication) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.write("show %s %s,%s,%s", place, i.Light, i.Blink, i.Tone)
}

// write appends one line to the trace: wall time in Unix ns, monotonic ns, then the text. One write
// per line: lines of processes that follow one another never mix. The caller holds mu.
func (h *HAL) write(format string, args ...any) {
	if h.trace == nil {
		return
	}
	line := fmt.Sprintf("%d %d ", time.Now().UnixNano(), int64(h.Now())) + fmt.Sprintf(format, args...) + "\n"
	if _, err := io.WriteString(h.trace, line); err != nil {
		h.cfg.Log.Error("simulator trace", "err", err)
	}
}
