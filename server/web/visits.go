package web

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/server/directory"
	"monban/server/visit"
)

type visitsView struct {
	matterPage
	desk       counter
	Day        time.Time
	Today      bool
	Prev, Next string
	Overdue    []dueLine
	Rows       []visitRow
	Doors      []choice // the last denial at a door
	MayReceive bool
}

// visitRow is one visit on reception's list.
type visitRow struct {
	ID, Href    string
	Span        string
	Purpose     string
	Company     string
	Zones       string
	Attendee    string
	State       Tag
	Guests      []guestRow
	Heads       string // of a tour
	Receive     string // where to receive who is still to come; "" = nobody is
	Equipment   string
	oldest      int64
	overdue     bool
	closedFirst bool
}

// guestRow is one person of a visit.
type guestRow struct {
	Index    int // from 1
	Name     string
	Kana     string
	Company  string
	Category string
	State    Tag
	Escort   string
	Badge    string
	BadgeID  string // of a badge that is out
	Declared []string
	Identity string
	Checked  time.Time
	Entered  time.Time
	Left     time.Time
	Note     string
	Slip     string
}

type dueLine struct {
	What  string
	Who   string
	Where string
	At    time.Time
	State Tag
	Href  string
	Owner string
}

// guestState is how far a guest has come: invited, arrived, escorted, inside, out, left.
func guestState(v *visit.View, i int) string {
	g := &v.Guests[i]
	switch {
	case g.Replaced.Done():
		return "replaced"
	case !g.Received() && v.State == visit.NoShow:
		return "no_show"
	case !g.Received():
		return "invited"
	case g.Lost:
		return "lost"
	case g.Returned.Done():
		return "left"
	case i < len(v.Presence) && v.Presence[i].Inside:
		return "inside"
	case i < len(v.Presence) && v.Presence[i].EnteredMS != 0:
		return "out"
	case g.Escort != "":
		return "escorted"
	}
	return "arrived"
}

func (c *counter) guestTag(state string) Tag {
	tag := Tag{Word: c.T("guest_state." + state), Tone: ToneQuiet, Icon: "dash"}
	switch state {
	case "invited":
		tag.Tone, tag.Icon = ToneQuiet, "clock"
	case "arrived", "escorted", "out":
		tag.Tone, tag.Icon = ToneNote, "person"
	case "inside":
		tag.Tone, tag.Icon = ToneGood, "enter"
	case "left":
		tag.Tone, tag.Icon = ToneQuiet, "check"
	case "lost":
		tag.Tone, tag.Icon = ToneAlarm, "alarm"
	}
	return tag
}

func (c *counter) visitTag(v *visit.View) Tag {
	tag := Tag{Word: c.T("visit_state." + string(v.State)), Tone: ToneQuiet, Icon: "dash"}
	switch v.State {
	case visit.Applied:
		tag.Tone, tag.Icon = ToneWarn, "clock"
	case visit.Approved:
		tag.Tone, tag.Icon = ToneNote, "clock"
	case visit.Running:
		tag.Tone, tag.Icon = ToneGood, "people"
	case visit.Closed:
		tag.Icon = "check"
	case visit.Refused, visit.Withdrawn, visit.NoShow:
	}
	if overdue(v.Owed) {
		tag = Tag{Word: c.T("visit.overdue"), Tone: ToneAlarm, Icon: "alarm"}
	}
	return tag
}

// late reports whether reception has to do something. What somebody brings in is looked at by the zone's manager.
func late(d visit.Due) bool { return d.State == visit.Overdue && d.Kind != visit.DueDeclared }

func overdue(list []visit.Due) bool { return slices.ContainsFunc(list, late) }

func (c *counter) guestRow(v *visit.View, i int) guestRow {
	g := &v.Guests[i]
	r := guestRow{Index: i + 1, Name: g.Name, Kana: g.Kana, Company: cmp.Or(g.Company, v.Company), Category: c.T("guest_category." + string(g.Category)), State: c.guestTag(guestState(v, i)),
		Badge: g.Label, Checked: c.ms(g.Checked.AtMS), Slip: "/visits/" + v.ID + "/slip/" + strconv.Itoa(i+1)}
	if p := c.people[g.Person]; p != nil {
		r.Name, r.Kana = p.Name, p.Kana
	}
	if g.Escort != "" {
		r.Escort = c.name(g.Escort)
	}
	if g.Received() && !g.Card && v.Carrier() != "" {
		r.Escort = c.name(v.Carrier())
	}
	if g.Here() {
		r.BadgeID = g.Badge
	}
	if g.Identity != "" {
		r.Identity = c.T("identity." + string(g.Identity))
	}
	if g.Leaving.Done() {
		r.Note = g.Leaving.Note
	}
	if g.Replaced.Done() {
		r.Note = g.Replaced.Note
	}
	if i < len(v.Presence) {
		r.Entered, r.Left = c.ms(v.Presence[i].EnteredMS), c.ms(v.Presence[i].LeftMS)
	}
	for _, d := range g.Declared {
		r.Declared = append(r.Declared, c.declared(d))
	}
	return r
}

