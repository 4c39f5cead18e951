package web

// reviewFamilies are the families of keys of the daily review's work.
func reviewFamilies(f map[string][]string) {
	f["done"] = append(f["done"], "row_corrected", "correction_asked", "correction_answered", "rule_of_signing")
	f["review_check"] = []string{"coverage", "findings", "unpaired", "late", "purpose", "exits"}
	f["review_fault"] = append(f["review_fault"], "too_few")
}
