package authority_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/authority"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/policypub/sitetest"
	"monban/server/review"
	"monban/server/store"
)

var _ authority.Past = (*store.ReadTx)(nil)

// card gives the directory's id of a card.
func (h *harness) card(number uint64) string {
	h.t.Helper()
	x, ok := h.Publisher.Site().Holder(h.Ref(number))
	if !ok {
		h.t.Fatalf("no card %d", number)
	}
	return string(x.Card.ID)
}

// zone changes the server room.
func (h *harness) zone(edit func(z *directory.Zone)) {
	h.t.Helper()
	_, err := h.Publisher.Change(context.Background(), func(tx *store.Tx) ([]directory.Change, error) {
		return directory.Update(tx, directory.Actor{From: "cli"}, "test", sitetest.Now().UnixMilli(), func(s *directory.Snapshot) error {
			for i := range s.Zones {
				if s.Zones[i].ID == "server-room" {
					edit(&s.Zones[i])
				}
			}
			return nil
		})
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

var pinOf = map[uint64]string{4567: "2468", 4568: "1357", 4569: "8024", 20001: "4096"}

// enter asks at the server room with the right PIN.
func (h *harness) enter(number uint64) wire.Answer {
	return h.answer(h.withPIN(h.ask(number), number, pinOf[number]))
}

// record lets the gateway's record of an attempt commit, ms after the site's now.
func (h *harness) record(a wire.Answer, e door.Event, ms int64, seq uint64) {
	h.Places().Follow(review.Fact{
		AtMS: sitetest.Now().UnixMilli() + ms, Gateway: "gw-1", Door: "server-room-1", Side: access.SideEnter, Event: e, Attempt: a.Attempt,
	}, "", wire.Epoch{1}, seq)
}

func (h *harness) inside(want ...string) {
	h.t.Helper()
	if diff := cmp.Diff(want, h.Places().Inside("server-room")); diff != "" {
		h.t.Errorf("inside (-want +got)\n%s", diff)
	}
}

// AD-8: the pending of the first badge is carried over ask and answer; who gives up is gone; order does not matter.
func TestTwoPersonsAcrossAsks(t *testing.T) {
	h := newHarness(t)
	h.zone(func(z *directory.Zone) { z.TwoPersonWithin = 30 * time.Second })
	first := h.enter(4567)
	if first.Outcome != access.NeedSecond || first.Reason != access.ReasonSecondPerson {
		t.Fatalf("the first: %+v", first)
	}
	if again := h.enter(4567); again.Outcome != access.Denied || again.Reason != access.ReasonSecondPerson {
		t.Errorf("the same person again: %v %v", again.Outcome, again.Reason)
	} else {
		h.record(again, door.EventDenied, 0, 1) // says nothing about the attempt that waits
	}
	second := h.enter(4568)
	if second.Outcome != access.Granted {
		t.Fatalf("the second: %v %v", second.Outcome, second.Failed)
	}
	h.record(first, door.EventEntry, 1000, 2)
	h.record(second, door.EventEntry, 1000, 3)
	h.inside("1001", "1002")
	if third := h.enter(4569); third.Outcome != access.Granted {
		t.Errorf("into a zone where two are: %v", third.Failed)
	} else {
		h.record(third, door.EventNoEntry, 2000, 4)
	}
	h.record(first, door.EventExit, 3000, 5)
	h.record(second, door.EventExit, 4000, 6)
	h.inside()
	waits := h.enter(4567)
	h.record(waits, door.EventDenied, 5000, 7) // the time is over
	if other := h.enter(4568); waits.Outcome != access.NeedSecond || other.Outcome != access.NeedSecond {
		t.Errorf("after one gave up: %v, %v", waits.Outcome, other.Outcome)
	}
}

// AD-8: a gateway that has started again has forgotten who waited at its doors, so they are nobody's company: they badge again.
func TestWaitEndsWithTheGateway(t *testing.T) {
	h := newHarness(t)
	h.zone(func(z *directory.Zone) { z.TwoPersonWithin = time.Hour })
	badge := func(number uint64, boot byte) wire.Answer {
		ask := h.ask(number)
		ask.Stamp.Boot = wire.BootID{boot}
		return h.answer(h.withPIN(ask, number, pinOf[number]))
	}
	if first := badge(4567, 1); first.Outcome != access.NeedSecond {
		t.Fatalf("the first: %v", first.Outcome)
	}
	if second := badge(4568, 2); second.Outcome != access.NeedSecond {
		t.Errorf("alone at a gateway that has started again: %v", second.Outcome)
	}
	if again := badge(4567, 2); again.Outcome != access.Granted {
		t.Errorf("both are there: %v %v", again.Outcome, again.Failed)
	}
}

// D7: passages count by when they happened, not by when they came.
func TestPlacesFoldByTime(t *testing.T) {
	h := newHarness(t)
	in := h.enter(4567)
	h.record(in, door.EventEntry, 1000, 1)
	h.record(in, door.EventExit, 9000, 2)
	late := h.enter(4567)
	h.record(late, door.EventEntry, 5000, 3) // an offline gateway's, hours later
	h.inside()
	h.record(late, door.EventEntry, 9000, 4) // the same millisecond: the number decides
	h.inside("1001")
	at, ms := h.Places().PlaceOf("1001")
	if at != "server-room" || ms != sitetest.Now().UnixMilli()+9000 {
		t.Errorf("%q since %d", at, ms)
	}
	now := sitetest.Now().UnixMilli()
	h.Places().Apply(store.ZoneAct{Kind: store.ActForgiven, Subject: "1001", AtMS: now + 8000}) // before the entry: it says nothing about it
	h.inside("1001")
	h.Places().Apply(store.ZoneAct{Kind: store.ActForgiven, Subject: "1001", AtMS: now + 9500})
	h.inside()
	h.record(late, door.EventEntry, 10_000, 5)
	h.Places().Apply(store.ZoneAct{Kind: store.ActZoneReset, Subject: "server-room", AtMS: now + 11_000})
	h.inside()
	other := h.enter(4568)
	h.record(other, door.EventEntry, 10_500, 6) // a record of before the reset
	h.inside()
	h.record(other, door.EventEntry, 12_000, 7)
	h.inside("1002")
}

// AD-9, AD-10: what the places say counts in the next answer, and the inputs replay it (AD-12).
func TestPlacesDecide(t *testing.T) {
	h := newHarness(t)
	h.zone(func(z *directory.Zone) { z.AntiPassback, z.MaxInside = directory.PassbackHard, 2 })
	for i, n := range []uint64{4567, 4568} {
		h.record(h.enter(n), door.EventEntry, int64(i), uint64(i+1))
	}
	for n, want := range map[uint64]access.Reason{4567: access.ReasonAntiPassback, 4569: access.ReasonOccupancyFull} {
		ans := h.enter(n)
		_, o := h.opening(ans)
		view, request, err := access.ParseInputs(o.Inputs)
		if err != nil {
			t.Fatal(err)
		}
		if d := access.Decide(h.Publisher.Site().Policy, view, request); ans.Reason != want || d.Primary != want || view.Zone.Count != 2 {
			t.Errorf("%d: answered %v, replayed %v with %d inside", n, ans.Reason, d.Primary, view.Zone.Count)
		}
	}
	exit := h.ask(4567)
	exit.Side = access.SideExit
	if ans := h.answer(exit); ans.Outcome != access.Granted || ans.Failed != 0 {
		t.Errorf("exit: %+v", ans)
	}
}

// AD-10: two in the same moment at two doors of two gateways never get one last place; it is given again when its holder
// does not pass, and it stays given over a restart of the server.
func TestTheLastPlaceIsGivenOnce(t *testing.T) {
	h := newHarness(t)
	_, err := h.Publisher.Change(context.Background(), func(tx *store.Tx) ([]directory.Change, error) {
		return directory.Update(tx, directory.Actor{From: "cli"}, "test", sitetest.Now().UnixMilli(), func(s *directory.Snapshot) error {
			for i := range s.Zones {
				if s.Zones[i].ID == "server-room" {
					s.Zones[i].MaxInside = 2
				}
			}
			for i := range s.Doors {
				if s.Doors[i].ID == "media-store-1" { // the side door, on the other gateway
					s.Doors[i].Enter = "server-room"
				}
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	side := func(number uint64) wire.Answer {
		ask := h.ask(number)
		ask.Gateway, ask.Door, ask.Card = "gw-2", "media-store-1", h.Sealed("gw-2", number)
		return h.answer(h.withPIN(ask, number, pinOf[number]))
	}
	h.record(h.enter(4567), door.EventEntry, 0, 1)
	second := h.enter(4568)
	if second.Outcome != access.Granted {
		t.Fatalf("the last place: %v", second.Failed)
	}
	for _, when := range []string{"in the same moment", "after a restart of the server"} {
		if third := side(4569); third.Reason != access.ReasonOccupancyFull {
			t.Errorf("%s at the other door: %v", when, third.Reason)
		} else if d, o := h.opening(third); len(o.Inputs) == 0 || d.Reason != "occupancy_full" {
			t.Errorf("opening %+v", o)
		} else if v, q, err := access.ParseInputs(o.Inputs); err != nil || v.Zone.Reserved != 1 || access.Decide(h.Publisher.Site().Policy, v, q).Primary != access.ReasonOccupancyFull {
			t.Errorf("replayed: %+v, %v (AD-12)", v.Zone, err)
		}
		h.restart(1000)
		h.record(h.enter(4567), door.EventEntry, 1500, 3) // whom the log of this test does not have inside
	}
	h.record(second, door.EventNoEntry, 2000, 4)
	if third := side(4569); third.Outcome != access.Granted {
		t.Errorf("after the other did not go in: %v", third.Failed)
	}
}

// erased is a log in which no opening can be read any more.
type erased struct{ *store.ReadTx }

func (erased) Opening(int64) (entrylog.Opening, error) { return entrylog.Opening{}, store.ErrErased }

// EV-9, D7: lines whose key was destroyed are nobody's; the server starts all the same.
func TestPlacesOfErasedLines(t *testing.T) {
	h := newHarness(t)
	h.enter(4567)
	h.Read(func(r *store.ReadTx) error {
		return authority.New(h.Publisher).Places().Load(erased{r}, sitetest.Now().UnixMilli()+1000, h.Zone)
	})
}

// D7: after a restart the places are those that the log says, with the officers' acts in their order.
func TestPlacesAfterRestart(t *testing.T) {
	h := newHarness(t)
	now := sitetest.Now().UnixMilli()
	seq := uint64(0)
	logged := func(a wire.Answer, e door.Event, ms int64) { // as ingest writes it
		seq++
		body := wire.Record{
			Gateway: "gw-1", Epoch: wire.Epoch{1}, Seq: seq, Door: "server-room-1", Side: access.SideEnter, Event: e, Attempt: a.Attempt,
			By: access.ByServer, Reason: access.ReasonGranted, Policy: 1,
		}
		err := h.Store.Write(context.Background(), func(tx *store.Tx) error {
			_, _, err := tx.AppendRecord(store.RecordIn{
				Body: &body, Leaf: entrylog.Record{AtMS: now + ms, FromMS: now + ms, ToMS: now + ms, Body: wire.AppendRecord(nil, &body)},
			}, nil)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	act := func(kind, subject string, ms int64) {
		err := h.Store.Write(context.Background(), func(tx *store.Tx) error {
			_, err := tx.AppendZoneAct(store.ZoneAct{Kind: kind, Subject: subject, AtMS: now + ms}, "", "cli", "", "asked on the phone")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	one, two, three := h.enter(4567), h.enter(4568), h.enter(4569)
	logged(one, door.EventEntry, 1000)
	logged(two, door.EventEntry, 2000)
	logged(three, door.EventEntry, 3000)
	act(store.ActForgiven, "1002", 4000)
	act(store.ActPINReset, h.card(4569), 4500)
	restarted := func() {
		h.Authority = authority.New(h.Publisher)
		h.Read(func(r *store.ReadTx) error { return h.Places().Load(r, now+60_000, h.Zone) })
	}
	restarted()
	h.inside("1001", "1003")
	act(store.ActZoneReset, "server-room", 5000)
	restarted()
	h.inside()
	open := h.enter(4568)
	logged(open, door.EventEntry, 6000)
	restarted()
	h.inside("1002")
	locked := h.withPIN(h.ask(4569), 4569, "8024")
	locked.PINFailed = 5 // the gateway has not heard of the reset
	if ans := h.answer(locked); ans.Outcome != access.Granted {
		t.Errorf("after the reset: %v", ans.Failed)
	}
	fresh := h.withPIN(h.ask(4569), 4569, "8024")
	fresh.PINFailed, fresh.PINReset = 5, now+4500 // it has taken the reset and counted five since
	if ans := h.answer(fresh); ans.Reason != access.ReasonPINLocked {
		t.Errorf("locked anew: %v", ans.Reason)
	}
	if err := h.Store.Write(context.Background(), func(tx *store.Tx) error {
		_, err := tx.AppendZoneAct(store.ZoneAct{Kind: store.ActForgiven, Subject: "1001"}, "", "cli", "", "")
		return err
	}); err == nil {
		t.Error("an act without a reason is written")
	}
}

// VE-10: an escort who leaves and does not come back within the grace is found; a hand-over is not.
func TestWatchFindsTheEscortGone(t *testing.T) {
	h := newHarness(t)
	h.zone(func(z *directory.Zone) {
		z.Escort, z.EscortGrace, z.MinInside = directory.EscortOutsiders, time.Minute, 2
	})
	_, err := h.Publisher.Change(context.Background(), func(tx *store.Tx) ([]directory.Change, error) {
		return directory.Update(tx, directory.Actor{From: "cli"}, "test", sitetest.Now().UnixMilli(), func(s *directory.Snapshot) error {
			for i := range s.People {
				s.People[i].MayEscort = s.People[i].ID == "1001" || s.People[i].ID == "1002"
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	now := sitetest.Now().UnixMilli()
	escort, guest, other := h.enter(4567), h.enter(20001), h.enter(4568)
	h.record(escort, door.EventEntry, 0, 1)
	h.Places().Follow(review.Fact{AtMS: now, Gateway: "gw-1", Door: "server-room-1", Event: door.EventEntry, Attempt: guest.Attempt}, "K-2001", wire.Epoch{1}, 2)
	h.record(escort, door.EventExit, 10_000, 3)
	h.record(other, door.EventEntry, 69_999, 4) // handed over
	if due := h.Places().Due(now + 80_000); len(due) != 1 || due[0].Kind != access.NoticeAlone {
		t.Errorf("after the hand-over: %+v; the guest was alone, never without an escort for too long", due)
	}
	h.record(other, door.EventExit, 100_000, 5)
	if due := h.Places().Due(now + 159_999); len(due) != 1 || due[0].Kind != access.NoticeAlone {
		t.Errorf("before the grace is over: %+v", due)
	}
	due := h.Places().Due(now + 170_000)
	if len(due) != 1 || due[0] != (access.Notice{Kind: access.NoticeEscort, Zone: "server-room", AtMS: now + 160_000}) {
		t.Errorf("after the grace: %+v", due)
	}
	if again := h.Places().Due(now + 900_000); len(again) != 0 {
		t.Errorf("told twice: %+v", again)
	}
}
