package web

import (
	"fmt"
	"net/http"
	"strings"

	"monban/firmware/access"
	"monban/server/visit"
)

// ownCorrections fills in the form by which somebody asks to have an own entry corrected (訂正申出, VR-12), and the answers so far.
func (h *Handler) ownCorrections(rq *request, c *counter, v *ownView, entries []visit.OwnEntry, t *tried) error {
	list, err := h.src.Corrections.OwnCorrections(rq.Context(), rq.person())
	if err != nil {
		return fmt.Errorf("own corrections: %w", err)
	}
	waits := map[string]bool{}
	r := registerView{Base: c.Base}
	for i := range list {
		x := &list[i]
		l := ownCorrection{What: r.rightWords(x, ""), Reason: x.Reason}
		switch {
		case x.Waits:
			waits[x.Attempt] = true
			l.State = c.T("correction.own_waits", "time", c.DayTime(x.Due))
		case x.Refused:
			l.State = c.T("correction.own_no", "text", x.Answer)
		default:
			l.State = c.T("correction.own_yes", "text", x.Answer)
		}
		v.Corrections = append(v.Corrections, l)
	}
	var options []choice
	for i := range entries {
		e := &entries[i]
		if e.Passed && e.Side == access.SideEnter && !waits[e.Attempt] && len(options) < 50 {
			options = append(options, choice{Value: e.Attempt, Label: c.DayTime(c.ms(e.AtMS)) + " " + c.doorName(e.Door)})
		}
	}
	if len(options) == 0 {
		return nil
	}
	f := newDeskForm("correction", "/me/own/correction", c.T("correction.own"), c.T("correction.own_do"),
		append([]deskField{{Name: "row", Kind: "select", Label: c.T("correction.own_entry"), Options: options}}, c.rightFields(false)...)...).again(t)
	f.Fold, f.Text = true, c.T("correction.own_text")
	v.Correct = &f
	return nil
}

type ownCorrection struct{ What, Reason, State string }

// postOwnCorrection asks to have an own entry corrected; the source refuses anybody but who entered.
func (h *Handler) postOwnCorrection(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	return h.ownAct(w, rq, "correction", visit.KindCorrection, "correction_asked", func(c *counter) error {
		right, err := c.right()
		if err != nil {
			return err
		}
		right.Name = "" // who it was is what the card says; another's entry is no matter of this form
		return h.src.Corrections.AskCorrection(rq.Context(), rq.post("row"), right, strings.TrimSpace(rq.post("reason")), rq.deskActor())
	})
}
