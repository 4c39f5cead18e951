package wire

import "monban/firmware/access"

// MaxLeaseMS bounds Lease.TTLMS: I5's 5 s leave the rest for the commit and clock rates.
const MaxLeaseMS = 3000

// AppendHeartbeat appends the canonical body.
func AppendHeartbeat(b []byte, m *Heartbeat) []byte {
	b = putString(b, `{"gateway":`, string(m.Gateway))
	b = putHex(b, `,"challenge":`, m.Challenge[:])
	b = appendStamp(b, &m.Stamp)
	b = putHex(b, `,"epoch":`, m.Epoch[:])
	b = putUint(b, `,"head":`, m.Head)
	b = putUint(b, `,"acked":`, m.Acked)
	b = putUint(b, `,"rules":`, m.Rules)
	b = putUint(b, `,"modes":`, m.Modes)
	b = putUint(b, `,"state":`, m.State)
	b = append(b, `,"doors":[`...)
	for i := range m.Doors {
		d := &m.Doors[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = putString(b, `{"door":`, string(d.Door))
		b = putString(b, `,"state":`, d.State)
		b = putString(b, `,"contact":`, d.Contact)
		b = putString(b, `,"reader":`, d.Reader)
		b = putString(b, `,"mode":`, d.Mode.String())
		b = append(b, '}')
	}
	b = putUint(b, `],"pending":`, m.Pending)
	if m.Keys > 1 { // only after the root or a role key has changed: a server of before knows no such field
		b = putUint(b, `,"keys":`, m.Keys)
	}
	if m.Power.Mains != "" { // only where it is sensed: a server of before knows no such fields
		b = putString(b, `,"mains":`, m.Power.Mains)
		b = putString(b, `,"battery":`, m.Power.Battery)
	}
	return append(b, '}')
}

// ParseHeartbeat reads a canonical body.
func ParseHeartbeat(b []byte) (m Heartbeat, err error) {
	s := scan(KindHeartbeat, b)
	m.Gateway = access.GatewayID(s.id(`{"gateway":`))
	s.hex(`,"challenge":`, m.Challenge[:])
	s.stamp(&m.Stamp)
	s.hex(`,"epoch":`, m.Epoch[:])
	m.Head = s.uint(`,"head":`)
	m.Acked = s.uint(`,"acked":`)
	m.Rules = s.uint(`,"rules":`)
	m.Modes = s.uint(`,"modes":`)
	m.State = s.uint(`,"state":`)
	s.list(`,"doors":`, maxDoors, func() {
		var d DoorStatus
		d.Door = access.DoorID(s.id(`{"door":`))
		d.State = s.token(`,"state":`, 1, maxToken)
		d.Contact = s.oneOf(`,"contact":`, "open", "closed", "unknown")
		d.Reader = s.oneOf(`,"reader":`, "ok", "lost")
		d.Mode = name(&s, `,"mode":`, access.ParseDoorMode)
		s.lit("}")
		m.Doors = append(m.Doors, d)
	})
	m.Pending = s.uint(`,"pending":`)
	if s.next(`,"keys":`) {
		if m.Keys = s.uint(`,"keys":`); m.Keys < 2 {
			s.fail(`"keys":`, "the first note is not named")
		}
	}
	if s.peek(',') {
		m.Power.Mains = s.oneOf(`,"mains":`, "yes", "no", "none", "unknown")
		m.Power.Battery = s.oneOf(`,"battery":`, "ok", "low", "none", "unknown")
	}
	if err := s.end(); err != nil {
		return Heartbeat{}, err
	}
	return m, nil
}

// AppendLease appends the canonical body.
func AppendLease(b []byte, m *Lease) []byte {
	b = putString(b, `{"gateway":`, string(m.Gateway))
	b = putHex(b, `,"challenge":`, m.Challenge[:])
	b = putInt(b, `,"ttl_ms":`, m.TTLMS)
	b = putUint(b, `,"rules":`, m.Rules)
	b = putUint(b, `,"modes":`, m.Modes)
	b = putUint(b, `,"state":`, m.State)
	b = putInt(b, `,"server_ms":`, m.ServerMS)
	return append(b, '}')
}

// ParseLease reads a canonical body. A TTL outside 0–MaxLeaseMS is refused.
func ParseLease(b []byte) (m Lease, err error) {
	s := scan(KindLease, b)
	m.Gateway = access.GatewayID(s.id(`{"gateway":`))
	s.hex(`,"challenge":`, m.Challenge[:])
	m.TTLMS = s.int(`,"ttl_ms":`)
	if m.TTLMS < 0 || m.TTLMS > MaxLeaseMS {
		s.fail(`"ttl_ms":`, "outside 0 to 3000")
	}
	m.Rules = s.uint(`,"rules":`)
	m.Modes = s.uint(`,"modes":`)
	m.State = s.uint(`,"state":`)
	m.ServerMS = s.int(`,"server_ms":`)
	if err := s.end(); err != nil {
		return Lease{}, err
	}
	return m, nil
}
