package store

import (
	"slices"
	"testing"
	"time"

	"monban/firmware/door"
	"monban/server/attempt"
)

// PR-3: a person's lines of a whole period, over the turn of a fiscal year. Nothing is kept of the lines of others: a pack of ten years is made beside
// the doors.
func TestLinesOfAPersonAreReadAlone(t *testing.T) {
	st, tr := newSite(t).open(t), newTraffic()
	start, err := time.ParseInLocation("2006-01-02 15:04", "2027-03-31 10:00", st.Zone())
	must(t, err)
	var want []string
	id := 0
	add := func(tx *Tx, who int, at time.Time) error {
		id++
		if who == 0 {
			want = append(want, at.Format("2006-01-02"))
		}
		_, err := tr.record(tx, "g1", door.EventGranted, attemptID(id), at.UnixMilli(), person(who))
		return err
	}
	count := func() (rows []attempt.Row, allocs float64) {
		must(t, st.Read(t.Context(), func(r *ReadTx) error {
			allocs = testing.AllocsPerRun(3, func() { rows, err = r.OfPerson("s0000", "2027-03-31", "2027-04-01") })
			return err
		}))
		return rows, allocs
	}
	must(t, st.Write(t.Context(), func(tx *Tx) error {
		for _, at := range []time.Time{start, start.AddDate(0, 0, 1), start.AddDate(0, 0, 2)} {
			for who := range 2 {
				if err := add(tx, who, at); err != nil {
					return err
				}
			}
		}
		return nil
	}))
	_, few := count()
	const others = 500
	must(t, st.Write(t.Context(), func(tx *Tx) error {
		for i := range others {
			if err := add(tx, 1+i%6, start.Add(time.Duration(i)*time.Second)); err != nil {
				return err
			}
		}
		return nil
	}))
	rows, many := count()
	var got []string
	for _, r := range rows {
		got = append(got, r.Day)
	}
	if !slices.Equal(got, want[:2]) {
		t.Errorf("lines of %v, want %v", got, want[:2])
	}
	if many > few+others/2 {
		t.Errorf("%.0f allocations, %.0f before %d lines of others were there", many, few, others)
	}
	must(t, st.Read(t.Context(), func(r *ReadTx) error {
		rows, err := r.OfPerson("nobody", "2027-03-31", "2027-04-01")
		if len(rows) > 0 {
			t.Errorf("lines of nobody: %v", rows)
		}
		return err
	}))
}
