package reader

import (
	"testing"
	"time"

	"monban/firmware/card"
)

// RA-3, D10: at a desk a card is good for two entries, the page's number and the PIN; each leaves as a token alone, of the same
// attempt, and a third says nothing.
func TestDeskEntries(t *testing.T) {
	t.Parallel()
	for _, keypad := range []string{"burst4", "burst8", "buffered26"} {
		runWith(t, keypad, func(cfg *Config) { cfg.Entries = 2 }, func(b *bench) {
			first := b.after("badge a enter H10301 12 34567")[0]
			ref := credential(b.t, "H10301", 12, 34567).Ref(keys.Card)
			for n, entry := range []string{"4821", "2468", "1111"} {
				got := entries(b.after("keys a enter " + entry + "#"))
				if n == 2 {
					if len(got) != 0 {
						b.t.Errorf("%s: a third entry: %v", keypad, got)
					}
					continue
				}
				if len(got) != 1 || got[0].Attempt != first.Attempt || !got[0].PINToken.Equal(card.PINRefOf(keys.PIN, ref, entry).Token(keys.Gateway)) {
					b.t.Errorf("%s: entry %d: %v", keypad, n, got)
				}
			}
		})
	}
}

// RA-3: each entry has the card's time anew; after it, and after another card, nothing is left.
func TestDeskEntriesEnd(t *testing.T) {
	t.Parallel()
	runWith(t, "burst4", func(cfg *Config) { cfg.Entries = 2 }, func(b *bench) {
		b.after("badge a enter H10301 12 34567")
		time.Sleep(DefaultPINWait * 6 / 10)
		if got := entries(b.after("keys a enter 4821#")); len(got) != 1 {
			b.t.Fatalf("the number: %v", got)
		}
		time.Sleep(DefaultPINWait * 6 / 10)
		if got := entries(b.after("keys a enter 2468#")); len(got) != 1 {
			b.t.Errorf("the PIN in its own time: %v", got)
		}
		b.after("badge a enter H10301 12 34567")
		b.after("keys a enter 4821#")
		other := b.after("badge a enter H10301 12 34568")[0]
		if got := entries(b.after("keys a enter 2468#")); len(got) != 1 || got[0].Attempt != other.Attempt {
			b.t.Errorf("after another card: %v", got)
		}
	})
	runWith(t, "burst4", func(*Config) {}, func(b *bench) { // a door: as ever
		b.after("badge a enter H10301 12 34567")
		b.after("keys a enter 4821#")
		if got := entries(b.after("keys a enter 2468#")); len(got) != 0 {
			b.t.Errorf("a second PIN at a door: %v", got)
		}
	})
}

func entries(reads []Read) (out []Read) {
	for _, r := range reads {
		if r.HasPIN {
			out = append(out, r)
		}
	}
	return out
}
