package visit

// Error is a refusal that a page can put into words: nothing was changed. Two with the same Word are the same error.
type Error struct {
	Word  string // stable snake_case, key of the sentence
	Field string // field of the form that has to change, "" = none
	Text  string // one line in English for logs and the command line; names nobody
}

// Error implements error.
func (e *Error) Error() string {
	if e.Field != "" {
		return e.Field + ": " + e.Text
	}
	return e.Text
}

// Is makes errors.Is compare the words only.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Word == e.Word
}

// at gives the error for a field.
func (e *Error) at(field string) *Error { return &Error{Word: e.Word, Field: field, Text: e.Text} }

// Refusals.
var (
	ErrMissing    = &Error{Word: "missing", Text: "is empty; fill it in"}
	ErrText       = &Error{Word: "bad_text", Text: "is too long or holds characters that do not print"}
	ErrMyNumber   = &Error{Word: "my_number", Text: "looks like an Individual Number (個人番号); it may not be recorded here"}
	ErrWindow     = &Error{Word: "bad_window", Text: "the period ends before it begins, is over, or is longer than allowed"}
	ErrUnknown    = &Error{Word: "unknown_subject", Text: "names something that does not exist or is not active"}
	ErrNotStaff   = &Error{Word: "not_staff", Text: "must be an active member of staff"}
	ErrSamePerson = &Error{Word: "same_person", Text: "a second person has to do this"}
	ErrState      = &Error{Word: "wrong_state", Text: "is no longer, or not yet, possible: somebody else has moved it"}
	ErrTooEarly   = &Error{Word: "too_early", Text: "the approved period has not begun"}
	ErrTooLate    = &Error{Word: "too_late", Text: "the approved period is over"}
	ErrTooMany    = &Error{Word: "too_many", Text: "holds more entries than one form may have"}
	ErrContract   = &Error{Word: "no_contract", Text: "the contract does not exist or is not in force in this period"}
	ErrUnnamed    = &Error{Word: "unnamed_worker", Text: "is not among the contract's named workers"}
	ErrTier       = &Error{Word: "tier_not_approved", Text: "a subcontract needs the number of its written approval"}
	ErrIdentity   = &Error{Word: "no_identity", Text: "say what kind of document was seen"}
	ErrConditions = &Error{Word: "conditions_not_accepted", Text: "the present entry conditions have to be accepted first"}
	ErrBadge      = &Error{Word: "badge_unusable", Text: "is no badge that can be lent: unknown, lost, retired, of another kind or without a card"}
	ErrBadgeLent  = &Error{Word: "badge_lent", Text: "is lent to somebody else"}
	ErrCarrier    = &Error{Word: "no_carrier", Text: "who enters without a card needs an escort whose badge carries the party"}
	ErrBringIn    = &Error{Word: "bring_in_refused", Text: "may not be brought into this zone; leave it outside or name the exception"}
	ErrInside     = &Error{Word: "still_inside", Text: "somebody is inside by the log; say in a note how and when they left"}
	ErrOwnCard    = &Error{Word: "no_active_card", Text: "has no active card that a temporary one could stand for"}
	ErrLentTwice  = &Error{Word: "temporary_open", Text: "has a temporary card that was not returned"}
	ErrEntries    = &Error{Word: "entries_open", Text: "the holder has not confirmed every entry since the last sure use"}
	ErrRevoked    = &Error{Word: "card_revoked", Text: "was revoked for good"}
	ErrImpact     = &Error{Word: "no_impact_check", Text: "say what the check of the effect on running systems gave, and who checked"}
	ErrProtection = &Error{Word: "no_protection", Text: "a medium with personal data needs a method of protection"}
	ErrUnmatched  = &Error{Word: "carry_unmatched", Text: "was not carried in here and no authorization is named"}
	ErrPIN        = &Error{Word: "bad_pin", Field: "pin", Text: "is not a PIN of 4–8 digits 0–9"}
	ErrNoGap      = &Error{Word: "no_gap", Text: "is a time of which the log has its own record, or a time that cannot be: paper counts only where records are missing"}
	ErrNotHolder  = &Error{Word: "not_holder", Text: "only the holder can say so"}
)

// Errors lists the refusals, for whoever has to have a sentence for each.
func Errors() []*Error {
	return []*Error{
		ErrMissing, ErrText, ErrMyNumber, ErrWindow, ErrUnknown, ErrNotStaff, ErrSamePerson, ErrState, ErrTooEarly, ErrTooLate, ErrTooMany, ErrContract,
		ErrUnnamed, ErrTier, ErrIdentity, ErrConditions, ErrBadge, ErrBadgeLent, ErrCarrier, ErrBringIn, ErrInside, ErrOwnCard, ErrLentTwice, ErrEntries,
		ErrRevoked, ErrImpact, ErrProtection, ErrUnmatched, ErrPIN, ErrNotHolder, ErrNoGap,
	}
}
