package web

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/visit"
)

type equipmentView struct {
	matterPage
	desk    counter
	Sheet   deskForm
	Rows    []carryRow
	MayOpen bool
}

// carryRow is one carry session that is open in some way.
type carryRow struct {
	ID, Direction, Zone, Doors string
	Purpose, Attendee          string
	Impact, Authorization      string
	Visit                      string // its page
	State                      Tag
	Opened                     string
	Closed                     string
	Items                      []string
	Missing                    []string // carried in and not out again
	Due                        time.Time
	Forms                      []deskForm
	Shut                       string // where one press shuts the session; "" = it is shut
}

func (h *Handler) getEquipment(w http.ResponseWriter, rq *request) error {
	return h.showEquipment(w, rq, nil, http.StatusOK)
}

func (h *Handler) showEquipment(w http.ResponseWriter, rq *request, t *tried, code int) error {
	c, err := h.counter(rq, "equipment.title", "carry")
	if err != nil {
		return err
	}
	v := equipmentView{matterPage: c.matterPage, desk: c, MayOpen: rq.roles&carryRoles != 0}
	v.Here = "/equipment"
	if err := h.viewed(rq, ActionViewMatters, visit.KindCarry); err != nil {
		return err
	}
	list, err := h.src.Visits.Carries(rq.Context())
	if err != nil {
		return fmt.Errorf("carry sessions: %w", err)
	}
	slices.SortStableFunc(list, func(a, b visit.Carry) int { return int(b.Opened.AtMS - a.Opened.AtMS) })
	for i := range list {
		if !c.seesCarry(&list[i]) {
			continue
		}
		r := c.carryRow(&list[i], list)
		if v.MayOpen && c.mayCarry(list[i].Zone, list[i].To) {
			for _, f := range c.carryForms(&list[i]) {
				r.Forms = append(r.Forms, f.again(t))
			}
			if !list[i].Closed.Done() {
				r.Shut = "/equipment/" + list[i].ID + "/shut"
			}
		}
		v.Rows = append(v.Rows, r)
	}
	if v.MayOpen {
		visits, err := h.src.Visits.OpenVisits(rq.Context())
		if err != nil {
			return fmt.Errorf("open visits: %w", err)
		}
		v.Sheet = c.carryForm(visits).again(t)
	}
	return h.renderStatus(w, rq, "equipment", &v, code)
}

func (c *counter) carryRow(x *visit.Carry, all []visit.Carry) carryRow {
	r := carryRow{ID: x.ID, Direction: c.T("carry_direction." + string(x.Direction)), Zone: c.zoneName(x.Zone), Purpose: x.Purpose, Attendee: c.name(x.Attendee), Authorization: x.Authorization,
		Impact: c.T("impact."+x.Impact.Result) + " · " + c.name(x.Impact.Checker), Opened: c.stepWords(x.Opened), Closed: c.stepWords(x.Closed), Due: c.ms(x.ItemsDueMS)}
	if x.To != "" {
		r.Zone += " → " + c.zoneName(x.To)
	}
	if x.Impact.Note != "" {
		r.Impact += " · " + x.Impact.Note
	}
	var doors []string
	for _, d := range x.Doors {
		doors = append(doors, c.doorName(d))
	}
	r.Doors = strings.Join(doors, c.T("list.separator"))
	if x.Visit != "" {
		r.Visit = "/visits/" + x.Visit
	}
	for i := range x.Items {
		r.Items = append(r.Items, c.itemWords(&x.Items[i]))
	}
	var later []visit.Carry
	for i := range all {
		if all[i].Opened.AtMS >= x.Opened.AtMS && all[i].ID != x.ID {
			later = append(later, all[i])
		}
	}
	if x.Closed.Done() {
		for _, m := range visit.NotOut(*x, later) {
			r.Missing = append(r.Missing, c.itemWords(&m))
		}
	}
	switch {
	case !x.Closed.Done():
		r.State = Tag{c.T("equipment.open"), ToneNote, "open"}
	case !r.Due.IsZero():
		r.State = Tag{c.T("equipment.list_missing"), ToneWarn, "clock"}
	case len(r.Missing) > 0:
		r.State = Tag{c.T("equipment.inside"), ToneWarn, "finding"}
	default:
		r.State = Tag{c.T("equipment.done"), ToneQuiet, "check"}
	}
	if !r.Due.IsZero() && c.say.now.After(r.Due) {
		r.State.Tone, r.State.Icon = ToneAlarm, "alarm"
	}
	return r
}

func (c *counter) itemWords(x *visit.Item) string {
	words := []string{x.What}
	if x.Count > 1 {
		words = append(words, "× "+strconv.Itoa(x.Count))
	}
	for label, text := range map[string]string{"equipment.serial": x.Serial} {
		if text != "" {
			words = append(words, c.T(label)+" "+text)
		}
	}
	if x.Asset != "" {
		words = append(words, c.T("equipment.asset")+" "+x.Asset)
	}
	if x.Owner != "" {
		words = append(words, x.Owner)
	}
	if x.Medium {
		words = append(words, c.T("declared.medium"))
	}
	if x.PersonalData {
		words = append(words, c.T("equipment.personal_data")+" "+x.Protection)
	}
	if x.Stays {
		words = append(words, c.T("equipment.stays"))
	}
	return strings.Join(words, " · ")
}

