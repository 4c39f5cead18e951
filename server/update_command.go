package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"time"

	"monban/firmware/update"
	"monban/server/app"
	"monban/server/config"
	"monban/server/upgrade"
)

type updateCommands struct {
	Apply   updateApplyCommand  `cmd:"" help:"Check a release, rehearse it on a copy, put it in place of the running server, and back when it is not well. As root. Exit 0 it runs and is well, 1 the version of before runs."`
	Resume  updateResumeCommand `cmd:"" help:"Put right what an update left that broke off. As root; the service manager does it at each start."`
	Rollout rolloutCommands     `cmd:"" help:"Roll a release out to the gateways: one after the other, stopped at the first that is not well."`

	// What follows is for update itself: it has the old and the new program do their parts as the user of the data. Names and output are the
	// same in every version.
	State   updateStateCommand   `cmd:"" hidden:""`
	Copy    updateCopyCommand    `cmd:"" hidden:""`
	Try     updateTryCommand     `cmd:"" hidden:""`
	Take    updateTakeCommand    `cmd:"" hidden:""`
	Putback updatePutbackCommand `cmd:"" hidden:""`
	Open    updateOpenCommand    `cmd:"" hidden:""`
	Reads   updateReadsCommand   `cmd:"" hidden:""`
	Note    updateNoteCommand    `cmd:"" hidden:""`
}

// updating is what apply and resume share.
type updating struct {
	onSite
	Dir   string        `default:"/var/lib/monban-update" placeholder:"DIR" help:"Root's folder of updates."`
	Limit time.Duration `default:"5m" help:"Until when a new version must be well; gateways need up to a minute to come back."`
}

// with does f with an updater, in a process that neither a lost terminal nor root's umask disturbs.
func (c *updating) with(ctx context.Context, patience time.Duration, f func(*upgrade.Updater) error) error {
	upgrade.OwnProcess()
	tell := upgrade.NewTeller(os.Stdout)
	u, err := c.updater(ctx, patience, tell)
	if err == nil {
		err = f(u)
	}
	return errors.Join(err, tell.Close())
}

func (c *updating) updater(ctx context.Context, patience time.Duration, out io.Writer) (*upgrade.Updater, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("update: must run as root: it installs a package and stops the server")
	}
	cfg, err := config.Load(c.Config)
	if err != nil {
		return nil, err
	}
	own, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		own = 0
	}
	u := &upgrade.Updater{
		Dir: c.Dir, Config: c.Config, Data: cfg.DataDir, Server: upgrade.AsOwner{Dir: cfg.DataDir}, Machine: upgrade.MachineHere(ctx, c.Dir),
		Own: own, Out: out, Limit: c.Limit, Settle: 10 * time.Second, Every: time.Second, Now: time.Now, Wait: time.Sleep,
		Database: app.DatabaseFiles(cfg), Patience: patience, Free: upgrade.Free,
	}
	return u, nil
}

type updateApplyCommand struct {
	updating
	Bundle string `arg:"" type:"existingdir" help:"Folder of the release: the bundle, as it came."`
	Root   string `default:"/etc/monban/release.root" placeholder:"FILE" help:"At the first time: the root, which came another way than the bundle."`
	Reason string `required:"" placeholder:"TEXT" help:"Why; goes into the log."`
	By     string `placeholder:"NAME" help:"Who does it; goes into the log. A note, not proof. Default: who called sudo, else root."`
}

func (c *updateApplyCommand) Run(ctx context.Context) error {
	by := c.By
	if by == "" {
		by = asRoot()
	}
	return c.with(ctx, 2*time.Minute, func(u *upgrade.Updater) error {
		return u.Apply(ctx, upgrade.Order{Bundle: c.Bundle, Root: c.Root, Reason: c.Reason, By: by, Clock: update.Clock{Now: time.Now().Unix(), Sure: true}})
	})
}

// asRoot names who works as root: the account that sudo was called from. It is a word for the log, not a proof: root can say anything.
func asRoot() string {
	if by := os.Getenv("SUDO_USER"); by != "" {
		return by
	}
	return operator()
}

type updateResumeCommand struct {
	updating
	Boot bool `help:"For the unit: start nothing, and say nothing when there is nothing to do."`
}

func (c *updateResumeCommand) Run(ctx context.Context) error {
	// A machine that has just started may install updates of its own for a while; without us nothing serves.
	return c.with(ctx, 15*time.Minute, func(u *upgrade.Updater) error { return u.Resume(context.WithoutCancel(ctx), c.Boot) })
}

type updateStateCommand struct{ onSite }

func (c *updateStateCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	s, err := app.AskUpdateState(ctx, cfg)
	if err != nil {
		return err
	}
	return app.PrintJSON(os.Stdout, s)
}

type updateCopyCommand struct {
	onSite
	To string `required:""`
}

func (c *updateCopyCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	return app.CopyForTry(ctx, cfg, c.To)
}

type updateReadsCommand struct{ onSite }

func (c *updateReadsCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	return app.Reads(ctx, cfg)
}

type updateTryCommand struct {
	onSite
	Backup string `required:"" type:"existingdir"`
}

func (c *updateTryCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	r, err := app.TryUpdate(ctx, cfg, c.Backup)
	if err != nil {
		return err
	}
	return app.PrintJSON(os.Stdout, r)
}

type updateTakeCommand struct {
	onSite
	To        string `required:""`
	VersionIs string `required:""`
}

func (c *updateTakeCommand) Run() error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	return app.TakeBack(cfg, c.To, c.VersionIs)
}

type updatePutbackCommand struct {
	onSite
	From string `required:""`
}

func (c *updatePutbackCommand) Run() error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	return app.PutBack(cfg, c.From)
}

type updateOpenCommand struct{ onSite }

func (c *updateOpenCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	return app.OpenTrial(ctx, cfg)
}

type updateNoteCommand struct {
	onSite
	Verb      string `required:""`
	VersionIs string `required:""`
	Reason    string `required:""`
	By        string `required:""`
}

func (c *updateNoteCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	return app.NoteUpdate(ctx, cfg, app.UpdateNote{Verb: c.Verb, Version: c.VersionIs, Reason: c.Reason, By: c.By}, logger(cfg))
}
