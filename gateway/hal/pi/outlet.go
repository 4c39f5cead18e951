package pi

import (
	"sync/atomic"

	"monban/gateway/hal"
)

// outlet is a reader's way out. One goroutine sends, and closes it at its end.
type outlet struct {
	signals chan hal.Signal
	overrun *atomic.Bool // something was dropped and not told yet
}

func newOutlet(room int) outlet { return outlet{make(chan hal.Signal, room), new(atomic.Bool)} }

// Signals implements hal.Reader.
func (o outlet) Signals() <-chan hal.Signal { return o.signals }

// send never waits: a door that does not listen must not hold up its reader. What is dropped is told, as soon as there is
// room, instead of a silent gap.
func (o outlet) send(s hal.Signal) bool {
	if o.overrun.Load() {
		select {
		case o.signals <- hal.Fault{At: s.When(), Kind: hal.FaultOverrun, On: true}:
			o.overrun.Store(false)
		default:
			return false
		}
	}
	select {
	case o.signals <- s:
		return true
	default:
		o.overrun.Store(true)
		return false
	}
}
