package app

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/ingest"
	"monban/server/policypub"
	"monban/server/policypub/sitetest"
	"monban/server/store"
	"monban/server/visit"
)

// counter is the sample site with reception's service on a clock that the test moves.
type counter struct {
	*Visits
	t    *testing.T
	site *sitetest.Site
	pub  *policypub.Publisher
	at   time.Time
	n    uint32
	seq  map[access.GatewayID]uint64
	hash map[access.GatewayID]wire.Hash
	// carried is the private part of the next record, received when it arrives; zero = none, now.
	carried  wire.Carried
	received time.Time
}

var (
	clerk    = visit.Actor{Account: "clerk", Person: "1006", From: "lan", Address: "192.0.2.1"}
	chief    = visit.Actor{Account: "chief", Person: "1001", From: "lan"}
	section  = visit.Actor{Account: "section", Person: "1002", From: "lan"}
	watchman = visit.Actor{Account: "watchman", From: "lan"}
)

func newCounter(t *testing.T) *counter {
	t.Helper()
	c := &counter{t: t, site: sitetest.New(t), at: sitetest.Now(), seq: map[access.GatewayID]uint64{}, hash: map[access.GatewayID]wire.Hash{}}
	cfg := c.site.Config
	cfg.Now = func() time.Time { return c.at }
	c.pub = policypub.New(cfg)
	c.must(c.pub.Reload(t.Context()))
	c.Visits = newVisits(c.pub, c.site.Store, cfg.Now, quiet)
	c.must(c.site.Store.Write(t.Context(), func(tx *store.Tx) error {
		var errs []error
		for _, a := range []visit.Actor{clerk, chief, section, watchman} {
			errs = append(errs, tx.InsertAccount(store.Account{ID: a.Account, Login: a.Account, FullName: a.Account, Person: string(a.Person), CreatedMS: 1, PasswordHash: "x"}))
		}
		return errors.Join(errs...)
	}))
	for i, kind := range []visit.BadgeKind{visit.VisitorBadge, visit.VisitorBadge, visit.VisitorBadge, visit.VisitorBadge, visit.TemporaryKind} {
		form := BadgeForm{ID: "B-" + number(i+1), Label: number(100 + i), Kind: kind, Look: "黄色", Format: "H10301", Facility: 123, Number: uint64(30001 + i), Assurance: card.UIDOnly}
		if i == 3 {
			form.Format = "" // a name plate
		}
		_, err := c.AddBadge(t.Context(), form, "新規", clerk)
		c.must(err)
	}
	return c
}

func (c *counter) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// clock sets the time of a day of November 2026 in Tokyo.
func (c *counter) clock(day, hour, minute int) time.Time {
	c.at = time.Date(2026, 11, day, hour, minute, 0, 0, c.site.Zone)
	return c.at
}

func (c *counter) ms(day, hour, minute int) int64 {
	return time.Date(2026, 11, day, hour, minute, 0, 0, c.site.Zone).UnixMilli()
}

// near reports whether a time in the log is now: it is the middle of an interval.
func (c *counter) near(ms int64) bool {
	d := ms - c.at.UnixMilli()
	return -1000 < d && d < 1000
}

// edit changes the directory as an import would.
func (c *counter) edit(f func(s *directory.Snapshot)) {
	c.t.Helper()
	_, err := c.pub.Change(c.t.Context(), func(tx *store.Tx) ([]directory.Change, error) {
		return directory.Update(tx, directory.Actor{From: "cli"}, "test", c.at.UnixMilli(), func(s *directory.Snapshot) error { f(s); return nil })
	})
	c.must(err)
}

// decide asks the site's policy as the server does at an entry; the card's PIN is right.
func (c *counter) decide(ref card.Ref, at access.DoorID) access.Decision {
	return access.Decide(c.pub.Site().Policy, access.View{PIN: access.PINView{Known: true}}, access.Request{
		Door: at, Side: access.SideEnter, Key: access.Key(ref), HasCard: true, Assurance: card.UIDOnly, PIN: access.PINOK,
		WallMS: c.at.UnixMilli(), Clock: access.ClockServer, Link: access.LinkServer,
	})
}

