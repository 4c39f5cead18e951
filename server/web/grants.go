package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"monban/firmware/access"
)

// grantEditRoles give and end grants and agree to others' proposals, zone managers those of their own zones.
const grantEditRoles = RoleSet(1<<RoleZoneManager | 1<<RoleCISO | 1<<RoleChiefSecurity)

// grantsLimit is how many holders a page of the matrix holds; matrixZones how many zones it shows beside one another.
const (
	grantsLimit = 50
	matrixZones = 6
)

type grantsView struct {
	Base
	Text, Purpose string
	Purposes      []string
	Zones         []choice
	Schedules     []choice
	States        []choice
	Withins       []choice
	Columns       []matrixColumn
	Rows          []matrixRow
	Total         string
	From, To      string
	Prev, Next    string
	New           string
	Limited       bool // only some zones are shown
	More          int  // zones that do not fit beside one another
}

type matrixColumn struct{ Name, Level string }

type matrixRow struct {
	Name, Section, ID string
	Href              string // "" for a group
	Cells             []matrixCell
}

type matrixCell struct {
	Zone   string
	Grants []matrixGrant
}

type matrixGrant struct {
	Schedule, Days string
	State          Tag // Word "" = in force
	Change         string
}

// grantQuery reads the filters out of the URL.
func (rq *request) grantQuery() (q GrantQuery, page int, err error) {
	in := rq.URL.Query()
	q = GrantQuery{Text: strings.TrimSpace(in.Get("q")), Zone: access.ZoneID(in.Get("zone")), Schedule: in.Get("schedule"), State: in.Get("state")}
	if len(q.Text) > 200 || !plainText(q.Text) || q.Zone != "" && !identifier(string(q.Zone)) || q.Schedule != "" && !identifier(q.Schedule) ||
		!slices.Contains([]string{"", "now", "later", "over"}, q.State) {
		return q, 0, errBadInput
	}
	if s := in.Get("within"); s != "" {
		if q.Within, err = strconv.Atoi(s); err != nil || q.Within < 1 || q.Within > 400 {
			return q, 0, errBadInput
		}
	}
	if s := in.Get("page"); s != "" {
		if page, err = strconv.Atoi(s); err != nil || page < 0 || page > 10_000 {
			return q, 0, errBadInput
		}
	}
	q.Skip, q.Limit = page*grantsLimit, grantsLimit
	return q, page, nil
}

// getGrants is the matrix who × where × when. To look for somebody in it takes a purpose (PR-4).
func (h *Handler) getGrants(w http.ResponseWriter, rq *request) error {
	q, page, err := rq.grantQuery()
	if err != nil {
		return err
	}
	purpose := ""
	if q.Text != "" {
		if purpose, err = rq.purpose(); err != nil {
			return h.askPurpose(w, rq, http.StatusBadRequest)
		}
	}
	if q.Zone != "" && !rq.sees(q.Zone) {
		return errForbidden
	}
	if err := h.looked(rq, ActionViewGrants, purpose); err != nil {
		return err
	}
	found, err := h.src.Rights.FindGrants(rq.Context(), q, rq.sees)
	if err != nil {
		return fmt.Errorf("grants: %w", err)
	}
	v := grantsView{Base: h.base(rq, "grants.title"), Text: q.Text, Purpose: purpose, Limited: !rq.sees("")}
	if v.Purposes, err = h.purposeNames(rq); err != nil {
		return err
	}
	v.filters(q, found)
	v.matrix(rq, q, found, purpose)
	v.Total = strconv.Itoa(found.Total)
	v.From, v.To = strconv.Itoa(min(q.Skip+1, found.Total)), strconv.Itoa(min(q.Skip, found.Total)+len(found.Holders))
	at := func(page int) string {
		n := rq.URL.Query()
		n.Del("done")
		n.Set("page", strconv.Itoa(page))
		return withQuery("/grants", n)
	}
	if page > 0 {
		v.Prev = at(page - 1)
	}
	if q.Skip+len(found.Holders) < found.Total {
		v.Next = at(page + 1)
	}
	if rq.roles&rolesOf("GET /grants/+new") != 0 {
		v.New = "/grants/+new"
	}
	return h.render(w, rq, "grants", v)
}

