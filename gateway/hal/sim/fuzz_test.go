package sim

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// FuzzDo: a line to the simulated gateway, as the panel and scripts send it, is done or refused; the refusal repeats no
// number of it.
func FuzzDo(f *testing.F) {
	for _, l := range strings.Split(Usage, "\n") {
		f.Add(l)
	}
	f.Add("badge d1 enter h10301 12 34567 PIN 1234")
	var once sync.Once
	var h *HAL
	f.Fuzz(func(t *testing.T, line string) {
		once.Do(func() {
			c := config()
			c.Quit, c.SetLink, c.Status = func() {}, func(bool) {}, func() string { return "" }
			var err error
			if h, err = New(c); err != nil {
				t.Fatal(err)
			}
		})
		if w := strings.Fields(line); len(w) > 0 && (w[0] == "pass" || w[0] == "return" || w[0] == "badge" || w[0] == "show" || w[0] == "bits" || w[0] == "keys") {
			return // they take seconds of true time; their words are read by the same helpers
		}
		if _, err := h.Do(line); err != nil && strings.ContainsAny(err.Error(), "\n") {
			t.Errorf("%q: error of several lines: %v", line, err)
		}
	})
}

// FuzzLoadCards: the list of demo cards is read, or refused with its line.
func FuzzLoadCards(f *testing.F) {
	f.Add("[[card]]\nlabel = \"髙橋\"\nformat = \"h10301\"\nfc = 12\ncn = 34567\n")
	path := filepath.Join(f.TempDir(), "cards.toml")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if cards, err := LoadCards(path); err == nil {
			for _, c := range cards {
				if c.Label() == "" {
					t.Error("a card without a label")
				}
			}
		}
	})
}
