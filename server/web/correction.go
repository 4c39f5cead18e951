package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/server/visit"
)

// correctionNote says beside a row what is right instead of what was recorded, who says so and when (VR-12). Both are printed.
func (v *registerView) correctionNote(r *RegisterRow, x *RowCorrection) string {
	if x.Refused {
		return ""
	}
	if x.Waits {
		return v.T("correction.waits")
	}
	what := v.rightWords(x, r.Day)
	if v.say.masked || what == "" {
		return v.T("correction.made", "day", v.date(calendar.DateOf(x.DecidedAt.In(v.say.zone))))
	}
	return v.T("correction.note", "what", what, "name", x.By, "day", v.date(calendar.DateOf(x.DecidedAt.In(v.say.zone))), "reason", x.Reason)
}

// rightWords lists what is right.
func (v *registerView) rightWords(x *RowCorrection, day string) string {
	var parts []string
	say := func(key, value string) {
		if value != "" {
			parts = append(parts, v.T("correction.right", "field", v.T(key), "value", value))
		}
	}
	say("register.name", x.Name)
	say("register.in", v.minute(x.In, day))
	say("register.out", v.minute(x.Out, day))
	say("register.badge", x.Badge)
	say("register.purpose", x.Purpose)
	return strings.Join(parts, v.T("list.separator"))
}

type correctView struct {
	matterPage
	desk      counter
	Zone, Day string
	Line      registerLine
	Form      deskForm
	BackTo    string
}

// rightFields are the fields of what is right; what stays empty is as recorded.
func (c *counter) rightFields(name bool) []deskField {
	var out []deskField
	if name {
		out = append(out, deskField{Name: "name", Kind: "text", Label: c.T("correction.name"), Optional: true, Max: 100})
	}
	return append(out,
		deskField{Name: "in", Kind: "datetime-local", Label: c.T("correction.in"), Optional: true},
		deskField{Name: "out", Kind: "datetime-local", Label: c.T("correction.out"), Optional: true},
		deskField{Name: "badge", Kind: "text", Label: c.T("correction.badge"), Optional: true, Max: 100},
		deskField{Name: "purpose", Kind: "text", Label: c.T("correction.purpose"), Optional: true, Max: 500},
		deskField{Name: "reason", Kind: "text", Label: c.T("correction.reason"), Max: 500})
}

// right reads those fields.
func (c *counter) right() (r visit.Right, err error) {
	r = visit.Right{Name: strings.TrimSpace(c.rq.post("name")), Badge: strings.TrimSpace(c.rq.post("badge")), Purpose: strings.TrimSpace(c.rq.post("purpose"))}
	for name, to := range map[string]*int64{"in": &r.InMS, "out": &r.OutMS} {
		if c.rq.post(name) == "" {
			continue
		}
		if *to, err = c.momentIn(name); err != nil {
			return r, err
		}
	}
	return r, nil
}

// getCorrect shows a row and the form that puts a correction beside it.
func (h *Handler) getCorrect(w http.ResponseWriter, rq *request) error {
	return h.showCorrect(w, rq, rq.URL.Query().Get("row"), nil, http.StatusOK)
}

func (h *Handler) showCorrect(w http.ResponseWriter, rq *request, row string, t *tried, code int) error {
	zone, day := access.ZoneID(rq.PathValue("zone")), rq.PathValue("day")
	if !rq.may(signRoles, zone) {
		return errForbidden
	}
	sheet, err := h.src.Reviews.ReviewDay(rq.Context(), zone, day, rq.names)
	if err != nil {
		return fmt.Errorf("review of a day: %w", err)
	}
	if err := h.viewed(rq, ActionViewReview, string(zone)); err != nil {
		return err
	}
	c, err := h.counter(rq, "correction.title", "")
	if err != nil {
		return err
	}
	v := &correctView{matterPage: c.matterPage, desk: c, Zone: sheet.Register.Zone.Name, BackTo: reviewHref(zone, day)}
	r := registerView{Base: c.Base}
	if d, err := time.Parse(dayLayout, day); err == nil {
		v.Day = r.date(calendar.DateOf(d))
	}
	for i := range sheet.Register.Rows {
		if x := &sheet.Register.Rows[i]; x.Attempt == row {
			v.Line = r.registerLine(x)
		}
	}
	if v.Line.Attempt == "" {
		return ErrNotFound
	}
	v.Form = newDeskForm("correct", v.BackTo+"/correct", "", v.T("correction.do"), append([]deskField{{Name: "row", Kind: "hidden", Value: row}}, c.rightFields(true)...)...).again(t)
	v.Form.Text = v.T("correction.text")
	return h.renderStatus(w, rq, "correct", v, code)
}

