package calendar

import (
	"strconv"
	"time"
)

// Era is a Japanese era (元号).
type Era struct {
	Name   string // 令和
	Romaji string // Reiwa
	Letter string // R, as on forms
	Start  Date   // first day
	// FirstFiscalYear is the fiscal year (年度) that is called 元年度.
	FirstFiscalYear FiscalYear
}

// Eras lists the eras from the introduction of the Gregorian calendar on 1873-01-01 (明治6年), newest
// first. A new era is one more line here. Sources: 元号を改める政令 (1989, No. 1; 2018, No. 143) and
// the announcements of 1912 and 1926.
func Eras() []Era {
	return []Era{
		{"令和", "Reiwa", "R", Date{2019, time.May, 1}, 2019},
		{"平成", "Heisei", "H", Date{1989, time.January, 8}, 1989},
		{"昭和", "Showa", "S", Date{1926, time.December, 25}, 1927},
		{"大正", "Taisho", "T", Date{1912, time.July, 30}, 1912},
		{"明治", "Meiji", "M", Date{1868, time.January, 25}, 1868},
	}
}

var gregorian = Date{1873, time.January, 1}

// Era is the era of the day and the year in it, from 1. ok is false before 1873.
func (d Date) Era() (e Era, year int, ok bool) {
	if d.Before(gregorian) {
		return Era{}, 0, false
	}
	for _, e := range Eras() {
		if !d.Before(e.Start) {
			return e, d.Year - e.Start.Year + 1, true
		}
	}
	return Era{}, 0, false
}

// eraYear writes year 1 as 元.
func eraYear(year int) string {
	if year == 1 {
		return "元"
	}
	return strconv.Itoa(year)
}

// Japanese is the day in the Japanese calendar: 令和8年11月23日(月); before 1873 as Western writes it;
// "" for none.
func (d Date) Japanese() string {
	e, year, ok := d.Era()
	if !ok {
		return d.Western()
	}
	return e.Name + eraYear(year) + d.monthDay()
}

// Western is the day in Japanese with the Western year: 2026年11月23日(月); "" for none.
func (d Date) Western() string {
	if d.IsZero() {
		return ""
	}
	return strconv.Itoa(d.Year) + d.monthDay()
}

func (d Date) monthDay() string {
	return "年" + strconv.Itoa(int(d.Month)) + "月" + strconv.Itoa(d.Day) + "日(" + d.WeekdayJapanese() + ")"
}

// WeekdayJapanese is 日, 月, 火, 水, 木, 金 or 土.
func (d Date) WeekdayJapanese() string {
	return [...]string{"日", "月", "火", "水", "木", "金", "土"}[d.Weekday()]
}

// English is the day as English pages write it: 2026-11-23 Mon; "" for none.
func (d Date) English() string {
	if d.IsZero() {
		return ""
	}
	return d.String() + " " + d.Weekday().String()[:3]
}

// FiscalYear is a fiscal year (年度), 1 April to 31 March (会計年度: 地方自治法 art. 208), named by the
// year in which it begins.
type FiscalYear int

// FiscalYear is the fiscal year that the day lies in.
func (d Date) FiscalYear() FiscalYear {
	if d.Month < time.April {
		return FiscalYear(d.Year - 1)
	}
	return FiscalYear(d.Year)
}

// Start is 1 April.
func (y FiscalYear) Start() Date { return Date{int(y), time.April, 1} }

// End is 31 March, the last day (年度末).
func (y FiscalYear) End() Date { return Date{int(y) + 1, time.March, 31} }

// Japanese is 令和8年度; a year in which the era changes bears the name that the state's budget of
// that year has (令和元年度, but 昭和63年度).
func (y FiscalYear) Japanese() string {
	for _, e := range Eras() {
		if y >= e.FirstFiscalYear && y >= 1873 {
			return e.Name + eraYear(int(y)-e.Start.Year+1) + "年度"
		}
	}
	return strconv.Itoa(int(y)) + "年度"
}

// English is FY2026.
func (y FiscalYear) English() string { return "FY" + strconv.Itoa(int(y)) }

// RetainedThrough is the last day on which something created on d is kept for years full fiscal
// years: they are counted from the fiscal year after creation. It is due for disposal the day after.
func (d Date) RetainedThrough(years int) Date { return (d.FiscalYear() + FiscalYear(years)).End() }