func (c *counter) enters(ref card.Ref, at access.DoorID) bool {
	return c.decide(ref, at).Outcome == access.Granted
}

// pass has somebody pass a door on a card: the server's decision and the gateway's record of it.
func (c *counter) pass(ref card.Ref, at access.DoorID, e door.Event) string {
	c.t.Helper()
	h, ok := c.pub.Site().Holder(ref)
	if !ok {
		c.t.Fatal("unknown card")
	}
	o := h.Opening()
	side := access.SideEnter
	if e == door.EventExit {
		side = access.SideExit
	}
	c.n++
	gw := c.pub.Site().Door(at).Gateway
	d := entrylog.Decision{
		Gateway: string(gw), Door: string(at), Side: side.String(), Outcome: "granted", Reason: "granted", Policy: 1, AtMS: c.at.UnixMilli(), Assurance: "uid_only",
	}
	binary.BigEndian.PutUint32(d.Attempt[:], c.n)
	d.Ask = d.Attempt
	c.must(c.site.Store.Write(c.t.Context(), func(tx *store.Tx) error { _, err := tx.AppendDecision(d, &o); return err }))
	c.record(gw, wire.Record{Door: at, Side: side, Event: e, Attempt: door.Attempt(d.Attempt), By: access.ByServer})
	return hexID(d.Attempt)
}

func hexID(id [16]byte) string {
	row := attempt.Row{ID: id}
	return passage(&row, &directory.Snapshot{}).Attempt
}

// record has a gateway send one record of now.
func (c *counter) record(gw access.GatewayID, r wire.Record) {
	c.t.Helper()
	c.seq[gw]++
	ev := wire.Events{Gateway: gw, Epoch: wire.Epoch{7}, First: c.seq[gw], Prev: c.hash[gw]}
	r.Gateway, r.Epoch, r.Seq = gw, ev.Epoch, c.seq[gw]
	r.Stamp = wire.Stamp{Boot: wire.BootID{1}, BoottimeNS: int64(c.seq[gw]) * 1000, WallMS: c.at.UnixMilli(), Quality: access.ClockServer}
	body := wire.AppendRecord(nil, &r)
	c.hash[gw] = wire.ChainHash(c.hash[gw], body)
	c.carried.Body = body
	ev.Records, ev.Head = []wire.Carried{c.carried}, c.hash[gw]
	received := c.at
	if !c.received.IsZero() {
		received = c.received
	}
	c.must(c.site.Store.Write(c.t.Context(), func(tx *store.Tx) error {
		_, err := ingest.New(c.pub, c.site.Zone).Handle(tx, gw, &ev, received.UnixMilli())
		return err
	}))
}

// findings lists the kinds of all findings, oldest first.
func (c *counter) findings() (kinds []string) {
	c.t.Helper()
	c.must(c.site.Store.Read(c.t.Context(), func(r *store.ReadTx) error {
		list, _, err := r.Findings(true, 0, 1000)
		slices.SortFunc(list, func(a, b attempt.Finding) int { return int(a.Idx - b.Idx) })
		for _, f := range list {
			kinds = append(kinds, f.Kind)
		}
		return err
	}))
	return kinds
}

func (c *counter) wantFindings(want ...string) {
	c.t.Helper()
	if got := c.findings(); !slices.Equal(got, want) {
		c.t.Errorf("%s: findings %v, want %v", c.at.In(c.site.Zone).Format("02 15:04"), got, want)
	}
}

func (c *counter) refused(err error, want *visit.Error) {
	c.t.Helper()
	if !errors.Is(err, want) {
		c.t.Errorf("got %v, want %s", err, want.Word)
	}
}

// application is one for the media store on 24 November, 10:00–12:00.
func (c *counter) application(names ...string) visit.Application {
	app := visit.Application{
		Type: visit.Meeting, Purpose: "設備の下見", System: "空調", Zones: []access.ZoneID{"media-store"}, FromMS: c.ms(24, 10, 0), UntilMS: c.ms(24, 12, 0),
		Section: "情報政策課", Company: "東北システム保守株式会社", Attendee: "1002",
	}
	for _, n := range names {
		app.Guests = append(app.Guests, visit.Guest{Name: n, Category: directory.Visitor})
	}
	return app
}

