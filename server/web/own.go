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

// ownDays is how far back My page looks.
const ownDays = 30

type ownView struct {
	matterPage
	desk     counter
	Nobody   bool // no person of the directory stands behind the account
	Name     string
	Section  string
	Training string
	Purposes []ownAsk
	Exits    []ownAsk
	Doubts   []doubtRow
	Rights   []ownRight
	Cards    []stopRow
	Entries  []ownEntry
	Visits   []visitRow

	Correct     *deskForm // nil = nothing to correct
	Corrections []ownCorrection
}

// ownAsk is an entry about which the person is asked something.
type ownAsk struct {
	At   time.Time
	Door string
	Form deskForm
}

// doubtRow is a use of a stopped card that the holder is asked about.
type doubtRow struct {
	At        time.Time
	Card      string
	Door      string
	ID, Entry string
	Answer    string // as it was given, "" = not yet
}

type ownRight struct{ Zone, Schedule, Days, Why string }

type ownEntry struct {
	At      time.Time
	Door    string
	Side    string
	Result  Tag
	Reason  string
	Purpose string
	Left    string // an exit that was stated
}

func (h *Handler) getOwn(w http.ResponseWriter, rq *request) error {
	return h.showOwn(w, rq, nil, http.StatusOK)
}

// showOwn shows what the system knows of who asks, and what it asks of them. It is nobody else's business: there is no way to
// name a person here.
func (h *Handler) showOwn(w http.ResponseWriter, rq *request, t *tried, code int) error {
	c, err := h.counter(rq, "own.title", "")
	if err != nil {
		return err
	}
	v := ownView{matterPage: c.matterPage, desk: c}
	v.Here = "/me/own"
	me := directory.PersonID(rq.account.Person)
	p := c.people[me]
	if p == nil {
		v.Nobody = true
		return h.renderStatus(w, rq, "own", &v, code)
	}
	v.Name, v.Section = p.Name, p.Section
	if !p.TrainingUntil.IsZero() {
		v.Training = c.T("visit.until_day", "day", p.TrainingUntil.String())
	}
	entries, err := h.src.Visits.OwnEntries(rq.Context(), me, ownDays)
	if err != nil {
		return fmt.Errorf("own entries: %w", err)
	}
	for i := range entries {
		c.ownLine(&v, &entries[i], t)
	}
	if err := h.ownCorrections(rq, &c, &v, entries, t); err != nil {
		return err
	}
	v.Rights = c.rightsOf(me)
	for i := range c.site.Dir.Credentials {
		if k := &c.site.Dir.Credentials[i]; k.Person == me {
			r := stopRow{Card: string(k.ID), Masked: k.Masked, State: Tag{c.T("card_state." + k.Status.String()), ToneWarn, "stop"}}
			if k.Status == access.CredentialActive {
				r.State = Tag{c.T("card_state.active"), ToneGood, "check"}
				f := c.stopForm(k.ID, "/me/own/stop").again(t)
				r.Form = &f
			}
			v.Cards = append(v.Cards, r)
		}
	}
	stopped, err := h.src.Visits.Suspensions(rq.Context())
	if err != nil {
		return fmt.Errorf("suspensions: %w", err)
	}
	for _, x := range ownSuspensions(stopped, me) {
		for i, e := range x.Entries {
			d := doubtRow{At: c.ms(e.AtMS), Card: string(x.Card), Door: c.doorName(e.Door), ID: x.ID, Entry: strconv.Itoa(i)}
			switch e.Mine {
			case "yes":
				d.Answer = c.T("own.answered_yes")
			case "no":
				d.Answer = c.T("own.answered_no")
			}
			v.Doubts = append(v.Doubts, d)
		}
	}
	visits, err := h.src.Visits.OpenVisits(rq.Context())
	if err != nil {
		return fmt.Errorf("open visits: %w", err)
	}
	for i := range visits {
		if c.mine(visits[i].Asked, visits[i].Attendee) {
			v.Visits = append(v.Visits, c.visitRow(&visits[i]))
		}
	}
	return h.renderStatus(w, rq, "own", &v, code)
}

// ownLine puts one line of the log where it belongs.
func (c *counter) ownLine(v *ownView, e *visit.OwnEntry, t *tried) {
	at := c.ms(e.AtMS)
	if e.Asks {
		f := newDeskForm("purpose-"+e.Attempt, "/me/own/purpose", "", c.T("own.state"), deskField{Name: "attempt", Kind: "hidden", Value: e.Attempt},
			deskField{Name: "purpose", Kind: "text", Label: c.T("visit.purpose"), Suggest: c.purposesOf(e.Zone)})
		v.Purposes = append(v.Purposes, ownAsk{at, c.doorName(e.Door), f.again(t)})
	}
	if e.NoExit {
		f := newDeskForm("exit-"+e.Attempt, "/me/own/exit", "", c.T("own.state"), deskField{Name: "attempt", Kind: "hidden", Value: e.Attempt},
			deskField{Name: "left", Kind: "datetime-local", Label: c.T("own.left_at"), Value: c.local(e.AtMS)})
		v.Exits = append(v.Exits, ownAsk{at, c.doorName(e.Door), f.again(t)})
	}
	l := ownEntry{At: at, Door: c.doorName(e.Door), Side: c.T("side." + e.Side.String()), Purpose: e.Purpose}
	switch {
	case e.Passed && e.Side == access.SideExit:
		l.Result = Tag{c.T("result.exited"), ToneQuiet, "exit"}
	case e.Passed:
		l.Result = Tag{c.T("result.entered"), ToneGood, "enter"}
	case e.Granted:
		l.Result = Tag{c.T("result.no_entry"), ToneQuiet, "dash"}
	default:
		l.Result, l.Reason = Tag{c.T("result.denied"), ToneWarn, "stop"}, c.T("reason."+e.Reason.String())
	}
	if e.LeftMS != 0 {
		l.Left = c.T("own.left_stated", "time", c.DayTime(c.ms(e.LeftMS)))
		if e.Confirmed {
			l.Left = c.T("own.left_confirmed", "time", c.DayTime(c.ms(e.LeftMS)))
		}
	}
	if len(v.Entries) < 50 {
		v.Entries = append(v.Entries, l)
	}
}

