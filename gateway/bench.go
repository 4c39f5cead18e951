package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"monban/gateway/app"
	"monban/gateway/config"
	"monban/gateway/hal/pi"
)

type pairCommand struct {
	Config string        `required:"" placeholder:"FILE" type:"existingfile" help:"The gateway's TOML file."`
	Door   string        `arg:"" optional:"" help:"The door's id in the configuration."`
	Side   string        `arg:"" optional:"" default:"enter" enum:"enter,exit" help:"enter or exit."`
	New    bool          `help:"In place of a door: each OSDP reader of the board profile that has no key yet, one after the other."`
	Rotate bool          `help:"Another key for a reader that has one, through the channel of that one: no installation mode, nothing for listeners."`
	Window time.Duration `default:"2m" help:"How long the pairing may take, at most 5m; it closes by itself."`
}

// Run pairs one reader while the gateway is stopped.
func (c *pairCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	opt := app.PairOptions{Config: cfg, Door: c.Door, Side: c.Side, Rotate: c.Rotate, Window: c.Window, Open: pi.OpenSerial, Out: os.Stdout}
	switch {
	case c.New && (c.Door != "" || c.Rotate):
		return errors.New("--new is for readers without a key, of all doors: leave out the door and --rotate")
	case c.New:
		return app.PairNew(ctx, opt)
	case c.Door == "":
		return errors.New("name the door, or --new")
	}
	return app.Pair(ctx, opt)
}

type monitorCommand struct {
	Config string        `required:"" placeholder:"FILE" type:"existingfile" help:"The gateway's TOML file."`
	Sim    bool          `help:"Doors and readers in software instead of hardware."`
	For    time.Duration `help:"How long; without it until Ctrl-C."`
}

// Run shows what the hardware says.
func (c *monitorCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	return app.Monitor(ctx, app.MonitorOptions{Config: cfg, Sim: c.Sim, For: c.For, Out: os.Stdout})
}

type commissionCommand struct {
	Config  string `required:"" placeholder:"FILE" type:"existingfile" help:"The gateway's TOML file."`
	Door    string `arg:"" help:"The door's id in the configuration."`
	Out     string `placeholder:"DIR" default:"." type:"existingdir" help:"Folder for the acceptance sheet."`
	Listen  string `placeholder:"HOST:PORT" help:"Show the steps on a tablet too: a TLS page for one browser, opened by the code that is printed; closed at the end."`
	Sim     bool   `help:"Doors and readers in software instead of hardware."`
	Control string `placeholder:"SOCKET" help:"With --sim: take script lines on this Unix socket."`
}

// Run runs the gateway with a guide beside it.
func (c *commissionCommand) Run(ctx context.Context) error {
	if !c.Sim && c.Control != "" {
		return errors.New("--control needs --sim")
	}
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	sheet, err := app.Commission(ctx, app.CommissionOptions{
		Options: app.Options{Config: cfg, Sim: c.Sim, Control: c.Control, Version: version, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Out: os.Stdout},
		Door:    c.Door, Dir: c.Out, Listen: c.Listen,
	})
	if sheet != "" {
		fmt.Println("Acceptance sheet:", sheet)
	}
	return err
}
