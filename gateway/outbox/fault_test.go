package outbox

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"go.etcd.io/bbolt"

	"monban/firmware/door"
	"monban/firmware/wire"
)

// faultyCommit fails commits on demand, in both ways a commit can fail.
type faultyCommit struct {
	mode atomic.Int32 // 0 = works
}

const (
	commitLost     = 1 // the commit did not happen
	commitDoneLost = 2 // it happened, but the caller was not told
	commitPanics   = 3 // a fault on the mapped file
)

var errDisk = errors.New("input/output error")

func (f *faultyCommit) commit(real func() error) error {
	switch f.mode.Load() {
	case commitLost:
		return errDisk
	case commitDoneLost:
		return errors.Join(real(), errDisk)
	case commitPanics:
		panic("fault")
	default:
		return real()
	}
}

// I1, I2: each fault twice: it did not happen, and it happened but nobody was told. Either way the
// record counts as not durable, nothing is accepted before the file has been read again, and
// afterwards the chain is whole and goes on.
func TestFaultPairs(t *testing.T) {
	t.Parallel()
	for _, mode := range []int32{commitLost, commitDoneLost, commitPanics} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			t.Parallel()
			var f faultyCommit
			cfg := testConfig(filepath.Join(t.TempDir(), "outbox.db"))
			cfg.Commit = f.commit
			h := start(t, cfg)
			for i := range 5 {
				h.append(Entry{Record: record(fmt.Sprintf("before%d", i))})
			}
			f.mode.Store(mode)
			r := h.append(Entry{Record: record("unsure")})
			if !errors.Is(r.Err, ErrLatched) || r.Seq != 0 {
				t.Fatalf("append during the fault: %+v", r)
			}
			f.mode.Store(0)
			eventually(t, "accepts again", func() bool {
				r := h.append(Entry{Record: record("after")})
				return r.Err == nil
			})
			s := h.o.Stat()
			got := h.checkAll()[s.Epoch]
			unsure := bytes.Contains([]byte(fmt.Sprint(got)), []byte("unsure"))
			if want := mode == commitDoneLost; unsure != want {
				t.Errorf("unsure record present = %v, want %v: %q", unsure, want, got)
			}
			if got[len(got)-1] != "after" || got[5] != "before4" {
				t.Errorf("records: %q", got)
			}
			var latched, reopened bool
			for _, n := range h.notices {
				latched = latched || n.Kind == NoticeLatched && n.Err != nil
				reopened = reopened || n.Kind == NoticeReopened
				if n.Kind == NoticeDamaged {
					t.Errorf("a failed write was taken for damage: %+v", n)
				}
			}
			if !latched || !reopened {
				t.Errorf("notices: %+v", h.notices)
			}
		})
	}
}

// After the first failed write nothing is appended and nothing acknowledged until the file was read
// again (reliability goal 6): the commit hook must not even be called for what was queued behind.
func TestLatchRefusesWhatWaits(t *testing.T) {
	t.Parallel()
	cfg := testConfig(filepath.Join(t.TempDir(), "outbox.db"))
	var f faultyCommit
	cfg.Commit = f.commit
	o, err := Open(cfg) // driven by hand instead of Run
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	f.mode.Store(commitLost)
	var results []Result
	done := func(r Result) { results = append(results, r) }
	for range batchLimit + 1 { // one more than a batch
		o.Append(Entry{Record: record("x"), Done: done})
	}
	o.work()
	f.mode.Store(0) // the disk "works" again
	o.work()
	if len(results) != batchLimit+1 {
		t.Fatalf("%d results", len(results))
	}
	for _, r := range results {
		if !errors.Is(r.Err, ErrLatched) {
			t.Fatalf("accepted while latched: %+v", r)
		}
	}
	if s := o.Stat(); !s.Latched || s.Head != 1 {
		t.Errorf("stat %+v", s)
	}
	o.retryOpen(t.Context())
	o.Append(Entry{Record: record("y"), Done: done})
	o.work()
	if r := results[len(results)-1]; r.Err != nil || r.Seq != 2 {
		t.Errorf("after reopening: %+v", r)
	}
}

