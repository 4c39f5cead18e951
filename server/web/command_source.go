package web

import (
	"context"
	"errors"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
)

// Refusals of an order (RA-2).
var (
	ErrSamePerson = errors.New("asked and agreed by the same person")
	ErrTooLate    = errors.New("the request is over")
	ErrNotAllowed = errors.New("not allowed at this door")
)

// CommandState is how far a command has come; the zero value knows nothing.
type CommandState uint8

// States of a command.
const (
	CommandUnclear    CommandState = iota
	CommandAsked                   // waits for a second person
	CommandOver                    // nobody agreed in time, or it was withdrawn
	CommandNotSent                 // the gateway was not linked; nothing was sent and nothing will be
	CommandOnItsWay                // sent; the gateway has not said yet what came of it
	CommandDone                    //
	CommandRefused                 // the door said no; Reason and Detail say why
	CommandUnknown                 // accepted, and the gateway stopped before it could say what it did
	CommandUnanswered              // the gateway has not said anything; it can no longer act
	commandStateCount
)

var commandStateNames = [commandStateCount]string{
	"unclear", "asked", "over", "not_sent", "on_its_way", "done", "refused", "unknown", "unanswered",
}

// String gives the stable name.
func (s CommandState) String() string {
	if s < commandStateCount {
		return commandStateNames[s]
	}
	return commandStateNames[CommandUnclear]
}

// CommandDoor is a door as somebody sees it who may order something.
type CommandDoor struct {
	Door    access.DoorID
	Name    string
	Enter   access.ZoneID // a role for one zone holds for the doors into it
	Observe bool          // no lock: self-test only
	Persons int           // how many an unlock takes: 0 = never, 1, 2
	Linked  bool
	Known   bool // false: its state was never told
	State   door.StateName
}

// Command is one order and what came of it.
type Command struct {
	ID          string // 32 hex digits; also its attempt's
	Door        access.DoorID
	DoorName    string
	Enter       access.ZoneID
	Action      door.CommandKind
	State       CommandState
	Reason      access.Reason // of a refusal
	Detail      string        // machine word: why not sent, why refused, what a self-test found
	Why         string        // what the asking person wrote; "" when names are hidden or it is erased
	Asked       time.Time
	AskedBy     string // account id
	AskedName   string // full name, "" when names are hidden
	Agreed      time.Time
	AgreedBy    string // account id, "" = nobody yet
	AgreedName  string
	Confirm     bool // a second person has to look afterwards and has not yet
	Confirmed   time.Time
	ConfirmedBy string
}

// CommandOrder is what somebody asks for.
type CommandOrder struct {
	Door   access.DoorID
	Action door.CommandKind
}

// Commands orders doors from afar (D13). Each method writes the leaf of its action in the transaction that makes
// the change; what is sent is signed after that transaction has committed. act.Actor is the account that acts.
type Commands interface {
	CommandDoors(ctx context.Context) ([]CommandDoor, error)
	// ListCommands gives the newest first. names=false: no names, no reasons.
	ListCommands(ctx context.Context, names bool, limit int) ([]Command, error)
	// CommandByID: ErrNotFound.
	CommandByID(ctx context.Context, id string, names bool) (Command, error)
	// AskCommand asks for an order, and sends it when one person is enough for it; then it waits some seconds for
	// what comes of it. ErrNotFound for a door that does not exist, ErrNotAllowed.
	AskCommand(ctx context.Context, o CommandOrder, act Action) (Command, error)
	// AgreeCommand is the second person: it sends. ErrNotFound, ErrSamePerson, ErrTooLate, ErrNotAllowed.
	AgreeCommand(ctx context.Context, id string, act Action) (Command, error)
	// WithdrawCommand ends a request that nobody has agreed to. ErrNotFound, ErrTooLate.
	WithdrawCommand(ctx context.Context, id string, act Action) error
	// ConfirmCommand is the second person afterwards, where one was enough. ErrNotFound, ErrSamePerson, ErrTooLate.
	ConfirmCommand(ctx context.Context, id string, act Action) error
}
