package osdptest

import (
	"encoding/binary"
	"slices"
)

// Man sits on the line between the panel and its readers. He sees every whole frame and says what arrives instead (on),
// and what goes back to its sender (back).
type Man func(toReader bool, b []byte) (on, back [][]byte)

// Dice are random numbers, as *rand.Rand gives them.
type Dice interface {
	IntN(n int) int
	Uint32() uint32
	Float64() float64
}

// Attack is what a man on the line does to the reader at address 0.
type Attack struct {
	Name  string
	Early bool // he is there before the reader has proved itself
	Make  func(victim *PD, rng Dice) Man
	Alarm string // name of the event that must be raised; "" = none: nothing is gained, or the reader is simply gone
	Cut   bool   // the reader must not be usable while it goes on
}

// EvilBits is the card (26 bits) that attackers would have the panel believe.
var EvilBits = binary.BigEndian.AppendUint32(nil, 66666<<6)

// Forged builds a reply in the clear, as anybody on the line can.
func Forged(addr, seq, code byte, data []byte) []byte {
	n := 8 + len(data)
	b := append([]byte{0x53, addr | 0x80, byte(n), byte(n >> 8), seq&3 | 4, code}, data...)
	return binary.LittleEndian.AppendUint16(b, CRC(b))
}

// Recrc mends the CRC of a frame without mark byte after a change.
func Recrc(b []byte) []byte {
	binary.LittleEndian.PutUint16(b[len(b)-2:], CRC(b[:len(b)-2]))
	return b
}

// Block gives the type of a frame's secure block, 0 = none.
func Block(b []byte) byte {
	if b[0] == 0xFF {
		b = b[1:]
	}
	if b[4]&8 == 0 {
		return 0
	}
	return b[6]
}

// Code gives the command or reply code of a frame.
func Code(b []byte) byte {
	if b[0] == 0xFF {
		b = b[1:]
	}
	if b[4]&8 == 0 {
		return b[5]
	}
	return b[5+b[5]]
}

// answers changes the answers of reader 0 that have a code, 0 = any; everything else passes.
func answers(which byte, change func(b []byte) [][]byte) func(*PD, Dice) Man {
	return func(*PD, Dice) Man {
		return func(toReader bool, b []byte) ([][]byte, [][]byte) {
			if toReader || b[1] != 0x80 || which != 0 && Code(b) != which {
				return [][]byte{b}, nil
			}
			return change(b), nil
		}
	}
}

func one(b []byte) [][]byte { return [][]byte{b} }

// capability changes what the reader says of one function.
func capability(function byte, compliance, number byte) func(b []byte) [][]byte {
	return func(b []byte) [][]byte {
		for i := 6; i+2 < len(b)-2; i += 3 {
			if b[i] == function {
				b[i+1], b[i+2] = compliance, number
			}
		}
		return one(Recrc(b))
	}
}

// Attacks are the named attacks that a panel must bear.
func Attacks() []Attack {
	raw := append([]byte{0, 0, 26, 0}, EvilBits...)
	nak := func(why byte) func([]byte) [][]byte {
		return func(b []byte) [][]byte { return one(Forged(0, b[4], 0x41, []byte{why})) }
	}
	return []Attack{
		{"capabilities stripped", true, answers(0x46, capability(9, 0, 0)), "reader_downgrade", false},
		{"said to hold the default key", true, answers(0x46, capability(9, 1, 1)), "", false},
		{"channel refused", true, answers(0x76, nak(5)), "reader_downgrade", true},
		{"channel unknown", true, answers(0x76, nak(3)), "reader_downgrade", true},
		{"old cryptogram replayed", true, oldCryptogram, "reader_downgrade", false},
		{"default key for a keyed reader", true, answers(0x76, func(b []byte) [][]byte { b[7] = 0; return one(Recrc(b)) }), "reader_downgrade", true},
		{"cryptogram turned", true, answers(0x76, func(b []byte) [][]byte { b[30] ^= 1; return one(Recrc(b)) }), "reader_downgrade", true},
		{"initial MAC forged", true, answers(0x78, func(b []byte) [][]byte { b[12] ^= 1; return one(Recrc(b)) }), "reader_downgrade", true},
		{"initial MAC refused", true, answers(0x78, func(b []byte) [][]byte { b[7] = 0xFF; return one(Recrc(b)) }), "reader_downgrade", true},
		{"plaintext card in a channel", false, answers(0, func(b []byte) [][]byte { return one(Forged(0, b[4], 0x50, raw)) }), "reader_downgrade", true},
		{"plaintext answer in a channel", false, answers(0, func(b []byte) [][]byte { return one(Forged(0, b[4], 0x40, nil)) }), "reader_downgrade", true},
		{"answer before the reader's", false, answers(0, func(b []byte) [][]byte { return [][]byte{Forged(0, b[4], 0x50, raw), b} }), "reader_downgrade", true},
		{"old answer replayed by sequence", false, replay(0), "bad_mac", false},
		{"old card replayed", false, replay(0x50), "bad_mac", false},
		{"MAC turned", false, answers(0, func(b []byte) [][]byte { b[len(b)-4] ^= 0x80; return one(Recrc(b)) }), "bad_mac", true},
		{"data turned", false, answers(0x50, func(b []byte) [][]byte { b[10] ^= 1; return one(Recrc(b)) }), "bad_mac", false},
		{"code turned", false, answers(0x40, func(b []byte) [][]byte { b[7] = 0x48; return one(Recrc(b)) }), "bad_mac", false},
		{"commands refused in the clear", false, answers(0, nak(3)), "reader_downgrade", false},
		{"card taken off behind a refusal", false, answers(0x50, nak(3)), "reader_downgrade", false},
		{"session refused for ever", false, answers(0, nak(6)), "", true},
		{"KEYSET slipped to the reader", false, keySetInjected, "", false},
		{"length turned", false, answers(0, func(b []byte) [][]byte { b[2]--; return one(b) }), "", true},
		{"cut short", false, answers(0, func(b []byte) [][]byte { return one(b[:len(b)-1]) }), "", true},
		{"busy for ever", false, answers(0, func([]byte) [][]byte { return one(Forged(0, 0, 0x79, nil)) }), "", true},
		{"stuck at the first byte", false, answers(0, func([]byte) [][]byte { return one(slices.Repeat([]byte{0x53}, 600)) }), "", true},
		{"stuck low", false, answers(0, func([]byte) [][]byte { return one(make([]byte, 600)) }), "", true},
		{"garbage at full rate", false, garbage, "", false},
		{"commands echoed", false, func(*PD, Dice) Man {
			return func(toReader bool, b []byte) (on, back [][]byte) {
				if toReader {
					back = one(slices.Clone(b))
				}
				return one(b), back
			}
		}, "", false},
	}
}

