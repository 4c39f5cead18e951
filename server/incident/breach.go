package incident

import "monban/firmware/calendar"

// Days of the breach clock (AL-5), counted with the day of knowledge as day 1. A day on which the offices are closed rolls to the next open one.
const (
	preliminaryFrom = 3  // 速報: from this day
	preliminaryBy   = 5  // at the latest
	finalBy         = 30 // 確報
	finalByAttack   = 60 // 確報 where the leak may be of an unlawful purpose
)

// Breach is what the clock of a leak of personal data goes by.
type Breach struct {
	Known  calendar.Date // when the office knew of it
	Attack bool          // by somebody with an unlawful purpose
}

// Deadlines are the days until which the leak is reported to the commission.
type Deadlines struct {
	Preliminary     calendar.Date // 速報 may be expected from here
	PreliminaryLast calendar.Date // and is late after here
	Final           calendar.Date // 確報
}

// Clock gives the deadlines. closed knows the closed days.
func (b Breach) Clock(closed *calendar.Calendar) Deadlines {
	last := finalBy
	if b.Attack {
		last = finalByAttack
	}
	return Deadlines{closed.DueDate(b.Known, preliminaryFrom), closed.DueDate(b.Known, preliminaryBy), closed.DueDate(b.Known, last)}
}
