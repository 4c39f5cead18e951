package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"monban/firmware/wiegand"
)

type cardFormView struct {
	Base
	formView
	ID, Name   string
	Back       string
	Waits      bool // the card waits for a second person: its holder has rights at level 2 or 3
	Formats    []choice
	Assurances []choice
}

// Text is a field of the page's form.
func (v cardFormView) Text(name, label string, required bool, most int, help string) fieldView {
	return fieldOf(v.Base, v.formView, name, label, required, most, help)
}

var (
	cardFields   = []string{"id", "format", "assurance", "valid_from", "valid_until", "reason"}
	cardSecrets  = []string{"facility", "number", "pin"}
	assuranceSet = []string{"uid_only", "card_auth", "mutual_auth"}
)

func (h *Handler) cardForm(rq *request, f PersonFile, purpose string, form formView) cardFormView {
	v := cardFormView{Base: h.base(rq, "card_form.title"), formView: form, ID: f.ID, Name: f.Name, Back: personHref(f.ID, purpose), Waits: f.Protected}
	v.Purpose = purpose
	v.clean()
	for _, n := range cardSecrets { // never shown again, also not to who typed it
		x := v.Fields[n]
		x.Value = ""
		v.Fields[n] = x
	}
	v.Here = v.Back
	for _, l := range wiegand.Formats() {
		name := string(l.Name())
		v.Formats = append(v.Formats, choice{name, name, name == v.F("format").Value})
	}
	for _, a := range assuranceSet {
		v.Assurances = append(v.Assurances, choice{a, v.T("assurance." + a), a == v.F("assurance").Value})
	}
	return v
}

func (h *Handler) getCardNew(w http.ResponseWriter, rq *request) error {
	if !rq.mayKeep() {
		return errForbidden
	}
	f, purpose, err := h.personFor(w, rq)
	if err != nil {
		return err
	}
	if f.Guest {
		return ErrNotFound
	}
	return h.render(w, rq, "card_form", h.cardForm(rq, f, purpose, formView{Fields: map[string]Field{}}))
}

// postCardNew gives somebody a card. The number is typed once, becomes a reference, and is in no answer, leaf or log.
func (h *Handler) postCardNew(w http.ResponseWriter, rq *request) error {
	f, purpose, err := h.personPosted(rq)
	if err != nil {
		return err
	}
	var form formView
	form.typed(rq, append(slices.Clone(cardFields), cardSecrets...)...)
	b := h.base(rq, "card_form.title")
	get := func(name string) string { return form.Fields[name].Value }
	c := CardInput{ID: get("id"), Person: f.ID, Format: get("format"), Assurance: get("assurance"), Facility: get("facility"), Number: get("number"),
		ValidFrom: get("valid_from"), ValidUntil: get("valid_until"), PIN: get("pin")}
	if !identifier(c.ID) || len(c.ID) > 32 {
		form.blame(b, "id", "identifier")
	}
	if !slices.ContainsFunc(wiegand.Formats(), func(l wiegand.Layout) bool { return string(l.Name()) == c.Format }) {
		form.blame(b, "format", "required")
	}
	if !slices.Contains(assuranceSet, c.Assurance) {
		form.blame(b, "assurance", "required")
	}
	if c.Facility != "" && !digits(c.Facility, 1, 10) {
		form.blame(b, "facility", "digits")
	}
	if !digits(c.Number, 1, 19) {
		form.blame(b, "number", "digits")
	}
	if c.PIN != "" && !digits(c.PIN, 4, 8) {
		form.blame(b, "pin", "pin")
	}
	form.blame(b, "valid_from", dayWord(c.ValidFrom))
	form.blame(b, "valid_until", dayWord(c.ValidUntil))
	form.blame(b, "valid_until", orderWord(c.ValidFrom, c.ValidUntil))
	form.blame(b, "reason", textWord(get("reason"), 1, 300))
	show := func() error {
		return h.renderStatus(w, rq, "card_form", h.cardForm(rq, f, purpose, form), http.StatusUnprocessableEntity)
	}
	if form.faulty() {
		return show()
	}
	act := rq.action(ActionCardAdded, "")
	act.Reason = get("reason")
	e, err := h.src.People.AddCard(rq.Context(), c, act)
	return h.secretDone(w, rq, b, f.ID, purpose, &form, e, "card_added", err, show)
}

// secretDone answers a form that held a number or a PIN.
func (h *Handler) secretDone(w http.ResponseWriter, rq *request, b Base, person, purpose string, form *formView, e Effect, done string, err error, show func() error) error {
	var bad FormFault
	switch {
	case errors.As(err, &bad):
		for _, x := range bad {
			form.blame(b, x.Field, x.Word)
		}
		return show()
	case err != nil:
		return fmt.Errorf("card: %w", err)
	case e.Nothing():
		form.blame(b, "", "nothing")
		return show()
	}
	return redirect(w, rq, withQuery("/people/"+person, url.Values{"purpose": {purpose}, "done": {e.done(done)}}))
}

