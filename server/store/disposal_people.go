package store

import (
	"errors"
	"fmt"
	"slices"

	"monban/firmware/calendar"
	"monban/server/entrylog"
)

// classDirectory is retention.ClassDirectory.
const classDirectory entrylog.Class = "directory"

// goneExpr is the last day of a person: of the person, the contracts, grants and cards.
const goneExpr = `max(p.valid_until, p.contract_until,
	coalesce((SELECT max(valid_until) FROM grant_row WHERE person = p.id), ''), coalesce((SELECT max(valid_until) FROM credential WHERE person = p.id), ''),
	coalesce((SELECT max(c.valid_until) FROM contract_worker w JOIN contract c ON c.id = w.contract WHERE w.person = p.id), ''))`

// goneQuery lists people who have left, and when: who is not active, and whom no account that may sign in is of. Not active is also who is only suspended,
// and an empty day means "until further notice": who has no last day, or anything that has none and can come back, has not left. A card that is lost does not
// come back by itself: it holds nobody for ever.
const goneQuery = `SELECT p.id, ` + goneExpr + ` AS gone FROM person p WHERE p.active = 0 AND p.valid_until <> '' AND (p.contract_from = '' OR p.contract_until <> '')
	AND NOT EXISTS (SELECT 1 FROM credential c WHERE c.person = p.id AND c.valid_until = '' AND c.status NOT IN ('revoked', 'lost'))
	AND NOT EXISTS (SELECT 1 FROM grant_row g WHERE g.person = p.id AND g.valid_until = '')
	AND NOT EXISTS (SELECT 1 FROM contract_worker w JOIN contract c ON c.id = w.contract WHERE w.person = p.id AND c.valid_until = '')
	AND NOT EXISTS (SELECT 1 FROM account a WHERE a.person = p.id AND a.suspended = 0) ORDER BY gone, p.id`

// Gone lists the people who have left the directory by the fiscal year of their last day. Of whom nothing says the day, nobody can say when the time
// of keeping began: they are not among them.
func (r Reader) Gone() (map[int][]string, error) {
	rows, err := r.query(goneQuery)
	if err != nil {
		return nil, fmt.Errorf("read people who left: %w", err)
	}
	defer rows.Close()
	out := map[int][]string{}
	for rows.Next() {
		var id, last string
		if err := rows.Scan(&id, &last); err != nil {
			return nil, fmt.Errorf("read people who left: %w", err)
		}
		d, err := calendar.ParseDate(last)
		if err != nil {
			continue
		}
		out[int(d.FiscalYear())] = append(out[int(d.FiscalYear())], id)
	}
	return out, rows.Err()
}

// NotePeople notes who had left when a run of the directory is asked for, and gives how many.
func (tx *Tx) NotePeople(id string, year int) (int64, error) {
	gone, err := tx.Gone()
	if err != nil {
		return 0, err
	}
	for _, person := range append([]string{""}, gone[year]...) {
		if _, err := tx.exec(`INSERT INTO disposal_person (run, person) VALUES (?, ?)`, id, person); err != nil {
			return 0, fmt.Errorf("disposal run %s: %w", id, err)
		}
	}
	return int64(len(gone[year])), nil
}

// ForgetPeople takes the note of NotePeople away: the run is not to be, or is through.
func (tx *Tx) ForgetPeople(id string) error {
	_, err := tx.exec(`DELETE FROM disposal_person WHERE run = ? AND person <> ''`, id)
	return err
}

// noted lists who was noted for a run; ok is false when nobody noted anything.
func (r Reader) noted(id string) (people []string, ok bool, err error) {
	rows, err := r.query(`SELECT person FROM disposal_person WHERE run = ?`, id)
	if err != nil {
		return nil, false, fmt.Errorf("disposal run %s: %w", id, err)
	}
	defer rows.Close()
	for rows.Next() {
		var person string
		if err := rows.Scan(&person); err != nil {
			return nil, false, err
		}
		if ok = true; person != "" {
			people = append(people, person)
		}
	}
	return people, ok, rows.Err()
}

// Leaving lists whom a run of the directory takes: people whose last day was in its fiscal year, and of those only who had left already when it was asked for.
// Of a run that was through before a restore nobody is noted; StartDisposal lets no other one begin.
func (r Reader) Leaving(id string, year int) (people []string, err error) {
	gone, err := r.Gone()
	if err != nil {
		return nil, err
	}
	noted, ok, err := r.noted(id)
	if err != nil {
		return nil, err
	}
	for _, person := range gone[year] {
		if !ok || slices.Contains(noted, person) {
			people = append(people, person)
		}
	}
	return people, nil
}

