package access

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"monban/firmware/calendar"
	"monban/firmware/card"
)

// The canonical bytes of the `rules` part (D23): one JSON line for what is small, then fixed-width
// big-endian rows for what is many, each kind sorted. Equal rules have equal bytes, so a version is
// named by its hash, and a change of one row changes a few bytes, so a delta is small.
const (
	rulesFormat   = 1
	personRow     = 1 + maxPersonIDLen + 4 + 5*8 + 4 // id, flags, category, escort, party, validity, contract, training, conditions
	credentialRow = 32 + 4 + 2 + 1 + 2*8 + 2*32      // key, person, status, assurance, flags, validity, pin, duress
	grantRow      = 4 + 2 + 4 + 2*8 + 1              // person, zone index, schedule, validity, emergency
)

type rulesHead struct {
	Format      int                 `json:"v"`
	Version     uint64              `json:"version"`
	Site        string              `json:"site"`
	TimeZone    string              `json:"time_zone"`
	Zones       []Zone              `json:"zones"`
	Doors       []Door              `json:"doors"`
	Schedules   []calendar.Schedule `json:"schedules"`
	Calendar    calendar.Calendar   `json:"calendar"`
	Persons     int                 `json:"persons"`
	Credentials int                 `json:"credentials"`
	Grants      int                 `json:"grants"`
}

