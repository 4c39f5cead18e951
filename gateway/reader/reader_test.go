package reader

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/mono"
	"monban/firmware/wiegand"
	"monban/firmware/wire"
	"monban/gateway/hal"
	"monban/gateway/hal/sim"
)

var keys = Keys{
	Card:    []byte("site card key, 32 bytes long.....")[:32],
	PIN:     []byte("site pin key, 32 bytes long......")[:32],
	Gateway: []byte("gateway key, 32 bytes long.......")[:32],
	Ask:     wire.AskKey{1, 2, 3},
}

// bench is a simulated reader with the real one behind it.
type bench struct {
	t     *testing.T
	sim   *sim.HAL
	reads chan Read
	log   strings.Builder
}

// run starts a bench in a bubble; the readers listen for a while before anything is presented.
func run(t *testing.T, keypad string, story func(b *bench)) {
	t.Helper()
	runKnown(t, keypad, nil, story)
}

// runKnown is run with a policy that names the cards of known.
func runKnown(t *testing.T, keypad string, known func(access.Key) bool, story func(b *bench)) {
	t.Helper()
	runWith(t, keypad, func(c *Config) { c.Known = known }, story)
}

// runWith is run with a configuration of its own.
func runWith(t *testing.T, keypad string, edit func(*Config), story func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k, err := wiegand.ParseKeypad(keypad)
		if err != nil {
			t.Fatal(err)
		}
		b := &bench{t: t, reads: make(chan Read, 200)}
		b.sim, err = sim.New(sim.Config{Anchor: time.Now(), Doors: []sim.DoorConfig{{ID: "a", Enter: &sim.ReaderConfig{Keypad: k}}}})
		if err != nil {
			t.Fatal(err)
		}
		d, err := b.sim.Door("a")
		if err != nil {
			t.Fatal(err)
		}
		cfg := Config{
			Door: "a", Side: access.SideEnter, Reader: d.Enter, Formats: []card.Format{"H10301", "H10306"}, Keypad: k,
			Keys: keys, Now: b.sim.Now, Wall: wallAt, Reads: b.reads, Log: slog.New(slog.NewTextHandler(&b.log, nil)),
		}
		edit(&cfg)
		r, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { r.Run(ctx); close(ended) }()
		time.Sleep(time.Second)
		story(b)
		cancel()
		<-ended
		if err := b.sim.Close(); err != nil {
			t.Error(err)
		}
	})
}

func (b *bench) do(line string) {
	b.t.Helper()
	if _, err := b.sim.Do(line); err != nil {
		b.t.Fatalf("%s: %v", line, err)
	}
}

// after presents what line says and gives the reads of the next second.
func (b *bench) after(line string) []Read {
	b.t.Helper()
	b.do(line)
	time.Sleep(time.Second)
	return b.rest()
}

func (b *bench) rest() (all []Read) {
	for {
		select {
		case r := <-b.reads:
			all = append(all, r)
		default:
			return all
		}
	}
}

