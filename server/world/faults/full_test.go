package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"monban/firmware/wire"
	"monban/gateway/outbox"
	"monban/gateway/policycache"
	"monban/server/entrylog"
	"monban/server/ingest"
	"monban/server/store"
)

const (
	fillsPerFolder = 5
	// recovery is how soon after space returned everything must go on (reliability goal 7).
	recovery = 10 * time.Second
)

// Reliability goal 7: the disk fills up while the product writes, and later space returns. Nothing that was
// reported durable is lost, nothing is reported durable that is not, and everything goes on within 10 s without a
// restart. MONBAN_FILLS asks for so many fills of each.
func TestDiskFull(t *testing.T) {
	fills := count(t, "MONBAN_FILLS", 5)
	n := seed(t)
	for name, run := range map[string]func(*testing.T, *disk, *rand.Rand, int) string{
		"outbox": fillOutbox, "store": fillStore, "policycache": fillPolicies,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDisk(t, 64<<20)
			report(t, n, "%d fills: %s", fills, run(t, d, rand.New(rand.NewPCG(n, 4)), fills))
		})
	}
}

func fillOutbox(t *testing.T, d *disk, rng *rand.Rand, fills int) string {
	l := newOutboxLedger()
	folder, appended, refused := "", 0, 0
	slowest := time.Duration(0)
	for f := range fills {
		if f%fillsPerFolder == 0 {
			folder = newFolder(t, d, folder, f)
			l.forget()
		}
		o, err := outbox.Open(outboxConfig(folder))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan struct{})
		go func() { defer close(ran); o.Run(ctx) }()
		add := func(word string) error {
			got := make(chan outbox.Result, 1)
			o.Append(outboxEntry(word, func(r outbox.Result) { got <- r }))
			r := <-got
			if r.Err != nil {
				refused++
				return r.Err
			}
			appended++
			return l.told([]string{"record", fmt.Sprintf("%x", r.Epoch[:]), fmt.Sprint(r.Seq), word})
		}
		filler := d.fill(int64(rng.IntN(200 << 10)))
		for i := 0; err == nil; i++ {
			if err = add(fmt.Sprintf("a%d-%d", f, i)); i > 100_000 {
				t.Fatal("the disk is full and appends go on and on")
			}
		}
		if !errors.Is(err, outbox.ErrLatched) || !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("fill %d: a full disk says: %v", f, err)
		}
		for i := range 20 { // latched or full; what is accepted has to be there
			_ = add(fmt.Sprintf("b%d-%d", f, i))
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, recovers(t, func(i int) error { return add(fmt.Sprintf("c%d-%d", f, i)) }))
		cancel()
		<-ran
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := l.check(folder); err != nil {
			t.Fatalf("fill %d: %v", f, err)
		}
	}
	return fmt.Sprintf("%d records accepted, %d refused, 0 lost, slowest recovery %dms", appended, refused, slowest.Milliseconds())
}

