package web

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
)

type zonesView struct {
	Base
	Zones   []zoneLine
	Own     bool // only the zones of one's own roles
	Presets []presetLine
	MayEdit bool
}

type zoneLine struct {
	ID, Name string
	Href     string
	Depth    int
	Level    string
	Rules    []string // what it asks for, short
	Doors    int
	Below    []Tag
	Fit      fitLine
}

// presetLine is one rule at each level.
type presetLine struct {
	Rule   string
	Levels [3]string
}

type zoneView struct {
	Base
	ID, Name string
	Level    string
	Parent   string // name
	Basis    string
	MayEdit  bool
	Groups   []zoneRuleGroup
	Doors    []zoneDoorLine
	Below    []zoneBelow
	Fit      fitLine
	Children []choice
}

type zoneRuleGroup struct {
	Heading string
	Rules   []zoneRule
}

type zoneRule struct{ Name, Value, Least, Help string }

type zoneDoorLine struct {
	Name, Sides, Mode, Interlock string
}

type zoneBelow struct {
	Text  string
	State Tag
	Href  string // where an exception is asked for
}

// zoneColumns are the rules of a zone in the order of its page, by what they are about.
var zoneColumns = []struct {
	group   string
	columns []string
}{
	{"rule_group.card", []string{"min_assurance", "pin_always", "offline_grant_and_flag"}},
	{"rule_group.company", []string{"two_person_within", "two_person_always", "staff_needed", "escort", "escort_ratio", "escort_within", "escort_grace"}},
	{"rule_group.count", []string{"max_inside", "min_inside", "anti_passback", "anti_passback_for"}},
	{"rule_group.before", []string{"training", "conditions", "carry_in"}},
}

// presetColumns are those that a level sets (AD-3).
var presetColumns = []string{"pin_always", "two_person_within", "staff_needed", "escort", "carry_in"}

// zoneWords are the values of columns that have a fixed set of them.
var zoneWords = map[string][]string{
	"min_assurance": {"uid_only", "card_auth", "mutual_auth"}, "anti_passback": {"off", "soft", "hard", "timed"}, "escort": {"none", "visitors", "outsiders"},
	"training": {"off", "flag", "deny"}, "carry_in": {"free", "declared", "attended"},
	"pin_always": {"no", "yes"}, "offline_grant_and_flag": {"no", "yes"}, "two_person_always": {"no", "yes"}, "staff_needed": {"no", "yes"},
}

// zoneSpans are lengths of time with the unit in which the form asks for them, and the most of it.
var zoneSpans = map[string]struct {
	unit time.Duration
	key  string
	most int
}{
	"two_person_within": {time.Second, "rule.unit_seconds", 3600}, "escort_within": {time.Second, "rule.unit_seconds", 3600},
	"escort_grace": {time.Second, "rule.unit_seconds", 3600}, "anti_passback_for": {time.Minute, "rule.unit_minutes", 10080},
}

var zoneCounts = map[string]int{"escort_ratio": 100, "max_inside": 10000, "min_inside": 10000}

// controlColumn is the column in which a control of a level stands.
func controlColumn(control string) string {
	if control == "two_person" {
		return "two_person_within"
	}
	return control
}

// seenZones gives the zones that a request may see, parents before what lies in them, with their depth.
func (rq *request) seenZones(all []RuleZone) (out []RuleZone, depth map[string]int, own bool) {
	seen := rq.zonesSeen(ruleReaders)
	children := map[access.ZoneID][]RuleZone{}
	there := map[access.ZoneID]bool{}
	for _, z := range all {
		there[access.ZoneID(z.ID)] = true
	}
	for _, z := range all {
		up := z.Parent
		if !there[up] {
			up = ""
		}
		children[up] = append(children[up], z)
	}
	depth = map[string]int{}
	var walk func(up access.ZoneID, level int, mine bool)
	walk = func(up access.ZoneID, level int, mine bool) {
		for _, z := range children[up] {
			id := access.ZoneID(z.ID)
			see, next := mine || seen == nil || seen[id], level
			if see {
				depth[z.ID], next = level, level+1
				out = append(out, z)
			}
			if level < 32 { // the directory has no circle; a page would never end
				walk(id, next, see)
			}
		}
	}
	walk("", 0, false)
	return out, depth, seen != nil
}