// credential is the card as the enrolment sees it.
func credential(t *testing.T, format card.Format, fc, cn uint64) card.Credential {
	t.Helper()
	l, ok := wiegand.Lookup(format)
	if !ok {
		t.Fatal(format)
	}
	f, err := wiegand.Encode(l, wiegand.Fields{FC: fc, CN: cn})
	if err != nil {
		t.Fatal(err)
	}
	c, err := wiegand.Decode(l, f)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// D3, D9, AD-4: a card on the cable becomes its token and its sealed reference; the cable caps the
// assurance.
func TestCard(t *testing.T) {
	t.Parallel()
	run(t, "none", func(b *bench) {
		var attempts = map[[16]byte]bool{}
		for _, c := range []struct {
			format card.Format
			fc, cn uint64
		}{{"H10301", 12, 34567}, {"H10306", 500, 60000}, {"H10301", 255, 65535}, {"H10301", 0, 0}} {
			got := b.after(fmt.Sprintf("badge a enter %s %d %d", c.format, c.fc, c.cn))
			if len(got) != 1 {
				b.t.Fatalf("%d reads: %v", len(got), got)
			}
			r, ref := got[0], credential(b.t, c.format, c.fc, c.cn).Ref(keys.Card)
			opened, err := wire.OpenCard(keys.Ask, r.Sealed)
			if err != nil || !opened.Equal(ref) {
				b.t.Errorf("sealed reference: %v", err)
			}
			if r.Kind != KindCard || r.Token != access.Key(ref.Token(keys.Gateway)) || r.Side != access.SideEnter ||
				r.Assurance != card.UIDOnly || r.Link.String() != "clear" || r.HasPIN || r.Repeated || attempts[r.Attempt] {
				b.t.Errorf("read %+v", r)
			}
			if r.At == 0 || r.At.After(b.sim.Now()) {
				b.t.Errorf("time %v", r.At)
			}
			attempts[r.Attempt] = true
			time.Sleep(2 * time.Second) // below the limit of the rate
		}
	})
}

// A read that is not certain is never a card.
func TestNoCard(t *testing.T) {
	t.Parallel()
	run(t, "burst4", func(b *bench) {
		good := strings.Repeat("0", 25) + "1" // H10301 of nothing but zeros; its first bit is a parity bit
		for bits, want := range map[string]string{
			"1" + good[1:]: FaultParity, "0101010": FaultLength, "1111": FaultKeypad,
			strings.Repeat("0", 128): FaultLength,
		} {
			_ = b.after("badge a enter H10301 1 1") // so that keys count at all
			time.Sleep(3 * time.Second)
			got := b.after("bits a enter " + bits)
			if len(got) != 1 || got[0].Kind != KindNoCard || got[0].Fault != want || got[0].Token != (access.Key{}) || got[0].Sealed != nil {
				b.t.Errorf("%d bits: %v, want %s", len(bits), got, want)
			}
			time.Sleep(3 * time.Second)
		}
	})
}

// D10: the PIN comes after its card, as a token bound to it, under the same attempt.
func TestPIN(t *testing.T) {
	t.Parallel()
	for _, keypad := range []string{"burst4", "burst8", "buffered26:17"} {
		t.Run(keypad, func(t *testing.T) {
			t.Parallel()
			run(t, keypad, func(b *bench) {
				got := b.after("badge a enter H10301 12 34567 PIN 4711")
				first, last := got[0], got[len(got)-1]
				ref := credential(b.t, "H10301", 12, 34567).Ref(keys.Card)
				want := card.PINRefOf(keys.PIN, ref, "4711").Token(keys.Gateway)
				if first.HasPIN || !last.HasPIN || !last.PINToken.Equal(want) || last.Attempt != first.Attempt ||
					last.Token != first.Token || last.Kind != KindCard {
					b.t.Errorf("reads %v", got)
				}
				clicks := 0
				for _, r := range got {
					if r.Kind == KindKey {
						clicks++
					}
				}
				if keypad != "buffered26:17" && clicks != 5 {
					b.t.Errorf("%d clicks", clicks)
				}
				// The card is forgotten with its PIN: a second PIN needs the card again.
				if got := b.after("keys a enter 4711#"); len(got) != 0 {
					b.t.Errorf("PIN without card: %v", got)
				}
				// So it is after the wait.
				time.Sleep(5 * time.Second)
				b.after("badge a enter H10301 12 34567")
				time.Sleep(DefaultPINWait)
				if got := b.after("keys a enter 4711#"); len(got) != 0 {
					b.t.Errorf("PIN %v after its card: %v", DefaultPINWait, got)
				}
			})
		})
	}
}

// A PIN before the card says nothing, and '*' begins again.
func TestPINOrder(t *testing.T) {
	t.Parallel()
	run(t, "burst4", func(b *bench) {
		if got := b.after("keys a enter 4711#"); len(got) != 0 {
			b.t.Errorf("keys before the card: %v", got)
		}
		got := b.after("badge a enter H10301 12 34567")
		got = append(got, b.after("keys a enter 99*4711#")...)
		last := got[len(got)-1]
		ref := credential(b.t, "H10301", 12, 34567).Ref(keys.Card)
		if !last.PINToken.Equal(card.PINRefOf(keys.PIN, ref, "4711").Token(keys.Gateway)) {
			b.t.Errorf("after *: %v", last)
		}
		// Another card in between takes its place.
		time.Sleep(5 * time.Second)
		b.after("badge a enter H10301 12 34567")
		b.do("keys a enter 47")
		time.Sleep(500 * time.Millisecond)
		b.after("badge a enter H10301 12 34568")
		got = b.after("keys a enter 11#")
		other := credential(b.t, "H10301", 12, 34568).Ref(keys.Card)
		if last := got[len(got)-1]; !last.PINToken.Equal(card.PINRefOf(keys.PIN, other, "11").Token(keys.Gateway)) {
			b.t.Errorf("digits of one card counted for another: %v", last)
		}
	})
}

// The identical train within 200 ms is flagged: replay tools do that.
func TestRepeat(t *testing.T) {
	t.Parallel()
	run(t, "none", func(b *bench) {
		b.do("badge a enter H10301 12 34567")
		got := b.after("badge a enter H10301 12 34567")
		if len(got) != 2 || got[0].Repeated || !got[1].Repeated || got[0].Attempt == got[1].Attempt {
			b.t.Errorf("reads %v", got)
		}
		if got := b.after("badge a enter H10301 12 34567"); len(got) != 1 || got[0].Repeated {
			b.t.Errorf("later: %v", got)
		}
	})
}

// Brute force: 5 random cards a second for 10 minutes are evaluated at most 60 times in any minute and told
// once; a little later a valid card reads as always.
func TestScanIsLimited(t *testing.T) {
	t.Parallel()
	run(t, "none", func(b *bench) {
		var evaluated []mono.Time
		scans := 0
		for i := range 3000 {
			b.do(fmt.Sprintf("badge a enter H10301 %d %d", i/256, i*7%65536))
			time.Sleep(200 * time.Millisecond)
			for _, r := range b.rest() {
				switch {
				case r.Kind == KindCard:
					evaluated = append(evaluated, r.At)
				case r.Fault == FaultScan:
					scans++
				default:
					b.t.Fatalf("read %v", r)
				}
			}
		}
		for i, at := range evaluated {
			if j := i + 60; j < len(evaluated) && evaluated[j].Sub(at) <= time.Minute {
				b.t.Fatalf("61 reads within %v", evaluated[j].Sub(at))
			}
		}
		if len(evaluated) < 500 || scans != 1 {
			b.t.Errorf("%d evaluated, %d scans told", len(evaluated), scans)
		}
		time.Sleep(5 * time.Second)
		b.rest()
		if got := b.after("badge a enter H10301 12 34567"); len(got) != 1 || got[0].Kind != KindCard {
			b.t.Errorf("a valid card after the scan: %v", got)
		}
	})
}

// A queue of known cards is no scan, and a scan beside it keeps none of them waiting.
func TestKnownCardsAreNotLimited(t *testing.T) {
	t.Parallel()
	mine := access.Key(credential(t, "H10301", 12, 34567).Ref(keys.Card).Token(keys.Gateway))
	runKnown(t, "none", func(k access.Key) bool { return k == mine }, func(b *bench) {
		for i := range 200 {
			b.do(fmt.Sprintf("badge a enter H10301 9 %d", i)) // the scan
			time.Sleep(300 * time.Millisecond)
			b.rest()
			if got := b.after("badge a enter H10301 12 34567"); len(got) != 1 || got[0].Kind != KindCard {
				b.t.Fatalf("presentation %d of a known card during a scan: %v", i, got)
			}
			time.Sleep(300 * time.Millisecond)
		}
	})
}

// Faults of the device reach the door; what was being entered is forgotten.
func TestFault(t *testing.T) {
	t.Parallel()
	run(t, "burst4", func(b *bench) {
		b.after("badge a enter H10301 12 34567")
		got := b.after("reader a enter lost")
		if len(got) != 1 || got[0].Kind != KindFault || !got[0].On || got[0].Fault != "lost" {
			b.t.Errorf("lost: %v", got)
		}
		got = b.after("reader a enter back")
		if len(got) != 1 || got[0].On {
			b.t.Errorf("back: %v", got)
		}
		if got := b.after("keys a enter 4711#"); len(got) != 0 {
			b.t.Errorf("PIN of a card from before the fault: %v", got)
		}
	})
}

// No number, digit, token or sealed part can be printed by accident.
func TestReadsPrintMasked(t *testing.T) {
	t.Parallel()
	run(t, "burst4", func(b *bench) {
		got := b.after("badge a enter H10301 54 54321 PIN 98765")
		text := b.log.String()
		for _, r := range got {
			text += fmt.Sprintf("%v %+v %#v %s %x|", r, r, r, r, r)
		}
		for _, secret := range []string{"54321", "98765", fmt.Sprintf("%x", got[0].Token[:4]), fmt.Sprintf("%x", got[0].Sealed[:4])} {
			if strings.Contains(text, secret) {
				b.t.Errorf("printed %s: %s", secret, text)
			}
		}
		if !strings.Contains(text, "****4321") {
			b.t.Errorf("no masked number in %s", text)
		}
	})
}

// ADR 0088: the attempts of one gateway stand in the order of its reads, each with the time at which it was read, and no two are one.
func TestAttemptsInOrderOfReads(t *testing.T) {
	t.Parallel()
	run(t, "burst4", func(b *bench) {
		var all []Read
		for n := range 5 {
			all = append(all, b.after(fmt.Sprintf("badge a enter H10301 54 %d", 54321+n))...)
		}
		if len(all) != 5 {
			b.t.Fatalf("%d reads", len(all))
		}
		for i, r := range all {
			if got := r.Attempt.String(); got[:12] != fmt.Sprintf("%012x", wallAt(r.At)) {
				b.t.Errorf("attempt %s of a read at %d", got, wallAt(r.At))
			}
			if i > 0 && all[i-1].Attempt.String() >= r.Attempt.String() {
				b.t.Errorf("attempt %s stands before %s", r.Attempt, all[i-1].Attempt)
			}
		}
	})
	same := door.NewAttempt(1, [10]byte{9})
	if other := door.NewAttempt(1, [10]byte{8}); other == same || same != (door.Attempt{5: 1, 6: 9}) {
		t.Errorf("%s, %s", same, other)
	}
}

// device is a reader driven by hand.
type device struct{ signals chan hal.Signal }

func (d device) Signals() <-chan hal.Signal    { return d.signals }
func (d device) Indicate(hal.Indication) error { return nil }
func (d device) Close() error                  { close(d.signals); return nil }

// wallAt is the wall time of these tests.
func wallAt(at mono.Time) int64 { return 1_795_482_000_000 + int64(time.Duration(at)/time.Millisecond) }

func config(d device, reads chan Read, now func() mono.Time) Config {
	return Config{Door: "a", Side: access.SideExit, Reader: d, Formats: []card.Format{"H10301"}, Keys: keys, Now: now, Wall: wallAt, Reads: reads}
}

// failing is a source of randomness that fails, then panics, then works.
type failing struct{ n int }

func (f *failing) Read(b []byte) (int, error) {
	f.n++
	switch {
	case f.n == 1:
		return 0, fmt.Errorf("no entropy")
	case f.n == 3: // 2 is the attempt id of the report
		panic("a text that may hold anything")
	}
	for i := range b {
		b[i] = byte(f.n)
	}
	return len(b), nil
}

// A failure inside is contained: no read, a report, and the loop goes on after a second (3.2: restart
// ≤ 1 s per port).
func TestRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		now := func() mono.Time { return mono.Time(time.Since(start)) }
		d, reads := device{make(chan hal.Signal)}, make(chan Read, 10)
		cfg := config(d, reads, now)
		var log strings.Builder
		cfg.Rand, cfg.Log = &failing{}, slog.New(slog.NewTextHandler(&log, nil))
		r, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { r.Run(t.Context()); close(done) }()
		c := credential(t, "H10301", 12, 34567)
		present := func() { d.signals <- hal.Card{At: now(), Bits: c.AppendBits(nil), Len: c.BitLen()} }
		present()
		if got := <-reads; got.Fault != FaultInternal {
			t.Errorf("error: %v", got)
		}
		present()
		present()
		for i := 0; i < 2; i++ {
			got := <-reads
			if got.Kind == KindCard {
				break
			}
			if got.Fault != FaultInternal {
				t.Errorf("panic: %v", got)
			}
		}
		if d := time.Since(start); d > 3*time.Second {
			t.Errorf("took %v", d)
		}
		if strings.Contains(log.String(), "may hold anything") {
			t.Errorf("the panic's value was logged: %s", log.String())
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		<-done // a closed device ends Run
	})
}

