package review

import (
	"monban/firmware/access"
	"monban/firmware/door"
)

// zoneUnknown: a gateway without the server let somebody in though it could not know who was inside; the
// zone's offline rule says grant and flag (D7). What only soft anti-passback would have flagged is not told.
func zoneUnknown(f Fact) (Finding, bool) {
	soft := access.KnowledgeSet(0).With(access.KnowPIN).With(access.KnowPerson)
	if f.Event != door.EventGranted || f.Side != access.SideEnter || !f.Rejudged || f.Judged.Missing&^soft == 0 {
		return Finding{}, false
	}
	found := New(ZoneUnknown, f.Leaf)
	found.Detail = (f.Judged.Missing &^ soft).String()
	return found, true
}
