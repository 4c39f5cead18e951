package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"monban/server/app"
)

type exportCommand struct {
	Bundle exportBundleCommand `cmd:"" help:"Write the log, or a part of it, into one file that monban-verify checks on any PC. The server must be stopped."`
}

type exportBundleCommand struct {
	onSite
	Out      string `required:"" placeholder:"FILE" help:"New file."`
	From     int64  `placeholder:"N" help:"First leaf; default: the first of the log."`
	To       int64  `placeholder:"N" help:"One past the last leaf; default: all."`
	Openings bool   `help:"With what the leaves commit to: names of people, in clear."`
	Reason   string `required:"" placeholder:"TEXT" help:"Why; goes into the log."`
	By       string `placeholder:"NAME" help:"Who exports; goes into the log. Default: the user's name."`
}

func (c *exportBundleCommand) Run(ctx context.Context) error {
	if c.By == "" {
		c.By = operator()
	}
	s, err := c.open()
	if err != nil {
		return err
	}
	head, sum, err := s.ExportBundle(ctx, app.ExportOptions{
		Out: c.Out, From: c.From, To: c.To, Openings: c.Openings, Reason: c.Reason, By: c.By, Version: version, Now: time.Now(),
	})
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	fmt.Printf("Leaves %d to %d are in %s.\nSHA-256 (but the last line): %s; the log keeps it too.\n", head.From, head.To-1, c.Out, sum)
	if c.Openings {
		fmt.Println("The file holds names of people in clear: give it to nobody who may not see them, and delete it when it has served.")
	}
	return nil
}

type verifyCommand struct {
	Database string `arg:"" type:"path" help:"monban.db of a running or stopped server or a copy of it, a folder that backup made, or a file that export bundle made."`
	Openings bool   `help:"Decrypt the openings too and compare them with their commitments."`
	Keys     string `placeholder:"DIR" type:"existingdir" help:"The data directory with keys; default: where the database lies."`

	Checkpoint []string `placeholder:"FILE" type:"existingfile" help:"A checkpoint that somebody else holds (mail, paper): the log must be the one it names."`
}

// exitCode ends the process with a code of its own.
type exitCode struct {
	code int
	err  error
}

func (e exitCode) Error() string { return e.err.Error() }

func (c *verifyCommand) Run(ctx context.Context) error {
	findings, err := app.Verify(ctx, app.VerifyOptions{Database: c.Database, Keys: c.Keys, Openings: c.Openings, Held: c.Checkpoint, Out: os.Stdout, Progress: os.Stderr})
	switch {
	case err != nil:
		return exitCode{2, fmt.Errorf("could not check: %w", err)}
	case findings > 0:
		return exitCode{1, fmt.Errorf("%s: %d findings", c.Database, findings)}
	}
	return nil
}

type logCommand struct {
	onSite
	JSON     bool `help:"One JSON object a line."`
	Openings bool `help:"With what the leaves commit to: names of people. This is itself an entry of the log."`
}

func (c *logCommand) Run(ctx context.Context) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	return errors.Join(s.PrintLog(ctx, os.Stdout, c.JSON, c.Openings), s.Close())
}