func (h *Handler) getZones(w http.ResponseWriter, rq *request) error {
	book, err := h.src.Rules.RuleZones(rq.Context())
	if err != nil {
		return fmt.Errorf("zones: %w", err)
	}
	v := zonesView{Base: h.base(rq, "zones.title"), MayEdit: rq.roles&ruleChangers != 0}
	list, depth, own := rq.seenZones(book.Zones)
	v.Own = own
	for _, z := range list {
		l := zoneLine{ID: z.ID, Name: z.Name, Href: "/zones/" + z.ID, Depth: min(depth[z.ID], 6), Level: v.T("rule.level", "n", strconv.Itoa(z.Level)), Doors: len(z.Doors),
			Fit: v.say.fitLine(z.Fit)}
		for _, column := range []string{"pin_always", "two_person_within", "escort", "anti_passback", "max_inside", "training", "conditions"} {
			if s := v.say.short(column, z.Values); s != "" {
				l.Rules = append(l.Rules, s)
			}
		}
		for _, x := range z.Weaker {
			l.Below = append(l.Below, v.say.belowTag(x))
		}
		v.Zones = append(v.Zones, l)
	}
	for _, column := range presetColumns {
		l := presetLine{Rule: v.T("rule_field." + column)}
		for level := 1; level <= 3; level++ {
			l.Levels[level-1] = v.say.zoneValue(column, book.Presets[level])
		}
		v.Presets = append(v.Presets, l)
	}
	return h.render(w, rq, "zones", v)
}

// short says a rule in a few words, "" when the zone does not ask for it.
func (b speaker) short(column string, values map[string]string) string {
	switch v := values[column]; v {
	case "", "no", "off", "none", "0", "0s":
		return ""
	default:
		return b.T("rule.short", "rule", b.T("rule_field."+column), "value", b.zoneValue(column, values))
	}
}

// zoneValue says what a zone does about a rule.
func (b speaker) zoneValue(column string, values map[string]string) string {
	v := values[column]
	if _, is := zoneCounts[column]; is && (v == "" || v == "0") {
		return b.T("rule_value." + column + "_none")
	}
	switch {
	case column == "conditions" && v != "" && v != "0":
		return b.T("rule.version", "n", v)
	case column == "conditions", v == "" && slices.Contains(lengthColumns, column), v == "0s":
		if b.words.has("rule_value." + column + "_none") {
			return b.T("rule_value." + column + "_none")
		}
		return b.T("rule_value.none")
	case v == "":
		return b.T("rule_value.no")
	}
	if _, is := zoneCounts[column]; is {
		return b.T("rule.people", "n", v)
	}
	return b.ruleValue(column, v)
}

func (b speaker) belowTag(x RuleWeaker) Tag {
	name := b.T("rule_field." + controlColumn(x.Control))
	if x.Exception == "" {
		return Tag{b.T("rule.below_none", "rule", name), ToneWarn, "finding"}
	}
	return Tag{b.T("rule.below_until", "rule", name, "day", x.Until), ToneNote, "clock"}
}

func (h *Handler) zone(rq *request) (RuleZone, ZoneBook, error) {
	book, err := h.src.Rules.RuleZones(rq.Context())
	if err != nil {
		return RuleZone{}, book, fmt.Errorf("zones: %w", err)
	}
	list, _, _ := rq.seenZones(book.Zones)
	i := slices.IndexFunc(list, func(z RuleZone) bool { return z.ID == rq.PathValue("zone") })
	if i < 0 {
		return RuleZone{}, book, ErrNotFound
	}
	return list[i], book, nil
}

