package web

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"strconv"
	"time"

	deskboard "monban/server/desk"
)

// deskBrowserCookie names a browser that stands beside a desk reader; deskCookie is one sign-in that waits there.
const (
	deskBrowserCookie = "monban_desk_browser"
	deskCookie        = "monban_desk"
)

// deskOf is the desk reader beside which this browser stands; nil = none.
func (h *Handler) deskOf(rq *request) (*Desk, error) {
	c, err := rq.Cookie(h.flowCookieName(deskBrowserCookie))
	if err != nil || c.Value == "" || len(c.Value) > 64 {
		return nil, nil
	}
	hash := sha256.Sum256([]byte(c.Value))
	list, err := h.src.Desks.ListDesks(rq.Context())
	if err != nil {
		return nil, fmt.Errorf("desk readers: %w", err)
	}
	for i := range list {
		for _, b := range list[i].Browsers {
			if b.Hash == hash { // a hash of 256 random bits: how long the comparison takes says nothing of use
				return &list[i], nil
			}
		}
	}
	return nil, nil
}

type deskView struct {
	Base
	Desk    string
	Number  string
	Stage   string // word of deskboard.Stage
	At      string // where the forms of this page go: /login/desk or /step-up/desk
	Next    string
	Life    string
	Choices []choice // accounts of the person, when there are several
}

var deskStages = map[deskboard.Stage]string{
	deskboard.Over: "over", deskboard.Waiting: "waiting", deskboard.Crowded: "crowded", deskboard.PIN: "pin", deskboard.Refused: "refused", deskboard.Proved: "proved",
}

// postDesk begins to wait for a card at the desk reader beside this browser. The number that the page shows has to be keyed in
// there: whoever badges for another page does nothing for this one.
func (h *Handler) postDesk(w http.ResponseWriter, rq *request) error {
	return h.beginDesk(w, rq, false)
}

func (h *Handler) postStepUpDesk(w http.ResponseWriter, rq *request) error {
	if rq.account.Person == "" {
		return errForbidden // no card can be this account's
	}
	return h.beginDesk(w, rq, true)
}

func deskAt(stepUp bool) string {
	if stepUp {
		return "/step-up/desk"
	}
	return "/login/desk"
}

func (h *Handler) beginDesk(w http.ResponseWriter, rq *request, stepUp bool) error {
	if err := rq.form(); err != nil {
		return err
	}
	d, err := h.deskOf(rq)
	if err != nil {
		return err
	}
	if d == nil {
		return ErrNotFound
	}
	if wait := h.address.take(rq.address, rq.now); wait > 0 {
		return throttled{wait}
	}
	if old, ok := h.flows.take(h.flowID(rq, deskCookie), flowDesk, rq.now); ok {
		h.src.Desks.Drop(old.ticket) // the same browser begins again: it is not its own rival
	}
	n, err := rand.Int(rand.Reader, big.NewInt(9000)) // never 0 in front: some keypads lose it
	if err != nil {
		return fmt.Errorf("number: %w", err)
	}
	f := flow{kind: flowDesk, ticket: rand.Text(), next: localPath(rq.post("next")), stepUp: stepUp, desk: d.ID}
	if stepUp {
		f.account = rq.account.ID
	}
	if err := h.src.Desks.Begin(f.ticket, strconv.FormatInt(1000+n.Int64(), 10), d.ID, rq.now); err != nil {
		return ErrBusy
	}
	if err := h.setFlow(w, rq, deskCookie, f); err != nil {
		h.src.Desks.Drop(f.ticket)
		return err
	}
	return redirect(w, rq, deskAt(stepUp))
}

// waiting is this browser's sign-in, if it is one for this route: a login without a session, or a step-up of this account.
func (h *Handler) waiting(rq *request, stepUp bool) (flow, bool) {
	f, ok := h.flows.get(h.flowID(rq, deskCookie), flowDesk, rq.now)
	if !ok || f.stepUp != stepUp || stepUp && f.account != rq.account.ID {
		return flow{}, false
	}
	return f, true
}

func (h *Handler) deskView(rq *request, stepUp bool) (deskView, error) {
	v := deskView{Base: h.base(rq, "desk.title"), At: deskAt(stepUp), Stage: deskStages[deskboard.Over], Life: strconv.Itoa(int(deskboard.Life.Seconds()))}
	v.Here = v.At
	d, err := h.deskOf(rq)
	if err != nil {
		return v, err
	}
	f, ok := h.waiting(rq, stepUp)
	if d == nil || !ok || f.desk != d.ID {
		return v, nil
	}
	stage, number := h.src.Desks.Look(f.ticket, rq.now)
	v.Desk, v.Next, v.Stage = d.Name, f.next, deskStages[stage]
	if stage == deskboard.Waiting {
		v.Number = number
	}
	return v, nil
}

