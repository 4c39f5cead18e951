package ingest_test

import (
	"errors"
	"fmt"
	"testing"

	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/ingest"
	"monban/server/store"
)

// faulty fails at its nth write.
type faulty struct {
	ingest.Tx
	left *int
}

var errFault = errors.New("the disk is full")

func (f faulty) spend() error {
	if *f.left--; *f.left == 0 {
		return errFault
	}
	return nil
}

func (f faulty) AppendRecord(in store.RecordIn, o *entrylog.Opening) (int64, entrylog.Hash, error) {
	if err := f.spend(); err != nil {
		return 0, entrylog.Hash{}, err
	}
	return f.Tx.AppendRecord(in, o)
}

func (f faulty) AppendFinding(x attempt.Finding, o *entrylog.Opening) (int64, error) {
	if err := f.spend(); err != nil {
		return 0, err
	}
	return f.Tx.AppendFinding(x, o)
}

func (f faulty) AppendQuarantine(gw string, epoch [16]byte, seq uint64, body []byte, atMS int64, o *entrylog.Opening) (int64, error) {
	if err := f.spend(); err != nil {
		return 0, err
	}
	return f.Tx.AppendQuarantine(gw, epoch, seq, body, atMS, o)
}

// I2, I3, I4: a fault at every write, each twice: failed and not stored, then stored with the reply
// lost. After each: all or nothing, and the repeat makes it whole, once.
func TestFaultPairs(t *testing.T) {
	forked := func(h *harness) *wire.Events {
		h.take(newBox(h.Site, "gw-2", 1).event(door.EventClosed, 1).event(door.EventClosed, 2).all())
		return newBox(h.Site, "gw-2", 1).event(door.EventHeldOpen, 1).event(door.EventClosed, 2).all()
	}
	for name, c := range map[string]struct {
		writes int
		batch  func(h *harness) *wire.Events
	}{
		"records": {5, func(h *harness) *wire.Events { // three records, two findings
			return newBox(h.Site, "gw-2", 1).granted("media-store-1", 9999, 1).event(door.EventForcedOpen, 2).event(door.EventClosed, 2).all()
		}},
		"fork": {3, forked}, // two records in quarantine, one finding
	} {
		for n := 1; n <= c.writes+1; n++ {
			t.Run(fmt.Sprintf("%s, write %d", name, n), func(t *testing.T) {
				h := newHarness(t)
				ev := c.batch(h)
				size := h.Store.Size()
				left := n
				_, err := h.try(ev, nowMS, func(tx ingest.Tx) ingest.Tx { return faulty{tx, &left} })
				if n > c.writes { // no fault: there are no writes but those counted
					if err != nil || left != 1 {
						t.Fatalf("err %v, %d writes, want %d", err, n-left, c.writes)
					}
				} else if !errors.Is(err, errFault) || h.Store.Size() != size {
					t.Fatalf("err %v, %d leaves of a failed batch", err, h.Store.Size()-size)
				}
				first := h.take(ev) // stored, and the ack is lost
				stored := h.Store.Size()
				again := h.take(ev)
				first.New, again.New = 0, 0
				if again != first || h.Store.Size() != stored || stored == size {
					t.Errorf("again %+v, first %+v, %d leaves", again, first, stored-size)
				}
			})
		}
	}
}
