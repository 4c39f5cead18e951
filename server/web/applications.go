package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/visit"
)

type applicationsView struct {
	matterPage
	desk     counter
	Lists    []visitList
	Permits  []permitRow
	MayApply bool
	OwnOnly  bool
	Standing string // what the city calls the form of a standing permit
	StepUp   string // where to get a fresh check of identity first; "" = not needed
}

// visitList is a part of the list of applications.
type visitList struct {
	Heading string
	Rows    []visitRow
}

// permitRow is a standing permit.
type permitRow struct {
	ID, Purpose, Company, Zones, Attendee string
	Names, Days, Span                     string
	State                                 Tag
	Asked, Decided                        string
	Receive                               string
	Forms                                 []deskForm
}

func (c *counter) permitRow(p *visit.Permit) permitRow {
	r := permitRow{ID: p.ID, Purpose: p.Purpose, Company: p.Company, Zones: c.zoneNames(p.Zones), Attendee: c.name(p.Attendee), Asked: c.stepWords(p.Asked), Decided: c.stepWords(p.Decided),
		Receive: "/permits/" + p.ID + "/receive", Span: p.First.String() + " – " + p.Last.String()}
	var names []string
	for i := range p.Guests {
		names = append(names, p.Guests[i].Name)
	}
	r.Names = strings.Join(names, c.T("list.separator"))
	r.Days = c.daysOf(p.Days) + " " + clock24(p.FromS) + "–" + clock24(p.ToS)
	r.State = Tag{c.T("permit_state." + p.Head().State), ToneQuiet, "dash"}
	switch p.Head().State {
	case "applied":
		r.State.Tone, r.State.Icon = ToneWarn, "clock"
	case "granted":
		r.State.Tone, r.State.Icon = ToneGood, "check"
	}
	return r
}

func (c *counter) daysOf(d directory.Day) string {
	var list []string
	for i, w := range weekdays {
		if d&(1<<i) != 0 {
			list = append(list, w)
		}
	}
	return c.say.weekdayWords(list)
}

// getApplications lists what was applied for: to decide, to confirm, and the rest. Who reads no visits sees the own ones.
func (h *Handler) getApplications(w http.ResponseWriter, rq *request) error {
	return h.showApplications(w, rq, nil, http.StatusOK)
}

func (h *Handler) showApplications(w http.ResponseWriter, rq *request, t *tried, code int) error {
	c, err := h.counter(rq, "applications.title", "application")
	if err != nil {
		return err
	}
	v := applicationsView{matterPage: c.matterPage, desk: c, MayApply: rq.roles&applyRoles != 0, OwnOnly: rq.roles&visitReaders == 0, Standing: c.site.Settings.FormName("permit")}
	v.Here = "/applications"
	if err := h.viewed(rq, ActionViewMatters, visit.KindVisit); err != nil {
		return err
	}
	list, err := h.src.Visits.OpenVisits(rq.Context())
	if err != nil {
		return fmt.Errorf("open visits: %w", err)
	}
	slices.SortStableFunc(list, func(a, b visit.View) int { return int(a.FromMS - b.FromMS) })
	decide, oral, rest := visitList{Heading: c.T("applications.decide")}, visitList{Heading: c.T("applications.oral")}, visitList{Heading: c.T("applications.others")}
	for i := range list {
		x := &list[i]
		if !c.seesVisit(x) {
			continue
		}
		row := c.visitRow(x)
		switch {
		case x.State == visit.Applied && rq.roles&approveRoles != 0 && !c.mine(x.Asked) && c.mayDecide(approveRoles, x.Zones):
			decide.Rows = append(decide.Rows, row)
		case x.Oral != nil && !x.Oral.Confirmed.Done() && !x.Oral.Denied.Done():
			oral.Rows = append(oral.Rows, row)
		default:
			rest.Rows = append(rest.Rows, row)
		}
	}
	for _, l := range []visitList{decide, oral, rest} {
		if len(l.Rows) > 0 {
			v.Lists = append(v.Lists, l)
		}
	}
	permits, err := h.src.Visits.Permits(rq.Context())
	if err != nil {
		return fmt.Errorf("permits: %w", err)
	}
	for i := range permits {
		p := &permits[i]
		if !c.seesPermit(p) {
			continue
		}
		row := c.permitRow(p)
		for _, f := range c.permitForms(p) {
			row.Forms = append(row.Forms, f.again(t))
		}
		v.Permits = append(v.Permits, row)
	}
	if len(v.Permits) > 0 && rq.roles&approveRoles != 0 {
		v.StepUp = h.stepUpFrom(rq, "POST /permits/{id}/approve", v.Here)
	}
	return h.renderStatus(w, rq, "applications", &v, code)
}

