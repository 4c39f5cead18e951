// Command monban-server decides who may enter, keeps the entry log, and serves the pages.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"monban/server/app"
	"monban/server/config"
	"monban/server/world"
	"monban/server/world/story"
)

// Set by the linker. number is the time of the commit in seconds since 1970, "0" without: it orders versions.
var (
	version = "unknown"
	number  = "0"
)

type commands struct {
	Serve      serveCommand      `cmd:"" help:"Run the server until it is told to stop."`
	Setup      setupCommand      `cmd:"" help:"Prepare a new site, and see what is still missing on the way to a guarded door."`
	Import     importCommand     `cmd:"" help:"Read people, cards, doors, zones, grants, schedules and closed days from a folder of CSV files: all or nothing. The server must be stopped."`
	Signer     signerCommand     `cmd:"" help:"The signing keys in a process and user of their own."`
	CA         caCommand         `cmd:"" help:"The server's own certificates."`
	Gateway    gatewayCommand    `cmd:"" help:"Gateways' identities."`
	Keys       keysCommand       `cmd:"" help:"Copies of the master key, without which no name in the log can be read."`
	Backup     backupCommands    `cmd:"" help:"Copies of the database."`
	Dispose    disposeCommands   `cmd:"" help:"What is due for disposal, and its destruction on the word of two persons. The server must be stopped."`
	Hold       holdCommands      `cmd:"" help:"Legal holds: what is not disposed of until two persons release it. The server must be stopped."`
	Export     exportCommand     `cmd:"" help:"Files for somebody who checks the log elsewhere. Each export is an entry of the log."`
	Checkpoint checkpointCommand `cmd:"" help:"The log's checkpoints: show one, compare one that somebody holds, carry files to a witness or a time-stamping authority and back. Works beside a running server."`
	Restore    restoreCommand    `cmd:"" help:"Put a backup in the database's place and begin a new log that follows the old one. The server must be stopped; the site's secrets must be there."`
	Card       cardCommand       `cmd:"" help:"Suspend, report lost, revoke or re-activate a card. Works beside a running server, which does it at once."`
	Explain    explainCommand    `cmd:"" help:"Can this person pass this door at this time? Every check of the door's own decision, for each card. The server must be stopped."`
	Who        whoCommand        `cmd:"" help:"Who can pass this door at this time? The server must be stopped."`
	Rehearse   rehearseCommand   `cmd:"" help:"Try a draft (CSV files as for import) on past entries: who gains, who loses, and what would have been decided otherwise. Changes nothing. The server must be stopped."`
	Thresholds thresholdsCommand `cmd:"" help:"Show the numbers that the rules over time count by, what the configuration asks for, and what waits for the CISO office. The server must be stopped."`

	LDAP    ldapCommand    `cmd:"" name:"ldap" help:"The city's directory."`
	Verify  verifyCommand  `cmd:"" help:"Walk the log from its first leaf and name whatever does not fit. Exit 0 clean, 1 findings, 2 could not check."`
	Log     logCommand     `cmd:"" help:"List the log's leaves. The server must be stopped."`
	Demo    demoCommand    `cmd:"" help:"Write the demo's configuration, keys and sample city hall; starts nothing."`
	Bench   benchCommand   `cmd:"" help:"Measure the goals as same-run ratios."`
	Doctor  doctorCommand  `cmd:"" help:"Check configuration, keys, certificates, database and clock, and say what to mend. The server must be stopped."`
	Version versionCommand `cmd:"" help:"Print the version."`

	Preflight preflightCommand `cmd:"" help:"Look at a machine before the visit: system, clock, memory, disk, ports, certificates, printing, and what to do. Needs no site. Exit 0 ready, 1 something must be mended."`
	Update    updateCommands   `cmd:"" help:"Updates of this server and of the gateways from a checked release."`
	Bundle    bundleCommand    `cmd:"" help:"The offline bundle: packages, manual and licences in one signed folder."`

	Simulate simulateCommand `cmd:"" help:"Run stories: what happens at a site and what must come of it, in virtual time (docs/stories.md). Touches nothing real. Exit 0 as expected, 1 something differed, 2 not a story."`
}

