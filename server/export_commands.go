package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"monban/firmware/calendar"
	"monban/server/app"
	"monban/server/config"
	"monban/server/directory"
	"monban/server/logcheck"
)

type exportCommand struct {
	Bundle exportBundleCommand `cmd:"" help:"Write the log, or a part of it, into one file."`
	Proof  exportProofCommand  `cmd:"" help:"Prove one record: a file NAME.tlog-proof."`
	Day    exportDayCommand    `cmd:"" help:"Write the log of some days, with lists that people can read, into one pack (zip)."`
	Person exportPersonCommand `cmd:"" help:"Write what a person may ask for about themselves into one pack: third parties are masked."`
	Audit  exportAuditCommand  `cmd:"" help:"Write the audit pack: log, policies, rights, exceptions, inventories, training, sign-offs and the hash of monban-verify."`
}

// exporting is the part that all exports share. They work beside a running server, which writes the log's entry of each.
type exporting struct {
	onSite
	Out    string `required:"" placeholder:"FILE" help:"New file, readable by nobody else."`
	Reason string `required:"" placeholder:"TEXT" help:"Why; goes into the log."`
	By     string `placeholder:"NAME" help:"Who exports; goes into the log. A note, not proof. Default: the user's name."`
}

func (e *exporting) prepare() (*config.Config, app.ExportOptions, error) {
	if e.By == "" {
		e.By = operator()
	}
	cfg, err := config.Load(e.Config)
	return cfg, app.ExportOptions{Out: e.Out, Reason: e.Reason, By: e.By, Version: version, Now: time.Now(), Progress: os.Stderr}, err
}

const inClear = "The file holds names of people in clear: give it to nobody who may not see them, and delete it when it has served."

type exportBundleCommand struct {
	exporting
	From     int64 `placeholder:"N" help:"First leaf; default: the first of the log."`
	To       int64 `placeholder:"N" help:"One past the last leaf; default: all."`
	Openings bool  `help:"With what the leaves commit to: names of people, in clear."`
}

func (c *exportBundleCommand) Run(ctx context.Context) error {
	cfg, o, err := c.prepare()
	if err != nil {
		return err
	}
	head, sum, err := app.ExportBundle(ctx, cfg, app.BundleExport{From: c.From, To: c.To, Openings: c.Openings}, o, logger(cfg))
	if err != nil {
		return err
	}
	fmt.Printf("Leaves %d to %d are in %s.\nSHA-256 (but the last line): %s; the log keeps it too.\n", head.From, head.To-1, c.Out, sum)
	if c.Openings {
		fmt.Println(inClear)
	}
	return nil
}

type exportProofCommand struct {
	exporting
	Leaf     int64 `required:"" placeholder:"N" help:"The record's place in the log, as its page shows it."`
	Openings bool  `help:"With what the record commits to: names of people, in clear; not of decisions at doors."`
}

func (c *exportProofCommand) Run(ctx context.Context) error {
	cfg, o, err := c.prepare()
	if err != nil {
		return err
	}
	sum, err := app.ExportProof(ctx, cfg, c.Leaf, c.Openings, o, logger(cfg))
	if err != nil {
		return err
	}
	fmt.Printf("The proof of leaf %d is in %s.\nSHA-256 of the file: %s; the log keeps it too.\n", c.Leaf, c.Out, sum)
	if c.Openings {
		fmt.Println(inClear)
	}
	return nil
}

// someDays is a period, both days included.
type someDays struct {
	From string `required:"" placeholder:"YYYY-MM-DD" help:"First day."`
	To   string `placeholder:"YYYY-MM-DD" help:"Last day; default: the first."`
}

func (d *someDays) parse() (from, to calendar.Date, err error) {
	if from, err = calendar.ParseDate(d.From); err != nil || d.To == "" {
		return from, from, err
	}
	to, err = calendar.ParseDate(d.To)
	return from, to, err
}

func (e *exporting) pack(ctx context.Context, p app.PackExport, d someDays) error {
	cfg, o, err := e.prepare()
	if err != nil {
		return err
	}
	if p.From, p.To, err = d.parse(); err != nil {
		return err
	}
	sum, err := app.ExportPack(ctx, cfg, p, o, logger(cfg))
	if err != nil {
		return err
	}
	fmt.Printf("The pack is %s.\nIts hash (SHA-256 of %s): %s; the log keeps it too. Check it with monban-verify.\n", e.Out, logcheck.ManifestName, sum)
	if p.Names || p.Person != "" {
		fmt.Println(inClear)
	}
	return nil
}

type exportDayCommand struct {
	exporting
	someDays
	Openings bool `help:"With what the leaves commit to: names of people, in clear."`
}

func (c *exportDayCommand) Run(ctx context.Context) error {
	return c.pack(ctx, app.PackExport{Kind: "day", Names: c.Openings}, c.someDays)
}

type exportPersonCommand struct {
	exporting
	someDays
	Person string `required:"" placeholder:"ID" help:"The person's id in the directory."`
}

func (c *exportPersonCommand) Run(ctx context.Context) error {
	return c.pack(ctx, app.PackExport{Kind: "person", Person: directory.PersonID(c.Person)}, c.someDays)
}

type exportAuditCommand struct {
	exporting
	someDays
	Openings bool     `help:"With what the leaves commit to and the list of people: names, in clear."`
	Verifier []string `placeholder:"FILE" type:"existingfile" help:"The program that the auditor is to use, for its hash; default: monban-verify and monban-verify.exe beside this program."`
}

func (c *exportAuditCommand) Run(ctx context.Context) error {
	if len(c.Verifier) == 0 {
		c.Verifier = app.FindVerifier()
	}
	return c.pack(ctx, app.PackExport{Kind: "audit", Names: c.Openings, Verifier: c.Verifier}, c.someDays)
}
