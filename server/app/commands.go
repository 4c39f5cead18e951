package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/downlink"
	"monban/server/review"
	"monban/server/signer"
	"monban/server/store"
	"monban/server/web"
)

const (
	// requestLife is how long a second person may take to agree: somebody stands at the door and waits.
	requestLife = 5 * time.Minute
	// answerWait is how long a page waits for the gateway's records.
	answerWait = 3 * time.Second
	// silentAfter: a command that nothing was heard of for so long can no longer act (its life is 5 s).
	silentAfter = 15 * time.Second
)

// sender hands a command to the link; downlink implements it.
type sender interface {
	Order(gw access.GatewayID, c wire.Command) error
}

// commands orders doors from afar for the pages (D13, RA-2).
type commands struct {
	store     *store.Store
	health    *health
	directory func() directory.Snapshot
	link      sender
	now       func() time.Time
	log       *slog.Logger
	pages     *pages
	wait      time.Duration // for the gateway's records, before a page is shown: answerWait
	// approve shows the signer who asked for a command and who ordered it; nil = this process signs by itself.
	approve func(ctx context.Context, x store.Command) error
}

// CommandDoors implements web.Commands.
func (c *commands) CommandDoors(ctx context.Context) ([]web.CommandDoor, error) {
	n := c.pages.names(ctx)
	var out []web.CommandDoor
	for _, d := range c.directory().Doors {
		x := web.CommandDoor{Door: d.ID, Name: n.door(d.ID), Enter: d.Enter, Observe: d.Kind != door.KindControlled, Persons: persons(d)}
		if b, ok := c.health.last(d.Gateway); ok {
			x.Linked = b.linked(c.now())
			for _, s := range b.Doors {
				if s.Door == d.ID {
					state, err := door.ParseStateName(s.State)
					x.Known, x.State = err == nil, state
				}
			}
		}
		out = append(out, x)
	}
	return out, nil
}

// persons is how many an unlock takes at a door, 0 = never.
func persons(d directory.Door) int {
	switch {
	case d.Kind != door.KindControlled:
		return 0
	case d.Remote == directory.RemoteTwo:
		return 2
	case d.Remote == directory.RemoteOne:
		return 1
	default:
		return 0
	}
}

func (c *commands) door(id access.DoorID) (directory.Door, error) {
	for _, d := range c.directory().Doors {
		if d.ID == id {
			return d, nil
		}
	}
	return directory.Door{}, web.ErrNotFound
}

// needs is how many persons an action takes at a door. What locks or only looks takes one.
func needs(d directory.Door, a door.CommandKind) (int, error) {
	switch a {
	case door.CommandUnlock:
		if n := persons(d); n > 0 {
			return n, nil
		}
	case door.CommandRearm:
		if d.Kind == door.KindControlled {
			return 1, nil
		}
	case door.CommandSelfTest:
		return 1, nil
	case door.CommandNone:
	}
	return 0, web.ErrNotAllowed
}

// AskCommand implements web.Commands.
func (c *commands) AskCommand(ctx context.Context, o web.CommandOrder, act web.Action) (web.Command, error) {
	d, err := c.door(o.Door)
	if err != nil {
		return web.Command{}, err
	}
	n, err := needs(d, o.Action)
	if err != nil {
		return web.Command{}, err
	}
	x := store.Command{
		Gateway: string(d.Gateway), Door: string(d.ID), Action: o.Action.String(), State: store.CommandRequested,
		RequestedBy: act.Actor, RequestedMS: act.At.UnixMilli(),
	}
	_, _ = rand.Read(x.ID[:]) // crypto/rand never fails
	err = c.store.Write(ctx, func(tx *store.Tx) error {
		act := act
		act.Kind, act.Target = askedAs(o.Action), target(x)
		idx, err := actAt(tx, act)
		if err != nil {
			return err
		}
		x.RequestedIdx = idx
		if n == 1 {
			act.Kind = web.ActionCommandOrdered
			if idx, err = actAt(tx, act); err != nil {
				return err
			}
			x.State, x.OrderedBy, x.OrderedMS, x.OrderedIdx = store.CommandSent, act.Actor, act.At.UnixMilli(), idx
			x.Confirm = o.Action == door.CommandUnlock
		}
		return tx.InsertCommand(x)
	})
	if err != nil {
		return web.Command{}, err
	}
	if n == 1 {
		c.send(ctx, x, act)
	}
	return c.after(ctx, x.ID)
}

