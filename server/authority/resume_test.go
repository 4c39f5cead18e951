package authority_test

import (
	"context"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/policypub/sitetest"
	"monban/server/review"
	"monban/server/store"
)

// logged writes a gateway's record of an attempt as ingest does, ms after the site's now.
func (h *harness) logged(a wire.Answer, e door.Event, ms int64, seq uint64) {
	h.t.Helper()
	at := sitetest.Now().UnixMilli() + ms
	body := wire.Record{
		Gateway: "gw-1", Epoch: wire.Epoch{1}, Seq: seq, Door: "server-room-1", Side: access.SideEnter, Event: e, Attempt: a.Attempt,
		By: access.ByServer, Reason: access.ReasonGranted, Policy: 1,
	}
	err := h.Store.Write(context.Background(), func(tx *store.Tx) error {
		leaf := entrylog.Record{AtMS: at, FromMS: at, ToMS: at, Body: wire.AppendRecord(nil, &body)}
		_, _, err := tx.AppendRecord(store.RecordIn{Body: &body, Leaf: leaf}, nil)
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) exit(number uint64) wire.Answer {
	h.t.Helper()
	ask := h.ask(number)
	ask.Side = access.SideExit
	return h.answer(ask)
}

// AD-10: whoever has been inside for a year is inside after a restart; an officer's word of meanwhile counts.
func TestInsideForAYear(t *testing.T) {
	h := newHarness(t)
	in, other := h.enter(4567), h.enter(4568)
	h.logged(in, door.EventEntry, 0, 1)
	h.logged(other, door.EventEntry, 1000, 2)
	const day = 86_400_000
	h.restart(365 * day)
	h.inside("1001", "1002")
	err := h.Store.Write(context.Background(), func(tx *store.Tx) error {
		_, err := tx.AppendZoneAct(store.ZoneAct{Kind: store.ActForgiven, Subject: "1001", AtMS: sitetest.Now().UnixMilli() + 2*day}, "", "cli", "", "went home by the back door")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	h.restart(365 * day)
	h.inside("1002")
}

// VE-10, AD-9: an escort whom an officer has declared to be outside left then, whatever doors were passed since.
func TestTheGraceBeginsWithAnOfficersWord(t *testing.T) {
	h := newHarness(t)
	h.zone(func(z *directory.Zone) { z.Escort, z.EscortGrace = directory.EscortOutsiders, time.Minute })
	_, err := h.Publisher.Change(context.Background(), func(tx *store.Tx) ([]directory.Change, error) {
		return directory.Update(tx, directory.Actor{From: "cli"}, "test", sitetest.Now().UnixMilli(), func(s *directory.Snapshot) error {
			for i := range s.People {
				s.People[i].MayEscort = s.People[i].ID == "1001"
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	now := sitetest.Now().UnixMilli()
	h.logged(h.enter(4567), door.EventEntry, 0, 1)
	guest := h.enter(20001) // goes in behind the escort, whatever the answer is
	h.logged(guest, door.EventEntry, 5000, 2)
	if err := h.Store.Write(context.Background(), func(tx *store.Tx) error {
		_, err := tx.AppendZoneAct(store.ZoneAct{Kind: store.ActForgiven, Subject: "1001", AtMS: now + 20_000}, "", "cli", "", "left by the back door")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	h.logged(h.exit(4567), door.EventExit, 50_000, 3) // comes by a door that nobody saw, and leaves by this one
	h.restart(55_000)
	if got := h.Places().Due(now + 79_999); len(got) != 0 {
		t.Errorf("before the grace is over: %+v", got)
	}
	if got := h.Places().Due(now + 80_000); len(got) != 1 || got[0].AtMS != now+80_000 || got[0].Kind != access.NoticeEscort {
		t.Errorf("a minute after the officer's word: %+v", got)
	}
}

// VE-10, AD-10: the grace of an escort who left goes on over a restart of the server, whatever the escort did since; what was
// told is not told again, and what was not yet is.
func TestTheGraceGoesOnOverARestart(t *testing.T) {
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
	escort := h.enter(4567)
	h.logged(escort, door.EventEntry, 0, 1)
	h.Places().Follow(review.Fact{AtMS: now, Gateway: "gw-1", Door: "server-room-1", Event: door.EventEntry, Attempt: escort.Attempt}, "", wire.Epoch{1}, 1)
	guest := h.enter(20001) // goes in behind the escort, whatever the answer is
	h.logged(guest, door.EventEntry, 5000, 2)
	h.logged(h.exit(4567), door.EventExit, 10_000, 3)

	h.restart(30_000)
	alone := access.Notice{Kind: access.NoticeAlone, Zone: "server-room", AtMS: now + 10_000}
	left := access.Notice{Kind: access.NoticeEscort, Zone: "server-room", AtMS: now + 70_000}
	due := func(what string, ms int64, want ...access.Notice) {
		t.Helper()
		got := h.Places().Due(now + ms)
		if len(got) != len(want) {
			t.Errorf("%s: %+v, want %+v", what, got, want)
			return
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: %+v, want %+v", what, got[i], want[i])
			}
		}
	}
	due("before the grace is over", 69_999, alone)
	due("after it", 70_000, left)
	h.restart(3600_000) // nothing of it had been written
	due("an hour later", 3600_000, alone, left)
	err = h.Store.Write(context.Background(), func(tx *store.Tx) error {
		for _, n := range []access.Notice{alone, left} {
			f, _ := review.FromNotice(n, "gw-1", "server-room-1")
			if _, err := tx.AppendFinding(attempt.Finding{
				Kind: string(f.Kind), Severity: f.Severity.String(), Gateway: string(f.Gateway), Door: string(f.Door), Cause: f.Cause, Detail: f.Detail, AtMS: f.AtMS,
			}, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	h.restart(3600_000)
	due("told already", 3600_000)
	second := h.enter(4568)
	h.logged(second, door.EventEntry, 3_700_000, 4)
	h.logged(h.exit(4568), door.EventExit, 3_710_000, 5)
	h.restart(3_720_000)
	due("another one came and went", 3_769_999, access.Notice{Kind: access.NoticeAlone, Zone: "server-room", AtMS: now + 3_710_000})
	due("and did not come back", 3_770_000, access.Notice{Kind: access.NoticeEscort, Zone: "server-room", AtMS: now + 3_770_000})
}
