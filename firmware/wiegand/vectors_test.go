package wiegand

import (
	"encoding/json"
	"os"
	"testing"

	"monban/firmware/card"
)

type vectorFile struct {
	Layouts []struct {
		Format card.Format
		Bits   int
		Fields []struct{ Start, Len uint8 }
		Parity []struct {
			Pos    uint8
			Odd    bool
			Covers []uint8
		}
	}
	Vectors []struct {
		Format    card.Format
		Bits      int
		FC, CN    uint64
		Bitstring string
	}
	Keypad struct {
		Burst4, Burst8 map[string]string
		Buffered26     struct {
			Range [2]uint64 `json:"pin_range"`
			Error uint64    `json:"error_value"`
		}
	}
}

func loadVectors(t *testing.T) vectorFile {
	t.Helper()
	data, err := os.ReadFile("testdata/wiegand.json")
	if err != nil {
		t.Fatal(err)
	}
	var f vectorFile
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Layouts) != 11 || len(f.Vectors) != 8 || len(f.Keypad.Burst4) != 12 || len(f.Keypad.Burst8) != 12 {
		t.Fatalf("testdata incomplete: %d layouts, %d vectors", len(f.Layouts), len(f.Vectors))
	}
	return f
}

func mustLookup(t testing.TB, name card.Format) Layout {
	t.Helper()
	l, ok := Lookup(name)
	if !ok {
		t.Fatalf("no format %q", name)
	}
	return l
}

func mustParse(t testing.TB, s string) Frame {
	t.Helper()
	f, err := ParseFrame(s)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// bitString is the clear bits; only tests need them as text.
func bitString(f Frame) string {
	b := make([]byte, f.Len())
	for i := range b {
		b[i] = '0' + f.Bit(i)
	}
	return string(b)
}

// Frames that others have published.
func TestPublishedFrames(t *testing.T) {
	for _, v := range loadVectors(t).Vectors {
		l := mustLookup(t, v.Format)
		f, err := Encode(l, Fields{FC: v.FC, CN: v.CN})
		if err != nil {
			t.Errorf("%s %d-%d: %v", v.Format, v.FC, v.CN, err)
			continue
		}
		if got := bitString(f); got != v.Bitstring {
			t.Errorf("%s %d-%d:\n got  %s\n want %s", v.Format, v.FC, v.CN, got, v.Bitstring)
		}
		c, err := Decode(l, mustParse(t, v.Bitstring))
		if err != nil {
			t.Errorf("%s %d-%d: %v", v.Format, v.FC, v.CN, err)
		}
		if c.FormatName() != v.Format || c.BitLen() != v.Bits {
			t.Errorf("%s: credential of %s with %d bits", v.Format, c.FormatName(), c.BitLen())
		}
	}
}

// Fields, parity bits, what they cover and their order, as listed.
func TestPublishedLayouts(t *testing.T) {
	for _, v := range loadVectors(t).Layouts {
		l := mustLookup(t, v.Format)
		if l.BitLen() != v.Bits {
			t.Errorf("%s: %d bits, want %d", v.Format, l.BitLen(), v.Bits)
		}
		var want []span
		for _, s := range v.Fields {
			want = append(want, span{s.Start, s.Len})
		}
		got := []span{l.fc, l.cn}
		switch v.Format {
		case "C15001":
			got = []span{l.oem, l.fc, l.cn}
		case "S12906":
			got = []span{l.fc, l.issue, l.cn}
		case "H10302":
			got = []span{l.cn}
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s field %d: %v, want %v", v.Format, i, got[i], want[i])
			}
		}
		if len(l.rules) != len(v.Parity) {
			t.Errorf("%s: %d parity bits, want %d", v.Format, len(l.rules), len(v.Parity))
			continue
		}
		for i, p := range v.Parity {
			r := rule{pos: p.Pos, odd: p.Odd}
			r.cover(p.Pos)
			for _, b := range p.Covers {
				r.cover(b)
			}
			if l.rules[i] != r {
				t.Errorf("%s parity bit %d: covers or parity differ", v.Format, p.Pos)
			}
		}
	}
}
