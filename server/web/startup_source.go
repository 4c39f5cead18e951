package web

import (
	"context"
	"errors"
	"time"

	"monban/firmware/access"
	"monban/server/setup"
)

// Startup is the way from an empty machine to a guarded door.
type Startup interface {
	// SetupSteps judges the site as it is now.
	SetupSteps(ctx context.Context) ([]setup.Step, error)
	// GatewayInvites lists the gateways of the directory with what is known of their identity.
	GatewayInvites(ctx context.Context) ([]GatewayInvite, error)
	// InviteGateway makes a one-time code that holds for life. act.Reason is never "". ErrNotFound for a gateway that is not in the directory.
	InviteGateway(ctx context.Context, gateway string, life time.Duration, replace bool, act Action) (code string, err error)
	// ConfirmGateway takes the fingerprint that somebody read at the gateway. ErrOtherGateway ends the invite: somebody else has the code.
	ConfirmGateway(ctx context.Context, gateway, fingerprint string, act Action) error
	// DoorPaper is what is printed for a door. ErrNotFound for an unknown one.
	DoorPaper(ctx context.Context, id access.DoorID) (DoorPaper, error)
}

// Refusals of ConfirmGateway.
var (
	ErrNotCome      = errors.New("no gateway has come with the code yet")
	ErrOtherGateway = errors.New("another gateway came with this code")
)

// GatewayInvite is how the identity of a gateway stands.
type GatewayInvite struct {
	ID, Name string
	State    string    // none, invited, came, confirmed, enrolled
	Until    time.Time // of an open invite
}

// What somebody does about gateways' identities; their leaves are made from the notes of the authority, which the command line writes too.
const (
	ActionGatewayInvited   ActionKind = "gateway_invited"
	ActionGatewayConfirmed ActionKind = "gateway_confirmed"
)
