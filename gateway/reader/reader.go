// Package reader turns what one card reader sends into reads that hold no card number and no digit
// (D3). Edges are assembled to trains, trains decoded, and before anything leaves this package's goroutine
// a card has become its sealed reference and this gateway's token of it (D9), a PIN its token (D10).
//
// It never decides. A read that is not certain (noise, parity, a train too long) is passed on as "no
// card"; doubt never makes a card. The controller of the door is its only receiver.
package reader

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/firmware/door"
	"monban/firmware/mono"
	"monban/firmware/wiegand"
	"monban/firmware/wire"
	"monban/gateway/hal"
)

const (
	// DefaultPINWait is how long after a card its PIN may be finished.
	DefaultPINWait = 10 * time.Second
	// restartWait is the pause before a reader's loop starts again after a fault in it.
	restartWait = time.Second
)

// Kind says what a Read is.
type Kind uint8

// Kinds of a Read. The zero Kind is none and is ignored.
const (
	KindNone    Kind = iota
	KindCard         // a card, with or without a PIN
	KindNoCard       // something that is no card; Fault says why
	KindKey          // a key was pressed; nothing is told of which
	KindFault        // a fault of the reader began (On) or ended; Fault names it
	KindPurpose      // what the holder of the card before came for: Purpose, with the card's Attempt and Sealed (RR-7)
)

// Link says how the reader is wired.
type Link uint8

// Links. The zero Link is the one without protection.
const (
	LinkClear  Link = iota // anybody at the cable can read and replay
	LinkSecure             // authenticated and encrypted
)

// String is the word of wire.Record.Link.
func (l Link) String() string {
	if l == LinkSecure {
		return "secure"
	}
	return "clear"
}

// Words of Read.Fault beside those of wiegand.DropReason, hal.FaultKind and nfc.Refusal.
const (
	FaultParity   = "parity"
	FaultChecksum = "checksum"
	FaultLength   = "length"
	FaultSerial   = "serial" // blank, random or partial serial number
	FaultKeypad   = "keypad" // a burst that is no key
	FaultScan     = "card_scan"
	FaultInternal = "internal" // this goroutine failed and was started again
)

// Read is what the door's loop gets. There is no card number in it and no digit.
type Read struct {
	Kind      Kind
	Attempt   door.Attempt // one for a card and the PIN given after it
	Side      access.Side
	At        mono.Time // the last edge
	Token     access.Key
	Sealed    []byte // card_ref under the ask key
	Masked    string // at most the last digits, for the log
	Assurance card.Assurance
	Link      Link
	HasPIN    bool
	PINToken  card.PINToken
	Repeated  bool   // the identical train again within 200 ms
	Fault     string // KindNoCard, KindFault: a word of [a-z_]
	On        bool   // KindFault
	Purpose   uint8  // KindPurpose: 1–9
}

// Format prints no token and no sealed part.
func (r Read) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "read(kind %d, %s, %s)", r.Kind, r.Masked, r.Fault)
}

// Keys are the secrets a reader needs, from the gateway's identity.
type Keys struct {
	Card    []byte // site card key, 32 bytes
	PIN     []byte // site PIN key, 32 bytes
	Gateway []byte // gateway key, 32 bytes
	Ask     wire.AskKey
}

// Config is what New needs.
type Config struct {
	Door    access.DoorID
	Side    access.Side
	Reader  hal.Reader
	Formats []card.Format
	Keypad  wiegand.Keypad
	Link    Link
	// Cap is the best assurance that a read over a secure link may claim: bits alone do not say what
	// the reader has checked. A clear link is always capped to uid_only.
	Cap     card.Assurance
	Keys    Keys
	PINWait time.Duration // 0 = DefaultPINWait
	// Purposes: # and a digit after a card say what its holder came for (RR-7). Without it # alone does nothing.
	Purposes bool
	// Entries is how many entries ended by # one card is good for: 1 at a door, its PIN; 2 at a desk, the number that the
	// page shows and then the PIN. Each leaves as the same kind of token: no digit of either does (D10). 0 = 1.
	Entries uint8
	// Known reports whether the policy held names this card, granted or not; such cards are not
	// limited. nil = none is known. It is called on the reader's goroutine and must not block.
	Known func(access.Key) bool
	Rand  io.Reader        // nil = crypto/rand
	Now   func() mono.Time // on the scale of the signals' times
	// Wall is the time in ms since 1970, UTC, as well as the gateway knows it; only the order of attempts rests on it.
	Wall  func(mono.Time) int64
	Reads chan<- Read
	Log   *slog.Logger // nil = none
}

