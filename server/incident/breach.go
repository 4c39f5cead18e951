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

// soonDays is how many days before the final report's last day it is said that it is due.
const soonDays = 5

// Notices of the clock, words of messages.
const (
	PreliminaryDue  = "preliminary_due"
	PreliminaryLate = "preliminary_late"
	FinalDue        = "final_due"
	FinalLate       = "final_late"
)

// Notice is what has to be said on a day of a leak that is not reported: "" = nothing.
func (x *Record) Notice(d *Deadlines, today calendar.Date) string {
	switch {
	case x.Closed.Done() || x.Finished.Done():
	case d.Final.Before(today):
		return FinalLate
	case !x.Reported.Done() && d.PreliminaryLast.Before(today):
		return PreliminaryLate
	case x.Reported.Done() && !today.Before(d.Final.AddDays(-soonDays)):
		return FinalDue
	case !x.Reported.Done() && !today.Before(d.Preliminary):
		return PreliminaryDue
	}
	return ""
}

// Clock gives the deadlines. closed knows the closed days.
func (b Breach) Clock(closed *calendar.Calendar) Deadlines {
	last := finalBy
	if b.Attack {
		last = finalByAttack
	}
	return Deadlines{closed.DueDate(b.Known, preliminaryFrom), closed.DueDate(b.Known, preliminaryBy), closed.DueDate(b.Known, last)}
}
