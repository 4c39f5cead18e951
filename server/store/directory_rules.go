package store

import (
	"database/sql"
	"fmt"

	"monban/server/directory"
)

func (r Reader) groups(s *directory.Snapshot) error {
	return r.each(`SELECT id, name, name_en, section FROM person_group ORDER BY id`, func(rows *sql.Rows) error {
		var g directory.Group
		if err := rows.Scan(&g.ID, &g.Name, &g.NameEN, &g.Section); err != nil {
			return fmt.Errorf("group: %w", err)
		}
		s.Groups = append(s.Groups, g)
		return nil
	})
}

// groupMembers fills in the members of the groups, which are loaded before.
func (r Reader) groupMembers(s *directory.Snapshot) error {
	at := make(map[directory.GroupID]*directory.Group, len(s.Groups))
	for i := range s.Groups {
		at[s.Groups[i].ID] = &s.Groups[i]
	}
	return r.each(`SELECT grp, person FROM group_member ORDER BY grp, person`, func(rows *sql.Rows) error {
		var id directory.GroupID
		var p directory.PersonID
		if err := rows.Scan(&id, &p); err != nil || at[id] == nil {
			return fmt.Errorf("member of group %s: %w", id, orNotFound(err))
		}
		at[id].Members = append(at[id].Members, p)
		return nil
	})
}

// orNotFound is err, or ErrNotFound when there is none.
func orNotFound(err error) error {
	if err == nil {
		return ErrNotFound
	}
	return err
}

func (r Reader) contracts(s *directory.Snapshot) error {
	const q = `SELECT id, name, company, section, valid_from, valid_until, tier, approval FROM contract ORDER BY id`
	return r.each(q, func(rows *sql.Rows) error {
		var c directory.Contract
		var d dates
		err := rows.Scan(&c.ID, &c.Name, &c.Company, &c.Section, d.into(&c.ValidFrom), d.into(&c.ValidUntil), &c.Tier, &c.Approval)
		if err = d.parse(err); err != nil {
			return fmt.Errorf("contract %s: %w", c.ID, err)
		}
		s.Contracts = append(s.Contracts, c)
		return nil
	})
}

// contractWorkers fills in the workers of the contracts, which are loaded before.
func (r Reader) contractWorkers(s *directory.Snapshot) error {
	at := make(map[directory.ContractID]*directory.Contract, len(s.Contracts))
	for i := range s.Contracts {
		at[s.Contracts[i].ID] = &s.Contracts[i]
	}
	return r.each(`SELECT contract, person FROM contract_worker ORDER BY contract, person`, func(rows *sql.Rows) error {
		var id directory.ContractID
		var p directory.PersonID
		if err := rows.Scan(&id, &p); err != nil || at[id] == nil {
			return fmt.Errorf("worker of contract %s: %w", id, orNotFound(err))
		}
		at[id].Workers = append(at[id].Workers, p)
		return nil
	})
}

func (r Reader) exceptions(s *directory.Snapshot) error {
	const q = `SELECT id, subject, subject_id, what, reason, approver, valid_from, valid_until, review, basis FROM exception_measure ORDER BY id`
	return r.each(q, func(rows *sql.Rows) error {
		var x directory.Exception
		var d dates
		err := rows.Scan(&x.ID, &x.Subject, &x.SubjectID, &x.What, &x.Reason, &x.Approver, d.into(&x.From), d.into(&x.Until), d.into(&x.Review), &x.Basis)
		if err = d.parse(err); err != nil {
			return fmt.Errorf("exception %s: %w", x.ID, err)
		}
		s.Exceptions = append(s.Exceptions, x)
		return nil
	})
}

func (r Reader) conditions(s *directory.Snapshot) error {
	return r.each(`SELECT version, text, text_en, valid_from FROM entry_conditions ORDER BY version`, func(rows *sql.Rows) error {
		var c directory.Conditions
		var d dates
		err := rows.Scan(&c.Version, &c.Text, &c.TextEN, d.into(&c.From))
		if err = d.parse(err); err != nil {
			return fmt.Errorf("entry conditions %d: %w", c.Version, err)
		}
		s.Conditions = append(s.Conditions, c)
		return nil
	})
}