func (h *Handler) getZone(w http.ResponseWriter, rq *request) error {
	z, book, err := h.zone(rq)
	if err != nil {
		return err
	}
	v := zoneView{Base: h.base(rq, "zones.one"), ID: z.ID, Name: z.Name, Level: h.base(rq, "zones.one").T("rule.level", "n", strconv.Itoa(z.Level)),
		MayEdit: rq.roles&ruleChangers != 0, Basis: z.Values["basis"], Fit: h.base(rq, "zones.one").say.fitLine(z.Fit)}
	v.Title = v.T("zones.named", "name", z.Name)
	for _, x := range book.Zones {
		if access.ZoneID(x.ID) == z.Parent {
			v.Parent = x.Name
		}
		if x.Parent == access.ZoneID(z.ID) {
			v.Children = append(v.Children, choice{Value: "/zones/" + x.ID, Label: x.Name})
		}
	}
	for _, g := range zoneColumns {
		group := zoneRuleGroup{Heading: v.T(g.group)}
		for _, column := range g.columns {
			r := zoneRule{Name: v.T("rule_field." + column), Value: v.say.zoneValue(column, z.Values)}
			if slices.Contains(presetColumns, column) {
				r.Least = v.say.zoneValue(column, book.Presets[z.Level])
			}
			group.Rules = append(group.Rules, r)
		}
		v.Groups = append(v.Groups, group)
	}
	for _, x := range z.Weaker {
		l := zoneBelow{State: v.say.belowTag(x), Text: v.T("rule.below_text")}
		if x.Exception == "" {
			l.Text = v.T("rule.below_asked")
			l.Href = exceptionFor(z.ID, x.Control)
		}
		v.Below = append(v.Below, l)
	}
	for _, d := range z.Doors {
		l := zoneDoorLine{Name: d.Name, Mode: v.T("door_mode." + d.Mode.String()), Interlock: d.Interlock, Sides: v.T("rule.side_in") + v.T("list.separator") + v.T("rule_exit."+d.Exit)}
		if !d.Controlled {
			l.Sides = v.T("rule.observed")
		}
		v.Doors = append(v.Doors, l)
	}
	return h.render(w, rq, "zone", v)
}

// exceptionFor is the form of an exception of a zone's control.
func exceptionFor(zone, control string) string {
	return withQuery("/exceptions/new", url.Values{"subject": {"zone"}, "subject_id": {zone}, "what": {control}})
}