// approved is an application that another person approved.
func (c *counter) approved(app visit.Application) visit.Visit {
	c.t.Helper()
	v, _, err := c.ApplyVisit(c.t.Context(), app, section)
	c.must(err)
	v, err = c.DecideVisit(c.t.Context(), v.ID, true, "", chief)
	c.must(err)
	return v
}

const store1 = access.DoorID("media-store-1")

// VE-1, VE-3, VE-9, I5: a visit from the application to the returned badge. The badge opens the door from reception on, and not any
// more once it is back; names stand in openings only.
func TestVisit(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	badge := c.site.Ref(30001)
	v, _, err := c.ApplyVisit(ctx, c.application("﨑山 来訪"), section)
	c.must(err)
	_, err = c.DecideVisit(ctx, v.ID, true, "", section)
	c.refused(err, visit.ErrSamePerson)
	_, err = c.DecideVisit(ctx, v.ID, true, "", visit.Actor{Account: "other", Person: section.Person})
	c.refused(err, visit.ErrSamePerson)
	_, err = c.DecideVisit(ctx, v.ID, true, "", chief)
	c.must(err)
	if c.enters(badge, store1) {
		t.Error("a badge in the drawer opens a door")
	}
	// The four steps at the counter are one list and one call.
	today, err := c.VisitsOfDay(ctx, "2026-11-24")
	if err != nil || len(today) != 1 || today[0].ID != v.ID {
		t.Fatalf("%+v %v", today, err)
	}
	before := c.pub.Site().Versions.Rules
	_, err = c.ReceiveGuest(ctx, v.ID, ReceptionForm{Identity: visit.CompanyCard, Badge: "100"}, clerk)
	c.must(err)
	if c.pub.Site().Versions.Rules <= before {
		t.Error("no new version: gateways hear nothing of the badge")
	}
	if !c.enters(badge, store1) || c.enters(badge, "server-room-1") {
		t.Error("the badge opens the visit's zone and no other")
	}
	c.clock(24, 10, 5)
	c.pass(badge, store1, door.EventEntry)
	got, err := c.VisitByID(ctx, v.ID)
	if err != nil || !got.Presence[0].Inside || !c.near(got.Presence[0].EnteredMS) {
		t.Errorf("%+v %v", got.Presence, err)
	}
	c.clock(24, 11, 30)
	c.pass(badge, store1, door.EventExit)
	_, err = c.ReturnBadge(ctx, "B-1", false, "", clerk)
	c.must(err)
	if c.enters(badge, store1) {
		t.Error("a returned badge opens a door")
	}
	if got, err = c.VisitByID(ctx, v.ID); err != nil || got.State != visit.Closed || !c.near(got.Presence[0].LeftMS) {
		t.Errorf("%+v %v", got, err)
	}
	_, err = c.ReturnBadge(ctx, "B-1", false, "", clerk)
	c.refused(err, visit.ErrState)
	c.wantFindings()
	c.noNames("﨑山", v.ID, "1001", "1002", "1006")
}

// noNames: leaves hold no name and no id of a person or visit (PR-2), and verify finds nothing.
func (c *counter) noNames(words ...string) {
	c.t.Helper()
	c.must(c.site.Store.Read(c.t.Context(), func(r *store.ReadTx) error {
		leaves, err := r.Leaves(0, 10_000)
		for _, l := range leaves {
			if l.Kind != entrylog.KindAction {
				continue
			}
			for _, w := range words {
				if len(w) < 6 && w[0] < 0x80 {
					w += `"` // the number of a person is a whole value: a commitment may begin with any four digits
				}
				if bytes.Contains(l.Body, []byte(`"`+w)) {
					c.t.Errorf("a leaf holds %q: %s", w, l.Body)
				}
			}
		}
		return err
	}))
}

