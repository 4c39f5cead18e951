package web

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/calendar"
	"monban/server/register"
	"monban/server/report"
	"monban/server/signoff"
)

// paperColumn is a column of the entry register with what stands in it.
type paperColumn struct {
	word   string // in a site's settings
	label  string // of the catalogue
	weight int
	fixed  bool
	cell   func(v *registerView, no string, l *registerLine) string
}

// registerColumns are the columns of the entry register that published rules have, in their usual order.
var registerColumns = []paperColumn{
	{"no", "register.no", 3, true, func(_ *registerView, no string, _ *registerLine) string { return no }},
	{"day", "register.day", 7, false, func(_ *registerView, _ string, l *registerLine) string { return l.Day }},
	{"in", "register.in", 4, true, func(v *registerView, _ string, l *registerLine) string { return cmp.Or(l.In, v.T("register.blank")) }},
	{"out", "register.out", 4, true, func(v *registerView, _ string, l *registerLine) string { return cmp.Or(l.Out, v.T("register.blank")) }},
	{"name", "register.name_only", 8, false, func(_ *registerView, _ string, l *registerLine) string { return l.Who.Name }},
	{"affiliation", "register.affiliation", 8, false, func(_ *registerView, _ string, l *registerLine) string { return l.Who.Section }},
	{"category", "register.category", 5, false, func(_ *registerView, _ string, l *registerLine) string { return l.Category }},
	{"purpose", "register.purpose", 9, false, func(_ *registerView, _ string, l *registerLine) string { return l.Purpose }},
	{"system", "register.system", 7, false, func(_ *registerView, _ string, l *registerLine) string { return l.System }},
	{"approver", "register.approver", 6, false, func(_ *registerView, _ string, l *registerLine) string { return l.Approver }},
	{"attendee", "register.attendee", 6, false, func(_ *registerView, _ string, l *registerLine) string { return l.Attendee }},
	{"badge", "register.badge_only", 5, true, func(_ *registerView, _ string, l *registerLine) string { return l.Badge }},
	{"items", "register.items", 7, false, func(v *registerView, _ string, l *registerLine) string {
		return strings.Join(l.Items, v.T("list.separator"))
	}},
	{"identity", "register.identity", 6, false, func(_ *registerView, _ string, l *registerLine) string { return l.Identity }},
	{"state", "register.state", 6, false, func(_ *registerView, _ string, l *registerLine) string { return l.State.Word }},
	{"remarks", "register.remarks", 10, false, func(v *registerView, _ string, l *registerLine) string {
		return strings.Join(append([]string{l.Door}, l.Notes...), v.T("list.separator"))
	}},
	{"seal", "report.checked", 6, false, func(_ *registerView, _ string, l *registerLine) string { return l.Signed }},
}

// registerColumnWords lists the columns as settings name them.
func registerColumnWords() (out []string) {
	for _, c := range registerColumns {
		out = append(out, c.word)
	}
	return out
}

// chosenColumns gives the columns of a form, in its order; all when it names none.
func chosenColumns(f *report.Form) (out []paperColumn) {
	for _, word := range f.Columns {
		for _, c := range registerColumns {
			if c.word == word {
				out = append(out, c)
			}
		}
	}
	if len(out) == 0 {
		return registerColumns
	}
	return out
}

// entryRegister is the 入退室管理簿 of one zone and the days of a period (RR-1, RR-2).
func (h *Handler) entryRegister(ctx context.Context, a *reportAsk) (*report.Document, error) {
	v, d := a.register(), a.head()
	reg, err := h.src.Registers.Register(ctx, RegisterQuery{Zone: a.zone.ID, From: a.from.String(), To: a.to.String(), Names: true, Checks: true})
	if err != nil {
		return nil, fmt.Errorf("register of %s: %w", a.zone.ID, err)
	}
	days, err := h.src.Reviews.ReviewDays(ctx, a.zone.ID, a.from.String(), a.to.String())
	if err != nil {
		return nil, fmt.Errorf("signatures of %s: %w", a.zone.ID, err)
	}
	for i := range days {
		if x := &days[i]; x.Sheet.Signed != nil {
			d.Signed = append(d.Signed, v.signature(x))
		}
	}
	const shown = 3 // beside the seals; the column of signatures has them all
	if n := len(d.Signed) - shown; n > 0 {
		d.Signed = append(d.Signed[:shown], a.T("report.more_signed", "n", strconv.Itoa(n)))
	}
	columns := chosenColumns(&a.form)
	t := report.Table{Empty: a.T("register.empty")}
	for _, c := range columns {
		t.Columns = append(t.Columns, report.Column{Head: a.T(c.label), Weight: c.weight, Fixed: c.fixed})
	}
	for i := range reg.Rows {
		r := &reg.Rows[i]
		if r.State == register.Denied && !a.all {
			continue
		}
		l := v.registerLine(r)
		l.Signed = v.checked(&r.Checked)
		row := make([]string, len(columns))
		for j, c := range columns {
			row[j] = c.cell(v, strconv.Itoa(len(t.Rows)+1), &l)
		}
		t.Rows = append(t.Rows, row)
	}
	d.Tables, d.Dense = []report.Table{t}, len(columns) > 10
	for _, g := range reg.Gaps {
		d.Notes = append(d.Notes, a.T("register.gap", "what", v.say.gapLine(g).Gap))
	}
	if !slices.ContainsFunc(columns, func(c paperColumn) bool { return c.word == "remarks" }) {
		d.Notes = append(d.Notes, a.T("report.no_remarks"))
	}
	return d, nil
}

// checked says who has confirmed a row, or what it waits for when its day is signed: nobody's name stands beside what they have not seen
// (VR-11), nor alone beside their own (VR-10). Of a day that nobody has signed it is blank, for a seal.
func (v *registerView) checked(c *RowCheck) string {
	switch {
	case c.Status == signoff.Done:
		return strings.Join(c.By, v.T("list.separator"))
	case c.Exit:
		return v.T("report.checked_exit")
	case c.Status == signoff.Additional:
		return v.T("report.checked_additional")
	case c.Status == signoff.Waiting:
		return v.T("report.checked_waiting")
	}
	return ""
}

// signature says who signed a day, and on how much of the log.
func (v *registerView) signature(x *ReviewDay) string {
	day := x.Day
	if t, err := time.Parse(dayLayout, x.Day); err == nil {
		day = v.date(calendar.DateOf(t))
	}
	out := v.T("report.signature", "day", day, "name", x.SignedBy, "time", v.DayTime(time.UnixMilli(x.Sheet.Signed.AtMS)), "size", strconv.Itoa(int(x.Sheet.Upto)))
	if x.SecondBy != "" {
		out += v.T("report.second", "name", x.SecondBy)
	}
	return out
}
