package review

import "monban/firmware/access"

// FromNotice makes the finding of what the watch over the people inside has seen: an escort who left
// (VE-10), somebody left alone (AD-10). door is a door of the zone, for the page; zone is the detail. ok
// is false for a notice that says nothing.
func FromNotice(n access.Notice, gw access.GatewayID, door access.DoorID) (f Finding, ok bool) {
	switch n.Kind {
	case access.NoticeEscort:
		f = New(EscortLeft, NoCause)
	case access.NoticeAlone:
		f = New(LeftAlone, NoCause)
	default:
		return Finding{}, false
	}
	f.AtMS, f.Gateway, f.Door, f.Detail = n.AtMS, gw, door, string(n.Zone)
	return f, true
}
