package entrylog

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// The canonical form is one line of JSON without spaces, its fields in a fixed order. Integers are
// plain decimal, bytes are lower-case hex or padded base64, strings escape `"`, `\` and the C0
// controls and nothing else. There is exactly one encoding of a value, so a reader that accepts
// only what the writer would write needs no second comparison.

const hexDigits = "0123456789abcdef"

// appendString appends s as a canonical JSON string. s must be valid UTF-8 (checkText).
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		if c < 0x20 {
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		} else {
			dst = append(dst, '\\', c)
		}
		from = i + 1
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

// appendHex appends b as a quoted string of lower-case hex digits.
func appendHex(dst, b []byte) []byte {
	dst = append(dst, '"')
	for _, c := range b {
		dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
	}
	return append(dst, '"')
}

// appendHash appends h as hex; the zero hash, which stands for "none", as the empty string.
func appendHash(dst []byte, h Hash) []byte {
	if h == (Hash{}) {
		return append(dst, '"', '"')
	}
	return appendHex(dst, h[:])
}

func appendBase64(dst, b []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}

// checkText refuses text that has no canonical form.
func checkText(field, s string, max int) error {
	if len(s) > max {
		return fmt.Errorf("%s is %d bytes long, at most %d are allowed", field, len(s), max)
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("%s is not valid UTF-8", field)
	}
	return nil
}

// checkWord refuses anything but a machine word: at most max characters of [A-Za-z0-9_.:/-]. Words are
// all a leaf may hold in clear, so free text cannot slip into one (PR-2).
func checkWord(field, s string, max int) error {
	if len(s) > max {
		return fmt.Errorf("%s is %d bytes long, at most %d are allowed", field, len(s), max)
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == ':' || c == '/' || c == '-' {
			continue
		}
		return fmt.Errorf("%s holds the byte %#02x; only A-Z a-z 0-9 _ . : / - are allowed", field, c)
	}
	return nil
}

var errSyntax = errors.New("not canonical")

// scan reads canonical bytes front to back. After the first fault every call is a no-op and err
// says where it was.
type scan struct {
	b   []byte
	i   int
	err error
}

func (s *scan) fail(what string) {
	if s.err == nil {
		s.err = fmt.Errorf("byte %d: want %s: %w", s.i, what, errSyntax)
	}
}

// lit expects exactly these bytes.
func (s *scan) lit(text string) {
	if s.err != nil {
		return
	}
	if len(s.b)-s.i < len(text) || string(s.b[s.i:s.i+len(text)]) != text {
		s.fail(text)
		return
	}
	s.i += len(text)
}

// peek reports whether the next bytes are text, without moving.
func (s *scan) peek(text string) bool {
	return s.err == nil && len(s.b)-s.i >= len(text) && string(s.b[s.i:s.i+len(text)]) == text
}

// uint reads an unsigned decimal without leading zeros.
func (s *scan) uint() uint64 {
	if s.err != nil {
		return 0
	}
	from := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	digits := s.b[from:s.i]
	if len(digits) == 0 || len(digits) > 20 || len(digits) > 1 && digits[0] == '0' {
		s.i = from
		s.fail("an unsigned number")
		return 0
	}
	var n uint64
	if len(digits) < 20 {
		for _, d := range digits {
			n = n*10 + uint64(d-'0')
		}
		return n
	}
	n, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		s.i = from
		s.fail("a number below 2^64")
	}
	return n
}

// int reads a signed decimal: no plus sign, no leading zeros, no minus zero.
func (s *scan) int() int64 {
	if s.err != nil {
		return 0
	}
	from, neg := s.i, false
	if s.i < len(s.b) && s.b[s.i] == '-' {
		neg = true
		s.i++
	}
	n := s.uint()
	switch {
	case s.err != nil:
		return 0
	case neg && n == 0, neg && n > 1<<63, !neg && n > 1<<63-1:
		s.i = from
		s.fail("a signed 64-bit number")
		return 0
	case neg:
		return -int64(n) // n = 2^63 wraps to the right value
	}
	return int64(n)
}

