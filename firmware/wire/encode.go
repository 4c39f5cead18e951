package wire

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
)

// The helpers below append `key` (which includes its brace or comma, quotes and colon) and a value
// in its one canonical form.

func putString(b []byte, key, s string) []byte {
	b = append(b, key...)
	return quote(b, s)
}

// quote writes s with the three escapes the decoder knows. Other control characters become \u00XX,
// which the decoder refuses: such a text must not cross the network.
func quote(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		default:
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

func putUint(b []byte, key string, v uint64) []byte {
	return strconv.AppendUint(append(b, key...), v, 10)
}

func putInt(b []byte, key string, v int64) []byte {
	return strconv.AppendInt(append(b, key...), v, 10)
}

func putBool(b []byte, key string, v bool) []byte {
	return strconv.AppendBool(append(b, key...), v)
}

func putHex(b []byte, key string, v []byte) []byte {
	b = append(append(b, key...), '"')
	b = hex.AppendEncode(b, v)
	return append(b, '"')
}

func putBase64(b []byte, key string, v []byte) []byte {
	b = append(append(b, key...), '"')
	b = base64.StdEncoding.AppendEncode(b, v)
	return append(b, '"')
}

func putHashes(b []byte, key string, list []Hash) []byte {
	b = append(b, key...)
	b = append(b, '[')
	for i := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = putHex(b, "", list[i][:])
	}
	return append(b, ']')
}
