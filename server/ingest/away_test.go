package ingest_test

import (
	"errors"
	"testing"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/policypub/sitetest"
	"monban/server/review"
	"monban/server/store"
)

// shared is a site whose media store has doors on both gateways, of which gw-1 is as silent as *silent says. The log is old.
func shared(t *testing.T, silent *bool) *harness {
	t.Helper()
	h := newHarness(t)
	_, err := h.Publisher.Change(t.Context(), func(tx *store.Tx) ([]directory.Change, error) {
		return directory.Update(tx, directory.Actor{From: "cli"}, "test", sitetest.Now().UnixMilli(), func(s *directory.Snapshot) error {
			for i := range s.Doors {
				if s.Doors[i].ID == "media-store-2" {
					s.Doors[i].Gateway = "gw-1"
				}
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Configure(review.DefaultSettings(), func(gw access.GatewayID) bool { return *silent && gw == "gw-1" })
	h.Read(func(r *store.ReadTx) error { return h.Load(r, nowMS, nowMS-400*86_400_000) })
	return h
}

// counting counts how often somebody's past is read.
type counting struct {
	*store.Tx
	reads int
}

func (c *counting) AttemptRow(id [16]byte) (attempt.Row, error) {
	c.reads++
	return c.Tx.AttemptRow(id)
}

func (c *counting) PassedBefore(person string, ms int64, limit int) ([]attempt.Row, error) {
	c.reads++
	return c.Tx.PassedBefore(person, ms, limit)
}

// reads is how much a tick reads.
func (h *harness) reads(now int64) (n int) {
	h.t.Helper()
	if err := h.Store.Write(h.t.Context(), func(tx *store.Tx) error {
		c := &counting{Tx: tx}
		defer func() { n = c.reads }()
		return h.Tick(c, now)
	}); err != nil {
		h.t.Fatal(err)
	}
	return n
}

// VR-1: exits that wait for a gateway that is away are not read again each minute, and when it is back not all in one transaction.
func TestWaitingExitsCostNothing(t *testing.T) {
	silent := true
	h := shared(t, &silent)
	b := newBox(h.Site, "gw-2", 1)
	const exits = 250
	for i := range exits {
		b.passes("media-store-1", 4569, byte(i+1), door.EventExit)
	}
	h.take(b.all())
	for i := range int64(3) {
		if n := h.reads(nowMS + (i+1)*60_000); n != 0 {
			t.Errorf("tick %d read %d times for exits that have to wait", i, n)
		}
	}
	silent = false
	const each = 3 // line, whose, and before
	for i, want := range []int{200 * each, 50 * each, 0} {
		if n := h.reads(nowMS + int64(i+4)*60_000); n != want {
			t.Errorf("tick %d after it is back read %d times, want %d", i, n, want)
		}
	}
}

// VR-1: a tick that is rolled back judges the same exits again.
func TestRolledBackTickWaitsAgain(t *testing.T) {
	silent := true
	h := shared(t, &silent)
	h.take(newBox(h.Site, "gw-2", 1).passes("media-store-1", 4569, 1, door.EventExit).all())
	silent = false
	broken := h.Store.Write(t.Context(), func(tx *store.Tx) error {
		if err := h.Tick(tx, nowMS+60_000); err != nil {
			t.Error(err)
		}
		return errors.New("disk")
	})
	if broken == nil {
		t.Fatal("it was committed")
	}
	h.wantDetails()
	h.tick(nowMS + 120_000)
	h.wantDetails("exit_without_entry media-store")
}

// VR-1: a gateway that is dead and left in the directory holds nothing back for longer than a day.
func TestDeadGatewayHidesNothing(t *testing.T) {
	const hour = 3_600_000
	silent := true
	h := shared(t, &silent)
	b := newBox(h.Site, "gw-2", 1)
	b.passes("media-store-1", 4567, 1, door.EventEntry).passes("media-store-1", 4569, 2, door.EventExit)
	h.take(b.all())
	for _, at := range []int64{0, 13, 23} { // overstay is due after 12 hours
		h.tick(nowMS + at*hour)
		h.wantDetails()
	}
	h.tick(nowMS + 24*hour)
	h.wantDetails("overstay media-store", "exit_without_entry media-store")

	// One that was heard of in between is waited for anew.
	h = shared(t, &silent)
	h.take(newBox(h.Site, "gw-2", 1).passes("media-store-1", 4567, 1, door.EventEntry).all())
	h.tick(nowMS)
	silent = false
	h.tick(nowMS + 11*hour)
	silent = true
	h.tick(nowMS + 11*hour + 1)
	h.tick(nowMS + 30*hour)
	h.wantDetails()
	h.tick(nowMS + 36*hour)
	h.wantDetails("overstay media-store")
}
