package main

import (
	"context"
	"os"
	"time"

	"monban/gateway/app"
	"monban/gateway/config"
	"monban/gateway/hal/pi"
)

type pairCommand struct {
	Config string        `required:"" placeholder:"FILE" type:"existingfile" help:"The gateway's TOML file."`
	Door   string        `arg:"" help:"The door's id in the configuration."`
	Side   string        `arg:"" optional:"" default:"enter" enum:"enter,exit" help:"enter or exit."`
	Window time.Duration `default:"2m" help:"How long the pairing may take, at most 5m; it closes by itself."`
}

// Run pairs one reader while the gateway is stopped.
func (c *pairCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	return app.Pair(ctx, app.PairOptions{Config: cfg, Door: c.Door, Side: c.Side, Window: c.Window, Open: pi.OpenSerial, Out: os.Stdout})
}
