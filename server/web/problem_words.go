package web

import (
	"regexp"
	"strings"
)

// needsException begins what the directory says of a zone that asks for less than its level.
const needsException = "asks for less than the zone's level does"

// problemWords gives the key of the catalogue for what the directory says in English, with the places of the sentence in
// the order of the pattern's groups. The directory's own words are for the command line; a page says the same in the
// reader's language. A sentence without a line here is shown as it is.
var problemWords = []struct {
	pattern *regexp.Regexp
	key     string
	places  []string
}{
	{regexp.MustCompile(`^` + needsException), "problem.exception", nil},
	{regexp.MustCompile(`^is empty; fill it in$`), "problem.empty", nil},
	{regexp.MustCompile(`^is empty; fill it in, or group_id$`), "problem.empty_or_group", nil},
	{regexp.MustCompile(`^is empty; write uid_only, card_auth or mutual_auth: what a card must prove here$`), "problem.empty_proof", nil},
	{regexp.MustCompile(`^holds what can only be an Individual Number \(マイナンバー\); it must not be stored here, remove it$`), "problem.my_number", nil},
	{regexp.MustCompile(`^holds twelve digits that could be an Individual Number \(マイナンバー\); make sure that they are not$`), "problem.perhaps_my_number", nil},
	{regexp.MustCompile(`^looks like a spreadsheet formula; write the value itself$`), "problem.formula", nil},
	{regexp.MustCompile(`^holds a control character \(NUL, tab or line break\); remove it$`), "problem.control", nil},
	{regexp.MustCompile(`^holds an invisible character; type the cell anew$`), "problem.invisible", nil},
	{regexp.MustCompile(`^holds a character that could not be read; save the file again as CSV UTF-8$`), "problem.unreadable", nil},
	{regexp.MustCompile(`^is (.*?) bytes long, at most (.*?) are allowed$`), "problem.too_long", []string{"n", "most"}},
	{regexp.MustCompile(`^has a text that is empty or longer than (.*?) characters$`), "problem.text_length", []string{"n"}},
	{regexp.MustCompile(`^has a name that is empty or longer than 100 characters$`), "problem.name_length", nil},
	{regexp.MustCompile(`^has a name, company or section that is empty or longer than 100 characters$`), "problem.company_length", nil},
	{regexp.MustCompile(`^has a name, kana, romaji, section or company longer than 100 characters$`), "problem.person_length", nil},
	{regexp.MustCompile(`^is not an identifier: 1–32 of a–z 0–9 -$`), "problem.identifier", nil},
	{regexp.MustCompile(`^is not an identifier: 1–32 of A–Z a–z 0–9 \. _ -$`), "problem.identifier_wide", nil},
	{regexp.MustCompile(`^is not an identifier: 1–64 of a–z 0–9 -$`), "problem.identifier_long", nil},
	{regexp.MustCompile(`^has an identifier that is empty or too long$`), "problem.identifier_length", nil},
	{regexp.MustCompile(`^(.*?) is .*not a date; write 2027-03-31 or 2027/3/31$`), "problem.date", []string{"value"}},
	{regexp.MustCompile(`^(.*?) is no day of the calendar$`), "problem.no_day", []string{"value"}},
	{regexp.MustCompile(`^(.*?) is not in the directory; import it with (.*?)\.csv first or correct it$`), "problem.unknown_row", []string{"value", "file"}},
	{regexp.MustCompile(`^(.*?) is not known; write (.*?)$`), "problem.unknown_word", []string{"value", "words"}},
	{regexp.MustCompile(`^(.*?) is not a whole number in digits 0–9; set the cell's format to text so that no digit is lost$`), "problem.number", []string{"value"}},
	{regexp.MustCompile(`^(.*?) is outside (.*?)$`), "problem.range", []string{"value", "range"}},
	{regexp.MustCompile(`^(.*?) is not a length of time; write 1h or 30m$`), "problem.length", []string{"value"}},
	{regexp.MustCompile(`^(.*?) is not a time of day; write 8:30 or 22:00$`), "problem.clock", []string{"value"}},
	{regexp.MustCompile(`^(.*?) is not a list of days; write weekdays, every, mon-fri, sat sun or closed$`), "problem.days", []string{"value"}},
	{regexp.MustCompile(`^is not a kind of file the import knows; name it like people\.csv, cards\.csv, doors\.csv$`), "problem.kind_of_file", nil},
	{regexp.MustCompile(`^is not a PIN of 4–8 digits 0–9$`), "problem.pin", nil},
	{regexp.MustCompile(`^is not a column of this file; it knows (.*?)$`), "problem.column", []string{"columns"}},
	{regexp.MustCompile(`^is the same as the start; write 0:00 and 24:00 for a whole day$`), "problem.same_time", nil},
	{regexp.MustCompile(`^is the same card as (.*?); one card is one row$`), "problem.same_card", []string{"card"}},
	{regexp.MustCompile(`^is the same card as (.*?); remove one$`), "problem.same_card_twice", []string{"card"}},
	{regexp.MustCompile(`^is another card than the one with this card_id; give the new card a new card_id and revoke the old one$`), "problem.other_card", nil},
	{regexp.MustCompile(`^is active here but the card is (.*?); a file cannot give a card back its rights, activate it by name$`), "problem.not_by_file", []string{"state"}},
	{regexp.MustCompile(`^is larger than 16 MiB; split it$`), "problem.too_large", nil},
	{regexp.MustCompile(`^is neither UTF-8 nor Shift_JIS; save it as CSV UTF-8$`), "problem.encoding", nil},
	{regexp.MustCompile(`^is UTF-16.*$`), "problem.encoding_wide", nil},
	{regexp.MustCompile(`^begins as UTF-8 but is not UTF-8 throughout; save it again as CSV UTF-8$`), "problem.encoding_mixed", nil},
	{regexp.MustCompile(`^is a version that does not exist; import it with conditions\.csv first or correct it$`), "problem.no_version", nil},
	{regexp.MustCompile(`^asks for a version of the entry conditions that does not exist$`), "problem.no_version_zone", nil},
	{regexp.MustCompile(`^has acknowledged a version of the entry conditions that does not exist$`), "problem.no_version_person", nil},
	{regexp.MustCompile(`^exists with another text or day; somebody may have acknowledged it, so give the new text a new version$`), "problem.version_kept", nil},
	{regexp.MustCompile(`^has a version outside 1–65536$`), "problem.version_range", nil},
	{regexp.MustCompile(`^has a level outside 1–3$`), "problem.level", nil},
	{regexp.MustCompile(`^has no header row; the first row names the columns: (.*?)$`), "problem.no_header", []string{"columns"}},
	{regexp.MustCompile(`^column (.*?) is missing; add it$`), "problem.column_missing", []string{"column"}},
	{regexp.MustCompile(`^has (.*?) cells, the header has (.*?); a comma too many or too few\?$`), "problem.cells", []string{"n", "head"}},
	{regexp.MustCompile(`^cell (.*?) stands in a column without a name; name the column or empty the cell$`), "problem.nameless", []string{"n"}},
	{regexp.MustCompile(`^quotation marks do not match.*$`), "problem.quotes", nil},
	{regexp.MustCompile(`^cannot be read$`), "problem.cannot_read", nil},
	{regexp.MustCompile(`^has more than 100,000 rows; split the file$`), "problem.rows", nil},
	{regexp.MustCompile(`^stands twice, first at (.*?); keep one row$`), "problem.twice_at", []string{"place"}},
	{regexp.MustCompile(`^stands twice, once without hours; keep one row$`), "problem.twice_hours", nil},
	{regexp.MustCompile(`^stands twice; keep one row$`), "problem.twice", nil},
	{regexp.MustCompile(`^stands twice; keep one$`), "problem.twice_one", nil},
	{regexp.MustCompile(`^stands beside a date; a row is of one of them$`), "problem.day_and_date", nil},
	{regexp.MustCompile(`^stands beside a person_id; a grant is of one of them$`), "problem.person_and_group", nil},
	{regexp.MustCompile(`^differs from the row before; all rows of one schedule have the same name$`), "problem.name_differs", nil},
	{regexp.MustCompile(`^differs from the row before; all rows with one number are the same here$`), "problem.row_differs", nil},
	{regexp.MustCompile(`^makes the zone lie in itself by way of its parents; correct one of them$`), "problem.circle", nil},
	{regexp.MustCompile(`^lies in itself by way of its parents; correct one of them$`), "problem.circle_row", nil},
	{regexp.MustCompile(`^lies in itself$`), "problem.in_itself", nil},
	{regexp.MustCompile(`^lies deeper than (.*?) zones, or in a circle of them$`), "problem.too_deep", []string{"n"}},
	{regexp.MustCompile(`^has a window or grace outside 0–1 h$`), "problem.span_range", nil},
	{regexp.MustCompile(`^has an anti_passback_for outside 0–168 h$`), "problem.passback_range", nil},
	{regexp.MustCompile(`^has anti_passback_for without anti_passback timed, or timed without it$`), "problem.passback_timed", nil},
	{regexp.MustCompile(`^counts more than (.*?) people, or more than (.*?) to an escort$`), "problem.counts", []string{"n", "ratio"}},
	{regexp.MustCompile(`^asks for more people inside than may be$`), "problem.least_above_most", nil},
	{regexp.MustCompile(`^asks for two persons and lets one in$`), "problem.two_and_one", nil},
	{regexp.MustCompile(`^has two_person_always or staff_needed without two_person_within$`), "problem.two_without", nil},
	{regexp.MustCompile(`^has times or a ratio of an escort without an escort$`), "problem.escort_without", nil},
	{regexp.MustCompile(`^has a hard or timed anti_passback, a max_inside or an escort, and no exit reader on its doors; add one or leave the rule out \(D11\)$`), "problem.no_exit_reader", nil},
	{regexp.MustCompile(`^asks for (.*?): (.*?) active cards of people with rights here prove less and are refused \(AD-4\)$`), "problem.cards_refused", []string{"level", "n"}},
	{regexp.MustCompile(`^is set to less than level (.*?) asks for in (.*?) without an exception in force: its doors ask for it all the same \(AD-3\)$`), "problem.below_level", []string{"level", "control"}},
	{regexp.MustCompile(`^is excepted from (.*?) until (.*?); from the day after, its doors ask for it$`), "problem.excepted", []string{"control", "day"}},
	{regexp.MustCompile(`^has the same zone on both sides$`), "problem.same_sides", nil},
	{regexp.MustCompile(`^has a max_age outside (.*?)$`), "problem.max_age", []string{"range"}},
	{regexp.MustCompile(`^names the (.*?) (.*?), which does not exist$`), "problem.names_none", []string{"noun", "id"}},
	{regexp.MustCompile(`^names another door of an airlock that does not exist, does not name it, or hangs on another gateway \(DS-9\)$`), "problem.airlock", nil},
	{regexp.MustCompile(`^names a card without a PIN; give it one in cards\.csv \(AD-18\)$`), "problem.recovery_pin", nil},
	{regexp.MustCompile(`^counts on the recovery card (.*?), which does not work any more; name another \(AD-18\)$`), "problem.recovery_gone", []string{"card"}},
	{regexp.MustCompile(`^has a window without days or with impossible times$`), "problem.window", nil},
	{regexp.MustCompile(`^has a last day before its first$`), "problem.days_backwards", nil},
	{regexp.MustCompile(`^has a date with days or impossible times$`), "problem.date_window", nil},
	{regexp.MustCompile(`^has dates out of order, twice, or none$`), "problem.dates", nil},
	{regexp.MustCompile(`^is valid until a day before valid_from$`), "problem.backwards", nil},
	{regexp.MustCompile(`^is before valid_from$`), "problem.end_before", nil},
	{regexp.MustCompile(`^ends before it begins$`), "problem.ends_before", nil},
	{regexp.MustCompile(`^has a contract that ends before it begins$`), "problem.contract_backwards", nil},
	{regexp.MustCompile(`^has no end; every grant has one \(AD-6\)$`), "problem.no_end", nil},
	{regexp.MustCompile(`^has no first or last day \(A9\)$`), "problem.no_days", nil},
	{regexp.MustCompile(`^has no first or last day$`), "problem.no_days_plain", nil},
	{regexp.MustCompile(`^lasts longer than one year; end it earlier and decide again \(VR-8\)$`), "problem.longer_year", nil},
	{regexp.MustCompile(`^is reviewed after its end$`), "problem.review_after", nil},
	{regexp.MustCompile(`^sets an unknown control aside; write (.*?)$`), "problem.unknown_control", []string{"words"}},
	{regexp.MustCompile(`^is about an unknown kind of thing; write zone, person, door or site$`), "problem.subject", nil},
	{regexp.MustCompile(`^names nothing that it is about, or the site with a number$`), "problem.subject_missing", nil},
	{regexp.MustCompile(`^has a tier outside 1–9$`), "problem.tier", nil},
	{regexp.MustCompile(`^is of a subcontractor without the number of the written approval \(VE-4\)$`), "problem.approval", nil},
	{regexp.MustCompile(`^has an approval number that is longer than 100 characters or holds control characters$`), "problem.approval_text", nil},
	{regexp.MustCompile(`^has no category; write staff, contractor or visitor$`), "problem.category", nil},
	{regexp.MustCompile(`^has a kind that its category does not know; school employees are visitors \(A8\)$`), "problem.kind", nil},
	{regexp.MustCompile(`^is a visitor, who cannot be an escort \(VE-2\)$`), "problem.visitor_escort", nil},
	{regexp.MustCompile(`^is a contractor without contract_until; fill it in \(A9\)$`), "problem.contract_end", nil},
	{regexp.MustCompile(`^is a contractor whom no contract in force names, and is refused \(VE-4\)$`), "problem.not_named", nil},
	{regexp.MustCompile(`^overlaps grant (.*?): both let (.*?) into (.*?) on the same days$`), "problem.overlaps", []string{"id", "person", "zone"}},
	{regexp.MustCompile(`^names nobody$`), "problem.nobody", nil},
	{regexp.MustCompile(`^has members out of order or twice$`), "problem.members", nil},
	{regexp.MustCompile(`^has workers out of order or twice$`), "problem.workers", nil},
	{regexp.MustCompile(`^guards the server.*$`), "problem.guards", nil},
	{regexp.MustCompile(`^(.*?) is year (.*?) is outside 1900–2999$`), "problem.year", []string{"value", "year"}},
	{regexp.MustCompile(`^cannot be imported here: no card key is at hand$`), "problem.no_card_key", nil},
	{regexp.MustCompile(`^cannot change: the card is revoked for good$`), "problem.revoked", nil},
	{regexp.MustCompile(`^is away for repair without word of how it was erased, or of the contract of confidentiality \(M14\)$`), "problem.repair", nil},
	{regexp.MustCompile(`^stands outside of the building without approval, or without an interval in which it is looked at \(M15\)$`), "problem.remote", nil},
	{regexp.MustCompile(`^is a place that is not looked at once a year: every_days is 1–366 \(M2, M11\)$`), "problem.place", nil},
	{regexp.MustCompile(`^(.*?); check format, facility_code and card_number$`), "problem.card_format", []string{"what"}},
}

// aboutRow begins what is wrong with a row of the directory as a whole.
var aboutRow = regexp.MustCompile(`^(zone|door|gateway|schedule|closed_day|person|card|grant|group|contract|exception|conditions|item|enrolment|recertification|transfer) (\S+):? (.+)$`)

// problem says in the page's language what the directory says.
func (b speaker) problem(text string) string {
	if m := aboutRow.FindStringSubmatch(text); m != nil {
		return b.T("rule.row", "noun", b.known("rule_noun", m[1]), "id", m[2]) + b.T("rule.colon") + b.problem(m[3])
	}
	for i := range problemWords {
		w := &problemWords[i]
		m := w.pattern.FindStringSubmatch(text)
		if m == nil {
			continue
		}
		pairs := make([]string, 0, 2*len(w.places))
		for j, place := range w.places {
			value := strings.TrimSpace(m[j+1])
			switch place { // words of the directory's own
			case "noun":
				value = b.known("rule_noun", value)
			case "control":
				value = b.known("rule_field", controlColumn(value))
			case "level":
				value = b.ruleValue("min_assurance", value)
			}
			pairs = append(pairs, place, value)
		}
		return b.T(w.key, pairs...)
	}
	return text
}
