package osdp

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func load(t testing.TB, name string, into any) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatal(err)
	}
}

// AD-4: the known answers of the standard's annex E: CRC, checksum, the key schedule and both cryptograms.
func TestAnnexE(t *testing.T) {
	var v struct {
		Raw struct {
			Vectors []struct {
				Msg string `json:"msg"`
				CRC string `json:"crc_wire"`
			} `json:"vectors"`
		} `json:"crc16"`
		Sum struct {
			Vectors []struct {
				Msg string `json:"msg"`
				Sum string `json:"checksum"`
			} `json:"vectors"`
		} `json:"checksum"`
		SC map[string]json.RawMessage `json:"secure_channel"`
	}
	load(t, "annex_e.json", &v)
	for _, c := range v.Raw.Vectors {
		got := crc16(unhex(t, c.Msg))
		if want := unhex(t, c.CRC); byte(got) != want[0] || byte(got>>8) != want[1] {
			t.Errorf("CRC of %s is %04x, want %s on the wire", c.Msg, got, c.CRC)
		}
	}
	for _, c := range v.Sum.Vectors {
		if got, want := checksum(unhex(t, c.Msg)), unhex(t, c.Sum)[0]; got != want {
			t.Errorf("checksum of %s is %02x, want %02x", c.Msg, got, want)
		}
	}
	if len(v.Raw.Vectors) == 0 || len(v.Sum.Vectors) == 0 {
		t.Fatal("no vectors")
	}
	get := func(name string) []byte {
		var s string
		if err := json.Unmarshal(v.SC[name], &s); err != nil {
			t.Fatal(name, err)
		}
		return unhex(t, s)
	}
	if k := pairingOnlyKey(); !bytes.Equal(k[:], get("scbk_d")) {
		t.Error("the pairing key is not SCBK-D")
	}
	var a, b [8]byte
	copy(a[:], get("rnd_a_cp"))
	copy(b[:], get("rnd_b_pd"))
	s := newSession(pairingOnlyKey(), a)
	for name, key := range map[string]interface{ Encrypt(dst, src []byte) }{"s_enc": s.enc, "s_mac1": s.mac1, "s_mac2": s.mac2} {
		got, want := make([]byte, 16), make([]byte, 16)
		key.Encrypt(got, got)
		block([16]byte(get(name))).Encrypt(want, want)
		if !bytes.Equal(got, want) {
			t.Errorf("%s is another key", name)
		}
	}
	if got := s.clientCryptogram(a, b); !bytes.Equal(got[:], get("client_cryptogram_pd")) {
		t.Errorf("client cryptogram %x", got)
	}
	server := s.serverCryptogram(a, b)
	if !bytes.Equal(server[:], get("server_cryptogram_cp")) {
		t.Errorf("server cryptogram %x", server)
	}
	if got := s.initialMAC(server); !bytes.Equal(got[:], get("rmac_i")) {
		t.Errorf("initial R-MAC %x", got)
	}
}

// Frames captured from real devices come apart as their owners describe them, and are built again byte for byte.
func TestCapturedFrames(t *testing.T) {
	var v struct {
		Frames []struct {
			Hex   string
			Addr  byte
			Reply bool
			Seq   byte
			CRC16 bool `json:"crc16"`
			SCB   bool
			Code  string
			Data  string
		}
	}
	load(t, "capture.json", &v)
	if len(v.Frames) == 0 {
		t.Fatal("no frames")
	}
	for _, c := range v.Frames {
		raw := unhex(t, c.Hex)
		f, n, err := ParseFrame(raw, DefaultMaxFrame)
		if err != nil || n != len(raw) {
			t.Errorf("%s: %v, %d bytes", c.Hex, err, n)
			continue
		}
		if f.Addr != c.Addr || f.Reply != c.Reply || f.Seq != c.Seq || f.CRC != c.CRC16 || (f.SCB != 0) != c.SCB ||
			f.Code != unhex(t, c.Code)[0] || !bytes.Equal(f.Data, unhex(t, c.Data)) {
			t.Errorf("%s reads as %+v", c.Hex, f)
		}
		if got := AppendFrame(nil, &f); !bytes.Equal(got[1:], raw) || got[0] != mark {
			t.Errorf("built again: %x, want %s", got, c.Hex)
		}
		for bit := range len(raw) * 8 {
			bad := bytes.Clone(raw)
			bad[bit/8] ^= 1 << (bit % 8)
			if _, _, err := ParseFrame(bad, DefaultMaxFrame); err == nil {
				t.Errorf("%s with bit %d turned is taken", c.Hex, bit)
			}
		}
	}
}
