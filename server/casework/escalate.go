package casework

// Level is who has to look at a finding by now (VR-3). The zero value is whoever works it.
type Level uint8

// Levels, in the order in which a finding rises while nobody closes it.
const (
	Reviewer    Level = iota // in time
	ZoneManager              // past due
	CISOOffice               // and still open days later
)

// graceDays is how many open days the zone manager has before it goes up to the CISO office.
const graceDays = 2

// Acts of the clock, the words of their leaves. They give nobody a case and close none.
const (
	ToZoneManager Kind = "finding_to_manager"
	ToCISOOffice  Kind = "finding_to_ciso"
)

// Risen is the act by which a finding comes to a level, "" for the first.
func (l Level) Risen() Kind {
	switch l {
	case ZoneManager:
		return ToZoneManager
	case CISOOffice:
		return ToCISOOffice
	}
	return ""
}

// Clock is when a finding rises: the due time, and the time at which it goes on to the CISO office, UTC ms.
type Clock struct{ DueMS, CISOMS int64 }

// Rises gives both times of a finding of foundMS that is due within dueDays open days. closing gives the closing time of the n-th open
// day after the day of a moment: closed days count for nobody.
func Rises(foundMS int64, dueDays int, closing func(ms int64, openDays int) int64) Clock {
	days := max(1, dueDays)
	return Clock{DueMS: closing(foundMS, days), CISOMS: closing(foundMS, days+graceDays)}
}

// At is the level at a moment, for a finding that is still open. The moment at which it is due is too late.
func (c Clock) At(nowMS int64) Level {
	switch {
	case nowMS >= c.CISOMS:
		return CISOOffice
	case nowMS >= c.DueMS:
		return ZoneManager
	}
	return Reviewer
}

// Reached is the highest level that stands in the acts of a finding since it was opened last.
func Reached(acts []Act) (l Level) {
	for i := range acts {
		switch acts[i].Kind {
		case ToZoneManager:
			l = max(l, ZoneManager)
		case ToCISOOffice:
			l = CISOOffice
		case Reopen: // the time begins anew for nobody, but it is said again
			l = Reviewer
		}
	}
	return l
}