// People lists everybody in the directory.
func (r Reader) People() (out []string, err error) {
	rows, err := r.query(`SELECT id FROM person ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("read people: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, rows.Err()
}

// dropRequests deletes what was asked for accounts and decided in the year of a run of class action: why it was asked is in clear beside the log.
func (tx *Tx) dropRequests(d *DisposalRun) error {
	if d.Class != entrylog.ClassAction {
		return nil
	}
	rows, err := tx.query(`SELECT id, coalesce(decided_ms, 0) FROM account_request WHERE state <> 'asked'`)
	if err != nil {
		return fmt.Errorf("disposal run %s: requests for accounts: %w", d.ID, err)
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		var at int64
		if err := rows.Scan(&id, &at); err != nil {
			return err
		}
		if entrylog.FiscalYear(at, tx.s.opt.Zone) == d.Year {
			ids = append(ids, id)
		}
	}
	if err := rows.Err(); err != nil || len(ids) == 0 {
		return err
	}
	for _, id := range ids {
		if _, err := tx.exec(`DELETE FROM account_request WHERE id = ?`, id); err != nil {
			return fmt.Errorf("disposal run %s: requests for accounts: %w", d.ID, err)
		}
		d.Rows++
	}
	return tx.PutDisposalRun(*d)
}

// Noted reports whether the database knows who had left when a run was asked for, or that the run took its people. One that was restored from before knows neither.
func (r Reader) Noted(id string) (bool, error) {
	_, ok, err := r.noted(id)
	return ok, err
}

// DropPeople deletes people for a run of the directory that has begun, with all that the directory says of them.
func (tx *Tx) DropPeople(id string, people []string) error {
	d, err := tx.DisposalRun(id)
	if err != nil {
		return fmt.Errorf("disposal run %s: %w", id, err)
	}
	if d.State != RunStarted {
		return fmt.Errorf("disposal run %s: has not begun", id)
	}
	// Who came back while the run was being carried out stays. A database that was restored from before the run knows nobody who was noted: there all that the
	// key store's list names go.
	if _, known, err := tx.noted(id); err != nil {
		return err
	} else if known {
		left, err := tx.Leaving(id, d.Year)
		if err != nil {
			return err
		}
		people = slices.DeleteFunc(slices.Clone(people), func(p string) bool { return !slices.Contains(left, p) })
	}
	for _, person := range people {
		for _, q := range []string{
			`DELETE FROM group_member WHERE person = ?`, `DELETE FROM contract_worker WHERE person = ?`, `DELETE FROM biometric_enrolment WHERE person = ?`,
			`DELETE FROM recertification_answer WHERE person = ?`, `DELETE FROM transfer WHERE person = ?`, `DELETE FROM own_right WHERE person = ?`,
			`DELETE FROM exception_measure WHERE subject = 'person' AND subject_id = ?`,
			`DELETE FROM pin_count WHERE card_ref IN (SELECT card_ref FROM credential WHERE person = ?)`,
			`DELETE FROM grant_row WHERE person = ?`, `DELETE FROM credential WHERE person = ?`,
			`DELETE FROM external_identity WHERE account IN (SELECT id FROM account WHERE person = ?)`, `DELETE FROM passkey WHERE account IN (SELECT id FROM account WHERE person = ?)`,
			`DELETE FROM totp WHERE account IN (SELECT id FROM account WHERE person = ?)`, `DELETE FROM recovery_code WHERE account IN (SELECT id FROM account WHERE person = ?)`,
			`UPDATE account_request SET person = '', why = '' WHERE account IN (SELECT id FROM account WHERE person = ?1) OR person = ?1`,
			`UPDATE account SET person = '', full_name = '', suspended_why = '', login = 'gone-' || id WHERE person = ?`, `DELETE FROM person WHERE id = ?`,
		} {
			res, err := tx.exec(q, person)
			if err != nil {
				return fmt.Errorf("disposal run %s: %w", id, err)
			}
			n, err := res.RowsAffected()
			if err != nil {
				return err
			}
			d.Rows += n
		}
	}
	if _, err := tx.exec(`INSERT INTO disposal_person (run, person) VALUES (?, '') ON CONFLICT DO NOTHING`, id); err != nil { // taken: who is registered anew stays
		return fmt.Errorf("disposal run %s: %w", id, err)
	}
	return errors.Join(tx.ForgetPeople(id), tx.PutDisposalRun(d))
}