// permitForms are the steps of a standing permit that this account may take.
func (c *counter) permitForms(p *visit.Permit) (out []deskForm) {
	at := "/permits/" + p.ID + "/"
	decides := c.rq.roles&approveRoles != 0 && c.mayDecide(approveRoles, p.Zones)
	note := func(optional bool) deskField {
		return deskField{Name: "note", Kind: "text", Label: c.T("account.reason"), Optional: optional}
	}
	if decides && !p.Decided.Done() && !c.mine(p.Asked) {
		f := newDeskForm("approve-"+p.ID, at+"approve", c.T("visit.approve"), c.T("visit.approve_now"), note(true))
		f.Fold = true
		g := newDeskForm("refuse-"+p.ID, at+"refuse", c.T("visit.refuse"), c.T("visit.refuse_now"), note(false))
		g.Fold, g.Danger = true, true
		out = append(out, f, g)
	}
	if decides || c.mine(p.Asked) {
		g := newDeskForm("end-"+p.ID, at+"end", c.T("applications.end"), c.T("applications.end_now"), note(true))
		g.Fold, g.Danger = true, true
		out = append(out, g)
	}
	return out
}

func (h *Handler) permitAct(w http.ResponseWriter, rq *request, act, done string, do func(id string) error) error {
	if err := rq.form(); err != nil {
		return err
	}
	c, err := h.counter(rq, "applications.title", "")
	if err != nil {
		return err
	}
	id := rq.PathValue("id")
	permits, err := h.src.Visits.Permits(rq.Context())
	if err != nil {
		return fmt.Errorf("permits: %w", err)
	}
	i := slices.IndexFunc(permits, func(p visit.Permit) bool { return p.ID == id })
	if i < 0 || !c.seesPermit(&permits[i]) {
		return ErrNotFound
	}
	switch formID := act + "-" + id; {
	case slices.ContainsFunc(c.permitForms(&permits[i]), func(f deskForm) bool { return f.ID == formID }):
		err = do(id)
	case act != "end" && c.mine(permits[i].Asked):
		err = visit.ErrSamePerson
	case act != "end" && permits[i].Decided.Done():
		err = visit.ErrState
	default:
		return errForbidden
	}
	if err == nil {
		return redirect(w, rq, "/applications?done="+done)
	}
	t, code, err := h.refusal(rq, &c, act+"-"+id, id, err)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(c.permitForms(&permits[i]), func(f deskForm) bool { return f.ID == t.form }) {
		return h.saidNo(w, rq, c, t, code)
	}
	return h.showApplications(w, rq, t, code)
}

func (h *Handler) postPermitApprove(w http.ResponseWriter, rq *request) error {
	return h.permitAct(w, rq, "approve", "permit_granted", func(id string) error {
		_, err := h.src.Visits.DecidePermit(rq.Context(), id, true, rq.post("note"), rq.deskActor())
		return err
	})
}

func (h *Handler) postPermitRefuse(w http.ResponseWriter, rq *request) error {
	return h.permitAct(w, rq, "refuse", "permit_refused", func(id string) error {
		_, err := h.src.Visits.DecidePermit(rq.Context(), id, false, rq.post("note"), rq.deskActor())
		return err
	})
}

func (h *Handler) postPermitEnd(w http.ResponseWriter, rq *request) error {
	return h.permitAct(w, rq, "end", "permit_ended", func(id string) error {
		_, err := h.src.Visits.EndPermit(rq.Context(), id, rq.post("note"), rq.deskActor())
		return err
	})
}

type applyView struct {
	matterPage
	desk  counter
	Sheet deskForm
	Intro string
	Back  string
}

// kinds of guests, as the form offers them: the category and, of visitors, what they are.
var guestKinds = []string{"contractor", "visitor.supplier", "visitor.inspector", "visitor.school_employee", "visitor.public", "visitor.other"}

