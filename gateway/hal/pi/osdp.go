// Package pi drives the real doors that a board profile describes: locks, lamps, inputs and Wiegand readers on a
// Raspberry Pi's header, supervised inputs and more pins on I²C, PN532 modules on SPI or a serial line, OSDP readers on serial lines and
// readers that type as USB keyboards. Serial and USB readers need no Raspberry Pi but any Linux.
package pi

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"go.bug.st/serial"

	"monban/firmware/mono"
	"monban/firmware/osdp"
	"monban/firmware/wiegand"
	"monban/gateway/hal"
)

// Port is an open serial line. Read returns after the read timeout with (0, nil).
type Port interface {
	io.ReadWriteCloser
	SetReadTimeout(time.Duration) error
}

// OpenSerial opens a line with 8N1. path should be one that stays the same, under /dev/serial/by-path.
func OpenSerial(path string, baud int) (Port, error) {
	p, err := serial.Open(path, &serial.Mode{BaudRate: baud, DataBits: 8, Parity: serial.NoParity, StopBits: serial.OneStopBit})
	if err != nil {
		return nil, fmt.Errorf("serial line %s: %w", path, err)
	}
	return p, nil
}

// OSDPConfig is one line with its readers.
type OSDPConfig struct {
	Bus  osdp.Config
	Open func() (Port, error) // opened again after a failure: an adapter that was pulled comes back
	// Keep, when not nil, stores what is known of a reader of Bus: when it has proved its key for the first time, and when
	// a pending key became its key. It runs on a goroutine of its own, one call at a time: a disk must not hold up a line.
	Keep func(reader int, known ReaderKey) error
	Now  func() mono.Time
	Log  *slog.Logger
}

// OSDPLine is one serial line with its goroutine. What goes wrong on it loses its readers and nothing else.
type OSDPLine struct {
	cfg     OSDPConfig
	readers []*OSDPReader
	stop    chan struct{}
	done    chan struct{}
	once    sync.Once
	keeps   chan kept // closed by run
	kept    chan struct{}
}

// kept is what a reader is to be known by after a restart.
type kept struct {
	reader int
	known  ReaderKey
}

// Times of a line.
const (
	readSlice   = 20 * time.Millisecond // longest wait inside Read, so that Close and Indicate are not kept waiting
	reopenFirst = 100 * time.Millisecond
	reopenMost  = time.Second
	signalRoom  = 64
)

// NewOSDPLine starts the line. The port may be missing: its readers are lost until it opens.
func NewOSDPLine(cfg OSDPConfig) (*OSDPLine, error) {
	if err := cfg.Bus.Validate(); err != nil {
		return nil, err
	}
	cfg.Bus.Readers = slices.Clone(cfg.Bus.Readers) // the bus changes them: a proof, a key that is no longer pending
	l := &OSDPLine{cfg: cfg, stop: make(chan struct{}), done: make(chan struct{}), keeps: make(chan kept, len(cfg.Bus.Readers)), kept: make(chan struct{})}
	for i := range cfg.Bus.Readers {
		l.readers = append(l.readers, &OSDPReader{line: l, name: cfg.Bus.Readers[i].Name, signals: make(chan hal.Signal, signalRoom),
			shows: make(chan hal.Indication, 1), proven: cfg.Bus.Readers[i].Known != nil})
	}
	go l.keep()
	go l.run()
	return l, nil
}

// Reader gives one reader by its place in the configuration.
func (l *OSDPLine) Reader(i int) *OSDPReader { return l.readers[i] }

// Close ends the line and closes all its readers' channels.
func (l *OSDPLine) Close() error {
	l.once.Do(func() { close(l.stop) })
	<-l.done
	<-l.kept
	return nil
}

// keep stores proofs until the line ends. One that cannot be stored is told and given again at the next proof; the door
// goes on with the reader, whose key is proven.
func (l *OSDPLine) keep() {
	defer close(l.kept)
	for k := range l.keeps {
		if err := l.cfg.Keep(k.reader, k.known); err != nil {
			l.cfg.Log.Error("what an OSDP reader proved cannot be stored", "reader", l.readers[k.reader].name, "err", err)
		}
	}
}

