package ingest_test

import (
	"testing"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/directory"
	"monban/server/ingest"
	"monban/server/policypub/sitetest"
	"monban/server/store"
)

// restart is a new process at a moment, UTC ms, with an old log.
func (h *harness) restart(now int64) {
	h.t.Helper()
	h.Pipeline = ingest.New(h.Publisher, h.Zone)
	h.Read(func(r *store.ReadTx) error { return h.Load(r, now, nowMS-400*86_400_000) })
}

// VR-1: who went between inner doors all day is inside since they came, also by a server that started meanwhile: the stay is
// told when it is too long, and once.
func TestRestartFindsTheBeginningOfAStay(t *testing.T) {
	for _, rooms := range []int{7, 70, 64, 65} { // passages within a step, over one, and at its border
		h := newHarness(t)
		_, err := h.Publisher.Change(t.Context(), func(tx *store.Tx) ([]directory.Change, error) {
			return directory.Update(tx, directory.Actor{From: "cli"}, "test", sitetest.Now().UnixMilli(), func(s *directory.Snapshot) error {
				for i := range s.Doors { // from outside to the floor, from there to the media store
					switch d := &s.Doors[i]; d.ID {
					case "media-store-1":
						d.Exit = "floor-3"
					case "media-store-2":
						d.Enter = "floor-3"
					}
				}
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		h.restart(nowMS - 3_600_000)
		b := newBox(h.Site, "gw-2", 1).at(-130).passes("media-store-2", 4567, 1, door.EventEntry)
		for i := range rooms {
			e := door.EventEntry
			if i%2 == 1 {
				e = door.EventExit
			}
			b.at(-120+int64(i)).passes("media-store-1", 4567, byte(i+2), e)
		}
		h.take(b.all())
		was := len(h.details()) // that the records came late
		h.restart(nowMS)
		h.tick(nowMS + (12*60-131)*60_000)
		if got := h.details(); len(got) != was {
			t.Errorf("%d rooms: too early: %q", rooms, got[was:])
		}
		h.tick(nowMS + (12*60-129)*60_000)
		got := h.details()
		if len(got) != was+1 || got[was][:len("overstay")] != "overstay" {
			t.Fatalf("%d rooms: found %q after 12 hours, want overstay", rooms, got[was:])
		}
		h.restart(nowMS + 12*3_600_000)
		h.tick(nowMS + 13*3_600_000)
		if got := h.details(); len(got) != was+1 {
			t.Errorf("%d rooms: told twice: %q", rooms, got[was:])
		}
	}
}

// VR-1, VE-11: a door that closes again within the hour for one attempt was opened twice, also when the server started in between.
func TestRestartRemembersOpenings(t *testing.T) {
	h := newHarness(t)
	h.restart(nowMS - 3_600_000)
	b := newBox(h.Site, "gw-2", 1).at(-45).passes("media-store-1", 4567, 1, door.EventEntry)
	h.feed(b, 1)
	n := len(b.records)
	h.wantDetails()
	h.restart(nowMS - 60_000)
	b.at(0).add(wire.Record{Door: "media-store-1", Side: access.SideEnter, Event: door.EventClosed, By: access.ByServer, Attempt: door.Attempt{1, 1}, Link: "clear"})
	h.feed(b, n+1)
	h.wantDetails("tailgating_possible second_opening")
}
