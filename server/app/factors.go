package app

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"monban/firmware/access"
	"monban/server/entrylog"
	"monban/server/store"
	"monban/server/web"
)

// factors keeps second factors and requests for a second person for the pages. A secret of one-time codes has to be
// read again to check a code, so it is sealed under a key that is not in the database: a backup holds no secret.
type factors struct {
	store *store.Store
	key   [32]byte
	// person reports whether the directory has somebody; nil = it is not asked (tests of the store).
	person func(id string) bool
}

// seal encrypts a secret for one account; moved to another account's row it does not open.
func (f factors) seal(account string, secret []byte) ([]byte, error) {
	g, err := f.gcm()
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, g.NonceSize())
	rand.Read(nonce)
	return g.Seal(nonce, nonce, secret, []byte(account)), nil
}

// open is the inverse of seal.
func (f factors) open(account string, sealed []byte) ([]byte, error) {
	g, err := f.gcm()
	if err != nil {
		return nil, err
	}
	if len(sealed) < g.NonceSize() {
		return nil, errors.New("secret of one-time codes is too short")
	}
	secret, err := g.Open(nil, sealed[:g.NonceSize()], sealed[g.NonceSize():], []byte(account))
	if err != nil {
		return nil, errors.New("secret of one-time codes does not open: were the site's keys replaced? reset the account's second check")
	}
	return secret, nil
}

func (f factors) gcm() (cipher.AEAD, error) {
	b, err := aes.NewCipher(f.key[:])
	if err != nil {
		return nil, fmt.Errorf("secret of one-time codes: %w", err)
	}
	return cipher.NewGCM(b)
}

func passkeyToWeb(p store.Passkey) web.Passkey {
	return web.Passkey{Credential: p.Credential, Account: p.Account, Name: p.Name, RP: p.RP, Data: p.Data, SignCount: p.SignCount, Stopped: p.Stopped,
		Created: moment(p.CreatedMS), Used: moment(p.UsedMS)}
}

// Passkeys implements web.Factors.
func (f factors) Passkeys(ctx context.Context, account string) (out []web.Passkey, err error) {
	err = f.store.Read(ctx, func(r *store.ReadTx) error {
		list, err := r.Passkeys(account)
		for _, p := range list {
			out = append(out, passkeyToWeb(p))
		}
		return err
	})
	return out, err
}

// PasskeyByCredential implements web.Factors.
func (f factors) PasskeyByCredential(ctx context.Context, credential []byte) (out web.Passkey, err error) {
	err = f.store.Read(ctx, func(r *store.ReadTx) error {
		p, err := r.Passkey(credential)
		out = passkeyToWeb(p)
		return err
	})
	return out, mapped(err)
}

// write makes a change and its leaf one transaction.
func (f factors) write(ctx context.Context, action web.Action, change func(tx *store.Tx) error) error {
	return mapped(f.store.Write(ctx, func(tx *store.Tx) error {
		if err := change(tx); err != nil {
			return err
		}
		return act(tx, action)
	}))
}

// AddPasskey implements web.Factors.
func (f factors) AddPasskey(ctx context.Context, p web.Passkey, action web.Action) error {
	return f.write(ctx, action, func(tx *store.Tx) error {
		return tx.InsertPasskey(store.Passkey{Credential: p.Credential, Account: p.Account, Name: p.Name, RP: p.RP, Data: p.Data, SignCount: p.SignCount,
			CreatedMS: milli(p.Created), UsedMS: milli(p.Used)})
	})
}

// UsePasskey implements web.Factors.
func (f factors) UsePasskey(ctx context.Context, credential, data []byte, count uint32, now time.Time) error {
	return mapped(f.store.Write(ctx, func(tx *store.Tx) error { return tx.UsePasskey(credential, data, count, milli(now)) }))
}

// StopPasskey implements web.Factors.
func (f factors) StopPasskey(ctx context.Context, credential []byte, action web.Action) error {
	return f.write(ctx, action, func(tx *store.Tx) error { return tx.StopPasskey(credential) })
}

// DeletePasskey implements web.Factors.
func (f factors) DeletePasskey(ctx context.Context, account string, credential []byte, action web.Action) error {
	return f.write(ctx, action, func(tx *store.Tx) error { return tx.DeletePasskey(account, credential) })
}

// TOTP implements web.Factors.
func (f factors) TOTP(ctx context.Context, account string) (out web.TOTP, err error) {
	var t store.TOTP
	err = f.store.Read(ctx, func(r *store.ReadTx) (err error) {
		t, err = r.TOTP(account)
		return err
	})
	if err != nil {
		return out, mapped(err)
	}
	secret, err := f.open(account, t.Secret)
	return web.TOTP{Secret: secret, LastStep: t.LastStep, Created: moment(t.CreatedMS), Used: moment(t.UsedMS)}, err
}

