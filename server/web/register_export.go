package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"monban/firmware/access"
	"monban/server/register"
)

// registerExportRoles take a register out of the house, each time with a reason, a purpose of use and a leaf.
const registerExportRoles = groupF | groupA | groupC

type registerExportView struct {
	registerView
	formView
	Uses       []choice
	Unwritable []string // cells that Shift_JIS cannot write
	More       string   // how many more there are, "" = none
	StepUp     string
	Back       string
	Action     string
}

// Text is a field of the page's form.
func (v registerExportView) Text(name, label string, required bool, most int, help string) fieldView {
	return fieldOf(v.Base, v.formView, name, label, required, most, help)
}

// Wrong is what is wrong with the whole form or with the period.
func (v registerExportView) Wrong() string { return cmp.Or(v.registerView.Fault, v.formView.Fault) }

// getRegisterExport says what would go out, and which letters a spreadsheet of old would lose, before it does.
func (h *Handler) getRegisterExport(w http.ResponseWriter, rq *request) error {
	v, cells, err := h.registerExport(rq, formView{Fields: map[string]Field{"use": {}, "reason": {}}})
	if err != nil {
		return err
	}
	if err := h.viewed(rq, ActionViewRegister, v.Zone); err != nil {
		return err
	}
	v.spoilt(h.src.Registers, cells)
	return h.renderStatus(w, rq, "register_export", v, v.status())
}

// registerExport reads the register that is asked for, as the page shows it.
func (h *Handler) registerExport(rq *request, form formView) (*registerExportView, [][]string, error) {
	v := &registerExportView{registerView: registerView{Base: h.base(rq, "register_export.title")}, formView: form}
	v.clean()
	if err := h.registerForm(rq, &v.registerView); err != nil {
		return nil, nil, err
	}
	if !rq.names {
		return nil, nil, errForbidden // a register without names is none
	}
	keep := url.Values{}
	for _, k := range []string{"zone", "from", "to", "dates", "all"} {
		if x := rq.URL.Query().Get(k); x != "" {
			keep.Set(k, x)
		}
	}
	v.Back, v.Action = withQuery("/register", keep), withQuery("/register/export", keep)
	v.Here = v.Action
	if v.registerView.Fault != "" || v.Zone == "" {
		return v, nil, nil
	}
	var err error
	if v.Uses, err = h.purposeChoices(rq); err != nil {
		return nil, nil, err
	}
	for i := range v.Uses {
		v.Uses[i].Chosen = v.Uses[i].Value == v.F("use").Value
	}
	if h.freshAt(rq, "POST /register/export") != "" {
		v.StepUp = "/step-up?" + url.Values{"next": {clip(v.Action, 900)}}.Encode()
	}
	reg, err := h.src.Registers.Register(rq.Context(), RegisterQuery{Zone: access.ZoneID(v.Zone), From: v.From, To: v.To, Names: true})
	if err != nil {
		return nil, nil, fmt.Errorf("register of %s: %w", v.Zone, err)
	}
	cells := [][]string{v.head()}
	for i := range reg.Rows {
		if r := &reg.Rows[i]; v.All || r.State != register.Denied {
			cells = append(cells, v.cells(len(cells), r))
		}
	}
	v.Total = strconv.Itoa(len(cells) - 1)
	return v, cells, nil
}

// head are the column heads, those of the printed register.
func (v *registerView) head() []string {
	return []string{
		v.T("register.no"), v.T("register.day"), v.T("register.in"), v.T("register.out"), v.T("register.name_only"), v.T("register.affiliation"), v.T("register.category"), v.T("register.purpose"),
		v.T("register.system"), v.T("register.approver"), v.T("register.attendee"), v.T("register.badge_only"), v.T("register.items"), v.T("register.identity"), v.T("register.state"), v.T("register.remarks"),
	}
}

func (v *registerView) cells(no int, r *RegisterRow) []string {
	l := v.registerLine(r)
	return []string{
		strconv.Itoa(no), l.Day, l.In, l.Out, l.Who.Name, l.Who.Section, l.Category, l.Purpose, l.System, l.Approver, l.Attendee, l.Badge,
		strings.Join(l.Items, v.T("list.separator")), l.Identity, l.State.Word, strings.Join(append([]string{l.Door}, l.Notes...), v.T("list.separator")),
	}
}

// spoilt lists the cells that Shift_JIS would write with a 〓, by row.
func (v *registerExportView) spoilt(src Registers, cells [][]string) {
	for i, row := range cells {
		for _, cell := range row {
			if i > 0 && src.Spoilt(cell) {
				v.Unwritable = append(v.Unwritable, v.T("register_export.cell", "no", row[0], "text", cell))
			}
		}
	}
	if n := len(v.Unwritable) - unwritableShown; n > 0 {
		v.More, v.Unwritable = strconv.Itoa(n), v.Unwritable[:unwritableShown]
	}
}

// postRegisterExport gives the file. The leaf of it, with the number of rows and the file's hash, is committed first.
func (h *Handler) postRegisterExport(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	var form formView
	form.typed(rq, "use", "reason")
	v, cells, err := h.registerExport(rq, form)
	if err != nil {
		return err
	}
	if v.registerView.Fault != "" || v.Zone == "" {
		return h.renderStatus(w, rq, "register_export", v, http.StatusUnprocessableEntity)
	}
	use, sjis := form.Fields["use"].Value, rq.post("encoding") == "shift_jis"
	if !slices.ContainsFunc(v.Uses, func(c choice) bool { return c.Value == use }) {
		v.blame(v.Base, "use", "required")
	}
	v.blame(v.Base, "reason", textWord(form.Fields["reason"].Value, 1, 300))
	var data []byte
	if !v.faulty() {
		act := rq.action(ActionRegisterExported, v.Zone)
		act.Reason = form.Fields["reason"].Value
		data, err = h.src.Registers.ExportRegister(rq.Context(), cells, use, sjis, act)
		var bad FormFault
		switch {
		case errors.As(err, &bad):
			for _, x := range bad {
				v.blame(v.Base, x.Field, x.Word)
			}
		case err != nil:
			return fmt.Errorf("export: %w", err)
		}
	}
	if v.faulty() {
		v.spoilt(h.src.Registers, cells)
		return h.renderStatus(w, rq, "register_export", v, http.StatusUnprocessableEntity)
	}
	kind := "text/csv; charset=utf-8"
	if sjis {
		kind = "text/csv; charset=Shift_JIS"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="register-`+strings.ReplaceAll(v.From, "-", "")+"-"+strings.ReplaceAll(v.To, "-", "")+`.csv"`)
	_, _ = w.Write(data) // the peer went away: nothing to tell it
	return nil
}
