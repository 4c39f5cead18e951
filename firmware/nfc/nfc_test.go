package nfc_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"monban/firmware/card"
	"monban/firmware/nfc"
	"monban/firmware/nfc/nfctest"
)

var (
	serial  = []byte{0x04, 0x78, 0x2E, 0x21, 0x80, 0x1D, 0x80}
	aid     = [3]byte{0x30, 0x42, 0xF5}
	system  = []byte("monban test")
	master  = nfc.Key{1, 2, 3, 4}
	older   = nfc.Key{9, 9, 9}
	idm     = [8]byte{0x01, 0x14, 0xA1, 0xB2, 0xC3, 0xD4, 0xE5, 0xF6}
	content = [32]byte{26, 0x80, 0x80, 0x01, 0x00}
)

func config() *nfc.Config {
	return &nfc.Config{UID: true, IDm: true, System: 0x88B4,
		LiteS:   &nfc.LiteS{System: system, Masters: []nfc.Key{master, older}},
		DESFire: &nfc.DESFire{AID: aid, KeyNo: 2, File: 3, System: system, Masters: []nfc.Key{master, older}}}
}

func dice(seed uint64) func() [16]byte {
	rng := rand.New(rand.NewPCG(seed, 7))
	return func() (b [16]byte) {
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
}

func desfire(under nfc.Key) *nfctest.DESFire {
	key := nfc.Diversify(under, slices.Concat(serial, aid[:], system))
	return &nfctest.DESFire{Serial: serial, AID: aid, Key: key, KeyNo: 2, FileNo: 3, File: content, Random: dice(1)}
}

func lite(under nfc.Key) *nfctest.LiteS {
	key := nfc.Diversify(under, slices.Concat(idm[:], []byte{0x88, 0xB4}, system))
	return &nfctest.LiteS{IDm: idm, ID: idm, System: 0x88B4, Key: key}
}

// target is what the reader sees of a card.
func target(c nfctest.Card) nfc.Target {
	switch c := c.(type) {
	case *nfctest.DESFire:
		return nfc.Target{UID: c.Serial, SAK: 0x20}
	case *nfctest.LiteS:
		return nfc.Target{FeliCa: true, IDm: c.IDm, System: c.System}
	case *between:
		return target(c.LiteS)
	case *nfctest.Plain:
		return nfc.Target{UID: c.Serial, SAK: 0x08}
	}
	panic("another card")
}

// present holds a card to a reader. The commands are given with the result.
func present(cfg *nfc.Config, c nfctest.Card, seed uint64) (nfc.Read, nfc.Refusal, int) {
	s := nfc.NewSession(cfg, target(c), dice(seed))
	var answer []byte
	n := 0
	for ; n < 50; n++ {
		command, done := s.Step(answer)
		if done {
			break
		}
		answer = c.Answer(command)
	}
	c.Removed()
	read, why := s.Result()
	return read, why, n
}

// AD-4: each technology gives the assurance that it has proved and no more, under both master keys that count; a card
// that is to prove itself and cannot is no card, whatever its number.
func TestAssurance(t *testing.T) {
	ev1, ev1old := desfire(master), desfire(older)
	ev1.EV1, ev1old.EV1 = true, true
	foreignAID := desfire(master)
	foreignAID.AID[0]++
	foreignID := lite(master)
	foreignID.ID[7]++
	phone := lite(master)
	phone.IDm[0], phone.IDm[1] = 0x02, 0xFE
	transit := lite(master)
	transit.System = 0x0003
	none := desfire(master)
	none.File[0] = 0
	dirty := desfire(master)
	dirty.File[31] = 1
	randomID := desfire(master)
	randomID.Serial = []byte{8, 1, 2, 3}
	numbers := &nfc.Config{UID: true, IDm: true, System: 0x88B4}
	for _, row := range []struct {
		name  string
		cfg   *nfc.Config
		c     nfctest.Card
		bits  []byte
		n     int
		proof card.Assurance
		why   nfc.Refusal
	}{
		{"DESFire EV2", config(), desfire(master), content[1:5], 26, card.MutualAuth, ""},
		{"DESFire EV2, older key", config(), desfire(older), content[1:5], 26, card.MutualAuth, ""},
		{"DESFire EV1", config(), ev1, content[1:5], 26, card.MutualAuth, ""},
		{"DESFire EV1, older key", config(), ev1old, content[1:5], 26, card.MutualAuth, ""},
		{"DESFire with a strange key", config(), desfire(nfc.Key{5}), nil, 0, 0, nfc.RefusedKey},
		{"DESFire without the application", config(), foreignAID, nil, 0, 0, nfc.RefusedKey},
		{"DESFire with an empty file", config(), none, nil, 0, 0, nfc.RefusedContent},
		{"DESFire with bits behind the last", config(), dirty, nil, 0, 0, nfc.RefusedContent},
		{"DESFire with random numbers", config(), randomID, nil, 0, 0, nfc.RefusedSerial},
		{"DESFire where only numbers count", numbers, desfire(master), serial, 56, card.UIDOnly, ""},
		{"Lite-S", config(), lite(master), idm[:], 64, card.CardAuth, ""},
		{"Lite-S, older key", config(), lite(older), idm[:], 64, card.CardAuth, ""},
		{"Lite-S with a strange key", config(), lite(nfc.Key{5}), nil, 0, 0, nfc.RefusedKey},
		{"Lite-S that is another in its ID block", config(), foreignID, nil, 0, 0, nfc.RefusedKey},
		{"FeliCa where only numbers count", numbers, lite(nfc.Key{5}), idm[:], 64, card.UIDOnly, ""},
		{"telephone", numbers, phone, nil, 0, 0, nfc.RefusedPhone},
		{"another system", numbers, transit, nil, 0, 0, nfc.RefusedSystem},
		{"serial number of 4 bytes", config(), &nfctest.Plain{Serial: []byte{1, 2, 3, 4}}, []byte{1, 2, 3, 4}, 32, card.UIDOnly, ""},
		{"serial number of 7 bytes", config(), &nfctest.Plain{Serial: serial}, serial, 56, card.UIDOnly, ""},
		{"random serial number", numbers, &nfctest.Plain{Serial: []byte{8, 2, 3, 4}}, nil, 0, 0, nfc.RefusedSerial},
		{"part of a serial number", numbers, &nfctest.Plain{Serial: []byte{0x88, 2, 3, 4}}, nil, 0, 0, nfc.RefusedSerial},
		{"serial number of 10 bytes", numbers, &nfctest.Plain{Serial: make([]byte, 10)}, nil, 0, 0, nfc.RefusedKind},
		{"nothing counts", &nfc.Config{}, &nfctest.Plain{Serial: serial}, nil, 0, 0, nfc.RefusedKind},
		{"FeliCa where none counts", &nfc.Config{UID: true}, lite(master), nil, 0, 0, nfc.RefusedKind},
		{"number where proof counts", &nfc.Config{DESFire: config().DESFire}, &nfctest.Plain{Serial: serial}, nil, 0, 0, nfc.RefusedKind},
	} {
		for seed := range uint64(20) {
			read, why, _ := present(row.cfg, row.c, seed)
			if why != row.why || !bytes.Equal(read.Bits, row.bits) || read.Len != row.n || read.Proof != row.proof {
				t.Errorf("%s: %v, %q, want %d bits, %v, %q", row.name, read, why, row.n, row.proof, row.why)
				break
			}
		}
	}
}

// AD-4, DS-5: a card that is pulled away, an answer that is turned, cut, doubled, replayed from another presentation: no card
// but the genuine one is read and no proof is worth more than it was; and the next presentation is read.
func TestSpoiltExchanges(t *testing.T) {
	make := map[string]func() nfctest.Card{
		"EV2":    func() nfctest.Card { return desfire(master) },
		"EV1":    func() nfctest.Card { d := desfire(master); d.EV1 = true; return d },
		"Lite-S": func() nfctest.Card { return lite(master) },
	}
	for name, fresh := range make {
		genuine, why, steps := present(config(), fresh(), 1)
		if why != "" || steps < 2 {
			t.Fatalf("%s: %q after %d steps", name, why, steps)
		}
		var old [][]byte // of an earlier presentation
		spy := fresh()
		spoil(spy, func(_ int, a []byte) []byte { old = append(old, slices.Clone(a)); return a })
		present(config(), spy, 2)
		rng := rand.New(rand.NewPCG(3, 3))
		refused := 0
		for round := range 4000 {
			at, kind := rng.IntN(steps), rng.IntN(6)
			c := fresh()
			spoil(c, func(n int, a []byte) []byte {
				if n != at {
					return a
				}
				a = slices.Clone(a)
				switch kind {
				case 0:
					return nil // pulled away
				case 1:
					a[rng.IntN(len(a))] ^= 1 << rng.IntN(8)
				case 2:
					return a[:rng.IntN(len(a))]
				case 3:
					return append(a, a...)
				case 4:
					return slices.Clone(old[min(n, len(old)-1)])
				case 5:
					for i := range a {
						a[i] = byte(rng.Uint32())
					}
				}
				return a
			})
			read, why, _ := present(config(), c, uint64(round)+10)
			switch {
			case why != "":
				refused++
				if len(read.Bits) != 0 {
					t.Fatalf("%s: refused, and bits came out", name)
				}
			case !bytes.Equal(read.Bits, genuine.Bits) || read.Len != genuine.Len || read.Proof > genuine.Proof:
				t.Fatalf("%s: step %d, kind %d: another card came out: %v", name, at, kind, read)
			}
			if kind == 0 && why != nfc.RefusedTorn {
				t.Fatalf("%s: pulled away at step %d is %q", name, at, why)
			}
		}
		if refused < 2000 {
			t.Errorf("%s: only %d of 4,000 spoilt exchanges were refused", name, refused)
		}
		if _, why, _ := present(config(), fresh(), 5); why != "" {
			t.Errorf("%s: the next read: %q", name, why)
		}
	}
}

func spoil(c nfctest.Card, by func(n int, a []byte) []byte) {
	switch c := c.(type) {
	case *nfctest.DESFire:
		c.Spoil = by
	case *nfctest.LiteS:
		c.Spoil = by
	}
}

// AD-4: a copy that answers with what a genuine card said before, all of it, is no card.
func TestReplayedCard(t *testing.T) {
	for name, c := range map[string]nfctest.Card{"EV2": desfire(master), "Lite-S": lite(master)} {
		var said [][]byte
		spoil(c, func(_ int, a []byte) []byte { said = append(said, slices.Clone(a)); return a })
		if _, why, _ := present(config(), c, 1); why != "" {
			t.Fatal(why)
		}
		s := nfc.NewSession(config(), target(c), dice(2))
		var answer []byte
		for n := 0; ; n++ {
			if _, done := s.Step(answer); done {
				break
			}
			answer = nil
			if n < len(said) {
				answer = said[n]
			}
		}
		if read, why := s.Result(); why == "" {
			t.Errorf("%s: a recording is a card: %v", name, read)
		}
	}
}

// between is somebody between the reader and a genuine card: commands that are of no use to him go no further, and for the
// block that says whether the card believed the reader he has the card sign another one.
type between struct{ *nfctest.LiteS }

func (b *between) Answer(c []byte) []byte {
	done := func(data ...byte) []byte {
		return slices.Concat([]byte{c[0] + 1}, b.IDm[:], []byte{0, 0}, data)
	}
	blocks := c[13:]
	switch {
	case c[0] == 0x06 && c[12] == 1 && blocks[1] == 0x90: // how often it was written
		return done(append([]byte{1}, make([]byte, 16)...)...)
	case c[0] == 0x08 && blocks[1] == 0x92: // the reader shows itself
		return done()
	case c[0] == 0x06 && blocks[1] == 0x92: // whether it was believed
		c = slices.Clone(c)
		c[14] = 0
	}
	return b.LiteS.Answer(c)
}

// AD-4: the MAC of a Lite-S does not say which block it is over, so no block of a genuine card that begins with 1 makes a
// card's proof a mutual one.
func TestLiteSBetweenIsNotMutual(t *testing.T) {
	c := lite(master)
	c.User[0] = 1
	read, why, _ := present(config(), &between{c}, 1)
	if why != "" || !bytes.Equal(read.Bits, idm[:]) || read.Proof != card.CardAuth {
		t.Errorf("%v, %q, want %v", read, why, card.CardAuth)
	}
}

// AD-4: a card whose proof is wrong is not asked for its file: nothing that it says counts any more.
func TestNoFileWithoutProof(t *testing.T) {
	for _, ev1 := range []bool{false, true} {
		d := desfire(master)
		d.EV1 = ev1
		proof := 2
		if ev1 {
			proof++ // the newer proof was offered first
		}
		d.Spoil = func(n int, a []byte) []byte {
			if n == proof {
				a[10] ^= 1
			}
			return a
		}
		s := nfc.NewSession(config(), target(d), dice(4))
		var answer []byte
		for {
			command, done := s.Step(answer)
			if done {
				break
			}
			if command[1] == 0xAD || command[1] == 0xBD {
				t.Errorf("EV1 %v: the file is read", ev1)
			}
			answer = d.Answer(command)
		}
		if _, why := s.Result(); why != nfc.RefusedKey {
			t.Errorf("EV1 %v: %q", ev1, why)
		}
	}
}

// AD-4: a card that makes up its number is the same presentation while it lies there.
func TestSamePresentation(t *testing.T) {
	a, b := nfc.Target{UID: []byte{8, 1, 1, 1}}, nfc.Target{UID: []byte{8, 2, 2, 2}}
	if !a.Same(b) || a.Same(nfc.Target{UID: serial}) || a.Same(nfc.Target{FeliCa: true}) || !(nfc.Target{FeliCa: true, IDm: idm}).Same(nfc.Target{FeliCa: true, IDm: idm}) {
		t.Error("presentations are mixed up")
	}
}

// Keys and cards print masked in every way.
func TestNothingPrintsSecrets(t *testing.T) {
	read, _, _ := present(config(), desfire(master), 1)
	for _, format := range []string{"%v", "%+v", "%#v", "%x", "%d", "%s"} {
		if s := fmt.Sprintf(format, master) + fmt.Sprintf(format, read) + fmt.Sprintf(format, nfc.DESFire{Masters: []nfc.Key{master}}); strings.Contains(s, "01020304") || strings.Contains(s, "1 2 3 4") || strings.Contains(s, "128 128") || strings.Contains(s, "8080") || strings.Contains(s, "0x1, 0x2") {
			t.Errorf("%s: %s", format, s)
		}
	}
	if s := master.LogValue().String() + master.String(); strings.Contains(s, "1") {
		t.Error(s)
	}
}

// Whatever a card answers, nothing panics, the conversation ends, and nothing that is not proven is worth a proof.
func FuzzSession(f *testing.F) {
	f.Add(byte(0), []byte{0x91, 0, 0x91, 0x1C, 0x91, 0xAF})
	f.Add(byte(1), []byte{9, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0})
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		tg := nfc.Target{UID: serial, SAK: 0x20}
		if kind&1 == 1 {
			tg = nfc.Target{FeliCa: true, IDm: idm, System: 0x88B4}
		}
		s := nfc.NewSession(config(), tg, dice(uint64(kind)))
		for n := 0; ; n++ {
			if n > 50 {
				t.Fatal("a conversation without end")
			}
			k := min(len(b), int(kind)%60+2)
			if _, done := s.Step(b[:k]); done {
				break
			}
			b = b[k:]
		}
		if read, why := s.Result(); why == "" {
			t.Fatalf("a card out of nothing: %v", read)
		}
	})
}