func (r Reader) items(s *directory.Snapshot) error {
	const q = `SELECT id, kind, name, refers, doors, place, owner, every_days, state, counted_on, proof, remote, approval FROM inventory_item ORDER BY id`
	return r.each(q, func(rows *sql.Rows) error {
		var x directory.Item
		var d dates
		err := rows.Scan(&x.ID, &x.Kind, &x.Name, &x.Refers, &x.Doors, &x.Place, &x.Owner, &x.Every, &x.State, d.into(&x.Counted), &x.Proof, &x.Remote, &x.Approval)
		if err = d.parse(err); err != nil {
			return fmt.Errorf("item %s: %w", x.ID, err)
		}
		s.Items = append(s.Items, x)
		return nil
	})
}

func (r Reader) enrolments(s *directory.Snapshot) error {
	const q = `SELECT person, reader, reference, consent_on, fallback, deleted_on FROM biometric_enrolment ORDER BY person, reader`
	return r.each(q, func(rows *sql.Rows) error {
		var e directory.Enrolment
		var d dates
		err := rows.Scan(&e.Person, &e.Reader, &e.Reference, d.into(&e.Consent), &e.Fallback, d.into(&e.Deleted))
		if err = d.parse(err); err != nil {
			return fmt.Errorf("biometric enrolment of %s: %w", e.Person, err)
		}
		s.Enrolments = append(s.Enrolments, e)
		return nil
	})
}

func (r Reader) rounds(s *directory.Snapshot) error {
	return r.each(`SELECT id, zone, opened_on, due_on, closed_on FROM recertification ORDER BY id`, func(rows *sql.Rows) error {
		var x directory.Round
		var d dates
		err := rows.Scan(&x.ID, &x.Zone, d.into(&x.Opened), d.into(&x.Due), d.into(&x.Closed))
		if err = d.parse(err); err != nil {
			return fmt.Errorf("recertification %s: %w", x.ID, err)
		}
		s.Rounds = append(s.Rounds, x)
		return nil
	})
}

// answers fills in the answers of the rounds, which are loaded before.
func (r Reader) answers(s *directory.Snapshot) error {
	at := make(map[directory.RoundID]*directory.Round, len(s.Rounds))
	for i := range s.Rounds {
		at[s.Rounds[i].ID] = &s.Rounds[i]
	}
	return r.each(`SELECT round, person, answer, day FROM recertification_answer ORDER BY round, person`, func(rows *sql.Rows) error {
		var id directory.RoundID
		var a directory.Answer
		var d dates
		err := rows.Scan(&id, &a.Person, &a.Word, d.into(&a.Day))
		if err = d.parse(err); err != nil || at[id] == nil {
			return fmt.Errorf("answer of recertification %s: %w", id, orNotFound(err))
		}
		at[id].Answers = append(at[id].Answers, a)
		return nil
	})
}

// changeRules is ChangeDirectory for what zone rules need.
func (tx *Tx) changeRules(c directory.Change) error {
	switch {
	case c.Group != nil:
		g := c.Group
		return tx.putList(g.ID, g.Members, `INSERT INTO person_group (id, name, name_en, section) VALUES (?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET name = excluded.name, name_en = excluded.name_en, section = excluded.section`,
			[]any{g.ID, g.Name, g.NameEN, g.Section},
			`DELETE FROM group_member WHERE grp = ?`, `INSERT INTO group_member (grp, person) VALUES (?, ?)`)
	case c.Contract != nil:
		x := c.Contract
		return tx.putList(x.ID, x.Workers, `INSERT INTO contract (id, name, company, section, valid_from, valid_until, tier, approval)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET name = excluded.name, company = excluded.company, section = excluded.section,
				valid_from = excluded.valid_from, valid_until = excluded.valid_until, tier = excluded.tier, approval = excluded.approval`,
			[]any{x.ID, x.Name, x.Company, x.Section, x.ValidFrom.String(), x.ValidUntil.String(), x.Tier, x.Approval},
			`DELETE FROM contract_worker WHERE contract = ?`, `INSERT INTO contract_worker (contract, person) VALUES (?, ?)`)
	case c.Exception != nil:
		x := c.Exception
		return tx.put(`INSERT INTO exception_measure (id, subject, subject_id, what, reason, approver, valid_from, valid_until, review, basis)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET subject = excluded.subject, subject_id = excluded.subject_id, what = excluded.what,
				reason = excluded.reason, approver = excluded.approver, valid_from = excluded.valid_from,
				valid_until = excluded.valid_until, review = excluded.review, basis = excluded.basis`,
			x.ID, x.Subject, x.SubjectID, x.What, x.Reason, x.Approver, x.From.String(), x.Until.String(), x.Review.String(), x.Basis)
	case c.Conditions != nil:
		x := c.Conditions
		return tx.put(`INSERT INTO entry_conditions (version, text, text_en, valid_from) VALUES (?, ?, ?, ?)
			ON CONFLICT (version) DO UPDATE SET text = excluded.text, text_en = excluded.text_en, valid_from = excluded.valid_from`,
			x.Version, x.Text, x.TextEN, x.From.String())
	case c.Item != nil:
		x := c.Item
		return tx.put(`INSERT INTO inventory_item (id, kind, name, refers, doors, place, owner, every_days, state, counted_on, proof, remote, approval)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, name = excluded.name, refers = excluded.refers, doors = excluded.doors,
				place = excluded.place, owner = excluded.owner, every_days = excluded.every_days, state = excluded.state,
				counted_on = excluded.counted_on, proof = excluded.proof, remote = excluded.remote, approval = excluded.approval`,
			x.ID, x.Kind, x.Name, x.Refers, x.Doors, x.Place, x.Owner, x.Every, x.State, x.Counted.String(), x.Proof, x.Remote, x.Approval)
	case c.Enrolment != nil:
		x := c.Enrolment
		return tx.put(`INSERT INTO biometric_enrolment (person, reader, reference, consent_on, fallback, deleted_on) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (person, reader) DO UPDATE SET reference = excluded.reference, consent_on = excluded.consent_on,
				fallback = excluded.fallback, deleted_on = excluded.deleted_on`,
			x.Person, x.Reader, x.Reference, x.Consent.String(), x.Fallback, x.Deleted.String())
	case c.Round != nil:
		return tx.putRound(c.Round)
	case c.Transfer != nil:
		x := c.Transfer
		return tx.put(`INSERT INTO transfer (person, day, section, leave, overlap, joins) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (person) DO UPDATE SET day = excluded.day, section = excluded.section, leave = excluded.leave, overlap = excluded.overlap,
				joins = excluded.joins`,
			x.Person, x.Day.String(), x.Section, x.Leave, x.Overlap, x.Joins)
	}
	return fmt.Errorf("BUG: change of nothing")
}

