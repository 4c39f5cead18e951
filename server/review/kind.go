package review

// Kind says what was found; stable snake_case names, written into the log.
type Kind string

// Kinds of findings. New kinds are appended to the catalogue; a name is never reused.
const (
	ForcedOpen            Kind = "forced_open"
	HeldOpen              Kind = "held_open"
	InsideOpen            Kind = "inside_open"
	ExitUnattributed      Kind = "exit_unattributed"
	ExitInvalidCard       Kind = "exit_invalid_card"
	UnknownCardRepeated   Kind = "unknown_card_repeated"
	PINLocked             Kind = "pin_locked"
	Tamper                Kind = "tamper"
	LineFault             Kind = "line_fault"
	ReaderLost            Kind = "reader_lost"
	StrikeFailed          Kind = "strike_failed"
	FireRelease           Kind = "fire_release"
	ClockStep             Kind = "clock_step"
	DecisionMismatch      Kind = "decision_mismatch"
	DecisionWithoutRecord Kind = "decision_without_record"
	UnknownDoor           Kind = "unknown_door"
	ChainFork             Kind = "chain_fork"
	SequenceGap           Kind = "sequence_gap"
	EpochChanged          Kind = "epoch_changed"
	GatewayRolledBack     Kind = "gateway_rolled_back"
	GatewayCloned         Kind = "gateway_cloned"
	PrivateUnreadable     Kind = "private_unreadable"
	LogDoubt              Kind = "log_doubt"     // database and what was last signed do not agree (EV-3)
	LogSucceeded          Kind = "log_succeeded" // a restore: another log took over (D22)
	RecoveryUsed          Kind = "recovery_used"
	CommandUnknown        Kind = "command_unknown"
	CommandUnconfirmed    Kind = "command_unconfirmed"
	UncleanBoot           Kind = "unclean_boot"
	MainsLost             Kind = "mains_lost"
	BatteryLow            Kind = "battery_low"
	Duress                Kind = "duress"                 // a PIN given under duress; the security officer's alone (AD-13)
	AntiPassback          Kind = "anti_passback"          // entered while inside by the log (AD-9)
	EmergencyEntry        Kind = "emergency_entry"        // by an emergency grant; a report is due (AD-14)
	TrainingExpired       Kind = "training_expired"       // let in with training out of date (AD-15)
	EscortLeft            Kind = "escort_left"            // outsiders without an escort beyond the grace (VE-10)
	LeftAlone             Kind = "left_alone"             // fewer inside than the zone asks for (AD-10)
	ZoneUnknown           Kind = "zone_unknown"           // let in without knowing who is inside (D7)
	CertificateEnds       Kind = "certificate_ends"       // one that a person has to renew
	DisposalDue           Kind = "disposal_due"           // a class and year is due and nobody has asked for its disposal (EV-8)
	BadgeUnreturned       Kind = "badge_unreturned"       // of what is due: server/visit (VE-3)
	ExitNotRecorded       Kind = "exit_not_recorded"      // 退室未記録 (VE-8)
	OralUnconfirmed       Kind = "oral_unconfirmed"       // approval by phone (VE-12)
	OralDenied            Kind = "oral_denied"            // the named approver says that it was not so
	ApplicationUndecided  Kind = "application_undecided"  //
	TourHeadsDiffer       Kind = "tour_heads_differ"      //
	BringInFlagged        Kind = "bring_in_flagged"       // EQ-2
	BadgeLost             Kind = "badge_lost"             //
	TemporaryUnreturned   Kind = "temporary_unreturned"   // AD-16
	TemporaryFrequent     Kind = "temporary_frequent"     //
	EntriesUnconfirmed    Kind = "entries_unconfirmed"    // AD-17
	EntryDisowned         Kind = "entry_disowned"         //
	CardNotSettled        Kind = "card_not_settled"       //
	EmergencyBegun        Kind = "emergency_begun"        // AD-14
	EmergencyUnreported   Kind = "emergency_unreported"   //
	CarryListOpen         Kind = "carry_list_open"        // EQ-1
	CarryNotOut           Kind = "carry_not_out"          // EQ-3
	KeyUnreturned         Kind = "key_unreturned"         // EQ-4
	KeyLost               Kind = "key_lost"               //
	KeyEntry              Kind = "key_entry"              // DS-7
	PurposeBlank          Kind = "purpose_blank"          // RR-7
	DeniedBurst           Kind = "denied_burst"           // many refusals of one card or at one door (VR-7)
	CardScan              Kind = "card_scan"              // many different cards at a door, or one card at many doors (VR-7)
	TailgatingPossible    Kind = "tailgating_possible"    // a sign only, never an alarm on its own (VE-11)
	NoEntry               Kind = "no_entry"               // 未入室, counted by door and day
	ExitWithoutEntry      Kind = "exit_without_entry"     // left without being inside by the log
	LoneWorker            Kind = "lone_worker"            // alone inside for long
	UnescortedVisitor     Kind = "unescorted_visitor"     // inside with no escort from the beginning
	Overstay              Kind = "overstay"               // inside for longer than the zone allows
	AfterHours            Kind = "after_hours"            // outside the zone's usual hours, no approved work (VR-7, VE-9)
	FirstUse              Kind = "first_use"              // first entry of a person by a door (VR-7)
	ImpossibleTravel      Kind = "impossible_travel"      // two places too quickly (VR-7)
	LostCardUsed          Kind = "lost_card_used"         // a lost, withdrawn or suspended card at a door
	InactivePersonCard    Kind = "inactive_person_card"   // card of somebody suspended, on leave or gone (VR-7)
	LateRecord            Kind = "late_record"            // records that came long after what they tell (EV-7)
	GatewayOffline        Kind = "gateway_offline"        // link lost and nothing planned (OP-1)
	UnsignedDay           Kind = "unsigned_day"           // 日次署名 past due (VR-11)
	ApplicationUnmatched  Kind = "application_unmatched"  // approved work that nobody came for
	ItemsOverdue          Kind = "items_overdue"          // findings past due at the last level (VR-3)
	SelfGranted           Kind = "self_granted"           // used a right that oneself proposed, agreed to or enrolled
	ExportNoPurpose       Kind = "export_without_purpose" // an export refused for want of a purpose (PR-1)
	CanaryMissed          Kind = "canary_missed"          // the daily test of the alerts did not arrive
	LogFork               Kind = "log_fork"               // a witness holds a checkpoint that the log does not extend (EV-3, EV-4)
	RolloutStopped        Kind = "rollout_stopped"        // a release did not reach every gateway (OP-4)
	WitnessMissing        Kind = "witness_missing"        // no witness of another house has cosigned for a day (EV-4)
	DataRequestOverdue    Kind = "data_request_overdue"   // a request of the person concerned past the law's day (PR-3)
	KeyCopiesDue          Kind = "key_copies_due"         // fewer than two copies of the master key were read back lately (OP-10)
)

