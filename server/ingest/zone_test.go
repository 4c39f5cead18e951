package ingest_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/ingest"
	"monban/server/policypub/sitetest"
	"monban/server/review"
	"monban/server/store"
)

// told is a follower that keeps what it was told.
type told []string

func (f *told) Holds(door.Attempt) bool { return false }

func (f *told) Follow(x review.Fact, person string, _ wire.Epoch, seq uint64) {
	*f = append(*f, string(x.Event)+" "+person)
}

// D7: who moves whom is told of every committed record, in order, with the person where the record names
// one, and not of a batch that failed.
func TestFollow(t *testing.T) {
	h := newHarness(t)
	var f told
	h.Pipeline.Follow(&f)
	b := newBox(h.Site, "gw-2", 1).granted("media-store-1", 4567, 1).event(door.EventEntry, 1).event(door.EventClosed, 1).event(door.EventTamper, 0)
	broken := errors.New("disk")
	if _, err := h.try(b.all(), nowMS, func(tx ingest.Tx) ingest.Tx { return &failing{Tx: tx, err: broken} }); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if len(f) != 0 {
		t.Errorf("told of what did not commit: %q", f)
	}
	h.take(b.all())
	h.take(b.all()) // again: nothing is new
	if want := []string{"granted 1001", "entry 1001", "closed "}; !slices.Equal(f, want) {
		t.Errorf("told %q, want %q", f, want)
	}
}

// D7: a passage whose grant came before the follower's process, or long ago, is that of whoever the attempt's line names; one of
// another gateway's attempt, or of an attempt that nobody is known of, is nobody's.
func TestFollowLongAfterTheGrant(t *testing.T) {
	h := newHarness(t)
	b := newBox(h.Site, "gw-2", 1).granted("media-store-1", 4567, 1)
	h.take(b.all())
	b.event(door.EventEntry, 1).event(door.EventEntry, 2).event(door.EventExit, 0)
	other := newBox(h.Site, "gw-1", 1)
	other.event(door.EventEntry, 1)
	var f told // begins to listen now
	h.Pipeline.Follow(&f)
	h.take(b.batch(2, 4))
	h.take(other.all())
	if want := []string{"entry 1001", "entry ", "entry "}; !slices.Equal(f, want) {
		t.Errorf("told %q, want %q", f, want)
	}
}

// failing fails at the last step of a batch, which asks for the chain a second time.
type failing struct {
	ingest.Tx
	err   error
	asked int
}

func (f *failing) Chain(gateway string, epoch [16]byte) (uint64, entrylog.Hash, error) {
	if f.asked++; f.asked > 1 {
		return 0, entrylog.Hash{}, f.err
	}
	return f.Tx.Chain(gateway, epoch)
}

func (h *harness) duress() int {
	h.t.Helper()
	n := 0
	h.Read(func(r *store.ReadTx) error {
		list, _, err := r.FindingsWithDuress(false, 0, 100)
		for _, x := range list {
			if x.Kind == string(review.Duress) {
				if n++; x.Attempt != [16]byte{} {
					h.t.Error("the alert names the attempt")
				}
			}
		}
		return err
	})
	return n
}

// AD-13, D10: a gateway alone lets in who was made to open; the alert comes with the record, and nobody but the security
// officer is shown it.
func TestDuressAlone(t *testing.T) {
	h := newHarness(t)
	b := newBox(h.Site, "gw-2", 1)
	b.alone("media-store-1", 4568, 1, 1, 0, func(q *access.Request) { q.PIN = access.PINDuress })
	b.alone("media-store-1", 4568, 2, 1, 0, func(q *access.Request) { q.PIN = access.PINOK })
	h.take(b.all())
	if h.duress() != 1 || len(h.details()) != 0 {
		t.Errorf("%d alerts, findings of everybody %q", h.duress(), h.details())
	}
}

// AD-8: the first of two who was let in with the second is no mismatch, and only then.
func TestJoinedIsNoMismatch(t *testing.T) {
	h := newHarness(t)
	_, err := h.Publisher.Change(t.Context(), func(tx *store.Tx) ([]directory.Change, error) {
		return directory.Update(tx, directory.Actor{From: "cli"}, "test", sitetest.Now().UnixMilli(), func(s *directory.Snapshot) error {
			for i := range s.Zones {
				if s.Zones[i].ID == "media-store" {
					s.Zones[i].TwoPersonWithin, s.Zones[i].TwoPersonAlways = 30*time.Second, true
				}
			}
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	b := newBox(h.Site, "gw-2", 1)
	b.view = access.View{PIN: access.PINView{Known: true}, Door: access.DoorView{Known: true}}
	b.alone("media-store-1", 4567, 1, 2, access.ReasonSet(0).With(access.ReasonSecondPerson), func(*access.Request) {})
	h.take(b.all())
	h.wantDetails()
	b.alone("media-store-1", 4567, 2, 2, 0, func(*access.Request) {}) // alone, and it does not say that anybody came
	h.take(b.batch(2, 2))
	h.wantDetails("decision_mismatch second_person:held-second_person:late-0s")
}

// AD-10: somebody who is left alone in the afternoon is told though the morning's finding is still open, and the morning's though the afternoon's came
// first, out of late records; the same notice that comes twice, when a transaction is run again, is told once.
func TestLeftAloneEachTime(t *testing.T) {
	h := newHarness(t)
	for _, at := range []int64{nowMS, nowMS, nowMS + 3_600_000, nowMS - 3_600_000} {
		n := access.Notice{Kind: access.NoticeAlone, Zone: "server-room", AtMS: at}
		if err := h.Store.Write(t.Context(), func(tx *store.Tx) error { return h.Notice(tx, n, at+1) }); err != nil {
			t.Fatal(err)
		}
	}
	h.wantDetails("left_alone server-room", "left_alone server-room", "left_alone server-room")
}

// VE-10, AD-10: the watch's notice is one open finding of the zone, at a door of it.
func TestNotice(t *testing.T) {
	h := newHarness(t)
	n := access.Notice{Kind: access.NoticeEscort, Zone: "server-room", AtMS: nowMS}
	for range 2 {
		if err := h.Store.Write(t.Context(), func(tx *store.Tx) error { return h.Notice(tx, n, nowMS) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Store.Write(t.Context(), func(tx *store.Tx) error { return h.Notice(tx, access.Notice{}, nowMS) }); err != nil {
		t.Fatal(err)
	}
	h.wantDetails("escort_left server-room")
	h.Read(func(r *store.ReadTx) error {
		list, _, err := r.Findings(false, 0, 10)
		if len(list) == 1 && (list[0].Door != "server-room-1" || list[0].Gateway != "gw-1" || list[0].AtMS != nowMS) {
			t.Errorf("%+v", list[0])
		}
		return err
	})
}