// askedAs is the verb of asking for an action.
func askedAs(a door.CommandKind) web.ActionKind {
	switch a {
	case door.CommandRearm:
		return web.ActionRearmAsked
	case door.CommandSelfTest:
		return web.ActionSelfTestAsked
	default:
		return web.ActionUnlockAsked
	}
}

// target names door and command in a leaf.
func target(x store.Command) string { return x.Door + "/" + hex.EncodeToString(x.ID[:]) }

// AgreeCommand implements web.Commands: the second of two persons.
func (c *commands) AgreeCommand(ctx context.Context, id string, act web.Action) (web.Command, error) {
	var x store.Command
	err := c.change(ctx, id, func(tx *store.Tx, y store.Command) error {
		d, err := c.door(access.DoorID(y.Door))
		if err != nil {
			return err
		}
		kind, _ := door.ParseCommandKind(y.Action) // an unknown one needs nobody and is not allowed
		if _, err := needs(d, kind); err != nil || string(d.Gateway) != y.Gateway {
			return web.ErrNotAllowed // the door's setting or place has changed since it was asked for
		}
		if y.State != store.CommandRequested || act.At.UnixMilli()-y.RequestedMS > requestLife.Milliseconds() {
			return web.ErrTooLate
		}
		if err := another(tx, y.RequestedBy, act.Actor); err != nil {
			return err
		}
		act := act
		act.Kind, act.Target = web.ActionCommandOrdered, target(y)
		idx, err := actAt(tx, act)
		if err != nil {
			return err
		}
		y.State, y.OrderedBy, y.OrderedMS, y.OrderedIdx = store.CommandSent, act.Actor, act.At.UnixMilli(), idx
		x = y
		return tx.MoveCommand(store.CommandRequested, y)
	})
	if err != nil {
		return web.Command{}, err
	}
	c.send(ctx, x, act)
	return c.after(ctx, x.ID)
}

// another refuses one person who acts as two: the same account, or two accounts of one person of the directory (RA-2).
func another(tx *store.Tx, first, second string) error {
	if first == second {
		return web.ErrSamePerson
	}
	a, err := tx.AccountByID(first)
	if err != nil {
		return mapped(err)
	}
	b, err := tx.AccountByID(second)
	if err != nil {
		return mapped(err)
	}
	if a.Person != "" && a.Person == b.Person {
		return web.ErrSamePerson
	}
	return nil
}

// WithdrawCommand implements web.Commands.
func (c *commands) WithdrawCommand(ctx context.Context, id string, act web.Action) error {
	return c.change(ctx, id, func(tx *store.Tx, y store.Command) error {
		if y.State != store.CommandRequested {
			return web.ErrTooLate
		}
		act.Kind, act.Target = web.ActionCommandWithdrawn, target(y)
		if _, err := actAt(tx, act); err != nil {
			return err
		}
		y.State, y.Settled = store.CommandWithdrawn, true
		return tx.MoveCommand(store.CommandRequested, y)
	})
}

// ConfirmCommand implements web.Commands.
func (c *commands) ConfirmCommand(ctx context.Context, id string, act web.Action) error {
	return c.change(ctx, id, func(tx *store.Tx, y store.Command) error {
		if !y.Confirm || y.ConfirmedBy != "" {
			return web.ErrTooLate
		}
		if err := another(tx, y.OrderedBy, act.Actor); err != nil {
			return err
		}
		act.Kind, act.Target = web.ActionCommandConfirmed, target(y)
		if _, err := actAt(tx, act); err != nil {
			return err
		}
		y.ConfirmedBy, y.ConfirmedMS = act.Actor, act.At.UnixMilli()
		return tx.MoveCommand(y.State, y)
	})
}

