package reader

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"monban/firmware/card"
)

// said are the purposes among reads, and the PINs.
func said(reads []Read) (purposes []uint8, pins int) {
	for _, r := range reads {
		if r.Kind == KindPurpose {
			purposes = append(purposes, r.Purpose)
		}
		if r.HasPIN {
			pins++
		}
	}
	return purposes, pins
}

// RR-7: # and a digit after a card are a purpose, before the PIN or after it, and never part of a PIN.
func TestPurposeCode(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		keys     string
		purposes []uint8
		pin      string
	}{
		{"#3", []uint8{3}, ""},
		{"#34711#", []uint8{3}, "4711"},
		{"4711##3", []uint8{3}, "4711"},
		{"4711#", nil, "4711"},
		{"47#3", nil, "47"}, // the # ends a PIN that has begun
		{"#04711#", nil, "4711"},
		{"#*4711#", nil, "4711"},
		{"##4711#", nil, "4711"}, // the second gives it up
		{"#3#4", []uint8{3}, ""}, // once a card
		{"*#9", []uint8{9}, ""},
	} {
		for _, keypad := range []string{"burst4", "burst8"} {
			runWith(t, keypad, func(cfg *Config) { cfg.Purposes = true }, func(b *bench) {
				first := b.after("badge a enter H10301 12 34567")[0]
				got := b.after("keys a enter " + c.keys)
				purposes, pins := said(got)
				if !slices.Equal(purposes, c.purposes) || (pins > 0) != (c.pin != "") {
					b.t.Errorf("%s %s: purposes %v, %d PINs", keypad, c.keys, purposes, pins)
				}
				ref := credential(b.t, "H10301", 12, 34567).Ref(keys.Card)
				for _, r := range got {
					if r.Attempt != first.Attempt {
						b.t.Errorf("%s: a read of another attempt: %v", c.keys, r)
					}
					if r.Kind == KindPurpose && (len(r.Sealed) == 0 || r.HasPIN || r.Token != [32]byte{}) {
						b.t.Errorf("%s: the purpose carries %v", c.keys, r)
					}
					if r.HasPIN && !r.PINToken.Equal(card.PINRefOf(keys.PIN, ref, c.pin).Token(keys.Gateway)) {
						b.t.Errorf("%s: the PIN is another one", c.keys)
					}
				}
			})
		}
	}
}

// RR-7: a purpose needs a card, and its card's time; another card takes its place; without the setting # alone does nothing.
func TestPurposeNeedsItsCard(t *testing.T) {
	t.Parallel()
	runWith(t, "burst4", func(cfg *Config) { cfg.Purposes = true }, func(b *bench) {
		if got := b.after("keys a enter #3"); len(got) != 0 {
			b.t.Errorf("without a card: %v", got)
		}
		b.after("badge a enter H10301 12 34567")
		time.Sleep(DefaultPINWait)
		if got := b.after("keys a enter #3"); len(got) != 0 {
			b.t.Errorf("after the card's time: %v", got)
		}
		b.after("badge a enter H10301 12 34567")
		b.after("keys a enter #")
		second := b.after("badge a enter H10301 12 34568")[0]
		if p, _ := said(b.after("keys a enter 3")); len(p) != 0 {
			b.t.Errorf("the # of one card and the digit of another: %v", p)
		}
		got := b.after("keys a enter *#4")
		if p, _ := said(got); !slices.Equal(p, []uint8{4}) || got[len(got)-1].Attempt != second.Attempt {
			b.t.Errorf("of the second card: %v", got)
		}
		if text := fmt.Sprint(got); text == "" || slices.Contains([]byte(b.log.String()), '#') {
			b.t.Errorf("prints %s, logs %s", text, b.log.String())
		}
	})
	run(t, "burst4", func(b *bench) {
		b.after("badge a enter H10301 12 34567")
		got := b.after("keys a enter #4711#")
		if p, pins := said(got); len(p) != 0 || pins != 1 {
			b.t.Errorf("not set: %v", got)
		}
	})
}
