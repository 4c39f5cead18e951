package webtest

import (
	"context"
	"slices"

	"monban/firmware/access"
	"monban/server/web"
)

// ListDesks implements web.Desks.
func (m *Memory) ListDesks(context.Context) ([]web.Desk, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := slices.Clone(m.desks)
	for i := range out {
		out[i].Browsers = slices.Clone(out[i].Browsers)
	}
	return out, nil
}

// AddDesk implements web.Desks.
func (m *Memory) AddDesk(_ context.Context, d web.Desk, act web.Action) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.deskAt(d.ID) >= 0 {
		return web.ErrExists
	}
	if err := m.record(act); err != nil {
		return err
	}
	m.desks = append(m.desks, d)
	return nil
}

func (m *Memory) deskAt(id access.DoorID) int {
	return slices.IndexFunc(m.desks, func(d web.Desk) bool { return d.ID == id })
}

// RemoveDesk implements web.Desks.
func (m *Memory) RemoveDesk(_ context.Context, id access.DoorID, act web.Action) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.deskAt(id)
	if i < 0 {
		return web.ErrNotFound
	}
	if err := m.record(act); err != nil {
		return err
	}
	m.desks = slices.Delete(m.desks, i, i+1)
	return nil
}

// BindBrowser implements web.Desks.
func (m *Memory) BindBrowser(_ context.Context, id access.DoorID, b web.DeskBrowser, act web.Action) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.deskAt(id)
	if i < 0 {
		return web.ErrNotFound
	}
	if err := m.record(act); err != nil {
		return err
	}
	m.desks[i].Browsers = append(m.desks[i].Browsers, b)
	return nil
}

// UnbindBrowser implements web.Desks.
func (m *Memory) UnbindBrowser(_ context.Context, hash [32]byte, act web.Action) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.desks {
		at := slices.IndexFunc(m.desks[i].Browsers, func(b web.DeskBrowser) bool { return b.Hash == hash })
		if at < 0 {
			continue
		}
		if err := m.record(act); err != nil {
			return err
		}
		m.desks[i].Browsers = slices.Delete(m.desks[i].Browsers, at, at+1)
		return nil
	}
	return web.ErrNotFound
}
