package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"monban/firmware/image/boot"
)

// D30: the acceptance of a door is begun once for each time that monban.txt is written, however often the machine starts; the program that cannot be
// started here stands for the gateway's.
func TestAcceptOnce(t *testing.T) {
	var said bytes.Buffer
	dir := t.TempDir()
	file, used := filepath.Join(dir, "monban.txt"), retries(filepath.Join(dir, "accepted"))
	write := func(at int64) {
		if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Chtimes(file, time.Unix(at, 0), time.Unix(at, 0))); err != nil {
			t.Fatal(err)
		}
	}
	begun := func(door string) int {
		said.Reset()
		g := &gateway{machine: &machine{out: &journal{console: &said}, cfg: boot.Config{Commission: door}}, stop: make(chan os.Signal, 1)}
		if err := g.accept(used, file, 0); err != nil {
			t.Fatal(err)
		}
		return strings.Count(said.String(), "write monban.txt anew")
	}
	write(1_800_000_000)
	for i, c := range []struct {
		door string
		want int
	}{{"", 0}, {"d1", 1}, {"d1", 0}, {"d1", 0}, {"d2", 1}, {"d2", 0}} {
		if got := begun(c.door); got != c.want {
			t.Errorf("%d: door %q: begun %d times, want %d: %s", i, c.door, got, c.want, said.String())
		}
	}
	write(1_800_000_060)
	if got := begun("d1"); got != 1 {
		t.Errorf("the file written anew: begun %d times", got)
	}
	if err := os.WriteFile(string(used), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := &gateway{machine: &machine{out: &journal{console: &said}, cfg: boot.Config{Commission: "d3"}}}
	if err := g.accept(used, file, 0); err == nil {
		t.Error("a damaged note: begun")
	}
}

// DS-3: card keys come into the identity once, for the gateway's user alone, and nothing of that user's making leads them elsewhere.
func TestCardKeysFromTheCard(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("gives a file away: needs root, as PID 1 has it")
	}
	card, home, other := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "other")
	var said bytes.Buffer
	g := &gateway{machine: &machine{out: &journal{console: &said}}}
	if g.cards(card, home); said.Len() != 0 {
		t.Errorf("nothing on the card: %s", said.String())
	}
	if err := errors.Join(os.WriteFile(filepath.Join(card, cardKeys), []byte("{}"), 0o644), os.WriteFile(other, []byte("not ours"), 0o600), os.Symlink(other, filepath.Join(home, cardKeys+".new"))); err != nil {
		t.Fatal(err)
	}
	if g.cards(card, filepath.Join(home, "none")); said.Len() != 0 {
		t.Errorf("no identity yet: %s", said.String())
	}
	g.cards(card, home)
	got, err := os.ReadFile(filepath.Join(home, cardKeys))
	st, serr := os.Lstat(filepath.Join(home, cardKeys))
	if err != nil || serr != nil || string(got) != "{}" || st.Mode() != 0o600 || !strings.Contains(said.String(), "delete the file") {
		t.Errorf("%q %v %v %v: %s", got, st, err, serr, said.String())
	}
	if data, err := os.ReadFile(other); err != nil || string(data) != "not ours" {
		t.Errorf("the other file: %q %v", data, err)
	}
	if err := os.WriteFile(filepath.Join(card, cardKeys), []byte("other keys"), 0o644); err != nil {
		t.Fatal(err)
	}
	if g.cards(card, home); !strings.Contains(said.String(), "has its keys") {
		t.Errorf("%s", said.String())
	}
	if got, err := os.ReadFile(filepath.Join(home, cardKeys)); err != nil || string(got) != "{}" {
		t.Errorf("written over: %q %v", got, err)
	}
	if err := os.Remove(filepath.Join(home, cardKeys)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, filepath.Join(home, cardKeys)); err != nil {
		t.Fatal(err)
	}
	g.cards(card, home)
	if data, err := os.ReadFile(other); err != nil || string(data) != "not ours" {
		t.Errorf("through a link: %q %v", data, err)
	}
}
