package web

import (
	"context"
	"errors"
	"fmt"
	"time"

	"monban/server/factor"
)

// Refusals of somebody at the command line.
var (
	// ErrTerminalWrong says no more than the login page does.
	ErrTerminalWrong = errors.New("account, password or code is wrong, or the account is suspended")
	ErrTerminalRole  = errors.New("the account has no role that may do this")
	// ErrTerminalPage: the account cannot prove itself where nothing but text is typed.
	ErrTerminalPage = errors.New("do it on the page of the running server")
	// ErrTyped: the first of two persons was only a name that somebody typed.
	ErrTyped = errors.New("asked for by a typed name, which proves nobody")
)

// Terminal asks who acts at the command line for what a page asks for, where the act makes one of two persons (RA-2, D28).
type Terminal struct {
	Accounts Accounts
	Factors  Factors
	Audit    Audit
	// Directory is the city's; nil = none.
	Directory Directory
	// Take takes one try of an account, durably; 0 = taken, else how long until there is one. Forget gives them all back,
	// and Back one, when nothing could be looked at.
	Take   func(ctx context.Context, account string) (wait time.Duration, err error)
	Forget func(ctx context.Context, account string) error
	Back   func(ctx context.Context, account string) error

	SecondFactor   RoleSet // as in Config
	PasswordStepUp bool    // likewise
	Now            func() time.Time
}

// TerminalAnswers are what somebody types. They are asked for when they are needed, and stand in no error.
type TerminalAnswers struct {
	Account  string // its login name
	Address  string // from where, for the opening
	Password func() (string, error)
	Code     func() (string, error)
}

// Prove gives the account of who acts, if a fresh login of it would be let into the route of the page that does the same.
func (t *Terminal) Prove(ctx context.Context, pattern string, in TerminalAnswers) (Account, error) {
	rt, ok := routeOf(pattern)
	if !ok || rt.roles == 0 || rt.stepUp != stepUpFull {
		return Account{}, fmt.Errorf("%s is not a route that asks who is there", pattern)
	}
	a, err := t.Accounts.AccountByName(ctx, in.Account)
	known := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Account{}, fmt.Errorf("find account: %w", err)
	}
	totp := false
	if known {
		if totp, err = t.typed(ctx, &a); err != nil {
			return Account{}, err
		}
	}
	password, err := in.Password()
	if err != nil {
		return Account{}, err
	}
	if !known { // no decoy: who may run this may list the accounts
		return Account{}, t.refuse(ctx, "", ActionLoginFailed, in.Address)
	}
	if wait, err := t.Take(ctx, a.ID); err != nil {
		return Account{}, err
	} else if wait > 0 {
		if err := t.record(ctx, Action{Kind: ActionLoginThrottled, Target: a.ID, Address: in.Address}); err != nil {
			return Account{}, err
		}
		return Account{}, throttled{wait}
	}
	how, good, err := t.password(ctx, &a, password)
	if errors.Is(err, errDirectory) {
		return Account{}, errors.Join(err, t.Back(ctx, a.ID))
	}
	if err != nil {
		return Account{}, err
	}
	if !good || a.Suspended {
		return Account{}, t.refuse(ctx, a.ID, ActionLoginFailed, in.Address)
	}
	if err := t.admit(&a, rt); err != nil {
		return Account{}, err
	}
	if totp {
		code, err := in.Code()
		if err != nil {
			return Account{}, err
		}
		add, err := proveTOTP(ctx, t.Factors, a.ID, code, t.Now())
		if errors.Is(err, errNotProved) {
			return Account{}, t.refuse(ctx, a.ID, ActionSecondFailed, in.Address)
		}
		if err != nil {
			return Account{}, err
		}
		how += add
	}
	if !enough(&a, how, t.PasswordStepUp) {
		return Account{}, fmt.Errorf("the account has no second factor: set one up on \"My page\", or %w", ErrTerminalPage)
	}
	if err := t.Forget(ctx, a.ID); err != nil {
		return Account{}, err
	}
	return a, t.record(ctx, Action{Kind: ActionStepUp, Actor: a.ID, Target: a.ID, Address: in.Address, Filter: "method=" + how})
}

// typed reports whether one-time codes go with the account's password, and refuses an account whose proof cannot be typed.
func (t *Terminal) typed(ctx context.Context, a *Account) (totp bool, err error) {
	if a.Source == SourceProvider {
		return false, fmt.Errorf("the account signs in at a provider, which a terminal cannot ask: %w", ErrTerminalPage)
	}
	_, err = t.Factors.TOTP(ctx, a.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return false, fmt.Errorf("one-time codes: %w", err)
	}
	totp = err == nil
	if a.SecondFactor && !totp {
		return false, fmt.Errorf("the account has a passkey and no one-time codes, and a terminal cannot ask for a passkey: %w", ErrTerminalPage)
	}
	return totp, nil
}

func (t *Terminal) password(ctx context.Context, a *Account, password string) (how string, good bool, err error) {
	if password == "" || len(password) > maxPassword {
		return "", false, nil
	}
	if a.Source == SourceHere {
		return methodPassword, VerifyPassword(a.PasswordHash, password), nil
	}
	if a.Source != SourceDirectory || t.Directory == nil {
		return "", false, nil
	}
	if good, err = t.Directory.Verify(ctx, a.Name, password); err != nil {
		return "", false, fmt.Errorf("%w: %w", errDirectory, err)
	}
	return methodDirectory, good, nil
}

// admit is the gate's word on an account (see Handler.admit).
func (t *Terminal) admit(a *Account, rt route) error {
	switch {
	case a.rolesIn("", t.Now())&rt.roles == 0: // what is destroyed or let go is no zone's
		return ErrTerminalRole
	case a.MustChange:
		return fmt.Errorf("the password was given out by somebody else: change it on \"My page\" first, or %w", ErrTerminalPage)
	case !a.SecondFactor && a.rolesAt(t.Now())&t.SecondFactor != 0:
		return fmt.Errorf("the account's roles take a second factor and it has none: set one up on \"My page\" first, then %w", ErrTerminalPage)
	}
	return nil
}

func (t *Terminal) record(ctx context.Context, act Action) error {
	act.At = t.Now()
	if err := t.Audit.RecordAction(ctx, act); err != nil {
		return fmt.Errorf("record who is at the terminal: %w", err)
	}
	return nil
}

func (t *Terminal) refuse(ctx context.Context, account string, kind ActionKind, address string) error {
	if err := t.record(ctx, Action{Kind: kind, Target: account, Address: address}); err != nil {
		return err
	}
	return ErrTerminalWrong
}

// proveTOTP checks a one-time code and uses it up. errNotProved for whatever is wrong, a code that was used before too.
func proveTOTP(ctx context.Context, f Factors, account, code string, now time.Time) (add string, err error) {
	t, err := f.TOTP(ctx, account)
	if errors.Is(err, ErrNotFound) {
		return "", errNotProved
	}
	if err != nil {
		return "", fmt.Errorf("one-time codes: %w", err)
	}
	step, ok := factor.Check(t.Secret, code, t.LastStep, now)
	if !ok {
		return "", errNotProved
	}
	err = f.UseTOTP(ctx, account, step, now)
	if errors.Is(err, ErrUsed) { // the same code came twice at the same time
		return "", errNotProved
	}
	if err != nil {
		return "", fmt.Errorf("use one-time code: %w", err)
	}
	return addTOTP, nil
}
