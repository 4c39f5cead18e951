package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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
	for _, half := range []struct {
		path, text string
		mode       os.FileMode
	}{{c.Out, private, 0o600}, {c.Out + ".pub", public, 0o644}} { // the server's user, who may be another, reads the public one
		f, err := os.OpenFile(half.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, half.mode)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(f, half.text)
		if err := errors.Join(err, f.Chmod(half.mode), f.Close()); err != nil { // whatever the umask
			return err
		}
	}
	fmt.Printf("Keep %s offline and twice: without it no backup can be read. %s.pub is for [backup] recipients.\n", c.Out, c.Out)
	return nil
}

type backupPlaceCommand struct {
	Dir      string `arg:"" type:"existingdir" help:"The folder."`
	Config   string `default:"/etc/monban/server.toml" placeholder:"FILE" help:"The server's TOML file, which says where the data lie: the folder must be on another disk."`
	SameDisk string `placeholder:"REASON" help:"The folder lies on the data's own disk all the same; doctor shows the reason."`
}

func (c *backupPlaceCommand) Run() error {
	data := ""
	cfg, err := config.Load(c.Config)
	switch {
	case err == nil:
		data = cfg.DataDir
	case !errors.Is(err, fs.ErrNotExist): // before there is one, the backup itself looks at the disk
		return err
	}
	return app.PlaceBackups(c.Dir, data, c.SameDisk)
}

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
