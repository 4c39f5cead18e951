// Package webtest holds what tests of the pages need: sources in memory, a day of sample data, and
// a conformance suite that every implementation of web's sources passes. It is linked into tests
// only.
package webtest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"monban/server/casework"
	"monban/server/desk"
	"monban/server/web"
)

// Memory implements all of web.Sources in memory. The zero value is empty; fields may be set before
// use, afterwards only through methods.
type Memory struct {
	View       web.Overview
	Day        []web.Attempt // newest first
	Gaps       []web.Gap
	Details    map[string]web.AttemptDetail
	Doors      []web.DoorName
	Items      []web.Finding
	Gateways   []web.Gateway
	Orders     Orders
	Papers     Reports
	Desk       Desk
	Alerts     Alerts
	Thresholds Thresholds
	Threats    Threats
	Tested     web.SelfTest
	Startup    *Startup
	Proofs     *Verification
	Packs      Packs
	Rollouts   *Rollouts
	FailAudit  error // returned instead of writing a leaf
	// LoudDuress has the day's sheet hold a PIN under duress, as no source may: papers leave it out all the same.
	LoudDuress bool
	// SignedMonth is signed, whatever its days (YYYY-MM).
	SignedMonth string

	mu         sync.Mutex
	accounts   map[string]web.Account
	sessions   map[string]web.Session
	actions    []web.Action
	code       [32]byte
	codeMade   time.Time
	leaves     []web.LiveEvent
	factors    factorTables
	desk.Board // pages that wait at desk readers
	desks      []web.Desk
	tokens     map[string]web.APIToken // by id
	cards      []web.RegCard           // as changed; empty = the sample's
	people     []web.PersonInput       // likewise
	grants     []web.RegGrant          // likewise
	waiting    []proposal              // likewise
	findings   web.FindingQuery        // the last one
	page       web.FindingPageQuery
	asked      bool // for a card of 1001 to be good again
}

// Sources gives m in every place.
func (m *Memory) Sources() web.Sources {
	m.Orders.m, m.Desk.m = m, m
	m.Papers.m, m.Packs.m = m, m
	m.Alerts.m, m.Thresholds.m, m.Threats.m = m, m, m
	if m.Proofs == nil {
		m.Proofs = newVerification(m)
	}
	if m.Rollouts == nil {
		m.Rollouts = newRollouts(m)
	}
	if m.Startup == nil {
		m.Startup = newStartup(m)
	}
	return web.Sources{Commands: &m.Orders, Judge: Judge{}, Privacy: &Privacy{m: m}, Retention: &Retention{m: m}, Setup: m, Accounts: m, Sessions: m, Audit: m, Overviews: m, Log: m, Findings: m, Machines: m, Live: m, Factors: m, Requests: m, Tokens: m, Registry: m,
		People:           &People{m: m},
		Rights:           &Rights{&People{m: m}},
		Rules:            &Rules{m: m},
		Imports:          &Rules{m: m},
		Rehearsals:       &Rules{m: m},
		Recertifications: &Rules{m: m},
		Visits:           &m.Desk,
		Desks:            m,
		Alerts:           &m.Alerts,
		Reports:          &m.Papers,
		Startup:          m.Startup,
		Verification:     m.Proofs,
		Packs:            &m.Packs,
		Rollouts:         m.Rollouts,
		Thresholds:       &m.Thresholds,
		Threats:          &m.Threats,
		Registers:        Registers{jst()}, Reviews: &Reviews{now: jst(), m: m}, Cases: &Cases{m: m}, Corrections: &Corrections{m: m}, Incidents: newIncidents(m), DataRequests: newDataRequests(), Outages: &Outages{m: m}}
}

// Actions copies the action leaves written so far.
func (m *Memory) Actions() []web.Action {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.actions)
}

// SessionCount is the number of stored sessions, expired ones too.
func (m *Memory) SessionCount() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.sessions)
}

// SessionHashes lists what the store knows of tokens.
func (m *Memory) SessionHashes() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.sessions))
}

// Grow appends n leaves to the log.
func (m *Memory) Grow(n int, kind string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for range n {
		m.leaves = append(m.leaves, web.LiveEvent{Index: uint64(len(m.leaves)), Kind: kind})
	}
}

// SetView replaces the overview.
func (m *Memory) SetView(v web.Overview) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.View = v
}

// PutAccount stores an account without a leaf.
func (m *Memory) PutAccount(a web.Account) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(a)
}

func (m *Memory) put(a web.Account) {
	if m.accounts == nil {
		m.accounts = make(map[string]web.Account)
	}
	m.accounts[a.ID] = a
}

// PutSetupCode stores a set-up code's hash.
func (m *Memory) PutSetupCode(hash [32]byte, made time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.code, m.codeMade = hash, made
}

func (m *Memory) record(act web.Action) error {
	if m.FailAudit != nil {
		return m.FailAudit
	}
	m.actions = append(m.actions, act)
	return nil
}

// SetupNeeded implements web.Setup.
func (m *Memory) SetupNeeded(context.Context) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.accounts) == 0, nil
}

