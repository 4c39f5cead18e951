package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// personKinds are the kinds of each category (AD-2). School employees are visitors (A8).
var personKinds = map[string][]string{
	"staff":      {"regular", "part_time", "reappointed", "special_post"},
	"contractor": {"outsourcer", "designated_manager", "housing_proxy"},
	"visitor":    {"supplier", "school_employee", "inspector", "public", "other"},
}

var categories = []string{"staff", "contractor", "visitor"}

// formView is a form of several fields, with what was typed and what is wrong with it.
type formView struct {
	Fields  map[string]Field
	Purpose string
	Fault   string // of the form as a whole
}

// F is a field for the template.
func (f formView) F(name string) Field { return f.Fields[name] }

// Bad says whether a field is at fault.
func (f formView) Bad(name string) bool { return f.Fields[name].Error != "" }

// typed takes what was posted.
func (f *formView) typed(rq *request, names ...string) {
	f.Fields = make(map[string]Field, len(names))
	for _, n := range names {
		f.Fields[n] = Field{Value: strings.TrimSpace(rq.post(n))}
	}
}

// blame marks a field; the first fault of a field stays.
func (f *formView) blame(b Base, name, word string) {
	if word == "" {
		return
	}
	x, known := f.Fields[name]
	if !known {
		if f.Fault == "" {
			f.Fault = b.T("people_fault." + word)
		}
		return
	}
	if x.Error == "" {
		x.Error = b.T("people_fault." + word)
		f.Fields[name] = x
	}
}

func (f *formView) faulty() bool {
	for _, x := range f.Fields {
		if x.Error != "" {
			return true
		}
	}
	return f.Fault != ""
}

// clean makes what was typed fit for a page: ten kilobytes of a name are shown in part.
func (f *formView) clean() {
	for n, x := range f.Fields {
		x.Value = clip(strings.ToValidUTF8(x.Value, "\ufffd"), 2000)
		f.Fields[n] = x
	}
}

type personFormView struct {
	Base
	formView
	Fresh      bool
	ID         string
	Action     string
	Back       string
	Categories []choice
	Kinds      []kindGroup
}

type kindGroup struct {
	Label string
	Kinds []choice
}

var personFields = []string{"id", "name", "name_reduced", "kana", "romaji", "section", "company", "category", "kind", "valid_from", "valid_until",
	"contract_from", "contract_until", "training_until", "may_escort", "reason"}

func (h *Handler) personForm(rq *request, fresh bool, id, purpose string, form formView) personFormView {
	title := "person_form.change"
	if fresh {
		title = "person_form.new"
	}
	v := personFormView{Base: h.base(rq, title), formView: form, Fresh: fresh, ID: id, Action: "/people/" + id, Back: personHref(id, purpose)}
	v.Purpose = purpose
	v.clean()
	if fresh {
		v.Action, v.Back = "/people", withQuery("/people", url.Values{"purpose": {purpose}})
	}
	v.Here = v.Back
	for _, c := range categories {
		v.Categories = append(v.Categories, choice{c, v.T("category." + c), v.F("category").Value == c})
		g := kindGroup{Label: v.T("category." + c)}
		for _, k := range personKinds[c] {
			g.Kinds = append(g.Kinds, choice{k, v.T("person_kind." + k), v.F("kind").Value == k})
		}
		v.Kinds = append(v.Kinds, g)
	}
	return v
}

func (h *Handler) getPersonNew(w http.ResponseWriter, rq *request) error {
	if !rq.mayKeep() {
		return errForbidden
	}
	purpose, err := rq.purpose()
	if err != nil {
		return h.askPurpose(w, rq, http.StatusBadRequest)
	}
	form := formView{Fields: map[string]Field{"category": {Value: "staff"}}}
	return h.render(w, rq, "person_form", h.personForm(rq, true, "", purpose, form))
}

func (h *Handler) getPersonEdit(w http.ResponseWriter, rq *request) error {
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
	form := formView{Fields: map[string]Field{}}
	escort := ""
	if f.MayEscort {
		escort = "yes"
	}
	for name, value := range map[string]string{"id": f.ID, "name": f.Name, "name_reduced": f.NameReduced, "kana": f.Kana, "romaji": f.Romaji, "section": f.Section,
		"company": f.Company, "category": f.Category, "kind": f.Kind, "valid_from": f.ValidFrom, "valid_until": f.ValidUntil, "contract_from": f.ContractFrom,
		"contract_until": f.ContractUntil, "training_until": f.TrainingUntil, "may_escort": escort} {
		form.Fields[name] = Field{Value: value}
	}
	return h.render(w, rq, "person_form", h.personForm(rq, false, f.ID, purpose, form))
}

