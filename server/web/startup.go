package web

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"monban/server/setup"
)

// startupRoles bring a site up (RA-1: they run the machines, or answer for the site). The page names no person.
const startupRoles = groupC | groupD

func startupRoutes() []route {
	return []route{
		{pattern: "GET /startup", roles: startupRoles, serve: (*Handler).getStartup},
		{pattern: "GET /doors/{door}/papers", roles: wallRoles, serve: (*Handler).getDoorPaper},
		{pattern: "POST /startup/door", roles: ruleChangers, stepUp: stepUpFull, serve: (*Handler).postFirstDoor},
		{pattern: "POST /startup/gateways/{gateway}/invite", roles: startupRoles, stepUp: stepUpFull, serve: sitewide(startupRoles, (*Handler).postGatewayInvite)},
		{pattern: "POST /startup/gateways/{gateway}/confirm", roles: startupRoles, stepUp: stepUpFull, serve: sitewide(startupRoles, (*Handler).postGatewayConfirm)},
	}
}

// inviteLives are how long a code may hold, in minutes (AL: 24 h for a visit to a distant site).
var inviteLives = []string{"15", "60", "480", "1440"}

type startupView struct {
	Base
	Steps    []startupStep
	Progress string
	Finished bool
	Fault    string
	Code     *gatewayCode
	Gateways []startupGateway
	Lives    []choice
	Door     *firstDoorView
	StepUp   string
}

type startupStep struct {
	Number, Title, What, Do string
	State                   Tag
	Href, Link              string
	Next                    bool
}

type gatewayCode struct{ Gateway, Code, Until, Command string }

type startupGateway struct {
	ID, Name string
	State    Tag
	Until    time.Time
	Came     bool // a fingerprint is to be compared
	Enrolled bool // a new code is for a device in its place
}

// firstDoorView is the form of the first gateway, zone and door.
type firstDoorView struct {
	formView
	Base   Base
	Levels []choice
	Kinds  []choice
	Exits  []choice
}

// Text is a field of the form.
func (v firstDoorView) Text(name, label string, most int, help string) fieldView {
	return fieldOf(v.Base, v.formView, name, label, true, most, help)
}

// startupLinks are the pages on which steps are done.
var startupLinks = map[string]struct{ path, pattern, key string }{
	"account": {"/accounts", "GET /accounts", "nav.accounts"},
	"forms":   {"/reports/organisation", "GET /reports/organisation", "organisation.title"},
	"card":    {"/people", "GET /people", "nav.persons"},
	"swipe":   {"/log", "GET /log", "nav.log"},
	"alert":   {"/alerts", "GET /alerts", "nav.alerts"},
	"doctor":  {"/doors", "GET /doors", "nav.doors"},

	"/reports/organisation": {"/reports/organisation", "GET /reports/organisation", "organisation.title"},
	"/ledgers/forms":        {"/ledgers/forms", "GET /ledgers/forms", "forms.title"},
	"/reports":              {"/reports", "GET /reports", "report.title"},
}

func (h *Handler) startupView(rq *request) (*startupView, error) {
	v := &startupView{Base: h.base(rq, "startup.title")}
	v.Here = "/startup"
	if v.StepUp = h.needFresh(rq); v.StepUp != "" {
		v.StepUp += "/startup"
	}
	steps, err := h.src.Startup.SetupSteps(rq.Context())
	if err != nil {
		return nil, fmt.Errorf("steps of set-up: %w", err)
	}
	lang := setup.English
	if rq.lang == Japanese {
		lang = setup.Japanese
	}
	next, open := setup.Next(steps)
	done, doors := 0, false
	for i, s := range steps {
		x := startupStep{Number: strconv.Itoa(i + 1), Title: setup.Title(s.Key).In(lang), What: s.What.In(lang), Do: s.Do.In(lang), State: v.say.stepTag(s.State), Next: open && s.Key == next.Key}
		if s.State == setup.Done || s.State == setup.Advice {
			done++
			doors = doors || s.Key == "door"
		}
		key := s.Key
		if s.Page != "" {
			key = s.Page
		}
		if l, ok := startupLinks[key]; ok && rq.roles&rolesOf(l.pattern) != 0 {
			x.Href, x.Link = l.path, v.T(l.key)
		}
		v.Steps = append(v.Steps, x)
	}
	v.Finished = done == len(steps)
	v.Progress = v.T("startup.progress", "n", strconv.Itoa(done), "all", strconv.Itoa(len(steps)))
	list, err := h.src.Startup.GatewayInvites(rq.Context())
	if err != nil {
		return nil, fmt.Errorf("invites: %w", err)
	}
	for _, g := range list {
		v.Gateways = append(v.Gateways, startupGateway{ID: g.ID, Name: g.Name, State: v.say.inviteTag(g.State), Until: g.Until, Came: g.State == "came", Enrolled: g.State == "enrolled"})
	}
	for _, m := range inviteLives {
		v.Lives = append(v.Lives, choice{m, v.T("startup_life." + startupWord(m)), m == inviteLives[0]})
	}
	if !doors && rq.roles&ruleChangers != 0 {
		v.Door = v.firstDoor(formView{})
	}
	return v, nil
}