// change runs f over a command in a transaction.
func (c *commands) change(ctx context.Context, id string, f func(tx *store.Tx, y store.Command) error) error {
	key, err := commandID(id)
	if err != nil {
		return err
	}
	return mapped(c.store.Write(ctx, func(tx *store.Tx) error {
		y, err := tx.Command(key)
		if err != nil {
			return err
		}
		return f(tx, y)
	}))
}

func commandID(id string) (key [16]byte, err error) {
	if len(id) != 2*len(key) {
		return key, web.ErrNotFound
	}
	if _, err := hex.Decode(key[:], []byte(id)); err != nil {
		return key, web.ErrNotFound
	}
	return key, nil
}

// send hands an order to the link, after its leaf has committed. It is called once for a command, ever: a server that
// stopped before this line does not send it when it is back.
func (c *commands) send(ctx context.Context, x store.Command, act web.Action) {
	kind, err := door.ParseCommandKind(x.Action)
	if err == nil && c.approve != nil {
		if err = c.approve(ctx, x); err != nil { // nothing is sent and the door does nothing
			c.log.LogAttrs(ctx, slog.LevelError, "the signer does not sign a command", slog.String("door", x.Door), slog.Any("err", err))
		}
	}
	if err == nil {
		err = c.link.Order(access.GatewayID(x.Gateway), wire.Command{
			ID: x.ID, Door: access.DoorID(x.Door), Action: kind, TTLMS: wire.MaxCommandMS, Order: uint64(x.OrderedIdx),
		})
	}
	if err == nil {
		return
	}
	x.State, x.Why, x.Settled, x.Confirm = store.CommandNotSent, "error", true, false
	var n *downlink.NotOrderedError
	if errors.As(err, &n) {
		x.Why = n.Why
	}
	if errors.Is(err, signer.ErrNotApproved) {
		x.Why = whyNotApproved
	}
	act.Kind, act.Target, act.Reason = web.ActionCommandNotSent, target(x), ""
	// The person may have gone away meanwhile; that nothing was sent is told all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerWait)
	defer cancel()
	err = c.store.Write(ctx, func(tx *store.Tx) error {
		if _, err := actAt(tx, act); err != nil {
			return err
		}
		return tx.MoveCommand(store.CommandSent, x)
	})
	if err != nil {
		c.log.LogAttrs(ctx, slog.LevelError, "command not sent, and not noted", slog.String("door", x.Door), slog.Any("err", err))
	}
}

// after waits a little for what comes of a command, so that the next page already says it.
func (c *commands) after(ctx context.Context, id [16]byte) (web.Command, error) {
	const look = 25 * time.Millisecond
	t := time.NewTicker(look)
	defer t.Stop()
	for deadline := time.Now().Add(c.wait); ; {
		x, err := c.CommandByID(ctx, hex.EncodeToString(id[:]), false)
		if err != nil || x.State != web.CommandOnItsWay || !time.Now().Before(deadline) {
			return x, err
		}
		select {
		case <-ctx.Done():
			return x, nil
		case <-t.C:
		}
	}
}

// CommandByID implements web.Commands.
func (c *commands) CommandByID(ctx context.Context, id string, show bool) (out web.Command, err error) {
	key, err := commandID(id)
	if err != nil {
		return out, err
	}
	n := c.pages.names(ctx)
	err = c.store.Read(ctx, func(r *store.ReadTx) error {
		x, err := r.Command(key)
		if err != nil {
			return err
		}
		out, err = c.shown(r.Reader, x, n, show)
		return err
	})
	return out, mapped(err)
}

