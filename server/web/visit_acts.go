package web

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/visit"
)

func accessZone(id string) access.ZoneID { return access.ZoneID(id) }

func accessDoor(id string) access.DoorID { return access.DoorID(id) }

// visitForms are the steps of a visit that this account may take now, beside the reception of who is still to come.
func (h *Handler) visitForms(c *counter, x *visit.View) (out []deskForm) {
	at := "/visits/" + x.ID + "/"
	clerk := c.rq.roles&receiveRoles != 0
	decides := c.rq.roles&approveRoles != 0 && c.mayDecide(approveRoles, x.Zones) && !c.mine(x.Asked)
	own := c.mine(x.Asked) && c.rq.roles&applyRoles != 0
	fold := func(f deskForm) { f.Fold = true; out = append(out, f) }
	reason := func(optional bool) deskField {
		return deskField{Name: "note", Kind: "text", Label: c.T("account.reason"), Optional: optional}
	}
	note := deskField{Name: "note", Kind: "text", Label: c.T("visit.note"), Optional: true}
	if x.State == visit.Applied && decides {
		f := newDeskForm("approve", at+"approve", c.T("visit.approve"), c.T("visit.approve_now"), note)
		out = append(out, f)
		g := newDeskForm("refuse", at+"refuse", c.T("visit.refuse"), c.T("visit.refuse_now"), reason(false))
		g.Danger = true
		fold(g)
	}
	if x.Oral != nil && !x.Oral.Confirmed.Done() && !x.Oral.Denied.Done() && c.rq.roles&approveRoles != 0 && !c.mine(x.Asked) &&
		(decides || c.mine(visit.Step{}, x.Oral.Approver)) {
		out = append(out, newDeskForm("oral", at+"oral", c.T("visit.oral_confirm"), c.T("visit.oral_confirm_now"), note))
		g := newDeskForm("oral-denied", at+"oral-denied", c.T("visit.oral_deny"), c.T("visit.oral_deny_now"), reason(false))
		g.Danger = true
		fold(g)
	}
	if x.State == visit.Running && clerk {
		if x.Type == visit.Tour {
			word, heading, n := "in", "visit.count_in", x.Heads
			if x.CountIn.Done() {
				word, heading, n = "out", "visit.count_out", x.HeadsIn
			}
			out = append(out, newDeskForm("heads", at+"heads", c.T(heading), c.T("visit.count_now"),
				deskField{Name: "which", Kind: "hidden", Value: word}, deskField{Name: "heads", Kind: "number", Label: c.T("visit.heads"), Value: strconv.Itoa(n), Upto: "200"}))
		}
		if x.Party() > 0 {
			fold(newDeskForm("handover", at+"handover", c.T("visit.handover"), c.T("visit.handover_now"), c.personField("carrier", "visit.new_escort", "", c.mayEscort)))
		}
		if inside := c.guestChoices(x, func(i int) bool { return x.Guests[i].Received() && !x.Guests[i].Leaving.Done() && x.Presence[i].Inside }); len(inside) > 0 {
			fold(newDeskForm("exit", at+"left", c.T("visit.left"), c.T("visit.left_now"), deskField{Name: "guest", Kind: "select", Label: c.T("visit.guest"), Options: inside},
				deskField{Name: "note", Kind: "text", Label: c.T("visit.left_note")}))
		}
		if len(x.Out()) == 0 {
			fold(newDeskForm("close", at+"close", c.T("visit.close"), c.T("visit.close_now"), note))
		}
	}
	if x.State == visit.Approved || x.State == visit.Running {
		if coming := c.guestChoices(x, func(i int) bool { return !x.Guests[i].Received() && !x.Guests[i].Replaced.Done() }); len(coming) > 0 && (clerk || own || decides) {
			fold(newDeskForm("worker", at+"worker", c.T("visit.change_worker"), c.T("visit.change_worker_now"), deskField{Name: "guest", Kind: "select", Label: c.T("visit.instead_of"), Options: coming},
				deskField{Name: "name", Kind: "text", Label: c.T("visit.guest_name"), Max: 100}, deskField{Name: "kana", Kind: "text", Label: c.T("visit.guest_kana"), Max: 100, Optional: true}, reason(false)))
		}
		if decides {
			fold(newDeskForm("extend", at+"extend", c.T("visit.extend"), c.T("visit.extend_now"),
				deskField{Name: "until", Kind: "datetime-local", Label: c.T("visit.until"), Value: c.local(x.UntilMS)}, reason(false)))
		}
	}
	if (x.State == visit.Applied || x.State == visit.Approved) && (own || decides || clerk) {
		f := newDeskForm("withdraw", at+"withdraw", c.T("visit.withdraw"), c.T("visit.withdraw_now"), reason(true))
		f.Danger = true
		fold(f)
	}
	return out
}

func (c *counter) guestChoices(x *visit.View, fits func(i int) bool) (out []choice) {
	for i := range x.Guests {
		if i < len(x.Presence) && fits(i) {
			out = append(out, choice{Value: strconv.Itoa(i + 1), Label: x.Guests[i].Name})
		}
	}
	return out
}

