package app

import (
	"errors"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/directory"
	"monban/server/policypub"
	"monban/server/visit"
)

// AD-16: the forgotten card. The temporary one opens what the own one did, in the person's own name; the own one is shut until the
// other is back; the third time in a month is noted.
func TestForgottenCard(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	own, temporary := c.site.Ref(4570), c.site.Ref(30005) // 渡邉
	form := TemporaryForm{Person: "1004", Identity: visit.StaffCard, Badge: "104", PIN: "4821"}
	for n := 1; n <= 3; n++ {
		c.clock(23+n, 8, 40)
		x, err := c.IssueTemporary(ctx, form, clerk)
		c.must(err)
		if x.Month != n || x.Frequent != (n == 3) {
			t.Errorf("time %d: %+v", n, x)
		}
		if c.enters(own, "server-room-1") || !c.enters(temporary, "server-room-1") || !c.enters(temporary, store1) {
			t.Error("the temporary card opens, the own one does not")
		}
		if h, ok := c.pub.Site().Holder(temporary); !ok || h.Person.Name != "渡邉 美咲" {
			t.Error("the register would not show the person")
		}
		_, err = c.IssueTemporary(ctx, form, clerk)
		c.refused(err, visit.ErrBadgeLent)
		c.clock(23+n, 17, 30)
		if n == 2 {
			c.clock(23+n, 23, 59)
			c.must(c.sweep(ctx))
			c.wantFindings()
			c.clock(26, 0, 0)
			if c.enters(temporary, store1) || c.enters(own, store1) {
				t.Error("after midnight the temporary card has ended, and the own one stays shut until it is back")
			}
			c.must(c.sweep(ctx))
			c.wantFindings("temporary_unreturned")
		}
		_, err = c.ReturnTemporary(ctx, "B-5", false, "", clerk)
		c.must(err)
		if !c.enters(own, "server-room-1") || c.enters(temporary, store1) {
			t.Error("returned: the own card opens again, the temporary one does not")
		}
	}
	c.wantFindings("temporary_unreturned", "temporary_frequent")
	if b, err := c.ListBadges(ctx); err != nil || b[4].PIN != (card.PINRef{}) {
		t.Error("the PIN of the loan before is still there")
	}
	_, err := c.IssueTemporary(ctx, TemporaryForm{Person: "1004", Identity: visit.StaffCard, Badge: "B-5", PIN: "12"}, clerk)
	c.refused(err, visit.ErrPIN)
	_, err = c.IssueTemporary(ctx, TemporaryForm{Person: "1008", Identity: visit.StaffCard, Badge: "B-5"}, clerk)
	c.refused(err, visit.ErrOwnCard) // whose card is suspended has not forgotten it
	c.noNames("渡邉", "1004", "temporary_card-")
}

