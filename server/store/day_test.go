package store

import (
	"bytes"
	"maps"
	"reflect"
	"slices"
	"testing"

	"monban/firmware/door"
)

// VR-12: acts on a day come back in the order of the log, those of months apart from those of days, and a row that was
// taken away behind the log's back is missed.
func TestDayActs(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	for _, a := range []DayAct{
		{Zone: "room", Day: "2026-11-24", Kind: "day_signed", Upto: 5, Account: "a", AtMS: monday + 1}, {Zone: "room", Day: "2026-11", Kind: "month_signed", Account: "a", AtMS: monday + 2},
		{Zone: "other", Day: "2026-11-24", Kind: "day_signed", Account: "a", AtMS: monday + 3}, {Zone: "room", Day: "2026-11-24", Kind: "day_reopened", Upto: 7, Account: "b", AtMS: monday + 4},
	} {
		must(t, st.Write(t.Context(), func(tx *Tx) error { _, err := tx.AppendDayAct(a, "lan", "", "理由"); return err }))
	}
	for _, bad := range []DayAct{{Zone: "a/b", Day: "2026-11-24"}, {Zone: "a", Day: "2026/11/24"}, {Zone: "a", Day: "2026-11-24", Upto: -1}} {
		if err := st.Write(t.Context(), func(tx *Tx) error { _, err := tx.AppendDayAct(bad, "lan", "", ""); return err }); err == nil {
			t.Errorf("%+v was written", bad)
		}
	}
	must(t, st.Read(t.Context(), func(r *ReadTx) error {
		days, err := r.DayActs("room", "2026-11-01", "2026-11-30")
		if err != nil || len(days) != 2 || days[0].Kind != "day_signed" || days[0].Upto != 5 || days[1].Kind != "day_reopened" || days[1].Account != "b" {
			t.Errorf("%+v %v", days, err)
		}
		months, err := r.DayActs("room", "2026-04", "2027-03")
		if err != nil || len(months) != 1 || months[0].Kind != "month_signed" {
			t.Errorf("%+v %v", months, err)
		}
		return nil
	}))
}

// VR-10: lines added up by the database are the lines added up one by one.
func TestDaySums(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	s.fill(t, st, 300)
	must(t, st.Read(t.Context(), func(r *ReadTx) error {
		const from, to = "2026-01-01", "2027-12-31"
		lines, err := r.Lines(from, to)
		must(t, err)
		doors, refs := map[string]int{}, map[string]bool{}
		for _, l := range lines {
			doors[l.Door]++
			refs[string(l.PersonRef)] = refs[string(l.PersonRef)] || len(refs) < 3
		}
		names := slices.Sorted(maps.Keys(doors))
		if len(names) < 2 || len(lines) < 100 {
			t.Fatalf("%d lines at doors %v", len(lines), names)
		}
		var asked [][]byte
		for ref, ask := range refs {
			if ask && ref != "" {
				asked = append(asked, []byte(ref))
			}
		}
		here, back, border := names[:1], names[:2], names[1:]
		want := map[string]*DaySum{}
		for _, l := range lines {
			passed := l.Passage == string(door.EventEntry) || l.Passage == string(door.EventExit)
			switch {
			case passed && l.PersonRef != nil && slices.Contains(border, l.Door):
			case l.PersonRef == nil && l.Passage == string(door.EventExit) && slices.Contains(back, l.Door):
			case !(passed && l.PersonRef != nil) && l.Passage != string(door.EventExit) && l.Door == here[0]:
			default:
				continue
			}
			d := want[l.Day]
			if d == nil {
				d = &DaySum{Day: l.Day}
				want[l.Day] = d
			}
			d.Rows++
			d.Last = max(d.Last, l.Last)
			if slices.ContainsFunc(asked, func(ref []byte) bool { return bytes.Equal(ref, l.PersonRef) }) &&
				!slices.ContainsFunc(d.Refs, func(ref []byte) bool { return bytes.Equal(ref, l.PersonRef) }) {
				d.Refs = append(d.Refs, l.PersonRef)
			}
		}
		sums, err := r.DaySums(from, to, DayDoors{Into: here, Back: back, Across: border}, asked)
		must(t, err)
		if len(sums) != len(want) {
			t.Fatalf("%d days, want %d", len(sums), len(want))
		}
		found := 0
		for _, got := range sums {
			slices.SortFunc(got.Refs, bytes.Compare)
			slices.SortFunc(want[got.Day].Refs, bytes.Compare)
			found += len(got.Refs)
			if !reflect.DeepEqual(got, *want[got.Day]) {
				t.Errorf("%+v, want %+v", got, *want[got.Day])
			}
		}
		if found == 0 {
			t.Error("nobody asked for was found")
		}
		return nil
	}))
}

// VR-11: the first line of some doors is found by its day, among the lines since a leaf.
func TestFirstDayAt(t *testing.T) {
	s := newSite(t)
	st := s.open(t)
	s.fill(t, st, 300)
	must(t, st.Read(t.Context(), func(r *ReadTx) error {
		lines, err := r.Lines("2026-01-01", "2027-12-31")
		must(t, err)
		days, doors := map[string]bool{}, map[string]bool{"nowhere": true}
		for _, l := range lines {
			days[l.Day], doors[l.Door] = true, true
		}
		days["2026-01-01"], days["2028-01-01"] = true, true
		found := 0
		for before := range days {
			for at := range doors {
				for _, from := range []int64{0, lines[len(lines)/3].First, lines[len(lines)-1].First + 1} {
					want := ""
					for _, l := range lines {
						if l.Day < before && l.First >= from && l.Door == at && (want == "" || l.Day < want) {
							want = l.Day
						}
					}
					if want != "" {
						found++
					}
					if got, err := r.FirstDayAt([]string{"elsewhere", at}, before, from); err != nil || got != want {
						t.Errorf("%s before %s since %d: %q %v, want %q", at, before, from, got, err, want)
					}
				}
			}
		}
		if found == 0 {
			t.Error("nothing was to be found")
		}
		return nil
	}))
}
