package wire

import "monban/firmware/access"

// AppendHello appends the canonical body.
func AppendHello(b []byte, m *Hello) []byte {
	b = putString(b, `{"gateway":`, string(m.Gateway))
	b = putHex(b, `,"epoch":`, m.Epoch[:])
	b = putUint(b, `,"tail":`, m.Tail)
	b = putUint(b, `,"head":`, m.Head)
	b = putHex(b, `,"head_hash":`, m.HeadHash[:])
	b = putUint(b, `,"acked":`, m.Acked)
	b = appendStamp(b, &m.Stamp)
	b = putUint(b, `,"rules":`, m.Rules)
	b = putUint(b, `,"modes":`, m.Modes)
	b = putUint(b, `,"state":`, m.State)
	b = putString(b, `,"software":`, m.Software)
	return append(b, '}')
}

// ParseHello reads a canonical body.
func ParseHello(b []byte) (m Hello, err error) {
	s := scan(KindHello, b)
	m.Gateway = access.GatewayID(s.id(`{"gateway":`))
	s.hex(`,"epoch":`, m.Epoch[:])
	m.Tail = s.uint(`,"tail":`)
	m.Head = s.uint(`,"head":`)
	s.hex(`,"head_hash":`, m.HeadHash[:])
	m.Acked = s.uint(`,"acked":`)
	s.stamp(&m.Stamp)
	m.Rules = s.uint(`,"rules":`)
	m.Modes = s.uint(`,"modes":`)
	m.State = s.uint(`,"state":`)
	m.Software = s.printable(`,"software":`, maxSoftware)
	if err := s.end(); err != nil {
		return Hello{}, err
	}
	return m, nil
}

// AppendWelcome appends the canonical body.
func AppendWelcome(b []byte, m *Welcome) []byte {
	b = putString(b, `{"gateway":`, string(m.Gateway))
	b = putHex(b, `,"boot":`, m.Boot[:])
	b = putHex(b, `,"epoch":`, m.Epoch[:])
	b = putUint(b, `,"watermark":`, m.Watermark)
	b = putHex(b, `,"hash":`, m.Hash[:])
	b = putInt(b, `,"server_ms":`, m.ServerMS)
	b = putString(b, `,"keys":`, m.Keys)
	return append(b, '}')
}

// ParseWelcome reads a canonical body.
func ParseWelcome(b []byte) (m Welcome, err error) {
	s := scan(KindWelcome, b)
	m.Gateway = access.GatewayID(s.id(`{"gateway":`))
	s.hex(`,"boot":`, m.Boot[:])
	s.hex(`,"epoch":`, m.Epoch[:])
	m.Watermark = s.uint(`,"watermark":`)
	s.hex(`,"hash":`, m.Hash[:])
	m.ServerMS = s.int(`,"server_ms":`)
	m.Keys = s.text(`,"keys":`, maxNote)
	if err := s.end(); err != nil {
		return Welcome{}, err
	}
	return m, nil
}
