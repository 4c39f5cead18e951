package app

import (
	"errors"
	"strings"
	"testing"

	"monban/server/entrylog"
	"monban/server/store"
	"monban/server/web"
)

// VR-6, PR-2: a comparison with the paper ledger is a leaf with the day, the zone, the counts and who made it; what was typed is in its opening
// alone. Those of past days are listed as their leaves have them, and a row that its leaf does not bear out is not shown as one.
func TestComparisonIsKept(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	p := c.registers()
	c.clock(25, 9, 0)
	for i, day := range []string{"2026-11-23", "2026-11-24"} {
		err := p.KeepComparison(ctx, web.PaperComparison{Zone: archive, Day: day, Matched: 12, LogOnly: 1, PaperOnly: i}, "10:00 11:00 﨑山 直子",
			web.Action{At: c.at, Actor: section.Account, Address: "192.0.2.7"})
		c.must(err)
	}
	list, err := p.Comparisons(ctx, archive, "2026-11-24", "2026-11-30", true)
	c.must(err)
	if len(list) != 1 {
		t.Fatalf("%+v", list)
	}
	x := list[0]
	if x.Day != "2026-11-24" || x.Matched != 12 || x.LogOnly != 1 || x.PaperOnly != 1 || x.By != "section" || !x.At.Equal(c.at) {
		t.Errorf("%+v", x)
	}
	c.must(c.site.Store.Read(ctx, func(r *store.ReadTx) error {
		leaf, err := r.Leaf(int64(x.Leaf))
		if err != nil {
			return err
		}
		if strings.Contains(string(leaf.Body), "﨑山") || leaf.Kind != entrylog.KindAction {
			t.Errorf("the leaf: %s", leaf.Body)
		}
		o, err := r.Opening(int64(x.Leaf))
		if o.Text != "10:00 11:00 﨑山 直子" {
			t.Errorf("typed: %q", o.Text)
		}
		_, other := r.PaperComparisons("server-room", "2026-11-24", "2026-11-24")
		return errors.Join(err, other)
	}))
	if list, err := p.Comparisons(ctx, archive, "2026-11-01", "2026-11-30", false); err != nil || len(list) != 2 || list[0].By != section.Account {
		t.Errorf("without names: %+v %v", list, err)
	}
	c.noNames("﨑山", "1002")
}
