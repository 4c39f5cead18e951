package main

import (
	"strings"

	"github.com/alecthomas/kong"

	"monban/server/app"
	"monban/server/config"
)

// whose says which commands on a site are not run by the user whom the data directory belongs to, and why. Every other command that takes
// the site's configuration is refused to other users, so that a new one cannot be forgotten (ADR 0098).
var whose = map[string]string{
	"preflight":     "root looks at a machine on which nothing is there yet",
	"signer serve":  signerUser,
	"signer split":  "root moves keys from one user's folder into another's",
	"update apply":  "root installs a package; what is done to the data it has the data's user do",
	"update resume": "as update apply",
}

// signerUser stands in whose for the command that works in the signer's folder and not in the server's.
const signerUser = "the signer's keys are its user's"

// asOwner refuses a command to a user who would leave files that the server cannot use. A configuration that cannot be read
// is the command's to tell.
func asOwner(k *kong.Context, euid int, args []string) error {
	why, other := whose[commandOf(k)]
	path := configOf(k)
	if path == "" || other && why != signerUser {
		return nil
	}
	cfg, err := config.Load(path)
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	dir := cfg.DataDir
	if why == signerUser {
		dir = cfg.Signer.KeysDir
	}
	if dir == "" {
		return nil
	}
	return app.AsOwner(euid, dir, args)
}

// commandOf is the command's name without its arguments.
func commandOf(k *kong.Context) string {
	var words []string
	for n := k.Selected(); n != nil && n.Type == kong.CommandNode; n = n.Parent {
		words = append([]string{n.Name}, words...)
	}
	return strings.Join(words, " ")
}

// configOf is the site's configuration that a command was given, "" when it takes none.
func configOf(k *kong.Context) string {
	for _, f := range k.Flags() {
		if f.Name == "config" {
			path, _ := k.FlagValue(f).(string)
			return path
		}
	}
	return ""
}