// Crash points 1, 2, 5 and 6: whatever a half-made file holds, it is thrown away.
func TestLeftoverOfAnInterruptedCreation(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	if err := os.WriteFile(path+".new", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := start(t, testConfig(path))
	if r := h.append(Entry{Record: record("a")}); r.Err != nil {
		t.Fatal(r.Err)
	}
	if err := os.WriteFile(path+".new", []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.reopen()
	if got := h.checkAll()[h.o.Stat().Epoch]; len(got) != 2 {
		t.Errorf("records %q", got)
	}
	if _, err := os.Stat(path + ".new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("leftover: %v", err)
	}
}

// filled writes an outbox with two epochs, records with and without private parts, state, and an
// ack, and gives its bytes and the records' bodies in order.
func filled(t *testing.T) (data []byte, bodies map[wire.Epoch][][]byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "outbox.db")
	h := start(t, testConfig(path))
	for i := range 60 {
		e := Entry{Record: record(fmt.Sprintf("r%d", i)), PIN: PINUpdate{Set: true, Key: [32]byte{byte(i)}, Failed: 2}}
		if i%2 == 0 {
			e.Private = bytes.Repeat([]byte{byte(i)}, 288)
		}
		h.append(e)
		if i == 20 {
			done := make(chan error, 1)
			h.o.NewEpoch("test", func(err error) { done <- err })
			wait(t, done)
		}
	}
	s := h.o.Stat()
	hash, _ := h.o.HashAt(s.Epoch, 10)
	h.ack(s.Epoch, 10, hash)
	bodies = map[wire.Epoch][][]byte{}
	for _, e := range h.o.epochs {
		for seq := e.tail; seq <= e.head; {
			ev, err := h.o.Load(e.epoch, seq, 64)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range ev.Records {
				bodies[e.epoch] = append(bodies[e.epoch], append(bytes.Clone(c.Body), c.Private...))
				seq++
			}
		}
	}
	h.close()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data, bodies
}

// I3: flips of bits, cut-off ends and zeroed pages are found, or they do no harm; a wrong record is
// never handed out, and nothing kills the process. What was found is told and followed by an epoch.
func TestDamageIsFoundOrHarmless(t *testing.T) {
	t.Parallel()
	data, want := filled(t)
	flips := 1000
	if testing.Short() {
		flips = 200
	}
	rng := rand.New(rand.NewPCG(1, 20261123))
	var found, harmless int
	dir := t.TempDir()
	for i := range flips {
		bad := bytes.Clone(data)
		what := ""
		switch k := i % 10; {
		case k < 7: // one bit in the used part of the file
			at, bit := rng.IntN(len(bad)), rng.IntN(8)
			bad[at] ^= 1 << bit
			what = fmt.Sprintf("bit %d of byte %d", bit, at)
		case k == 7: // many bits of one page
			page := rng.IntN(len(bad) / 4096)
			for range 50 {
				bad[page*4096+rng.IntN(4096)] ^= 1 << rng.IntN(8)
			}
			what = fmt.Sprintf("page %d scrambled", page)
		case k == 8:
			page := rng.IntN(len(bad) / 4096)
			clear(bad[page*4096 : page*4096+4096])
			what = fmt.Sprintf("page %d zeroed", page)
		default:
			n := rng.IntN(len(bad))
			bad = bad[:n]
			what = fmt.Sprintf("cut to %d bytes", n)
		}
		path := filepath.Join(dir, fmt.Sprintf("o%d.db", i))
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		var told bool
		cfg := testConfig(path)
		cfg.Notify = func(n Notice) { told = told || n.Kind == NoticeDamaged || n.Kind == NoticeDoubt }
		o, err := Open(cfg)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		got, total := 0, 0
		for _, bodies := range want {
			total += len(bodies)
		}
		for _, e := range o.epochs {
			for seq := e.tail; seq <= e.head; {
				ev, err := o.Load(e.epoch, seq, 64)
				if err != nil {
					t.Fatalf("%s: load %d: %v", what, seq, err)
				}
				for _, c := range ev.Records {
					bodies, known := want[e.epoch]
					if known && !bytes.Equal(bodies[seq-1], append(bytes.Clone(c.Body), c.Private...)) {
						t.Fatalf("%s: SILENT WRONG ROW %d", what, seq)
					}
					if known {
						got++
					}
					seq++
				}
			}
		}
		switch {
		case told:
			found++
			if s := o.Stat(); want[s.Current] != nil {
				t.Errorf("%s: damage without a new epoch", what)
			}
		case got != total:
			t.Errorf("%s: %d of %d records gone, nothing told", what, total-got, total)
		default:
			harmless++
		}
		if err := o.Close(); err != nil {
			t.Errorf("%s: close: %v", what, err)
		}
	}
	t.Logf("%d damaged files: %d found, %d harmless, 0 silent", flips, found, harmless)
	if found < flips/20 {
		t.Errorf("only %d found: the damage does not reach what is checked", found)
	}
}

// Salvage keeps the damaged file and everything before the damage, and links the new epoch to it.
func TestSalvage(t *testing.T) {
	t.Parallel()
	data, _ := filled(t)
	path := filepath.Join(t.TempDir(), "outbox.db")
	at := bytes.LastIndex(data, []byte("\x03r50"))
	if at < 0 {
		t.Fatal("record not found in the file")
	}
	// The newest copy of the page holds it; old copies may too, so change every one.
	bad := bytes.ReplaceAll(data, []byte("\x03r50"), []byte("\x03r51"))
	if err := os.WriteFile(path, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	h := start(t, testConfig(path))
	var n Notice
	for _, x := range h.notices {
		if x.Kind == NoticeDamaged {
			n = x
		}
	}
	if n.Aside == "" || n.Saved != 52 { // 22 of the first epoch, its successor's first and r21 to r49
		t.Fatalf("notice %+v", n)
	}
	if kept, err := os.ReadFile(n.Aside); err != nil || !bytes.Equal(kept, bad) {
		t.Errorf("damaged file kept: %v", err)
	}
	s := h.o.Stat()
	if s.Current == s.Epoch || s.Acked != 10 || s.Head != 30 {
		t.Errorf("the saved epoch is to be sent first: %+v", s)
	}
	all := h.checkAll()
	if got, want := all[s.Current][0], EpochDetail("damaged", s.Epoch, s.Head, s.HeadHash); got != want {
		t.Errorf("first record of the new epoch %q, want %q", got, want)
	}
	if h.o.PINFailed([32]byte{7}) != 2 {
		t.Error("counts of wrong PINs were lost")
	}
	if r := h.append(Entry{Record: record("goes-on")}); r.Err != nil || r.Epoch != s.Current || r.Seq != 2 {
		t.Errorf("append after salvage: %+v", r)
	}
	if err := h.ack(s.Epoch, s.Head, s.HeadHash); err != nil {
		t.Fatal(err)
	}
	if got := h.o.Stat(); got.Epoch != s.Current || got.Pending != 2 {
		t.Errorf("after the old epoch was sent: %+v", got)
	}
}

// A spoilt meta page may hide the last commit: the records are whole, and a new epoch begins all the
// same, because the hidden record's number must not be given away twice.
func TestSpoiltMetaPage(t *testing.T) {
	t.Parallel()
	data, want := filled(t)
	for i := range 4 {
		page := i % 2
		bad := bytes.Clone(data)
		if i < 2 {
			bad[page*4096+pageHead+20] ^= 1
		} else { // a write that went to the wrong place
			copy(bad[page*4096:page*4096+4096], data[(1-page)*4096:])
		}
		path := filepath.Join(t.TempDir(), "outbox.db")
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		h := start(t, testConfig(path))
		doubt := false
		for _, n := range h.notices {
			doubt = doubt || n.Kind == NoticeDoubt
		}
		if !doubt || want[h.o.Stat().Current] != nil {
			t.Errorf("meta page %d: doubt %v, stat %+v", page, doubt, h.o.Stat())
		}
		h.checkAll()
	}
}

// I3: a card edited by somebody who knows the format: each row's checksum is right, but a body, a
// row or the order is not the one that was chained. The chain finds it.
func TestEditedRowsAreFound(t *testing.T) {
	t.Parallel()
	data, _ := filled(t)
	var of origin
	get := func(b *bbolt.Bucket, seq uint64) row {
		r, err := parseRow(of, seqKey(seq), b.Get(seqKey(seq)))
		if err != nil {
			t.Fatal(err)
		}
		r.private, r.salt = bytes.Clone(r.private), bytes.Clone(r.salt)
		return r
	}
	for name, edit := range map[string]func(b *bbolt.Bucket) error{
		"body": func(b *bbolt.Bucket) error {
			r := get(b, 12)
			r.rec.Event = door.EventDenied
			return b.Put(seqKey(12), appendRow(nil, r))
		},
		"body with its own hash": func(b *bbolt.Bucket) error {
			r := get(b, 12)
			r.rec.Event = door.EventDenied
			r.hash = wire.ChainHash(get(b, 11).hash, wire.AppendRecord(nil, &r.rec))
			return b.Put(seqKey(12), appendRow(nil, r))
		},
		"last body with its own hash": func(b *bbolt.Bucket) error {
			k, _ := b.Cursor().Last()
			seq := binary.BigEndian.Uint64(k)
			r := get(b, seq)
			r.rec.Detail += "x"
			r.hash = wire.ChainHash(get(b, seq-1).hash, wire.AppendRecord(nil, &r.rec))
			return b.Put(k, appendRow(nil, r))
		},
		"swapped": func(b *bbolt.Bucket) error {
			x, y := get(b, 12), get(b, 13)
			x.rec.Seq, y.rec.Seq = 13, 12
			return errors.Join(b.Put(seqKey(12), appendRow(nil, y)), b.Put(seqKey(13), appendRow(nil, x)))
		},
		"deleted":      func(b *bbolt.Bucket) error { return b.Delete(seqKey(12)) },
		"first gone":   func(b *bbolt.Bucket) error { return b.Delete(seqKey(1)) },
		"last deleted": func(b *bbolt.Bucket) error { k, _ := b.Cursor().Last(); return b.Delete(k) },
		"other number": func(b *bbolt.Bucket) error { return b.Put(seqKey(12), bytes.Clone(b.Get(seqKey(11)))) },
	} {
		path := filepath.Join(t.TempDir(), "outbox.db")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bbolt.Tx) error {
			var last epochRow
			if err := tx.Bucket([]byte(bucketEpochs)).ForEach(func(_, v []byte) (err error) {
				last, err = parseEpochRow(v)
				return err
			}); err != nil {
				return err
			}
			of = last.origin
			return edit(tx.Bucket(recordsBucket(of.epoch)))
		})
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		s, err := scanFile(path, "gw-1", nil)
		if err != nil || s.fault == nil {
			t.Errorf("%s: not found: %v", name, err)
		}
		h := start(t, testConfig(path))
		h.checkAll()
	}
}
