package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"monban/server/visit"
)

// received begins a step's answer.
func (h *Handler) received(rq *request) (*receiving, error) {
	if err := rq.form(); err != nil {
		return nil, err
	}
	return h.receiving(rq)
}

// again shows a step with what was wrong with it; any other error is given back.
func (h *Handler) receiveAgain(w http.ResponseWriter, rq *request, r *receiving, step int, formID string, err error) error {
	t, code, err := h.refusal(rq, r.c, formID, r.x.ID, err)
	if err != nil {
		return err
	}
	return h.showReceive(w, rq, r, step, t, code)
}

func (h *Handler) postReceiveIdentity(w http.ResponseWriter, rq *request) error {
	r, err := h.received(rq)
	if err != nil {
		return err
	}
	seen := map[int]visit.Identity{}
	list := r.expected()
	for _, i := range list {
		k := visit.Identity(rq.post(guestField("guest", i)))
		if k == "" {
			continue
		}
		if !slices.Contains(visit.Identities(), k) {
			return errBadInput
		}
		seen[i] = k
	}
	if len(seen) == 0 {
		field := ""
		if len(list) > 0 {
			field = guestField("guest", list[0])
		}
		return h.receiveAgain(w, rq, r, 2, "two", fieldFault(visit.ErrIdentity, field))
	}
	r.d.identity, r.d.at = seen, rq.now
	if seen[r.d.whose] == "" {
		r.d.whose = r.here()[0]
	}
	h.drafts.put(rq.account.ID, r.d)
	return redirect(w, rq, "/visits/"+r.x.ID+"/receive")
}

func (h *Handler) postReceiveConditions(w http.ResponseWriter, rq *request) error {
	r, err := h.received(rq)
	if err != nil {
		return err
	}
	if r.furthest() < 3 {
		return redirect(w, rq, "/visits/"+r.x.ID+"/receive")
	}
	version := r.c.site.ConditionsOf(r.x.Zones)
	if version != 0 && (rq.post("conditions") == "" || rq.post("version") != strconv.FormatUint(uint64(version), 10)) {
		return h.receiveAgain(w, rq, r, 3, "three", fieldFault(visit.ErrConditions, "conditions"))
	}
	r.d.version, r.d.declared = version, nil
	for n := range declareRows {
		d := visit.Declared{What: rq.post(guestField("what", n)), Serial: strings.TrimSpace(rq.post(guestField("serial", n))), Personal: rq.post(guestField("personal", n)) != "",
			Outside: rq.post(guestField("outside", n)) != "", Exception: strings.TrimSpace(rq.post(guestField("exception", n)))}
		if d.What != "" {
			r.d.declared = append(r.d.declared, d)
		}
	}
	r.d.whose = r.here()[0]
	if i, err := strconv.Atoi(rq.post("whose")); err == nil && slices.Contains(r.here(), i-1) {
		r.d.whose = i - 1
	}
	if field, err := r.tryDeclared(); err != nil {
		return h.receiveAgain(w, rq, r, 3, "three", fieldFault(err, field))
	}
	r.d.accepted, r.d.at = true, rq.now
	h.drafts.put(rq.account.ID, r.d)
	return redirect(w, rq, "/visits/"+r.x.ID+"/receive")
}

// tryDeclared asks what the rules say about what is brought in, while the guest can still carry it to the locker. It changes
// nothing.
func (r *receiving) tryDeclared() (field string, refusal *visit.Error) {
	for n, d := range r.d.declared {
		err := r.x.MayBringIn([]visit.Declared{d}, r.c.say.now.UnixMilli(), r.c.site)
		if errors.As(err, &refusal) {
			names := map[string]string{"serial": "serial", "exception": "exception"}
			name := names[refusal.Field]
			if name == "" {
				name = "what"
			}
			return guestField(name, n), refusal
		}
	}
	return "", nil
}

// postReceiveBadges makes the step: from here on the badges open the doors. Several guests are several steps in the log, in
// order; should one be refused, those before it are received and the form asks for the rest.
func (h *Handler) postReceiveBadges(w http.ResponseWriter, rq *request) error {
	r, err := h.received(rq)
	if err != nil {
		return err
	}
	if r.furthest() < 4 {
		return redirect(w, rq, "/visits/"+r.x.ID+"/receive")
	}
	fit := r.c.mayEscort
	if !r.c.needsEscort(r.x) {
		fit = staffOnly
	}
	escort, err := r.c.personIn("carrier", fit)
	if err != nil {
		return h.receiveAgain(w, rq, r, 4, "four", err)
	}
	for _, i := range r.here() {
		f := visit.ReceptionForm{Guest: i, Identity: r.d.identity[i], Conditions: r.d.version, Badge: strings.TrimSpace(rq.post(guestField("badge", i))), Carrier: escort, PIN: rq.post(guestField("pin", i))}
		if i == r.d.whose {
			f.Declared = r.d.declared
		}
		if _, err := h.src.Visits.ReceiveGuest(rq.Context(), r.x.ID, f, rq.deskActor()); err != nil {
			return h.receptionRefused(w, rq, i, err)
		}
	}
	h.drafts.drop(rq.account.ID, r.x.ID)
	return redirect(w, rq, "/visits/"+r.x.ID+"?done=received")
}

// receptionRefused shows the step that has to change.
func (h *Handler) receptionRefused(w http.ResponseWriter, rq *request, guest int, err error) error {
	r, rerr := h.receiving(rq) // some may have been received
	if rerr != nil {
		return rerr
	}
	var e *visit.Error
	if !errors.As(err, &e) {
		return err
	}
	step, id, field := 4, "four", ""
	switch e.Field {
	case "badge", "pin":
		field = guestField(e.Field, guest)
	case "carrier":
		field = e.Field
	case "identity":
		step, id, field = 2, "two", guestField("guest", guest)
	case "conditions":
		step, id, field = 3, "three", e.Field
		r.d.accepted = false
	case "declared", "serial", "exception":
		step, id, field = 3, "three", guestField("what", 0)
		r.d.accepted = false
	}
	if step > r.furthest() {
		step = r.furthest()
	}
	if step != 4 {
		rq.PostForm = url.Values{} // what was typed belongs to another step
	}
	return h.receiveAgain(w, rq, r, step, id, &visit.Error{Word: e.Word, Field: field, Text: e.Text})
}
