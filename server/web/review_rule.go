package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"monban/firmware/access"
	"monban/server/signoff"
)

// reviewRuleRoles decide whether a zone's days take two persons.
const reviewRuleRoles = groupC

// SignsDays reports whether a role, by its stable name, signs the days of the zone that it is for.
func SignsDays(role string) bool {
	r, ok := ParseRole(role)
	return ok && RoleSet(signRoles).Has(r)
}

// signersOf lists the accounts that may sign a zone's days now, deputies among them (VR-10).
func (h *Handler) signersOf(rq *request, zone access.ZoneID) (ids []string, actors []signoff.Actor, err error) {
	all, err := h.src.Accounts.ListAccounts(rq.Context())
	if err != nil {
		return nil, nil, fmt.Errorf("accounts: %w", err)
	}
	for _, a := range all {
		if !a.Suspended && a.rolesIn(zone, rq.now)&signRoles != 0 {
			ids, actors = append(ids, a.ID), append(actors, signoff.Actor{Account: a.ID, Person: a.Person})
		}
	}
	return ids, actors, nil
}

// signingRule fills in how many persons sign, and tells when the present people cannot: somebody's own rows would wait for ever.
func (h *Handler) signingRule(rq *request, v *reviewsView, zone access.ZoneID) error {
	s, err := h.src.Reviews.ReviewSettings(rq.Context())
	if err != nil {
		return fmt.Errorf("settings of the review: %w", err)
	}
	_, actors, err := h.signersOf(rq, zone)
	if err != nil {
		return err
	}
	v.Two, v.Alone = s.TwoSign(string(zone)), signoff.Persons(actors) < 2
	if rq.may(reviewRuleRoles, zone) {
		v.Rule = &reviewRule{Two: v.Two, StepUp: h.freshAt(rq, "POST /review/rule")}
	}
	return nil
}

// postReviewRule asks for two signatures on a zone's days, or for one again. What the present people cannot satisfy is refused.
func (h *Handler) postReviewRule(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	zone := access.ZoneID(rq.post("zone"))
	if !rq.may(reviewRuleRoles, zone) {
		return errForbidden
	}
	two := rq.post("two")
	act := rq.action(ActionSignoffRule, string(zone))
	if act.Reason = clip(strings.TrimSpace(rq.post("reason")), 1000); !written(act.Reason) || two != "yes" && two != "no" {
		return errBadInput
	}
	ids, _, err := h.signersOf(rq, zone)
	if err != nil {
		return err
	}
	err = h.src.Reviews.SetTwoSign(rq.Context(), zone, two == "yes", ids, act)
	if key := reviewFault(err); key != "" {
		code := http.StatusUnprocessableEntity
		if errors.Is(err, signoff.ErrTooFew) {
			code = http.StatusConflict
		}
		v, err := h.reviewsView(rq, h.words[rq.lang].say("review_fault."+key))
		if err != nil {
			return err
		}
		return h.renderStatus(w, rq, "reviews", v, code)
	}
	if err != nil {
		return fmt.Errorf("rule of signing: %w", err)
	}
	return redirect(w, rq, withQuery("/review", url.Values{"zone": {string(zone)}, "done": {"rule_of_signing"}}))
}
