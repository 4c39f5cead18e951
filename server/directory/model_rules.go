package directory

import (
	"slices"

	"monban/firmware/access"
)

// PersonKind is what a person is within the category (AD-2). "" = not said.
type PersonKind string

// Kinds. School employees are visitors: the city's policy does not count them as staff (A8).
const (
	Regular           PersonKind = "regular"            // staff 正規職員
	PartTime          PersonKind = "part_time"          // staff 会計年度任用職員
	Reappointed       PersonKind = "reappointed"        // staff 再任用職員
	SpecialPost       PersonKind = "special_post"       // staff 特別職
	Outsourcer        PersonKind = "outsourcer"         // contractor 外部委託事業者
	DesignatedManager PersonKind = "designated_manager" // contractor 指定管理者
	HousingProxy      PersonKind = "housing_proxy"      // contractor 管理代行者
	Supplier          PersonKind = "supplier"           // visitor 納入・見積業者
	SchoolEmployee    PersonKind = "school_employee"    // visitor 小中学校職員
	Inspector         PersonKind = "inspector"          // visitor 検査・監査
	Public            PersonKind = "public"             // visitor 一般
	OtherVisitor      PersonKind = "other"              // visitor
)

// AntiPassback is what becomes of somebody who enters a zone without having left it (AD-9).
type AntiPassback uint8

// Anti-passback of a zone.
const (
	PassbackOff   AntiPassback = iota
	PassbackSoft               // let in, flagged
	PassbackHard               // refused
	PassbackTimed              // refused for a time
)

// Escort says who enters a zone only with an escort (VE-2).
type Escort uint8

// Escort rules of a zone.
const (
	EscortNone      Escort = iota
	EscortVisitors         // visitors
	EscortOutsiders        // visitors and contractors
)

// Training is what becomes of somebody whose training has run out (AD-15).
type Training uint8

// Training rules of a zone.
const (
	TrainingOff Training = iota
	TrainingFlag
	TrainingDeny
)

// CarryIn says what is asked of things carried into a zone (AD-3, EQ-1).
type CarryIn uint8

// Carry-in rules of a zone.
const (
	CarryInFree     CarryIn = iota
	CarryInDeclared         // declared beforehand
	CarryInAttended         // declared, and somebody of the staff attends
)

// GroupID names a group, 1–32 characters of [a-z0-9-].
type GroupID string

// Group is several people who are given rights together.
type Group struct {
	ID     GroupID
	Name   string
	NameEN string
	// Section: the group follows this section (所属), so that a transfer takes people out and in; "" = it does not.
	Section string
	Members []PersonID // sorted, none twice
}

// ContractID is the city's own number of a contract: 1–32 characters of [A-Za-z0-9._-].
type ContractID string

// Contract is what a contractor's people work under. A contractor enters only while a contract that
// names them is in force (VE-4, A21).
type Contract struct {
	ID         ContractID
	Name       string // what it is about
	Company    string
	Section    string // the city's section that is responsible
	ValidFrom  Date   // never none
	ValidUntil Date   // never none
	// Tier is 1 for the contractor itself, 2 for its subcontractor and so on, up to 9. From 2 on, nobody
	// enters on it without Approval.
	Tier     int
	Approval string     // number of the written approval of the re-subcontracting
	Workers  []PersonID // sorted, none twice
}

// ExceptionID names an exception measure, 1–32 characters of [A-Za-z0-9._-].
type ExceptionID string

// Exception is an exception measure (例外措置, VR-8): a rule set aside for one thing, for a while, with a
// reason and an approver. Once it has run out the rule holds again by itself.
type Exception struct {
	ID        ExceptionID
	Subject   string // zone, person, door or site
	SubjectID string // "" for the site
	What      string // the rule that is set aside: a control of the level for a zone, else in words
	Reason    string
	Approver  string // who approved it, by office
	From      Date   // never none
	Until     Date   // never none; within one year of From (VR-8)
	Review    Date   // when it is looked at again, none = at its end
	Basis     string // clause of the city's rules
}

// Conditions is one version of the entry conditions (遵守事項, VE-6). A version that is there never
// changes; another text is another version.
type Conditions struct {
	Version uint32 // ≥ 1
	Text    string
	TextEN  string
	From    Date // first day on which it is shown
}

// ItemID is the inventory number of a thing, 1–32 characters of [A-Za-z0-9._-].
type ItemID string

// Kinds and states of items.
const (
	ItemKey     = "key"
	ItemCard    = "card"
	ItemBadge   = "badge"
	ItemGateway = "gateway"
	ItemPlace   = "place" // a room that is looked at once a year: where it lies, fixing, spare parts (M2, M4, M11)
	ItemOther   = "other"

	ItemPresent  = "present"
	ItemMissing  = "missing"
	ItemRepair   = "repair" // away for repair, erased before or under a contract of confidentiality (M14)
	ItemDisposed = "disposed"
)