// Reader is one reader's goroutine.
type Reader struct {
	cfg   Config
	set   wiegand.Set
	limit limiter
}

// New checks cfg.
func New(cfg Config) (*Reader, error) {
	fail := func(err error) (*Reader, error) {
		return nil, fmt.Errorf("reader %s of door %s: %w", cfg.Side, cfg.Door, err)
	}
	if cfg.Side != access.SideEnter && cfg.Side != access.SideExit {
		return fail(errors.New("needs a side"))
	}
	if cfg.Reader == nil || cfg.Now == nil || cfg.Wall == nil || cfg.Reads == nil {
		return fail(errors.New("needs a device, a clock and a receiver"))
	}
	for _, key := range [][]byte{cfg.Keys.Card, cfg.Keys.PIN, cfg.Keys.Gateway} {
		if len(key) < card.KeySize {
			return fail(fmt.Errorf("a key is shorter than %d bytes", card.KeySize))
		}
	}
	if cfg.Keys.Ask == (wire.AskKey{}) {
		return fail(errors.New("the ask key is missing"))
	}
	set, err := wiegand.NewSet(cfg.Formats, cfg.Keypad)
	if err != nil {
		return fail(err)
	}
	if cfg.Link != LinkSecure {
		cfg.Cap = card.UIDOnly
	}
	if cfg.Entries == 0 {
		cfg.Entries = 1
	}
	if cfg.PINWait == 0 {
		cfg.PINWait = DefaultPINWait
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Reader{cfg: cfg, set: set}, nil
}

// Run reads until ctx ends or the device is closed. A panic inside is contained: it is logged without
// what was being read, told to the door as a read that was no card, and the loop starts again with
// empty hands after a second. The door stays as it is.
func (r *Reader) Run(ctx context.Context) {
	for {
		err := r.guarded(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		r.cfg.Log.Error("reader loop failed", "door", string(r.cfg.Door), "side", r.cfg.Side.String(), "err", err)
		r.send(ctx, Read{Kind: KindNoCard, At: r.cfg.Now(), Fault: FaultInternal})
		select {
		case <-ctx.Done():
			return
		case <-time.After(restartWait):
		}
	}
}

// errPanic stands for a recovered panic; its value is not kept, as it could hold card bits.
var errPanic = errors.New("panic")

func (r *Reader) guarded(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errPanic
		}
	}()
	return r.run(ctx)
}

// session is what run keeps between signals.
type session struct {
	asm   *wiegand.Assembler
	entry wiegand.PINEntry
	last  presented
	said  purposeEntry
}

// presented is the card whose PIN is waited for.
type presented struct {
	read  Read
	ref   card.Ref
	until mono.Time
	left  uint8 // entries that may still come
}

// run is the loop. A timer ends the last train of a burst; when it fires, whatever has arrived
// meanwhile is read first, so that a train delivered late is not cut in two.
func (r *Reader) run(ctx context.Context) error {
	s := &session{asm: wiegand.NewAssembler(int64(r.cfg.Now()))}
	defer func() { *s = session{} }()
	quiet := time.NewTimer(time.Hour)
	defer quiet.Stop()
	for {
		if at, ok := s.asm.Deadline(); ok {
			quiet.Reset(max(mono.Time(at).Sub(r.cfg.Now()), 0))
		} else {
			quiet.Stop()
		}
		select {
		case <-ctx.Done():
			return nil
		case sig, ok := <-r.cfg.Reader.Signals():
			if !ok {
				return nil
			}
			if err := r.signal(ctx, s, sig); err != nil {
				return err
			}
		case <-quiet.C:
			select {
			case sig, ok := <-r.cfg.Reader.Signals():
				if !ok {
					return nil
				}
				if err := r.signal(ctx, s, sig); err != nil {
					return err
				}
			default:
				if ev, ok := s.asm.Flush(int64(r.cfg.Now())); ok {
					if err := r.train(ctx, s, ev); err != nil {
						return err
					}
				}
			}
		}
	}
}