// zoneForm is the form of one zone, or of a new one.
func (h *Handler) zoneForm(rq *request, id string, book ZoneBook) (ruleForm, error) {
	versions, err := h.src.Rules.RuleRows(rq.Context(), RuleConditions)
	if err != nil {
		return ruleForm{}, fmt.Errorf("entry conditions: %w", err)
	}
	b := h.base(rq, "zones.title")
	f := ruleForm{title: "zones.edit", action: "/zones/" + id + "/edit", back: "/zones/" + id, intro: "zones.edit_text"}
	if id == "" {
		f.title, f.action, f.back = "zones.new", "/zones/new", "/zones"
	}
	for level := 1; level <= 3; level++ {
		f.presets = append(f.presets, choice{Value: strconv.Itoa(level), Label: b.T("zones.preset", "n", strconv.Itoa(level))})
	}
	f.prefill = func(in url.Values) {
		level, err := strconv.Atoi(in.Get("preset"))
		if err != nil || level < 1 || level > 3 {
			return
		}
		in.Set("level", strconv.Itoa(level))
		for _, column := range presetColumns {
			in.Set(column, fromColumn(column, book.Presets[level][column]))
		}
		if in.Get("escort") == "none" { // no times of an escort whom nobody needs
			for _, column := range []string{"escort_ratio", "escort_within", "escort_grace"} {
				in.Set(column, "0")
			}
		}
		if in.Get("two_person_within") == "0" {
			in.Set("two_person_always", "no")
		}
	}
	f.helps = func(b Base, problems []RuleProblem) (out []noteLine) {
		for _, p := range problems {
			if !strings.HasPrefix(p.Text, needsException) || id == "" {
				continue
			}
			control := p.Column
			if control == "two_person_within" {
				control = "two_person"
			}
			out = append(out, noteLine{Text: b.T("rule.below_first", "rule", b.T("rule_field."+p.Column)), Href: exceptionFor(id, control), Link: b.T("rule.below_ask")})
		}
		return out
	}
	f.edit = func(in url.Values) RuleEdit {
		row := map[string]string{"zone_id": strings.TrimSpace(in.Get("zone_id"))}
		if id != "" {
			row["zone_id"] = id
		}
		for _, column := range zoneFormColumns() {
			row[column] = toColumn(column, strings.TrimSpace(in.Get(column)))
		}
		if row["parent"] == "" {
			row["parent"] = "none"
		}
		return RuleEdit{Kind: RuleZones, Rows: []map[string]string{row}}
	}
	f.groups = func(b Base, in url.Values, faults map[string]string) []formGroup {
		for i := range f.presets {
			f.presets[i].Chosen = f.presets[i].Value == in.Get("level")
		}
		first := formGroup{Heading: b.T("rule_group.zone")}
		if id == "" {
			first.Fields = append(first.Fields, formField{Name: "zone_id", Label: b.T("rule_field.zone_id"), Help: b.T("rule.id_help"), Kind: "text", Value: in.Get("zone_id"), Required: true, Max: 32})
		}
		parents := []choice{{Value: "none", Label: b.T("rule_value.parent_none")}}
		for _, z := range book.Zones {
			if z.ID != id {
				parents = append(parents, choice{Value: z.ID, Label: z.Name})
			}
		}
		first.Fields = append(first.Fields,
			formField{Name: "name", Label: b.T("rule_field.name"), Kind: "text", Value: in.Get("name"), Required: true, Max: 100},
			formField{Name: "name_en", Label: b.T("rule_field.name_en"), Kind: "text", Value: in.Get("name_en"), Max: 100},
			formField{Name: "level", Label: b.T("rule_field.level"), Help: b.T("rule_help.level"), Kind: "select", Options: options(b, "level", []string{"1", "2", "3"})},
			formField{Name: "parent", Label: b.T("rule_field.parent"), Help: b.T("rule_help.parent"), Kind: "select", Options: parents},
			formField{Name: "basis", Label: b.T("rule_field.basis"), Help: b.T("rule_help.basis"), Kind: "text", Value: in.Get("basis"), Max: 500})
		groups := []formGroup{first}
		for _, g := range zoneColumns {
			group := formGroup{Heading: b.T(g.group)}
			for _, column := range g.columns {
				group.Fields = append(group.Fields, b.say.zoneField(column, in.Get(column), versions))
			}
			groups = append(groups, group)
		}
		return filled(groups, in, faults)
	}
	return f, nil
}

// options lists the words of a column.
func options(b Base, column string, words []string) (out []choice) {
	for _, w := range words {
		label := b.say.ruleValue(column, w)
		if column == "level" {
			label = b.T("rule.level", "n", w)
		}
		out = append(out, choice{Value: w, Label: label})
	}
	return out
}

func (b speaker) zoneField(column, value string, versions []RuleRow) formField {
	f := formField{Name: column, Label: b.T("rule_field." + column), Value: value, Kind: "number"}
	if b.words.has("rule_help." + column) {
		f.Help = b.T("rule_help." + column)
	}
	if words := zoneWords[column]; words != nil {
		f.Kind, f.Options = "select", options(Base{say: b}, column, words)
		if column == "min_assurance" && value == "" { // what a card must prove is somebody's choice (AD-4)
			f.Options = append([]choice{{Label: b.T("rule.choose")}}, f.Options...)
		}
		return f
	}
	if s, is := zoneSpans[column]; is {
		f.Unit, f.Max = b.T(s.key), s.most
		return f
	}
	if column == "conditions" {
		f.Kind, f.Options = "select", []choice{{Value: "0", Label: b.T("rule_value.conditions_none")}}
		for _, v := range versions {
			f.Options = append(f.Options, choice{Value: v.ID, Label: b.T("rule.version", "n", v.ID)})
		}
		return f
	}
	f.Unit, f.Max = b.T("rule.unit_people"), zoneCounts[column]
	return f
}

