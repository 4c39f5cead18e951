package store

import (
	"fmt"
	"time"
)

// Setting reads a setting; ErrNotFound when it was never set.
func (r Reader) Setting(key string) (value string, err error) {
	err = r.row(`SELECT value FROM setting WHERE key = ?`, key).Scan(&value)
	return value, found(err)
}

// SetSetting sets a setting.
func (tx *Tx) SetSetting(key, value string) error {
	_, err := tx.exec(`INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, value)
	if err != nil {
		return fmt.Errorf("set %s: %w", key, err)
	}
	return nil
}

// DropSettings forgets the settings whose keys begin so.
func (tx *Tx) DropSettings(prefix string) error {
	if _, err := tx.exec(`DELETE FROM setting WHERE substr(key, 1, length(?1)) = ?1`, prefix); err != nil {
		return fmt.Errorf("drop settings %s: %w", prefix, err)
	}
	return nil
}

// InsertSetupCode stores the hash of a set-up code.
func (tx *Tx) InsertSetupCode(hash [32]byte, expires time.Time) error {
	if _, err := tx.exec(`INSERT INTO setup_code (hash, expires_ms) VALUES (?, ?)`, hash[:], expires.UnixMilli()); err != nil {
		return fmt.Errorf("insert set-up code: %w", unique(err))
	}
	return nil
}

// EndSetupCodes ends every unused set-up code: the one that a restart prints is the only one.
func (tx *Tx) EndSetupCodes() error {
	if _, err := tx.exec(`DELETE FROM setup_code WHERE used_ms IS NULL`); err != nil {
		return fmt.Errorf("end set-up codes: %w", err)
	}
	return nil
}

// UseSetupCode uses up an unused code that has not expired at now; ErrNotFound when there is none
// with this hash.
func (tx *Tx) UseSetupCode(hash [32]byte, now time.Time) error {
	res, err := tx.exec(`UPDATE setup_code SET used_ms = ? WHERE hash = ? AND used_ms IS NULL AND expires_ms > ?`, now.UnixMilli(), hash[:], now.UnixMilli())
	return changedOne("use set-up code", res, err)
}
