package wiegand

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"monban/firmware/card"

	"pgregory.net/rapid"
)

// All 2^26 frames of 26 bits. A frame is a card exactly when both parity bits are right, counted
// here in another way; a card encodes to the frame it came from, so no two frames are one card; and
// no two accepted frames differ in one bit, so every single-bit error is refused.
func TestEvery26BitFrame(t *testing.T) {
	l := mustLookup(t, "H10301")
	accepted := make([]uint64, 1<<20) // one bit a frame
	for v := range uint64(1 << 26) {
		f := Frame{hi: v << 38, n: 26}
		c, err := Decode(l, f)
		first, last := bits.OnesCount64(v>>13), bits.OnesCount64(v&0x1fff)
		if first%2 != 0 || last%2 != 1 {
			if err != ErrParity || c.Valid() {
				t.Fatalf("%026b: wrong parity gives %v, %v", v, c, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%026b: %v", v, err)
		}
		accepted[v>>6] |= 1 << (v & 63)
		fields := Fields{FC: v >> 17 & 0xff, CN: v >> 1 & 0xffff}
		if back, err := Encode(l, fields); err != nil || back != f {
			t.Fatalf("%026b: encodes to another frame, %v", v, err)
		}
	}
	count := 0
	for i, w := range accepted {
		count += bits.OnesCount64(w)
		for b := range 20 {
			if w&accepted[i^1<<b] != 0 {
				t.Fatalf("two accepted frames differ in one bit")
			}
		}
		for b, mask := range [...]uint64{0x5555555555555555, 0x3333333333333333, 0x0f0f0f0f0f0f0f0f, 0x00ff00ff00ff00ff, 0x0000ffff0000ffff, 0xffffffff} {
			if w>>(1<<b)&w&mask != 0 {
				t.Fatalf("two accepted frames differ in one bit")
			}
		}
	}
	if count != 1<<24 {
		t.Errorf("%d frames are cards, want 2^24", count)
	}
}

func TestDecodeDoesNotAllocate(t *testing.T) {
	l := mustLookup(t, "H10301")
	good := mustParse(t, "10111101100010001110101110")
	bad := mustParse(t, "00111101100010001110101110")
	var failed bool
	if n := testing.AllocsPerRun(100, func() {
		_, err1 := Decode(l, good)
		_, err2 := Decode(l, bad)
		failed = failed || err1 != nil || err2 != ErrParity
	}); n != 0 || failed {
		t.Errorf("%v allocations, failed %v", n, failed)
	}
}

func drawFields(t *rapid.T, l Layout) Fields {
	draw := func(name string, s span) uint64 {
		// Borders more often than chance would have them.
		return rapid.OneOf(rapid.Uint64Range(0, limit(s)), rapid.SampledFrom([]uint64{0, limit(s), limit(s) >> 1})).Draw(t, name)
	}
	v := Fields{draw("fc", l.fc), draw("cn", l.cn), draw("issue", l.issue), draw("oem", l.oem)}
	if l.serial && !identifies(v.CN, l.cn.length) {
		v.CN = 0x04a1b2c3
	}
	if v.OEM == 0 {
		v.OEM = l.oemUsual
	}
	return v
}

// Every format: what is encoded decodes, every field comes back at its place, other fields give
// another card, and a wrong bit under a parity bit or checksum is refused. AD-4
func TestEveryFormat(t *testing.T) {
	for _, l := range Formats() {
		t.Run(string(l.name), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				v := drawFields(t, l)
				f, err := Encode(l, v)
				if err != nil || f.Len() != l.BitLen() {
					t.Fatalf("encode: %d bits, %v", f.Len(), err)
				}
				got := Fields{f.field(l.fc), f.field(l.cn), f.field(l.issue), f.field(l.oem)}
				if l.reversed {
					got.CN = bits.ReverseBytes64(got.CN << (64 - l.cn.length))
				}
				if got != v {
					t.Fatal("fields differ")
				}
				c, err := Decode(l, f)
				if err != nil || c.FormatName() != l.identity {
					t.Fatalf("decode: %v, %v", c, err)
				}
				other := drawFields(t, l)
				g, err := Encode(l, other)
				if err != nil {
					t.Fatal(err)
				}
				d, err := Decode(l, g)
				if err != nil || (c == d) != (v == other) {
					t.Fatalf("same card %v of same fields %v, %v", c == d, v == other, err)
				}
				var covered Frame
				for _, r := range l.rules {
					covered.hi, covered.lo = covered.hi|r.hi, covered.lo|r.lo
				}
				covered.n = l.bits
				for i := range f.Len() {
					wrong := flip(f, i)
					_, err := Decode(l, wrong)
					if covered.Bit(i) == 1 && err != ErrParity {
						t.Fatalf("bit %d wrong: %v", i, err)
					}
					if l.sum && err != ErrChecksum {
						t.Fatalf("bit %d wrong: %v", i, err)
					}
				}
			})
		})
	}
}

