package store

import "fmt"

// OwnRight is a grant, group or card that its holder gave themselves.
type OwnRight struct{ Noun, ID string } // grant, group or card; its id in the directory

// MarkOwn notes that an account of the person wrote, proposed or agreed to it.
func (tx *Tx) MarkOwn(person string, x OwnRight) error {
	if _, err := tx.exec(`INSERT INTO own_right (person, noun, id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, person, x.Noun, x.ID); err != nil {
		return fmt.Errorf("note own right: %w", err)
	}
	return nil
}

// OwnRights lists what a person gave themselves, ever.
func (r Reader) OwnRights(person string) (out []OwnRight, err error) {
	rows, err := r.query(`SELECT noun, id FROM own_right WHERE person = ? ORDER BY noun, id`, person)
	if err != nil {
		return nil, fmt.Errorf("own rights: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var x OwnRight
		if err := rows.Scan(&x.Noun, &x.ID); err != nil {
			return nil, fmt.Errorf("own rights: %w", err)
		}
		out = append(out, x)
	}
	return out, rows.Err()
}
