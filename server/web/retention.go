package web

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Who reads the pages of retention, and who acts: the office that answers for the data. Each act takes a fresh check of identity, and what destroys or
// lets go takes two persons (RA-2). What is disposed of is no zone's, so the role has to be for the whole site.
const (
	retentionReaders = groupF | groupA | groupC
	retentionActors  = groupC
)

// Actions on retention.
const (
	ActionRetentionSet      ActionKind = "retention_set"
	ActionDisposalAsked     ActionKind = "disposal_asked"
	ActionDisposalApproved  ActionKind = "disposal_approved"
	ActionDisposalWithdrawn ActionKind = "disposal_withdrawn"
	ActionHoldPlaced        ActionKind = "hold_placed"
	ActionHoldReleased      ActionKind = "hold_released"
)

// retentionRoutes is the part of the table for retention.
func retentionRoutes() []route {
	return []route{
		{pattern: "GET /retention", roles: retentionReaders, serve: (*Handler).getRetention},
		{pattern: "GET /retention/{run}", roles: retentionReaders, serve: (*Handler).getRetentionRun},
		{pattern: "POST /retention/rules", roles: retentionActors, stepUp: stepUpFull, serve: sitewide(retentionActors, (*Handler).postRetentionRule)},
		{pattern: "POST /retention/disposals", roles: retentionActors, stepUp: stepUpFull, serve: sitewide(retentionActors, (*Handler).postDisposal)},
		{pattern: "POST /retention/disposals/{run}", roles: retentionActors, stepUp: stepUpFull, serve: sitewide(retentionActors, (*Handler).postDisposalDecision)},
		{pattern: "POST /retention/holds", roles: retentionActors, stepUp: stepUpFull, serve: sitewide(retentionActors, (*Handler).postHold)},
		{pattern: "POST /retention/holds/{hold}", roles: retentionActors, stepUp: stepUpFull, serve: sitewide(retentionActors, (*Handler).postHoldRelease)},
	}
}

type retentionView struct {
	Base
	StepUp string
	Fault  string
	MayAct bool
	Rules  []retentionRuleLine
	Items  []retentionItemLine
	Runs   []retentionRunLine
	Holds  []retentionHoldLine
	All    []choice // classes that a hold may name
}

type retentionRuleLine struct {
	Class, Name, Kept string
	Years             int
	Fixed             bool
}

type retentionItemLine struct {
	Class, Name, Year, Count, DueOn string
	FY                              int
	State                           Tag
	MayAsk                          bool
}

type retentionRunLine struct {
	ID, Name, Year, AskedBy, Asked, ApprovedBy, Approved, DoneAt string
	Count, Rows, Started, Done                                   string
	State                                                        Tag
	MayApprove, MayWithdraw                                      bool
}

type retentionHoldLine struct {
	ID, Name, Years, Until, By, Why string
	State                           Tag
	Open, Asked                     bool
}

func (b speaker) className(class string) string {
	if class == "" {
		class = "all"
	}
	return b.T("retention_class." + class)
}

func (b speaker) fiscal(year int) string { return b.T("retention.year", "year", strconv.Itoa(year)) }

func (b speaker) runLine(r RetentionRun, who string, may bool) retentionRunLine {
	l := retentionRunLine{
		ID: r.ID, Name: b.className(r.Class), Year: b.fiscal(r.Year), AskedBy: r.AskedBy, Asked: b.DayTime(r.Asked), ApprovedBy: r.ApprovedBy, Count: strconv.FormatInt(r.Count, 10),
		Rows: strconv.FormatInt(r.Rows, 10), MayApprove: may && r.State == "asked" && r.Asker != who, MayWithdraw: may && (r.State == "asked" || r.State == "approved" || r.State == "void"),
	}
	if !r.Approved.IsZero() {
		l.Approved = b.DayTime(r.Approved)
	}
	if r.Started >= 0 {
		l.Started = strconv.FormatInt(r.Started, 10)
	}
	if r.Done >= 0 {
		l.Done, l.DoneAt = strconv.FormatInt(r.Done, 10), b.DayTime(r.DoneAt)
	}
	tone, icon := ToneNote, "clock"
	switch r.State {
	case "done":
		tone, icon = ToneGood, "check"
	case "withdrawn":
		tone, icon = ToneQuiet, "stop"
	case "void":
		tone, icon = ToneWarn, "stop"
	}
	l.State = Tag{b.T("retention_run." + r.State), tone, icon}
	return l
}

