package web

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/visit"
)

type ledgersView struct {
	matterPage
	desk               counter
	KeyForm, BadgeForm string // what the city calls the two ledgers
	Sheet              deskForm
	Keys               []keyRow
	Badges             []badgeRow
	MayLend            bool
	MayName            bool // may set the names of the forms, and keep the inventory of badges
	New                deskForm
	MayForms           bool // the municipal names of forms are the whole site's
}

type keyRow struct {
	ID, Key, Label, Doors string
	Place                 string
	Person, Purpose       string
	Out, Due              time.Time
	State                 Tag
	Return                string // where one press takes it back; "" = it is in its place
	Lost                  *deskForm
}

type badgeRow struct {
	ID, Label, Look, Kind string
	State                 Tag
	Holder                string
	Href                  string
	Form                  *deskForm // takes it out of use, or back
}

func (h *Handler) getLedgers(w http.ResponseWriter, rq *request) error {
	return h.showLedgers(w, rq, nil, http.StatusOK)
}

// showLedgers shows the key ledger (鍵管理簿) and the badge ledger (名札貸出簿) as they stand now.
func (h *Handler) showLedgers(w http.ResponseWriter, rq *request, t *tried, code int) error {
	c, err := h.counter(rq, "ledgers.title", "")
	if err != nil {
		return err
	}
	v := ledgersView{matterPage: c.matterPage, desk: c, KeyForm: c.site.Settings.FormName("keys"), BadgeForm: c.site.Settings.FormName("badges"), MayLend: rq.roles&carryRoles != 0, MayName: rq.roles&approveRoles != 0, MayForms: rq.mayNameForms()}
	v.Here = "/ledgers"
	if err := h.viewed(rq, ActionViewMatters, visit.KindKeyLoan); err != nil {
		return err
	}
	loans, err := h.src.Visits.KeyLoans(rq.Context())
	if err != nil {
		return fmt.Errorf("key loans: %w", err)
	}
	v.Keys = c.keyRows(loans, t)
	if v.MayLend {
		v.Sheet = c.keyForm(loans).again(t)
	}
	badges, err := h.src.Visits.ListBadges(rq.Context())
	if err != nil {
		return fmt.Errorf("badges: %w", err)
	}
	holders, err := h.holders(rq, &c)
	if err != nil {
		return err
	}
	for _, b := range badges {
		r := badgeRow{ID: b.ID, Label: b.Label, Look: b.Look, Kind: c.T("badge_kind." + string(b.Kind)), Holder: holders[b.ID]}
		switch {
		case b.Status != visit.BadgeActive:
			r.State = Tag{c.T("badge_state." + string(b.Status)), ToneAlarm, "stop"}
		case b.Matter != "":
			r.State, r.Href = Tag{c.T("badge_state.lent"), ToneNote, "person"}, matterPath(b.Matter)
		default:
			r.State = Tag{c.T("badge_state.here"), ToneQuiet, "check"}
		}
		if v.MayName && b.Matter == "" {
			f := c.badgeStatusForm(&b.Badge).again(t)
			r.Form = &f
		}
		v.Badges = append(v.Badges, r)
	}
	if v.MayName {
		v.New = c.newBadgeForm().again(t)
	}
	return h.renderStatus(w, rq, "ledgers", &v, code)
}

// holders says who has each badge that is out.
func (h *Handler) holders(rq *request, c *counter) (map[string]string, error) {
	out := map[string]string{}
	visits, err := h.src.Visits.OpenVisits(rq.Context())
	if err != nil {
		return nil, fmt.Errorf("open visits: %w", err)
	}
	for i := range visits {
		if !c.seesVisit(&visits[i]) {
			continue
		}
		for j := range visits[i].Guests {
			if g := &visits[i].Guests[j]; g.Here() {
				out[g.Badge] = c.guestRow(&visits[i], j).Name + " · " + cmp.Or(g.Company, visits[i].Company) + " · " + c.Brief(c.ms(g.Lent.AtMS))
			}
		}
	}
	cards, err := h.src.Visits.TemporaryCards(rq.Context())
	if err != nil {
		return nil, fmt.Errorf("temporary cards: %w", err)
	}
	for _, x := range cards {
		if !c.seesPerson(x.Person) {
			continue
		}
		out[x.Badge] = c.name(x.Person) + " · " + c.Brief(c.ms(x.FromMS))
	}
	return out, nil
}

