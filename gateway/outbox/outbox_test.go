package outbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
)

// harness is one outbox with its goroutine.
type harness struct {
	t       *testing.T
	cfg     Config
	o       *Outbox
	stop    func()
	notices []Notice
}

func testConfig(path string) Config {
	return Config{
		Path: path, Gateway: "gw-1",
		Stamp: func() wire.Stamp { return wire.Stamp{WallMS: 1_700_000_000_000, Quality: access.ClockServer} },
	}
}

func start(t *testing.T, cfg Config) *harness {
	t.Helper()
	h := &harness{t: t, cfg: cfg}
	h.open()
	t.Cleanup(h.close)
	return h
}

func (h *harness) open() {
	h.t.Helper()
	cfg := h.cfg
	cfg.Notify = func(n Notice) { h.notices = append(h.notices, n) }
	o, err := Open(cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	h.o = o
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { o.Run(ctx); close(ended) }()
	h.stop = func() { cancel(); <-ended }
}

func (h *harness) close() {
	if h.stop == nil {
		return
	}
	h.stop()
	h.stop = nil
	if err := h.o.Close(); err != nil {
		h.t.Errorf("close: %v", err)
	}
}

func (h *harness) reopen() {
	h.t.Helper()
	h.close()
	h.open()
}

func record(detail string) wire.Record {
	return wire.Record{Door: "d", Event: door.EventGranted, Detail: detail, Stamp: wire.Stamp{WallMS: 1_700_000_000_000, Quality: access.ClockServer}}
}

// append makes one record durable or reports why not.
func (h *harness) append(e Entry) Result {
	h.t.Helper()
	got := make(chan Result, 1)
	e.Done = func(r Result) { got <- r }
	h.o.Append(e)
	return wait(h.t, got)
}

func (h *harness) ack(epoch wire.Epoch, seq uint64, hash wire.Hash) error {
	h.t.Helper()
	got := make(chan error, 1)
	h.o.Acked(epoch, seq, hash, func(err error) { got <- err })
	return wait(h.t, got)
}

func wait[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatal("no result")
		panic("unreachable")
	}
}

// eventually polls a condition over real I/O.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatal("never: " + what)
}

// checkAll verifies, from the file and through the API, that every epoch is one unbroken chain, and
// returns the details of its records.
func (h *harness) checkAll() map[wire.Epoch][]string {
	h.t.Helper()
	out := map[wire.Epoch][]string{}
	h.o.stateMu.RLock()
	epochs := append([]epochRow(nil), h.o.epochs...)
	h.o.stateMu.RUnlock()
	for _, e := range epochs {
		prev := e.tailPrev
		for seq := e.tail; seq <= e.head; {
			ev, err := h.o.Load(e.epoch, seq, 64)
			if err != nil {
				h.t.Fatalf("load %d of %x: %v", seq, e.epoch, err)
			}
			hashes, err := ev.Chain()
			if err != nil || ev.Prev != prev || ev.First != seq {
				h.t.Fatalf("batch at %d: %v, prev %v", seq, err, ev.Prev == prev)
			}
			for i, c := range ev.Records {
				r, err := wire.ParseRecord(c.Body)
				if err != nil || r.Seq != seq || r.Epoch != e.epoch || r.Gateway != "gw-1" || !c.Committed(r.GCommit) {
					h.t.Fatalf("record %d: %v, %+v", seq, err, r)
				}
				out[e.epoch] = append(out[e.epoch], r.Detail)
				prev = hashes[i]
				seq++
			}
		}
		if prev != e.headHash {
			h.t.Fatalf("epoch %x does not end at its head", e.epoch)
		}
	}
	return out
}