// proven hands on what is to be stored of a reader. Somebody who changed the reader afterwards is told as a change at each
// start until it is paired again: what is kept is the first proof.
func (l *OSDPLine) proven(reader int, e *osdp.Event) {
	if l.cfg.Keep == nil || !e.Secure {
		return
	}
	cfg := &l.cfg.Bus.Readers[reader]
	r := l.readers[reader]
	if e.Kind == osdp.EventOnline && r.proven {
		return
	}
	proof := e.Proof
	select {
	case l.keeps <- kept{reader, ReaderKey{Key: cfg.Key, Pending: cfg.Pending, Known: &proof}}:
		r.proven = true
	default: // the disk hangs: at the next proof
	}
}

// run keeps the line going. A panic is a defect of ours: the line begins anew within a second, and meanwhile its
// doors have no reader.
func (l *OSDPLine) run() {
	defer close(l.done)
	defer close(l.keeps)
	defer func() {
		for _, r := range l.readers {
			r.end()
		}
	}()
	wait := reopenFirst
	for {
		began := time.Now()
		err := l.serve()
		if err == nil {
			return // told to stop
		}
		for _, r := range l.readers {
			r.lose(l.cfg.Now())
		}
		l.cfg.Log.Warn("OSDP line fails; its readers are lost until it is back", "err", err)
		if time.Since(began) > 10*time.Second {
			wait = reopenFirst
		}
		select {
		case <-l.stop:
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, reopenMost)
	}
}

// serve runs the bus on one opened port. nil means that the line was closed.
func (l *OSDPLine) serve() (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	port, err := l.cfg.Open()
	if err != nil {
		return err
	}
	defer port.Close()
	bus, err := osdp.NewBus(l.cfg.Now(), l.cfg.Bus, random)
	if err != nil {
		return err
	}
	buf := make([]byte, 256)
	for {
		select {
		case <-l.stop:
			return nil
		default:
		}
		for i, r := range l.readers {
			select {
			case show := <-r.shows:
				bus.Tell(i, command(show))
			default:
			}
		}
		if err := l.do(port, bus.Tick(l.cfg.Now())); err != nil {
			return err
		}
		wait := min(max(bus.Next().Sub(l.cfg.Now()), time.Millisecond), readSlice)
		if err := port.SetReadTimeout(wait); err != nil {
			return err
		}
		n, err := port.Read(buf)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if n > 0 {
			if err := l.do(port, bus.Receive(l.cfg.Now(), buf[:n])); err != nil {
				return err
			}
		}
	}
}

func (l *OSDPLine) do(port Port, actions []osdp.Action) error {
	for _, a := range actions {
		if a.Event != nil {
			if a.Event.Kind == osdp.EventOnline || a.Event.Kind == osdp.EventPaired {
				l.proven(a.Event.Reader, a.Event)
			}
			l.readers[a.Event.Reader].tell(l.cfg.Now(), a.Event)
			continue
		}
		if n, err := port.Write(a.Write); err != nil || n != len(a.Write) {
			return errors.Join(err, fmt.Errorf("write: %d of %d bytes", n, len(a.Write)))
		}
	}
	return nil
}

func random() (r [8]byte) {
	_, _ = rand.Read(r[:]) // crypto/rand never fails
	return r
}

// OSDPReader is one reader of a line. It implements hal.Reader.
type OSDPReader struct {
	line    *OSDPLine
	name    string
	signals chan hal.Signal
	shows   chan hal.Indication

	mu      sync.Mutex
	closed  bool // mu
	lost    bool // owned by the line's goroutine
	tamper  bool // likewise
	overrun bool // likewise: something was dropped
	proven  bool // likewise: who proved its key first is known and stored
}

var _ hal.Reader = (*OSDPReader)(nil)

// Signals implements hal.Reader.
func (r *OSDPReader) Signals() <-chan hal.Signal { return r.signals }

// Indicate implements hal.Reader. The reader shows it with its next poll; one that was not shown yet is replaced.
func (r *OSDPReader) Indicate(ind hal.Indication) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return hal.ErrClosed
	}
	select {
	case <-r.shows:
	default:
	}
	r.shows <- ind // room for one, and only here it is filled
	return nil
}

// Close implements hal.Reader: what the reader sends is dropped from now on. The line goes on for the others.
func (r *OSDPReader) Close() error {
	r.end()
	return nil
}

