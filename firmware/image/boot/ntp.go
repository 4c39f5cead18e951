package boot

import (
	"encoding/binary"
	"errors"
	"time"
)

// ntpEpoch is 1970 in seconds since 1900.
const ntpEpoch = 2_208_988_800

// NTPQuestion is an SNTP question; cookie stands for the time of asking and comes back.
func NTPQuestion(cookie uint64) []byte {
	b := make([]byte, 48)
	b[0] = 4<<3 | 3 // version 4, client
	binary.BigEndian.PutUint64(b[40:], cookie)
	return b
}

// ParseNTP gives the server's time at sending. It is not signed: whoever is on the network can say anything. It sets the clock by which
// certificates are judged and lines of the log stamped; the gateway decides by the server's signed time only. notBefore is when this image was
// made: a time before it is none.
func ParseNTP(b []byte, cookie uint64, notBefore time.Time) (time.Time, error) {
	if len(b) < 48 || b[0]&7 != 4 || binary.BigEndian.Uint64(b[24:]) != cookie {
		return time.Time{}, errors.New("no answer of a time server to us")
	}
	if stratum := b[1]; stratum == 0 || stratum > 15 || b[0]>>6 == 3 {
		return time.Time{}, errors.New("the time server does not know the time itself")
	}
	s, frac := int64(binary.BigEndian.Uint32(b[40:])), int64(binary.BigEndian.Uint32(b[44:]))
	if s < 1<<31 { // after 7 February 2036
		s += 1 << 32
	}
	t := time.Unix(s-ntpEpoch, frac*1_000_000_000>>32)
	if t.Before(notBefore) || t.After(notBefore.AddDate(30, 0, 0)) {
		return time.Time{}, errors.New("the time server's time cannot be right")
	}
	return t, nil
}
