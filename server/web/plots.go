package web

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/server/casework"
	"monban/server/directory"
	"monban/server/plot"
	"monban/server/register"
	"monban/server/signoff"
)

// plotRoles see what is counted, with the names of one day's strip.
const plotRoles = groupF | groupS | groupA | groupC

const (
	plotDays    = 92 // the longest period of the pictures; the calendar has its fiscal year
	refusedLine = 10 // refusals a day at one door from which the line of attention is drawn (†)
	mostCases   = 200
	takeTarget  = 15 // minutes to take a severe finding (†)
)

type plotsView struct {
	registerView
	Quick  []navItem
	Figure []figure
}

// figure is a picture with its table.
type figure struct {
	ID, Title, Text string
	Picture         template.HTML
	Head            []string
	Rows            [][]string
	Empty, AsTable  string
}

// getPlots shows what a period of one zone came to (集計): each picture with its sentence and its table.
func (h *Handler) getPlots(w http.ResponseWriter, rq *request) error {
	v := &plotsView{registerView: registerView{Base: h.base(rq, "plot.title")}}
	if err := h.registerZones(rq, &v.registerView); err != nil {
		return err
	}
	from, to := v.plotPeriod(rq)
	if v.Zone == "" || v.Fault != "" {
		return h.renderStatus(w, rq, "plots", v, v.status())
	}
	if err := h.viewed(rq, ActionViewRegister, v.Zone); err != nil {
		return err
	}
	reg, err := h.src.Registers.Register(rq.Context(), RegisterQuery{Zone: access.ZoneID(v.Zone), From: from.String(), To: to.String(), Names: rq.names})
	if err != nil {
		return fmt.Errorf("register of %s: %w", v.Zone, err)
	}
	site, err := h.src.Visits.VisitSite(rq.Context())
	if err != nil {
		return fmt.Errorf("site: %w", err)
	}
	machines, err := h.src.Machines.ListGateways(rq.Context())
	if err != nil {
		return fmt.Errorf("gateways: %w", err)
	}
	v.UpTo = reg.UpTo
	v.Figure = append(v.Figure, v.strip(reg.Rows, to.String()), v.heat(&reg, site.Dir), v.refusals(&reg, from, to), v.heard(&reg, machines, from, to))
	year, err := h.yearFigure(rq.Context(), &v.registerView, to)
	if err != nil {
		return err
	}
	times, err := h.timesFigure(rq, &v.registerView, from, to)
	if err != nil {
		return err
	}
	v.Figure = append(v.Figure, year, times)
	for i := range v.Figure {
		v.Figure[i].AsTable = v.T("plot.as_table")
	}
	return h.render(w, rq, "plots", v)
}

// plotPeriod reads the days; without any they are the last four weeks.
func (v *plotsView) plotPeriod(rq *request) (from, to calendar.Date) {
	today := calendar.DateOf(v.say.now)
	from, to = today.AddDays(-27), today
	for name, d := range map[string]*calendar.Date{"from": &from, "to": &to} {
		if text := rq.URL.Query().Get(name); text != "" {
			got, err := calendar.ParseDate(text)
			if err != nil || got.Year < 1990 || got.Year > 2200 {
				v.Fault = cmp.Or(v.Fault, v.T("register.bad_period", "days", strconv.Itoa(plotDays)))
				continue
			}
			*d = got
		}
	}
	if to.Before(from) || from.AddDays(plotDays-1).Before(to) {
		v.Fault = cmp.Or(v.Fault, v.T("register.bad_period", "days", strconv.Itoa(plotDays)))
	}
	v.From, v.To = from.String(), to.String()
	v.Period = v.T("register.period", "from", v.date(from), "to", v.date(to))
	for _, x := range []struct {
		key  string
		days int
	}{{"plot.week", 7}, {"plot.four_weeks", 28}, {"plot.quarter", plotDays}} {
		q := url.Values{"from": {today.AddDays(1 - x.days).String()}, "to": {today.String()}}
		if v.Zone != "" {
			q.Set("zone", v.Zone)
		}
		v.Quick = append(v.Quick, navItem{Href: withQuery("/plots", q), Label: v.T(x.key), Current: to == today && from == today.AddDays(1-x.days)})
	}
	return from, to
}