// declared says what somebody brings in.
func (c *counter) declared(d visit.Declared) string {
	words := []string{c.T("declared." + d.What)}
	if d.Personal {
		words = append(words, c.T("visit.personal"))
	}
	if d.Serial != "" {
		words = append(words, d.Serial)
	}
	switch {
	case d.Outside:
		words = append(words, c.T("visit.stays_outside"))
	case d.Exception != "":
		words = append(words, d.Exception)
	case d.Flagged:
		words = append(words, c.T("visit.flagged"))
	}
	return strings.Join(words, " · ")
}

func (c *counter) visitRow(v *visit.View) visitRow {
	r := visitRow{ID: v.ID, Href: "/visits/" + v.ID, Span: c.window(c.ms(v.FromMS), c.ms(v.UntilMS)), Purpose: v.Purpose, Company: v.Company, Zones: c.zoneNames(v.Zones),
		Attendee: c.name(v.Attendee), State: c.visitTag(v), oldest: v.FromMS, overdue: overdue(v.Owed)}
	coming := false
	for i := range v.Guests {
		r.Guests = append(r.Guests, c.guestRow(v, i))
		coming = coming || !v.Guests[i].Received() && !v.Guests[i].Replaced.Done()
		if len(v.Guests[i].Declared) > 0 {
			r.Equipment = c.T("visit.equipment_declared")
		}
	}
	if v.Heads > 0 {
		r.Heads = c.T("visit.heads_of", "n", strconv.Itoa(v.Heads))
	}
	running := v.State == visit.Approved || v.State == visit.Running
	if coming && running && c.say.now.UnixMilli() < v.UntilMS {
		r.Receive = "/visits/" + v.ID + "/receive"
	}
	r.closedFirst = running
	return r
}

// getVisits is reception's list of a day: what is overdue first, then in the order of the windows, what is over last.
func (h *Handler) getVisits(w http.ResponseWriter, rq *request) error {
	c, err := h.counter(rq, "visits.title", "reception")
	if err != nil {
		return err
	}
	v := visitsView{matterPage: c.matterPage, desk: c, Day: c.say.now, MayReceive: rq.roles&receiveRoles != 0}
	today := c.say.now.Format(dayLayout)
	day := today
	if text := rq.URL.Query().Get("day"); text != "" {
		if v.Day, err = time.ParseInLocation(dayLayout, text, h.cfg.Zone); err != nil {
			return errBadInput
		}
		day = text
	}
	v.Today = day == today
	v.Prev, v.Next = v.Day.AddDate(0, 0, -1).Format(dayLayout), v.Day.AddDate(0, 0, 1).Format(dayLayout)
	if err := h.viewed(rq, ActionViewVisits, day); err != nil {
		return err
	}
	list, err := h.src.Visits.VisitsOfDay(rq.Context(), day)
	if err != nil {
		return fmt.Errorf("visits of %s: %w", day, err)
	}
	list = slices.DeleteFunc(list, func(x visit.View) bool { return !c.seesVisit(&x) })
	for i := range list {
		v.Rows = append(v.Rows, c.visitRow(&list[i]))
		for _, d := range list[i].Owed {
			if late(d) {
				v.Overdue = append(v.Overdue, c.dueLine(d, &list[i]))
			}
		}
	}
	slices.SortStableFunc(v.Rows, func(a, b visitRow) int {
		return cmp.Or(order(b.overdue)-order(a.overdue), order(b.closedFirst)-order(a.closedFirst), cmp.Compare(a.oldest, b.oldest), cmp.Compare(a.ID, b.ID))
	})
	if rq.roles&rolesOf("GET /doors/{door}/last-denial") != 0 {
		for i := range c.site.Dir.Doors {
			d := &c.site.Dir.Doors[i]
			if !rq.may(denialRoles, d.Enter) {
				continue
			}
			v.Doors = append(v.Doors, choice{Value: "/doors/" + string(d.ID) + "/last-denial", Label: c.doorName(d.ID)})
		}
	}
	return h.render(w, rq, "visits", &v)
}

func order(first bool) int {
	if first {
		return 1
	}
	return 0
}

// dueLine is one thing that is owed; v is the visit that it is owed for, nil = another matter.
func (c *counter) dueLine(d visit.Due, v *visit.View) dueLine {
	l := dueLine{What: c.T("due." + string(d.Kind)), At: c.ms(d.DueMS), Where: c.zoneName(accessZone(d.Zone)), Href: matterPath(d.Matter), Owner: c.T("due_owner." + string(d.Kind))}
	l.State = Tag{c.T("due_state.waiting"), ToneNote, "clock"}
	if d.State == visit.Overdue {
		l.State = Tag{c.T("due_state.overdue"), ToneAlarm, "alarm"}
	}
	if v == nil {
		return l
	}
	l.Who = v.Purpose
	if i, err := strconv.Atoi(d.Part); err == nil && i >= 1 && i <= len(v.Guests) {
		g := &v.Guests[i-1]
		l.Who = g.Name
		if g.Here() {
			l.Who += " · " + c.T("visit.badge_no", "label", g.Label)
		}
	}
	return l
}

