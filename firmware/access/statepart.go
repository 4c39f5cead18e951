package access

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// StatePart is the `state` part of a gateway's policy (D7): who is inside the zones that it serves, by
// the server, as that gateway's person ids. It has a version of its own. Version 1 says nothing: the
// server has not told yet who is inside.
type StatePart struct {
	Version uint64 `json:"version"`
	// Epoch (32 hex digits) and Through are the newest record of the gateway that is in it; what the
	// gateway recorded later it adds itself.
	Epoch   string   `json:"epoch,omitempty"`
	Through uint64   `json:"through,omitempty"`
	Inside  []Placed `json:"inside"`
	// Untold: the part says nothing of who is inside, only what follows.
	Untold bool     `json:"untold,omitempty"`
	Lifted []Lifted `json:"lifted,omitempty"`
}

// Lifted says that an officer lifted the lockout of a card after wrong PINs (AD-13): what was counted before does
// not count any more. The part lists the newest ones of the site; a gateway takes each once.
type Lifted struct {
	Key  Key   `json:"key"`
	AtMS int64 `json:"at_ms"` // UTC ms by the server; later than that of every one before
}

// MaxLifted bounds the resets one part can list.
const MaxLifted = 1024

// Placed is one person's place.
type Placed struct {
	Person string `json:"person"`
	Zone   ZoneID `json:"zone"`
	LastMS int64  `json:"last_ms"` // UTC ms of the passage
	Party  uint8  `json:"party,omitempty"`
}

// MaxPlaced bounds the people one part can list.
const MaxPlaced = 1 << 16

type stateFile struct {
	Format int `json:"v"`
	StatePart
}

const stateFormat = 1

// Validate reports every fault of s.
func (s *StatePart) Validate() error {
	var errs []error
	if s.Version == 0 {
		errs = append(errs, errors.New("state: version is 0; versions count from 1"))
	}
	if b, err := hex.DecodeString(s.Epoch); err != nil || len(b) != 16 && len(b) != 0 || hex.EncodeToString(b) != s.Epoch {
		errs = append(errs, errors.New("state: epoch is not 32 lower-case hex digits"))
	}
	if (s.Epoch == "") != (s.Through == 0) {
		errs = append(errs, errors.New("state: epoch and record number go together"))
	}
	if len(s.Inside) > MaxPlaced {
		errs = append(errs, fmt.Errorf("state: %d people, at most %d", len(s.Inside), MaxPlaced))
	}
	for i, x := range s.Inside {
		if !validPersonID(x.Person) || !validID(string(x.Zone)) || x.LastMS < 0 || x.LastMS > maxMS {
			errs = append(errs, fmt.Errorf("state: row %d: person, zone or time is none", i))
		}
		if i > 0 && s.Inside[i-1].Person >= x.Person {
			errs = append(errs, fmt.Errorf("state: row %d: people are not sorted, or one stands twice", i))
		}
		if len(errs) > maxFaults {
			break
		}
	}
	if s.Untold && (len(s.Inside) > 0 || s.Through > 0) {
		errs = append(errs, errors.New("state: tells who is inside and says that it does not"))
	}
	if len(s.Lifted) > MaxLifted {
		errs = append(errs, fmt.Errorf("state: %d PIN resets, at most %d", len(s.Lifted), MaxLifted))
	}
	for i, x := range s.Lifted {
		if x.Key == (Key{}) || x.AtMS <= 0 || x.AtMS > maxMS || i > 0 && bytes.Compare(s.Lifted[i-1].Key[:], x.Key[:]) >= 0 {
			errs = append(errs, fmt.Errorf("state: PIN reset %d: no card or time, not sorted, or one stands twice", i))
		}
		if len(errs) > maxFaults {
			break
		}
	}
	return errors.Join(errs...)
}

// EncodeState gives the canonical bytes of the `state` part: one JSON line, people sorted by id, resets by card.
func EncodeState(s StatePart) ([]byte, error) {
	s.Inside = orEmpty(slices.Clone(s.Inside))
	slices.SortFunc(s.Inside, func(a, b Placed) int { return cmp.Compare(a.Person, b.Person) })
	s.Lifted = slices.Clone(s.Lifted)
	slices.SortFunc(s.Lifted, func(a, b Lifted) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("encode state: %w", err)
	}
	line, err := json.Marshal(stateFile{stateFormat, s})
	if err != nil {
		return nil, fmt.Errorf("encode state: %w", err)
	}
	return append(line, '\n'), nil
}

// DecodeState reads canonical bytes and refuses all others, byte for byte.
func DecodeState(b []byte) (StatePart, error) {
	var f stateFile
	if err := strictJSON(b, &f); err != nil {
		return StatePart{}, fmt.Errorf("decode state: %w", err)
	}
	if f.Format != stateFormat {
		return StatePart{}, fmt.Errorf("decode state: format %d, want %d", f.Format, stateFormat)
	}
	again, err := EncodeState(f.StatePart)
	if err != nil {
		return StatePart{}, fmt.Errorf("decode state: %w", err)
	}
	if !bytes.Equal(again, b) {
		return StatePart{}, errors.New("decode state: bytes are not canonical")
	}
	return f.StatePart, nil
}

// State makes the state a gateway starts from. A part that says nothing gives one that knows nobody's
// place.
func (s *StatePart) State() *State {
	if s.Version <= 1 || s.Untold {
		return NewState(0)
	}
	st := NewState(KnowAll)
	for _, x := range s.Inside {
		Apply(st, Event{Kind: EventPassage, Person: x.Person, Zone: x.Zone, WallMS: x.LastMS, Party: x.Party})
	}
	return st
}

// Placed lists the people whose place is one of the zones, sorted by id.
func (st *State) Placed(zones []ZoneID) []Placed {
	out := []Placed{}
	for _, z := range zones {
		for person := range st.inside[z] {
			at := st.places[person]
			out = append(out, Placed{person, z, max(at.lastMS, 0), at.party})
		}
	}
	slices.SortFunc(out, func(a, b Placed) int { return cmp.Compare(a.Person, b.Person) })
	return out
}

// Watched lists the zones whose people matter at doors: those of the doors, the zones in them and around
// them. It is empty when no zone among them has a rule about who is inside.
func (p *Policy) Watched(doors []DoorID) []ZoneID {
	if p == nil {
		return nil
	}
	in := make([]bool, len(p.zones))
	rules := false
	add := func(zone uint32) {
		for _, below := range p.tree[zone].below {
			in[below] = true
		}
		for _, up := range p.tree[zone].above {
			if up >= 0 {
				in[up] = true
			}
		}
	}
	for _, id := range doors {
		if d := p.door(id); d != nil {
			add(d.zone)
			if d.from != outside {
				add(d.from)
			}
		}
	}
	var out []ZoneID
	for i := range p.zones {
		if z := &p.zones[i]; in[i] {
			out = append(out, z.ID)
			rules = rules || z.Company() || z.AntiPassback != AntiPassbackOff || z.MinInside > 0
		}
	}
	if !rules {
		return nil
	}
	slices.Sort(out)
	return out
}