// strip draws who was inside on one day, visitors below whoever attended them (plot 1).
func (v *registerView) strip(rows []RegisterRow, day string) figure {
	f := figure{ID: "strip", Title: v.T("plot.strip"), AsTable: v.T("plot.as_table"), Empty: v.T("plot.nobody"), Head: []string{v.T("register.name_only"), v.T("register.in"), v.T("register.out"), v.T("register.attendee"), v.T("register.state")}}
	start, err := time.ParseInLocation(dayLayout, day, v.say.zone)
	if err != nil {
		return f
	}
	minute := func(t time.Time) int { return int(t.Sub(start) / time.Minute) }
	now := min(max(minute(v.say.now), 0), 24*60)
	type bar struct {
		stay plot.Stay
		row  []string
		with string
	}
	var bars []bar
	for i := range rows {
		r := &rows[i]
		from, until := r.EnteredAt, r.ExitedAt
		if from.IsZero() {
			from = r.SeenAt
		}
		if until.IsZero() {
			until = r.ElsewhereAt
		}
		if from.IsZero() || minute(from) >= 24*60 || !until.IsZero() && minute(until) < 0 {
			continue
		}
		l := v.registerLine(r)
		if minute(from) < 0 && !r.EnteredAt.IsZero() { // on another day, which a time alone would not say
			l.In = v.DayTime(r.EnteredAt)
		}
		b := bar{with: cmp.Or(r.Leader, r.Attendee), row: []string{l.Who.Name, cmp.Or(l.In, v.T("register.blank")), cmp.Or(l.Out, v.T("register.blank")), l.Attendee, l.State.Word}}
		b.stay = plot.Stay{Name: l.Who.Name, From: minute(from), Until: now, NoEntry: r.EnteredAt.IsZero(), NoExit: r.State == register.ExitNotRecorded, Outsider: r.Category == "contractor" || r.Category == "visitor", With: b.with}
		if !until.IsZero() {
			b.stay.Until = minute(until)
		}
		b.stay.Word = strings.Join(b.row, " ")
		bars = append(bars, b)
	}
	slices.SortStableFunc(bars, func(a, b bar) int { // whoever attends, then those attended
		return cmp.Compare(cmp.Or(a.with, a.stay.Name), cmp.Or(b.with, b.stay.Name))
	})
	var stays []plot.Stay
	dashed := 0
	for _, b := range bars {
		stays, f.Rows = append(stays, b.stay), append(f.Rows, b.row)
		if b.stay.NoEntry || b.stay.NoExit {
			dashed++
		}
	}
	label := day
	if t, err := time.Parse(dayLayout, day); err == nil {
		label = v.date(calendar.DateOf(t))
	}
	f.Text = v.T("plot.strip_text", "day", label, "n", strconv.Itoa(len(stays)), "missing", strconv.Itoa(dashed))
	if len(stays) > 0 {
		f.Picture = plot.Strip(stays, f.Text, now)
	}
	return f
}

// holidays tells which days are Sundays or closed: they stand in a row of their own.
func holidays(dir *directory.Snapshot) func(calendar.Date) bool {
	table, err := calendar.BuiltIn()
	own := map[string]bool{}
	for _, d := range dir.ClosedDays {
		own[d.Day.String()] = true
	}
	return func(d calendar.Date) bool {
		if d.Weekday() == time.Sunday || own[d.String()] {
			return true
		}
		if err != nil {
			return false
		}
		c := table.Calendar(d, d)
		_, closed := c.IsClosed(d)
		return closed
	}
}

