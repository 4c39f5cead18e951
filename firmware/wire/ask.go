package wire

import (
	"math"

	"monban/firmware/access"
)

// AppendAsk appends the canonical body.
func AppendAsk(b []byte, m *Ask) []byte {
	b = putString(b, `{"gateway":`, string(m.Gateway))
	b = putHex(b, `,"id":`, m.ID[:])
	b = putHex(b, `,"attempt":`, m.Attempt[:])
	b = putString(b, `,"door":`, string(m.Door))
	b = putString(b, `,"side":`, m.Side.String())
	b = putBase64(b, `,"card":`, m.Card)
	b = putString(b, `,"assurance":`, m.Assurance)
	b = putBool(b, `,"pin_given":`, m.PINGiven)
	b = putHex(b, `,"pin":`, m.PIN[:])
	b = putUint(b, `,"pin_failed":`, uint64(m.PINFailed))
	b = appendStamp(b, &m.Stamp)
	b = putUint(b, `,"rules":`, m.Rules)
	if m.PINReset > 0 {
		b = putInt(b, `,"pin_reset":`, m.PINReset)
	}
	return append(b, '}')
}

// ParseAsk reads a canonical body.
func ParseAsk(b []byte) (m Ask, err error) {
	s := scan(KindAsk, b)
	m.Gateway = access.GatewayID(s.id(`{"gateway":`))
	s.hex(`,"id":`, m.ID[:])
	s.hex(`,"attempt":`, m.Attempt[:])
	m.Door = access.DoorID(s.id(`,"door":`))
	m.Side = name(&s, `,"side":`, access.ParseSide)
	m.Card = s.base64(`,"card":`, maxSealed)
	m.Assurance = s.token(`,"assurance":`, 0, maxToken)
	m.PINGiven = s.bool(`,"pin_given":`)
	s.hex(`,"pin":`, m.PIN[:])
	failed := s.uint(`,"pin_failed":`)
	if failed > math.MaxUint8 {
		s.fail(`"pin_failed":`, "above 255")
	}
	m.PINFailed = uint8(failed)
	s.stamp(&m.Stamp)
	m.Rules = s.uint(`,"rules":`)
	if s.peek(',') {
		if m.PINReset = s.int(`,"pin_reset":`); m.PINReset <= 0 {
			s.fail(`"pin_reset":`, "not above 0")
		}
	}
	if err := s.end(); err != nil {
		return Ask{}, err
	}
	return m, nil
}

// AppendAnswer appends the canonical body.
func AppendAnswer(b []byte, m *Answer) []byte {
	b = putString(b, `{"gateway":`, string(m.Gateway))
	b = putHex(b, `,"id":`, m.ID[:])
	b = putHex(b, `,"attempt":`, m.Attempt[:])
	b = putString(b, `,"outcome":`, m.Outcome.String())
	b = putString(b, `,"reason":`, m.Reason.String())
	b = putString(b, `,"failed":`, m.Failed.String())
	b = putUint(b, `,"rules":`, m.Rules)
	b = putUint(b, `,"leaf":`, m.Leaf)
	b = putInt(b, `,"server_ms":`, m.ServerMS)
	return append(b, '}')
}

// ParseAnswer reads a canonical body.
func ParseAnswer(b []byte) (m Answer, err error) {
	s := scan(KindAnswer, b)
	m.Gateway = access.GatewayID(s.id(`{"gateway":`))
	s.hex(`,"id":`, m.ID[:])
	s.hex(`,"attempt":`, m.Attempt[:])
	m.Outcome = name(&s, `,"outcome":`, access.ParseOutcome)
	m.Reason = name(&s, `,"reason":`, parseReason)
	m.Failed = s.reasons(`,"failed":`)
	m.Rules = s.uint(`,"rules":`)
	m.Leaf = s.uint(`,"leaf":`)
	m.ServerMS = s.int(`,"server_ms":`)
	if err := s.end(); err != nil {
		return Answer{}, err
	}
	return m, nil
}
