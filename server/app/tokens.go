package app

import (
	"context"

	"monban/server/store"
	"monban/server/web"
)

// TokenByHash implements web.Tokens.
func (a accounts) TokenByHash(ctx context.Context, hash [32]byte) (out web.APIToken, err error) {
	err = a.store.Read(ctx, func(r *store.ReadTx) error {
		x, err := r.TokenByHash(hash)
		out = tokenToWeb(x)
		return err
	})
	return out, mapped(err)
}

// AccountTokens implements web.Tokens.
func (a accounts) AccountTokens(ctx context.Context, account string) (out []web.APIToken, err error) {
	err = a.store.Read(ctx, func(r *store.ReadTx) error {
		list, err := r.AccountTokens(account)
		for _, x := range list {
			out = append(out, tokenToWeb(x))
		}
		return err
	})
	return out, err
}

// CreateToken implements web.Tokens.
func (a accounts) CreateToken(ctx context.Context, t web.APIToken, action web.Action) error {
	x := store.APIToken{ID: t.ID, Hash: t.Hash, Account: t.Account, Name: t.Name, Orders: t.Orders, CreatedMS: milli(t.Created), ExpiresMS: milli(t.Expires)}
	for _, r := range web.Roles() {
		if t.Roles.Has(r) {
			x.Roles = append(x.Roles, r.String())
		}
	}
	return mapped(a.store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.InsertToken(x); err != nil {
			return err
		}
		return act(tx, action)
	}))
}

// RevokeToken implements web.Tokens.
func (a accounts) RevokeToken(ctx context.Context, account, id string, action web.Action) error {
	return mapped(a.store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.RevokeToken(account, id, milli(action.At)); err != nil {
			return err
		}
		return act(tx, action)
	}))
}

// UseToken implements web.Tokens.
func (a accounts) UseToken(ctx context.Context, id, day string, action web.Action) error {
	return a.store.Write(ctx, func(tx *store.Tx) error {
		first, err := tx.UseToken(id, day)
		if err != nil || !first {
			return err
		}
		return act(tx, action)
	})
}

func tokenToWeb(x store.APIToken) web.APIToken {
	t := web.APIToken{ID: x.ID, Hash: x.Hash, Account: x.Account, Name: x.Name, Orders: x.Orders, Created: moment(x.CreatedMS), Expires: moment(x.ExpiresMS),
		UsedDay: x.UsedDay, Revoked: moment(x.RevokedMS)}
	for _, name := range x.Roles {
		if r, ok := web.ParseRole(name); ok { // one that this program does not know gives no rights
			t.Roles |= 1 << r
		}
	}
	return t
}
