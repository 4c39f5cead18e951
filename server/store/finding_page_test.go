package store

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"monban/server/attempt"
)

// VR-1: page by page, forwards and back, each list gives every finding of what was asked for once: what waits by severity and then the oldest
// first, what is closed the newest first. No page sorts or reads the whole table: an index has its order.
func TestFindingPages(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	dice := rand.New(rand.NewPCG(1, 2))
	kinds, doors := []string{"held_open", "tamper", "duress"}, []string{"", "a-1", "b-1"}
	var all []attempt.Finding
	must(t, st.Write(t.Context(), func(tx *Tx) error {
		for range 150 {
			f := attempt.Finding{
				Kind: kinds[dice.IntN(3)], Severity: []string{"low", "medium", "high"}[dice.IntN(3)], Gateway: "gw", Door: doors[dice.IntN(3)],
				Cause: attempt.NoIndex, AtMS: 1_764_000_000_000 + dice.Int64N(40)*1000, // many at one time
			}
			idx, err := tx.AppendFinding(f, nil)
			if err != nil {
				return err
			}
			if dice.IntN(2) == 0 {
				if _, err := tx.AppendFindingAct(FindingAct{Finding: idx, Kind: "finding_mistake", Account: "a", AtMS: f.AtMS, Text: "x"}, "lan", ""); err != nil {
					return err
				}
			}
			if f, err = tx.Finding(idx); err != nil {
				return err
			}
			all = append(all, f)
		}
		return nil
	}))
	rank := map[string]int{"high": 0, "medium": 1, "low": 2}
	within := &Within{Doors: []string{"a-1"}, Gateways: []string{}, Zones: []string{}}
	for name, q := range map[string]FindingList{
		"waiting": {}, "waiting, with duress": {Duress: true}, "waiting of a kind": {Kind: "tamper"}, "waiting at a door": {Door: "a-1"}, "waiting within": {In: within},
		"closed": {Closed: true}, "closed of a kind": {Closed: true, Kind: "held_open"}, "closed at a door": {Closed: true, Door: "b-1"}, "closed within": {Closed: true, In: within},
		"closed in a time": {Closed: true, FromMS: 1_764_000_005_000, ToMS: 1_764_000_020_000}, "a kind in a time": {Closed: true, Kind: "tamper", FromMS: 1_764_000_005_000, ToMS: 1_764_000_020_000}, "none": {Kind: "x"},
	} {
		var want []int64
		list := slices.DeleteFunc(slices.Clone(all), func(f attempt.Finding) bool {
			return (f.Status == attempt.StatusClosed) != q.Closed || f.Kind == "duress" && !q.Duress || q.Kind != "" && f.Kind != q.Kind || q.Door != "" && f.Door != q.Door ||
				q.In != nil && f.Door != "a-1" || q.FromMS != 0 && (f.AtMS < q.FromMS || f.AtMS >= q.ToMS)
		})
		slices.SortFunc(list, func(a, b attempt.Finding) int {
			if q.Closed {
				return cmp.Or(cmp.Compare(b.AtMS, a.AtMS), cmp.Compare(b.Idx, a.Idx))
			}
			return cmp.Or(cmp.Compare(rank[a.Severity], rank[b.Severity]), cmp.Compare(a.AtMS, b.AtMS), cmp.Compare(a.Idx, b.Idx))
		})
		for _, f := range list {
			want = append(want, f.Idx)
		}
		must(t, st.Read(t.Context(), func(r *ReadTx) error {
			q.Limit = 7
			var there, back []int64
			for more := true; more; {
				page, on, err := r.FindingPage(q)
				if err != nil {
					return err
				}
				if more = on; len(page) == 0 {
					break
				}
				for _, f := range page {
					there = append(there, f.Idx)
				}
				at := PlaceOf(&page[len(page)-1])
				q.After = &at
			}
			if !slices.Equal(there, want) {
				t.Errorf("%s: %v, want %v", name, there, want)
			}
			for more := q.After != nil; more; {
				q.Before, q.After = q.After, nil
				page, on, err := r.FindingPage(q)
				if err != nil {
					return err
				}
				if more = on; len(page) == 0 {
					break
				}
				var ids []int64
				for _, f := range page {
					ids = append(ids, f.Idx)
				}
				back = append(ids, back...)
				at := PlaceOf(&page[0])
				q.After = &at
			}
			if len(want) > 0 && !slices.Equal(back, want[:len(want)-1]) {
				t.Errorf("%s, back: %v, want %v", name, back, want)
			}
			q.After, q.Before = nil, nil
			if n, err := r.CountWaiting(q); err != nil || !q.Closed && n != len(want) {
				t.Errorf("%s: %d counted, want %d, %v", name, n, len(want), err)
			}
			for _, at := range []*FindingPlace{nil, {1, 1_764_000_010_000, 50}} {
				q.After = at
				text, args, err := q.query()
				if err != nil {
					return err
				}
				rows, err := r.query("EXPLAIN QUERY PLAN "+text, args...)
				if err != nil {
					return err
				}
				plan := ""
				for rows.Next() {
					var id, parent, x int
					var line string
					if err := rows.Scan(&id, &parent, &x, &line); err != nil {
						return err
					}
					plan += fmt.Sprintln(line)
				}
				index := "finding_closed"
				if !q.Closed {
					index = "finding_waiting"
				}
				if strings.Contains(plan, "TEMP B-TREE FOR") || !strings.Contains(plan, "USING INDEX "+index) {
					t.Errorf("%s: %s", name, plan)
				}
			}
			return nil
		}))
	}
	wantClean(t, s.verify(t, true))
}
