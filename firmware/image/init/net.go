package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"monban/firmware/image/boot"
)

const (
	askAgain  = 10 * time.Second // after a DHCP server or a time server did not answer
	answerIn  = 4 * time.Second
	timeEvery = time.Hour
)

var resolv = "/run/resolv.conf" // changed by tests alone

// network brings the network up and keeps it so. The gateway does not wait for it: doors work without.
func (m *machine) network() {
	if err := up("lo"); err != nil {
		m.say("network: %v", err)
	}
	go m.time()
	for {
		name := m.card()
		h := &held{}
		for wait := time.Duration(0); wait >= 0; wait = m.keep(name, h) {
			time.Sleep(wait)
		}
		m.say("network: %s is gone", name)
	}
}

// card waits for the first network card.
func (m *machine) card() string {
	for i := 0; ; i++ {
		all, err := net.Interfaces()
		if err != nil {
			m.say("network: %v", err)
		}
		for _, n := range all {
			if len(n.HardwareAddr) == 6 && !strings.HasPrefix(n.Name, "wlan") {
				return n.Name
			}
		}
		if i == 30 {
			m.say("network: no network card yet")
		}
		time.Sleep(time.Second)
	}
}

// held is what one card has.
type held struct {
	lease boot.Lease // with an address: what was given
	until time.Time  // ask again from here on
	set   bool       // lease stands on the card
	told  string     // the last trouble that was said: each is said once
}

// keep makes one round: up, ask when it is time, set what is not set, which is also what somebody or a USB reset has taken away. It gives the time until the next
// round; negative when the card is gone. While nobody answers the old address stays; whatever fails is tried again.
func (m *machine) keep(name string, h *held) time.Duration {
	card, err := net.InterfaceByName(name)
	if err != nil {
		return -1
	}
	trouble := func(format string, args ...any) time.Duration {
		if text := fmt.Sprintf(format, args...); text != h.told {
			m.say("network: %s", text)
			h.told = text
		}
		return askAgain
	}
	if card.Flags&net.FlagUp == 0 {
		h.set = false
		if err := up(name); err != nil {
			return trouble("%v", err)
		}
	}
	if h.set && !has(card, h.lease.Address) {
		h.set = false
	}
	switch {
	case m.cfg.Address.IsValid():
		h.lease = boot.Lease{Address: m.cfg.Address, Router: m.cfg.Router, DNS: m.cfg.DNS}
	case time.Now().After(h.until):
		next, err := ask(name, m.cfg.Hostname, h.lease)
		if err != nil {
			if wait := trouble("DHCP on %s: %v", name, err); !h.lease.Address.IsValid() {
				return wait
			}
			break // the old one still stands
		}
		h.set = h.set && next.Address == h.lease.Address && next.Router == h.lease.Router
		h.lease, h.until = next, time.Now().Add(next.For/2)
	}
	if h.set {
		return askAgain
	}
	if err := configure(name, h.lease); err != nil {
		return trouble("%v", err)
	}
	h.set, h.told = true, ""
	m.say("network: %s is %s, router %s", name, h.lease.Address, h.lease.Router)
	return askAgain
}

// has reports whether a card has this address.
func has(card *net.Interface, want netip.Prefix) bool {
	all, err := card.Addrs()
	if err != nil {
		return true // not known: nothing is taken away for that
	}
	for _, a := range all {
		if a.String() == want.String() {
			return true
		}
	}
	return false
}

// ask is one round of DHCP. The socket is closed afterwards: nothing listens on this machine.
func ask(name, host string, held boot.Lease) (boot.Lease, error) {
	card, err := net.InterfaceByName(name)
	if err != nil {
		return boot.Lease{}, err
	}
	mac := [6]byte(card.HardwareAddr)
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) {
			err = errors.Join(unix.BindToDevice(int(fd), name), unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_BROADCAST, 1))
		}), err)
	}}
	c, err := lc.ListenPacket(context.Background(), "udp4", "0.0.0.0:68")
	if err != nil {
		return boot.Lease{}, err
	}
	defer func() { _ = c.Close() }()
	var x [4]byte
	if _, err := rand.Read(x[:]); err != nil {
		return boot.Lease{}, err
	}
	xid := binary.BigEndian.Uint32(x[:])
	exchange := func(kind byte, addr, server netip.Addr, want byte) (boot.Lease, error) {
		if _, err := c.WriteTo(boot.DHCPMessage(kind, xid, mac, host, addr, server), &net.UDPAddr{IP: net.IPv4bcast, Port: 67}); err != nil {
			return boot.Lease{}, err
		}
		if err := c.SetReadDeadline(time.Now().Add(answerIn)); err != nil {
			return boot.Lease{}, err
		}
		b := make([]byte, 1500)
		for {
			n, _, err := c.ReadFrom(b)
			if err != nil {
				return boot.Lease{}, errors.New("nobody answers")
			}
			got, l, err := boot.ParseDHCP(b[:n], xid, mac)
			switch {
			case err != nil:
			case got == boot.DHCPNak && want == boot.DHCPAck:
				return boot.Lease{}, errors.New("the server refuses the address")
			case got == want:
				return l, nil
			}
		}
	}
	if held.Address.IsValid() {
		if l, err := exchange(boot.DHCPRequest, held.Address.Addr(), held.Server, boot.DHCPAck); err == nil {
			return l, nil
		}
	}
	offer, err := exchange(boot.DHCPDiscover, netip.Addr{}, netip.Addr{}, boot.DHCPOffer)
	if err != nil {
		return boot.Lease{}, err
	}
	return exchange(boot.DHCPRequest, offer.Address.Addr(), offer.Server, boot.DHCPAck)
}

