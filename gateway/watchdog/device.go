package watchdog

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Limits of the device's timeout. Below the lower one a slow SD card would reset a healthy gateway; a Raspberry Pi's
// watchdog knows at most 15 s.
const (
	MinTimeout = 10 * time.Second
	MaxTimeout = time.Minute
)

// Device is the hardware watchdog: /dev/watchdog. From Open on the machine is reset when it is not fed in time.
type Device struct {
	f io.WriteCloser
}

var _ Feeder = (*Device)(nil)

// Open arms the watchdog at path with a timeout, whole seconds between MinTimeout and MaxTimeout. A device that will
// not take the timeout is disarmed again and refused: nobody would know when it bites.
func Open(path string, timeout time.Duration) (*Device, error) {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("watchdog: %w; enable it (dtparam=watchdog=on), let no other program hold it (RuntimeWatchdogSec of systemd), and let this user write it", err)
	}
	d := &Device{f}
	// Linux copies the timeout in and the one that is in force out.
	if err := unix.IoctlSetPointerInt(int(f.Fd()), unix.WDIOC_SETTIMEOUT, int(timeout/time.Second)); err != nil {
		return nil, errors.Join(fmt.Errorf("watchdog %s: refuses a timeout of %v: %w; a Raspberry Pi's takes at most 15 s", path, timeout, err), d.Disarm())
	}
	return d, nil
}

// Feed implements Feeder.
func (d *Device) Feed() error {
	if _, err := d.f.Write([]byte{0}); err != nil {
		return fmt.Errorf("feed the watchdog: %w", err)
	}
	return nil
}

// Disarm is for a deliberate stop with every lock secured: the machine goes on without a gateway.
func (d *Device) Disarm() error {
	if _, err := d.f.Write([]byte("V")); err != nil {
		return errors.Join(fmt.Errorf("disarm the watchdog: %w; the machine is reset soon", err), d.f.Close())
	}
	return d.Leave()
}

// Leave closes the device and leaves it armed, for a process that ends because something failed: if nothing takes its
// place in time the machine is reset.
func (d *Device) Leave() error { return d.f.Close() }