// filled puts what was typed and what was wrong with it into a form.
func filled(groups []formGroup, in url.Values, faults map[string]string) []formGroup {
	for i := range groups {
		for j := range groups[i].Fields {
			f := &groups[i].Fields[j]
			f.Fault = faults[f.Name]
			for k := range f.Options {
				f.Options[k].Chosen = slices.Contains(in[f.Name], f.Options[k].Value)
			}
		}
	}
	return groups
}

func zoneFormColumns() []string {
	out := []string{"name", "name_en", "level", "parent", "basis"}
	for _, g := range zoneColumns {
		out = append(out, g.columns...)
	}
	return out
}

// toColumn makes of what a form holds what its column wants; fromColumn is the way back.
func toColumn(column, v string) string {
	s, is := zoneSpans[column]
	if _, count := zoneCounts[column]; (is || count) && v == "" {
		v = "0"
	}
	if n, err := strconv.ParseUint(v, 10, 32); is && err == nil {
		return (time.Duration(n) * s.unit).String()
	}
	return v
}

func fromColumn(column, v string) string {
	s, is := zoneSpans[column]
	if d, ok := lengthOf(v); is && ok && d%s.unit == 0 {
		return strconv.FormatInt(int64(d/s.unit), 10)
	}
	if is && v == "" {
		return "0"
	}
	if v == "" && slices.Contains(zoneWords[column], "no") {
		return "no"
	}
	return v
}

// zoneValues are a zone as its form has it.
func zoneValues(z RuleZone) url.Values {
	in := url.Values{}
	for column, v := range maps.All(z.Values) {
		in.Set(column, fromColumn(column, v))
	}
	for column := range zoneCounts {
		if in.Get(column) == "" {
			in.Set(column, "0")
		}
	}
	if in.Get("conditions") == "" {
		in.Set("conditions", "0")
	}
	for column := range zoneSpans {
		if in.Get(column) == "" {
			in.Set(column, "0")
		}
	}
	return in
}

func (h *Handler) getZoneEdit(w http.ResponseWriter, rq *request) error {
	z, book, err := h.zone(rq)
	if err != nil {
		return err
	}
	f, err := h.zoneForm(rq, z.ID, book)
	if err != nil {
		return err
	}
	return h.showRuleForm(w, rq, f, zoneValues(z), nil, "", nil)
}

func (h *Handler) getZoneNew(w http.ResponseWriter, rq *request) error {
	book, err := h.src.Rules.RuleZones(rq.Context())
	if err != nil {
		return fmt.Errorf("zones: %w", err)
	}
	f, err := h.zoneForm(rq, "", book)
	if err != nil {
		return err
	}
	in := zoneValues(RuleZone{RuleRow: RuleRow{Values: map[string]string{}}})
	in.Set("preset", "1")
	f.prefill(in)
	return h.showRuleForm(w, rq, f, in, nil, "", nil)
}

func (h *Handler) postZone(w http.ResponseWriter, rq *request) error {
	if err := rq.form(); err != nil {
		return err
	}
	id := rq.PathValue("zone")
	book, err := h.src.Rules.RuleZones(rq.Context())
	if err != nil {
		return fmt.Errorf("zones: %w", err)
	}
	if id != "" {
		if _, _, err := h.zone(rq); err != nil {
			return err
		}
	}
	f, err := h.zoneForm(rq, id, book)
	if err != nil {
		return err
	}
	return h.postRuleForm(w, rq, f)
}
