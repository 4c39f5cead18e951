package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/review"
)

// alertRoles see whom alerts go to, acknowledge and silence.
const alertRoles = groupS | groupD

// alertLimit is how many alerts that wait stand on one page.
const alertLimit = 100

// silenceHours are the lengths of silences that the form offers; the last is the longest there is (AL-3).
var silenceHours = []string{"1", "2", "4", "8"}

func alertRoutes() []route {
	return []route{
		{pattern: "GET /alerts", roles: alertRoles, serve: (*Handler).getAlerts},
		{pattern: "POST /alerts/{id}/acknowledge", roles: alertRoles, serve: (*Handler).postAcknowledge},
		{pattern: "POST /alerts/channels/{channel}/test", roles: alertRoles, serve: (*Handler).postChannelTest},
		{pattern: "POST /alerts/silences", roles: alertRoles, stepUp: stepUpFull, serve: (*Handler).postSilence},
		{pattern: "POST /alerts/silences/{id}/end", roles: alertRoles, serve: (*Handler).postSilenceEnd},
	}
}

type alertsView struct {
	Base
	formView
	Fault    string
	Office   Tag
	Next     string
	Hours    string
	DigestAt string
	Every    []string
	Digest   []string
	Channels []channelView
	Routes   []routeView
	Silences []silenceView
	Waiting  []alertView // nobody has acknowledged
	Newer    string      // link to newer ones that wait, "" = none
	Older    string
	Rest     []alertView
	Places   []AlertPlace
	PlaceOf  []choice
	Kinds    []choice
	Lengths  []choice
	StepUp   string
}

type channelView struct {
	Name, Kind string
	Duress     bool
	State      Tag
	Sent       time.Time
	Failed     time.Time
	Error      string
	Waiting    string
}

type routeView struct {
	Name     string
	Takes    []string
	Hours    []string
	OffHours []string
	Then     []string
}

type silenceView struct {
	ID, What, Place, By, Reason string
	From, Until                 time.Time
	State                       Tag
	MayEnd                      bool
}

type alertView struct {
	ID, Kind, Place, Count string
	Severity, State        Tag
	At, Acked              time.Time
	Text, AckedBy          string
	Messages               []messageView
	MayAck                 bool
	MayRead                bool
}

type messageView struct {
	Channel, What, Error string
	State                Tag
	At                   time.Time
}

