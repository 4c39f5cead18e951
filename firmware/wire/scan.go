package wire

import (
	"bytes"
	"encoding/base64"
	"math"
	"unicode/utf8"
)

// Limits of the fields, in bytes or entries.
const (
	maxID       = 32   // site, gateway and door ids
	maxToken    = 64   // machine words
	maxSoftware = 64   // Hello.Software
	maxNote     = 8192 // notes carried inside a message: keys, checkpoint
	maxSealed   = 128  // a sealed card_ref
	maxPrivate  = 1024 // a sealed private part
	maxDoors    = 64   // doors of one gateway
)

// scanner reads one canonical JSON object whose fields come in a known order. It never looks for a
// field: it demands it. The first fault sticks and every later read gives zero values.
type scanner struct {
	b    []byte
	i    int
	kind string
	err  *Error
}

func scan(kind string, b []byte) scanner { return scanner{b: b, kind: kind} }

// fieldName cuts the JSON name out of a key such as `,"door":`.
func fieldName(key string) string {
	from, to := -1, len(key)
	for i := range len(key) {
		if key[i] == '"' {
			if from < 0 {
				from = i + 1
			} else {
				to = i
			}
		}
	}
	if from < 0 {
		return "(end)"
	}
	return key[from:to]
}

func (s *scanner) fail(key, detail string) {
	if s.err == nil {
		s.err = &Error{Fault: FaultBody, Kind: s.kind, Field: fieldName(key), At: s.i, Detail: detail}
	}
}

// lit demands the bytes of l.
func (s *scanner) lit(l string) bool {
	if s.err != nil {
		return false
	}
	if len(s.b)-s.i < len(l) || string(s.b[s.i:s.i+len(l)]) != l {
		s.fail(l, "expected "+l)
		return false
	}
	s.i += len(l)
	return true
}

// peek reports whether the next byte is c, without taking it.
func (s *scanner) peek(c byte) bool { return s.err == nil && s.i < len(s.b) && s.b[s.i] == c }

// next reports whether l follows, without taking it: of fields that may be left out it tells which comes.
func (s *scanner) next(l string) bool { return s.err == nil && bytes.HasPrefix(s.b[s.i:], []byte(l)) }

// end demands the closing brace and nothing after it.
func (s *scanner) end() error {
	if s.lit("}") && s.i != len(s.b) {
		s.fail("}", "bytes after the end")
	}
	if s.err != nil {
		return s.err
	}
	return nil
}

// raw reads a string without escapes of at most limit bytes; the result is a part of the input.
func (s *scanner) raw(key string, limit int) []byte {
	if !s.lit(key) {
		return nil
	}
	if !s.peek('"') {
		s.fail(key, "not a string")
		return nil
	}
	from := s.i + 1
	for j := from; j < len(s.b); j++ {
		c := s.b[j]
		if c == '"' {
			if j-from > limit {
				s.fail(key, "too long")
				return nil
			}
			s.i = j + 1
			return s.b[from:j]
		}
		if c < 0x20 || c == '\\' {
			break
		}
	}
	s.fail(key, "not a plain string")
	return nil
}

// id reads a site, gateway or door id.
func (s *scanner) id(key string) string {
	b := s.raw(key, maxID)
	if s.err == nil && !ValidID(string(b)) {
		s.fail(key, "not 1 to 32 characters of [a-z0-9-]")
		return ""
	}
	return string(b)
}

// optID is id, or "".
func (s *scanner) optID(key string) string {
	b := s.raw(key, maxID)
	if s.err == nil && len(b) > 0 && !ValidID(string(b)) {
		s.fail(key, "not 0 to 32 characters of [a-z0-9-]")
		return ""
	}
	return string(b)
}

