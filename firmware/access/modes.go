package access

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Modes is the `modes` part of a policy (D13): the doors that are not in normal mode, with a version
// of its own, pushed at once and kept over a restart. A door that is not listed is normal: the list
// is a complete statement, signed as one.
type Modes struct {
	Version uint64         `json:"version"`
	Doors   []DoorModeItem `json:"doors"`
}

// DoorModeItem is the mode of one door.
type DoorModeItem struct {
	Door DoorID   `json:"door"`
	Mode DoorMode `json:"mode"`
}

// Validate reports every fault of m, each with its row.
func (m Modes) Validate() error {
	var errs []error
	if m.Version == 0 {
		errs = append(errs, errors.New("modes: version is 0; versions count from 1"))
	}
	if len(m.Doors) > MaxDoors {
		errs = append(errs, fmt.Errorf("modes: %d doors, at most %d", len(m.Doors), MaxDoors))
	}
	seen := make(map[DoorID]bool, len(m.Doors))
	for i, d := range m.Doors {
		if !validID(string(d.Door)) {
			errs = append(errs, fmt.Errorf("modes: row %d: door %q is not an id", i, d.Door))
		}
		if seen[d.Door] {
			errs = append(errs, fmt.Errorf("modes: row %d: door %q appears twice", i, d.Door))
		}
		seen[d.Door] = true
		if d.Mode > ModeLockdown {
			errs = append(errs, fmt.Errorf("modes: row %d (%s): mode %d is unknown", i, d.Door, d.Mode))
		}
	}
	return errors.Join(errs...)
}

// Of gives the mode of a door.
func (m Modes) Of(door DoorID) DoorMode {
	for _, d := range m.Doors {
		if d.Door == door {
			return d.Mode
		}
	}
	return ModeNormal
}

type modesFile struct {
	Format int `json:"v"`
	Modes
}

const modesFormat = 1

// EncodeModes gives the canonical bytes of the `modes` part: one JSON line, doors sorted, normal
// ones left out.
func EncodeModes(m Modes) ([]byte, error) {
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("encode modes: %w", err)
	}
	out := Modes{Version: m.Version, Doors: []DoorModeItem{}}
	for _, d := range m.Doors {
		if d.Mode != ModeNormal {
			out.Doors = append(out.Doors, d)
		}
	}
	slices.SortFunc(out.Doors, func(a, b DoorModeItem) int { return cmp.Compare(a.Door, b.Door) })
	line, err := json.Marshal(modesFile{modesFormat, out})
	if err != nil {
		return nil, fmt.Errorf("encode modes: %w", err)
	}
	return append(line, '\n'), nil
}

// DecodeModes reads canonical bytes and refuses all others, byte for byte.
func DecodeModes(b []byte) (Modes, error) {
	var f modesFile
	if err := strictJSON(b, &f); err != nil {
		return Modes{}, fmt.Errorf("decode modes: %w", err)
	}
	if f.Format != modesFormat {
		return Modes{}, fmt.Errorf("decode modes: format %d, want %d", f.Format, modesFormat)
	}
	again, err := EncodeModes(f.Modes)
	if err != nil {
		return Modes{}, fmt.Errorf("decode modes: %w", err)
	}
	if !bytes.Equal(again, b) {
		return Modes{}, errors.New("decode modes: bytes are not canonical")
	}
	return f.Modes, nil
}

// WithModes gives the same policy with the modes of m; p itself is unchanged, nil stays nil. Modes
// of doors that p does not serve are left aside.
func (p *Policy) WithModes(m Modes) *Policy {
	if p == nil {
		return nil
	}
	out := *p
	out.modeVersion = m.Version
	out.doors = slices.Clone(p.doors)
	for i := range out.doors {
		out.doors[i].Mode = m.Of(out.doors[i].ID)
	}
	return &out
}

// strictJSON reads exactly one JSON value without unknown fields.
func strictJSON(b []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if rest := b[dec.InputOffset():]; len(bytes.TrimSpace(rest)) != 0 {
		return fmt.Errorf("%d bytes after the JSON value", len(rest))
	}
	return nil
}