// onSite is the part that commands working on a stopped site share.
type onSite struct {
	Config string `required:"" placeholder:"FILE" type:"existingfile" help:"The server's TOML file."`
}

// open opens the site for one command. The server must not be running.
func (o onSite) open() (*app.Site, error) {
	cfg, err := config.Load(o.Config)
	if err != nil {
		return nil, err
	}
	return app.OpenSite(cfg, time.Now(), logger(cfg))
}

func logger(cfg *config.Config) *slog.Logger {
	opt := &slog.HandlerOptions{Level: cfg.Level()}
	if cfg.Log.Format == "text" {
		return slog.New(slog.NewTextHandler(os.Stderr, opt))
	}
	return slog.New(slog.NewJSONHandler(os.Stderr, opt))
}

type serveCommand struct{ onSite }

func (c *serveCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	if err := app.Trial(ctx, cfg, logger(cfg)); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return nil // told to end while a new version was tried
	}
	a, err := app.New(ctx, cfg, logger(cfg), os.Stdout)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

type simulateCommand struct {
	Files []string `arg:"" type:"existingfile" name:"file" help:"Stories."`
	Site  string   `placeholder:"DIR" type:"existingdir" help:"A folder of CSV files, as import reads it, in place of the stories' own site."`
	Trace bool     `help:"Print what happens, with the site's time."`
}

func (c *simulateCommand) Run() error {
	opt := story.Options{Site: c.Site}
	if c.Trace {
		opt.Trace = os.Stdout
	}
	differ := 0
	for _, f := range c.Files {
		res, err := story.Run(f, opt)
		if err != nil {
			return exitCode{2, err}
		}
		for _, d := range res.Differs {
			fmt.Println(d)
		}
		if len(res.Differs) > 0 {
			differ++
			continue
		}
		fmt.Printf("ok   %s: %d lines, %s of the site's time\n", f, res.Lines, res.Took.Round(time.Second))
	}
	if differ > 0 {
		return exitCode{1, fmt.Errorf("%d of %d stories came out otherwise", differ, len(c.Files))}
	}
	return nil
}

type benchCommand struct {
	Out   string `default:"bench.json" help:"Where the result goes."`
	Quick bool   `help:"The short form (≤ 60 s of measuring)."`
	Dir   string `placeholder:"DIR" help:"Folder on the disk to measure; default: a new one here."`
	Log   int    `placeholder:"LEAVES" help:"Only the log: append, and verify over so many leaves; 1000000 takes some minutes and 1.5 GB."`
	Arm   string `hidden:"" help:"Run one arm's server process (used by bench itself)."`
}

func (c *benchCommand) Run(ctx context.Context) error {
	return world.Bench(ctx, world.BenchOptions{Out: c.Out, Quick: c.Quick, Dir: c.Dir, Log: c.Log, Arm: c.Arm, Version: version, Table: os.Stdout, In: os.Stdin})
}

type versionCommand struct{}

func (versionCommand) Run() error {
	fmt.Printf("monban-server %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

func run(args []string, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c commands
	parser, err := kong.New(&c,
		kong.Name("monban-server"),
		kong.Description("The server of monban, access control and entry log for server rooms."),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "BUG:", err)
		return 1
	}
	k, err := parser.Parse(args)
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "monban-server: %v (see monban-server --help)\n", err)
		return 2
	}
	if err = asOwner(k, os.Geteuid(), append([]string{"monban-server"}, args...)); err == nil {
		err = k.Run()
	}
	var code exitCode
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return 0
	case errors.As(err, &code):
		_, _ = fmt.Fprintln(stderr, "monban-server:", err)
		return code.code
	default:
		_, _ = fmt.Fprintln(stderr, "monban-server:", err)
		return 1
	}
}
