package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/server/signoff"
)

type reviewMonth struct {
	seen  bool // the log reaches into it
	Name  string
	First string // column of the 1st, 1 = Sunday
	Month string // YYYY-MM
	State string // signed by whom; "" = not
	Since string // that its days have changed after that; "" = they have not
	Ready bool   // it may be signed: each of its days is done

	Days []reviewCell
}

// monthLayout is a month in forms.
const monthLayout = "2006-01"

type reviewCell struct {
	Label string // 24
	Word  string // how it stands, for those who listen
	Mark  string // one letter
	Tone  Tone
	Href  string
}

// getReviewCalendar shows the days of one fiscal year (年度カレンダー).
func (h *Handler) getReviewCalendar(w http.ResponseWriter, rq *request) error {
	v := &reviewsView{registerView: registerView{Base: h.base(rq, "review.calendar")}}
	if err := h.registerZones(rq, &v.registerView); err != nil {
		return err
	}
	year := calendar.DateOf(v.say.now).FiscalYear()
	if text := rq.URL.Query().Get("year"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1990 || n > 2200 {
			v.Fault = v.T("review.bad_year")
		}
		year = calendar.FiscalYear(n)
	}
	if v.Zone == "" || v.Fault != "" {
		return h.renderStatus(w, rq, "calendar", v, v.status())
	}
	zone := access.ZoneID(v.Zone)
	first := year.Start()
	days, err := h.src.Reviews.ReviewDays(rq.Context(), zone, first.String(), year.End().String())
	if err != nil {
		return fmt.Errorf("fiscal year of reviews: %w", err)
	}
	by := map[string]*ReviewDay{}
	for i := range days {
		by[days[i].Day] = &days[i]
		v.quiet(rq, &days[i])
	}
	if n := len(v.Quiet); n > 0 {
		v.QuietYear = v.T("review.quiet_year", "n", strconv.Itoa(n))
	}
	for d := first; d.FiscalYear() == year; d = d.AddDays(1) {
		if d.Day == 1 {
			v.Months = append(v.Months, reviewMonth{Name: v.T("review.month", "year", strconv.Itoa(d.Year), "month", strconv.Itoa(int(d.Month))), First: strconv.Itoa(int(d.Weekday()) + 1), Month: d.String()[:len(monthLayout)], Ready: true})
		}
		m := &v.Months[len(v.Months)-1]
		day := by[d.String()]
		m.seen = m.seen || day != nil
		m.Ready = m.Ready && (day == nil && !m.seen || day != nil && day.Sheet.Status == signoff.Done)
		m.Days = append(m.Days, v.cell(zone, d, day))
	}
	signed, err := h.src.Reviews.ReviewMonths(rq.Context(), zone, v.Months[0].Month, v.Months[len(v.Months)-1].Month)
	if err != nil {
		return fmt.Errorf("signed months: %w", err)
	}
	v.MaySign = rq.may(signRoles, zone)
	for i := range v.Months {
		m := &v.Months[i]
		if s, ok := signed[m.Month]; ok {
			m.State = v.T("review.signed_by", "name", s.By)
			if s.changed(daysOfMonth(days, m.Month)) {
				m.Since = v.T("review.month_changed")
			}
		}
		m.Ready = m.Ready && m.seen && (m.State == "" || m.Since != "")
	}
	if v.MaySign && !h.steppedUp(rq, stepUpFull) {
		v.StepUp = "/step-up?" + url.Values{"next": {clip(v.Here, 900)}}.Encode()
	}
	papers, err := h.src.Reviews.Comparisons(rq.Context(), zone, first.String(), year.End().String(), rq.names)
	if err != nil {
		return fmt.Errorf("comparisons with paper: %w", err)
	}
	for i := range papers {
		v.Paper = append(v.Paper, v.paper(zone, &papers[i]))
	}
	v.Year = strconv.Itoa(int(year))
	at := func(n int) string {
		return withQuery("/review/calendar", url.Values{"zone": {v.Zone}, "year": {strconv.Itoa(int(year) + n)}})
	}
	if v.Prev = at(-1); year < calendar.DateOf(v.say.now).FiscalYear() {
		v.Next = at(1)
	}
	v.List = withQuery("/review", url.Values{"zone": {v.Zone}})
	for s := signoff.Open; s <= signoff.Done; s++ {
		t := v.say.reviewTag(&signoff.Sheet{Status: s})
		t.Icon = v.T("review_mark." + s.String())
		v.Key = append(v.Key, t)
	}
	return h.render(w, rq, "calendar", v)
}

