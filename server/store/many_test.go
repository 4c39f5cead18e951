package store

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"testing"

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