func flip(f Frame, i int) Frame {
	if i < 64 {
		f.hi ^= 1 << (63 - i)
	} else {
		f.lo ^= 1 << (127 - i)
	}
	return f
}

// Which bits no parity bit covers is a property of the formats; it must not grow by a slip.
func TestUncoveredBits(t *testing.T) {
	want := map[card.Format]int{"P10004": 37, "P10001": 40, "Casi40": 40, "IR56": 56,
		"uid32": 32, "uid56": 56, "uid64": 64, "uid32-reversed": 32, "uid56-reversed": 56, "uid64-reversed": 64}
	for _, l := range Formats() {
		n := 0
		for _, r := range l.rules {
			if bits.OnesCount64(r.hi)+bits.OnesCount64(r.lo) < 2 {
				t.Errorf("%s: parity bit %d covers nothing", l.name, r.pos)
			}
		}
		for i := range l.bits {
			if !slices.ContainsFunc(l.rules, func(r rule) bool { return r.hi<<i>>63 == 1 || i >= 64 && r.lo<<(i-64)>>63 == 1 }) {
				n++
			}
		}
		if n != want[l.name] {
			t.Errorf("%s: %d bits uncovered, want %d", l.name, n, want[l.name])
		}
	}
}

// The table itself: lengths of hardware that is sold, fields inside the frame and apart from each
// other and from the parity bits.
func TestTable(t *testing.T) {
	lengths := map[card.Format]int{
		"H10301": 26, "Ind26": 26, "ATSW30": 30, "uid32": 32, "D10202": 33, "H10306": 34, "uid34": 34, "C1k35s": 35,
		"C15001": 36, "S12906": 36, "H10302": 37, "H10304": 37, "P10004": 37, "P10001": 40, "Casi40": 40, "Verkada40": 40,
		"H800002": 46, "C1k48s": 48, "Avig56": 56, "IR56": 56, "uid56": 56, "uid58": 58, "uid64": 64, "uid66": 66,
	}
	seen := map[card.Format]bool{}
	for _, l := range Formats() {
		if seen[l.name] || !l.name.Valid() || !l.identity.Valid() {
			t.Errorf("%s: twice or misnamed", l.name)
		}
		seen[l.name] = true
		if want, ok := lengths[l.name]; ok && want != l.BitLen() {
			t.Errorf("%s: %d bits, want %d", l.name, l.BitLen(), want)
		}
		used := map[uint8]string{}
		for name, s := range map[string]span{"fc": l.fc, "cn": l.cn, "issue": l.issue, "oem": l.oem} {
			for i := range s.length {
				if other := used[s.start+i]; other != "" || s.start+i >= l.bits {
					t.Errorf("%s: bit %d of %s is %s's", l.name, s.start+i, name, other)
				}
				used[s.start+i] = name
			}
		}
		for _, r := range l.rules {
			if used[r.pos] != "" || r.pos >= l.bits {
				t.Errorf("%s: parity bit %d is a field's", l.name, r.pos)
			}
			used[r.pos] = "parity"
		}
	}
	for name := range lengths {
		if !seen[name] {
			t.Errorf("%s: missing", name)
		}
	}
	a, b := mustLookup(t, "N10002"), mustLookup(t, "H10306")
	if a.Name() != b.Name() {
		t.Error("N10002 is not H10306")
	}
	if _, ok := Lookup("h10301"); ok {
		t.Error("names are exact")
	}
	if l := mustLookup(t, "H10304"); l.MaxFacility() != 65535 || l.MaxNumber() != 524287 || !l.HasFacility() {
		t.Error("H10304: ranges")
	}
}

