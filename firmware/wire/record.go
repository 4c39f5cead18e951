package wire

import (
	"errors"

	"monban/firmware/access"
	"monban/firmware/door"
)

var errUnknownName = errors.New("unknown name")

func parseReason(name string) (access.Reason, error) {
	r, ok := access.ParseReason(name)
	if !ok {
		return r, errUnknownName
	}
	return r, nil
}

func appendStamp(b []byte, m *Stamp) []byte {
	b = putHex(b, `,"boot":`, m.Boot[:])
	b = putInt(b, `,"boottime_ns":`, m.BoottimeNS)
	b = putInt(b, `,"wall_ms":`, m.WallMS)
	b = putString(b, `,"quality":`, m.Quality.String())
	return putInt(b, `,"offset_ms":`, m.OffsetMS)
}

func (s *scanner) stamp(m *Stamp) {
	s.hex(`,"boot":`, m.Boot[:])
	m.BoottimeNS = s.int(`,"boottime_ns":`)
	if m.BoottimeNS < 0 {
		s.fail(`"boottime_ns":`, "negative")
	}
	m.WallMS = s.int(`,"wall_ms":`)
	m.Quality = name(s, `,"quality":`, access.ParseClockQuality)
	m.OffsetMS = s.int(`,"offset_ms":`)
}

// reasons reads a set of reasons in its canonical order.
func (s *scanner) reasons(key string) access.ReasonSet {
	b := s.raw(key, 1024)
	if s.err != nil || len(b) == 0 {
		return 0
	}
	set, err := access.ParseReasonSet(string(b))
	if err != nil || set.String() != string(b) {
		s.fail(key, "unknown, repeated or re-ordered reasons")
		return 0
	}
	return set
}

// AppendRecord appends the canonical body bytes, which the chain hash and the log's leaf cover.
func AppendRecord(b []byte, m *Record) []byte {
	b = append(b, `{"record":1`...)
	b = putString(b, `,"gateway":`, string(m.Gateway))
	b = putHex(b, `,"epoch":`, m.Epoch[:])
	b = putUint(b, `,"seq":`, m.Seq)
	b = putString(b, `,"door":`, string(m.Door))
	b = putString(b, `,"side":`, m.Side.String())
	b = putString(b, `,"event":`, string(m.Event))
	b = putHex(b, `,"attempt":`, m.Attempt[:])
	b = appendStamp(b, &m.Stamp)
	b = putString(b, `,"by":`, m.By.String())
	b = putString(b, `,"reason":`, m.Reason.String())
	b = putString(b, `,"failed":`, m.Failed.String())
	b = putUint(b, `,"policy":`, m.Policy)
	b = putInt(b, `,"policy_age_ms":`, m.PolicyAge)
	b = putString(b, `,"assurance":`, m.Assurance)
	b = putString(b, `,"link":`, m.Link)
	b = putString(b, `,"detail":`, m.Detail)
	b = putHex(b, `,"gcommit":`, m.GCommit[:])
	return append(b, '}')
}

// ParseRecord reads canonical body bytes; it refuses everything AppendRecord would not write.
func ParseRecord(b []byte) (Record, error) {
	s := scan("record", b)
	m := s.record()
	if s.err == nil && s.i != len(b) {
		s.fail("}", "bytes after the end")
	}
	if s.err != nil {
		return Record{}, s.err
	}
	return m, nil
}

// record reads one record up to and with its closing brace.
func (s *scanner) record() (m Record) {
	s.lit(`{"record":1`)
	m.Gateway = access.GatewayID(s.id(`,"gateway":`))
	s.hex(`,"epoch":`, m.Epoch[:])
	m.Seq = s.uint(`,"seq":`)
	if m.Seq == 0 {
		s.fail(`"seq":`, "is 0")
	}
	m.Door = access.DoorID(s.optID(`,"door":`))
	m.Side = name(s, `,"side":`, access.ParseSide)
	m.Event = door.Event(s.token(`,"event":`, 1, maxToken))
	s.hex(`,"attempt":`, m.Attempt[:])
	s.stamp(&m.Stamp)
	m.By = name(s, `,"by":`, access.ParseDecidedBy)
	m.Reason = name(s, `,"reason":`, parseReason)
	m.Failed = s.reasons(`,"failed":`)
	m.Policy = s.uint(`,"policy":`)
	m.PolicyAge = s.int(`,"policy_age_ms":`)
	m.Assurance = s.token(`,"assurance":`, 0, maxToken)
	m.Link = s.oneOf(`,"link":`, "", "clear", "secure")
	m.Detail = s.token(`,"detail":`, 0, maxToken)
	s.hex(`,"gcommit":`, m.GCommit[:])
	s.lit("}")
	return m
}