// RedeemSetupCode implements web.Setup.
func (m *Memory) RedeemSetupCode(_ context.Context, code [32]byte, now time.Time, first web.Account, act web.Action) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.accounts) > 0 || m.code == ([32]byte{}) || code != m.code || now.Sub(m.codeMade) > web.SetupCodeLife {
		return web.ErrSetupCode
	}
	if err := m.record(act); err != nil {
		return err
	}
	m.code = [32]byte{}
	m.put(first)
	return nil
}

// AccountByName implements web.Accounts.
func (m *Memory) AccountByName(_ context.Context, name string) (web.Account, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.accounts {
		if strings.EqualFold(a.Name, name) {
			return m.withFactor(a), nil
		}
	}
	return web.Account{}, web.ErrNotFound
}

// AccountByID implements web.Accounts.
func (m *Memory) AccountByID(_ context.Context, id string) (web.Account, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.accounts[id]
	if !ok {
		return web.Account{}, web.ErrNotFound
	}
	return m.withFactor(a), nil
}

// ListAccounts implements web.Accounts.
func (m *Memory) ListAccounts(context.Context) ([]web.Account, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := slices.SortedFunc(maps.Values(m.accounts), func(a, b web.Account) int { return cmp.Compare(a.Name, b.Name) })
	for i := range list {
		list[i] = m.withFactor(list[i])
	}
	return list, nil
}

// CreateAccount implements web.Accounts.
func (m *Memory) CreateAccount(_ context.Context, a web.Account, act web.Action) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, other := range m.accounts {
		if strings.EqualFold(a.Name, other.Name) {
			return web.ErrExists
		}
	}
	if err := m.record(act); err != nil {
		return err
	}
	m.put(a)
	return nil
}

// ChangeAccount implements web.Accounts.
func (m *Memory) ChangeAccount(_ context.Context, id string, c web.AccountChange, act web.Action) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.accounts[id]
	if !ok {
		return web.ErrNotFound
	}
	if err := m.record(act); err != nil {
		return err
	}
	set(&a.PasswordHash, c.PasswordHash)
	set(&a.MustChange, c.MustChange)
	set(&a.Language, c.Language)
	set(&a.Suspended, c.Suspended)
	set(&a.SuspendedWhy, c.SuspendedWhy)
	if c.Suspended != nil && *c.Suspended || c.MustChange != nil && *c.MustChange {
		m.endTokens(id, act.At)
	}
	set(&a.LastLogin, c.LastLogin)
	set(&a.Person, c.Person)
	if c.Source != nil {
		a.Source = *c.Source
		maps.DeleteFunc(m.factors.external, func(_ [2]string, account string) bool { return account == id })
	}
	m.put(a)
	return nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// FindSession implements web.Sessions.
func (m *Memory) FindSession(_ context.Context, hash string) (web.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.sessions[hash]
	if !ok || !time.Now().Before(s.Expires) {
		return web.Session{}, web.ErrNotFound
	}
	return s, nil
}

// SaveSession implements web.Sessions.
func (m *Memory) SaveSession(_ context.Context, s web.Session) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sessions == nil {
		m.sessions = make(map[string]web.Session)
	}
	s.Data = slices.Clone(s.Data)
	m.sessions[s.TokenHash] = s
	return nil
}

// DeleteSession implements web.Sessions.
func (m *Memory) DeleteSession(_ context.Context, hash string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.sessions, hash)
	return nil
}

// AccountSessions implements web.Sessions.
func (m *Memory) AccountSessions(_ context.Context, account string) ([]web.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []web.Session
	for _, s := range m.sessions {
		if s.Account == account && time.Now().Before(s.Expires) {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b web.Session) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.TokenHash, b.TokenHash))
	})
	return out, nil
}

// DeleteAccountSessions implements web.Sessions.
func (m *Memory) DeleteAccountSessions(_ context.Context, account, except string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.sessions, func(hash string, s web.Session) bool { return s.Account == account && hash != except })
	return nil
}

// RecordAction implements web.Audit.
func (m *Memory) RecordAction(_ context.Context, act web.Action) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.record(act)
}

// Overview implements web.Overviews. It delivers names whatever is asked, so that a test sees
// whether the page masks by itself.
func (m *Memory) Overview(_ context.Context, in web.Reach, _ bool) (web.Overview, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.View
	v.Size = uint64(len(m.leaves))
	v.Recent = slices.DeleteFunc(slices.Clone(v.Recent), func(e web.Event) bool {
		return e.Door != "" && !in.Door(e.Door) || e.Door == "" && !in.Gateway(e.Gateway)
	})
	v.Open = slices.DeleteFunc(slices.Clone(v.Open), func(f web.Finding) bool { return !inReach(in, &f) })
	v.OpenAll -= len(m.View.Open) - len(v.Open)
	return v, nil
}

