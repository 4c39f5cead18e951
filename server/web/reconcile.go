package web

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/server/register"
)

// Limits of a comparison with paper.
const (
	reconcileWithin = 10 * time.Minute // how far apart the two may have written one entry
	reconcileLines  = 200
	reconcileBytes  = 12 << 10 // of what is typed: an opening holds no more
)

type reconcileView struct {
	Base
	Zone, Day string
	Text      string // what was typed
	Fault     string
	Lines     []reconcileLine
	Counts    []Tag
	BackTo    string
	Action    string
}

type reconcileLine struct {
	State    Tag
	Name     string
	Log      string // times by the log, "" = none
	Paper    string
	Distance string // how far apart, of a match
}

// getReconcile shows the form for the lines of a paper ledger of one day (VR-6).
func (h *Handler) getReconcile(w http.ResponseWriter, rq *request) error {
	v, _, err := h.reconcile(rq)
	if err != nil {
		return err
	}
	return h.render(w, rq, "reconcile", v)
}

func (h *Handler) reconcile(rq *request) (*reconcileView, *ReviewSheet, error) {
	zone, day := access.ZoneID(rq.PathValue("zone")), rq.PathValue("day")
	if !rq.may(signRoles, zone) {
		return nil, nil, errForbidden
	}
	sheet, err := h.src.Reviews.ReviewDay(rq.Context(), zone, day, rq.names)
	if err != nil {
		return nil, nil, fmt.Errorf("review of a day: %w", err)
	}
	if err := h.viewed(rq, ActionViewReview, string(zone)); err != nil {
		return nil, nil, err
	}
	v := &reconcileView{Base: h.base(rq, "reconcile.title"), Zone: sheet.Register.Zone.Name, BackTo: reviewHref(zone, day)}
	v.Action, v.Here = v.BackTo+"/reconcile", v.BackTo+"/reconcile"
	r := registerView{Base: v.Base}
	if d, err := time.Parse(dayLayout, day); err == nil {
		v.Day = r.date(calendar.DateOf(d))
	}
	return v, &sheet, nil
}

// postReconcile compares and writes down how it came out, with what was typed: that nothing of the paper is missing in the log has to be shown
// to an auditor (VR-6). The paper stays the paper, and the log the log.
func (h *Handler) postReconcile(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	v, sheet, err := h.reconcile(rq)
	if err != nil {
		return err
	}
	v.Text = clip(strings.ReplaceAll(rq.post("paper"), "\r\n", "\n"), 20_000)
	day, err := time.ParseInLocation(dayLayout, rq.PathValue("day"), h.cfg.Zone)
	if err != nil || !written(v.Text) {
		return errBadInput
	}
	paper, bad := readSlips(v.Text, day)
	if bad != 0 || len(paper) == 0 || len(paper) > reconcileLines || len(v.Text) > reconcileBytes {
		switch v.Fault = v.T("reconcile.empty", "n", strconv.Itoa(reconcileLines)); {
		case bad != 0:
			v.Fault = v.T("reconcile.unreadable", "line", strconv.Itoa(bad))
		case len(v.Text) > reconcileBytes:
			v.Fault = v.T("reconcile.long", "n", strconv.Itoa(reconcileBytes/1024))
		}
		return h.renderStatus(w, rq, "reconcile", v, http.StatusUnprocessableEntity)
	}
	var log []register.Slip
	names := map[string]string{}
	for i := range sheet.Register.Rows {
		r := &sheet.Register.Rows[i]
		if r.EnteredAt.IsZero() || r.Paper != "" {
			continue // nobody went in, or it is paper itself
		}
		s := register.Slip{Name: comparableName(r.Who.Name), InMS: r.EnteredAt.UnixMilli()}
		if !r.ExitedAt.IsZero() {
			s.OutMS = r.ExitedAt.UnixMilli()
		}
		names[s.Name] = r.Who.Name
		log = append(log, s)
	}
	counts := v.compare(log, paper, names)
	kept := PaperComparison{
		Zone: access.ZoneID(rq.PathValue("zone")), Day: rq.PathValue("day"),
		Matched: counts[register.Matched], LogOnly: counts[register.LogOnly], PaperOnly: counts[register.PaperOnly],
	}
	if err := h.src.Reviews.KeepComparison(rq.Context(), kept, v.Text, rq.action(ActionReconcile, string(kept.Zone))); err != nil {
		return fmt.Errorf("keep a comparison with paper: %w", err)
	}
	v.Notice = v.T("reconcile.kept")
	return h.render(w, rq, "reconcile", v)
}

func (v *reconcileView) compare(log, paper []register.Slip, names map[string]string) (counts []int) {
	times := func(s register.Slip) string {
		out := ""
		if s.OutMS != 0 {
			out = time.UnixMilli(s.OutMS).In(v.say.zone).Format("15:04")
		}
		return v.T("reconcile.times", "in", time.UnixMilli(s.InMS).In(v.say.zone).Format("15:04"), "out", out)
	}
	looks := []Tag{{v.T("reconcile.matched"), ToneGood, "check"}, {v.T("reconcile.log_only"), ToneWarn, "finding"}, {v.T("reconcile.paper_only"), ToneAlarm, "finding"}}
	counts = make([]int, len(looks))
	for _, p := range register.Reconcile(log, paper, reconcileWithin.Milliseconds()) {
		l := reconcileLine{State: looks[p.Match]}
		counts[p.Match]++
		if p.Paper >= 0 {
			l.Name, l.Paper = paper[p.Paper].Name, times(paper[p.Paper])
		}
		if p.Log >= 0 {
			l.Name, l.Log = names[log[p.Log].Name], times(log[p.Log])
		}
		if p.Match == register.Matched {
			l.Distance = v.say.span(max(time.Duration(p.InByMS), -time.Duration(p.InByMS)) * time.Millisecond)
		}
		v.Lines = append(v.Lines, l)
	}
	for m, n := range counts {
		t := looks[m]
		t.Word = v.T("reconcile.count", "what", t.Word, "n", strconv.Itoa(n))
		v.Counts = append(v.Counts, t)
	}
	return counts
}

// comparableName is a name without blanks: paper is not careful about them.
func comparableName(name string) string {
	return strings.NewReplacer(" ", "", "\u3000", "").Replace(name)
}

// readSlips reads lines "09:02 11:40 name"; the second time may be "-". bad is the number of the first line that cannot be read.
func readSlips(text string, day time.Time) (out []register.Slip, bad int) {
	clock := func(s string) (int64, bool) {
		t, err := time.Parse("15:04", s)
		if err != nil {
			return 0, false
		}
		return day.Add(time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute).UnixMilli(), true
	}
	for i, line := range strings.Split(text, "\n") {
		fields := strings.Fields(strings.ReplaceAll(line, "\u3000", " "))
		if len(fields) == 0 {
			continue
		}
		if len(fields) < 3 {
			return nil, i + 1
		}
		var s register.Slip
		var ok bool
		if s.InMS, ok = clock(fields[0]); !ok {
			return nil, i + 1
		}
		if fields[1] != "-" {
			if s.OutMS, ok = clock(fields[1]); !ok {
				return nil, i + 1
			}
			if s.OutMS < s.InMS {
				s.OutMS += 24 * time.Hour.Milliseconds() // they left after midnight
			}
		}
		s.Name = comparableName(strings.Join(fields[2:], ""))
		out = append(out, s)
	}
	return out, 0
}
