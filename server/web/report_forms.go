package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"monban/server/report"
)

type reportFormsView struct {
	Base
	formView
	Zones  []choice
	Kinds  []choice
	Kind   string
	Zone   string
	Place  []columnPlace
	StepUp string
}

// columnPlace is a column with its place in the row; "" = it is left out.
type columnPlace struct{ Name, Label, Place string }

// Text is a field of the page's form.
func (v *reportFormsView) Text(name, label string, required bool, most int, help string) fieldView {
	return fieldOf(v.Base, v.formView, name, label, required, most, help)
}

// formsView shows how a kind's papers of a zone look now.
func (h *Handler) formsView(rq *request, kind, zone string) (*reportFormsView, report.Form, error) {
	v := &reportFormsView{Base: h.base(rq, "report.forms"), Kind: kind, Zone: zone}
	v.Here = withQuery("/reports/forms", url.Values{"report": {kind}, "zone": {zone}})
	if reportKindOf(kind) == nil {
		return nil, report.Form{}, ErrNotFound
	}
	for _, k := range reportKinds() {
		v.Kinds = append(v.Kinds, choice{k.word, v.T("report_kind." + k.word), k.word == kind})
	}
	zones, err := h.zonesInReach(rq)
	if err != nil {
		return nil, report.Form{}, err
	}
	found := zone == ""
	v.Zones = []choice{{"", v.T("report.every_zone"), zone == ""}}
	for _, z := range zones {
		v.Zones = append(v.Zones, choice{string(z.ID), v.zoneLabel(z), string(z.ID) == zone})
		found = found || string(z.ID) == zone
	}
	if !found {
		return nil, report.Form{}, ErrNotFound
	}
	if h.freshAt(rq, "POST /reports/forms") != "" {
		v.StepUp = "/step-up?" + url.Values{"next": {clip(v.Here, 900)}}.Encode()
	}
	forms, err := h.src.Reports.ReportForms(rq.Context())
	if err != nil {
		return nil, report.Form{}, fmt.Errorf("forms of reports: %w", err)
	}
	return v, forms.Of(kind, zone), nil
}

// fill writes a form into the fields.
func (v *reportFormsView) fill(f *report.Form) {
	v.Fields = map[string]Field{"name": {Value: f.Name}, "number": {Value: f.Number}, "seals": {Value: strings.Join(f.Seals, " ")}, "reason": {}}
	if v.Kind != "entry_register" {
		return
	}
	for _, c := range registerColumns {
		x := columnPlace{Name: "column_" + c.word, Label: v.T(c.label)}
		if i := slices.IndexFunc(chosenColumns(f), func(d paperColumn) bool { return d.word == c.word }); i >= 0 {
			x.Place = strconv.Itoa(i + 1)
		}
		v.Place = append(v.Place, x)
	}
}

func (h *Handler) getReportForms(w http.ResponseWriter, rq *request) error {
	kind := rq.URL.Query().Get("report")
	if kind == "" {
		kind = "entry_register"
	}
	v, form, err := h.formsView(rq, kind, rq.URL.Query().Get("zone"))
	if err != nil {
		return err
	}
	v.fill(&form)
	return h.render(w, rq, "report_forms", v)
}

// postReportForm changes the form of one kind and zone. A zone's manager changes that zone's, the CISO office all.
func (h *Handler) postReportForm(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	kind, zone := rq.post("report"), accessZone(rq.post("zone"))
	if !rq.may(formRoles, zone) {
		return errForbidden
	}
	v, _, err := h.formsView(rq, kind, string(zone))
	if err != nil {
		return err
	}
	form := report.Form{Name: strings.TrimSpace(rq.post("name")), Number: strings.TrimSpace(rq.post("number")), Seals: strings.Fields(rq.post("seals"))}
	v.fill(&form)
	v.typed(rq, "name", "number", "seals", "reason")
	v.blame(v.Base, "name", textWord(form.Name, 0, 60))
	v.blame(v.Base, "number", textWord(form.Number, 0, 30))
	v.blame(v.Base, "reason", textWord(v.F("reason").Value, 1, 300))
	if len(form.Seals) > 6 || slices.ContainsFunc(form.Seals, func(s string) bool { return textWord(s, 1, 12) != "" }) {
		v.blame(v.Base, "seals", "too_long")
	}
	if columns, ok := v.places(rq); ok {
		form.Columns = columns
	} else {
		v.Fault = v.T("report.bad_places")
	}
	if !v.faulty() {
		act := rq.action(ActionReportForm, kind)
		act.Reason = v.F("reason").Value
		err := h.src.Reports.SaveReportForm(rq.Context(), kind, zone, form, act)
		var bad FormFault
		switch {
		case err == nil:
			return redirect(w, rq, withQuery("/reports/forms", url.Values{"report": {kind}, "zone": {string(zone)}, "done": {"forms_saved"}}))
		case errors.As(err, &bad):
			for _, x := range bad {
				v.blame(v.Base, x.Field, x.Word)
			}
		default:
			return fmt.Errorf("form of a report: %w", err)
		}
	}
	return h.renderStatus(w, rq, "report_forms", v, http.StatusUnprocessableEntity)
}

// places reads the columns in the order of the numbers that were typed; a column without one is left out. The usual order is kept as
// none, so that a column that comes with a later version is there.
func (v *reportFormsView) places(rq *request) (out []string, ok bool) {
	at := map[string]int{}
	for i := range v.Place {
		p := &v.Place[i]
		p.Place = clip(strings.TrimSpace(rq.post(p.Name)), 4)
		if p.Place == "" {
			continue
		}
		n, err := strconv.Atoi(p.Place)
		if err != nil || n < 1 || n > 99 {
			return nil, false
		}
		word := strings.TrimPrefix(p.Name, "column_")
		at[word], out = n, append(out, word)
	}
	slices.SortStableFunc(out, func(a, b string) int { return at[a] - at[b] })
	if slices.Equal(out, registerColumnWords()) {
		return nil, true
	}
	return out, len(out) > 0 || len(v.Place) == 0
}
