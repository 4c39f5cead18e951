package app

import (
	"context"
	"errors"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/entrylog"
	"monban/server/store"
	"monban/server/web"
)

// accounts keeps the operators' accounts, sessions and actions for the pages. Each change and the
// leaf that tells of it are one transaction (RA-4).
type accounts struct{ store *store.Store }

// act writes the leaf of an action. Address, reason and filter may concern a person: they go into
// the opening (PR-2).
func act(tx *store.Tx, a web.Action) error {
	_, err := actAt(tx, a)
	return err
}

// actAt is act, and gives the leaf's index.
func actAt(tx *store.Tx, a web.Action) (int64, error) { return actFrom(tx, a, originOf(a)) }

// actFrom is actAt for an action that came from elsewhere than a page.
func actFrom(tx *store.Tx, a web.Action, from string) (int64, error) {
	leaf := entrylog.Action{
		Account: a.Actor, Verb: string(a.Kind), From: from, Result: "ok", Reason: a.Reason != "", AtMS: a.At.UnixMilli(),
	}
	switch a.Kind {
	case web.ActionLoginFailed, web.ActionLoginThrottled, web.ActionCommandNotSent, web.ActionSecondFailed, web.ActionStepUpFailed, web.ActionTokenRefused:
		leaf.Result = "refused"
	}
	if a.Target != "" {
		leaf.Target, leaf.ID = targetOf(a.Kind), a.Target
	}
	o := entrylog.Opening{Address: addressOf(a), Text: a.Reason}
	if a.Filter != "" {
		o.Text = joined(a.Reason, strings.ToValidUTF8(a.Filter, "?")) // an address may hold any bytes
	}
	return tx.AppendAction(leaf, &o)
}

// originOf is the class of where an action came from.
func originOf(a web.Action) string {
	if a.Token != "" {
		return "api"
	}
	return "lan"
}

// addressOf is where an action came from; by a token, also by which.
func addressOf(a web.Action) string {
	if a.Token != "" {
		return a.Address + " token " + a.Token
	}
	return a.Address
}

func joined(reason, filter string) string {
	if reason == "" {
		return filter
	}
	return reason + "\n" + filter
}

// targetOf is the kind of thing an action's target names.
func targetOf(k web.ActionKind) string {
	switch k {
	case web.ActionViewLog, web.ActionViewVisits:
		return "day"
	case web.ActionViewAttempt:
		return "attempt"
	case web.ActionViewVisit, web.ActionViewMatters, web.ActionVisitRefused:
		return "matter"
	case web.ActionJudge, web.ActionViewDenial:
		return "door"
	case web.ActionViewRegister, web.ActionViewPresent, web.ActionViewReview:
		return "zone"
	case web.ActionLogChecked:
		return "log"
	case web.ActionPackMade, web.ActionPackTaken:
		return "pack"
	case web.ActionProofMade:
		return "leaf"
	case web.ActionOrganisation, web.ActionThreats:
		return "setting"
	case web.ActionReportMade, web.ActionReportForm:
		return "report"
	case web.ActionViewCase:
		return "finding"
	case web.ActionPurposeRegistered, web.ActionPurposeEnded:
		return "purpose"
	case web.ActionUnlockAsked, web.ActionRearmAsked, web.ActionSelfTestAsked, web.ActionCommandOrdered, web.ActionCommandWithdrawn,
		web.ActionCommandConfirmed, web.ActionCommandNotSent:
		return "command"
	case web.ActionAlertAcknowledged:
		return "alert"
	case web.ActionSilenceEnded:
		return "silence"
	case web.ActionAlertTested:
		return "channel"
	case web.ActionDeskAdded, web.ActionDeskRemoved, web.ActionDeskBound, web.ActionDeskUnbound:
		return "desk"
	case web.ActionTokenMade, web.ActionTokenRevoked, web.ActionTokenUsed, web.ActionTokenRefused:
		return "token"
	default:
		return "account"
	}
}