// VE-9, VE-3: the window's end closes the door by itself, also at a gateway that nothing reaches any more.
func TestVisitEndsByItself(t *testing.T) {
	c := newCounter(t)
	badge := c.site.Ref(30001)
	app := c.application("渡邉 夜間")
	app.FromMS, app.UntilMS = c.ms(24, 22, 0), c.ms(25, 5, 0)
	v := c.approved(app)
	c.clock(24, 21, 50)
	_, err := c.ReceiveGuest(t.Context(), v.ID, ReceptionForm{Identity: visit.DrivingLicence, Badge: "B-1"}, watchman)
	c.must(err)
	for _, x := range []struct {
		day, hour, minute int
		in                bool
	}{{24, 22, 0, true}, {25, 0, 0, true}, {25, 4, 59, true}, {25, 5, 0, false}} {
		c.clock(x.day, x.hour, x.minute) // nothing is published meanwhile
		if got := c.decide(badge, store1); (got.Outcome == access.Granted) != x.in {
			t.Errorf("%02d %02d:%02d: %v %v", x.day, x.hour, x.minute, got.Outcome, got.Primary)
		}
	}
	c.clock(25, 5, 14)
	c.must(c.sweep(t.Context()))
	c.wantFindings("application_unmatched") // let in, and no door has said that they went
	c.clock(25, 5, 15)
	c.must(c.sweep(t.Context()))
	c.must(c.sweep(t.Context()))
	c.wantFindings("application_unmatched", "badge_unreturned") // told once
	_, err = c.ReturnBadge(t.Context(), "B-1", true, "持ち帰り", watchman)
	c.must(err)
	c.wantFindings("application_unmatched", "badge_unreturned", "badge_lost")
	if b, err := c.ListBadges(t.Context()); err != nil || b[0].Status != visit.BadgeLost || b[0].Matter != "" {
		t.Errorf("%+v %v", b, err)
	}
}

// VE-8: who is inside by the log keeps the visit open; a person closes it with a note.
func TestVisitNotLeft(t *testing.T) {
	c := newCounter(t)
	v := c.approved(c.application("𠮷田 置去"))
	_, err := c.ReceiveGuest(t.Context(), v.ID, ReceptionForm{Identity: visit.Passport, Badge: "B-1"}, clerk)
	c.must(err)
	c.pass(c.site.Ref(30001), store1, door.EventEntry)
	c.clock(24, 11, 0)
	v, err = c.ReturnBadge(t.Context(), "B-1", false, "", clerk)
	if err != nil || v.State != visit.Running {
		t.Fatalf("%s %v", v.State, err)
	}
	c.clock(24, 12, 15)
	c.must(c.sweep(t.Context()))
	c.wantFindings("exit_not_recorded")
	_, err = c.CloseVisit(t.Context(), v.ID, "", clerk)
	c.refused(err, visit.ErrInside)
	v, err = c.CloseVisit(t.Context(), v.ID, "立会者と退室", clerk)
	if err != nil || v.State != visit.Closed {
		t.Errorf("%s %v", v.State, err)
	}
}