// application is the form of a visit's application; urgent adds who approved by phone (VE-12).
func (c *counter) application(id, action, submit string, urgent bool) deskForm {
	own := c.people[directory.PersonID(c.rq.account.Person)]
	section, attendee := "", ""
	if own != nil && staffOnly(own) && !urgent {
		section, attendee = own.Section, c.numbered(own.ID)
	}
	from := c.say.now.Add(24 * time.Hour).Truncate(time.Hour)
	if urgent {
		from = c.say.now.Truncate(time.Minute)
	}
	until := from.Add(2 * time.Hour)
	var fields []deskField
	if urgent {
		fields = append(fields, c.personField("approver", "applications.approver", "", staffOnly))
		fields[0].First, fields[0].Help = true, c.T("applications.approver_help")
	}
	fields = append(fields, deskField{Name: "type", Kind: "select", Label: c.T("visit.type"), First: !urgent, Options: c.choices("visit_type", "", "work", "meeting", "delivery", "tour", "cleaning", "inspection")})
	fields = append(fields, c.commonFields(section, attendee)...)
	fields = append(fields,
		deskField{Name: "from", Kind: "datetime-local", Label: c.T("visit.from"), Value: c.local(from.UnixMilli())},
		deskField{Name: "until", Kind: "datetime-local", Label: c.T("visit.until"), Value: c.local(until.UnixMilli()), Help: c.T("applications.until_help")},
		deskField{Name: "heads", Kind: "number", Label: c.T("visit.more_heads"), Optional: true, Upto: "200", Help: c.T("applications.heads_help")})
	return newDeskForm(id, action, "", submit, fields...)
}

// commonFields are those that an application and a standing permit share.
func (c *counter) commonFields(section, attendee string) []deskField {
	contracts := []choice{{Label: c.T("applications.no_contract")}}
	for i := range c.site.Dir.Contracts {
		k := &c.site.Dir.Contracts[i]
		if !k.ValidUntil.Before(directory.DateOf(c.say.now)) {
			contracts = append(contracts, choice{Value: string(k.ID), Label: string(k.ID) + " " + k.Company + " " + k.Name})
		}
	}
	return []deskField{
		{Name: "purpose", Kind: "text", Label: c.T("visit.purpose")},
		{Name: "system", Kind: "text", Label: c.T("visit.system"), Max: 200},
		{Name: "zones", Kind: "checks", Label: c.T("visit.zones"), Options: c.zoneChoices()},
		{Name: "kind", Kind: "select", Label: c.T("applications.kind"), Options: c.choices("guest_kind", "", "contractor", "supplier", "inspector", "school_employee", "public", "other")},
		{Name: "contract", Kind: "select", Label: c.T("visit.contract"), Optional: true, Options: contracts, Help: c.T("applications.contract_help")},
		{Name: "company", Kind: "text", Label: c.T("visit.company"), Optional: true, Max: 100},
		{Name: "guests", Kind: "text_area", Label: c.T("applications.guests"), Help: c.T("applications.guests_help"), Max: 2000},
		{Name: "section", Kind: "text", Label: c.T("visit.section"), Value: section, Max: 100},
		c.personField("attendee", "visit.attendee", attendee, staffOnly),
	}
}

// applied reads an application.
func (c *counter) applied() (app visit.Application, err error) {
	if app, err = c.common(); err != nil {
		return app, err
	}
	app.Type = visit.Type(c.rq.post("type"))
	if app.FromMS, err = c.momentIn("from"); err != nil {
		return app, err
	}
	if app.UntilMS, err = c.momentIn("until"); err != nil {
		return app, err
	}
	if text := c.rq.post("heads"); text != "" {
		if app.Heads, err = strconv.Atoi(text); err != nil {
			return app, fieldFault(visit.ErrTooMany, "heads")
		}
	}
	return app, nil
}

// common reads what an application and a standing permit share.
func (c *counter) common() (app visit.Application, err error) {
	app = visit.Application{Purpose: strings.TrimSpace(c.rq.post("purpose")), System: strings.TrimSpace(c.rq.post("system")), Section: strings.TrimSpace(c.rq.post("section")),
		Company: strings.TrimSpace(c.rq.post("company")), Contract: c.rq.post("contract")}
	if app.Purpose == "" {
		return app, fieldFault(visit.ErrMissing, "purpose") // before the rest: nobody comes without one (VE-1)
	}
	for _, z := range c.rq.PostForm["zones"] {
		app.Zones = append(app.Zones, access.ZoneID(z))
	}
	var k *directory.Contract
	for i := range c.site.Dir.Contracts {
		if x := &c.site.Dir.Contracts[i]; string(x.ID) == app.Contract && app.Contract != "" {
			k = x
		}
	}
	if app.Company == "" && k != nil {
		app.Company = k.Company
	}
	if app.Guests, err = c.guestsIn(c.rq.post("guests"), c.rq.post("kind"), k); err != nil {
		return app, err
	}
	app.Attendee, err = c.personIn("attendee", staffOnly)
	return app, err
}

