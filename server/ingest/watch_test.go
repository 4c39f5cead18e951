package ingest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/ingest"
	"monban/server/policypub/sitetest"
	"monban/server/review"
	"monban/server/store"
)

// at is a minute of the site's day, a Tuesday, as a stamp of the gateway; the day begins at -600.
func (b *box) at(minutes int64) *box {
	was := b.stamp.WallMS
	b.stamp.WallMS = nowMS + minutes*60_000
	b.stamp.BoottimeNS += (b.stamp.WallMS - was) * 1_000_000
	return b
}

// denied appends a refusal of a sample card, as a gateway alone writes it.
func (b *box) denied(d access.DoorID, number uint64, a byte, r access.Reason) *box {
	return b.read(d, number, a, door.EventDenied, access.SideEnter, access.ByGateway, r)
}

// read appends what came of a card, with the card.
func (b *box) read(d access.DoorID, number uint64, a byte, e door.Event, side access.Side, by access.DecidedBy, r access.Reason) *box {
	keys := b.site.Keys.Gateways[b.gw]
	sealed := wire.SealPrivate(keys.Ask, sitetest.Nonce(), wire.Private{Card: b.site.Sealed(b.gw, number)})
	var salt [32]byte
	salt[0] = a
	rec := wire.Record{
		Gateway: b.gw, Epoch: b.epoch, Seq: uint64(len(b.records) + 1), Door: d, Side: side, Event: e,
		Attempt: door.Attempt{a, b.epoch[0], b.epoch[1]}, Stamp: b.stamp, By: by, Reason: r,
		Policy: 1, Assurance: card.UIDOnly.String(), Link: "clear", GCommit: wire.Commit(salt, sealed),
	}
	if e == door.EventDenied {
		rec.Failed = rec.Failed.With(r)
	}
	b.push(wire.Carried{Body: wire.AppendRecord(nil, &rec), Private: sealed, Salt: salt[:]})
	return b
}

// passes appends a grant of the server and what follows from it.
func (b *box) passes(d access.DoorID, number uint64, a byte, e door.Event) *box {
	side := access.SideEnter
	if e == door.EventExit {
		side = access.SideExit
	}
	b.read(d, number, a, door.EventGranted, side, access.ByServer, access.ReasonGranted)
	for _, event := range []door.Event{e, door.EventClosed} {
		b.add(wire.Record{Door: d, Side: side, Event: event, By: access.ByServer, Attempt: door.Attempt{a, b.epoch[0], b.epoch[1]}, Link: "clear"})
	}
	return b
}

// busyDay is a day at the media store: refusals, passages at night, a stay that is too long, a second opening.
func busyDay(s *sitetest.Site) *box {
	b := newBox(s, "gw-2", 1)
	b.at(-590).passes("media-store-1", 4567, 1, door.EventEntry) // 00:10, around the clock: after hours
	b.at(-580).passes("media-store-1", 4567, 2, door.EventExit)
	b.at(-100).passes("media-store-1", 4568, 3, door.EventEntry) // 08:20
	for i := range byte(6) {
		b.at(-90+int64(i)).denied("media-store-1", 4575, 10+i, access.ReasonNoGrant)
	}
	for i := range byte(5) {
		b.at(-60+int64(i)).denied("media-store-1", 9000+uint64(i), 20+i, access.ReasonUnknownCredential)
	}
	b.at(-50).denied("media-store-1", 4574, 30, access.ReasonCredentialSuspended)
	b.at(-49).denied("media-store-1", 4574, 31, access.ReasonCredentialSuspended)
	b.at(-30).add(wire.Record{Door: "media-store-1", Side: access.SideEnter, Event: door.EventNoEntry, By: access.ByGateway, Attempt: door.Attempt{40}, Link: "clear"})
	b.at(-29).add(wire.Record{Door: "media-store-1", Side: access.SideEnter, Event: door.EventNoEntry, By: access.ByGateway, Attempt: door.Attempt{41}, Link: "clear"})
	b.at(700).passes("media-store-1", 4568, 5, door.EventExit) // 21:40, 13 h 20 min after the entry
	b.at(701).passes("media-store-1", 4569, 6, door.EventExit) // whom nobody saw come in
	b.at(702).add(wire.Record{Door: "media-store-1", Side: access.SideExit, Event: door.EventClosed, By: access.ByGateway, Attempt: door.Attempt{6, 1}, Link: "clear"})
	return b
}

// run takes a box record by record at its own times, with a tick after each, and a new process after record cut.
func (h *harness) run(b *box, cut int) {
	h.t.Helper()
	began := nowMS - 400*86_400_000 // an old log
	restart := func(now int64) {
		h.Pipeline = ingest.New(h.Publisher, h.Zone)
		h.Read(func(r *store.ReadTx) error { return h.Load(r, now, began) })
	}
	restart(nowMS - 700*60_000)
	for i, c := range b.records {
		body, err := wire.ParseRecord(c.Body)
		if err != nil {
			h.t.Fatal(err)
		}
		now := body.Stamp.WallMS + 200
		if _, err := h.try(b.batch(i+1, i+1), now, nil); err != nil {
			h.t.Fatal(err)
		}
		if i+1 == cut {
			restart(now + 100)
		}
		h.tick(now + 300)
	}
	h.tick(nowMS + 2*86_400_000)
}

func (h *harness) tick(now int64) {
	h.t.Helper()
	if err := h.Store.Write(h.t.Context(), func(tx *store.Tx) error { return h.Tick(tx, now) }); err != nil {
		h.t.Fatal(err)
	}
}

var busyWant = []string{
	"after_hours ", "denied_burst card", "unknown_card_repeated ", "card_scan cards", "lost_card_used suspended",
	"no_entry ", "overstay media-store", "exit_without_entry media-store", "tailgating_possible second_opening",
	"lost_card_used suspended/more-1", "no_entry more-1",
}

