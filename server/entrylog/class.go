package entrylog

import "time"

// Class is a record class: what is kept and destroyed together (D17).
type Class string

// The classes. The class follows from the leaf alone.
const (
	ClassRegister  Class = "register"  // record and decision leaves: who came to a door
	ClassAction    Class = "action"    // operators' actions
	ClassViolation Class = "violation" // findings
	ClassSystem    Class = "system"    // the rest
)

// ClassOf gives the class of a leaf. name is that of a system leaf and ignored otherwise.
func ClassOf(kind Kind, name string) Class {
	switch kind {
	case KindRecord, KindDecision:
		return ClassRegister
	case KindAction:
		return ClassAction
	case KindSystem:
		if name == SystemFinding || name == SystemQuarantine {
			return ClassViolation
		}
	}
	return ClassSystem
}

// FiscalYear gives the Japanese fiscal year (年度, from 1 April) of a moment in UTC ms, in the
// site's time zone. A leaf's year is that of its server time, so a late record is kept longer,
// never shorter (D17).
func FiscalYear(ms int64, zone *time.Location) int {
	y, m, _ := time.UnixMilli(ms).In(zone).Date()
	if m < time.April {
		y--
	}
	return y
}

// Day gives the date of a moment in UTC ms in the site's time zone, as YYYY-MM-DD (D21).
func Day(ms int64, zone *time.Location) string {
	return time.UnixMilli(ms).In(zone).Format(time.DateOnly)
}