// AD-17, I5: lost at 23:00. The guard stops the card, which takes effect at once; its uses since the last sure one go to the holder;
// good again takes the holder's word and another person.
func TestLostCard(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	ref := c.site.Ref(4567)
	c.clock(24, 18, 30)
	c.pass(ref, store1, door.EventEntry)
	c.clock(24, 22, 10)
	id := c.pass(ref, store1, door.EventEntry)
	c.pass(c.site.Ref(4570), store1, door.EventEntry) // somebody else
	c.clock(24, 23, 0)
	x, err := c.SuspendCard(ctx, "C-001", true, c.clock(24, 23, 0).Add(-3*time.Hour), "飲食店で紛失との電話", watchman)
	c.must(err)
	if c.enters(ref, store1) {
		t.Error("the card still opens a door")
	}
	if len(x.Entries) != 1 || x.Entries[0].Attempt != id || x.Entries[0].Door != store1 {
		t.Fatalf("to be confirmed: %+v, want the one use since 20:00", x.Entries)
	}
	_, err = c.SuspendCard(ctx, "C-001", true, time.Time{}, "もう一度", watchman)
	c.refused(err, visit.ErrState)
	c.clock(25, 9, 0)
	x, err = c.AskResume(ctx, x.ID, "店で見つかり受領", watchman)
	c.must(err)
	_, err = c.ResumeCard(ctx, x.ID, "", section)
	c.refused(err, visit.ErrEntries)
	_, err = c.AnswerEntry(ctx, x.ID, 0, true, "", section)
	c.refused(err, visit.ErrNotHolder)
	_, err = c.AnswerEntry(ctx, x.ID, 0, true, "", chief)
	c.must(err)
	_, err = c.ResumeCard(ctx, x.ID, "", watchman)
	c.refused(err, visit.ErrSamePerson)
	_, err = c.ResumeCard(ctx, x.ID, "", chief) // the holder
	c.refused(err, visit.ErrSamePerson)
	if c.enters(ref, store1) {
		t.Error("the card is good again and nobody approved it")
	}
	_, err = c.ResumeCard(ctx, x.ID, "", section)
	c.must(err)
	if !c.enters(ref, store1) {
		t.Error("approved, and the card does not open")
	}
	if open, err := c.Suspensions(ctx); err != nil || len(open) != 0 {
		t.Errorf("%+v %v", open, err)
	}
	c.wantFindings("after_hours", "after_hours") // the guard's hours: no work was approved for the entries at night
}

// AD-17: an entry that was not the holder's is a finding at once.
func TestDisownedEntry(t *testing.T) {
	c := newCounter(t)
	c.pass(c.site.Ref(4567), store1, door.EventEntry)
	c.clock(24, 12, 0)
	x, err := c.SuspendCard(t.Context(), "C-001", false, time.Time{}, "見当たらない", chief)
	c.must(err)
	_, err = c.AnswerEntry(t.Context(), x.ID, 0, false, "出張中でした", chief)
	c.must(err)
	c.wantFindings("entry_disowned")
	x, err = c.GiveUpCard(t.Context(), x.ID, "再発行", chief)
	if err != nil || x.Head().Open {
		t.Errorf("%+v %v", x, err)
	}
	if _, err := c.AskResume(t.Context(), x.ID, "x", clerk); !errors.Is(err, visit.ErrState) {
		t.Error(err)
	}
}

// AD-14: two officers, an alert at once, ends by itself, a report is owed in 24 hours.
func TestEmergencyEntry(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	c.clock(24, 3, 0)
	ref := c.site.Ref(4575) // 小林 has no grant
	e, err := c.DeclareEmergency(ctx, []access.ZoneID{"media-store"}, []directory.PersonID{"1009"}, time.Hour, "漏水の警報", false, watchman)
	c.must(err)
	_, err = c.AgreeEmergency(ctx, e.ID, watchman)
	c.refused(err, visit.ErrSamePerson)
	if c.enters(ref, store1) {
		t.Error("one officer's word opened the door")
	}
	c.wantFindings()
	_, err = c.AgreeEmergency(ctx, e.ID, chief)
	c.must(err)
	if d := c.decide(ref, store1); d.Outcome != access.Granted {
		t.Errorf("in force and refused: %v", d.Primary)
	}
	c.wantFindings("emergency_begun")
	c.clock(24, 4, 0) // nothing was published
	if c.enters(ref, store1) {
		t.Error("it did not end by itself")
	}
	c.must(c.sweep(ctx))
	open, err := c.Emergencies(ctx)
	if err != nil || len(open) != 1 || !open[0].Ended.Done() {
		t.Errorf("%+v %v", open, err)
	}
	c.clock(25, 3, 0)
	c.must(c.sweep(ctx))
	c.wantFindings("emergency_begun", "emergency_unreported")
	_, err = c.ReportEmergency(ctx, e.ID, "漏水を止めた。機器に異常なし。", watchman)
	c.must(err)
	if due, err := c.ListDues(ctx); err != nil || len(due) != 0 {
		t.Errorf("%+v %v", due, err)
	}
	// Break-glass: one person, at once, told at once.
	_, err = c.DeclareEmergency(ctx, []access.ZoneID{"media-store"}, []directory.PersonID{"1009"}, 0, "停電", true, watchman)
	c.must(err)
	if !c.enters(ref, store1) {
		t.Error("break-glass did not open")
	}
	c.wantFindings("emergency_begun", "emergency_unreported", "emergency_begun")
}

