package access

import "strings"

// Reason says why a decision came out as it did. The names are stable: they are written into the
// entry log and read aloud (in words) to people. The zero value is a denial.
type Reason uint8

// The reasons, in the order of precedence in which they become the primary one (first failed wins).
// New reasons are appended; a number is never reused.
const (
	ReasonUndecided           Reason = iota // zero: nothing was decided, the door stays locked
	ReasonGranted                           // every check passed
	ReasonUnknownDoor                       // the policy does not name this door or side
	ReasonNoPolicy                          // no verified policy is held
	ReasonUnknownCredential                 // no such card at this site
	ReasonReadError                         // parity, length or noise: never a card
	ReasonCredentialLost                    // reported lost
	ReasonCredentialSuspended               // suspended, reversible
	ReasonCredentialRevoked                 // withdrawn for good
	ReasonCredentialExpired                 // outside the card's own validity
	ReasonPersonInactive                    // person suspended or left
	ReasonContractExpired                   // contractor's contract not in force (A9)
	ReasonConditionsPending                 // entry conditions not acknowledged (VE-6)
	ReasonTrainingExpired                   // training out of date (AD-15)
	ReasonNoGrant                           // no grant for this zone
	ReasonGrantExpired                      // a grant exists but its validity is over
	ReasonGrantNotYet                       // a grant exists but has not begun
	ReasonOutsideSchedule                   // a grant exists but not at this hour or day
	ReasonAssuranceLow                      // the card proved too little for this zone (AD-4)
	ReasonPINRequired                       // a PIN is needed and was not given
	ReasonPINBad                            // the PIN was wrong
	ReasonPINLocked                         // too many wrong PINs
	ReasonDoorLocked                        // door mode `locked` (out of service, closed)
	ReasonLockdown                          // door mode `lockdown`
	ReasonClockUntrusted                    // the gateway does not know the time (D12)
	ReasonPolicyBehind                      // linked, but the snapshot is older than the lease (D8)
	ReasonPolicyExpired                     // the snapshot is older than the door's max_age (D12)
	ReasonOfflineDeny                       // offline, and the door's offline mode is deny (D8)
	ReasonOutboxFull                        // no room for a record, so no door (D20)
	ReasonNotDurable                        // the record could not be made durable (I1)
	ReasonExitUnattributed                  // exit reader: unknown or unreadable card; the mechanical exit is open (D11)
	ReasonAntiPassback                      // inside already by the log (AD-9)
	ReasonOccupancyFull                     // as many inside as the zone has room for (AD-10)
	ReasonSecondPerson                      // a second, different person is needed (AD-8)
	ReasonEscortMissing                     // an escort is needed (VE-2)
	ReasonKnowledgeMissing                  // a check lacks knowledge and the zone's offline rule denies (D7)
	ReasonRecoveryCard                      // granted by a recovery card; the other members were set aside (AD-18)
	ReasonEmergencyEntry                    // granted by an emergency grant; a report is due (AD-14)
	ReasonInterlock                         // the other door of the airlock is not closed (DS-9)
	ReasonStaffNeeded                       // two persons, and no staff among them (AD-8)
	ReasonEscortRatio                       // too many outsiders for the escorts there are (VE-2)
	ReasonDeskNobody                        // at a desk reader: no sign-in waits for this number (RA-3); nothing opens
	ReasonDeskSigned                        // at a desk reader: card and PIN are right; a page may go on, nothing opens (RA-3)
	reasonCount
)

var reasonNames = [reasonCount]string{
	"undecided", "granted", "unknown_door", "no_policy", "unknown_credential", "read_error",
	"credential_lost", "credential_suspended", "credential_revoked", "credential_expired",
	"person_inactive", "contract_expired", "conditions_pending", "training_expired",
	"no_grant", "grant_expired", "grant_not_yet", "outside_schedule", "assurance_low",
	"pin_required", "pin_bad", "pin_locked", "door_locked", "lockdown", "clock_untrusted",
	"policy_behind", "policy_expired", "offline_deny", "outbox_full", "not_durable",
	"exit_unattributed", "anti_passback", "occupancy_full", "second_person", "escort_missing",
	"knowledge_missing", "recovery_card",
	"emergency_entry", "interlock", "staff_needed", "escort_ratio",
	"desk_nobody", "desk_signed",
}

// Reasons lists every reason in order of precedence.
func Reasons() []Reason {
	all := make([]Reason, 0, reasonCount)
	for r := Reason(0); r < reasonCount; r++ {
		all = append(all, r)
	}
	return all
}

// String gives the stable snake_case name; an unknown number reads "undecided", which denies.
func (r Reason) String() string {
	if r < reasonCount {
		return reasonNames[r]
	}
	return reasonNames[ReasonUndecided]
}

// ParseReason finds a reason by its stable name. ok is false, and the reason ReasonUndecided, for
// any other string.
func ParseReason(name string) (r Reason, ok bool) {
	for i, n := range reasonNames {
		if n == name {
			return Reason(i), true
		}
	}
	return ReasonUndecided, false
}

// ReasonSet is a set of reasons, one bit each (bit number = Reason).
type ReasonSet uint64

// With returns the set with r in it.
func (s ReasonSet) With(r Reason) ReasonSet { return s | 1<<r }

// Has reports whether r is in the set.
func (s ReasonSet) Has(r Reason) bool { return s&(1<<r) != 0 }

// Names lists the members' stable names in order of precedence.
func (s ReasonSet) Names() []string {
	var names []string
	for r := Reason(0); r < reasonCount; r++ {
		if s.Has(r) {
			names = append(names, r.String())
		}
	}
	return names
}

// String joins the names with "+"; the empty set is "".
func (s ReasonSet) String() string { return strings.Join(s.Names(), "+") }
