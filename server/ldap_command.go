package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"monban/server/app"
	"monban/server/config"
)

type ldapCommand struct {
	Try  ldapTryCommand  `cmd:"" help:"Look somebody up as a sign-in would, and say what was found. Works beside a running server."`
	Sync ldapSyncCommand `cmd:"" help:"Suspend accounts whose owner is gone from the directory or disabled there, and list where roles and groups differ. Deletes nothing and gives no right. The server must be stopped; a running one does it by itself ([ldap] sync_every)."`
}

type ldapTryCommand struct {
	onSite
	Name     string `arg:"" help:"Login name."`
	Password bool   `help:"Also try a password, read from the first line of standard input."`
}

func (c *ldapTryCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	password := ""
	if c.Password {
		line, err := bufio.NewReader(io.LimitReader(os.Stdin, 1024)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read the password: %w", err)
		}
		if password = strings.TrimRight(line, "\r\n"); password == "" {
			return errors.New("no password on standard input; an empty one proves nothing")
		}
	}
	text, err := app.TryDirectory(ctx, cfg, c.Name, password)
	if err != nil {
		return err
	}
	fmt.Print(text)
	return nil
}

type ldapSyncCommand struct {
	onSite
	DryRun bool `help:"Only say what would change."`
	Force  bool `help:"Also when most accounts would be suspended."`
}

func (c *ldapSyncCommand) Run(ctx context.Context) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	lines, err := s.SyncDirectory(ctx, app.SyncOptions{DryRun: c.DryRun, Force: c.Force, Now: time.Now()})
	for _, l := range lines {
		fmt.Println(l)
	}
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	if c.DryRun {
		fmt.Println("nothing was changed")
	}
	return nil
}