// VR-1, VR-7: a day with one of everything, and nothing else.
func TestBusyDay(t *testing.T) {
	h := newHarness(t)
	h.run(busyDay(h.Site), -1)
	got := h.details()
	slices.Sort(got)
	want := slices.Sorted(slices.Values(busyWant))
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// VR-1: a restart at any point finds the same, once.
func TestRestartAtAnyPoint(t *testing.T) {
	n := len(busyDay(newHarness(t).Site).records)
	step := 1
	if testing.Short() {
		step = 7
	}
	for cut := 1; cut <= n; cut += step {
		h := newHarness(t)
		h.run(busyDay(h.Site), cut)
		got := h.details()
		slices.Sort(got)
		if d := cmp.Diff(slices.Sorted(slices.Values(busyWant)), got); d != "" {
			t.Fatalf("restarted after record %d of %d:\n%s", cut, n, d)
		}
	}
}

// VR-1, I4: a batch that fails leaves the watch as it was: what it would have counted is not counted twice.
func TestFailedBatchIsNotCounted(t *testing.T) {
	h := newHarness(t)
	b := newBox(h.Site, "gw-2", 1)
	for i := range byte(4) {
		b.denied("media-store-1", 4575, i+1, access.ReasonNoGrant)
	}
	broken, other := errors.New("disk"), newBox(h.Site, "gw-1", 1)
	for i := range 3 {
		h.take(other.event(door.EventTamperEnd, 0).batch(i+1, i+1)) // so that the records come to other leaves each time
		if _, err := h.try(b.all(), nowMS, func(tx ingest.Tx) ingest.Tx { return &failing{Tx: tx, err: broken} }); !errors.Is(err, broken) {
			t.Fatal(err)
		}
	}
	h.take(b.all())
	h.wantDetails()
	b.denied("media-store-1", 4575, 5, access.ReasonNoGrant)
	h.take(b.batch(5, 5))
	h.wantDetails("denied_burst card")
}

// VR-1: of a flood the first are told one by one and the rest is counted; nothing is dropped, and another door is not hidden.
func TestFloodIsCounted(t *testing.T) {
	h := newHarness(t)
	b := newBox(h.Site, "gw-2", 1)
	const floods = 120
	for i := range floods {
		b.event(door.EventTamper, 0)
		if i == 60 {
			b.add(wire.Record{Door: "media-store-2", Event: door.EventForcedOpen, By: access.ByNobody, Link: "clear"})
		}
	}
	for first := 1; first <= len(b.records); first += 40 {
		h.take(b.batch(first, min(first+39, len(b.records))))
	}
	h.tick(nowMS + 60_000) // too early to count
	h.tick(nowMS + 11*60_000)
	got := map[string]int{}
	for _, d := range h.details() {
		got[d]++
	}
	want := map[string]int{"tamper ": 10, fmt.Sprintf("tamper more-%d", floods-10): 1, "forced_open ": 1}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// VR-7, PR-2: no finding of a rule over time names a person or a card, whatever it was about.
func TestFindingsNameNobody(t *testing.T) {
	h := newHarness(t)
	h.run(busyDay(h.Site), -1)
	for _, d := range h.details() {
		for _, secret := range []string{"1001", "1002", "4567", "4568", "髙橋", "﨑山"} {
			if strings.Contains(d, secret) {
				t.Errorf("%q names %s", d, secret)
			}
		}
	}
}

// VR-1: records that came late are judged at their own times. A backlog of the night tells of the night, and the exit that came
// by another gateway before the entry did is no exit without an entry.
func TestBacklogIsJudgedAtItsTime(t *testing.T) {
	h := newHarness(t)
	silent := true
	h.Configure(review.DefaultSettings(), func(gw access.GatewayID) bool { return silent && gw == "gw-1" })
	h.Read(func(r *store.ReadTx) error { return h.Load(r, nowMS, nowMS-400*86_400_000) })
	night := newBox(h.Site, "gw-2", 1).at(-600+30).passes("media-store-1", 4567, 1, door.EventEntry) // 00:30
	night.at(-600+60).passes("media-store-1", 4567, 2, door.EventExit)
	night.at(-1) // the batch is sent now
	night.event(door.EventLinkUp, 0)
	h.take(night.all())
	h.wantDetails("late_record 2026-11-24", "after_hours ")
}

// VR-1: who enters by rights that they gave themselves is a finding, once a day; by a right of somebody else's making they are not.
func TestSelfGranted(t *testing.T) {
	h := newHarness(t)
	var own []store.OwnRight
	for _, g := range h.Site.Site().Directory().Grants {
		if g.Person == "1001" && g.Zone == "media-store" {
			own = append(own, store.OwnRight{Noun: "grant", ID: string(g.ID)})
		}
	}
	if len(own) == 0 {
		t.Fatal("the sample person has no right to the zone")
	}
	b := newBox(h.Site, "gw-2", 1).passes("media-store-1", 4567, 1, door.EventEntry)
	h.take(b.all())
	h.wantDetails()
	if err := h.Store.Write(t.Context(), func(tx *store.Tx) error {
		for _, x := range own {
			if err := tx.MarkOwn("1001", x); err != nil {
				return err
			}
		}
		return tx.MarkOwn("1002", own[0]) // not theirs to use
	}); err != nil {
		t.Fatal(err)
	}
	n := len(b.records)
	b.passes("media-store-1", 4567, 2, door.EventEntry).passes("media-store-1", 4567, 3, door.EventEntry).passes("media-store-1", 4568, 4, door.EventEntry)
	h.take(b.batch(n+1, len(b.records)))
	h.wantDetails("self_granted grant")
}
