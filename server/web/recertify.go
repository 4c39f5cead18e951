package web

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
)

// ruleAnswerers say of people in their zones whether rights are kept.
const ruleAnswerers = groupC | RoleSet(1<<RoleZoneManager)

type recertifyView struct {
	Base
	StepUp  string
	Fault   string
	Reason  string
	Due     []roundDueLine
	Rounds  []roundLine
	MayOpen bool
	Least   string // the first day that may be due
}

type roundDueLine struct{ ID, Zone, Last, Due, Href string }

type roundLine struct {
	Zone, Href  string
	Opened, Due string
	State       Tag
	Count       string
}

type roundView struct {
	Base
	StepUp    string
	Fault     string
	Zone      string
	Opened    string
	Due       string
	State     Tag
	Action    string
	MayAnswer bool
	Lines     []answerLine
	Reason    formField
}

type answerLine struct {
	ID, Name, Section string
	State             Tag
	Day               string
	Keep, Remove      bool
}

// seesZone reports whether a request may see a zone on these pages: one of its roles is for it, or for all.
func (rq *request) seesZone(set RoleSet, zone access.ZoneID) bool {
	seen := rq.zonesSeen(set)
	return seen == nil || seen[zone]
}

func (h *Handler) recertifyView(rq *request) (recertifyView, error) {
	v := recertifyView{Base: h.base(rq, "recertify.title"), MayOpen: rq.roles&ruleChangers != 0}
	v.Here, v.Least = "/recertify", rq.now.In(h.cfg.Zone).Format(dayLayout)
	if v.StepUp = h.needFresh(rq); v.StepUp != "" {
		v.StepUp += "/recertify"
	}
	book, err := h.src.Recertifications.Rounds(rq.Context())
	if err != nil {
		return v, fmt.Errorf("rounds: %w", err)
	}
	for _, d := range book.Due {
		if d.Open != "" || !rq.seesZone(ruleNames, d.Zone) {
			continue
		}
		l := roundDueLine{ID: string(d.Zone), Zone: d.ZoneName, Last: v.T("recertify.never"), Due: v.say.dayWords(d.Due)}
		if d.Last != "" {
			l.Last = v.say.dayWords(d.Last)
		}
		v.Due = append(v.Due, l)
	}
	for _, r := range book.Rounds {
		if !rq.seesZone(ruleNames, r.Zone) {
			continue
		}
		open := 0
		for _, a := range r.Answers {
			if a.Word == "open" {
				open++
			}
		}
		l := roundLine{Zone: r.ZoneName, Href: "/recertify/" + r.ID, Opened: v.say.dayWords(r.Opened), Due: v.say.dayWords(r.Due), State: v.say.roundTag(r, v.Least),
			Count: v.T("recertify.count", "n", strconv.Itoa(len(r.Answers)-open), "all", strconv.Itoa(len(r.Answers)))}
		v.Rounds = append(v.Rounds, l)
	}
	return v, nil
}

func (b speaker) roundTag(r RuleRound, today string) Tag {
	switch {
	case r.Closed != "":
		return Tag{b.T("recertify.closed"), ToneQuiet, "check"}
	case r.Due < today:
		return Tag{b.T("recertify.overdue"), ToneAlarm, "clock"}
	}
	return Tag{b.T("recertify.open"), ToneNote, "clock"}
}

func (h *Handler) getRecertify(w http.ResponseWriter, rq *request) error {
	v, err := h.recertifyView(rq)
	if err != nil {
		return err
	}
	return h.render(w, rq, "recertify", v)
}

// postRecertify opens a round.
func (h *Handler) postRecertify(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	fault := ""
	act := rq.action(ActionRuleChanged, "")
	act.Reason = strings.TrimSpace(rq.post("reason"))
	due := rq.post("due")
	switch {
	case act.Reason == "" || len([]rune(act.Reason)) > ruleReason:
		fault = "rule.reason_needed"
	case due != "" && (dateIn(due, time.UTC).IsZero() || due < rq.now.In(h.cfg.Zone).Format(dayLayout)):
		fault = "recertify.due_form"
	default:
		err := h.src.Recertifications.OpenRound(rq.Context(), access.ZoneID(rq.post("zone")), due, act)
		switch {
		case err == nil:
			return redirect(w, rq, "/recertify?done=rule_changed")
		case errors.Is(err, ErrState):
			fault = "recertify.opened"
		case errors.Is(err, ErrBadReason):
			fault = "problem.my_number"
		default:
			return fmt.Errorf("open a round: %w", err)
		}
	}
	v, err := h.recertifyView(rq)
	if err != nil {
		return err
	}
	v.Fault, v.Reason = v.T(fault), rq.post("reason")
	return h.renderStatus(w, rq, "recertify", v, http.StatusUnprocessableEntity)
}

