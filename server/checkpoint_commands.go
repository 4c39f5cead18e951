package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"monban/server/app"
	"monban/server/config"
)

type checkpointCommand struct {
	Show      checkpointShowCommand    `cmd:"" help:"Print the newest checkpoint as text and as a QR code."`
	Compare   checkpointCompareCommand `cmd:"" help:"Is the log the one that this checkpoint names? Exit 0 yes, 1 no, 2 could not compare."`
	Export    cosignExportCommand      `cmd:"" help:"Write the file for a witness that is reached by files (C2SP add-checkpoint)."`
	Import    cosignImportCommand      `cmd:"" help:"Take the cosignature that the witness gave."`
	Timestamp timestampCommand         `cmd:"" help:"Time stamps of an authority (RFC 3161), by files."`
}

type timestampCommand struct {
	Request timestampRequestCommand `cmd:"" help:"Write the request (.tsq) for a time stamp on the newest checkpoint."`
	Import  timestampImportCommand  `cmd:"" help:"Take the authority's answer (.tsr): checked, then kept with the checkpoint."`
}

type aSite struct {
	Config string `required:"" placeholder:"FILE" type:"existingfile" help:"The server's TOML file."`
}

type checkpointShowCommand struct {
	aSite
	Plain bool `help:"The text alone."`
}

func (c *checkpointShowCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	signed, err := app.Newest(ctx, cfg)
	if err != nil {
		return err
	}
	fmt.Print(signed)
	if c.Plain {
		return nil
	}
	code, err := app.CheckpointCode(signed)
	if err == nil {
		fmt.Print("\n", code)
	}
	return err
}

type checkpointCompareCommand struct {
	aSite
	File string `arg:"" type:"path" help:"Text with the checkpoint: from a mail, a QR code, or typed in; - = standard input."`
	Lang string `enum:"ja,en" default:"en" help:"Language of the answer: ja or en."`
}

func (c *checkpointCompareCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return exitCode{2, err}
	}
	text, err := readSmall(c.File)
	if err != nil {
		return exitCode{2, err}
	}
	got, err := app.Compare(ctx, cfg, string(text))
	if err == nil {
		err = got.Print(os.Stdout, c.Lang == "ja")
	}
	switch {
	case err != nil:
		return exitCode{2, fmt.Errorf("could not compare: %s: %w", c.File, err)}
	case got.Result == app.ComparedLost:
		return exitCode{3, errors.New("the checkpoint names entries that a recorded restore lost")}
	case !got.Result.Good():
		return exitCode{1, errors.New("the log is not the one that the checkpoint names")}
	}
	return nil
}

// readSmall reads a file of at most 64 KiB; - is the standard input.
func readSmall(path string) ([]byte, error) {
	f := os.Stdin
	if path != "-" {
		var err error
		if f, err = os.Open(path); err != nil {
			return nil, err
		}
		defer f.Close() // only read
	}
	const most = 64 << 10
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(data) > most {
		err = fmt.Errorf("%s: is longer than %d bytes: not a file of this kind", path, most)
	}
	return data, err
}

// newFile writes a file that must not be there.
func newFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // it goes to others and names nobody
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

type cosignExportCommand struct {
	aSite
	File    string `arg:"" type:"path" help:"New file."`
	Witness string `placeholder:"NAME" help:"Name of the witness's key; may be left out when there is one witness."`
	Old     int64  `placeholder:"N" help:"How many entries the witness says it holds; default: what it cosigned last."`
}

func (c *cosignExportCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	f, err := app.CosignAsk(ctx, cfg, c.Witness, c.Old, logger(cfg))
	if err != nil {
		return err
	}
	if err := newFile(c.File, f.Data); err != nil {
		return err
	}
	fmt.Printf("%s is for %s: a checkpoint of %d entries. Bring back what the witness answers: `checkpoint import`.\n", c.File, f.Who, f.Size)
	return nil
}

type cosignImportCommand struct {
	aSite
	File string `arg:"" type:"path" help:"What the witness gave: signature lines, or the checkpoint with them; - = standard input."`
}

func (c *cosignImportCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	data, err := readSmall(c.File)
	if err != nil {
		return err
	}
	f, err := app.CosignTake(ctx, cfg, data, logger(cfg))
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	fmt.Printf("%s has cosigned %d entries; it is kept.\n", f.Who, f.Size)
	return nil
}

type timestampRequestCommand struct {
	aSite
	File string `arg:"" type:"path" help:"New file, FILE.tsq."`
}

func (c *timestampRequestCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	f, err := app.StampAsk(ctx, cfg, logger(cfg))
	if err != nil {
		return err
	}
	if err := newFile(c.File, f.Data); err != nil {
		return err
	}
	fmt.Printf("%s asks for a time stamp on a checkpoint of %d entries. Bring the answer (.tsr) back: `checkpoint timestamp import`.\n", c.File, f.Size)
	return nil
}

type timestampImportCommand struct {
	aSite
	File string `arg:"" type:"path" help:"The authority's answer, FILE.tsr."`
}

func (c *timestampImportCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	data, err := readSmall(c.File)
	if err != nil {
		return err
	}
	f, err := app.StampTake(ctx, cfg, data, logger(cfg))
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	fmt.Printf("%s says that the checkpoint of %d entries was there on %s; it is kept.\n", f.Who, f.Size, time.UnixMilli(f.AtMS).In(cfg.Location()).Format("2006-01-02 15:04:05 MST"))
	return nil
}