// putList writes a row and, in place of those it had, the people on its list.
func (tx *Tx) putList(id any, people []directory.PersonID, row string, args []any, clear, add string) error {
	if err := tx.put(row, args...); err != nil {
		return err
	}
	if err := tx.put(clear, id); err != nil {
		return err
	}
	for _, p := range people {
		if err := tx.put(add, id, p); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) putRound(x *directory.Round) error {
	const q = `INSERT INTO recertification (id, zone, opened_on, due_on, closed_on) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET zone = excluded.zone, opened_on = excluded.opened_on, due_on = excluded.due_on, closed_on = excluded.closed_on`
	if err := tx.put(q, x.ID, x.Zone, x.Opened.String(), x.Due.String(), x.Closed.String()); err != nil {
		return err
	}
	if err := tx.put(`DELETE FROM recertification_answer WHERE round = ?`, x.ID); err != nil {
		return err
	}
	for _, a := range x.Answers {
		if err := tx.put(`INSERT INTO recertification_answer (round, person, answer, day) VALUES (?, ?, ?, ?)`, x.ID, a.Person, a.Word, a.Day.String()); err != nil {
			return err
		}
	}
	return nil
}

// removeRules is removeDirectory for what zone rules need.
func (tx *Tx) removeRules(c directory.Change) error {
	var first, then string
	args := []any{c.ID()}
	switch {
	case c.Group != nil:
		first, then = `DELETE FROM group_member WHERE grp = ?`, `DELETE FROM person_group WHERE id = ?`
	case c.Contract != nil:
		first, then = `DELETE FROM contract_worker WHERE contract = ?`, `DELETE FROM contract WHERE id = ?`
	case c.Exception != nil:
		then = `DELETE FROM exception_measure WHERE id = ?`
	case c.Conditions != nil:
		then, args = `DELETE FROM entry_conditions WHERE version = ?`, []any{c.Conditions.Version}
	case c.Item != nil:
		then = `DELETE FROM inventory_item WHERE id = ?`
	case c.Enrolment != nil:
		then, args = `DELETE FROM biometric_enrolment WHERE person = ? AND reader = ?`, []any{c.Enrolment.Person, c.Enrolment.Reader}
	case c.Round != nil:
		first, then = `DELETE FROM recertification_answer WHERE round = ?`, `DELETE FROM recertification WHERE id = ?`
	case c.Transfer != nil:
		then = `DELETE FROM transfer WHERE person = ?`
	default:
		return fmt.Errorf("BUG: removal of nothing")
	}
	if first != "" {
		if err := tx.put(first, args...); err != nil {
			return err
		}
	}
	return tx.put(then, args...)
}
