package access

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// A delta turns the canonical bytes of one rules part into those of the next (D23): what left, and of
// what came or changed only the fields that did. Persons are named by their ids, since a newcomer
// shifts the numbers of all who follow. A delta proves nothing: whoever applies one compares the
// result's hash with the signed manifest, and fetches the whole part when it differs.
const deltaFormat = 1

// ErrDelta says that a delta does not fit its base or is damaged. The policy in force stays.
var ErrDelta = errors.New("delta does not fit")

// deltaHead is a delta's first line; the rows follow in the order of its fields.
type deltaHead struct {
	Format      int                        `json:"v"`
	Head        map[string]json.RawMessage `json:"head"`    // keys of the rules' head line that changed, with their new values
	Persons     [2]int                     `json:"persons"` // rows that left, rows that came or changed; likewise below
	Credentials [2]int                     `json:"credentials"`
	Grants      [2]int                     `json:"grants"`
}

// The fields of a row after its key, in bytes: a delta carries those that changed.
var (
	personFields     = []int{2, 2, 8, 8, 8, 8, 8, 4}      // active and category, escort and party, validity, contract, training, conditions
	credentialFields = []int{personSlot, 3, 8, 8, 32, 32} // person, status and assurance and flag, validity, PIN, duress
	grantFields      []int                                // a grant is all key
	zeroField        [personSlot]byte                     // what a new row's fields are compared with; nobody's id
)

// personSlot holds a person's id in a credential or grant: length and padded id.
const personSlot = 1 + maxPersonIDLen

// table is one kind of row as key → fields.
type table map[string][]byte

// openRules is a rules part taken apart, with ids in the place of numbers.
type openRules struct {
	head                         map[string]json.RawMessage
	persons, credentials, grants table
}

// takeApart splits canonical bytes. It checks what it needs for staying inside them, not the rules.
func takeApart(b []byte) (*openRules, error) {
	line, rows, ok := bytes.Cut(b, []byte{'\n'})
	if !ok {
		return nil, errors.New("no head line")
	}
	var h rulesHead
	r := openRules{persons: table{}, credentials: table{}, grants: table{}}
	if err := errors.Join(json.Unmarshal(line, &h), json.Unmarshal(line, &r.head)); err != nil {
		return nil, err
	}
	if h.Persons < 0 || h.Credentials < 0 || h.Grants < 0 ||
		h.Persons > MaxPersons || h.Credentials > MaxCredentials || h.Grants > MaxGrants ||
		len(rows) != h.Persons*personRow+h.Credentials*credentialRow+h.Grants*grantRow {
		return nil, errors.New("rows do not fit the head")
	}
	for _, k := range []string{"persons", "credentials", "grants"} {
		delete(r.head, k) // they follow from the rows
	}
	ids := make([][]byte, h.Persons)
	for i := range ids {
		row := rows[i*personRow:][:personRow]
		ids[i] = row[:personSlot]
		r.persons[string(ids[i])] = row[personSlot:]
	}
	slot := func(n uint32) ([]byte, error) {
		switch {
		case PersonNo(n) == NoPerson:
			return zeroField[:], nil
		case int(n) >= len(ids):
			return nil, errors.New("a row of a person who is not there")
		}
		return ids[n], nil
	}
	rows = rows[h.Persons*personRow:]
	for i := range h.Credentials {
		row := rows[i*credentialRow:][:credentialRow]
		id, err := slot(binary.BigEndian.Uint32(row[32:]))
		if err != nil {
			return nil, err
		}
		r.credentials[string(row[:32])] = append(append(make([]byte, 0, personSlot+credentialRow-36), id...), row[36:]...)
	}
	rows = rows[h.Credentials*credentialRow:]
	for i := range h.Grants {
		row := rows[i*grantRow:][:grantRow]
		id, err := slot(binary.BigEndian.Uint32(row))
		zone := int(binary.BigEndian.Uint16(row[4:]))
		if err != nil || zone >= len(h.Zones) {
			return nil, errors.New("a grant of a person or zone that is not there")
		}
		key := append(append(make([]byte, 0, grantRow+personSlot), row[6:]...), id[:1+min(int(id[0]), maxPersonIDLen)]...)
		r.grants[string(append(key, h.Zones[zone].ID...))] = nil
	}
	return &r, nil
}