// matterPath is the page of a matter.
func matterPath(id string) string {
	kind, _, _ := strings.Cut(id, "-")
	switch kind {
	case visit.KindVisit:
		return "/visits/" + id
	case visit.KindPermit:
		return "/applications"
	case visit.KindTemporary:
		return "/temporary"
	case visit.KindSuspension:
		return "/stopped"
	case visit.KindEmergency:
		return "/emergency"
	case visit.KindCarry:
		return "/equipment"
	case visit.KindKeyLoan:
		return "/ledgers"
	}
	return ""
}

// getVisit is one visit and what can be done with it.
func (h *Handler) getVisit(w http.ResponseWriter, rq *request) error {
	return h.showVisit(w, rq, nil, http.StatusOK)
}

type visitView struct {
	matterPage
	desk counter
	visitRow
	System, Section, Contract string
	Type                      string
	Asked, Decided, Oral      string
	OralText                  string
	Note                      string
	Owed                      []dueLine
	Forms                     []deskForm
	MayReceive                bool
	StepUp                    string     // where to get a fresh check of identity first; "" = not needed
	Out                       []guestRow // whose badges are out
}

// showVisit shows a visit, to an applicant only the own one.
func (h *Handler) showVisit(w http.ResponseWriter, rq *request, t *tried, code int) error {
	c, err := h.counter(rq, "visit.title", "application")
	if err != nil {
		return err
	}
	x, err := h.visitOf(&c)
	if err != nil {
		return err
	}
	if err := h.viewed(rq, ActionViewVisit, x.ID); err != nil {
		return err
	}
	v := visitView{matterPage: c.matterPage, desk: c, visitRow: c.visitRow(&x), System: x.System, Section: x.Section, Contract: c.contract(x.Contract), Type: c.T("visit_type." + string(x.Type)),
		Asked: c.stepWords(x.Asked), MayReceive: rq.roles&receiveRoles != 0, Note: x.Ended.Note}
	v.Here = "/visits/" + x.ID
	if x.Decided.Done() {
		v.Decided = c.stepWords(x.Decided)
	}
	if x.Oral != nil {
		v.Oral = c.name(x.Oral.Approver)
		switch {
		case x.Oral.Confirmed.Done():
			v.OralText = c.T("visit.oral_confirmed", "who", c.stepWords(x.Oral.Confirmed))
		case x.Oral.Denied.Done():
			v.OralText = c.T("visit.oral_denied", "who", c.stepWords(x.Oral.Denied))
		default:
			v.OralText = c.T("visit.oral_due", "time", c.Brief(c.ms(x.Oral.DueMS)))
		}
	}
	for _, d := range x.Owed {
		v.Owed = append(v.Owed, c.dueLine(d, &x))
	}
	for _, g := range v.Guests {
		if g.BadgeID != "" {
			v.Out = append(v.Out, g)
		}
	}
	for _, f := range h.visitForms(&c, &x) {
		v.Forms = append(v.Forms, f.again(t))
	}
	if len(v.Forms) > 0 && rq.roles&approveRoles != 0 {
		v.StepUp = h.stepUpFrom(rq, "POST /visits/{id}/approve", v.Here)
	}
	return h.renderStatus(w, rq, "visit", &v, code)
}

// stepWords says who did something and when. Accounts without a person are named by the page of accounts only.
func (c *counter) stepWords(s visit.Step) string {
	if !s.Done() {
		return ""
	}
	text := c.stepWho(s) + " " + c.DayTime(c.ms(s.AtMS))
	if s.Note != "" {
		text += " " + c.T("visit.note_of", "note", s.Note)
	}
	return text
}

func (c *counter) stepWho(s visit.Step) string {
	switch {
	case s.Account == "" && s.Person == "":
		return c.T("visit.by_job")
	case s.Person != "":
		return c.name(s.Person)
	}
	return c.T("visit.by_account")
}

// contract says what a contract is.
func (c *counter) contract(id string) string {
	for i := range c.site.Dir.Contracts {
		if k := &c.site.Dir.Contracts[i]; string(k.ID) == id && id != "" {
			text := id + " " + k.Name + " · " + c.T("visit.tier", "n", strconv.Itoa(k.Tier)) + " · " + c.T("visit.until_day", "day", k.ValidUntil.String())
			if k.Approval != "" {
				text += " · " + c.T("visit.tier_approval", "id", k.Approval)
			}
			return text
		}
	}
	return id
}

// contracted finds the person of a guest in the directory.
func (c *counter) contracted(g *visit.Guest) *directory.Person { return c.people[g.Person] }
