package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/calendar"
)

// scheduleLook is how many days a schedule's page looks ahead; spareRows is how many empty rows its form has.
const (
	scheduleLook = 14
	spareRows    = 3
	mostRows     = 60
)

type schedulesView struct {
	Base
	Lines   []scheduleLine
	MayEdit bool
}

type scheduleLine struct {
	ID, Name, Href string
	Hours          string
	Days           string // on which it holds, "" = always
	Dates          int
	Grants         int
	Today          []string
}

type scheduleView struct {
	Base
	ID, Name string
	Hours    string
	Between  string
	Dates    []scheduleDate
	Grants   int
	MayEdit  bool
	Days     []scheduleDay
}

type scheduleDate struct{ Day, Hours string }

// scheduleDay is one day as a schedule acts on it.
type scheduleDay struct {
	Day, Label string
	Closed     string // what the closed day is called, "" = none
	Tag        Tag
	Why        []string
	Spans      []string
}

func (b speaker) scheduleDays(list []RuleDay) (out []scheduleDay) {
	for _, d := range list {
		x := scheduleDay{Day: d.Day, Label: b.dayWords(d.Day), Closed: d.Closed}
		if d.Closed != "" {
			x.Tag = Tag{b.T("schedules.closed"), ToneNote, "closed"}
		}
		if d.Dated {
			x.Why = append(x.Why, b.T("schedules.dated"))
		}
		if d.Beyond {
			x.Why = append(x.Why, b.T("schedules.beyond"))
		}
		for _, s := range d.Spans {
			x.Spans = append(x.Spans, b.T("hours.span", "from", clock24(s.From), "to", clock24(s.To)))
		}
		out = append(out, x)
	}
	return out
}

// between says the days on which a schedule holds; "" when there is no limit.
func (b speaker) between(from, until string) string {
	switch {
	case from == "" && until == "":
		return ""
	case from == "":
		return b.T("schedules.until", "day", b.dayWords(until))
	case until == "":
		return b.T("schedules.from", "day", b.dayWords(from))
	}
	return b.T("schedules.between", "from", b.dayWords(from), "day", b.dayWords(until))
}

func (h *Handler) getSchedules(w http.ResponseWriter, rq *request) error {
	list, err := h.src.Rules.RuleSchedules(rq.Context(), 1)
	if err != nil {
		return fmt.Errorf("schedules: %w", err)
	}
	v := schedulesView{Base: h.base(rq, "schedules.title"), MayEdit: rq.roles&ruleChangers != 0}
	for _, s := range list {
		l := scheduleLine{ID: s.ID, Name: s.Name, Href: "/schedules/" + s.ID, Hours: v.say.hoursWords(s.Windows), Days: v.say.between(s.From, s.Until), Dates: len(s.Dates), Grants: s.Grants}
		for _, d := range v.say.scheduleDays(s.Days) {
			l.Today = d.Spans
		}
		v.Lines = append(v.Lines, l)
	}
	return h.render(w, rq, "schedules", v)
}

func (h *Handler) schedule(rq *request) (RuleSchedule, error) {
	list, err := h.src.Rules.RuleSchedules(rq.Context(), scheduleLook)
	if err != nil {
		return RuleSchedule{}, fmt.Errorf("schedules: %w", err)
	}
	i := slices.IndexFunc(list, func(s RuleSchedule) bool { return s.ID == rq.PathValue("schedule") })
	if i < 0 {
		return RuleSchedule{}, ErrNotFound
	}
	return list[i], nil
}

func (h *Handler) getSchedule(w http.ResponseWriter, rq *request) error {
	s, err := h.schedule(rq)
	if err != nil {
		return err
	}
	v := scheduleView{Base: h.base(rq, "schedules.title"), ID: s.ID, Name: s.Name, MayEdit: rq.roles&ruleChangers != 0, Grants: s.Grants}
	v.Title = v.T("schedules.named", "name", s.Name)
	v.Hours, v.Between, v.Days = v.say.hoursWords(s.Windows), v.say.between(s.From, s.Until), v.say.scheduleDays(s.Days)
	for _, d := range s.Dates {
		x := scheduleDate{Day: v.say.dayWords(d.Day), Hours: v.T("schedules.never")}
		var spans []string
		for _, span := range d.Windows {
			spans = append(spans, v.T("hours.span", "from", clock24(span.From), "to", clock24(span.To)))
		}
		if len(spans) > 0 {
			x.Hours = strings.Join(spans, v.T("list.separator"))
		}
		v.Dates = append(v.Dates, x)
	}
	return h.render(w, rq, "schedule", v)
}

