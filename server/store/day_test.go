package store

import (
	"testing"
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
