package osdp

import (
	"bytes"
	"testing"
)

// Whatever bytes come, frames come apart within their bounds, and what is built again is what was read.
func FuzzParseFrame(f *testing.F) {
	f.Add([]byte{0x53, 0, 8, 0, 4, 0x60, 0xeb, 0xaa})
	f.Add([]byte{0x53, 0x80, 10, 0, 4, 0x48, 0, 1, 0x0f, 0xa1})
	f.Add([]byte{0xFF, 0x53, 0x53, 0, 9, 0, 12, 2, 0x15, 0x60})
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Scanner
		for len(b) > 0 {
			n := min(len(b), 7)
			s.Feed(b[:n])
			b = b[n:]
			for {
				x, ok := s.Next()
				if !ok {
					break
				}
				if x.SCB == 0 && x.CRC {
					again := AppendFrame(nil, &x)
					y, m, err := ParseFrame(again[1:], DefaultMaxFrame)
					if err != nil || m != len(again)-1 || y.Code != x.Code || !bytes.Equal(y.Data, x.Data) {
						t.Errorf("%x reads again as %+v, %v", again, y, err)
					}
				}
			}
		}
	})
}

// Whatever a reader says, no answer panics and no unreadable one is a card or a key.
func FuzzParseReply(f *testing.F) {
	f.Add(byte(repRaw), []byte{0, 0, 26, 0, 1, 2, 3, 0})
	f.Add(byte(repKeypad), []byte{0, 3, '1', 0x7F, 0x0D})
	f.Add(byte(repCap), []byte{9, 1, 0, 10, 0, 2})
	f.Add(byte(repID), make([]byte, 12))
	f.Fuzz(func(t *testing.T, code byte, data []byte) {
		_, _ = parseIdentity(data)
		_, _ = parseCapabilities(data)
		_, _, _ = parseLocal(data)
		if keys, err := parseKeypad(data); err == nil && len(keys) != len(data)-2 {
			t.Errorf("%d keys of %d bytes", len(keys), len(data))
		}
		if x, err := parseRaw(data); err == nil && x.Len() != int(data[2])|int(data[3])<<8 {
			t.Errorf("%d bits", x.Len())
		}
		k := Key{1}
		b, err := NewBus(0, Config{Baud: 9600, Readers: []Reader{{Name: "r", Key: &k}}}, func() [8]byte { return [8]byte{} })
		if err != nil {
			t.Fatal(err)
		}
		now := b.Next()
		b.Tick(now)
		reply := Frame{Reply: true, Code: code, Data: data}
		if reply.size() > DefaultMaxFrame {
			return
		}
		for range 8 {
			for _, a := range b.Receive(now, AppendFrame(nil, &reply)) {
				if a.Event != nil && (a.Event.Kind == EventCard || a.Event.Kind == EventKeys || a.Event.Kind == EventOnline) {
					t.Errorf("%s from a reader that proved nothing", a.Event.Kind)
				}
			}
			now = max(now, b.Next())
			b.Tick(now)
			reply.Seq = (reply.Seq + 1) % 4
		}
	})
}
