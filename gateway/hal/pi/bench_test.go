package pi

import (
	"context"
	"errors"
	"testing"
	"time"

	"monban/firmware/mono"
	"monban/firmware/osdp"
)

// onBench is the bench's line for pairing.
func (b *bench) onBench() OSDPBench {
	anchor := time.Now()
	return OSDPBench{Open: func() (Port, error) { return OpenSerial(b.slave, b.baud) }, Baud: b.baud, Now: func() mono.Time { return mono.Time(time.Since(anchor)) }}
}

// commands is how many commands the first reader has carried out.
func (b *bench) commands() (n int) {
	b.with(func() { n = len(b.pds[0].Seen) })
	return n
}

// DS-5, AD-4: a reader fresh from its box is paired over a serial line. The new key is stored as pending before the first
// byte and as proven at the end; the gateway's line then works with what was stored, and with nothing else.
func TestPairOverALine(t *testing.T) {
	b, _ := newBench(t, 115200, 1)
	b.with(func() { b.pds[0].HasKey, b.pds[0].Install = false, true })
	var kept []ReaderKey
	proof, err := b.onBench().Pair(t.Context(), 0, ReaderKey{}, time.Minute, func(k ReaderKey) error {
		if len(kept) == 0 && b.commands() != 0 {
			t.Error("something was sent before the key was stored")
		}
		kept = append(kept, k)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(kept) != 2 || kept[0].Key != nil || kept[0].Pending == nil || kept[1].Pending != nil || *kept[1].Key != *kept[0].Pending || *kept[1].Known != proof {
		t.Fatalf("stored %d times, or not pending first and proven then", len(kept))
	}
	var took [16]byte
	b.with(func() { took = b.pds[0].Key; b.pds[0].Install = false })
	if proof.Serial != 100 || took != [16]byte(*kept[1].Key) {
		t.Errorf("proof %+v", proof)
	}
	l := b.open(osdp.Config{Baud: b.baud, Readers: []osdp.Reader{{Name: "r", Key: kept[1].Key, Known: kept[1].Known}}})
	h := listen(l.Reader(0))
	b.with(func() { b.pds[0].Card(26, bits26(77)) })
	if !soon(func() (ok bool) { h.with(func() { ok = len(h.cards) == 1 && h.cards[0] == 77<<6 }); return ok }) {
		t.Error("no card after the pairing")
	}
}

// DS-5, AD-4: a paired reader gets another key through the channel of the one it has, over a serial line, pending first and
// proven then; with a record that is not the reader's, nothing is changed.
func TestRotateOverALine(t *testing.T) {
	b, cfg := newBench(t, 115200, 1)
	old := ReaderKey{Key: cfg.Readers[0].Key}
	var kept []ReaderKey
	keep := func(k ReaderKey) error { kept = append(kept, k); return nil }
	wrong := osdp.Key{9}
	if _, err := b.onBench().Rotate(t.Context(), 0, ReaderKey{Key: &wrong}, time.Second, keep); err == nil || *kept[len(kept)-1].Key != wrong || kept[len(kept)-1].Pending != nil {
		t.Errorf("with a key that the reader has not: %v; kept %d records", err, len(kept))
	}
	kept = nil
	if _, err := b.onBench().Rotate(t.Context(), 0, old, time.Minute, keep); err != nil {
		t.Fatal(err)
	}
	var took [16]byte
	b.with(func() { took = b.pds[0].Key })
	if len(kept) != 2 || *kept[0].Key != *old.Key || kept[0].Pending == nil || kept[1].Pending != nil || *kept[1].Key != *kept[0].Pending || took != [16]byte(*kept[1].Key) {
		t.Errorf("stored %d times, or not pending first and proven then", len(kept))
	}

	// Broken off with the reader holding the new key already: no record is ever without the key that it holds.
	holds, gone := osdp.Key(took), osdp.Key{7}
	kept = nil
	if _, err := b.onBench().Rotate(t.Context(), 0, ReaderKey{Key: &gone, Pending: &holds}, time.Minute, keep); err != nil {
		t.Fatal(err)
	}
	if len(kept) != 2 || *kept[0].Key != holds {
		t.Error("the key that the reader held was not in the record while another was given")
	}
}

// A reader that is not in its installation mode gets no key: the window closes by itself and the old record is stored
// again, so that the reader that works goes on working. Likewise when storing fails nothing is sent at all.
func TestPairingThatFailsKeepsTheOldKey(t *testing.T) {
	b, cfg := newBench(t, 115200, 1)
	old := ReaderKey{Key: cfg.Readers[0].Key}
	var last ReaderKey
	if _, err := b.onBench().Pair(t.Context(), 0, old, 500*time.Millisecond, func(k ReaderKey) error { last = k; return nil }); err == nil {
		t.Fatal("paired with a reader that takes no key")
	}
	if last.Key != old.Key || last.Pending != nil {
		t.Errorf("stored %+v at the end, want the old key alone", last)
	}
	works, bad, err := b.onBench().Find(t.Context(), cfg, time.Minute)
	if err != nil || !works[0] || bad[0] != "" {
		t.Errorf("afterwards: %v %q %v", works, bad, err)
	}
	seen := b.commands()
	broken := errors.New("disk")
	if _, err := b.onBench().Pair(t.Context(), 0, old, time.Second, func(ReaderKey) error { return broken }); !errors.Is(err, broken) || b.commands() != seen {
		t.Errorf("%v, %d commands after a failed store", err, b.commands()-seen)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.onBench().Pair(ctx, 0, old, time.Minute, func(k ReaderKey) error { last = k; return nil }); !errors.Is(err, context.Canceled) || last.Pending == nil {
		t.Errorf("broken off: %v; the key stays pending: %t", err, last.Pending != nil)
	}
}

// Find says of each reader whether it works: one that is mute and one with another key do not.
func TestFindReaders(t *testing.T) {
	b, cfg := newBench(t, 115200, 3)
	b.with(func() { b.pds[1].Mute = true })
	other := osdp.Key{9}
	cfg.Readers[2].Key = &other
	works, bad, err := b.onBench().Find(t.Context(), cfg, 3*time.Second)
	if err != nil || !works[0] || works[1] || works[2] || bad[2] == "" {
		t.Errorf("works %v, bad %q, %v; want only the first, and an alarm of the third", works, bad, err)
	}
}