// heat draws entries by hour and weekday with the hours in which somebody may enter (plot 2).
func (v *plotsView) heat(reg *Register, dir *directory.Snapshot) figure {
	f := figure{ID: "heat", Title: v.T("plot.heat"), Head: []string{v.T("plot.weekday")}, Empty: v.T("register.empty")}
	closed := holidays(dir)
	kinds := []directory.Day{directory.DayMonday, directory.DayTuesday, directory.DayWednesday, directory.DayThursday, directory.DayFriday, directory.DaySaturday, directory.DayClosed}
	rows := make([]plot.HeatRow, len(kinds))
	for i := range rows {
		rows[i].Name = v.T("plot_day." + []string{"mon", "tue", "wed", "thu", "fri", "sat", "closed"}[i])
	}
	total, most, busiest := 0, 0, ""
	for i := range reg.Rows {
		r := &reg.Rows[i]
		if r.EnteredAt.IsZero() {
			continue
		}
		t := r.EnteredAt.In(v.say.zone)
		k := int(t.Weekday()) - 1
		if closed(calendar.DateOf(t)) {
			k = len(rows) - 1
		}
		rows[k].Count[t.Hour()]++
		if total++; rows[k].Count[t.Hour()] > most {
			most, busiest = rows[k].Count[t.Hour()], rows[k].Name+" "+strconv.Itoa(t.Hour())
		}
	}
	used := map[directory.ScheduleID]bool{}
	for i := range dir.Grants {
		if string(dir.Grants[i].Zone) == v.Zone {
			used[dir.Grants[i].Schedule] = true
		}
	}
	for i := range dir.Schedules {
		if !used[dir.Schedules[i].ID] {
			continue
		}
		for _, w := range dir.Schedules[i].Windows {
			for k, day := range kinds {
				if w.Days&day == 0 && (day != directory.DayClosed || w.Days&directory.DaySunday == 0) {
					continue
				}
				until := w.To
				if until <= w.From {
					until += 24 * 3600
				}
				for hour := w.From / 3600; hour*3600 < until && hour < 24; hour++ {
					rows[k].Open[hour] = true
				}
			}
		}
	}
	for h := range 24 {
		f.Head = append(f.Head, strconv.Itoa(h))
	}
	for i := range rows {
		row := []string{rows[i].Name}
		for _, n := range rows[i].Count {
			row = append(row, strconv.Itoa(n))
		}
		f.Rows = append(f.Rows, row)
	}
	f.Text = v.T("plot.heat_none")
	if total > 0 {
		f.Text = v.T("plot.heat_text", "n", strconv.Itoa(total), "when", busiest, "most", strconv.Itoa(most))
	}
	f.Picture = plot.Heat(rows, f.Text)
	return f
}

// refusals draws how often each door refused, a day a bar, with the line from which somebody should look (plot 3).
func (v *plotsView) refusals(reg *Register, from, to calendar.Date) figure {
	f := figure{ID: "refusals", Title: v.T("plot.refusals"), Head: []string{v.T("register.day")}, Empty: v.T("plot.no_refusal")}
	days := to.Sub(from) + 1
	by, total, over := map[string][]int{}, 0, 0
	for i := range reg.Rows {
		r := &reg.Rows[i]
		d, err := calendar.ParseDate(r.Day)
		if r.State != register.Denied || err != nil || d.Before(from) || d.After(to) {
			continue
		}
		if by[r.Door] == nil {
			by[r.Door] = make([]int, days)
		}
		n := &by[r.Door][d.Sub(from)]
		if *n, total = *n+1, total+1; *n == refusedLine {
			over++
		}
	}
	f.Text = v.T("plot.refusals_text", "n", strconv.Itoa(total), "line", strconv.Itoa(refusedLine), "over", strconv.Itoa(over))
	var series []plot.Series
	for _, door := range slices.Sorted(maps.Keys(by)) {
		series, f.Head = append(series, plot.Series{Name: door, Count: by[door]}), append(f.Head, door)
	}
	if len(series) == 0 {
		return f
	}
	var labels []string
	for i := range days {
		d := from.AddDays(i)
		labels = append(labels, strconv.Itoa(int(d.Month))+"/"+strconv.Itoa(d.Day))
		row, any := []string{v.date(d)}, false
		for _, s := range series {
			row, any = append(row, strconv.Itoa(s.Count[i])), any || s.Count[i] > 0
		}
		if any {
			f.Rows = append(f.Rows, row)
		}
	}
	f.Picture = plot.Days(labels, series, refusedLine, f.Text)
	return f
}

