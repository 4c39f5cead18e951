package web

import (
	"strconv"
	"time"

	"monban/firmware/calendar"
)

// Bounds of one page of the register: a longer period is shown a month at a time, and one with more lines a day at a time. The pages are
// calendar months and days, so that an address shows the same part also after late records came.
const (
	registerPageDays = 31
	registerPageRows = 500
)

// months gives the days that are read: of a long period the month that is asked for, else its last one that has begun.
func (v *registerView) months(rq *request) (from, to string) {
	first, err := calendar.ParseDate(v.From)
	last, err2 := calendar.ParseDate(v.To)
	if err != nil || err2 != nil || last.Sub(first) < registerPageDays {
		return v.From, v.To
	}
	part, today := clip(rq.URL.Query().Get("part"), len(dayLayout)), calendar.DateOf(v.say.now)
	if len(part) > len(monthLayout) {
		part = part[:len(monthLayout)]
	}
	chosen, asked := 0, false
	var spans [][2]string
	for m := first; !last.Before(m); {
		next := calendar.Date{Year: m.Year, Month: m.Month, Day: 1}.AddDays(31)
		next.Day = 1
		end := next.AddDays(-1)
		if last.Before(end) {
			end = last
		}
		id := m.String()[:len(monthLayout)]
		if id == part || !asked && !today.Before(m) {
			chosen, asked = len(spans), id == part
		}
		spans = append(spans, [2]string{m.String(), end.String()})
		v.Months = append(v.Months, navItem{Href: v.partOf(rq, id), Label: v.T("review.month", "year", strconv.Itoa(m.Year), "month", strconv.Itoa(int(m.Month)))})
		m = next
	}
	v.Months[chosen].Current = true
	return spans[chosen][0], spans[chosen][1]
}

// days leaves, of more lines than a page holds, those of the day that is asked for, else of the first; each line keeps its number.
func (v *registerView) days(rq *request) {
	if len(v.Lines) <= registerPageRows || v.Lines[0].DayID == v.Lines[len(v.Lines)-1].DayID {
		return
	}
	part, shown := rq.URL.Query().Get("part"), v.Lines[0].DayID
	counts := map[string]int{}
	var days []string
	for i := range v.Lines {
		d := v.Lines[i].DayID
		if counts[d]++; counts[d] == 1 {
			days = append(days, d)
		}
		if d == part {
			shown = d
		}
	}
	for _, d := range days {
		label := d
		if t, err := time.Parse(dayLayout, d); err == nil {
			label = v.T("register.part_day", "day", strconv.Itoa(t.Day()), "n", strconv.Itoa(counts[d]))
		}
		v.Days = append(v.Days, navItem{Href: v.partOf(rq, d), Label: label, Current: d == shown})
	}
	kept := make([]registerLine, 0, counts[shown])
	for i := range v.Lines {
		if v.Lines[i].DayID == shown {
			kept = append(kept, v.Lines[i])
		}
	}
	v.Lines = kept
}

// partOf is the address of a part of the period.
func (v *registerView) partOf(rq *request, part string) string {
	q := rq.URL.Query()
	q.Set("zone", v.Zone)
	q.Set("from", v.From)
	q.Set("to", v.To)
	q.Set("part", part)
	return withQuery("/register", q)
}
