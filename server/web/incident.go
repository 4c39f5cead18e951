package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/calendar"
	"monban/server/incident"
	"monban/server/visit"
)

// incidentRoles read incidents; the security officer alone works them.
const (
	incidentRoles = groupS | groupA | groupC
	csirtRoles    = groupS
)

type incidentsView struct {
	Base
	All   bool
	Lines []incidentLine
	New   *deskForm // nil = not for who looks
}

type incidentLine struct {
	ID, Href, Title, Class string
	State                  Tag
	Known                  time.Time
	Due                    string // the next report; "" = none
	Late                   bool
}

type incidentView struct {
	matterPage
	desk     counter
	Line     incidentLine
	Opened   string
	Found    []findingLine
	Timeline []incidentEntry
	Reports  []incidentReport
	Forms    []deskForm
	Bundle   *deskForm
	StepUp   string
	Fault    string
}

type incidentEntry struct {
	At   time.Time
	Text string
	By   string
}

// incidentReport is one report to the commission.
type incidentReport struct {
	What, Until, Done, Note string
	Late                    bool
}

func (b speaker) incidentLine(d *IncidentDetail) incidentLine {
	l := incidentLine{ID: d.ID, Href: "/incidents/" + url.PathEscape(d.ID), Title: d.Title, Class: b.T("incident_class." + className(d.Class)), Known: time.UnixMilli(d.KnownMS),
		State: Tag{b.T("incident.open"), ToneAlarm, "alarm"}}
	if d.Closed.Done() {
		l.State = Tag{b.T("incident.closed"), ToneQuiet, "check"}
	}
	if d.Due == nil {
		return l
	}
	v := registerView{Base: Base{say: b}}
	today := calendar.DateOf(b.now)
	switch {
	case !d.Reported.Done():
		l.Due, l.Late = b.T("incident.due_first", "day", v.date(d.Due.PreliminaryLast)), today.After(d.Due.PreliminaryLast)
	case !d.Finished.Done():
		l.Due, l.Late = b.T("incident.due_final", "day", v.date(d.Due.Final)), today.After(d.Due.Final)
	}
	return l
}

func className(class int) string {
	return map[int]string{incident.Outage: "outage", incident.Attack: "attack", incident.Leak: "leak"}[class]
}

func (b speaker) classes(chosen string) (out []choice) {
	for _, c := range []int{incident.Outage, incident.Attack, incident.Leak} {
		out = append(out, choice{strconv.Itoa(c), b.T("incident_class." + className(c)), chosen == strconv.Itoa(c)})
	}
	return out
}

// getIncidents lists incidents.
func (h *Handler) getIncidents(w http.ResponseWriter, rq *request) error {
	return h.showIncidents(w, rq, nil, http.StatusOK)
}

func (h *Handler) showIncidents(w http.ResponseWriter, rq *request, t *tried, code int) error {
	v := incidentsView{Base: h.base(rq, "incident.list"), All: rq.URL.Query().Get("show") == "all"}
	v.Here = "/incidents"
	if err := h.viewed(rq, ActionViewIncident, ""); err != nil {
		return err
	}
	list, err := h.src.Incidents.ListIncidents(rq.Context(), v.All)
	if err != nil {
		return fmt.Errorf("incidents: %w", err)
	}
	for i := range list {
		v.Lines = append(v.Lines, v.say.incidentLine(&list[i]))
	}
	if rq.roles&csirtRoles != 0 {
		f := newDeskForm("begin", "/incidents", v.T("incident.begin"), v.T("incident.begin_do"),
			deskField{Name: "title", Kind: "text", Label: v.T("incident.name"), Help: v.T("incident.no_names"), Max: 100},
			deskField{Name: "class", Kind: "select", Label: v.T("incident.class"), Options: v.say.classes("")},
			deskField{Name: "known", Kind: "datetime-local", Label: v.T("incident.known"), Value: v.say.now.Format(judgeTime)},
			deskField{Name: "findings", Kind: "text", Label: v.T("incident.findings"), Help: v.T("incident.findings_help"), Value: rq.URL.Query().Get("finding"), Optional: true},
			deskField{Name: "personal", Kind: "check", Label: v.T("incident.personal"), Optional: true},
			deskField{Name: "attack", Kind: "check", Label: v.T("incident.attack"), Optional: true}).again(t)
		f.Fold, f.Open = true, f.Open || rq.URL.Query().Get("finding") != ""
		v.New = &f
	}
	return h.renderStatus(w, rq, "incidents", v, code)
}