// Threat is what a finding may be a sign of: STRIDE's letters in words, or an ordinary fault of a device.
type Threat string

// Threats.
const (
	Spoofing    Threat = "spoofing"
	Tampering   Threat = "tampering"
	Repudiation Threat = "repudiation"
	Denial      Threat = "denial_of_service"
	Elevation   Threat = "elevation"
	DeviceFault Threat = "device_fault" // 機器異常, not somebody's deed
	Habit       Threat = "habit"        // an ordinary day's event that the register needs an answer to
)

// Entry is what the catalogue says about a kind (VR-1).
type Entry struct {
	Kind     Kind
	Severity Severity
	Threat   Threat
	DueDays  int    // open days until somebody has looked, ≥ 1
	Title    string // key of the title in the pages' catalogue of texts, both languages
}

var catalogue = [...]Entry{
	{ForcedOpen, High, Tampering, 1, "finding.forced_open"},
	{HeldOpen, Medium, Habit, 1, "finding.held_open"},
	{InsideOpen, Low, Habit, 3, "finding.inside_open"},
	{ExitUnattributed, Low, Habit, 3, "finding.exit_unattributed"},
	{ExitInvalidCard, Low, Habit, 3, "finding.exit_invalid_card"},
	{UnknownCardRepeated, Medium, Spoofing, 1, "finding.unknown_card_repeated"},
	{PINLocked, Medium, Spoofing, 1, "finding.pin_locked"},
	{Tamper, High, Tampering, 1, "finding.tamper"},
	{LineFault, Medium, DeviceFault, 1, "finding.line_fault"},
	{ReaderLost, Medium, DeviceFault, 1, "finding.reader_lost"},
	{StrikeFailed, Medium, DeviceFault, 1, "finding.strike_failed"},
	{FireRelease, High, DeviceFault, 1, "finding.fire_release"},
	{ClockStep, Low, DeviceFault, 3, "finding.clock_step"},
	{DecisionMismatch, High, Elevation, 1, "finding.decision_mismatch"},
	{DecisionWithoutRecord, Medium, Repudiation, 1, "finding.decision_without_record"},
	{UnknownDoor, Medium, Spoofing, 1, "finding.unknown_door"},
	{ChainFork, High, Tampering, 1, "finding.chain_fork"},
	{SequenceGap, High, Repudiation, 1, "finding.sequence_gap"},
	{EpochChanged, Medium, Repudiation, 1, "finding.epoch_changed"},
	{GatewayRolledBack, High, Repudiation, 1, "finding.gateway_rolled_back"},
	{GatewayCloned, High, Spoofing, 1, "finding.gateway_cloned"},
	{PrivateUnreadable, Medium, Tampering, 1, "finding.private_unreadable"},
	{LogDoubt, High, Tampering, 1, "finding.log_doubt"},
	{LogSucceeded, High, Repudiation, 1, "finding.log_succeeded"},
	{RecoveryUsed, High, Elevation, 1, "finding.recovery_used"},
	{CommandUnknown, High, Repudiation, 1, "finding.command_unknown"},
	{CommandUnconfirmed, Medium, Elevation, 1, "finding.command_unconfirmed"},
	{UncleanBoot, Low, DeviceFault, 3, "finding.unclean_boot"},
	{MainsLost, Medium, DeviceFault, 1, "finding.mains_lost"},
	{BatteryLow, Medium, DeviceFault, 1, "finding.battery_low"},
	{Duress, High, Spoofing, 1, "finding.duress"},
	{AntiPassback, Low, Habit, 3, "finding.anti_passback"},
	{EmergencyEntry, High, Elevation, 1, "finding.emergency_entry"},
	{TrainingExpired, Low, Habit, 3, "finding.training_expired"},
	{EscortLeft, Medium, Habit, 1, "finding.escort_left"},
	{LeftAlone, Medium, Habit, 1, "finding.left_alone"},
	{ZoneUnknown, Low, Repudiation, 3, "finding.zone_unknown"},
	{CertificateEnds, Medium, DeviceFault, 3, "finding.certificate_ends"},
	{DisposalDue, Low, Habit, 1, "finding.disposal_due"},
	{BadgeUnreturned, Medium, Habit, 1, "finding.badge_unreturned"},
	{ExitNotRecorded, Medium, Habit, 1, "finding.exit_not_recorded"},
	{OralUnconfirmed, Medium, Elevation, 1, "finding.oral_unconfirmed"},
	{OralDenied, High, Elevation, 1, "finding.oral_denied"},
	{ApplicationUndecided, Low, Habit, 1, "finding.application_undecided"},
	{TourHeadsDiffer, Medium, Habit, 1, "finding.tour_heads_differ"},
	{BringInFlagged, Low, Habit, 3, "finding.bring_in_flagged"},
	{BadgeLost, Medium, Spoofing, 1, "finding.badge_lost"},
	{TemporaryUnreturned, Medium, Habit, 1, "finding.temporary_unreturned"},
	{TemporaryFrequent, Low, Habit, 3, "finding.temporary_frequent"},
	{EntriesUnconfirmed, Medium, Spoofing, 1, "finding.entries_unconfirmed"},
	{EntryDisowned, High, Spoofing, 1, "finding.entry_disowned"},
	{CardNotSettled, Low, Habit, 3, "finding.card_not_settled"},
	{EmergencyBegun, High, Elevation, 1, "finding.emergency_begun"},
	{EmergencyUnreported, High, Elevation, 1, "finding.emergency_unreported"},
	{CarryListOpen, Low, Habit, 1, "finding.carry_list_open"},
	{CarryNotOut, Medium, Tampering, 1, "finding.carry_not_out"},
	{KeyUnreturned, Medium, Habit, 1, "finding.key_unreturned"},
	{KeyLost, High, Spoofing, 1, "finding.key_lost"},
	{KeyEntry, Low, Habit, 1, "finding.key_entry"},
	{PurposeBlank, Low, Habit, 3, "finding.purpose_blank"},
	{DeniedBurst, Medium, Spoofing, 1, "finding.denied_burst"},
	{CardScan, High, Spoofing, 1, "finding.card_scan"},
	{TailgatingPossible, Low, Elevation, 3, "finding.tailgating_possible"},
	{NoEntry, Low, Habit, 3, "finding.no_entry"},
	{ExitWithoutEntry, Low, Habit, 3, "finding.exit_without_entry"},
	{LoneWorker, Medium, Habit, 1, "finding.lone_worker"},
	{UnescortedVisitor, Medium, Elevation, 1, "finding.unescorted_visitor"},
	{Overstay, Low, Habit, 3, "finding.overstay"},
	{AfterHours, Medium, Elevation, 1, "finding.after_hours"},
	{FirstUse, Low, Elevation, 3, "finding.first_use"},
	{ImpossibleTravel, Medium, Spoofing, 1, "finding.impossible_travel"},
	{LostCardUsed, High, Spoofing, 1, "finding.lost_card_used"},
	{InactivePersonCard, Medium, Spoofing, 1, "finding.inactive_person_card"},
	{LateRecord, Low, Repudiation, 3, "finding.late_record"},
	{GatewayOffline, Medium, DeviceFault, 1, "finding.gateway_offline"},
	{UnsignedDay, Medium, Habit, 1, "finding.unsigned_day"},
	{ApplicationUnmatched, Low, Habit, 3, "finding.application_unmatched"},
	{ItemsOverdue, Medium, Habit, 1, "finding.items_overdue"},
	{SelfGranted, High, Elevation, 1, "finding.self_granted"},
	{ExportNoPurpose, Medium, Repudiation, 1, "finding.export_without_purpose"},
	{CanaryMissed, High, Denial, 1, "finding.canary_missed"},
	{LogFork, High, Tampering, 1, "finding.log_fork"},
	{WitnessMissing, High, Repudiation, 1, "finding.witness_missing"},
	{DataRequestOverdue, Medium, Habit, 1, "finding.data_request_overdue"},
	{KeyCopiesDue, Medium, DeviceFault, 10, "finding.key_copies_due"},
	{RolloutStopped, Medium, DeviceFault, 1, "finding.rollout_stopped"},
}

// Catalogue lists every kind.
func Catalogue() []Entry { return append([]Entry(nil), catalogue[:]...) }

// Entry gives the catalogue's line of k. A kind that is not in it reads as high and due at once, so
// that it is not overlooked.
func (k Kind) Entry() Entry {
	for _, e := range catalogue {
		if e.Kind == k {
			return e
		}
	}
	return Entry{Kind: k, Severity: High, Threat: DeviceFault, DueDays: 1, Title: "finding.unknown"}
}
