package osdp

// Command codes (§A.1).
const (
	cmdPoll      = 0x60
	cmdID        = 0x61
	cmdCap       = 0x62
	cmdLocal     = 0x64
	cmdOutput    = 0x68
	cmdLED       = 0x69
	cmdBuzzer    = 0x6A
	cmdText      = 0x6B
	cmdKeySet    = 0x75
	cmdChallenge = 0x76
	cmdServer    = 0x77
)

// Reply codes (§A.2).
const (
	repACK        = 0x40
	repNAK        = 0x41
	repID         = 0x45
	repCap        = 0x46
	repLocal      = 0x48
	repInputs     = 0x49
	repOutputs    = 0x4A
	repReader     = 0x4B
	repRaw        = 0x50
	repKeypad     = 0x53
	repCom        = 0x54
	repCryptogram = 0x76
	repInitialMAC = 0x78
	repBusy       = 0x79
)

// Capability functions (§B).
const (
	capSecurity = 9
	capReceive  = 10
)

// NAK is a reader's reason for refusing a command.
type NAK byte

// The reasons.
const (
	NAKCheck     NAK = 1
	NAKLength    NAK = 2
	NAKUnknown   NAK = 3
	NAKSequence  NAK = 4
	NAKNoBlock   NAK = 5 // secure blocks are not supported
	NAKUnsecured NAK = 6 // the reader wants a secure channel first
	NAKRecord    NAK = 9
)

// String gives a stable name.
func (n NAK) String() string {
	switch n {
	case NAKCheck:
		return "check"
	case NAKLength:
		return "length"
	case NAKUnknown:
		return "unknown_command"
	case NAKSequence:
		return "sequence"
	case NAKNoBlock:
		return "no_secure_block"
	case NAKUnsecured:
		return "not_secured"
	case NAKRecord:
		return "record"
	}
	return "other"
}
