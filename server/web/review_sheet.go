package web

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/server/register"
	"monban/server/signoff"
	"monban/server/visit"
)

type reviewSheetView struct {
	registerView
	Day      string
	Zone     string
	State    Tag
	Due      time.Time
	Overdue  bool
	Late     []registerLine
	First    []registerLine // unpaired, unexplained
	Rest     []registerLine
	Refused  []registerLine
	Ended    []registerLine // of earlier days: only their exit is of this one
	Found    []findingLine
	History  []reviewStep
	Size     string
	Acts     []reviewDeed
	StepUp   string
	SignedBy string
	SecondBy string
	Unheard  bool
	BackTo   string
	Checks   []reviewCheck
	Since    time.Time // when who looks looked last, zero = never
	News     string    // how many lines and findings are new since; "" = none
	Correct  string    // link to the page that corrects a row, without the row; "" = not for who looks
	Exits    string    // where a stated exit is confirmed
	Strip    figure    // who was inside when
}

// reviewCheck is one line of the check-list: what to look at before signing, and whether there is anything.
type reviewCheck struct {
	What  string
	State Tag
	Href  string // "" = none
}

type reviewStep struct {
	What, By, Reason, Leaf string
	At                     time.Time
	Paper                  string // link to the addition alone, for print; "" = the act is none
}

// reviewDeed is one thing that may be done with the day.
type reviewDeed struct {
	Kind   string
	Label  string
	Help   string
	Reason bool // needs one
	Main   bool
}

// getReview shows one day of one zone to be signed.
func (h *Handler) getReview(w http.ResponseWriter, rq *request) error {
	return h.showReview(w, rq, "", http.StatusOK)
}

func (h *Handler) showReview(w http.ResponseWriter, rq *request, fault string, code int) error {
	zone, day := access.ZoneID(rq.PathValue("zone")), rq.PathValue("day")
	if err := h.inReach(rq, zone); err != nil {
		return err
	}
	sheet, err := h.src.Reviews.ReviewDay(rq.Context(), zone, day, rq.names)
	if err != nil {
		return fmt.Errorf("review of a day: %w", err)
	}
	if err := h.viewed(rq, ActionViewReview, string(zone)); err != nil { // after it is found: an address is no text for a leaf
		return err
	}
	v := &reviewSheetView{registerView: registerView{Base: h.base(rq, "review.sheet")}, Zone: sheet.Register.Zone.Name, Day: day}
	v.Here, v.Fault, v.Size = reviewHref(zone, day), fault, strconv.FormatUint(sheet.Size, 10)
	if t, err := time.Parse(dayLayout, day); err == nil {
		v.Day = v.date(calendar.DateOf(t))
	}
	v.State, v.Due, v.Overdue, v.Unheard = v.say.reviewTag(&sheet.Sheet), time.UnixMilli(sheet.DueMS), sheet.Sheet.Overdue, !sheet.Covered
	v.SignedBy, v.SecondBy, v.UpTo = sheet.SignedBy, sheet.SecondBy, sheet.Register.UpTo
	before, at, err := h.src.Reviews.Looked(rq.Context(), zone, day, rq.actor(), sheet.Size, rq.now)
	if err != nil {
		return err
	}
	v.Since = at
	fresh := func(leaf uint64) bool { return !at.IsZero() && leaf >= before }
	if rq.may(confirmRoles, zone) {
		v.Exits = reviewHref(zone, day) + "/exits/"
	}
	v.sort(&sheet, fresh)
	v.end(&sheet, zone, fresh)
	v.Strip = v.strip(slices.Concat(sheet.Ended, sheet.Register.Rows), day)
	news := 0
	for _, part := range [][]registerLine{v.Late, v.First, v.Rest, v.Refused, v.Ended} {
		for i := range part {
			if part[i].Fresh {
				news++
			}
		}
	}
	in, err := h.reach(rq)
	if err != nil {
		return err
	}
	for _, f := range sheet.Found {
		l := v.say.findingLine(f)
		l.link(rq, &in, &f)
		if l.Fresh = fresh(f.Leaf); l.Fresh {
			news++
		}
		v.Found = append(v.Found, l)
	}
	if news > 0 {
		v.News = strconv.Itoa(news)
	}
	for _, g := range sheet.Register.Gaps {
		v.Gaps = append(v.Gaps, v.T("register.gap", "what", v.say.gapLine(g).Gap))
	}
	v.checks(&sheet)
	for _, x := range sheet.History {
		v.History = append(v.History, reviewStep{What: v.T("review_act." + string(x.Kind)), By: x.By, Reason: x.Reason, Leaf: strconv.FormatUint(x.Leaf, 10), At: time.UnixMilli(x.AtMS)})
		if x.Kind == signoff.Add {
			v.History[len(v.History)-1].Paper = reviewHref(zone, day) + "/addition?leaf=" + strconv.FormatUint(x.Leaf, 10)
		}
	}
	v.BackTo = withQuery("/review", url.Values{"zone": {string(zone)}})
	if rq.may(signRoles, zone) {
		if !h.steppedUp(rq, stepUpFull) {
			v.StepUp = "/step-up?next=" + reviewHref(zone, day)
		}
		v.deeds(&sheet.Sheet, signoff.Actor{Account: rq.actor(), Person: rq.person()})
		if rq.names {
			v.Correct = reviewHref(zone, day) + "/correct?row="
		}
	}
	return h.renderStatus(w, rq, "review", v, code)
}

// sort puts what has to be looked at first: what came after the signature, then what is not paired, then the rest.
func (v *reviewSheetView) sort(sheet *ReviewSheet, fresh func(leaf uint64) bool) {
	for i := range sheet.Register.Rows {
		r := &sheet.Register.Rows[i]
		l := v.registerLine(r)
		l.No, l.Fresh = strconv.Itoa(i+1), fresh(max(r.Last, r.ExitLast))
		if v.Exits != "" && !r.StatedAt.IsZero() && r.ConfirmedBy == "" {
			l.Confirm = r.Stated
		}
		switch {
		case slices.Contains(sheet.Late, cmp.Or(r.Attempt, r.Paper)):
			v.Late = append(v.Late, l)
		case r.State == register.Denied:
			v.Refused = append(v.Refused, l)
		case r.State == register.Complete || r.State == register.NoEntry:
			v.Rest = append(v.Rest, l)
		default:
			v.First = append(v.First, l)
		}
	}
}

// end puts in the rows of earlier days that ended on this one: what is signed here is their exit.
func (v *reviewSheetView) end(sheet *ReviewSheet, zone access.ZoneID, fresh func(leaf uint64) bool) {
	for i := range sheet.Ended {
		l := v.endedLine(&sheet.Ended[i], zone)
		if l.Fresh = fresh(sheet.Ended[i].ExitLast); slices.Contains(sheet.Late, l.Attempt) {
			v.Late = append(v.Late, l)
		} else {
			v.Ended = append(v.Ended, l)
		}
	}
}

// endedLine is a row as the day of its exit shows it, with a link to the day on which it stands.
func (v *registerView) endedLine(r *RegisterRow, zone access.ZoneID) registerLine {
	of := *r
	of.Day = r.ExitDay
	l := v.registerLine(&of)
	l.Of = reviewHref(zone, r.Day)
	return l
}

// checks is the check-list of a day: the same points every day, in the same order, each with what there is.
func (v *reviewSheetView) checks(sheet *ReviewSheet) {
	add := func(key string, n int, href string) {
		c := reviewCheck{What: v.T("review_check." + key), State: Tag{v.T("review_check.none"), ToneGood, "check"}}
		if n > 0 {
			c.State, c.Href = Tag{v.T("review_check.some", "n", strconv.Itoa(n)), ToneWarn, "finding"}, href
		}
		v.Checks = append(v.Checks, c)
	}
	unproved := 0
	stated := 0
	for i := range sheet.Register.Rows {
		if r := &sheet.Register.Rows[i]; !r.StatedAt.IsZero() && r.ConfirmedBy == "" {
			stated++
		}
		if r := &sheet.Register.Rows[i]; r.Paper != "" && r.PaperSecond == "" {
			unproved++
		}
	}
	add("coverage", len(sheet.Register.Gaps), "#gaps")
	add("findings", sheet.Findings, "#found")
	add("unpaired", len(v.First), "#first")
	add("late", len(v.Late), "#late")
	add("purpose", sheet.Blank, "#rest")
	add("exits", stated, "#first")
	add("out", len(sheet.Out), "#gaps")
	add("paper", unproved, "/outages")
	for _, o := range sheet.Out {
		v.Gaps = append(v.Gaps, v.T("outage.shown", "door", o.Name, "ticket", o.Ticket, "until", v.DayTime(time.UnixMilli(o.Outage.Until()))))
	}
}

