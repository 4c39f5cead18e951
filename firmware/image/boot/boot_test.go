package boot

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	got, err := Parse("\ufeff# 機械室\r\nhostname = gw-1\r\nnetwork = 192.0.2.20/24 # fixed\nrouter=192.0.2.1\ndns = 192.0.2.2, 192.0.2.3\ntime = 192.0.2.10\nenrol_server = s:8884\ngateway = gw-1\ncode = AAAA-BBBB\npair = new\ncommission = server-room\n")
	want := Config{Hostname: "gw-1", Address: netip.MustParsePrefix("192.0.2.20/24"), Router: netip.MustParseAddr("192.0.2.1"),
		DNS: []netip.Addr{netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")}, Time: "192.0.2.10", Server: "s:8884", Gateway: "gw-1", Code: "AAAA-BBBB",
		PairNew: true, Commission: "server-room"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err = Parse("network = dhcp"); err != nil || got.Address.IsValid() {
		t.Errorf("%+v, %v", got, err)
	}
	for name, text := range map[string]string{
		"nothing": "", "no network": "hostname = a", "misspelt": "network = dhcp\nhostnam = a", "no value": "network =", "no key": "dhcp", "twice": "network = dhcp\nnetwork = dhcp",
		"a name of two words": "network = dhcp\nhostname = a b", "no prefix": "network = 192.0.2.20", "IPv6": "network = 2001:db8::1/64", "a router elsewhere": "network = 192.0.2.20/24\nrouter = 198.51.100.1",
		"a router with DHCP": "network = dhcp\nrouter = 192.0.2.1", "no such router": "network = 192.0.2.20/24\nrouter = x", "no such dns": "network = 192.0.2.20/24\ndns = x", "a code alone": "network = dhcp\ncode = A",
		"pair what": "network = dhcp\npair = all", "no door": "network = dhcp\ncommission = --sim",
	} {
		if _, err := Parse(text); err == nil || !strings.HasPrefix(err.Error(), "monban.txt: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Parse("network = dhcp\ncod = SECRETSECRET"); err == nil || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("the error holds a code: %v", err)
	}
}

func TestDevice(t *testing.T) {
	for name, want := range map[string]bool{"gpiochip0": true, "i2c-1": true, "spidev0.0": true, "ttyUSB3": true, "input/event0": true, "watchdog": true,
		"mem": false, "mmcblk0": false, "gpiochip": false, "i2c-1/../mem": false, "tty1": false, "ttySx": false, "input/mice": false} {
		if Device(name) != want {
			t.Errorf("%s: %t", name, !want)
		}
	}
}

var mac = [6]byte{2, 0, 0, 0, 0, 1}

// answer is a server's, made from the question.
func answer(question []byte, kind byte, options ...byte) []byte {
	b := make([]byte, dhcpHead+4)
	copy(b, question[:dhcpHead+4])
	b[0] = 2
	copy(b[16:], []byte{192, 0, 2, 77})
	return append(append(append(b, 53, 1, kind), options...), 255)
}

func TestDHCP(t *testing.T) {
	q := DHCPMessage(DHCPDiscover, 7, mac, "gw-1", netip.Addr{}, netip.Addr{})
	if len(q) < 300 || !strings.Contains(string(q), "gw-1") {
		t.Errorf("question of %d bytes", len(q))
	}
	good := []byte{1, 4, 255, 255, 255, 0, 3, 4, 192, 0, 2, 1, 0, 0, 6, 8, 192, 0, 2, 2, 192, 0, 2, 3, 54, 4, 192, 0, 2, 1, 51, 4, 0, 0, 14, 16, 99, 2, 1, 1}
	kind, l, err := ParseDHCP(answer(q, DHCPAck, good...), 7, mac)
	if err != nil || kind != DHCPAck || l.Address.String() != "192.0.2.77/24" || l.Router.String() != "192.0.2.1" || len(l.DNS) != 2 || l.For != time.Hour {
		t.Errorf("%d, %+v, %v", kind, l, err)
	}
	r := DHCPMessage(DHCPRequest, 7, mac, "gw-1", l.Address.Addr(), l.Server)
	if !strings.Contains(string(r), string([]byte{50, 4, 192, 0, 2, 77, 54, 4, 192, 0, 2, 1})) {
		t.Error("the request does not name what it asks for")
	}
	if kind, _, err := ParseDHCP(answer(q, DHCPNak), 7, mac); err != nil || kind != DHCPNak {
		t.Errorf("%d, %v", kind, err)
	}
	whole := answer(q, DHCPAck, good...)
	for i := range len(whole) - 1 {
		if _, l, err := ParseDHCP(whole[:i], 7, mac); err == nil && !l.Address.IsValid() {
			t.Errorf("cut after %d bytes: %+v", i, l)
		}
	}
	for name, b := range map[string][]byte{"no mask": answer(q, DHCPAck, 54, 4, 192, 0, 2, 1), "no server": answer(q, DHCPAck, 1, 4, 255, 255, 255, 0), "a question": q, "of no kind": answer(q, 9, good...),
		"an option that is too long": answer(q, DHCPAck, append(append([]byte{}, good...), 3, 200)...)[:dhcpHead+4+3+len(good)+2]} {
		if _, _, err := ParseDHCP(b, 7, mac); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, _, err := ParseDHCP(whole, 8, mac); err == nil {
		t.Error("an answer to another question was taken")
	}
	if _, _, err := ParseDHCP(whole, 7, [6]byte{2}); err == nil {
		t.Error("an answer to another machine was taken")
	}
}

// Whatever is answered, nothing panics and no address without a network is taken.
func TestDHCPNoise(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	good := answer(DHCPMessage(DHCPDiscover, 7, mac, "a", netip.Addr{}, netip.Addr{}), DHCPAck, 1, 4, 255, 0, 0, 0, 54, 4, 192, 0, 2, 1, 6, 4, 192, 0, 2, 2)
	for range 200_000 {
		b := append([]byte{}, good...)
		for range 1 + rng.IntN(4) {
			b[dhcpHead+4+rng.IntN(len(b)-dhcpHead-4)] = byte(rng.Uint32())
		}
		kind, l, err := ParseDHCP(b[:len(b)-rng.IntN(4)], 7, mac)
		if err == nil && kind != DHCPNak && (!l.Address.IsValid() || l.Address.Bits() < 1 || l.For < leaseLeast) {
			t.Fatalf("%x: %+v", b, l)
		}
	}
}

func TestNTP(t *testing.T) {
	made := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	reply := func(change func([]byte)) []byte {
		b := NTPQuestion(42)
		copy(b[24:32], b[40:48])
		b[0], b[1] = 4<<3|4, 2
		binary.BigEndian.PutUint32(b[40:], uint32(made.Unix()+60+ntpEpoch))
		binary.BigEndian.PutUint32(b[44:], 1<<31)
		change(b)
		return b
	}
	got, err := ParseNTP(reply(func([]byte) {}), 42, made)
	if err != nil || !got.Equal(made.Add(60*time.Second+500*time.Millisecond)) {
		t.Errorf("%s, %v", got, err)
	}
	later := time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
	if got, err := ParseNTP(reply(func(b []byte) { binary.BigEndian.PutUint32(b[40:], uint32((later.Unix()+ntpEpoch)&0xffffffff)) }), 42, made); err != nil || got.Unix() != later.Unix() {
		t.Errorf("after 2036: %s, %v", got, err)
	}
	for name, change := range map[string]func([]byte){
		"another question": func(b []byte) { b[31] = 1 }, "a client": func(b []byte) { b[0] = 4<<3 | 3 }, "not synchronised": func(b []byte) { b[0] |= 3 << 6 }, "kiss of death": func(b []byte) { b[1] = 0 },
		"before this image": func(b []byte) { binary.BigEndian.PutUint32(b[40:], uint32(made.Unix()-1+ntpEpoch)) },
		"in 60 years": func(b []byte) {
			binary.BigEndian.PutUint32(b[40:], uint32((made.AddDate(60, 0, 0).Unix()+ntpEpoch)&0xffffffff))
		},
	} {
		if _, err := ParseNTP(reply(change), 42, made); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := ParseNTP(nil, 42, made); err == nil {
		t.Error("nothing was taken")
	}
}