// Canonical gives the same rules with every list in canonical order: persons by id (renumbered
// where they are referred to), credentials by key, zones and doors by id, grants by person, zone,
// schedule and validity. Schedules keep their order. r is not changed. The rules must be valid.
func (r *Rules) Canonical() Rules {
	out := *r
	out.Schedules, out.Calendar = cloneSchedules(r.Schedules), cloneCalendar(r.Calendar)
	out.Zones = slices.Clone(r.Zones)
	slices.SortFunc(out.Zones, func(a, b Zone) int { return cmp.Compare(a.ID, b.ID) })
	out.Doors = slices.Clone(r.Doors)
	slices.SortFunc(out.Doors, func(a, b Door) int { return cmp.Compare(a.ID, b.ID) })
	for i := range out.Doors {
		out.Doors[i].Recovery = slices.Clone(out.Doors[i].Recovery)
		slices.SortFunc(out.Doors[i].Recovery, func(a, b Key) int { return bytes.Compare(a[:], b[:]) })
	}

	order := make([]PersonNo, len(r.Persons)) // new number → old number
	for i := range order {
		order[i] = PersonNo(i)
	}
	slices.SortFunc(order, func(a, b PersonNo) int { return cmp.Compare(r.Persons[a].ID, r.Persons[b].ID) })
	out.Persons = make([]Person, len(order))
	number := make([]PersonNo, len(order)) // old number → new number
	for n, old := range order {
		out.Persons[n] = r.Persons[old]
		number[old] = PersonNo(n)
	}
	out.Credentials = slices.Clone(r.Credentials)
	for i := range out.Credentials {
		if n := out.Credentials[i].Person; n != NoPerson {
			out.Credentials[i].Person = number[n]
		}
	}
	slices.SortFunc(out.Credentials, func(a, b Credential) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	out.Grants = slices.Clone(r.Grants)
	for i := range out.Grants {
		out.Grants[i].Person = number[out.Grants[i].Person]
	}
	slices.SortFunc(out.Grants, compareGrants)
	out.Grants = slices.Compact(out.Grants)
	return out
}

func compareGrants(a, b Grant) int {
	return cmp.Or(
		cmp.Compare(a.Person, b.Person),
		cmp.Compare(a.Zone, b.Zone),
		cmp.Compare(a.Schedule, b.Schedule),
		cmp.Compare(a.FromMS, b.FromMS),
		cmp.Compare(a.UntilMS, b.UntilMS),
		cmp.Compare(flag(a.Emergency), flag(b.Emergency)),
	)
}

// EncodeRules gives the canonical bytes of r's canonical form. Invalid rules have none. The modes of
// doors are not part of them.
func EncodeRules(r *Rules) ([]byte, error) {
	if err := r.Validate(); err != nil {
		return nil, fmt.Errorf("encode rules: %w", err)
	}
	c := r.Canonical()
	return encodeCanonical(&c)
}

func encodeCanonical(c *Rules) ([]byte, error) {
	head, err := json.Marshal(rulesHead{
		rulesFormat, c.Version, c.Site, c.TimeZone, orEmpty(c.Zones), orEmpty(c.Doors),
		orEmpty(c.Schedules), c.Calendar, len(c.Persons), len(c.Credentials), len(c.Grants),
	})
	if err != nil {
		return nil, fmt.Errorf("encode rules: %w", err)
	}
	size := len(head) + 1 + len(c.Persons)*personRow + len(c.Credentials)*credentialRow + len(c.Grants)*grantRow
	b := append(make([]byte, 0, size), head...)
	b = append(b, '\n')
	for i := range c.Persons {
		b = appendPerson(b, &c.Persons[i])
	}
	for i := range c.Credentials {
		b = appendCredential(b, &c.Credentials[i])
	}
	zones := make(map[ZoneID]uint16, len(c.Zones))
	for i := range c.Zones {
		zones[c.Zones[i].ID] = uint16(i)
	}
	for i := range c.Grants {
		g := &c.Grants[i]
		b = binary.BigEndian.AppendUint32(b, uint32(g.Person))
		b = binary.BigEndian.AppendUint16(b, zones[g.Zone])
		b = binary.BigEndian.AppendUint32(b, uint32(g.Schedule))
		b = append(appendTimes(b, g.FromMS, g.UntilMS), flag(g.Emergency))
	}
	return b, nil
}

// orEmpty makes nil and empty lists the same JSON.
func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func appendTimes(b []byte, times ...int64) []byte {
	for _, ms := range times {
		b = binary.BigEndian.AppendUint64(b, uint64(ms))
	}
	return b
}

func appendPerson(b []byte, p *Person) []byte {
	b = append(b, byte(len(p.ID)))
	b = append(b, p.ID...)
	b = append(b, make([]byte, maxPersonIDLen-len(p.ID))...)
	b = append(b, flag(p.Active), byte(p.Category), flag(p.MayEscort), p.Party)
	b = appendTimes(b, p.FromMS, p.UntilMS, p.ContractFromMS, p.ContractUntilMS, p.TrainingUntilMS)
	return binary.BigEndian.AppendUint32(b, p.Conditions)
}

func appendCredential(b []byte, c *Credential) []byte {
	b = append(b, c.Key[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(c.Person))
	b = append(b, byte(c.Status), byte(c.Assurance), flag(c.HasPIN))
	b = appendTimes(b, c.FromMS, c.UntilMS)
	b = append(b, c.PIN[:]...)
	return append(b, c.Duress[:]...)
}

// DecodeRules reads canonical bytes and refuses all others: a head that is not canonical, counts
// that do not fit the length, rows that are unsorted or repeated, indexes out of range, trailing
// bytes. What it returns is valid and encodes to the same bytes.
func DecodeRules(b []byte) (*Rules, error) {
	r, err := decodeRules(b)
	if err != nil {
		return nil, fmt.Errorf("decode rules: %w", err)
	}
	return r, nil
}

func decodeRules(b []byte) (*Rules, error) {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return nil, errors.New("no head line")
	}
	var h rulesHead
	if err := strictJSON(b[:end], &h); err != nil {
		return nil, fmt.Errorf("head: %w", err)
	}
	if h.Format != rulesFormat {
		return nil, fmt.Errorf("format %d, want %d", h.Format, rulesFormat)
	}
	rows := b[end+1:]
	if h.Persons < 0 || h.Credentials < 0 || h.Grants < 0 ||
		h.Persons > MaxPersons || h.Credentials > MaxCredentials || h.Grants > MaxGrants ||
		len(rows) != h.Persons*personRow+h.Credentials*credentialRow+h.Grants*grantRow {
		return nil, fmt.Errorf("%d bytes of rows do not fit %d persons, %d credentials and %d grants",
			len(rows), h.Persons, h.Credentials, h.Grants)
	}
	r := &Rules{
		Version: h.Version, Site: h.Site, TimeZone: h.TimeZone, Zones: h.Zones, Doors: h.Doors,
		Schedules: h.Schedules, Calendar: h.Calendar,
		Persons:     make([]Person, h.Persons),
		Credentials: make([]Credential, h.Credentials),
		Grants:      make([]Grant, h.Grants),
	}
	p := inputParser{b: rows}
	for i := range r.Persons {
		r.Persons[i] = p.person()
	}
	for i := range r.Credentials {
		r.Credentials[i] = p.credential()
	}
	for i := range r.Grants {
		r.Grants[i] = p.grant(r.Zones)
	}
	if p.err != nil {
		return nil, p.err
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	// Re-encoding catches what is left: order, repetition, another spelling of the head, padding.
	c := r.Canonical()
	again, err := encodeCanonical(&c)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, b) {
		return nil, errors.New("bytes are not canonical")
	}
	return r, nil
}

func (p *inputParser) int64() int64 { return int64(binary.BigEndian.Uint64(p.take(8))) }

func (p *inputParser) person() Person {
	n := int(p.take(1)[0])
	id := p.take(maxPersonIDLen)
	if n > maxPersonIDLen {
		p.fault("person id length %d is above %d", n, maxPersonIDLen)
		n = 0
	}
	return Person{
		ID: string(id[:n]), Active: p.flag(), Category: Category(p.take(1)[0]),
		MayEscort: p.flag(), Party: p.take(1)[0],
		FromMS: p.int64(), UntilMS: p.int64(), ContractFromMS: p.int64(), ContractUntilMS: p.int64(),
		TrainingUntilMS: p.int64(), Conditions: binary.BigEndian.Uint32(p.take(4)),
	}
}

func (p *inputParser) credential() Credential {
	var c Credential
	copy(c.Key[:], p.take(32))
	c.Person = PersonNo(binary.BigEndian.Uint32(p.take(4)))
	c.Status = CredentialStatus(p.take(1)[0])
	c.Assurance = card.Assurance(p.take(1)[0])
	c.HasPIN = p.flag()
	c.FromMS, c.UntilMS = p.int64(), p.int64()
	copy(c.PIN[:], p.take(32))
	copy(c.Duress[:], p.take(32))
	return c
}

func (p *inputParser) grant(zones []Zone) Grant {
	g := Grant{Person: PersonNo(binary.BigEndian.Uint32(p.take(4)))}
	zone := int(binary.BigEndian.Uint16(p.take(2)))
	if zone < len(zones) {
		g.Zone = zones[zone].ID
	} else {
		p.fault("grant of zone %d, of %d", zone, len(zones))
	}
	g.Schedule = int32(binary.BigEndian.Uint32(p.take(4)))
	g.FromMS, g.UntilMS, g.Emergency = p.int64(), p.int64(), p.flag()
	return g
}