func (s *scan) bool() bool {
	switch {
	case s.peek("true"):
		s.i += 4
		return true
	case s.peek("false"):
		s.i += 5
		return false
	}
	s.fail("true or false")
	return false
}

// str reads a canonical string.
func (s *scan) str() string {
	raw, escaped := s.raw()
	if s.err != nil {
		return ""
	}
	if !utf8.Valid(raw) {
		s.fail("valid UTF-8")
		return ""
	}
	if !escaped {
		return string(raw)
	}
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			continue
		}
		i++
		if raw[i] == 'u' {
			out = append(out, unhex(raw[i+3])<<4|unhex(raw[i+4]))
			i += 4
			continue
		}
		out = append(out, raw[i])
	}
	return string(out)
}

// raw reads a quoted string and returns what stands between the quotes; escaped says that it holds
// escapes, each of which is one that appendString writes.
func (s *scan) raw() (text []byte, escaped bool) {
	s.lit(`"`)
	if s.err != nil {
		return nil, false
	}
	from := s.i
	for s.i < len(s.b) {
		c := s.b[s.i]
		switch {
		case c == '"':
			text = s.b[from:s.i]
			s.i++
			return text, escaped
		case c < 0x20:
			s.fail("an escaped control character")
			return nil, false
		case c != '\\':
			s.i++
			continue
		}
		escaped = true
		rest := s.b[s.i:]
		switch {
		case len(rest) >= 2 && (rest[1] == '"' || rest[1] == '\\'):
			s.i += 2
		case len(rest) >= 6 && string(rest[1:4]) == "u00" && (rest[4] == '0' || rest[4] == '1') && unhex(rest[5]) < 16:
			s.i += 6
		default:
			s.fail("a canonical escape")
			return nil, false
		}
	}
	s.fail("a closing quote")
	return nil, false
}

// word reads a string that must be a machine word (checkWord).
func (s *scan) word(max int) string {
	raw, escaped := s.raw()
	if s.err != nil {
		return ""
	}
	w := string(raw)
	if escaped || checkWord("text", w, max) != nil {
		s.fail("a word of A-Z a-z 0-9 _ . : / -")
		return ""
	}
	return w
}

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}

// hex reads quoted lower-case hex digits that fill dst exactly.
func (s *scan) hex(dst []byte) {
	if s.err != nil {
		return
	}
	n := 2 * len(dst)
	if len(s.b)-s.i < n+2 || s.b[s.i] != '"' || s.b[s.i+1+n] != '"' {
		s.fail("hex digits in quotes")
		return
	}
	for i := range dst {
		hi, lo := unhex(s.b[s.i+1+2*i]), unhex(s.b[s.i+2+2*i])
		if hi > 15 || lo > 15 {
			s.fail("lower-case hex digits")
			return
		}
		dst[i] = hi<<4 | lo
	}
	s.i += n + 2
}

// hash reads what appendHash writes.
func (s *scan) hash() (h Hash) {
	if s.peek(`""`) {
		s.i += 2
		return Hash{}
	}
	s.hex(h[:])
	if s.err == nil && h == (Hash{}) {
		s.fail(`"" for the zero hash`)
	}
	return h
}

// base64 reads padded standard base64; the empty string gives nil.
func (s *scan) base64() []byte {
	raw, escaped := s.raw()
	if s.err != nil || len(raw) == 0 && !escaped {
		return nil
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(raw)))
	n, err := base64.StdEncoding.Strict().Decode(out, raw)
	if err != nil || escaped {
		s.fail("base64")
		return nil
	}
	return out[:n]
}

// end expects that everything has been read and returns the first fault.
func (s *scan) end() error {
	if s.err == nil && s.i != len(s.b) {
		s.fail("the end")
	}
	return s.err
}
