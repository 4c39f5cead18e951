package store

import (
	"database/sql"
	"errors"
	"fmt"

	"monban/server/entrylog"
)

// PolicyHead gives the newest version of a policy part and the SHA-256 of its bytes; version 0 when
// there is none yet. gateway "" is the site policy.
func (r Reader) PolicyHead(gateway, part string) (version uint64, sum entrylog.Hash, err error) {
	var b []byte
	var v int64
	err = r.row(`SELECT version, sum FROM policy_version WHERE gateway = ? AND part = ? ORDER BY version DESC LIMIT 1`, gateway, part).Scan(&v, &b)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, sum, nil
	}
	if err != nil {
		return 0, sum, fmt.Errorf("read policy head of %q %s: %w", gateway, part, err)
	}
	copy(sum[:], b)
	return uint64(v), sum, nil
}

// PolicyPart reads the bytes of one version of a policy part: what a decision is replayed on (AD-12).
func (r Reader) PolicyPart(gateway, part string, version uint64) ([]byte, error) {
	var b []byte
	err := r.row(`SELECT bytes FROM policy_version WHERE gateway = ? AND part = ? AND version = ?`, gateway, part, int64(version)).Scan(&b)
	return b, found(err)
}

// manifestKey is the setting under which a gateway's manifest in force is kept.
func manifestKey(gateway string) string { return "policy_manifest/" + gateway }

// Manifest reads the unsigned body of the manifest in force for a gateway; nil when there is none.
func (r Reader) Manifest(gateway string) ([]byte, error) {
	var s string
	err := r.row(`SELECT value FROM setting WHERE key = ?`, manifestKey(gateway)).Scan(&s)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read manifest of %q: %w", gateway, err)
	}
	return []byte(s), nil
}

// PutManifest replaces the manifest in force for a gateway.
func (tx *Tx) PutManifest(gateway string, body []byte) error {
	_, err := tx.exec(`INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
		manifestKey(gateway), string(body))
	if err != nil {
		return fmt.Errorf("write manifest of %q: %w", gateway, err)
	}
	return nil
}