// oldCryptogram answers each challenge with the first cryptogram that was seen.
func oldCryptogram(victim *PD, _ Dice) Man {
	var old []byte
	polls := 0
	return func(toReader bool, b []byte) ([][]byte, [][]byte) {
		if toReader || b[1] != 0x80 {
			return one(b), nil
		}
		if polls++; polls == 20 {
			victim.Restart()
		}
		if Code(b) != 0x76 {
			return one(b), nil
		}
		if old == nil {
			old = slices.Clone(b)
		}
		return one(slices.Clone(old)), nil
	}
}

// replay gives an old answer of the channel with the right sequence number, MAC and all. With a code it waits for an
// answer of that code and gives it again later.
func replay(which byte) func(*PD, Dice) Man {
	return func(*PD, Dice) Man {
		var old [][]byte
		return func(toReader bool, b []byte) ([][]byte, [][]byte) {
			if toReader || b[1] != 0x80 || Block(b) < 0x16 {
				return one(b), nil
			}
			for _, o := range old {
				if o[4]&3 == b[4]&3 {
					return one(slices.Clone(o)), nil
				}
			}
			if which == 0 || Code(b) == which {
				old = append(old, slices.Clone(b))
			}
			return one(b), nil
		}
	}
}

// keySetInjected slips a KEYSET in the clear to the reader before a poll, with the sequence number of that poll.
func keySetInjected(*PD, Dice) Man {
	n := 0
	return func(toReader bool, b []byte) ([][]byte, [][]byte) {
		if !toReader || b[2] != 0 || Code(b) != 0x60 { // mark byte first, so the address is the third
			return one(b), nil
		}
		if n++; n%20 != 10 {
			return one(b), nil
		}
		f := Forged(0, b[5], 0x75, append([]byte{1, 16}, make([]byte, 16)...))
		f[1] = 0
		return [][]byte{Recrc(f), b}, nil
	}
}

// garbage fills the line before each answer.
func garbage(_ *PD, rng Dice) Man {
	return func(toReader bool, b []byte) ([][]byte, [][]byte) {
		if toReader || b[1] != 0x80 {
			return one(b), nil
		}
		noise := make([]byte, 400)
		for i := range noise {
			noise[i] = byte(rng.Uint32())
		}
		return [][]byte{noise, b}, nil
	}
}

// Faults is no attacker but a bad line: at each frame, by rate (0–1), one of loss, a turned bit, a cut, a doubled frame,
// noise before or after, or a reader that restarts.
func Faults(pds []*PD, rng Dice, rate float64) Man {
	return func(toReader bool, b []byte) ([][]byte, [][]byte) {
		if rng.Float64() > rate {
			return one(b), nil
		}
		switch rng.IntN(7) {
		case 0:
			return nil, nil
		case 1:
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		case 2:
			return one(b[:rng.IntN(len(b))]), nil
		case 3:
			return [][]byte{b, b}, nil
		case 4:
			noise := make([]byte, rng.IntN(40))
			for i := range noise {
				noise[i] = byte(rng.Uint32())
			}
			return [][]byte{noise, b}, nil
		case 5:
			return [][]byte{b, {0x53, 0x80}}, nil
		case 6:
			if !toReader {
				pds[rng.IntN(len(pds))].Restart()
			}
		}
		return one(b), nil
	}
}
