package web

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/server/signoff"
)

// additionView is an addition (追補) alone: what came after a signature and was signed for itself, to be printed and filed (VR-11).
type additionView struct {
	registerView
	Day, Room string // Room is the zone's name
	Rows      []registerLine
	Found     []findingLine
	Signed    string // by whom and when; "" = not signed yet
	BackTo    string
}

// getReviewAddition shows an addition that was signed, or without a leaf the one that waits.
func (h *Handler) getReviewAddition(w http.ResponseWriter, rq *request) error {
	zone, day := access.ZoneID(rq.PathValue("zone")), rq.PathValue("day")
	if err := h.inReach(rq, zone); err != nil {
		return err
	}
	sheet, err := h.src.Reviews.ReviewDay(rq.Context(), zone, day, rq.names)
	if err != nil {
		return fmt.Errorf("review of a day: %w", err)
	}
	if err := h.viewed(rq, ActionViewReview, string(zone)); err != nil {
		return err
	}
	v := &additionView{registerView: registerView{Base: h.base(rq, "addition.title")}, Room: sheet.Register.Zone.Name, BackTo: reviewHref(zone, day)}
	v.Era = rq.lang == Japanese
	if d, err := time.Parse(dayLayout, day); err == nil {
		v.Day = v.date(calendar.DateOf(d))
	}
	from, to, by, ok := additionOf(sheet.History, rq.URL.Query().Get("leaf"), sheet.Size)
	if !ok {
		return ErrNotFound
	}
	if by != nil {
		v.Signed = v.T("addition.signed", "name", by.By, "time", v.DayTime(time.UnixMilli(by.AtMS)), "leaf", strconv.FormatUint(by.Leaf, 10))
	}
	for i := range sheet.Register.Rows {
		if r := &sheet.Register.Rows[i]; r.Last >= from && r.Last < to {
			l := v.registerLine(r)
			l.No = strconv.Itoa(i + 1)
			v.Rows = append(v.Rows, l)
		}
	}
	for i := range sheet.Ended {
		if r := &sheet.Ended[i]; r.ExitLast >= from && r.ExitLast < to {
			v.Rows = append(v.Rows, v.endedLine(r, zone))
		}
	}
	for _, f := range sheet.Found {
		if f.Leaf >= from && f.Leaf < to {
			v.Found = append(v.Found, v.say.findingLine(f))
		}
	}
	v.UpTo = sheet.Register.UpTo
	v.Seals = []string{v.T("register.seal_clerk"), v.T("register.seal_head"), v.T("register.seal_manager")}
	return h.render(w, rq, "addition", v)
}

// additionOf finds which leaves an addition is about: from what was signed before up to what its signer had seen. leaf "" is the one that
// waits; by is nil then.
func additionOf(history []ReviewAct, leaf string, size uint64) (from, to uint64, by *ReviewAct, ok bool) {
	signed := false
	for i := range history {
		a := &history[i]
		switch a.Kind {
		case signoff.Sign:
			from, signed = a.Upto, true
		case signoff.Return, signoff.Reopen:
			from, signed = 0, false
		case signoff.Add:
			if leaf == strconv.FormatUint(a.Leaf, 10) {
				return from, a.Upto, a, signed
			}
			from = max(from, a.Upto)
		}
	}
	return from, size, nil, signed && leaf == ""
}
