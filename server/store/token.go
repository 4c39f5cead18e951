package store

import (
	"database/sql"
	"fmt"
	"strings"
)

// APIToken lets a program use the API in the name of an account. The token is nowhere, only its hash.
type APIToken struct {
	ID        string
	Hash      [32]byte
	Account   string
	Name      string
	Roles     []string
	Orders    bool
	CreatedMS int64
	ExpiresMS int64  // exclusive
	UsedDay   string // YYYY-MM-DD, "" = never
	RevokedMS int64  // 0 = in force
}

const tokenColumns = `id, hash, account, name, roles, orders, created_ms, expires_ms, used_day, revoked_ms`

func scanToken(scan func(...any) error) (x APIToken, err error) {
	var hash []byte
	var roles string
	var revoked sql.NullInt64
	err = scan(&x.ID, &hash, &x.Account, &x.Name, &roles, &x.Orders, &x.CreatedMS, &x.ExpiresMS, &x.UsedDay, &revoked)
	copy(x.Hash[:], hash) // the length is CHECKed by the schema
	x.Roles, x.RevokedMS = strings.Fields(roles), revoked.Int64
	return x, found(err)
}

// TokenByHash finds a token, whatever its state; ErrNotFound.
func (r Reader) TokenByHash(hash [32]byte) (APIToken, error) {
	return scanToken(r.row(`SELECT `+tokenColumns+` FROM api_token WHERE hash = ?`, hash[:]).Scan)
}

// AccountTokens lists the tokens of an account, newest first.
func (r Reader) AccountTokens(account string) (out []APIToken, err error) {
	rows, err := r.query(`SELECT `+tokenColumns+` FROM api_token WHERE account = ? ORDER BY created_ms DESC, id`, account)
	if err != nil {
		return nil, fmt.Errorf("read tokens: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		x, err := scanToken(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("read tokens: %w", err)
		}
		out = append(out, x)
	}
	return out, rows.Err()
}

// InsertToken stores a new token; ErrExists.
func (tx *Tx) InsertToken(x APIToken) error {
	_, err := tx.exec(`INSERT INTO api_token (`+tokenColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		x.ID, x.Hash[:], x.Account, x.Name, strings.Join(x.Roles, " "), x.Orders, x.CreatedMS, x.ExpiresMS, x.UsedDay, null(x.RevokedMS))
	if err != nil {
		return fmt.Errorf("insert token: %w", unique(err))
	}
	return nil
}

// RevokeToken ends a token of an account; ErrNotFound when it has none of this id in force.
func (tx *Tx) RevokeToken(account, id string, nowMS int64) error {
	res, err := tx.exec(`UPDATE api_token SET revoked_ms = ? WHERE account = ? AND id = ? AND revoked_ms IS NULL`, nowMS, account, id)
	return changedOne("revoke token", res, err)
}

// RevokeAccountTokens ends all tokens of an account.
func (tx *Tx) RevokeAccountTokens(account string, nowMS int64) error {
	_, err := tx.exec(`UPDATE api_token SET revoked_ms = ? WHERE account = ? AND revoked_ms IS NULL`, nowMS, account)
	if err != nil {
		return fmt.Errorf("revoke tokens: %w", err)
	}
	return nil
}

// UseToken notes the day of use; false when it was noted already.
func (tx *Tx) UseToken(id, day string) (bool, error) {
	res, err := tx.exec(`UPDATE api_token SET used_day = ? WHERE id = ? AND used_day <> ?`, day, id, day)
	if err != nil {
		return false, fmt.Errorf("note use of token: %w", err)
	}
	n, err := res.RowsAffected()
	return n == 1, err
}