// personPosted is the person that a form is about, for who may keep the directory.
func (h *Handler) personPosted(rq *request) (f PersonFile, purpose string, err error) {
	if !rq.mayKeep() {
		return f, "", errForbidden
	}
	if err := rq.form(); err != nil {
		return f, "", err
	}
	id, err := rq.pathID("person")
	if err != nil {
		return f, "", err
	}
	if purpose, err = rq.postedPurpose(); err != nil {
		return f, "", err
	}
	f, err = h.src.People.PersonFile(rq.Context(), id)
	if err == nil && f.Guest {
		err = ErrNotFound
	}
	if err != nil {
		return f, "", fmt.Errorf("person: %w", err)
	}
	return f, purpose, nil
}

// digits reports whether s is least to most digits 0–9.
func digits(s string, least, most int) bool {
	return len(s) >= least && len(s) <= most && strings.Trim(s, "0123456789") == ""
}

type pinFormView struct {
	Base
	formView
	ID, Name, Card string
	Back           string
	Set            bool // there is one already
	Waits          bool // a first PIN of somebody with rights at level 2 or 3 waits for a second person
}

// Text is a field of the page's form.
func (v pinFormView) Text(name, label string, required bool, most int, help string) fieldView {
	return fieldOf(v.Base, v.formView, name, label, required, most, help)
}

func (h *Handler) pinForm(rq *request, f PersonFile, card, purpose string, form formView) (pinFormView, error) {
	v := pinFormView{Base: h.base(rq, "pin_form.title"), formView: form, ID: f.ID, Name: f.Name, Card: card, Back: personHref(f.ID, purpose)}
	v.Purpose, v.Here = purpose, v.Back
	for _, n := range []string{"pin", "repeat", "duress"} {
		if x, ok := v.Fields[n]; ok {
			x.Value = ""
			v.Fields[n] = x
		}
	}
	v.clean()
	for _, c := range f.Cards {
		if c.ID == card && c.Lent == "" {
			v.Set = c.PIN
			v.Waits = !c.PIN && (f.Protected || c.Recovery)
			return v, nil
		}
	}
	return v, ErrNotFound
}

func (h *Handler) getPIN(w http.ResponseWriter, rq *request) error {
	if !rq.mayKeep() {
		return errForbidden
	}
	f, purpose, err := h.personFor(w, rq)
	if err != nil {
		return err
	}
	v, err := h.pinForm(rq, f, rq.PathValue("card"), purpose, formView{Fields: map[string]Field{}})
	if err != nil {
		return err
	}
	return h.render(w, rq, "pin_form", v)
}

// postPIN sets or takes away a PIN. Digits are in no answer, leaf or log (D10).
func (h *Handler) postPIN(w http.ResponseWriter, rq *request) error {
	f, purpose, err := h.personPosted(rq)
	if err != nil {
		return err
	}
	var form formView
	form.typed(rq, "pin", "repeat", "duress", "reason")
	b, card := h.base(rq, "pin_form.title"), rq.PathValue("card")
	get := func(name string) string { return form.Fields[name].Value }
	pin, duress := get("pin"), get("duress")
	if rq.post("remove") != "" {
		pin, duress = "", ""
	} else {
		if !digits(pin, 4, 8) {
			form.blame(b, "pin", "pin")
		}
		if get("repeat") != pin {
			form.blame(b, "repeat", "differs")
		}
		if duress != "" && !digits(duress, 4, 8) {
			form.blame(b, "duress", "pin")
		}
		if duress != "" && duress == pin {
			form.blame(b, "duress", "duress_same")
		}
	}
	form.blame(b, "reason", textWord(get("reason"), 1, 300))
	v, err := h.pinForm(rq, f, card, purpose, form) // the card is there, and this person's
	if err != nil {
		return err
	}
	show := func() error {
		v.formView.Fields, v.Fault = form.Fields, form.Fault
		for _, n := range []string{"pin", "repeat", "duress"} {
			v.Fields[n] = Field{Error: v.Fields[n].Error}
		}
		return h.renderStatus(w, rq, "pin_form", v, http.StatusUnprocessableEntity)
	}
	if form.faulty() {
		return show()
	}
	act := rq.action(ActionPINSet, "")
	act.Reason = get("reason")
	e, err := h.src.People.SetPIN(rq.Context(), f.ID, card, pin, duress, act)
	return h.secretDone(w, rq, b, f.ID, purpose, &form, e, "pin_set", err, show)
}
