package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// ruleList is a kind of rules that has a list and a form, and nothing more to say.
type ruleList struct {
	kind    RuleKind
	path    string
	id      string // column of its identifier
	section string // of the catalogue: title, text, new, edit, removing, none
	columns []string
	fields  []listField
	people  string // column with people, "" = none
	grows   bool   // rows are added, never changed
}

type listField struct {
	column, kind string
	required     bool
	max          int
	words        []string
}

var (
	groupList = ruleList{kind: RuleGroups, path: "/groups", id: "group_id", section: "groups", columns: []string{"section"}, people: "members",
		fields: []listField{{"name", "text", true, 100, nil}, {"name_en", "text", false, 100, nil}, {"section", "text", false, 100, nil}, {"members", "area", false, 0, nil}}}
	contractList = ruleList{kind: RuleContracts, path: "/contracts", id: "contract_id", section: "contracts", columns: []string{"company", "section", "tier", "approval", "valid_from", "valid_until"}, people: "workers",
		fields: []listField{{"name", "text", false, 100, nil}, {"company", "text", true, 100, nil}, {"section", "text", true, 100, nil}, {"valid_from", "date", true, 0, nil}, {"valid_until", "date", true, 0, nil},
			{"tier", "select", false, 0, []string{"1", "2", "3", "4", "5"}}, {"approval", "text", false, 100, nil}, {"workers", "area", false, 0, nil}}}
	exceptionList = ruleList{kind: RuleExceptions, path: "/exceptions", id: "exception_id", section: "exceptions", columns: []string{"subject", "subject_id", "what", "reason", "approver", "valid_from", "valid_until", "review", "basis"},
		fields: []listField{{"subject", "select", true, 0, []string{"zone", "person", "door", "site"}}, {"subject_id", "text", false, 32, nil}, {"control", "select", false, 0, []string{"pin_always", "two_person", "escort", "carry_in"}},
			{"what", "text", false, 100, nil}, {"why", "text", true, 500, nil}, {"approver", "text", true, 100, nil}, {"valid_from", "date", true, 0, nil}, {"valid_until", "date", true, 0, nil}, {"review", "date", false, 0, nil}, {"basis", "text", false, 500, nil}}}
	conditionList = ruleList{kind: RuleConditions, path: "/conditions", id: "version", section: "conditions", columns: []string{"from", "text", "text_en"}, grows: true,
		fields: []listField{{"text", "area", true, 0, nil}, {"text_en", "area", false, 0, nil}, {"valid_from", "date", false, 0, nil}}}
)

type ruleListView struct {
	Base
	Text    string
	New     string
	NewText string
	None    string
	MayEdit bool
	Lines   []ruleListLine
}

type ruleListLine struct {
	Name, ID, Edit, EditText string
	State                    Tag
	Values                   []fieldPair
	People                   []string
	Count                    string
}

type fieldPair struct{ Name, Value string }

// names gives people's names by number, for pages that may show them.
func (h *Handler) names(rq *request) (map[string]string, error) {
	if !rq.names {
		return nil, nil
	}
	people, err := h.src.Registry.RegistryPeople(rq.Context())
	if err != nil {
		return nil, fmt.Errorf("people: %w", err)
	}
	out := make(map[string]string, len(people))
	for _, p := range people {
		out[p.ID] = p.Name
	}
	return out, nil
}

