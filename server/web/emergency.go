package web

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/visit"
)

type emergencyView struct {
	matterPage
	desk   counter
	Sheet  deskForm
	Rows   []emergencyRow
	MayAsk bool
	StepUp string // where to get a fresh check of identity first; "" = not needed
}

type emergencyRow struct {
	ID, Zones, Persons, Reason string
	State                      Tag
	BreakGlass                 bool
	Asked, Agreed              string
	Until, Due                 time.Time
	Report                     string
	Forms                      []deskForm
}

// declareRoles may ask; it is in force when an officer agrees, or at once by an officer who breaks the glass.
const declareRoles = emergencyRoles | 1<<RoleReception

func (h *Handler) getEmergency(w http.ResponseWriter, rq *request) error {
	return h.showEmergency(w, rq, nil, http.StatusOK)
}

func (h *Handler) showEmergency(w http.ResponseWriter, rq *request, t *tried, code int) error {
	c, err := h.counter(rq, "emergency.title", "emergency")
	if err != nil {
		return err
	}
	v := emergencyView{matterPage: c.matterPage, desk: c, MayAsk: rq.roles&declareRoles != 0}
	v.Here = "/emergency"
	if v.MayAsk && h.freshAt(rq, "POST /emergency") != "" {
		v.StepUp = "/step-up?next=/emergency"
	}
	if err := h.viewed(rq, ActionViewMatters, visit.KindEmergency); err != nil {
		return err
	}
	list, err := h.src.Visits.Emergencies(rq.Context())
	if err != nil {
		return fmt.Errorf("emergencies: %w", err)
	}
	for i := range list {
		if !c.seesEmergency(&list[i]) {
			continue
		}
		r := c.emergencyRow(&list[i])
		for _, f := range c.emergencyForms(&list[i], v.StepUp != "") {
			r.Forms = append(r.Forms, f.again(t))
		}
		v.Rows = append(v.Rows, r)
	}
	v.Sheet = c.emergencyForm().again(t)
	return h.renderStatus(w, rq, "emergency", &v, code)
}

func (c *counter) emergencyRow(x *visit.Emergency) emergencyRow {
	r := emergencyRow{ID: x.ID, Zones: c.zoneNames(x.Zones), Reason: x.Reason, BreakGlass: x.BreakGlass, Asked: c.stepWords(x.Declared), Agreed: c.stepWords(x.Agreed), Report: x.Report, Due: c.ms(x.DueMS)}
	var names []string
	for _, p := range x.Persons {
		names = append(names, c.name(p))
	}
	r.Persons = strings.Join(names, c.T("list.separator"))
	state := x.Head().State
	r.State = Tag{c.T("emergency_state." + state), ToneQuiet, "check"}
	switch state {
	case "asked":
		r.State.Tone, r.State.Icon = ToneNote, "clock"
	case "in_force":
		r.State.Tone, r.State.Icon, r.Until = ToneAlarm, "alarm", c.ms(x.UntilMS)
	case "ended":
		r.State.Tone, r.State.Icon = ToneWarn, "finding"
	}
	return r
}

func (c *counter) emergencyForm() deskForm {
	hours := strconv.FormatInt(c.site.Settings.EmergencyMS/3_600_000, 10)
	fields := []deskField{
		{Name: "zones", Kind: "checks", Label: c.T("visit.zones"), Options: c.zoneChoices()},
		{Name: "persons", Kind: "text_area", Label: c.T("emergency.persons"), Max: 2000, Help: c.T("emergency.persons_help")},
		{Name: "hours", Kind: "number", Label: c.T("emergency.hours"), Value: hours, Upto: hours},
		{Name: "reason", Kind: "text", Label: c.T("account.reason")},
	}
	if c.rq.roles&emergencyRoles != 0 {
		fields = append(fields, deskField{Name: "break_glass", Kind: "check", Label: c.T("emergency.break_glass"), Optional: true, Help: c.T("emergency.break_glass_help")})
	}
	f := newDeskForm("declare", "/emergency", c.T("emergency.declare"), c.T("emergency.declare_now"), fields...)
	f.Danger = true
	return f
}

