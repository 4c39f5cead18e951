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
	"monban/server/directory"
	"monban/server/visit"
)

type temporaryView struct {
	matterPage
	desk    counter
	Sheet   deskForm
	Rows    []temporaryRow
	MayLend bool
	StepUp  string // where to get a fresh check of identity first; "" = not needed
}

type temporaryRow struct {
	ID, Name, Section string
	Badge, Label      string
	Identity          string
	Since, Until      time.Time
	State             Tag
	Month             string // that it is one of several this month
	Lost              deskForm
}

func identityChoices(c *counter) []choice {
	var kinds []string
	for _, k := range visit.Identities() {
		kinds = append(kinds, string(k))
	}
	return c.choices("identity", "", kinds...)
}

// temporaryForm lends a card: the person is found, a document seen, a card taken from the drawer. Three fields count; the
// rest may stay empty (AD-16: a minute, five clicks).
func (h *Handler) temporaryForm(rq *request, c *counter) (deskForm, error) {
	badges, err := h.src.Visits.ListBadges(rq.Context())
	if err != nil {
		return deskForm{}, fmt.Errorf("badges: %w", err)
	}
	var free []choice
	for _, b := range badges {
		if b.Kind == visit.TemporaryKind && b.Status == visit.BadgeActive && b.Matter == "" && len(free) < 100 {
			free = append(free, choice{Value: b.Label, Label: b.ID})
		}
	}
	person := c.personField("person", "temporary.person", "", insiders)
	person.First = true
	return newDeskForm("lend", "/temporary", c.T("temporary.lend"), c.T("temporary.lend_now"), person,
		deskField{Name: "identity", Kind: "radios", Label: c.T("temporary.identity"), Options: identityChoices(c), Help: c.T("receive.identity_help")},
		deskField{Name: "badge", Kind: "text", Label: c.T("temporary.badge"), Max: 32, Suggest: free, Help: c.T("temporary.badge_help")},
		deskField{Name: "pin", Kind: "password", Label: c.T("temporary.pin"), Max: 8, Optional: true, Help: c.T("temporary.pin_help")},
		deskField{Name: "reason", Kind: "text", Label: c.T("account.reason"), Optional: true, Help: c.T("temporary.reason_help")}), nil
}

func (h *Handler) getTemporary(w http.ResponseWriter, rq *request) error {
	return h.showTemporary(w, rq, nil, http.StatusOK)
}

func (h *Handler) showTemporary(w http.ResponseWriter, rq *request, t *tried, code int) error {
	c, err := h.counter(rq, "temporary.title", "temporary")
	if err != nil {
		return err
	}
	v := temporaryView{matterPage: c.matterPage, desk: c, MayLend: rq.roles&receiveRoles != 0}
	v.Here = "/temporary"
	if v.MayLend {
		v.StepUp = h.stepUpFrom(rq, "POST /temporary", v.Here)
	}
	if err := h.viewed(rq, ActionViewMatters, visit.KindTemporary); err != nil {
		return err
	}
	list, err := h.src.Visits.TemporaryCards(rq.Context())
	if err != nil {
		return fmt.Errorf("temporary cards: %w", err)
	}
	for i := range list {
		x := &list[i]
		if !c.seesPerson(x.Person) && !c.mine(x.Issued) {
			continue
		}
		r := temporaryRow{ID: x.ID, Name: c.name(x.Person), Badge: x.Badge, Label: x.Label, Identity: c.T("identity." + string(x.Identity)), Since: c.ms(x.FromMS), Until: c.ms(x.UntilMS),
			State: Tag{c.T("temporary.out"), ToneNote, "clock"}}
		if p := c.people[x.Person]; p != nil {
			r.Section = p.Section
		}
		if c.say.now.UnixMilli() >= x.UntilMS {
			r.State = Tag{c.T("due_state.overdue"), ToneAlarm, "alarm"}
		}
		if x.Month > 1 {
			r.Month = c.T("temporary.month", "n", strconv.Itoa(x.Month))
		}
		r.Lost = newDeskForm("lost-"+x.ID, "/temporary/return", c.T("visit.badge_lost"), c.T("visit.badge_lost_now"), deskField{Name: "badge", Kind: "hidden", Value: x.Badge},
			deskField{Name: "lost", Kind: "hidden", Value: "yes"}, deskField{Name: "note", Kind: "text", Label: c.T("account.reason")})
		r.Lost.Fold, r.Lost.Danger = true, true
		r.Lost = r.Lost.again(t)
		v.Rows = append(v.Rows, r)
	}
	if v.MayLend {
		if v.Sheet, err = h.temporaryForm(rq, &c); err != nil {
			return err
		}
		v.Sheet = v.Sheet.again(t)
	}
	return h.renderStatus(w, rq, "temporary", &v, code)
}

