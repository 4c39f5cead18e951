package app

import (
	"testing"
	"time"

	"monban/server/store"
)

// EV-8, RA-2: a request that nobody decides is withdrawn after ninety days, with a leaf, and not a day earlier; then it goes with the actions of that year. One that
// was decided is left as it is.
func TestOldRequestsAreWithdrawn(t *testing.T) {
	cfg := testSite(t)
	now := time.Now()
	withSite(t, cfg, func(s *Site) {
		day := 24 * time.Hour
		put := func(id string, asked time.Time, state string) {
			t.Helper()
			err := s.Store.Write(t.Context(), func(tx *store.Tx) error {
				return tx.InsertAccountRequest(store.AccountRequest{ID: id, Kind: "role", Account: "a-" + id, Role: "auditor", Why: "監査のため", AskedBy: "a-1", AskedMS: asked.UnixMilli(), State: state})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		put("old", now.Add(-90*day), "asked")
		put("young", now.Add(-90*day+time.Minute), "asked")
		put("agreed", now.Add(-200*day), "agreed")
		for range 2 {
			if _, err := (factors{store: s.Store}).withdrawOld(t.Context(), now); err != nil {
				t.Fatal(err)
			}
		}
		err := s.Store.Read(t.Context(), func(r *store.ReadTx) error {
			for id, want := range map[string]string{"old": "withdrawn", "young": "asked", "agreed": "agreed"} {
				if q, err := r.AccountRequest(id); err != nil || q.State != want || (q.DecidedMS == now.UnixMilli()) != (id == "old") {
					t.Errorf("%s: %+v %v, want %s", id, q, err, want)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if n := saidWhy(t, s.Store, "within 90 days"); n != 1 {
			t.Errorf("%d leaves say so, want 1", n)
		}
	})
	if !hasAction(t, cfg, "request_withdrawn", "a-old") {
		t.Error("no leaf")
	}
}