// visitAct takes one step with a visit and shows it again. Which forms an account is shown is decided again here: whoever has
// no form for a step may not take it.
func (h *Handler) visitAct(w http.ResponseWriter, rq *request, formID, done string, do func(ctx context.Context, c *counter, x *visit.View) error) error {
	if err := rq.form(); err != nil {
		return err
	}
	c, err := h.counter(rq, "visit.title", "")
	if err != nil {
		return err
	}
	x, err := h.visitOf(&c)
	if err != nil {
		return err
	}
	if err = h.mayAct(&c, &x, formID); err == nil {
		err = do(rq.Context(), &c, &x)
	}
	if err == nil {
		return redirect(w, rq, "/visits/"+x.ID+"?done="+done)
	}
	t, code, err := h.refusal(rq, &c, formID, x.ID, err)
	if err != nil {
		return err
	}
	return h.showVisit(w, rq, t, code)
}

// mayAct tells why a form is not shown: the applicant approves nothing of their own (403), a role does not reach, or somebody
// else has moved the visit meanwhile.
func (h *Handler) mayAct(c *counter, x *visit.View, formID string) error {
	for _, f := range h.visitForms(c, x) {
		if f.ID == formID {
			return nil
		}
	}
	switch formID {
	case "approve", "refuse", "oral", "oral-denied", "extend":
		if c.mine(x.Asked) {
			return visit.ErrSamePerson
		}
		if !c.mayDecide(approveRoles, x.Zones) {
			return errForbidden
		}
	case "worker", "withdraw":
		if c.rq.roles&(receiveRoles|approveRoles) == 0 && !c.mine(x.Asked) {
			return errForbidden
		}
	}
	return visit.ErrState
}

func (h *Handler) postVisitApprove(w http.ResponseWriter, rq *request) error {
	return h.visitAct(w, rq, "approve", "visit_approved", func(ctx context.Context, _ *counter, x *visit.View) error {
		_, err := h.src.Visits.DecideVisit(ctx, x.ID, true, rq.post("note"), rq.deskActor())
		return err
	})
}

func (h *Handler) postVisitRefuse(w http.ResponseWriter, rq *request) error {
	return h.visitAct(w, rq, "refuse", "visit_refused", func(ctx context.Context, _ *counter, x *visit.View) error {
		_, err := h.src.Visits.DecideVisit(ctx, x.ID, false, rq.post("note"), rq.deskActor())
		return err
	})
}

func (h *Handler) postVisitWithdraw(w http.ResponseWriter, rq *request) error {
	return h.visitAct(w, rq, "withdraw", "visit_withdrawn", func(ctx context.Context, _ *counter, x *visit.View) error {
		_, err := h.src.Visits.WithdrawVisit(ctx, x.ID, rq.post("note"), rq.deskActor())
		return err
	})
}

func (h *Handler) postVisitExtend(w http.ResponseWriter, rq *request) error {
	return h.visitAct(w, rq, "extend", "visit_extended", func(ctx context.Context, c *counter, x *visit.View) error {
		until, err := c.momentIn("until")
		if err != nil {
			return err
		}
		_, err = h.src.Visits.ExtendVisit(ctx, x.ID, time.UnixMilli(until), rq.post("note"), rq.deskActor())
		return err
	})
}

// postVisitWorker takes a substitute in, of the category and company of who does not come (VE-12).
func (h *Handler) postVisitWorker(w http.ResponseWriter, rq *request) error {
	return h.visitAct(w, rq, "worker", "worker_changed", func(ctx context.Context, _ *counter, x *visit.View) error {
		i := guestIn(rq.PostForm)
		if i < 0 || i >= len(x.Guests) {
			return fieldFault(visit.ErrState, "guest")
		}
		g := visit.Guest{Name: strings.TrimSpace(rq.post("name")), Kana: strings.TrimSpace(rq.post("kana")), Company: x.Guests[i].Company, Category: x.Guests[i].Category, Kind: x.Guests[i].Kind}
		_, err := h.src.Visits.ChangeWorker(ctx, x.ID, i, g, rq.post("note"), rq.deskActor())
		return err
	})
}

func (h *Handler) postVisitOral(w http.ResponseWriter, rq *request) error {
	return h.visitAct(w, rq, "oral", "oral_confirmed", func(ctx context.Context, _ *counter, x *visit.View) error {
		_, err := h.src.Visits.ConfirmOral(ctx, x.ID, true, rq.post("note"), rq.deskActor())
		return err
	})
}

func (h *Handler) postVisitOralDenied(w http.ResponseWriter, rq *request) error {
	return h.visitAct(w, rq, "oral-denied", "oral_denied", func(ctx context.Context, _ *counter, x *visit.View) error {
		_, err := h.src.Visits.ConfirmOral(ctx, x.ID, false, rq.post("note"), rq.deskActor())
		return err
	})
}

