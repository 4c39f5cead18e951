package app

import "runtime"

// heapRoom is how much the server may allocate between two collections of garbage beside what lives: Go's own rule is "as much as lives",
// a few MB here, so that 5,000 records a second were ten collections a second, and each of them made doors wait. It costs up to so much memory, and only
// under load. It is added to, not multiplied by, what lives: a server with a large report in hand does not grow to many times its size.
const heapRoom = 128 << 20

// keepHeapRoom lays heapRoom bytes in the heap that are never touched, so that they take no memory of the machine and the collector counts
// them as living. The returned function lets go of them.
func keepHeapRoom() (release func()) {
	room := make([]byte, heapRoom)
	return func() { runtime.KeepAlive(room) }
}
