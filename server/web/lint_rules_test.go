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