func (h *Handler) postTemporary(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	c, err := h.counter(rq, "temporary.title", "")
	if err != nil {
		return err
	}
	f := visit.TemporaryForm{Identity: visit.Identity(rq.post("identity")), Badge: strings.TrimSpace(rq.post("badge")), PIN: rq.post("pin"), Reason: strings.TrimSpace(rq.post("reason"))}
	f.Person, err = c.personIn("person", insiders)
	var x visit.TemporaryCard
	if err == nil {
		x, err = h.src.Visits.IssueTemporary(rq.Context(), f, rq.deskActor())
	}
	if err == nil {
		done := "temporary_lent"
		if x.Frequent {
			done = "temporary_lent_again"
		}
		return redirect(w, rq, "/temporary?done="+done)
	}
	t, code, err := h.refusal(rq, &c, "lend", visit.KindTemporary, err)
	if err != nil {
		return err
	}
	return h.showTemporary(w, rq, t, code)
}

// postTemporaryReturn takes a card back with one press; the own cards open again.
func (h *Handler) postTemporaryReturn(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	lost := rq.post("lost") != ""
	if lost && strings.TrimSpace(rq.post("note")) == "" {
		return errBadInput // the form asks for it
	}
	x, err := h.src.Visits.ReturnTemporary(rq.Context(), rq.post("badge"), lost, rq.post("note"), rq.deskActor())
	if err == nil {
		if lost {
			return redirect(w, rq, "/temporary?done=temporary_lost")
		}
		return redirect(w, rq, "/temporary?done=temporary_returned")
	}
	c, cerr := h.counter(rq, "temporary.title", "")
	if cerr != nil {
		return cerr
	}
	t, code, err := h.refusal(rq, &c, "return", x.ID, err)
	if err != nil {
		return err
	}
	return h.saidNo(w, rq, c, t, code)
}

type stoppedView struct {
	matterPage
	desk    counter
	Text    string
	Asked   bool
	Found   []stopRow
	Rows    []stoppedRow
	MayStop bool
	StepUp  string // where to get a fresh check of identity, "" = not needed
}

// stopRow is a card that can be stopped.
type stopRow struct {
	Name, Section, Card, Masked string
	State                       Tag
	Form                        *deskForm
}

// stoppedRow is a card that was stopped and is not settled.
type stoppedRow struct {
	ID, Card, Name, Section string
	State                   Tag
	Reason                  string
	By                      string
	Asked                   string
	Entries                 string // how the holder has answered
	Odd                     bool   // some were somebody else's
	Hindered                string // why nobody, or this account, can make it good again now
	Forms                   []deskForm
}

func (h *Handler) getStopped(w http.ResponseWriter, rq *request) error {
	return h.showStopped(w, rq, nil, http.StatusOK)
}

func (h *Handler) showStopped(w http.ResponseWriter, rq *request, t *tried, code int) error {
	c, err := h.counter(rq, "stopped.title", "")
	if err != nil {
		return err
	}
	v := stoppedView{matterPage: c.matterPage, desk: c, MayStop: rq.roles&suspendRoles != 0, Text: clip(strings.TrimSpace(rq.URL.Query().Get("q")), 200)}
	v.Here, v.Asked = "/stopped", v.Text != ""
	if h.freshAt(rq, "POST /stopped/{id}/resume") != "" && rq.mayResume() {
		v.StepUp = "/step-up?next=/stopped"
	}
	kind, reason := ActionViewMatters, ""
	if v.Asked && v.MayStop {
		kind, reason = ActionViewPeople, c.T("stopped.purpose") // a search for a person says what for (PR-4)
	}
	act := rq.action(kind, visit.KindSuspension)
	act.Reason, act.Filter = reason, clip(rq.URL.RawQuery, 500)
	if err := h.src.Audit.RecordAction(rq.Context(), act); err != nil {
		return fmt.Errorf("record view: %w", err)
	}
	list, err := h.src.Visits.Suspensions(rq.Context())
	if err != nil {
		return fmt.Errorf("suspensions: %w", err)
	}
	for i := range list {
		if !c.seesStopped(&list[i]) {
			continue
		}
		v.Rows = append(v.Rows, c.stoppedRow(&list[i], v.StepUp != "", t))
	}
	if v.MayStop && v.Asked {
		v.Found = c.cardsOf(v.Text, t)
	}
	return h.renderStatus(w, rq, "stopped", &v, code)
}