// incidentFaults are the refusals of package incident: the word of the sentence and the field that has to change.
var incidentFaults = []struct {
	err         error
	word, field string
	code        int
}{
	{incident.ErrClass, "class", "class", http.StatusUnprocessableEntity}, {incident.ErrNoText, "no_text", "text", http.StatusUnprocessableEntity},
	{incident.ErrTime, "time", "known", http.StatusUnprocessableEntity}, {incident.ErrTooLong, "too_long", "text", http.StatusUnprocessableEntity},
	{incident.ErrClosed, "closed", "", http.StatusConflict}, {incident.ErrReports, "reports", "", http.StatusConflict}, {incident.ErrReported, "reported", "", http.StatusConflict},
}

// incidentFault makes of a refusal what the form shows; ok is false for another error.
func (h *Handler) incidentFault(rq *request, form, text string, err error) (t *tried, code int, ok bool) {
	for _, f := range incidentFaults {
		if errors.Is(err, f.err) {
			field := f.field
			if field == "text" {
				field = text
			}
			return &tried{form: form, values: rq.PostForm, field: field, fault: h.words[rq.lang].say("incident_fault." + f.word)}, f.code, true
		}
	}
	return nil, 0, false
}

// momentOf reads a time of a form; an unreadable one is of no time.
func (h *Handler) momentOf(text string) int64 {
	t, err := time.ParseInLocation(judgeTime, text, h.cfg.Zone)
	if err != nil {
		return 0
	}
	return t.UnixMilli()
}

// postIncident makes one, of findings or of none.
func (h *Handler) postIncident(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	x := incident.Record{Title: strings.TrimSpace(rq.post("title")), KnownMS: h.momentOf(rq.post("known")), Personal: rq.post("personal") != "", ByAttack: rq.post("attack") != ""}
	x.Class, _ = strconv.Atoi(rq.post("class")) // no number is no class
	if !written(x.Title) {
		return errBadInput
	}
	for _, f := range strings.FieldsFunc(rq.post("findings"), func(c rune) bool { return c == ' ' || c == ',' || c == '、' }) {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil || n < 0 {
			return h.showIncidents(w, rq, &tried{form: "begin", values: rq.PostForm, field: "findings", fault: h.words[rq.lang].say("incident_fault.finding")}, http.StatusUnprocessableEntity)
		}
		if !slices.Contains(x.Findings, n) {
			x.Findings = append(x.Findings, n)
		}
	}
	id, err := h.src.Incidents.BeginIncident(rq.Context(), x, rq.deskActor())
	if errors.Is(err, ErrNotFound) {
		return h.showIncidents(w, rq, &tried{form: "begin", values: rq.PostForm, field: "findings", fault: h.words[rq.lang].say("incident_fault.finding")}, http.StatusUnprocessableEntity)
	}
	if t, code, ok := h.incidentFault(rq, "begin", "title", err); ok {
		return h.showIncidents(w, rq, t, code)
	}
	if err != nil {
		return fmt.Errorf("begin an incident: %w", err)
	}
	return redirect(w, rq, "/incidents/"+url.PathEscape(id))
}

// getIncident shows one with its timeline and the breach clock.
func (h *Handler) getIncident(w http.ResponseWriter, rq *request) error {
	return h.showIncident(w, rq, nil, http.StatusOK)
}

func (h *Handler) showIncident(w http.ResponseWriter, rq *request, t *tried, code int) error {
	id := rq.PathValue("id")
	d, err := h.src.Incidents.IncidentByID(rq.Context(), id, rq.names, rq.roles&duressRoles != 0)
	if err != nil {
		return fmt.Errorf("incident: %w", err)
	}
	if err := h.viewed(rq, ActionViewIncident, d.ID); err != nil {
		return err
	}
	c, err := h.counter(rq, "incident.title", "")
	if err != nil {
		return err
	}
	v := &incidentView{matterPage: c.matterPage, desk: c}
	v.Here = "/incidents/" + url.PathEscape(d.ID)
	v.Line, v.Opened = v.say.incidentLine(&d), v.T("incident.opened", "name", d.Names[d.Opened.Account], "time", v.DayTime(time.UnixMilli(d.Opened.AtMS)))
	for _, f := range d.Found {
		v.Found = append(v.Found, v.say.findingLine(f))
	}
	for _, e := range d.Timeline {
		v.Timeline = append(v.Timeline, incidentEntry{time.UnixMilli(e.AtMS), e.Text, d.Names[e.By]})
	}
	if d.Closed.Done() {
		v.Timeline = append(v.Timeline, incidentEntry{time.UnixMilli(d.Closed.AtMS), v.T("incident.closed_with", "text", d.Closed.Note), d.Names[d.Closed.Account]})
	}
	v.reports(&d)
	if rq.roles&csirtRoles != 0 {
		v.forms(&d, t)
		v.Bundle, v.StepUp = h.bundleForm(rq, v, t), h.freshAt(rq, "POST /incidents/{id}/bundle")
	}
	if t != nil && t.form == "" {
		v.Fault = t.fault
	}
	return h.renderStatus(w, rq, "incident", v, code)
}

