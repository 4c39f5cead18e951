package pi

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"time"

	"monban/firmware/mono"
	"monban/firmware/osdp"
)

// Volt is one supervised line as it was measured last.
type Volt struct {
	Line  string // ADC and channel of the profile
	Volts float64
}

// Volts gives every supervised line that was measured, by ADC and channel.
func (h *HAL) Volts() (all []Volt) {
	if h.scanner == nil {
		return nil
	}
	for _, a := range h.cfg.Profile.ADCs {
		for _, l := range h.scanner.adcs[uint16(a.Address)] {
			if bits := l.ratio.Load(); bits != 0 {
				all = append(all, Volt{fmt.Sprintf("ADC %s, channel %d", a.Name, l.channel), math.Float64frombits(bits) * rail})
			}
		}
	}
	return all
}

// errLineOver ends a bench run whose time is over.
var errLineOver = errors.New("time is over")

// OSDPBench is one line while no gateway runs on it: readers are paired and looked for.
type OSDPBench struct {
	Open func() (Port, error)
	Baud int
	Now  func() mono.Time
}

// run polls the readers of cfg until heard says that it has heard enough, ctx ends, or the time until is over. begin is
// called before the first byte is sent.
func (b OSDPBench) run(ctx context.Context, cfg osdp.Config, until mono.Time, begin func(*osdp.Bus) error, heard func(*osdp.Event) (enough bool, err error)) error {
	port, err := b.Open()
	if err != nil {
		return err
	}
	defer port.Close()
	bus, err := osdp.NewBus(b.Now(), cfg, random)
	if err != nil {
		return err
	}
	if begin != nil {
		if err := begin(bus); err != nil {
			return err
		}
	}
	do := func(actions []osdp.Action) (bool, error) {
		for _, a := range actions {
			if a.Event != nil {
				if enough, err := heard(a.Event); enough || err != nil {
					return enough, err
				}
				continue
			}
			if n, err := port.Write(a.Write); err != nil || n != len(a.Write) {
				return false, errors.Join(err, fmt.Errorf("write: %d of %d bytes", n, len(a.Write)))
			}
		}
		return false, nil
	}
	buf := make([]byte, 256)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		now := b.Now()
		if !now.Before(until) {
			return errLineOver
		}
		if enough, err := do(bus.Tick(now)); enough || err != nil {
			return err
		}
		if err := port.SetReadTimeout(min(max(bus.Next().Sub(b.Now()), time.Millisecond), readSlice)); err != nil {
			return err
		}
		n, err := port.Read(buf)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if n > 0 {
			if enough, err := do(bus.Receive(b.Now(), buf[:n])); enough || err != nil {
				return err
			}
		}
	}
}

// Pair gives the reader at addr a random key of its own. keep stores what the reader is known by; it is called with the
// new key pending before anything is sent, since after a power cut nobody knows which key the reader holds, and with the
// proven key at the end. When the reader cannot have taken the new key, keep gets the old record again. The window
// closes by itself; the door has no reader meanwhile and stays locked. Whoever listens on the line learns the key.
func (b OSDPBench) Pair(ctx context.Context, addr byte, old ReaderKey, window time.Duration, keep func(ReaderKey) error) (osdp.Proof, error) {
	return b.give(ctx, addr, old, window, keep, (*osdp.Bus).Pair, "put the reader into its installation mode, as its maker says, check address and wires, and pair again")
}

// Rotate gives a paired reader another random key inside the channel of the one it has, and is otherwise like Pair. Whoever
// listens on the line learns nothing.
func (b OSDPBench) Rotate(ctx context.Context, addr byte, old ReaderKey, window time.Duration, keep func(ReaderKey) error) (osdp.Proof, error) {
	if old.Key != nil && old.Pending != nil { // broken off once: first the reader says which of the two it holds
		cfg := osdp.Config{Baud: b.Baud, Readers: []osdp.Reader{{Name: "the reader", Addr: addr, Key: old.Key, Pending: old.Pending, Known: old.Known}}}
		err := b.run(ctx, cfg, b.Now().Add(window), nil, func(e *osdp.Event) (bool, error) { return e.Kind == osdp.EventOnline && e.Secure, nil })
		if err != nil {
			return osdp.Proof{}, fmt.Errorf("the reader proves neither of the two keys it may hold: %w", err)
		}
		old = ReaderKey{Key: cfg.Readers[0].Key, Known: cfg.Readers[0].Known}
	}
	return b.give(ctx, addr, old, window, keep, (*osdp.Bus).Rotate, "the reader does not prove the key it is known by: check address and wires; if it was reset or exchanged, pair it anew")
}

func (b OSDPBench) give(ctx context.Context, addr byte, old ReaderKey, window time.Duration, keep func(ReaderKey) error,
	open func(*osdp.Bus, mono.Time, int, osdp.Key, time.Duration) error, hint string) (osdp.Proof, error) {
	var key osdp.Key
	if _, err := rand.Read(key[:]); err != nil {
		return osdp.Proof{}, err
	}
	r := osdp.Reader{Name: "the reader", Addr: addr, Key: old.Key, Pending: old.Pending, Plain: old.Key == nil, Known: old.Known}
	cfg := osdp.Config{Baud: b.Baud, Readers: []osdp.Reader{r}}
	if err := cfg.Validate(); err != nil {
		return osdp.Proof{}, err
	}
	if err := keep(ReaderKey{Key: old.Key, Pending: &key, Known: old.Known}); err != nil {
		return osdp.Proof{}, err
	}
	var proof osdp.Proof
	err := b.run(ctx, cfg, b.Now().Add(window+replyWait), func(bus *osdp.Bus) error {
		return open(bus, b.Now(), 0, key, window)
	}, func(e *osdp.Event) (bool, error) {
		switch e.Kind {
		case osdp.EventPaired:
			proof = e.Proof
			return true, nil
		case osdp.EventPairingEnd:
			return false, fmt.Errorf("the window closed without a proof (%s): %s", e.Detail, hint)
		}
		return false, nil
	})
	if err == nil {
		return proof, keep(ReaderKey{Key: &key, Known: &proof})
	}
	if now := cfg.Readers[0]; !errors.Is(err, context.Canceled) && now.Key == old.Key && now.Pending == old.Pending {
		err = errors.Join(err, keep(old)) // the bus says that the key was not sent
	}
	return osdp.Proof{}, err
}

// replyWait is how much longer than its window a pairing is followed, so that its end is heard.
const replyWait = 2 * time.Second

// Find polls the readers of cfg for at most limit and says of each whether it works; one with a key works only when it
// has proved it. An alarm of a reader is its word in bad.
func (b OSDPBench) Find(ctx context.Context, cfg osdp.Config, limit time.Duration) (works []bool, bad []string, err error) {
	works, bad = make([]bool, len(cfg.Readers)), make([]string, len(cfg.Readers))
	cfg.Readers = append([]osdp.Reader(nil), cfg.Readers...)
	err = b.run(ctx, cfg, b.Now().Add(limit), nil, func(e *osdp.Event) (bool, error) {
		switch e.Kind {
		case osdp.EventOnline:
			works[e.Reader] = true
		case osdp.EventLost:
			works[e.Reader] = false
		case osdp.EventDowngrade, osdp.EventMAC, osdp.EventChanged, osdp.EventRefused:
			bad[e.Reader] = e.Kind.String()
		case osdp.EventTamper:
			if e.Tamper {
				bad[e.Reader] = e.Kind.String()
			}
		}
		all := true
		for _, w := range works {
			all = all && w
		}
		return all, nil
	})
	if errors.Is(err, errLineOver) {
		err = nil
	}
	return works, bad, err
}
