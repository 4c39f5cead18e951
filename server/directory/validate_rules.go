package directory

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"monban/firmware/access"
	"monban/firmware/door"
)

// Bounds of what a zone asks. Each is far above what a city needs.
const (
	maxZoneSpan  = time.Hour // windows and grace
	maxPassback  = 7 * 24 * time.Hour
	maxCount     = 10_000
	maxRatio     = 100
	maxDepth     = access.MaxZoneDepth
	maxFreeText  = 500
	maxLongText  = 8_000
	maxMembers   = 10_000
	maxTier      = 9
	maxItemEvery = 3660
)

// noMyNumber is what is said of an Individual Number in a free text (VE-5).
const noMyNumber = "holds what can only be an Individual Number (マイナンバー); it must not be stored here, remove it"

func (z *Zone) validateRules() string {
	for _, d := range []time.Duration{z.TwoPersonWithin, z.EscortWithin, z.EscortGrace} {
		if d < 0 || d > maxZoneSpan || d%time.Millisecond != 0 {
			return "has a window or grace outside 0–1 h"
		}
	}
	if z.AntiPassbackFor < 0 || z.AntiPassbackFor > maxPassback || z.AntiPassbackFor%time.Millisecond != 0 {
		return "has an anti_passback_for outside 0–168 h"
	}
	switch {
	case z.AntiPassback > PassbackTimed, z.Escort > EscortOutsiders, z.Training > TrainingDeny, z.CarryIn > CarryInAttended:
		return "has an unknown rule"
	case (z.AntiPassback == PassbackTimed) != (z.AntiPassbackFor > 0):
		return "has anti_passback_for without anti_passback timed, or timed without it"
	case z.MaxInside > maxCount || z.MinInside > maxCount || z.EscortRatio > maxRatio:
		return fmt.Sprintf("counts more than %d people, or more than %d to an escort", maxCount, maxRatio)
	case z.MaxInside > 0 && z.MinInside > z.MaxInside:
		return "asks for more people inside than may be"
	case z.TwoPersonWithin == 0 && (z.TwoPersonAlways || z.StaffNeeded):
		return "has two_person_always or staff_needed without two_person_within"
	case z.TwoPersonWithin > 0 && z.MaxInside == 1:
		return "asks for two persons and lets one in"
	case z.Escort == EscortNone && (z.EscortRatio > 0 || z.EscortWithin > 0 || z.EscortGrace > 0):
		return "has times or a ratio of an escort without an escort"
	case z.Parent == z.ID:
		return "lies in itself"
	}
	return freeText(z.Basis, 0, maxFreeText)
}

// freeText says what is wrong with a text that somebody typed; "" = nothing. Line breaks are for long texts.
func freeText(s string, least, most int) string {
	n := utf8.RuneCountInString(s)
	switch {
	case !utf8.ValidString(s) || n < least || n > most:
		return fmt.Sprintf("has a text that is empty or longer than %d characters", most)
	case MyNumber(s):
		return noMyNumber
	}
	if most == maxLongText {
		s = strings.ReplaceAll(s, "\n", "")
	}
	if why := charFault(s); why != "" {
		return why
	}
	return ""
}

func first(faults ...string) string {
	for _, f := range faults {
		if f != "" {
			return f
		}
	}
	return ""
}

func (g *Group) validate() string {
	switch {
	case !identifier(string(g.ID), 32, false):
		return "is not an identifier: 1–32 of a–z 0–9 -"
	case !nameFits(g.Name, 1), !nameFits(g.NameEN, 0):
		return "has a name that is empty or longer than 100 characters"
	case !ordered(g.Members):
		return "has members out of order or twice"
	}
	return first(freeText(g.Name, 0, 100), freeText(g.NameEN, 0, 100), freeText(g.Section, 0, 100))
}

