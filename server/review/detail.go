package review

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
)

// Form says what stands in the details of a kind's findings.
type Form uint8

// Forms.
const (
	NoDetail    Form = iota
	Word             // one of Words
	Quantity         // a word, then "-" or ":" and a number
	Reasons          // reasons of the rules, joined by "/" or "+"
	Missing          // what a gateway did not know, joined by "+"
	Differs          // of decision_mismatch
	Device           // what a gateway says of itself or of a reader
	InZone           // a zone
	ZoneDay          // a zone, "/" and a day
	ArrivalDay       // the day on which records came
	OtherDoor        // another door
	GuestNumber      // of the matter, from 1; "" = the whole matter
	EntryNumber      // the use of a stopped card, from 1
	BadgeID          // number in the inventory
	Chain            // Place
	LostLeaves       // "lost:", the first leaf of the old log that is gone, "-" and the one after the last
	Order            // action of a remote command
	Channel          // day, or "channel-", its name, "/" and the day
	Release          // cause, "/" and version
	Data             // what was to be exported
	Witness          // "beyond", "refused", or "outside:" and a name
	YearKey          // "start", or "keylost" or "keystore", "/", a class, "/" and a fiscal year
)

// forms is the form of each kind that is written with a detail. A kind that stands here needs its sentence on the pages, and one that does
// not must be written without: tests hold both (VR-1).
var forms = map[Kind]Form{
	ForcedOpen: Device, HeldOpen: Device, InsideOpen: Device, ExitUnattributed: Device, PINLocked: Device, Tamper: Device, LineFault: Device,
	ReaderLost: Device, StrikeFailed: Device, FireRelease: Device, ClockStep: Device, UncleanBoot: Word, MainsLost: Device, BatteryLow: Device, KeyEntry: Device,
	ExitInvalidCard: Reasons, DecisionWithoutRecord: Reasons, RecoveryUsed: Reasons, DecisionMismatch: Differs, ZoneUnknown: Missing,
	ChainFork: Chain, SequenceGap: Chain, EpochChanged: Chain, GatewayRolledBack: Chain, GatewayCloned: Chain,
	LogDoubt: YearKey, LogSucceeded: LostLeaves, LogFork: Witness, RolloutStopped: Release, CanaryMissed: Channel,
	CommandUnknown: Order, CommandUnconfirmed: Order, ExportNoPurpose: Data, WitnessMissing: Quantity, CertificateEnds: Quantity, DisposalDue: Quantity, KeyCopiesDue: Quantity,
	EscortLeft: InZone, LeftAlone: InZone, ExitWithoutEntry: InZone, LoneWorker: InZone, UnescortedVisitor: InZone, Overstay: InZone,
	ImpossibleTravel: OtherDoor, LateRecord: ArrivalDay, UnsignedDay: ZoneDay, PurposeBlank: ZoneDay,
	DeniedBurst: Word, CardScan: Word, TailgatingPossible: Word, LostCardUsed: Word, SelfGranted: Word,
	EmergencyBegun: Word, ApplicationUnmatched: Word, DataRequestOverdue: Word,
	BadgeUnreturned: GuestNumber, ExitNotRecorded: GuestNumber, BringInFlagged: GuestNumber, EntryDisowned: EntryNumber, BadgeLost: BadgeID,
}

// words lists the words that stand in details of kinds of the forms Word, Quantity and YearKey.
var words = map[Kind][]string{
	LogDoubt: {"start", "keylost", "keystore"}, UncleanBoot: {door.BootUnclean}, DeniedBurst: {"card", "door"}, CardScan: {"cards", "doors"}, TailgatingPossible: {"two_passages", "second_opening"},
	LostCardUsed: {"lost", "revoked", "suspended"}, SelfGranted: {"grant", "group", "card"}, EmergencyBegun: {"break_glass", "two_officers"},
	ApplicationUnmatched: {"never_came", "never_entered"}, DataRequestOverdue: {"decision", "extended"},
	WitnessMissing: {"of"}, CertificateEnds: {"days"}, DisposalDue: {"due"}, KeyCopiesDue: {"copies"},
}

// Form gives the form of a kind's details.
func (k Kind) Form() Form { return forms[k] }

// Words lists the words that may stand in a detail of the kind, of the forms Word, Quantity and YearKey.
func (k Kind) Words() []string { return words[k] }

