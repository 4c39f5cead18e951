package web

import (
	"net/http"
	"slices"
)

// purposeView asks what somebody is looked for, before anything is shown (PR-4).
type purposeView struct {
	Base
	Action   string
	Kept     []pair // the question that was asked, to be asked again with the purpose
	Typed    Field
	Purposes []string // registered purposes of use, to choose from
}

// pair is a hidden field of a form.
type pair struct{ Name, Value string }

// askPurpose answers a question about a person that came without a purpose. Nothing was looked up.
func (h *Handler) askPurpose(w http.ResponseWriter, rq *request, code int) error {
	v := purposeView{Base: h.base(rq, "purpose.title"), Action: rq.URL.Path}
	in := rq.URL.Query()
	v.Typed.Value = clip(in.Get("purpose"), 600)
	if in.Has("purpose") {
		v.Typed.Error = v.T("people_fault.purpose")
	}
	for name, values := range in {
		if name != "purpose" && name != "done" {
			for _, value := range values {
				v.Kept = append(v.Kept, pair{clip(name, 64), clip(value, 600)})
			}
		}
	}
	slices.SortStableFunc(v.Kept, func(a, b pair) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	var err error
	if v.Purposes, err = h.purposeNames(rq); err != nil {
		return err
	}
	return h.renderStatus(w, rq, "purpose", v, code)
}

// purposeNames are the registered purposes of use in the page's language.
func (h *Handler) purposeNames(rq *request) ([]string, error) {
	list, err := h.purposeChoices(rq)
	names := make([]string, 0, len(list))
	for _, c := range list {
		names = append(names, c.Label)
	}
	return names, err
}

func (h *Handler) purposeChoices(rq *request) (out []choice, err error) {
	all, err := h.src.Privacy.PurposesOfUse(rq.Context())
	if err != nil {
		return nil, err
	}
	for _, p := range all.Purposes {
		name := p.Name
		if rq.lang == English && p.NameEN != "" {
			name = p.NameEN
		}
		out = append(out, choice{Value: p.Use, Label: name})
	}
	return out, nil
}