// I2, I3: records come back in order, chained, with their private parts, also after a restart.
func TestAppendLoadReopen(t *testing.T) {
	t.Parallel()
	h := start(t, testConfig(filepath.Join(t.TempDir(), "outbox.db")))
	for i := range 200 {
		e := Entry{Record: record(fmt.Sprintf("r%d", i))}
		if i%3 == 0 {
			e.Private = bytes.Repeat([]byte{byte(i)}, 300)
		}
		if r := h.append(e); r.Err != nil || r.Seq != uint64(i)+2 { // 1 is the epoch's own record
			t.Fatalf("append %d: %+v", i, r)
		}
	}
	before := h.o.Stat()
	h.reopen()
	after := h.o.Stat()
	if before.HeadHash != after.HeadHash || before.Epoch != after.Epoch || after.Head != 201 || after.Tail != 1 {
		t.Errorf("after reopen: %+v, before %+v", after, before)
	}
	got := h.checkAll()[after.Epoch]
	if len(got) != 201 || got[0] != "new" || got[1] != "r0" || got[200] != "r199" {
		t.Errorf("%d records: %q", len(got), got)
	}
	for _, n := range h.notices {
		if n.Kind != NoticeEpoch {
			t.Errorf("notice %+v", n)
		}
	}
	if _, err := h.o.Load(after.Epoch, 202, 10); !errors.Is(err, ErrUnknown) {
		t.Errorf("beyond the head: %v", err)
	}
	if _, err := h.o.Load(wire.Epoch{1}, 1, 10); !errors.Is(err, ErrUnknown) {
		t.Errorf("foreign epoch: %v", err)
	}
}

// I1: a record the server could not read, or one that is too large, is refused to its caller alone.
func TestBadRecordIsRefusedAlone(t *testing.T) {
	t.Parallel()
	h := start(t, testConfig(filepath.Join(t.TempDir(), "outbox.db")))
	if r := h.append(Entry{Record: record("NOT A TOKEN")}); r.Err == nil {
		t.Error("unreadable record accepted")
	}
	if r := h.append(Entry{Record: record("x"), Private: make([]byte, maxPrivate+1)}); !errors.Is(r.Err, ErrTooLarge) {
		t.Errorf("large private part: %v", r.Err)
	}
	if r := h.append(Entry{Record: record("good")}); r.Err != nil || r.Seq != 2 {
		t.Errorf("good record after bad ones: %+v", r)
	}
	h.checkAll()
}

// I4: an ack counts only for our own chain, never goes back, and survives a restart.
func TestAck(t *testing.T) {
	t.Parallel()
	h := start(t, testConfig(filepath.Join(t.TempDir(), "outbox.db")))
	for i := range 10 {
		h.append(Entry{Record: record(fmt.Sprintf("r%d", i))})
	}
	s := h.o.Stat()
	h5, err := h.o.HashAt(s.Epoch, 5)
	if err != nil {
		t.Fatal(err)
	}
	h3, _ := h.o.HashAt(s.Epoch, 3)
	if err := h.ack(s.Epoch, 5, h3); !errors.Is(err, ErrFork) {
		t.Errorf("ack with another hash: %v", err)
	}
	if err := h.ack(wire.Epoch{9}, 5, h5); !errors.Is(err, ErrUnknown) {
		t.Errorf("ack of another epoch: %v", err)
	}
	if err := h.ack(s.Epoch, 12, s.HeadHash); !errors.Is(err, ErrUnknown) {
		t.Errorf("ack beyond the head: %v", err)
	}
	if got := h.o.Stat().Acked; got != 0 {
		t.Fatalf("acked %d after refused acks", got)
	}
	if err := h.ack(s.Epoch, 5, h5); err != nil {
		t.Fatal(err)
	}
	if err := h.ack(s.Epoch, 3, h3); err != nil { // older: ignored
		t.Fatal(err)
	}
	h.reopen()
	if got := h.o.Stat(); got.Acked != 5 || got.Pending != 6 || got.Tail != 1 {
		t.Errorf("after reopen: %+v", got)
	}
}

