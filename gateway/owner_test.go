package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"monban/gateway/app"
	"monban/gateway/config"
)

// OP-2 (ADR 0098): every command of the gateway that takes its configuration, and enrol, is refused to whom the folder does not belong; only those of
// anybodys, which read, are not. The code of enrol is not printed again.
func TestEveryCommandHasItsUser(t *testing.T) {
	dir := t.TempDir()
	conf, data := filepath.Join(dir, "gateway.toml"), filepath.Join(dir, "data")
	text, err := os.ReadFile("config/samples/minimal.toml")
	if err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`(?m)^data_dir = .*$`).ReplaceAll(text, []byte(`data_dir = "`+data+`"`))
	if err := errors.Join(os.Mkdir(data, 0o700), os.WriteFile(conf, text, 0o600)); err != nil {
		t.Fatal(err)
	}
	rest := map[string][]string{
		"start": {"--slots", data}, "update": {"--cut", "--again", dir}, // as the image's init has it
		"commission": {"d"}, "pair": {"d"},
		"enrol": {"--server", "h:1", "--gateway", "gw-1", "--out", filepath.Join(data, "identity"), "ABCD-EFGH"},
	}
	if cfg, err := config.Load(conf); err != nil || cfg.DataDir != data {
		t.Fatal(cfg.DataDir, err)
	}
	var c commands
	parser, err := kong.New(&c)
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for _, n := range parser.Model.Children {
		args := []string{n.Name}
		takes := false
		for _, f := range n.Flags {
			takes = takes || f.Name == "config"
		}
		if takes {
			args = append(args, "--config", conf)
		} else if n.Name != "enrol" {
			if n.Name != "version" && n.Name != "wiring" {
				t.Errorf("%s takes no --config: say here that it has to do with no gateway's folders", n.Name)
			}
			continue
		}
		k, err := parser.Parse(append(args, rest[n.Name]...))
		if err != nil {
			t.Errorf("%s: %v", n.Name, err)
			continue
		}
		looked++
		err = asOwner(k, os.Geteuid()+1, append(args, rest[n.Name]...))
		if reads := n.Name == "status" || n.Name == "present"; errors.Is(err, app.ErrOtherUser) == reads {
			t.Errorf("%s by another user: %v", n.Name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "ABCD") || !strings.Contains(err.Error(), "monban-gateway "+n.Name)) {
			t.Errorf("%s: %v", n.Name, err)
		}
		if err := asOwner(k, os.Geteuid(), nil); err != nil {
			t.Errorf("%s by the owner: %v", n.Name, err)
		}
	}
	if looked < 10 {
		t.Errorf("only %d commands were looked at", looked)
	}
}
