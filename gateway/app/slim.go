package app

import (
	"runtime/debug"
	"sync/atomic"
	"time"
)

// slimAfter is how long after a policy the memory that its loading took is given back: doors come first, and several
// policies in a row are given back for once.
const slimAfter = 2 * time.Second

// slimmer gives memory back to the machine, which may have 512 MiB for everything.
type slimmer struct{ waits atomic.Bool }

// Do is called after something large was loaded. It does not wait.
func (s *slimmer) Do() {
	if s.waits.Swap(true) {
		return
	}
	time.AfterFunc(slimAfter, func() {
		s.waits.Store(false)
		debug.FreeOSMemory()
	})
}