// EQ-1, EQ-3: inside a session the door may stand open; what never goes out is owed at the visit's end.
func TestCarrying(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	v := c.approved(c.application("搬入 太郎"))
	_, err := c.ReceiveGuest(ctx, v.ID, ReceptionForm{Identity: visit.CompanyCard, Badge: "B-1"}, clerk)
	c.must(err)
	ask := visit.Carry{
		Direction: visit.CarryIn, Zone: "media-store", Doors: []access.DoorID{store1}, Visit: v.ID, Purpose: "測定器の持込み", Attendee: "1002",
		Impact: visit.Impact{Result: "none", Checker: "1002"},
	}
	bad := ask
	bad.Attendee = ""
	_, _, err = c.OpenCarry(ctx, bad, clerk)
	c.refused(err, visit.ErrMissing)
	s, _, err := c.OpenCarry(ctx, ask, clerk)
	c.must(err)
	held := wire.Record{Door: store1, Event: door.EventHeldOpen}
	c.clock(24, 10, 5)
	c.record("gw-2", held)
	c.wantFindings()
	c.clock(24, 10, 10)
	_, err = c.ShutCarry(ctx, s.ID, clerk)
	c.must(err)
	c.clock(24, 10, 12)
	c.record("gw-2", held)
	c.wantFindings("held_open")
	_, _, err = c.SetCarryItems(ctx, s.ID, []visit.Item{{What: "測定器", Serial: "M-77", Owner: "保守工業"}}, clerk)
	c.must(err)
	_, err = c.ReturnBadge(ctx, "B-1", false, "", clerk)
	c.must(err)
	c.clock(24, 17, 15)
	c.must(c.sweep(ctx))
	c.wantFindings("held_open", "carry_not_out")
	out := ask
	out.Direction, out.Items = visit.CarryOut, []visit.Item{{What: "別の箱", Serial: "Z-1"}}
	_, _, err = c.OpenCarry(ctx, out, clerk)
	c.refused(err, visit.ErrUnmatched)
	out.Items = []visit.Item{{What: "測定器", Serial: "m-77"}}
	_, _, err = c.OpenCarry(ctx, out, clerk)
	c.must(err)
	due, err := c.ListDues(ctx)
	if err != nil || len(due) != 0 {
		t.Errorf("%+v %v: it went out", due, err)
	}
	_, _, err = c.OpenCarry(ctx, visit.Carry{Direction: visit.CarryIn, Visit: "visit-2026-00404"}, clerk)
	c.refused(err, visit.ErrUnknown)
}

