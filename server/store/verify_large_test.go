package store

import (
	"bufio"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/server/logcheck"
)

// heapPeak measures the largest heap while fn runs, above what there was before.
func heapPeak(fn func()) (grown int64) {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	before, peak, done := m.HeapAlloc, atomic.Uint64{}, make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-time.After(200 * time.Millisecond):
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak.Store(max(peak.Load(), m.HeapAlloc))
			}
		}
	}()
	fn()
	close(done)
	<-ended
	return int64(max(peak.Load(), before) - before)
}

// EV-1, D29 (f), goal of size: a large log verifies within the ratios to reading and hashing it, and memory stays flat: in the
// database, with openings, and as a bundle. `make verify-large` runs it with a million leaves; here it is a small one.
func TestVerifyLarge(t *testing.T) {
	leaves, large := 8_000, false
	if text := os.Getenv("MONBAN_VERIFY_LEAVES"); text != "" {
		n, err := strconv.Atoi(text)
		must(t, err)
		leaves, large = n, true
	}
	began := time.Now()
	s := benchLog(t, leaves/4)
	t.Logf("%d leaves written in %v", leaves, time.Since(began).Round(time.Second))
	since := func(fn func()) (took time.Duration) {
		began := time.Now()
		fn()
		return time.Since(began)
	}
	var floor, plain, open, bundle time.Duration
	file := filepath.Join(t.TempDir(), "log.monban")
	rounds := 1
	if large && leaves <= 2_000_000 {
		rounds = 3
	}
	for range rounds {
		floor += since(func() { readAndHash(t, s) })
		for _, arm := range []struct {
			name     string
			openings bool
			sum      *time.Duration
		}{{"verify", false, &plain}, {"verify --openings", true, &open}} {
			grown := heapPeak(func() {
				*arm.sum += since(func() { wantClean(t, s.verify(t, arm.openings)) })
			})
			t.Logf("%s: heap grew by at most %d KiB", arm.name, grown>>10)
			if grown > 64<<20 {
				t.Errorf("%s holds %d bytes: memory is not flat", arm.name, grown)
			}
		}
	}
	st := s.open(t)
	grown := heapPeak(func() {
		f, err := os.Create(file)
		must(t, err)
		took := since(func() {
			w := bufio.NewWriter(f)
			_, _, err := st.WriteBundle(t.Context(), w, BundleOptions{Openings: true, Keys: []string{logKeyText(t, s)}, NowMS: monday})
			must(t, err)
			must(t, w.Flush())
		})
		must(t, f.Close())
		t.Logf("bundle with openings written in %v", took.Round(time.Millisecond))
		f, err = os.Open(file)
		must(t, err)
		defer f.Close()
		bundle = since(func() {
			rep, err := logcheck.CheckBundle(t.Context(), f, logcheck.Options{Keys: []note.Verifier{s.log}})
			must(t, err)
			wantClean(t, *rep.Result)
		})
	})
	t.Logf("bundle: heap grew by at most %d KiB", grown>>10)
	if grown > 64<<20 {
		t.Errorf("a bundle's writing and check hold %d bytes: memory is not flat", grown)
	}
	r := func(d time.Duration) float64 { return float64(d) / float64(floor) }
	t.Logf("reading and hashing %v; verify %.2f×, with openings %.2f×; check of the bundle with openings %.2f×", (floor / time.Duration(rounds)).Round(time.Millisecond), r(plain), r(open), r(bundle*time.Duration(rounds)))
	if large && (r(plain) > 4*1.3 || r(open) > 8*1.3) { // D29: only a miss by more than 30 % fails
		t.Errorf("verify %.2f×, with openings %.2f× of reading and hashing; goals 4× and 8×", r(plain), r(open))
	}
}
