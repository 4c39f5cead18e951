package calendar_test

import (
	"fmt"
	"time"

	"monban/firmware/calendar"
)

func ExampleDate_FiscalYear() {
	d := calendar.Date{Year: 2027, Month: time.March, Day: 31}
	fmt.Println(d.FiscalYear().Japanese(), d.FiscalYear().English(), d.AddDays(1).FiscalYear().Japanese())
	// Output: 令和8年度 FY2026 令和9年度
}

func ExampleDate_Japanese() {
	d := calendar.Date{Year: 2019, Month: time.April, Day: 30}
	fmt.Println(d.Japanese())
	fmt.Println(d.AddDays(1).Japanese())
	fmt.Println(d.AddDays(1).Western(), d.AddDays(1).English())
	// Output:
	// 平成31年4月30日(火)
	// 令和元年5月1日(水)
	// 2019年5月1日(水) 2019-05-01 Wed
}

// A Monday that is a holiday: office hours do not hold, and the next change is Tuesday's opening.
func ExampleSchedule() {
	loc := time.FixedZone("JST", 9*3600)
	table, err := calendar.BuiltIn()
	if err != nil {
		fmt.Println(err)
		return
	}
	c := table.Calendar(calendar.FiscalYear(2026).Start(), calendar.FiscalYear(2026).End())
	office := calendar.Schedule{Windows: []calendar.Window{{Days: calendar.Weekdays, From: 8*3600 + 1800, To: 17*3600 + 900}}}

	monday := time.Date(2026, time.November, 23, 10, 0, 0, 0, loc)
	d, _ := c.Find(calendar.DateOf(monday))
	next, _ := office.NextChange(&c, monday, loc)
	fmt.Println(d.Date.Japanese(), d.Kind.Japanese(), d.Name, office.Contains(&c, monday, loc))
	fmt.Println(next.Format(time.DateTime))
	// Output:
	// 令和8年11月23日(月) 祝日 勤労感謝の日 false
	// 2026-11-24 08:30:00
}
