package web

import "monban/server/review"

// reviewFamilies are the families of keys of the daily review's work.
func reviewFamilies(f map[string][]string) {
	f["done"] = append(f["done"], "row_corrected", "correction_asked", "correction_answered", "rule_of_signing", "incident_moved", "outage_moved")
	f["outage"] = []string{"begin_do", "type_do", "drill_begin_do", "disaster_begin_do", "line_register", "line_keys"}
	f["incident_class"] = []string{"outage", "attack", "leak"}
	f["incident_fault"] = []string{"class", "no_text", "time", "too_long", "closed", "reports", "reported", "finding"}
	for _, form := range []string{"write", "judge", "tell_first", "tell_final", "close"} {
		f["incident"] = append(f["incident"], form+"_do")
	}
	f["review_check"] = []string{"coverage", "findings", "unpaired", "late", "purpose", "exits", "out", "paper"}
	f["done"] = append(f["done"], "thresholds_agreed", "threats_saved")
	for _, t := range review.Threats() {
		f["threat"], f["threat_en"] = append(f["threat"], string(t)), append(f["threat_en"], string(t))
	}
	f["threshold"] = append(f["threshold"], "walk")
	for _, n := range review.Numbers() {
		f["threshold"] = append(f["threshold"], n.Name)
	}
	f["review_fault"] = append(f["review_fault"], "too_few")
}
