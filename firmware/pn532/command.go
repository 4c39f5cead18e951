package pn532

// Codes of the commands; a reply has the code of its command plus one.
const (
	CmdFirmware = 0x02
	CmdSAM      = 0x14
	CmdRF       = 0x32
	CmdExchange = 0x40
	CmdThru     = 0x42
	CmdList     = 0x4A
	CmdRelease  = 0x52
)

// SAM puts the module into its normal mode, with a timeout of 1 s and no use of its IRQ line.
func SAM() []byte { return []byte{CmdSAM, 0x01, 0x14, 0x01} }

// Retries bounds how long it looks for a card: by default for ever.
func Retries() []byte { return []byte{CmdRF, 0x05, 0xFF, 0x01, 0x02} }

// Firmware asks which chip it is.
func Firmware() []byte { return []byte{CmdFirmware} }

// ListA looks for cards of ISO/IEC 14443 A, two at most: a second one is a reason to refuse both.
func ListA() []byte { return []byte{CmdList, 0x02, 0x00} }

// ListF looks for FeliCa cards of one system at 212 kbit/s and asks for their system code.
func ListF(system uint16) []byte {
	return []byte{CmdList, 0x02, 0x01, 0x00, byte(system >> 8), byte(system), 0x01, 0x00}
}

// Exchange carries an APDU to the target with a number.
func Exchange(target byte, apdu []byte) []byte { return append([]byte{CmdExchange, target}, apdu...) }

// Thru carries a FeliCa command, without its length byte, to the card in the field.
func Thru(command []byte) []byte {
	return append([]byte{CmdThru, byte(len(command) + 1)}, command...)
}

// Release lets go of all targets.
func Release() []byte { return []byte{CmdRelease, 0x00} }

// Body gives what stands after the reply's code, when it is that of the command.
func Body(command byte, reply []byte) ([]byte, error) {
	if len(reply) < 1 || reply[0] != command+1 {
		return nil, ErrReply
	}
	return reply[1:], nil
}

// IsPN532 reads the reply to Firmware.
func IsPN532(body []byte) bool { return len(body) == 4 && body[0] == 0x32 }

// TargetA is one card of ISO/IEC 14443 A.
type TargetA struct {
	Number byte   // for Exchange
	SAK    byte   // SEL_RES; bit 5 = it takes APDUs
	UID    []byte // 4, 7 or 10 bytes
}

// ParseListA reads the reply to ListA.
func ParseListA(body []byte) (list []TargetA, err error) {
	if len(body) < 1 || body[0] > 2 {
		return nil, ErrReply
	}
	rest := body[1:]
	for range body[0] {
		if len(rest) < 5 || len(rest) < 5+int(rest[4]) {
			return nil, ErrReply
		}
		t := TargetA{Number: rest[0], SAK: rest[3], UID: append([]byte(nil), rest[5:5+rest[4]]...)}
		rest = rest[5+rest[4]:]
		if n := len(t.UID); n != 4 && n != 7 && n != 10 {
			return nil, ErrReply
		}
		if t.SAK&0x20 != 0 { // ATS: its first byte is its length
			if len(rest) < 1 || rest[0] < 1 || len(rest) < int(rest[0]) {
				return nil, ErrReply
			}
			rest = rest[rest[0]:]
		}
		list = append(list, t)
	}
	if len(rest) != 0 {
		return nil, ErrReply
	}
	return list, nil
}

// TargetF is one FeliCa card.
type TargetF struct {
	IDm    [8]byte
	System uint16
}

// ParseListF reads the reply to ListF. A card that does not say its system code is refused.
func ParseListF(body []byte) (list []TargetF, err error) {
	if len(body) < 1 || body[0] > 2 {
		return nil, ErrReply
	}
	rest := body[1:]
	for range body[0] {
		if len(rest) < 2 || rest[1] != 20 || len(rest) < 1+20 || rest[2] != 0x01 {
			return nil, ErrReply
		}
		var t TargetF
		copy(t.IDm[:], rest[3:])
		t.System = uint16(rest[19])<<8 | uint16(rest[20])
		rest = rest[21:]
		list = append(list, t)
	}
	if len(rest) != 0 {
		return nil, ErrReply
	}
	return list, nil
}

// ParseExchange gives the card's answer. ok is false when the card did not answer as it should: it was pulled away, or
// the air was bad.
func ParseExchange(body []byte) (answer []byte, ok bool) {
	if len(body) < 1 || body[0]&0x3F != 0 {
		return nil, false
	}
	return body[1:], true
}

// ParseThru gives a FeliCa card's answer without its length byte.
func ParseThru(body []byte) (answer []byte, ok bool) {
	if len(body) < 2 || body[0]&0x3F != 0 || int(body[1]) != len(body)-1 {
		return nil, false
	}
	return body[2:], true
}
