package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
)

// zonesSeen tells which zones a request may see on a page of these roles: nil = all, else those that its roles are for.
// What lies in a zone belongs to it.
func (rq *request) zonesSeen(set RoleSet) map[access.ZoneID]bool {
	own := map[access.ZoneID]bool{}
	for _, as := range rq.account.Roles {
		one := Account{Roles: []Assignment{as}}
		switch {
		case one.rolesAt(rq.now)&set == 0:
		case as.Zone == "":
			return nil
		default:
			own[as.Zone] = true
		}
	}
	return own
}

// formField is one field of a form of rules.
type formField struct {
	Name, Label, Help string
	Kind              string // text, number, date, time, area, select, checks
	Value, Fault      string
	Options           []choice
	Required          bool
	Max               int // characters, or the largest number
	Unit              string
}

// Described lists the elements that explain the field.
func (f formField) Described() string {
	var ids []string
	if f.Help != "" {
		ids = append(ids, "f-"+f.Name+"-help")
	}
	if f.Fault != "" {
		ids = append(ids, "f-"+f.Name+"-fault")
	}
	return strings.Join(ids, " ")
}

// formGroup is a part of a form with a heading.
type formGroup struct {
	Heading, Text string
	Rows          bool // fields stand beside one another
	Fields        []formField
}

// ruleFormView is a form, whatever it is about.
type ruleFormView struct {
	Base
	StepUp  string
	Fault   string
	Notes   []noteLine // beside the fault, or before the form
	Action  string
	Back    string
	Intro   string
	Groups  []formGroup
	Presets []choice // buttons that fill the form in
	Remove  string   // where the row is taken out; "" = it is not
}

// ruleCheckView says what a change would do, and asks for the reason.
type ruleCheckView struct {
	Base
	Fault    string
	Action   string
	Kept     []keptField
	Changes  []ruleLine
	Waits    bool // something waits for a second person
	Now      bool // something is in force at once
	Warnings []string
	Fits     []fitLine
	Days     []scheduleDay // of a schedule: how it will act
	Reason   formField
	Removes  bool
}

// noteLine is a sentence, perhaps with what helps.
type noteLine struct{ Text, Href, Link string }

type keptField struct{ Name, Value string }

type ruleLine struct {
	What   string
	Op     Tag
	Fields []ruleValues
	Waits  bool
}

type ruleValues struct{ Name, Was, Is string }

type fitLine struct {
	Text  string
	Bad   bool
	Parts []string
}

// ruleForm is how one kind of rules is edited.
type ruleForm struct {
	title  string // key of the catalogue
	action string // path
	back   string // path of the list
	remove string
	intro  string
	edit   func(in url.Values) RuleEdit
	groups func(b Base, in url.Values, faults map[string]string) []formGroup
	// presets fill a form in.
	presets []choice
	prefill func(in url.Values)
	// field says at which field a problem stands; "" = at none. nil: by column, and row where there are several.
	field func(in url.Values, p RuleProblem) string
	// helps says what to do about problems; nil = nothing.
	helps func(b Base, problems []RuleProblem) []noteLine
}

// showRuleForm shows a form with what stands in in.
func (h *Handler) showRuleForm(w http.ResponseWriter, rq *request, f ruleForm, in url.Values, faults map[string]string, fault string, notes []noteLine) error {
	v := ruleFormView{Base: h.base(rq, f.title), Fault: fault, Notes: notes, Action: f.action, Back: f.back, Presets: f.presets, Remove: f.remove}
	if f.intro != "" {
		v.Intro = v.T(f.intro)
	}
	v.Here = f.action
	if v.StepUp = h.needFresh(rq); v.StepUp != "" {
		v.StepUp += f.action
	}
	v.Groups = f.groups(v.Base, in, faults)
	for name, text := range faults { // what is wrong with a field that the form has not
		if !slices.ContainsFunc(v.Groups, func(g formGroup) bool {
			return slices.ContainsFunc(g.Fields, func(x formField) bool { return x.Name == name })
		}) {
			v.Notes = append(v.Notes, noteLine{Text: text})
		}
	}
	code := http.StatusOK
	if fault != "" || len(faults) > 0 {
		code = http.StatusUnprocessableEntity
	}
	return h.renderStatus(w, rq, "rule_form", v, code)
}