// purposesOf are the labels of a zone's keypad codes, which are what people usually come for.
func (c *counter) purposesOf(z access.ZoneID) (out []choice) {
	for _, l := range c.site.Settings.PurposeLabels[z] {
		if l != "" {
			out = append(out, choice{Value: l})
		}
	}
	return out
}

// rightsOf lists somebody's rights and why each is there.
func (c *counter) rightsOf(id directory.PersonID) (out []ownRight) {
	schedules := map[directory.ScheduleID]string{}
	for i := range c.site.Dir.Schedules {
		x := &c.site.Dir.Schedules[i]
		schedules[x.ID] = x.Name
		if c.say.lang == English && x.NameEN != "" {
			schedules[x.ID] = x.NameEN
		}
	}
	c.site.Dir.EachRight(func(holder directory.PersonID, g *directory.Grant, group *directory.Group) {
		if holder != id {
			return
		}
		r := ownRight{Zone: c.zoneName(g.Zone), Schedule: schedules[g.Schedule], Days: c.say.daysWords(g.ValidFrom.String(), g.ValidUntil.String()), Why: g.Basis}
		if group != nil {
			name := group.Name
			if c.say.lang == English && group.NameEN != "" {
				name = group.NameEN
			}
			r.Why = strings.TrimSpace(c.T("own.by_group", "group", name) + " " + g.Basis)
		}
		if g.Suspended {
			r.Days += " · " + c.T("own.right_suspended")
		}
		out = append(out, r)
	})
	return out
}

// ownAct takes a step about oneself.
func (h *Handler) ownAct(w http.ResponseWriter, rq *request, formID, target, done string, do func(c *counter) error) error {
	c, err := h.counter(rq, "own.title", "")
	if err != nil {
		return err
	}
	if err = do(&c); err == nil {
		return redirect(w, rq, "/me/own?done="+done)
	}
	t, code, err := h.refusal(rq, &c, formID, target, err)
	if err != nil {
		return err
	}
	if code != http.StatusUnprocessableEntity {
		return h.saidNo(w, rq, c, t, code)
	}
	return h.showOwn(w, rq, t, code)
}

// postOwnPurpose says afterwards what an entry was for (RR-7); the source refuses anybody but who entered.
func (h *Handler) postOwnPurpose(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	id := rq.post("attempt")
	return h.ownAct(w, rq, "purpose-"+id, visit.KindPurpose, "purpose_stated", func(*counter) error {
		_, err := h.src.Visits.StatePurpose(rq.Context(), id, strings.TrimSpace(rq.post("purpose")), rq.deskActor())
		return err
	})
}

// postOwnExit says when somebody left whose exit was not read (RR-6).
func (h *Handler) postOwnExit(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	id := rq.post("attempt")
	return h.ownAct(w, rq, "exit-"+id, visit.KindExit, "own_exit_stated", func(c *counter) error {
		left, err := c.momentIn("left")
		if err != nil {
			return err
		}
		_, err = h.src.Visits.StateExit(rq.Context(), id, time.UnixMilli(left), rq.deskActor())
		return err
	})
}

// postOwnStop stops an own card, at any hour (AD-17); somebody else's is not to be named here.
func (h *Handler) postOwnStop(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	card := rq.post("card")
	return h.ownAct(w, rq, "stop-"+card, card, "stop_done", func(c *counter) error {
		me := directory.PersonID(rq.account.Person)
		if !slices.ContainsFunc(c.site.Dir.Credentials, func(k directory.Credential) bool {
			return me != "" && k.Person == me && string(k.ID) == card
		}) {
			return ErrNotFound
		}
		_, err := h.stop(rq, c)
		return err
	})
}

// postOwnAnswer says of one use of a stopped card whether it was the holder's own (AD-17).
func (h *Handler) postOwnAnswer(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	id, mine := rq.post("id"), rq.post("mine")
	entry, err := strconv.Atoi(rq.post("entry"))
	if err != nil || mine != "yes" && mine != "no" {
		return errBadInput
	}
	return h.ownAct(w, rq, "answer", id, "entry_answered", func(*counter) error {
		_, err := h.src.Visits.AnswerEntry(rq.Context(), id, entry, mine == "yes", "", rq.deskActor())
		return err
	})
}

// postExitConfirm is the zone manager's word about a stated exit (RR-6).
func (h *Handler) postExitConfirm(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	c, err := h.counter(rq, "dues.title", "")
	if err != nil {
		return err
	}
	list, err := h.src.Visits.ExitStatements(rq.Context())
	if err != nil {
		return fmt.Errorf("stated exits: %w", err)
	}
	id := rq.PathValue("id")
	i := slices.IndexFunc(list, func(x visit.ExitStated) bool { return x.ID == id })
	if i < 0 {
		return ErrNotFound
	}
	if !c.mayDecide(confirmRoles, []access.ZoneID{list[i].Zone}) {
		return errForbidden
	}
	if _, err = h.src.Visits.ConfirmExit(rq.Context(), id, rq.deskActor()); err == nil {
		return redirect(w, rq, "/dues?done=exit_confirmed")
	}
	t, code, err := h.refusal(rq, &c, "exit", id, err)
	if err != nil {
		return err
	}
	return h.saidNo(w, rq, c, t, code)
}
