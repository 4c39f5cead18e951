package store

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
)

// ErrUsed says that a one-time code, a counter or a recovery code has been used already.
var ErrUsed = errors.New("used already")

// Passkey is a public key with which an account's owner can sign in (RA-3).
type Passkey struct {
	Credential []byte // the authenticator's id of it, 1–1023 bytes
	Account    string
	Name       string
	RP         string // host name it was made for
	Data       []byte // public key and flags, opaque here
	SignCount  uint32
	Stopped    bool // its counter went back: perhaps a copy; never good again
	CreatedMS  int64
	UsedMS     int64 // 0 = never
}

const passkeyColumns = `credential, account, name, rp, data, sign_count, stopped, created_ms, used_ms`

func scanPasskey(scan func(...any) error) (p Passkey, err error) {
	var used sql.NullInt64
	err = scan(&p.Credential, &p.Account, &p.Name, &p.RP, &p.Data, &p.SignCount, &p.Stopped, &p.CreatedMS, &used)
	p.UsedMS = used.Int64
	return p, found(err)
}

// Passkeys lists an account's passkeys, the oldest first.
func (r Reader) Passkeys(account string) ([]Passkey, error) {
	rows, err := r.query(`SELECT `+passkeyColumns+` FROM passkey WHERE account = ? ORDER BY created_ms, credential`, account)
	if err != nil {
		return nil, fmt.Errorf("read passkeys: %w", err)
	}
	defer rows.Close()
	var out []Passkey
	for rows.Next() {
		p, err := scanPasskey(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("read passkeys: %w", err)
		}
		out = append(out, p)
	}
	return out, rows.Err()
}

// Passkey reads one; ErrNotFound.
func (r Reader) Passkey(credential []byte) (Passkey, error) {
	return scanPasskey(r.row(`SELECT `+passkeyColumns+` FROM passkey WHERE credential = ?`, credential).Scan)
}

// PasskeysForOther counts the passkeys made for another host name than rp.
func (r Reader) PasskeysForOther(rp string) (n int, err error) {
	err = r.row(`SELECT count(*) FROM passkey WHERE rp <> ?`, rp).Scan(&n)
	return n, err
}

// InsertPasskey stores a new one; ErrExists when the credential is known, whoever's it is.
func (tx *Tx) InsertPasskey(p Passkey) error {
	_, err := tx.exec(`INSERT INTO passkey (`+passkeyColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		p.Credential, p.Account, p.Name, p.RP, p.Data, p.SignCount, p.Stopped, p.CreatedMS, null(p.UsedMS))
	if err != nil {
		return fmt.Errorf("insert passkey: %w", unique(err))
	}
	return nil
}

// UsePasskey stores the counter after a use. A counter that did not grow, unless the authenticator counts nothing at
// all, is ErrUsed: somebody may have a copy.
func (tx *Tx) UsePasskey(credential, data []byte, count uint32, nowMS int64) error {
	res, err := tx.exec(`UPDATE passkey SET data = ?, sign_count = ?, used_ms = ? WHERE credential = ? AND stopped = 0
		AND (sign_count < ? OR sign_count = 0 AND ? = 0)`, data, count, nowMS, credential, count, count)
	if err = changedOne("use passkey", res, err); errors.Is(err, ErrNotFound) {
		return fmt.Errorf("use passkey: %w", ErrUsed)
	}
	return err
}

// StopPasskey ends a passkey for good but keeps it in the list; ErrNotFound.
func (tx *Tx) StopPasskey(credential []byte) error {
	res, err := tx.exec(`UPDATE passkey SET stopped = 1 WHERE credential = ?`, credential)
	return changedOne("stop passkey", res, err)
}

// DeletePasskey removes an account's passkey; ErrNotFound, also when it is another's.
func (tx *Tx) DeletePasskey(account string, credential []byte) error {
	res, err := tx.exec(`DELETE FROM passkey WHERE account = ? AND credential = ?`, account, credential)
	return changedOne("delete passkey", res, err)
}

// TOTP is an account's secret of one-time codes.
type TOTP struct {
	Account   string
	Secret    []byte // sealed
	LastStep  int64  // no code of this step or before is good again
	CreatedMS int64
	UsedMS    int64 // 0 = never
}

// TOTP reads an account's secret; ErrNotFound.
func (r Reader) TOTP(account string) (t TOTP, err error) {
	var used sql.NullInt64
	err = r.row(`SELECT account, secret, last_step, created_ms, used_ms FROM totp WHERE account = ?`, account).
		Scan(&t.Account, &t.Secret, &t.LastStep, &t.CreatedMS, &used)
	t.UsedMS = used.Int64
	return t, found(err)
}