func (c *Contract) validate() string {
	switch {
	case !identifier(string(c.ID), 32, true):
		return "is not an identifier: 1–32 of A–Z a–z 0–9 . _ -"
	case !nameFits(c.Company, 1), !nameFits(c.Section, 1), !nameFits(c.Name, 0):
		return "has a name, company or section that is empty or longer than 100 characters"
	case c.ValidFrom.IsZero() || c.ValidUntil.IsZero():
		return "has no first or last day (A9)"
	case backwards(c.ValidFrom, c.ValidUntil):
		return "ends before it begins"
	case c.Tier < 1 || c.Tier > maxTier:
		return "has a tier outside 1–9"
	case c.Tier >= 2 && c.Approval == "":
		return "is of a subcontractor without the number of the written approval (VE-4)"
	case utf8.RuneCountInString(c.Approval) > 100 || charFault(c.Approval) != "":
		return "has an approval number that is longer than 100 characters or holds control characters"
	case !ordered(c.Workers):
		return "has workers out of order or twice"
	}
	return first(freeText(c.Name, 0, 100), freeText(c.Company, 0, 100), freeText(c.Section, 0, 100))
}

// exceptionSubjects are what an exception may be about.
func exceptionSubjects() []word[string] {
	return []word[string]{{"zone", "zone 区域"}, {"person", "person 職員"}, {"door", "door 扉"}, {"site", "site 全体"}}
}

func (x *Exception) validate() string {
	switch {
	case !identifier(string(x.ID), 32, true):
		return "is not an identifier: 1–32 of A–Z a–z 0–9 . _ -"
	case wordOf(exceptionSubjects(), x.Subject) == "":
		return "is about an unknown kind of thing; write zone, person, door or site"
	case (x.Subject == "site") != (x.SubjectID == ""):
		return "names nothing that it is about, or the site with a number"
	case x.From.IsZero() || x.Until.IsZero():
		return "has no first or last day"
	case backwards(x.From, x.Until):
		return "ends before it begins"
	case !x.Until.Before(Date{x.From.Year + 1, x.From.Month, x.From.Day}):
		return "lasts longer than one year; end it earlier and decide again (VR-8)"
	case !x.Review.IsZero() && x.Until.Before(x.Review):
		return "is reviewed after its end"
	case x.Subject == "zone" && !slices.Contains(controlNames(), x.What):
		return "sets an unknown control aside; write " + strings.Join(controlNames(), ", ")
	}
	return first(freeText(x.What, 1, 100), freeText(x.Reason, 1, maxFreeText), freeText(x.Approver, 1, 100), freeText(x.Basis, 0, maxFreeText))
}

func (c *Conditions) validate() string {
	if c.Version == 0 || c.Version > 1<<16 {
		return "has a version outside 1–65536"
	}
	return first(freeText(c.Text, 1, maxLongText), freeText(c.TextEN, 0, maxLongText))
}

func itemKinds() []word[string] {
	return []word[string]{{ItemKey, "key 鍵"}, {ItemCard, "card カード"}, {ItemBadge, "badge 名札"}, {ItemGateway, "gateway ゲートウェイ"}, {ItemPlace, "place 設置場所"}, {ItemOther, "other その他"}}
}

func itemStates() []word[string] {
	return []word[string]{{ItemPresent, "present 有 在庫"}, {ItemMissing, "missing 所在不明 紛失"}, {ItemRepair, "repair 修理中"}, {ItemDisposed, "disposed 廃棄"}}
}

func (x *Item) validate() string {
	switch {
	case !identifier(string(x.ID), 32, true):
		return "is not an identifier: 1–32 of A–Z a–z 0–9 . _ -"
	case wordOf(itemKinds(), x.Kind) == "" || wordOf(itemStates(), x.State) == "":
		return "has an unknown kind or state"
	case !nameFits(x.Name, 1):
		return "has a name that is empty or longer than 100 characters"
	case x.Refers != "" && !identifier(x.Refers, 32, true):
		return "is a card or gateway whose number is not an identifier"
	case x.Every < 0 || x.Every > maxItemEvery:
		return fmt.Sprintf("is counted at an interval outside 0–%d days", maxItemEvery)
	case x.State == ItemDisposed && x.Proof == "":
		return "is disposed of without proof of its erasure or destruction (EQ-4)"
	case x.State == ItemRepair && x.Proof == "":
		return "is away for repair without word of how it was erased, or of the contract of confidentiality (M14)"
	case x.Remote && (x.Approval == "" || x.Every == 0):
		return "stands outside of the building without approval, or without an interval in which it is looked at (M15)"
	case x.Kind == ItemPlace && (x.Every == 0 || x.Every > 366):
		return "is a place that is not looked at once a year: every_days is 1–366 (M2, M11)"
	case x.Doors != "" && x.Kind != ItemKey:
		return "opens doors and is no key"
	}
	return first(freeText(x.Name, 0, 100), freeText(x.Place, 0, 100), freeText(x.Owner, 0, 100), freeText(x.Proof, 0, maxFreeText), freeText(x.Approval, 0, maxFreeText))
}