func (v *grantsView) filters(q GrantQuery, found GrantsFound) {
	v.Zones = []choice{{"", v.T("people.any"), q.Zone == ""}}
	for _, z := range found.Zones {
		v.Zones = append(v.Zones, choice{string(z.ID), z.Name, z.ID == q.Zone})
	}
	v.Schedules = []choice{{"", v.T("people.any"), q.Schedule == ""}}
	for _, s := range found.Schedules {
		v.Schedules = append(v.Schedules, choice{s.ID, s.Name, s.ID == q.Schedule})
	}
	v.States = []choice{{"", v.T("people.any"), q.State == ""}}
	for _, s := range []string{"now", "later", "over"} {
		v.States = append(v.States, choice{s, v.T("grant_state." + s), s == q.State})
	}
	v.Withins = []choice{{"", v.T("people.any"), q.Within == 0}}
	days := []int{7, 30, 60, 90}
	if q.Within != 0 && !slices.Contains(days, q.Within) {
		days = append(days, q.Within)
	}
	for _, n := range days {
		v.Withins = append(v.Withins, choice{strconv.Itoa(n), v.T("people.within_days", "n", strconv.Itoa(n)), n == q.Within})
	}
}

// matrix puts the grants of each holder under the zones.
func (v *grantsView) matrix(rq *request, q GrantQuery, found GrantsFound, purpose string) {
	columns := found.Zones
	if q.Zone != "" {
		columns = slices.DeleteFunc(slices.Clone(columns), func(z ZoneLevel) bool { return z.ID != q.Zone })
	} else { // zones in which nobody on this page has anything take no room
		columns = slices.DeleteFunc(slices.Clone(columns), func(z ZoneLevel) bool {
			return !slices.ContainsFunc(found.Holders, func(x GrantHolder) bool {
				return slices.ContainsFunc(x.Grants, func(g GrantLine) bool { return g.Zone == string(z.ID) })
			})
		})
	}
	if len(columns) > matrixZones {
		v.More = len(columns) - matrixZones
		columns = columns[:matrixZones]
	}
	for _, z := range columns {
		v.Columns = append(v.Columns, matrixColumn{z.Name, v.T("grants.level", "n", strconv.Itoa(z.Level))})
	}
	for _, x := range found.Holders {
		r := matrixRow{Name: x.Name, Section: x.Section, ID: x.ID}
		if x.Group {
			r.Section = v.T("grants.group_of", "n", strconv.Itoa(x.Members))
		} else if purpose != "" {
			r.Href = personHref(x.ID, purpose)
		} else {
			r.Href = "/people/" + x.ID
		}
		for _, z := range columns {
			cell := matrixCell{Zone: z.Name}
			for _, g := range x.Grants {
				if g.Zone == string(z.ID) {
					cell.Grants = append(cell.Grants, v.say.matrixGrant(rq, g))
				}
			}
			r.Cells = append(r.Cells, cell)
		}
		v.Rows = append(v.Rows, r)
	}
}

func (b speaker) matrixGrant(rq *request, g GrantLine) matrixGrant {
	m := matrixGrant{Schedule: g.ScheduleName, Days: b.daysWords(g.ValidFrom, g.ValidUntil)}
	switch g.State {
	case "now":
	case "later":
		m.State = Tag{b.T("grant_state.later"), ToneNote, "clock"}
	default:
		m.State = Tag{b.T("grant_state." + g.State), ToneQuiet, "dash"}
	}
	if rq.may(grantEditRoles, access.ZoneID(g.Zone)) {
		m.Change = withQuery("/grants/+change", url.Values{"id": {g.ID}})
	}
	return m
}

type grantFormView struct {
	Base
	formView
	Fresh     bool
	ID        string
	Who       string // of a grant that is there, or the person that was chosen
	Zone      string // likewise
	Level     string
	Person    string // chosen before
	Zones     []choice
	Schedules []choice
	Groups    []choice
	Waits     string // what adding does at once and what waits, in words
	Action    string
}

// Text is a field of the page's form.
func (v grantFormView) Text(name, label string, required bool, most int, help string) fieldView {
	return fieldOf(v.Base, v.formView, name, label, required, most, help)
}

var grantFields = []string{"id", "person", "group", "zone", "schedule", "valid_from", "valid_until", "basis", "reason"}

