package config

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"monban/hardware/board"
)

// LoadBoard reads the board profile of a setting: the path of a file that ends in .toml, or the name of a profile
// that comes with the program.
func LoadBoard(setting string) (*board.Profile, error) {
	if !strings.HasSuffix(setting, ".toml") {
		text, err := board.Text(setting)
		if err != nil {
			return nil, err
		}
		return board.Parse(setting, text)
	}
	text, err := os.ReadFile(setting)
	if err != nil {
		return nil, fmt.Errorf("read board profile: %w", err)
	}
	return board.Parse(setting, text)
}

// fit joins the doors of the file and those of its board profile: each is the other's, and the readers are the
// profile's, so that a reader is described once.
func (c *Config) fit() error {
	if c.Board == "" {
		return nil
	}
	p, err := LoadBoard(c.Board)
	if err != nil {
		return fmt.Errorf("board: %w", err)
	}
	c.Profile = p
	var f faults
	used := map[string]int{}
	for i := range c.Doors {
		d, key := &c.Doors[i], fmt.Sprintf("door[%d]", i)
		if d.Place == "" {
			d.Place = d.ID
		}
		w, ok := p.Door(d.Place)
		if !ok {
			f.add(key+".place", "%q is no door of board profile %s", d.Place, c.Board)
			continue
		}
		if first, twice := used[d.Place]; twice {
			f.add(key+".place", "%q is also that of door[%d]: one place, one door", d.Place, first)
		}
		used[d.Place] = i
		if len(d.Readers) > 0 {
			f.add(key+".reader", "is given although the board profile describes the readers: take it away")
		}
		if d.Kind != w.Kind {
			f.add(key+".kind", "is %q, but the board profile wires a door of kind %q", d.Kind, w.Kind)
		}
		if (d.Exit == "button" || d.Exit == "handle") && w.Request == nil {
			f.add(key+".exit", "is %q, but the board profile wires no request input", d.Exit)
		}
		if w.Lock != nil && d.ReleaseTime.d > w.Lock.MaxRelease.Std() {
			f.add(key+".release_time", "is %v, but the lock secures itself after max_release %v of the board profile", d.ReleaseTime.d, w.Lock.MaxRelease.Std())
		}
		d.Readers = nil
		for _, r := range w.Readers {
			d.Readers = append(d.Readers, Reader{Side: r.Side, Type: r.Type, Formats: r.Formats, Keypad: r.Keypad})
		}
	}
	for i := range c.Desks {
		d, key := &c.Desks[i], fmt.Sprintf("desk[%d]", i)
		if d.Place == "" {
			d.Place = d.ID
		}
		w, ok := p.Door(d.Place)
		switch {
		case !ok:
			f.add(key+".place", "%q is no door of board profile %s", d.Place, c.Board)
			continue
		case w.Lock != nil || w.Kind != "observe":
			f.add(key+".place", "%q is wired with a lock: a desk reader is a door of kind \"observe\" in the board profile", d.Place)
			continue
		}
		if _, twice := used[d.Place]; twice {
			f.add(key+".place", "%q is taken already: one place, one door or desk", d.Place)
		}
		used[d.Place] = -1
		if d.Type != "" || len(d.Formats) > 0 || d.Keypad != "" {
			f.add(key+".type", "is given although the board profile describes the reader: take type, formats and keypad away")
		}
		r, ok := w.Reader("enter")
		if !ok || len(w.Readers) != 1 {
			f.add(key+".place", "%q needs one reader, on side \"enter\"", d.Place)
			continue
		}
		d.Type, d.Formats, d.Keypad = r.Type, r.Formats, r.Keypad
		if d.Keypad == "" {
			d.Keypad = "none"
		}
	}
	for _, w := range p.Doors {
		if _, ok := used[w.ID]; !ok {
			f.add("door", "for place %q of the board profile is missing: what is wired must be served", w.ID)
		}
	}
	return errors.Join(f...)
}