// daysOfMonth picks the days of a month (YYYY-MM).
func daysOfMonth(days []ReviewDay, month string) (out []ReviewDay) {
	for i := range days {
		if strings.HasPrefix(days[i].Day, month) {
			out = append(out, days[i])
		}
	}
	return out
}

// paper makes the line of a comparison with the paper ledger.
func (v *reviewsView) paper(zone access.ZoneID, c *PaperComparison) comparedLine {
	l := comparedLine{Day: c.Day, Href: reviewHref(zone, c.Day), At: c.At, By: c.By, Leaf: strconv.FormatUint(c.Leaf, 10)}
	if d, err := time.Parse(dayLayout, c.Day); err == nil {
		l.Day = v.date(calendar.DateOf(d))
	}
	for _, x := range []struct {
		word string
		n    int
		tone Tone
		icon string
	}{{"reconcile.matched", c.Matched, ToneGood, "check"}, {"reconcile.log_only", c.LogOnly, ToneWarn, "finding"}, {"reconcile.paper_only", c.PaperOnly, ToneAlarm, "finding"}} {
		if x.n == 0 {
			x.tone, x.icon = ToneQuiet, "check"
		}
		l.Counts = append(l.Counts, Tag{v.T("reconcile.count", "what", v.T(x.word), "n", strconv.Itoa(x.n)), x.tone, x.icon})
	}
	return l
}

func (v *reviewsView) cell(zone access.ZoneID, d calendar.Date, day *ReviewDay) reviewCell {
	c := reviewCell{Label: strconv.Itoa(d.Day), Tone: ToneQuiet, Mark: v.T("review.no_mark")}
	if day == nil || day.Sheet.Status == signoff.NotOver && day.Day > v.say.now.Format(dayLayout) {
		c.Word = v.date(d)
		return c
	}
	t := v.say.reviewTag(&day.Sheet)
	c.Tone, c.Href, c.Mark = t.Tone, reviewHref(zone, day.Day), v.T("review_mark."+day.Sheet.Status.String())
	if c.Word = v.date(d) + " " + t.Word; day.Sheet.Overdue {
		c.Tone, c.Word = ToneAlarm, c.Word+" "+v.T("review.overdue")
	}
	return c
}

// postMonth signs a month of a zone (VR-4).
func (h *Handler) postMonth(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	zone, month := access.ZoneID(rq.post("zone")), rq.post("month")
	if !rq.may(signRoles, zone) {
		return errForbidden
	}
	first, err := time.Parse(monthLayout, month)
	if err != nil {
		return errBadInput
	}
	err = h.src.Reviews.SignMonth(rq.Context(), zone, month, rq.action(ActionKind(signoff.SignMonth), ""))
	if key := reviewFault(err); key != "" {
		v, err := h.reviewsView(rq, h.words[rq.lang].say("review_fault."+key))
		if err != nil {
			return err
		}
		return h.renderStatus(w, rq, "reviews", v, http.StatusConflict)
	}
	if err != nil {
		return fmt.Errorf("sign month: %w", err)
	}
	year := strconv.Itoa(int(calendar.DateOf(first).FiscalYear()))
	return redirect(w, rq, withQuery("/review/calendar", url.Values{"zone": {string(zone)}, "year": {year}, "done": {"day_signed"}}))
}
