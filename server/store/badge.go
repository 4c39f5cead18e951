package store

import (
	"database/sql"
	"fmt"

	"monban/firmware/card"
	"monban/server/visit"
)

const badgeColumns = `id, label, kind, look, card_ref, key_version, masked, format, assurance, status, pin_ref`

func scanBadge(scan func(...any) error) (b visit.Badge, err error) {
	var ref, pin []byte
	var assurance string
	if err = scan(&b.ID, &b.Label, &b.Kind, &b.Look, &ref, &b.KeyVersion, &b.Masked, &b.Format, &assurance, &b.Status, &pin); err != nil {
		return b, found(err)
	}
	copy(b.Ref[:], ref) // lengths are CHECKed by the schema
	copy(b.PIN[:], pin)
	if b.HasCard() {
		if b.Assurance, err = card.ParseAssurance(assurance); err != nil {
			return b, fmt.Errorf("badge %s: %w", b.ID, err)
		}
	}
	return b, nil
}

// Badge reads one badge by its inventory number; ErrNotFound.
func (r Reader) Badge(id string) (visit.Badge, error) {
	return scanBadge(r.row(`SELECT `+badgeColumns+` FROM badge WHERE id = ?`, id).Scan)
}

// BadgeByRef reads the badge with a card; ErrNotFound.
func (r Reader) BadgeByRef(ref card.Ref) (visit.Badge, error) {
	return scanBadge(r.row(`SELECT `+badgeColumns+` FROM badge WHERE card_ref = ?`, ref[:]).Scan)
}

// Badges lists the inventory of badges by number.
func (r Reader) Badges() (out []visit.Badge, err error) {
	err = r.each(`SELECT `+badgeColumns+` FROM badge ORDER BY id`, func(rows *sql.Rows) error {
		b, err := scanBadge(rows.Scan)
		if err != nil {
			return fmt.Errorf("read badges: %w", err)
		}
		out = append(out, b)
		return nil
	})
	return out, err
}

// PutBadge adds a badge to the inventory or changes it; ErrExists when label or card are another badge's. The action leaf is the
// caller's.
func (tx *Tx) PutBadge(b visit.Badge) error {
	const q = `INSERT INTO badge (` + badgeColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET label = excluded.label, kind = excluded.kind, look = excluded.look, card_ref = excluded.card_ref,
			key_version = excluded.key_version, masked = excluded.masked, format = excluded.format, assurance = excluded.assurance,
			status = excluded.status, pin_ref = excluded.pin_ref`
	var ref any
	assurance := ""
	if b.HasCard() {
		ref, assurance = b.Ref[:], b.Assurance.String()
	}
	_, err := tx.exec(q, b.ID, b.Label, string(b.Kind), b.Look, ref, b.KeyVersion, b.Masked, b.Format, assurance, string(b.Status), nullRef(b.PIN))
	if err != nil {
		return fmt.Errorf("put badge %s: %w", b.ID, unique(err))
	}
	return nil
}
