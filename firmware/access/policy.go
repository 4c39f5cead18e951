package access

import (
	"bytes"
	"cmp"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Policy is a compiled, immutable set of rules; Decide reads it and nothing writes it. It may be
// shared between goroutines. A nil Policy denies everything with `no_policy`.
type Policy struct {
	version     uint64
	modeVersion uint64
	site        string
	window      window
	persons     []Person
	credentials []compiledCredential // sorted by key
	zones       []Zone
	doors       []compiledDoor // sorted by id
	doorIndex   map[DoorID]uint32
	// grants are sorted by (person, zone); those of person p are grants[first[p]:first[p+1]].
	grants []compiledGrant
	first  []uint32
	// tree[z] says where zone number z lies; personIndex gives a person's number by the id.
	tree        []zonePlace
	personIndex map[string]PersonNo
}

// zonePlace is one zone's place in the tree.
type zonePlace struct {
	above [MaxZoneDepth - 1]int32 // the zones around it, the next one first; -1 = none
	below []uint32                // itself and every zone in it
}

type compiledCredential struct {
	Credential
	hasPIN, hasDuress int // 0 or 1, for the constant-time comparison
}

type compiledDoor struct {
	Door
	zone        uint32 // index of EnterZone
	from        uint32 // index of ExitZone, outside when there is none
	enter, exit bool   // the side has a reader
}

type compiledGrant struct {
	person          PersonNo
	zone            uint32
	schedule        int32
	fromMS, untilMS int64
	emergency       bool
}

// Compile validates r and builds the indexes Decide reads. loc must be the location r.TimeZone
// names (the pure core loads none). All faults are returned joined, each naming its row; with any
// fault there is no policy, and without a policy every door denies.
//
// The policy keeps no reference to r's slices.
func Compile(r Rules, loc *time.Location) (*Policy, error) {
	if loc == nil {
		return nil, errors.New("compile rules: no location")
	}
	if r.TimeZone != loc.String() {
		return nil, fmt.Errorf("compile rules: location %q is not the time zone %q of the rules", loc, r.TimeZone)
	}
	if err := r.Validate(); err != nil {
		return nil, fmt.Errorf("compile rules: %w", err)
	}
	p := &Policy{
		version: r.Version,
		site:    r.Site,
		window:  newWindow(r.Schedules, r.Calendar, loc),
		persons: slices.Clone(r.Persons),
		zones:   slices.Clone(r.Zones),
	}
	p.credentials = compileCredentials(r.Credentials)
	zones := make(map[ZoneID]uint32, len(r.Zones))
	for i := range r.Zones {
		zones[r.Zones[i].ID] = uint32(i)
	}
	for _, d := range r.Doors {
		p.doors = append(p.doors, compileDoor(d, zones))
	}
	slices.SortFunc(p.doors, func(a, b compiledDoor) int { return cmp.Compare(a.ID, b.ID) })
	p.doorIndex = make(map[DoorID]uint32, len(p.doors))
	for i := range p.doors {
		p.doorIndex[p.doors[i].ID] = uint32(i)
	}
	p.grants, p.first = compileGrants(r.Grants, len(r.Persons), zones)
	p.tree = compileTree(p.zones, zones)
	for i := range p.zones {
		p.zones[i].fillDefaults()
	}
	p.personIndex = make(map[string]PersonNo, len(p.persons))
	for i := range p.persons {
		p.personIndex[p.persons[i].ID] = PersonNo(i)
	}
	return p, nil
}

func compileTree(zones []Zone, index map[ZoneID]uint32) []zonePlace {
	out := make([]zonePlace, len(zones))
	for i := range zones {
		at := &out[i]
		at.above = [MaxZoneDepth - 1]int32{-1, -1, -1}
		at.below = append(at.below, uint32(i))
		up := zones[i].Parent
		for n := 0; up != "" && n < len(at.above); n++ {
			at.above[n] = int32(index[up])
			out[index[up]].below = append(out[index[up]].below, uint32(i))
			up = zones[index[up]].Parent
		}
	}
	return out
}

func compileCredentials(in []Credential) []compiledCredential {
	order := make([]uint32, len(in))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int {
		return bytes.Compare(in[a].Key[:], in[b].Key[:])
	})
	out := make([]compiledCredential, len(in))
	for i, n := range order {
		out[i].Credential = in[n]
		if in[n].HasPIN {
			out[i].hasPIN = 1
		}
		if in[n].Duress != (Key{}) {
			out[i].hasDuress = 1
		}
	}
	return out
}

func compileDoor(d Door, zones map[ZoneID]uint32) compiledDoor {
	d.Sides, d.Recovery = slices.Clone(d.Sides), slices.Clone(d.Recovery)
	if d.PINLimit == 0 {
		d.PINLimit = DefaultPINLimit
	}
	from := outside
	if d.ExitZone != "" {
		from = zones[d.ExitZone]
	}
	return compiledDoor{
		Door:  d,
		zone:  zones[d.EnterZone],
		from:  from,
		enter: slices.Contains(d.Sides, SideEnter),
		exit:  slices.Contains(d.Sides, SideExit),
	}
}

