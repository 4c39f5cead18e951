package ingest_test

import (
	"strings"
	"testing"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/directory"
	"monban/server/ingest"
	"monban/server/policypub/sitetest"
	"monban/server/review"
	"monban/server/store"
)

// waits is shared with a media store that outsiders enter with an escort only; 1003, card 4569, is one. 1002, card 4568, may escort.
func waits(t *testing.T, silent *bool) *harness {
	t.Helper()
	h := shared(t, silent)
	_, err := h.Publisher.Change(t.Context(), func(tx *store.Tx) ([]directory.Change, error) {
		return directory.Update(tx, directory.Actor{From: "cli"}, "test", sitetest.Now().UnixMilli(), func(s *directory.Snapshot) error {
			for i := range s.Zones {
				if s.Zones[i].ID == "media-store" {
					s.Zones[i].Escort = directory.EscortOutsiders
				}
			}
			for i := range s.People {
				if p := &s.People[i]; p.ID == "1003" {
					p.Category, p.Kind, p.MayEscort, p.Company = directory.Contractor, directory.Outsourcer, false, "X"
					p.ContractUntil = directory.Date{Year: 2027, Month: 3, Day: 31}
				}
			}
			for i := range s.Doors {
				if s.Doors[i].ID == "media-store-1" {
					s.Doors[i].Sensing = door.ExitReader
				}
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// again is a new process that asks in the same way for who is silent.
func (h *harness) again(now int64, silent *bool) {
	h.t.Helper()
	h.Pipeline = ingest.New(h.Publisher, h.Zone)
	h.Configure(review.DefaultSettings(), func(gw access.GatewayID) bool { return *silent && gw == "gw-1" })
	h.Read(func(r *store.ReadTx) error { return h.Load(r, now, nowMS-400*86_400_000) })
}

// of counts findings of a kind.
func (h *harness) of(kind review.Kind) (n int) {
	h.t.Helper()
	for _, d := range h.details() {
		if strings.HasPrefix(d, string(kind)+" ") {
			n++
		}
	}
	return n
}

// VR-1, VE-10: what waits for a gateway that is away is told once when it is back, also when the server was started anew in between, and
// after that again.
func TestRestartTellsWhatWaited(t *testing.T) {
	for kind, passage := range map[review.Kind]door.Event{review.ExitWithoutEntry: door.EventExit, review.UnescortedVisitor: door.EventEntry} {
		silent := true
		h := waits(t, &silent)
		h.take(newBox(h.Site, "gw-2", 1).passes("media-store-1", 4569, 1, passage).all())
		for i := range int64(3) {
			h.again(nowMS+(3*i+1)*60_000, &silent)
			h.tick(nowMS + (3*i+2)*60_000)
			h.tick(nowMS + (3*i+3)*60_000)
			if n := h.of(kind); n != 0 {
				t.Errorf("%s: told %d times while the other gateway is away", kind, n)
			}
		}
		silent = false
		for i := range int64(3) {
			h.tick(nowMS + (20+i)*60_000)
			h.again(nowMS+(20+i)*60_000+1, &silent)
		}
		if n := h.of(kind); n != 1 {
			t.Errorf("%s: told %d times after the gateway came back, want once", kind, n)
		}
	}
}

// VR-1, VE-10: the record that the gateway brings late clears what waited for it, also in a process that was started in between.
func TestRestartIsClearedByTheLateRecord(t *testing.T) {
	for kind, story := range map[review.Kind]struct {
		passage door.Event
		card    uint64 // who came in by the other gateway
		minute  int64
	}{
		review.ExitWithoutEntry:  {door.EventExit, 4569, -20},
		review.UnescortedVisitor: {door.EventEntry, 4568, 0},
	} {
		silent := true
		h := waits(t, &silent)
		h.take(newBox(h.Site, "gw-2", 1).passes("media-store-1", 4569, 1, story.passage).all())
		h.again(nowMS+60_000, &silent)
		h.tick(nowMS + 5*60_000)
		late := newBox(h.Site, "gw-1", 1).at(story.minute).passes("media-store-2", story.card, 2, door.EventEntry)
		if _, err := h.try(late.all(), nowMS+6*60_000, nil); err != nil {
			t.Fatal(err)
		}
		silent = false
		h.tick(nowMS + 7*60_000)
		h.again(nowMS+8*60_000, &silent)
		h.tick(nowMS + 9*60_000)
		if n := h.of(kind); n != 0 {
			t.Errorf("%s: told %d times although the late record clears it: %q", kind, n, h.details())
		}
		h.Read(func(r *store.ReadTx) error {
			if list, err := r.AllAwaited(); err != nil || len(list) != 0 {
				t.Errorf("%s: %v still waits, %v", kind, list, err)
			}
			return nil
		})
	}
}

// VR-1, I4: what a transaction that failed would have let wait, waits for nothing.
func TestFailedBatchAwaitsNothing(t *testing.T) {
	silent := true
	h := waits(t, &silent)
	b := newBox(h.Site, "gw-2", 1).passes("media-store-1", 4569, 1, door.EventEntry)
	if _, err := h.try(b.all(), nowMS, func(tx ingest.Tx) ingest.Tx { return &failing{Tx: tx, err: store.ErrNotFound} }); err == nil {
		t.Fatal("it was committed")
	}
	h.again(nowMS+1, &silent)
	silent = false
	h.tick(nowMS + 10*60_000)
	h.wantDetails()
}

// VR-1, I10: how long a gateway has been silent goes on from where it was when the server is started anew, so that one that is dead hides
// nothing for ever where the server is restarted each night. While no server listens nothing counts, and whoever was heard is waited for anew.
func TestRestartGoesOnWaiting(t *testing.T) {
	const minute, hour = 60_000, 3_600_000
	silent := true
	h := shared(t, &silent)
	now := nowMS
	listens := func(until int64) {
		for ; now < until; now += 30 * minute {
			h.tick(now)
		}
	}
	listens(nowMS + 13*hour)
	h.again(now, &silent)
	h.take(newBox(h.Site, "gw-2", 1).passes("media-store-1", 4569, 1, door.EventExit).all())
	now += 40 * hour // nobody listens: its records may come as soon as somebody does
	h.again(now, &silent)
	off := now
	listens(off + 10*hour)
	h.wantDetails()
	h.again(now, &silent)
	listens(off + 14*hour) // 27 h in all, of which each restart forgets what came after the last tick
	h.wantDetails("exit_without_entry media-store")

	// It is known at once after the next start that it is not waited for any more, and not stored each minute.
	h.again(now, &silent)
	h.take(newBox(h.Site, "gw-2", 2).passes("media-store-1", 4570, 2, door.EventExit).all())
	listens(now + 1)
	if n := h.of(review.ExitWithoutEntry); n != 2 {
		t.Errorf("told %d times, want 2: a gateway that is dead is waited for again after a restart", n)
	}

	silent = false
	listens(now + 1)
	silent = true
	h.again(now, &silent)
	h.take(newBox(h.Site, "gw-2", 3).passes("media-store-1", 4567, 3, door.EventExit).all())
	listens(now + 23*hour)
	if n := h.of(review.ExitWithoutEntry); n != 2 {
		t.Errorf("told %d times, want 2: a gateway that was heard in between is waited for anew", n)
	}
}

// VR-1, I10: a gateway that was given up and was repaired while the server was off brings what it has kept: it is waited for anew from its first link on, also
// before the next tick. One that stays linked and holds its records back is given up all the same, however often the server is started.
func TestRepairedGatewayIsAwaitedAnew(t *testing.T) {
	const minute, hour = 60_000, 3_600_000
	silent, on := true, false
	h := shared(t, &silent)
	now := nowMS
	again := func() {
		h.again(now, &silent)
		h.Links(func(gw access.GatewayID) bool { return on && gw == "gw-1" })
		h.tick(now)
	}
	listens := func(until int64) {
		for ; now < until; now += 30 * minute {
			h.tick(now)
		}
	}
	listens(nowMS + 25*hour)
	now += 40 * hour
	again()
	on = true // and it still has records: silent
	h.take(newBox(h.Site, "gw-2", 1).passes("media-store-1", 4569, 1, door.EventExit).all())
	h.tick(now + minute)
	h.tick(now + 2*minute)
	h.wantDetails()
	now += 3 * minute
	began := now
	listens(began + 13*hour)
	h.wantDetails()
	now += 40 * hour
	again()
	began = now
	listens(began + 13*hour)
	h.wantDetails("exit_without_entry media-store")
}

// keeps counts what is stored of silences.
type keeps struct {
	*store.Tx
	writes int
}

func (k *keeps) SetSetting(key, value string) error {
	k.writes++
	return k.Tx.SetSetting(key, value)
}

// VR-1: a silence is stored now and then, and not at all once it has lasted as long as anything waits.
func TestSilenceIsStoredRarely(t *testing.T) {
	const minute, hour = 60_000, 3_600_000
	silent := true
	h := shared(t, &silent)
	writes := func(from, to, step int64) (n int) {
		for at := from; at < to; at += step {
			if err := h.Store.Write(t.Context(), func(tx *store.Tx) error {
				k := &keeps{Tx: tx}
				defer func() { n += k.writes }()
				return h.Tick(k, nowMS+at)
			}); err != nil {
				t.Fatal(err)
			}
		}
		return n
	}
	if n := writes(0, 9*minute, minute); n != 0 {
		t.Errorf("%d writes for a silence of minutes", n)
	}
	if n := writes(9*minute, hour, 2*minute); n < 4 || n > 6 {
		t.Errorf("%d writes in an hour", n)
	}
	writes(24*hour, 24*hour+1, 1)
	if n := writes(25*hour, 26*hour, 10*minute); n != 0 {
		t.Errorf("%d writes for a gateway that is not waited for", n)
	}
	silent = false
	if n := writes(26*hour, 27*hour, 10*minute); n != 1 {
		t.Errorf("%d writes when it is back, want 1", n)
	}
}
