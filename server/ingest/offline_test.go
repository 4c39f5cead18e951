package ingest_test

import (
	"slices"
	"testing"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/store"
)

// works is a site at which approved work goes on in a zone, or not.
type works struct {
	*store.Tx
	zone access.ZoneID
}

func (w works) WorkPlanned(zones []access.ZoneID, _ int64) (bool, error) {
	return slices.Contains(zones, w.zone), nil
}

func (h *harness) offline(since, now int64, work access.ZoneID) (again int64) {
	h.t.Helper()
	if err := h.Store.Write(h.t.Context(), func(tx *store.Tx) (err error) {
		again, err = h.Offline(works{tx, work}, "gw-2", since, now)
		return err
	}); err != nil {
		h.t.Fatal(err)
	}
	return again
}

// OP-1: a gateway that was stopped properly is told of after an hour, unless approved work goes on where it is; a record that it
// shuts down does not hide a silence without end.
func TestStoppedGatewayIsToldAfterAnHour(t *testing.T) {
	const minute, hour = 60_000, 3_600_000
	h := newHarness(t)
	h.take(newBox(h.Site, "gw-2", 1).add(wire.Record{Event: door.EventShutdown, By: access.ByNobody, Link: "clear"}).all())
	since := nowMS
	if again := h.offline(since, since+minute, ""); again != since+hour {
		t.Errorf("asked again at %d, want an hour after the silence began", again-since)
	}
	if again := h.offline(since, since+hour, "media-store"); again != since+hour+minute {
		t.Errorf("asked again at %d while work goes on", again-since)
	}
	h.wantDetails()
	if again := h.offline(since, since+hour+minute, "server-room"); again != 0 { // work elsewhere
		t.Errorf("asked again at %d after it was told", again-since)
	}
	h.wantDetails("gateway_offline ")
	if again := h.offline(since, since+2*hour, ""); again != 0 {
		t.Errorf("asked again at %d after it was told", again-since)
	}
	h.wantDetails("gateway_offline ")
}

// OP-1: a link that comes and goes is told ten times, then counted.
func TestFlappingLinkIsCounted(t *testing.T) {
	h := newHarness(t)
	h.take(newBox(h.Site, "gw-2", 1).event(door.EventLinkUp, 0).all())
	for i := range int64(25) {
		at := nowMS + i*20_000
		h.offline(at-10_000, at, "")
	}
	h.tick(nowMS + 20*60_000)
	got := h.details()
	if len(got) != 11 || got[10] != "gateway_offline more-15" {
		t.Errorf("told %q, want ten and how many more", got)
	}
}