// SetTOTP implements web.Factors.
func (f factors) SetTOTP(ctx context.Context, account string, t web.TOTP, action web.Action) error {
	sealed, err := f.seal(account, t.Secret)
	if err != nil {
		return err
	}
	return f.write(ctx, action, func(tx *store.Tx) error {
		return tx.SetTOTP(store.TOTP{Account: account, Secret: sealed, LastStep: t.LastStep, CreatedMS: milli(t.Created), UsedMS: milli(t.Used)})
	})
}

// UseTOTP implements web.Factors.
func (f factors) UseTOTP(ctx context.Context, account string, step int64, now time.Time) error {
	return mapped(f.store.Write(ctx, func(tx *store.Tx) error { return tx.UseTOTP(account, step, milli(now)) }))
}

// DeleteTOTP implements web.Factors.
func (f factors) DeleteTOTP(ctx context.Context, account string, action web.Action) error {
	return f.write(ctx, action, func(tx *store.Tx) error { return tx.DeleteTOTP(account) })
}

// RecoveryCodesLeft implements web.Factors.
func (f factors) RecoveryCodesLeft(ctx context.Context, account string) (n int, err error) {
	err = f.store.Read(ctx, func(r *store.ReadTx) (err error) {
		n, err = r.RecoveryCodesLeft(account)
		return err
	})
	return n, err
}

// SetRecoveryCodes implements web.Factors.
func (f factors) SetRecoveryCodes(ctx context.Context, account string, hashes [][32]byte, action web.Action) error {
	return f.write(ctx, action, func(tx *store.Tx) error { return tx.SetRecoveryCodes(account, hashes) })
}

// UseRecoveryCode implements web.Factors.
func (f factors) UseRecoveryCode(ctx context.Context, account string, hash [32]byte, now time.Time, action web.Action) error {
	return f.write(ctx, action, func(tx *store.Tx) error { return tx.UseRecoveryCode(account, hash, milli(now)) })
}

// ExternalAccount implements web.Factors.
func (f factors) ExternalAccount(ctx context.Context, issuer, subject string) (account string, err error) {
	err = f.store.Read(ctx, func(r *store.ReadTx) (err error) {
		account, err = r.ExternalAccount(issuer, subject)
		return err
	})
	return account, mapped(err)
}

// LinkExternal implements web.Factors.
func (f factors) LinkExternal(ctx context.Context, issuer, subject, account string, action web.Action) error {
	return f.write(ctx, action, func(tx *store.Tx) error { return tx.LinkExternal(issuer, subject, account, milli(action.At)) })
}

func requestToWeb(q store.AccountRequest) web.AccountRequest {
	out := web.AccountRequest{ID: q.ID, Kind: web.RequestKind(q.Kind), Account: q.Account, Person: q.Person, Why: q.Why, AskedBy: q.AskedBy, Asked: moment(q.AskedMS)}
	if role, ok := web.ParseRole(q.Role); ok {
		out.Role = web.Assignment{Role: role, Zone: access.ZoneID(q.Zone), Until: moment(q.UntilMS)}
	}
	return out
}

// OpenRequests implements web.Requests.
func (f factors) OpenRequests(ctx context.Context) (out []web.AccountRequest, err error) {
	err = f.store.Read(ctx, func(r *store.ReadTx) error {
		list, err := r.OpenAccountRequests()
		for _, q := range list {
			out = append(out, requestToWeb(q))
		}
		return err
	})
	return out, err
}

// AskRequest implements web.Requests.
func (f factors) AskRequest(ctx context.Context, q web.AccountRequest, action, alone web.Action) (done bool, err error) {
	row := store.AccountRequest{ID: q.ID, Kind: string(q.Kind), Account: q.Account, Zone: string(q.Role.Zone), UntilMS: milli(q.Role.Until),
		Why: q.Why, AskedBy: q.AskedBy, AskedMS: milli(q.Asked), State: "asked"}
	if q.Kind == web.RequestPerson {
		if row.Person = q.Person; f.person != nil && !f.person(q.Person) {
			return false, web.ErrNoPerson
		}
	}
	if q.Kind == web.RequestRole {
		row.Role = q.Role.Role.String()
	}
	err = f.store.Write(ctx, func(tx *store.Tx) error {
		done = false // a transaction may be tried again
		if _, err := tx.AccountByID(q.Account); err != nil {
			return err
		}
		list, err := tx.Accounts()
		if err != nil {
			return err
		}
		all := make([]web.Account, 0, len(list))
		for _, a := range list {
			all = append(all, toWeb(a))
		}
		if web.SecondExists(all, q.AskedBy, q.Account) {
			return errors.Join(tx.InsertAccountRequest(row), act(tx, action))
		}
		done = true
		row.State, row.DecidedBy, row.DecidedMS = "agreed", q.AskedBy, row.AskedMS
		if err := errors.Join(tx.InsertAccountRequest(row), fulfil(tx, row, row.AskedMS)); err != nil {
			return err
		}
		return act(tx, alone)
	})
	return done, mapped(err)
}

