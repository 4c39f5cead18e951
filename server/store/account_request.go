package store

import (
	"database/sql"
	"fmt"
)

// AccountRequest is something that adds rights to an account and waits for a second person (RA-2).
type AccountRequest struct {
	ID        string
	Kind      string // "role", "factors" (all second factors go, so that new ones can be set up), "person" (whose staff card signs in)
	Account   string // whom it is for
	Role      string // of kind role
	Zone      string
	UntilMS   int64 // exclusive; 0 = no end
	Why       string
	AskedBy   string // account; "" = the directory's synchronisation
	AskedMS   int64
	State     string // "asked", "agreed", "withdrawn"
	DecidedBy string
	DecidedMS int64
	Person    string // of kind person: id in the directory
}

const requestColumns = `id, kind, account, role, zone, until_ms, why, asked_by, asked_ms, state, decided_by, decided_ms, person`

func scanRequest(scan func(...any) error) (q AccountRequest, err error) {
	var until, decided sql.NullInt64
	err = scan(&q.ID, &q.Kind, &q.Account, &q.Role, &q.Zone, &until, &q.Why, &q.AskedBy, &q.AskedMS, &q.State, &q.DecidedBy, &decided, &q.Person)
	q.UntilMS, q.DecidedMS = until.Int64, decided.Int64
	return q, found(err)
}

// AccountRequest reads one; ErrNotFound.
func (r Reader) AccountRequest(id string) (AccountRequest, error) {
	return scanRequest(r.row(`SELECT `+requestColumns+` FROM account_request WHERE id = ?`, id).Scan)
}

// OpenAccountRequests lists what waits for a second person, the oldest first.
func (r Reader) OpenAccountRequests() ([]AccountRequest, error) {
	return r.accountRequests(`state = 'asked'`)
}

// AccountRequestsFor lists all that was asked for an account, the oldest first.
func (r Reader) AccountRequestsFor(account string) ([]AccountRequest, error) {
	return r.accountRequests(`account = ?`, account)
}

func (r Reader) accountRequests(which string, args ...any) ([]AccountRequest, error) {
	rows, err := r.query(`SELECT `+requestColumns+` FROM account_request WHERE `+which+` ORDER BY asked_ms, id`, args...)
	if err != nil {
		return nil, fmt.Errorf("read requests: %w", err)
	}
	defer rows.Close()
	var out []AccountRequest
	for rows.Next() {
		q, err := scanRequest(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("read requests: %w", err)
		}
		out = append(out, q)
	}
	return out, rows.Err()
}

// InsertAccountRequest stores a new one, already decided or not.
func (tx *Tx) InsertAccountRequest(q AccountRequest) error {
	_, err := tx.exec(`INSERT INTO account_request (`+requestColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		q.ID, q.Kind, q.Account, q.Role, q.Zone, null(q.UntilMS), q.Why, q.AskedBy, q.AskedMS, q.State, q.DecidedBy, null(q.DecidedMS), q.Person)
	if err != nil {
		return fmt.Errorf("insert request: %w", unique(err))
	}
	return nil
}

// DecideAccountRequest ends a request that still waits; ErrUsed when it does not, ErrNotFound when there is none.
func (tx *Tx) DecideAccountRequest(id, state, by string, nowMS int64) error {
	if _, err := tx.AccountRequest(id); err != nil {
		return err
	}
	res, err := tx.exec(`UPDATE account_request SET state = ?, decided_by = ?, decided_ms = ? WHERE id = ? AND state = 'asked'`, state, by, nowMS, id)
	if err != nil {
		return fmt.Errorf("decide request: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return fmt.Errorf("decide request: %w", ErrUsed)
	}
	return nil
}

// AddRole gives an account one more role.
func (tx *Tx) AddRole(account string, r RoleAssignment) error {
	return tx.setRoles(account, []RoleAssignment{r})
}