// reports are the two reports to the commission with their days.
func (v *incidentView) reports(d *IncidentDetail) {
	if d.Due == nil {
		return
	}
	r := registerView{Base: v.Base}
	today := calendar.DateOf(v.say.now)
	add := func(key, until string, last calendar.Date, s visit.Step) {
		x := incidentReport{What: v.T(key), Until: until, Late: !s.Done() && today.After(last)}
		if s.Done() {
			x.Done, x.Note = v.T("incident.reported", "name", d.Names[s.Account], "time", v.DayTime(time.UnixMilli(s.AtMS))), s.Note
		}
		v.Reports = append(v.Reports, x)
	}
	first := r.date(d.Due.PreliminaryLast)
	if d.Due.Preliminary != d.Due.PreliminaryLast {
		first = v.T("register.period", "from", r.date(d.Due.Preliminary), "to", first)
	}
	add("incident.first", first, d.Due.PreliminaryLast, d.Reported)
	add("incident.final", r.date(d.Due.Final), d.Due.Final, d.Finished)
}

func (v *incidentView) forms(d *IncidentDetail, t *tried) {
	if d.Closed.Done() {
		return
	}
	yes := func(b bool) string {
		if b {
			return "yes"
		}
		return ""
	}
	add := func(id, key string, fields ...deskField) {
		f := newDeskForm(id, v.Here, v.T(key), v.T(key+"_do"), append([]deskField{{Name: "do", Kind: "hidden", Value: id}}, fields...)...).again(t)
		f.Fold, f.Light = true, true
		v.Forms = append(v.Forms, f)
	}
	add("note", "incident.write", deskField{Name: "known", Kind: "datetime-local", Label: v.T("incident.when"), Value: v.say.now.Format(judgeTime)},
		deskField{Name: "text", Kind: "text_area", Label: v.T("incident.what"), Help: v.T("incident.no_names"), Max: 1000})
	add("judge", "incident.judge", deskField{Name: "class", Kind: "select", Label: v.T("incident.class"), Options: v.say.classes(strconv.Itoa(d.Class))},
		deskField{Name: "known", Kind: "datetime-local", Label: v.T("incident.known"), Value: time.UnixMilli(d.KnownMS).In(v.say.zone).Format(judgeTime)},
		deskField{Name: "personal", Kind: "check", Label: v.T("incident.personal"), Value: yes(d.Personal), Optional: true},
		deskField{Name: "attack", Kind: "check", Label: v.T("incident.attack"), Value: yes(d.ByAttack), Optional: true},
		deskField{Name: "text", Kind: "text_area", Label: v.T("review.reason"), Max: 1000})
	if d.Personal && !d.Finished.Done() {
		key, id := "incident.tell_first", "first"
		if d.Reported.Done() {
			key, id = "incident.tell_final", "final"
		}
		add(id, key, deskField{Name: "text", Kind: "text_area", Label: v.T("incident.how"), Max: 1000})
	}
	add("close", "incident.close", deskField{Name: "text", Kind: "text_area", Label: v.T("incident.result"), Max: 1000})
}

// incidentSteps are what may be done, with the verbs of their leaves.
var incidentSteps = map[string]string{"note": "incident_noted", "judge": "incident_judged", "first": "incident_reported", "final": "incident_reported_finally", "close": "incident_closed"}

// postIncidentStep moves an incident.
func (h *Handler) postIncidentStep(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	id, do := rq.PathValue("id"), rq.post("do")
	verb, known := incidentSteps[do]
	text := strings.TrimSpace(strings.ReplaceAll(rq.post("text"), "\r\n", "\n"))
	if !known || !written(text) {
		return errBadInput
	}
	by := rq.deskActor()
	at := h.momentOf(rq.post("known"))
	class, _ := strconv.Atoi(rq.post("class")) // no number is no class
	err := h.src.Incidents.StepIncident(rq.Context(), id, verb, "", by, func(x *incident.Record, nowMS int64) error {
		switch do {
		case "note":
			return x.Write(at, text, by, nowMS)
		case "judge":
			return x.Judge(class, rq.post("personal") != "", rq.post("attack") != "", at, text, by, nowMS)
		case "first", "final":
			return x.Report(do == "final", text, by, nowMS)
		}
		return x.Close(text, by, nowMS)
	})
	if t, code, ok := h.incidentFault(rq, do, "text", err); ok {
		if t.field == "" {
			t.form = ""
		}
		return h.showIncident(w, rq, t, code)
	}
	if err != nil {
		return fmt.Errorf("move an incident: %w", err)
	}
	return redirect(w, rq, "/incidents/"+url.PathEscape(id)+"?done=incident_moved")
}