// heard draws when the gateways of the zone were heard, and says how far each one's clock is off now (plot 6).
func (v *plotsView) heard(reg *Register, machines []Gateway, from, to calendar.Date) figure {
	f := figure{ID: "heard", Title: v.T("plot.heard"), Empty: v.T("plot.no_gap"), Head: []string{v.T("plot.gateway"), v.T("register.from"), v.T("register.to"), v.T("plot.lasted"), v.T("plot.clock")}}
	start, end := from.Start(v.say.zone), to.AddDays(1).Start(v.say.zone)
	if end.After(v.say.now) {
		end = v.say.now
	}
	period := max(int(end.Sub(start)/time.Minute), 1)
	by, lost, clock := map[string]*plot.Availability{}, map[string]int{}, map[string]string{}
	for i := range machines {
		g := &machines[i]
		if !slices.ContainsFunc(g.Doors, func(d DoorState) bool { return string(d.Zone) == v.Zone }) {
			continue
		}
		by[string(g.ID)], clock[string(g.ID)] = &plot.Availability{Name: string(g.ID)}, v.T("plot.clock_unknown")
		if !g.LastSeen.IsZero() && g.Clock > access.ClockFloor {
			clock[string(g.ID)] = v.T("plot.clock_word", "seconds", offsetWords(g.OffsetMS))
		}
	}
	for _, g := range reg.Gaps {
		a := by[string(g.Gateway)]
		if a == nil {
			a = &plot.Availability{Name: string(g.Gateway)}
			by[string(g.Gateway)] = a
		}
		until := g.To
		if until.IsZero() {
			until = v.say.now
		}
		s := plot.Span{From: max(int(g.From.Sub(start)/time.Minute), 0), Until: min(int(until.Sub(start)/time.Minute), period)}
		a.Silent, lost[a.Name] = append(a.Silent, s), lost[a.Name]+max(s.Until-s.From, 0)
		f.Rows = append(f.Rows, []string{a.Name, v.DayTime(g.From), v.say.when(g.To, func(t time.Time) string { return showDayTime(t, v.say.lang) }), v.say.span(until.Sub(g.From)), clock[a.Name]})
	}
	var list []plot.Availability
	for _, name := range slices.Sorted(maps.Keys(by)) {
		a := by[name]
		a.Word = strings.TrimSpace(v.T("plot.heard_word", "percent", strconv.Itoa((period-min(lost[name], period))*100/period)) + " " + clock[name])
		if len(a.Silent) == 0 {
			f.Rows = append(f.Rows, []string{name, v.T("register.blank"), v.T("register.blank"), v.T("plot.never_silent"), clock[name]})
		}
		list = append(list, *a)
	}
	f.Text = v.T("plot.heard_text", "n", strconv.Itoa(len(reg.Gaps)))
	if len(list) > 0 {
		ticks := []string{}
		for i := range 5 {
			ticks = append(ticks, start.Add(time.Duration(i)*end.Sub(start)/4).In(v.say.zone).Format("1/2 15:04"))
		}
		f.Picture = plot.Available(list, period, ticks, f.Text)
	}
	return f
}

// yearFigure draws how the days of the fiscal year were signed (plot 4).
func (h *Handler) yearFigure(ctx context.Context, v *registerView, day calendar.Date) (figure, error) {
	f := figure{ID: "year", Title: v.T("plot.year"), Head: []string{v.T("register.state"), v.T("plot.days")}}
	year := day.FiscalYear()
	days, err := h.src.Reviews.ReviewDays(ctx, access.ZoneID(v.Zone), year.Start().String(), year.End().String())
	if err != nil {
		return f, fmt.Errorf("fiscal year of reviews: %w", err)
	}
	by := map[string]*ReviewDay{}
	for i := range days {
		by[days[i].Day] = &days[i]
	}
	var months []plot.CalendarMonth
	counts := map[string]int{}
	for d := year.Start(); d.FiscalYear() == year; d = d.AddDays(1) {
		if d.Day == 1 {
			months = append(months, plot.CalendarMonth{Name: v.T("review.month", "year", strconv.Itoa(d.Year), "month", strconv.Itoa(int(d.Month))), First: int(d.Weekday())})
		}
		m := &months[len(months)-1]
		cell := plot.CalendarDay{Mark: v.T("review.no_mark"), Word: v.date(d)}
		if x := by[d.String()]; x != nil && x.Sheet.Status != signoff.NotOver {
			t := v.say.reviewTag(&x.Sheet)
			cell.State, cell.Mark, cell.Word = "open", v.T("review_mark."+x.Sheet.Status.String()), v.date(d)+" "+t.Word
			switch {
			case x.Sheet.Overdue:
				cell.State = "late"
			case x.Sheet.Status == signoff.Done:
				cell.State = "signed"
			case x.Sheet.Status == signoff.Returned || x.Sheet.Status == signoff.Additional:
				cell.State = "exception"
			}
			counts[cell.State]++
		}
		m.Days = append(m.Days, cell)
	}
	for _, s := range []string{"signed", "open", "late", "exception"} {
		f.Rows = append(f.Rows, []string{v.T("plot_state." + s), strconv.Itoa(counts[s])})
	}
	f.Text = v.T("plot.year_text", "signed", strconv.Itoa(counts["signed"]), "open", strconv.Itoa(counts["open"]), "late", strconv.Itoa(counts["late"]), "exception", strconv.Itoa(counts["exception"]))
	var week [7]string
	for i, d := range []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} {
		week[i] = v.T("plot_letter." + d)
	}
	f.Picture = plot.Calendar(week, months, f.Text)
	return f, nil
}