// carryForm opens a session. Attendee, purpose and the check of the effect come first; items may follow on the same day, so that
// nobody types serial numbers at an open door (EQ-1).
func (c *counter) carryForm(visits []visit.View) deskForm {
	of := []choice{{Label: c.T("equipment.no_visit")}}
	for i := range visits {
		if x := &visits[i]; x.State == visit.Running && c.seesVisit(x) {
			of = append(of, choice{Value: x.ID, Label: x.Purpose + " · " + x.Company})
		}
	}
	doors := deskField{Name: "doors", Kind: "checks", Label: c.T("equipment.doors")}
	for i := range c.site.Dir.Doors {
		if d := c.site.Dir.Doors[i].ID; c.in.Door(d) {
			doors.Options = append(doors.Options, choice{Value: string(d), Label: c.doorName(d)})
		}
	}
	attendee := ""
	if p := c.people[directory.PersonID(c.rq.account.Person)]; p != nil && staffOnly(p) {
		attendee = c.numbered(p.ID)
	}
	zones := slices.DeleteFunc(c.zoneChoices(), func(z choice) bool { return !c.in.Zone(access.ZoneID(z.Value)) })
	to := append([]choice{{Label: c.T("equipment.nowhere")}}, zones...)
	fields := []deskField{
		{Name: "direction", Kind: "select", Label: c.T("equipment.direction"), Options: c.choices("carry_direction", "", "in", "out", "move")},
		{Name: "zone", Kind: "select", Label: c.T("equipment.zone"), Options: zones},
		{Name: "to", Kind: "select", Label: c.T("equipment.to"), Options: to, Optional: true},
		doors,
		{Name: "visit", Kind: "select", Label: c.T("equipment.visit"), Options: of, Optional: true},
		{Name: "purpose", Kind: "text", Label: c.T("visit.purpose")},
		c.personField("attendee", "visit.attendee", attendee, staffOnly),
		{Name: "impact", Kind: "select", Label: c.T("equipment.impact"), Options: append([]choice{{Label: c.T("receive.choose")}}, c.choices("impact", "", "none", "accepted")...)},
		c.personField("checker", "equipment.checker", attendee, insiders),
		{Name: "impact_note", Kind: "text", Label: c.T("equipment.impact_note"), Optional: true},
		{Name: "authorization", Kind: "text", Label: c.T("equipment.authorization"), Optional: true, Max: 64, Help: c.T("equipment.authorization_help")},
	}
	fields = append(fields, c.itemFields(nil)...)
	f := newDeskForm("carry", "/equipment", c.T("equipment.new"), c.T("equipment.new_now"), fields...)
	f.Fold = true
	return f
}

// itemFields are the lines of what is carried: one line of text each, and what counts about it.
func (c *counter) itemFields(items []visit.Item) []deskField {
	var lines []string
	for _, x := range items {
		parts := []string{x.What, x.Serial, x.Asset, x.Owner}
		if x.Serial == "" && x.Count > 0 {
			parts[1] = "×" + strconv.Itoa(x.Count)
		}
		lines = append(lines, strings.TrimRight(strings.Join(parts, ", "), ", "))
	}
	return []deskField{
		{Name: "items", Kind: "text_area", Label: c.T("equipment.items"), Value: strings.Join(lines, "\n"), Optional: true, Max: 4000, Help: c.T("equipment.items_help")},
		{Name: "stays", Kind: "check", Label: c.T("equipment.all_stay"), Optional: true},
		{Name: "medium", Kind: "check", Label: c.T("equipment.all_media"), Optional: true},
		{Name: "personal_data", Kind: "check", Label: c.T("equipment.with_data"), Optional: true},
		{Name: "protection", Kind: "text", Label: c.T("equipment.protection"), Optional: true, Max: 100, Help: c.T("equipment.protection_help")},
	}
}

// itemsIn reads one thing a line: what, serial number or ×count, asset number, owner.
func (c *counter) itemsIn() (out []visit.Item, err error) {
	for line := range strings.Lines(c.rq.post("items")) {
		parts := strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == '、' || r == '\uff0c' || r == '\t' })
		for i := range parts {
			parts[i] = strings.TrimSpace(parts[i])
		}
		for len(parts) < 4 {
			parts = append(parts, "")
		}
		if parts[0] == "" {
			continue
		}
		x := visit.Item{What: parts[0], Serial: parts[1], Asset: parts[2], Owner: parts[3], Stays: c.rq.post("stays") != "", Medium: c.rq.post("medium") != "" || c.rq.post("personal_data") != "",
			PersonalData: c.rq.post("personal_data") != "", Protection: strings.TrimSpace(c.rq.post("protection"))}
		if n, ok := strings.CutPrefix(strings.ReplaceAll(x.Serial, "×", "x"), "x"); ok {
			if x.Count, err = strconv.Atoi(strings.TrimSpace(n)); err != nil || x.Count < 1 {
				return nil, fieldFault(visit.ErrTooMany, "items")
			}
			x.Serial = ""
		}
		out = append(out, x)
	}
	return out, nil
}