func (b speaker) stepTag(s setup.State) Tag {
	switch s {
	case setup.Done:
		return Tag{b.T("startup.done"), ToneGood, "check"}
	case setup.Advice:
		return Tag{b.T("startup.advice"), ToneWarn, "clock"}
	case setup.Later:
		return Tag{b.T("startup.later"), ToneQuiet, "dot"}
	default:
		return Tag{b.T("startup.open"), ToneNote, "unknown"}
	}
}

func (b speaker) inviteTag(state string) Tag {
	word := b.known("invite_state", state)
	switch state {
	case "enrolled":
		return Tag{word, ToneGood, "check"}
	case "came":
		return Tag{word, ToneWarn, "clock"}
	case "invited", "confirmed":
		return Tag{word, ToneNote, "clock"}
	default:
		return Tag{word, ToneQuiet, "dash"}
	}
}

// startupWord is a value's name in the catalogue, where no name begins with a digit.
func startupWord(value string) string {
	if value[0] >= '0' && value[0] <= '9' {
		return "n" + value
	}
	return value
}

func (h *Handler) getStartup(w http.ResponseWriter, rq *request) error {
	v, err := h.startupView(rq)
	if err != nil {
		return err
	}
	return h.render(w, rq, "startup", v)
}

func (h *Handler) refuseStartup(w http.ResponseWriter, rq *request, key string) error {
	v, err := h.startupView(rq)
	if err != nil {
		return err
	}
	v.Fault = v.T(key)
	return h.renderStatus(w, rq, "startup", v, http.StatusUnprocessableEntity)
}

// postGatewayInvite makes a code and shows it once, on the answer itself: it is in no address and nothing keeps it.
func (h *Handler) postGatewayInvite(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	id := rq.PathValue("gateway")
	minutes, err := strconv.Atoi(rq.post("life"))
	if err != nil || minutes < 1 || minutes > 1440 || !identifier(id) {
		return errBadInput
	}
	act := rq.action(ActionGatewayInvited, id)
	if act.Reason = strings.TrimSpace(rq.post("reason")); act.Reason == "" || len(act.Reason) > 1000 {
		return h.refuseStartup(w, rq, "startup.reason_missing")
	}
	life := time.Duration(minutes) * time.Minute
	code, err := h.src.Startup.InviteGateway(rq.Context(), id, life, rq.post("replace") != "", act)
	if err != nil {
		return err
	}
	v, err := h.startupView(rq)
	if err != nil {
		return err
	}
	v.Code = &gatewayCode{Gateway: id, Code: code, Until: v.Brief(rq.now.Add(life)), Command: "monban-gateway enrol --server HOST:PORT --gateway " + id + " --out DIR"} // it asks for the code
	return h.render(w, rq, "startup", v)
}

// postGatewayConfirm takes the fingerprint as the gateway shows it; the page does not show what arrived, so that it has to be read there.
func (h *Handler) postGatewayConfirm(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	id := rq.PathValue("gateway")
	if !identifier(id) {
		return errBadInput
	}
	print := strings.ToUpper(strings.Join(strings.Fields(rq.post("fingerprint")), ""))
	if len(print) == 0 || len(print) > 40 {
		return h.refuseStartup(w, rq, "startup.fingerprint_missing")
	}
	err := h.src.Startup.ConfirmGateway(rq.Context(), id, print, rq.action(ActionGatewayConfirmed, id))
	switch {
	case errors.Is(err, ErrNotCome):
		return h.refuseStartup(w, rq, "startup.not_come")
	case errors.Is(err, ErrOtherGateway):
		return h.refuseStartup(w, rq, "startup.other_gateway")
	case err != nil:
		return err
	}
	return redirect(w, rq, "/startup?done=gateway_confirmed")
}

