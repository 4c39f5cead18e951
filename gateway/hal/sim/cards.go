package sim

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/pelletier/go-toml/v2"

	"monban/firmware/card"
	"monban/firmware/wiegand"
)

// Card is a demo card known by the name of its holder. Its number stays inside: it prints as the label.
type Card struct {
	label string
	frame wiegand.Frame
}

// NewCard makes a card of a format; the error does not hold the numbers.
func NewCard(label, format string, facility, number uint64) (Card, error) {
	layout, ok := wiegand.Lookup(card.Format(format))
	if !ok {
		return Card{}, fmt.Errorf("card %q: unknown format %q", label, format)
	}
	f, err := wiegand.Encode(layout, wiegand.Fields{FC: facility, CN: number})
	if err != nil {
		return Card{}, fmt.Errorf("card %q: facility code or number does not fit format %s", label, format)
	}
	if label == "" {
		return Card{}, errors.New("card without label")
	}
	return Card{label: label, frame: f}, nil
}

// Label is the name on the card.
func (c Card) Label() string { return c.label }

// Format prints the label only.
func (c Card) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("card of " + c.label)) }

// LogValue is the label only.
func (c Card) LogValue() slog.Value { return slog.StringValue("card of " + c.label) }

// cardFile is the file of demo cards.
type cardFile struct {
	Cards []struct {
		Label  string `toml:"label"`
		Format string `toml:"format"`
		FC     uint64 `toml:"fc"`
		CN     uint64 `toml:"cn"`
	} `toml:"card"`
}

// LoadCards reads a file of [[card]] tables with label, format, fc and cn.
func LoadCards(path string) ([]Card, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read demo cards: %w", err)
	}
	var file cardFile
	dec := toml.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&file); err != nil {
		// The library's text could quote the file, and with it a number: only the place is told.
		line := 0
		var de *toml.DecodeError
		if errors.As(err, &de) {
			line, _ = de.Position()
		}
		return nil, fmt.Errorf("%s:%d: not a list of [[card]] with label, format, fc and cn", path, line)
	}
	seen := map[string]bool{}
	var cards []Card
	for _, c := range file.Cards {
		made, err := NewCard(c.Label, c.Format, c.FC, c.CN)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if seen[c.Label] {
			return nil, fmt.Errorf("%s: card %q is given twice", path, c.Label)
		}
		seen[c.Label] = true
		cards = append(cards, made)
	}
	return cards, nil
}

// Labels lists the demo cards' names.
func (h *HAL) Labels() []string {
	var all []string
	for _, c := range h.cfg.Cards {
		all = append(all, c.label)
	}
	return all
}

// Show presents the demo card with this label at a reader.
func (h *HAL) Show(door, side, label string) error {
	for _, c := range h.cfg.Cards {
		if c.label == label {
			return h.present(door, side, c.frame)
		}
	}
	return fmt.Errorf("no demo card %q", label)
}

// Press keys digits in at a reader.
func (h *HAL) Press(door, side, keys string) error {
	r, err := h.reader(door, side)
	if err != nil {
		return err
	}
	return r.Press(keys)
}

func (h *HAL) present(door, side string, f wiegand.Frame) error {
	r, err := h.reader(door, side)
	if err != nil {
		return err
	}
	if err := r.Present(f); err != nil {
		return err
	}
	h.note(door, side)
	return nil
}

func (h *HAL) reader(door, side string) (*Reader, error) {
	d := h.door(door)
	if d == nil {
		return nil, fmt.Errorf("no door %q", door)
	}
	return d.reader(side)
}