// Detail is a finding's detail, read.
type Detail struct {
	Form Form
	More int    // so many more of the kind at the place, which were counted and not told one by one; 0 = it is about one
	Text string // without the count
	Word string // the first part: a word, cause, action or epoch
	Name string // the second part: a version, a class, the name of a channel or witness
	Zone access.ZoneID
	Door access.DoorID
	Day  string // YYYY-MM-DD
	N    int    // a number, a fiscal year; of LostLeaves the first leaf
	To   int    // of LostLeaves the one after the last
	OK   bool   // it is as the form says; an empty one is
}

const counted = "more-"

// Read reads a detail of the kind. What is not of its form is in Text, and OK is false.
func (k Kind) Read(detail string) Detail {
	d := Detail{Form: k.Form(), Text: detail}
	switch d.Form {
	case BadgeID, Data, Channel, Release: // names that others give: none of these kinds is counted
	default:
		d.count()
	}
	if d.OK = d.Text == ""; !d.OK {
		d.read(k)
	}
	return d
}

// Counted is the detail of the finding that says how many more there were.
func Counted(detail string, n int) string {
	more := counted + strconv.Itoa(n)
	if detail == "" {
		return more
	}
	return detail + "/" + more
}

func (d *Detail) count() {
	rest, last := "", d.Text
	if i := strings.LastIndexByte(d.Text, '/'); i >= 0 {
		rest, last = d.Text[:i], d.Text[i+1:]
	}
	if n, ok := strings.CutPrefix(last, counted); ok {
		if n, ok := positive(n); ok {
			d.Text, d.More = rest, n
		}
	}
}

func (d *Detail) read(k Kind) {
	switch d.Form {
	case Word, Witness:
		d.Word, d.Name, _ = strings.Cut(d.Text, ":")
		d.OK = slices.Contains(k.Words(), d.Text) || d.Form == Witness && (d.Text == "beyond" || d.Text == "refused" || d.Word == "outside" && d.Name != "")
	case Quantity:
		i := strings.IndexAny(d.Text, "-:")
		if i < 0 {
			return
		}
		var err error
		d.Word = d.Text[:i]
		d.N, err = strconv.Atoi(d.Text[i+1:])
		d.OK = err == nil && d.N >= 0 && slices.Contains(k.Words(), d.Word)
	case YearKey:
		var year string
		d.Word, d.Name, _ = strings.Cut(d.Text, "/")
		d.Name, year, _ = strings.Cut(d.Name, "/")
		if d.N, d.OK = positive(year); d.Text == "start" {
			d.OK = true
		}
		d.OK = d.OK && slices.Contains(k.Words(), d.Word)
	case Reasons, Missing, Differs, Device:
		d.Word, d.OK = d.Text, true // their parts are for the page, which has the sentences
	case Order, Data, BadgeID:
		d.Word, d.OK = d.Text, true
	case InZone:
		d.Zone, d.OK = access.ZoneID(d.Text), true
	case ZoneDay:
		zone, day, ok := strings.Cut(d.Text, "/")
		d.Zone, d.Day, d.OK = access.ZoneID(zone), day, ok && zone != "" && isDay(day)
	case ArrivalDay:
		d.Day, d.OK = d.Text, isDay(d.Text)
	case OtherDoor:
		d.Door, d.OK = access.DoorID(d.Text), true
	case GuestNumber, EntryNumber:
		d.N, d.OK = positive(d.Text)
	case Chain:
		var n string
		d.Word, n, _ = strings.Cut(d.Text, "/")
		d.N, d.OK = positive(n)
	case LostLeaves:
		from, to, _ := strings.Cut(strings.TrimPrefix(d.Text, "lost:"), "-")
		var err, err2 error
		d.N, err = strconv.Atoi(from)
		d.To, err2 = strconv.Atoi(to)
		d.OK = err == nil && err2 == nil && d.N >= 0 && d.To >= d.N
	case Channel:
		d.Day, d.OK = d.Text, isDay(d.Text)
		if name, ok := strings.CutPrefix(d.Text, "channel-"); ok {
			if i := strings.LastIndexByte(name, '/'); i > 0 {
				d.Name, d.Day = name[:i], name[i+1:]
				d.OK = isDay(d.Day)
			}
		}
	case Release:
		d.Word, d.Name, d.OK = strings.Cut(d.Text, "/")
	}
}

func isDay(text string) bool {
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}

func positive(text string) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n > 0
}