// DS-7, EQ-4: with a key of the door lent an opening without a badge is one with the key; else it was forced. A lost key is told.
func TestKeyLent(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	c.edit(func(s *directory.Snapshot) {
		s.Items = append(s.Items, directory.Item{ID: "ZZ-KEY", Kind: directory.ItemKey, Name: "媒体庫 正鍵", Doors: string(store1), State: directory.ItemPresent})
	})
	forced := wire.Record{Door: store1, Event: door.EventForcedOpen}
	c.record("gw-2", forced)
	c.wantFindings("forced_open")
	c.clock(24, 10, 30)
	k, err := c.LendKey(ctx, visit.KeyLoan{Key: "ZZ-KEY", Person: "1005", Purpose: "電気錠の故障"}, clerk)
	c.must(err)
	_, err = c.LendKey(ctx, visit.KeyLoan{Key: "ZZ-KEY", Person: "1004", Purpose: "x"}, clerk)
	c.refused(err, visit.ErrBadgeLent)
	c.clock(24, 10, 40)
	c.record("gw-2", forced)
	c.wantFindings("forced_open", "key_entry")
	c.clock(24, 11, 0)
	_, err = c.ReturnKey(ctx, k.ID, false, "", clerk)
	c.must(err)
	c.clock(24, 11, 10)
	c.record("gw-2", forced)
	c.wantFindings("forced_open", "key_entry", "forced_open")
	k, err = c.LendKey(ctx, visit.KeyLoan{Key: "ZZ-KEY", Person: "1005", Purpose: "点検", DueMS: c.ms(24, 12, 0)}, clerk)
	c.must(err)
	c.clock(24, 12, 0)
	c.must(c.sweep(ctx))
	_, err = c.ReturnKey(ctx, k.ID, true, "側溝に落とした", clerk)
	c.must(err)
	c.wantFindings("forced_open", "key_entry", "forced_open", "key_unreturned", "key_lost")
}

// RR-7: a purpose that nothing tells is asked afterwards; what stays blank is one item a zone and day.
func TestBlankPurpose(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	c.must(c.SetVisitSettings(ctx, func() visit.Settings {
		s := visit.DefaultSettings()
		s.PurposeZones = []access.ZoneID{"media-store"}
		return s
	}(), "媒体庫だけ", chief))
	first := c.pass(c.site.Ref(4567), store1, door.EventEntry) // 1001
	c.pass(c.site.Ref(4570), store1, door.EventEntry)          // 1004
	c.pass(c.site.Ref(4568), "server-room-1", door.EventEntry) // 1002, in a zone that asks for none
	end, err := c.DayEnd(ctx, "2026-11-24")
	if err != nil || len(end.Blank) != 2 {
		t.Fatalf("%+v %v", end.Blank, err)
	}
	_, err = c.StatePurpose(ctx, first, "媒体の確認", clerk)
	c.refused(err, visit.ErrNotHolder)
	_, err = c.StatePurpose(ctx, first, "媒体の確認 1234-5678-9018", chief)
	c.refused(err, visit.ErrMyNumber)
	_, err = c.StatePurpose(ctx, first, "媒体の確認", chief)
	c.must(err)
	_, err = c.StatePurpose(ctx, first, "別の目的", chief)
	c.refused(err, visit.ErrState)
	if text, from, err := c.PurposeOf(ctx, first); err != nil || text != "媒体の確認" || from != visit.FromPerson {
		t.Errorf("%q %q %v", text, from, err)
	}
	if mine, err := c.BlankOf(ctx, "1004", "2026-11-24"); err != nil || len(mine) != 1 {
		t.Errorf("%+v %v", mine, err)
	}
	sweep := func() {
		t.Helper()
		for range 40 { // one day a run
			c.must(c.sweep(ctx))
		}
	}
	c.clock(27, 17, 14)
	sweep()
	c.wantFindings()
	c.clock(27, 17, 15)
	sweep()
	c.wantFindings("purpose_blank")
}

// VE-12: cleaning by a standing permit; nobody applies each morning.
func TestCleaning(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	p, _, err := c.ApplyPermit(ctx, visit.Permit{
		Type: visit.Cleaning, Purpose: "定期清掃", System: "なし", Zones: []access.ZoneID{"media-store"}, Days: directory.DayWeekdays, FromS: 6 * 3600, ToS: 7 * 3600,
		Section: "管財課", Attendee: "1005", Guests: []visit.Guest{{Name: "清掃 花子", Category: directory.Visitor}},
	}, section)
	c.must(err)
	_, err = c.DecidePermit(ctx, p.ID, true, "", section)
	c.refused(err, visit.ErrSamePerson)
	_, err = c.DecidePermit(ctx, p.ID, true, "", chief)
	c.must(err)
	c.clock(25, 5, 55)
	v, err := c.VisitFromPermit(ctx, p.ID, watchman)
	c.must(err)
	_, err = c.ReceiveGuest(ctx, v.ID, ReceptionForm{Identity: visit.KnownInPerson, Badge: "B-1"}, watchman)
	c.must(err)
	c.clock(25, 6, 30)
	if !c.enters(c.site.Ref(30001), store1) {
		t.Error("refused")
	}
	c.clock(25, 7, 0)
	if c.enters(c.site.Ref(30001), store1) {
		t.Error("after seven the badge still opens")
	}
	_, err = c.VisitFromPermit(ctx, p.ID, watchman)
	c.refused(err, visit.ErrTooEarly)
	if list, err := c.Permits(ctx); err != nil || len(list) != 1 {
		t.Errorf("%+v %v", list, err)
	}
}

