package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"time"

	"monban/server/app"
	"monban/server/config"
)

type signerCommand struct {
	Serve signerServeCommand `cmd:"" default:"withargs" help:"Hold the keys of log, policy and command and sign for the server until told to stop."`
	Split signerSplitCommand `cmd:"" help:"Move those keys from the data directory into [signer] keys_dir. The server must be stopped."`
}

type signerServeCommand struct{ onSite }

func (c *signerServeCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	return app.RunSigner(ctx, cfg, logger(cfg))
}

type signerSplitCommand struct{ onSite }

func (c *signerSplitCommand) Run() error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	if err := app.SplitSigner(cfg); err != nil {
		return err
	}
	fmt.Printf("The keys of log, policy and command are in %s. Give it to the signer's user (chown -R), start `monban-server signer`, then serve.\n", cfg.Signer.KeysDir)
	return nil
}

type importCommand struct {
	onSite
	Dir    string `arg:"" type:"existingdir" help:"Folder with people.csv, cards.csv, doors.csv …"`
	DryRun bool   `help:"Only say what would change."`
	Reason string `default:"import from the command line" help:"Why; goes into the log."`
}

func (c *importCommand) Run(ctx context.Context) error {
	files, err := app.ReadImport(c.Dir)
	if err != nil {
		return err
	}
	s, err := c.open()
	if err != nil {
		return err
	}
	out, err := s.ImportRows(ctx, files, app.ImportOptions{Reason: c.Reason, Now: time.Now(), DryRun: c.DryRun})
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	for i := range out.Applied {
		fmt.Println(out.Applied[i].String())
	}
	for i := range out.Waiting {
		fmt.Println("needs a second person: " + out.Waiting[i].String())
	}
	for _, w := range out.Warnings {
		fmt.Println("look at " + w.String())
	}
	if c.DryRun {
		fmt.Printf("%d rows would change, %d of them once a second person agrees; nothing was changed\n", len(out.Applied)+len(out.Waiting), len(out.Waiting))
		return nil
	}
	fmt.Printf("%d rows changed\n", len(out.Applied))
	if out.Proposal != "" {
		fmt.Printf("%d rows wait. %s\n", len(out.Waiting), waits(out.Proposal))
	}
	return nil
}

// waits says what becomes of a proposal.
func waits(proposal string) string {
	return "It adds rights at level 2 or 3: proposal " + proposal + " is in force once a second person confirms it on the pages."
}

type restoreCommand struct {
	onSite
	Backup     string `arg:"" optional:"" type:"existingdir" help:"The backup's folder."`
	Reason     string `placeholder:"TEXT" help:"Why; goes into the log."`
	By         string `placeholder:"NAME" help:"Who restores; goes into the log. A note, not proof. Default: the user's name."`
	Checkpoint string `type:"existingfile" placeholder:"FILE" help:"A newer checkpoint of the lost log than this machine has, e.g. one that was sent or printed."`
	RootKey    string `type:"existingfile" placeholder:"FILE" help:"root.key, when it is not in the data directory's keys."`
	Resume     bool   `help:"Bring a restore that broke off to its end."`
}

func (c *restoreCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	var done app.Restored
	switch {
	case c.Resume:
		done, err = app.ResumeRestore(cfg, nil)
	case c.Backup == "" || c.Reason == "":
		return errors.New("restore: name the backup's folder and a reason (--reason), or --resume")
	default:
		if c.By == "" {
			if u, err := user.Current(); err == nil {
				c.By = u.Username
			}
		}
		done, err = app.Restore(ctx, cfg, app.RestoreOptions{
			Backup: c.Backup, Reason: c.Reason, By: c.By, Checkpoint: c.Checkpoint, RootKey: c.RootKey, Now: time.Now(),
		})
	}
	if err != nil {
		return err
	}
	fmt.Printf("%d leaves are restored; log %s takes over from %s.\n", done.Leaves, done.Origin, done.Before)
	if done.Unvouched {
		fmt.Println("Warning: " + app.BareBackup)
	}
	if done.LostTo > done.LostFrom {
		fmt.Printf("Leaves %d to %d of the old log are lost: what gateways recorded comes back from them, what operators did must be entered again.\n", done.LostFrom, done.LostTo-1)
	}
	if done.Aside != "" {
		fmt.Printf("The database that was there is in %s.\n", done.Aside)
	}
	fmt.Println("Start serve; back up the keys again: they have changed.")
	return nil
}

type cardCommand struct {
	onSite
	Card   string `arg:"" help:"The card's inventory id."`
	Status string `arg:"" enum:"active,suspended,lost,revoked" help:"active, suspended, lost or revoked (for good)."`
	Reason string `required:"" placeholder:"TEXT" help:"Why; goes into the log."`
}

func (c *cardCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	proposal, err := app.SetCard(ctx, cfg, c.Card, c.Status, c.Reason, logger(cfg))
	if err != nil {
		return err
	}
	if proposal != "" {
		fmt.Println(waits(proposal))
	}
	return nil
}

type demoCommand struct {
	Dir  string `default:"demo" help:"Folder of the demo."`
	HTTP string `default:"127.0.0.1:8080" help:"Address of the pages."`
	MQTT string `default:"127.0.0.1:8883" help:"Address of the broker."`
}

func (c *demoCommand) Run(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return app.WriteDemo(ctx, app.DemoOptions{Dir: c.Dir, HTTP: c.HTTP, MQTT: c.MQTT, Now: time.Now(), Log: log, Out: os.Stdout})
}

type doctorCommand struct {
	onSite
	Lang string `enum:"auto,ja,en" default:"auto" help:"Language: ja, en, or auto for that of the terminal. The marks BAD and ok are the same in both."`
}

func (c *doctorCommand) Run(ctx context.Context) error {
	bad, ja := 0, speaksJapanese(c.Lang)
	checks := app.Doctor(ctx, c.Config, time.Now())
	for i := range checks {
		if checks[i].Err != nil {
			bad++
		}
		fmt.Println(checks[i].Line(ja))
	}
	if bad > 0 {
		return errors.New(app.ChecksFailed(bad, len(checks), ja))
	}
	return nil
}
