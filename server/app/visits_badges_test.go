package app

import (
	"errors"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/policypub/sitetest"
	"monban/server/store"
	"monban/server/visit"
)

// A badge is nobody's own card, stands once, and is not written off while it is out.
func TestBadges(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	form := BadgeForm{ID: "B-9", Label: "109", Kind: visit.VisitorBadge, Look: "緑", Format: "H10301", Facility: 123, Number: 4567, Assurance: card.UIDOnly}
	_, err := c.AddBadge(ctx, form, "", clerk)
	c.refused(err, visit.ErrBadge) // Takahashi's own card
	form.Number = 30001
	_, err = c.AddBadge(ctx, form, "", clerk)
	c.refused(err, visit.ErrBadgeLent) // badge 1
	form.Number, form.ID = 30009, "C-001"
	_, err = c.AddBadge(ctx, form, "", clerk)
	c.refused(err, visit.ErrBadge)
	form.ID, form.Look = "B-9", ""
	_, err = c.AddBadge(ctx, form, "", clerk)
	c.refused(err, visit.ErrMissing) // VE-3: it must look different
	v := c.approved(c.application("来訪 一", "来訪 二"))
	_, err = c.ReceiveGuest(ctx, v.ID, ReceptionForm{Identity: visit.Passport, Badge: "B-1"}, clerk)
	c.must(err)
	_, err = c.ReceiveGuest(ctx, v.ID, ReceptionForm{Guest: 1, Identity: visit.Passport, Badge: "B-1"}, clerk)
	c.refused(err, visit.ErrBadgeLent)
	_, err = c.ReceiveGuest(ctx, v.ID, ReceptionForm{Guest: 1, Identity: visit.Passport, Badge: "B-404"}, clerk)
	c.refused(err, visit.ErrBadge)
	c.refused(c.SetBadgeStatus(ctx, "B-1", visit.BadgeRetired, "x", clerk), visit.ErrBadgeLent)
	c.must(c.SetBadgeStatus(ctx, "B-2", visit.BadgeRetired, "破損", clerk))
	_, err = c.ReceiveGuest(ctx, v.ID, ReceptionForm{Guest: 1, Identity: visit.Passport, Badge: "B-2"}, clerk)
	c.refused(err, visit.ErrBadge)
	if err := c.SetBadgeStatus(ctx, "B-404", visit.BadgeLost, "", clerk); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}

// VE-6: the zone's present conditions are asked for, and the policy knows that they were accepted.
func TestConditionsAtReception(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	var version uint32
	c.edit(func(s *directory.Snapshot) {
		version = s.Conditions[len(s.Conditions)-1].Version
		for i := range s.Zones {
			if s.Zones[i].ID == "media-store" {
				s.Zones[i].Conditions = version
			}
		}
	})
	if got, err := c.VisitConditions(ctx, []access.ZoneID{"media-store"}); err != nil || got != version || version == 0 {
		t.Fatalf("version %d, want %d (%v)", got, version, err)
	}
	v := c.approved(c.application("条件 読む"))
	_, err := c.ReceiveGuest(ctx, v.ID, ReceptionForm{Identity: visit.Passport, Badge: "B-1"}, clerk)
	c.refused(err, visit.ErrConditions)
	_, err = c.ReceiveGuest(ctx, v.ID, ReceptionForm{Identity: visit.Passport, Badge: "B-1", Conditions: version}, clerk)
	c.must(err)
	if h, ok := c.pub.Site().Holder(c.site.Ref(30001)); !ok || h.Person.Conditions != version {
		t.Error("the policy does not know that they were accepted")
	}
}

// EV-1, PR-2: every step is a leaf; the openings hold who and what; another program sees no more than verbs.
func TestStepsAreLeaves(t *testing.T) {
	c := newCounter(t)
	v := c.approved(c.application("葛城 確認"))
	_, err := c.ReceiveGuest(t.Context(), v.ID, ReceptionForm{Identity: visit.Passport, Badge: "B-1"}, clerk)
	c.must(err)
	_, err = c.ReturnBadge(t.Context(), "B-1", false, "お疲れさまでした", clerk)
	c.must(err)
	var verbs []string
	c.must(c.site.Store.Read(t.Context(), func(r *store.ReadTx) error {
		leaves, err := r.Leaves(0, 10_000)
		for _, l := range leaves {
			a, perr := entrylog.ParseAction(l.Body)
			if perr != nil || a.Target != store.MatterTarget {
				continue
			}
			verbs = append(verbs, a.Account+" "+a.Verb)
			text, err := r.MatterText(l.Idx)
			if err != nil || text.ID != v.ID || !strings.Contains(string(text.Doc), "葛城 確認") {
				t.Errorf("leaf %d: %+v %v", l.Idx, text, err)
			}
		}
		return err
	}))
	if got := strings.Join(verbs, ", "); got != "section visit_applied, chief visit_approved, clerk visit_received, clerk visit_badge_returned" {
		t.Error(got)
	}
}