// EV-7, I3: whatever the wall clock does, records keep the order in which they were appended, over a
// restart too: by epoch and number alone. Only the server's word sets the last trusted time back (D12).
func TestOrderUnderClockJumps(t *testing.T) {
	t.Parallel()
	jumps := 10_000
	if testing.Short() {
		jumps = 1_000
	}
	path := filepath.Join(t.TempDir(), "outbox.db")
	h := start(t, testConfig(path))
	r := mathrand.New(mathrand.NewPCG(7, 7))
	done := make(chan Result, jumps)
	for i := range jumps {
		rec := record("j" + strconv.Itoa(i))
		rec.Stamp.Boot[0] = byte(i / 1000)
		rec.Stamp.WallMS = r.Int64N(100*365*86400_000) - 50*365*86400_000 // ±50 years around 1970
		for h.o.push(op{kind: opAppend, entry: Entry{Record: rec, Done: func(res Result) { done <- res }}}) != nil {
			time.Sleep(time.Millisecond) // the queue is full for a moment
		}
		if i == jumps/2 {
			for range i + 1 {
				if res := <-done; res.Err != nil {
					t.Fatal(res.Err)
				}
			}
			h.reopen()
		}
	}
	for range jumps - jumps/2 - 1 {
		if res := <-done; res.Err != nil {
			t.Fatal(res.Err)
		}
	}
	i := 0
	for _, details := range h.checkAll() { // checks numbers and chain
		for _, d := range details {
			if strings.HasPrefix(d, "j") {
				if d != "j"+strconv.Itoa(i) {
					t.Fatalf("record %d is %s", i, d)
				}
				i++
			}
		}
	}
	if i != jumps {
		t.Errorf("%d records of %d", i, jumps)
	}
	saved := make(chan error, 1)
	for _, c := range []struct {
		save func(int64, func(error))
		ms   int64
		want int64
	}{{h.o.SaveTrusted, 9000, 9000}, {h.o.SaveTrusted, 4000, 9000}, {h.o.CorrectTrusted, 4000, 4000}, {h.o.CorrectTrusted, 0, 4000}, {h.o.SaveTrusted, 4001, 4001}} {
		c.save(c.ms, func(err error) { saved <- err })
		if err := wait(t, saved); err != nil || h.o.Trusted() != c.want {
			t.Errorf("saved %d: trusted %d, want %d (%v)", c.ms, h.o.Trusted(), c.want, err)
		}
	}
	h.close()
}

// D10, D12: wrong-PIN counts are durable with their record; trusted time never goes back.
func TestState(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	h := start(t, testConfig(path))
	k1, k2 := access.Key([]byte("a token that no file may hold, 1")), access.Key{2}
	h.append(Entry{Record: record("a"), PIN: PINUpdate{Set: true, Key: k1, Failed: 3}})
	h.append(Entry{Record: record("b"), PIN: PINUpdate{Set: true, Key: k2, Failed: 1}})
	h.append(Entry{Record: record("c"), PIN: PINUpdate{Set: true, Key: k2}})
	saved := make(chan error, 2)
	h.o.SaveTrusted(5000, func(err error) { saved <- err })
	h.o.SaveTrusted(4000, func(err error) { saved <- err })
	if err := errors.Join(wait(t, saved), wait(t, saved)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if a, b, w := h.o.PINFailed(k1), h.o.PINFailed(k2), h.o.Trusted(); a != 3 || b != 0 || w != 5000 {
			t.Errorf("state: %d %d %d", a, b, w)
		}
		h.reopen()
	}
	h.close()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, k1[:]) {
		t.Error("the file holds a token in the clear")
	}
}

// AD-13: an officer's PIN reset sets the counts and its number in one step, once; the rest stays.
func TestPINResets(t *testing.T) {
	t.Parallel()
	h := start(t, testConfig(filepath.Join(t.TempDir(), "outbox.db")))
	k1, k2 := access.Key{1}, access.Key{2}
	set := func(k access.Key, n uint8) PINUpdate { return PINUpdate{Set: true, Key: k, Failed: n} }
	h.append(Entry{Record: record("a"), PIN: set(k1, 5)})
	h.append(Entry{Record: record("b"), PIN: set(k2, 4)})
	for _, c := range []struct {
		number int64
		counts []PINUpdate
		want   [2]uint8
		reset  int64
	}{
		{1000, []PINUpdate{set(k1, 0)}, [2]uint8{0, 4}, 1000},
		{1000, []PINUpdate{set(k2, 0)}, [2]uint8{0, 4}, 1000},
		{999, []PINUpdate{set(k2, 0)}, [2]uint8{0, 4}, 1000},
		{1001, []PINUpdate{set(k1, 1), set(k2, 2)}, [2]uint8{1, 2}, 1001},
		{1002, nil, [2]uint8{1, 2}, 1002},
	} {
		saved := make(chan error, 1)
		h.o.ResetPINs(c.number, c.counts, func(err error) { saved <- err })
		if err := wait(t, saved); err != nil {
			t.Fatal(err)
		}
		h.reopen()
		if got := [2]uint8{h.o.PINFailed(k1), h.o.PINFailed(k2)}; got != c.want || h.o.PINReset() != c.reset {
			t.Errorf("reset %d: counts %d, number %d; want %d, %d", c.number, got, h.o.PINReset(), c.want, c.reset)
		}
	}
}

