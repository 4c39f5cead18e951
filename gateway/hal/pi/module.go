package pi

import (
	"errors"
	"fmt"
	"math/bits"
	"time"

	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
	"periph.io/x/conn/v3/spi/spireg"

	"monban/firmware/pn532"
)

// Times of a card module.
const (
	moduleAck   = 300 * time.Millisecond // it takes a command within 15 ms; the rest is for a busy machine
	moduleReply = time.Second            // longest conversation with a card in one command
	moduleLook  = time.Millisecond       // between two looks at its status
)

// moduleRoom is how much of a reply is read at once over SPI: more than any reply that a door needs.
const moduleRoom = 120

// moduleLine carries frames to a PN532 and back.
type moduleLine interface {
	// wake has a sleeping module listen.
	wake() error
	write(frame []byte) error
	// read gives what the module says next, at most n bytes, within a time; nothing when it says nothing.
	read(n int, within time.Duration) ([]byte, error)
	Close() error
}

// errModule: the module does not do what it is told. The door has no reader.
var errModule = errors.New("card module does not answer; check its wiring and its interface switches")

// spiLine is the module on SPI: mode 0, 1 MHz, the least significant bit first, which the Pi's controller cannot send.
type spiLine struct {
	port  spi.PortCloser
	conn  spi.Conn
	sleep func(time.Duration)
}

// OpenSPI opens a bus of the header, SPI0.0 or SPI0.1.
func OpenSPI(name string) (spi.PortCloser, error) {
	if err := initDrivers(); err != nil {
		return nil, fmt.Errorf("SPI drivers: %w", err)
	}
	p, err := spireg.Open(name)
	if err != nil {
		return nil, fmt.Errorf("SPI bus %s: %w; set dtparam=spi=on and add this user to the group spi", name, err)
	}
	return p, nil
}

func newSPILine(port spi.PortCloser) (moduleLine, error) {
	c, err := port.Connect(physic.MegaHertz, spi.Mode0, 8)
	if err != nil {
		return nil, errors.Join(err, port.Close())
	}
	return &spiLine{port, c, time.Sleep}, nil
}

// First bytes of a transfer, as the module reads them.
const (
	spiWrite  = 0x01
	spiStatus = 0x02
	spiRead   = 0x03
)

func mirrored(first byte, b []byte) []byte {
	out := make([]byte, 1+len(b))
	out[0] = bits.Reverse8(first)
	for i, x := range b {
		out[1+i] = bits.Reverse8(x)
	}
	return out
}

// wake holds the select line low for 2 ms: 256 bytes that begin no transfer.
func (l *spiLine) wake() error { return l.conn.Tx(make([]byte, 256), nil) }

func (l *spiLine) write(frame []byte) error { return l.conn.Tx(mirrored(spiWrite, frame), nil) }

func (l *spiLine) read(n int, within time.Duration) ([]byte, error) {
	for waited := time.Duration(0); ; waited += moduleLook {
		status := make([]byte, 2)
		if err := l.conn.Tx(mirrored(spiStatus, []byte{0}), status); err != nil {
			return nil, err
		}
		if bits.Reverse8(status[1])&1 == 1 {
			break
		}
		if waited >= within {
			return nil, nil
		}
		l.sleep(moduleLook)
	}
	in := make([]byte, 1+n)
	if err := l.conn.Tx(mirrored(spiRead, make([]byte, n)), in); err != nil {
		return nil, err
	}
	return mirrored(0, in[1:])[1:], nil
}

func (l *spiLine) Close() error { return l.port.Close() }

// What a serial line gives at once, bytes, and how often it is read to get rid of it.
const (
	uartRoom  = 512
	drainMost = 64
)

// uartLine is the module on a serial line of 115,200 baud.
type uartLine struct{ port Port }

func (l uartLine) wake() error {
	_, err := l.port.Write(append([]byte{0x55, 0x55}, make([]byte, 14)...))
	return err
}

// write drops first what came before: the reply to a command that was given up must not stand for the next one's, and a
// module that talked nonsense may have left much of it.
func (l uartLine) write(frame []byte) error {
	for range drainMost {
		if b, err := l.read(0, time.Millisecond); err != nil || len(b) == 0 {
			break
		}
	}
	n, err := l.port.Write(frame)
	if err == nil && n != len(frame) {
		err = fmt.Errorf("write: %d of %d bytes", n, len(frame))
	}
	return err
}

// read gives all that is there: what a serial line has sent cannot be left with the module.
func (l uartLine) read(_ int, within time.Duration) ([]byte, error) {
	if err := l.port.SetReadTimeout(max(within, time.Millisecond)); err != nil {
		return nil, err
	}
	buf := make([]byte, uartRoom)
	got, err := l.port.Read(buf)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return buf[:got], nil
}

func (l uartLine) Close() error { return l.port.Close() }

// module is a PN532 that is spoken to by one goroutine.
type module struct {
	line moduleLine
	now  func() time.Time
}

// start brings it into a known state.
func (m *module) start() error {
	if err := m.line.wake(); err != nil {
		return err
	}
	if _, err := m.do(pn532.SAM()); err != nil {
		return err
	}
	body, err := m.do(pn532.Firmware())
	if err != nil {
		return err
	}
	if !pn532.IsPN532(body) {
		return errors.New("the chip is no PN532")
	}
	_, err = m.do(pn532.Retries())
	return err
}

// do has the module carry out a command. One damaged frame costs one repetition; a second one is an error.
func (m *module) do(command []byte) (body []byte, err error) {
	for range 2 {
		if body, err = m.once(command); err == nil || errors.Is(err, pn532.ErrSyntax) {
			return body, err
		}
		if ended := m.line.write(pn532.Ack()); ended != nil { // whatever it does now, it is to stop
			return nil, errors.Join(err, ended)
		}
	}
	return nil, err
}

// once does so without repetition.
func (m *module) once(command []byte) ([]byte, error) {
	if err := m.line.write(pn532.AppendCommand(nil, command[0], command[1:]...)); err != nil {
		return nil, err
	}
	var in []byte
	acked, until, most := false, m.now().Add(moduleAck), len(pn532.Ack())
	for {
		kind, data, n, err := pn532.Scan(in)
		switch {
		case errors.Is(err, pn532.ErrShort):
			left := until.Sub(m.now())
			if left <= 0 {
				return nil, errModule
			}
			more, err := m.line.read(most, left)
			if err != nil {
				return nil, err
			}
			in = append(in, more...)
			continue
		case err != nil:
			return nil, err
		case kind == pn532.KindAck:
			acked, until, most = true, m.now().Add(moduleReply), moduleRoom
		case acked:
			return pn532.Body(command[0], data)
		}
		in = in[n:] // a reply before the ACK is one to an earlier command
	}
}