// Item is a key, card, badge or gateway that is counted at intervals (EQ-4).
type Item struct {
	ID      ItemID
	Kind    string // ItemKey …
	Name    string
	Refers  string // the card, gateway or zone it is, by identifier; "" for a key
	Doors   string // what a key opens: door ids, sorted, a blank between them
	Place   string // where it is kept
	Owner   string // section
	Every   int    // days between counts, 0 = is not counted
	State   string // ItemPresent …
	Counted Date   // last count that found or missed it, none = never
	Proof   string // of its erasure or destruction, or of confidentiality; needed once disposed of or away for repair

	Remote   bool   // stands outside of the organisation's buildings (M15)
	Approval string // who approved that, when; needed then
}

// Fallbacks of a person whom the biometric reader does not know.
const (
	FallbackCardPIN = "card_pin"
	FallbackEscort  = "escort"
)

// Enrolment is a line of the register of biometric enrolments (生体情報登録管理簿, PR-5). The template stays
// in the reader: there is no field for it here and never will be.
type Enrolment struct {
	Person    PersonID
	Reader    string // reader or device, in words
	Reference string // the reader's own number of the enrolment
	Consent   Date   // day on which the person agreed, never none
	Fallback  string // FallbackCardPIN or FallbackEscort
	Deleted   Date   // day on which the reader forgot the person, none = it has not
}

// RoundID names a round of recertification, 1–64 characters of [a-z0-9-].
type RoundID string

// Round is a recertification of one zone (VR-5): until Due somebody says of each person whether the
// rights are kept. Whoever is not confirmed by then is suspended in this zone.
type Round struct {
	ID      RoundID
	Zone    access.ZoneID
	Opened  Date
	Due     Date // last day
	Closed  Date // none = open
	Answers []Answer
}

// Words of an Answer.
const (
	AnswerOpen      = "open"
	AnswerKeep      = "keep"
	AnswerRemove    = "remove"
	AnswerSuspended = "suspended" // not confirmed by the due day
)

// Answer is what was said of one person in a round.
type Answer struct {
	Person PersonID
	Word   string // AnswerOpen …
	Day    Date   // none while open
}

// Transfer is a move (人事異動) or a departure that is still to come (RA-5). On its day it is carried out and
// no longer here.
type Transfer struct {
	Person  PersonID
	Day     Date   // first day in the new section, or first day away
	Section string // new section; "" for a leaver
	Leave   bool   // leaves the city hall
	Overlap int    // days for which the old rights stay beside the new ones, for the hand-over; 0–31 (AD-19)
	// Joins: a second person has agreed that the person joins the groups of the new section. Without it the
	// old rights end on the day all the same (D27).
	Joins bool
}

func (g Group) equal(o Group) bool {
	return g.ID == o.ID && g.Name == o.Name && g.NameEN == o.NameEN && g.Section == o.Section && slices.Equal(g.Members, o.Members)
}

func (c Contract) equal(o Contract) bool {
	workers := slices.Equal(c.Workers, o.Workers)
	return workers && c.ID == o.ID && c.Name == o.Name && c.Company == o.Company && c.Section == o.Section && c.ValidFrom == o.ValidFrom &&
		c.ValidUntil == o.ValidUntil && c.Tier == o.Tier && c.Approval == o.Approval
}

func (r Round) equal(o Round) bool {
	return r.ID == o.ID && r.Zone == o.Zone && r.Opened == o.Opened && r.Due == o.Due && r.Closed == o.Closed && slices.Equal(r.Answers, o.Answers)
}

// String gives the stable name; "off" for an unknown value.
func (a AntiPassback) String() string { return nameOr(antiPassbacks(), a, "off") }

// String gives the stable name; "none" for an unknown value.
func (e Escort) String() string { return nameOr(escorts(), e, "none") }

// String gives the stable name; "off" for an unknown value.
func (t Training) String() string { return nameOr(trainings(), t, "off") }

// String gives the stable name; "free" for an unknown value.
func (c CarryIn) String() string { return nameOr(carryIns(), c, "free") }

// ParseAntiPassback reads a stable name; any other text is an error and PassbackHard.
func ParseAntiPassback(name string) (AntiPassback, error) {
	return parseWord(antiPassbacks(), name, PassbackHard)
}

// ParseEscort reads a stable name; any other text is an error and EscortOutsiders.
func ParseEscort(name string) (Escort, error) { return parseWord(escorts(), name, EscortOutsiders) }

// ParseTraining reads a stable name; any other text is an error and TrainingDeny.
func ParseTraining(name string) (Training, error) { return parseWord(trainings(), name, TrainingDeny) }

// ParseCarryIn reads a stable name; any other text is an error and CarryInAttended.
func ParseCarryIn(name string) (CarryIn, error) { return parseWord(carryIns(), name, CarryInAttended) }

func nameOr[T comparable](words []word[T], v T, none string) string {
	if name := wordOf(words, v); name != "" {
		return name
	}
	return none
}