// grantForm fills the form of a new grant, or of the one with old's ID.
func (h *Handler) grantForm(rq *request, old *GrantLine, form formView) (grantFormView, error) {
	title := "grants.new"
	if old != nil {
		title = "grants.change"
	}
	v := grantFormView{Base: h.base(rq, title), formView: form, Fresh: old == nil, Action: "/grants"}
	v.clean()
	v.Here = "/grants"
	found, err := h.src.Rights.FindGrants(rq.Context(), GrantQuery{Limit: 1}, func(z access.ZoneID) bool { return rq.may(grantEditRoles, z) })
	if err != nil {
		return v, fmt.Errorf("zones and schedules: %w", err)
	}
	for _, z := range found.Zones {
		label := v.T("grants.zone_waits", "zone", z.Name, "n", strconv.Itoa(z.Level))
		if z.Level < 2 {
			label = v.T("grants.zone_at_once", "zone", z.Name, "n", strconv.Itoa(z.Level))
		}
		v.Zones = append(v.Zones, choice{string(z.ID), label, string(z.ID) == v.F("zone").Value})
	}
	for _, s := range found.Schedules {
		v.Schedules = append(v.Schedules, choice{s.ID, v.T("grants.schedule_hours", "name", s.Name, "hours", v.say.hoursWords(s.Windows)), s.ID == v.F("schedule").Value})
	}
	for _, g := range found.Groups {
		v.Groups = append(v.Groups, choice{g.ID, g.Name, g.ID == v.F("group").Value})
	}
	if old != nil {
		v.Action, v.ID, v.Who, v.Zone = "/grants/+change", old.ID, old.Holder, old.ZoneName
		v.Level = v.T("grants.level", "n", strconv.Itoa(old.Level))
	}
	return v, nil
}

func (h *Handler) getGrantNew(w http.ResponseWriter, rq *request) error {
	form := formView{Fields: map[string]Field{}}
	in := rq.URL.Query()
	for _, n := range []string{"person", "group", "zone"} {
		if x := in.Get(n); x != "" && identifier(x) {
			form.Fields[n] = Field{Value: x}
		}
	}
	var who string
	if id := form.Fields["person"].Value; id != "" { // somebody is named (PR-4)
		purpose, err := rq.purpose()
		if err != nil {
			return h.askPurpose(w, rq, http.StatusBadRequest)
		}
		if err := h.looked(rq, ActionViewPeople, purpose); err != nil {
			return err
		}
		f, err := h.src.People.PersonFile(rq.Context(), id)
		if err != nil {
			return fmt.Errorf("person: %w", err)
		}
		who = f.Name
	}
	v, err := h.grantForm(rq, nil, form)
	if err != nil {
		return err
	}
	v.Who, v.Person = who, form.Fields["person"].Value
	return h.render(w, rq, "grant_form", v)
}

// grantFor finds the grant of a form, for who may change it.
func (h *Handler) grantFor(rq *request, id string) (GrantLine, error) {
	if id == "" || len(id) > 200 || !plainText(id) {
		return GrantLine{}, ErrNotFound
	}
	g, err := h.src.Rights.GrantByID(rq.Context(), id)
	if err != nil {
		return g, fmt.Errorf("grant: %w", err)
	}
	if !rq.may(grantEditRoles, access.ZoneID(g.Zone)) {
		return g, errForbidden
	}
	return g, nil
}

func (h *Handler) getGrantChange(w http.ResponseWriter, rq *request) error {
	g, err := h.grantFor(rq, rq.URL.Query().Get("id"))
	if err != nil {
		return err
	}
	if err := h.looked(rq, ActionViewGrants, ""); err != nil {
		return err
	}
	form := formView{Fields: map[string]Field{"schedule": {Value: g.Schedule}, "valid_from": {Value: g.ValidFrom}, "valid_until": {Value: g.ValidUntil}, "basis": {Value: g.Basis}}}
	v, err := h.grantForm(rq, &g, form)
	if err != nil {
		return err
	}
	return h.render(w, rq, "grant_form", v)
}

func (h *Handler) postGrant(w http.ResponseWriter, rq *request) error {
	return h.saveGrant(w, rq, true)
}

func (h *Handler) postGrantChange(w http.ResponseWriter, rq *request) error {
	return h.saveGrant(w, rq, false)
}