// A tour of one leader and a head count, on the escort's badge; the counts differ.
func TestTourCounts(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	app := c.application("議員 団長")
	app.Type, app.Heads = visit.Tour, 12
	v := c.approved(app)
	_, err := c.ReceiveGuest(ctx, v.ID, ReceptionForm{Identity: visit.KnownInPerson, Badge: "B-4", Carrier: "1002"}, clerk)
	c.must(err)
	_, err = c.CountHeads(ctx, v.ID, false, 12, clerk)
	c.must(err)
	if _, err = c.HandOverParty(ctx, v.ID, "1003", clerk); err != nil {
		t.Error(err)
	}
	c.clock(24, 11, 0)
	_, err = c.CountHeads(ctx, v.ID, true, 11, clerk)
	c.must(err)
	_, err = c.ReturnBadge(ctx, "B-4", false, "", clerk)
	c.must(err)
	c.clock(24, 12, 15)
	c.must(c.sweep(ctx))
	c.wantFindings("tour_heads_differ")
}

// Nobody came: the visit ends by itself. Nobody decided: told when the window begins.
func TestNobodyCame(t *testing.T) {
	c := newCounter(t)
	v := c.approved(c.application("不参 一"))
	u, _, err := c.ApplyVisit(t.Context(), c.application("未決 二"), section)
	c.must(err)
	c.must(c.sweep(t.Context()))
	c.wantFindings("application_undecided")
	c.clock(24, 12, 0)
	c.must(c.sweep(t.Context()))
	for id, want := range map[string]visit.State{v.ID: visit.NoShow, u.ID: visit.Refused} {
		if got, err := c.VisitByID(t.Context(), id); err != nil || got.State != want {
			t.Errorf("%s: %s %v", id, got.State, err)
		}
	}
	c.wantFindings("application_undecided", "application_unmatched") // and nobody came for the one that was approved (VR-1)
	if open, err := c.OpenVisits(t.Context()); err != nil || len(open) != 0 {
		t.Errorf("%+v %v", open, err)
	}
}

// I5: a server that starts again publishes the same policy: what was lent is still lent, and no new version is made of it.
func TestVisitsAfterRestart(t *testing.T) {
	c := newCounter(t)
	v := c.approved(c.application("再起 動"))
	_, err := c.ReceiveGuest(t.Context(), v.ID, ReceptionForm{Identity: visit.Passport, Badge: "B-1"}, clerk)
	c.must(err)
	before := c.pub.Site().Versions
	cfg := c.site.Config
	cfg.Now = func() time.Time { return c.at }
	c.pub = policypub.New(cfg)
	c.must(c.pub.Reload(t.Context()))
	if c.pub.Site().Versions != before || !c.enters(c.site.Ref(30001), store1) {
		t.Errorf("%+v after the restart, %+v before", c.pub.Site().Versions, before)
	}
	// After the window nothing opens; the badge is still known, so that who leaves has a name (D11).
	c.clock(24, 12, 1)
	c.pub = policypub.New(cfg)
	c.must(c.pub.Reload(t.Context()))
	h, ok := c.pub.Site().Holder(c.site.Ref(30001))
	if !ok || h.Person.Name != "再起 動" || c.enters(c.site.Ref(30001), store1) {
		t.Errorf("%+v %v", h, ok)
	}
	d := access.Decide(c.pub.Site().Policy, access.View{}, access.Request{
		Door: "server-room-1", Side: access.SideExit, Key: access.Key(c.site.Ref(30001)), HasCard: true, Assurance: card.UIDOnly,
		WallMS: c.at.UnixMilli(), Clock: access.ClockServer, Link: access.LinkServer,
	})
	if d.Outcome != access.Granted {
		t.Errorf("an exit was refused: %v", d.Primary)
	}
}

