package store

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"monban/firmware/door"
	"monban/server/attempt"
)

// RR-2: what is read of many people, or of many leaves, at once is what is read of each.
func TestManyAtOnce(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	s.fill(t, st, 300)
	must(t, st.Read(t.Context(), func(r *ReadTx) error {
		lines, err := r.Passed("2026-01-01", "2027-12-31")
		must(t, err)
		people := map[string]bool{}
		var leaves []int64
		for _, l := range lines {
			leaves = append(leaves, l.Opening)
			if o, err := r.Opening(l.Opening); err == nil {
				people[o.Person] = true
			}
		}
		if len(lines) < 50 || len(people) < 3 {
			t.Fatalf("%d passages of %d people", len(lines), len(people))
		}
		middle := lines[len(lines)/2].PassedMS
		for _, limit := range []int{1, 4, 1000} {
			want := map[int64]attempt.Row{}
			var before, after []Reach
			for i, p := range slices.Sorted(maps.Keys(people)) {
				read, list := r.PassedBefore, &before
				if i%2 == 1 {
					read, list = r.PassedAfter, &after
				}
				*list = append(*list, Reach{p, middle})
				rows, err := read(p, middle, limit)
				must(t, err)
				for _, row := range rows {
					want[row.First] = row
				}
			}
			rows, err := r.PassedAround(append(before, Reach{"nobody", middle}), after, limit)
			must(t, err)
			got := map[int64]attempt.Row{}
			for _, row := range rows {
				got[row.First] = row
			}
			if len(got) != len(rows) || len(want) == 0 || !reflect.DeepEqual(got, want) {
				t.Errorf("limit %d: %d passages (%d different), want %d", limit, len(rows), len(got), len(want))
			}
		}
		size, err := r.LogSize()
		must(t, err)
		leaves = append(leaves, 0, size+7) // one without an opening, one that is not there
		got, err := r.Openings(leaves)
		must(t, err)
		for _, idx := range leaves {
			want, err := r.Opening(idx)
			x, there := got[idx]
			if there == errors.Is(err, ErrNotFound) || there && !reflect.DeepEqual(x, Opened{want, err}) {
				t.Errorf("leaf %d: %+v (%v), alone %+v %v", idx, x, there, want, err)
			}
		}
		return nil
	}))
}

// RR-2: the last passages before a moment, and the first after it, are so many over the turn of the fiscal year too, where a person has
// another reference.
func TestPassagesOverFiscalYears(t *testing.T) {
	s := newSite(t)
	st, tr := s.open(t), newTraffic()
	var at []int64
	must(t, st.Write(t.Context(), func(tx *Tx) error {
		for i, day := range []string{"2027-03-29", "2027-03-30", "2027-03-31", "2027-04-01", "2027-04-02", "2027-04-05"} {
			when, err := time.ParseInLocation("2006-01-02 15:04", day+" 10:00", st.Zone())
			must(t, err)
			ms, id := when.UnixMilli(), attemptID(i)
			if _, err := tr.record(tx, "g1", door.EventGranted, id, ms, person(0)); err != nil {
				return err
			}
			if _, err := tr.record(tx, "g1", door.EventEntry, id, ms+1000, nil); err != nil {
				return err
			}
			at = append(at, ms)
		}
		return nil
	}))
	days := func(rows []attempt.Row, err error) (out []string) {
		must(t, err)
		for _, r := range rows {
			out = append(out, r.Day)
		}
		return out
	}
	must(t, st.Read(t.Context(), func(r *ReadTx) error {
		for _, c := range []struct{ got, want []string }{
			{days(r.PassedBefore("s0000", at[5]-1, 3)), []string{"2027-03-31", "2027-04-01", "2027-04-02"}},
			{days(r.PassedBefore("s0000", at[5]-1, 1)), []string{"2027-04-02"}},
			{days(r.PassedAfter("s0000", at[1]-1, 3)), []string{"2027-03-30", "2027-03-31", "2027-04-01"}},
			{days(r.PassedAfter("s0000", at[4]-1, 9)), []string{"2027-04-02", "2027-04-05"}},
		} {
			if fmt.Sprint(c.got) != fmt.Sprint(c.want) {
				t.Errorf("got %v, want %v", c.got, c.want)
			}
		}
		return nil
	}))
}