func (l *ruleList) get(h *Handler, w http.ResponseWriter, rq *request) error {
	rows, err := h.src.Rules.RuleRows(rq.Context(), l.kind)
	if err != nil {
		return fmt.Errorf("%s: %w", l.kind, err)
	}
	v := ruleListView{Base: h.base(rq, l.section+".title"), MayEdit: rq.roles&ruleChangers != 0, New: l.path + "/new"}
	v.Text, v.NewText, v.None = v.T(l.section+".text"), v.T(l.section+".new"), v.T(l.section+".none")
	var names map[string]string
	if l.people != "" || l.kind == RuleExceptions { // whose members they are, and whom an exception is about, stands in it (RA-4)
		if err := h.looked(rq, ActionViewGrants, ""); err != nil {
			return err
		}
		if names, err = h.names(rq); err != nil {
			return err
		}
	}
	today := rq.now.In(h.cfg.Zone).Format(dayLayout)
	for _, r := range rows {
		x := ruleListLine{Name: r.Name, ID: r.ID, Edit: l.path + "/" + url.PathEscape(r.ID) + "/edit", EditText: v.T("rule.edit")}
		if l.grows {
			x.Edit = ""
		}
		if x.Name == "" {
			x.Name = r.ID
		}
		if l.kind == RuleConditions {
			x.Name = v.T("rule.version", "n", r.ID)
		}
		if until, has := r.Values["valid_until"]; has {
			x.State = v.say.periodTag(r.Values["valid_from"], until, today)
		}
		for _, column := range l.columns {
			value := r.Values[column]
			switch {
			case value == "":
				continue
			case len(value) == len(dayLayout) && strings.Count(value, "-") == 2:
				value = v.say.dayWords(value)
			case column == "what" && r.Values["subject"] == "zone":
				value = v.say.known("rule_field", controlColumn(value))
			case column == "subject":
				value = v.say.known("rule_noun", value)
			case column == "subject_id" && r.Values["subject"] == "person" && names[value] != "":
				value = names[value] + " " + value
			}
			x.Values = append(x.Values, fieldPair{v.say.known("rule_field", column), value})
		}
		ids := strings.Fields(r.Values[l.people])
		for _, id := range ids {
			x.People = append(x.People, strings.TrimSpace(names[id]+" "+id))
		}
		if l.people != "" {
			x.Count = v.T("rule.people", "n", strconv.Itoa(len(ids)))
		}
		v.Lines = append(v.Lines, x)
	}
	if l.kind == RuleConditions {
		slices.Reverse(v.Lines) // the newest first
	}
	return h.render(w, rq, "rule_list", v)
}

// periodTag says whether a period is running today.
func (b speaker) periodTag(from, until, today string) Tag {
	switch {
	case until != "" && until < today:
		return Tag{b.T("person_state.ended"), ToneQuiet, "dash"}
	case from > today:
		return Tag{b.T("person_state.not_yet"), ToneNote, "clock"}
	}
	return Tag{b.T("person_state.active"), ToneGood, "check"}
}

// form is the form of one row, of a new one with id "".
func (l *ruleList) form(id string) ruleForm {
	f := ruleForm{title: l.section + ".edit", action: l.path + "/" + url.PathEscape(id) + "/edit", back: l.path, remove: l.path + "/" + url.PathEscape(id) + "/remove", intro: l.section + ".form"}
	if id == "" {
		f.title, f.action, f.remove = l.section+".new", l.path+"/new", ""
	}
	f.edit = func(in url.Values) RuleEdit {
		row := map[string]string{l.id: id}
		if id == "" {
			row[l.id] = strings.TrimSpace(in.Get(l.id))
		}
		for _, x := range l.fields {
			row[x.column] = strings.TrimSpace(in.Get(x.column))
		}
		if l.kind == RuleExceptions {
			row["reason"] = row["why"] // a form's reason is that of the change
			if row["subject"] == "zone" {
				row["what"] = row["control"]
			}
			if row["subject"] == "site" {
				row["subject_id"] = ""
			}
		}
		e := RuleEdit{Kind: l.kind, Rows: []map[string]string{row}}
		ids := strings.FieldsFunc(in.Get(l.people), func(r rune) bool { return strings.ContainsRune(" \t\r\n,、 ", r) })
		if l.people == "" || len(ids) == 0 {
			return e
		}
		e.Rows = nil
		for _, person := range ids {
			one := map[string]string{"person_id": person}
			for column, v := range row {
				one[column] = v
			}
			e.Rows = append(e.Rows, one)
		}
		return e
	}
	f.field = func(in url.Values, p RuleProblem) string {
		switch {
		case p.Column == l.id && meantField(p.Text) != "":
			return meantField(p.Text)
		case p.Column == "person_id":
			return l.people
		case p.Row > 0:
			return ""
		case l.kind == RuleExceptions && p.Column == "reason":
			return "why"
		case l.kind == RuleExceptions && p.Column == "what" && in.Get("subject") == "zone":
			return "control"
		}
		return p.Column
	}
	f.groups = func(b Base, in url.Values, faults map[string]string) []formGroup {
		g := formGroup{Heading: b.T(l.section + ".one")}
		if id == "" {
			kind, help := "text", b.T("rule.number_help")
			if l.kind == RuleConditions {
				kind, help = "number", b.T("conditions.version_help")
			}
			if l.kind == RuleGroups {
				help = b.T("rule.id_help")
			}
			g.Fields = append(g.Fields, formField{Name: l.id, Label: b.T("rule_field." + l.id), Help: help, Kind: kind, Value: in.Get(l.id), Required: true, Max: 32})
		}
		for _, x := range l.fields {
			y := formField{Name: x.column, Label: b.T("rule_field." + x.column), Kind: x.kind, Value: in.Get(x.column), Required: x.required, Max: x.max}
			if key := l.section + "." + x.column + "_help"; b.say.words.has(key) {
				y.Help = b.T(key)
			}
			for _, w := range x.words {
				label := w
				switch x.column {
				case "control":
					label = b.T("rule_field." + controlColumn(w))
				case "subject":
					label = b.T("rule_subject." + w)
				}
				y.Options = append(y.Options, choice{Value: w, Label: label})
			}
			g.Fields = append(g.Fields, y)
		}
		return filled([]formGroup{g}, in, faults)
	}
	return f
}

