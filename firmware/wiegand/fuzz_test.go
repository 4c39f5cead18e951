package wiegand

import (
	"encoding/binary"
	"testing"

	"monban/firmware/card"
)

// FuzzDecode gives every format and a few readers arbitrary frames: what is accepted encodes back to
// the same frame, nothing panics.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{0xbd, 0x88, 0xeb, 0x80}, uint8(26))
	f.Add([]byte{0xf0}, uint8(8))
	f.Add([]byte{0x04, 0xa1, 0xb2, 0xc3}, uint8(32))
	sets := []Set{
		mustSet(f, "burst4", "H10301", "uid32", "C1k35s"), mustSet(f, "burst8", "Ind26", "uid34-reversed"), mustSet(f, "buffered26:7", "H10301", "uid64"),
	}
	layouts := Formats()
	f.Fuzz(func(t *testing.T, packed []byte, n uint8) {
		frame, err := NewFrame(packed, int(n))
		if err != nil {
			if frame != (Frame{}) {
				t.Fatal("a refused frame has bits")
			}
			return
		}
		for _, l := range layouts {
			c, err := Decode(l, frame)
			if c.Valid() != (err == nil) {
				t.Fatalf("%s: card %v, %v", l.name, c.Valid(), err)
			}
			if err != nil {
				continue
			}
			v := Fields{frame.field(l.fc), frame.field(l.cn), frame.field(l.issue), frame.field(l.oem)}
			if l.serial {
				v.CN = l.order(v.CN)
			}
			back, err := Encode(l, v)
			// P10004 and Casi40 have bits outside every field; a Keyscan code of 0 has no encoding.
			loose := l.name == "P10004" || l.name == "Casi40" || l.oemUsual != 0 && v.OEM == 0
			if !loose && (err != nil || back != frame) {
				t.Fatalf("%s: does not encode back, %v", l.name, err)
			}
		}
		for _, s := range sets {
			r, err := s.Decode(frame)
			kinds := 0
			if r.Card.Valid() {
				kinds++
			}
			if r.Key.Valid() {
				kinds++
			}
			if r.PIN.Len() > 0 {
				kinds++
			}
			if err == nil && (kinds != 1 || r.Kind == ResultNone) || err != nil && (kinds != 0 || r != Result{}) {
				t.Fatalf("%d results, %v", kinds, err)
			}
		}
	})
}

// FuzzAssemble feeds arbitrary edges and flushes, 13 bytes each. Whatever comes, a train has 1–128
// bits, spans its stamps, and was fed bit by bit: as many edges as bits at least.
func FuzzAssemble(f *testing.F) {
	f.Add(edgeBytes(Edge{0, 30 * ms, 1}, Edge{1, 32 * ms, 2}, Edge{2, 80 * ms, 3}, Edge{0, 79 * ms, 9}))
	f.Add(edgeBytes(Edge{1, -1 << 63, 0xffffffff}, Edge{0, 1<<63 - 1, 0}, Edge{0, 0, 1}))
	f.Fuzz(func(t *testing.T, data []byte) {
		var a Assembler
		fed, taken := 0, 0
		note := func(ev Event, ok bool) {
			switch {
			case !ok && ev != (Event{}):
				t.Fatal("no event, but one")
			case ok && ev.Drop == DropNone:
				taken += ev.Frame.Len()
				if n := ev.Frame.Len(); n < 1 || n > MaxBits || ev.End < ev.Start || ev.End-ev.Start < int64(n-1)*int64(MinInterval) {
					t.Fatalf("%d bits from %d to %d", n, ev.Start, ev.End)
				}
			case ok && ev.Frame != Frame{}:
				t.Fatal("a dropped train has bits")
			}
			if taken > fed {
				t.Fatalf("%d bits of %d edges", taken, fed)
			}
		}
		for ; len(data) >= 13; data = data[13:] {
			at := int64(binary.BigEndian.Uint64(data[1:]))
			if data[0]&3 == 3 {
				note(a.Flush(at))
				continue
			}
			fed++
			note(a.Add(Edge{data[0] & 3, at, binary.BigEndian.Uint32(data[9:])}))
		}
	})
}

func edgeBytes(edges ...Edge) []byte {
	var b []byte
	for _, e := range edges {
		b = append(b, e.Line)
		b = binary.BigEndian.AppendUint64(b, uint64(e.At))
		b = binary.BigEndian.AppendUint32(b, e.Seqno)
	}
	return b
}

// FuzzPINEntry presses arbitrary keys at arbitrary times, 9 bytes each: what is taken is 1–12 digits,
// only after PINDone, and nothing stays behind.
func FuzzPINEntry(f *testing.F) {
	press := func(keys string) []byte {
		var b []byte
		for i, k := range keys {
			b = append(binary.BigEndian.AppendUint64(b, uint64(i)), byte(k))
		}
		return b
	}
	f.Add(press("1234#"))
	f.Add(press("1*22222222222222#3#"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var e PINEntry
		for ; len(data) >= 9; data = data[9:] {
			status := e.Press(int64(binary.BigEndian.Uint64(data)), Key(data[8]))
			if status != PINDone {
				continue
			}
			taken := false
			e.Take(func(d []byte) {
				taken = true
				if len(d) < 1 || len(d) > MaxPINDigits {
					t.Fatalf("%d digits", len(d))
				}
				for _, b := range d {
					if b < '0' || b > '9' {
						t.Fatal("not a digit")
					}
				}
			})
			if !taken || e != (PINEntry{}) {
				t.Fatal("digits not taken or left behind")
			}
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	l := mustLookup(b, "H10301")
	f := mustParse(b, "10111101100010001110101110")
	b.ReportAllocs()
	var c card.Credential
	for b.Loop() {
		c, _ = Decode(l, f)
	}
	_ = c
}
