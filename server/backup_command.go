package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"monban/server/app"
	"monban/server/config"
	"monban/server/sealed"
)

type backupCommands struct {
	Make  backupCommand      `cmd:"" default:"withargs" help:"Copy the database of a running or stopped server, with all public keys and no secret, into a new folder and verify the copy."`
	Key   backupKeyCommand   `cmd:"" help:"Make the key that reads nightly backups."`
	Place backupPlaceCommand `cmd:"" help:"Make a folder on a stick or share ready for nightly backups ([backup] dir)."`
	Open  backupOpenCommand  `cmd:"" help:"Decrypt a nightly backup into a new folder, for restore or verify."`
}

type backupKeyCommand struct {
	Out string `required:"" placeholder:"FILE" help:"New file of the private key; the public one goes beside it as FILE.pub."`
}

func (c *backupKeyCommand) Run() error {
	private, public, err := sealed.NewKey()
	if err != nil {
		return err
	}
	for path, text := range map[string]string{c.Out: private, c.Out + ".pub": public} {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(f, text)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	fmt.Printf("Keep %s offline and twice: without it no backup can be read. %s.pub is for [backup] recipients.\n", c.Out, c.Out)
	return nil
}

type backupPlaceCommand struct {
	Dir string `arg:"" type:"existingdir" help:"The folder."`
}

func (c *backupPlaceCommand) Run() error { return app.PlaceBackups(c.Dir) }

type backupOpenCommand struct {
	File string `arg:"" type:"existingfile" help:"The backup, ….tar.age."`
	Key  string `required:"" placeholder:"FILE" type:"existingfile" help:"The private key, from where it is kept; it is only read."`
	Out  string `required:"" placeholder:"DIR" help:"New folder."`
}

func (c *backupOpenCommand) Run() error {
	if err := sealed.Open(c.File, c.Key, c.Out); err != nil {
		return err
	}
	fmt.Printf("%s holds the backup, in clear: destroy it after use.\n", c.Out)
	return nil
}

type backupCommand struct {
	onSite
	Out string `required:"" placeholder:"DIR" help:"New folder of the backup."`
}

func (c *backupCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	leaves, err := app.Backup(ctx, cfg, app.BackupOptions{Out: c.Out, Now: time.Now()})
	if err != nil {
		return err
	}
	fmt.Printf("%d leaves are backed up in %s and verified. It holds personal data in clear (the directory) and no keys: keep those apart (docs/operations.md, Backup).\n", leaves, c.Out)
	return nil
}