func TestEncodeRanges(t *testing.T) {
	for _, l := range Formats() {
		for name, v := range map[string]Fields{"fc": {FC: limit(l.fc) + 1}, "cn": {CN: limit(l.cn) + 1}, "issue": {Issue: limit(l.issue) + 1}, "oem": {OEM: limit(l.oem) + 1}} {
			if v == (Fields{}) { // 64 bits: nothing is too large
				continue
			}
			if f, err := Encode(l, v); !errors.Is(err, ErrRange) || f != (Frame{}) {
				t.Errorf("%s: %s too large: %v", l.name, name, err)
			}
		}
	}
	if _, err := Encode(Layout{}, Fields{}); !errors.Is(err, ErrRange) {
		t.Error(err)
	}
	if _, err := Decode(Layout{}, Frame{}); err != ErrLength { // I9
		t.Error(err)
	}
}

// Keyscan's code is put in when none is given.
func TestUsualOEM(t *testing.T) {
	l := mustLookup(t, "C15001")
	a, err := Encode(l, Fields{FC: 1, CN: 2})
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := Encode(l, Fields{FC: 1, CN: 2, OEM: 900}); a != b || a.field(l.oem) != 900 {
		t.Error("OEM code is not 900")
	}
}

// AD-4: one chip is one card on every reader that sends its serial number, and chips with numbers of
// 4, 7 and 8 bytes never meet.
func TestSerialNumbers(t *testing.T) {
	decode := func(name card.Format, cn uint64) (card.Credential, error) {
		l := mustLookup(t, name)
		f, err := Encode(l, Fields{CN: cn})
		if err != nil {
			t.Fatal(err)
		}
		return Decode(l, f)
	}
	seen := map[card.Credential]int{}
	for i, group := range [][]card.Format{
		{"uid32", "uid34", "uid32-reversed", "uid34-reversed"},
		{"uid56", "uid58", "uid56-reversed", "uid58-reversed"},
		{"uid64", "uid66", "uid64-reversed", "uid66-reversed"},
	} {
		for _, name := range group {
			c, err := decode(name, 0x04a1b2c3)
			if err != nil {
				t.Fatal(name, err)
			}
			if other, ok := seen[c]; ok && other != i {
				t.Errorf("%s collides with another length", name)
			}
			seen[c] = i
		}
	}
	if len(seen) != 3 {
		t.Errorf("%d cards, want 3", len(seen))
	}
	// The bytes as the chip has them, whatever order the reader sends.
	f, _ := Encode(mustLookup(t, "uid32-reversed"), Fields{CN: 0x04a1b2c3})
	if got, want := bitString(f), fmt.Sprintf("%032b", uint64(0xc3b2a104)); got != want {
		t.Errorf("reversed: %s, want %s", got, want)
	}
	for _, cn := range []uint64{0, 0xffffffff, 0x08123456, 0x88041122} {
		if c, err := decode("uid32", cn); err != ErrSerial || c.Valid() {
			t.Errorf("%08x: %v, %v", cn, c, err)
		}
		if c, err := decode("uid34-reversed", cn); err != ErrSerial || c.Valid() {
			t.Errorf("%08x: %v, %v", cn, c, err)
		}
	}
	if _, err := decode("uid56", 0x08123456789abc); err != nil {
		t.Error("only 4-byte numbers are random by their first byte:", err)
	}
	if _, err := decode("uid64", 1<<64-1); err != ErrSerial {
		t.Error(err)
	}
}