// ListCommands implements web.Commands.
func (c *commands) ListCommands(ctx context.Context, show bool, limit int) (out []web.Command, err error) {
	n := c.pages.names(ctx)
	err = c.store.Read(ctx, func(r *store.ReadTx) error {
		list, err := r.Commands(limit)
		if err != nil {
			return err
		}
		for _, x := range list {
			y, err := c.shown(r.Reader, x, n, show)
			if err != nil {
				return err
			}
			out = append(out, y)
		}
		return nil
	})
	return out, err
}

// shown is a command as a page shows it.
func (c *commands) shown(r store.Reader, x store.Command, n names, show bool) (web.Command, error) {
	kind, err := door.ParseCommandKind(x.Action)
	if err != nil {
		return web.Command{}, fmt.Errorf("command %x: %w", x.ID, err)
	}
	out := web.Command{
		ID: hex.EncodeToString(x.ID[:]), Door: access.DoorID(x.Door), DoorName: n.door(access.DoorID(x.Door)),
		Enter: n.doors[access.DoorID(x.Door)].Enter, Action: kind, Detail: x.Why,
		Asked: moment(x.RequestedMS), AskedBy: x.RequestedBy, Agreed: moment(x.OrderedMS), AgreedBy: x.OrderedBy,
		Confirm: x.Confirm && x.ConfirmedBy == "", Confirmed: moment(x.ConfirmedMS), ConfirmedBy: x.ConfirmedBy,
	}
	if show {
		out.AskedName, out.AgreedName = fullName(r, x.RequestedBy), fullName(r, x.OrderedBy)
		if o, err := r.Opening(x.RequestedIdx); err == nil {
			out.Why = o.Text
		} else if !errors.Is(err, store.ErrErased) && !errors.Is(err, store.ErrNotFound) { // the finding for it is verify's work
			c.log.LogAttrs(context.Background(), slog.LevelError, "opening cannot be read", slog.Int64("leaf", x.RequestedIdx), slog.Any("err", err))
		}
	}
	switch x.State {
	case store.CommandRequested:
		out.State = web.CommandAsked
		if c.now().UnixMilli()-x.RequestedMS > requestLife.Milliseconds() {
			out.State = web.CommandOver
		}
	case store.CommandWithdrawn:
		out.State = web.CommandOver
	case store.CommandNotSent:
		out.State = web.CommandNotSent
	case store.CommandSent:
		told, err := c.told(r, x)
		if err != nil {
			return out, err
		}
		out.State, out.Reason, out.Detail = told.state, told.reason, told.detail
	}
	return out, nil
}

func fullName(r store.Reader, account string) string {
	if account == "" {
		return ""
	}
	a, err := r.AccountByID(account)
	if err != nil {
		return account
	}
	return a.FullName
}

// told is what the gateway's records say about a command.
type told struct {
	state  web.CommandState
	reason access.Reason
	detail string
	// sure: nothing that may still come changes the state.
	sure bool
	leaf int64 // that of command_accepted, -1 = none
}

// told reads the records that carry the command's id.
func (c *commands) told(r store.Reader, x store.Command) (told, error) {
	row, err := r.AttemptRow(x.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return told{}, err
	}
	var records []leafRecord
	if err == nil {
		leaves, err := r.AttemptLeaves(row.First)
		if err != nil {
			return told{}, err
		}
		for _, idx := range leaves {
			leaf, err := r.Leaf(idx)
			if err != nil {
				return told{}, err
			}
			if body, ok := recordOf(leaf); ok && string(body.Gateway) == x.Gateway {
				records = append(records, leafRecord{idx, body})
			}
		}
	}
	b, heard := c.health.last(access.GatewayID(x.Gateway))
	return outcome(records, time.Duration(c.now().UnixMilli()-x.OrderedMS)*time.Millisecond, b, heard), nil
}

type leafRecord struct {
	idx  int64
	body wire.Record
}

