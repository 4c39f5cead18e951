package pi

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/driver/driverreg"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/host/v3/gpioioctl"
)

// Chip gives lines of the header's GPIO chip. It is all that the drivers know of GPIO, so that tests stand in for it.
type Chip interface {
	// Output takes a line as an output that is low from the beginning: every driver of ours is off at low.
	Output(pin int) (Output, error)
	// Events takes lines as inputs, all in one request, so that their edges have one order.
	Events(pins []int, opt EventOptions) (Events, error)
}

// Output is one output line.
type Output interface {
	Set(high bool) error
	// Close gives the line up. Its level stays: set it first.
	Close() error
}

// Events are the edges of one request, in the order of the kernel, as the kernel's records of eventSize bytes.
type Events interface {
	Read(p []byte) (int, error)
	SetReadDeadline(time.Time) error
	// Levels reads the lines now: bit i is the ith line, 1 = high.
	Levels() (uint64, error)
	Close() error
}

// EventOptions of a request.
type EventOptions struct {
	Rising bool   // rising edges too, not only falling ones
	Pull   string // none, up or down
}

// The kernel's struct gpio_v2_line_event.
const (
	eventSize    = 48
	eventsAtOnce = 64
	kernelBuffer = 1024 // events; the kernel's own default of 16 a line overflows within one card
	edgeRising   = 1
)

// event is one edge.
type event struct {
	stamp  int64 // CLOCK_MONOTONIC, ns
	rising bool
	offset uint32 // of the line on its chip
	seq    uint32 // over all lines of the request
}

// decodeEvent reads one record by hand: reflection would be slow enough to lose edges.
func decodeEvent(p []byte) event {
	return event{
		stamp:  int64(binary.NativeEndian.Uint64(p)),
		rising: binary.NativeEndian.Uint32(p[8:]) == edgeRising,
		offset: binary.NativeEndian.Uint32(p[12:]),
		seq:    binary.NativeEndian.Uint32(p[16:]),
	}
}

// readEvents reads a request's events until stop is closed. seen gets what came, nothing when none came within every, and
// what went wrong with the reading; when it returns an error, the next try waits for every: no spinning on a line that fails.
func readEvents(ev Events, every time.Duration, stop <-chan struct{}, seen func(p []byte, err error) error) {
	buf := make([]byte, eventsAtOnce*eventSize)
	for {
		err := ev.SetReadDeadline(time.Now().Add(every))
		n := 0
		if err == nil {
			n, err = ev.Read(buf)
		}
		select {
		case <-stop:
			return
		default:
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil
		}
		if seen(buf[:n], err) == nil {
			continue
		}
		select {
		case <-stop:
			return
		case <-time.After(every):
		}
	}
}

// headerLabel begins the label of the chip that the header hangs on: pinctrl-bcm2835, pinctrl-bcm2711, pinctrl-rp1. The
// numbers of chips differ between models and kernels.
const headerLabel = "pinctrl-"

// headerChip is the real chip.
type headerChip struct{ chip *gpioioctl.GPIOChip }

var initDrivers = sync.OnceValue(func() error {
	_, err := driverreg.Init()
	return err
})

// OpenChip finds the header's chip. On a machine without one the error says what was found instead.
func OpenChip() (Chip, error) {
	if err := initDrivers(); err != nil {
		return nil, fmt.Errorf("GPIO drivers: %w", err)
	}
	var found []string
	for _, c := range gpioioctl.Chips {
		if strings.HasPrefix(c.Label(), headerLabel) {
			return headerChip{c}, nil
		}
		found = append(found, c.Label())
	}
	if len(found) == 0 {
		found = []string{"none"}
	}
	return nil, fmt.Errorf("no GPIO chip whose label begins with %s (found: %s): this is no Raspberry Pi, or this user may not open /dev/gpiochip*; add it to the group gpio", headerLabel, strings.Join(found, ", "))
}

// User tells who holds a line; "" = nobody. It takes nothing.
func (c headerChip) User(pin int) (string, error) {
	f, err := os.Open(c.chip.Path())
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := uapi.GetLineInfoV2(f.Fd(), pin)
	if err != nil {
		return "", fmt.Errorf("GPIO %d: %w", pin, err)
	}
	if info.Flags&uapi.LineFlagV2Used == 0 {
		return "", nil
	}
	if name := strings.TrimRight(string(info.Consumer[:]), "\x00"); name != "" {
		return name, nil
	}
	return "the kernel", nil
}

// Output implements Chip. periph requests an output low, which is the level at which our drivers are off.
func (c headerChip) Output(pin int) (Output, error) {
	line := c.chip.ByNumber(pin)
	if line == nil {
		return nil, fmt.Errorf("GPIO %d: chip %s has no such line", pin, c.chip.Label())
	}
	if err := line.Out(gpio.Low); err != nil {
		return nil, fmt.Errorf("GPIO %d: %w; is another program using it?", pin, err)
	}
	return headerOutput{line, pin}, nil
}

type headerOutput struct {
	line *gpioioctl.GPIOLine
	pin  int
}

func (o headerOutput) Set(high bool) error {
	if err := o.line.Out(gpio.Level(high)); err != nil {
		return fmt.Errorf("GPIO %d: %w", o.pin, err)
	}
	return nil
}

func (o headerOutput) Close() error {
	o.line.Close()
	return nil
}

// Events implements Chip. periph throws the kernel's time and number away and tells nothing of a failed read, so the
// request is made with the kernel's own interface.
func (c headerChip) Events(pins []int, opt EventOptions) (Events, error) {
	f, err := os.Open(c.chip.Path())
	if err != nil {
		return nil, err
	}
	defer f.Close() // the request lives on
	req := uapi.LineRequest{Lines: uint32(len(pins)), EventBufferSize: kernelBuffer}
	copy(req.Consumer[:], "monban")
	for i, pin := range pins {
		req.Offsets[i] = uint32(pin)
	}
	req.Config.Flags = uapi.LineFlagV2Input | uapi.LineFlagV2EdgeFalling
	if opt.Rising {
		req.Config.Flags |= uapi.LineFlagV2EdgeRising
	}
	switch opt.Pull {
	case "up":
		req.Config.Flags |= uapi.LineFlagV2BiasPullUp
	case "down":
		req.Config.Flags |= uapi.LineFlagV2BiasPullDown
	}
	if err := uapi.GetLine(f.Fd(), &req); err != nil {
		return nil, fmt.Errorf("GPIO %v: %w; is another program using it?", pins, err)
	}
	// Without this, deadlines and Close would not end a Read.
	if err := unix.SetNonblock(int(req.Fd), true); err != nil {
		return nil, errors.Join(err, unix.Close(int(req.Fd)))
	}
	return &headerEvents{File: os.NewFile(uintptr(req.Fd), "gpio"), lines: len(pins)}, nil
}

type headerEvents struct {
	*os.File
	lines int
}

func (e *headerEvents) Levels() (uint64, error) {
	raw, err := e.SyscallConn()
	if err != nil {
		return 0, err
	}
	values := uapi.LineValues{Mask: uapi.NewLineBitMask(e.lines)}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = uapi.GetLineValuesV2(fd, &values) }); err != nil {
		return 0, err
	}
	return uint64(values.Bits), inner
}
