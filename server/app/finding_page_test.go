package app

import (
	"slices"
	"testing"
	"time"

	"monban/server/attempt"
	"monban/server/store"
	"monban/server/web"
)

// VR-1: the pages of the list of findings come out of the database in its order, and the place of a page's last finding leads to the next page.
func TestFindingPageOfTheDatabase(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	var waiting, closed []string
	c.must(c.site.Store.Write(ctx, func(tx *store.Tx) error {
		for n := range 12 {
			f := attempt.Finding{Kind: "tamper", Severity: []string{"low", "high"}[n/6], Gateway: "gw-2", Door: string(store1), Cause: attempt.NoIndex, AtMS: c.at.UnixMilli() + int64(n)}
			idx, err := tx.AppendFinding(f, nil)
			if err != nil {
				return err
			}
			if n%2 == 0 {
				waiting = append(waiting, number(int(idx)))
				continue
			}
			closed = append([]string{number(int(idx))}, closed...)
			if _, err := tx.AppendFindingAct(store.FindingAct{Finding: idx, Kind: "finding_mistake", Account: "a", AtMS: c.at.UnixMilli(), Text: "x"}, "lan", ""); err != nil {
				return err
			}
		}
		return nil
	}))
	waiting = append(slices.Clone(waiting[3:]), waiting[:3]...) // the severe ones first
	p := c.registers()
	for _, x := range []struct {
		q    web.FindingPageQuery
		want []string
	}{
		{web.FindingPageQuery{}, waiting}, {web.FindingPageQuery{Closed: true}, closed}, {web.FindingPageQuery{Closed: true, Kind: "held_open"}, nil},
		{web.FindingPageQuery{Closed: true, Kind: "tamper", Door: store1, From: c.at, Until: c.at.Add(4 * time.Millisecond)}, closed[4:]},
	} {
		x.q.In, x.q.Limit = web.Reach{All: true}, 4
		var got []string
		for more := true; more; {
			page, err := p.FindingPage(ctx, x.q)
			c.must(err)
			if !x.q.Closed && page.Total != len(x.want) {
				t.Errorf("%+v: %d in all", x.q, page.Total)
			}
			for _, f := range page.List {
				got = append(got, f.ID)
				at := f.Place()
				x.q.After = &at
			}
			more = page.More
		}
		if !slices.Equal(got, x.want) {
			t.Errorf("%+v: %v, want %v", x.q, got, x.want)
		}
	}
	if page, err := p.FindingPage(ctx, web.FindingPageQuery{Limit: 4}); err != nil || len(page.List) != 0 || page.Total != 0 {
		t.Errorf("who sees nothing: %+v %v", page, err)
	}
}
