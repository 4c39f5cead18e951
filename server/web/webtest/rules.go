package webtest

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/web"
)

// Rules implements web.Rules: a few rows that never change. A row without a name is refused at its name; a change of a
// zone of level 2 or 3, a group or a contract waits for a second person; the rest is in force at once.
type Rules struct{ m *Memory }

var ruleRows = map[web.RuleKind][]web.RuleRow{
	web.RuleZones: {
		{ID: "media-store", Name: "媒体保管庫", Values: map[string]string{"name": "媒体保管庫", "level": "2", "min_assurance": "uid_only", "pin_always": "no", "offline_grant_and_flag": "no", "parent": "none",
			"anti_passback": "off", "escort": "none", "training": "off", "carry_in": "declared", "two_person_always": "no", "staff_needed": "no"}},
		{ID: "server-room", Name: "サーバ室", Values: map[string]string{"name": "サーバ室", "level": "3", "min_assurance": "card_auth", "pin_always": "yes", "offline_grant_and_flag": "no", "parent": "media-store",
			"anti_passback": "timed", "anti_passback_for": "15m0s", "escort": "outsiders", "escort_ratio": "5", "training": "flag", "carry_in": "attended", "two_person_within": "1m0s",
			"two_person_always": "no", "staff_needed": "yes", "max_inside": "6", "min_inside": "2", "conditions": "2", "basis": "第12条"}},
	},
	web.RuleClosedDays: {
		{ID: "2024-05-03", Values: map[string]string{"name": "憲法記念日"}}, {ID: "2026-12-29", Values: map[string]string{"name": "年末"}}, {ID: "2026-12-30", Values: map[string]string{"name": "年末"}},
		{ID: "2027-01-01", Values: map[string]string{"name": "元日"}}, {ID: "2027-02-11", Values: map[string]string{"name": "建国記念の日"}},
	},
	web.RuleConditions: {
		{ID: "1", Values: map[string]string{"text": "撮影しないこと。", "from": "2025-04-01"}},
		{ID: "2", Values: map[string]string{"text": "撮影しないこと。\n持込みは届け出ること。", "text_en": "No photographs.\nDeclare what you carry in.", "from": "2026-04-01"}},
	},
}

// RuleRows implements web.Rules.
func (r *Rules) RuleRows(_ context.Context, kind web.RuleKind) ([]web.RuleRow, error) {
	var out []web.RuleRow
	for _, x := range slices.Concat(ruleRows[kind], moreRules[kind]) {
		x.Values = maps.Clone(x.Values)
		out = append(out, x)
	}
	return out, nil
}

// RuleZones implements web.Rules.
func (r *Rules) RuleZones(ctx context.Context) (web.ZoneBook, error) {
	rows, err := r.RuleRows(ctx, web.RuleZones)
	if err != nil {
		return web.ZoneBook{}, err
	}
	least := func(pin, two, staff, escort, carry string) map[string]string {
		return map[string]string{"pin_always": pin, "two_person_within": two, "staff_needed": staff, "escort": escort, "carry_in": carry}
	}
	return web.ZoneBook{
		Zones: []web.RuleZone{
			{RuleRow: rows[0], Level: 2, Doors: []web.RuleDoor{{ID: "media-store-1", Name: "媒体保管庫 扉", Exit: "handle", Controlled: true, Mode: access.ModeNormal}, {ID: "media-store-2", Name: "搬入口", Exit: "none", Mode: access.ModeLocked}},
				Weaker: []web.RuleWeaker{{Control: "pin_always", Exception: "EX-03", Until: "2027-03-31"}, {Control: "escort"}},
				Fit:    web.RuleFit{Zone: "media-store", Name: "媒体保管庫", People: 4}},
			{RuleRow: rows[1], Parent: "media-store", Level: 3, Doors: []web.RuleDoor{{ID: "server-room-1", Name: "サーバ室 正面扉", From: "媒体保管庫", ExitReader: true, Controlled: true, Exit: "reader", Interlock: "搬入口"}},
				Fit: web.RuleFit{Zone: "server-room", Name: "サーバ室", People: 6, NoCard: 1, Weak: 2, NoPIN: 1}},
		},
		Presets: [4]map[string]string{1: least("no", "", "no", "none", "free"), 2: least("yes", "", "no", "visitors", "declared"), 3: least("yes", "1m0s", "yes", "outsiders", "attended")},
	}, nil
}

