package web

import (
	"net/http"
	"strconv"
	"strings"

	"monban/firmware/card"
	"monban/firmware/wiegand"
	"monban/server/visit"
)

// newBadgeForm puts a badge into the inventory: a name plate, or a card that opens doors while it is lent. The number of a card
// is typed once, becomes a reference, and is in no answer, leaf or log (D9).
func (c *counter) newBadgeForm() deskForm {
	formats := []choice{{Label: c.T("receive.plain_badge")}}
	for _, l := range wiegand.Formats() {
		formats = append(formats, choice{Value: string(l.Name()), Label: string(l.Name())})
	}
	f := newDeskForm("badge", "/ledgers/badges", c.T("ledgers.new_badge"), c.T("ledgers.new_badge_now"),
		deskField{Name: "id", Kind: "text", Label: c.T("ledgers.badge_id"), Max: 32, Help: c.T("ledgers.badge_id_help")},
		deskField{Name: "label", Kind: "text", Label: c.T("ledgers.badge_label"), Max: 32},
		deskField{Name: "kind", Kind: "select", Label: c.T("ledgers.kind"), Options: c.choices("badge_kind", "", string(visit.VisitorBadge), string(visit.TemporaryKind))},
		deskField{Name: "look", Kind: "text", Label: c.T("ledgers.badge_look"), Max: 100, Optional: true, Help: c.T("ledgers.badge_look_help")},
		deskField{Name: "format", Kind: "select", Label: c.T("ledgers.badge_format"), Options: formats, Optional: true},
		deskField{Name: "assurance", Kind: "select", Label: c.T("ledgers.badge_assurance"), Options: c.choices("assurance", "", assuranceSet...)},
		deskField{Name: "facility", Kind: "text", Label: c.T("ledgers.badge_facility"), Max: 10, Optional: true, Secret: true},
		deskField{Name: "number", Kind: "text", Label: c.T("ledgers.badge_number"), Max: 20, Optional: true, Secret: true, Help: c.T("ledgers.badge_number_help")},
		deskField{Name: "reason", Kind: "text", Label: c.T("account.reason")})
	f.Fold = true
	return f
}

func (c *counter) badgeStatusForm(b *visit.Badge) deskForm {
	to, heading := visit.BadgeRetired, "ledgers.retire"
	if b.Status != visit.BadgeActive {
		to, heading = visit.BadgeActive, "ledgers.revive"
	}
	f := newDeskForm("status-"+b.ID, "/ledgers/badges/"+b.ID+"/status", c.T(heading), c.T(heading), deskField{Name: "status", Kind: "hidden", Value: string(to)},
		deskField{Name: "reason", Kind: "text", Label: c.T("account.reason")})
	f.Fold, f.Danger = true, to == visit.BadgeRetired
	return f
}

func (h *Handler) postBadge(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	c, err := h.counter(rq, "ledgers.title", "")
	if err != nil {
		return err
	}
	f := visit.BadgeForm{ID: strings.TrimSpace(rq.post("id")), Label: strings.TrimSpace(rq.post("label")), Kind: visit.BadgeKind(rq.post("kind")), Look: strings.TrimSpace(rq.post("look")), Format: rq.post("format")}
	reason := strings.TrimSpace(rq.post("reason"))
	switch assurance, aerr := card.ParseAssurance(rq.post("assurance")); {
	case reason == "":
		err = fieldFault(visit.ErrMissing, "reason")
	case f.Format == "" && rq.post("number") != "":
		err = fieldFault(visit.ErrMissing, "format")
	case f.Format != "":
		f.Assurance = assurance
		var facility, number error
		f.Facility, facility = strconv.ParseUint(rq.post("facility"), 10, 64)
		f.Number, number = strconv.ParseUint(rq.post("number"), 10, 64)
		if facility != nil || number != nil || aerr != nil {
			err = fieldFault(visit.ErrBadge, "number") // says nothing of what was typed
		}
	}
	if err == nil {
		_, err = h.src.Visits.AddBadge(rq.Context(), f, reason, rq.deskActor())
	}
	if err == nil {
		return redirect(w, rq, "/ledgers?done=badge_added")
	}
	t, code, err := h.refusal(rq, &c, "badge", "badge", renamed(err, "card", "number"))
	if err != nil {
		return err
	}
	return h.showLedgers(w, rq, t, code)
}

func (h *Handler) postBadgeStatus(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	id, to, reason := rq.PathValue("id"), visit.BadgeStatus(rq.post("status")), strings.TrimSpace(rq.post("reason"))
	if to != visit.BadgeActive && to != visit.BadgeRetired {
		return errBadInput
	}
	c, err := h.counter(rq, "ledgers.title", "")
	if err != nil {
		return err
	}
	if reason == "" {
		err = fieldFault(visit.ErrMissing, "reason")
	} else {
		err = h.src.Visits.SetBadgeStatus(rq.Context(), id, to, reason, rq.deskActor())
	}
	if err == nil {
		return redirect(w, rq, "/ledgers?done=badge_changed")
	}
	t, code, err := h.refusal(rq, &c, "status-"+id, id, err)
	if err != nil {
		return err
	}
	if t.field == "" {
		return h.saidNo(w, rq, c, t, code)
	}
	return h.showLedgers(w, rq, t, code)
}