// guestsIn reads one person a line: name, kana, company. Of a contractor it finds the person among the contract's workers.
func (c *counter) guestsIn(text, kind string, k *directory.Contract) (out []visit.Guest, err error) {
	g := visit.Guest{Category: directory.Visitor, Kind: directory.PersonKind(kind)}
	if kind == "contractor" {
		g = visit.Guest{Category: directory.Contractor}
	} else if !slices.Contains(guestKinds, "visitor."+kind) {
		return nil, fieldFault(visit.ErrMissing, "kind")
	}
	for line := range strings.Lines(text) {
		parts := strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == '、' || r == '\uff0c' || r == '\t' })
		x := g
		for i, to := range []*string{&x.Name, &x.Kana, &x.Company} {
			if i < len(parts) {
				*to = strings.TrimSpace(parts[i])
			}
		}
		if x.Name == "" {
			continue
		}
		if g.Category == directory.Contractor && k != nil {
			x.Person = c.worker(k, x.Name)
		}
		if x.Person != "" {
			x.Name, x.Kana = c.people[x.Person].Name, c.people[x.Person].Kana
		}
		out = append(out, x)
	}
	return out, nil
}

// worker finds a named worker of a contract by number or by the whole name; "" when none or several have it.
func (c *counter) worker(k *directory.Contract, text string) (found directory.PersonID) {
	folded := strings.ReplaceAll(directory.FoldName(text), " ", "")
	for _, id := range k.Workers {
		p := c.people[id]
		if p == nil {
			continue
		}
		same := string(id) == text
		for _, name := range []string{p.Name, p.NameReduced, p.Kana, p.Romaji} {
			same = same || name != "" && strings.ReplaceAll(directory.FoldName(name), " ", "") == folded
		}
		if same && found != "" {
			return ""
		}
		if same {
			found = id
		}
	}
	return found
}

func (h *Handler) showApply(w http.ResponseWriter, rq *request, title, formName, intro, back string, make func(c *counter) deskForm, t *tried, code int) error {
	c, err := h.counter(rq, title, formName)
	if err != nil {
		return err
	}
	v := applyView{matterPage: c.matterPage, desk: c, Sheet: make(&c).again(t), Back: back}
	v.Intro = v.T(intro)
	return h.renderStatus(w, rq, "apply", &v, code)
}

func applyForm(c *counter) deskForm {
	return c.application("apply", "/applications/new", c.T("applications.apply"), false)
}

func (h *Handler) getApply(w http.ResponseWriter, rq *request) error {
	return h.showApply(w, rq, "applications.new", "application", "applications.new_text", "/applications", applyForm, nil, http.StatusOK)
}

func (h *Handler) postApply(w http.ResponseWriter, rq *request) error {
	c, app, err := h.applying(rq)
	if err != nil && c == nil {
		return err
	}
	var x visit.Visit
	var warnings []string
	if err == nil {
		x, warnings, err = h.src.Visits.ApplyVisit(rq.Context(), app, rq.deskActor())
	}
	if err == nil {
		return redirect(w, rq, "/visits/"+x.ID+"?done="+warned("visit_applied", warnings))
	}
	t, code, err := h.refusal(rq, c, "apply", visit.KindVisit, err)
	if err != nil {
		return err
	}
	return h.showApply(w, rq, "applications.new", "application", "applications.new_text", "/applications", applyForm, t, code)
}

// warned adds that a number looks like an Individual Number (VE-5).
func warned(done string, warnings []string) string {
	if len(warnings) > 0 {
		return done + "_warned"
	}
	return done
}

func (h *Handler) applying(rq *request) (*counter, visit.Application, error) {
	if err := rq.form(); err != nil {
		return nil, visit.Application{}, err
	}
	c, err := h.counter(rq, "applications.new", "")
	if err != nil {
		return nil, visit.Application{}, err
	}
	app, err := c.applied()
	return &c, app, err
}

func urgentForm(c *counter) deskForm {
	return c.application("urgent", "/visits/urgent", c.T("applications.urgent_now"), true)
}

func (h *Handler) getUrgent(w http.ResponseWriter, rq *request) error {
	return h.showApply(w, rq, "applications.urgent", "application", "applications.urgent_text", "/visits/receive", urgentForm, nil, http.StatusOK)
}

