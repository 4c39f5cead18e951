package outbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"monban/firmware/wire"
)

// model is what an outbox must hold: two epochs at most are checked, details by sequence number.
type model struct {
	epochs []modelEpoch
}

type modelEpoch struct {
	id    wire.Epoch
	recs  []string // by seq-1
	tail  uint64
	acked uint64
	aside bool
}

// I1–I4 as a model: random appends, acks (right, old, forked, foreign), new epochs, failed commits of
// both kinds, restarts and trimming; after every step the whole outbox is compared.
func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "model")
		if err != nil {
			rt.Fatal(err)
		}
		var f faultyCommit
		cfg := testConfig(dir + "/outbox.db")
		cfg.Commit = f.commit
		cfg.KeepAcked = 5
		var o *Outbox
		open := func() {
			if o, err = Open(cfg); err != nil {
				rt.Fatal(err)
			}
		}
		open()
		defer func() { _ = o.Close() }()
		m := &model{epochs: []modelEpoch{{id: o.Stat().Current, recs: []string{"new"}, tail: 1}}}
		settle := func() {
			for o.work() {
			}
		}
		last := func() *modelEpoch { return &m.epochs[len(m.epochs)-1] }
		counter := 0
		appendSome := func(n int) []string {
			words := make([]string, n)
			for i := range words {
				counter++
				words[i] = fmt.Sprintf("w%d", counter)
			}
			return words
		}
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				words := appendSome(rapid.IntRange(1, 10).Draw(rt, "n"))
				for _, w := range words {
					o.Append(Entry{Record: record(w), Private: []byte("sealed"), Done: func(r Result) {
						if r.Err != nil || r.Seq != uint64(len(last().recs))+1 {
							rt.Fatalf("append: %+v", r)
						}
						last().recs = append(last().recs, w)
					}})
				}
				settle()
			},
			"commit fails": func(rt *rapid.T) {
				words := appendSome(3)
				f.mode.Store(rapid.Int32Range(1, 3).Draw(rt, "how"))
				for _, w := range words {
					o.Append(Entry{Record: record(w), Done: func(r Result) {
						if r.Err == nil {
							rt.Fatal("durable although the commit failed")
						}
					}})
				}
				o.work()
				done := f.mode.Swap(0) == commitDoneLost
				o.retryOpen(t.Context())
				if done {
					last().recs = append(last().recs, words...)
				}
			},
			"ack": func(rt *rapid.T) {
				e := &m.epochs[rapid.IntRange(0, len(m.epochs)-1).Draw(rt, "epoch")]
				if e.aside {
					rt.Skip("not sent, so not acknowledged")
				}
				seq := rapid.Uint64Range(0, uint64(len(e.recs))+2).Draw(rt, "seq")
				hash, herr := o.HashAt(e.id, seq)
				wrong := rapid.IntRange(0, 3).Draw(rt, "wrong") == 0
				if wrong {
					hash[0] ^= 1
				}
				o.Acked(e.id, seq, hash, func(err error) {
					switch {
					case seq <= e.acked:
						if err != nil {
							rt.Fatalf("old ack: %v", err)
						}
					case herr != nil || wrong:
						if !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrFork) {
							rt.Fatalf("bad ack: %v", err)
						}
					case err != nil:
						rt.Fatalf("ack: %v", err)
					default:
						e.acked = seq
					}
				})
				settle()
			},
			"new epoch": func(rt *rapid.T) {
				if len(m.epochs) > 3 {
					rt.Skip("enough")
				}
				e := last()
				h, _ := o.HashAt(e.id, uint64(len(e.recs)))
				o.NewEpoch("behind", func(err error) {
					if err != nil {
						rt.Fatal(err)
					}
				})
				o.drain()
				e.aside = true
				m.epochs = append(m.epochs, modelEpoch{id: o.Stat().Current, tail: 1,
					recs: []string{EpochDetail("behind", e.id, uint64(len(e.recs)), h)}})
				settle()
			},
			"restart": func(rt *rapid.T) {
				if err := o.Close(); err != nil {
					rt.Fatal(err)
				}
				open()
			},
			"": func(rt *rapid.T) { m.check(rt, o) },
		})
	})
}

// check compares everything and lets the model follow what trimming may have done.
func (m *model) check(rt *rapid.T, o *Outbox) {
	var kept []modelEpoch
	for _, e := range m.epochs {
		i := o.find(e.id)
		if i < 0 {
			// Only an older epoch without anything to send may vanish.
			if e.id == m.epochs[len(m.epochs)-1].id || !e.aside && e.acked < uint64(len(e.recs)) {
				rt.Fatalf("epoch with unacknowledged records vanished")
			}
			continue
		}
		got := o.epochs[i]
		if got.head != uint64(len(e.recs)) || got.aside != e.aside || !e.aside && got.acked != e.acked {
			rt.Fatalf("epoch: head %d want %d, acked %d want %d, aside %v", got.head, len(e.recs), got.acked, e.acked, got.aside)
		}
		if got.tail < e.tail || !e.aside && got.tail > e.acked+1 {
			rt.Fatalf("tail %d, was %d, acked %d", got.tail, e.tail, e.acked)
		}
		e.tail = got.tail
		var words []string
		for seq := got.tail; seq <= got.head; {
			ev, err := o.Load(e.id, seq, 64)
			if err != nil {
				rt.Fatal(err)
			}
			if _, err := ev.Chain(); err != nil {
				rt.Fatal(err)
			}
			for _, c := range ev.Records {
				r, err := wire.ParseRecord(c.Body)
				if err != nil || !c.Committed(r.GCommit) {
					rt.Fatalf("record %d: %v", seq, err)
				}
				words = append(words, r.Detail)
				seq++
			}
		}
		if !slices.Equal(words, e.recs[got.tail-1:]) {
			rt.Fatalf("records %q, want %q", words, e.recs[got.tail-1:])
		}
		kept = append(kept, e)
	}
	m.epochs = kept
}

// FuzzRow: the decoder of stored rows gives back exactly what it took, or an error, and the body that was chained.
func FuzzRow(f *testing.F) {
	of := origin{gateway: "gw-1", epoch: wire.Epoch{7}}
	full := record("x")
	full.Gateway, full.Epoch, full.Seq = of.gateway, of.epoch, 3
	f.Add(appendRow(nil, row{rec: full}))
	full.Attempt[0], full.Stamp.Boot[1], full.Stamp.OffsetMS = 1, 2, -5
	f.Add(appendRow(nil, row{rec: full, private: []byte("p"), salt: make([]byte, 32)}))
	f.Add(appendEpochRow(nil, epochRow{origin: of, tail: 1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 4 { // with its checksum right, or the fuzzer never gets beyond it
			sum := rowSum(of.epoch, 3, b[:len(b)-4])
			if r, err := parseRow(of, seqKey(3), binary.BigEndian.AppendUint32(slices.Clone(b[:len(b)-4]), sum)); err == nil {
				if got := appendRow(nil, r); !slices.Equal(got[:len(got)-4], b[:len(b)-4]) {
					t.Errorf("row %x reads as %x", b, got)
				}
				if !slices.Equal(r.body, wire.AppendRecord(nil, &r.rec)) {
					t.Errorf("row %x: body %s", b, r.body)
				}
			}
		}
		if e, err := parseEpochRow(b); err == nil {
			if got := appendEpochRow(nil, e); !slices.Equal(got, b) {
				t.Errorf("epoch row %x reads as %x", b, got)
			}
		}
	})
}
