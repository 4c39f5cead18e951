package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"monban/server/app"
	"monban/server/config"
)

// siteless are the commands that take no site's configuration: they write nothing of a site. A new command belongs here or takes --config.
var siteless = []string{
	"backup key", "backup open", "bench", "bundle verify", "bundle make", "bundle stamp", "bundle root", "bundle key", "demo", "simulate", "verify", "version",
}

func leaves(n *kong.Node, at string, each func(name string, n *kong.Node)) {
	name := strings.TrimSpace(at + " " + n.Name)
	if n.Type == kong.ApplicationNode {
		name = ""
	}
	if n.Leaf() {
		each(name, n)
		return
	}
	for _, c := range n.Children {
		if c.Type == kong.CommandNode {
			leaves(c, name, each)
		}
	}
}

// I4, OP-2 (ADR 0098): every command that works on a site is held to the user of the data directory, but for those of whose, each with its
// reason; no command is forgotten.
func TestEveryCommandHasItsUser(t *testing.T) {
	var c commands
	parser, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	leaves(parser.Model.Node, "", func(name string, n *kong.Node) {
		known[name] = true
		takes := false
		for _, group := range n.AllFlags(true) {
			for _, f := range group {
				takes = takes || f.Name == "config"
			}
		}
		if takes == slices.Contains(siteless, name) {
			t.Errorf("%q: takes --config: %v; name it among the commands that have to do with no site, or give it --config", name, takes)
		}
	})
	for _, name := range siteless {
		if !known[name] {
			t.Errorf("%q is no command", name)
		}
	}
	for name := range whose {
		if !known[name] || slices.Contains(siteless, name) {
			t.Errorf("whose has %q, which is no command on a site", name)
		}
	}
	if len(known) < 50 {
		t.Errorf("only %d commands were looked at", len(known))
	}
}

// I4 (ADR 0098): `gateway deny` by another user than the folder's changes nothing and says what to type; update apply, which is root's, is not
// refused for it.
func TestCommandOfAnotherUser(t *testing.T) {
	dir := t.TempDir()
	conf := filepath.Join(dir, "server.toml")
	data := filepath.Join(dir, "data")
	text := "time_zone = \"Asia/Tokyo\"\nsite = \"hall\"\ndata_dir = \"" + data + "\"\n[http]\nlisten = \"127.0.0.1:0\"\n[mqtt]\nlisten = \"127.0.0.1:0\"\n[enrol]\nlisten = \"127.0.0.1:0\"\n"
	if err := errors.Join(os.Mkdir(data, 0o700), os.WriteFile(conf, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(conf); err != nil {
		t.Fatal(err)
	}
	var c commands
	parser, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		args    []string
		refused bool
	}{
		{[]string{"gateway", "deny", "--config", conf, "--reason", "stolen", "gw-1"}, true},
		{[]string{"backup", "--config", conf, "--out", "x"}, true},
		{[]string{"serve", "--config", conf}, true},
		{[]string{"update", "rollout", "begin", "--config", conf, "--reason", "x", dir}, true},
		{[]string{"update", "apply", "--config", conf, "--reason", "x", dir}, false},
		{[]string{"preflight", "--config", conf}, false},
		{[]string{"version"}, false},
	} {
		k, err := parser.Parse(x.args)
		if err != nil {
			t.Fatal(err)
		}
		line := append([]string{"monban-server"}, x.args...)
		if err := asOwner(k, os.Geteuid()+1, line); errors.Is(err, app.ErrOtherUser) != x.refused || err != nil && !strings.Contains(err.Error(), "-- monban-server "+strings.Join(x.args, " ")) {
			t.Errorf("%v: %v, want refused %v", x.args, err, x.refused)
		}
		if err := asOwner(k, os.Geteuid(), line); err != nil {
			t.Errorf("%v by the owner: %v", x.args, err)
		}
	}
}
