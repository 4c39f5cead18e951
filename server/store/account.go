package store

import (
	"database/sql"
	"errors"
	"fmt"

	"github.com/mattn/go-sqlite3"
)

// Account is one operator's login; not the person of the directory, to whom it may point.
type Account struct {
	ID           string // opaque, random
	Login        string // unique without regard to case
	FullName     string
	Person       string // directory person id, "" = none
	PasswordHash string // PHC string
	MustChange   bool
	Language     string
	Suspended    bool
	SuspendedWhy string
	CreatedMS    int64
	LastLoginMS  int64  // 0 = never
	Source       string // who checks the password: "" = we, "oidc", "ldap"
	SecondFactor bool   // there is a passkey or a one-time-code secret; read only
	Roles        []RoleAssignment
}

// RoleAssignment is one role of an account (D26).
type RoleAssignment struct {
	Role    string
	Zone    string // "" = the whole site
	FromMS  int64
	UntilMS int64 // exclusive; 0 = no end
	Deputy  bool
}

// ErrExists says that a unique value is taken.
var ErrExists = errors.New("exists already")

// unique turns a violated UNIQUE or PRIMARY KEY constraint into ErrExists.
func unique(err error) error {
	var e sqlite3.Error
	if errors.As(err, &e) && (e.ExtendedCode == sqlite3.ErrConstraintUnique || e.ExtendedCode == sqlite3.ErrConstraintPrimaryKey) {
		return ErrExists
	}
	return err
}

const accountColumns = `id, login, full_name, person, password_hash, must_change, language, suspended, suspended_why, created_ms, last_login_ms, source`

// accountSelect adds what is computed.
const accountSelect = accountColumns + `, EXISTS (SELECT 1 FROM passkey p WHERE p.account = account.id AND p.stopped = 0)
	OR EXISTS (SELECT 1 FROM totp t WHERE t.account = account.id)`

func scanAccount(scan func(...any) error) (Account, error) {
	var a Account
	var last sql.NullInt64
	err := scan(&a.ID, &a.Login, &a.FullName, &a.Person, &a.PasswordHash, &a.MustChange, &a.Language, &a.Suspended, &a.SuspendedWhy, &a.CreatedMS, &last, &a.Source, &a.SecondFactor)
	a.LastLoginMS = last.Int64
	return a, found(err)
}

func (r Reader) withRoles(a Account, err error) (Account, error) {
	if err != nil {
		return Account{}, err
	}
	a.Roles, err = r.roles(a.ID)
	return a, err
}

func (r Reader) roles(account string) ([]RoleAssignment, error) {
	rows, err := r.query(`SELECT role, zone, from_ms, until_ms, deputy FROM role_assignment WHERE account = ? ORDER BY role, zone, from_ms`, account)
	if err != nil {
		return nil, fmt.Errorf("read roles: %w", err)
	}
	defer rows.Close()
	var out []RoleAssignment
	for rows.Next() {
		var x RoleAssignment
		var until sql.NullInt64
		if err := rows.Scan(&x.Role, &x.Zone, &x.FromMS, &until, &x.Deputy); err != nil {
			return nil, fmt.Errorf("read roles: %w", err)
		}
		x.UntilMS = until.Int64
		out = append(out, x)
	}
	return out, rows.Err()
}

// AccountByID reads one account with its roles; ErrNotFound.
func (r Reader) AccountByID(id string) (Account, error) {
	return r.withRoles(scanAccount(r.row(`SELECT `+accountSelect+` FROM account WHERE id = ?`, id).Scan))
}

// AccountByLogin reads one account by its login name, without regard to case; ErrNotFound.
func (r Reader) AccountByLogin(login string) (Account, error) {
	return r.withRoles(scanAccount(r.row(`SELECT `+accountSelect+` FROM account WHERE login = ?`, login).Scan))
}

// AccountCount is the number of accounts, suspended ones too: 0 means that set-up is still to come.
func (r Reader) AccountCount() (n int64, err error) {
	err = r.row(`SELECT count(*) FROM account`).Scan(&n)
	return n, err
}

// Accounts lists all accounts by login name.
func (r Reader) Accounts() ([]Account, error) {
	rows, err := r.query(`SELECT ` + accountSelect + ` FROM account ORDER BY login`)
	if err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	defer rows.Close()
	var out []Account
	for rows.Next() {
		a, err := scanAccount(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("read accounts: %w", err)
		}
		out = append(out, a)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	for i := range out {
		if out[i].Roles, err = r.roles(out[i].ID); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// InsertAccount stores a new account with its roles; ErrExists when id or login name is taken.
func (tx *Tx) InsertAccount(a Account) error {
	_, err := tx.exec(`INSERT INTO account (`+accountColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		a.ID, a.Login, a.FullName, a.Person, a.PasswordHash, a.MustChange, a.Language, a.Suspended, a.SuspendedWhy, a.CreatedMS, null(a.LastLoginMS), a.Source)
	if err != nil {
		return fmt.Errorf("insert account: %w", unique(err))
	}
	return tx.setRoles(a.ID, a.Roles)
}

// UpdateAccount replaces everything of an account but its id, creation time and roles; ErrNotFound.
func (tx *Tx) UpdateAccount(a Account) error {
	res, err := tx.exec(`UPDATE account SET login = ?, full_name = ?, person = ?, password_hash = ?, must_change = ?, language = ?,
		suspended = ?, suspended_why = ?, last_login_ms = ?, source = ? WHERE id = ?`,
		a.Login, a.FullName, a.Person, a.PasswordHash, a.MustChange, a.Language, a.Suspended, a.SuspendedWhy, null(a.LastLoginMS), a.Source, a.ID)
	return changedOne("update account", res, err)
}

// SetRoles replaces an account's roles.
func (tx *Tx) SetRoles(account string, roles []RoleAssignment) error {
	if _, err := tx.exec(`DELETE FROM role_assignment WHERE account = ?`, account); err != nil {
		return fmt.Errorf("set roles: %w", err)
	}
	return tx.setRoles(account, roles)
}

func (tx *Tx) setRoles(account string, roles []RoleAssignment) error {
	for _, x := range roles {
		_, err := tx.exec(`INSERT INTO role_assignment (account, role, zone, from_ms, until_ms, deputy) VALUES (?, ?, ?, ?, ?, ?)`,
			account, x.Role, x.Zone, x.FromMS, null(x.UntilMS), x.Deputy)
		if err != nil {
			return fmt.Errorf("set roles: %w", unique(err))
		}
	}
	return nil
}

// changedOne turns "no row changed" into ErrNotFound.
func changedOne(what string, res sql.Result, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, unique(err))
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
