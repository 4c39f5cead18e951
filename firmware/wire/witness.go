package wire

import "monban/firmware/access"

// maxVKey bounds a verifier key's text.
const maxVKey = 256

// AppendWitness appends the canonical body.
func AppendWitness(b []byte, m *Witness) []byte {
	b = putString(b, `{"gateway":`, string(m.Gateway))
	b = putHex(b, `,"epoch":`, m.Epoch[:])
	b = putString(b, `,"key":`, m.Key)
	b = putString(b, `,"held":`, m.Held)
	b = putString(b, `,"refused":`, m.Refused)
	if m.Ask {
		return append(b, `,"ask":true}`...)
	}
	return append(b, `,"ask":false}`...)
}

// ParseWitness reads a canonical body.
func ParseWitness(b []byte) (m Witness, err error) {
	s := scan(KindWitness, b)
	m.Gateway = access.GatewayID(s.id(`{"gateway":`))
	s.hex(`,"epoch":`, m.Epoch[:])
	m.Key = s.text(`,"key":`, maxVKey)
	m.Held = s.text(`,"held":`, maxNote)
	m.Refused = s.text(`,"refused":`, maxNote)
	m.Ask = s.bool(`,"ask":`)
	if err := s.end(); err != nil {
		return Witness{}, err
	}
	return m, nil
}