func (r *Reader) signal(ctx context.Context, s *session, sig hal.Signal) error {
	switch sig := sig.(type) {
	case hal.Edges:
		defer clear(sig)
		for _, e := range sig {
			ev, ok := s.asm.Add(wiegand.Edge{Line: uint8(e.Line), At: int64(e.At), Seqno: e.Seq})
			if !ok {
				continue
			}
			if err := r.train(ctx, s, ev); err != nil {
				return err
			}
		}
		return nil
	case hal.Card:
		defer clear(sig.Bits)
		c, err := r.set.Card(card.Format(sig.Hint), sig.Bits, sig.Len)
		if err != nil {
			return r.noCard(ctx, sig.At, faultOf(err))
		}
		return r.card(ctx, s, c, sig.At, min(assurance(sig.Proof), r.cfg.Cap), false)
	case hal.NoCard:
		s.last, s.entry = presented{}, wiegand.PINEntry{} // a PIN after it is not one of the card before
		return r.noCard(ctx, sig.At, sig.Why)
	case hal.Key:
		return r.key(ctx, s, wiegand.Key(sig.Key), sig.At)
	case hal.Fault:
		if sig.Kind == hal.FaultOverrun {
			s.asm = wiegand.NewAssembler(int64(r.cfg.Now())) // what was being assembled has holes
			return r.noCard(ctx, sig.At, sig.Kind.String())
		}
		s.last, s.entry, s.said = presented{}, wiegand.PINEntry{}, purposeEntry{}
		r.send(ctx, Read{Kind: KindFault, At: sig.At, Fault: sig.Kind.String(), On: sig.On})
		return nil
	default:
		return r.noCard(ctx, r.cfg.Now(), FaultInternal)
	}
}

// train takes a finished or dropped train.
func (r *Reader) train(ctx context.Context, s *session, ev wiegand.Event) error {
	at := mono.Time(ev.End)
	if ev.Drop != wiegand.DropNone {
		return r.noCard(ctx, at, ev.Drop.String())
	}
	res, err := r.set.Decode(ev.Frame)
	if err != nil {
		return r.noCard(ctx, at, faultOf(err))
	}
	switch res.Kind {
	case wiegand.ResultCard:
		// The cable proves nothing about the card: uid_only, whatever the reader has checked (AD-4).
		return r.card(ctx, s, res.Card, at, card.UIDOnly, ev.Repeat)
	case wiegand.ResultKey:
		return r.key(ctx, s, res.Key, at)
	case wiegand.ResultPIN:
		res.PIN.Take(func(digits []byte) { err = r.pin(ctx, s, digits, at) })
		return err
	default:
		return r.noCard(ctx, at, FaultLength)
	}
}

// card makes a Read of a card; the card itself goes no further.
func (r *Reader) card(ctx context.Context, s *session, c card.Credential, at mono.Time, a card.Assurance, repeat bool) error {
	s.entry.Clear()
	s.last, s.said = presented{}, purposeEntry{}
	ref := c.Ref(r.cfg.Keys.Card)
	token := access.Key(ref.Token(r.cfg.Keys.Gateway))
	// Only cards that nobody holds count as trying: a queue of staff, or a scan beside it, never keeps
	// a valid card waiting.
	if !(r.cfg.Known != nil && r.cfg.Known(token)) && !r.allowed(ctx, at) {
		return nil
	}
	var nonce wire.Nonce
	if _, err := io.ReadFull(r.cfg.Rand, nonce[:]); err != nil {
		return fmt.Errorf("nonce: %w", err)
	}
	read := Read{
		Kind: KindCard, At: at, Masked: c.Masked(), Assurance: a, Repeated: repeat,
		Token: token, Sealed: wire.SealCard(r.cfg.Keys.Ask, nonce, ref),
	}
	if err := r.attempt(&read); err != nil {
		return err
	}
	s.last = presented{read: read, ref: ref, until: at.Add(r.cfg.PINWait), left: r.cfg.Entries}
	if r.cfg.Purposes {
		s.said = purposeEntry{read: read, until: s.last.until}
	}
	r.send(ctx, read)
	return nil
}