// keyRows are the keys of the inventory, those that are out first.
func (c *counter) keyRows(loans []visit.KeyLoan, t *tried) (out []keyRow) {
	for i := range c.site.Dir.Items {
		k := &c.site.Dir.Items[i]
		if k.Kind != directory.ItemKey || k.State == directory.ItemDisposed {
			continue
		}
		if !c.seesKey(k) {
			continue
		}
		r := keyRow{Key: string(k.ID), Label: k.Name, Place: k.Place, State: Tag{c.T("key_state.here"), ToneQuiet, "check"}}
		if k.State == directory.ItemMissing {
			r.State = Tag{c.T("key_state.missing"), ToneAlarm, "stop"}
		}
		var doors []string
		for id := range strings.FieldsSeq(k.Doors) {
			doors = append(doors, c.doorName(accessDoor(id)))
		}
		r.Doors = strings.Join(doors, c.T("list.separator"))
		for j := range loans {
			x := &loans[j]
			if x.Key != string(k.ID) {
				continue
			}
			r.ID, r.Person, r.Purpose, r.Out, r.Due, r.Return = x.ID, c.name(x.Person), x.Purpose, c.ms(x.Out.AtMS), c.ms(x.DueMS), "/ledgers/keys/"+x.ID+"/return"
			r.State = Tag{c.T("key_state.lent"), ToneNote, "key"}
			if !c.mayKey(k) {
				r.Return = ""
			}
			if c.say.now.UnixMilli() >= x.DueMS {
				r.State = Tag{c.T("due_state.overdue"), ToneAlarm, "alarm"}
			}
			f := newDeskForm("lost-"+x.ID, r.Return, c.T("visit.badge_lost"), c.T("ledgers.key_lost_now"), deskField{Name: "lost", Kind: "hidden", Value: "yes"},
				deskField{Name: "note", Kind: "text", Label: c.T("account.reason")}).again(t)
			f.Fold, f.Danger = true, true
			if r.Return != "" {
				r.Lost = &f
			}
		}
		out = append(out, r)
	}
	slices.SortStableFunc(out, func(a, b keyRow) int { return order(b.Return != "") - order(a.Return != "") })
	return out
}

func (c *counter) keyForm(loans []visit.KeyLoan) deskForm {
	var free []choice
	for i := range c.site.Dir.Items {
		k := &c.site.Dir.Items[i]
		lent := slices.ContainsFunc(loans, func(x visit.KeyLoan) bool { return x.Key == string(k.ID) })
		if k.Kind == directory.ItemKey && k.State == directory.ItemPresent && !lent && c.mayKey(k) {
			free = append(free, choice{Value: string(k.ID), Label: string(k.ID) + " " + k.Name})
		}
	}
	f := newDeskForm("key", "/ledgers/keys", c.T("ledgers.lend"), c.T("ledgers.lend_now"), deskField{Name: "key", Kind: "select", Label: c.T("ledgers.key"), Options: free},
		c.personField("person", "ledgers.person", "", insiders), deskField{Name: "purpose", Kind: "text", Label: c.T("ledgers.purpose")},
		deskField{Name: "due", Kind: "datetime-local", Label: c.T("ledgers.due"), Value: c.local(c.say.now.Add(2 * time.Hour).UnixMilli()), Optional: true, Help: c.T("ledgers.due_help")})
	f.Fold = true
	return f
}

func (h *Handler) postKey(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	c, err := h.counter(rq, "ledgers.title", "")
	if err != nil {
		return err
	}
	if err := c.keyOf(rq.post("key")); err != nil {
		return err
	}
	k := visit.KeyLoan{Key: rq.post("key"), Purpose: strings.TrimSpace(rq.post("purpose"))}
	k.Person, err = c.personIn("person", insiders)
	if err == nil && rq.post("due") != "" {
		k.DueMS, err = c.momentIn("due")
	}
	if err == nil {
		_, err = h.src.Visits.LendKey(rq.Context(), k, rq.deskActor())
	}
	if err == nil {
		return redirect(w, rq, "/ledgers?done=key_lent")
	}
	t, code, err := h.refusal(rq, &c, "key", visit.KindKeyLoan, err)
	if err != nil {
		return err
	}
	return h.showLedgers(w, rq, t, code)
}

