package wiegand

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"monban/firmware/card"

	"pgregory.net/rapid"
)

func mustSet(t testing.TB, keypad string, formats ...card.Format) Set {
	t.Helper()
	k, err := ParseKeypad(keypad)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSet(formats, k)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// All 16 and all 256 bursts: the published ones are keys, the others are refused; and without that
// keypad none of them is one.
func TestKeyBursts(t *testing.T) {
	v := loadVectors(t).Keypad
	for n, tt := range map[int]struct {
		keypad string
		codes  map[string]string
	}{4: {"burst4", v.Burst4}, 8: {"burst8", v.Burst8}} {
		want := map[string]Key{}
		for key, code := range tt.codes {
			want[code] = Key(key[0])
		}
		set, without := mustSet(t, tt.keypad), mustSet(t, "none", "H10301")
		kind := set.keypad.Kind
		for i := range 1 << n {
			s := fmt.Sprintf("%0*b", n, i)
			f := mustParse(t, s)
			r, err := set.Decode(f)
			if key, ok := want[s]; ok {
				if err != nil || r.Kind != ResultKey || r.Key != key {
					t.Errorf("%s: kind %d, %v", s, r.Kind, err)
				}
				if back, err := EncodeKey(kind, key); err != nil || back != f {
					t.Errorf("%s: does not encode, %v", s, err)
				}
			} else if err != ErrKey || r != (Result{}) {
				t.Errorf("%s: kind %d, %v", s, r.Kind, err)
			}
			if r, err := without.Decode(f); err != ErrLength || r != (Result{}) {
				t.Errorf("%s without keypad: kind %d, %v", s, r.Kind, err)
			}
		}
	}
	if _, err := EncodeKey(KeypadBurst4, 'A'); err == nil {
		t.Error("A is no key")
	}
	if _, err := EncodeKey(KeypadBuffered26, '1'); err == nil {
		t.Error("buffered26 sends no bursts")
	}
}

// A buffered PIN under the reserved facility code is a PIN and never a card, whatever its number;
// under any other facility code it is a card and never a PIN.
func TestBufferedPIN(t *testing.T) {
	l := mustLookup(t, "H10301")
	v := loadVectors(t).Keypad.Buffered26
	for _, facility := range []uint8{0, 17, 255} {
		set := mustSet(t, fmt.Sprintf("buffered26:%d", facility), "H10301")
		alone := mustSet(t, fmt.Sprintf("buffered26:%d", facility))
		for cn := range uint64(65536) {
			f, err := Encode(l, Fields{FC: uint64(facility), CN: cn})
			if err != nil {
				t.Fatal(err)
			}
			r, err := set.Decode(f)
			if cn < v.Range[0] || cn > v.Range[1] {
				if err != ErrPIN || r != (Result{}) {
					t.Errorf("%d: kind %d, %v", cn, r.Kind, err)
				}
				continue
			}
			var digits string
			r.PIN.Take(func(d []byte) { digits = string(d) })
			if err != nil || r.Kind != ResultPIN || r.Card.Valid() || digits != strconv.FormatUint(cn, 10) {
				t.Fatalf("%d: kind %d, %v", cn, r.Kind, err)
			}
			if r, err := set.Decode(flip(f, int(cn%26))); err != ErrParity || r != (Result{}) {
				t.Fatalf("bit %d wrong: kind %d, %v", cn%26, r.Kind, err)
			}
		}
		other, err := Encode(l, Fields{FC: uint64(facility ^ 1), CN: 1234})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := set.Decode(other); err != nil || r.Kind != ResultCard || !r.Card.Valid() {
			t.Errorf("card beside a keypad: kind %d, %v", r.Kind, err)
		}
		if _, err := alone.Decode(other); err != ErrLength {
			t.Errorf("card on a keypad alone: %v", err)
		}
	}
}

func TestNewSet(t *testing.T) {
	for name, tt := range map[string]struct {
		keypad  Keypad
		formats []card.Format
		ok      bool
	}{
		"one":                    {Keypad{}, []card.Format{"H10301"}, true},
		"three lengths":          {Keypad{}, []card.Format{"H10301", "H10306", "C1k35s"}, true},
		"keypad only":            {Keypad{Kind: KeypadBurst4}, nil, true},
		"nothing":                {Keypad{}, nil, false},
		"unknown":                {Keypad{}, []card.Format{"H10309"}, false},
		"same length":            {Keypad{}, []card.Format{"H10302", "H10304"}, false},
		"same length, serial":    {Keypad{}, []card.Format{"uid34", "H10306"}, false},
		"twice":                  {Keypad{}, []card.Format{"H10301", "H10301"}, false},
		"both byte orders":       {Keypad{}, []card.Format{"uid32", "uid32-reversed"}, false},
		"alias":                  {Keypad{}, []card.Format{"N10002", "H10306"}, false},
		"buffered, H10301":       {Keypad{Kind: KeypadBuffered26}, []card.Format{"H10301"}, true},
		"buffered, Indala":       {Keypad{Kind: KeypadBuffered26}, []card.Format{"Ind26"}, false},
		"buffered, other length": {Keypad{Kind: KeypadBuffered26}, []card.Format{"H10306"}, true},
		"keypad out of range":    {Keypad{Kind: 9}, []card.Format{"H10301"}, false},
	} {
		s, err := NewSet(tt.formats, tt.keypad)
		if (err == nil) != tt.ok || err != nil && len(s.layouts) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (Set{}).Decode(mustParse(t, "1011")); err != ErrLength { // I9
		t.Error(err)
	}
}

// A frame is decoded in the reader's own formats only: the same bits elsewhere are nothing or
// another card. AD-4
func TestFormatIsNeverGuessed(t *testing.T) {
	f, err := Encode(mustLookup(t, "H10304"), Fields{FC: 5, CN: 1234})
	if err != nil {
		t.Fatal(err)
	}
	a, errA := mustSet(t, "none", "H10301", "H10304").Decode(f)
	b, errB := mustSet(t, "none", "H10302").Decode(f)
	if errA != nil || errB != nil || a.Card == b.Card {
		t.Errorf("%v %v: same card in two formats", errA, errB)
	}
	if _, err := mustSet(t, "none", "H10301").Decode(f); err != ErrLength {
		t.Error(err)
	}
	set := mustSet(t, "none", "H10301", "H10304")
	packed := f.packed(new([16]byte))
	for name, want := range map[card.Format]error{"": nil, "H10304": nil, "H10301": ErrLength, "H10302": ErrLength, "x": ErrLength} {
		c, err := set.Card(name, packed, 37)
		if err != want || c.Valid() != (err == nil) {
			t.Errorf("hint %q: %v", name, err)
		}
	}
	if _, err := set.Card("", packed, 200); !errors.Is(err, ErrFrame) {
		t.Error(err)
	}
}

func TestParseKeypad(t *testing.T) {
	for s, want := range map[string]Keypad{"": {}, "none": {}, "burst4": {Kind: KeypadBurst4}, "burst8": {Kind: KeypadBurst8},
		"buffered26": {Kind: KeypadBuffered26}, "buffered26:17": {KeypadBuffered26, 17}} {
		if k, err := ParseKeypad(s); err != nil || k != want {
			t.Errorf("%q: %v, %v", s, k, err)
		}
	}
	for _, s := range []string{":", ":1", "burst4:1", "none:0", "buffered26:256", "buffered26:", "buffered26:-1", "Burst4", "burst"} {
		if k, err := ParseKeypad(s); err == nil || k != (Keypad{}) {
			t.Errorf("%q is accepted", s)
		}
	}
}

// PIN entry against a model that keeps the presses as text.
func TestPINEntryModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var e PINEntry
		var model, ready string
		at, last := int64(0), int64(0)
		for range rapid.IntRange(1, 60).Draw(t, "presses") {
			at += rapid.SampledFrom([]int64{0, 1e8, 1e9, int64(PINTimeout) - 1, int64(PINTimeout), 1e10}).Draw(t, "wait")
			key := rapid.SampledFrom([]byte("0123456789012345678901234567890123456789*#A\x00")).Draw(t, "key")
			if Key(key).Valid() && at-last >= int64(PINTimeout) {
				model = ""
			}
			if Key(key).Valid() {
				ready = ""
			}
			want := PINIgnored
			switch {
			case key == '*':
				want, model = PINCleared, ""
			case key == '#':
				switch {
				case model == "":
					want = PINEmpty
				case len(model) > MaxPINDigits:
					want = PINTooLong
				default:
					want, ready = PINDone, model
				}
				model = ""
			case key >= '0' && key <= '9':
				want, last = PINDigit, at
				model += string(key)
			}
			if got := e.Press(at, Key(key)); got != want {
				t.Fatalf("%q after %q: %v, want %v", key, model, got, want)
			}
			deadline, pending := e.Deadline()
			if pending != (model != "") || pending && deadline != last+int64(PINTimeout) {
				t.Fatalf("deadline %d %v", deadline, pending)
			}
			take := rapid.Bool().Draw(t, "take")
			var got string
			if take || want != PINDone {
				e.Take(func(d []byte) { got = string(d) })
				if got != ready {
					t.Fatalf("took %d digits, want %d", len(got), len(ready))
				}
				ready = ""
				if model == "" && e != (PINEntry{}) {
					t.Fatal("digits left behind")
				}
			}
		}
	})
}

