package app

import (
	"slices"
	"testing"

	"monban/server/attempt"
	"monban/server/review"
	"monban/server/store"
)

// VR-3, VR-11: an open finding of Friday goes up at the closing time of Tuesday, as Monday is a holiday, and to the CISO office two open
// days later; each level is one leaf, however often the clock is looked at. One that is closed stays where it was, and duress is nowhere.
func TestEscalate(t *testing.T) {
	c := newCounter(t)
	var open, shut, silent int64
	c.must(c.site.Store.Write(t.Context(), func(tx *store.Tx) (err error) {
		for kind, idx := range map[review.Kind]*int64{review.ForcedOpen: &open, review.Tamper: &shut, review.Duress: &silent} {
			if *idx, err = tx.AppendFinding(attempt.Finding{Kind: string(kind), Severity: "high", Gateway: "gw-1", Door: "server-room-1", Cause: 0, AtMS: c.ms(20, 14, 0)}, nil); err != nil {
				return err
			}
		}
		_, err = tx.AppendFindingAct(store.FindingAct{Finding: shut, Kind: "finding_mistake", Account: "a", AtMS: c.ms(24, 9, 0), Text: "x"}, "lan", "")
		return err
	}))
	kinds := func(finding int64) (out []string) {
		c.must(c.site.Store.Read(t.Context(), func(r *store.ReadTx) error {
			acts, err := r.ActKinds(finding)
			for _, a := range acts {
				out = append(out, a.Kind)
			}
			return err
		}))
		return out
	}
	overdue := func() (n int) {
		c.must(c.site.Store.Read(t.Context(), func(r *store.ReadTx) (err error) {
			n, err = r.ToldAt(string(review.ItemsOverdue), "", "", 0, 1<<60, 10)
			return err
		}))
		return n
	}
	for _, step := range []struct {
		day, hour, minute int
		want              []string
		overdue           int
	}{
		{24, 17, 14, nil, 0}, {24, 17, 15, []string{"finding_to_manager"}, 0}, {26, 17, 14, []string{"finding_to_manager"}, 0},
		{26, 17, 15, []string{"finding_to_manager", "finding_to_ciso"}, 1}, {28, 10, 0, []string{"finding_to_manager", "finding_to_ciso"}, 1},
	} {
		c.clock(step.day, step.hour, step.minute)
		for range 2 {
			c.must(c.escalate(t.Context()))
		}
		if got := kinds(open); !slices.Equal(got, step.want) || overdue() != step.overdue {
			t.Errorf("%d %02d:%02d: %q and %d told overdue, want %q and %d", step.day, step.hour, step.minute, got, overdue(), step.want, step.overdue)
		}
		if got := kinds(silent); len(got) != 0 {
			t.Errorf("duress: %q", got)
		}
		if got := kinds(shut); len(got) != 1 {
			t.Errorf("closed: %q", got)
		}
	}
	// Closing what says that things are overdue does not bring it back within the minute, but on another day.
	for _, step := range []struct{ day, hour, want int }{{28, 11, 2}, {28, 12, 2}, {29, 0, 3}, {29, 9, 3}} {
		c.clock(step.day, step.hour, 0)
		c.must(c.site.Store.Write(t.Context(), func(tx *store.Tx) error {
			list, _, err := tx.Findings(true, 0, 100)
			for _, f := range list {
				if err == nil && f.Kind == string(review.ItemsOverdue) && f.Status == attempt.StatusOpen {
					_, err = tx.AppendFindingAct(store.FindingAct{Finding: f.Idx, Kind: "finding_mistake", Account: "a", AtMS: c.ms(step.day, step.hour, 0), Text: "x"}, "lan", "")
				}
			}
			return err
		}))
		for range 2 {
			c.must(c.escalate(t.Context()))
		}
		if got := overdue(); got != step.want {
			t.Errorf("%d %02d:00: %d told overdue, want %d", step.day, step.hour, got, step.want)
		}
	}
	c.must(c.site.Store.Read(t.Context(), func(r *store.ReadTx) error {
		f, err := r.Finding(open)
		if f.Status != attempt.StatusOpen {
			t.Errorf("status %s: going up is nobody's taking", f.Status)
		}
		return err
	}))
}