// postCorrect puts a correction beside a row; both are shown from then on (VR-12).
func (h *Handler) postCorrect(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	zone := access.ZoneID(rq.PathValue("zone"))
	if !rq.may(signRoles, zone) {
		return errForbidden
	}
	c, err := h.counter(rq, "correction.title", "")
	if err != nil {
		return err
	}
	right, err := c.right()
	if err == nil {
		err = h.src.Corrections.CorrectRow(rq.Context(), zone, rq.post("row"), right, strings.TrimSpace(rq.post("reason")), rq.deskActor())
	}
	if err == nil {
		return redirect(w, rq, reviewHref(zone, rq.PathValue("day"))+"?done=row_corrected")
	}
	t, code, err := h.refusal(rq, &c, "correct", rq.post("row"), err)
	if err != nil {
		return err
	}
	return h.showCorrect(w, rq, rq.post("row"), t, code)
}

// correctionRow is an application for a correction that waits.
type correctionRow struct {
	ID, Who, What, Reason, Attempt string
	Due                            time.Time
	Late, Mine                     bool
}

// corrections lists what waits in a zone.
func (h *Handler) corrections(rq *request, v *registerView, zone access.ZoneID) (out []correctionRow, err error) {
	if !rq.names {
		return nil, nil
	}
	list, err := h.src.Corrections.CorrectionsAsked(rq.Context(), zone)
	if err != nil {
		return nil, fmt.Errorf("corrections: %w", err)
	}
	for i := range list {
		x := &list[i]
		out = append(out, correctionRow{ID: x.ID, Who: x.Who, What: v.rightWords(x, ""), Reason: x.Reason, Attempt: x.Attempt, Due: x.Due, Late: rq.now.After(x.Due),
			Mine: x.Person != "" && rq.account.Person == x.Person})
	}
	return out, nil
}

// postCorrectionAnswer says yes or no to a person's application.
func (h *Handler) postCorrectionAnswer(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	zone := access.ZoneID(rq.PathValue("zone"))
	if !rq.may(signRoles, zone) {
		return errForbidden
	}
	answer := rq.post("do")
	if answer != "accept" && answer != "refuse" {
		return errBadInput
	}
	list, err := h.src.Corrections.CorrectionsAsked(rq.Context(), zone)
	if err != nil {
		return fmt.Errorf("corrections: %w", err)
	}
	id, known := rq.PathValue("id"), false
	for i := range list {
		known = known || list[i].ID == id // of this zone, for which the account was asked
	}
	if !known {
		return ErrNotFound
	}
	err = h.src.Corrections.AnswerCorrection(rq.Context(), id, answer == "accept", strings.TrimSpace(rq.post("answer")), rq.deskActor())
	if err == nil {
		return redirect(w, rq, withQuery("/review", map[string][]string{"zone": {string(zone)}, "done": {"correction_answered"}}))
	}
	var bad *visit.Error
	if !errors.As(err, &bad) {
		return fmt.Errorf("answer a correction: %w", err)
	}
	v, err := h.reviewsViewOf(rq, string(zone), h.words[rq.lang].say("visit_error."+bad.Word))
	if err != nil {
		return err
	}
	code := http.StatusUnprocessableEntity
	if bad.Word == visit.ErrSamePerson.Word {
		code = http.StatusForbidden
	}
	return h.renderStatus(w, rq, "reviews", v, code)
}
