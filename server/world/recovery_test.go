package world

import (
	"bytes"
	"fmt"

	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"monban/firmware/wire"
	"monban/server/app"
	"monban/server/config"
	"monban/server/store"
)

func recoverySite(t testing.TB, gateways int) (cfg *config.Config, dir string) {
	t.Helper()
	dir = t.TempDir()
	cfg, err := makeSite(t.Context(), dir, "r", gateways, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return cfg, dir
}

// ended is an epoch and where it ends.
type ended struct {
	epoch wire.Epoch
	head  uint64
	hash  wire.Hash
}

// Goal 23; I2, I3, I4, D22: a server that lost everything since its backup gets every record back from its
// gateways: real outboxes, store, ingest and protocol machines. Also those of a run of records that
// ended, wholly acknowledged, after the backup. No gateway is taken for rolled back, copied or forked.
// MONBAN_DRILLS sets how often; `make drills` does it 100 times.
func TestRecoveryFromGateways(t *testing.T) {
	drills := envInt(t, "MONBAN_DRILLS", 2)
	rnd := rand.New(rand.NewPCG(seedOf(t), 23))
	const gateways = 2
	cfg, dir := recoverySite(t, gateways)
	var keepers []*keeper
	old := make([][]ended, gateways) // epochs that were ended in this drill
	for i := range gateways {
		keepers = append(keepers, newKeeper(t, cfg, dir, "r", i, filepath.Join(dir, fmt.Sprintf("outbox-%d.db", i))))
	}
	defer func() {
		for _, k := range keepers {
			k.stop()
		}
	}()
	h := openHost(t, cfg)
	link := func() {
		for _, k := range keepers {
			if h.session(k, 1_000_000) {
				t.Errorf("%s was told to begin another epoch", k.id)
			}
		}
	}
	for drill := range drills {
		for _, k := range keepers {
			k.record(1 + rnd.IntN(40))
		}
		link()
		backup := filepath.Join(dir, fmt.Sprintf("backup-%d", drill))
		if _, err := app.Backup(t.Context(), cfg, app.BackupOptions{Out: backup, Now: time.Now()}); err != nil { // of an open database
			t.Fatal(err)
		}
		for i, k := range keepers { // the lost day
			old[i] = nil
			k.record(1 + rnd.IntN(150))
			link()
			if rnd.IntN(2) == 0 {
				s := k.box.Stat()
				k.stop()
				k.spoil(int64(rnd.IntN(2)))
				k.open()
				if k.box.Stat().Current == s.Epoch {
					t.Fatal("no epoch was ended")
				}
				old[i] = append(old[i], ended{s.Epoch, s.Head, s.HeadHash})
				k.record(rnd.IntN(50))
				link()
			}
		}
		h.close()
		if _, err := app.Restore(t.Context(), cfg, app.RestoreOptions{Backup: backup, Reason: "drill", By: "test", Now: time.Now()}); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(backup); err != nil {
			t.Fatal(err)
		}
		h = openHost(t, cfg)
		for _, k := range keepers {
			k.record(rnd.IntN(5))
		}
		link()
		for i, k := range keepers {
			s := k.box.Stat()
			h.complete(k, s.Epoch, s.Head, s.HeadHash)
			for _, e := range old[i] {
				h.complete(k, e.epoch, e.head, e.hash)
			}
		}
		h.noFork()
		if t.Failed() {
			t.Fatalf("in drill %d", drill)
		}
	}
	h.close()
	var out bytes.Buffer
	n, err := app.Verify(t.Context(), app.VerifyOptions{Database: cfg.Path("monban.db"), Out: &out})
	if err != nil || n != 0 || bytes.Count(out.Bytes(), []byte("took over from")) != drills {
		t.Errorf("verify: %d findings, %v\n%s", n, err, out.String())
	}
	t.Logf("%d drills", drills)
}

// noFork: nothing says that a gateway forked, went back or runs twice, or that records are missing.
func (h *host) noFork() {
	h.t.Helper()
	err := h.site.Store.Read(h.t.Context(), func(r *store.ReadTx) error {
		list, _, err := r.Findings(true, 0, 100_000)
		for _, f := range list {
			switch f.Kind {
			case "chain_fork", "gateway_rolled_back", "gateway_cloned", "sequence_gap":
				h.t.Errorf("false finding %s of %s: %s", f.Kind, f.Gateway, f.Detail)
			}
		}
		return err
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// Goal 24; I3: a card that was put back to an earlier state or copied is noticed in the first session
// after it, whatever it recorded since: the gateway begins another run of records, a finding says so, no
// row is overwritten, and what it recorded after coming back is not lost. MONBAN_CARDS sets how many.
func TestCardsPutBack(t *testing.T) {
	cases := envInt(t, "MONBAN_CARDS", 20)
	rnd := rand.New(rand.NewPCG(seedOf(t), 24))
	cfg, dir := recoverySite(t, 1)
	h := openHost(t, cfg)
	defer h.close()
	path := filepath.Join(dir, "outbox.db")
	kinds := map[string]int{}
	for n := range cases {
		for _, f := range []string{path, path + ".lock"} {
			if err := os.RemoveAll(f); err != nil {
				t.Fatal(err)
			}
		}
		k := newKeeper(t, cfg, dir, "r", 0, path)
		k.record(1 + rnd.IntN(20))
		if rnd.IntN(2) == 0 {
			h.session(k, 100_000)
		}
		k.stop()
		image, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		k.open()
		k.at = k.at.Add(time.Hour)
		lost := 1 + rnd.IntN(20)
		k.record(lost)
		h.session(k, 100_000) // delivered, then lost by the card
		was := k.box.Stat()
		k.stop()
		if err := os.WriteFile(path, image, 0o600); err != nil {
			t.Fatal(err)
		}
		before := h.findings()
		k.open()
		k.at = k.at.Add(time.Hour)
		since, kind := 0, "put back"
		switch rnd.IntN(4) {
		case 1:
			since, kind = rnd.IntN(lost), "put back, fewer since"
		case 2:
			since, kind = lost, "put back, as many since"
		case 3:
			since, kind = lost+1+rnd.IntN(20), "put back, more since"
		}
		kinds[kind]++
		k.record(since)
		again := h.session(k, 100_000)
		s := k.box.Stat()
		if !again || s.Current == was.Epoch {
			t.Errorf("case %d, %s: the gateway goes on in the old run of records", n, kind)
		}
		if h.findings() == before {
			t.Errorf("case %d, %s: no finding", n, kind)
		}
		if seq, hash := h.chain(k.id, was.Epoch); seq != was.Head || hash != was.HeadHash {
			t.Errorf("case %d, %s: rows of the old run were changed: %d of %d", n, kind, seq, was.Head)
		}
		k.record(3)
		h.session(k, 100_000)
		s = k.box.Stat()
		h.complete(k, s.Current, s.Head, s.HeadHash)
		k.stop()
		if t.Failed() {
			t.FailNow()
		}
	}
	t.Logf("%d cards: %v", cases, kinds)
}

// Goal 10; OP-5: records made without a link arrive complete and in order; MONBAN_BACKLOG sets how many
// (432,000 are 120 h at one a second). The test process holds the server too; the heap is of both.
func TestBacklog(t *testing.T) {
	total := envInt(t, "MONBAN_BACKLOG", 2000)
	cfg, dir := recoverySite(t, 1)
	h := openHost(t, cfg)
	defer h.close()
	k := newKeeper(t, cfg, dir, "r", 0, filepath.Join(dir, "outbox.db"))
	defer func() { k.stop() }()
	start := time.Now()
	k.record(total)
	made := time.Since(start)
	info, err := os.Stat(k.path)
	if err != nil {
		t.Fatal(err)
	}
	var peak uint64
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapAlloc)
			}
		}
	}()
	start = time.Now()
	h.session(k, 100_000_000)
	took := time.Since(start)
	close(stop)
	<-ended
	s := k.box.Stat()
	h.complete(k, s.Current, s.Head, s.HeadHash)
	if took > 10*time.Minute {
		t.Errorf("OP-5: %d records took %v", total, took)
	}
	if total >= 100_000 && peak > 64<<20 {
		t.Errorf("heap of both sides %d MiB, want ≤ 64", peak>>20)
	}
	t.Logf("%d records: made in %v, file %.0f B a record, delivered in %v (%.0f/s), heap of both sides ≤ %d MiB",
		total, made.Round(time.Millisecond), float64(info.Size())/float64(total), took.Round(time.Millisecond), float64(total)/took.Seconds(), peak>>20)
}
