package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"monban/server/store"
	"monban/server/web"
)

// AsOnPage is the route of the page that does the same as a command, where it makes one of two persons: who types the command needs what that page asks for (RA-2).
type AsOnPage string

// Routes of such commands.
const (
	AsDisposalAsked   AsOnPage = "POST /retention/disposals"
	AsDisposalDecided AsOnPage = "POST /retention/disposals/{run}"
	AsHoldReleased    AsOnPage = "POST /retention/holds/{hold}"
	AsRecordDecided   AsOnPage = "POST /data-requests/{id}"
)

// Prove has somebody at the command line prove to be an account. now is the clock.
func (s *Site) Prove(ctx context.Context, as AsOnPage, in web.TerminalAnswers, now func() time.Time) (Operator, error) {
	cfg := s.Config.Login
	limit := throttle(cfg)
	// A quarter of a login's tries, as at the page that asks again.
	tries := terminalTries{store: s.Store, burst: float64(limit.AccountBurst), every: 4 * limit.AccountEvery, now: now}
	t := web.Terminal{
		Accounts: accounts{s.Store}, Factors: factors{store: s.Store, key: s.Keys.Derive("monban one-time codes")}, Audit: terminalAudit{s.Store}, Take: tries.take, Forget: tries.forget, Back: tries.back,
		SecondFactor: rolesOf(cfg.SecondFactorRoles), PasswordStepUp: cfg.PasswordStepUp, Now: now,
	}
	city, err := openDirectory(s.Config.LDAP)
	if err != nil {
		return Operator{}, err
	}
	if city != nil {
		t.Directory = city
	}
	a, err := t.Prove(ctx, string(as), in)
	if err != nil {
		return Operator{}, fmt.Errorf("nothing was done: %w", err)
	}
	return Operator{Account: a.ID, Address: in.Address, Terminal: true}, nil
}

// terminalAudit writes leaves of what was done at the command line.
type terminalAudit struct{ store *store.Store }

// RecordAction implements web.Audit.
func (t terminalAudit) RecordAction(ctx context.Context, action web.Action) error {
	return t.store.Write(ctx, func(tx *store.Tx) error {
		_, err := actFrom(tx, action, "cli")
		return err
	})
}

// terminalTries are the tries of accounts at the command line. The server's own are in its memory; each command is a process of its own, so these are a setting.
type terminalTries struct {
	store *store.Store
	burst float64
	every time.Duration
	now   func() time.Time
}

const triesSetting = "terminal.tries"

// bucket is how many tries an account had left at a moment.
type bucket struct {
	Left float64 `json:"left"`
	AtMS int64   `json:"at_ms"` // UTC
}

// change reads all buckets that are not full, lets f change them and writes them.
func (t terminalTries) change(ctx context.Context, f func(all map[string]bucket)) error {
	return t.store.Write(ctx, func(tx *store.Tx) error {
		text, err := tx.Setting(triesSetting)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		all := map[string]bucket{}
		if err == nil {
			if err := json.Unmarshal([]byte(text), &all); err != nil {
				return fmt.Errorf("setting %s: %w", triesSetting, err)
			}
		}
		now := t.now().UnixMilli()
		for account, b := range all {
			if now > b.AtMS { // a clock that was put back gives none
				b.Left += float64(now-b.AtMS) / float64(t.every.Milliseconds())
			}
			b.AtMS = now
			if all[account] = b; b.Left >= t.burst {
				delete(all, account)
			}
		}
		f(all)
		data, err := json.Marshal(all)
		if err != nil {
			return err
		}
		return tx.SetSetting(triesSetting, string(data))
	})
}

// take takes a try of an account before its password is looked at: who ends the process then has had it.
func (t terminalTries) take(ctx context.Context, account string) (wait time.Duration, err error) {
	err = t.change(ctx, func(all map[string]bucket) {
		b, ok := all[account]
		if !ok {
			b = bucket{Left: t.burst, AtMS: t.now().UnixMilli()}
		}
		if wait = 0; b.Left < 1 {
			wait = time.Duration(math.Ceil((1-b.Left)*t.every.Seconds())) * time.Second
			return
		}
		b.Left--
		all[account] = b
	})
	return wait, err
}

// back gives one try back.
func (t terminalTries) back(ctx context.Context, account string) error {
	return t.change(ctx, func(all map[string]bucket) {
		if b, ok := all[account]; ok { // else it has them all
			b.Left++
			all[account] = b
		}
	})
}

func (t terminalTries) forget(ctx context.Context, account string) error {
	return t.change(ctx, func(all map[string]bucket) { delete(all, account) })
}
