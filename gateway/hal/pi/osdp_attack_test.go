package pi

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"monban/firmware/osdp"
	"monban/firmware/osdp/osdptest"
)

// AD-4, DS-5: a man on a serial line performs every named attack of osdptest: no forged card comes out of the line, where it
// is an alarm tamper or loss of the reader is told, the other reader delivers its cards meanwhile, no key changes, and when
// he is gone the reader works again by itself. The attacks run at once, each on a line of its own.
func TestOSDPAttacks(t *testing.T) {
	t.Parallel()
	attacks := osdptest.Attacks()
	if len(attacks) < 12 {
		t.Fatalf("%d attacks", len(attacks))
	}
	var all sync.WaitGroup
	for i, a := range attacks {
		b, cfg := newBench(t, 115200, 2)
		if a.Early {
			b.man = a.Make(b.pds[0], rand.New(rand.NewPCG(uint64(i), 4)))
		}
		l := b.open(cfg)
		all.Go(func() {
			if err := b.bear(a, l); err != nil {
				t.Errorf("%s: %v", a.Name, err)
			}
		})
	}
	all.Wait()
}

// bear goes through one attack.
func (b *bench) bear(a osdptest.Attack, l *OSDPLine) error {
	victim, other := listen(l.Reader(0)), listen(l.Reader(1))
	if !a.Early {
		if !soon(b.secured) {
			return errors.New("no channel at the beginning")
		}
		b.with(func() { b.man = a.Make(b.pds[0], rand.New(rand.NewPCG(9, 4))) })
	}
	key := osdp.Key{7, 0}
	genuine := []uint32{501 << 6, 502 << 6}
	b.with(func() { b.pds[0].Card(26, bits26(501)) })
	var sent []uint32
	for n := range uint32(4) {
		sent = append(sent, (n+1)<<6)
		b.with(func() { b.pds[1].Card(26, bits26(n+1)) })
		if n == 2 {
			b.with(func() { b.pds[0].Card(26, bits26(502)) })
		}
		if !soon(func() (ok bool) { other.with(func() { ok = slices.Equal(other.cards, sent) }); return ok }) {
			return fmt.Errorf("the other reader delivered not its %d cards: %d", len(sent), len(other.cards))
		}
	}
	if a.Alarm != "" && !soon(func() (ok bool) { victim.with(func() { ok = victim.tampered > 0 }); return ok }) {
		return errors.New("no alarm")
	}
	if a.Cut {
		if !soon(func() (ok bool) { victim.with(func() { ok = victim.lost > 0 && victim.gone }); return ok }) {
			return errors.New("the reader still counts as one")
		}
		read := 0
		if victim.with(func() { read = len(victim.cards) }); read > 0 {
			return errors.New("a card came out of it")
		}
	}
	b.with(func() { b.man = nil })
	arrived := soon(func() (ok bool) { victim.with(func() { ok = len(victim.cards) >= 2 && !victim.gone }); return ok })
	victim.mu.Lock()
	defer victim.mu.Unlock()
	if !arrived || !slices.Equal(victim.cards, genuine) {
		return fmt.Errorf("afterwards %d cards, want the two that were presented, in order", len(victim.cards))
	}
	evil := number(osdptest.EvilBits)
	if slices.Contains(victim.cards, evil) || slices.Contains(other.cards, evil) {
		return errors.New("the forged card was taken")
	}
	changed := false
	b.with(func() { changed = b.pds[0].Key != [16]byte(key) })
	if changed {
		return errors.New("the reader has another key")
	}
	return nil
}

// DS-5: random faults on serial lines whose readers pace their bytes: what arrives is, in order and once each, what the
// readers sent; with the faults gone nothing is missing, and noise raised no alarm. MONBAN_OSDP_LINES lines at once.
func TestOSDPFaultSchedules(t *testing.T) {
	t.Parallel()
	lines := 5
	if v := os.Getenv("MONBAN_OSDP_LINES"); v != "" {
		var err error
		if lines, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for seed := range uint64(lines) {
		rng := rand.New(rand.NewPCG(seed, 5))
		b, cfg := newBench(t, []int{9600, 19200, 38400, 115200}[rng.IntN(4)], 2)
		b.man = osdptest.Faults(b.pds, rand.New(rand.NewPCG(seed, 6)), 0.05+0.35*rng.Float64())
		l := b.open(cfg)
		all.Go(func() {
			got := []*heard{listen(l.Reader(0)), listen(l.Reader(1))}
			var sent [2][]uint32
			for n := range uint32(12) {
				r := rng.IntN(2)
				sent[r] = append(sent[r], (n+1)<<6)
				b.with(func() { b.pds[r].Card(26, bits26(n+1)) })
				time.Sleep(time.Duration(rng.IntN(400)) * time.Millisecond) // what a person takes; nothing is asserted of it
			}
			b.with(func() { b.man = nil })
			for r, h := range got {
				ok := soon(func() (ok bool) { h.with(func() { ok = len(h.cards) >= len(sent[r]) }); return ok })
				h.with(func() {
					if !ok || !slices.Equal(h.cards, sent[r]) {
						t.Errorf("seed %d, %d baud, reader %d: %d cards sent, %d arrived, or in another order", seed, b.baud, r, len(sent[r]), len(h.cards))
					}
					if h.tampered > 0 {
						t.Errorf("seed %d, reader %d: noise raises an alarm", seed, r)
					}
				})
			}
		})
	}
	all.Wait()
}
