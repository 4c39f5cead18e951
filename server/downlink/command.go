package downlink

import (
	"fmt"
	"time"

	"monban/firmware/access"
	"monban/firmware/link"
	"monban/firmware/wire"
)

// NotOrderedError says why a command was not sent; nothing of it will be sent later.
type NotOrderedError struct{ Why string }

func (e *NotOrderedError) Error() string { return fmt.Sprintf("command not sent: %s", e.Why) }

// Order sends a command to a gateway now, once, bound to its newest heartbeat (D13). The leaf that says who
// ordered it must be committed. nil means that it was handed to the broker, not that it arrived: that the
// gateway's records say. Every error is a *NotOrderedError.
func (d *Downlink) Order(gw access.GatewayID, c wire.Command) error {
	g, why := d.gateway(gw)
	if g == nil {
		return &NotOrderedError{Why: why}
	}
	if !d.small.connected() { // the client would drop it, or worse, keep it
		return &NotOrderedError{Why: link.WhyNotFresh}
	}
	actions := d.step(g, link.Order{Command: c})
	d.act(g, time.Now(), actions)
	for _, a := range actions {
		if n, ok := a.(link.NotOrdered); ok {
			return &NotOrderedError{Why: n.Why}
		}
	}
	return nil
}