// SetTOTP stores a secret in place of the one there was.
func (tx *Tx) SetTOTP(t TOTP) error {
	_, err := tx.exec(`INSERT OR REPLACE INTO totp (account, secret, last_step, created_ms, used_ms) VALUES (?, ?, ?, ?, ?)`,
		t.Account, t.Secret, t.LastStep, t.CreatedMS, null(t.UsedMS))
	if err != nil {
		return fmt.Errorf("set one-time codes: %w", err)
	}
	return nil
}

// UseTOTP moves the newest used step on; ErrUsed when it is not newer: of two that come with one code at the same
// time only one gets in.
func (tx *Tx) UseTOTP(account string, step, nowMS int64) error {
	res, err := tx.exec(`UPDATE totp SET last_step = ?, used_ms = ? WHERE account = ? AND last_step < ?`, step, nowMS, account, step)
	if err = changedOne("use one-time code", res, err); errors.Is(err, ErrNotFound) {
		return fmt.Errorf("use one-time code: %w", ErrUsed)
	}
	return err
}

// DeleteTOTP removes an account's secret; ErrNotFound.
func (tx *Tx) DeleteTOTP(account string) error {
	res, err := tx.exec(`DELETE FROM totp WHERE account = ?`, account)
	return changedOne("delete one-time codes", res, err)
}

// RecoveryCodesLeft counts an account's unused recovery codes.
func (r Reader) RecoveryCodesLeft(account string) (n int, err error) {
	err = r.row(`SELECT count(*) FROM recovery_code WHERE account = ? AND used_ms IS NULL`, account).Scan(&n)
	return n, err
}

// SetRecoveryCodes replaces all codes of an account.
func (tx *Tx) SetRecoveryCodes(account string, hashes [][32]byte) error {
	if _, err := tx.exec(`DELETE FROM recovery_code WHERE account = ?`, account); err != nil {
		return fmt.Errorf("set recovery codes: %w", err)
	}
	for _, h := range hashes {
		if _, err := tx.exec(`INSERT INTO recovery_code (account, hash) VALUES (?, ?)`, account, bytes.Clone(h[:])); err != nil {
			return fmt.Errorf("set recovery codes: %w", unique(err))
		}
	}
	return nil
}

// UseRecoveryCode uses up a code; ErrNotFound when there is none, or it was used.
func (tx *Tx) UseRecoveryCode(account string, hash [32]byte, nowMS int64) error {
	res, err := tx.exec(`UPDATE recovery_code SET used_ms = ? WHERE account = ? AND hash = ? AND used_ms IS NULL`, nowMS, account, hash[:])
	return changedOne("use recovery code", res, err)
}

// DeleteFactors removes all second factors of an account.
func (tx *Tx) DeleteFactors(account string) error {
	var errs []error
	for _, table := range []string{"passkey", "totp", "recovery_code"} {
		_, err := tx.exec(`DELETE FROM `+table+` WHERE account = ?`, account)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// ExternalAccount finds the account of somebody known elsewhere; ErrNotFound.
func (r Reader) ExternalAccount(issuer, subject string) (account string, err error) {
	err = r.row(`SELECT account FROM external_identity WHERE issuer = ? AND subject = ?`, issuer, subject).Scan(&account)
	return account, found(err)
}

// ExternalIdentities lists who an account is elsewhere: the issuer and its number of the account.
func (r Reader) ExternalIdentities(account string) (out [][2]string, err error) {
	rows, err := r.query(`SELECT issuer, subject FROM external_identity WHERE account = ? ORDER BY issuer, subject`, account)
	if err != nil {
		return nil, fmt.Errorf("read identities: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var x [2]string
		if err := rows.Scan(&x[0], &x[1]); err != nil {
			return nil, fmt.Errorf("read identities: %w", err)
		}
		out = append(out, x)
	}
	return out, rows.Err()
}

// LinkExternal remembers who an account is elsewhere; ErrExists when either is linked already.
func (tx *Tx) LinkExternal(issuer, subject, account string, nowMS int64) error {
	_, err := tx.exec(`INSERT INTO external_identity (issuer, subject, account, linked_ms) VALUES (?, ?, ?, ?)`, issuer, subject, account, nowMS)
	if err != nil {
		return fmt.Errorf("link identity: %w", unique(err))
	}
	return nil
}

// UnlinkExternal forgets who an account is elsewhere; none is no error.
func (tx *Tx) UnlinkExternal(account string) error {
	_, err := tx.exec(`DELETE FROM external_identity WHERE account = ?`, account)
	return err
}
