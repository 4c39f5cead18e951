package review

import "monban/firmware/door"

// noEntry: a permission was given and nobody opened the door (未入室, DS-4). It happens each day, so those of one door and day are
// one item that says how many there were.
func noEntry(f Fact) (Finding, bool) {
	found, ok := on(f, door.EventNoEntry, NoEntry)
	found.Once, found.Detail = OncePerDay, ""
	return found, ok
}
