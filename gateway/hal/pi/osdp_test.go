package pi

import (
	"bytes"
	"slices"
	"sync"
	"testing"
	"time"

	"monban/firmware/osdp"
	"monban/gateway/hal"
)

// patience for something that must come.
const patience = time.Minute

func next[T hal.Signal](t *testing.T, r hal.Reader) T {
	t.Helper()
	end := time.After(patience)
	for {
		select {
		case s, ok := <-r.Signals():
			if !ok {
				t.Fatal("the channel is closed")
			}
			if x, is := s.(T); is {
				return x
			}
		case <-end:
			var want T
			t.Fatalf("no %T came", want)
		}
	}
}

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("%s: not within %s", what, patience)
}

// AD-4: cards and keys of readers on a serial line arrive; lights and sounds get there.
func TestOSDPOverASerialLine(t *testing.T) {
	b, cfg := newBench(t, 38400, 2)
	l := b.open(cfg)
	until(t, "both channels", b.secured)
	b.with(func() { b.pds[1].Card(26, []byte{1, 2, 3, 0x40}); b.pds[0].Press('7', 0x0D) })
	if c := next[hal.Card](t, l.Reader(1)); c.Len != 26 || !bytes.Equal(c.Bits, []byte{1, 2, 3, 0x40}) {
		t.Error("another card arrived")
	}
	if k := next[hal.Key](t, l.Reader(0)); k.Key != '7' {
		t.Error("another key arrived")
	}
	if k := next[hal.Key](t, l.Reader(0)); k.Key != '#' {
		t.Error("another key arrived")
	}
	if err := l.Reader(0).Indicate(hal.Indication{Light: hal.Green, Tone: hal.ToneTwoShort}); err != nil {
		t.Fatal(err)
	}
	until(t, "light and sound", func() (ok bool) {
		b.with(func() { ok = slices.Contains(b.pds[0].Seen, 0x69) && slices.Contains(b.pds[0].Seen, 0x6A) })
		return ok
	})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Reader(0).Indicate(hal.Indication{}); err == nil {
		t.Error("a closed reader takes indications")
	}
	for range l.Reader(0).Signals() { // closed: the loop ends
	}
}

// DS-5: an adapter that is pulled loses its readers and no more; plugged in again they come back by themselves.
func TestOSDPAdapterPulled(t *testing.T) {
	b, cfg := newBench(t, 115200, 1)
	l := b.open(cfg)
	until(t, "channel", b.secured)
	b.unplug()
	if f := next[hal.Fault](t, l.Reader(0)); f.Kind != hal.FaultLost || !f.On {
		t.Fatalf("%+v", f)
	}
	b.with(func() { b.pds[0].Restart() })
	b.plug()
	if f := next[hal.Fault](t, l.Reader(0)); f.Kind != hal.FaultLost || f.On {
		t.Fatalf("%+v", f)
	}
	b.with(func() { b.pds[0].Card(26, []byte{9, 9, 9, 0x40}) })
	if c := next[hal.Card](t, l.Reader(0)); c.Bits[0] != 9 {
		t.Error("another card arrived")
	}
}

// AD-4: who proved a reader's key first is kept, once, on a goroutine that may hang; a key that was pending is the key
// then. Another reader with the same key is told after each start, and is not kept.
func TestOSDPFirstProofIsKept(t *testing.T) {
	b, cfg := newBench(t, 115200, 2)
	pending := *cfg.Readers[1].Key
	cfg.Readers[1].Key, cfg.Readers[1].Pending = &osdp.Key{1}, &pending
	var mu sync.Mutex
	kept := map[int][]ReaderKey{}
	hang := make(chan struct{})
	l := b.openWith(OSDPConfig{Bus: cfg, Keep: func(reader int, k ReaderKey) error {
		<-hang
		mu.Lock()
		defer mu.Unlock()
		kept[reader] = append(kept[reader], k)
		return nil
	}})
	until(t, "both channels", b.secured)
	b.with(func() { b.pds[0].Card(26, bits26(4)) })
	next[hal.Card](t, l.Reader(0)) // although the disk hangs
	close(hang)
	count := func() (n int) {
		mu.Lock()
		defer mu.Unlock()
		return len(kept[0]) + len(kept[1])
	}
	until(t, "kept", func() bool { return count() >= 2 })
	first := osdp.Proof{CUID: [8]byte{0, 1}, Serial: 100}
	if k := kept[0][0]; k.Known == nil || *k.Known != first || *k.Key != *cfg.Readers[0].Key {
		t.Error("another proof was kept")
	}
	if k := kept[1][len(kept[1])-1]; k.Known == nil || k.Key == nil || *k.Key != pending || k.Pending != nil {
		t.Error("the pending key was proven and is not the key")
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	had := count()
	for range 2 {
		cfg.Readers[0].Known, cfg.Readers[1] = &first, osdp.Reader{Name: "r1", Addr: 1, Key: &pending, Known: &osdp.Proof{CUID: [8]byte{1, 1}, Serial: 101}}
		b.with(func() { b.pds[0].Serial = 555; b.pds[0].Restart(); b.pds[1].Restart() })
		l = b.openWith(OSDPConfig{Bus: cfg, Keep: func(reader int, k ReaderKey) error {
			mu.Lock()
			defer mu.Unlock()
			kept[reader] = append(kept[reader], k)
			return nil
		}})
		if f := next[hal.Fault](t, l.Reader(0)); f.Kind != hal.FaultTamper || !f.On {
			t.Errorf("an exchanged reader: %+v", f)
		}
		until(t, "both channels", b.secured)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if count() != had {
		t.Error("a proof was kept that is not the first")
	}
}

// A door that does not listen holds nobody up; what it missed is told when it listens again.
func TestOSDPNobodyListens(t *testing.T) {
	t.Parallel()
	b, cfg := newBench(t, 230400, 2)
	l := b.open(cfg)
	until(t, "both channels", b.secured)
	b.with(func() {
		for range signalRoom/2 + 4 {
			b.pds[0].Card(26, []byte{1, 1, 1, 0})
			b.pds[0].Card(26, []byte{2, 2, 2, 0})
		}
	})
	until(t, "all read", func() (ok bool) {
		b.with(func() { ok = b.pds[0].Waiting() == 0 })
		return ok
	})
	for range signalRoom / 2 {
		<-l.Reader(0).Signals()
	}
	b.with(func() { b.pds[0].Card(26, []byte{3, 3, 3, 0}) })
	if f := next[hal.Fault](t, l.Reader(0)); f.Kind != hal.FaultOverrun {
		t.Errorf("%+v", f)
	}
}