// meantField is the field that a fault of a row as a whole is about, "" when it is about none in particular.
func meantField(text string) string {
	for _, x := range [...]struct{ begins, field string }{
		{"has no first or last day", "valid_from"}, {"ends before it begins", "valid_until"}, {"lasts longer than one year", "valid_until"}, {"is reviewed after its end", "review"},
		{"is of a subcontractor without", "approval"}, {"names nothing that it is about", "subject_id"}, {"has an approval number", "approval"},
	} {
		if strings.HasPrefix(text, x.begins) {
			return x.field
		}
	}
	return ""
}

func (l *ruleList) getNew(h *Handler, w http.ResponseWriter, rq *request) error {
	in := url.Values{}
	if l.kind == RuleExceptions { // where another page has asked for one
		q := rq.URL.Query()
		in = url.Values{"subject": q["subject"], "subject_id": q["subject_id"], "control": q["what"]}
		in.Set("valid_from", rq.now.In(h.cfg.Zone).Format(dayLayout))
	}
	if l.kind == RuleConditions {
		rows, err := h.src.Rules.RuleRows(rq.Context(), l.kind)
		if err != nil {
			return fmt.Errorf("%s: %w", l.kind, err)
		}
		next := 1
		for _, r := range rows {
			if n, err := strconv.Atoi(r.ID); err == nil && n >= next {
				next = n + 1
			}
		}
		in.Set("version", strconv.Itoa(next))
	}
	return h.showRuleForm(w, rq, l.form(""), in, nil, "", nil)
}

func (l *ruleList) getEdit(h *Handler, w http.ResponseWriter, rq *request) error {
	r, err := h.ruleByID(rq, l.kind, rq.PathValue("row"))
	if err != nil {
		return err
	}
	if l.people != "" || l.kind == RuleExceptions {
		if err := h.looked(rq, ActionViewGrants, ""); err != nil {
			return err
		}
	}
	in := url.Values{}
	for column, v := range r.Values {
		in.Set(column, v)
	}
	if l.people != "" {
		in.Set(l.people, strings.Join(strings.Fields(r.Values[l.people]), "\n"))
	}
	if l.kind == RuleExceptions {
		in.Set("why", r.Values["reason"])
		in.Del("reason")
		in.Set("control", r.Values["what"])
	}
	return h.showRuleForm(w, rq, l.form(r.ID), in, nil, "", nil)
}

func (l *ruleList) post(h *Handler, w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	id := rq.PathValue("row")
	if id != "" {
		if _, err := h.ruleByID(rq, l.kind, id); err != nil {
			return err
		}
	}
	return h.postRuleForm(w, rq, l.form(id))
}

func (l *ruleList) postRemove(h *Handler, w http.ResponseWriter, rq *request) error {
	return h.postRemoval(w, rq, l.kind, rq.PathValue("row"), l.section+".removing", l.path)
}

// routes are those of one list.
func (l *ruleList) routes(readers RoleSet) []route {
	out := []route{
		{pattern: "GET " + l.path, roles: readers, serve: l.get},
		{pattern: "GET " + l.path + "/new", roles: ruleChangers, serve: l.getNew},
		{pattern: "POST " + l.path + "/new", roles: ruleChangers, stepUp: stepUpFull, serve: l.post},
	}
	if l.grows {
		return out
	}
	return append(out,
		route{pattern: "GET " + l.path + "/{row}/edit", roles: ruleChangers, serve: l.getEdit},
		route{pattern: "POST " + l.path + "/{row}/edit", roles: ruleChangers, stepUp: stepUpFull, serve: l.post},
		route{pattern: "POST " + l.path + "/{row}/remove", roles: ruleChangers, stepUp: stepUpFull, serve: l.postRemove})
}