// saveGrant checks a form, shows what it would do and whether that acts at once or waits (D27), and after the last press does it.
func (h *Handler) saveGrant(w http.ResponseWriter, rq *request, fresh bool) error {
	if err := rq.form(); err != nil {
		return err
	}
	var form formView
	form.typed(rq, grantFields...)
	b := h.base(rq, "grants.title")
	get := func(name string) string { return form.Fields[name].Value }
	g := RegGrant{Person: get("person"), Group: get("group"), Zone: get("zone"), Schedule: get("schedule"), ValidFrom: get("valid_from"), ValidUntil: get("valid_until"), Basis: get("basis")}
	var old *GrantLine
	if !fresh {
		x, err := h.grantFor(rq, rq.post("id"))
		if err != nil {
			return err
		}
		old = &x
		g.ID, g.Person, g.Group, g.Zone = x.ID, x.Person, x.Group, x.Zone
	} else {
		switch {
		case g.Person == "" && g.Group == "":
			form.blame(b, "person", "person_or_group")
		case g.Person != "" && g.Group != "":
			form.blame(b, "group", "person_or_group")
		case g.Person != "" && !identifier(g.Person):
			form.blame(b, "person", "identifier")
		}
		if !identifier(g.Zone) {
			form.blame(b, "zone", "required")
		} else if !rq.may(grantEditRoles, access.ZoneID(g.Zone)) {
			return errForbidden
		}
	}
	if !identifier(g.Schedule) {
		form.blame(b, "schedule", "required")
	}
	form.blame(b, "valid_from", dayWord(g.ValidFrom))
	form.blame(b, "valid_until", dayWord(g.ValidUntil))
	form.blame(b, "valid_until", orderWord(g.ValidFrom, g.ValidUntil))
	if g.ValidUntil != "" && g.ValidUntil < b.say.now.Format(dayLayout) {
		form.blame(b, "valid_until", "over")
	}
	form.blame(b, "basis", textWord(g.Basis, 0, 200))
	form.blame(b, "reason", textWord(get("reason"), 1, 300))
	show := func(code int) error {
		if old != nil { // its holder is named (RA-4)
			if err := h.looked(rq, ActionViewGrants, ""); err != nil {
				return err
			}
		}
		v, err := h.grantForm(rq, old, form)
		if err != nil {
			return err
		}
		return h.renderStatus(w, rq, "grant_form", v, code)
	}
	if form.faulty() {
		return show(http.StatusUnprocessableEntity)
	}
	if rq.again() {
		return show(http.StatusOK)
	}
	act := rq.action(ActionGrantSaved, "")
	act.Reason = get("reason")
	e, err := h.src.Rights.SaveGrant(rq.Context(), g, !rq.sure(), act)
	var bad FormFault
	switch {
	case errors.As(err, &bad):
		for _, x := range bad {
			form.blame(b, x.Field, x.Word)
		}
		return show(http.StatusUnprocessableEntity)
	case err != nil:
		return fmt.Errorf("save grant: %w", err)
	case e.Nothing():
		form.blame(b, "", "nothing")
		return show(http.StatusUnprocessableEntity)
	case !rq.sure():
		heading := "grants.sure_change"
		if fresh {
			heading = "grants.sure_new"
		}
		if err := h.looked(rq, ActionViewGrants, ""); err != nil { // whom it lets in is named
			return err
		}
		return h.effectView(w, rq, heading, e)
	}
	return redirect(w, rq, withQuery("/grants", url.Values{"zone": {g.Zone}, "done": {e.done("grant_saved")}}))
}

// postGrantEnd takes a grant away, at once.
func (h *Handler) postGrantEnd(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	g, err := h.grantFor(rq, rq.post("id"))
	if err != nil {
		return err
	}
	act := rq.action(ActionGrantSaved, "")
	act.Reason = strings.TrimSpace(rq.post("reason"))
	word := textWord(act.Reason, 1, 300)
	if word == "" {
		var bad FormFault
		_, err := h.src.Rights.EndGrant(rq.Context(), g.ID, act)
		switch {
		case err == nil:
			return redirect(w, rq, withQuery("/grants", url.Values{"zone": {g.Zone}, "done": {"grant_ended"}}))
		case !errors.As(err, &bad):
			return fmt.Errorf("end grant: %w", err)
		}
		word = bad[0].Word
	}
	if err := h.looked(rq, ActionViewGrants, ""); err != nil {
		return err
	}
	form := formView{Fields: map[string]Field{"schedule": {Value: g.Schedule}, "valid_from": {Value: g.ValidFrom}, "valid_until": {Value: g.ValidUntil}, "basis": {Value: g.Basis},
		"end_reason": {Value: act.Reason}}}
	form.blame(h.base(rq, "grants.title"), "end_reason", word)
	v, err := h.grantForm(rq, &g, form)
	if err != nil {
		return err
	}
	return h.renderStatus(w, rq, "grant_form", v, http.StatusUnprocessableEntity)
}