func (h *Handler) alertsView(rq *request) (*alertsView, error) {
	board, err := h.alertBoard(rq)
	if err != nil {
		return nil, err
	}
	v := &alertsView{Base: h.base(rq, "alerts.title"), Hours: board.Hours, DigestAt: board.DigestAt, Every: board.Every, Digest: board.Digest, Places: board.Places}
	v.Here = "/alerts"
	v.Office = Tag{v.T("alerts.office_open"), ToneGood, "check"}
	if !board.OfficeOpen {
		v.Office = Tag{v.T("alerts.office_closed"), ToneQuiet, "clock"}
		v.Next = v.DayTime(board.NextOpen)
	}
	if h.freshAt(rq, "POST /alerts/silences") != "" {
		v.StepUp = "/step-up?next=/alerts"
	}
	for i := range board.Channels {
		v.Channels = append(v.Channels, v.say.channel(&board.Channels[i]))
	}
	for i := range board.Routes {
		v.Routes = append(v.Routes, v.say.route(&board.Routes[i]))
	}
	for i := range board.Silences {
		s := &board.Silences[i]
		x := silenceView{ID: s.ID, What: v.T("alerts.all_kinds"), Place: s.Place, By: s.By, Reason: s.Reason, From: s.From, Until: s.Until,
			State: Tag{v.T("alerts.silence_over"), ToneQuiet, "check"}, MayEnd: s.InForce}
		if s.Kind != "" {
			x.What = v.say.known("finding", s.Kind)
		}
		if s.InForce {
			x.State = Tag{v.T("alerts.silence_in_force"), ToneWarn, "clock"}
		}
		v.Silences = append(v.Silences, x)
	}
	for i := range board.Alerts {
		a := &board.Alerts[i]
		x := v.say.alert(a)
		x.MayRead = rq.roles&rolesOf("GET /findings/{id}") != 0
		if x.MayAck = a.Acked.IsZero() && a.Held == ""; x.MayAck {
			v.Waiting = append(v.Waiting, x)
		} else {
			v.Rest = append(v.Rest, x)
		}
	}
	q, err := h.alertQuery(rq)
	if err != nil {
		return nil, err
	}
	if q.Skip > 0 {
		v.Newer = alertPage(q.Skip/alertLimit - 1)
	}
	if board.More {
		v.Older = alertPage(q.Skip/alertLimit + 1)
	}
	for _, p := range board.Places {
		if !q.In.silences(&p) {
			continue
		}
		v.PlaceOf = append(v.PlaceOf, choice{Value: p.Value(), Label: p.Name, Chosen: rq.FormValue("place") == p.Value()})
	}
	v.Kinds = []choice{{Value: "", Label: v.T("alerts.all_kinds")}}
	for _, e := range review.Catalogue() {
		if e.Kind != review.Duress {
			v.Kinds = append(v.Kinds, choice{Value: string(e.Kind), Label: v.T(e.Title), Chosen: rq.FormValue("kind") == string(e.Kind)})
		}
	}
	for _, n := range silenceHours {
		v.Lengths = append(v.Lengths, choice{Value: n, Label: v.T("alerts.hours_n", "n", n), Chosen: rq.FormValue("hours") == n})
	}
	return v, nil
}

// alertBoard is what the account sees of the board: a role for one zone shows what concerns its doors and their gateways (RA-1).
func (h *Handler) alertBoard(rq *request) (AlertBoard, error) {
	q, err := h.alertQuery(rq)
	if err != nil {
		return AlertBoard{}, err
	}
	board, err := h.src.Alerts.AlertBoard(rq.Context(), q)
	if err != nil {
		return board, fmt.Errorf("alerts: %w", err)
	}
	hidden := func(d access.DoorID, g access.GatewayID) bool { return !q.In.Place(d, g) }
	board.Silences = slices.DeleteFunc(board.Silences, func(s SilenceLine) bool { return hidden(s.Door, s.Gateway) })
	board.Places = slices.DeleteFunc(board.Places, func(p AlertPlace) bool { return hidden(p.Door, p.Gateway) })
	return board, nil
}

// alertQuery says who asks, and for which page of what waits; a page that is none is the first.
func (h *Handler) alertQuery(rq *request) (AlertQuery, error) {
	q := AlertQuery{Names: rq.names, Duress: rq.roles&duressRoles != 0, Limit: alertLimit}
	if n, err := strconv.Atoi(rq.URL.Query().Get("page")); err == nil && n > 0 && n < 1_000_000 {
		q.Skip = n * alertLimit
	}
	var err error
	q.In, err = h.reach(rq)
	return q, err
}

// alertPage links to a page of what waits.
func alertPage(n int) string {
	if n == 0 {
		return "/alerts"
	}
	return "/alerts?page=" + strconv.Itoa(n)
}

func (b speaker) channel(c *ChannelLine) channelView {
	x := channelView{Name: c.Name, Kind: b.T("alerts_kind." + c.Kind), Duress: c.Duress, Sent: c.Sent, Failed: c.Failed, Error: c.Error}
	if c.Waiting > 0 {
		x.Waiting = b.T("alerts.waiting_n", "n", strconv.Itoa(c.Waiting))
	}
	if c.GivenUp > 0 {
		x.Waiting = strings.TrimSpace(x.Waiting + " " + b.T("alerts.given_up_n", "n", strconv.Itoa(c.GivenUp)))
	}
	switch {
	case !c.Failed.IsZero() && c.Failed.After(c.Sent):
		x.State = Tag{b.T("alerts.failing"), ToneAlarm, "fault"}
	case c.Sent.IsZero():
		x.State = Tag{b.T("alerts.never"), ToneQuiet, "dot"}
	default:
		x.State = Tag{b.T("alerts.arrived"), ToneGood, "check"}
	}
	return x
}