// up switches a card on.
func up(name string) error {
	return onSocket(func(fd int) error {
		r, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		r.SetUint16(unix.IFF_UP)
		if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r); err != nil {
			return fmt.Errorf("%s up: %w", name, err)
		}
		return nil
	})
}

// configure gives a card its address, the way out and the name servers.
func configure(name string, l boot.Lease) error {
	err := onSocket(func(fd int) error {
		mask := net.CIDRMask(l.Address.Bits(), 32)
		addr := l.Address.Addr().As4()
		for _, s := range []struct {
			what uint
			v    []byte
		}{{unix.SIOCSIFADDR, addr[:]}, {unix.SIOCSIFNETMASK, mask}} {
			r, err := unix.NewIfreq(name)
			if err == nil {
				err = r.SetInet4Addr(s.v)
			}
			if err == nil {
				err = unix.IoctlIfreq(fd, s.what, r)
			}
			if err != nil {
				return fmt.Errorf("address %s of %s: %w", l.Address, name, err)
			}
		}
		return nil
	})
	if err == nil && l.Router.IsValid() {
		err = route(name, l.Router)
	}
	if err == nil {
		err = os.WriteFile(resolv, []byte(boot.Resolv(l.DNS)), 0o644)
	}
	return err
}

// route sets the default route by netlink: the old ioctl wants pointers in a struct.
func route(name string, router netip.Addr) error {
	card, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	b := make([]byte, 16, 44)
	binary.NativeEndian.PutUint16(b[4:], unix.RTM_NEWROUTE)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_CREATE|unix.NLM_F_REPLACE|unix.NLM_F_ACK)
	b = append(b, unix.AF_INET, 0, 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_BOOT, unix.RT_SCOPE_UNIVERSE, unix.RTN_UNICAST, 0, 0, 0, 0)
	a := router.As4()
	attr := func(kind uint16, v []byte) {
		b = binary.NativeEndian.AppendUint16(b, 8)
		b = binary.NativeEndian.AppendUint16(b, kind)
		b = append(b, v...)
	}
	attr(unix.RTA_GATEWAY, a[:])
	attr(unix.RTA_OIF, binary.NativeEndian.AppendUint32(nil, uint32(card.Index)))
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	if err := unix.Sendto(fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("route to %s: %w", router, err)
	}
	reply := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, reply, 0)
	if err != nil || n < 20 {
		return fmt.Errorf("route to %s: no answer: %w", router, err)
	}
	if e := int32(binary.NativeEndian.Uint32(reply[16:])); e != 0 {
		return fmt.Errorf("route to %s: %w", router, syscall.Errno(-e))
	}
	return nil
}

func onSocket(f func(fd int) error) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return errors.Join(f(fd), unix.Close(fd))
}

// time sets the clock by the server's, without calling it synchronised: the gateway trusts the server's signed time only.
func (m *machine) time() {
	if m.cfg.Time == "" {
		return
	}
	for told := false; ; {
		t, err := m.askTime()
		if err != nil {
			if !told {
				m.say("time from %s: %v", m.cfg.Time, err)
			}
			told = true
			time.Sleep(askAgain)
			continue
		}
		told = false
		if d := time.Until(t); d > time.Second || d < -time.Second {
			tv := unix.NsecToTimeval(t.UnixNano())
			if err := unix.Settimeofday(&tv); err != nil {
				m.say("clock: %v", err)
			} else {
				m.say("clock set by %s", d.Round(time.Millisecond))
			}
		}
		time.Sleep(timeEvery)
	}
}

func (m *machine) askTime() (time.Time, error) {
	c, err := net.DialTimeout("udp4", net.JoinHostPort(m.cfg.Time, "123"), answerIn)
	if err != nil {
		return time.Time{}, err
	}
	defer func() { _ = c.Close() }()
	var x [8]byte
	if _, err := rand.Read(x[:]); err != nil {
		return time.Time{}, err
	}
	cookie := binary.BigEndian.Uint64(x[:])
	sent := time.Now()
	b := make([]byte, 512)
	n := 0
	if err = c.SetDeadline(sent.Add(answerIn)); err == nil {
		if _, err = c.Write(boot.NTPQuestion(cookie)); err == nil {
			n, err = c.Read(b)
		}
	}
	if err != nil {
		return time.Time{}, err
	}
	t, err := boot.ParseNTP(b[:n], cookie, m.made)
	return t.Add(time.Since(sent) / 2), err
}