func fallbacks() []word[string] {
	return []word[string]{{FallbackCardPIN, "card_pin カードと暗証番号"}, {FallbackEscort, "escort 付添い"}}
}

func (e *Enrolment) validate() string {
	switch {
	case !nameFits(e.Reader, 1) || !identifier(e.Reference, 64, true):
		return "has no reader, or a reference that is not 1–64 of A–Z a–z 0–9 . _ -" // no room for a template
	case e.Consent.IsZero():
		return "has no day on which the person agreed (PR-5)"
	case wordOf(fallbacks(), e.Fallback) == "":
		return "has no fallback; write card_pin or escort"
	case backwards(e.Consent, e.Deleted):
		return "was deleted before the person agreed"
	}
	return freeText(e.Reader, 0, 100)
}

func (r *Round) validate() string {
	switch {
	case !identifier(string(r.ID), 64, false):
		return "is not an identifier: 1–64 of a–z 0–9 -"
	case r.Opened.IsZero() || r.Due.IsZero() || backwards(r.Opened, r.Due) || backwards(r.Opened, r.Closed):
		return "has no days, or ends before it begins"
	case !slices.IsSortedFunc(r.Answers, func(a, b Answer) int { return strings.Compare(string(a.Person), string(b.Person)) }):
		return "has answers out of order"
	}
	for _, a := range r.Answers {
		if !slices.Contains([]string{AnswerOpen, AnswerKeep, AnswerRemove, AnswerSuspended}, a.Word) || (a.Word == AnswerOpen) != a.Day.IsZero() {
			return "has an unknown answer, or one without its day"
		}
	}
	return ""
}

// ordered reports whether ids are sorted, none twice, and not too many.
func ordered(ids []PersonID) bool {
	for i := 1; i < len(ids); i++ {
		if ids[i-1] >= ids[i] {
			return false
		}
	}
	return len(ids) <= maxMembers
}

// rules validates what the rules of zones need beside zones, people and grants themselves.
func (v *validation) rules(s *Snapshot) {
	v.tree(s)
	v.counting(s)
	versions := map[uint32]bool{0: true}
	for i := range s.Conditions {
		c := &s.Conditions[i]
		v.row("conditions", fmt.Sprint(c.Version), c.validate())
		versions[c.Version] = true
	}
	for i := range s.Zones {
		if !versions[s.Zones[i].Conditions] {
			v.say("zone", string(s.Zones[i].ID), "asks for a version of the entry conditions that does not exist")
		}
	}
	for i := range s.People {
		if !versions[s.People[i].Conditions] {
			v.say("person", string(s.People[i].ID), "has acknowledged a version of the entry conditions that does not exist")
		}
	}
	for i := range s.Groups {
		g := &s.Groups[i]
		v.row("group", string(g.ID), g.validate())
		v.people("group", string(g.ID), g.Members)
	}
	for i := range s.Contracts {
		c := &s.Contracts[i]
		v.row("contract", string(c.ID), c.validate())
		v.people("contract", string(c.ID), c.Workers)
	}
	for i := range s.Exceptions {
		x := &s.Exceptions[i]
		v.row("exception", string(x.ID), x.validate())
		if x.Subject != "site" {
			v.refers("exception", string(x.ID), x.Subject, x.SubjectID)
		}
	}
	for i := range s.Items {
		x := &s.Items[i]
		v.row("item", string(x.ID), x.validate())
		for id := range strings.FieldsSeq(x.Doors) {
			v.refers("item", string(x.ID), "door", id)
		}
		if x.Refers != "" && (x.Kind == ItemCard || x.Kind == ItemGateway) {
			v.refers("item", string(x.ID), x.Kind, x.Refers)
		}
	}
	for i := range s.Enrolments {
		e := &s.Enrolments[i]
		v.row("enrolment", e.key(), e.validate())
		v.refers("enrolment", e.key(), "person", string(e.Person))
	}
	for i := range s.Transfers {
		x := &s.Transfers[i]
		v.row("transfer", string(x.Person), x.validate())
		v.refers("transfer", string(x.Person), "person", string(x.Person))
	}
	for i := range s.Rounds {
		r := &s.Rounds[i]
		v.row("recertification", string(r.ID), r.validate())
		v.refers("recertification", string(r.ID), "zone", string(r.Zone))
	}
}

