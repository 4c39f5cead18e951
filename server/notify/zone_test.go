package notify

import (
	"slices"
	"testing"

	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/notify/route"
	"monban/server/review"
	"monban/server/store"
)

// AL-2: the route of a zone is told of what lies in the zone without a door: its unsigned day, its badges, its keys, each zone's for itself
// and not with another's; what is of no zone goes to the root.
func TestZoneRouteIsToldOfWhatHasNoDoor(t *testing.T) {
	b := newBench(t)
	keeper := &fake{}
	cfg := b.n.cfg
	cfg.Tree.Routes = []route.Route{{Name: "media", Zones: []string{"media-store"}, Hours: []string{"keeper"}}}
	cfg.Channels = append(cfg.Channels, Named{"keeper", "mail", keeper})
	b.n = New(cfg)
	b.work()
	find := func(k review.Kind, cause int64, detail string) (idx int64) {
		t.Helper()
		err := b.site.Store.Write(t.Context(), func(tx *store.Tx) (err error) {
			idx, err = tx.AppendFinding(attempt.Finding{Kind: string(k), Severity: "medium", Cause: cause, Detail: detail, AtMS: b.now.UnixMilli()}, nil)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return idx
	}
	begun := func(x store.MatterText) (idx int64) {
		t.Helper()
		x.Open, x.Doc = true, []byte("{}")
		err := b.site.Store.Write(t.Context(), func(tx *store.Tx) error {
			m, err := tx.PutMatter(store.Matter{}, x, entrylog.Action{Verb: "begun", From: "lan", Result: "ok", AtMS: b.now.UnixMilli()}, entrylog.Opening{})
			idx = m.First
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return idx
	}
	media := find(review.UnsignedDay, review.NoCause, "media-store/2026-11-20")
	find(review.UnsignedDay, review.NoCause, "server-room/2026-11-20")
	floor := find(review.UnsignedDay, review.NoCause, "floor-3/2026-11-20")
	find(review.BadgeUnreturned, begun(store.MatterText{ID: "visit-2026-00001", Kind: "visit", State: "running", Zone: "media-store"}), "1")
	find(review.KeyUnreturned, begun(store.MatterText{ID: "key_loan-2026-00001", Kind: "key_loan", State: "lent", Doors: []string{"server-room-1", "media-store-1"}}), "")
	find(review.TemporaryUnreturned, begun(store.MatterText{ID: "temporary_card-2026-00001", Kind: "temporary_card", State: "lent"}), "")
	b.work()
	told := func(f *fake) (kinds []string) {
		for _, m := range f.msgs {
			kinds = append(kinds, string(m.Kind))
		}
		slices.Sort(kinds)
		return kinds
	}
	if got := told(keeper); !slices.Equal(got, []string{"badge_unreturned", "key_unreturned", "unsigned_day"}) {
		t.Errorf("the zone's route was told of %q", got)
	}
	if got := told(b.poc); !slices.Equal(got, []string{"temporary_unreturned", "unsigned_day", "unsigned_day"}) {
		t.Errorf("the root was told of %q", got)
	}
	b.site.Read(func(r *store.ReadTx) error {
		for zone, want := range map[string]int64{"media-store": media, "floor-3": floor} {
			list, err := r.AlertsIn(&store.Within{Zones: []string{zone}}, true, false, 0, 10)
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(list, func(a store.Alert) bool { return a.ID == want && a.Zone == zone }) {
				t.Errorf("%s does not see its alert among %+v", zone, list)
			}
			if slices.ContainsFunc(list, func(a store.Alert) bool { return a.Kind == review.UnsignedDay && a.ID != want }) {
				t.Errorf("%s sees another zone's", zone)
			}
		}
		return nil
	})
}
