package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"monban/server/preflight"
)

type preflightCommand struct {
	Config string `required:"" placeholder:"FILE" help:"The server's TOML file, as it is going to be."`
	Lang   string `enum:"auto,ja,en" default:"auto" help:"Language of the report: ja, en, or auto for that of the terminal."`
}

func (c *preflightCommand) Run(ctx context.Context) error {
	lang := preflight.English
	if speaksJapanese(c.Lang) {
		lang = preflight.Japanese
	}
	lines := preflight.Run(ctx, c.Config, preflight.This())
	for _, l := range lines {
		fmt.Printf("%s %s\n", [...]string{"ok  ", "note", "BAD "}[l.State], l.What.In(lang))
		if do := l.Do.In(lang); do != "" {
			fmt.Printf("     → %s\n", do)
		}
	}
	if preflight.Worst(lines) == preflight.Bad {
		return exitCode{1, errors.New("mend the lines BAD before the server is set up")}
	}
	return nil
}

// speaksJapanese reports whether --lang, or with auto the terminal, asks for Japanese.
func speaksJapanese(lang string) bool {
	return lang == "ja" || lang == "auto" && strings.HasPrefix(locale(), "ja")
}

// locale is the terminal's, in the order of locale(7).
func locale() string {
	for _, v := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if s := os.Getenv(v); s != "" {
			return s
		}
	}
	return ""
}
