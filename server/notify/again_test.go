package notify

import (
	"strings"
	"testing"
	"time"

	"monban/server/entrylog"
	"monban/server/review"
	"monban/server/store"
)

// AL-2: a digest that runs again on its day marks nothing as told that its message does not hold: the next day's holds it.
func TestDigestAgainHidesNothing(t *testing.T) {
	b := newBench(t)
	b.work()
	b.now = time.Date(2026, 11, 25, 8, 0, 0, 0, jst)
	first := b.find(review.HeldOpen, "server-room-1")
	b.work()
	var later int64
	for day, want := range []*int64{&first, &later} {
		b.now = time.Date(2026, 11, 25+day, 8, 20, 0, 0, jst)
		if err := b.n.Digest(t.Context(), b.now); err != nil {
			t.Fatal(err)
		}
		b.work()
		if len(b.poc.msgs) != day+1 || len(b.poc.msgs[day].Lines) != 1 || b.poc.msgs[day].Lines[0].Case != *want {
			t.Fatalf("day %d: %+v", day, b.poc.msgs)
		}
		later = b.find(review.HeldOpen, "media-store-1")
		if err := b.n.Digest(t.Context(), b.now); err != nil { // again, with something new in the same pass
			t.Fatal(err)
		}
		b.work()
	}
}

// D22: the log that follows a restored one uses leaf numbers again; its messages have ids of their own, so that no receiver drops
// them as copies. In one log an id stays what it is.
func TestIDsOfTheNextLog(t *testing.T) {
	b := newBench(t)
	before, again := b.id("a%d.alert.1", 7), b.id("a%d.alert.1", 7)
	if before != again {
		t.Errorf("%s, then %s", before, again)
	}
	other := newBench(t)
	other.find(review.HeldOpen, "server-room-1")
	err := other.site.Store.Write(t.Context(), func(tx *store.Tx) error { return tx.SetSetting("log_succession", "1") })
	if err != nil {
		t.Fatal(err)
	}
	if next := other.id("a%d.alert.1", 7); next == before || !strings.HasPrefix(next, "a7.alert.1.") {
		t.Errorf("the next log says %s too", next)
	}
}

// AD-13: that nobody has answered an alert of duress is a leaf, but no leaf points to the one of the duress.
func TestEscalatedDuressIsNotPointedTo(t *testing.T) {
	b := newBench(t)
	b.work()
	b.n.cfg.Tree.Root.Hours = []string{"duty"}
	b.find(review.Duress, "server-room-1")
	b.work()
	size := b.site.Store.Size()
	b.now = b.now.Add(10 * time.Minute)
	b.work()
	if got := b.site.Store.Size(); got != size+1 || len(b.duty.got) != 2 {
		t.Fatalf("%d leaves more, sent %q", got-size, b.duty.got)
	}
	b.site.Read(func(r *store.ReadTx) error {
		l, err := r.Leaf(size)
		if err != nil {
			return err
		}
		a, err := entrylog.ParseAction(l.Body)
		if a.Verb != "alert_escalated" || a.ID != "" {
			t.Errorf("leaf %s", l.Body)
		}
		return err
	})
}
