package webtest

import (
	"bytes"
	"context"
	"slices"
	"time"

	"monban/server/web"
)

// factorTables are second factors and requests in memory.
type factorTables struct {
	passkeys []web.Passkey
	totp     map[string]web.TOTP
	codes    map[string][][32]byte
	external map[[2]string]string
	requests []web.AccountRequest
	decided  map[string]bool
}

// withFactor computes what the account's row does not hold. The lock is held.
func (m *Memory) withFactor(a web.Account) web.Account {
	_, a.SecondFactor = m.factors.totp[a.ID]
	for _, p := range m.factors.passkeys {
		a.SecondFactor = a.SecondFactor || p.Account == a.ID && !p.Stopped
	}
	return a
}

// Passkeys implements web.Factors.
func (m *Memory) Passkeys(_ context.Context, account string) (out []web.Passkey, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.factors.passkeys {
		if p.Account == account {
			out = append(out, p)
		}
	}
	return out, nil
}

func (m *Memory) passkey(credential []byte) *web.Passkey {
	for i := range m.factors.passkeys {
		if bytes.Equal(m.factors.passkeys[i].Credential, credential) {
			return &m.factors.passkeys[i]
		}
	}
	return nil
}

// PasskeyByCredential implements web.Factors.
func (m *Memory) PasskeyByCredential(_ context.Context, credential []byte) (web.Passkey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.passkey(credential); p != nil {
		return *p, nil
	}
	return web.Passkey{}, web.ErrNotFound
}

// PutPasskey stores one without a leaf, in place of the one there was.
func (m *Memory) PutPasskey(p web.Passkey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := m.passkey(p.Credential); old != nil {
		*old = p
		return
	}
	m.factors.passkeys = append(m.factors.passkeys, p)
}

// AddPasskey implements web.Factors.
func (m *Memory) AddPasskey(_ context.Context, p web.Passkey, act web.Action) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.passkey(p.Credential) != nil {
		return web.ErrExists
	}
	if err := m.record(act); err != nil {
		return err
	}
	m.factors.passkeys = append(m.factors.passkeys, p)
	return nil
}

// UsePasskey implements web.Factors.
func (m *Memory) UsePasskey(_ context.Context, credential, data []byte, count uint32, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.passkey(credential)
	if p == nil || p.Stopped || count <= p.SignCount && (count != 0 || p.SignCount != 0) {
		return web.ErrUsed
	}
	p.Data, p.SignCount, p.Used = data, count, now
	return nil
}

// StopPasskey implements web.Factors.
func (m *Memory) StopPasskey(_ context.Context, credential []byte, act web.Action) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.passkey(credential)
	if p == nil {
		return web.ErrNotFound
	}
	if err := m.record(act); err != nil {
		return err
	}
	p.Stopped = true
	return nil
}

// DeletePasskey implements web.Factors.
func (m *Memory) DeletePasskey(_ context.Context, account string, credential []byte, act web.Action) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.passkey(credential)
	if p == nil || p.Account != account {
		return web.ErrNotFound
	}
	if err := m.record(act); err != nil {
		return err
	}
	m.factors.passkeys = slices.DeleteFunc(m.factors.passkeys, func(x web.Passkey) bool { return bytes.Equal(x.Credential, credential) })
	return nil
}

// TOTP implements web.Factors.
func (m *Memory) TOTP(_ context.Context, account string) (web.TOTP, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.factors.totp[account]
	if !ok {
		return t, web.ErrNotFound
	}
	return t, nil
}

// SetTOTP implements web.Factors.
func (m *Memory) SetTOTP(_ context.Context, account string, t web.TOTP, act web.Action) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.record(act); err != nil {
		return err
	}
	if m.factors.totp == nil {
		m.factors.totp = map[string]web.TOTP{}
	}
	m.factors.totp[account] = t
	return nil
}

// UseTOTP implements web.Factors.
func (m *Memory) UseTOTP(_ context.Context, account string, step int64, now time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.factors.totp[account]
	if !ok || step <= t.LastStep {
		return web.ErrUsed
	}
	t.LastStep, t.Used = step, now
	m.factors.totp[account] = t
	return nil
}

// DeleteTOTP implements web.Factors.
func (m *Memory) DeleteTOTP(_ context.Context, account string, act web.Action) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.factors.totp[account]; !ok {
		return web.ErrNotFound
	}
	if err := m.record(act); err != nil {
		return err
	}
	delete(m.factors.totp, account)
	return nil
}

// RecoveryCodesLeft implements web.Factors.
func (m *Memory) RecoveryCodesLeft(_ context.Context, account string) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.factors.codes[account]), nil
}

// SetRecoveryCodes implements web.Factors.
func (m *Memory) SetRecoveryCodes(_ context.Context, account string, hashes [][32]byte, act web.Action) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.record(act); err != nil {
		return err
	}
	if m.factors.codes == nil {
		m.factors.codes = map[string][][32]byte{}
	}
	m.factors.codes[account] = slices.Clone(hashes)
	return nil
}