// timesFigure draws how long findings waited to be taken and days to be signed (plot 7).
func (h *Handler) timesFigure(rq *request, v *registerView, from, to calendar.Date) (figure, error) {
	f := figure{ID: "times", Title: v.T("plot.times"), Empty: v.T("plot.no_case"), Head: []string{v.T("plot.what"), v.T("plot.lasted"), v.T("plot.target")}}
	take := plot.DotRow{Name: v.T("plot.taken"), Target: takeTarget}
	sign := plot.DotRow{Name: v.T("plot.signed")}
	put := func(row *plot.DotRow, what string, d time.Duration, late bool) {
		word := v.T("plot.in_time")
		if late {
			word = v.T("plot.too_late")
		}
		row.Dots = append(row.Dots, plot.Dot{Minutes: int(d / time.Minute), Late: late, Word: what + " " + v.say.span(d) + " " + word})
		f.Rows = append(f.Rows, []string{what, v.say.span(d), word})
	}
	in, err := h.reach(rq)
	if err != nil {
		return f, err
	}
	list, _, err := h.src.Findings.ListFindings(rq.Context(), FindingQuery{All: true, In: in, Limit: mostCases})
	if err != nil {
		return f, fmt.Errorf("findings: %w", err)
	}
	start, end := from.Start(v.say.zone), to.AddDays(1).Start(v.say.zone)
	for i := range list {
		x := &list[i]
		if x.Severity != SeverityHigh || x.At.Before(start) || !x.At.Before(end) {
			continue
		}
		c, err := h.src.Cases.CaseByID(rq.Context(), x.ID, false, false)
		if err != nil {
			continue // one that may not be seen
		}
		for _, a := range c.Acts {
			if a.Kind == casework.Take || a.Kind == casework.Assign {
				d := time.UnixMilli(a.AtMS).Sub(x.At)
				put(&take, v.say.known("finding", x.Kind), d, d > takeTarget*time.Minute)
				break
			}
		}
	}
	days, err := h.src.Reviews.ReviewDays(rq.Context(), access.ZoneID(v.Zone), from.String(), to.String())
	if err != nil {
		return f, fmt.Errorf("signatures of %s: %w", v.Zone, err)
	}
	for i := range days {
		x := &days[i]
		d, err := calendar.ParseDate(x.Day)
		if x.Sheet.Signed == nil || err != nil {
			continue
		}
		put(&sign, v.date(d), time.UnixMilli(x.Sheet.Signed.AtMS).Sub(d.AddDays(1).Start(v.say.zone)), x.DueMS > 0 && x.Sheet.Signed.AtMS > x.DueMS)
	}
	late := 0
	for _, r := range []plot.DotRow{take, sign} {
		for _, d := range r.Dots {
			if d.Late {
				late++
			}
		}
	}
	f.Text = v.T("plot.times_text", "n", strconv.Itoa(len(take.Dots)+len(sign.Dots)), "late", strconv.Itoa(late))
	if len(f.Rows) > 0 {
		var ticks []string
		for _, m := range plot.Decades {
			ticks = append(ticks, v.say.span(time.Duration(m)*time.Minute))
		}
		f.Picture = plot.Times([]plot.DotRow{take, sign}, ticks, f.Text)
	}
	return f, nil
}