func (b speaker) route(r *RouteLine) routeView {
	x := routeView{Name: r.Name, Hours: r.Hours, OffHours: r.OffHours, Then: r.Then}
	if r.Name == "" {
		x.Name = b.T("alerts.root")
		x.Takes = []string{b.T("alerts.takes_rest")}
		return x
	}
	switch r.Severity {
	case SeverityMedium:
		x.Takes = append(x.Takes, b.T("alerts.takes_severity", "severity", b.T("severity.medium")))
	case SeverityHigh:
		x.Takes = append(x.Takes, b.T("alerts.takes_severity", "severity", b.T("severity.high")))
	}
	if len(r.Kinds) > 0 {
		var names []string
		for _, k := range r.Kinds {
			names = append(names, b.known("finding", k))
		}
		x.Takes = append(x.Takes, b.T("alerts.takes_kinds", "list", strings.Join(names, b.T("list.separator"))))
	}
	if len(r.Zones) > 0 {
		x.Takes = append(x.Takes, b.T("alerts.takes_zones", "list", strings.Join(r.Zones, b.T("list.separator"))))
	}
	if len(x.Takes) == 0 {
		x.Takes = []string{b.T("alerts.takes_all")}
	}
	return x
}

func (b speaker) alert(a *AlertLine) alertView {
	f := b.findingLine(Finding{ID: a.ID, Kind: a.Kind, Severity: a.Severity, At: a.At, Count: a.Count, DoorName: a.Place})
	x := alertView{ID: a.ID, Kind: f.Kind, Severity: f.Severity, Place: a.Place, Count: f.Count, At: a.At, Acked: a.Acked, AckedBy: a.AckedBy}
	switch {
	case a.Held != "":
		x.State, x.Text = Tag{b.T("alerts.held"), ToneQuiet, "clock"}, b.T("alerts_held."+a.Held)
	case !a.Acked.IsZero():
		x.State = Tag{b.T("alerts.acknowledged"), ToneGood, "check"}
		if a.AckedBy == "" {
			x.Text = b.T("alerts.by_case")
		}
	default:
		x.State = Tag{b.T("alerts.unacknowledged"), ToneAlarm, "alarm"}
		if a.Level > 0 {
			x.Text = b.T("alerts.escalated_n", "n", strconv.Itoa(a.Level))
		}
	}
	for _, m := range a.Messages {
		y := messageView{Channel: m.Channel, What: b.T("alerts_what." + m.What), At: m.At, Error: m.Error}
		switch m.State {
		case "sent":
			y.State = Tag{b.T("alerts_message.sent"), ToneGood, "check"}
		case "given_up":
			y.State = Tag{b.T("alerts_message.given_up"), ToneAlarm, "fault"}
		default:
			y.State = Tag{b.T("alerts_message.waiting"), ToneWarn, "clock"}
		}
		x.Messages = append(x.Messages, y)
	}
	return x
}

func (h *Handler) getAlerts(w http.ResponseWriter, rq *request) error {
	v, err := h.alertsView(rq)
	if err != nil {
		return err
	}
	return h.render(w, rq, "alerts", v)
}

// faultAt shows the page again with what was wrong.
func (h *Handler) alertFault(w http.ResponseWriter, rq *request, code int, set func(*alertsView)) error {
	v, err := h.alertsView(rq)
	if err != nil {
		return err
	}
	set(v)
	v.clean()
	return h.renderStatus(w, rq, "alerts", v, code)
}