func (r *OSDPReader) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.closed = true
		close(r.signals)
	}
}

// lose tells that the reader is gone with its line.
func (r *OSDPReader) lose(now mono.Time) { r.fault(now, hal.FaultLost, &r.lost, true) }

// tell turns an event into signals. What is not a card or a key opens nothing.
func (r *OSDPReader) tell(now mono.Time, e *osdp.Event) {
	switch e.Kind {
	case osdp.EventCard:
		r.send(hal.Card{At: now, Bits: packed(e.Card), Len: e.Card.Len()})
	case osdp.EventKeys:
		for _, k := range e.Keys {
			r.send(hal.Key{At: now, Key: byte(k)})
		}
	case osdp.EventOnline:
		r.fault(now, hal.FaultLost, &r.lost, false)
		r.fault(now, hal.FaultTamper, &r.tamper, false)
	case osdp.EventLost:
		r.lose(now)
	case osdp.EventTamper:
		r.fault(now, hal.FaultTamper, &r.tamper, e.Tamper)
	case osdp.EventDowngrade, osdp.EventMAC, osdp.EventChanged:
		// Somebody may sit between reader and gateway: the door treats it as the reader's tamper switch.
		r.line.cfg.Log.Warn("OSDP reader is not to be trusted", "reader", r.name, "event", e.Kind.String(), "detail", e.Detail)
		r.fault(now, hal.FaultTamper, &r.tamper, true)
	case osdp.EventClearData, osdp.EventRefused, osdp.EventPairing, osdp.EventPaired, osdp.EventPairingEnd:
		r.line.cfg.Log.Info("OSDP reader", "reader", r.name, "event", e.Kind.String(), "detail", e.Detail)
	case osdp.EventNone:
	}
}

func (r *OSDPReader) fault(now mono.Time, kind hal.FaultKind, is *bool, on bool) {
	if *is != on {
		*is = on
		r.send(hal.Fault{At: now, Kind: kind, On: on})
	}
}

// send never waits: a door that does not listen must not hold up the others on the line. What is dropped is told.
func (r *OSDPReader) send(s hal.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	if r.overrun && len(r.signals) < cap(r.signals)-1 {
		r.signals <- hal.Fault{At: s.When(), Kind: hal.FaultOverrun, On: true}
		r.overrun = false
	}
	select {
	case r.signals <- s:
	default:
		r.overrun = true
	}
}

func packed(f wiegand.Frame) []byte {
	b := make([]byte, (f.Len()+7)/8)
	for i := range f.Len() {
		b[i/8] |= byte(f.Bit(i)) << (7 - i%8)
	}
	return b
}

// command is what a reader does for an indication: the nearest it can, never another colour.
func command(ind hal.Indication) osdp.Command {
	led := osdp.LED{Colour: colour(ind.Light), On: 5}
	switch ind.Blink {
	case hal.BlinkSlow:
		led.Off = 5
	case hal.BlinkDouble:
		led.On, led.Off = 2, 2
	case hal.BlinkTurn:
		led.Off = 5 // one colour in turn with dark: the permanent command has no second one here
	case hal.BlinkSteady:
	}
	c := osdp.Command{LED: &led}
	switch ind.Tone {
	case hal.ToneClick, hal.ToneShort:
		c.Buzzer = &osdp.Buzzer{On: 1, Off: 1, Count: 1}
	case hal.ToneLong:
		c.Buzzer = &osdp.Buzzer{On: 8, Off: 1, Count: 1}
	case hal.ToneTwoShort:
		c.Buzzer = &osdp.Buzzer{On: 1, Off: 1, Count: 2}
	case hal.ToneThreeShort:
		c.Buzzer = &osdp.Buzzer{On: 1, Off: 1, Count: 3}
	case hal.ToneIntermittent:
		c.Buzzer = &osdp.Buzzer{On: 5, Off: 5, Count: 0}
	case hal.ToneSilent:
		c.Buzzer = &osdp.Buzzer{Off: 1, Count: 1} // ends an intermittent one
	}
	return c
}

func colour(c hal.Colour) osdp.Colour {
	switch c {
	case hal.Red:
		return osdp.Red
	case hal.Green:
		return osdp.Green
	case hal.Amber:
		return osdp.Amber
	case hal.Dark:
	}
	return osdp.Black
}
