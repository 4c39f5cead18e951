package web

import (
	"context"
	"time"

	"monban/firmware/access"
	"monban/server/register"
	"monban/server/signoff"
)

// Registers makes the entry register (入退室管理簿) out of the log.
type Registers interface {
	// RegisterZones lists the zones that have a register: those with a door, in the order of the directory, and
	// after them those that are gone.
	RegisterZones(ctx context.Context) ([]ZoneName, error)
	// ReachOf gives zones with those inside them, their doors and the gateways of these. A zone that is not there adds nothing.
	ReachOf(ctx context.Context, zones []access.ZoneID) (Reach, error)
	// Register makes the rows of one zone and the days from…to, both included. Without Names it holds references instead.
	Register(ctx context.Context, q RegisterQuery) (Register, error)
	// Present lists who was in a zone at a moment.
	Present(ctx context.Context, zone access.ZoneID, at time.Time, names bool) (Register, error)
	// Muster tells of the sealed copy of who is inside (OP-7).
	Muster(ctx context.Context) MusterCopy
}

// MusterCopy is how the copy for reception stands. The zero value: the site has none.
type MusterCopy struct {
	Code      string    // opens the copy that lies there, "" = no copy is made
	Next      string    // opens those of the month that comes or has just begun, "" = not yet
	Made, End time.Time // of the newest one, zero = none was written yet
	Failed    bool      // the last one could not be written
}

// ZoneName is a zone as it is shown.
type ZoneName struct {
	ID    access.ZoneID
	Name  string
	Level int    // 1–3
	Gone  string // day since which there is no such zone any more, "" = there is: its registers are still kept
}

// RegisterQuery asks for one register.
type RegisterQuery struct {
	Zone     access.ZoneID
	From, To string // YYYY-MM-DD in the site's zone, at most MaxRegisterDays apart
	Names    bool
	Checks   bool // with who has confirmed each row
}

// RowCheck is who has confirmed a row, in the daily review of its day. The zero value: nobody has signed the day.
type RowCheck struct {
	Status signoff.Status // of the row: Open, Waiting, Additional or Done
	Exit   bool           // Status is that of the exit, on another day
	By     []string       // full names of the accounts, of a row that is Done
}

// MaxRegisterDays is the longest register that is made at once: a fiscal year.
const MaxRegisterDays = 366

// Register is one zone's rows.
type Register struct {
	Zone ZoneName
	Rows []RegisterRow // in the order of their first event
	Gaps []Gap         // in which a gateway of the zone was silent: rows may still come
	UpTo time.Time
}

// RegisterRow is one row. A time that is zero is blank, and State says why.
type RegisterRow struct {
	State         register.State
	Day           string // YYYY-MM-DD
	Who           Who
	Category      string // staff, contractor, visitor; "" = not known
	Leader        string // on whose badge, by name; "" = their own
	EnteredAt     time.Time
	ExitedAt      time.Time
	OtherAt       time.Time // of a row without a passage of the zone
	SeenAt        time.Time // seen inside, of a row without an entry
	ElsewhereAt   time.Time // seen elsewhere, of a row without an exit
	Door          string    // of the first event
	ExitDoor      string
	Attempt       string // the line of the log, 32 hex digits
	Purpose       string
	PurposeSource string // approved_work, keypad, stated; "" = blank
	System        string // 対象システム
	Approver      string // 許可者
	Attendee      string // 立会者
	Badge         string // number of a lent badge
	Items         []string
	Identity      string // kind of document seen
	Conditions    uint32 // version of the entry conditions that was accepted (VE-6), 0 = none
	// StatedAt is when the person says they left, of a row without an exit (RR-6); ConfirmedBy who confirmed it, "" = nobody yet.
	StatedAt    time.Time
	Stated      string // id of that statement
	ConfirmedBy string
	// LeftAt is, on a list of who is inside, when they left, as is said and not sure; zero = nothing is said. LeftWithin: it is said of a zone within
	// this one.
	LeftAt     time.Time
	LeftWithin bool
	Corrected  []RowCorrection // oldest first; what was recorded stays in the fields above (VR-12)
	Late       bool            // came long after it happened
	Drill      bool            // at a door in a drill (OP-6)
	Last       uint64          // newest leaf of what the row shows of its day
	// ExitDay is the day of an exit on another day than the row's, "" = none, and ExitLast its newest leaf: it is reviewed with that day.
	ExitDay  string
	ExitLast uint64
	Checked  RowCheck // only of a query with Checks
	// Paper is the number of the line of a paper register that the row was typed in from, "" = of the log; with who typed it and who compared it,
	// "" = nobody yet (OP-8).
	Paper, PaperTyped, PaperSecond string
	Erased                         bool // the personal data of the row were destroyed (消去済)
}

// Begins is the time that a row is ordered by: entry, else the earliest that there is.
func (r *RegisterRow) Begins() time.Time {
	for _, t := range []time.Time{r.EnteredAt, r.OtherAt, r.SeenAt} {
		if !t.IsZero() {
			return t
		}
	}
	return r.ExitedAt
}
