package faults

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"monban/firmware/wire"
	"monban/server/store"
)

// DS-8, I1–I4: kill -9 at random moments while the product's own outbox, store and policy cache write: what
// was reported durable is there, no record is torn. MONBAN_KILLS asks for so many kills of each.
func TestKills(t *testing.T) {
	kills := count(t, "MONBAN_KILLS", 12)
	n := seed(t)
	for i, l := range []ledger{newOutboxLedger(), newStoreLedger(), newPolicyLedger()} {
		t.Run(l.writer(), func(t *testing.T) {
			t.Parallel()
			killLoop(t, l, kills, n+uint64(i))
		})
	}
}

func killLoop(t *testing.T, l ledger, kills int, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 2))
	told, compared := 0, 0
	folder := ""
	for c := range kills {
		if c%cutsPerFolder == 0 || folder == "" {
			folder = t.TempDir()
			l.forget()
		}
		p := startWriter(t, l.writer(), folder)
		p.waitSome(t, rng)
		time.Sleep(time.Duration(rng.IntN(50)) * time.Millisecond)
		p.kill() // everything that it printed before counts: an operating system that lives keeps what was written
		ready := p.stopCounting()
		if p.stderr.String() != "" {
			t.Fatalf("SEED=%d kill %d: the writer failed by itself: %s", seed, c, p.stderr.String())
		}
		if !ready && !isSetUp(folder) {
			folder = "" // nobody was told that it is set up
			continue
		}
		if err := os.WriteFile(folder+"/ready", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := p.tell(l)
		if err == nil {
			told += n
			n, err = l.check(folder)
			compared += n
		}
		if err != nil {
			t.Fatalf("SEED=%d kill %d: %v", seed, c, err)
		}
	}
	if told < kills/4 {
		t.Errorf("only %d things were reported durable in %d kills: the writer hardly worked", told, kills)
	}
	if o, ok := l.(*outboxLedger); ok && o.doubts > 0 {
		t.Errorf("%d spoilt meta pages: a kill cannot tear a page", o.doubts)
	}
	report(t, seed, "%d kills, %d reports of durability, %d comparisons after, 0 lost", kills, told, compared)
}

// pair is a gateway side and a server side whose messages the test carries.
type pair struct {
	t       *testing.T
	folders [2]string // gateway, server
	ledgers [2]ledger

	mu      sync.Mutex
	running [2]*process // mu; nil while killed
}

var sideNames = [2]string{"gateway", "server"}

// start starts one side and tells both that the connection stands.
func (p *pair) start(i int) {
	other := 1 - i
	proc := startCarried(p.t, sideNames[i], p.folders[i], func(line string) { p.say(other, line) })
	p.mu.Lock()
	p.running[i] = proc
	p.mu.Unlock()
	proc.waitReady(p.t)
	p.say(0, "lost") // the gateway sees a broken connection, whoever was killed, and greets anew
	p.say(0, "up")
}

func (p *pair) say(i int, line string) {
	p.mu.Lock()
	proc := p.running[i]
	p.mu.Unlock()
	if proc != nil {
		proc.say(line)
	}
}

// kill ends one side with kill -9, wherever it is, and takes down what it said.
func (p *pair) kill(i int) (said int, err error) {
	p.mu.Lock()
	proc := p.running[i]
	p.running[i] = nil
	p.mu.Unlock()
	proc.kill()
	if s := proc.stderr.String(); s != "" {
		return 0, fmt.Errorf("the %s failed by itself: %s", sideNames[i], s)
	}
	return proc.tell(p.ledgers[i])
}

// I1–I4, DS-8, D32: gateway and server, each its outbox or store with the protocol's machine, are killed with kill
// -9 at random moments while records flow. In the end the server has every record once, in the same chain as the
// outbox; nothing that either side reported durable is gone; nobody was taken for rolled back or forked.
// MONBAN_KILLS asks for so many kills a side.
func TestKillBothSides(t *testing.T) {
	kills := count(t, "MONBAN_KILLS", 12)
	n := seed(t)
	rng := rand.New(rand.NewPCG(n, 3))
	box, db := newOutboxLedger(), newStoreLedger()
	p := &pair{t: t, folders: [2]string{t.TempDir(), t.TempDir()}, ledgers: [2]ledger{box, db}}
	if err := setUpSite(p.folders[1]); err != nil {
		t.Fatal(err)
	}
	told := 0
	p.start(0)
	p.start(1)
	for c := range 2 * kills {
		time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
		said, err := p.kill(c % 2)
		if err != nil {
			t.Fatalf("SEED=%d kill %d: %v", n, c, err)
		}
		told += said
		p.start(c % 2)
	}
	head, hash := p.drain()
	for i := range p.ledgers {
		if _, err := p.kill(i); err != nil {
			t.Fatal(err)
		}
		if _, err := p.ledgers[i].check(p.folders[i]); err != nil {
			t.Fatalf("SEED=%d: %v", n, err)
		}
	}
	// The chain hash at the head covers every record and its place (I2, I3).
	s, err := openSite(p.folders[1])
	if err != nil {
		t.Fatal(err)
	}
	defer s.store.Close()
	for epoch := range box.records {
		if err := s.store.Read(t.Context(), func(r *store.ReadTx) error {
			seq, got, err := r.Chain(string(linkedGateway), epoch)
			if err == nil && (seq != head || wire.Hash(got) != hash) {
				err = fmt.Errorf("the outbox ends at %d, the server has %d, or another chain", head, seq)
			}
			return err
		}); err != nil {
			t.Errorf("SEED=%d: %v", n, err)
		}
	}
	if len(box.records) != 1 {
		t.Errorf("SEED=%d: %d epochs: the outbox was taken for damaged", n, len(box.records))
	}
	if head < uint64(kills)/4 {
		t.Errorf("only %d records: the sides hardly worked", head)
	}
	report(t, n, "%d kills of the gateway's side, %d of the server's, %d records sent, 0 lost, 0 double; %d reports of durability",
		kills, kills, head, told)
}

// drain stops new records and waits until the server has acknowledged all.
func (p *pair) drain() (head uint64, hash wire.Hash) {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		p.say(0, "stop")
		p.mu.Lock()
		proc := p.running[0]
		p.mu.Unlock()
		proc.mu.Lock()
		for _, line := range proc.lines {
			f := strings.Fields(line)
			if len(f) == 4 && f[0] == "drained" {
				proc.mu.Unlock()
				raw, err := hex.DecodeString(f[3])
				if _, err2 := fmt.Sscan(f[2], &head); err != nil || err2 != nil {
					p.t.Fatalf("line %q", line)
				}
				return head, wire.Hash(raw)
			}
		}
		proc.mu.Unlock()
	}
	p.t.Fatalf("records are not all delivered a minute after the last kill: %s", p.running[0].stderr.String())
	return 0, hash
}
