package web

import (
	"os"
	"regexp"
	"testing"

	"monban/firmware/door"
)

// startupFamilies are words of the page of set-up that a value chooses.
var startupFamilies = map[string][]string{
	"at_door":       indications(),
	"at_door_light": indications(),
	"at_door_sound": indications(),
	"done":          {"gateway_confirmed"},
	"invite_state":  {"none", "invited", "came", "confirmed", "enrolled"},
	"startup_life":  {"n15", "n60", "n480", "n1440"},
	"startup_level": {"n1", "n2", "n3"},
	"startup_kind":  {"observe", "controlled"},
	"startup_exit":  {"reader", "button", "handle", "none"},
}

func indications() (out []string) {
	for _, i := range door.Indications() {
		out = append(out, i.String())
	}
	return out
}

// What the sticker says of a light is what the documents say of it, in both languages.
func TestStickerSaysWhatTheDocsSay(t *testing.T) {
	words, err := loadCatalogues(files)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../docs/at-the-door.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| ([^|]+) \\| ([^|]+) \\| ([^|]+) \\| ([^|]+) \\|$").FindAllStringSubmatch(string(text), -1) {
		seen++
		for key, want := range map[string]string{"at_door_light." + m[1]: m[2], "at_door_sound." + m[1]: m[3], "at_door." + m[1]: m[5]} {
			if got := words[English].say(key); got != want {
				t.Errorf("%s: the sticker says %q, the document %q", key, got, want)
			}
		}
		if got := words[Japanese].say("at_door." + m[1]); got != m[4] {
			t.Errorf("%s: the sticker says %q, the document %q", m[1], got, m[4])
		}
	}
	if seen != len(door.Indications()) {
		t.Errorf("%d of %d lights are in the document's table", seen, len(door.Indications()))
	}
}