// ErrBadReason says that a reason holds what must not be stored.
var ErrBadReason = errors.New("reason holds what must not be stored")

func (h *Handler) round(rq *request) (RuleRound, error) {
	book, err := h.src.Recertifications.Rounds(rq.Context())
	if err != nil {
		return RuleRound{}, fmt.Errorf("rounds: %w", err)
	}
	i := slices.IndexFunc(book.Rounds, func(r RuleRound) bool { return r.ID == rq.PathValue("round") })
	if i < 0 || !rq.seesZone(ruleNames, book.Rounds[i].Zone) {
		return RuleRound{}, ErrNotFound
	}
	return book.Rounds[i], nil
}

func (h *Handler) showRound(w http.ResponseWriter, rq *request, r RuleRound, fault, reasonFault string) error {
	v := roundView{Base: h.base(rq, "recertify.one"), Fault: fault, Zone: r.ZoneName, Opened: "", Action: "/recertify/" + r.ID, MayAnswer: rq.may(ruleAnswerers, r.Zone)}
	v.Here, v.Opened, v.Due = v.Action, v.say.dayWords(r.Opened), v.say.dayWords(r.Due)
	v.Title = v.T("recertify.named", "zone", r.ZoneName)
	v.State = v.say.roundTag(r, rq.now.In(h.cfg.Zone).Format(dayLayout))
	if v.StepUp = h.needFresh(rq); v.StepUp != "" {
		v.StepUp += v.Action
	}
	if err := h.looked(rq, ActionViewGrants, ""); err != nil { // who has rights stands in it
		return err
	}
	for _, a := range r.Answers {
		l := answerLine{ID: a.Person, Name: a.Name, Section: a.Section, Keep: rq.PostForm.Get("answer_"+a.Person) == "keep", Remove: rq.PostForm.Get("answer_"+a.Person) == "remove"}
		if l.Name == "" {
			l.Name = a.Person
		}
		if a.Day != "" {
			l.Day = v.say.dayWords(a.Day)
		}
		switch a.Word {
		case "keep":
			l.State = Tag{v.T("recertify.kept"), ToneGood, "check"}
		case "remove":
			l.State = Tag{v.T("recertify.removed"), ToneAlarm, "stop"}
		case "suspended":
			l.State = Tag{v.T("recertify.suspended"), ToneWarn, "stop"}
		default:
			l.State = Tag{v.T("recertify.unanswered"), ToneNote, "clock"}
		}
		v.Lines = append(v.Lines, l)
	}
	v.Reason = formField{Name: "reason", Label: v.T("account.reason"), Kind: "text", Value: rq.PostForm.Get("reason"), Fault: reasonFault, Required: true, Max: ruleReason}
	code := http.StatusOK
	if fault != "" || reasonFault != "" {
		code = http.StatusUnprocessableEntity
	}
	return h.renderStatus(w, rq, "round", v, code)
}

func (h *Handler) getRound(w http.ResponseWriter, rq *request) error {
	r, err := h.round(rq)
	if err != nil {
		return err
	}
	return h.showRound(w, rq, r, "", "")
}

// postRound answers for some people of a round. To remove takes rights away and acts at once; to keep somebody who was
// suspended gives them back, and waits for a second person where D27 asks for one.
func (h *Handler) postRound(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	r, err := h.round(rq)
	if err != nil {
		return err
	}
	if !rq.may(ruleAnswerers, r.Zone) {
		return errForbidden
	}
	answers := map[string]bool{}
	for _, a := range r.Answers {
		switch rq.post("answer_" + a.Person) {
		case "keep":
			answers[a.Person] = true
		case "remove":
			answers[a.Person] = false
		}
	}
	b := h.base(rq, "recertify.one")
	act := rq.action(ActionRuleChanged, "")
	act.Reason = strings.TrimSpace(rq.post("reason"))
	switch {
	case len(answers) == 0:
		return h.showRound(w, rq, r, b.T("recertify.no_answer"), "")
	case act.Reason == "" || len([]rune(act.Reason)) > ruleReason:
		return h.showRound(w, rq, r, "", b.T("rule.reason_needed"))
	}
	out, err := h.src.Recertifications.AnswerRound(rq.Context(), r.ID, answers, act)
	switch {
	case err != nil:
		return fmt.Errorf("answer: %w", err)
	case len(out.Problems) > 0:
		return h.showRound(w, rq, r, "", b.say.problem(out.Problems[0].Text))
	case out.Proposal != "":
		return redirect(w, rq, "/recertify/"+r.ID+"?done=rule_proposed")
	}
	return redirect(w, rq, "/recertify/"+r.ID+"?done=rule_changed")
}

