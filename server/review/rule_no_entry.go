package review

import (
	"monban/firmware/access"
	"monban/firmware/door"
)

// noEntry: a permission was given and nobody opened the door (未入室, DS-4). It happens each day, so those of one door and day are
// one item that says how many there were. Where the door took the permission back there is nobody to ask: a lock that did not obey, a cut
// line, the other door of an airlock. What is worth a look there is told of itself.
func noEntry(f Fact) (Finding, bool) {
	if f.Reason != access.ReasonUndecided {
		return Finding{}, false
	}
	found, ok := on(f, door.EventNoEntry, NoEntry)
	found.Once, found.Detail = OncePerDay, ""
	return found, ok
}