func (h *Handler) postKeyReturn(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	c, err := h.counter(rq, "ledgers.title", "")
	if err != nil {
		return err
	}
	id, lost := rq.PathValue("id"), rq.post("lost") != ""
	if err := h.loanOf(&c, id); err != nil {
		return err
	}
	_, err = h.src.Visits.ReturnKey(rq.Context(), id, lost, strings.TrimSpace(rq.post("note")), rq.deskActor())
	if err == nil {
		if lost {
			return redirect(w, rq, "/ledgers?done=key_lost")
		}
		return redirect(w, rq, "/ledgers?done=key_returned")
	}
	t, code, err := h.refusal(rq, &c, "lost-"+id, id, err)
	if err != nil {
		return err
	}
	if t.field == "" {
		return h.saidNo(w, rq, c, t, code)
	}
	return h.showLedgers(w, rq, t, code)
}

type formsView struct {
	matterPage
	desk  counter
	Sheet deskForm
}

// getForms are the names that the city's rules give to the forms.
func (h *Handler) getForms(w http.ResponseWriter, rq *request) error {
	return h.showForms(w, rq, nil, http.StatusOK)
}

func (h *Handler) showForms(w http.ResponseWriter, rq *request, t *tried, code int) error {
	if !rq.mayNameForms() {
		return ErrNotFound
	}
	c, err := h.counter(rq, "forms.title", "")
	if err != nil {
		return err
	}
	v := formsView{matterPage: c.matterPage, desk: c}
	v.Here = "/ledgers/forms"
	var fields []deskField
	for _, f := range visit.Forms() {
		fields = append(fields, deskField{Name: f, Kind: "text", Label: c.T("forms." + f), Value: c.site.Settings.FormName(f), Max: 100})
	}
	fields = append(fields, deskField{Name: "reason", Kind: "text", Label: c.T("account.reason")})
	v.Sheet = newDeskForm("forms", "/ledgers/forms", "", c.T("forms.save"), fields...).again(t)
	return h.renderStatus(w, rq, "forms", &v, code)
}

func (h *Handler) postForms(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	if !rq.mayNameForms() {
		return ErrNotFound
	}
	c, err := h.counter(rq, "forms.title", "")
	if err != nil {
		return err
	}
	set := c.site.Settings
	set.FormNames = map[string]string{}
	field, reason := "", strings.TrimSpace(rq.post("reason"))
	for _, f := range visit.Forms() {
		name := strings.TrimSpace(rq.post(f))
		if len([]rune(name)) > 100 || strings.ContainsAny(name, "\n\t\r") {
			field = f
		}
		if name != "" && name != visit.DefaultFormNames()[f] {
			set.FormNames[f] = name
		}
	}
	switch {
	case field != "":
		err = fieldFault(visit.ErrText, field)
	case reason == "":
		err = fieldFault(visit.ErrMissing, "reason")
	case set.Validate() != nil:
		err = visit.ErrText
	default:
		err = h.src.Visits.SetVisitSettings(rq.Context(), set, reason, rq.deskActor())
	}
	if err == nil {
		return redirect(w, rq, "/ledgers/forms?done=forms_saved")
	}
	t, code, err := h.refusal(rq, &c, "forms", "setting", err)
	if err != nil {
		return err
	}
	return h.showForms(w, rq, t, code)
}

type duesView struct {
	matterPage
	desk  counter
	Rows  []dueLine
	Exits []exitRow
}

// exitRow is an exit that somebody stated and nobody has confirmed (RR-6).
type exitRow struct {
	Name, Door    string
	Entered, Left time.Time
	Confirm       string // where one press confirms it; "" = by somebody else
}