// scheduleValues are a schedule as its form has it: rows w0, w1 … of the week and d0, d1 … of dates.
func scheduleValues(s RuleSchedule) url.Values {
	in := url.Values{"name": {s.Values["name"]}, "name_en": {s.Values["name_en"]}, "first_day": {s.From}, "last_day": {s.Until}}
	for i, w := range s.Windows {
		row := "w" + strconv.Itoa(i)
		in[row+"_days"] = slices.Clone(w.Days)
		in.Set(row+"_from", clock24(w.From))
		in.Set(row+"_to", clock24(w.To))
	}
	n := 0
	for _, d := range s.Dates {
		for _, w := range append([]RegWindow{}, d.Windows...) {
			row := "d" + strconv.Itoa(n)
			in.Set(row+"_date", d.Day)
			in.Set(row+"_from", clock24(w.From))
			in.Set(row+"_to", clock24(w.To))
			n++
		}
		if len(d.Windows) == 0 {
			in.Set("d"+strconv.Itoa(n)+"_date", d.Day)
			n++
		}
	}
	return in
}

// rowsUsed counts the rows of a form up to the last one with something in it.
func rowsUsed(in url.Values, letter string, parts ...string) (n int) {
	for i := range mostRows {
		for _, part := range parts {
			if strings.TrimSpace(in.Get(letter+strconv.Itoa(i)+"_"+part)) != "" {
				n = i + 1
			}
		}
	}
	return n
}

// scheduleRows are the rows of a form as import rows, and which row of the form each is.
func scheduleRows(id string, in url.Values) (rows []map[string]string, names []string) {
	head := func() map[string]string {
		return map[string]string{"schedule_id": id, "name": strings.TrimSpace(in.Get("name")), "name_en": strings.TrimSpace(in.Get("name_en")),
			"first_day": in.Get("first_day"), "last_day": in.Get("last_day")}
	}
	add := func(row string, extra map[string]string) {
		r := head()
		for k, v := range extra {
			r[k] = v
		}
		if r["from"] == "" && r["to"] == "" && r["days"] == "" && r["date"] == "" {
			return
		}
		rows, names = append(rows, r), append(names, row)
	}
	for i := range rowsUsed(in, "w", "days", "from", "to") {
		row := "w" + strconv.Itoa(i)
		add(row, map[string]string{"days": strings.Join(in[row+"_days"], " "), "from": strings.TrimSpace(in.Get(row + "_from")), "to": strings.TrimSpace(in.Get(row + "_to"))})
	}
	for i := range rowsUsed(in, "d", "date", "from", "to") {
		row := "d" + strconv.Itoa(i)
		add(row, map[string]string{"date": in.Get(row + "_date"), "from": strings.TrimSpace(in.Get(row + "_from")), "to": strings.TrimSpace(in.Get(row + "_to"))})
	}
	if len(rows) == 0 { // so that what is missing is said at the first row
		rows, names = append(rows, head()), append(names, "w0")
	}
	return rows, names
}