func (c *counter) stoppedRow(x *visit.Suspension, stale bool, t *tried) stoppedRow {
	r := stoppedRow{ID: x.ID, Card: string(x.Card), Name: c.name(x.Person), Reason: x.Reason, By: c.stepWords(x.Stopped), Asked: c.stepWords(x.Asked), Odd: x.Disowned() > 0}
	if p := c.people[x.Person]; p != nil {
		r.Section = p.Section
	}
	r.State = Tag{c.T("stopped_state." + x.Head().State), ToneWarn, "stop"}
	if x.Head().State == "asked" {
		r.State = Tag{c.T("stopped_state.asked"), ToneNote, "clock"}
	}
	if n := len(x.Entries); n > 0 {
		answered := 0
		for _, e := range x.Entries {
			if e.Mine != "" {
				answered++
			}
		}
		switch open := n - answered; {
		case !x.Asked.Done():
		case x.Disowned() > 0:
			r.Hindered = c.T("stopped.disowned", "n", strconv.Itoa(x.Disowned()))
		case open > 0:
			r.Hindered = c.T("stopped.unconfirmed", "n", strconv.Itoa(open))
		}
		r.Entries = c.T("stopped.entries", "n", strconv.Itoa(n), "answered", strconv.Itoa(answered), "odd", strconv.Itoa(x.Disowned()))
	}
	if x.Asked.Done() && r.Hindered == "" && c.rq.mayResume() && c.mine(x.Asked, x.Person) {
		r.Hindered = c.T("stopped.mine")
	}
	for _, f := range c.stoppedForms(x, stale || r.Hindered != "") {
		r.Forms = append(r.Forms, f.again(t))
	}
	return r
}

// stoppedForms are the steps with a stopped card that this account may take; barred leaves out the one that makes it good again.
func (c *counter) stoppedForms(x *visit.Suspension, barred bool) (out []deskForm) {
	at := "/stopped/" + x.ID + "/"
	reason := deskField{Name: "note", Kind: "text", Label: c.T("account.reason")}
	if x.Given.Done() || x.Resumed.Done() {
		return nil
	}
	if !x.Asked.Done() && c.rq.roles&suspendRoles != 0 {
		f := newDeskForm("ask-"+x.ID, at+"ask", c.T("stopped.ask"), c.T("stopped.ask_now"), reason)
		f.Fold = true
		out = append(out, f)
	}
	if x.Asked.Done() && c.rq.mayResume() && !barred {
		f := newDeskForm("resume-"+x.ID, at+"resume", c.T("stopped.resume"), c.T("stopped.resume_now"), deskField{Name: "note", Kind: "text", Label: c.T("visit.note"), Optional: true})
		f.Fold = true
		out = append(out, f)
	}
	if c.rq.roles&suspendRoles != 0 {
		f := newDeskForm("revoke-"+x.ID, at+"revoke", c.T("stopped.revoke"), c.T("stopped.revoke_now"), reason)
		f.Fold, f.Danger = true, true
		out = append(out, f)
	}
	return out
}

// cardsOf lists the cards of the people whom a text fits, or the one card with that number.
func (c *counter) cardsOf(text string, t *tried) (out []stopRow) {
	dir := c.site.Dir
	for i := range dir.Credentials {
		k := &dir.Credentials[i]
		p := c.people[k.Person]
		if p == nil || string(k.ID) != text && string(p.ID) != text && !p.Matches(text) {
			continue
		}
		if len(out) == maxOffers {
			break
		}
		r := stopRow{Name: p.Name, Section: p.Section, Card: string(k.ID), Masked: k.Masked, State: Tag{c.T("card_state." + k.Status.String()), ToneWarn, "stop"}}
		if k.Status == access.CredentialActive {
			r.State = Tag{c.T("card_state.active"), ToneGood, "check"}
			f := c.stopForm(k.ID, "/stopped").again(t)
			r.Form = &f
		}
		out = append(out, r)
	}
	return out
}

