package web

import (
	"net/http"
	"slices"
	"strings"
)

// sureView says before the press what a change would do, and whether it acts at once or waits for a second person (D27).
type sureView struct {
	Base
	Heading  string
	Action   string
	Kept     []pair
	Now      []changeLine
	Waiting  []changeLine
	Overlaps []string
}

// changeLine is one row that changes, in words.
type changeLine struct {
	What   string // 追加 許可 …
	Name   string
	Change bool // there was one before
	Fields []fieldLine
}

type fieldLine struct {
	Name, Was, Is string
	Change        bool // there was a value before
}

// effectView asks for the last press. Every field of the form goes along, so that what was looked at is what is done.
func (h *Handler) effectView(w http.ResponseWriter, rq *request, heading string, e Effect) error {
	v := sureView{Base: h.base(rq, heading), Action: rq.URL.Path, Overlaps: e.Overlaps}
	v.Heading = v.T(heading)
	for _, name := range sortedNames(rq.PostForm) {
		if name == "sure" || name == "again" {
			continue
		}
		for _, value := range rq.PostForm[name] {
			v.Kept = append(v.Kept, pair{name, value})
		}
	}
	v.Now, v.Waiting = v.say.changeLines(e.Applied), v.say.changeLines(e.Waiting)
	return h.render(w, rq, "sure", v)
}

func sortedNames(form map[string][]string) []string {
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// sure reports whether a form comes back from its last look.
func (rq *request) sure() bool { return rq.post("sure") != "" }

// again reports whether somebody wants to go on writing instead.
func (rq *request) again() bool { return rq.post("again") != "" }

func (b speaker) changeLines(list []RegChange) (out []changeLine) {
	for _, c := range list {
		out = append(out, b.changeLine(c))
	}
	return out
}

// changeLine says a change in words: what, which, and each value that was and is.
func (b speaker) changeLine(c RegChange) changeLine {
	l := changeLine{What: b.T("change_op."+c.Op, "noun", b.known("change_noun", c.Noun)), Name: c.Name, Change: c.Op == "change"}
	if l.Name == "" {
		l.Name = c.ID
	}
	for _, f := range c.Fields {
		x := fieldLine{Name: b.known("change_field", f.Name), Was: b.valueWords(f.Name, f.Was), Is: b.valueWords(f.Name, f.Is), Change: c.Op == "change"}
		l.Fields = append(l.Fields, x)
	}
	return l
}

// freeFields hold what somebody typed: a section that is called "set" stays so.
var freeFields = []string{"name", "name_en", "name_reduced", "kana", "romaji", "section", "company", "basis", "text", "text_en", "reason", "place", "owner", "approval"}

// valueWords says a value of a field: stable words in the page's language, days as days, the rest as it is.
func (b speaker) valueWords(field, value string) string {
	if value == "" {
		return b.T("change_word.none")
	}
	section := map[string]string{"category": "category", "kind": "person_kind", "status": "card_state", "assurance": "assurance", "min_assurance": "assurance"}[field]
	switch {
	case section != "" && b.words.has(section+"."+value):
		return b.T(section + "." + value)
	case !slices.Contains(freeFields, field) && b.words.has("change_word."+value):
		return b.T("change_word." + value)
	case len(value) == len(dayLayout) && strings.Count(value, "-") == 2:
		return b.dayWords(value)
	}
	return value
}

// changeList is what the template of changes wants.
type changeList struct {
	Base
	Lines []changeLine
}

// In joins changes with the words of a page.
func (b Base) In(lines []changeLine) changeList { return changeList{b, lines} }
