package store

import (
	"database/sql"
	"fmt"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/server/directory"
)

// Directory loads the whole directory: a city has thousands of rows, and a policy is compiled from
// all of them. A row that does not parse is an error, never skipped: half a directory would grant or
// refuse the wrong people.
func (r Reader) Directory() (directory.Snapshot, error) {
	var s directory.Snapshot
	if r.terms != nil {
		s.Terms = *r.terms
	}
	for _, load := range []func(*directory.Snapshot) error{
		r.people, r.credentials, r.zones, r.gateways, r.doors, r.schedules, r.windows, r.datesOfSchedules, r.grants, r.closedDays,
		r.groups, r.groupMembers, r.contracts, r.contractWorkers, r.exceptions, r.conditions, r.items, r.enrolments, r.rounds, r.answers, r.transfers,
	} {
		if err := load(&s); err != nil {
			return directory.Snapshot{}, fmt.Errorf("directory: %w", err)
		}
	}
	return s, nil
}

// each runs scan for every row of a query.
func (r Reader) each(q string, scan func(*sql.Rows) error) error {
	rows, err := r.query(q)
	if err != nil {
		return err
	}
	defer rows.Close() // after Err below there is nothing left to report
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (r Reader) people(s *directory.Snapshot) error {
	const q = `SELECT id, name, name_reduced, kana, romaji, section, company, category, active,
		valid_from, valid_until, contract_from, contract_until, kind, training_until, conditions, may_escort FROM person ORDER BY id`
	return r.each(q, func(rows *sql.Rows) error {
		var p directory.Person
		var d dates
		err := rows.Scan(&p.ID, &p.Name, &p.NameReduced, &p.Kana, &p.Romaji, &p.Section, &p.Company, &p.Category, &p.Active,
			d.into(&p.ValidFrom), d.into(&p.ValidUntil), d.into(&p.ContractFrom), d.into(&p.ContractUntil),
			&p.Kind, d.into(&p.TrainingUntil), &p.Conditions, &p.MayEscort)
		if err = d.parse(err); err != nil {
			return fmt.Errorf("person %s: %w", p.ID, err)
		}
		s.People = append(s.People, p)
		return nil
	})
}

func (r Reader) credentials(s *directory.Snapshot) error {
	const q = `SELECT id, person, card_ref, key_version, masked, format, assurance, status, valid_from, valid_until,
		pin_ref, duress_ref FROM credential ORDER BY id`
	return r.each(q, func(rows *sql.Rows) error {
		var c directory.Credential
		var d dates
		var ref, pin, duress []byte
		var assurance, status string
		err := rows.Scan(&c.ID, &c.Person, &ref, &c.KeyVersion, &c.Masked, &c.Format, &assurance, &status,
			d.into(&c.ValidFrom), d.into(&c.ValidUntil), &pin, &duress)
		if err = d.parse(err); err == nil {
			c.Assurance, err = card.ParseAssurance(assurance)
		}
		if err == nil {
			c.Status, err = access.ParseCredentialStatus(status)
		}
		if err != nil {
			return fmt.Errorf("card %s: %w", c.ID, err)
		}
		copy(c.Ref[:], ref) // lengths are CHECKed by the schema
		copy(c.PIN[:], pin)
		copy(c.Duress[:], duress)
		s.Credentials = append(s.Credentials, c)
		return nil
	})
}

func (r Reader) gateways(s *directory.Snapshot) error {
	return r.each(`SELECT id, name, key_mode FROM gateway ORDER BY id`, func(rows *sql.Rows) error {
		var g directory.Gateway
		if err := rows.Scan(&g.ID, &g.Name, &g.KeyMode); err != nil {
			return fmt.Errorf("gateway: %w", err)
		}
		s.Gateways = append(s.Gateways, g)
		return nil
	})
}

func (r Reader) doors(s *directory.Snapshot) error {
	const q = `SELECT id, name, name_en, gateway, enter_zone, coalesce(exit_zone, ''), kind, sensing, offline, max_age_ms,
		mode, guards_server, recovery, remote_unlock, interlock FROM door ORDER BY id`
	return r.each(q, func(rows *sql.Rows) error {
		var x directory.Door
		var kind, sensing, offline, mode, recovery, remote string
		var maxAgeMS int64
		err := rows.Scan(&x.ID, &x.Name, &x.NameEN, &x.Gateway, &x.Enter, &x.Exit, &kind, &sensing, &offline, &maxAgeMS, &mode,
			&x.GuardsServer, &recovery, &remote, &x.Interlock)
		if err == nil {
			x.Kind, err = directory.ParseDoorKind(kind)
		}
		if err == nil {
			x.Sensing, err = directory.ParseExitSensing(sensing)
		}
		if err == nil {
			x.Offline, err = access.ParseOfflineMode(offline)
		}
		if err == nil {
			x.Mode, err = access.ParseDoorMode(mode)
		}
		if err == nil {
			x.Recovery, err = recoveryCards(recovery)
		}
		if err == nil {
			x.Remote, err = directory.ParseRemoteUnlock(remote)
		}
		if err != nil {
			return fmt.Errorf("door %s: %w", x.ID, err)
		}
		x.MaxAge = time.Duration(maxAgeMS) * time.Millisecond
		s.Doors = append(s.Doors, x)
		return nil
	})
}

// recoveryCards reads what putDoor wrote; an unreadable list is an error, not a door without a way in.
func recoveryCards(text string) (directory.RecoveryCards, error) {
	var ids []directory.CardID
	for id := range strings.FieldsSeq(text) {
		ids = append(ids, directory.CardID(id))
	}
	return directory.MakeRecoveryCards(ids)
}

func (r Reader) schedules(s *directory.Snapshot) error {
	return r.each(`SELECT id, name, name_en, valid_from, valid_until FROM schedule ORDER BY id`, func(rows *sql.Rows) error {
		var x directory.Schedule
		var days dates
		if err := days.parse(rows.Scan(&x.ID, &x.Name, &x.NameEN, days.into(&x.ValidFrom), days.into(&x.ValidUntil))); err != nil {
			return fmt.Errorf("schedule: %w", err)
		}
		s.Schedules = append(s.Schedules, x)
		return nil
	})
}

// datesOfSchedules fills in the dates of the schedules, which are loaded before.
func (r Reader) datesOfSchedules(s *directory.Snapshot) error {
	at := make(map[directory.ScheduleID]*directory.Schedule, len(s.Schedules))
	for i := range s.Schedules {
		at[s.Schedules[i].ID] = &s.Schedules[i]
	}
	const q = `SELECT d.schedule, d.day, w.from_s, w.to_s FROM schedule_date d
		LEFT JOIN schedule_date_window w ON w.schedule = d.schedule AND w.day = d.day ORDER BY d.schedule, d.day, w.n`
	return r.each(q, func(rows *sql.Rows) error {
		var id directory.ScheduleID
		var text string
		var from, to sql.NullInt64
		if err := rows.Scan(&id, &text, &from, &to); err != nil {
			return fmt.Errorf("schedule %s: %w", id, err)
		}
		x := at[id]
		if x == nil {
			return fmt.Errorf("schedule %s: %w", id, ErrNotFound)
		}
		day, err := directory.ParseDate(text)
		if err != nil {
			return fmt.Errorf("schedule %s: %w", id, err)
		}
		if n := len(x.Dates); n == 0 || x.Dates[n-1].Day != day {
			x.Dates = append(x.Dates, directory.DateHours{Day: day})
		}
		if from.Valid {
			h := &x.Dates[len(x.Dates)-1]
			h.Windows = append(h.Windows, directory.Window{From: int(from.Int64), To: int(to.Int64)})
		}
		return nil
	})
}

// windows fills in the windows of the schedules, which are loaded before.
func (r Reader) windows(s *directory.Snapshot) error {
	at := make(map[directory.ScheduleID]*directory.Schedule, len(s.Schedules))
	for i := range s.Schedules {
		at[s.Schedules[i].ID] = &s.Schedules[i]
	}
	const q = `SELECT schedule, days, from_s, to_s FROM schedule_window ORDER BY schedule, n`
	return r.each(q, func(rows *sql.Rows) error {
		var id directory.ScheduleID
		var w directory.Window
		if err := rows.Scan(&id, &w.Days, &w.From, &w.To); err != nil {
			return fmt.Errorf("schedule %s: %w", id, err)
		}
		x := at[id]
		if x == nil {
			return fmt.Errorf("schedule %s: %w", id, ErrNotFound)
		}
		x.Windows = append(x.Windows, w)
		return nil
	})
}

func (r Reader) grants(s *directory.Snapshot) error {
	const q = `SELECT id, coalesce(person, ''), coalesce(grp, ''), zone, schedule, valid_from, valid_until, suspended, basis
		FROM grant_row ORDER BY id`
	return r.each(q, func(rows *sql.Rows) error {
		var g directory.Grant
		var d dates
		err := rows.Scan(&g.ID, &g.Person, &g.Group, &g.Zone, &g.Schedule, d.into(&g.ValidFrom), d.into(&g.ValidUntil), &g.Suspended, &g.Basis)
		if err = d.parse(err); err != nil {
			return fmt.Errorf("grant %s: %w", g.ID, err)
		}
		s.Grants = append(s.Grants, g)
		return nil
	})
}

func (r Reader) closedDays(s *directory.Snapshot) error {
	return r.each(`SELECT day, name FROM closed_day ORDER BY day`, func(rows *sql.Rows) error {
		var c directory.ClosedDay
		var d dates
		err := rows.Scan(d.into(&c.Day), &c.Name)
		if err = d.parse(err); err != nil {
			return fmt.Errorf("closed day: %w", err)
		}
		s.ClosedDays = append(s.ClosedDays, c)
		return nil
	})
}

// dates collects the text of date columns while a row is scanned and parses them afterwards.
type dates struct {
	text [5]string
	to   [5]*directory.Date
	n    int
}

func (d *dates) into(to *directory.Date) *string {
	d.to[d.n] = to
	d.n++
	return &d.text[d.n-1]
}

func (d *dates) parse(err error) error {
	for i := 0; i < d.n && err == nil; i++ {
		if d.text[i] != "" {
			*d.to[i], err = directory.ParseDate(d.text[i])
		}
	}
	return err
}

// ChangeDirectory writes one row of the directory as the change says. The action leaf is the
// caller's: directory.Update writes both.
func (tx *Tx) ChangeDirectory(c directory.Change) error {
	if c.Op == directory.OpRemove {
		return tx.removeDirectory(c)
	}
	switch {
	case c.Person != nil:
		return tx.putPerson(c.Person)
	case c.Credential != nil:
		return tx.putCredential(c.Credential)
	case c.Zone != nil:
		return tx.putZone(c.Zone)
	case c.Gateway != nil:
		return tx.put(`INSERT INTO gateway (id, name, key_mode) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET name = excluded.name,
			key_mode = excluded.key_mode`, c.Gateway.ID, c.Gateway.Name, string(c.Gateway.KeyMode))
	case c.Door != nil:
		return tx.putDoor(c.Door)
	case c.Schedule != nil:
		return tx.putSchedule(c.Schedule)
	case c.Grant != nil:
		return tx.putGrant(c.Grant)
	case c.ClosedDay != nil:
		return tx.put(`INSERT INTO closed_day (day, name) VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET name = excluded.name`,
			c.ClosedDay.Day.String(), c.ClosedDay.Name)
	}
	return tx.changeRules(c)
}

func (tx *Tx) put(q string, args ...any) error {
	_, err := tx.exec(q, args...)
	return err
}

func (tx *Tx) putPerson(p *directory.Person) error {
	const q = `INSERT INTO person (id, name, name_reduced, kana, romaji, section, company, category, active,
			valid_from, valid_until, contract_from, contract_until, kind, training_until, conditions, may_escort)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, name_reduced = excluded.name_reduced, kana = excluded.kana,
			romaji = excluded.romaji, section = excluded.section, company = excluded.company, category = excluded.category,
			active = excluded.active, valid_from = excluded.valid_from, valid_until = excluded.valid_until,
			contract_from = excluded.contract_from, contract_until = excluded.contract_until, kind = excluded.kind,
			training_until = excluded.training_until, conditions = excluded.conditions, may_escort = excluded.may_escort`
	return tx.put(q, p.ID, p.Name, p.NameReduced, p.Kana, p.Romaji, p.Section, p.Company, p.Category, p.Active,
		p.ValidFrom.String(), p.ValidUntil.String(), p.ContractFrom.String(), p.ContractUntil.String(),
		string(p.Kind), p.TrainingUntil.String(), p.Conditions, p.MayEscort)
}

func (tx *Tx) putCredential(c *directory.Credential) error {
	const q = `INSERT INTO credential (id, person, card_ref, key_version, masked, format, assurance, status,
			valid_from, valid_until, pin_ref, duress_ref)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET person = excluded.person, card_ref = excluded.card_ref,
			key_version = excluded.key_version, masked = excluded.masked, format = excluded.format,
			assurance = excluded.assurance, status = excluded.status, valid_from = excluded.valid_from,
			valid_until = excluded.valid_until, pin_ref = excluded.pin_ref, duress_ref = excluded.duress_ref`
	return tx.put(q, c.ID, c.Person, c.Ref[:], c.KeyVersion, c.Masked, c.Format, c.Assurance.String(), c.Status.String(),
		c.ValidFrom.String(), c.ValidUntil.String(), nullRef(c.PIN), nullRef(c.Duress))
}

// nullRef gives nil for "no PIN".
func nullRef(p card.PINRef) any {
	if p == (card.PINRef{}) {
		return nil
	}
	return p[:]
}

func (tx *Tx) putDoor(x *directory.Door) error {
	const q = `INSERT INTO door (id, name, name_en, gateway, enter_zone, exit_zone, kind, sensing, offline, max_age_ms, mode,
			guards_server, recovery, remote_unlock, interlock)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, name_en = excluded.name_en, gateway = excluded.gateway,
			enter_zone = excluded.enter_zone, exit_zone = excluded.exit_zone, kind = excluded.kind,
			sensing = excluded.sensing, offline = excluded.offline, max_age_ms = excluded.max_age_ms, mode = excluded.mode,
			guards_server = excluded.guards_server, recovery = excluded.recovery,
			remote_unlock = excluded.remote_unlock, interlock = excluded.interlock`
	var exit any // NULL = outside every zone
	if x.Exit != "" {
		exit = x.Exit
	}
	return tx.put(q, x.ID, x.Name, x.NameEN, x.Gateway, x.Enter, exit, directory.DoorKindName(x.Kind),
		directory.ExitSensingName(x.Sensing), x.Offline.String(), x.MaxAge.Milliseconds(), x.Mode.String(),
		x.GuardsServer, x.Recovery.String(), x.Remote.String(), x.Interlock)
}

// clearSchedule takes the hours of a schedule away.
func (tx *Tx) clearSchedule(id string) error {
	for _, table := range []string{"schedule_window", "schedule_date_window", "schedule_date"} {
		if err := tx.put(`DELETE FROM `+table+` WHERE schedule = ?`, id); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) putSchedule(s *directory.Schedule) error {
	const q = `INSERT INTO schedule (id, name, name_en, valid_from, valid_until) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, name_en = excluded.name_en, valid_from = excluded.valid_from, valid_until = excluded.valid_until`
	if err := tx.put(q, s.ID, s.Name, s.NameEN, s.ValidFrom.String(), s.ValidUntil.String()); err != nil {
		return err
	}
	if err := tx.clearSchedule(string(s.ID)); err != nil {
		return err
	}
	for _, d := range s.Dates {
		if err := tx.put(`INSERT INTO schedule_date (schedule, day) VALUES (?, ?)`, s.ID, d.Day.String()); err != nil {
			return err
		}
		for n, w := range d.Windows {
			const q = `INSERT INTO schedule_date_window (schedule, day, n, from_s, to_s) VALUES (?, ?, ?, ?, ?)`
			if err := tx.put(q, s.ID, d.Day.String(), n, w.From, w.To); err != nil {
				return err
			}
		}
	}
	for n, w := range s.Windows {
		const q = `INSERT INTO schedule_window (schedule, n, days, from_s, to_s) VALUES (?, ?, ?, ?, ?)`
		if err := tx.put(q, s.ID, n, w.Days, w.From, w.To); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) putGrant(g *directory.Grant) error {
	const q = `INSERT INTO grant_row (id, person, grp, zone, schedule, valid_from, valid_until, suspended, basis)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET person = excluded.person, grp = excluded.grp, zone = excluded.zone, schedule = excluded.schedule,
			valid_from = excluded.valid_from, valid_until = excluded.valid_until, suspended = excluded.suspended, basis = excluded.basis`
	return tx.put(q, g.ID, orNull(string(g.Person)), orNull(string(g.Group)), g.Zone, g.Schedule, g.ValidFrom.String(), g.ValidUntil.String(),
		g.Suspended, g.Basis)
}

// orNull gives nil for "".
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// removeDirectory deletes one row. The foreign keys refuse to remove what another row names.
func (tx *Tx) removeDirectory(c directory.Change) error {
	id := c.ID()
	switch {
	case c.Person != nil:
		return tx.put(`DELETE FROM person WHERE id = ?`, id)
	case c.Credential != nil:
		return tx.put(`DELETE FROM credential WHERE id = ?`, id)
	case c.Zone != nil:
		return tx.put(`DELETE FROM zone WHERE id = ?`, id)
	case c.Gateway != nil:
		return tx.put(`DELETE FROM gateway WHERE id = ?`, id)
	case c.Door != nil:
		return tx.put(`DELETE FROM door WHERE id = ?`, id)
	case c.Schedule != nil:
		if err := tx.clearSchedule(id); err != nil {
			return err
		}
		return tx.put(`DELETE FROM schedule WHERE id = ?`, id)
	case c.Grant != nil:
		return tx.put(`DELETE FROM grant_row WHERE id = ?`, id)
	case c.ClosedDay != nil:
		return tx.put(`DELETE FROM closed_day WHERE day = ?`, id)
	}
	return tx.removeRules(c)
}
