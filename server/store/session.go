package store

import "fmt"

// Session is one login. The cookie's token is nowhere, only its hash.
type Session struct {
	TokenHash string
	Account   string
	Data      []byte
	CreatedMS int64
	SeenMS    int64
	ExpiresMS int64
	Address   string
	Agent     string
}

const sessionColumns = `token_hash, account, data, created_ms, seen_ms, expires_ms, address, agent`

func scanSession(scan func(...any) error) (x Session, err error) {
	err = scan(&x.TokenHash, &x.Account, &x.Data, &x.CreatedMS, &x.SeenMS, &x.ExpiresMS, &x.Address, &x.Agent)
	return x, found(err)
}

// Session reads a session that has not expired at nowMS; ErrNotFound.
func (r Reader) Session(tokenHash string, nowMS int64) (Session, error) {
	return scanSession(r.row(`SELECT `+sessionColumns+` FROM session WHERE token_hash = ? AND expires_ms > ?`, tokenHash, nowMS).Scan)
}

// AccountSessions lists the sessions of an account that have not expired at nowMS, newest first.
func (r Reader) AccountSessions(account string, nowMS int64) ([]Session, error) {
	rows, err := r.query(`SELECT `+sessionColumns+` FROM session WHERE account = ? AND expires_ms > ? ORDER BY created_ms DESC`, account, nowMS)
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	defer rows.Close()
	var out []Session
	for rows.Next() {
		x, err := scanSession(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("read sessions: %w", err)
		}
		out = append(out, x)
	}
	return out, rows.Err()
}

// SaveSession inserts or replaces a session.
func (tx *Tx) SaveSession(x Session) error {
	if x.Data == nil {
		x.Data = []byte{}
	}
	_, err := tx.exec(`INSERT OR REPLACE INTO session (`+sessionColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		x.TokenHash, x.Account, x.Data, x.CreatedMS, x.SeenMS, x.ExpiresMS, x.Address, x.Agent)
	if err != nil {
		return fmt.Errorf("save session: %w", err)
	}
	return nil
}

// DeleteSession ends one session; one that does not exist is no error.
func (tx *Tx) DeleteSession(tokenHash string) error {
	_, err := tx.exec(`DELETE FROM session WHERE token_hash = ?`, tokenHash)
	return err
}

// DeleteAccountSessions ends all sessions of an account but the one named; "" spares none.
func (tx *Tx) DeleteAccountSessions(account, except string) error {
	_, err := tx.exec(`DELETE FROM session WHERE account = ? AND token_hash <> ?`, account, except)
	return err
}

// DeleteExpiredSessions removes what expired at or before nowMS.
func (tx *Tx) DeleteExpiredSessions(nowMS int64) error {
	_, err := tx.exec(`DELETE FROM session WHERE expires_ms <= ?`, nowMS)
	return err
}
