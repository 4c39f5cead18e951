package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"monban/gateway/config"
	"monban/gateway/hal/pi"
)

const (
	slowDisk    = time.Second // a grant waits for its record for durable_wait, 2 s by default
	leastFree   = 64 << 20    // bytes
	linkPatient = 5 * time.Second
	warnDays    = 30
)

// DoctorMachine checks the machine and what is wired to it, while the gateway does not run: disk, certificate, link,
// watchdog, and the board profile's chip, lines, buses and readers. x gives what the hardware is reached with; its
// Profile, Key and Now are filled in. A configuration that does not load gives no line: Doctor has said so.
func DoctorMachine(ctx context.Context, path string, x pi.Inspection) []Check {
	cfg, err := config.Load(path)
	if err != nil {
		return nil
	}
	checks := []Check{checkDisk(cfg.DataDir)}
	if id, err := LoadIdentity(cfg.IdentityDir); err == nil { // else Doctor has said so
		checks = append(checks, checkCertificate(id.TLS, cfg.EnrolServer, time.Now()), checkLink(ctx, id.TLS, cfg.Server))
	}
	return append(checks, checkHardware(ctx, cfg, x)...)
}

// checkDisk writes, syncs and deletes one block where records will be written.
func checkDisk(dir string) Check {
	c := Check{Name: "disk of " + dir}
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		dir = filepath.Dir(dir) // the first start makes it there
	}
	var st unix.Statfs_t
	if c.Err = unix.Statfs(dir, &st); c.Err != nil {
		return c
	}
	free := st.Bavail * uint64(st.Bsize)
	began := time.Now()
	if c.Err = syncBlock(filepath.Join(dir, "doctor.tmp")); c.Err != nil {
		c.Err = fmt.Errorf("nothing can be stored: %w; without records no door opens for a card", c.Err)
		return c
	}
	took := time.Since(began)
	c.Note = fmt.Sprintf(": %d MiB free, a record is on it in %d ms", free>>20, took.Milliseconds())
	switch {
	case free < leastFree:
		c.Err = fmt.Errorf("only %d MiB are free: make room, or doors will deny when it is full", free>>20)
	case took > slowDisk:
		c.Err = fmt.Errorf("one record took %v: the card is worn out or too slow, exchange it; people would wait at the door", took.Round(time.Millisecond))
	}
	return c
}

func syncBlock(path string) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(path)) }()
	_, err = f.Write(make([]byte, 4096))
	return errors.Join(err, f.Sync(), f.Close())
}

// checkCertificate counts the days. A certificate that is renewed by itself is late when a quarter of its life is left.
func checkCertificate(c *tls.Config, enrol string, now time.Time) Check {
	k := Check{Name: "certificate"}
	leaf, err := x509.ParseCertificate(c.Certificates[0].Certificate[0])
	if err != nil {
		k.Err = err
		return k
	}
	left := leaf.NotAfter.Sub(now)
	days := int(left / (24 * time.Hour))
	k.Note = fmt.Sprintf(": %d days left, until %s", days, leaf.NotAfter.Format(time.DateOnly))
	late := certificateLate(leaf.NotAfter.Sub(leaf.NotBefore))
	what := "it is renewed by itself when the gateway runs and reaches " + enrol + ": see that it does"
	if enrol == "" {
		what = "set enrol_server, or repeat `monban-server gateway add` into a new folder"
	}
	switch {
	case now.Before(leaf.NotBefore):
		k.Err = fmt.Errorf("begins only on %s: is the clock right (%s)?", leaf.NotBefore.Format(time.DateOnly), now.Format(time.DateOnly))
	case left <= 0:
		k.Err = fmt.Errorf("ended on %s (if the clock is right: %s): make a new identity with a code from the server", leaf.NotAfter.Format(time.DateOnly), now.Format(time.DateOnly))
	case left < late:
		k.Err = fmt.Errorf("ends in %d days: %s", days, what)
	}
	return k
}

// certificateLate is how much of a certificate's life may be left before somebody has to see to it.
func certificateLate(life time.Duration) time.Duration { return min(warnDays*24*time.Hour, life/4) }

// checkLink shakes hands with the broker as the gateway would.
func checkLink(ctx context.Context, c *tls.Config, server string) Check {
	k := Check{Name: "link to " + server}
	address := strings.TrimPrefix(server, "tls://")
	ctx, cancel := context.WithTimeout(ctx, linkPatient)
	defer cancel()
	began := time.Now()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		k.Err = fmt.Errorf("%w: check cable, address, port and firewall; is the server running?", err)
		return k
	}
	defer conn.Close()
	own := c.Clone()
	own.ServerName, _, _ = net.SplitHostPort(address)
	if err := tls.Client(conn, own).HandshakeContext(ctx); err != nil {
		k.Err = fmt.Errorf("%w: is it our server, are both clocks right, is the certificate in force?", err)
		return k
	}
	k.Note = fmt.Sprintf(": answers in %d ms", time.Since(began).Milliseconds())
	return k
}

// checkHardware looks at what the board profile wires.
func checkHardware(ctx context.Context, cfg config.Config, x pi.Inspection) (checks []Check) {
	if d := cfg.Watchdog.Device; d != "" {
		checks = append(checks, Check{Name: "watchdog " + d, Err: pi.Device(x.Root, d, "watchdog")})
	}
	if cfg.Profile == nil {
		return append(checks, Check{Name: "hardware", Note: ": no board profile, so only --sim runs"})
	}
	if cfg.Profile.I2C { // a clock that is kept over a power cut is on that bus, or in a Pi 5
		k := Check{Name: "battery clock", Note: ": /dev/rtc0"}
		if _, err := os.Stat(filepath.Join(x.Root, "/dev/rtc0")); err != nil {
			k.Note = ": none; after a power cut without network local decisions wait for the server's time"
		}
		checks = append(checks, k)
	}
	a, err := newAnchor(kernelClock())
	if err != nil {
		return append(checks, Check{Name: "clock", Err: err})
	}
	x.Profile, x.Now = cfg.Profile, a.now
	x.Key = func(door, side string) (pi.ReaderKey, error) { return loadReaderKey(cfg.IdentityDir, door, side) }
	for _, f := range x.Run(ctx) {
		k := Check{Name: f.Name, Err: f.Err}
		if f.Note != "" {
			k.Note = ": " + f.Note
		}
		checks = append(checks, k)
	}
	return checks
}
