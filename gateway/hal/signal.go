package hal

import (
	"fmt"
	"log/slog"
	"strconv"

	"monban/firmware/mono"
)

// Signal is what a reader sends (D3): one of Edges, Card, NoCard, Key and Fault. Readers are told apart by
// a type switch; the set is closed.
type Signal interface {
	// When is the monotonic time of the signal's last part.
	When() mono.Time
	isSignal()
}

// Line is one of the two data lines of a Wiegand reader.
type Line uint8

// The lines: a pulse on D0 is a 0, on D1 a 1.
const (
	D0 Line = 0
	D1 Line = 1
)

// Edge is one falling edge, with the kernel's time and its running number over both lines. A hole
// in the numbers means that edges were lost.
type Edge struct {
	Line Line
	At   mono.Time
	Seq  uint32
}

// Edges is a batch of edges in the order of their numbers; never empty. It is a card number in
// another spelling, so it prints masked.
type Edges []Edge

// Proof says what a reader that authenticates cards says it has checked. The link
// caps it. The zero Proof is nothing but a number.
type Proof uint8

// Proofs.
const (
	ProofNumber Proof = iota // a number was read
	ProofCard                // the card proved itself
	ProofMutual              // card and reader proved themselves to each other
)

// Card is a whole card from a reader that assembles bits itself (OSDP, NFC).
type Card struct {
	At    mono.Time
	Bits  []byte // packed, first bit = most significant bit of Bits[0]
	Len   int    // bits, 1–256
	Hint  string // the reader's format hint; "" = the configured format of that length
	Proof Proof
}

// NoCard says that something was held to the reader that is no card for it. Why is a word of [a-z_] that says nothing of
// what it was.
type NoCard struct {
	At  mono.Time
	Why string
}

// Key is one key press from a keypad that sends keys apart from card bits.
type Key struct {
	At  mono.Time
	Key byte // '0'–'9', '*', '#'
}

// FaultKind names what is wrong with a reader.
type FaultKind uint8

// Reader faults.
const (
	FaultNone    FaultKind = iota
	FaultLost              // no sign of life
	FaultLine              // a data line low for > 1 ms: cut, short or tampered with
	FaultTamper            // the reader's own tamper switch
	FaultOverrun           // signals were lost on the way
)

// String gives the fault's stable name.
func (k FaultKind) String() string {
	switch k {
	case FaultLost:
		return "lost"
	case FaultLine:
		return "line"
	case FaultTamper:
		return "tamper"
	case FaultOverrun:
		return "overrun"
	default:
		return "none"
	}
}

// Fault says that a fault of the reader began (On) or ended.
type Fault struct {
	At   mono.Time
	Kind FaultKind
	On   bool
}

func (e Edges) isSignal()  {}
func (c Card) isSignal()   {}
func (n NoCard) isSignal() {}
func (k Key) isSignal()    {}
func (f Fault) isSignal()  {}

// When is the time of the last edge; 0 for an empty batch.
func (e Edges) When() mono.Time {
	if len(e) == 0 {
		return 0
	}
	return e[len(e)-1].At
}

// When is the time of the card.
func (c Card) When() mono.Time { return c.At }

// When is the time of the look.
func (n NoCard) When() mono.Time { return n.At }

// When is the time of the press.
func (k Key) When() mono.Time { return k.At }

// When is the time at which the fault began or ended.
func (f Fault) When() mono.Time { return f.At }

// String never holds the bits.
func (e Edges) String() string { return "edges(" + strconv.Itoa(len(e)) + ")" }

// String never holds the bits.
func (c Card) String() string { return "card(" + strconv.Itoa(c.Len) + " bits)" }

// String never holds the key.
func (k Key) String() string { return "key" }

// Format prints the masked form for every verb, so that %v, %+v and %#v are all safe.
func (e Edges) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(e.String())) }

// Format prints the masked form for every verb.
func (c Card) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(c.String())) }

// Format prints the masked form for every verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(k.String())) }

// LogValue is the masked form.
func (e Edges) LogValue() slog.Value { return slog.StringValue(e.String()) }

// LogValue is the masked form.
func (c Card) LogValue() slog.Value { return slog.StringValue(c.String()) }

// LogValue is the masked form.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }
