package entrylog

import (
	"crypto/sha256"
	"fmt"
)

// Opening is what a leaf commits to and does not show: everything about a person. It is stored
// encrypted beside the leaf and dies with its key. An empty field is written as null.
type Opening struct {
	Person   string // person id in the directory
	Name     string // name at that time
	Section  string // section or company at that time
	Category string // staff, contractor, visitor
	Purpose  string
	Escort   string // person id of the escort
	Badge    string // number of a lent badge
	Masked   string // last digits of the card, masked
	Subject  string // action: person id of the one acted on
	Target   string // action: id that may not stand in the leaf (card, credential, visit)
	Address  string // action: where the request came from
	Text     string // action, system: reason or note in words

	Private     []byte // record: the gateway's sealed private part, as received
	PrivateSalt []byte // record: its salt; with Private it opens the body's gcommit
	Inputs      []byte // decision inputs, canonical bytes of Request and View (D16)
}

// MaxOpeningBytes bounds an opening.
const MaxOpeningBytes = 16 << 10

func appendText(dst []byte, key, s string) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, key...)
	dst = append(dst, '"', ':')
	if s == "" {
		return append(dst, "null"...)
	}
	return appendString(dst, s)
}

func appendBytes(dst []byte, key string, b []byte) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, key...)
	dst = append(dst, '"', ':')
	if len(b) == 0 {
		return append(dst, "null"...)
	}
	return appendBase64(dst, b)
}

// texts lists the text fields in their order; Append and ParseOpening share it.
func (o *Opening) texts() [12]struct {
	key   string
	value *string
} {
	return [12]struct {
		key   string
		value *string
	}{
		{"person", &o.Person}, {"name", &o.Name}, {"section", &o.Section}, {"category", &o.Category},
		{"purpose", &o.Purpose}, {"escort", &o.Escort}, {"badge", &o.Badge}, {"masked", &o.Masked},
		{"subject", &o.Subject}, {"target", &o.Target}, {"address", &o.Address}, {"text", &o.Text},
	}
}

// Append appends the canonical bytes of o: what Commit covers.
func (o *Opening) Append(dst []byte) ([]byte, error) {
	from := len(dst)
	dst = append(dst, `{"opening":1`...)
	for _, f := range o.texts() {
		if err := checkText(f.key, *f.value, 12<<10); err != nil {
			return nil, fmt.Errorf("opening: %w", err)
		}
		dst = appendText(dst, f.key, *f.value)
	}
	dst = appendBytes(dst, "private", o.Private)
	dst = appendBytes(dst, "private_salt", o.PrivateSalt)
	dst = appendBytes(dst, "inputs", o.Inputs)
	dst = append(dst, '}')
	if n := len(dst) - from; n > MaxOpeningBytes {
		return nil, fmt.Errorf("opening: %d bytes, at most %d are allowed", n, MaxOpeningBytes)
	}
	return dst, nil
}

// ParseOpening is the inverse of Append.
func ParseOpening(b []byte) (o Opening, err error) {
	s := scan{b: b}
	s.lit(`{"opening":1`)
	for _, f := range o.texts() {
		s.lit(`,"` + f.key + `":`)
		if s.null() {
			continue
		}
		if *f.value = s.str(); *f.value == "" {
			s.fail("null for an empty field")
		}
	}
	for _, f := range [...]struct {
		key   string
		value *[]byte
	}{{"private", &o.Private}, {"private_salt", &o.PrivateSalt}, {"inputs", &o.Inputs}} {
		s.lit(`,"` + f.key + `":`)
		if s.null() {
			continue
		}
		if *f.value = s.base64(); len(*f.value) == 0 {
			s.fail("null for an empty field")
		}
	}
	s.lit("}")
	if err := s.end(); err != nil {
		return Opening{}, fmt.Errorf("opening: %w", err)
	}
	return o, nil
}

func (s *scan) null() bool {
	if s.peek("null") {
		s.i += 4
		return true
	}
	return false
}

// Commit is the commitment to an opening: SHA-256("monban/1" ‖ salt ‖ opening). The salt is 32
// fresh random bytes for every leaf, so equal openings give unlinkable commitments (PR-2).
func Commit(salt [32]byte, opening []byte) Hash {
	var small [2048]byte
	buf := append(small[:0], "monban/1"...)
	buf = append(buf, salt[:]...)
	buf = append(buf, opening...)
	return sha256.Sum256(buf)
}

// Link is one step of a gateway's chain: SHA-256(0x00 ‖ previous ‖ body).
func Link(prev Hash, body []byte) Hash {
	var small [2048]byte
	buf := append(small[:0], 0)
	buf = append(buf, prev[:]...)
	buf = append(buf, body...)
	return sha256.Sum256(buf)
}