// needFresh is the beginning of the address at which identity is checked again; "" when it was.
func (h *Handler) needFresh(rq *request) string {
	if h.steppedUp(rq, stepUpFull) {
		return ""
	}
	return "/step-up?next="
}

// postRuleForm is the way of every change of rules: look at what it would do, then do it with a reason.
func (h *Handler) postRuleForm(w http.ResponseWriter, rq *request, f ruleForm) error {
	in := rq.PostForm
	switch in.Get("do") {
	case "edit":
		return h.showRuleForm(w, rq, f, in, nil, "", nil)
	case "preset":
		if f.prefill != nil {
			f.prefill(in)
		}
		return h.showRuleForm(w, rq, f, in, nil, "", nil)
	}
	save := in.Get("do") == "save"
	act := rq.action(ActionRuleChanged, "")
	act.Reason = strings.TrimSpace(in.Get("reason"))
	fault := ""
	if save && (act.Reason == "" || len([]rune(act.Reason)) > ruleReason) {
		save, fault = false, "rule.reason_needed"
	}
	out, err := h.src.Rules.EditRules(rq.Context(), f.edit(in), !save, act)
	if err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	b := h.base(rq, f.title)
	if faults, rest, ofReason := b.say.ruleFaults(f, in, out.Problems); ofReason != "" {
		return h.showRuleCheck(w, rq, f, in, RuleOutcome{}, ofReason)
	} else if len(out.Problems) > 0 {
		if f.helps != nil {
			rest = append(rest, f.helps(b, out.Problems)...)
		}
		return h.showRuleForm(w, rq, f, in, faults, b.T("rule.wrong"), rest)
	}
	if save && len(out.Changes) > 0 {
		if out.Proposal != "" {
			return redirect(w, rq, f.back+"?done=rule_proposed")
		}
		return redirect(w, rq, f.back+"?done=rule_changed")
	}
	if len(out.Changes) == 0 {
		return h.showRuleForm(w, rq, f, in, nil, "", []noteLine{{Text: b.T("rule.nothing")}})
	}
	if fault != "" {
		fault = b.T(fault)
	}
	return h.showRuleCheck(w, rq, f, in, out, fault)
}

// ruleFaults sorts problems by field; what has none stands in rest.
func (b speaker) ruleFaults(f ruleForm, in url.Values, list []RuleProblem) (faults map[string]string, rest []noteLine, reason string) {
	faults = map[string]string{}
	for _, p := range list {
		text := b.problem(p.Text)
		switch {
		case p.Column == "reason" && p.Row < 0:
			reason = text
		case p.Column == "":
			rest = append(rest, noteLine{Text: text})
		case f.field != nil:
			if at := f.field(in, p); at != "" {
				faults[at] = text
			}
		case p.Row <= 0:
			faults[p.Column] = text
		}
	}
	return faults, rest, reason
}

func (h *Handler) showRuleCheck(w http.ResponseWriter, rq *request, f ruleForm, in url.Values, out RuleOutcome, fault string) error {
	v := ruleCheckView{Base: h.base(rq, f.title), Action: f.action, Removes: f.remove == f.action}
	v.Here = f.back
	if fault != "" && len(out.Changes) == 0 { // the fault is of the reason alone: what it would do is asked again
		var err error
		if out, err = h.src.Rules.EditRules(rq.Context(), f.edit(in), true, rq.action(ActionRuleChanged, "")); err != nil {
			return fmt.Errorf("rules: %w", err)
		}
	}
	for _, name := range slices.Sorted(mapKeys(in)) {
		if name == "do" || name == "reason" {
			continue
		}
		for _, value := range in[name] {
			v.Kept = append(v.Kept, keptField{name, value})
		}
	}
	v.Changes, v.Waits, v.Now = v.say.ruleLines(out.Changes)
	for _, x := range out.Warnings {
		v.Warnings = append(v.Warnings, v.say.warning(x))
	}
	for _, x := range out.Fits {
		v.Fits = append(v.Fits, v.say.fitLine(x))
	}
	v.Days = v.say.scheduleDays(out.Days)
	v.Reason = formField{Name: "reason", Label: v.T("account.reason"), Kind: "text", Value: in.Get("reason"), Fault: fault, Required: true, Max: ruleReason}
	code := http.StatusOK
	if fault != "" {
		code = http.StatusUnprocessableEntity
	}
	return h.renderStatus(w, rq, "rule_check", v, code)
}

