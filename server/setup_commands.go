package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
	if err := app.CreateSite(cfg, time.Now(), logger(cfg)); err != nil {
		return err
	}
	s, err := c.open()
	if err != nil {
		return err
	}
	days, err := s.ImportHolidays(ctx, time.Now())
	if err := errors.Join(err, s.Close()); err != nil {
		return fmt.Errorf("the site is prepared, but without national holidays; import closed_days.csv: %w", err)
	}
	fmt.Printf("Site %s is prepared in %s, with %d closed days.\nKeep safe, apart from the server and twice: %s and %s. Then: monban-server import, gateway add, serve; setup steps says at any time what comes next.\n",
		cfg.Site, cfg.DataDir, days, cfg.Path("master.key"), cfg.Path("keys", "root.key"))
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
	if c.Lang == "ja" || c.Lang == "auto" && strings.HasPrefix(locale(), "ja") {
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
