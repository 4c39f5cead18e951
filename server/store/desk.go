package store

import "fmt"

// Desk is a reader on a desk, at which people sign in to the pages (RA-3).
type Desk struct {
	ID        string
	Gateway   string
	Name      string
	CreatedMS int64
}

// DeskBrowser is a browser beside a desk reader. Its token is nowhere, only the hash.
type DeskBrowser struct {
	Hash      [32]byte
	Desk      string
	Name      string
	BoundBy   string // account
	CreatedMS int64
}

// Desks lists all desk readers by id.
func (r Reader) Desks() (out []Desk, err error) {
	rows, err := r.query(`SELECT id, gateway, name, created_ms FROM desk ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("read desks: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var d Desk
		if err := rows.Scan(&d.ID, &d.Gateway, &d.Name, &d.CreatedMS); err != nil {
			return nil, fmt.Errorf("read desks: %w", err)
		}
		out = append(out, d)
	}
	return out, rows.Err()
}

// DeskBrowsers lists all bound browsers, by desk and age.
func (r Reader) DeskBrowsers() (out []DeskBrowser, err error) {
	rows, err := r.query(`SELECT hash, desk, name, bound_by, created_ms FROM desk_browser ORDER BY desk, created_ms, hash`)
	if err != nil {
		return nil, fmt.Errorf("read browsers of desks: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var b DeskBrowser
		var hash []byte
		if err := rows.Scan(&hash, &b.Desk, &b.Name, &b.BoundBy, &b.CreatedMS); err != nil {
			return nil, fmt.Errorf("read browsers of desks: %w", err)
		}
		copy(b.Hash[:], hash) // the length is CHECKed by the schema
		out = append(out, b)
	}
	return out, rows.Err()
}

// InsertDesk stores a new desk; ErrExists.
func (tx *Tx) InsertDesk(d Desk) error {
	if _, err := tx.exec(`INSERT INTO desk (id, gateway, name, created_ms) VALUES (?, ?, ?, ?)`, d.ID, d.Gateway, d.Name, d.CreatedMS); err != nil {
		return fmt.Errorf("insert desk: %w", unique(err))
	}
	return nil
}

// DeleteDesk removes a desk and its browsers; ErrNotFound.
func (tx *Tx) DeleteDesk(id string) error {
	if _, err := tx.exec(`DELETE FROM desk_browser WHERE desk = ?`, id); err != nil {
		return fmt.Errorf("delete browsers of a desk: %w", err)
	}
	res, err := tx.exec(`DELETE FROM desk WHERE id = ?`, id)
	return changedOne("delete desk", res, err)
}

// InsertDeskBrowser binds a browser; ErrNotFound when there is no such desk.
func (tx *Tx) InsertDeskBrowser(b DeskBrowser) error {
	res, err := tx.exec(`INSERT INTO desk_browser (hash, desk, name, bound_by, created_ms) SELECT ?, id, ?, ?, ? FROM desk WHERE id = ?`,
		b.Hash[:], b.Name, b.BoundBy, b.CreatedMS, b.Desk)
	return changedOne("bind browser", res, err)
}

// DeleteDeskBrowser unbinds one; ErrNotFound.
func (tx *Tx) DeleteDeskBrowser(hash [32]byte) error {
	res, err := tx.exec(`DELETE FROM desk_browser WHERE hash = ?`, hash[:])
	return changedOne("unbind browser", res, err)
}