// carryForms are the steps with a session.
func (c *counter) carryForms(x *visit.Carry) (out []deskForm) {
	at := "/equipment/" + x.ID + "/"
	if !x.Closed.Done() || x.ItemsDueMS != 0 {
		f := newDeskForm("items-"+x.ID, at+"items", c.T("equipment.set_items"), c.T("equipment.set_items_now"), c.itemFields(x.Items)...)
		f.Fold = true
		out = append(out, f)
	}
	if x.Closed.Done() && !x.Settled.Done() && x.Direction == visit.CarryIn {
		f := newDeskForm("settle-"+x.ID, at+"settle", c.T("equipment.settle"), c.T("equipment.settle_now"), deskField{Name: "note", Kind: "text", Label: c.T("equipment.settle_note")})
		f.Fold = true
		out = append(out, f)
	}
	return out
}

func (h *Handler) postCarry(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	c, err := h.counter(rq, "equipment.title", "")
	if err != nil {
		return err
	}
	x, err := c.carryIn()
	if (x.Zone != "" || x.To != "") && !c.mayCarry(x.Zone, x.To) {
		return ErrNotFound
	}
	var warnings []string
	if err == nil {
		_, warnings, err = h.src.Visits.OpenCarry(rq.Context(), x, rq.deskActor())
	}
	if err == nil {
		return redirect(w, rq, "/equipment?done="+warned("carry_opened", warnings))
	}
	t, code, err := h.refusal(rq, &c, "carry", visit.KindCarry, itemField(err))
	if err != nil {
		return err
	}
	return h.showEquipment(w, rq, t, code)
}

// itemField moves a fault of one thing to the field that all things stand in.
func itemField(err error) error {
	for _, name := range []string{"serial", "asset", "what", "owner", "count"} {
		err = renamed(err, name, "items")
	}
	return err
}

func (c *counter) carryIn() (x visit.Carry, err error) {
	x = visit.Carry{Direction: visit.Direction(c.rq.post("direction")), Zone: access.ZoneID(c.rq.post("zone")), To: access.ZoneID(c.rq.post("to")), Visit: c.rq.post("visit"), Purpose: strings.TrimSpace(c.rq.post("purpose")),
		Authorization: strings.TrimSpace(c.rq.post("authorization")), Impact: visit.Impact{Result: c.rq.post("impact"), Note: strings.TrimSpace(c.rq.post("impact_note"))}}
	if x.Direction != visit.CarryTo {
		x.To = ""
	}
	for _, d := range c.rq.PostForm["doors"] {
		x.Doors = append(x.Doors, access.DoorID(d))
	}
	if x.Purpose == "" {
		return x, fieldFault(visit.ErrMissing, "purpose")
	}
	if x.Attendee, err = c.personIn("attendee", staffOnly); err != nil {
		return x, err
	}
	if x.Impact.Result == "" {
		return x, fieldFault(visit.ErrImpact, "impact")
	}
	if x.Impact.Checker, err = c.personIn("checker", insiders); err != nil {
		return x, err
	}
	x.Items, err = c.itemsIn()
	return x, err
}

// carryAct takes one step with a session.
func (h *Handler) carryAct(w http.ResponseWriter, rq *request, act string, do func(c *counter, id string) (done string, err error)) error {
	if err := rq.form(); err != nil {
		return err
	}
	c, err := h.counter(rq, "equipment.title", "")
	if err != nil {
		return err
	}
	id := rq.PathValue("id")
	if err := h.carryOf(&c, id); err != nil {
		return err
	}
	done, err := do(&c, id)
	if err == nil {
		return redirect(w, rq, "/equipment?done="+done)
	}
	t, code, err := h.refusal(rq, &c, act+"-"+id, id, itemField(err))
	if err != nil {
		return err
	}
	if t.field == "" {
		return h.saidNo(w, rq, c, t, code)
	}
	return h.showEquipment(w, rq, t, code)
}

func (h *Handler) postCarryShut(w http.ResponseWriter, rq *request) error {
	return h.carryAct(w, rq, "shut", func(_ *counter, id string) (string, error) {
		_, err := h.src.Visits.ShutCarry(rq.Context(), id, rq.deskActor())
		return "carry_shut", err
	})
}

func (h *Handler) postCarryItems(w http.ResponseWriter, rq *request) error {
	return h.carryAct(w, rq, "items", func(c *counter, id string) (string, error) {
		items, err := c.itemsIn()
		if err != nil {
			return "", err
		}
		_, warnings, err := h.src.Visits.SetCarryItems(rq.Context(), id, items, rq.deskActor())
		return warned("carry_items", warnings), err
	})
}

func (h *Handler) postCarrySettle(w http.ResponseWriter, rq *request) error {
	return h.carryAct(w, rq, "settle", func(_ *counter, id string) (string, error) {
		_, err := h.src.Visits.SettleCarry(rq.Context(), id, strings.TrimSpace(rq.post("note")), rq.deskActor())
		return "carry_settled", err
	})
}
