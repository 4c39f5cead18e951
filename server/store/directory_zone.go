package store

import (
	"database/sql"
	"fmt"
	"time"

	"monban/firmware/card"
	"monban/server/directory"
)

func (r Reader) zones(s *directory.Snapshot) error {
	const q = `SELECT id, name, name_en, level, min_assurance, pin_always, offline_grant_and_flag, parent, anti_passback, anti_passback_ms,
		max_inside, min_inside, two_person_ms, two_person_always, staff_needed, escort, escort_ratio, escort_within_ms, escort_grace_ms,
		training, conditions, carry_in, basis FROM zone ORDER BY id`
	return r.each(q, func(rows *sql.Rows) error {
		var z directory.Zone
		var assurance, passback, escort, training, carry string
		var passbackMS, twoMS, withinMS, graceMS int64
		err := rows.Scan(&z.ID, &z.Name, &z.NameEN, &z.Level, &assurance, &z.PINAlways, &z.OfflineGrantAndFlag, &z.Parent, &passback, &passbackMS,
			&z.MaxInside, &z.MinInside, &twoMS, &z.TwoPersonAlways, &z.StaffNeeded, &escort, &z.EscortRatio, &withinMS, &graceMS,
			&training, &z.Conditions, &carry, &z.Basis)
		if err == nil {
			z.MinAssurance, err = card.ParseAssurance(assurance)
		}
		if err == nil {
			z.AntiPassback, err = directory.ParseAntiPassback(passback)
		}
		if err == nil {
			z.Escort, err = directory.ParseEscort(escort)
		}
		if err == nil {
			z.Training, err = directory.ParseTraining(training)
		}
		if err == nil {
			z.CarryIn, err = directory.ParseCarryIn(carry)
		}
		if err != nil {
			return fmt.Errorf("zone %s: %w", z.ID, err)
		}
		z.AntiPassbackFor, z.TwoPersonWithin = milliseconds(passbackMS), milliseconds(twoMS)
		z.EscortWithin, z.EscortGrace = milliseconds(withinMS), milliseconds(graceMS)
		s.Zones = append(s.Zones, z)
		return nil
	})
}

func milliseconds(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

func (tx *Tx) putZone(z *directory.Zone) error {
	const q = `INSERT INTO zone (id, name, name_en, level, min_assurance, pin_always, offline_grant_and_flag, parent, anti_passback,
			anti_passback_ms, max_inside, min_inside, two_person_ms, two_person_always, staff_needed, escort, escort_ratio,
			escort_within_ms, escort_grace_ms, training, conditions, carry_in, basis)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, name_en = excluded.name_en, level = excluded.level,
			min_assurance = excluded.min_assurance, pin_always = excluded.pin_always,
			offline_grant_and_flag = excluded.offline_grant_and_flag, parent = excluded.parent,
			anti_passback = excluded.anti_passback, anti_passback_ms = excluded.anti_passback_ms,
			max_inside = excluded.max_inside, min_inside = excluded.min_inside, two_person_ms = excluded.two_person_ms,
			two_person_always = excluded.two_person_always, staff_needed = excluded.staff_needed, escort = excluded.escort,
			escort_ratio = excluded.escort_ratio, escort_within_ms = excluded.escort_within_ms,
			escort_grace_ms = excluded.escort_grace_ms, training = excluded.training, conditions = excluded.conditions,
			carry_in = excluded.carry_in, basis = excluded.basis`
	return tx.put(q, z.ID, z.Name, z.NameEN, z.Level, z.MinAssurance.String(), z.PINAlways, z.OfflineGrantAndFlag, z.Parent, z.AntiPassback.String(),
		z.AntiPassbackFor.Milliseconds(), z.MaxInside, z.MinInside, z.TwoPersonWithin.Milliseconds(), z.TwoPersonAlways, z.StaffNeeded,
		z.Escort.String(), z.EscortRatio, z.EscortWithin.Milliseconds(), z.EscortGrace.Milliseconds(), z.Training.String(), z.Conditions,
		z.CarryIn.String(), z.Basis)
}
