package ingest_test

import (
	"testing"

	"monban/firmware/access"
	"monban/firmware/wire"
	"monban/server/attempt"
	"monban/server/review"
	"monban/server/store"
)

// feed takes the records of a box one by one at their own times, with a tick after each.
func (h *harness) feed(b *box, first int) {
	h.t.Helper()
	for i := first; i <= len(b.records); i++ {
		body, err := wire.ParseRecord(b.records[i-1].Body)
		if err != nil {
			h.t.Fatal(err)
		}
		if _, err := h.try(b.batch(i, i), body.Stamp.WallMS+200, nil); err != nil {
			h.t.Fatal(err)
		}
		h.tick(body.Stamp.WallMS + 300)
	}
}

// VR-1: a suspended card, which is told low, hides no lost one at the same door; the lost one is told when it comes.
func TestLowHidesNoHigh(t *testing.T) {
	h := newHarness(t)
	b := newBox(h.Site, "gw-2", 1)
	b.at(0).denied("media-store-1", 4574, 1, access.ReasonCredentialSuspended)
	b.at(5).denied("media-store-1", 4575, 2, access.ReasonCredentialLost)
	b.at(6).denied("media-store-1", 4574, 3, access.ReasonCredentialSuspended) // the same as the first
	h.feed(b, 1)
	h.wantDetails("lost_card_used suspended", "lost_card_used lost")
	h.wantFindings("lost_card_used low", "lost_card_used high")
}

// VR-1: a kind of which as much was told low as is told at all at one place is still told high.
func TestLowFloodHidesNoHigh(t *testing.T) {
	h := newHarness(t)
	low := attempt.Finding{
		Kind: string(review.LostCardUsed), Severity: review.Low.String(), Gateway: "gw-2", Door: "media-store-1",
		Cause: review.NoCause, Detail: "suspended", AtMS: nowMS,
	}
	if err := h.Store.Write(t.Context(), func(tx *store.Tx) error {
		for range 20 {
			if _, err := tx.AppendFinding(low, nil); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	b := newBox(h.Site, "gw-2", 1)
	h.take(b.denied("media-store-1", 4575, 1, access.ReasonCredentialLost).all())
	if got := h.findings(); len(got) != 21 || got[20] != "lost_card_used high" {
		t.Errorf("told %q, want the high one after 20 low ones", got)
	}
}

// VR-1: what is counted is told a window after the first of it: who goes on does not put it off.
func TestRepeatsDoNotPutOff(t *testing.T) {
	h := newHarness(t)
	b := newBox(h.Site, "gw-2", 1)
	for i := range byte(12) {
		b.at(int64(i)).denied("media-store-1", 4575, i+1, access.ReasonCredentialLost)
	}
	h.feed(b, 1)
	h.wantDetails("lost_card_used lost", "lost_card_used lost", "lost_card_used lost/more-10")
}
