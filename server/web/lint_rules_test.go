package web

import (
	"slices"
	"strings"
)

// ruleFamilies are the families of the pages of rules.
func ruleFamilies(words map[Lang]catalogue, f map[string][]string) {
	f["done"] = append(f["done"], "rule_changed", "rule_proposed")
	f["rule_exit"] = []string{"none", "reader", "button", "handle"}
	f["door_mode"] = []string{"normal", "locked", "lockdown"}
	f["rule_noun"] = []string{
		"zone", "door", "gateway", "schedule", "closed_day", "person", "card", "grant", "group", "contract", "exception", "conditions", "item", "enrolment", "recertification", "transfer", "other",
	}
	f["rule_field"] = []string{"other", "schedule_id", "first_day", "last_day", "date", "days", "from", "to", "windows", "dates"}
	// Every value of a row that a dry run names.
	f["rule_field"] = append(f["rule_field"], "name_reduced", "kana", "romaji", "section", "company", "category", "kind", "active", "valid_from", "valid_until", "contract_from", "contract_until", "training_until", "may_escort", "person_id", "card", "format", "assurance", "status", "pin", "duress_pin", "group_id", "suspended", "members", "workers", "tier", "approval", "subject", "subject_id", "what", "reason", "approver", "review", "text", "text_en", "from", "gateway_id", "enter_zone", "exit_zone", "exit", "offline", "max_age", "mode", "guards_server", "recovery_cards", "remote_unlock", "interlock", "key_mode", "refers", "doors", "place", "owner", "every_days", "state", "counted", "proof", "remote", "reader", "reference", "consent", "fallback", "deleted", "zone", "opened", "due", "closed", "answers", "day", "leave", "overlap_days", "joins")
	f["import_kind"] = ImportKinds
	for _, l := range []*ruleList{&groupList, &contractList, &exceptionList, &conditionList} {
		f[l.section] = []string{"title", "text", "one", "new", "form", "none"}
		if !l.grows {
			f[l.section] = append(f[l.section], "edit", "removing")
		}
		f["rule_field"] = append(f["rule_field"], l.id)
		for _, x := range l.fields {
			f["rule_field"] = append(f["rule_field"], x.column)
			if words[Japanese].has(l.section + "." + x.column + "_help") {
				f[l.section] = append(f[l.section], x.column+"_help")
			}
		}
	}
	f["rule_subject"] = []string{"zone", "person", "door", "site"}
	f["rule_value"] = []string{"yes", "no", "none", "min_assurance_unknown"}
	for _, column := range zoneFormColumns() {
		f["rule_field"] = append(f["rule_field"], column)
		if words[Japanese].has("rule_help." + column) {
			f["rule_help"] = append(f["rule_help"], column)
		}
		for _, w := range append(slices.Clone(zoneWords[column]), "none") {
			if key := column + "_" + w; words[Japanese].has("rule_value."+key) || w != "none" && w != "yes" && w != "no" {
				f["rule_value"] = append(f["rule_value"], key)
			}
		}
	}
	for _, w := range problemWords {
		f["problem"] = append(f["problem"], strings.TrimPrefix(w.key, "problem."))
	}
}