// RecordAction implements web.Audit.
func (a accounts) RecordAction(ctx context.Context, action web.Action) error {
	return a.store.Write(ctx, func(tx *store.Tx) error { return act(tx, action) })
}

// SetupNeeded implements web.Setup.
func (a accounts) SetupNeeded(ctx context.Context) (needed bool, err error) {
	err = a.store.Read(ctx, func(r *store.ReadTx) error {
		n, err := r.AccountCount()
		needed = n == 0
		return err
	})
	return needed, err
}

// RedeemSetupCode implements web.Setup.
func (a accounts) RedeemSetupCode(ctx context.Context, code [32]byte, now time.Time, firstAccount web.Account, action web.Action) error {
	err := a.store.Write(ctx, func(tx *store.Tx) error {
		n, err := tx.AccountCount()
		if err != nil {
			return err
		}
		if n != 0 {
			return web.ErrSetupCode
		}
		if err := tx.UseSetupCode(code, now); err != nil {
			return err
		}
		if err := tx.InsertAccount(toStore(firstAccount)); err != nil {
			return err
		}
		return act(tx, action)
	})
	if errors.Is(err, store.ErrNotFound) {
		return web.ErrSetupCode
	}
	return mapped(err)
}

// mapped turns the store's refusals into the pages'.
func mapped(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return web.ErrNotFound
	case errors.Is(err, store.ErrExists):
		return web.ErrExists
	case errors.Is(err, store.ErrUsed):
		return web.ErrUsed
	default:
		return err
	}
}

// AccountByName implements web.Accounts.
func (a accounts) AccountByName(ctx context.Context, name string) (out web.Account, err error) {
	err = a.store.Read(ctx, func(r *store.ReadTx) error {
		x, err := r.AccountByLogin(name)
		out = toWeb(x)
		return err
	})
	return out, mapped(err)
}

// AccountByID implements web.Accounts.
func (a accounts) AccountByID(ctx context.Context, id string) (out web.Account, err error) {
	err = a.store.Read(ctx, func(r *store.ReadTx) error {
		x, err := r.AccountByID(id)
		out = toWeb(x)
		return err
	})
	return out, mapped(err)
}

// ListAccounts implements web.Accounts.
func (a accounts) ListAccounts(ctx context.Context) (out []web.Account, err error) {
	err = a.store.Read(ctx, func(r *store.ReadTx) error {
		list, err := r.Accounts()
		for _, x := range list {
			out = append(out, toWeb(x))
		}
		return err
	})
	return out, err
}

// CreateAccount implements web.Accounts.
func (a accounts) CreateAccount(ctx context.Context, x web.Account, action web.Action) error {
	return mapped(a.store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.InsertAccount(toStore(x)); err != nil {
			return err
		}
		return act(tx, action)
	}))
}