// UseRecoveryCode implements web.Factors.
func (m *Memory) UseRecoveryCode(_ context.Context, account string, hash [32]byte, _ time.Time, act web.Action) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := slices.Index(m.factors.codes[account], hash)
	if at < 0 {
		return web.ErrNotFound
	}
	if err := m.record(act); err != nil {
		return err
	}
	m.factors.codes[account] = slices.Delete(m.factors.codes[account], at, at+1)
	return nil
}

// ExternalAccount implements web.Factors.
func (m *Memory) ExternalAccount(_ context.Context, issuer, subject string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.factors.external[[2]string{issuer, subject}]
	if !ok {
		return "", web.ErrNotFound
	}
	return a, nil
}

// LinkExternal implements web.Factors.
func (m *Memory) LinkExternal(_ context.Context, issuer, subject, account string, act web.Action) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, a := range m.factors.external {
		if k[0] == issuer && (k[1] == subject || a == account) {
			return web.ErrExists
		}
	}
	if err := m.record(act); err != nil {
		return err
	}
	if m.factors.external == nil {
		m.factors.external = map[[2]string]string{}
	}
	m.factors.external[[2]string{issuer, subject}] = account
	return nil
}

// OpenRequests implements web.Requests.
func (m *Memory) OpenRequests(context.Context) (out []web.AccountRequest, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, q := range m.factors.requests {
		if !m.factors.decided[q.ID] {
			out = append(out, q)
		}
	}
	return out, nil
}

// AskRequest implements web.Requests.
func (m *Memory) AskRequest(_ context.Context, q web.AccountRequest, act, alone web.Action) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.accounts[q.Account]; !ok {
		return false, web.ErrNotFound
	}
	var all []web.Account
	for _, a := range m.accounts {
		all = append(all, a)
	}
	if !web.SecondExists(all, q.AskedBy, q.Account) {
		if err := m.record(alone); err != nil {
			return false, err
		}
		m.fulfil(q)
		return true, nil
	}
	if err := m.record(act); err != nil {
		return false, err
	}
	m.factors.requests = append(m.factors.requests, q)
	return false, nil
}

func (m *Memory) fulfil(q web.AccountRequest) {
	a := m.accounts[q.Account]
	if q.Kind == web.RequestRole {
		a.Roles = append(slices.Clone(a.Roles), q.Role)
		m.put(a)
		return
	}
	if q.Kind == web.RequestPerson {
		a.Person = q.Person
		m.put(a)
		return
	}
	m.factors.passkeys = slices.DeleteFunc(m.factors.passkeys, func(p web.Passkey) bool { return p.Account == q.Account })
	delete(m.factors.totp, q.Account)
	delete(m.factors.codes, q.Account)
}

func (m *Memory) openRequest(id string) (web.AccountRequest, error) {
	for _, q := range m.factors.requests {
		if q.ID == id {
			if m.factors.decided[id] {
				return q, web.ErrTooLate
			}
			return q, nil
		}
	}
	return web.AccountRequest{}, web.ErrNotFound
}

func (m *Memory) decide(id string) {
	if m.factors.decided == nil {
		m.factors.decided = map[string]bool{}
	}
	m.factors.decided[id] = true
}

// AgreeRequest implements web.Requests.
func (m *Memory) AgreeRequest(_ context.Context, id string, act web.Action) (web.AccountRequest, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	q, err := m.openRequest(id)
	if err != nil {
		return q, err
	}
	if act.Actor == "" {
		return q, web.ErrSamePerson
	}
	for _, concerned := range []string{q.AskedBy, q.Account} {
		if p := m.accounts[concerned].Person; concerned == act.Actor || p != "" && p == m.accounts[act.Actor].Person {
			return q, web.ErrSamePerson
		}
	}
	if err := m.record(web.Agreed(q, act)); err != nil {
		return q, err
	}
	m.decide(id)
	m.fulfil(q)
	return q, nil
}

// WithdrawRequest implements web.Requests.
func (m *Memory) WithdrawRequest(_ context.Context, id string, act web.Action) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	q, err := m.openRequest(id)
	if err != nil {
		return err
	}
	act.Target = q.Account
	if err := m.record(act); err != nil {
		return err
	}
	m.decide(id)
	return nil
}

// RemoveRole implements web.Requests: the role ends and stays in the list.
func (m *Memory) RemoveRole(_ context.Context, account string, r web.Assignment, act web.Action) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.accounts[account]
	at := slices.Index(a.Roles, r)
	if !ok || at < 0 || !r.Until.IsZero() && !act.At.Before(r.Until) {
		return web.ErrNotFound
	}
	if err := m.record(act); err != nil {
		return err
	}
	if a.Roles = slices.Clone(a.Roles); act.At.Before(r.From) {
		a.Roles[at].Until = r.From
	} else {
		a.Roles[at].Until = act.At
	}
	m.put(a)
	return nil
}