// recovers waits until do succeeds and gives how long that took.
func recovers(t *testing.T, do func(i int) error) time.Duration {
	t.Helper()
	start := time.Now()
	for i := 0; ; i++ {
		err := do(i)
		took := time.Since(start)
		if err == nil {
			return took
		}
		if took > recovery {
			t.Fatalf("space returned %s ago, and still: %v", took.Round(time.Millisecond), err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// OP-5: with disk reserved at creation, appends go on when everything else has filled the disk.
func TestOutboxReserve(t *testing.T) {
	d := newDisk(t, 64<<20)
	accepted := func(name string, reserve int64) int {
		folder := filepath.Join(d.folder, name)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		cfg := outboxConfig(folder)
		cfg.Reserve = reserve
		o, err := outbox.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ran := make(chan struct{})
		go func() { defer close(ran); o.Run(ctx) }()
		defer func() {
			cancel()
			<-ran
			if err := o.Close(); err != nil {
				t.Error(err)
			}
		}()
		defer os.Remove(d.fill(0))
		for n := 0; ; n++ {
			got := make(chan outbox.Result, 1)
			o.Append(outboxEntry("x", func(r outbox.Result) { got <- r }))
			if r := <-got; r.Err != nil || n == 20_000 {
				return n
			}
		}
	}
	with, without := accepted("with", 12<<20), accepted("without", 0)
	t.Logf("on a full disk: %d records with 12 MiB reserved, %d without", with, without)
	if with < 5000 || without > with/10 {
		t.Errorf("the reserve does not help: %d records with it, %d without", with, without)
	}
}

func fillStore(t *testing.T, d *disk, rng *rand.Rand, fills int) string {
	l := newStoreLedger()
	folder, taken, refused := "", 0, 0
	slowest := time.Duration(0)
	epoch := wire.Epoch{1}
	for f := range fills {
		if f%fillsPerFolder == 0 {
			folder = newFolder(t, d, folder, f)
			l.forget()
			if err := setUpSite(folder); err != nil {
				t.Fatal(err)
			}
		}
		s, err := openSite(folder)
		if err != nil {
			t.Fatal(err)
		}
		pipe := ingest.New(s.policies, s.store.Zone())
		// take brings one batch in and takes the ack down, if there may be one.
		take := func() error {
			out, err := s.takeNext(pipe, epoch)
			if err != nil {
				refused++
				return err
			}
			taken++
			if err := s.store.SignErr(); err != nil {
				return err
			}
			return l.told([]string{"ack", string(gateways[0]), fmt.Sprintf("%x", epoch[:]), fmt.Sprint(out.Seq), fmt.Sprintf("%x", out.Hash[:])})
		}
		filler := d.fill(int64(rng.IntN(400 << 10)))
		for i := 0; err == nil; i++ {
			if err = take(); i > 100_000 {
				t.Fatal("the disk is full and batches go on and on")
			}
		}
		if !isFull(err) {
			t.Fatalf("fill %d: a full disk says: %v", f, err)
		}
		d.fill(0) // the last block too: what was taken last cannot be signed either
		for range 20 {
			_ = take() // what is accepted has to be there
		}
		time.Sleep(100 * time.Millisecond) // the checkpointer meets the full disk too
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, recovers(t, func(int) error { return take() }))
		before := s.store.Size()
		slowest = max(slowest, recovers(t, func(int) error { return s.signedAll(before) }))
		if err := s.store.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := l.check(folder); err != nil {
			t.Fatalf("fill %d: %v", f, err)
		}
	}
	return fmt.Sprintf("%d batches taken, %d refused, 0 lost, slowest recovery %dms", taken, refused, slowest.Milliseconds())
}

// isFull reports whether an error tells of a full disk, wherever it was met.
func isFull(err error) bool {
	var e sqlite3.Error
	return errors.Is(err, syscall.ENOSPC) || errors.As(err, &e) && e.Code == sqlite3.ErrFull
}

// takeNext takes in what gateway 0 would send next.
func (s *serverSite) takeNext(pipe *ingest.Pipeline, epoch wire.Epoch) (out ingest.Result, err error) {
	ctx := context.Background()
	var seq uint64
	var hash entrylog.Hash
	if err := s.store.Read(ctx, func(r *store.ReadTx) (err error) {
		seq, hash, err = r.Chain(string(gateways[0]), epoch)
		return err
	}); err != nil {
		return out, err
	}
	ev := nextBatch(gateways[0], epoch, seq, wire.Hash(hash), 4)
	err = s.store.Write(ctx, func(tx *store.Tx) (err error) {
		out, err = pipe.Handle(tx, gateways[0], ev, wallMS)
		return err
	})
	return out, err
}

// signedAll says whether a published checkpoint covers size leaves.
func (s *serverSite) signedAll(size int64) error {
	if err := s.store.SignErr(); err != nil {
		return err
	}
	c, err := entrylog.OpenCheckpoint([]byte(s.store.Checkpoint()), s.log)
	if err == nil && c.Size < size {
		err = fmt.Errorf("the newest checkpoint covers %d of %d leaves", c.Size, size)
	}
	return err
}

func fillPolicies(t *testing.T, d *disk, _ *rand.Rand, fills int) string {
	folder := newFolder(t, d, "", 0)
	c, err := policycache.Open(policyConfig(folder))
	if err != nil {
		t.Fatal(err)
	}
	l := newPolicyLedger()
	refused, v := 0, uint64(0)
	slowest := time.Duration(0)
	put := func() error {
		msg, parts, err := policyOf(v + 1)
		if err != nil {
			t.Fatal(err)
		}
		before, had := c.Held()
		if _, err := c.Store(msg, parts); err != nil {
			refused++
			if after, has := c.Held(); has != had || after.Manifest.Version != before.Manifest.Version {
				t.Fatalf("a policy that is not on the disk is in force: %d after %d", after.Manifest.Version, before.Manifest.Version)
			}
			return err
		}
		v++
		return l.told([]string{"policy", fmt.Sprint(v)})
	}
	for f := range fills {
		if err := put(); err != nil {
			t.Fatal(err)
		}
		filler := d.fill(0)
		for err = nil; err == nil; {
			err = put()
		}
		if !isFull(err) {
			t.Fatalf("fill %d: a full disk says: %v", f, err)
		}
		again, err := policycache.Open(policyConfig(folder)) // a restart on the full disk
		if held, ok := again.Held(); err != nil || !ok || held.Manifest.Version < v {
			t.Fatalf("fill %d: after a restart on the full disk: %v, holds %d of %d", f, err, held.Manifest.Version, v)
		}
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
		slowest = max(slowest, recovers(t, func(int) error { return put() }))
		if _, err := l.check(folder); err != nil {
			t.Fatalf("fill %d: %v", f, err)
		}
	}
	return fmt.Sprintf("%d policies stored, %d refused, 0 lost, slowest recovery %dms", v, refused, slowest.Milliseconds())
}
