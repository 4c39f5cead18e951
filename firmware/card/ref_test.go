package card_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"monban/firmware/card"
)

type refVector struct {
	Name       string
	Format     card.Format
	BitLen     int    `json:"bitlen"`
	Bits       string // hex
	CardKey    string `json:"card_key"`
	PINKey     string `json:"pin_key"`
	GatewayKey string `json:"gateway_key"`
	Digits     string
	Ref        string
	Token      string
	PINRef     string `json:"pin_ref"`
	PINToken   string `json:"pin_token"`
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// D9, D10: the exact bytes of the references. The expected values were computed by another program
// (testdata/README), not by this package.
func TestReferenceVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/refs.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []refVector
	if err := json.Unmarshal(data, &vectors); err != nil || len(vectors) < 4 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	for _, v := range vectors {
		c := must(t, v.Format, v.BitLen, unhex(t, v.Bits))
		ref := c.Ref(unhex(t, v.CardKey))
		token := ref.Token(unhex(t, v.GatewayKey))
		pin := card.PINRefOf(unhex(t, v.PINKey), ref, v.Digits)
		pinToken := pin.Token(unhex(t, v.GatewayKey))
		for what, got := range map[string][2]string{
			"ref": {hex.EncodeToString(ref[:]), v.Ref}, "token": {hex.EncodeToString(token[:]), v.Token},
			"pin_ref": {hex.EncodeToString(pin[:]), v.PINRef}, "pin_token": {hex.EncodeToString(pinToken[:]), v.PINToken},
		} {
			if got[0] != got[1] {
				t.Errorf("%s %s:\n got  %s\n want %s", v.Name, what, got[0], got[1])
			}
		}
		if other := card.PINRefOf(unhex(t, v.PINKey), ref, []byte(v.Digits)); other != pin {
			t.Errorf("%s: digits as bytes give another reference", v.Name)
		}
	}
}

// I9: what is missing gives the zero reference, and a zero reference equals nothing.
func TestZeroReferencesMatchNothing(t *testing.T) {
	key := bytes.Repeat([]byte{3}, card.KeySize)
	c := must(t, "uid32", 32, []byte{1, 2, 3, 4})
	ref := c.Ref(key)
	pin := card.PINRefOf(key, ref, "1234")
	if ref.IsZero() || ref.Token(key).IsZero() || pin.IsZero() || pin.Token(key).IsZero() {
		t.Fatal("good inputs give a zero reference")
	}
	for name, zero := range map[string]bool{
		"no card":         card.Credential{}.Ref(key).IsZero(),
		"no card key":     c.Ref(nil).IsZero(),
		"short key":       c.Ref(key[:31]).IsZero(),
		"zero ref":        card.Ref{}.Token(key).IsZero(),
		"no gateway key":  ref.Token(nil).IsZero(),
		"PIN of no card":  card.PINRefOf(key, card.Ref{}, "1234").IsZero(),
		"PIN without key": card.PINRefOf(key[:5], ref, "1234").IsZero(),
		"no digits":       card.PINRefOf(key, ref, "").IsZero(),
		"zero PIN":        card.PINRef{}.Token(key).IsZero(),
		"PIN, short key":  pin.Token(key[:31]).IsZero(),
		"zero = zero":     !card.Ref{}.Equal(card.Ref{}) && !card.Token{}.Equal(card.Token{}) && !card.PINRef{}.Equal(card.PINRef{}) && !card.PINToken{}.Equal(card.PINToken{}),
	} {
		if !zero {
			t.Errorf("%s: gives something that can match", name)
		}
	}
	if !ref.Equal(c.Ref(key)) || !pin.Equal(pin) || !ref.Token(key).Equal(ref.Token(key)) || !pin.Token(key).Equal(pin.Token(key)) {
		t.Error("equal references are not Equal")
	}
	for i := range 256 {
		other := ref
		other[i/8] ^= 1 << (i % 8)
		if ref.Equal(other) {
			t.Errorf("bit %d does not count", i)
		}
	}
}

// D9, D10: a PIN counts for one card only, and no value for two purposes.
func TestPurposesAreApart(t *testing.T) {
	key := bytes.Repeat([]byte{5}, card.KeySize)
	a, b := must(t, "uid32", 32, []byte{1, 2, 3, 4}).Ref(key), must(t, "uid32", 32, []byte{1, 2, 3, 5}).Ref(key)
	seen := map[[32]byte]string{}
	for name, v := range map[string][32]byte{
		"ref a": a, "ref b": b, "token a": a.Token(key), "token b": b.Token(key),
		"pin a": card.PINRefOf(key, a, "1234"), "pin b": card.PINRefOf(key, b, "1234"), "pin a 2": card.PINRefOf(key, a, "12345"),
		"token of a as pin": card.PINRef(a).Token(key), "pin token": card.PINRefOf(key, a, "1234").Token(key),
	} {
		if other, twice := seen[v]; twice {
			t.Errorf("%s = %s", name, other)
		}
		seen[v] = name
	}
}

// AD-4: no grade below the demand satisfies it, and an unknown one satisfies nothing.
func TestAssurance(t *testing.T) {
	grades := []card.Assurance{card.AssuranceUnknown, card.UIDOnly, card.CardAuth, card.MutualAuth, 4, 255}
	for i, a := range grades {
		for j, least := range grades {
			want := i >= 1 && i <= 3 && j <= i
			if got := a.Satisfies(least); got != want {
				t.Errorf("%v satisfies %v: %v", a, least, got)
			}
		}
		text, err := a.MarshalText()
		if known := i <= 3; (err == nil) != known || a.Known() != known {
			t.Errorf("%v: %q, %v", a, text, err)
			continue
		} else if !known {
			continue
		}
		back := card.Assurance(9)
		if err := back.UnmarshalText(text); err != nil || back != a {
			t.Errorf("%q reads as %v, %v", text, back, err)
		}
	}
	a := card.MutualAuth
	if err := a.UnmarshalText([]byte("Mutual_Auth")); err == nil || a != card.AssuranceUnknown {
		t.Errorf("unknown name gives %v, %v", a, err)
	}
	if got := card.UIDOnly.String() + card.CardAuth.String() + card.MutualAuth.String(); got != "uid_onlycard_authmutual_auth" {
		t.Error(got)
	}
}
