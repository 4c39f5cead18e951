package app

import (
	"context"
	"fmt"
	"sync"

	"monban/firmware/access"
	deskboard "monban/server/desk"
	"monban/server/store"
	"monban/server/web"
)

// desks are the site's desk readers, for the pages and for those who judge what is read there.
type desks struct {
	*deskboard.Board
	store *store.Store
	door  func(access.DoorID) bool // is there a door of this name?

	mu sync.RWMutex
	by map[access.DoorID]access.GatewayID // mu; the table desk
}

func openDesks(ctx context.Context, s *store.Store, door func(access.DoorID) bool) (*desks, error) {
	d := &desks{Board: &deskboard.Board{}, store: s, door: door, by: map[access.DoorID]access.GatewayID{}}
	if err := d.load(ctx); err != nil {
		return nil, fmt.Errorf("desk readers: %w", err)
	}
	return d, nil
}

func (d *desks) load(ctx context.Context) error {
	return d.store.Read(ctx, func(r *store.ReadTx) error {
		list, err := r.Desks()
		if err != nil {
			return err
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		clear(d.by)
		for _, x := range list {
			d.by[access.DoorID(x.ID)] = access.GatewayID(x.Gateway)
		}
		return nil
	})
}

// Desk implements authority.Desks and ingest.Desks. A door of the same name is a door.
func (d *desks) Desk(id access.DoorID) (access.GatewayID, bool) {
	d.mu.RLock()
	gateway, ok := d.by[id]
	d.mu.RUnlock()
	return gateway, ok && !d.door(id)
}

// ListDesks implements web.Desks.
func (d *desks) ListDesks(ctx context.Context) (out []web.Desk, err error) {
	err = d.store.Read(ctx, func(r *store.ReadTx) error {
		list, err := r.Desks()
		if err != nil {
			return err
		}
		browsers, err := r.DeskBrowsers()
		if err != nil {
			return err
		}
		out = nil
		for _, x := range list {
			w := web.Desk{ID: access.DoorID(x.ID), Gateway: access.GatewayID(x.Gateway), Name: x.Name, Created: moment(x.CreatedMS)}
			for _, b := range browsers {
				if b.Desk == x.ID {
					w.Browsers = append(w.Browsers, web.DeskBrowser{Hash: b.Hash, Name: b.Name, BoundBy: b.BoundBy, Created: moment(b.CreatedMS)})
				}
			}
			out = append(out, w)
		}
		return nil
	})
	return out, err
}

// AddDesk implements web.Desks.
func (d *desks) AddDesk(ctx context.Context, x web.Desk, action web.Action) error {
	if d.door(x.ID) {
		return web.ErrExists
	}
	return d.change(ctx, action, func(tx *store.Tx) error {
		return tx.InsertDesk(store.Desk{ID: string(x.ID), Gateway: string(x.Gateway), Name: x.Name, CreatedMS: milli(x.Created)})
	})
}

// RemoveDesk implements web.Desks.
func (d *desks) RemoveDesk(ctx context.Context, id access.DoorID, action web.Action) error {
	return d.change(ctx, action, func(tx *store.Tx) error { return tx.DeleteDesk(string(id)) })
}

// BindBrowser implements web.Desks.
func (d *desks) BindBrowser(ctx context.Context, id access.DoorID, b web.DeskBrowser, action web.Action) error {
	return d.change(ctx, action, func(tx *store.Tx) error {
		return tx.InsertDeskBrowser(store.DeskBrowser{Hash: b.Hash, Desk: string(id), Name: b.Name, BoundBy: b.BoundBy, CreatedMS: milli(b.Created)})
	})
}

// UnbindBrowser implements web.Desks.
func (d *desks) UnbindBrowser(ctx context.Context, hash [32]byte, action web.Action) error {
	return d.change(ctx, action, func(tx *store.Tx) error { return tx.DeleteDeskBrowser(hash) })
}

func (d *desks) change(ctx context.Context, action web.Action, f func(tx *store.Tx) error) error {
	err := d.store.Write(ctx, func(tx *store.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return act(tx, action)
	})
	if err != nil {
		return mapped(err)
	}
	return d.load(ctx)
}