// getDues lists what is owed, by whom and until when: what is overdue first.
func (h *Handler) getDues(w http.ResponseWriter, rq *request) error {
	c, err := h.counter(rq, "dues.title", "")
	if err != nil {
		return err
	}
	if err := h.viewed(rq, ActionViewMatters, "due"); err != nil {
		return err
	}
	list, err := h.src.Visits.ListDues(rq.Context())
	if err != nil {
		return fmt.Errorf("dues: %w", err)
	}
	who, err := h.owners(rq, &c)
	if err != nil {
		return err
	}
	v := duesView{matterPage: c.matterPage, desk: c}
	for _, d := range list {
		w, ok := who[d.Matter]
		if !ok && !c.in.Zone(access.ZoneID(d.Zone)) { // of another zone, or a matter that is not shown
			continue
		}
		l := c.dueLine(d, nil)
		if ok {
			l.Who, l.Owner = w.what, cmp.Or(w.owner[d.Kind], l.Owner)
			if part := w.parts[d.Part]; part != "" {
				l.Who = part + " · " + l.Who
			}
		}
		v.Rows = append(v.Rows, l)
	}
	stated, err := h.src.Visits.ExitStatements(rq.Context())
	if err != nil {
		return fmt.Errorf("stated exits: %w", err)
	}
	for _, x := range stated {
		if !c.in.Zone(x.Zone) && !c.mine(x.Stated, x.Person) {
			continue
		}
		r := exitRow{Name: c.name(x.Person), Door: c.doorName(x.Door), Entered: c.ms(x.EntryMS), Left: c.ms(x.LeftMS)}
		if c.mayDecide(confirmRoles, []access.ZoneID{x.Zone}) && !c.mine(x.Stated, x.Person) {
			r.Confirm = "/dues/exits/" + x.ID + "/confirm"
		}
		v.Exits = append(v.Exits, r)
	}
	return h.render(w, rq, "dues", &v)
}

// owed says what a matter is about and who owes what of it.
type owed struct {
	what  string
	parts map[string]string
	owner map[visit.DueKind]string
}

func (h *Handler) owners(rq *request, c *counter) (map[string]owed, error) {
	out, ctx := map[string]owed{}, rq.Context()
	visits, err := h.src.Visits.OpenVisits(ctx)
	if err != nil {
		return nil, fmt.Errorf("open visits: %w", err)
	}
	for i := range visits {
		x := &visits[i]
		if !c.seesVisit(x) {
			continue
		}
		o := owed{what: x.Purpose, parts: map[string]string{}, owner: map[visit.DueKind]string{}}
		for j := range x.Guests {
			o.parts[fmt.Sprint(j+1)] = x.Guests[j].Name
		}
		if x.Oral != nil {
			o.owner[visit.DueOral] = c.name(x.Oral.Approver)
		}
		out[x.ID] = o
	}
	cards, err := h.src.Visits.TemporaryCards(ctx)
	if err != nil {
		return nil, fmt.Errorf("temporary cards: %w", err)
	}
	for _, x := range cards {
		if !c.seesPerson(x.Person) {
			continue
		}
		out[x.ID] = owed{what: c.T("visit.badge_no", "label", x.Label), owner: map[visit.DueKind]string{visit.DueTemporary: c.name(x.Person)}}
	}
	stopped, err := h.src.Visits.Suspensions(ctx)
	if err != nil {
		return nil, fmt.Errorf("suspensions: %w", err)
	}
	for _, x := range stopped {
		if !c.seesStopped(&x) {
			continue
		}
		out[x.ID] = owed{what: string(x.Card), owner: map[visit.DueKind]string{visit.DueHolder: c.name(x.Person)}}
	}
	keys, err := h.src.Visits.KeyLoans(ctx)
	if err != nil {
		return nil, fmt.Errorf("key loans: %w", err)
	}
	for _, x := range keys {
		if !c.seesKeyOf(x.Key) {
			continue
		}
		out[x.ID] = owed{what: x.Label, owner: map[visit.DueKind]string{visit.DueKey: c.name(x.Person)}}
	}
	carries, err := h.src.Visits.Carries(ctx)
	if err != nil {
		return nil, fmt.Errorf("carry sessions: %w", err)
	}
	for _, x := range carries {
		if !c.seesCarry(&x) {
			continue
		}
		out[x.ID] = owed{what: x.Purpose, owner: map[visit.DueKind]string{visit.DueCarryOut: c.name(x.Attendee)}}
	}
	emergencies, err := h.src.Visits.Emergencies(ctx)
	if err != nil {
		return nil, fmt.Errorf("emergencies: %w", err)
	}
	for _, x := range emergencies {
		if !c.seesEmergency(&x) {
			continue
		}
		out[x.ID] = owed{what: x.Reason, owner: map[visit.DueKind]string{visit.DueReport: c.stepWho(x.Declared)}}
	}
	return out, nil
}