func (v *startupView) firstDoor(f formView) *firstDoorView {
	d := &firstDoorView{formView: f, Base: v.Base}
	pick := func(name string, values ...string) (out []choice) {
		for _, x := range values {
			out = append(out, choice{x, v.T("startup_" + name + "." + startupWord(x)), x == f.F(name).Value})
		}
		return out
	}
	d.Levels = pick("level", "1", "2", "3")
	d.Kinds = pick("kind", "observe", "controlled")
	d.Exits = pick("exit", "reader", "button", "handle", "none")
	return d
}

// firstDoorFields are the fields of the form by file and column.
var firstDoorFields = map[string]string{
	"zones/zone_id": "zone", "zones/name": "zone_name", "zones/level": "level", "gateways/gateway_id": "gateway", "gateways/name": "gateway_name",
	"doors/door_id": "door", "doors/name": "door_name", "doors/kind": "kind", "doors/exit": "exit", "doors/gateway_id": "gateway", "doors/enter_zone": "zone",
}

// postFirstDoor makes the CSV files of a site's first door and hands them to the import, which shows what they would do, finds
// what is wrong, and asks for the reason.
func (h *Handler) postFirstDoor(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	in := func(name string) string { return strings.TrimSpace(rq.post(name)) }
	file := func(kind string, rows ...[]string) ImportFile {
		var b bytes.Buffer
		_ = csv.NewWriter(&b).WriteAll(rows) // a buffer takes everything
		return ImportFile{Name: kind + ".csv", Kind: kind, Data: b.Bytes()}
	}
	pinned := map[string]string{"1": "no", "2": "yes", "3": "yes"}[in("level")]
	files := []ImportFile{
		file("zones", []string{"zone_id", "name", "level", "min_assurance", "pin_always"}, []string{in("zone"), in("zone_name"), in("level"), "uid_only", pinned}),
		file("gateways", []string{"gateway_id", "name"}, []string{in("gateway"), in("gateway_name")}),
		file("doors", []string{"door_id", "name", "gateway_id", "enter_zone", "kind", "exit"}, []string{in("door"), in("door_name"), in("gateway"), in("zone"), in("kind"), in("exit")}),
		file("schedules", []string{"schedule_id", "name", "days", "from", "to"}, []string{"always", h.base(rq, "startup.title").T("startup.always"), "every", "0:00", "24:00"}),
	}
	if err := h.src.Audit.RecordAction(rq.Context(), rq.action(ActionViewImport, "")); err != nil {
		return fmt.Errorf("record view: %w", err)
	}
	draft, err := h.src.Imports.DraftImport(rq.Context(), rq.account.ID, files)
	if errors.Is(err, ErrTooMany) {
		return h.refuseStartup(w, rq, "import.too_many_drafts")
	}
	if err != nil {
		return fmt.Errorf("first door: %w", err)
	}
	if len(draft.Problems) == 0 {
		return redirect(w, rq, "/import/"+draft.ID)
	}
	v, err := h.startupView(rq)
	if err != nil {
		return err
	}
	var f formView
	f.typed(rq, "gateway", "gateway_name", "zone", "zone_name", "level", "door", "door_name", "kind", "exit")
	said, _ := v.say.importProblems(draft.Problems)
	for i, p := range draft.Problems[:min(len(draft.Problems), shownFaults)] {
		if name := firstDoorFields[strings.TrimSuffix(p.File, ".csv")+"/"+p.Column]; name != "" {
			f.blame(v.Base, name, v.say.problem(p.Text))
		} else if v.Fault == "" {
			v.Fault = said[i].Text
		}
	}
	v.Door = v.firstDoor(f)
	return h.renderStatus(w, rq, "startup", v, http.StatusUnprocessableEntity)
}
