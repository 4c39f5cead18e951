package pn532

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

// AD-4: frames of the user manual, byte for byte.
func TestFrames(t *testing.T) {
	for _, row := range []struct{ got, want []byte }{
		{AppendCommand(nil, CmdFirmware), []byte{0, 0, 0xFF, 2, 0xFE, 0xD4, 2, 0x2A, 0}},
		{AppendCommand(nil, SAM()[0], SAM()[1:]...), []byte{0, 0, 0xFF, 5, 0xFB, 0xD4, 0x14, 1, 0x14, 1, 2, 0}},
		{AppendCommand(nil, ListA()[0], ListA()[1:]...), []byte{0, 0, 0xFF, 4, 0xFC, 0xD4, 0x4A, 2, 0, 0xE0, 0}},
		{ListF(0x88B4), []byte{0x4A, 2, 1, 0, 0x88, 0xB4, 1, 0}},
		{Thru([]byte{6, 1}), []byte{0x42, 3, 6, 1}},
	} {
		if !bytes.Equal(row.got, row.want) {
			t.Errorf("%x, want %x", row.got, row.want)
		}
	}
	firmware := []byte{0, 0, 0xFF, 6, 0xFA, 0xD5, 3, 0x32, 1, 6, 7, 0xE8, 0}
	for _, before := range [][]byte{nil, {0x55}, {0xFF, 0xFF, 0x12}, {0, 0}} {
		stream := slices.Concat(before, Ack(), firmware)
		kind, _, n, err := Scan(stream)
		if kind != KindAck || err != nil {
			t.Fatalf("after %x: %v, %v", before, kind, err)
		}
		kind, data, _, err := Scan(stream[n:])
		if kind != KindReply || err != nil {
			t.Fatalf("after %x: %v, %v", before, kind, err)
		}
		if body, err := Body(CmdFirmware, data); err != nil || !IsPN532(body) {
			t.Errorf("%x: %v", data, err)
		}
		if _, err := Body(CmdSAM, data); !errors.Is(err, ErrReply) {
			t.Error("the reply to another command is taken")
		}
	}
	for i := range firmware[:11] { // every byte but the preamble's first and the postamble counts, and each cut is short
		if _, _, _, err := Scan(firmware[:i]); !errors.Is(err, ErrShort) {
			t.Errorf("%d bytes: %v", i, err)
		}
	}
	for i := 1; i < 12; i++ {
		bad := slices.Clone(firmware)
		bad[i] ^= 0x04
		if kind, _, _, err := Scan(bad); err == nil || kind != KindNone {
			t.Errorf("byte %d turned: %v", i, err)
		}
	}
	if _, _, n, err := Scan([]byte{0, 0, 0xFF, 1, 0xFF, 0x7F, 0x81, 0}); !errors.Is(err, ErrSyntax) || n != 7 {
		t.Errorf("error frame: %v, %d", err, n)
	}
}

// AD-4: lists of targets; what does not fit is refused whole.
func TestTargets(t *testing.T) {
	a := []byte{1, 1, 0x03, 0x44, 0x20, 7, 4, 1, 2, 3, 4, 5, 6, 6, 0x75, 0x77, 0x81, 2, 0x80}
	list, err := ParseListA(a)
	if err != nil || len(list) != 1 || list[0].SAK != 0x20 || !bytes.Equal(list[0].UID, []byte{4, 1, 2, 3, 4, 5, 6}) {
		t.Fatalf("%+v, %v", list, err)
	}
	two := []byte{2, 1, 0, 4, 8, 4, 1, 2, 3, 4, 2, 0, 4, 8, 4, 5, 6, 7, 8}
	if list, err := ParseListA(two); err != nil || len(list) != 2 || list[1].UID[0] != 5 {
		t.Errorf("%+v, %v", list, err)
	}
	f := []byte{1, 1, 20, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, 9, 9, 9, 9, 0x88, 0xB4}
	if list, err := ParseListF(f); err != nil || len(list) != 1 || list[0].System != 0x88B4 || list[0].IDm[7] != 8 {
		t.Errorf("%+v, %v", list, err)
	}
	for _, whole := range [][]byte{a, two} {
		for i := range whole {
			if list, err := ParseListA(whole[:i]); err == nil && i > 0 {
				t.Errorf("%d of %d bytes: %+v", i, len(whole), list)
			}
		}
	}
	for i := range f {
		if list, err := ParseListF(f[:i]); err == nil {
			t.Errorf("%d of %d bytes: %+v", i, len(f), list)
		}
	}
	if list, err := ParseListA([]byte{0}); err != nil || list != nil {
		t.Errorf("no card: %v, %v", list, err)
	}
	for _, bad := range [][]byte{{3}, {1, 1, 0, 4, 8, 5, 1, 2, 3, 4, 5}, append(slices.Clone(two), 0)} {
		if list, err := ParseListA(bad); err == nil {
			t.Errorf("%x: %+v", bad, list)
		}
	}
	if _, ok := ParseExchange([]byte{0x01}); ok {
		t.Error("a card that was pulled away has answered")
	}
	if answer, ok := ParseExchange([]byte{0, 0x91, 0}); !ok || len(answer) != 2 {
		t.Error("an answer is refused")
	}
	if _, ok := ParseThru([]byte{0, 4, 1, 2}); ok {
		t.Error("a FeliCa answer of another length is taken")
	}
}

// Whatever a module says, nothing panics and no reply reaches beyond what came.
func FuzzScan(f *testing.F) {
	f.Add([]byte{0, 0, 0xFF, 6, 0xFA, 0xD5, 3, 0x32, 1, 6, 7, 0xE8, 0})
	f.Add([]byte{0, 0, 0xFF, 0, 0xFF, 0, 0, 0, 0xFF, 4, 0xFC, 0xD5, 0x4B, 0, 0xE0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		for len(b) > 0 {
			kind, data, n, err := Scan(b)
			if errors.Is(err, ErrShort) {
				return
			}
			if n < 1 || n > len(b) || kind == KindReply && len(data) < 1 {
				t.Fatalf("%v of %d bytes, %d used: %v", kind, len(b), n, err)
			}
			if kind == KindReply {
				_, _ = ParseListA(data[1:])
				_, _ = ParseListF(data[1:])
				_, _ = ParseExchange(data[1:])
				_, _ = ParseThru(data[1:])
			}
			b = b[n:]
		}
	})
}
