package boot

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"
)

// Lease is what a DHCP server gives.
type Lease struct {
	Address netip.Prefix
	Router  netip.Addr // invalid = none
	DNS     []netip.Addr
	Server  netip.Addr
	For     time.Duration
}

// Kinds of DHCP messages.
const (
	DHCPDiscover = 1
	DHCPOffer    = 2
	DHCPRequest  = 3
	DHCPAck      = 5
	DHCPNak      = 6
)

const (
	dhcpHead   = 236
	dhcpCookie = 0x63825363
	leaseLeast = time.Minute
	leaseMost  = 7 * 24 * time.Hour
)

// DHCPMessage makes a message of a client with one Ethernet address. offer is asked for when it is valid; server is named then.
func DHCPMessage(kind byte, xid uint32, mac [6]byte, host string, offer, server netip.Addr) []byte {
	b := make([]byte, dhcpHead, 548)
	b[0], b[1], b[2] = 1, 1, 6
	binary.BigEndian.PutUint32(b[4:], xid)
	b[10] = 0x80 // answers by broadcast: this machine has no address yet
	copy(b[28:], mac[:])
	b = binary.BigEndian.AppendUint32(b, dhcpCookie)
	b = append(b, 53, 1, kind)
	if offer.Is4() {
		a := offer.As4()
		b = append(append(b, 50, 4), a[:]...)
	}
	if server.Is4() {
		a := server.As4()
		b = append(append(b, 54, 4), a[:]...)
	}
	b = append(append(b, 12, byte(len(host))), host...)
	b = append(b, 55, 4, 1, 3, 6, 51, 255)
	return append(b, make([]byte, max(0, 300-len(b)))...)
}

// ParseDHCP reads an answer; one to another question is an error.
func ParseDHCP(b []byte, xid uint32, mac [6]byte) (kind byte, l Lease, err error) {
	bad := errors.New("no DHCP answer to us")
	if len(b) < dhcpHead+4 || b[0] != 2 || binary.BigEndian.Uint32(b[4:]) != xid || [6]byte(b[28:34]) != mac || binary.BigEndian.Uint32(b[dhcpHead:]) != dhcpCookie {
		return 0, l, bad
	}
	addr, mask := netip.AddrFrom4([4]byte(b[16:20])), -1
	for o := b[dhcpHead+4:]; len(o) > 0 && o[0] != 255; {
		if o[0] == 0 {
			o = o[1:]
			continue
		}
		if len(o) < 2 || len(o) < 2+int(o[1]) {
			return 0, l, bad
		}
		code, v := o[0], o[2:2+int(o[1])]
		o = o[2+int(o[1]):]
		switch {
		case code == 53 && len(v) == 1:
			kind = v[0]
		case code == 1 && len(v) == 4:
			m := binary.BigEndian.Uint32(v)
			for mask = 0; mask < 32 && m&(1<<(31-mask)) != 0; mask++ {
			}
		case code == 3 && len(v) >= 4:
			l.Router = netip.AddrFrom4([4]byte(v[:4]))
		case code == 6 && len(v)%4 == 0:
			for ; len(v) > 0; v = v[4:] {
				l.DNS = append(l.DNS, netip.AddrFrom4([4]byte(v[:4])))
			}
		case code == 54 && len(v) == 4:
			l.Server = netip.AddrFrom4([4]byte(v))
		case code == 51 && len(v) == 4:
			l.For = time.Duration(binary.BigEndian.Uint32(v)) * time.Second
		}
	}
	if kind == DHCPNak {
		return kind, Lease{}, nil
	}
	if kind != DHCPOffer && kind != DHCPAck || mask < 1 || addr.IsUnspecified() || !l.Server.IsValid() {
		return 0, Lease{}, bad
	}
	l.Address, l.For = netip.PrefixFrom(addr, mask), min(max(l.For, leaseLeast), leaseMost)
	if l.Router.IsValid() && !l.Address.Contains(l.Router) {
		l.Router = netip.Addr{} // it could not be reached
	}
	return kind, l, nil
}
