package web

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"monban/firmware/access"
)

// setCard changes the state of a card. One person is enough for what only removes rights (D27); the other way is asked for
// here and agreed to by somebody else, on the pages.
func (h *Handler) setCard(w http.ResponseWriter, rq *request, to access.CredentialStatus) error {
	members := []string{"reason"}
	if to != access.CredentialActive {
		members = append(members, "last_sure")
	}
	in, err := rq.body(members...)
	if err != nil {
		return err
	}
	id, err := rq.pathID("card")
	if err != nil {
		return err
	}
	act := rq.action(ActionCardChanged, "")
	if act.Reason, err = reasonIn(in); err != nil {
		return err
	}
	var sure time.Time
	if text, given := in["last_sure"]; given {
		if sure, err = time.Parse(time.RFC3339, text); err != nil || sure.After(rq.now) || sure.Year() < 2000 {
			return fault{field: "last_sure", what: "past"}
		}
	}
	c, waiting, err := h.src.Registry.SetCard(rq.Context(), id, to, sure, act)
	var bad FormFault
	if errors.As(err, &bad) {
		return fault{field: "reason", what: "reason"}
	}
	if err != nil {
		return fmt.Errorf("change card: %w", err)
	}
	code := http.StatusOK
	if waiting {
		code = http.StatusAccepted
	}
	return h.answer(w, rq, code, cardLine(c))
}

func (h *Handler) apiSuspend(w http.ResponseWriter, rq *request) error {
	return h.setCard(w, rq, access.CredentialSuspended)
}

func (h *Handler) apiLost(w http.ResponseWriter, rq *request) error {
	return h.setCard(w, rq, access.CredentialLost)
}

func (h *Handler) apiReactivate(w http.ResponseWriter, rq *request) error {
	return h.setCard(w, rq, access.CredentialActive)
}
