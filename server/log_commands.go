package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

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
	JSON     bool   `help:"One JSON object a line."`
	Openings bool   `help:"With what the leaves commit to: names of people, in clear; not the inputs of decisions, nothing whose use is suspended. An export: it and the hash of what is printed are entries of the log."`
	Reason   string `placeholder:"TEXT" help:"Why; goes into the log. Needed with --openings."`
	By       string `placeholder:"NAME" help:"Who lists openings; goes into the log. A note, not proof. Default: the user's name."`
}

func (c *logCommand) Run(ctx context.Context) error {
	if c.Openings && strings.TrimSpace(c.Reason) == "" {
		return errors.New("--openings needs --reason TEXT: it goes into the log")
	}
	s, err := c.open()
	if err != nil {
		return err
	}
	if !c.Openings {
		return errors.Join(s.PrintLog(ctx, os.Stdout, c.JSON), s.Close())
	}
	if c.By == "" {
		c.By = operator()
	}
	sum, err := s.PrintOpenings(ctx, os.Stdout, c.JSON, app.ExportOptions{Reason: c.Reason, By: c.By, Version: version, Now: time.Now()})
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	// Not among what was printed: that is what has this hash, and a program may read it.
	fmt.Fprintf(os.Stderr, "SHA-256 of the listing: %s; the log keeps it too.\nThe inputs of decisions and openings whose use is suspended are not in it; inputs are only in export bundle --openings.\n%s\n", sum, inClear)
	return nil
}