// key takes one key. Keys count only after a card; what was keyed in before is forgotten.
func (r *Reader) key(ctx context.Context, s *session, k wiegand.Key, at mono.Time) error {
	if code, taken := s.said.press(k, at, s.entry.Empty()); taken {
		read := s.said.read
		r.send(ctx, Read{Kind: KindKey, At: at, Attempt: read.Attempt})
		if code != 0 {
			s.said = purposeEntry{}
			r.send(ctx, Read{Kind: KindPurpose, At: at, Attempt: read.Attempt, Sealed: read.Sealed, Masked: read.Masked, Purpose: code})
		}
		return nil
	}
	if s.last.read.Kind == KindNone || at.After(s.last.until) {
		s.entry.Clear()
		s.last = presented{}
		return nil
	}
	status := s.entry.Press(int64(at), k)
	if status == wiegand.PINIgnored {
		return r.noCard(ctx, at, FaultKeypad)
	}
	r.send(ctx, Read{Kind: KindKey, At: at, Attempt: s.last.read.Attempt})
	var err error
	if status == wiegand.PINDone {
		s.entry.Take(func(digits []byte) { err = r.pin(ctx, s, digits, at) })
	}
	return err
}

// pin sends the card's read again, now with its PIN, and forgets both after the last entry.
func (r *Reader) pin(ctx context.Context, s *session, digits []byte, at mono.Time) error {
	last := s.last
	s.last = presented{}
	if last.read.Kind == KindNone || at.After(last.until) {
		return nil // a PIN without a card says nothing
	}
	read := last.read
	read.At, read.HasPIN, read.Repeated = at, true, false
	read.PINToken = card.PINRefOf(r.cfg.Keys.PIN, last.ref, digits).Token(r.cfg.Keys.Gateway)
	if last.left > 1 {
		last.left--
		last.until = at.Add(r.cfg.PINWait)
		s.last = last
	}
	r.send(ctx, read)
	return nil
}

// noCard tells of something that is no card.
func (r *Reader) noCard(ctx context.Context, at mono.Time, fault string) error {
	if !r.allowed(ctx, at) {
		return nil
	}
	read := Read{Kind: KindNoCard, At: at, Fault: fault}
	if err := r.attempt(&read); err != nil {
		return err
	}
	r.send(ctx, read)
	return nil
}

// attempt gives the read its attempt.
func (r *Reader) attempt(read *Read) error {
	var random [10]byte
	if _, err := io.ReadFull(r.cfg.Rand, random[:]); err != nil {
		return fmt.Errorf("attempt id: %w", err)
	}
	read.Attempt = door.NewAttempt(r.cfg.Wall(read.At), random)
	return nil
}

// allowed asks the limiter. What is over the limit is not evaluated, so it is never let in; the
// first one over tells the door once that cards are being tried.
func (r *Reader) allowed(ctx context.Context, at mono.Time) bool {
	ok, first := r.limit.take(at)
	if first {
		read := Read{Kind: KindNoCard, At: at, Fault: FaultScan}
		if err := r.attempt(&read); err == nil {
			r.send(ctx, read)
		}
	}
	return ok
}

// send waits for the door's loop; while it is busy, signals wait in the device's channel.
func (r *Reader) send(ctx context.Context, read Read) {
	read.Side, read.Link = r.cfg.Side, r.cfg.Link
	select {
	case r.cfg.Reads <- read:
	case <-ctx.Done():
	}
}

func assurance(p hal.Proof) card.Assurance {
	switch p {
	case hal.ProofCard:
		return card.CardAuth
	case hal.ProofMutual:
		return card.MutualAuth
	default:
		return card.UIDOnly
	}
}

func faultOf(err error) string {
	switch {
	case errors.Is(err, wiegand.ErrParity):
		return FaultParity
	case errors.Is(err, wiegand.ErrChecksum):
		return FaultChecksum
	case errors.Is(err, wiegand.ErrSerial):
		return FaultSerial
	case errors.Is(err, wiegand.ErrKey), errors.Is(err, wiegand.ErrPIN):
		return FaultKeypad
	default:
		return FaultLength
	}
}