func (h *Handler) retentionView(rq *request) (retentionView, error) {
	v := retentionView{Base: h.base(rq, "retention.title"), MayAct: rq.may(retentionActors, "")}
	v.Here = "/retention"
	if v.StepUp = h.needFresh(rq); v.StepUp != "" {
		v.StepUp += "/retention"
	}
	book, err := h.src.Retention.RetentionBook(rq.Context())
	if err != nil {
		return v, fmt.Errorf("retention: %w", err)
	}
	v.All = []choice{{Value: "", Label: v.say.className("")}}
	for _, r := range book.Rules {
		l := retentionRuleLine{Class: r.Class, Name: v.say.className(r.Class), Years: r.Years, Fixed: r.Years == 0, Kept: v.T("retention.for_ever")}
		if !l.Fixed {
			l.Kept = v.T("retention.years", "n", strconv.Itoa(r.Years))
			v.All = append(v.All, choice{Value: r.Class, Label: l.Name})
		}
		v.Rules = append(v.Rules, l)
	}
	for _, x := range book.Items {
		l := retentionItemLine{Class: x.Class, Name: v.say.className(x.Class), FY: x.Year, Year: v.say.fiscal(x.Year), Count: strconv.FormatInt(x.Count, 10), DueOn: v.say.dayWords(x.DueOn)}
		switch {
		case len(x.Holds) > 0:
			l.State = Tag{v.T("retention.held", "holds", strings.Join(x.Holds, v.T("list.separator"))), ToneWarn, "stop"}
		case x.Due && x.Open > 0:
			l.State = Tag{v.T("retention.waits", "n", strconv.FormatInt(x.Open, 10)), ToneWarn, "stop"}
		case x.Asked:
			l.State = Tag{v.T("retention.under_way"), ToneNote, "clock"}
		case x.Due:
			l.State, l.MayAsk = Tag{v.T("retention.due"), ToneAlarm, "clock"}, v.MayAct
		default:
			l.State = Tag{v.T("retention.kept"), ToneQuiet, "check"}
		}
		v.Items = append(v.Items, l)
	}
	for _, r := range book.Runs {
		v.Runs = append(v.Runs, v.say.runLine(r, rq.actor(), v.MayAct))
	}
	for _, x := range book.Holds {
		l := retentionHoldLine{ID: x.ID, Name: v.say.className(x.Class), Years: v.T("retention.from_to", "from", strconv.Itoa(x.FromFY), "to", strconv.Itoa(x.ToFY)), Until: v.say.dayWords(x.Until), By: x.By, Why: x.Why,
			Open: x.State != "released", Asked: x.State == "release_asked"}
		tone := ToneWarn
		if !l.Open {
			tone = ToneQuiet
		}
		l.State = Tag{v.T("retention_hold." + x.State), tone, "stop"}
		v.Holds = append(v.Holds, l)
	}
	return v, nil
}

func (h *Handler) getRetention(w http.ResponseWriter, rq *request) error {
	v, err := h.retentionView(rq)
	if err != nil {
		return err
	}
	return h.render(w, rq, "retention", v)
}

type retentionRunView struct {
	Base
	Run retentionRunLine
}

// getRetentionRun is the record of one disposal, for printing.
func (h *Handler) getRetentionRun(w http.ResponseWriter, rq *request) error {
	r, err := h.src.Retention.DisposalRun(rq.Context(), rq.PathValue("run"))
	if err != nil {
		return err
	}
	v := retentionRunView{Base: h.base(rq, "retention.record")}
	v.Run = v.say.runLine(r, "", false)
	return h.render(w, rq, "retention_run", v)
}

// retentionAct reads a form that needs a reason and does what do says; what is refused is said on the page, and nothing has happened.
func (h *Handler) retentionAct(w http.ResponseWriter, rq *request, kind ActionKind, do func(act Action) error) error {
	if err := rq.form(); err != nil {
		return err
	}
	act := rq.action(kind, "")
	act.Reason = strings.TrimSpace(rq.post("reason"))
	err := ErrBadRetention
	if act.Reason != "" && len([]rune(act.Reason)) <= 300 {
		err = do(act)
	}
	fault := ""
	switch {
	case err == nil:
		return redirect(w, rq, "/retention?done="+string(kind))
	case errors.Is(err, ErrBadRetention):
		fault = "retention.malformed"
	case errors.Is(err, ErrHeld):
		fault = "retention.is_held"
	case errors.Is(err, ErrOpenCases):
		fault = "retention.is_open"
	case errors.Is(err, ErrNotAllowed):
		fault = "retention.early"
	case errors.Is(err, ErrExists):
		fault = "retention.exists"
	case errors.Is(err, ErrSamePerson):
		fault = "retention.same_person"
	case errors.Is(err, ErrTyped):
		fault = "retention.typed"
	case errors.Is(err, ErrTooLate):
		fault = "retention.too_late"
	default:
		return err
	}
	v, err := h.retentionView(rq)
	if err != nil {
		return err
	}
	v.Fault = v.T(fault)
	return h.renderStatus(w, rq, "retention", v, http.StatusUnprocessableEntity)
}

// number reads a small number of a form; -1 = none.
func (rq *request) number(name string) int {
	n, err := strconv.Atoi(rq.post(name))
	if err != nil || n < 0 || n > 9999 {
		return -1
	}
	return n
}

func (h *Handler) postRetentionRule(w http.ResponseWriter, rq *request) error {
	return h.retentionAct(w, rq, ActionRetentionSet, func(act Action) error {
		return h.src.Retention.SetRetention(rq.Context(), rq.post("class"), rq.number("years"), act)
	})
}

func (h *Handler) postDisposal(w http.ResponseWriter, rq *request) error {
	return h.retentionAct(w, rq, ActionDisposalAsked, func(act Action) error {
		return h.src.Retention.AskDisposal(rq.Context(), rq.post("class"), rq.number("year"), act)
	})
}

func (h *Handler) postDisposalDecision(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	approve, kind := rq.post("do") == "approve", ActionDisposalWithdrawn
	if approve {
		kind = ActionDisposalApproved
	}
	return h.retentionAct(w, rq, kind, func(act Action) error {
		return h.src.Retention.DecideDisposal(rq.Context(), rq.PathValue("run"), approve, act)
	})
}

func (h *Handler) postHold(w http.ResponseWriter, rq *request) error {
	return h.retentionAct(w, rq, ActionHoldPlaced, func(act Action) error {
		return h.src.Retention.PlaceHold(rq.Context(), rq.post("class"), rq.number("from"), rq.number("to"), rq.post("until"), act)
	})
}

func (h *Handler) postHoldRelease(w http.ResponseWriter, rq *request) error {
	return h.retentionAct(w, rq, ActionHoldReleased, func(act Action) error {
		return h.src.Retention.ReleaseHold(rq.Context(), rq.PathValue("hold"), act)
	})
}
