package osdp

import (
	"fmt"
	"time"

	"monban/firmware/mono"
)

// pairing gives one reader a key of its own. Its first channel uses the key that everybody knows, so whoever listens
// on the line learns the new one: pair on the bench, or over a line that is watched. A rotation goes through the
// channel of the reader's present key: a listener who does not know that one learns nothing.
type pairing struct {
	key    Key
	until  mono.Time
	rotate bool // inside the channel of the present key
	set    bool // KEYSET was answered, in whatever way: only a handshake with the new key proves it
}

// pairingOnlyKey is SCBK-D of the standard. It is known to all and exists in this function alone: no other path can
// reach it, so no reader in use is ever spoken to with it.
func pairingOnlyKey() (k Key) {
	for i := range k {
		k[i] = 0x30 + byte(i)
	}
	return k
}

// Pair opens the pairing window of one reader, at most PairingWindow long. The key must be random and stored as pending
// by the caller before this call: after a power cut nobody knows which of the two keys the reader holds. The window
// closes by itself with EventPaired or EventPairingEnd. While it is open the reader delivers no card.
func (b *Bus) Pair(now mono.Time, reader int, key Key, window time.Duration) error {
	return b.window(now, reader, &pairing{key: key}, window)
}

// Rotate gives a paired reader another key, inside the channel of the one it has: the key that everybody knows plays no
// part, and the reader needs no installation mode. Otherwise like Pair, with the same events. If the reader's present key is not
// known any more, only Pair helps.
func (b *Bus) Rotate(now mono.Time, reader int, key Key, window time.Duration) error {
	if reader >= 0 && reader < len(b.readers) {
		switch c := b.readers[reader].cfg; {
		case c.Key == nil:
			return fmt.Errorf("osdp: reader %q has no key of its own yet: pair it", c.Name)
		case c.Pending != nil: // the record of the new key would take the place of one that the reader may hold
			return fmt.Errorf("osdp: reader %q: which of two keys it has is not settled: let it prove one first", c.Name)
		case key == *c.Key:
			return fmt.Errorf("osdp: reader %q: the new key is the one it has", c.Name)
		}
	}
	return b.window(now, reader, &pairing{key: key, rotate: true}, window)
}

// window opens the window of one reader.
func (b *Bus) window(now mono.Time, reader int, x *pairing, window time.Duration) error {
	key := x.key
	if reader < 0 || reader >= len(b.readers) {
		return fmt.Errorf("osdp: reader %d is not on this bus", reader)
	}
	if key == pairingOnlyKey() || key == (Key{}) {
		return fmt.Errorf("osdp: reader %q: the new key is one that everybody knows", b.cfg.Readers[reader].Name)
	}
	if window <= 0 || window > PairingWindow {
		return fmt.Errorf("osdp: a pairing window is at most %s long", PairingWindow)
	}
	for _, p := range b.readers {
		if p.pair != nil {
			return fmt.Errorf("osdp: reader %q is being paired; one at a time", p.cfg.Name)
		}
	}
	p := b.readers[reader]
	x.until = now.Add(window)
	p.pair = x
	b.event(p, Event{Kind: EventPairing})
	if b.current == p {
		b.current = nil
	}
	p.lose(now, "pairing")
	return nil
}

// keySet is the data of KEYSET: the kind of key, its length, the key.
func (x *pairing) keySet() []byte { return append([]byte{1, 16}, x.key[:]...) }

// keyTaken begins the proof.
func (p *peer) keyTaken(now mono.Time) {
	p.pair.set = true
	p.handshake(now)
}

// done makes the new key the key.
func (x *pairing) done(p *peer, proof Proof) {
	key := x.key
	p.pair, p.cfg.Key, p.cfg.Pending, p.cfg.Plain, p.pending = nil, &key, nil, false, false
	p.bus.event(p, Event{Kind: EventPaired, Secure: true, Proof: proof})
}

// end closes the window without a proof. If KEYSET was sent, the reader may hold the new key: it stays pending.
func (x *pairing) end(p *peer, why string) {
	if x.set || p.state == pairingKey {
		key := x.key
		if p.cfg.Key != nil {
			p.cfg.Pending = &key
		} else {
			p.cfg.Key, p.cfg.Plain = &key, false // never back to the clear: a reader that did not take it is paired again
		}
	}
	p.pair = nil
	p.bus.event(p, Event{Kind: EventPairingEnd, Detail: why})
}

// closeWindow ends a pairing that took too long.
func (p *peer) closeWindow(now mono.Time) {
	if p.pair == nil || now.Before(p.pair.until) {
		return
	}
	p.pair.end(p, "time")
	if p.bus.current == p {
		p.bus.current = nil
	}
	p.lose(now, "pairing")
}
