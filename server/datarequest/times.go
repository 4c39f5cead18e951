package datarequest

import "monban/firmware/calendar"

// The times of the law on the protection of personal information (個人情報の保護に関する法律), in days; the day of receipt is not counted (民法第140条).
// A city's ordinance may shorten them; nothing lengthens them.
const (
	decideDays = 30 // 第83条第1項 (開示), 第94条第1項 (訂正), 第102条第1項 (利用停止)
	extendDays = 30 // 第83条第2項, 第94条第2項, 第102条第2項: once, with the reason told to the person
)

// Due is the last day of the decision. A day on which the office is closed does not move it: an answer of the day before is in time whichever way one counts.
func (x *Record) Due() calendar.Date {
	d, err := calendar.ParseDate(x.Received)
	if err != nil {
		return calendar.Date{} // long over: whoever looks sees that something is wrong
	}
	if x.Of(Extended).Done() {
		return d.AddDays(decideDays + extendDays)
	}
	return d.AddDays(decideDays)
}

// Late reports whether the day of the decision is past and there is none.
func (x *Record) Late(today calendar.Date) bool { return x.undecided() && today.After(x.Due()) }
