package webtest

import (
	"cmp"
	"context"
	"encoding/hex"
	"slices"
	"time"

	"monban/firmware/door"
	"monban/server/web"
)

// Orders is a memory of commands: what the pages need of web.Commands. Nothing is sent anywhere; a command that has
// all its persons is done at once, unless Outcome says otherwise.
type Orders struct {
	At      []web.CommandDoor
	Outcome web.CommandState // 0 = CommandDone
	Detail  string

	m    *Memory
	list []web.Command
	next byte
}

// CommandDoors implements web.Commands.
func (o *Orders) CommandDoors(context.Context) ([]web.CommandDoor, error) { return o.At, nil }

// PutCommand stores a command as it is.
func (o *Orders) PutCommand(c web.Command) {
	o.m.mu.Lock()
	defer o.m.mu.Unlock()
	o.list = append(o.list, c)
}

// ListCommands implements web.Commands.
func (o *Orders) ListCommands(_ context.Context, names bool, limit int) ([]web.Command, error) {
	o.m.mu.Lock()
	defer o.m.mu.Unlock()
	out := slices.Clone(o.list)
	slices.SortStableFunc(out, func(a, b web.Command) int { return cmp.Compare(b.Asked.UnixNano(), a.Asked.UnixNano()) })
	for i := range out {
		out[i] = o.named(out[i], names)
	}
	return out[:min(limit, len(out))], nil
}

func (o *Orders) named(c web.Command, names bool) web.Command {
	if !names {
		c.AskedName, c.AgreedName, c.Why = "", "", ""
		return c
	}
	c.AskedName, c.AgreedName = o.m.accounts[c.AskedBy].FullName, o.m.accounts[c.AgreedBy].FullName
	return c
}

// CommandByID implements web.Commands.
func (o *Orders) CommandByID(_ context.Context, id string, names bool) (web.Command, error) {
	o.m.mu.Lock()
	defer o.m.mu.Unlock()
	for _, c := range o.list {
		if c.ID == id {
			return o.named(c, names), nil
		}
	}
	return web.Command{}, web.ErrNotFound
}

// AskCommand implements web.Commands.
func (o *Orders) AskCommand(_ context.Context, order web.CommandOrder, act web.Action) (web.Command, error) {
	o.m.mu.Lock()
	defer o.m.mu.Unlock()
	for _, d := range o.At {
		if d.Door != order.Door {
			continue
		}
		if order.Action == door.CommandUnlock && d.Persons == 0 || order.Action == door.CommandRearm && d.Observe {
			return web.Command{}, web.ErrNotAllowed
		}
		if err := o.m.record(act); err != nil {
			return web.Command{}, err
		}
		o.next++
		c := web.Command{
			ID: hex.EncodeToString(append([]byte{o.next}, make([]byte, 15)...)), Door: d.Door, DoorName: d.Name, Enter: d.Enter,
			Action: order.Action, State: web.CommandAsked, Asked: act.At, AskedBy: act.Actor, Why: act.Reason,
		}
		if order.Action != door.CommandUnlock || d.Persons == 1 {
			o.send(&c, act)
			c.Confirm = order.Action == door.CommandUnlock
		}
		o.list = append(o.list, c)
		return c, nil
	}
	return web.Command{}, web.ErrNotFound
}

func (o *Orders) send(c *web.Command, act web.Action) {
	c.State, c.Detail, c.Agreed, c.AgreedBy = o.Outcome, o.Detail, act.At, act.Actor
	if c.State == web.CommandUnclear {
		c.State = web.CommandDone
	}
}

func (o *Orders) change(id string, f func(c *web.Command) error) error {
	o.m.mu.Lock()
	defer o.m.mu.Unlock()
	for i := range o.list {
		if o.list[i].ID == id {
			return f(&o.list[i])
		}
	}
	return web.ErrNotFound
}

// AgreeCommand implements web.Commands.
func (o *Orders) AgreeCommand(_ context.Context, id string, act web.Action) (out web.Command, err error) {
	err = o.change(id, func(c *web.Command) error {
		switch {
		case c.State != web.CommandAsked || act.At.Sub(c.Asked) > 5*time.Minute:
			return web.ErrTooLate
		case c.AskedBy == act.Actor:
			return web.ErrSamePerson
		}
		if err := o.m.record(act); err != nil {
			return err
		}
		o.send(c, act)
		out = *c
		return nil
	})
	return out, err
}

// WithdrawCommand implements web.Commands.
func (o *Orders) WithdrawCommand(_ context.Context, id string, act web.Action) error {
	return o.change(id, func(c *web.Command) error {
		if c.State != web.CommandAsked {
			return web.ErrTooLate
		}
		c.State = web.CommandOver
		return o.m.record(act)
	})
}

// ConfirmCommand implements web.Commands.
func (o *Orders) ConfirmCommand(_ context.Context, id string, act web.Action) error {
	return o.change(id, func(c *web.Command) error {
		switch {
		case !c.Confirm:
			return web.ErrTooLate
		case c.AgreedBy == act.Actor:
			return web.ErrSamePerson
		}
		c.Confirm, c.Confirmed, c.ConfirmedBy = false, act.At, act.Actor
		return o.m.record(act)
	})
}
