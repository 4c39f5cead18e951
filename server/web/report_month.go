package web

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"monban/firmware/calendar"
	"monban/server/register"
	"monban/server/report"
)

// dayCount is what one day of a register comes to.
type dayCount struct{ entries, exits, unpaired, unexplained, refused, noEntry int }

// countDays counts the rows of a register by day. Each row counts once as what it is; an entry and an exit are counted beside it.
func countDays(rows []RegisterRow) map[string]*dayCount {
	out := map[string]*dayCount{}
	for i := range rows {
		r := &rows[i]
		n := out[r.Day]
		if n == nil {
			n = new(dayCount)
			out[r.Day] = n
		}
		if !r.EnteredAt.IsZero() {
			n.entries++
		}
		if !r.ExitedAt.IsZero() {
			n.exits++
		}
		switch r.State {
		case register.ExitNotRecorded, register.EntryNotRecorded:
			n.unpaired++
		case register.ExitUnattributed, register.Unexplained:
			n.unexplained++
		case register.Denied:
			n.refused++
		case register.NoEntry:
			n.noEntry++
		}
	}
	return out
}

// monthly is the summary of a period by day, with who signed each day and each month (VR-4, VR-10).
func (h *Handler) monthly(ctx context.Context, a *reportAsk) (*report.Document, error) {
	v, d := a.register(), a.head()
	from, to := a.from.String(), a.to.String()
	reg, err := h.src.Registers.Register(ctx, RegisterQuery{Zone: a.zone.ID, From: from, To: to}) // names are not needed
	if err != nil {
		return nil, fmt.Errorf("register of %s: %w", a.zone.ID, err)
	}
	days, err := h.src.Reviews.ReviewDays(ctx, a.zone.ID, from, to)
	if err != nil {
		return nil, fmt.Errorf("signatures of %s: %w", a.zone.ID, err)
	}
	months, err := h.src.Reviews.ReviewMonths(ctx, a.zone.ID, from[:len(monthLayout)], to[:len(monthLayout)])
	if err != nil {
		return nil, fmt.Errorf("signed months of %s: %w", a.zone.ID, err)
	}
	counts := countDays(reg.Rows)
	column := func(key string, weight int) report.Column { return report.Column{Head: a.T(key), Weight: weight} }
	number := func(key string) report.Column { return report.Column{Head: a.T(key), Weight: 4, Number: true} }
	byDay := report.Table{Heading: a.T("report.by_day"), Empty: a.T("register.empty"), Columns: []report.Column{
		column("register.day", 10), number("report.entries"), number("report.exits"), number("report.unpaired"), number("report.unexplained"), number("report.no_entries"), number("report.refused"),
		number("report.findings"), column("register.state", 7), column("report.first", 8), column("report.second_person", 8), column("report.signed_at", 10),
	}}
	for i := range days {
		x := &days[i]
		n := counts[x.Day]
		if n == nil {
			n = new(dayCount)
		}
		row := []string{x.Day, strconv.Itoa(n.entries), strconv.Itoa(n.exits), strconv.Itoa(n.unpaired), strconv.Itoa(n.unexplained), strconv.Itoa(n.noEntry), strconv.Itoa(n.refused),
			strconv.Itoa(x.Findings), v.say.reviewTag(&x.Sheet).Word, x.SignedBy, x.SecondBy, ""}
		if t, err := time.Parse(dayLayout, x.Day); err == nil {
			row[0] = v.date(calendar.DateOf(t))
		}
		if x.Sheet.Signed != nil {
			row[len(row)-1] = v.DayTime(time.UnixMilli(x.Sheet.Signed.AtMS))
		}
		if !x.Covered {
			d.Notes = append(d.Notes, a.T("report.uncovered", "day", row[0]))
		}
		byDay.Rows = append(byDay.Rows, row)
	}
	byMonth := report.Table{Heading: a.T("report.by_month"), Empty: a.T("register.empty"), Columns: []report.Column{column("report.month", 4), column("report.first", 8)}}
	for m := (calendar.Date{Year: a.from.Year, Month: a.from.Month, Day: 1}); !a.to.Before(m); {
		by := a.T("report.not_signed")
		if s, ok := months[m.String()[:len(monthLayout)]]; ok {
			changed, err := h.monthChanged(ctx, a, s, m, days)
			if err != nil {
				return nil, err
			}
			if by = s.By; changed {
				by = a.T("report.month_changed", "name", s.By)
			}
		}
		byMonth.Rows = append(byMonth.Rows, []string{a.T("review.month", "year", strconv.Itoa(m.Year), "month", strconv.Itoa(int(m.Month))), by})
		m = m.AddDays(31)
		m.Day = 1
	}
	d.Tables = []report.Table{byDay, byMonth}
	return d, nil
}

// monthChanged reports whether days of a signed month have changed since, also those outside the period of the paper, whose days are given.
func (h *Handler) monthChanged(ctx context.Context, a *reportAsk, s SignedMonth, first calendar.Date, days []ReviewDay) (bool, error) {
	last := first.AddDays(31)
	last.Day = 1
	last = last.AddDays(-1)
	month := first.String()[:len(monthLayout)]
	if first.Before(a.from) || a.to.Before(last) {
		var err error
		if days, err = h.src.Reviews.ReviewDays(ctx, a.zone.ID, first.String(), last.String()); err != nil {
			return false, fmt.Errorf("signatures of %s in %s: %w", a.zone.ID, month, err)
		}
	}
	return s.changed(daysOfMonth(days, month)), nil
}