// stopForm stops a card: one press and a reason, at any hour (AD-17).
func (c *counter) stopForm(id directory.CardID, action string) deskForm {
	f := newDeskForm("stop-"+string(id), action, c.T("stopped.stop"), c.T("stopped.stop_now"), deskField{Name: "card", Kind: "hidden", Value: string(id)},
		deskField{Name: "reason", Kind: "text", Label: c.T("account.reason")},
		deskField{Name: "lost", Kind: "check", Label: c.T("stopped.lost"), Optional: true},
		deskField{Name: "last_sure", Kind: "datetime-local", Label: c.T("stopped.last_sure"), Optional: true, Help: c.T("stopped.last_sure_help")})
	f.Fold, f.Danger = true, true
	return f
}

// stop stops a card with what stopForm says.
func (h *Handler) stop(rq *request, c *counter) (visit.Suspension, error) {
	var sure time.Time
	if rq.post("last_sure") != "" {
		ms, err := c.momentIn("last_sure")
		if err != nil {
			return visit.Suspension{}, err
		}
		sure = time.UnixMilli(ms)
	}
	return h.src.Visits.SuspendCard(rq.Context(), directory.CardID(rq.post("card")), rq.post("lost") != "", sure, strings.TrimSpace(rq.post("reason")), rq.deskActor())
}

func (h *Handler) postStop(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	c, err := h.counter(rq, "stopped.title", "")
	if err != nil {
		return err
	}
	if _, err = h.stop(rq, &c); err == nil {
		return redirect(w, rq, "/stopped?done=stop_done")
	}
	t, code, err := h.refusal(rq, &c, "stop-"+rq.post("card"), rq.post("card"), err)
	if err != nil {
		return err
	}
	q := rq.URL.Query()
	q.Set("q", rq.post("card"))
	rq.URL.RawQuery = q.Encode()
	return h.showStopped(w, rq, t, code)
}

func (h *Handler) stoppedAct(w http.ResponseWriter, rq *request, act, done string, do func(id, note string) error) error {
	if err := rq.form(); err != nil {
		return err
	}
	id := rq.PathValue("id")
	c, err := h.counter(rq, "stopped.title", "")
	if err != nil {
		return err
	}
	if err := h.stoppedOf(&c, id); err != nil {
		return err
	}
	err = do(id, strings.TrimSpace(rq.post("note")))
	if err == nil {
		return redirect(w, rq, "/stopped?done="+done)
	}
	t, code, err := h.refusal(rq, &c, act+"-"+id, id, err)
	if err != nil {
		return err
	}
	if code != http.StatusUnprocessableEntity || t.field == "" {
		return h.saidNo(w, rq, c, t, code)
	}
	return h.showStopped(w, rq, t, code)
}

func (h *Handler) postStoppedAsk(w http.ResponseWriter, rq *request) error {
	return h.stoppedAct(w, rq, "ask", "resume_asked", func(id, note string) error {
		_, err := h.src.Visits.AskResume(rq.Context(), id, note, rq.deskActor())
		return renamed(err, "reason", "note")
	})
}

// mayResume reports whether the account may agree to a stopped card being made good again. A card opens wherever its holder
// has rights, so that a role for one zone is not enough.
func (rq *request) mayResume() bool { return rq.may(resumeRoles, "") }

func (h *Handler) postStoppedResume(w http.ResponseWriter, rq *request) error {
	if !rq.mayResume() {
		return errForbidden
	}
	return h.stoppedAct(w, rq, "resume", "stop_resumed", func(id, note string) error {
		_, err := h.src.Visits.ResumeCard(rq.Context(), id, note, rq.deskActor())
		return err
	})
}

func (h *Handler) postStoppedRevoke(w http.ResponseWriter, rq *request) error {
	return h.stoppedAct(w, rq, "revoke", "stop_revoked", func(id, note string) error {
		_, err := h.src.Visits.GiveUpCard(rq.Context(), id, note, rq.deskActor())
		return renamed(err, "reason", "note")
	})
}

// renamed moves a refusal to the field as it is called on the page.
func renamed(err error, from, to string) error {
	var e *visit.Error
	if errors.As(err, &e) && e.Field == from {
		return fieldFault(e, to)
	}
	return err
}

// own are the suspensions of a person.
func ownSuspensions(list []visit.Suspension, person directory.PersonID) []visit.Suspension {
	return slices.DeleteFunc(slices.Clone(list), func(x visit.Suspension) bool { return person == "" || x.Person != person })
}
