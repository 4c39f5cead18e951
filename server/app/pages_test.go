package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
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
	"monban/server/policypub/sitetest"
	"monban/server/store"
	"monban/server/web"
)

// desk is the sample site with its pages' sources.
type desk struct {
	*sitetest.Site
	*pages
	t testing.TB
}

func newDesk(t testing.TB) *desk {
	s := sitetest.New(t)
	return &desk{t: t, Site: s, pages: &pages{
		store: s.Store, health: newHealth(sitetest.Now().Add(-gapLeast)), now: sitetest.Now, log: quiet, certificates: func() map[string]time.Time { return nil },
		directory: func() directory.Snapshot { return *s.Publisher.Site().Directory() },
		versions: func(gw access.GatewayID) web.Versions {
			v, _ := s.Publisher.Versions(gw)
			return web.Versions(v)
		},
	}}
}

// decide writes a decision of the server, for the person of the opening.
func (d *desk) decide(n uint32, o entrylog.Opening, reason access.Reason, at time.Time) {
	d.t.Helper()
	outcome := access.Denied
	if reason == access.ReasonGranted {
		outcome = access.Granted
	}
	dec := entrylog.Decision{
		Gateway: "gw-1", Door: "server-room-1", Side: "enter", Outcome: outcome.String(), Reason: reason.String(), Policy: 1,
		AtMS: at.UnixMilli(), Assurance: "uid_only",
	}
	if outcome == access.Denied {
		dec.Failed = []string{reason.String()}
	}
	binary.BigEndian.PutUint32(dec.Attempt[:], n)
	dec.Ask = dec.Attempt
	err := d.Site.Store.Write(d.t.Context(), func(tx *store.Tx) error {
		_, err := tx.AppendDecision(dec, &o)
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

// offline has gw-2 send one grant of its own for a sample card, the entry after it, and a forced door.
func (d *desk) offline(number uint64) {
	d.t.Helper()
	const gw, where = access.GatewayID("gw-2"), access.DoorID("media-store-1")
	keys := d.Keys.Gateways[gw]
	stamp := wire.Stamp{Boot: wire.BootID{1}, BoottimeNS: 1_000_000_000, WallMS: sitetest.Now().UnixMilli() - 100, Quality: access.ClockServer}
	epoch := wire.Epoch{1}
	inputs := access.AppendInputs(nil, access.View{PIN: access.PINView{Known: true}}, access.Request{
		Door: where, Side: access.SideEnter, Key: access.Key(d.Ref(number).Token(keys.Token[:])), HasCard: true,
		Assurance: card.UIDOnly, WallMS: stamp.WallMS, Clock: access.ClockServer, Link: access.LinkOffline,
	})
	sealed := wire.SealPrivate(keys.Ask, sitetest.Nonce(), wire.Private{Card: d.Sealed(gw, number), Inputs: inputs})
	var salt [32]byte
	_, _ = rand.Read(salt[:]) // crypto/rand never fails
	ev := wire.Events{Gateway: gw, Epoch: epoch, First: 1}
	hash := wire.Hash{}
	add := func(r wire.Record, c wire.Carried) {
		r.Gateway, r.Epoch, r.Seq, r.Door, r.Side, r.Stamp, r.Link = gw, epoch, uint64(len(ev.Records)+1), where, access.SideEnter, stamp, "clear"
		stamp.BoottimeNS += 1_000_000
		c.Body = wire.AppendRecord(nil, &r)
		ev.Records = append(ev.Records, c)
		hash = wire.ChainHash(hash, c.Body)
	}
	id := door.Attempt{0xee}
	add(wire.Record{Event: door.EventGranted, Attempt: id, By: access.ByGateway, Reason: access.ReasonGranted, Policy: 1, Assurance: "uid_only",
		GCommit: wire.Commit(salt, sealed)}, wire.Carried{Private: sealed, Salt: salt[:]})
	add(wire.Record{Event: door.EventEntry, Attempt: id, By: access.ByGateway}, wire.Carried{})
	add(wire.Record{Event: door.EventForcedOpen}, wire.Carried{})
	ev.Head = hash
	pipeline := ingest.New(d.Publisher, d.Site.Zone)
	err := d.Site.Store.Write(d.t.Context(), func(tx *store.Tx) error {
		_, err := pipeline.Handle(tx, gw, &ev, sitetest.Now().UnixMilli())
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
}

const today = "2026-11-24"

func (d *desk) day(q web.LogQuery) web.DayLog {
	d.t.Helper()
	if q.Day == "" {
		q.Day = today
	}
	if q.Limit == 0 {
		q.Limit = 50
	}
	q.In.All = q.In.Zones == nil
	out, err := d.DayLog(d.t.Context(), q)
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

// filled is a desk with a morning: Takahashi enters alone with the server's word, an unknown card is
// refused, and the media store's gateway lets Sakiyama in while it is cut off; then its door is forced.
func filled(t testing.TB) *desk {
	d := newDesk(t)
	at := sitetest.Now()
	d.decide(1, entrylog.Opening{Person: "1001", Name: "髙橋 健一", Section: "情報政策課", Category: "staff", Masked: "****4567"}, access.ReasonGranted, at.Add(-3*time.Minute))
	d.decide(2, entrylog.Opening{Masked: "****9999"}, access.ReasonUnknownCredential, at.Add(-2*time.Minute))
	d.offline(4568)
	return d
}

func TestDayLog(t *testing.T) {
	d := filled(t)
	got := d.day(web.LogQuery{Names: true})
	if got.Total != 3 || len(got.Attempts) != 3 {
		t.Fatalf("%d lines of %d: %+v", len(got.Attempts), got.Total, got.Attempts)
	}
	sakiyama, unknown, takahashi := got.Attempts[0], got.Attempts[1], got.Attempts[2]
	if sakiyama.Who.Name != "﨑山 直子" || !sakiyama.Offline || sakiyama.By != access.ByGateway || sakiyama.Result != web.ResultEntered || sakiyama.DoorName != "媒体保管庫 扉" {
		t.Errorf("offline entry: %+v", sakiyama)
	}
	if unknown.Who.Name != "" || unknown.Who.Ref != "****9999" || unknown.Result != web.ResultDenied || unknown.Reason != access.ReasonUnknownCredential {
		t.Errorf("unknown card: %+v", unknown)
	}
	if takahashi.Who.Name != "髙橋 健一" || takahashi.Who.Section != "情報政策課" || takahashi.By != access.ByServer || takahashi.Result != web.ResultGranted ||
		takahashi.Policy != 1 || takahashi.Side != access.SideEnter {
		t.Errorf("grant: %+v", takahashi)
	}
	for name, c := range map[string]struct {
		q    web.LogQuery
		want int
	}{
		"door":               {web.LogQuery{Door: "media-store-1", Names: true}, 1},
		"result":             {web.LogQuery{Result: web.ResultDenied, Names: true}, 1},
		"text in name":       {web.LogQuery{Text: "﨑山", Names: true}, 1},
		"text in section":    {web.LogQuery{Text: "情報", Names: true}, 2},
		"text in door":       {web.LogQuery{Text: "媒体", Names: true}, 1},
		"text, reduced form": {web.LogQuery{Text: "高橋", Names: true}, 1}, // written 髙橋
		"text in kana":       {web.LogQuery{Text: "サキヤマ", Names: true}, 1},
		"text in romaji":     {web.LogQuery{Text: "takahashi", Names: true}, 1},
		"text of nobody":     {web.LogQuery{Text: "神谷", Names: true}, 0},
		"text without names": {web.LogQuery{Text: "神谷"}, 3}, // ignored: it would tell what the mask hides
		"another day":        {web.LogQuery{Day: "2026-11-23", Names: true}, 0},
	} {
		if got := d.day(c.q); got.Total != c.want || len(got.Attempts) != c.want {
			t.Errorf("%s: %d of %d, want %d", name, len(got.Attempts), got.Total, c.want)
		}
	}
	page := d.day(web.LogQuery{Skip: 1, Limit: 1, Names: true})
	if page.Total != 3 || len(page.Attempts) != 1 || page.Attempts[0].ID != unknown.ID {
		t.Errorf("second page of one: %+v", page)
	}
	if _, err := d.DayLog(t.Context(), web.LogQuery{Day: "yesterday"}); err == nil {
		t.Error("a day that is none")
	}
}

func TestAttemptDetail(t *testing.T) {
	d := filled(t)
	id := d.day(web.LogQuery{Names: true}).Attempts[0].ID
	got, err := d.Attempt(t.Context(), id, true)
	if err != nil {
		t.Fatal(err)
	}
	if got.Gateway != "gw-2" || got.Assurance != "uid_only" || got.Clock != access.ClockServer || len(got.Events) != 2 ||
		got.Events[0].Event != door.EventGranted || got.Events[1].Event != door.EventEntry || got.Events[1].Who.Name != "﨑山 直子" {
		t.Errorf("%+v", got)
	}
	for _, bad := range []string{"", "zz", strings.Repeat("0", 32), strings.Repeat("0", 34), "../" + id[3:]} {
		if _, err := d.Attempt(t.Context(), bad, true); err != web.ErrNotFound {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// D26: a system administrator sees that something happened and never to whom. Nothing that a source
// gives without names holds a name, a section, a person's id or a card's digits.
func TestMaskedSourcesNameNobody(t *testing.T) {
	d := filled(t)
	var all []any
	for _, a := range d.day(web.LogQuery{}).Attempts {
		all = append(all, a)
		detail, err := d.Attempt(t.Context(), a.ID, false)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, detail)
	}
	findings, n, err := d.ListFindings(t.Context(), web.FindingQuery{In: web.Reach{All: true}, All: true, Limit: 50})
	if err != nil || n == 0 || len(findings) != n {
		t.Fatalf("findings %v of %d, %v", findings, n, err)
	}
	over, err := d.Overview(t.Context(), web.Reach{All: true}, false)
	if err != nil || len(over.Recent) < 5 {
		t.Fatalf("overview %+v, %v", over, err)
	}
	live, err := d.LiveFrom(t.Context(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(append(all, findings, over, live))
	if err != nil {
		t.Fatal(err)
	}
	private := []string{"****9999", "****4567", "1001\"", "1002\""}
	for _, p := range d.directory().People {
		private = append(private, p.Name, p.Section)
	}
	for _, p := range private {
		if p != "" && bytes.Contains(text, []byte(p)) {
			t.Errorf("masked sources give away %q", p)
		}
	}
	// The same with names does: the test can fail.
	open, err := d.Overview(t.Context(), web.Reach{All: true}, true)
	if err != nil {
		t.Fatal(err)
	}
	text, err = json.Marshal(open)
	if err != nil || !bytes.Contains(text, []byte("髙橋 健一")) || !bytes.Contains(text, []byte("﨑山 直子")) {
		t.Errorf("with names: %s, %v", text, err)
	}
}

func TestFindings(t *testing.T) {
	d := filled(t)
	list, total, err := d.ListFindings(t.Context(), web.FindingQuery{In: web.Reach{All: true}, Names: true, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]web.Finding{}
	for _, f := range list {
		kinds[f.Kind] = f
	}
	f, ok := kinds["forced_open"]
	if !ok || total != len(list) || f.Severity != web.SeverityHigh || !f.Open || f.DoorName != "媒体保管庫 扉" || f.Gateway != "gw-2" || f.Count != 1 {
		t.Errorf("%d findings: %+v", total, list)
	}
	if _, more, err := d.ListFindings(t.Context(), web.FindingQuery{In: web.Reach{All: true}, Skip: 100, Limit: 10}); err != nil || more != total {
		t.Errorf("beyond the end: %d, %v", more, err)
	}
}

// A gateway that was never heard is listed as such: unlinked, doors unknown, nothing guessed.
func TestHealth(t *testing.T) {
	d := newDesk(t)
	list, err := d.ListGateways(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, g := range list {
		if g.Linked || !g.LastSeen.IsZero() || !g.Boot.IsZero() || g.InForce.Rules == 0 || g.Held.Rules != 0 {
			t.Errorf("never heard: %+v", g)
		}
		for _, x := range g.Doors {
			if x.Known || x.Linked || !x.Since.IsZero() {
				t.Errorf("door of a gateway never heard: %+v", x)
			}
		}
	}
	if len(list[0].Doors) != 1 || len(list[1].Doors) != 2 || list[1].Doors[1].Kind != door.KindObserve {
		t.Errorf("doors %+v", list)
	}
	now := sitetest.Now()
	d.health.said("gw-2", wire.Hello{Software: "1.2.3"})
	d.health.said("gw-2", wire.Hello{Gateway: "gw-2"}) // what a witness asks for is looked up so
	if _, heard := d.health.last("gw-2"); heard {
		t.Error("a hello is no heartbeat")
	}
	hb := wire.Heartbeat{Gateway: "gw-2", Pending: 7, Rules: 3, Stamp: wire.Stamp{Boot: wire.BootID{1}, BoottimeNS: int64(time.Hour), Quality: access.ClockServer, OffsetMS: 12},
		Doors: []wire.DoorStatus{{Door: "media-store-1", State: door.Unlocked.String(), Contact: "closed", Reader: "ok"}, {Door: "media-store-2", State: "dancing"}}}
	d.health.heard("gw-2", hb, now.Add(-linkedFor))
	list, err = d.ListGateways(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	g := list[1]
	if !g.Linked || g.Software != "1.2.3" || g.Pending != 7 || g.Held.Rules != 3 || g.OffsetMS != 12 || !g.Boot.Equal(now.Add(-linkedFor-time.Hour)) {
		t.Errorf("heard: %+v", g)
	}
	if x := g.Doors[0]; !x.Known || x.State != door.Unlocked || x.Contact != "closed" || !x.Linked {
		t.Errorf("door: %+v", x)
	}
	if x := g.Doors[1]; x.Known {
		t.Errorf("a state that there is not is known: %+v", x)
	}
	if list[0].Linked {
		t.Error("gw-1 was not heard")
	}
	// A lease's life later it is not linked any more; a beat after a restart keeps the boot's time.
	d.pages.now = func() time.Time { return now.Add(time.Millisecond) }
	if list, err = d.ListGateways(t.Context()); err != nil || list[1].Linked || list[1].LastSeen.IsZero() {
		t.Errorf("late: %+v, %v", list[1], err)
	}
}

// One bad opening costs its own line the name and nothing else.
func TestUnreadableOpening(t *testing.T) {
	d := filled(t)
	d.Read(func(r *store.ReadTx) error {
		row := attempt.Row{PersonRef: []byte{1, 2}, Opening: 0} // leaf 0 has none
		if w := d.who(r.Reader, row.Opening, row.PersonRef, true); w.Name != "" || w.Ref != "0102" {
			t.Errorf("%+v", w)
		}
		return nil
	})
}

func BenchmarkDayLog(b *testing.B) {
	d := newDesk(b)
	const rows = 30_000
	people := d.directory().People
	at := sitetest.Now().Add(-9 * time.Hour)
	for from := 0; from < rows; from += 1000 {
		err := d.Site.Store.Write(b.Context(), func(tx *store.Tx) error {
			for n := from; n < from+1000; n++ {
				p := people[n%len(people)]
				dec := entrylog.Decision{Gateway: "gw-1", Door: "server-room-1", Side: "enter", Outcome: "granted", Reason: "granted", Policy: 1, AtMS: at.UnixMilli() + int64(n), Assurance: "uid_only"}
				binary.BigEndian.PutUint32(dec.Attempt[:], uint32(n+1))
				dec.Ask = dec.Attempt
				if _, err := tx.AppendDecision(dec, &entrylog.Opening{Person: string(p.ID), Name: p.Name, Section: p.Section, Masked: "****1"}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		q    web.LogQuery
	}{
		{"first page", web.LogQuery{Names: true}},
		{"last page", web.LogQuery{Names: true, Skip: rows - 50}},
		{"text", web.LogQuery{Names: true, Text: "神谷"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if got := d.day(c.q); len(got.Attempts) != 50 {
					b.Fatal(fmt.Sprint(len(got.Attempts), " of ", got.Total))
				}
			}
		})
	}
}

// I10, OP-1: a quiet time is told from a dead logger. A silence of more than a minute is a gap of its day,
// while it lasts without an end; nobody's silence before the server listened is claimed to be quiet.
func TestGaps(t *testing.T) {
	d := newDesk(t)
	now := sitetest.Now()
	d.health.since = now.Add(-10 * time.Minute)
	if got := d.day(web.LogQuery{}).Gaps; len(got) != 2 || !got[0].To.IsZero() || !got[0].From.Equal(d.health.since) {
		t.Errorf("never heard: %+v", got)
	}
	if got := d.day(web.LogQuery{Day: "2026-11-23"}).Gaps; len(got) != 0 {
		t.Errorf("the day before: %+v", got)
	}
	a := &App{site: &Site{Store: d.Site.Store}, health: d.health, log: quiet}
	beat := func(at time.Time) {
		listening{a}.Heartbeat("gw-1", wire.Heartbeat{Gateway: "gw-1"}, at)
		a.findings.Wait()
	}
	beat(now.Add(-8 * time.Minute))
	beat(now.Add(-8*time.Minute + gapLeast)) // not more than a minute
	beat(now.Add(-5 * time.Minute))
	beat(now)
	want := []string{"gw-1 5m0s 0s", "gw-1 7m0s 5m0s", "gw-2 10m0s going on", "gw-1 10m0s 8m0s"}
	var got []string
	for _, g := range d.day(web.LogQuery{}).Gaps {
		to := "going on"
		if !g.To.IsZero() {
			to = now.Sub(g.To).String()
		}
		got = append(got, fmt.Sprint(g.Gateway, " ", now.Sub(g.From), " ", to))
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("gaps %q, want %q", got, want)
	}
}

// I10: a gateway that fell silent before the server was started anew has a gap from its own last heartbeat on, not
// only from the last moment of the server before. One that was heard to the end has none, though what is stored is older.
func TestGapOverARestart(t *testing.T) {
	d := newDesk(t)
	now := sitetest.Now()
	at := now.Add(-5 * time.Hour)
	d.health.heard("gw-1", wire.Heartbeat{Gateway: "gw-1"}, at)
	d.health.heard("gw-2", wire.Heartbeat{Gateway: "gw-2"}, now.Add(-4*time.Hour-gapLeast/2))
	for range 2 { // the second finds nothing to write
		if err := d.health.store(t.Context(), d.Site.Store); err != nil {
			t.Fatal(err)
		}
	}
	again := newHealth(now.Add(-4 * time.Hour)) // the newest entry: the server listened until then
	if err := again.load(t.Context(), d.Site.Store, d.directory().Gateways); err != nil {
		t.Fatal(err)
	}
	d.health = again
	a := &App{site: &Site{Store: d.Site.Store}, health: again, log: quiet}
	for _, gw := range []access.GatewayID{"gw-1", "gw-2"} {
		listening{a}.Heartbeat(gw, wire.Heartbeat{Gateway: gw}, now.Add(-3*time.Hour))
	}
	a.findings.Wait()
	for gw, from := range map[access.GatewayID]time.Time{"gw-1": at, "gw-2": now.Add(-4 * time.Hour)} {
		var got []web.Gap
		for _, g := range d.day(web.LogQuery{}).Gaps {
			if g.Gateway == gw && !g.To.IsZero() {
				got = append(got, g)
			}
		}
		if len(got) != 1 || !got[0].From.Equal(from) || !got[0].To.Equal(now.Add(-3*time.Hour)) {
			t.Errorf("%s: %+v, want from %v", gw, got, from)
		}
	}
}

// I10: a gap that could not be written is written later, once; until it is, nothing stored says that the gateway was
// heard, so that a server that ends meanwhile finds the gap again.
func TestGapIsOwedUntilWritten(t *testing.T) {
	d := newDesk(t)
	now := sitetest.Now()
	a := &App{site: &Site{Store: d.Site.Store}, health: d.health, log: quiet}
	closed := func() (n int) {
		for _, g := range d.day(web.LogQuery{}).Gaps {
			if !g.To.IsZero() {
				n++
			}
		}
		return n
	}
	d.health.heard("gw-1", wire.Heartbeat{Gateway: "gw-1"}, now.Add(-10*time.Minute))
	a.writing.Store(findingsMost) // no place: as a failed write
	listening{a}.Heartbeat("gw-1", wire.Heartbeat{Gateway: "gw-1"}, now)
	a.findings.Wait()
	if n := closed(); n != 0 {
		t.Fatalf("%d gaps written", n)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := d.health.store(stopped, d.Site.Store); err == nil {
		t.Fatal("written with an ended context")
	}
	heard := func() string {
		var text string
		if err := d.Site.Store.Read(t.Context(), func(r *store.ReadTx) (err error) {
			text, err = r.Setting(heardSetting + "gw-1")
			if errors.Is(err, store.ErrNotFound) {
				err = nil
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return text
	}
	if heard() != "" {
		t.Error("the last heartbeat is stored before the gap")
	}
	for range 3 { // gap, then heartbeat, then nothing
		if err := d.health.store(t.Context(), d.Site.Store); err != nil {
			t.Fatal(err)
		}
	}
	if n := closed(); n != 1 || heard() != strconv.FormatInt(now.UnixMilli(), 10) {
		t.Errorf("%d gaps written, heard %q", n, heard())
	}
}

// I10: while a gap is on its way to the disk, neither owed nor in the log, the sweep stores no later heartbeat of that
// gateway: a server that is killed then finds the gap again. Other gateways' heartbeats are stored.
func TestHeartbeatWaitsForItsGap(t *testing.T) {
	d := newDesk(t)
	now := sitetest.Now()
	d.health.heard("gw-1", wire.Heartbeat{Gateway: "gw-1"}, now.Add(-10*time.Minute))
	if err := d.health.store(t.Context(), d.Site.Store); err != nil {
		t.Fatal(err)
	}
	gap := d.health.heard("gw-1", wire.Heartbeat{Gateway: "gw-1"}, now) // its write has begun and has not ended
	if gap.Gateway != "gw-1" {
		t.Fatalf("no gap: %+v", gap)
	}
	d.health.heard("gw-2", wire.Heartbeat{Gateway: "gw-2"}, now)
	sweep := func() (heard map[access.GatewayID]time.Time) {
		if err := d.health.store(t.Context(), d.Site.Store); err != nil {
			t.Fatal(err)
		}
		again := newHealth(now) // the server is killed here; this is what the next one knows
		if err := again.load(t.Context(), d.Site.Store, d.directory().Gateways); err != nil {
			t.Fatal(err)
		}
		return again.before
	}
	for range 2 {
		if got := sweep(); !got["gw-1"].Equal(now.Add(-10 * time.Minute)) {
			t.Fatalf("gw-1 is stored as heard at %v while its gap is not in the log", got["gw-1"])
		}
	}
	if got := sweep()["gw-2"]; !got.Equal(now) {
		t.Errorf("gw-2 is stored as heard at %v, want %v", got, now)
	}
	owed := owedGap{Gap: gap, at: now}
	if err := d.Site.Store.Write(t.Context(), owed.append); err != nil {
		t.Fatal(err)
	}
	d.health.paid(owed)
	if got := sweep()["gw-1"]; !got.Equal(now) {
		t.Errorf("the gap is in the log, and gw-1 is stored as heard at %v, want %v", got, now)
	}
}