func (h *Handler) postVisitHandover(w http.ResponseWriter, rq *request) error {
	return h.visitAct(w, rq, "handover", "party_handed_over", func(ctx context.Context, c *counter, x *visit.View) error {
		who, err := c.personIn("carrier", c.mayEscort)
		if err != nil {
			return err
		}
		_, err = h.src.Visits.HandOverParty(ctx, x.ID, who, rq.deskActor())
		return err
	})
}

func (h *Handler) postVisitHeads(w http.ResponseWriter, rq *request) error {
	return h.visitAct(w, rq, "heads", "heads_counted", func(ctx context.Context, _ *counter, x *visit.View) error {
		n, err := strconv.Atoi(rq.post("heads"))
		if err != nil {
			return fieldFault(visit.ErrTooMany, "heads")
		}
		_, err = h.src.Visits.CountHeads(ctx, x.ID, rq.post("which") == "out", n, rq.deskActor())
		return err
	})
}

func (h *Handler) postVisitLeft(w http.ResponseWriter, rq *request) error {
	return h.visitAct(w, rq, "exit", "exit_stated", func(ctx context.Context, _ *counter, x *visit.View) error {
		_, err := h.src.Visits.GuestLeft(ctx, x.ID, guestIn(rq.PostForm), rq.post("note"), rq.deskActor())
		return err
	})
}

func (h *Handler) postVisitClose(w http.ResponseWriter, rq *request) error {
	return h.visitAct(w, rq, "close", "visit_closed", func(ctx context.Context, _ *counter, x *visit.View) error {
		_, err := h.src.Visits.CloseVisit(ctx, x.ID, rq.post("note"), rq.deskActor())
		return err
	})
}

// postBadgeReturn takes a badge of a visit back, by one press or by what is printed on it; lost needs a note.
func (h *Handler) postBadgeReturn(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	lost := rq.post("lost") != ""
	if lost && strings.TrimSpace(rq.post("note")) == "" {
		return errBadInput // the form asks for it
	}
	x, err := h.src.Visits.ReturnBadge(rq.Context(), rq.post("badge"), lost, rq.post("note"), rq.deskActor())
	if err == nil {
		done := "badge_returned"
		if lost {
			done = "badge_lost"
		} else if x.State == visit.Closed {
			done = "badge_returned_closed"
		}
		to := "/visits?done=" + done
		if rq.post("back") == "visit" {
			to = "/visits/" + x.ID + "?done=" + done
		}
		return redirect(w, rq, to)
	}
	c, cerr := h.counter(rq, "visits.title", "")
	if cerr != nil {
		return cerr
	}
	t, code, err := h.refusal(rq, &c, "return", rq.post("badge"), err)
	if err != nil {
		return err
	}
	return h.saidNo(w, rq, c, t, code)
}

// saidNo is a page that says why nothing was done, for a press without a form of its own.
func (h *Handler) saidNo(w http.ResponseWriter, rq *request, c counter, t *tried, code int) error {
	v := errorView{Base: c.Base, Code: code, Heading: c.T("visit.not_done"), Text: t.fault}
	if err := h.renderStatus(w, rq, "error", v, code); err != nil {
		return fmt.Errorf("render refusal: %w", err)
	}
	return nil
}

// getSlip is what a guest sees or signs at the counter: their own visit, and no way to anybody else's (VE-7).
func (h *Handler) getSlip(w http.ResponseWriter, rq *request) error {
	c, err := h.counter(rq, "slip.title", "reception")
	if err != nil {
		return err
	}
	x, err := h.visitOf(&c)
	if err != nil {
		return err
	}
	i, err := strconv.Atoi(rq.PathValue("guest"))
	if err != nil || i < 1 || i > len(x.Guests) || x.Guests[i-1].Replaced.Done() {
		return ErrNotFound
	}
	if err := h.viewed(rq, ActionViewVisit, x.ID); err != nil {
		return err
	}
	s := x.SlipOf(i-1, c.site)
	v := slipView{matterPage: c.matterPage, desk: c, Slip: s, Zones: c.zoneNames(s.Zones), Span: c.window(c.ms(s.FromMS), c.ms(s.UntilMS)), Attendee: c.name(directory.PersonID(s.Attendee)),
		Conditions: c.conditionsText(s.Conditions), Version: strconv.FormatUint(uint64(s.Conditions), 10)}
	v.Nav, v.SubNav, v.User, v.Bare = nil, nil, nil, true // no other page is reachable from here
	return h.render(w, rq, "slip", &v)
}

type slipView struct {
	matterPage
	desk       counter
	Slip       visit.Slip
	Zones      string
	Span       string
	Attendee   string
	Conditions string
	Version    string
}

// conditionsText is the text of a version of the entry conditions (VE-6).
func (c *counter) conditionsText(version uint32) string {
	for _, x := range c.site.Dir.Conditions {
		if x.Version == version {
			if c.say.lang == English && x.TextEN != "" {
				return x.TextEN
			}
			return x.Text
		}
	}
	return ""
}
