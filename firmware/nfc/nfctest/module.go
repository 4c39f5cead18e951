package nfctest

import "bytes"

// Module is a PN532 with what lies on it. It takes whole frames as they come from the line.
type Module struct {
	Cards []Card
	// Dead: it says nothing. Deaf: it says ACK and nothing more.
	Dead, Deaf bool
	// Pull, when above 0, takes all cards away after so many more exchanges with them.
	Pull int
	// Seen are the codes of the commands that it carried out.
	Seen []byte

	buf   []byte
	awake bool
}

// frame makes a frame from the module.
func frame(data ...byte) []byte {
	n := byte(len(data) + 1)
	out := []byte{0, 0, 0xFF, n, ^n + 1, 0xD5}
	sum := byte(0xD5)
	for _, b := range data {
		sum += b
	}
	return append(append(out, data...), ^sum+1, 0)
}

// Receive takes bytes from the line and gives what the module says, ACK and replies together.
func (m *Module) Receive(in []byte) (out []byte) {
	m.buf = append(m.buf, in...)
	for {
		i := bytes.Index(m.buf, []byte{0, 0xFF})
		if i < 0 || len(m.buf) < i+4 {
			return out
		}
		f := m.buf[i:]
		if f[2] == 0 && f[3] == 0xFF { // ACK: end what you do
			m.buf = m.buf[i+4:]
			continue
		}
		n := int(f[2])
		if f[2]+f[3] != 0 || n < 2 {
			m.buf = m.buf[i+2:]
			continue
		}
		if len(f) < 4+n+1 {
			return out
		}
		sum := byte(0)
		for _, b := range f[4 : 4+n+1] {
			sum += b
		}
		command := append([]byte(nil), f[5:4+n]...)
		right := sum == 0 && f[4] == 0xD4
		m.buf = m.buf[i+4+n+1:]
		if m.Dead || !right {
			continue
		}
		out = append(out, 0, 0, 0xFF, 0, 0xFF, 0)
		if m.Deaf {
			continue
		}
		m.Seen = append(m.Seen, command[0])
		out = append(out, m.carryOut(command)...)
	}
}

func (m *Module) carryOut(c []byte) []byte {
	switch c[0] {
	case 0x02:
		return frame(3, 0x32, 1, 6, 7)
	case 0x14:
		m.awake = true
		return frame(0x15)
	case 0x32, 0x52:
		return frame(append([]byte{c[0] + 1}, make([]byte, int(c[0]>>6))...)...) // Release says a state, RF nothing
	case 0x4A:
		if len(c) < 3 {
			break
		}
		return frame(append([]byte{0x4B}, m.list(c[2], c[3:])...)...)
	case 0x40:
		if a := m.ask(int(c[1]), c[2:]); a != nil {
			return frame(append([]byte{0x41, 0}, a...)...)
		}
		return frame(0x41, 1)
	case 0x42:
		if a := m.ask(1, c[2:]); a != nil {
			return frame(append([]byte{0x43, 0, byte(len(a) + 1)}, a...)...)
		}
		return frame(0x43, 1)
	}
	return []byte{0, 0, 0xFF, 1, 0xFF, 0x7F, 0x81, 0}
}

func (m *Module) ask(target int, command []byte) []byte {
	if m.Pull > 0 {
		if m.Pull--; m.Pull == 0 {
			m.Take()
		}
	}
	if target < 1 || target > len(m.Cards) {
		return nil
	}
	return m.Cards[target-1].Answer(command)
}

// Take takes all cards away.
func (m *Module) Take() {
	for _, c := range m.Cards {
		c.Removed()
	}
	m.Cards = nil
}

// list finds the cards of a kind: 0 = type A, 1 = FeliCa of a system.
func (m *Module) list(kind byte, rest []byte) []byte {
	out := []byte{0}
	add := func(i int, b ...byte) {
		out[0]++
		out = append(append(out, byte(i+1)), b...)
	}
	for i, c := range m.Cards {
		switch c := c.(type) {
		case *Plain:
			if kind == 0 {
				add(i, append([]byte{0, 4, 8, byte(len(c.Serial))}, c.Serial...)...)
			}
		case *DESFire:
			if kind == 0 {
				add(i, append(append([]byte{3, 0x44, 0x20, byte(len(c.Serial))}, c.Serial...), 6, 0x75, 0x77, 0x81, 2, 0x80)...)
			}
		case *LiteS:
			if kind == 1 && len(rest) >= 3 && (rest[1] == 0xFF && rest[2] == 0xFF || rest[1] == byte(c.System>>8) && rest[2] == byte(c.System)) {
				b := append([]byte{20, 1}, c.IDm[:]...)
				b = append(b, 0, 0xF1, 0, 0, 0, 1, 0x43, 0)
				add(i, append(b, byte(c.System>>8), byte(c.System))...)
			}
		}
		if out[0] == 2 {
			break
		}
	}
	return out
}
