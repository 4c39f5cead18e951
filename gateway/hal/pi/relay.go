package pi

import (
	"sync"

	"monban/gateway/hal"
)

// relay is one output that warns people (AL-6). No door hangs on it: it is taken after the locks are secured, and its failure is the
// bell's to say.
type relay struct {
	mu  sync.Mutex
	out Output // mu; nil = closed
	err error  // why it could not be taken
}

// Set implements hal.Output.
func (r *relay) Set(on bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.err != nil:
		return r.err
	case r.out == nil:
		return hal.ErrClosed
	}
	return r.out.Set(on)
}

// Close implements hal.Output: it is off afterwards.
func (r *relay) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.out == nil || r.err != nil {
		return nil
	}
	out := r.out
	r.out = nil
	if err := out.Set(false); err != nil {
		_ = out.Close() // the fault is told; what can be given back is
		return err
	}
	return out.Close()
}

// Output gives a relay of the profile; nil = not fitted.
func (h *HAL) Output(name string) hal.Output {
	if r := h.relays[name]; r != nil {
		return r
	}
	return nil
}