func (h *Handler) postAcknowledge(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	id := rq.PathValue("id")
	q, err := h.alertQuery(rq)
	if err != nil {
		return err
	}
	err = h.src.Alerts.AcknowledgeAlert(rq.Context(), id, q, rq.action(ActionAlertAcknowledged, id))
	if errors.Is(err, ErrState) {
		return h.alertFault(w, rq, http.StatusConflict, func(v *alertsView) { v.Fault = v.T("alerts.fault_acknowledged") })
	}
	if err != nil {
		return fmt.Errorf("acknowledge alert: %w", err)
	}
	return redirect(w, rq, "/alerts?done=alert_acknowledged")
}

func (h *Handler) postChannelTest(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	name := rq.PathValue("channel")
	fault, err := h.src.Alerts.TestChannel(rq.Context(), name, rq.action(ActionAlertTested, name))
	switch {
	case errors.Is(err, ErrBusy):
		return redirect(w, rq, "/alerts?done=alert_test_waits")
	case err != nil:
		return fmt.Errorf("test of a channel: %w", err)
	case fault != "":
		return h.alertFault(w, rq, http.StatusBadGateway, func(v *alertsView) {
			v.Fault = v.T("alerts.fault_test", "name", name, "error", fault)
		})
	}
	return redirect(w, rq, "/alerts?done=alert_test_sent")
}

func (h *Handler) postSilence(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	v, err := h.alertsView(rq)
	if err != nil {
		return err
	}
	f := formView{}
	f.typed(rq, "place", "kind", "hours", "reason")
	o := SilenceOrder{Kind: f.F("kind").Value}
	offered := slices.ContainsFunc(v.PlaceOf, func(c choice) bool { return c.Value == f.F("place").Value })
	if i := slices.IndexFunc(v.Places, func(p AlertPlace) bool { return p.Value() == f.F("place").Value }); i >= 0 && offered {
		o.Door, o.Gateway = v.Places[i].Door, v.Places[i].Gateway
	} else {
		f.blame(v.Base, "place", "required")
	}
	if !slices.ContainsFunc(v.Kinds, func(c choice) bool { return c.Value == o.Kind }) {
		f.blame(v.Base, "kind", "kind")
	}
	if !slices.Contains(silenceHours, f.F("hours").Value) {
		f.blame(v.Base, "hours", "required")
	}
	f.blame(v.Base, "reason", textWord(f.F("reason").Value, 1, 300))
	if !f.faulty() {
		hours, _ := strconv.Atoi(f.F("hours").Value) // one of silenceHours
		o.For = time.Duration(hours) * time.Hour
		act := rq.action(ActionAlertsSilenced, f.F("place").Value)
		act.Reason = f.F("reason").Value
		err := h.src.Alerts.Silence(rq.Context(), o, act)
		if err == nil {
			return redirect(w, rq, "/alerts?done=alerts_silenced")
		}
		if !errors.Is(err, ErrNotSilenced) {
			return fmt.Errorf("silence alerts: %w", err)
		}
		x := f.Fields["kind"]
		x.Error = v.T("alerts.fault_not_silenced")
		f.Fields["kind"] = x
	}
	v.formView = f
	v.clean()
	return h.renderStatus(w, rq, "alerts", v, http.StatusUnprocessableEntity)
}

func (h *Handler) postSilenceEnd(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	v, err := h.alertsView(rq)
	if err != nil {
		return err
	}
	id := rq.PathValue("id")
	i := slices.IndexFunc(v.Silences, func(s silenceView) bool { return s.ID == id })
	if i < 0 {
		return ErrNotFound
	}
	if !v.Silences[i].MayEnd {
		return errForbidden
	}
	if err := h.src.Alerts.EndSilence(rq.Context(), id, rq.action(ActionSilenceEnded, id)); err != nil {
		return fmt.Errorf("end silence: %w", err)
	}
	return redirect(w, rq, "/alerts?done=silence_ended")
}

// ReasonField is the reason of a silence.
func (v *alertsView) ReasonField() fieldView {
	return fieldOf(v.Base, v.formView, "reason", "account.reason", true, 300, "alerts.reason_help")
}
