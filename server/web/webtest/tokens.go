package webtest

import (
	"cmp"
	"context"
	"slices"
	"time"

	"monban/server/web"
)

// PutToken stores a token without a leaf.
func (m *Memory) PutToken(t web.APIToken) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.putToken(t)
}

func (m *Memory) putToken(t web.APIToken) {
	if m.tokens == nil {
		m.tokens = make(map[string]web.APIToken)
	}
	m.tokens[t.ID] = t
}

func (m *Memory) endTokens(account string, now time.Time) {
	for id, t := range m.tokens {
		if t.Account == account && t.Revoked.IsZero() {
			t.Revoked = now
			m.tokens[id] = t
		}
	}
}

// TokenByHash implements web.Tokens.
func (m *Memory) TokenByHash(_ context.Context, hash [32]byte) (web.APIToken, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.tokens {
		if t.Hash == hash {
			return t, nil
		}
	}
	return web.APIToken{}, web.ErrNotFound
}

// AccountTokens implements web.Tokens.
func (m *Memory) AccountTokens(_ context.Context, account string) (out []web.APIToken, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, t := range m.tokens {
		if t.Account == account {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b web.APIToken) int { return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

// CreateToken implements web.Tokens.
func (m *Memory) CreateToken(_ context.Context, t web.APIToken, act web.Action) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, there := m.tokens[t.ID]; there {
		return web.ErrExists
	}
	if err := m.record(act); err != nil {
		return err
	}
	m.putToken(t)
	return nil
}

// RevokeToken implements web.Tokens.
func (m *Memory) RevokeToken(_ context.Context, account, id string, act web.Action) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.tokens[id]
	if !ok || t.Account != account || !t.Revoked.IsZero() {
		return web.ErrNotFound
	}
	if err := m.record(act); err != nil {
		return err
	}
	t.Revoked = act.At
	m.putToken(t)
	return nil
}

// UseToken implements web.Tokens.
func (m *Memory) UseToken(_ context.Context, id, day string, act web.Action) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.tokens[id]
	if !ok || t.UsedDay == day {
		return nil
	}
	if err := m.record(act); err != nil {
		return err
	}
	t.UsedDay = day
	m.putToken(t)
	return nil
}