func (h *Handler) getDesk(w http.ResponseWriter, rq *request) error {
	if rq.account != nil {
		return redirect(w, rq, "/")
	}
	return h.showDesk(w, rq, false)
}

func (h *Handler) getStepUpDesk(w http.ResponseWriter, rq *request) error {
	return h.showDesk(w, rq, true)
}

func (h *Handler) showDesk(w http.ResponseWriter, rq *request, stepUp bool) error {
	v, err := h.deskView(rq, stepUp)
	if err != nil {
		return err
	}
	return h.render(w, rq, "desk", v)
}

// getDeskStage and its twin tell the page's script how far the sign-in is, a word and nothing else.
func (h *Handler) getDeskStage(w http.ResponseWriter, rq *request) error {
	return h.stage(w, rq, false)
}

func (h *Handler) getStepUpDeskStage(w http.ResponseWriter, rq *request) error {
	return h.stage(w, rq, true)
}

func (h *Handler) stage(w http.ResponseWriter, rq *request, stepUp bool) error {
	stage := deskboard.Over
	if f, ok := h.waiting(rq, stepUp); ok {
		stage, _ = h.src.Desks.Look(f.ticket, rq.now)
	}
	b, err := json.Marshal(map[string]string{"stage": deskStages[stage]})
	if err != nil {
		return fmt.Errorf("stage: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b) // the peer went away: nothing to tell it
	return nil
}

// deskChoose is how long somebody with several accounts may take to choose one, from the proof on.
const deskChoose = time.Minute

// deskPerson uses the waiting sign-in up and gives whose card and PIN were right. Without one nothing is changed.
func (h *Handler) deskPerson(w http.ResponseWriter, rq *request, stepUp bool) (f flow, person string, err error) {
	if err := rq.form(); err != nil {
		return f, "", err
	}
	f, ok := h.waiting(rq, stepUp)
	d, err := h.deskOf(rq)
	if err != nil {
		return f, "", err
	}
	h.endFlow(w, rq, deskCookie)
	if !ok || d == nil || d.ID != f.desk {
		return f, "", nil
	}
	if f.person != "" { // proved before, and the account was still to be chosen
		if rq.now.Sub(f.proved) > deskChoose {
			return f, "", nil // whoever sits there now may be somebody else
		}
		return f, f.person, nil
	}
	person, _ = h.src.Desks.Take(f.ticket, rq.now)
	return f, person, nil
}

// postDeskDone signs in whose card and PIN were right. It is this browser's own request that begins the session, never the read.
func (h *Handler) postDeskDone(w http.ResponseWriter, rq *request) error {
	f, person, err := h.deskPerson(w, rq, false)
	if err != nil {
		return err
	}
	if person == "" {
		return h.loginAgain(w, rq, "desk.over")
	}
	list, err := h.src.Accounts.ListAccounts(rq.Context())
	if err != nil {
		return fmt.Errorf("accounts: %w", err)
	}
	var mine []Account
	for _, a := range list {
		if a.Person == person && !a.Suspended {
			mine = append(mine, a)
		}
	}
	if len(mine) == 0 {
		act := rq.action(ActionLoginFailed, "")
		act.Actor, act.Filter = "", "method="+methodCard
		if err := h.src.Audit.RecordAction(rq.Context(), act); err != nil {
			return fmt.Errorf("record failed login: %w", err)
		}
		return h.loginAgain(w, rq, "desk.no_account")
	}
	chosen := rq.post("account")
	for _, a := range mine {
		if len(mine) == 1 || a.ID == chosen {
			return h.signIn(w, rq, a, methodCard, f.next)
		}
	}
	if f.person == "" {
		f.person, f.proved = person, rq.now
	}
	if err := h.setFlow(w, rq, deskCookie, f); err != nil {
		return err
	}
	v := deskView{Base: h.base(rq, "desk.title"), At: deskAt(false), Stage: "choose"}
	v.Here = v.At
	for _, a := range mine {
		v.Choices = append(v.Choices, choice{Value: a.ID, Label: a.Name})
	}
	return h.render(w, rq, "desk", v)
}

// postStepUpDeskDone is the fresh check (D28): the card has to be the one of the person whose account this is.
func (h *Handler) postStepUpDeskDone(w http.ResponseWriter, rq *request) error {
	f, person, err := h.deskPerson(w, rq, true)
	if err != nil {
		return err
	}
	if person == "" {
		return h.refuseStepUp(w, rq, "desk.over")
	}
	if person != rq.account.Person {
		return h.refuseStepUp(w, rq, "desk.other_card")
	}
	rq.PostForm.Set("next", f.next)
	return h.stepped(w, rq, methodCard)
}
