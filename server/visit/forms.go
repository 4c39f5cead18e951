package visit

import (
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/server/directory"
)

// ReceptionForm is what reception fills in for one guest, all of it on one page.
type ReceptionForm struct {
	Guest      int // index into Visit.Guests
	Identity   Identity
	Conditions uint32 // version of the entry conditions that the guest accepted; see Site.ConditionsOf
	Declared   []Declared
	Badge      string             // inventory number or label of the badge that is lent
	Carrier    directory.PersonID // the escort; on their badge enters who has none with a card; "" = as before
	PIN        string             // digits for zones that ask for a PIN, kept as a reference only; "" = none
}

// TemporaryForm is what reception fills in for somebody who has forgotten their card (AD-16): a person was found, a document
// was seen, a card was tapped.
type TemporaryForm struct {
	Person   directory.PersonID
	Identity Identity
	Badge    string    // inventory number or label of a badge of kind temporary
	PIN      string    // digits that the person chooses, for zones that ask for a PIN; "" = none. Kept as a reference only.
	Reason   string    // may be empty: forgotten
	Until    time.Time // zero = until midnight
}

// View is a visit with what the log says of its guests.
type View struct {
	Visit
	Presence []Presence // one for each guest
	Owed     []Due
}

// BadgeView is a badge and what it is lent with.
type BadgeView struct {
	Badge
	Matter string // id of the visit or temporary card that has it, "" = in the drawer
}

// OwnEntry is one line of the log about a person, as that person sees it.
type OwnEntry struct {
	Attempt string // id of the line, hexadecimal
	AtMS    int64
	Door    access.DoorID
	Zone    access.ZoneID // entered or left, "" = neither
	Side    access.Side
	Granted bool
	Reason  access.Reason
	Passed  bool // the door was passed
	Purpose string
	From    PurposeSource
	Asks    bool // an entry whose purpose nothing tells and the zone asks for (RR-7)

	NoExit    bool  // no exit followed, and nothing was said about it (RR-6); see MarkExits
	NextMS    int64 // when the person entered the zone again, 0 = has not
	LeftMS    int64 // when they left, as they stated afterwards; 0 = nothing was stated
	Confirmed bool  // the statement
}

// BadgeForm is a badge for the inventory. Without a card (Format "") it is a plain name badge.
type BadgeForm struct {
	ID        string // inventory number
	Label     string // printed number
	Kind      BadgeKind
	Look      string // what tells it from a staff card (VE-3)
	Format    string // wiegand format of the card
	Facility  uint64
	Number    uint64 // of the card; kept as a reference only (D9)
	Assurance card.Assurance
}
