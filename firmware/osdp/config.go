package osdp

import (
	"errors"
	"fmt"
	"time"
)

// Times of the bus. Those of the standard: a reader answers within 200 ms and takes the panel for dead after 8 s.
const (
	replyTime   = 200 * time.Millisecond
	pollEvery   = 50 * time.Millisecond
	probeEvery  = 650 * time.Millisecond  // a lost reader, so that one that returns works again within a second at 9,600 baud too
	lostAfter   = 1500 * time.Millisecond // without a valid reply, and lostTries
	lostTries   = 3
	busyWait    = 100 * time.Millisecond
	busyLimit   = 3 * time.Second
	distrustMax = 10 * time.Second // longest wait between two handshakes with a reader that does not prove its key
	// PairingWindow is how long a pairing may last before it closes by itself.
	PairingWindow = 5 * time.Minute
)

// Reader is one reader on a bus.
type Reader struct {
	Name string
	Addr byte // 0–126, unique on the bus
	// Key makes the secure channel mandatory: without its proof no card is taken, whatever the reader says it can.
	Key *Key
	// Pending is a key that was given to the reader and not proven yet (a crash during pairing). It is tried when Key
	// is not proven; nothing else ever is.
	Pending *Key
	// Plain allows a reader without a key. Its reads are worth uid_only at most.
	Plain bool
	// ClearData takes card and keys that are authentic but not encrypted (SCS_16), as some readers send them. Whoever
	// listens on the line can read them.
	ClearData bool
	// Known is who proved the key for the first time; nil = nobody yet.
	Known *Proof
}

// Proof is what a reader was when it proved its key.
type Proof struct {
	CUID   [8]byte
	Serial uint32
}

// Config is one bus: a serial port and its readers.
type Config struct {
	Baud    int // 9600, 19200, 38400, 57600, 115200 or 230400; 8N1
	Readers []Reader
}

// Validate reports every fault.
func (c *Config) Validate() error {
	var errs []error
	fault := func(format string, args ...any) { errs = append(errs, fmt.Errorf("osdp: "+format, args...)) }
	switch c.Baud {
	case 9600, 19200, 38400, 57600, 115200, 230400:
	default:
		fault("%d baud is not one of 9600, 19200, 38400, 57600, 115200, 230400", c.Baud)
	}
	if len(c.Readers) == 0 {
		fault("no reader on the bus")
	}
	seen := map[byte]string{}
	secured := 0
	for _, r := range c.Readers {
		if r.Addr >= Broadcast {
			fault("reader %q: address %d is not 0–126", r.Name, r.Addr)
		}
		if other, twice := seen[r.Addr]; twice {
			fault("readers %q and %q share address %d", other, r.Name, r.Addr)
		}
		seen[r.Addr] = r.Name
		switch {
		case r.Key == nil && !r.Plain:
			fault("reader %q has no key; pair it, or allow it to be plain", r.Name)
		case r.Key != nil && r.Plain:
			fault("reader %q has a key and is allowed to be plain; one of them", r.Name)
		case r.Key != nil:
			secured++
		}
	}
	if c.Baud == 9600 && secured > 2 {
		fault("%d readers with a key on one line of 9600 baud, at most 2: a card would wait too long; use 38400", secured)
	}
	return errors.Join(errs...)
}
