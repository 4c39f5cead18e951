package faults

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/gateway/outbox"
)

// wallMS is the clock of all writers: the moments do not matter, only that they do not change.
const wallMS = 1_795_392_000_000

func outboxConfig(folder string) outbox.Config {
	return outbox.Config{
		Path: filepath.Join(folder, "outbox.db"), Gateway: "gw-1", KeepAcked: 50,
		Stamp: func() wire.Stamp { return wire.Stamp{WallMS: wallMS, Quality: access.ClockServer} },
	}
}

func outboxEntry(word string, done func(outbox.Result)) outbox.Entry {
	return outbox.Entry{
		Record: wire.Record{
			Door: "d", Event: door.EventGranted, Detail: word, Stamp: wire.Stamp{WallMS: wallMS, Quality: access.ClockServer},
		},
		Private: make([]byte, 200),
		Done:    done,
	}
}

// writeOutbox appends as fast as it can, in groups like those of several doors, and lets the server acknowledge.
func writeOutbox(folder string) error {
	o, err := outbox.Open(outboxConfig(folder))
	if err != nil {
		return err
	}
	go o.Run(context.Background()) // ends with the process
	fmt.Println("ready")
	for i := 0; ; i++ {
		n := 1 + i%8
		results := make(chan outbox.Result, n)
		for j := range n {
			word := fmt.Sprintf("c%d-%d-%d", os.Getpid(), i, j)
			o.Append(outboxEntry(word, func(r outbox.Result) {
				if r.Err == nil {
					fmt.Printf("record %x %d %s\n", r.Epoch[:], r.Seq, word)
				}
				results <- r
			}))
		}
		for range n {
			if r := <-results; r.Err != nil {
				return r.Err
			}
		}
		if s := o.Stat(); i%5 == 0 && s.Head > s.Acked+100 { // the server acknowledges all but the last 100; trimming follows
			hash, err := o.HashAt(s.Epoch, s.Head-100)
			if err != nil {
				return err
			}
			fmt.Printf("acked %x %d\n", s.Epoch[:], s.Head-100) // said before: from here on older ones may go
			o.Acked(s.Epoch, s.Head-100, hash, nil)
		}
		if i%7 == 0 {
			at := int64(wallMS + i)
			o.SaveTrusted(at, func(err error) {
				if err == nil {
					fmt.Printf("trusted %d\n", at)
				}
			})
		}
	}
}

// outboxLedger is what an outbox said.
type outboxLedger struct {
	records map[wire.Epoch]map[uint64]string
	acked   map[wire.Epoch]uint64
	trusted int64
	doubts  int // spoilt meta pages that were told; allowed after a power cut only
}

func newOutboxLedger() *outboxLedger {
	l := &outboxLedger{}
	l.forget()
	return l
}

func (l *outboxLedger) writer() string { return "outbox" }

func (l *outboxLedger) forget() {
	l.records, l.acked, l.trusted = map[wire.Epoch]map[uint64]string{}, map[wire.Epoch]uint64{}, 0
}

func (l *outboxLedger) told(f []string) error {
	if len(f) == 2 && f[0] == "trusted" {
		ms, err := strconv.ParseInt(f[1], 10, 64)
		l.trusted = max(l.trusted, ms)
		return err
	}
	if len(f) > 0 && f[0] == "drained" { // said again and again once all is delivered
		return nil
	}
	if len(f) < 3 {
		return errors.New("not a line of this writer")
	}
	raw, err := hex.DecodeString(f[1])
	if err != nil || len(raw) != len(wire.Epoch{}) {
		return fmt.Errorf("epoch: %w", err)
	}
	epoch := wire.Epoch(raw)
	seq, err := strconv.ParseUint(f[2], 10, 64)
	if err != nil {
		return err
	}
	if f[0] == "acked" {
		l.acked[epoch] = max(l.acked[epoch], seq)
		return nil
	}
	if l.records[epoch] == nil {
		l.records[epoch] = map[uint64]string{}
	}
	if old, twice := l.records[epoch][seq]; twice {
		return fmt.Errorf("number given to %s before", old) // I2
	}
	l.records[epoch][seq] = f[3]
	return nil
}

// check opens the outbox, which walks every chain from its tail to its head, and compares (I1, I2, I3).
func (l *outboxLedger) check(folder string) (int, error) {
	cfg := outboxConfig(folder)
	var notices []outbox.Notice
	cfg.Notify = func(n outbox.Notice) { notices = append(notices, n) }
	o, err := outbox.Open(cfg)
	if err != nil {
		return 0, err
	}
	defer o.Close() // nothing is written here
	for _, n := range notices {
		switch {
		case n.Kind == outbox.NoticeDoubt:
			l.doubts++
		case n.Kind == outbox.NoticeEpoch && len(l.records) == 0: // the cut came before the file was made
		default:
			return 0, fmt.Errorf("after the fault: notice %d: %w", n.Kind, n.Err)
		}
	}
	if got := o.Trusted(); got < l.trusted {
		return 0, fmt.Errorf("LOST trusted time %d, found %d", l.trusted, got)
	}
	compared := 0
	for epoch, records := range l.records {
		found := map[uint64]string{}
		seqs := slices.Sorted(maps.Keys(records))
		for next := seqs[0]; next <= seqs[len(seqs)-1]; {
			ev, err := o.Load(epoch, next, wire.MaxBatchRecords)
			if errors.Is(err, outbox.ErrUnknown) {
				if next > l.acked[epoch] {
					return 0, fmt.Errorf("LOST record %d of epoch %x", next, epoch)
				}
				next++
				continue
			}
			if err != nil {
				return 0, err
			}
			for _, c := range ev.Records {
				rec, err := wire.ParseRecord(c.Body)
				if err != nil {
					return 0, fmt.Errorf("record %d: %w", next, err)
				}
				found[next] = rec.Detail
				next++
			}
		}
		for seq, word := range records {
			switch got, ok := found[seq]; {
			case !ok && seq > l.acked[epoch]:
				return 0, fmt.Errorf("LOST record %d (%s)", seq, word)
			case ok && got != word:
				return 0, fmt.Errorf("record %d is %q, was told %q", seq, got, word)
			case ok:
				compared++
			}
		}
	}
	return compared, nil
}