// VE-12: 08:45, a failed disk; the approver is in a meeting, a substitute comes; nobody confirms on the next open day.
func TestUrgent(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	c.edit(func(s *directory.Snapshot) {
		s.Contracts = append(s.Contracts, directory.Contract{
			ID: "K8-1", Name: "保守", Company: "東北システム保守株式会社", Section: "情報政策課", Tier: 1, Workers: []directory.PersonID{"K-2001"},
			ValidFrom: directory.Date{Year: 2026, Month: 4, Day: 1}, ValidUntil: directory.Date{Year: 2027, Month: 3, Day: 31},
		})
		slices.SortFunc(s.Contracts, func(a, b directory.Contract) int { return bytes.Compare([]byte(a.ID), []byte(b.ID)) })
	})
	c.clock(24, 8, 45)
	app := c.application()
	app.Type, app.Purpose, app.Contract, app.FromMS = visit.Work, "ディスク交換", "K8-1", c.at.UnixMilli()
	app.Guests = []visit.Guest{{Name: "佐藤 翔", Person: "K-2001", Category: directory.Contractor}}
	v, _, err := c.UrgentVisit(ctx, app, "1001", clerk)
	c.must(err)
	v, err = c.ChangeWorker(ctx, v.ID, 0, visit.Guest{Name: "代理 太郎", Category: directory.Contractor}, "担当者が急病", section)
	c.must(err)
	_, err = c.ReceiveGuest(ctx, v.ID, ReceptionForm{Guest: 1, Identity: visit.CompanyCard, Badge: "B-2"}, clerk)
	c.must(err)
	if d := c.decide(c.site.Ref(30002), store1); d.Outcome != access.Granted {
		t.Errorf("the substitute is refused: %v", d.Primary)
	}
	c.clock(24, 10, 0)
	_, err = c.ReturnBadge(ctx, "B-2", false, "", clerk)
	c.must(err)
	c.clock(25, 17, 14)
	c.must(c.sweep(ctx))
	c.wantFindings()
	c.clock(25, 17, 15)
	c.must(c.sweep(ctx))
	c.wantFindings("oral_unconfirmed")
	_, err = c.ConfirmOral(ctx, v.ID, true, "", clerk)
	c.refused(err, visit.ErrSamePerson)
	_, err = c.ConfirmOral(ctx, v.ID, false, "承認していない", chief)
	c.must(err)
	c.wantFindings("oral_unconfirmed", "oral_denied")
}

// VE-12, I5: an approval that was denied shuts the door on who is in the building already.
func TestOralDenied(t *testing.T) {
	c := newCounter(t)
	v, _, err := c.UrgentVisit(t.Context(), c.application("髙橋 急"), "1001", clerk)
	c.must(err)
	_, err = c.ReceiveGuest(t.Context(), v.ID, ReceptionForm{Identity: visit.Passport, Badge: "B-1"}, clerk)
	c.must(err)
	if !c.enters(c.site.Ref(30001), store1) {
		t.Fatal("received and not let in")
	}
	_, err = c.ConfirmOral(t.Context(), v.ID, false, "聞いていない", chief)
	c.must(err)
	if c.enters(c.site.Ref(30001), store1) {
		t.Error("the door still opens")
	}
}

// VE-11: four persons in one opening, on the escort's badge.
func TestPartyOfFour(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	c.edit(func(s *directory.Snapshot) {
		for i := range s.People {
			s.People[i].MayEscort = s.People[i].ID == "1002"
		}
	})
	for i := range 2 {
		_, err := c.AddBadge(ctx, BadgeForm{ID: "P-" + number(i), Label: "P" + number(i), Kind: visit.VisitorBadge, Look: "青"}, "", clerk)
		c.must(err)
	}
	v := c.approved(c.application("来訪 一", "来訪 二", "来訪 三"))
	for i, b := range []string{"B-4", "P-0", "P-1"} {
		_, err := c.ReceiveGuest(ctx, v.ID, ReceptionForm{Guest: i, Identity: visit.Passport, Badge: b, Carrier: "1002"}, clerk)
		c.must(err)
	}
	i := slices.IndexFunc(c.pub.Site().Directory().People, func(p directory.Person) bool { return p.ID == "1002" })
	if got := c.pub.Site().Directory().People[i].Party; got != 4 {
		t.Errorf("the escort's badge stands for %d persons", got)
	}
	c.pass(c.site.Ref(4568), store1, door.EventEntry)
	got, err := c.VisitByID(ctx, v.ID)
	c.must(err)
	for _, p := range got.Presence {
		if !p.Carried || !p.Inside {
			t.Errorf("%+v", p)
		}
	}
	c.pass(c.site.Ref(4568), store1, door.EventExit)
	for _, b := range []string{"B-4", "P-0", "P-1"} {
		_, err := c.ReturnBadge(ctx, b, false, "", clerk)
		c.must(err)
	}
	if got, err = c.VisitByID(ctx, v.ID); err != nil || got.State != visit.Closed {
		t.Errorf("%s %v", got.State, err)
	}
}
