package app

import (
	"encoding/json"
	"strings"
	"testing"

	"monban/firmware/door"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/review"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

// VR-1, PR-2: a finding about a visit, a temporary card or a key says which, what was lent and to whom; without names it says which and nothing
// else. One that tells how many more there were has the number, and one whose detail names a zone or a door has its name.
func TestFindingSaysWhatItIsAbout(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	c.edit(func(s *directory.Snapshot) {
		s.Items = append(s.Items, directory.Item{ID: "ZZ-KEY", Kind: directory.ItemKey, Name: "媒体庫 正鍵", Doors: string(store1), State: directory.ItemPresent})
	})
	v := c.approved(c.application("𠮷田 置去"))
	_, err := c.ReceiveGuest(ctx, v.ID, ReceptionForm{Identity: visit.Passport, Badge: "B-1"}, clerk)
	c.must(err)
	c.pass(c.site.Ref(30001), store1, door.EventEntry)
	key, err := c.LendKey(ctx, visit.KeyLoan{Key: "ZZ-KEY", Person: "1005", Purpose: "点検", DueMS: c.ms(24, 12, 0)}, clerk)
	c.must(err)
	lent, err := c.IssueTemporary(ctx, TemporaryForm{Person: "1004", Identity: visit.StaffCard, Badge: "104", PIN: "4821"}, clerk)
	c.must(err)
	c.clock(26, 0, 0)
	c.must(c.sweep(ctx))
	c.must(c.site.Store.Write(ctx, func(tx *store.Tx) error {
		for _, f := range []attempt.Finding{
			{Kind: string(review.UnsignedDay), Severity: "medium", Cause: attempt.NoIndex, Detail: "server-room/2026-11-24", AtMS: c.at.UnixMilli()},
			{Kind: string(review.LostCardUsed), Severity: "high", Door: string(store1), Gateway: "gw-2", Cause: 1, Detail: "lost/more-137", AtMS: c.at.UnixMilli()},
			{Kind: string(review.ImpossibleTravel), Severity: "medium", Door: string(store1), Gateway: "gw-2", Cause: 1, Detail: "server-room-1", AtMS: c.at.UnixMilli()},
		} {
			if _, err := tx.AppendFinding(f, nil); err != nil {
				return err
			}
		}
		return nil
	}))
	p := c.registers()
	for _, show := range []bool{true, false} {
		list, _, err := p.ListFindings(ctx, web.FindingQuery{In: web.Reach{All: true}, Names: show, Limit: 50})
		c.must(err)
		got := map[string]web.Finding{}
		for _, f := range list {
			got[f.Kind] = f
		}
		for kind, want := range map[string]struct{ matter, about, name string }{
			"exit_not_recorded": {v.ID, "100", "𠮷田 置去"}, "badge_unreturned": {v.ID, "100", "𠮷田 置去"}, "key_unreturned": {key.ID, key.Label, "城 亮"}, "temporary_unreturned": {lent.ID, lent.Label, "渡邉 美咲"},
		} {
			f, ok := got[kind]
			if !show {
				want.about, want.name = "", ""
			}
			if !ok || f.Matter != want.matter || f.About != want.about || !strings.Contains(f.Who.Name, want.name) || !show && f.Who != (web.Who{}) {
				t.Errorf("names %v: %s: %+v", show, kind, f)
			}
		}
		if f := got["unsigned_day"]; f.Zone != "server-room" || f.ZoneName != p.names(ctx).zones["server-room"].Name || f.Count != 1 {
			t.Errorf("unsigned day: %+v", f)
		}
		if f := got["lost_card_used"]; f.Count != 137 {
			t.Errorf("counted: %+v", f)
		}
		if f := got["impossible_travel"]; f.OtherName != p.names(ctx).door("server-room-1") {
			t.Errorf("the other door: %+v", f)
		}
		one, err := p.CaseByID(ctx, got["key_unreturned"].ID, show, false)
		if err != nil || one.Finding.Matter != key.ID || (one.Finding.Who.Name != "") != show {
			t.Errorf("case with names %v: %+v, %v", show, one.Finding, err)
		}
		text, err := json.Marshal(list)
		if c.must(err); strings.Contains(string(text), "𠮷田") != show || strings.Contains(string(text), "渡邉") != show {
			t.Errorf("names %v: %s", show, text)
		}
	}
}
