package main

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"monban/gateway/app"
	"monban/gateway/config"
)

// anybodys are the commands that root may run beside the gateway's user: they only read. Every other one with --config, and enrol, is refused
// to whom the folder does not belong, so that a new one cannot be forgotten (ADR 0098).
var anybodys = []string{"status", "present"}

// asOwner refuses a command to a user who would leave files that the gateway cannot use. A configuration that cannot be read is the
// command's to tell.
func asOwner(k *kong.Context, euid int, args []string) error {
	if k.Selected() == nil || slices.Contains(anybodys, k.Selected().Name) {
		return nil
	}
	value := map[string]string{}
	for _, f := range k.Flags() {
		value[f.Name], _ = k.FlagValue(f).(string)
	}
	dir, line := "", strings.Join(append([]string{"monban-gateway"}, args...), " ")
	switch cfg, err := config.Load(value["config"]); {
	case k.Selected().Name == "enrol": // its code stands on the line
		dir, line = filepath.Dir(filepath.Clean(value["out"])), "monban-gateway enrol …"
	case value["config"] != "" && err == nil:
		dir = cfg.DataDir
	}
	if dir == "" {
		return nil
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return app.AsOwner(euid, dir, line)
}