// VE-2, VE-4, VE-10: a contractor's badge at a zone that asks for an escort opens with one inside only; the visit gives no way around it.
func TestContractorNeedsEscort(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	c.edit(func(s *directory.Snapshot) {
		for i := range s.Zones {
			if s.Zones[i].ID == "server-room" {
				s.Zones[i].Escort = directory.EscortOutsiders
			}
		}
	})
	app := c.application("作業 太郎")
	app.Zones = []access.ZoneID{"server-room"}
	v := c.approved(app)
	_, err := c.ReceiveGuest(ctx, v.ID, ReceptionForm{Identity: visit.CompanyCard, Badge: "B-1", PIN: "4821", Conditions: c.conditions("server-room")}, clerk)
	c.must(err)
	ask := func(escorts uint32) access.Decision {
		return access.Decide(c.pub.Site().Policy, access.View{
			PIN: access.PINView{Known: true}, Person: access.PersonView{Known: true}, Zone: access.ZoneView{Known: true, Count: escorts, Escorts: escorts}, Door: access.DoorView{Known: true},
		}, access.Request{
			Door: "server-room-1", Side: access.SideEnter, Key: access.Key(c.site.Ref(30001)), HasCard: true, Assurance: card.UIDOnly, PIN: access.PINOK,
			WallMS: c.at.UnixMilli(), Clock: access.ClockServer, Link: access.LinkServer,
		})
	}
	if d := ask(1); d.Outcome != access.Granted {
		t.Errorf("with an escort inside: %v %v", d.Outcome, d.Primary)
	}
	if d := ask(0); d.Outcome == access.Granted || d.Primary != access.ReasonEscortMissing {
		t.Errorf("without one: %v %v", d.Outcome, d.Primary)
	}
}

func (c *counter) conditions(z access.ZoneID) uint32 {
	c.t.Helper()
	n, err := c.VisitConditions(c.t.Context(), []access.ZoneID{z})
	c.must(err)
	return n
}

// EQ-2: a zone that denies sends it to the locker; one that flags lets it in, and tells of it at once and once.
func TestBroughtIn(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	set := func(rule visit.BringIn) {
		t.Helper()
		s := visit.DefaultSettings()
		s.BringIn = map[access.ZoneID]visit.BringIn{"media-store": rule}
		c.must(c.SetVisitSettings(ctx, s, "規程の改正", chief))
	}
	v := c.approved(c.application("持込 太郎"))
	form := ReceptionForm{Identity: visit.Passport, Badge: "B-1", Declared: []visit.Declared{{What: "phone", Personal: true}}}
	set(visit.BringInDeny)
	_, err := c.ReceiveGuest(ctx, v.ID, form, clerk)
	c.refused(err, visit.ErrBringIn)
	if c.enters(c.site.Ref(30001), store1) {
		t.Error("refused at reception, and the badge opens")
	}
	set(visit.BringInFlag)
	_, err = c.ReceiveGuest(ctx, v.ID, form, clerk)
	c.must(err)
	c.must(c.sweep(ctx))
	c.wantFindings("bring_in_flagged")
	if err := c.SetVisitSettings(ctx, visit.Settings{}, "x", chief); err == nil {
		t.Error("settings of zeros were taken")
	}
}