// AD-4: what a card proves counts no more than what the link allows.
func TestAssuranceIsCapped(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		link  Link
		cap   card.Assurance
		proof hal.Proof
		want  card.Assurance
	}{
		{LinkClear, card.MutualAuth, hal.ProofMutual, card.UIDOnly},
		{LinkSecure, card.MutualAuth, hal.ProofMutual, card.MutualAuth},
		{LinkSecure, card.CardAuth, hal.ProofMutual, card.CardAuth},
		{LinkSecure, card.MutualAuth, hal.ProofNumber, card.UIDOnly},
		{LinkSecure, 0, hal.ProofMutual, card.AssuranceUnknown},
	} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			d, reads := device{make(chan hal.Signal)}, make(chan Read, 10)
			cfg := config(d, reads, func() mono.Time { return mono.Time(time.Since(start)) })
			cfg.Link, cfg.Cap = x.link, x.cap
			r, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			go r.Run(t.Context())
			c := credential(t, "H10301", 12, 34567)
			bits := c.AppendBits(nil)
			d.signals <- hal.Card{Bits: bits, Len: c.BitLen(), Proof: x.proof}
			if got := <-reads; got.Assurance != x.want || got.Link != x.link {
				t.Errorf("%+v: %v", x, got.Assurance)
			}
			d.signals <- hal.Fault{Kind: hal.FaultLost, On: true} // the card has been dealt with
			<-reads
			for _, b := range bits {
				if b != 0 {
					t.Error("the bits were not wiped")
				}
			}
			_ = d.Close()
		})
	}
}