// Delta gives what makes next from base; both are canonical bytes of EncodeRules. Equal input gives
// equal bytes.
func Delta(base, next []byte) ([]byte, error) {
	a, err := takeApart(base)
	if err != nil {
		return nil, fmt.Errorf("delta: base: %w", err)
	}
	b, err := takeApart(next)
	if err != nil {
		return nil, fmt.Errorf("delta: next: %w", err)
	}
	h := deltaHead{Format: deltaFormat, Head: map[string]json.RawMessage{}}
	for k, v := range b.head {
		if !bytes.Equal(a.head[k], v) {
			h.Head[k] = v
		}
	}
	var rows []byte
	h.Persons, rows = difference(rows, a.persons, b.persons, personFields)
	h.Credentials, rows = difference(rows, a.credentials, b.credentials, credentialFields)
	h.Grants, rows = difference(rows, a.grants, b.grants, grantFields)
	line, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("delta: %w", err)
	}
	return append(append(line, '\n'), rows...), nil
}

// difference appends the rows that left and those that came or changed, each kind by key.
func difference(b []byte, old, next table, fields []int) (n [2]int, out []byte) {
	for _, k := range slices.Sorted(maps.Keys(old)) {
		if _, ok := next[k]; !ok {
			b = appendKey(b, k)
			n[0]++
		}
	}
	for _, k := range slices.Sorted(maps.Keys(next)) {
		was, ok := old[k]
		if ok && bytes.Equal(was, next[k]) {
			continue
		}
		b = appendKey(b, k)
		b = appendChanged(b, was, next[k], fields)
		n[1]++
	}
	return n, b
}

// appendKey writes a key with its length; the padding of ids is left out by trimming zeros at its end.
func appendKey(b []byte, k string) []byte {
	for len(k) > 0 && k[len(k)-1] == 0 {
		k = k[:len(k)-1]
	}
	return append(append(b, byte(len(k))), k...)
}

// appendChanged writes a bit for each field that changed, then those fields. was nil: all were zero.
func appendChanged(b, was, is []byte, fields []int) []byte {
	at := len(b)
	b = append(b, 0)
	from := 0
	for i, width := range fields {
		old := zeroField[:width]
		if was != nil {
			old = was[from : from+width]
		}
		if now := is[from : from+width]; !bytes.Equal(old, now) {
			b[at] |= 1 << i
			if width == personSlot {
				b = appendKey(b, string(now))
			} else {
				b = append(b, now...)
			}
		}
		from += width
	}
	return b
}

// ApplyDelta gives the bytes that delta makes of base. Compare their hash with the signed one before
// anything trusts them. Errors are ErrDelta.
func ApplyDelta(base, delta []byte) ([]byte, error) {
	r, err := takeApart(base)
	if err != nil {
		return nil, fmt.Errorf("%w: base: %w", ErrDelta, err)
	}
	line, rows, ok := bytes.Cut(delta, []byte{'\n'})
	var h deltaHead
	if !ok || json.Unmarshal(line, &h) != nil || h.Format != deltaFormat {
		return nil, fmt.Errorf("%w: its head is not one of format %d", ErrDelta, deltaFormat)
	}
	maps.Copy(r.head, h.Head)
	p := deltaRows{b: rows}
	p.apply(r.persons, h.Persons, personFields, personSlot)
	p.apply(r.credentials, h.Credentials, credentialFields, 32)
	p.apply(r.grants, h.Grants, grantFields, 0)
	if p.err == nil && len(p.b) > 0 {
		p.err = errors.New("bytes after its end")
	}
	if p.err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDelta, p.err)
	}
	b, err := r.join()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDelta, err)
	}
	return b, nil
}

// deltaRows reads the rows of a delta. The first fault sticks.
type deltaRows struct {
	b   []byte
	err error
}

func (p *deltaRows) take(n int) []byte {
	if p.err != nil || len(p.b) < n {
		if p.err == nil {
			p.err = errors.New("it ends in the middle of a row")
		}
		return zeroField[:min(n, len(zeroField))]
	}
	out := p.b[:n]
	p.b = p.b[n:]
	return out
}

