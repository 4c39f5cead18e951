package wiegand

import (
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// AD-4: random frames of every other length, in every format: none panics, what is no card is told by a known error, a
// length that no format has is no card, and no accepted frame stays one when a bit turns that a parity bit covers.
// MONBAN_WIEGAND_FRAMES says how many (make wiegand-frames: 10^8). The frames of 26 bits are all in TestEvery26BitFrame.
func TestRandomFrames(t *testing.T) {
	frames := 200_000
	if v := os.Getenv("MONBAN_WIEGAND_FRAMES"); v != "" {
		var err error
		if frames, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	byLength := map[uint8][]Layout{}
	for _, l := range Formats() {
		byLength[l.bits] = append(byLength[l.bits], l)
	}
	rng := rand.New(rand.NewPCG(26, 100))
	cards, turned := 0, 0
	for range frames {
		f := Frame{hi: rng.Uint64(), lo: rng.Uint64(), n: uint8(1 + rng.IntN(MaxBits))}
		if f.n == 26 {
			continue
		}
		if f.n <= 64 {
			f.hi, f.lo = f.hi>>(64-f.n)<<(64-f.n), 0
		} else {
			f.lo = f.lo >> (128 - f.n) << (128 - f.n)
		}
		if len(byLength[f.n]) == 0 {
			l := Formats()[0]
			if c, err := Decode(l, f); !errors.Is(err, ErrLength) || c.Valid() {
				t.Fatalf("%d bits as %s: %v", f.n, l.name, err)
			}
		}
		for _, l := range byLength[f.n] {
			c, err := Decode(l, f)
			if c.Valid() != (err == nil) || err != nil && !errors.Is(err, ErrParity) && !errors.Is(err, ErrChecksum) && !errors.Is(err, ErrSerial) {
				t.Fatalf("%s: %v", l.name, err)
			}
			if err != nil {
				continue
			}
			cards++
			i := uint8(rng.IntN(int(f.n)))
			g := f
			if i < 64 {
				g.hi ^= 1 << (63 - i)
			} else {
				g.lo ^= 1 << (127 - i)
			}
			for _, r := range l.rules {
				if i < 64 && r.hi>>(63-i)&1 == 1 || i >= 64 && r.lo>>(127-i)&1 == 1 {
					turned++
					if c, err := Decode(l, g); err == nil || c.Valid() {
						t.Fatalf("%s: a turned bit is a card", l.name)
					}
					break
				}
			}
		}
	}
	t.Logf("%d frames: %d cards, %d of them refused with a turned bit", frames, cards, turned)
	if cards == 0 || turned == 0 {
		t.Error("no frame was a card: nothing was tried")
	}
}
