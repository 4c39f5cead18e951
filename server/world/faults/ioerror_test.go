package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"monban/firmware/wire"
	"monban/gateway/outbox"
	"monban/server/ingest"
	"monban/server/store"
)

// writeOutboxOnce works for a while on a disk that fails once, tells what it was told, and ends.
func writeOutboxOnce(folder string) error {
	cfg := outboxConfig(folder)
	cfg.Notify = func(n outbox.Notice) { // on the goroutine that also reports records: the lines are in order
		switch n.Kind {
		case outbox.NoticeLatched:
			fmt.Printf("latched %q\n", n.Err)
		case outbox.NoticeReopened:
			fmt.Println("reopened")
		case outbox.NoticeDamaged:
			fmt.Printf("damaged %q\n", n.Err)
		}
	}
	o, err := outbox.Open(cfg)
	if err != nil {
		fmt.Printf("refused %q\n", err)
		return nil
	}
	go o.Run(context.Background()) // ends with the process
	fmt.Println("ready")
	failures := 0
	add := func(i, n int) {
		results := make(chan outbox.Result, n)
		for j := range n {
			word := fmt.Sprintf("w%d-%d", i, j)
			o.Append(outboxEntry(word, func(r outbox.Result) {
				if r.Err == nil {
					fmt.Printf("record %x %d %s\n", r.Epoch[:], r.Seq, word)
				} else {
					fmt.Printf("error %q\n", r.Err)
				}
				results <- r
			}))
		}
		for range n {
			if r := <-results; r.Err != nil {
				failures++
			}
		}
	}
	for i := range 12 {
		add(i, 1+i%4)
	}
	for i := range 3 { // the fault may hit here for the first time; a short write takes two
		for end := time.Now().Add(15 * time.Second); o.Stat().Latched && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
		before := failures
		if add(100+i, 1); failures == before {
			return nil
		}
	}
	fmt.Println("stuck") // the fault is over, and still nothing is accepted
	return nil
}

// writeStoreOnce does the same with the store, and ends as if killed.
func writeStoreOnce(folder string) error {
	_, err := storeOnce(folder)
	return err
}

// writeStoreClosed closes it too: SQLite then copies the WAL into the database. An error there is nobody's loss, for the
// WAL stays and is read at the next start.
func writeStoreClosed(folder string) error {
	s, err := storeOnce(folder)
	if s == nil {
		return err
	}
	if err := s.store.Close(); err != nil {
		fmt.Printf("error %q\n", err)
	}
	if err := s.store.SignErr(); err != nil { // the last checkpoint
		fmt.Printf("unsigned %q\n", err)
	}
	return nil
}

// storeOnce gives nil when the site was refused.
func storeOnce(folder string) (*serverSite, error) {
	s, err := openSite(folder)
	if err != nil {
		fmt.Printf("refused %q\n", err)
		return nil, nil
	}
	fmt.Println("ready")
	pipe := ingest.New(s.policies, s.store.Zone())
	epoch := wire.Epoch{1}
	for range 12 {
		out, err := s.takeNext(pipe, epoch)
		switch {
		case errors.Is(err, store.ErrLatched):
			fmt.Printf("latched %q\n", err)
		case err != nil:
			fmt.Printf("error %q\n", err)
		case s.store.SignErr() != nil:
			fmt.Printf("unsigned %q\n", s.store.SignErr())
		default:
			fmt.Printf("ack %s %x %d %x\n", gateways[0], epoch[:], out.Seq, out.Hash[:])
		}
		time.Sleep(4 * time.Millisecond) // checkpoints come in between
	}
	for end := time.Now().Add(5 * time.Second); s.signedAll(s.store.Size()) != nil && s.store.SignErr() == nil && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if err := s.store.SignErr(); err != nil { // the last checkpoint
		fmt.Printf("unsigned %q\n", err)
	}
	return s, nil
}

