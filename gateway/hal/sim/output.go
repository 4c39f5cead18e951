package sim

import (
	"strings"
	"sync"

	"monban/gateway/hal"
)

// output is a relay that is only told of: by the trace and by the script line "alarm".
type output struct {
	h    *HAL
	name string

	mu sync.Mutex
	on bool // mu
}

// Output gives a simulated relay; the same name gives the same one.
func (h *HAL) Output(name string) hal.Output {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, o := range h.outputs {
		if o.name == name {
			return o
		}
	}
	o := &output{h: h, name: name}
	h.outputs = append(h.outputs, o)
	return o
}

// Set implements hal.Output.
func (o *output) Set(on bool) error {
	o.h.mu.Lock()
	closed := o.h.closed
	o.h.mu.Unlock()
	if closed {
		return hal.ErrClosed
	}
	o.mu.Lock()
	changed := o.on != on
	o.on = on
	o.mu.Unlock()
	if changed {
		o.h.mu.Lock()
		defer o.h.mu.Unlock()
		o.h.write("alarm %s %s", o.name, onOff(on))
	}
	return nil
}

// Close implements hal.Output.
func (o *output) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.on = false
	return nil
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// alarms says which relays are on: "lamp=on buzzer=off".
func (h *HAL) alarms() string {
	h.mu.Lock()
	list := append([]*output(nil), h.outputs...)
	h.mu.Unlock()
	var out []string
	for _, o := range list {
		o.mu.Lock()
		out = append(out, o.name+"="+onOff(o.on))
		o.mu.Unlock()
	}
	return strings.Join(out, " ")
}