func (v *validation) people(noun, id string, ids []PersonID) {
	for _, p := range ids {
		v.refers(noun, id, "person", string(p))
	}
}

// tree refuses zones that lie in zones that do not exist, in each other, or too deep.
func (v *validation) tree(s *Snapshot) {
	up := parents(s)
	for i := range s.Zones {
		z := &s.Zones[i]
		if z.Parent == "" {
			continue
		}
		v.refers("zone", string(z.ID), "zone", string(z.Parent))
		depth := 1
		for at := z.Parent; at != ""; at = up[at] {
			if depth++; at == z.ID {
				v.say("zone", string(z.ID), "lies in itself by way of its parents; correct one of them")
				break
			} else if depth > maxDepth {
				v.say("zone", string(z.ID), fmt.Sprintf("lies deeper than %d zones, or in a circle of them", maxDepth))
				break
			}
		}
	}
}

func parents(s *Snapshot) map[access.ZoneID]access.ZoneID {
	up := make(map[access.ZoneID]access.ZoneID, len(s.Zones))
	for i := range s.Zones {
		up[s.Zones[i].ID] = s.Zones[i].Parent
	}
	return up
}

// Within reports whether zone in is zone, or lies in it.
func (s *Snapshot) Within(in, zone access.ZoneID) bool { return within(parents(s), in, zone) }

func within(up map[access.ZoneID]access.ZoneID, in, zone access.ZoneID) bool {
	for n := 0; in != "" && n <= maxDepth; n++ {
		if in == zone {
			return true
		}
		in = up[in]
	}
	return false
}

// counting refuses a zone that counts people and never sees one leave (D11): in the end it would keep
// everybody out.
func (v *validation) counting(s *Snapshot) {
	for i := range s.Zones {
		z := &s.Zones[i]
		if (z.AntiPassback >= PassbackHard || z.MaxInside > 0 || z.Escort != EscortNone) && !s.seesExits(z.ID) {
			v.say("zone", string(z.ID), "has a hard or timed anti_passback, a max_inside or an escort, and no exit reader on its doors; add one or leave the rule out (D11)")
		}
	}
}

// seesExits reports whether some door on the zone's boundary has an exit reader, or no door leads in.
func (s *Snapshot) seesExits(id access.ZoneID) bool {
	up, doors := parents(s), 0
	for i := range s.Doors {
		x := &s.Doors[i]
		if !within(up, x.Enter, id) || within(up, x.Exit, id) {
			continue
		}
		if doors++; x.Sensing == door.ExitReader {
			return true
		}
	}
	return doors == 0
}

// airlocks checks that the two doors of an airlock name each other and hang on one gateway (DS-9).
func (v *validation) airlocks(s *Snapshot) {
	for i := range s.Doors {
		x := &s.Doors[i]
		if x.Interlock == "" {
			continue
		}
		j := slices.IndexFunc(s.Doors, func(y Door) bool { return y.ID == x.Interlock })
		if j < 0 || j == i || s.Doors[j].Interlock != x.ID || s.Doors[j].Gateway != x.Gateway {
			v.say("door", string(x.ID), "names another door of an airlock that does not exist, does not name it, or hangs on another gateway (DS-9)")
		}
	}
}