func mapKeys(in url.Values) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range in {
			if !yield(k) {
				return
			}
		}
	}
}

// ruleLines says changes in words.
func (b speaker) ruleLines(list []RuleChange) (out []ruleLine, waits, now bool) {
	for _, c := range list {
		l := ruleLine{What: b.T("rule.row", "noun", b.known("rule_noun", c.Noun), "id", c.ID), Waits: c.Waits}
		switch c.Op {
		case "add":
			l.Op = Tag{b.T("rule.added"), ToneGood, "check"}
		case "remove":
			l.Op = Tag{b.T("rule.removed"), ToneAlarm, "stop"}
		default:
			l.Op = Tag{b.T("rule.changed"), ToneNote, "dot"}
		}
		for _, f := range c.Fields {
			l.Fields = append(l.Fields, ruleValues{b.known("rule_field", f.Name), b.ruleValue(f.Name, f.Was), b.ruleValue(f.Name, f.Is)})
		}
		waits, now = waits || c.Waits, now || !c.Waits
		out = append(out, l)
	}
	return out, waits, now
}

// ruleValue says a value of a column in words.
func (b speaker) ruleValue(column, v string) string {
	if v == "" {
		return "–"
	}
	if b.words.has("rule_value." + column + "_" + v) {
		return b.T("rule_value." + column + "_" + v)
	}
	if v == "yes" || v == "no" {
		return b.T("rule_value." + v)
	}
	if slices.Contains(lengthColumns, column) {
		if d, ok := lengthOf(v); ok {
			return b.length(d)
		}
	}
	return v
}

// lengthColumns hold lengths of time.
var lengthColumns = []string{"two_person_within", "escort_within", "escort_grace", "anti_passback_for", "max_age"}

// length says a length of time in the largest unit that leaves no rest.
func (b speaker) length(d time.Duration) string {
	switch {
	case d == 0:
		return b.T("rule_value.none")
	case d%time.Hour == 0:
		return b.T("rule.hours", "n", strconv.FormatInt(int64(d/time.Hour), 10))
	case d%time.Minute == 0:
		return b.T("rule.minutes", "n", strconv.FormatInt(int64(d/time.Minute), 10))
	case d%time.Second == 0:
		return b.T("rule.seconds", "n", strconv.FormatInt(int64(d/time.Second), 10))
	}
	return d.String()
}

// fitLine says how many people a zone refuses for their cards.
func (b speaker) fitLine(f RuleFit) (l fitLine) {
	n, m := strconv.Itoa(f.Refused()), strconv.Itoa(f.People)
	if f.Refused() == 0 {
		l.Text = b.T("rule.fits", "zone", f.Name, "all", m)
		return l
	}
	l.Bad, l.Text = true, b.T("rule.refuses", "zone", f.Name, "n", n, "all", m)
	for _, x := range []struct {
		key string
		n   int
	}{{"rule.refuses_weak", f.Weak}, {"rule.refuses_pin", f.NoPIN}, {"rule.refuses_card", f.NoCard}} {
		if x.n > 0 {
			l.Parts = append(l.Parts, b.T(x.key, "n", strconv.Itoa(x.n)))
		}
	}
	return l
}

// warning says a warning of the directory.
func (b speaker) warning(x RuleText) string {
	return b.T("rule.row", "noun", b.known("rule_noun", x.Noun), "id", x.ID) + b.T("rule.colon") + b.problem(x.Text)
}

// ruleByID finds a row.
func (h *Handler) ruleByID(rq *request, kind RuleKind, id string) (RuleRow, error) {
	rows, err := h.src.Rules.RuleRows(rq.Context(), kind)
	if err != nil {
		return RuleRow{}, fmt.Errorf("%s: %w", kind, err)
	}
	i := slices.IndexFunc(rows, func(r RuleRow) bool { return r.ID == id })
	if i < 0 {
		return RuleRow{}, ErrNotFound
	}
	return rows[i], nil
}
