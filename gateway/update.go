package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"syscall"

	"monban/gateway/app"
	"monban/gateway/config"
	"monban/gateway/slot"
)

// number is the time of the commit in seconds since 1970, set by the linker: it orders programs. "0" when it was built without.
var number = "0"

func ownNumber() int64 {
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// A started program of an update learns by these what it is. They are the same in every version: the one that starts is older.
const (
	slotsEnv = "MONBAN_SLOTS" // the folder of programs
	trialEnv = "MONBAN_TRIAL" // the number of the program, while it is on trial
)

type startCommand struct {
	Config  string `required:"" placeholder:"FILE" help:"The gateway's TOML file."`
	Slots   string `required:"" placeholder:"DIR" help:"Folder of the programs that updates bring."`
	Sim     bool   `hidden:"" help:"As of run."`
	Control string `hidden:"" help:"As of run."`
}

// Run starts the newest program that was found good, or once the one that is to be tried. Locks are without current until then.
func (c *startCommand) Run(ctx context.Context) error {
	s := &slot.Store{Dir: c.Slots}
	choice, f, err := s.Choose(ownNumber())
	if err != nil {
		return fmt.Errorf("update: %w", err)
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	if choice.Dropped != 0 {
		sayDropped(choice.Dropped)
	}
	if f == nil {
		return (&runCommand{Config: c.Config, Sim: c.Sim, Control: c.Control, slots: c.Slots}).Run(ctx)
	}
	log.LogAttrs(ctx, slog.LevelInfo, "program of an update", slog.String("version", choice.Version), slog.Bool("trial", choice.Trial))
	env := append(os.Environ(), slotsEnv+"="+c.Slots)
	if choice.Trial {
		env = append(env, trialEnv+"="+strconv.FormatInt(choice.Number, 10))
	}
	args := []string{"monban-gateway", "run", "--config", c.Config}
	if c.Sim {
		args = append(args, "--sim")
	}
	if c.Control != "" {
		args = append(args, "--control", c.Control)
	}
	// The open file and not its name: what was hashed is what runs.
	err = syscall.Exec("/proc/self/fd/"+strconv.Itoa(int(f.Fd())), args, env)
	return errors.Join(fmt.Errorf("start version %s: %w", choice.Version, err), f.Close())
}

func sayDropped(number int64) {
	slog.New(slog.NewJSONHandler(os.Stderr, nil)).Error("update dropped: it did not get well", slog.Int64("number", number))
}

type updateCommand struct {
	Dir    string `arg:"" type:"existingdir" help:"Folder of the release: the bundle, as it came."`
	Config string `required:"" placeholder:"FILE" type:"existingfile" help:"The gateway's TOML file."`
	Slots  string `default:"/var/lib/monban-gateway/slots" placeholder:"DIR" help:"Folder of the programs that updates bring, as in the unit."`
	Root   string `default:"/etc/monban/release.root" placeholder:"FILE" help:"At the first time: the root, which came another way than the release."`
	Again  bool   `help:"Also a release that did not get well before."`
	Cut    bool   `hidden:"" help:"For the image, before it starts the gateway: a program on trial was cut short."`
}

// Run checks a release and leaves the rest to the running gateway.
func (c *updateCommand) Run() error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	p, err := app.StageUpdate(app.UpdateOptions{Config: cfg, Dir: c.Dir, Slots: c.Slots, Root: c.Root, Again: c.Again, Own: ownNumber(), Cut: c.Cut, Dropped: sayDropped})
	if err != nil {
		return err
	}
	fmt.Printf("Version %s is good and waits. The gateway starts it when every door is locked and closed; if it is not well within %s, the one before runs again.\n", p.Version, app.TrialLimit)
	return nil
}
