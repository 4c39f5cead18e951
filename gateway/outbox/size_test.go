package outbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
)

// badge is what one ordinary entry leaves: the decision with its sealed part, and what the door then did.
func badge(rng *rand.Rand, n int) []Entry {
	stamp := wire.Stamp{BoottimeNS: int64(n) * 1_000_000_007, WallMS: 1_795_000_000_000 + int64(n)*1000, Quality: access.ClockServer, OffsetMS: -3}
	stamp.Boot[3] = 7
	var attempt door.Attempt
	private := make([]byte, 540) // what wire.SealPrivate makes of an ordinary read; cannot be made smaller
	for i := range private {
		private[i] = byte(rng.Uint32())
	}
	for i := range attempt {
		attempt[i] = byte(rng.Uint32())
	}
	rec := wire.Record{Door: "server-room-a", Side: access.SideEnter, Event: door.EventGranted, Attempt: attempt, Stamp: stamp,
		By: access.ByServer, Reason: access.ReasonGranted, Policy: 12_345, PolicyAge: 3_600_000, Assurance: "mutual_auth", Link: "secure"}
	list := []Entry{{Record: rec, Private: private}}
	for _, e := range []door.Event{door.EventEntry, door.EventClosed} {
		list = append(list, Entry{Record: wire.Record{Door: rec.Door, Side: access.SideEnter, Event: e, Attempt: attempt, Stamp: stamp}})
	}
	return list
}

// Goal 11, OP-5, D20: a million records that the server has not acknowledged fit into 512 MiB, as entries make them
// (each a decision with its sealed part, door opened, door closed), and into the file's cap even if every one had a
// sealed part, as at doors where everybody is denied. MONBAN_OUTBOX_RECORDS sets how many are written.
func TestBytesPerRecord(t *testing.T) {
	t.Parallel()
	total := 9000
	if v := os.Getenv("MONBAN_OUTBOX_RECORDS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1000 {
			t.Fatalf("MONBAN_OUTBOX_RECORDS=%q", v)
		}
		total = n
	}
	for _, c := range []struct {
		name   string
		of     func([]Entry) []Entry
		atMost float64 // bytes a record
	}{
		{"entries", func(l []Entry) []Entry { return l }, 512 << 20 / 1e6},
		{"all sealed", func(l []Entry) []Entry { return l[:1] }, (1 << 30) / 32 * 31 / 1e6},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(filepath.Join(t.TempDir(), "outbox.db"))
			o, err := Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			start, rng, n, bad := o.Stat().Used, rand.New(rand.NewPCG(1, 2)), 0, error(nil)
			for i := 0; n < total; i++ {
				for _, e := range c.of(badge(rng, i)) {
					e.Done = func(r Result) { bad = errors.Join(bad, r.Err) }
					o.Append(e)
					n++
				}
				// As an offline site writes them: an entry at a time, here in groups so that the disk can follow.
				if i%100 == 99 {
					o.drain()
				}
			}
			for o.drain() {
			}
			s := o.Stat()
			per := float64(s.Used-start) / float64(n)
			t.Logf("%d records: %.0f B a record, a million in %.0f MiB", n, per, per*1e6/(1<<20))
			if bad != nil || s.Pending != uint64(n)+1 || per > c.atMost {
				t.Errorf("%v, %d pending, %.0f B a record, want at most %.0f", bad, s.Pending, per, c.atMost)
			}
			if err := o.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// A file of the format before this one is refused in words and left as it is: it is not damaged.
func TestOldFormatIsRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "outbox.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	old := make([]byte, epochRowLen-4)
	old[0], old[24] = rowVersionOld, 1
	old = binary.BigEndian.AppendUint32(old, crc32.Checksum(old, castagnoli))
	err = db.Update(func(tx *bbolt.Tx) error {
		if err := createBuckets(tx); err != nil {
			return err
		}
		return tx.Bucket([]byte(bucketEpochs)).Put(indexKey(0), old)
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(testConfig(path)); err == nil || !strings.Contains(err.Error(), "older program") {
		t.Errorf("error %v", err)
	}
	if left, err := filepath.Glob(path + ".damaged*"); len(left) > 0 || err != nil {
		t.Errorf("put aside: %s %v", left, err)
	}
}

// I3: what a row gives back is the body that was chained, for every value that a record may hold; and a row under
// another number or in another epoch is refused.
func TestRowKeepsEveryField(t *testing.T) {
	t.Parallel()
	of := origin{gateway: "gw-9", epoch: wire.Epoch{1, 2}}
	for seed := range uint64(500) {
		rng := rand.New(rand.NewPCG(seed, 3))
		e := badge(rng, int(rng.Uint32()))[rng.IntN(3)]
		m := e.Record
		m.Gateway, m.Epoch, m.Seq = of.gateway, of.epoch, rng.Uint64N(1<<40)+1
		m.Side, m.By = access.Side(rng.IntN(3)), access.DecidedBy(rng.IntN(3))
		m.Stamp.Quality, m.Reason = access.ClockQuality(rng.IntN(5)), access.Reason(rng.IntN(20))
		m.Failed = access.ReasonSet(rng.Uint32() & 0xfffff)
		m.Stamp.OffsetMS, m.PolicyAge, m.Policy = int64(rng.Uint64()), int64(rng.Uint64()), rng.Uint64()>>1
		m.Stamp.WallMS, m.Detail = int64(rng.Uint64()), fmt.Sprint("x", seed)
		r := row{rec: m, private: e.Private, hash: wire.Hash{byte(seed)}}
		if len(r.private) > 0 {
			var salt [32]byte
			salt[0] = byte(seed)
			r.salt = salt[:]
			r.rec.GCommit = wire.Commit(salt, r.private)
		}
		body := string(wire.AppendRecord(nil, &r.rec))
		b := appendRow(nil, r)
		back, err := parseRow(of, seqKey(m.Seq), b)
		if err != nil || string(back.body) != body || back.hash != r.hash {
			t.Fatalf("seed %d: %v\n%s\n%s", seed, err, body, back.body)
		}
		if _, err := parseRow(of, seqKey(m.Seq+1), b); err == nil {
			t.Fatal("read under another number")
		}
		if _, err := parseRow(origin{gateway: of.gateway}, seqKey(m.Seq), b); err == nil {
			t.Fatal("read in another epoch")
		}
	}
}
