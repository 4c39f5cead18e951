package main

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"monban/firmware/image/boot"
)

// alone puts this test into a network of its own with one card, a TAP.
func alone(t *testing.T, name string) (plug, unplug func()) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("NOT TESTED: needs root for a network of its own")
	}
	runtime.LockOSThread() // never given back: this thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("NOT TESTED: no network of its own: %v", err)
	}
	fd := -1
	plug = func() {
		var err error
		if fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
			t.Skipf("NOT TESTED: no card can be made: %v", err)
		}
		r, err := unix.NewIfreq(name)
		if err != nil {
			t.Fatal(err)
		}
		r.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, r); err != nil {
			t.Fatal(err)
		}
	}
	return plug, func() { _ = unix.Close(fd) }
}

// An address that could not be set is tried again, one that was taken away is set again, and a card that comes back has it again.
func TestAddressIsKept(t *testing.T) {
	plug, unplug := alone(t, "eth0")
	var said bytes.Buffer
	m := &machine{out: &journal{console: &said}, cfg: boot.Config{Address: netip.MustParsePrefix("192.0.2.20/24"), Router: netip.MustParseAddr("192.0.2.1")}}
	old := resolv
	resolv = t.TempDir() + "/none/resolv.conf" // cannot be written: configure fails at its end
	defer func() { resolv = old }()
	h := &held{}
	if m.keep("eth0", h) >= 0 {
		t.Fatal("a card that is not there is kept")
	}
	plug()
	for range 3 {
		if wait := m.keep("eth0", h); wait != askAgain || h.set {
			t.Fatalf("an address that is not set counts as set: %+v", h)
		}
	}
	if n := strings.Count(said.String(), "network: "); n != 1 {
		t.Errorf("said %d times: %s", n, said.String())
	}
	resolv = t.TempDir() + "/resolv.conf"
	address := func() string {
		t.Helper()
		if m.keep("eth0", h); !h.set {
			t.Fatalf("not set: %s", said.String())
		}
		card, err := net.InterfaceByName("eth0")
		if err != nil {
			t.Fatal(err)
		}
		all, err := card.Addrs()
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, a := range all {
			if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil {
				out = append(out, a.String())
			}
		}
		return strings.Join(out, " ")
	}
	if got := address(); got != "192.0.2.20/24" {
		t.Errorf("address %q", got)
	}
	if err := configure("eth0", boot.Lease{Address: netip.MustParsePrefix("198.51.100.9/24")}); err != nil {
		t.Fatal(err)
	}
	if got := address(); got != "192.0.2.20/24" {
		t.Errorf("after somebody took it away: %q", got)
	}
	unplug()
	if m.keep("eth0", h) >= 0 {
		t.Error("a card that went away is kept")
	}
	plug()
	h = &held{}
	if got := address(); got != "192.0.2.20/24" {
		t.Errorf("after the card came back: %q", got)
	}
	unplug()
}