// RuleSchedules implements web.Rules.
func (r *Rules) RuleSchedules(_ context.Context, days int) ([]web.RuleSchedule, error) {
	week := []string{"mon", "tue", "wed", "thu", "fri"}
	office := []web.RegWindow{{Days: week, From: 8*3600 + 1800, To: 17*3600 + 900}}
	out := []web.RuleSchedule{
		{RuleRow: web.RuleRow{ID: "always", Name: "常時", Values: map[string]string{"name": "常時"}}, Windows: []web.RegWindow{{Days: append(week, "sat", "sun", "closed"), To: 86400}}, Grants: 2},
		{RuleRow: web.RuleRow{ID: "office", Name: "開庁時間", Values: map[string]string{"name": "開庁時間", "name_en": "Office hours"}}, Windows: office, From: "2026-04-01", Until: "2027-03-31", Grants: 5,
			Dates: []web.RuleDate{{Day: "2026-12-28"}, {Day: "2027-01-10", Windows: []web.RegWindow{{From: 9 * 3600, To: 12 * 3600}}}}},
		{RuleRow: web.RuleRow{ID: "night", Name: "夜間作業", Values: map[string]string{"name": "夜間作業"}}, Windows: []web.RegWindow{{Days: week, From: 22 * 3600, To: 5 * 3600}}},
	}
	for i := range out {
		out[i].Days = ruleDays(days)
	}
	return out, nil
}

func ruleDays(days int) (out []web.RuleDay) {
	for n := range days {
		d := web.RuleDay{Day: time.Date(2026, 12, 24+n, 0, 0, 0, 0, time.UTC).Format(time.DateOnly), Spans: []web.RuleSpan{{From: 8*3600 + 1800, To: 17*3600 + 900}}}
		switch {
		case n == 4:
			d.Dated, d.Spans = true, nil
		case n > 4 && n < 11:
			d.Closed, d.Spans = "年末年始", nil
		case n == 12:
			d.Spans = append(d.Spans, web.RuleSpan{From: 22 * 3600, To: 86400})
		case n == 13:
			d.Beyond, d.Spans = true, nil
		}
		out = append(out, d)
	}
	return out
}

// EditRules implements web.Rules.
func (r *Rules) EditRules(_ context.Context, e web.RuleEdit, dry bool, act web.Action) (o web.RuleOutcome, err error) {
	for i, row := range e.Rows {
		if name, has := row["name"]; has && name == "" {
			o.Problems = append(o.Problems, web.RuleProblem{Row: i, Column: "name", Text: "is empty; fill it in"})
		}
		if e.Kind == web.RuleZones && row["level"] == "3" && row["pin_always"] == "no" {
			o.Problems = append(o.Problems, web.RuleProblem{Row: i, Column: "pin_always", Text: "asks for less than the zone's level does; name an exception in exceptions.csv, with the control \"pin_always\" (AD-3)"})
		}
	}
	if strings.Contains(act.Reason, "123456789018") {
		o.Problems = append(o.Problems, web.RuleProblem{Row: -1, Column: "reason", Text: "holds what can only be an Individual Number (マイナンバー); it must not be stored here, remove it"})
	}
	if len(o.Problems) > 0 {
		return o, nil
	}
	c := web.RuleChange{Op: "change", Noun: strings.TrimSuffix(string(e.Kind), "s"), ID: e.Remove, Fields: []web.RuleField{{Name: "pin_always", Was: "no", Is: "yes"}, {Name: "two_person_within", Is: "1m30s"}, {Name: "basis", Was: "第12条", Is: "第13条"}}}
	if e.Remove != "" {
		c.Op, c.Fields = "remove", nil
	}
	for _, row := range e.Rows {
		for _, column := range []string{"zone_id", "schedule_id", "date", "group_id", "contract_id", "exception_id", "version"} {
			if row[column] != "" {
				c.ID = row[column]
			}
		}
		c.Waits = e.Kind == web.RuleZones && row["level"] != "1" || e.Kind == web.RuleGroups || e.Kind == web.RuleContracts
		if e.Kind == web.RuleZones {
			o.Fits = []web.RuleFit{{Zone: c.ID, Name: row["name"], People: 6, Weak: 2, NoPIN: 1}}
			o.Warnings = []web.RuleText{{Noun: "zone", ID: c.ID, Text: "asks for card_auth: 2 active cards of people with rights here prove less and are refused (AD-4)"}}
		}
	}
	o.Changes = []web.RuleChange{c}
	if e.Kind == web.RuleSchedules && e.Remove == "" {
		o.Days = ruleDays(14)
	}
	if dry {
		return o, nil
	}
	if c.Waits {
		o.Proposal = AttemptID(0x52)
	}
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return o, r.m.record(act)
}