// deeds lists what the day's state lets somebody do. The source decides again.
func (v *reviewSheetView) deeds(s *signoff.Sheet, by signoff.Actor) {
	add := func(k signoff.Kind, main, reason bool) {
		v.Acts = append(v.Acts, reviewDeed{Kind: string(k), Label: v.T("review_do." + string(k)), Help: v.T("review_help." + string(k)), Reason: reason, Main: main})
	}
	switch s.Status {
	case signoff.Open, signoff.Returned:
		add(signoff.Sign, true, false)
	case signoff.Waiting:
		if !s.WaitsFor(by) { // the second person's work
			add(signoff.Reopen, false, true)
			return
		}
		add(signoff.Countersign, true, false)
		add(signoff.Return, false, true)
		add(signoff.Reopen, false, true)
	case signoff.Additional:
		add(signoff.Add, true, false)
		add(signoff.Reopen, false, true)
	case signoff.Done:
		add(signoff.Return, false, true)
		add(signoff.Reopen, false, true)
	}
}

// postReviewExit confirms an exit that somebody states, in one press on the day's page (RR-6).
func (h *Handler) postReviewExit(w http.ResponseWriter, rq *request) error {
	zone, day, id := access.ZoneID(rq.PathValue("zone")), rq.PathValue("day"), rq.PathValue("id")
	if !rq.may(confirmRoles, zone) {
		return errForbidden
	}
	list, err := h.src.Visits.ExitStatements(rq.Context())
	if err != nil {
		return fmt.Errorf("stated exits: %w", err)
	}
	if !slices.ContainsFunc(list, func(x visit.ExitStated) bool { return x.ID == id && x.Zone == zone }) {
		return ErrNotFound
	}
	if _, err = h.src.Visits.ConfirmExit(rq.Context(), id, rq.deskActor()); err == nil {
		return redirect(w, rq, reviewHref(zone, day)+"?done=exit_confirmed")
	}
	if errors.Is(err, visit.ErrSamePerson) {
		return h.showReview(w, rq, h.words[rq.lang].say("review_fault.same_person"), http.StatusForbidden)
	}
	return fmt.Errorf("confirm a stated exit: %w", err)
}

// postReview does one thing with a day.
func (h *Handler) postReview(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	zone, day, kind := access.ZoneID(rq.PathValue("zone")), rq.PathValue("day"), signoff.Kind(rq.post("act"))
	if !rq.may(signRoles, zone) {
		return errForbidden
	}
	seen, err := strconv.ParseUint(rq.post("seen"), 10, 63)
	if err != nil || kind == signoff.SignMonth || !slices.Contains(signoff.Kinds(), kind) {
		return errBadInput
	}
	act := rq.action(ActionKind(kind), "")
	if act.Reason = clip(strings.TrimSpace(rq.post("reason")), 1000); !written(act.Reason) {
		return errBadInput
	}
	if err := h.src.Reviews.ActOnDay(rq.Context(), zone, day, kind, seen, act); err != nil {
		if key := reviewFault(err); key != "" {
			return h.showReview(w, rq, h.words[rq.lang].say("review_fault."+key), http.StatusConflict)
		}
		return fmt.Errorf("act on day: %w", err)
	}
	if kind == signoff.Sign || kind == signoff.Countersign || kind == signoff.Add {
		return redirect(w, rq, withQuery("/review", url.Values{"zone": {string(zone)}, "done": {"day_signed"}}))
	}
	return redirect(w, rq, reviewHref(zone, day)+"?done=day_opened")
}

// reviewPart is one table of the sheet.
type reviewPart struct {
	V       *reviewSheetView
	Heading string
	Lines   []registerLine
}

// Part gives the table template what it needs.
func (v *reviewSheetView) Part(heading string, lines []registerLine) reviewPart {
	return reviewPart{v, heading, lines}
}
