package card_test

import (
	"bytes"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"monban/firmware/card"

	"pgregory.net/rapid"
)

func must(t testing.TB, f card.Format, n int, bits []byte) card.Credential {
	t.Helper()
	c, err := card.New(f, n, bits)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestNewRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		f    card.Format
		n    int
		bits []byte
	}{
		"no format":      {"", 8, []byte{1}},
		"format name":    {"H 10301", 8, []byte{1}},
		"long format":    {card.Format(strings.Repeat("x", 33)), 8, []byte{1}},
		"no bits":        {"uid32", 0, nil},
		"negative":       {"uid32", -1, nil},
		"too many":       {"uid32", 257, make([]byte, 33)},
		"too few bytes":  {"uid32", 9, []byte{1}},
		"too many bytes": {"uid32", 8, []byte{1, 0}},
		"spare bits":     {"uid32", 7, []byte{1}},
	} {
		c, err := card.New(tt.f, tt.n, tt.bits)
		if !errors.Is(err, card.ErrInvalid) || c.Valid() || c != (card.Credential{}) {
			t.Errorf("%s: %v, %v", name, c, err)
		}
	}
}

// AD-4: the identity is format, bit length and bits: nothing that differs in one of them is equal or
// has the same reference.
func TestIdentitiesNeverCollide(t *testing.T) {
	key := bytes.Repeat([]byte{7}, card.KeySize)
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) (card.Credential, string) {
			f := rapid.SampledFrom([]card.Format{"uid32", "uid3", "uid64", "2", "H10301"}).Draw(t, label+" format")
			n := rapid.IntRange(1, 24).Draw(t, label+" length")
			bits := make([]byte, (n+7)/8)
			for i := range n {
				bits[i/8] |= byte(rapid.IntRange(0, 1).Draw(t, "bit")) << (7 - i%8)
			}
			c, err := card.New(f, n, bits)
			if err != nil {
				t.Fatal(err)
			}
			if got := c.AppendBits(nil); !bytes.Equal(got, bits) || c.BitLen() != n || c.FormatName() != f {
				t.Fatalf("AppendBits gives other bits")
			}
			return c, fmt.Sprint(f, "/", n, "/", bits)
		}
		a, nameA := draw("a")
		b, nameB := draw("b")
		same := nameA == nameB
		if (a == b) != same || (a.Ref(key) == b.Ref(key)) != same {
			t.Fatalf("%s and %s: equal %v, same reference %v", nameA, nameB, a == b, a.Ref(key) == b.Ref(key))
		}
	})
}

// AD-4: a 4-, a 7- and an 8-byte serial number with the same digits are three cards.
func TestSerialNumbersOfDifferentLengths(t *testing.T) {
	key := make([]byte, card.KeySize)
	serial := []byte{0, 0, 0, 0, 0x12, 0x34, 0x56, 0x78}
	refs := map[card.Ref]bool{}
	for _, n := range []int{4, 7, 8} {
		c := must(t, card.Format(fmt.Sprintf("uid%d", n*8)), n*8, serial[8-n:])
		refs[c.Ref(key)] = true
	}
	if len(refs) != 3 {
		t.Errorf("%d references, want 3", len(refs))
	}
}

func TestMasked(t *testing.T) {
	c := must(t, "H10301", 26, []byte{0xbd, 0x88, 0xeb, 0x80})
	for number, want := range map[uint64]string{
		0: "****00", 7: "****07", 42: "****42", 4231: "****31", 9999: "****99",
		10000: "****0000", 54231: "****4231", 1<<64 - 1: "****1615",
	} {
		if got := c.WithNumber(number).Masked(); got != want {
			t.Errorf("number %d: %s, want %s", number, got, want)
		}
	}
	for _, tt := range []struct {
		n    int
		bits []byte
		want string
	}{
		{8, []byte{200}, "****00"},
		{13, []byte{0xff, 0xf8}, "****91"}, // 8191
		{16, []byte{0xff, 0xff}, "****5535"},
		{64, []byte{0, 0, 0, 0, 0, 0x98, 0x96, 0x80}, "****0000"}, // 10,000,000
		{256, bytes.Repeat([]byte{0xff}, 32), "****9935"},         // 2^256-1 ends in …639935
	} {
		if got := must(t, "uid", tt.n, tt.bits).Masked(); got != tt.want {
			t.Errorf("%d bits: %s, want %s", tt.n, got, tt.want)
		}
	}
	if got := (card.Credential{}).WithNumber(12345); got != (card.Credential{}) || got.Masked() != "no card" {
		t.Errorf("no card with a number: %s", got.Masked())
	}
}

