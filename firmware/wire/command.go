package wire

import (
	"monban/firmware/access"
	"monban/firmware/door"
)

// Limits of a command (D13).
const (
	// MaxCommandMS bounds Command.TTLMS: a person who ordered an unlock waits for it; what comes later
	// opens a door that nobody stands at.
	MaxCommandMS = 5000
	// MaxPulseMS bounds Command.PulseMS. A door's own release time bounds it further.
	MaxPulseMS = 5000
)

// CommandID is random per command. The records of a command carry it as their attempt.
type CommandID [16]byte

// Command is an order to one door (D13). It holds good for one running of one gateway and for TTLMS
// from when the heartbeat it names was sent, by the gateway's own monotonic clock; so neither a queue, a
// replay nor a wrong wall clock can make it act later (I7). down/command, role command.
type Command struct {
	Gateway   access.GatewayID
	ID        CommandID
	Door      access.DoorID
	Action    door.CommandKind
	PulseMS   int64  // of a remote_unlock: how long the strike stays released at most, 0 = the door's own time; else 0
	TTLMS     int64  // 1–MaxCommandMS
	Order     uint64 // index of the leaf that says who ordered it and why; names nobody
	Boot      BootID // of the newest heartbeat
	Challenge Challenge
	ServerMS  int64 // for the reader of a trace; decides nothing
}

// AppendCommand appends the canonical body.
func AppendCommand(b []byte, m *Command) []byte {
	b = putString(b, `{"gateway":`, string(m.Gateway))
	b = putHex(b, `,"id":`, m.ID[:])
	b = putString(b, `,"door":`, string(m.Door))
	b = putString(b, `,"action":`, m.Action.String())
	b = putInt(b, `,"pulse_ms":`, m.PulseMS)
	b = putInt(b, `,"ttl_ms":`, m.TTLMS)
	b = putUint(b, `,"order":`, m.Order)
	b = putHex(b, `,"boot":`, m.Boot[:])
	b = putHex(b, `,"challenge":`, m.Challenge[:])
	b = putInt(b, `,"server_ms":`, m.ServerMS)
	return append(b, '}')
}

// ParseCommand reads a canonical body. It refuses the action none, a zero id, times outside their limits
// and a pulse for anything but an unlock.
func ParseCommand(b []byte) (m Command, err error) {
	s := scan(KindCommand, b)
	m.Gateway = access.GatewayID(s.id(`{"gateway":`))
	s.hex(`,"id":`, m.ID[:])
	if m.ID == (CommandID{}) {
		s.fail(`"id":`, "is zero")
	}
	m.Door = access.DoorID(s.id(`,"door":`))
	m.Action = name(&s, `,"action":`, door.ParseCommandKind)
	if m.Action == door.CommandNone {
		s.fail(`"action":`, "does nothing")
	}
	m.PulseMS = s.int(`,"pulse_ms":`)
	if m.PulseMS < 0 || m.PulseMS > MaxPulseMS || m.PulseMS > 0 && m.Action != door.CommandUnlock {
		s.fail(`"pulse_ms":`, "outside 0 to 5000, or for an action without a pulse")
	}
	m.TTLMS = s.int(`,"ttl_ms":`)
	if m.TTLMS < 1 || m.TTLMS > MaxCommandMS {
		s.fail(`"ttl_ms":`, "outside 1 to 5000")
	}
	m.Order = s.uint(`,"order":`)
	s.hex(`,"boot":`, m.Boot[:])
	s.hex(`,"challenge":`, m.Challenge[:])
	m.ServerMS = s.int(`,"server_ms":`)
	if err := s.end(); err != nil {
		return Command{}, err
	}
	return m, nil
}