// P10001: the byte in front and the checksum are checked.
func TestChecksum(t *testing.T) {
	l := mustLookup(t, "P10001")
	f, err := Encode(l, Fields{FC: 0x123, CN: 0x4567})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := bitString(f), fmt.Sprintf("%040b", uint64(0xf1234567)<<8|(0xf1^0x23^0x45^0x67)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for pos := range l.bits { // any one wrong bit is no card
		text := []byte(bitString(f))
		text[pos] ^= 1
		wrong, err := ParseFrame(string(text))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(l, wrong); err == nil {
			t.Errorf("bit %d inverted is a card", pos)
		}
	}
}

func TestFrames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[01]{1,128}`).Draw(t, "bits")
		f, err := ParseFrame(s)
		if err != nil || bitString(f) != s || f.Len() != len(s) {
			t.Fatalf("%v", err)
		}
		var b [MaxBits / 8]byte
		if g, err := NewFrame(f.packed(&b), f.Len()); err != nil || g != f {
			t.Fatalf("packed: %v", err)
		}
	})
	for _, s := range []string{"", "012", fmt.Sprintf("%0129d", 0)} {
		if f, err := ParseFrame(s); !errors.Is(err, ErrFrame) || f != (Frame{}) {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, tt := range []struct {
		n int
		b []byte
	}{{0, nil}, {-1, nil}, {129, make([]byte, 17)}, {9, []byte{1}}, {7, []byte{1}}} {
		if f, err := NewFrame(tt.b, tt.n); !errors.Is(err, ErrFrame) || f != (Frame{}) {
			t.Errorf("%d bits of %v: %v", tt.n, tt.b, err)
		}
	}
	f := mustParse(t, "101")
	if f.Bit(-1) != 0 || f.Bit(3) != 0 || f.Bit(2) != 1 {
		t.Error("bits outside the frame")
	}
}

// The formats without published frames, held against their description in another way: ones counted
// in the text of encoded frames.
func TestDescribedFormats(t *testing.T) {
	ones := func(s string) int { return strings.Count(s, "1") }
	halves := func(n int) func(string) bool {
		return func(s string) bool { return ones(s[:n])%2 == 0 && ones(s[n:])%2 == 1 }
	}
	for name, tt := range map[card.Format]struct {
		fc, cn span
		parity func(s string) bool
	}{
		"Ind26":   {span{1, 12}, span{13, 12}, halves(13)},
		"ATSW30":  {span{1, 12}, span{13, 16}, halves(13)},
		"H800002": {span{1, 14}, span{15, 30}, func(s string) bool { return ones(s[:45])%2 == 0 && s[0] != s[45] }},
		"Avig56":  {span{1, 20}, span{21, 34}, halves(28)},
		"P10004":  {span{1, 13}, span{14, 18}, nil},
		"P10001":  {span{4, 12}, span{16, 16}, nil},
		"Casi40":  {span{}, span{1, 38}, nil},
		"uid34":   {span{}, span{1, 32}, halves(17)},
		"uid58":   {span{}, span{1, 56}, halves(29)},
		"uid66":   {span{}, span{1, 64}, halves(33)},
		"uid32":   {span{}, span{0, 32}, nil},
		"uid56":   {span{}, span{0, 56}, nil},
		"uid64":   {span{}, span{0, 64}, nil},
	} {
		l := mustLookup(t, name)
		if l.fc != tt.fc || l.cn != tt.cn {
			t.Errorf("%s: fields %v %v", name, l.fc, l.cn)
		}
		if tt.parity == nil {
			if len(l.rules) != 0 {
				t.Errorf("%s has no parity bits", name)
			}
			continue
		}
		rapid.Check(t, func(t *rapid.T) {
			f, err := Encode(l, drawFields(t, l))
			if err != nil || !tt.parity(bitString(f)) {
				t.Fatalf("%s: parity differs from the description, %v", name, err)
			}
		})
	}
}