// A second process must not touch the file: what it would take for damage is the first one's work.
func TestSecondProcessIsRefused(t *testing.T) {
	t.Parallel()
	cfg := testConfig(filepath.Join(t.TempDir(), "outbox.db"))
	start(t, cfg)
	if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("second open: %v", err)
	}
}

// After Run has ended nothing is accepted, and nobody waits for ever.
func TestClosed(t *testing.T) {
	t.Parallel()
	h := start(t, testConfig(filepath.Join(t.TempDir(), "outbox.db")))
	h.stop()
	if r := h.append(Entry{Record: record("late")}); !errors.Is(r.Err, ErrClosed) {
		t.Errorf("append after the end: %+v", r)
	}
	if err := h.o.Close(); err != nil {
		t.Error(err)
	}
	if err := h.o.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	h.stop = nil
}

// D20: unacknowledged records stay, acknowledged ones go by number and by age, in order.
func TestTrim(t *testing.T) {
	t.Parallel()
	cfg := testConfig(filepath.Join(t.TempDir(), "outbox.db"))
	cfg.KeepAcked = 20
	h := start(t, cfg)
	for i := range 100 {
		h.append(Entry{Record: record(fmt.Sprintf("r%d", i))})
	}
	s := h.o.Stat()
	hash, _ := h.o.HashAt(s.Epoch, 60)
	if err := h.ack(s.Epoch, 60, hash); err != nil {
		t.Fatal(err)
	}
	eventually(t, "trimmed to 20 acknowledged records", func() bool { return h.o.Stat().Tail == 41 })
	h.reopen()
	if got := h.o.Stat(); got.Tail != 41 || got.Head != 101 || got.Pending != 41 {
		t.Errorf("after trim: %+v", got)
	}
	if got := h.checkAll()[s.Epoch]; len(got) != 61 {
		t.Errorf("%d records left", len(got))
	}
	if got, err := h.o.HashAt(s.Epoch, 40); err != nil || got == (wire.Hash{}) {
		t.Errorf("hash before the tail: %v", err)
	}
	if _, err := h.o.HashAt(s.Epoch, 39); !errors.Is(err, ErrUnknown) {
		t.Errorf("hash of a trimmed record: %v", err)
	}

	// Age: only with a trustworthy clock, only what is acknowledged.
	h.close()
	h.cfg.KeepAcked = 1000
	h.cfg.Stamp = func() wire.Stamp {
		return wire.Stamp{WallMS: 1_700_000_000_000 + int64(31*24*time.Hour/time.Millisecond), Quality: access.ClockFloor}
	}
	h.open()
	h.append(Entry{Record: record("wake")})
	if got := h.o.Stat().Tail; got != 41 {
		t.Errorf("trimmed by a clock nobody trusts: tail %d", got)
	}
	h.close()
	h.cfg.Stamp = func() wire.Stamp {
		return wire.Stamp{WallMS: 1_700_000_000_000 + int64(31*24*time.Hour/time.Millisecond), Quality: access.ClockNTP}
	}
	h.open()
	h.append(Entry{Record: record("wake")})
	eventually(t, "trimmed by age up to the acknowledged ones", func() bool { return h.o.Stat().Tail == 61 })
	h.checkAll()
}

