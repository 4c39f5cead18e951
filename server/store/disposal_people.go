package store

import (
	"fmt"

	"monban/firmware/calendar"
)

// goneExpr is the last day of a person, ” when nothing says one: of the person, the contract, grants and cards.
const goneExpr = `max(p.valid_until, p.contract_until,
	coalesce((SELECT max(valid_until) FROM grant_row WHERE person = p.id), ''), coalesce((SELECT max(valid_until) FROM credential WHERE person = p.id), ''))`

// goneQuery lists people who have left, and when: who is not active, and whom no account that may sign in is of.
const goneQuery = `SELECT p.id, ` + goneExpr + ` AS gone FROM person p WHERE p.active = 0
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

// DropPeople deletes the people whose last day was in the run's fiscal year, with all that the directory says of them.
func (tx *Tx) DropPeople(id string) error {
	d, err := tx.DisposalRun(id)
	if err != nil {
		return fmt.Errorf("disposal run %s: %w", id, err)
	}
	if d.State != RunStarted {
		return fmt.Errorf("disposal run %s: has not begun", id)
	}
	gone, err := tx.Gone()
	if err != nil {
		return err
	}
	for _, person := range gone[d.Year] {
		for _, q := range []string{
			`DELETE FROM group_member WHERE person = ?`, `DELETE FROM contract_worker WHERE person = ?`, `DELETE FROM biometric_enrolment WHERE person = ?`,
			`DELETE FROM recertification_answer WHERE person = ?`, `DELETE FROM transfer WHERE person = ?`, `DELETE FROM own_right WHERE person = ?`,
			`DELETE FROM exception_measure WHERE subject = 'person' AND subject_id = ?`,
			`DELETE FROM pin_count WHERE card_ref IN (SELECT card_ref FROM credential WHERE person = ?)`,
			`DELETE FROM grant_row WHERE person = ?`, `DELETE FROM credential WHERE person = ?`, `UPDATE account SET person = '', full_name = '', login = 'gone-' || id WHERE person = ?`, `DELETE FROM person WHERE id = ?`,
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
	return tx.PutDisposalRun(d)
}