// ChangeAccount implements web.Accounts.
func (a accounts) ChangeAccount(ctx context.Context, id string, c web.AccountChange, action web.Action) error {
	return mapped(a.store.Write(ctx, func(tx *store.Tx) error {
		x, err := tx.AccountByID(id)
		if err != nil {
			return err
		}
		set(&x.PasswordHash, c.PasswordHash)
		set(&x.MustChange, c.MustChange)
		set(&x.Suspended, c.Suspended)
		set(&x.SuspendedWhy, c.SuspendedWhy)
		if c.Language != nil {
			x.Language = string(*c.Language)
		}
		if c.LastLogin != nil {
			x.LastLoginMS = milli(*c.LastLogin)
		}
		if c.Person != nil {
			x.Person = *c.Person
		}
		if c.Source != nil {
			x.Source = *c.Source
			if err := tx.UnlinkExternal(id); err != nil {
				return err
			}
		}
		if err := tx.UpdateAccount(x); err != nil {
			return err
		}
		// Suspended, or a password that somebody else gave out: what was made with the account before ends for good.
		if c.Suspended != nil && *c.Suspended || c.MustChange != nil && *c.MustChange {
			if err := tx.RevokeAccountTokens(id, milli(action.At)); err != nil {
				return err
			}
		}
		return act(tx, action)
	}))
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// milli is a time in UTC ms, 0 for the zero time.
func milli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// moment is the inverse of milli.
func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func toStore(a web.Account) store.Account {
	x := store.Account{
		ID: a.ID, Login: a.Name, FullName: a.FullName, Person: a.Person, PasswordHash: a.PasswordHash, MustChange: a.MustChange,
		Language: string(a.Language), Suspended: a.Suspended, SuspendedWhy: a.SuspendedWhy, Source: a.Source,
		CreatedMS: milli(a.Created), LastLoginMS: milli(a.LastLogin),
	}
	for _, r := range a.Roles {
		x.Roles = append(x.Roles, store.RoleAssignment{Role: r.Role.String(), Zone: string(r.Zone), FromMS: milli(r.From), UntilMS: milli(r.Until)})
	}
	return x
}

func toWeb(x store.Account) web.Account {
	a := web.Account{
		ID: x.ID, Name: x.Login, FullName: x.FullName, Person: x.Person, PasswordHash: x.PasswordHash, MustChange: x.MustChange,
		Language: web.Lang(x.Language), Suspended: x.Suspended, SuspendedWhy: x.SuspendedWhy, Source: x.Source, SecondFactor: x.SecondFactor,
		Created: moment(x.CreatedMS), LastLogin: moment(x.LastLoginMS),
	}
	for _, r := range x.Roles {
		role, ok := web.ParseRole(r.Role)
		if !ok {
			continue // a role this program does not know gives no rights
		}
		a.Roles = append(a.Roles, web.Assignment{Role: role, Zone: access.ZoneID(r.Zone), From: moment(r.FromMS), Until: moment(r.UntilMS)})
	}
	return a
}

// FindSession implements web.Sessions.
func (a accounts) FindSession(ctx context.Context, hash string) (out web.Session, err error) {
	err = a.store.Read(ctx, func(r *store.ReadTx) error {
		x, err := r.Session(hash, time.Now().UnixMilli())
		out = sessionToWeb(x)
		return err
	})
	return out, mapped(err)
}

// SaveSession implements web.Sessions.
func (a accounts) SaveSession(ctx context.Context, s web.Session) error {
	return a.store.Write(ctx, func(tx *store.Tx) error {
		return tx.SaveSession(store.Session{
			TokenHash: s.TokenHash, Account: s.Account, Data: s.Data, CreatedMS: milli(s.Created), SeenMS: milli(s.Seen),
			ExpiresMS: milli(s.Expires), Address: s.Address, Agent: s.Agent,
		})
	})
}

// DeleteSession implements web.Sessions.
func (a accounts) DeleteSession(ctx context.Context, hash string) error {
	return a.store.Write(ctx, func(tx *store.Tx) error { return tx.DeleteSession(hash) })
}

// AccountSessions implements web.Sessions.
func (a accounts) AccountSessions(ctx context.Context, account string) (out []web.Session, err error) {
	err = a.store.Read(ctx, func(r *store.ReadTx) error {
		list, err := r.AccountSessions(account, time.Now().UnixMilli())
		for _, x := range list {
			out = append(out, sessionToWeb(x))
		}
		return err
	})
	return out, err
}

// DeleteAccountSessions implements web.Sessions.
func (a accounts) DeleteAccountSessions(ctx context.Context, account, except string) error {
	return a.store.Write(ctx, func(tx *store.Tx) error { return tx.DeleteAccountSessions(account, except) })
}

func sessionToWeb(x store.Session) web.Session {
	return web.Session{
		TokenHash: x.TokenHash, Account: x.Account, Data: x.Data, Created: moment(x.CreatedMS), Seen: moment(x.SeenMS),
		Expires: moment(x.ExpiresMS), Address: x.Address, Agent: x.Agent,
	}
}