// D20: at its cap the outbox refuses, keeps everything, and accepts again once records are
// acknowledged. ErrFull leads to `outbox_full` at the door.
func TestFull(t *testing.T) {
	t.Parallel()
	cfg := testConfig(filepath.Join(t.TempDir(), "outbox.db"))
	cfg.MaxBytes = 2 << 20
	h := start(t, cfg)
	private := make([]byte, maxPrivate)
	var n uint64
	results := make(chan Result, 256)
	for full := false; !full; {
		for range 100 {
			h.o.Append(Entry{Record: record("x"), Private: private, Done: func(r Result) { results <- r }})
		}
		for range 100 {
			switch r := wait(t, results); {
			case errors.Is(r.Err, ErrFull):
				full = true
			case r.Err != nil:
				t.Fatal(r.Err)
			default:
				n++
			}
		}
	}
	s := h.o.Stat()
	if s.Level != LevelFull || s.Head != n+1 || s.Pending != n+1 {
		t.Fatalf("full with %d records: %+v", n, s)
	}
	var levels []Level
	for _, x := range h.notices {
		if x.Kind == NoticeLevel {
			levels = append(levels, x.Level)
		}
	}
	if len(levels) == 0 || levels[len(levels)-1] != LevelFull {
		t.Errorf("levels told: %v", levels)
	}
	h.reopen()
	if r := h.append(Entry{Record: record("y")}); !errors.Is(r.Err, ErrFull) {
		t.Fatalf("full after reopen: %v", r.Err)
	}
	if err := h.ack(s.Epoch, s.Head, s.HeadHash); err != nil {
		t.Fatal(err)
	}
	eventually(t, "room again", func() bool { return h.append(Entry{Record: record("z")}).Err == nil })
	info, err := os.Stat(cfg.Path)
	if err != nil || info.Size() > 2*cfg.MaxBytes {
		t.Errorf("file: %v, %d bytes", err, info.Size())
	}
	h.checkAll()
}

// The server is ahead (a rolled back card): a new epoch that names the end of the old one; the old
// one is not sent any more.
func TestNewEpoch(t *testing.T) {
	t.Parallel()
	h := start(t, testConfig(filepath.Join(t.TempDir(), "outbox.db")))
	for i := range 5 {
		h.append(Entry{Record: record(fmt.Sprintf("r%d", i))})
	}
	old := h.o.Stat()
	done := make(chan error, 1)
	h.o.NewEpoch("behind", func(err error) { done <- err })
	if err := wait(t, done); err != nil {
		t.Fatal(err)
	}
	s := h.o.Stat()
	if s.Epoch == old.Epoch || s.Epoch != s.Current || s.Head != 1 || s.Pending != 1 {
		t.Fatalf("new epoch: %+v", s)
	}
	h.reopen()
	if h.o.Stat().Epoch != s.Epoch {
		t.Error("the old epoch is back after a restart")
	}
	all := h.checkAll()
	if got, want := all[s.Epoch][0], EpochDetail("behind", old.Epoch, old.Head, old.HeadHash); got != want || len(all[old.Epoch]) != 6 {
		t.Errorf("first record %q, want %q; %d old ones", got, want, len(all[old.Epoch]))
	}
	h.o.NewEpoch("Not A Word", func(err error) { done <- err })
	if wait(t, done) == nil {
		t.Error("a bad reason was accepted")
	}
}

// The queue is bounded: a gateway whose disk hangs says no instead of growing.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	cfg := testConfig(filepath.Join(t.TempDir(), "outbox.db"))
	o, err := Open(cfg) // nobody runs it
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for range queueLimit + 10 {
		o.Append(Entry{Record: record("x"), Done: func(r Result) {
			if errors.Is(r.Err, ErrBusy) {
				refused++
			}
		}})
	}
	if refused != 10 {
		t.Errorf("%d refused, want 10", refused)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
}

// A reservation takes disk without changing what is in the file.
func TestReserve(t *testing.T) {
	t.Parallel()
	cfg := testConfig(filepath.Join(t.TempDir(), "outbox.db"))
	cfg.Reserve = 8 << 20
	h := start(t, cfg)
	if r := h.append(Entry{Record: record("a")}); r.Err != nil {
		t.Fatal(r.Err)
	}
	h.reopen()
	h.checkAll()
}
