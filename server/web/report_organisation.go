package web

import (
	"errors"
	"fmt"
	"net/http"

	"monban/server/directory"
	"monban/server/report"
)

// organisationFields are the fields of the page and the most characters of each.
var organisationFields = []struct {
	name string
	must bool
	most int
}{{"name", true, 60}, {"name_en", false, 60}, {"section", true, 60}, {"phone", true, 40}, {"address", false, 100}, {"reason", true, 300}}

// organisationView says whose papers these are and whom to ask (A33).
type organisationView struct {
	Base
	formView
	StepUp string
}

// Text is a field of the page's form.
func (v *organisationView) Text(name, label string, required bool, most int, help string) fieldView {
	return fieldOf(v.Base, v.formView, name, label, required, most, help)
}

func (h *Handler) organisationView(rq *request) *organisationView {
	v := &organisationView{Base: h.base(rq, "organisation.title")}
	v.Here = "/reports/organisation"
	if h.freshAt(rq, "POST /reports/organisation") != "" {
		v.StepUp = "/step-up?next=/reports/organisation"
	}
	return v
}

func (h *Handler) getOrganisation(w http.ResponseWriter, rq *request) error {
	o, err := h.src.Reports.Organisation(rq.Context())
	if err != nil {
		return fmt.Errorf("organisation: %w", err)
	}
	v := h.organisationView(rq)
	v.Fields = map[string]Field{"name": {Value: o.Name}, "name_en": {Value: o.NameEN}, "section": {Value: o.Section}, "phone": {Value: o.Phone}, "address": {Value: o.Address}, "reason": {}}
	return h.render(w, rq, "organisation", v)
}

// postOrganisation changes it with a reason; papers, alerts and stickers say the new one from then on.
func (h *Handler) postOrganisation(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	v := h.organisationView(rq)
	v.typed(rq, "name", "name_en", "section", "phone", "address", "reason")
	for _, f := range organisationFields {
		text, least := v.F(f.name).Value, 0
		if f.must {
			least = 1
		}
		v.blame(v.Base, f.name, textWord(text, least, f.most))
		if directory.MyNumber(text) {
			v.blame(v.Base, f.name, "my_number")
		}
	}
	if !v.faulty() {
		act := rq.action(ActionOrganisation, "")
		act.Reason = v.F("reason").Value
		o := report.Organisation{Name: v.F("name").Value, NameEN: v.F("name_en").Value, Section: v.F("section").Value, Phone: v.F("phone").Value, Address: v.F("address").Value}
		err := h.src.Reports.SaveOrganisation(rq.Context(), o, act)
		var bad FormFault
		switch {
		case err == nil:
			return redirect(w, rq, "/reports/organisation?done=organisation_saved")
		case errors.As(err, &bad):
			for _, x := range bad {
				v.blame(v.Base, x.Field, x.Word)
			}
		default:
			return fmt.Errorf("organisation: %w", err)
		}
	}
	v.clean()
	return h.renderStatus(w, rq, "organisation", v, http.StatusUnprocessableEntity)
}
