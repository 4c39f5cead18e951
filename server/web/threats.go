package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/server/directory"
	"monban/server/review"
)

// ActionThreats is a change of the catalogue of threats.
const ActionThreats ActionKind = "threats_changed"

const threatNameMost = 60

// threatRoles read the catalogue: whoever reads findings, and the CISO office, which changes it.
const threatRoles = caseRoles | groupC

// threatsView shows what the site's rules call the threats, which findings belong to each, and all versions that there were (A10).
type threatsView struct {
	Base
	formView
	StepUp   string
	MayEdit  bool
	Version  string
	Threats  []threatLine
	Versions []threatVersion
}

type threatLine struct {
	Word, Name, Names, NameEN string // Name: in force; Names, NameEN: of the fields
	Kinds                     string
}

type threatVersion struct {
	Number string
	From   time.Time
	Names  []fact
}

// Text is a field of the page's form.
func (v *threatsView) Text(name, label string, required bool, most int, help string) fieldView {
	return fieldOf(v.Base, v.formView, name, label, required, most, help)
}

// threatName is what a threat was called in a version: the program's own word where the site had said nothing.
func (b speaker) threatName(v review.ThreatVersion, t review.Threat) string {
	if n, ok := v.Names[t]; ok {
		return n.In(string(b.lang))
	}
	return b.T("threat." + string(t))
}

// threatOf is the threat of a finding by the name that it had when it was made.
func (h *Handler) threatOf(rq *request, b Base, f *Finding) (string, error) {
	c, err := h.src.Threats.Threats(rq.Context())
	if err != nil {
		return "", fmt.Errorf("threats: %w", err)
	}
	return b.say.threatName(c.At(f.At.UnixMilli()), review.Kind(f.Kind).Entry().Threat), nil
}

func threatFields() (out []string) {
	for _, t := range review.Threats() {
		out = append(out, string(t), string(t)+"_en")
	}
	return append(out, "reason")
}

func (h *Handler) threatsView(rq *request) (*threatsView, error) {
	c, err := h.src.Threats.Threats(rq.Context())
	if err != nil {
		return nil, fmt.Errorf("threats: %w", err)
	}
	v := &threatsView{Base: h.base(rq, "threat.title")}
	v.Here, v.MayEdit = "/findings/threats", rq.roles&rolesOf("POST /findings/threats") != 0
	if v.MayEdit && h.freshAt(rq, "POST /findings/threats") != "" {
		v.StepUp = "/step-up?next=/findings/threats"
	}
	now := c.Newest()
	v.Version = v.T("threat.version", "n", strconv.Itoa(now.Number))
	if now.Number == 0 {
		v.Version = v.T("threat.own_words")
	}
	v.Fields = map[string]Field{"reason": {}}
	for _, t := range review.Threats() {
		l := threatLine{Word: string(t), Name: v.say.threatName(now, t)}
		var kinds []string
		for _, e := range review.Catalogue() {
			if e.Threat == t && e.Kind != review.Duress { // which is named to nobody but whom it concerns
				kinds = append(kinds, v.T(e.Title))
			}
		}
		l.Kinds = strings.Join(kinds, v.T("list.separator"))
		v.Threats = append(v.Threats, l)
		n, ok := now.Names[t]
		if !ok {
			n.JA = v.T("threat." + string(t))
		}
		v.Fields[string(t)], v.Fields[string(t)+"_en"] = Field{Value: n.JA}, Field{Value: n.EN}
	}
	for _, x := range slices.Backward(c.Versions) {
		l := threatVersion{Number: strconv.Itoa(x.Number), From: time.UnixMilli(x.FromMS)}
		for _, t := range review.Threats() {
			l.Names = append(l.Names, fact{v.T("threat." + string(t)), v.say.threatName(x, t)})
		}
		v.Versions = append(v.Versions, l)
	}
	return v, nil
}

func (h *Handler) getThreats(w http.ResponseWriter, rq *request) error {
	v, err := h.threatsView(rq)
	if err != nil {
		return err
	}
	return h.render(w, rq, "threats", v)
}

// postThreats makes a new version with a reason; what was found before keeps the names that it had.
func (h *Handler) postThreats(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	v, err := h.threatsView(rq)
	if err != nil {
		return err
	}
	v.typed(rq, threatFields()...)
	names := map[review.Threat]review.ThreatName{}
	for _, t := range review.Threats() {
		n := review.ThreatName{JA: v.F(string(t)).Value, EN: v.F(string(t) + "_en").Value}
		for field, x := range map[string]struct {
			text  string
			least int
		}{string(t): {n.JA, 1}, string(t) + "_en": {n.EN, 0}} {
			v.blame(v.Base, field, textWord(x.text, x.least, threatNameMost))
			if directory.MyNumber(x.text) {
				v.blame(v.Base, field, "my_number")
			}
		}
		names[t] = n
	}
	v.blame(v.Base, "reason", textWord(v.F("reason").Value, 1, 300))
	if !v.faulty() {
		act := rq.action(ActionThreats, "")
		act.Reason = v.F("reason").Value
		err := h.src.Threats.SaveThreats(rq.Context(), names, act)
		var bad FormFault
		switch {
		case err == nil:
			return redirect(w, rq, "/findings/threats?done=threats_saved")
		case errors.As(err, &bad):
			for _, x := range bad {
				v.blame(v.Base, x.Field, x.Word)
			}
		default:
			return fmt.Errorf("threats: %w", err)
		}
	}
	v.clean()
	return h.renderStatus(w, rq, "threats", v, http.StatusUnprocessableEntity)
}