// postUrgent takes in a visit that somebody approved by phone; its reception follows at once (VE-12).
func (h *Handler) postUrgent(w http.ResponseWriter, rq *request) error {
	c, app, err := h.applying(rq)
	if err != nil && c == nil {
		return err
	}
	var approver directory.PersonID
	if err == nil {
		approver, err = c.personIn("approver", staffOnly)
	}
	var x visit.Visit
	if err == nil {
		x, _, err = h.src.Visits.UrgentVisit(rq.Context(), app, approver, rq.deskActor())
	}
	if err == nil {
		return redirect(w, rq, "/visits/"+x.ID+"/receive?done=visit_urgent")
	}
	t, code, err := h.refusal(rq, c, "urgent", visit.KindVisit, err)
	if err != nil {
		return err
	}
	return h.showApply(w, rq, "applications.urgent", "application", "applications.urgent_text", "/visits/receive", urgentForm, t, code)
}

func permitForm(c *counter) deskForm {
	own := c.people[directory.PersonID(c.rq.account.Person)]
	section, attendee := "", ""
	if own != nil && staffOnly(own) {
		section, attendee = own.Section, c.numbered(own.ID)
	}
	today := directory.DateOf(c.say.now)
	days := deskField{Name: "days", Kind: "checks", Label: c.T("applications.days")}
	for i, w := range weekdays {
		days.Options = append(days.Options, choice{Value: w, Label: c.T("hours_day." + w), Chosen: i < 5})
	}
	fields := append([]deskField{{Name: "type", Kind: "select", Label: c.T("visit.type"), First: true, Options: c.choices("visit_type", "", "cleaning", "work", "inspection", "delivery")}},
		c.commonFields(section, attendee)...)
	fields = append(fields, days,
		deskField{Name: "from", Kind: "time", Label: c.T("applications.from_time"), Value: "09:00"}, deskField{Name: "to", Kind: "time", Label: c.T("applications.to_time"), Value: "12:00", Help: c.T("applications.to_help")},
		deskField{Name: "first", Kind: "date", Label: c.T("applications.first"), Value: today.String()},
		deskField{Name: "last", Kind: "date", Label: c.T("applications.last"), Value: today.FiscalYearEnd().String(), Help: c.T("applications.last_help")})
	return newDeskForm("standing", "/applications/permit", "", c.T("applications.apply"), fields...)
}

func (h *Handler) getApplyPermit(w http.ResponseWriter, rq *request) error {
	return h.showApply(w, rq, "applications.permit", "permit", "applications.permit_text", "/applications", permitForm, nil, http.StatusOK)
}

func (h *Handler) postApplyPermit(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	c, err := h.counter(rq, "applications.permit", "")
	if err != nil {
		return err
	}
	p, err := c.permitIn()
	var warnings []string
	if err == nil {
		_, warnings, err = h.src.Visits.ApplyPermit(rq.Context(), p, rq.deskActor())
	}
	if err == nil {
		return redirect(w, rq, "/applications?done="+warned("permit_applied", warnings))
	}
	t, code, err := h.refusal(rq, &c, "standing", visit.KindPermit, err)
	if err != nil {
		return err
	}
	return h.showApply(w, rq, "applications.permit", "permit", "applications.permit_text", "/applications", permitForm, t, code)
}

func (c *counter) permitIn() (visit.Permit, error) {
	app, err := c.common()
	if err != nil {
		return visit.Permit{}, err
	}
	p := visit.Permit{Type: visit.Type(c.rq.post("type")), Purpose: app.Purpose, System: app.System, Zones: app.Zones, Section: app.Section, Company: app.Company, Contract: app.Contract,
		Attendee: app.Attendee, Guests: app.Guests}
	for i, w := range weekdays {
		if slices.Contains(c.rq.PostForm["days"], w) {
			p.Days |= 1 << i
		}
	}
	if p.Days == 0 {
		return p, fieldFault(visit.ErrMissing, "days")
	}
	if p.FromS, err = secondsIn(c.rq.PostForm, "from"); err != nil {
		return p, err
	}
	if p.ToS, err = secondsIn(c.rq.PostForm, "to"); err != nil {
		return p, err
	}
	if p.ToS == 0 {
		p.ToS = 86400 // midnight as an end is the end of the day
	}
	if p.First, err = directory.ParseDate(c.rq.post("first")); err != nil {
		return p, fieldFault(visit.ErrWindow, "first")
	}
	if p.Last, err = directory.ParseDate(c.rq.post("last")); err != nil {
		return p, fieldFault(visit.ErrWindow, "last")
	}
	return p, nil
}

// secondsIn reads a field of type time.
func secondsIn(values url.Values, name string) (int, error) {
	t, err := time.Parse("15:04", values.Get(name))
	if err != nil {
		return 0, fieldFault(visit.ErrWindow, name)
	}
	return t.Hour()*3600 + t.Minute()*60, nil
}
