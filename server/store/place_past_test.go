package store

import (
	"fmt"
	"strings"
	"testing"
)

// RR-1: each change of where a door leads is written down with its time, once; a door or zone that is taken out stays known, one that comes back is there again,
// and a clock that was put back does not change the order.
func TestPlacesAreKept(t *testing.T) {
	st := newSite(t).open(t)
	keep := func(atMS int64, sql ...string) {
		t.Helper()
		must(t, st.Write(t.Context(), func(tx *Tx) error {
			for _, q := range sql {
				if _, err := tx.exec(q); err != nil {
					return err
				}
			}
			return tx.KeepPlaces(atMS)
		}))
	}
	const zone = `INSERT INTO zone (id, name, level, min_assurance) VALUES ('%s', '%s', 2, 'uid_only')`
	const moves = `INSERT INTO door (id, name, gateway, enter_zone, kind, sensing, offline, max_age_ms) VALUES ('d', 'D', 'g', 'a', 'controlled', 'reader', 'cached', 60000)
		ON CONFLICT (id) DO UPDATE SET enter_zone = 'b'`
	keep(10, `INSERT INTO gateway (id, name, key_mode) VALUES ('g', 'G', 'A')`, fmt.Sprintf(zone, "a", "A"), fmt.Sprintf(zone, "b", "B"), moves)
	keep(20)
	keep(30, moves, `DELETE FROM zone WHERE id = 'a'`)
	keep(25, `UPDATE door SET name = 'E'`) // the clock was put back
	keep(40, `DELETE FROM door`)
	keep(50, fmt.Sprintf(zone, "a", "A2"))
	var got []string
	must(t, st.Read(t.Context(), func(r *ReadTx) error {
		doors, err := r.DoorsPast()
		if err != nil {
			return err
		}
		for _, d := range doors {
			got = append(got, fmt.Sprintf("%s %d %v %s %s", d.ID, d.SinceMS, d.Gone, d.Name, d.Enter))
		}
		zones, err := r.ZonesPast()
		for _, z := range zones {
			got = append(got, fmt.Sprintf("%s %d %v %s %d", z.ID, z.SinceMS, z.Gone, z.Name, z.Level))
		}
		return err
	}))
	want := "d 10 false D a, d 30 false E b, d 40 true E b, a 10 false A 2, a 30 true A 2, a 50 false A2 2, b 10 false B 2"
	if text := strings.Join(got, ", "); text != want {
		t.Errorf("kept %s\nwant %s", text, want)
	}
}
