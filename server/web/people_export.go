package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

type exportView struct {
	Base
	formView
	Kept       []pair // the filters of the list
	Count      string
	Uses       []choice
	Unwritable []string // names that Shift_JIS cannot write
	More       string   // how many more there are, "" = none
	StepUp     string
	Back       string
	Action     string
}

// Text is a field of the page's form.
func (v exportView) Text(name, label string, required bool, most int, help string) fieldView {
	return fieldOf(v.Base, v.formView, name, label, required, most, help)
}

// unwritableShown is how many names that would be spoilt a page lists.
const unwritableShown = 20

func (h *Handler) exportView(rq *request, q PeopleQuery, form formView) (exportView, error) {
	v := exportView{Base: h.base(rq, "people_export.title"), formView: form}
	v.clean()
	back := url.Values{}
	in := rq.URL.Query()
	for _, n := range []string{"q", "section", "category", "state", "within", "purpose"} {
		if in.Get(n) != "" {
			back.Set(n, in.Get(n))
		}
	}
	v.Back, v.Action = withQuery("/people", back), withQuery("/people/+export", back)
	v.Here = v.Action
	found, err := h.src.People.FindPeople(rq.Context(), q)
	if err != nil {
		return v, fmt.Errorf("people: %w", err)
	}
	v.Count = strconv.Itoa(found.Total)
	if v.Uses, err = h.purposeChoices(rq); err != nil {
		return v, err
	}
	for i := range v.Uses {
		v.Uses[i].Chosen = v.Uses[i].Value == v.F("use").Value
	}
	if v.Unwritable, err = h.src.People.Unwritable(rq.Context(), q); err != nil {
		return v, fmt.Errorf("names in Shift_JIS: %w", err)
	}
	if n := len(v.Unwritable) - unwritableShown; n > 0 {
		v.More, v.Unwritable = strconv.Itoa(n), v.Unwritable[:unwritableShown]
	}
	if h.freshAt(rq, "POST /people/+export") != "" {
		v.StepUp = "/step-up?" + url.Values{"next": {clip(v.Action, 900)}}.Encode()
	}
	return v, nil
}

// getExport says what would go out, before it does (A1): how many, and whose names a spreadsheet of old would lose.
func (h *Handler) getExport(w http.ResponseWriter, rq *request) error {
	purpose, err := rq.purpose()
	if err != nil {
		return h.askPurpose(w, rq, http.StatusBadRequest)
	}
	q, err := rq.peopleQuery()
	if err != nil {
		return err
	}
	if err := h.looked(rq, ActionViewPeople, purpose); err != nil {
		return err
	}
	v, err := h.exportView(rq, q, formView{Fields: map[string]Field{"use": {}, "reason": {}}})
	if err != nil {
		return err
	}
	return h.render(w, rq, "people_export", v)
}

// postExport gives the file. The leaf of it, with the number of rows and the file's hash, is committed first.
func (h *Handler) postExport(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	q, err := rq.peopleQuery()
	if err != nil {
		return err
	}
	var form formView
	form.typed(rq, "use", "reason")
	b := h.base(rq, "people_export.title")
	uses, err := h.purposeChoices(rq)
	if err != nil {
		return err
	}
	use := form.Fields["use"].Value
	if !slices.ContainsFunc(uses, func(c choice) bool { return c.Value == use }) {
		form.blame(b, "use", "required")
	}
	form.blame(b, "reason", textWord(form.Fields["reason"].Value, 1, 300))
	sjis := rq.post("encoding") == "shift_jis"
	var data []byte
	if !form.faulty() {
		act := rq.action(ActionViewPeople, "")
		act.Reason = form.Fields["reason"].Value
		data, err = h.src.People.ExportPeople(rq.Context(), q, use, sjis, act)
		var bad FormFault
		switch {
		case errors.As(err, &bad):
			for _, x := range bad {
				form.blame(b, x.Field, x.Word)
			}
		case err != nil:
			return fmt.Errorf("export: %w", err)
		}
	}
	if form.faulty() {
		v, err := h.exportView(rq, q, form)
		if err != nil {
			return err
		}
		return h.renderStatus(w, rq, "people_export", v, http.StatusUnprocessableEntity)
	}
	kind := "text/csv; charset=utf-8"
	if sjis {
		kind = "text/csv; charset=Shift_JIS"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="people-`+strings.ReplaceAll(rq.now.In(h.cfg.Zone).Format(dayLayout), "-", "")+`.csv"`)
	sendFile(w, data)
	return nil
}