type renewalsView struct {
	Base
	StepUp string
	Fault  string
	Open   bool
	Until  string
	Lines  []renewalLine
	Gaps   []gapLine
	May    bool
	Reason formField
}

type renewalLine struct {
	ID, Holder, Zone, Schedule string
	Ends, Becomes              string
	People                     string
	Chosen                     bool
}

type gapLine struct{ Zone, Text string }

func (h *Handler) showRenewals(w http.ResponseWriter, rq *request, fault, reasonFault string) error {
	book, err := h.src.Recertifications.Renewals(rq.Context())
	if err != nil {
		return fmt.Errorf("renewals: %w", err)
	}
	if err := h.looked(rq, ActionViewGrants, ""); err != nil {
		return err
	}
	v := renewalsView{Base: h.base(rq, "renewals.title"), Fault: fault, Open: book.Open, May: rq.roles&ruleChangers != 0}
	v.Here, v.Until = "/renewals", v.say.dayWords(book.Until)
	if v.StepUp = h.needFresh(rq); v.StepUp != "" {
		v.StepUp += "/renewals"
	}
	for _, g := range book.Grants {
		if !rq.seesZone(ruleNames, g.ZoneID) {
			continue
		}
		l := renewalLine{ID: g.ID, Holder: g.Holder, Zone: g.Zone, Schedule: g.Schedule, Ends: v.say.dayWords(g.Ends), Becomes: v.say.between(g.From, g.To), Chosen: slices.Contains(rq.PostForm["grant"], g.ID)}
		if g.People != 1 {
			l.People = v.T("rule.people", "n", strconv.Itoa(g.People))
		}
		v.Lines = append(v.Lines, l)
	}
	for _, g := range book.Gaps {
		if !rq.seesZone(ruleNames, g.Zone) {
			continue
		}
		text := v.T("renewals.nobody", "day", v.say.dayWords(g.Day))
		if len(g.People) > 0 {
			text = v.T("renewals.only", "day", v.say.dayWords(g.Day), "names", strings.Join(g.People, v.T("list.separator")))
		}
		v.Gaps = append(v.Gaps, gapLine{g.Name, text})
	}
	v.Reason = formField{Name: "reason", Label: v.T("account.reason"), Kind: "text", Value: rq.PostForm.Get("reason"), Fault: reasonFault, Required: true, Max: ruleReason}
	code := http.StatusOK
	if fault != "" || reasonFault != "" {
		code = http.StatusUnprocessableEntity
	}
	return h.renderStatus(w, rq, "renewals", v, code)
}

func (h *Handler) getRenewals(w http.ResponseWriter, rq *request) error {
	return h.showRenewals(w, rq, "", "")
}

func (h *Handler) postRenewals(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	b := h.base(rq, "renewals.title")
	act := rq.action(ActionRuleChanged, "")
	act.Reason = strings.TrimSpace(rq.post("reason"))
	ids := rq.PostForm["grant"]
	switch {
	case len(ids) == 0:
		return h.showRenewals(w, rq, b.T("renewals.none_chosen"), "")
	case act.Reason == "" || len([]rune(act.Reason)) > ruleReason:
		return h.showRenewals(w, rq, "", b.T("rule.reason_needed"))
	}
	out, err := h.src.Recertifications.Renew(rq.Context(), ids, act)
	switch {
	case errors.Is(err, ErrNotFound):
		return h.showRenewals(w, rq, b.T("renewals.gone"), "")
	case err != nil:
		return fmt.Errorf("renew: %w", err)
	case len(out.Problems) > 0:
		return h.showRenewals(w, rq, "", b.say.problem(out.Problems[0].Text))
	case out.Proposal != "":
		return redirect(w, rq, "/renewals?done=rule_proposed")
	}
	return redirect(w, rq, "/renewals?done=rule_changed")
}