// Stalls between the kernel and here: two cards that arrive in one batch, late, are two cards.
func TestLateBatchIsNotMerged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		now := func() mono.Time { return mono.Time(time.Since(start)) }
		d, reads := device{make(chan hal.Signal, 4)}, make(chan Read, 10)
		r, err := New(config(d, reads, now))
		if err != nil {
			t.Fatal(err)
		}
		go r.Run(t.Context())
		time.Sleep(time.Second)
		begin := now()
		var all hal.Edges
		l, _ := wiegand.Lookup("H10301")
		for i, cn := range []uint64{100, 200} {
			f, err := wiegand.Encode(l, wiegand.Fields{FC: 1, CN: cn})
			if err != nil {
				t.Fatal(err)
			}
			for j := range f.Len() {
				all = append(all, hal.Edge{Line: hal.Line(f.Bit(j)), Seq: uint32(len(all)),
					At: begin.Add(time.Duration(i)*200*time.Millisecond + time.Duration(j)*time.Millisecond)})
			}
		}
		time.Sleep(3 * time.Second)
		d.signals <- append(hal.Edges(nil), all[:40]...)
		d.signals <- append(hal.Edges(nil), all[40:]...)
		for _, cn := range []uint64{100, 200} {
			want := access.Key(credential(t, "H10301", 1, cn).Ref(keys.Card).Token(keys.Gateway))
			if got := <-reads; got.Kind != KindCard || got.Token != want {
				t.Errorf("read %v", got)
			}
		}
		d.signals <- hal.Fault{Kind: hal.FaultOverrun, On: true, At: now()}
		if got := <-reads; got.Kind != KindNoCard || got.Fault != "overrun" {
			t.Errorf("overrun: %v", got)
		}
		_ = d.Close()
	})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := func() Config {
		return config(device{make(chan hal.Signal)}, make(chan Read), func() mono.Time { return 0 })
	}
	if _, err := New(good()); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Config){
		"no side":         func(c *Config) { c.Side = 0 },
		"no device":       func(c *Config) { c.Reader = nil },
		"no clock":        func(c *Config) { c.Now = nil },
		"no receiver":     func(c *Config) { c.Reads = nil },
		"short key":       func(c *Config) { c.Keys.Card = c.Keys.Card[:31] },
		"no ask key":      func(c *Config) { c.Keys.Ask = wire.AskKey{} },
		"unknown format":  func(c *Config) { c.Formats = []card.Format{"H9"} },
		"two of a length": func(c *Config) { c.Formats = []card.Format{"H10301", "Indala26"} },
		"no format":       func(c *Config) { c.Formats = nil },
	} {
		c := good()
		spoil(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