func (h *Handler) scheduleForm(id string) ruleForm {
	f := ruleForm{title: "schedules.edit", action: "/schedules/" + id + "/edit", back: "/schedules/" + id, intro: "schedules.edit_text", remove: "/schedules/" + id + "/remove"}
	if id == "" {
		f.title, f.action, f.back, f.remove = "schedules.new", "/schedules/new", "/schedules", ""
	}
	idOf := func(in url.Values) string {
		if id != "" {
			return id
		}
		return strings.TrimSpace(in.Get("schedule_id"))
	}
	f.edit = func(in url.Values) RuleEdit {
		rows, _ := scheduleRows(idOf(in), in)
		return RuleEdit{Kind: RuleSchedules, Rows: rows}
	}
	f.field = func(in url.Values, p RuleProblem) string {
		_, names := scheduleRows(idOf(in), in)
		switch {
		case slices.Contains([]string{"days", "from", "to", "date"}, p.Column) && p.Row >= 0 && p.Row < len(names):
			return names[p.Row] + "_" + p.Column
		case p.Row > 0:
			return "" // a fault of the whole schedule stands in each of its rows
		}
		return p.Column
	}
	f.groups = func(b Base, in url.Values, faults map[string]string) []formGroup {
		first := formGroup{Heading: b.T("schedules.one")}
		if id == "" {
			first.Fields = append(first.Fields, formField{Name: "schedule_id", Label: b.T("rule_field.schedule_id"), Help: b.T("rule.id_help"), Kind: "text", Value: in.Get("schedule_id"), Required: true, Max: 32})
		}
		first.Fields = append(first.Fields,
			formField{Name: "name", Label: b.T("rule_field.name"), Kind: "text", Value: in.Get("name"), Required: true, Max: 100},
			formField{Name: "name_en", Label: b.T("rule_field.name_en"), Kind: "text", Value: in.Get("name_en"), Max: 100},
			formField{Name: "first_day", Label: b.T("rule_field.first_day"), Help: b.T("rule_help.first_day"), Kind: "date", Value: in.Get("first_day")},
			formField{Name: "last_day", Label: b.T("rule_field.last_day"), Help: b.T("rule_help.last_day"), Kind: "date", Value: in.Get("last_day")})
		groups := []formGroup{first}
		hours := func(row string) []formField {
			return []formField{{Name: row + "_from", Label: b.T("schedules.opens"), Kind: "time", Value: in.Get(row + "_from"), Max: 5},
				{Name: row + "_to", Label: b.T("schedules.closes"), Kind: "time", Value: in.Get(row + "_to"), Max: 5}}
		}
		for i := range min(rowsUsed(in, "w", "days", "from", "to")+spareRows, mostRows) {
			row := "w" + strconv.Itoa(i)
			days := formField{Name: row + "_days", Label: b.T("schedules.days"), Kind: "checks"}
			for _, d := range weekdays {
				days.Options = append(days.Options, choice{Value: d, Label: b.T("hours_day." + d)})
			}
			g := formGroup{Heading: b.T("schedules.row", "n", strconv.Itoa(i+1)), Rows: true, Fields: append([]formField{days}, hours(row)...)}
			if i == 0 {
				g.Text = b.T("schedules.row_text")
			}
			groups = append(groups, g)
		}
		for i := range min(rowsUsed(in, "d", "date", "from", "to")+spareRows, mostRows) {
			row := "d" + strconv.Itoa(i)
			g := formGroup{Heading: b.T("schedules.date", "n", strconv.Itoa(i+1)), Rows: true,
				Fields: append([]formField{{Name: row + "_date", Label: b.T("schedules.day"), Kind: "date", Value: in.Get(row + "_date")}}, hours(row)...)}
			if i == 0 {
				g.Text = b.T("schedules.date_text")
			}
			groups = append(groups, g)
		}
		return filled(groups, in, faults)
	}
	return f
}

func (h *Handler) getScheduleNew(w http.ResponseWriter, rq *request) error {
	return h.showRuleForm(w, rq, h.scheduleForm(""), url.Values{}, nil, "", nil)
}

func (h *Handler) getScheduleEdit(w http.ResponseWriter, rq *request) error {
	s, err := h.schedule(rq)
	if err != nil {
		return err
	}
	return h.showRuleForm(w, rq, h.scheduleForm(s.ID), scheduleValues(s), nil, "", nil)
}

func (h *Handler) postSchedule(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	if rq.PathValue("schedule") != "" {
		if _, err := h.schedule(rq); err != nil {
			return err
		}
	}
	return h.postRuleForm(w, rq, h.scheduleForm(rq.PathValue("schedule")))
}

func (h *Handler) postScheduleRemove(w http.ResponseWriter, rq *request) error {
	return h.postRemoval(w, rq, RuleSchedules, rq.PathValue("schedule"), "schedules.removing", "/schedules")
}

// postRemoval takes one row out, after a look and with a reason.
func (h *Handler) postRemoval(w http.ResponseWriter, rq *request, kind RuleKind, id, title, back string) error {
	if err := rq.form(); err != nil {
		return err
	}
	f := ruleForm{title: title, action: rq.URL.Path, back: back, remove: rq.URL.Path}
	f.edit = func(url.Values) RuleEdit { return RuleEdit{Kind: kind, Remove: id} }
	f.groups = func(Base, url.Values, map[string]string) []formGroup { return nil }
	return h.postRuleForm(w, rq, f)
}

// yearOf reads the fiscal year of a page, the one of today by default.
func (h *Handler) yearOf(rq *request) calendar.FiscalYear {
	now := calendar.DateOf(rq.now.In(h.cfg.Zone)).FiscalYear()
	n, err := strconv.Atoi(rq.URL.Query().Get("year"))
	if err != nil || n < 2000 || n > 2100 {
		return now
	}
	return calendar.FiscalYear(n)
}

// fiscalWords says a fiscal year.
func (b speaker) fiscalWords(y calendar.FiscalYear) string {
	if b.lang == English {
		return y.English()
	}
	return y.Japanese()
}

// dateIn reads a day of a row; none for what is no day.
func dateIn(s string, zone *time.Location) time.Time {
	t, err := time.ParseInLocation(dayLayout, s, zone)
	if err != nil {
		return time.Time{}
	}
	return t
}
