package ingest_test

import (
	"context"
	"testing"

	"monban/server/ingest"
	"monban/server/review"
	"monban/server/store"
)

// VR-1: a preview with the numbers in force finds what was found, one with others what they would have, and neither writes anything. What
// they find only one way is listed with place and time.
func TestPreview(t *testing.T) {
	h := newHarness(t)
	h.run(busyDay(h.Site), 0)
	found := map[string]int{}
	var size int64
	h.Read(func(r *store.ReadTx) (err error) {
		if size, err = r.LogSize(); err != nil {
			return err
		}
		list, _, err := r.Findings(true, 0, 1000)
		for i := range list {
			found[list[i].Kind]++
		}
		return err
	})
	look := func(others review.Settings) map[string]ingest.Previewed {
		t.Helper()
		v := h.NewPreview(review.DefaultSettings(), others, nowMS-30*86_400_000, nowMS-400*86_400_000)
		done, of := int64(0), int64(0)
		err := v.Run(t.Context(), func(ctx context.Context, f func(past ingest.Previewing) error) error {
			return h.Store.Read(ctx, func(r *store.ReadTx) error { return f(r) })
		}, func(d, o int64) { done, of = d, o })
		if err != nil {
			t.Fatal(err)
		}
		if done != of || of < 20 {
			t.Errorf("%d of %d leaves", done, of)
		}
		out := map[string]ingest.Previewed{}
		for _, k := range v.Result() {
			out[string(k.Kind)] = k
		}
		return out
	}
	same := look(review.DefaultSettings())
	for _, kind := range []string{"unknown_card_repeated", "denied_burst", "card_scan", "after_hours", "overstay", "exit_without_entry"} {
		k := same[kind]
		if found[kind] == 0 || k.Now != found[kind] || k.Others != k.Now || len(k.Gone)+len(k.Further) > 0 {
			t.Errorf("%s: found %d, again %+v", kind, found[kind], k)
		}
	}
	others := review.DefaultSettings()
	others.UnknownCards, others.OverstayMS[1], others.OverstayMS[2], others.OverstayMS[3] = 8, 0, 0, 0
	others.UsualFrom = 9 * 60 // the entry at 08:20 is outside of the usual hours then
	less := look(others)
	if k := less["unknown_card_repeated"]; k.Now != found["unknown_card_repeated"] || k.Others != 0 || len(k.Gone) != k.Now || string(k.Gone[0].Door) != "media-store-1" {
		t.Errorf("a higher number: %+v", k)
	}
	if k := less["overstay"]; k.Now == 0 || k.Others != 0 {
		t.Errorf("not watched: %+v", k)
	}
	if k := less["after_hours"]; k.Others != k.Now+1 || len(k.Further) != 1 || k.Further[0].AtMS > nowMS-99*60_000 || k.Further[0].AtMS < nowMS-101*60_000 {
		t.Errorf("narrower hours: %+v", k)
	}
	if k := less["denied_burst"]; k.Now != k.Others {
		t.Errorf("another number: %+v", k)
	}
	h.Read(func(r *store.ReadTx) error {
		n, err := r.LogSize()
		list, _, errF := r.Findings(true, 0, 1000)
		if n != size || len(list) != sum(found) || errF != nil {
			t.Errorf("the log has %d leaves and %d findings, before %d and %d", n, len(list), size, sum(found))
		}
		return err
	})
}

func sum(m map[string]int) (n int) {
	for _, x := range m {
		n += x
	}
	return n
}