// Digits are gone once they were used, and the slice they were given in is wiped.
func TestPINIsWiped(t *testing.T) {
	var e PINEntry
	for i, k := range "1234#" {
		e.Press(int64(i), Key(k))
	}
	var kept []byte
	e.Take(func(d []byte) { kept = d })
	if !bytes.Equal(kept, make([]byte, 4)) || e != (PINEntry{}) {
		t.Error("digits left behind")
	}
	e.Take(func([]byte) { t.Error("digits a second time") })
	e.Press(0, '1')
	if e.Expire(int64(PINTimeout)-1) || !e.Expire(int64(PINTimeout)) || e != (PINEntry{}) || e.Expire(1<<62) {
		t.Error("timeout")
	}
	p := number(65534)
	p.Take(func(d []byte) { kept = d })
	if !bytes.Equal(kept, make([]byte, 5)) || p.Len() != 0 {
		t.Error("digits left behind")
	}
	for i := range MaxPINDigits + 1 {
		e.Press(int64(i), '7')
	}
	if got := e.Press(20, '#'); got != PINTooLong || e != (PINEntry{}) {
		t.Error(got)
	}
}

// Frames, edges, keys and PINs print masked.
func TestNothingPrintsSecrets(t *testing.T) {
	frame := mustParse(t, "10111101100010001110101110")
	var e PINEntry
	for i, k := range "7913" {
		e.Press(int64(i), Key(k))
	}
	pin := number(7913)
	values := []any{frame, &frame, Fields{FC: 123, CN: 4567}, Edge{Line: 1, At: 7913}, Key('7'), e, &e, pin, &pin,
		Event{Frame: frame}, Result{Kind: ResultPIN, Key: '9', PIN: pin}}
	var buf bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q", "%c", "%b"} {
		for _, v := range values {
			fmt.Fprintf(&buf, verb+"\n", v)
		}
	}
	log := slog.New(slog.NewTextHandler(&buf, nil))
	for _, v := range values {
		log.Info("x", "v", v)
	}
	for _, v := range []any{frame, Key('7'), pin} {
		j, err := json.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		buf.Write(j)
	}
	out := strings.Split(buf.String(), "\n")
	for _, secret := range []string{"7913", "4567", "55 57 49 51", "0x37", "2f623ae", "bd88eb", "10111101", "37393133", "123", "'7'", fmt.Sprint(frame.hi)} {
		for _, line := range out {
			if _, after, isLog := strings.Cut(line, "level=INFO"); isLog {
				line = after
			}
			if strings.Contains(line, secret) {
				t.Errorf("%q in %q", secret, line)
			}
		}
	}
	if len(out) < 90 {
		t.Error("nothing was printed")
	}
}