// DayLog implements web.Log.
func (m *Memory) DayLog(_ context.Context, q web.LogQuery) (web.DayLog, error) {
	out := web.DayLog{UpTo: m.View.UpTo}
	for _, a := range m.Day {
		if !q.In.Door(a.Door) || a.At.Format("2006-01-02") != q.Day || q.Door != "" && a.Door != q.Door || q.Result != web.ResultUnknown && a.Result != q.Result {
			continue
		}
		if q.Text != "" && !strings.Contains(a.Who.Name+"\n"+a.Who.Section+"\n"+a.DoorName, q.Text) {
			continue
		}
		if out.Total++; out.Total > q.Skip && len(out.Attempts) < q.Limit {
			out.Attempts = append(out.Attempts, a)
		}
	}
	for _, g := range m.Gaps {
		if q.In.Gateway(g.Gateway) && g.From.Format("2006-01-02") == q.Day {
			out.Gaps = append(out.Gaps, g)
		}
	}
	return out, nil
}

// Attempt implements web.Log.
func (m *Memory) Attempt(_ context.Context, id string, _ bool) (web.AttemptDetail, error) {
	d, ok := m.Details[id]
	if !ok {
		return web.AttemptDetail{}, web.ErrNotFound
	}
	return d, nil
}

// DoorNames implements web.Log.
func (m *Memory) DoorNames(context.Context) ([]web.DoorName, error) { return m.Doors, nil }

// ListFindings implements web.Findings.
func (m *Memory) ListFindings(_ context.Context, q web.FindingQuery) ([]web.Finding, int, error) {
	m.mu.Lock()
	m.findings = q
	m.mu.Unlock()
	var out []web.Finding
	for _, f := range m.Items {
		if (q.All || f.Open) && (inReach(q.In, &f) || f.Level == casework.CISOOffice && inReach(q.Risen, &f)) {
			out = append(out, f)
		}
	}
	total := len(out)
	out = out[min(q.Skip, total):]
	return out[:min(q.Limit, len(out))], total, nil
}

// FindingPage implements web.Findings.
func (m *Memory) FindingPage(_ context.Context, q web.FindingPageQuery) (out web.FindingPage, err error) {
	m.mu.Lock()
	m.page = q
	m.mu.Unlock()
	order := func(a, b web.FindingPlace) int {
		x := cmp.Or(cmp.Compare(a.Rank, b.Rank), cmp.Compare(a.AtMS, b.AtMS), cmp.Compare(a.Leaf, b.Leaf))
		if q.Closed {
			return -x
		}
		return x
	}
	var all []web.Finding
	for _, f := range m.Items {
		if f.Open != q.Closed && (inReach(q.In, &f) || f.Level == casework.CISOOffice && inReach(q.Risen, &f)) && (q.Kind == "" || f.Kind == q.Kind) && (q.Door == "" || f.Door == q.Door) &&
			(q.From.IsZero() || !f.At.Before(q.From)) && (q.Until.IsZero() || f.At.Before(q.Until)) {
			all = append(all, f)
		}
	}
	slices.SortFunc(all, func(a, b web.Finding) int { return order(a.Place(), b.Place()) })
	if !q.Closed {
		out.Total = len(all)
	}
	all = slices.DeleteFunc(all, func(f web.Finding) bool {
		return q.After != nil && order(f.Place(), *q.After) <= 0 || q.Before != nil && order(f.Place(), *q.Before) >= 0
	})
	out.List, out.More = all[:min(len(all), q.Limit)], len(all) > q.Limit
	if q.Before != nil {
		out.List = all[max(0, len(all)-q.Limit):]
	}
	return out, nil
}

// AskedPage is the last question for a page of findings.
func (m *Memory) AskedPage() web.FindingPageQuery {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.page
}

func inReach(in web.Reach, f *web.Finding) bool {
	return f.Door != "" && in.Door(f.Door) || f.Door == "" && in.Gateway(f.Gateway)
}

// AskedFindings is the last question for findings.
func (m *Memory) AskedFindings() web.FindingQuery {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.findings
}

// ListGateways implements web.Machines.
func (m *Memory) ListGateways(context.Context) ([]web.Gateway, error) { return m.Gateways, nil }

// LogSize implements web.Live.
func (m *Memory) LogSize(context.Context) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return uint64(len(m.leaves)), nil
}

// LiveFrom implements web.Live.
func (m *Memory) LiveFrom(_ context.Context, from uint64, limit int) ([]web.LiveEvent, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if from >= uint64(len(m.leaves)) {
		return nil, nil
	}
	rest := m.leaves[from:]
	return slices.Clone(rest[:min(limit, len(rest))]), nil
}

// jst is now where the sample town is.
func jst() time.Time { return time.Now().In(Zone()) }

// Zone is the site's time zone of tests: that of Tokyo, but between 20:00 and 4:00 there twelve hours behind it, so
// that a test's sample morning never crosses midnight. It is the same for the whole process.
var Zone = sync.OnceValue(func() *time.Location {
	offset := 9 * 3600
	if h := time.Now().UTC().Add(9 * time.Hour).Hour(); h >= 20 || h < 4 {
		offset -= 12 * 3600
	}
	return time.FixedZone("Asia/Tokyo", offset)
})
