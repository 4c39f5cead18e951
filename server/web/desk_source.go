package web

import (
	"context"
	"time"

	"monban/firmware/access"
	deskboard "monban/server/desk"
)

// Desk is a reader on a desk, at which people sign in with staff card and PIN (RA-3).
type Desk struct {
	ID       access.DoorID // as in the gateway's configuration; no door's
	Gateway  access.GatewayID
	Name     string // where it stands
	Created  time.Time
	Browsers []DeskBrowser
}

// DeskBrowser is a browser that stands beside a desk reader: only such a one can begin a sign-in there.
type DeskBrowser struct {
	Hash    [32]byte // SHA-256 of the token in its cookie
	Name    string
	BoundBy string // account
	Created time.Time
}

// Desks keeps desk readers and the pages that wait at them. Whatever has an Action writes its leaf in the same transaction.
type Desks interface {
	// ListDesks gives all, with their browsers.
	ListDesks(ctx context.Context) ([]Desk, error)
	// AddDesk: ErrExists when a desk or a door has this id.
	AddDesk(ctx context.Context, d Desk, act Action) error
	// RemoveDesk takes its browsers with it: ErrNotFound.
	RemoveDesk(ctx context.Context, id access.DoorID, act Action) error
	// BindBrowser: ErrNotFound without such a desk.
	BindBrowser(ctx context.Context, id access.DoorID, b DeskBrowser, act Action) error
	// UnbindBrowser: ErrNotFound.
	UnbindBrowser(ctx context.Context, hash [32]byte, act Action) error

	// The rest is deskboard.Board's.
	Begin(ticket, number string, id access.DoorID, now time.Time) error
	Look(ticket string, now time.Time) (deskboard.Stage, string)
	Take(ticket string, now time.Time) (person string, ok bool)
	Drop(ticket string)
}