// leaks reports whether text holds the bits or the number in a spelling that a printer would use.
func leaks(text string, bits []byte, number uint64) bool {
	text = strings.ToLower(text)
	for _, s := range []string{
		hex.EncodeToString(bits), fmt.Sprintf("% x", bits), strings.Trim(fmt.Sprint(bits), "[]"), fmt.Sprintf("%q", bits),
		strings.ReplaceAll(strings.Trim(fmt.Sprint(bits), "[]"), " ", ","), strings.ToLower(fmt.Sprintf("%#v", bits)[6:]),
		fmt.Sprint(number), fmt.Sprintf("%x", number), fmt.Sprintf("%b", number), fmt.Sprintf("%o", number), string(bits),
	} {
		if strings.Contains(text, strings.ToLower(strings.Trim(s, "{}\""))) {
			return true
		}
	}
	return false
}

// Every way of printing gives the masked form, inside other values too.
func TestNothingPrintsACard(t *testing.T) {
	bits := []byte{0xbd, 0x9a, 0xeb, 0x80}
	const number = 54231
	c := must(t, "H10301", 26, bits).WithNumber(number)
	type holder struct {
		Card card.Credential
		Ref  card.Ref
	}
	key := bytes.Repeat([]byte{9}, card.KeySize)
	ref := c.Ref(key)
	token, pin := ref.Token(key), card.PINRefOf(key, ref, "4231")
	pinToken := pin.Token(key)
	secrets := [][]byte{bits, ref[:], token[:], pin[:], pinToken[:]}

	var out []string
	add := func(s string) { out = append(out, s) }
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b", "%o", "%c", "%U", "%e", "%t", "%T", "%08.3x", "%z"} {
		// %p is left out: fmt asks no method for it, and vet refuses it for a value.
		for _, v := range []any{c, &c, []card.Credential{c}, map[card.Credential]card.Ref{c: ref}, holder{Card: c, Ref: ref}, ref, &ref, token, pin, pinToken, []card.Token{token}} {
			add(fmt.Sprintf(verb, v))
		}
	}
	add(fmt.Sprintln(c, ref, token, pin, pinToken))
	add(c.String() + c.GoString())
	var buf bytes.Buffer
	for _, h := range []slog.Handler{slog.NewTextHandler(&buf, nil), slog.NewJSONHandler(&buf, nil)} {
		slog.New(h).Info("read", "card", c, "p", &c, "ref", ref, "token", token, "pin", pin, "pt", pinToken, "holder", holder{Card: c, Ref: ref})
	}
	add(buf.String())
	for _, v := range []any{c, &c, holder{Card: c, Ref: ref}, map[string]any{"r": ref, "t": token, "p": pin, "pt": pinToken}, map[card.Ref]int{ref: 1}} {
		j, err := json.Marshal(v)
		if err != nil {
			t.Errorf("json: %v", err)
		}
		add(string(j))
	}
	x, err := xml.Marshal(holder{Card: c, Ref: ref})
	if err != nil {
		t.Error(err)
	}
	add(string(x))
	for _, v := range []any{c, ref, token, pin, pinToken, holder{Card: c, Ref: ref}} {
		var g bytes.Buffer
		if err := gob.NewEncoder(&g).Encode(v); err == nil {
			t.Errorf("gob takes a %T", v)
		}
		add(g.String())
	}
	for _, s := range out {
		for _, secret := range secrets {
			if leaks(s, secret, number) {
				t.Errorf("leaks: %.60q", s)
			}
		}
	}
	if len(out) < 200 || !leaks(fmt.Sprintf("%x", bits), bits, number) || !leaks(fmt.Sprintf("%#v", bits), bits, number) ||
		!leaks(fmt.Sprint(holder{Card: c}, [4]byte(bits)), bits, number) {
		t.Error("the search itself finds nothing")
	}
	if got := fmt.Sprintf("%d %+v %#v %x", c, c, c, c); got != strings.TrimSpace(strings.Repeat("****4231 ", 4)) {
		t.Error(got)
	}
}

func TestCredentialText(t *testing.T) {
	c := must(t, "H10301", 26, []byte{0xbd, 0x9a, 0xeb, 0x80}).WithNumber(54231)
	if j, err := json.Marshal(c); string(j) != `"****4231"` {
		t.Errorf("%s, %v", j, err)
	}
	if j, err := json.Marshal(card.Ref{1}); string(j) != `"[ref]"` {
		t.Errorf("%s, %v", j, err)
	}
}