func compileGrants(in []Grant, persons int, zones map[ZoneID]uint32) ([]compiledGrant, []uint32) {
	out := make([]compiledGrant, len(in))
	for i := range in {
		g := &in[i]
		out[i] = compiledGrant{g.Person, zones[g.Zone], g.Schedule, g.FromMS, g.UntilMS, g.Emergency}
	}
	slices.SortStableFunc(out, func(a, b compiledGrant) int {
		return cmp.Or(cmp.Compare(a.person, b.person), cmp.Compare(a.zone, b.zone))
	})
	first := make([]uint32, persons+1)
	for i := range out {
		first[out[i].person+1]++
	}
	for i := 1; i < len(first); i++ {
		first[i] += first[i-1]
	}
	return out, first
}

// Version is the version of the rules part, 0 for a nil policy.
func (p *Policy) Version() uint64 {
	if p == nil {
		return 0
	}
	return p.version
}

// ModesVersion is the version of the modes applied by WithModes, 0 when none were.
func (p *Policy) ModesVersion() uint64 {
	if p == nil {
		return 0
	}
	return p.modeVersion
}

// TimeZone is the name of the site's time zone, "UTC" for a nil policy.
func (p *Policy) TimeZone() string {
	if p == nil {
		return "UTC"
	}
	return p.window.loc.String()
}

// Site is the site's id, "" for a nil policy.
func (p *Policy) Site() string {
	if p == nil {
		return ""
	}
	return p.site
}

// Doors lists the doors' ids, sorted.
func (p *Policy) Doors() []DoorID {
	if p == nil {
		return nil
	}
	ids := make([]DoorID, len(p.doors))
	for i := range p.doors {
		ids[i] = p.doors[i].ID
	}
	return ids
}

// Door gives one door with its defaults filled in. The caller must not change Sides or Recovery.
func (p *Policy) Door(id DoorID) (Door, bool) {
	if p == nil {
		return Door{}, false
	}
	d := p.door(id)
	if d == nil {
		return Door{}, false
	}
	return d.Door, true
}

func (p *Policy) door(id DoorID) *compiledDoor {
	i, ok := p.doorIndex[id]
	if !ok {
		return nil
	}
	return &p.doors[i]
}

// Zone gives one zone.
func (p *Policy) Zone(id ZoneID) (Zone, bool) {
	if p == nil {
		return Zone{}, false
	}
	for i := range p.zones {
		if p.zones[i].ID == id {
			return p.zones[i], true
		}
	}
	return Zone{}, false
}

// Person gives the person of a number.
func (p *Policy) Person(n PersonNo) (Person, bool) {
	if p == nil || uint64(n) >= uint64(len(p.persons)) {
		return Person{}, false
	}
	return p.persons[n], true
}

// PersonNo gives the number of the person with an id.
func (p *Policy) PersonNo(id string) (PersonNo, bool) {
	if p == nil {
		return 0, false
	}
	n, ok := p.personIndex[id]
	return n, ok
}

// PersonCount is the number of persons; their numbers are 0 … PersonCount-1.
func (p *Policy) PersonCount() int {
	if p == nil {
		return 0
	}
	return len(p.persons)
}

// Credential gives the card of a key.
func (p *Policy) Credential(k Key) (Credential, bool) {
	c := p.find(k)
	if c == nil {
		return Credential{}, false
	}
	return c.Credential, true
}

// find is a binary search, nil when the card is unknown.
func (p *Policy) find(k Key) *compiledCredential {
	if p == nil {
		return nil
	}
	lo, hi := 0, len(p.credentials)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if bytes.Compare(p.credentials[mid].Key[:], k[:]) < 0 {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(p.credentials) && p.credentials[lo].Key == k {
		return &p.credentials[lo]
	}
	return nil
}

// CheckPIN compares a PIN reference (D10; pin_ref at the server, its token at a gateway) with those
// of a card. It always does both comparisons, so that ok, duress and bad take the same time. An
// unknown card, a card without a PIN and a nil policy give PINBad.
func CheckPIN(p *Policy, key Key, pin [32]byte) PINState {
	var none compiledCredential // all zero and hasPIN 0: compares like any other and never matches
	c := p.find(key)
	if c == nil {
		c = &none
	}
	ok := subtle.ConstantTimeCompare(pin[:], c.PIN[:]) & c.hasPIN
	duress := subtle.ConstantTimeCompare(pin[:], c.Duress[:]) & c.hasDuress
	state := subtle.ConstantTimeSelect(duress, int(PINDuress), int(PINBad))
	return PINState(subtle.ConstantTimeSelect(ok, int(PINOK), state))
}
