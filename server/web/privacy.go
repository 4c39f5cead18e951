package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// ErrBadPurpose says that a purpose of use is malformed, or must not be taken away.
var ErrBadPurpose = errors.New("purpose of use is malformed")

type privacyView struct {
	Base
	Purposes  []purposeLine
	Entry     []fileLine
	MayChange bool
	Fault     string
	Typed     PurposeOfUse
	Reason    string
}

type purposeLine struct {
	Use, Name, Basis string
	Fixed            bool // the doors run by it
}

type fileLine struct {
	Name  string
	Lines []string
}

func (h *Handler) privacyView(rq *request) (privacyView, error) {
	v := privacyView{Base: h.base(rq, "privacy.title"), MayChange: rq.roles&rolesOf("POST /privacy") != 0}
	v.Here = "/privacy"
	all, err := h.src.Privacy.PurposesOfUse(rq.Context())
	if err != nil {
		return v, fmt.Errorf("purposes of use: %w", err)
	}
	for _, p := range all.Purposes {
		l := purposeLine{Use: p.Use, Name: p.Name, Basis: p.Basis, Fixed: p.Use == "entry_control"}
		if rq.lang == English && p.NameEN != "" {
			l.Name = p.NameEN
		}
		v.Purposes = append(v.Purposes, l)
	}
	for _, e := range all.Entry {
		v.Entry = append(v.Entry, fileLine{v.T("file_item." + e.Item), e.Lines})
	}
	return v, nil
}

func (h *Handler) getPrivacy(w http.ResponseWriter, rq *request) error {
	v, err := h.privacyView(rq)
	if err != nil {
		return err
	}
	return h.render(w, rq, "privacy", v)
}

// postPurpose registers a purpose: from then on personal data may be used for it, so it says by what right.
func (h *Handler) postPurpose(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	p := PurposeOfUse{Use: strings.TrimSpace(rq.post("use")), Name: strings.TrimSpace(rq.post("name")), NameEN: strings.TrimSpace(rq.post("name_en")), Basis: strings.TrimSpace(rq.post("basis"))}
	act := rq.action(ActionPurposeRegistered, p.Use)
	act.Reason = strings.TrimSpace(rq.post("reason"))
	err := ErrBadPurpose
	if act.Reason != "" && len(act.Reason) <= 1000 {
		err = h.src.Privacy.RegisterPurpose(rq.Context(), p, act)
	}
	return h.purposeDone(w, rq, err, p, act.Reason, "purpose_registered")
}

func (h *Handler) postPurposeEnd(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	act := rq.action(ActionPurposeEnded, rq.PathValue("use"))
	act.Reason = strings.TrimSpace(rq.post("reason"))
	err := ErrBadPurpose
	if act.Reason != "" && len(act.Reason) <= 1000 {
		err = h.src.Privacy.EndPurpose(rq.Context(), rq.PathValue("use"), act)
	}
	return h.purposeDone(w, rq, err, PurposeOfUse{}, "", "purpose_ended")
}

func (h *Handler) purposeDone(w http.ResponseWriter, rq *request, err error, typed PurposeOfUse, reason, done string) error {
	switch {
	case err == nil:
		return redirect(w, rq, "/privacy?done="+done)
	case !errors.Is(err, ErrBadPurpose):
		return err
	}
	v, err := h.privacyView(rq)
	if err != nil {
		return err
	}
	v.Fault, v.Typed, v.Reason = v.T("privacy.fault"), typed, reason
	return h.renderStatus(w, rq, "privacy", v, http.StatusUnprocessableEntity)
}