// Reliability goals 5 and 6: the nth write, fsync or read fails once, with EIO, with ENOSPC, or short, under outbox
// and store. The error surfaces, nothing is reported durable between it and the next reading of the whole file, the
// process does not die, and everything that was reported is there. MONBAN_IOFAULTS asks for so many faults of each
// of the two; there are as many again as there are calls, spread evenly.
func TestInputOutputErrors(t *testing.T) {
	faults := count(t, "MONBAN_IOFAULTS", 14)
	n := seed(t)
	for _, c := range []struct {
		writer string
		ledger ledger
		fresh  func(folder string) error // what the folder holds before
		closed string                    // another writer for every other fault, under which a failure may pass in silence
		vital  func(file string) bool    // files on which no failed write or fsync may pass in silence
	}{
		{"outbox-once", newOutboxLedger(), func(string) error { return nil }, "", func(f string) bool { return strings.HasPrefix(f, "outbox.db") }},
		{"store-once", newStoreLedger(), setUpSite, "store-closed", func(f string) bool { return f == "monban.db-wal" }},
	} {
		t.Run(c.ledger.writer(), func(t *testing.T) {
			t.Parallel()
			l := newLayer(t)
			rng := rand.New(rand.NewPCG(n, 5))
			template := t.TempDir()
			if err := c.fresh(template); err != nil {
				t.Fatal(err)
			}
			hits, silent, surfaced, told := 0, 0, 0, 0
			calls := map[string]int{}
			kinds := []struct{ op, fault string }{
				{"", ""}, // no fault: counts the calls
				{"write", faultEIO}, {"fsync", faultEIO}, {"read", faultEIO}, {"write", faultFull}, {"write", faultShort}, {"fsync", faultFull},
			}
			for i := range faults + 1 {
				k := kinds[0]
				nth := 0
				if i > 0 {
					k = kinds[1+(i-1)%(len(kinds)-1)]
					nth = 1 + rng.IntN(max(calls[k.op], 1))
				}
				name := fmt.Sprintf("f%d", i)
				if out, err := exec.Command("cp", "-a", template, filepath.Join(l.below, name)).CombinedOutput(); err != nil {
					t.Fatalf("copy the template: %v: %s", err, out)
				}
				c.ledger.forget()
				if i%2 == 0 && c.writer == "outbox-once" && i > 0 { // half of them on a file that is there
					if err := fillOnce(c.ledger, filepath.Join(l.below, name)); err != nil {
						t.Fatal(err)
					}
				}
				where := fmt.Sprintf("SEED=%d fault %d: %s %d %s", n, i, k.op, nth, k.fault)
				if got := l.ask(fmt.Sprintf("arm %s %d %s", or(k.op, "none"), nth, or(k.fault, "none"))); got != "armed" {
					t.Fatalf("%s: the layer answers %q", where, got)
				}
				writer := c.writer
				if rng.IntN(2) == 0 {
					writer = or(c.closed, writer)
				}
				p := startWriter(t, writer, filepath.Join(l.mnt, name))
				if err := p.finish(time.Minute); err != nil {
					t.Fatalf("%s: %v: %s", where, err, p.stderr.String())
				}
				seen, hit := l.disarm()
				if i == 0 {
					calls = seen
					if calls["write"] < 20 || calls["fsync"] < 10 || calls["read"] < 2 {
						t.Fatalf("the writer hardly works: %v\n%s", calls, strings.Join(p.lines, "\n"))
					}
				}
				said, lines, err := judge(p, c.ledger, c.ledger.writer() == "outbox" || k.fault == faultEIO && k.op != "read")
				if err != nil {
					t.Fatalf("%s (hit %q): %v\n%s", where, hit, err, strings.Join(p.lines, "\n"))
				}
				told += lines
				switch {
				case hit == "" && said:
					t.Fatalf("%s: no fault hit, and still: %s", where, strings.Join(p.lines, "\n"))
				case hit == "":
				case said:
					hits, surfaced = hits+1, surfaced+1
				case k.op != "read" && k.fault != faultShort && writer == c.writer && c.vital(hit):
					t.Fatalf("%s: %s %v of %v: hit %s and nobody was told: %s", where, writer, seen, calls, hit, strings.Join(p.lines, "\n"))
				default:
					hits, silent = hits+1, silent+1
				}
				if _, err := c.ledger.check(filepath.Join(l.below, name)); err != nil {
					t.Fatalf("%s (hit %q): %v\n%s", where, hit, err, strings.Join(p.lines, "\n"))
				}
				if err := os.RemoveAll(filepath.Join(l.below, name)); err != nil {
					t.Fatal(err)
				}
			}
			if surfaced < faults/4 {
				t.Errorf("only %d of %d faults surfaced", surfaced, faults)
			}
			report(t, n, "%d faults armed, %d hit, %d told, %d without effect, %d reports of durability, 0 after an error, 0 lost",
				faults, hits, surfaced, silent, told)
		})
	}
}

func or(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

// fillOnce puts records into an outbox and tells the ledger.
func fillOnce(l ledger, folder string) error {
	o, err := outbox.Open(outboxConfig(folder))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan struct{})
	go func() { defer close(ran); o.Run(ctx) }()
	for i := range 30 {
		got := make(chan outbox.Result, 1)
		o.Append(outboxEntry(fmt.Sprintf("before%d", i), func(r outbox.Result) { got <- r }))
		r := <-got
		if err = r.Err; err != nil {
			break
		}
		if err = l.told([]string{"record", fmt.Sprintf("%x", r.Epoch[:]), fmt.Sprint(r.Seq), fmt.Sprintf("before%d", i)}); err != nil {
			break
		}
	}
	cancel()
	<-ran
	return errors.Join(err, o.Close())
}

// judge reads a writer's lines in order: whether an error was told, and how many reports of durability there were.
// A report between an error that latches and the reopening is the fault that this looks for. mustLatch: every error
// latches, also in words; without it a full disk or a failed read may be an error of one call.
func judge(p *process, l ledger, mustLatch bool) (said bool, reports int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	latched := false
	for _, line := range p.lines {
		f := strings.Fields(line)
		switch f[0] {
		case "latched":
			latched, said = true, true
		case "reopened":
			latched = false
		case "error":
			latched, said = latched || mustLatch, true
		case "refused", "unsigned":
			said = true
		case "damaged", "stuck":
			return said, reports, errors.New(line)
		default:
			if latched {
				return said, reports, fmt.Errorf("reported durable while latched: %s", line)
			}
			if err := l.told(f); err != nil {
				return said, reports, fmt.Errorf("line %q: %w", line, err)
			}
			reports++
		}
	}
	return said, reports, nil
}
