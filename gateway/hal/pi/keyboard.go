package pi

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"monban/firmware/wedge"
	"monban/firmware/wiegand"
	"monban/gateway/hal"
)

// KeyDevice is an opened keyboard. Read gives whole records of the kernel's input_event.
type KeyDevice interface {
	io.ReadCloser
	SetReadDeadline(time.Time) error
}

// The kernel's struct input_event: two longs, type, code, value.
const (
	longs        = 2 * strconv.IntSize / 8
	inputSize    = longs + 8
	inputsAtOnce = 64
	typeSync     = 0
	syncDropped  = 3
	typeKey      = 1
	wentDown     = 1
	grab         = 0x40044590 // EVIOCGRAB: nobody else gets its keys, no console either
	setClock     = 0x400445A0 // EVIOCSCLOCKID
)

// OpenKeyboard opens the keyboard in a port for us alone. path is one under /dev/input/by-path, so that another port is
// another reader; vendor is VID:PID in hexadecimal, so that a keyboard in that port is none.
func OpenKeyboard(path, vendor string) (KeyDevice, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0) // so that deadlines and Close end a Read
	if err != nil {
		return nil, fmt.Errorf("keyboard reader %s: %w; is it plugged in, and is this user in the group input?", path, err)
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if err == nil {
		err = checkVendor(fmt.Sprintf("/sys/dev/char/%d:%d/device/id", unix.Major(st.Rdev), unix.Minor(st.Rdev)), vendor)
	}
	if err == nil {
		err = unix.IoctlSetInt(fd, grab, 1)
	}
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, setClock, unix.CLOCK_MONOTONIC) // the pace of typing is judged by the kernel's times
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("keyboard reader %s: %w", path, err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), path), nil
}

// checkVendor compares what the kernel says of a device with VID:PID.
func checkVendor(dir, vendor string) error {
	var found [2]string
	for i, name := range []string{"vendor", "product"} {
		text, err := os.ReadFile(dir + "/" + name)
		if err != nil {
			return err
		}
		found[i] = strings.TrimSpace(string(text))
	}
	if is := found[0] + ":" + found[1]; !strings.EqualFold(is, vendor) {
		return fmt.Errorf("is %s, the board profile wants %s: another device is plugged into this port", is, vendor)
	}
	return nil
}

// Keyboard is one reader that types. It implements hal.Reader.
type Keyboard struct {
	*indicator
	outlet
	name   string
	layout wiegand.Layout
	open   func() (KeyDevice, error)
	clock  clock
	log    *slog.Logger
	stop   chan struct{}
	done   chan struct{}
	once   sync.Once
	lost   bool // owned by run
}

var _ hal.Reader = (*Keyboard)(nil)

// newKeyboard starts the reader. The device may be missing: the reader is lost until it is there.
func newKeyboard(name string, layout wiegand.Layout, open func() (KeyDevice, error), ind *indicator, clock clock, log *slog.Logger) *Keyboard {
	k := &Keyboard{indicator: ind, outlet: newOutlet(signalRoom), name: name, layout: layout, open: open, clock: clock, log: log,
		stop: make(chan struct{}), done: make(chan struct{})}
	go k.run()
	return k
}

// run keeps the device open. While it is not there the door has no reader, and stays locked.
func (k *Keyboard) run() {
	defer close(k.done)
	defer close(k.signals)
	wait := reopenFirst
	for {
		worked, err := k.serve()
		if err == nil {
			return // told to stop
		}
		k.setLost(true)
		k.log.Warn("keyboard reader fails", "reader", k.name, "err", err)
		if worked {
			wait = reopenFirst
		}
		select {
		case <-k.stop:
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, reopenMost)
	}
}

func (k *Keyboard) setLost(lost bool) {
	if k.lost != lost && k.send(hal.Fault{At: k.clock.now(), Kind: hal.FaultLost, On: lost}) {
		k.lost = lost
	}
}

// serve reads one opened device. nil means that the reader was closed; worked says that the device was there.
func (k *Keyboard) serve() (worked bool, err error) {
	dev, err := k.open()
	if err != nil {
		return false, err
	}
	defer dev.Close()
	k.setLost(false)
	var line wedge.Line
	buf := make([]byte, inputsAtOnce*inputSize)
	defer clear(buf)
	for {
		err := dev.SetReadDeadline(time.Now().Add(idleLook))
		n := 0
		if err == nil {
			n, err = dev.Read(buf)
		}
		select {
		case <-k.stop:
			return true, nil
		default:
		}
		for p := buf[:n]; len(p) >= inputSize; p = p[inputSize:] {
			k.event(&line, p)
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return true, fmt.Errorf("read: %w", err)
		}
	}
}

// event takes one record. Releases and repetitions of a key that is held say nothing.
func (k *Keyboard) event(line *wedge.Line, p []byte) {
	kind, code := binary.NativeEndian.Uint16(p[longs:]), binary.NativeEndian.Uint16(p[longs+2:])
	if kind == typeSync && code == syncDropped {
		line.Lost()
	}
	if kind != typeKey || binary.NativeEndian.Uint32(p[longs+4:]) != wentDown {
		return
	}
	at := k.clock.kernel(stamp(p))
	digits, why := line.Press(at, code)
	defer clear(digits)
	if why == "" && digits == nil {
		return // the line goes on
	}
	if why == "" {
		f, err := wedge.Frame(k.layout, digits)
		if err == nil {
			k.send(hal.Card{At: at, Bits: packed(f), Len: f.Len(), Hint: string(k.layout.Name())})
			return
		}
		why = wedge.RefusedDigits
	}
	k.send(hal.NoCard{At: at, Why: string(why)}) // the door stays as it is
}

// stamp is the time of a record in nanoseconds: seconds and microseconds as two longs.
func stamp(p []byte) int64 {
	if strconv.IntSize == 64 {
		return int64(binary.NativeEndian.Uint64(p))*1e9 + int64(binary.NativeEndian.Uint64(p[8:]))*1e3
	}
	return int64(binary.NativeEndian.Uint32(p))*1e9 + int64(binary.NativeEndian.Uint32(p[4:]))*1e3
}

// Close implements hal.Reader.
func (k *Keyboard) Close() error {
	var err error
	k.once.Do(func() {
		close(k.stop)
		err = k.indicator.close()
		<-k.done
	})
	return err
}
