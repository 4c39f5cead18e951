package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"monban/server/app"
	"monban/server/logcheck"
)

type verifyCommand struct {
	Database string `arg:"" type:"path" help:"monban.db of a running or stopped server or a copy of it, a folder that backup made, or a file that export made: a bundle, a pack or a proof."`
	Openings bool   `help:"Decrypt the openings too and compare them with their commitments."`
	Keys     string `placeholder:"DIR" type:"existingdir" help:"The data directory with keys; default: where the database lies."`

	Policy     string   `placeholder:"FILE" type:"existingfile" help:"Who must have cosigned: a C2SP tlog-policy. For files that export made."`
	Words      bool     `help:"Of a database, one page of plain words: what is proven, what not, and the first bad record. What export made always has that page."`
	Lang       string   `enum:"ja,en" default:"en" help:"Language of the page: ja or en."`
	Resume     bool     `help:"Go on where a check by this account on this machine was broken off: the leaves before that place are hashed again, what was compared with them is not compared again. Of a log that has not grown since, or a bundle."`
	Timestamps string   `placeholder:"FILE" type:"existingfile" help:"Certificates (PEM) of the time-stamping authorities whose stamps are believed; without it each stamp is checked with the certificate that it brings."`
	Checkpoint []string `placeholder:"FILE" type:"existingfile" help:"A checkpoint that somebody else holds (mail, paper): the log must be the one it names."`
}

// exitCode ends the process with a code of its own.
type exitCode struct {
	code int
	err  error
}

func (e exitCode) Error() string { return e.err.Error() }

func (c *verifyCommand) Run(ctx context.Context) error {
	findings, err := app.Verify(ctx, app.VerifyOptions{Database: c.Database, Keys: c.Keys, Openings: c.Openings, Stamps: c.Timestamps, Held: c.Checkpoint, Policy: c.Policy, Words: c.Words, Japanese: c.Lang == "ja", Resume: c.Resume, Out: os.Stdout, Progress: os.Stderr})
	switch {
	case err != nil:
		return exitCode{2, fmt.Errorf("could not check: %w", logcheck.PlainError{Err: err})}
	case findings > 0:
		return exitCode{1, fmt.Errorf("%s: %d findings", logcheck.Plain(c.Database), findings)}
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