func idByte(c byte) bool { return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' }

// token reads a machine word: min–max characters of [a-z0-9_.-].
func (s *scanner) token(key string, least, most int) string {
	b := s.raw(key, most)
	if s.err != nil {
		return ""
	}
	for _, c := range b {
		if !idByte(c) && c != '_' && c != '.' {
			s.fail(key, "not of [a-z0-9_.-]")
			return ""
		}
	}
	if len(b) < least {
		s.fail(key, "empty")
	}
	return string(b)
}

// oneOf reads one of the given words.
func (s *scanner) oneOf(key string, words ...string) string {
	b := s.raw(key, maxToken)
	if s.err != nil {
		return ""
	}
	for _, w := range words {
		if string(b) == w {
			return w
		}
	}
	s.fail(key, "not one of the known words")
	return ""
}

// printable reads printable ASCII without quote and backslash.
func (s *scanner) printable(key string, most int) string {
	b := s.raw(key, most)
	for _, c := range b {
		if c > 0x7e {
			s.fail(key, "not printable ASCII")
			return ""
		}
	}
	return string(b)
}

// text reads UTF-8 with the escapes \" \\ \n, at most limit bytes unescaped.
func (s *scanner) text(key string, limit int) string {
	if !s.lit(key) {
		return ""
	}
	if !s.peek('"') {
		s.fail(key, "not a string")
		return ""
	}
	var out []byte
	for j := s.i + 1; j < len(s.b); j++ {
		c := s.b[j]
		switch {
		case c == '"':
			if !utf8.Valid(out) {
				s.fail(key, "not UTF-8")
				return ""
			}
			s.i = j + 1
			return string(out)
		case c < 0x20:
			s.fail(key, "control character")
			return ""
		case c == '\\':
			j++
			if j == len(s.b) {
				break
			}
			switch s.b[j] {
			case '"', '\\':
				c = s.b[j]
			case 'n':
				c = '\n'
			default:
				s.fail(key, "unknown escape")
				return ""
			}
		}
		if len(out) == limit {
			s.fail(key, "too long")
			return ""
		}
		out = append(out, c)
	}
	s.fail(key, "string without end")
	return ""
}

// uint reads a decimal number without sign or leading zeros.
func (s *scanner) uint(key string) uint64 {
	if !s.lit(key) {
		return 0
	}
	return s.digits(key)
}

func (s *scanner) digits(key string) uint64 {
	from := s.i
	var v uint64
	for s.i < len(s.b) {
		d := uint64(s.b[s.i] - '0')
		if d > 9 {
			break
		}
		if v > (math.MaxUint64-d)/10 || s.i > from && s.b[from] == '0' {
			s.fail(key, "not a canonical number of 64 bits")
			return 0
		}
		v = v*10 + d
		s.i++
	}
	if s.i == from {
		s.fail(key, "not a number")
	}
	return v
}

// int reads a decimal number of 63 bits and sign; "-0" is refused.
func (s *scanner) int(key string) int64 {
	if !s.lit(key) {
		return 0
	}
	negative := s.peek('-')
	if negative {
		s.i++
	}
	v := s.digits(key)
	switch {
	case s.err != nil:
		return 0
	case negative && v == 0, negative && v > 1<<63, !negative && v > math.MaxInt64:
		s.fail(key, "not a canonical signed number of 64 bits")
		return 0
	case negative:
		return -int64(v) // 1<<63 wraps to the least int64, which is meant
	}
	return int64(v)
}

func (s *scanner) bool(key string) bool {
	if !s.lit(key) {
		return false
	}
	for _, v := range [...]string{"true", "false"} {
		if rest, ok := cutString(s.b[s.i:], v); ok {
			s.i = len(s.b) - len(rest)
			return v == "true"
		}
	}
	s.fail(key, "neither true nor false")
	return false
}

// hex reads exactly len(dst) bytes in lower-case hex.
func (s *scanner) hex(key string, dst []byte) {
	b := s.raw(key, 2*len(dst))
	if s.err != nil {
		return
	}
	if len(b) != 2*len(dst) {
		s.fail(key, "wrong length")
		return
	}
	for i := range dst {
		hi, lo := nibble(b[2*i]), nibble(b[2*i+1])
		if hi|lo > 15 {
			s.fail(key, "not lower-case hex")
			return
		}
		dst[i] = hi<<4 | lo
	}
}

func nibble(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}

var strictBase64 = base64.StdEncoding.Strict()

// base64 reads at most limit bytes in padded standard base64; nil when empty.
func (s *scanner) base64(key string, limit int) []byte {
	b := s.raw(key, base64.StdEncoding.EncodedLen(limit))
	if s.err != nil || len(b) == 0 {
		return nil
	}
	out := make([]byte, strictBase64.DecodedLen(len(b)))
	n, err := strictBase64.Decode(out, b)
	if err != nil || n > limit {
		s.fail(key, "not canonical base64 of the allowed length")
		return nil
	}
	return out[:n]
}

// list calls item for each element of an array of at most most elements.
func (s *scanner) list(key string, most int, item func()) {
	if !s.lit(key) || !s.lit("[") {
		return
	}
	for n := 0; !s.peek(']') && s.err == nil; n++ {
		if n == most {
			s.fail(key, "too many entries")
			return
		}
		if n > 0 && !s.lit(",") {
			return
		}
		item()
	}
	s.lit("]")
}

func (s *scanner) hashes(key string, most int) []Hash {
	var out []Hash
	before := s.err
	s.list(key, most, func() {
		var h Hash
		s.hex("", h[:])
		out = append(out, h)
	})
	if s.err != before { // an element has no name of its own
		s.err.Field = fieldName(key)
	}
	return out
}

// name reads an enum's text with the enum's own strict parser.
func name[T any](s *scanner, key string, parse func(string) (T, error)) T {
	var zero T
	b := s.raw(key, maxToken)
	if s.err != nil {
		return zero
	}
	v, err := parse(string(b))
	if err != nil {
		s.fail(key, "unknown name")
		return zero
	}
	return v
}
