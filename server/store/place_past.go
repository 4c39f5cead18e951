package store

import (
	"database/sql"
	"fmt"

	"monban/server/directory"
)

// DoorPast is where a door led from SinceMS on, until its next one. Gone: it was taken out then, the rest is as it was last.
type DoorPast struct {
	SinceMS int64 // UTC ms
	Gone    bool
	directory.Door
}

// ZonePast is the same of a zone.
type ZonePast struct {
	SinceMS int64
	Gone    bool
	directory.Zone
}

// DoorsPast lists where all doors led, each door's in the order of time. Only ID, names, gateway and zones are filled in.
func (r Reader) DoorsPast() (out []DoorPast, err error) {
	err = r.each(`SELECT door, since_ms, gone, name, name_en, gateway, enter_zone, exit_zone FROM door_past ORDER BY door, since_ms`, func(rows *sql.Rows) error {
		var x DoorPast
		err := rows.Scan(&x.ID, &x.SinceMS, &x.Gone, &x.Name, &x.NameEN, &x.Gateway, &x.Enter, &x.Exit)
		out = append(out, x)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read where doors led: %w", err)
	}
	return out, nil
}

// ZonesPast lists all zones that there ever were, in the same way. Only ID, names, level and parent are filled in.
func (r Reader) ZonesPast() (out []ZonePast, err error) {
	err = r.each(`SELECT zone, since_ms, gone, name, name_en, level, parent FROM zone_past ORDER BY zone, since_ms`, func(rows *sql.Rows) error {
		var x ZonePast
		err := rows.Scan(&x.ID, &x.SinceMS, &x.Gone, &x.Name, &x.NameEN, &x.Level, &x.Parent)
		out = append(out, x)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read which zones there were: %w", err)
	}
	return out, nil
}

// KeepPlaces writes down which doors and zones are not as they were written down last. A clock that was put back moves nothing before what
// is there already.
func (tx *Tx) KeepPlaces(atMS int64) error {
	for _, q := range []string{
		`INSERT INTO door_past SELECT d.id, max(?1, coalesce((SELECT max(since_ms) FROM door_past WHERE door = d.id), ?1)), 0,
			d.name, d.name_en, d.gateway, d.enter_zone, coalesce(d.exit_zone, '') FROM door d WHERE NOT EXISTS (
				SELECT 1 FROM door_past p WHERE p.door = d.id AND p.since_ms = (SELECT max(since_ms) FROM door_past WHERE door = d.id) AND p.gone = 0
				AND p.name = d.name AND p.name_en = d.name_en AND p.gateway = d.gateway AND p.enter_zone = d.enter_zone AND p.exit_zone = coalesce(d.exit_zone, ''))
			ON CONFLICT DO UPDATE SET gone = 0, name = excluded.name, name_en = excluded.name_en, gateway = excluded.gateway,
				enter_zone = excluded.enter_zone, exit_zone = excluded.exit_zone`,
		`INSERT INTO door_past SELECT p.door, max(?1, p.since_ms), 1, p.name, p.name_en, p.gateway, p.enter_zone, p.exit_zone FROM door_past p
			WHERE p.gone = 0 AND p.since_ms = (SELECT max(since_ms) FROM door_past WHERE door = p.door) AND p.door NOT IN (SELECT id FROM door)
			ON CONFLICT DO UPDATE SET gone = 1`,
		`INSERT INTO zone_past SELECT z.id, max(?1, coalesce((SELECT max(since_ms) FROM zone_past WHERE zone = z.id), ?1)), 0,
			z.name, z.name_en, z.level, z.parent FROM zone z WHERE NOT EXISTS (
				SELECT 1 FROM zone_past p WHERE p.zone = z.id AND p.since_ms = (SELECT max(since_ms) FROM zone_past WHERE zone = z.id) AND p.gone = 0
				AND p.name = z.name AND p.name_en = z.name_en AND p.level = z.level AND p.parent = z.parent)
			ON CONFLICT DO UPDATE SET gone = 0, name = excluded.name, name_en = excluded.name_en, level = excluded.level, parent = excluded.parent`,
		`INSERT INTO zone_past SELECT p.zone, max(?1, p.since_ms), 1, p.name, p.name_en, p.level, p.parent FROM zone_past p
			WHERE p.gone = 0 AND p.since_ms = (SELECT max(since_ms) FROM zone_past WHERE zone = p.zone) AND p.zone NOT IN (SELECT id FROM zone)
			ON CONFLICT DO UPDATE SET gone = 1`,
	} {
		if _, err := tx.exec(q, atMS); err != nil {
			return fmt.Errorf("write down where doors lead: %w", err)
		}
	}
	return nil
}
