package access

import (
	"encoding/binary"
	"fmt"

	"monban/firmware/card"
	"monban/firmware/mono"
)

// The canonical bytes of a request and its view: fixed width, so that nothing about the PIN or the
// place of a person shows in a length (D10), and big-endian. Kept in the encrypted opening (D16);
// Decide of the parsed bytes on the same policy version gives the same decision (AD-12).
//
//	 0 version (1)      1 door, 1+32: length, then zero-padded
//	34 side   35 has card   36 key [32]   68 assurance   69 pin   70 wall ms [8]
//	78 clock  79 link   80 behind   81 age ms [8]   89 at [8]
//	97 pin known, failed   99 person known, inside (1+32), last ms [8]
//	141 zone known, count [4], escorts [4], contractors [4], visitors [4], reserved [4], three times: known, count [4], reserved [4]
//	189 door known, eight times: since ms [8], category, self, may escort, party, granted
const (
	inputsVersion = 3
	// InputsSize is the length of the canonical bytes.
	InputsSize = 190 + MaxPresent*13
	idWidth    = 1 + maxIDLen
)

// AppendInputs appends the canonical bytes of v and r to dst.
//
// An id longer than any policy can hold is cut and marked as such; it parses as another id that no
// policy can hold, so a replay still denies `unknown_door`.
func AppendInputs(dst []byte, v View, r Request) []byte {
	dst = append(dst, inputsVersion)
	dst = appendID(dst, string(r.Door))
	dst = append(dst, byte(r.Side), flag(r.HasCard))
	dst = append(dst, r.Key[:]...)
	dst = append(dst, byte(r.Assurance), byte(r.PIN))
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.WallMS))
	dst = append(dst, byte(r.Clock), byte(r.Link), flag(r.Behind))
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.AgeMS))
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.At))
	dst = append(dst, flag(v.PIN.Known), v.PIN.Failed, flag(v.Person.Known))
	dst = appendID(dst, string(v.Person.Inside))
	dst = binary.BigEndian.AppendUint64(dst, uint64(v.Person.LastMS))
	dst = append(dst, flag(v.Zone.Known))
	for _, n := range [...]uint32{v.Zone.Count, v.Zone.Escorts, v.Zone.Contractors, v.Zone.Visitors, v.Zone.Reserved} {
		dst = binary.BigEndian.AppendUint32(dst, n)
	}
	for _, c := range v.Zone.Above {
		dst = binary.BigEndian.AppendUint32(append(dst, flag(c.Known)), c.Count)
		dst = binary.BigEndian.AppendUint32(dst, c.Reserved)
	}
	dst = append(dst, flag(v.Door.Known))
	for i := range v.Door.Present {
		x := &v.Door.Present[i]
		dst = binary.BigEndian.AppendUint64(dst, uint64(x.SinceMS))
		dst = append(dst, byte(x.Category), flag(x.Self), flag(x.MayEscort), x.Party, flag(x.Granted))
	}
	return dst
}

// ParseInputs reads what AppendInputs wrote, and refuses every other byte string: another length or
// version, a flag that is neither 0 nor 1, padding that is not zero, an unknown enum value.
func ParseInputs(b []byte) (View, Request, error) {
	if len(b) != InputsSize {
		return View{}, Request{}, fmt.Errorf("parse inputs: %d bytes, want %d", len(b), InputsSize)
	}
	if b[0] != inputsVersion {
		return View{}, Request{}, fmt.Errorf("parse inputs: version %d, want %d", b[0], inputsVersion)
	}
	p := inputParser{b: b[1:]}
	var v View
	var r Request
	r.Door = DoorID(p.id())
	r.Side = Side(p.enum("side", len(sideNames)))
	r.HasCard = p.flag()
	copy(r.Key[:], p.take(len(r.Key)))
	r.Assurance = card.Assurance(p.enum("assurance", int(card.MutualAuth)+1))
	r.PIN = PINState(p.enum("pin", len(pinNames)))
	r.WallMS = int64(binary.BigEndian.Uint64(p.take(8)))
	r.Clock = ClockQuality(p.enum("clock", len(clockNames)))
	r.Link = Link(p.enum("link", len(linkNames)))
	r.Behind = p.flag()
	r.AgeMS = int64(binary.BigEndian.Uint64(p.take(8)))
	r.At = mono.Time(binary.BigEndian.Uint64(p.take(8)))
	v.PIN.Known = p.flag()
	v.PIN.Failed = p.take(1)[0]
	v.Person.Known = p.flag()
	v.Person.Inside = ZoneID(p.id())
	v.Person.LastMS = int64(binary.BigEndian.Uint64(p.take(8)))
	v.Zone.Known = p.flag()
	for _, n := range [...]*uint32{&v.Zone.Count, &v.Zone.Escorts, &v.Zone.Contractors, &v.Zone.Visitors, &v.Zone.Reserved} {
		*n = binary.BigEndian.Uint32(p.take(4))
	}
	for i := range v.Zone.Above {
		v.Zone.Above[i] = CountView{p.flag(), binary.BigEndian.Uint32(p.take(4)), binary.BigEndian.Uint32(p.take(4))}
	}
	v.Door.Known = p.flag()
	for i := range v.Door.Present {
		v.Door.Present[i] = Presence{
			SinceMS: int64(binary.BigEndian.Uint64(p.take(8))), Category: Category(p.enum("category", len(categoryNames))),
			Self: p.flag(), MayEscort: p.flag(), Party: p.take(1)[0], Granted: p.flag(),
		}
	}
	if p.err != nil {
		return View{}, Request{}, fmt.Errorf("parse inputs: %w", p.err)
	}
	return v, r, nil
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// overlong stands in the length byte of an id that was cut; its last character is '~', which no id
// may hold.
const overlong = maxIDLen + 1

func appendID(dst []byte, id string) []byte {
	n := len(id)
	if n > maxIDLen {
		n = overlong
		id = id[:maxIDLen]
	}
	dst = append(dst, byte(n))
	dst = append(dst, id...)
	return append(dst, make([]byte, maxIDLen-len(id))...)
}

// inputParser walks the fixed layout and keeps the first fault.
type inputParser struct {
	b   []byte
	err error
}

func (p *inputParser) take(n int) []byte {
	out := p.b[:n]
	p.b = p.b[n:]
	return out
}

func (p *inputParser) fault(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

func (p *inputParser) flag() bool {
	v := p.take(1)[0]
	if v > 1 {
		p.fault("flag is %d, not 0 or 1", v)
	}
	return v == 1
}

func (p *inputParser) enum(what string, count int) uint8 {
	v := p.take(1)[0]
	if int(v) >= count {
		p.fault("%s %d is unknown", what, v)
	}
	return v
}

func (p *inputParser) id() string {
	b := p.take(idWidth)
	n := int(b[0])
	switch {
	case n == overlong:
		return string(b[1:]) + "~"
	case n > maxIDLen:
		p.fault("id length %d is above %d", n, maxIDLen)
		return ""
	}
	for _, c := range b[1+n:] {
		if c != 0 {
			p.fault("id padding is not zero")
			return ""
		}
	}
	return string(b[1 : 1+n])
}
