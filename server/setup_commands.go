package main

import (
	"context"
	"fmt"
	"time"

	"monban/server/app"
	"monban/server/config"
	"monban/server/setup"
)

type setupCommand struct {
	Site  setupSiteCommand  `cmd:"" default:"withargs" help:"Make keys, certificate authority and database of a new site."`
	Steps setupStepsCommand `cmd:"" help:"How far the site is on its way from an empty machine to a guarded door, and what to do next. Works beside a running server; the page /startup shows the same. Exit 0 all done, 1 something is open."`
}

type setupSiteCommand struct{ onSite }

func (c *setupSiteCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	days, err := app.SetUp(ctx, cfg, time.Now(), logger(cfg))
	if err != nil {
		return err
	}
	fmt.Printf("Site %s is prepared in %s, with %d closed days.\nKeep safe, apart from the server and twice: %s and %s. Then: monban-server import, gateway add, serve; setup steps says at any time what comes next.\n",
		cfg.Site, cfg.DataDir, days, cfg.Path("master.key"), cfg.Path("keys", "root.key"))
	if cfg.Signer.Socket != "" {
		fmt.Printf("[signer] is set: before anything else, as root: monban-server signer split --config %s, then give %s to the signer's user and start it.\n", c.Config, cfg.Signer.KeysDir)
	}
	return nil
}

type setupStepsCommand struct {
	onSite
	Lang string `enum:"auto,ja,en" default:"auto" help:"Language: ja, en, or auto for that of the terminal."`
}

func (c *setupStepsCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	steps, err := app.SetupSteps(ctx, cfg, time.Now())
	if err != nil {
		return err
	}
	lang := setup.English
	if speaksJapanese(c.Lang) {
		lang = setup.Japanese
	}
	open := 0
	for i, s := range steps {
		if s.State == setup.Open || s.State == setup.Later {
			open++
		}
		fmt.Printf("%-5s %2d %s: %s\n", [...]string{"OPEN", "later", "note", "ok"}[s.State], i+1, setup.Title(s.Key).In(lang), s.What.In(lang))
		if do := s.Do.In(lang); do != "" {
			fmt.Printf("         → %s\n", do)
		}
	}
	if open > 0 {
		return exitCode{1, fmt.Errorf("%d of %d steps are open", open, len(steps))}
	}
	return nil
}
