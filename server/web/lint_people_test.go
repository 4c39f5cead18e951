package web

import "slices"

// moreFamilies are families of pages that keep theirs beside their own tests.
var moreFamilies = []map[string][]string{peopleFamilies, alertFamilies, startupFamilies, verificationFamilies, retentionFamilies, rolloutFamilies}

var peopleFamilies = map[string][]string{
	"done": {"waits", "person_saved", "person_stopped", "person_started", "card_stopped", "card_lost", "card_back", "card_added", "pin_set",
		"grant_saved", "grant_ended", "confirmed", "withdrawn", "forgiven", "pin_lifted"},
	"category":     categories,
	"person_kind":  slices.Concat(personKinds["staff"], personKinds["contractor"], personKinds["visitor"]),
	"person_state": {"active", "inactive", "ended", "not_yet"},
	"ending":       {"person", "card", "grant", "contract", "training"},
	"card_state":   {"active", "suspended", "lost", "revoked", "unset"},
	"right_by":     {"own", "visit", "emergency", "group"},
	"right_state":  {"holds", "not_yet", "ended", "suspended", "uncertified", "inactive", "contract"},
	"people_fault": {"required", "too_long", "control", "invisible", "unreadable", "day", "backwards", "identifier", "taken", "kind", "contract_end", "visitor_escort",
		"my_number", "digits", "pin", "differs", "duress_same", "card_number", "card_taken", "nothing", "refused", "past", "revoked", "state", "second_person", "purpose",
		"person_or_group", "nobody", "over", "after_contract"},
	"change_op": {"add", "change", "remove"},
	"change_noun": {"person", "card", "grant", "zone", "door", "gateway", "schedule", "closed_day", "group", "contract", "exception", "conditions", "item", "enrolment",
		"recertification", "transfer", "other"},
	"change_word": {"yes", "no", "none", "set", "off", "soft", "hard", "timed", "visitors", "outsiders", "flag", "deny", "normal", "locked", "lockdown"},
	"change_field": {"name", "name_en", "name_reduced", "kana", "romaji", "section", "company", "category", "kind", "active", "valid_from", "valid_until", "contract_from",
		"contract_until", "training_until", "conditions", "may_escort", "person_id", "group_id", "zone_id", "schedule_id", "suspended", "basis", "card", "format", "assurance",
		"status", "pin", "duress_pin", "level", "min_assurance", "pin_always", "members", "windows", "gateway_id", "enter_zone", "exit_zone", "mode", "workers", "tier",
		"approval", "day", "parent", "other"},
	"hours_day":    weekdays,
	"mend":         {"card", "stopped", "renew", "person", "training", "grant", "pin", "passback", "company", "mode", "machine"},
	"grant_state":  {"now", "later", "over", "suspended"},
	"right_effect": {"gains", "keeps", "changes", "loses"},
}
