package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"monban/firmware/calendar"
)

type closedDaysView struct {
	Base
	Year       string
	Prev, Next string
	PrevName   string
	NextName   string
	Months     []closedMonth
	Total      string
	MayEdit    bool
	Warning    string
	StepUp     string
	Add        []formField
	Fault      string
}

type closedMonth struct {
	Name string
	Days []closedLine
}

type closedLine struct{ Day, Label, Name string }

// fewestHolidays is how many closed days a fiscal year of this country has at least: fewer, and its holidays were not
// imported.
const fewestHolidays = 15

func (h *Handler) getClosedDays(w http.ResponseWriter, rq *request) error {
	rows, err := h.src.Rules.RuleRows(rq.Context(), RuleClosedDays)
	if err != nil {
		return fmt.Errorf("closed days: %w", err)
	}
	y := h.yearOf(rq)
	v := closedDaysView{Base: h.base(rq, "closed.title"), MayEdit: rq.roles&ruleChangers != 0}
	if v.StepUp = h.needFresh(rq); v.StepUp != "" {
		v.StepUp += "/closed-days"
	}
	v.Year = v.say.fiscalWords(y)
	link := func(y calendar.FiscalYear) string {
		return withQuery("/closed-days", url.Values{"year": {strconv.Itoa(int(y))}})
	}
	v.Prev, v.Next, v.PrevName, v.NextName = link(y-1), link(y+1), v.say.fiscalWords(y-1), v.say.fiscalWords(y+1)
	first, last, n := y.Start().String(), y.End().String(), 0
	for _, r := range rows {
		if r.ID < first || r.ID > last {
			continue
		}
		t := dateIn(r.ID, h.cfg.Zone)
		name := t.Format("2006-01")
		if v.say.lang == Japanese {
			name = t.Format("2006年1月")
		}
		if len(v.Months) == 0 || v.Months[len(v.Months)-1].Name != name {
			v.Months = append(v.Months, closedMonth{Name: name})
		}
		m := &v.Months[len(v.Months)-1]
		m.Days = append(m.Days, closedLine{Day: r.ID, Label: v.say.dayWords(r.ID), Name: r.Values["name"]})
		n++
	}
	v.Total = v.T("closed.total", "year", v.Year, "n", strconv.Itoa(n))
	if n < fewestHolidays && y >= calendar.DateOf(rq.now.In(time.UTC)).FiscalYear() {
		v.Warning = v.T("closed.few", "year", v.Year)
	}
	v.Add = closedFields(v.Base, url.Values{}, nil)
	return h.render(w, rq, "closed_days", v)
}

func closedFields(b Base, in url.Values, faults map[string]string) []formField {
	return []formField{{Name: "date", Label: b.T("schedules.day"), Kind: "date", Value: in.Get("date"), Required: true, Fault: faults["date"]},
		{Name: "name", Label: b.T("rule_field.name"), Help: b.T("closed.name_help"), Kind: "text", Value: in.Get("name"), Required: true, Max: 100, Fault: faults["name"]}}
}

func (h *Handler) postClosedDay(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	f := ruleForm{title: "closed.new", action: "/closed-days", back: "/closed-days"}
	f.edit = func(in url.Values) RuleEdit {
		return RuleEdit{Kind: RuleClosedDays, Rows: []map[string]string{{"date": strings.TrimSpace(in.Get("date")), "name": strings.TrimSpace(in.Get("name"))}}}
	}
	f.groups = func(b Base, in url.Values, faults map[string]string) []formGroup {
		return []formGroup{{Heading: b.T("rule_noun.closed_day"), Fields: closedFields(b, in, faults)}}
	}
	return h.postRuleForm(w, rq, f)
}

func (h *Handler) postClosedDayRemove(w http.ResponseWriter, rq *request) error {
	return h.postRemoval(w, rq, RuleClosedDays, rq.PathValue("day"), "closed.removing", "/closed-days")
}
