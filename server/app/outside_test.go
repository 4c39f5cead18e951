package app

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"monban/server/config"
	"monban/server/review"
	"monban/server/store"
	"monban/server/witness"
	"monban/server/witness/witnesstest"
)

// house is a witness of another house, reached over HTTP.
type house struct {
	*witnesstest.Witness
	down atomic.Bool
	url  string
}

func newHouse(t *testing.T, path string) *house {
	t.Helper()
	w, err := witnesstest.New("witness.example/w1", path)
	if err != nil {
		t.Fatal(err)
	}
	h := &house{Witness: w}
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if h.down.Load() {
			rw.WriteHeader(http.StatusBadGateway)
			return
		}
		w.ServeHTTP(rw, r)
	}))
	t.Cleanup(srv.Close)
	h.url = srv.URL
	return h
}

// openOutside opens the site's witnesses with a clock that the test moves.
func openOutside(t *testing.T, s *Site, now *time.Time) *outside {
	t.Helper()
	o, err := newOutside(s, quiet, func() time.Time { return *now })
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func countFindings(t *testing.T, s *store.Store, kind review.Kind) (n int) {
	t.Helper()
	err := s.Read(t.Context(), func(r *store.ReadTx) error {
		all, err := r.FindingsAfter(0, 1000)
		for _, f := range all {
			if f.Kind == string(kind) {
				n++
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// EV-4, OP-2: a witness of another house cosigns each day; one day without it is one finding and a failed self-test, the next day
// another; when it is back both end, and verify finds what is kept in order.
func TestWitnessOutside(t *testing.T) {
	cfg := testSite(t)
	h := newHouse(t, filepath.Join(t.TempDir(), "state"))
	cfg.Witness = []config.Witness{{VKey: h.VKey(), URL: h.url}}
	withSite(t, cfg, func(s *Site) {
		now := time.Now()
		h.Now = func() time.Time { return now }
		o := openOutside(t, s, &now)
		h.Know(o.keys.Log)
		for day, x := range []struct {
			down    bool
			ok      bool // the self-test
			missing int  // findings so far
		}{{false, true, 0}, {false, true, 0}, {true, false, 1}, {true, false, 2}, {false, true, 2}} {
			if day > 0 {
				now = now.Add(24*time.Hour + time.Minute)
			}
			h.down.Store(x.down)
			if err := errors.Join(s.Store.Write(t.Context(), gapLeaf), s.Store.SignNow(t.Context())); err != nil {
				t.Fatal(err)
			}
			if err := o.ask(t.Context(), o.list[0]); x.down != errors.Is(err, witness.ErrUnavailable) || !x.down && err != nil {
				t.Fatalf("day %d: %v", day, err)
			}
			for range 2 { // the job runs again after a restart
				if _, err := o.check(t.Context(), now); err != nil {
					t.Fatal(err)
				}
			}
			if err := o.age(t.Context()); (err == nil) != x.ok {
				t.Errorf("day %d: self-test %v", day, err)
			}
			if n := countFindings(t, s.Store, review.WitnessMissing); n != x.missing {
				t.Errorf("day %d: %d findings, want %d", day, n, x.missing)
			}
		}
		if err := s.verifyLog(t.Context()); err != nil {
			t.Errorf("verify: %v", err)
		}
		if s.Store.SignErr() != nil {
			t.Errorf("a witness that is away stops signing: %v", s.Store.SignErr())
		}
	})
}

// OP-2: without a witness outside nothing is missed; with both kinds either one's absence fails.
func TestBothAges(t *testing.T) {
	old := errors.New("old")
	for _, x := range []struct{ inside, outside, want error }{
		{errNotSetUp, errNotSetUp, errNotSetUp}, {nil, errNotSetUp, nil}, {errNotSetUp, nil, nil}, {old, nil, old}, {nil, old, old}, {errNotSetUp, old, old}, {nil, nil, nil},
	} {
		if got := bothAges(x.inside, x.outside); !errors.Is(got, x.want) || (got == nil) != (x.want == nil) {
			t.Errorf("%v, %v: %v", x.inside, x.outside, got)
		}
	}
	o := &outside{now: time.Now}
	if note, err := o.check(t.Context(), time.Now()); err != nil || note != "not set up" {
		t.Errorf("%q, %v", note, err)
	}
}

// EV-3, EV-4: database, anchor file and signer's state are taken back together, and no gateway speaks: the witness outside has seen
// more. Nothing is signed from then on, one finding a day. A log that was written anew is told too.
func TestWitnessOutsideHasSeenMore(t *testing.T) {
	cfg := testSite(t)
	h := newHouse(t, filepath.Join(t.TempDir(), "state"))
	cfg.Witness = []config.Witness{{VKey: h.VKey(), URL: h.url}}
	leaves(t, cfg, 3)
	early := pastOf(t, cfg)
	now := time.Now()
	withSite(t, cfg, func(s *Site) {
		o := openOutside(t, s, &now)
		h.Know(o.keys.Log)
		for range 2 {
			if err := errors.Join(s.Store.Write(t.Context(), gapLeaf), s.Store.SignNow(t.Context()), o.ask(t.Context(), o.list[0])); err != nil {
				t.Fatal(err)
			}
		}
	})
	takeBack(t, cfg, early)
	withSite(t, cfg, func(s *Site) {
		o := openOutside(t, s, &now)
		for range 3 {
			err := o.ask(t.Context(), o.list[0])
			if err == nil {
				t.Fatal("a witness that has seen more cosigns")
			}
		}
		if !errors.Is(s.Store.SignErr(), store.ErrHead) {
			t.Errorf("signs behind the witness: %v", s.Store.SignErr())
		}
		if n := countFindings(t, s.Store, review.LogFork); n != 1 {
			t.Errorf("told %d times", n)
		}
	})
	takeBack(t, cfg, early)
	withSite(t, cfg, func(s *Site) { // it grows beyond what the witness holds before it is asked: another log of that size
		for range 40 {
			if err := s.Store.Write(t.Context(), gapLeaf); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Store.SignNow(t.Context()); err != nil {
			t.Fatal(err)
		}
		o := openOutside(t, s, &now)
		if err := o.ask(t.Context(), o.list[0]); !errors.Is(err, witness.ErrProof) {
			t.Errorf("a log that was written anew: %v", err)
		}
		if !errors.Is(s.Store.SignErr(), store.ErrHead) {
			t.Errorf("signs another log: %v", s.Store.SignErr())
		}
	})
}
