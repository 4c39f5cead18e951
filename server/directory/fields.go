package directory

import (
	"strconv"
	"strings"
	"time"
)

// These give the values of a row as people see them in a dry run, a leaf's opening and a history, in a
// fixed order. An empty value is left out where a row is new.

func zoneFields(z Zone) []Field {
	return list("name", z.Name, "name_en", z.NameEN, "level", strconv.Itoa(z.Level), "min_assurance", z.MinAssurance.String(),
		"pin_always", yes(z.PINAlways), "offline_grant_and_flag", yes(z.OfflineGrantAndFlag), "parent", string(z.Parent),
		"anti_passback", unless(z.AntiPassback.String(), "off"), "anti_passback_for", span(z.AntiPassbackFor),
		"max_inside", count(z.MaxInside), "min_inside", count(z.MinInside), "two_person_within", span(z.TwoPersonWithin),
		"two_person_always", yesOrNone(z.TwoPersonAlways), "staff_needed", yesOrNone(z.StaffNeeded),
		"escort", unless(z.Escort.String(), "none"), "escort_ratio", count(z.EscortRatio), "escort_within", span(z.EscortWithin),
		"escort_grace", span(z.EscortGrace), "training", unless(z.Training.String(), "off"), "conditions", count(z.Conditions),
		"carry_in", unless(z.CarryIn.String(), "free"), "basis", z.Basis)
}

func personFields(p Person) []Field {
	return list("name", p.Name, "name_reduced", p.NameReduced, "kana", p.Kana, "romaji", p.Romaji, "section", p.Section,
		"company", p.Company, "category", string(p.Category), "kind", string(p.Kind), "active", yes(p.Active),
		"valid_from", p.ValidFrom.String(), "valid_until", p.ValidUntil.String(),
		"contract_from", p.ContractFrom.String(), "contract_until", p.ContractUntil.String(),
		"training_until", p.TrainingUntil.String(), "conditions", count(p.Conditions), "may_escort", yesOrNone(p.MayEscort))
}

func grantFields(g Grant) []Field {
	return list("person_id", string(g.Person), "group_id", string(g.Group), "zone_id", string(g.Zone), "schedule_id", string(g.Schedule),
		"valid_from", g.ValidFrom.String(), "valid_until", g.ValidUntil.String(), "suspended", yesOrNone(g.Suspended), "basis", g.Basis)
}

func groupFields(g Group) []Field {
	return list("name", g.Name, "name_en", g.NameEN, "section", g.Section, "members", people(g.Members))
}

func contractFields(c Contract) []Field {
	return list("name", c.Name, "company", c.Company, "section", c.Section, "valid_from", c.ValidFrom.String(),
		"valid_until", c.ValidUntil.String(), "tier", strconv.Itoa(c.Tier), "approval", c.Approval, "workers", people(c.Workers))
}

func exceptionFields(x Exception) []Field {
	return list("subject", x.Subject, "subject_id", x.SubjectID, "what", x.What, "reason", x.Reason, "approver", x.Approver,
		"valid_from", x.From.String(), "valid_until", x.Until.String(), "review", x.Review.String(), "basis", x.Basis)
}

func conditionsFields(c Conditions) []Field {
	return list("text", c.Text, "text_en", c.TextEN, "from", c.From.String())
}

func itemFields(x Item) []Field {
	return list("kind", x.Kind, "name", x.Name, "refers", x.Refers, "doors", x.Doors, "place", x.Place, "owner", x.Owner,
		"every_days", count(uint32(max(x.Every, 0))), "state", x.State, "counted", x.Counted.String(), "proof", x.Proof,
		"remote", yes(x.Remote), "approval", x.Approval)
}

func enrolmentFields(e Enrolment) []Field {
	return list("reader", e.Reader, "reference", e.Reference, "consent", e.Consent.String(), "fallback", e.Fallback, "deleted", e.Deleted.String())
}

// key tells the enrolments of one person apart.
func (e Enrolment) key() string { return string(e.Person) + " " + e.Reader }

func roundFields(r Round) []Field {
	words := make([]string, 0, len(r.Answers))
	for _, a := range r.Answers {
		words = append(words, string(a.Person)+" "+a.Word)
	}
	return list("zone", string(r.Zone), "opened", r.Opened.String(), "due", r.Due.String(), "closed", r.Closed.String(),
		"answers", strings.Join(words, ", "))
}

func transferFields(t Transfer) []Field {
	return list("day", t.Day.String(), "section", t.Section, "leave", yesOrNone(t.Leave), "overlap_days", count(uint32(max(t.Overlap, 0))), "joins", yesOrNone(t.Joins))
}

func people(ids []PersonID) string {
	words := make([]string, 0, len(ids))
	for _, id := range ids {
		words = append(words, string(id))
	}
	return strings.Join(words, " ")
}

// count is "" for none.
func count(n uint32) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(n), 10)
}

// span is "" for none.
func span(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

// unless is "" for the ordinary value, which a dry run need not mention.
func unless(s, ordinary string) string {
	if s == ordinary {
		return ""
	}
	return s
}