// fulfil does what was asked, from nowMS on.
func fulfil(tx *store.Tx, q store.AccountRequest, nowMS int64) error {
	switch web.RequestKind(q.Kind) {
	case web.RequestRole:
		if _, ok := web.ParseRole(q.Role); !ok {
			return fmt.Errorf("request %s is for the role %q, which does not exist", q.ID, q.Role)
		}
		return tx.AddRole(q.Account, store.RoleAssignment{Role: q.Role, Zone: q.Zone, FromMS: nowMS, UntilMS: q.UntilMS})
	case web.RequestFactors:
		// What the account had before is no longer trusted, tokens of the API too.
		return errors.Join(tx.DeleteFactors(q.Account), tx.RevokeAccountTokens(q.Account, nowMS))
	case web.RequestPerson:
		a, err := tx.AccountByID(q.Account)
		if err != nil {
			return err
		}
		a.Person = q.Person
		return tx.UpdateAccount(a)
	}
	return fmt.Errorf("request %s is of the kind %q, which does not exist", q.ID, q.Kind)
}

// AgreeRequest implements web.Requests.
func (f factors) AgreeRequest(ctx context.Context, id string, action web.Action) (out web.AccountRequest, err error) {
	err = f.store.Write(ctx, func(tx *store.Tx) error {
		q, err := tx.AccountRequest(id)
		if err != nil {
			return err
		}
		if q.State != "asked" {
			return web.ErrTooLate
		}
		if action.Actor == "" {
			return web.ErrSamePerson
		}
		for _, concerned := range []string{q.AskedBy, q.Account} {
			if concerned == "" {
				continue // asked for by the directory
			}
			if err := another(tx, concerned, action.Actor); err != nil {
				return err
			}
		}
		out = requestToWeb(q)
		if err := errors.Join(tx.DecideAccountRequest(id, "agreed", action.Actor, milli(action.At)), fulfil(tx, q, milli(action.At))); err != nil {
			return err
		}
		return act(tx, web.Agreed(out, action))
	})
	return out, mapped(err)
}

// WithdrawRequest implements web.Requests.
func (f factors) WithdrawRequest(ctx context.Context, id string, action web.Action) error {
	return mapped(f.store.Write(ctx, func(tx *store.Tx) error {
		q, err := tx.AccountRequest(id)
		if err != nil {
			return err
		}
		if q.State != "asked" {
			return web.ErrTooLate
		}
		if err := tx.DecideAccountRequest(id, "withdrawn", action.Actor, milli(action.At)); err != nil {
			return err
		}
		action.Target = q.Account
		return act(tx, action)
	}))
}

// requestEnds is when a request that nobody decided is withdrawn by itself (†): what was wanted then may be wanted no longer, and why it was asked stands in clear.
const requestEnds = 90 * 24 * time.Hour

// withdrawOld withdraws what nobody has decided within requestEnds, each with a leaf. It gives no right and takes none.
func (f factors) withdrawOld(ctx context.Context, now time.Time) (note string, err error) {
	n := 0
	err = f.store.Write(ctx, func(tx *store.Tx) error {
		n = 0
		list, err := tx.OpenAccountRequests()
		if err != nil {
			return err
		}
		for i := range list {
			if now.UnixMilli()-list[i].AskedMS < requestEnds.Milliseconds() {
				continue
			}
			leaf := entrylog.Action{
				Verb: string(web.ActionRequestWithdrawn), Target: targetOf(web.ActionRequestWithdrawn), ID: list[i].Account, From: "job", Result: "ok", Reason: true, AtMS: now.UnixMilli(),
			}
			if err := tx.DecideAccountRequest(list[i].ID, "withdrawn", "", now.UnixMilli()); err != nil {
				return err
			}
			if _, err := tx.AppendAction(leaf, &entrylog.Opening{Text: "nobody has decided it within 90 days"}); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return fmt.Sprintf("%d requests withdrawn", n), err
}

// RemoveRole implements web.Requests. The role ends and stays in the list: who had one that may agree counts as
// somebody for good, so that nobody becomes the only one by taking the roles of the others (RA-2).
func (f factors) RemoveRole(ctx context.Context, account string, r web.Assignment, action web.Action) error {
	return f.write(ctx, action, func(tx *store.Tx) error {
		a, err := tx.AccountByID(account)
		if err != nil {
			return err
		}
		now := milli(action.At)
		for i := range a.Roles {
			x := &a.Roles[i]
			if x.Role == r.Role.String() && x.Zone == string(r.Zone) && x.FromMS == milli(r.From) && (x.UntilMS == 0 || now < x.UntilMS) {
				x.UntilMS = max(x.FromMS, now) // one that was still to come never begins
				return tx.SetRoles(account, a.Roles)
			}
		}
		return store.ErrNotFound
	})
}