// emergencyForms are the steps with an emergency entry. To end one takes anybody who may ask for one: it takes rights away.
func (c *counter) emergencyForms(x *visit.Emergency, stale bool) (out []deskForm) {
	at := "/emergency/" + x.ID + "/"
	if x.FromMS == 0 && !x.Given.Done() && c.mayDecide(emergencyRoles, x.Zones) && !c.mine(x.Declared) && !stale {
		f := newDeskForm("agree-"+x.ID, at+"agree", "", c.T("emergency.agree_now"))
		f.Danger = true
		out = append(out, f)
	}
	if !x.Ended.Done() && !x.Given.Done() && c.rq.roles&declareRoles != 0 {
		f := newDeskForm("end-"+x.ID, at+"end", c.T("emergency.end"), c.T("emergency.end_now"), deskField{Name: "note", Kind: "text", Label: c.T("visit.note"), Optional: true})
		f.Fold = true
		out = append(out, f)
	}
	if x.FromMS != 0 && !x.Reported.Done() && c.rq.roles&declareRoles != 0 {
		f := newDeskForm("report-"+x.ID, at+"report", c.T("emergency.report"), c.T("emergency.report_now"),
			deskField{Name: "report", Kind: "text_area", Label: c.T("emergency.report_text"), Max: 2000, Help: c.T("emergency.report_help")})
		f.Fold = true
		out = append(out, f)
	}
	return out
}

func (h *Handler) postEmergency(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	c, err := h.counter(rq, "emergency.title", "")
	if err != nil {
		return err
	}
	var zones []access.ZoneID
	for _, z := range rq.PostForm["zones"] {
		if z != "" {
			zones = append(zones, access.ZoneID(z))
		}
	}
	glass := rq.post("break_glass") != ""
	if glass && (rq.roles&emergencyRoles == 0 || len(zones) > 0 && !c.mayDecide(emergencyRoles, zones)) {
		return errForbidden // the doors of other zones stay shut: whoever answers for those may ask or break the glass
	}
	var persons []directory.PersonID
	hours, err := strconv.Atoi(rq.post("hours"))
	if err != nil || hours < 1 {
		err = fieldFault(visit.ErrWindow, "hours")
	} else {
		persons, err = c.personsIn("persons")
	}
	if err == nil {
		_, err = h.src.Visits.DeclareEmergency(rq.Context(), zones, persons, time.Duration(hours)*time.Hour, strings.TrimSpace(rq.post("reason")), glass, rq.deskActor())
	}
	if err == nil {
		done := "emergency_asked"
		if glass {
			done = "emergency_begun"
		}
		return redirect(w, rq, "/emergency?done="+done)
	}
	t, code, err := h.refusal(rq, &c, "declare", visit.KindEmergency, renamed(err, "until", "hours"))
	if err != nil {
		return err
	}
	return h.showEmergency(w, rq, t, code)
}

// personsIn finds the people that the lines of a field name.
func (c *counter) personsIn(name string) (out []directory.PersonID, err error) {
	for line := range strings.Lines(c.rq.post(name)) {
		if strings.TrimSpace(line) == "" {
			continue
		}
		p, err := c.personOf(name, line, insiders)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func (h *Handler) emergencyAct(w http.ResponseWriter, rq *request, act, done string, do func(id string) error) error {
	if err := rq.form(); err != nil {
		return err
	}
	id := rq.PathValue("id")
	c, err := h.counter(rq, "emergency.title", "")
	if err != nil {
		return err
	}
	if err := h.emergencyOf(&c, id); err != nil {
		return err
	}
	err = do(id)
	if err == nil {
		return redirect(w, rq, "/emergency?done="+done)
	}
	t, code, err := h.refusal(rq, &c, act+"-"+id, id, err)
	if err != nil {
		return err
	}
	if t.field == "" {
		return h.saidNo(w, rq, c, t, code)
	}
	return h.showEmergency(w, rq, t, code)
}

func (h *Handler) postEmergencyAgree(w http.ResponseWriter, rq *request) error {
	c, err := h.counter(rq, "emergency.title", "")
	if err != nil {
		return err
	}
	list, err := h.src.Visits.Emergencies(rq.Context())
	if err != nil {
		return fmt.Errorf("emergencies: %w", err)
	}
	for i := range list { // one that is not there, or not open, is refused by the source
		if list[i].ID == rq.PathValue("id") && !c.mayDecide(emergencyRoles, list[i].Zones) {
			return errForbidden
		}
	}
	return h.emergencyAct(w, rq, "agree", "emergency_begun", func(id string) error {
		_, err := h.src.Visits.AgreeEmergency(rq.Context(), id, rq.deskActor())
		return err
	})
}

func (h *Handler) postEmergencyEnd(w http.ResponseWriter, rq *request) error {
	return h.emergencyAct(w, rq, "end", "emergency_ended", func(id string) error {
		_, err := h.src.Visits.EndEmergency(rq.Context(), id, strings.TrimSpace(rq.post("note")), rq.deskActor())
		return err
	})
}

func (h *Handler) postEmergencyReport(w http.ResponseWriter, rq *request) error {
	return h.emergencyAct(w, rq, "report", "emergency_reported", func(id string) error {
		_, err := h.src.Visits.ReportEmergency(rq.Context(), id, strings.TrimSpace(rq.post("report")), rq.deskActor())
		return err
	})
}
