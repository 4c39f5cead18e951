package sim

import (
	"errors"
	"sync"
	"time"

	"monban/firmware/wiegand"
	"monban/gateway/hal"
)

const (
	bitTime = 1200 * time.Microsecond // from edge to edge; real readers take 1–2 ms, with pulses of 50 µs
	gapTime = 60 * time.Millisecond   // between two trains: more than the 25 ms that end one
	// queueLimit is how many trains may wait at one reader; a person keys in no more.
	queueLimit = 64
)

// Reader is one simulated Wiegand reader.
type Reader struct {
	hal    *HAL
	place  string // "DOOR SIDE", for the trace
	keypad wiegand.Keypad
	out    chan hal.Signal
	queue  chan hal.Signal // trains without times (see pump), faults
	stop   chan struct{}
	done   chan struct{}

	mu     sync.Mutex // guards what follows
	shows  hal.Indication
	lost   bool
	closed bool
}

func newReader(h *HAL, place string, cfg ReaderConfig) *Reader {
	r := &Reader{
		hal: h, place: place, keypad: cfg.Keypad,
		out: make(chan hal.Signal, 16), queue: make(chan hal.Signal, queueLimit),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	go r.pump() // ends with Close
	return r
}

// Signals implements hal.Reader.
func (r *Reader) Signals() <-chan hal.Signal { return r.out }

// Indicate implements hal.Reader.
func (r *Reader) Indicate(i hal.Indication) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.closed:
		return hal.ErrClosed
	case r.lost:
		return errors.New("reader does not answer")
	}
	r.shows = i
	r.hal.showed(r.place, i)
	return nil
}

// Close implements hal.Reader.
func (r *Reader) Close() error {
	r.mu.Lock()
	first := !r.closed
	r.closed = true
	r.mu.Unlock()
	if first {
		close(r.stop)
	}
	<-r.done
	return nil
}

// Present holds a card before the reader: its frame goes onto the lines edge by edge, after what was
// presented before. A lost reader sees nothing.
func (r *Reader) Present(f wiegand.Frame) error {
	edges := make(hal.Edges, f.Len())
	for i := range edges {
		edges[i].Line = hal.Line(f.Bit(i))
	}
	return r.push(edges)
}

// Press keys in digits, '*' and '#', as this reader's keypad sends them. A buffered keypad sends
// nothing before '#'.
func (r *Reader) Press(keys string) error {
	for _, k := range []byte(keys) {
		if !wiegand.Key(k).Valid() {
			return errors.New("keys are 0 to 9, * and #")
		}
	}
	switch r.keypad.Kind {
	case wiegand.KeypadNone:
		return errors.New("this reader has no keypad")
	case wiegand.KeypadBuffered26:
		return r.pressBuffered(keys)
	}
	for _, k := range []byte(keys) {
		f, err := wiegand.EncodeKey(r.keypad.Kind, wiegand.Key(k))
		if err != nil {
			return err
		}
		if err := r.Present(f); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reader) pressBuffered(keys string) error {
	layout, ok := wiegand.Lookup("H10301")
	if !ok {
		panic("BUG: no layout H10301")
	}
	n := uint64(0)
	for _, k := range []byte(keys) {
		switch k {
		case '*':
			n = 0
		case '#':
			if n == 0 || n > 65534 {
				n = 65535 // the keypad's word for "not sent"
			}
			f, err := wiegand.Encode(layout, wiegand.Fields{FC: uint64(r.keypad.Facility), CN: n})
			if err != nil {
				return errors.New("keypad: entry does not fit")
			}
			n = 0
			if err := r.Present(f); err != nil {
				return err
			}
		default:
			n = min(n*10+uint64(k-'0'), 1<<20)
		}
	}
	return nil
}

// setLost takes the reader off its cable or puts it back.
func (r *Reader) setLost(on bool) error {
	r.mu.Lock()
	same := r.lost == on
	r.lost = on
	r.mu.Unlock()
	if same {
		return nil
	}
	return r.push(hal.Fault{Kind: hal.FaultLost, On: on})
}

func (r *Reader) state() *ReaderState {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return &ReaderState{Keypad: r.keypad.Kind != wiegand.KeypadNone, Lost: r.lost, Shows: r.shows}
}

func (r *Reader) push(s hal.Signal) error {
	r.mu.Lock()
	closed, lost := r.closed, r.lost
	r.mu.Unlock()
	if closed {
		return hal.ErrClosed
	}
	if _, isEdges := s.(hal.Edges); lost && isEdges {
		return errors.New("the reader is off its cable")
	}
	select {
	case r.queue <- s:
		return nil
	default:
		return errors.New("too much is waiting at this reader")
	}
}

// pump plays the queue in real time: a train takes as long as it would on the lines, and its edges
// carry the times at which they happened.
func (r *Reader) pump() {
	defer close(r.done)
	defer close(r.out)
	var seq uint32
	for {
		var s hal.Signal
		select {
		case <-r.stop:
			return
		case s = <-r.queue:
		}
		switch sig := s.(type) {
		case hal.Edges:
			if !r.wait(gapTime) {
				return
			}
			start := r.hal.Now()
			if !r.wait(time.Duration(len(sig)) * bitTime) {
				return
			}
			for i := range sig {
				seq++
				sig[i].At, sig[i].Seq = start.Add(time.Duration(i)*bitTime), seq
			}
		case hal.Fault:
			sig.At = r.hal.Now()
			s = sig
		}
		select {
		case r.out <- s:
		case <-r.stop:
			return
		}
	}
}

func (r *Reader) wait(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.stop:
		return false
	}
}