// VE-3, RR-7: a gateway that was away tells of a guest after the badge is back and lent to the next: the line is the first guest's, with
// purpose, attendee and badge, and nobody is called a mismatch because the visit is over by now.
func TestLateRecordOfABadge(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	lend := func(name, badge string) {
		t.Helper()
		app := c.application(name)
		app.UntilMS = c.ms(24, 20, 0)
		v := c.approved(app)
		_, err := c.ReceiveGuest(ctx, v.ID, ReceptionForm{Identity: visit.Passport, Badge: badge}, clerk)
		c.must(err)
	}
	lend("先の 客", "B-1")
	policy := c.pub.Site().Policy // what the gateway holds while it is away
	c.clock(24, 11, 0)
	at := c.at
	c.clock(24, 12, 0)
	_, err := c.ReturnBadge(ctx, "B-1", false, "", clerk)
	c.must(err)
	c.clock(24, 13, 0)
	lend("後の 客", "B-1")
	c.clock(24, 14, 0)
	id := c.lateGrant(30001, policy, at)
	c.must(c.site.Store.Read(ctx, func(r *store.ReadTx) error {
		row, err := r.AttemptRow(id)
		if err != nil {
			return err
		}
		o, err := r.Opening(row.Opening)
		if err != nil || o.Name != "先の 客" || o.Purpose != "設備の下見" || o.Escort != "1002" || o.Badge != "100" || o.Category != "visitor" {
			t.Errorf("%+v %v", o, err)
		}
		return nil
	}))
	c.wantFindings("late_record") // one a day and gateway
	// Before it was lent to anybody the badge was nobody's.
	c.clock(24, 14, 30)
	id = c.lateGrant(30001, policy, time.UnixMilli(c.ms(24, 8, 0)))
	c.must(c.site.Store.Read(ctx, func(r *store.ReadTx) error {
		row, err := r.AttemptRow(id)
		if err != nil {
			return err
		}
		if o, err := r.Opening(row.Opening); err != nil || o.Name != "" || o.Person != "" {
			t.Errorf("%+v %v: nobody had the badge", o, err)
		}
		return nil
	}))
	c.wantFindings("late_record", "decision_mismatch")
}

// lateGrant has gw-2 tell now of an entry at media-store-1 that it let pass alone at that time, by the rules it held.
func (c *counter) lateGrant(number uint64, held *access.Policy, at time.Time) [16]byte {
	c.t.Helper()
	const gw = access.GatewayID("gw-2")
	keys := c.site.Keys.Gateways[gw]
	inputs := access.AppendInputs(nil, access.View{PIN: access.PINView{Known: true}}, access.Request{
		Door: store1, Side: access.SideEnter, Key: access.Key(c.site.Ref(number).Token(keys.Token[:])), HasCard: true,
		Assurance: card.UIDOnly, WallMS: at.UnixMilli(), Clock: access.ClockServer, Link: access.LinkOffline,
	})
	sealed := wire.SealPrivate(keys.Ask, sitetest.Nonce(), wire.Private{Card: c.site.Sealed(gw, number), Inputs: inputs})
	salt := [32]byte{1}
	c.n++
	id := door.Attempt{0xee, byte(c.n)}
	now := c.at
	c.at = at
	c.carried = wire.Carried{Private: sealed, Salt: salt[:]}
	c.received = now
	c.record(gw, wire.Record{
		Door: store1, Side: access.SideEnter, Event: door.EventGranted, Attempt: id, By: access.ByGateway, Reason: access.ReasonGranted,
		Policy: held.Version(), Assurance: "uid_only", GCommit: wire.Commit(salt, sealed),
	})
	c.at, c.carried, c.received = now, wire.Carried{}, time.Time{}
	return id
}