// key reads a key and pads it to width with zeros again; width 0 keeps it as it is, for a grant's
// key ends with a zone's id.
func (p *deltaRows) key(width int) string {
	k := p.take(int(p.take(1)[0]))
	if len(k) > width && width > 0 {
		p.err = errors.New("a key is too long")
		return ""
	}
	return string(append(append(make([]byte, 0, width), k...), make([]byte, max(0, width-len(k)))...))
}

func (p *deltaRows) apply(t table, n [2]int, fields []int, keyWidth int) {
	for i := 0; i < n[0] && p.err == nil; i++ {
		k := p.key(keyWidth)
		if _, ok := t[k]; !ok && p.err == nil {
			p.err = errors.New("a row that leaves is not there")
		}
		delete(t, k)
	}
	width := 0
	for _, w := range fields {
		width += w
	}
	for i := 0; i < n[1] && p.err == nil; i++ {
		k := p.key(keyWidth)
		row := make([]byte, width)
		copy(row, t[k])
		changed, from := p.take(1)[0], 0
		for f, w := range fields {
			if changed&(1<<f) != 0 {
				if w == personSlot {
					copy(row[from:], p.key(w))
				} else {
					copy(row[from:from+w], p.take(w))
				}
			}
			from += w
		}
		t[k] = row
	}
}

// join puts the parts together in canonical order, with numbers in the place of ids.
func (r *openRules) join() ([]byte, error) {
	merged, err := json.Marshal(r.head)
	if err != nil {
		return nil, err
	}
	var h rulesHead
	if err := strictJSON(merged, &h); err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	h.Persons, h.Credentials, h.Grants = len(r.persons), len(r.credentials), len(r.grants)
	head, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	// Ids are compared as text, without the length before them.
	persons := slices.SortedFunc(maps.Keys(r.persons), func(a, b string) int { return bytes.Compare([]byte(a[1:]), []byte(b[1:])) })
	number := make(map[string]uint32, len(persons)+1)
	number[string(zeroField[:])] = uint32(NoPerson)
	b := append(head, '\n')
	for i, id := range persons {
		number[id] = uint32(i)
		b = append(append(b, id...), r.persons[id]...)
	}
	for _, k := range slices.Sorted(maps.Keys(r.credentials)) {
		c := r.credentials[k]
		n, ok := number[string(c[:personSlot])]
		if !ok {
			return nil, errors.New("a credential of a person who is not there")
		}
		b = binary.BigEndian.AppendUint32(append(b, k...), n)
		b = append(b, c[personSlot:]...)
	}
	return r.joinGrants(b, number, h.Zones)
}

func (r *openRules) joinGrants(b []byte, number map[string]uint32, zones []Zone) ([]byte, error) {
	index := make(map[string]uint16, len(zones))
	for i := range zones {
		index[string(zones[i].ID)] = uint16(i)
	}
	const fixed = 4 + 16 + 1 // schedule, validity, emergency; then the person's id with its length, then the zone's id
	rows := make([][]byte, 0, len(r.grants))
	for k := range r.grants {
		if len(k) <= fixed || len(k) < fixed+1+int(k[fixed]) || int(k[fixed]) > maxPersonIDLen {
			return nil, errors.New("a grant is too short")
		}
		var slot [personSlot]byte
		end := fixed + 1 + copy(slot[1:], k[fixed+1:fixed+1+int(k[fixed])])
		slot[0] = k[fixed]
		n, ok := number[string(slot[:])]
		zone, known := index[k[end:]]
		if !ok || !known || PersonNo(n) == NoPerson {
			return nil, errors.New("a grant of a person or zone that is not there")
		}
		row := binary.BigEndian.AppendUint32(make([]byte, 0, grantRow), n)
		row = binary.BigEndian.AppendUint16(row, zone)
		rows = append(rows, append(row, k[:fixed]...))
	}
	slices.SortFunc(rows, func(a, b []byte) int { return compareGrants(grantOf(a, zones), grantOf(b, zones)) })
	for _, row := range rows {
		b = append(b, row...)
	}
	return b, nil
}

func grantOf(row []byte, zones []Zone) Grant {
	p := inputParser{b: row}
	return p.grant(zones)
}