// outcome is what became of a command that was sent age ago, from the records that carry its id and the newest
// heartbeat of its gateway.
func outcome(records []leafRecord, age time.Duration, b beat, heard bool) told {
	out := told{leaf: -1}
	var accepted wire.BootID
	for _, l := range records {
		switch l.body.Event {
		case door.EventCommandAccepted:
			accepted, out.leaf = l.body.Stamp.Boot, l.idx
		case door.EventCommandDone:
			return told{state: web.CommandDone, reason: l.body.Reason, detail: l.body.Detail, sure: true, leaf: out.leaf}
		case door.EventDenied:
			return told{state: web.CommandRefused, reason: l.body.Reason, detail: l.body.Detail, sure: true, leaf: out.leaf}
		case door.EventLapsed:
			return told{state: web.CommandRefused, reason: l.body.Reason, detail: door.DetailExpired, sure: true, leaf: out.leaf}
		case door.EventStrikeFailed:
			return told{state: web.CommandRefused, reason: l.body.Reason, detail: "strike_failed", sure: true, leaf: out.leaf}
		}
	}
	switch {
	case out.leaf >= 0 && heard && b.boot != accepted && b.Pending == 0:
		// The gateway was started again and has told all that it has: what it did between the two records nobody knows (I7).
		out.state, out.sure = web.CommandUnknown, true
	case out.leaf >= 0 && age > silentAfter:
		out.state = web.CommandUnknown
	case age > silentAfter:
		out.state = web.CommandUnanswered
	default:
		out.state = web.CommandOnItsWay
	}
	return out
}

// confirmWithin is how long the second person may take to look at an unlock that one person gave (D27: until the next
// open day; a day, so that it never depends on a calendar).
const confirmWithin = 24 * time.Hour

// sweep settles commands of which nothing more is to come, and finds those of which nobody knows what they did, and
// those that nobody confirmed. It is run once a minute.
func (c *commands) sweep(tx *store.Tx) error {
	list, err := tx.UnsettledCommands(1000)
	if err != nil {
		return err
	}
	for _, x := range list {
		if err := c.settle(tx, x); err != nil {
			return err
		}
	}
	return nil
}

func (c *commands) settle(tx *store.Tx, x store.Command) error {
	now := c.now()
	from := x.State
	switch x.State {
	case store.CommandRequested:
		if now.UnixMilli()-x.RequestedMS <= requestLife.Milliseconds() {
			return nil
		}
		x.State, x.Settled = store.CommandWithdrawn, true // nobody agreed; nothing has happened
		return tx.MoveCommand(from, x)
	case store.CommandSent:
	default:
		x.Settled = true
		return tx.MoveCommand(from, x)
	}
	told, err := c.told(tx.Reader, x)
	if err != nil {
		return err
	}
	age := now.Sub(moment(x.OrderedMS))
	switch {
	case told.state == web.CommandUnknown && told.sure:
		f := review.New(review.CommandUnknown, told.leaf)
		f.Detail = x.Action
		if err := c.find(tx, f, x); err != nil {
			return err
		}
	case x.Confirm && x.ConfirmedBy == "" && told.state != web.CommandRefused:
		if age < confirmWithin {
			return nil
		}
		f := review.New(review.CommandUnconfirmed, x.OrderedIdx)
		f.Detail = x.Action
		if err := c.find(tx, f, x); err != nil {
			return err
		}
	case !told.sure && age < confirmWithin: // the gateway may be away; its records say it when it is back
		return nil
	}
	x.Settled = true
	return tx.MoveCommand(from, x)
}

func (c *commands) find(tx *store.Tx, f review.Finding, x store.Command) error {
	_, err := tx.AppendFinding(attempt.Finding{
		Kind: string(f.Kind), Severity: f.Severity.String(), Gateway: x.Gateway, Door: x.Door, Attempt: x.ID, Cause: f.Cause,
		Detail: f.Detail, AtMS: c.now().UnixMilli(),
	}, nil)
	if err != nil {
		return fmt.Errorf("log finding %s: %w", f.Kind, err)
	}
	return nil
}

// Commands orders doors as the pages do. It is for server/world, which looks at what comes of it from both sides.
func (a *App) Commands() web.Commands { return a.orders }