// personInput reads and checks the form of a person. What it cannot know (Individual Numbers, a number that is taken) the
// directory says.
func personInput(b Base, form *formView) PersonInput {
	get := func(name string) string { return form.Fields[name].Value }
	if !identifier(get("id")) || len(get("id")) > 32 {
		form.blame(b, "id", cmp.Or(textWord(get("id"), 1, 32), "identifier"))
	}
	form.blame(b, "name", textWord(get("name"), 1, 100))
	for _, n := range []string{"name_reduced", "kana", "romaji", "section", "company"} {
		form.blame(b, n, textWord(get(n), 0, 100))
	}
	form.blame(b, "reason", textWord(get("reason"), 1, 300))
	for _, n := range []string{"valid_from", "valid_until", "contract_from", "contract_until", "training_until"} {
		form.blame(b, n, dayWord(get(n)))
	}
	form.blame(b, "valid_until", orderWord(get("valid_from"), get("valid_until")))
	form.blame(b, "contract_until", orderWord(get("contract_from"), get("contract_until")))
	category := get("category")
	if !slices.Contains(categories, category) {
		form.blame(b, "category", "required")
	} else if kind := get("kind"); kind != "" && !slices.Contains(personKinds[category], kind) {
		form.blame(b, "kind", "kind")
	}
	if category == "contractor" && get("contract_until") == "" {
		form.blame(b, "contract_until", "contract_end") // A9, AD-6
	}
	if category == "visitor" && get("may_escort") != "" {
		form.blame(b, "may_escort", "visitor_escort") // VE-2
	}
	return PersonInput{RegPerson: RegPerson{ID: get("id"), Name: get("name"), NameReduced: get("name_reduced"), Kana: get("kana"), Romaji: get("romaji"),
		Section: get("section"), Company: get("company"), Category: category, Kind: get("kind"), ValidFrom: get("valid_from"), ValidUntil: get("valid_until"),
		TrainingUntil: get("training_until"), MayEscort: get("may_escort") != ""}, ContractFrom: get("contract_from"), ContractUntil: get("contract_until")}
}

func (h *Handler) postPersonNew(w http.ResponseWriter, rq *request) error {
	return h.savePerson(w, rq, true)
}

func (h *Handler) postPerson(w http.ResponseWriter, rq *request) error {
	return h.savePerson(w, rq, false)
}

func (h *Handler) savePerson(w http.ResponseWriter, rq *request, fresh bool) error {
	if !rq.mayKeep() {
		return errForbidden
	}
	if err := rq.form(); err != nil {
		return err
	}
	purpose, err := rq.postedPurpose()
	if err != nil {
		return err
	}
	var form formView
	form.typed(rq, personFields...)
	if !fresh {
		id, err := rq.pathID("person")
		if err != nil {
			return err
		}
		form.Fields["id"] = Field{Value: id}
	}
	b := h.base(rq, "person_form.change")
	p := personInput(b, &form)
	show := func(code int) error {
		return h.renderStatus(w, rq, "person_form", h.personForm(rq, fresh, p.ID, purpose, form), code)
	}
	if form.faulty() {
		return show(http.StatusUnprocessableEntity)
	}
	if rq.again() {
		return show(http.StatusOK)
	}
	act := rq.action(ActionPersonSaved, "")
	act.Reason = form.Fields["reason"].Value
	e, err := h.src.People.SavePerson(rq.Context(), p, fresh, !rq.sure(), act)
	var bad FormFault
	switch {
	case errors.As(err, &bad):
		for _, x := range bad {
			form.blame(b, x.Field, x.Word)
		}
		return show(http.StatusUnprocessableEntity)
	case err != nil:
		return fmt.Errorf("save person: %w", err)
	case e.Nothing():
		form.blame(b, "", "nothing")
		return show(http.StatusUnprocessableEntity)
	case !rq.sure():
		heading := "person_form.sure_change"
		if fresh {
			heading = "person_form.sure_new"
		}
		return h.effectView(w, rq, heading, e)
	}
	return redirect(w, rq, withQuery("/people/"+p.ID, url.Values{"purpose": {purpose}, "done": {e.done("person_saved")}}))
}

// done is the notice of a change: what it did, or that it waits.
func (e Effect) done(word string) string {
	if len(e.Waiting) > 0 {
		return "waits"
	}
	return word
}

// postPersonActive suspends a person as a whole, at once, or lifts that.
func (h *Handler) postPersonActive(w http.ResponseWriter, rq *request, active bool) error {
	if !rq.mayKeep() {
		return errForbidden
	}
	if err := rq.form(); err != nil {
		return err
	}
	id, err := rq.pathID("person")
	if err != nil {
		return err
	}
	purpose, err := rq.postedPurpose()
	if err != nil {
		return err
	}
	act := rq.action(ActionPersonSaved, "")
	act.Reason = strings.TrimSpace(rq.post("reason"))
	if key := reasonFaultOf(act.Reason); key != "" {
		return h.refusePerson(w, rq, id, purpose, "", key, http.StatusUnprocessableEntity)
	}
	e, err := h.src.People.SetPersonActive(rq.Context(), id, active, act)
	done := "person_stopped"
	if active {
		done = "person_started"
	}
	return h.cardDone(w, rq, id, purpose, "", len(e.Waiting) > 0, done, err)
}

func (h *Handler) postPersonStop(w http.ResponseWriter, rq *request) error {
	return h.postPersonActive(w, rq, false)
}

func (h *Handler) postPersonStart(w http.ResponseWriter, rq *request) error {
	return h.postPersonActive(w, rq, true)
}
