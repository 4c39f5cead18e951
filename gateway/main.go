// Command monban-gateway runs beside the doors: it reads cards, watches doors and drives locks, keeps
// a durable record of everything, and asks the server.
package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"monban/gateway/app"
	"monban/gateway/config"
	"monban/gateway/hal/pi"
)

var version = "unknown" // set by the linker

type commands struct {
	Run        runCommand        `cmd:"" help:"Run the gateway until it is told to stop. Locks are secured at start and at the end."`
	Start      startCommand      `cmd:"" help:"Run the newest program: this one, or one that an update has brought and that was found good; for the service manager."`
	Update     updateCommand     `cmd:"" help:"Check a release and have the running gateway try it: kept when it is well, else the one before runs again. Changes nothing when anything is wrong with the release."`
	Enrol      enrolCommand      `cmd:"" help:"Get this gateway an identity with a code from the server."`
	Doctor     doctorCommand     `cmd:"" help:"Check configuration, identity, disk, clock, certificate, link, and what the board profile wires, while the gateway is stopped; say what to mend."`
	Present    presentCommand    `cmd:"" help:"Print who is inside, as this gateway knows it, without the server: numbers, no names."`
	Status     statusCommand     `cmd:"" help:"Show how the gateway stands: link, clock, policy, records, certificate, doors; works while it runs, and says so when it does not."`
	Monitor    monitorCommand    `cmd:"" help:"Show what readers and inputs say, masked, while the gateway is stopped."`
	Commission commissionCommand `cmd:"" help:"Run the gateway and lead through the acceptance of one door; writes the sheet to be signed."`
	Pair       pairCommand       `cmd:"" help:"Give an OSDP reader a key of its own, while the gateway is stopped. The window closes by itself."`
	Wiring     wiringCommand     `cmd:"" help:"Draw a board profile: wiring diagram and parts list."`
	Witness    witnessCommand    `cmd:"" help:"Show what this gateway holds as a witness of the entry log, for whoever audits it: its public key and the checkpoints."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
}

type runCommand struct {
	Config  string `required:"" placeholder:"FILE" type:"existingfile" help:"The gateway's TOML file."`
	Sim     bool   `help:"Doors and readers in software instead of hardware."`
	Panel   string `placeholder:"HOST:PORT" help:"With --sim: serve the panel that badges and moves doors, on loopback."`
	Cards   string `placeholder:"FILE" type:"existingfile" help:"With --sim: the named cards of the panel (TOML, [[card]] tables)."`
	Control string `placeholder:"SOCKET" help:"With --sim: take script lines on this Unix socket."`
	Trace   string `placeholder:"FILE" help:"With --sim: append what locks and readers did to this file."`
	Debug   bool   `help:"Log more."`

	slots string // folder of programs, when start runs this program itself
}

func (c *runCommand) Run(ctx context.Context) error {
	if !c.Sim && (c.Panel != "" || c.Cards != "" || c.Control != "" || c.Trace != "") {
		return errors.New("--panel, --cards, --control and --trace need --sim")
	}
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Log.Level)); err != nil {
		return fmt.Errorf("log.level: %w", err)
	}
	if c.Debug {
		level = slog.LevelDebug
	}
	opt := &slog.HandlerOptions{Level: level}
	log := slog.New(slog.NewJSONHandler(os.Stderr, opt))
	if cfg.Log.Format == "text" {
		log = slog.New(slog.NewTextHandler(os.Stderr, opt))
	}
	slots, trial, brought := c.slots, int64(0), false
	if s := os.Getenv(slotsEnv); s != "" { // this program was started by an older one
		slots = s
		trial, _ = strconv.ParseInt(os.Getenv(trialEnv), 10, 64) // none = not on trial
		brought = true
	}
	a, err := app.New(app.Options{
		Slots: slots, Trial: trial, Own: ownNumber(), Brought: brought,
		Config: cfg, Sim: c.Sim, Panel: c.Panel, Cards: c.Cards, Control: c.Control, Trace: c.Trace,
		Version: version, Log: log, Out: os.Stdout,
	})
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

type enrolCommand struct {
	Server  string `required:"" placeholder:"HOST:PORT" help:"The server's enrolment port."`
	Gateway string `required:"" placeholder:"ID" help:"This gateway's id in the directory."`
	Out     string `required:"" placeholder:"DIR" help:"New folder for the identity."`
	Code    string `arg:"" optional:"" help:"The code that the server printed. Without it, or as -, it is asked for: what stands on the line can be read in the list of processes and in the shell's history."`
}

func (c *enrolCommand) Run(ctx context.Context) error {
	code, err := codeFrom(c.Code, os.Stdin, os.Stderr)
	if err != nil {
		return err
	}
	if err := app.Enrol(ctx, app.EnrolOptions{Server: c.Server, Gateway: c.Gateway, Dir: c.Out, Code: code, Out: os.Stdout}); err != nil {
		return err
	}
	fmt.Printf("The identity of %s is in %s; set identity_dir to it, and enrol_server to %s.\n", c.Gateway, c.Out, c.Server)
	return nil
}

// codeFrom is the code of the line, or else the first line of in.
func codeFrom(arg string, in io.Reader, ask io.Writer) (string, error) {
	if arg != "" && arg != "-" {
		return arg, nil
	}
	if _, err := fmt.Fprint(ask, "Code that the server printed: "); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(io.LimitReader(in, 1024)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the code: %w", err)
	}
	if line = strings.TrimSpace(line); line == "" {
		return "", errors.New("no code was given: make one at the server (gateway invite, or the page Set-up) and type it here")
	}
	return line, nil
}

type doctorCommand struct {
	Config string `required:"" placeholder:"FILE" type:"existingfile" help:"The gateway's TOML file."`
	Lang   string `enum:"auto,ja,en" default:"auto" help:"ja, en, or auto for the terminal's. The marks BAD and ok are the same in both."`
}

func (c *doctorCommand) Run(ctx context.Context) error {
	checks := append(app.Doctor(c.Config), app.DoctorMachine(ctx, c.Config, pi.Inspection{})...)
	bad, ja := 0, speaksJapanese(c.Lang)
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

// speaksJapanese reports whether --lang, or with auto the terminal, asks for Japanese.
func speaksJapanese(lang string) bool {
	return lang == "ja" || lang == "auto" && strings.HasPrefix(cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_MESSAGES"), os.Getenv("LANG")), "ja")
}

type presentCommand struct {
	Config string `required:"" placeholder:"FILE" type:"existingfile" help:"The gateway's TOML file."`
}

func (c *presentCommand) Run() error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	return app.PrintPresent(os.Stdout, cfg, time.Now())
}

type statusCommand struct {
	Config string `required:"" placeholder:"FILE" type:"existingfile" help:"The gateway's TOML file."`
	Lang   string `enum:"auto,ja,en" default:"auto" help:"ja, en, or auto for the terminal's."`
}

// Run prints the report; what needs a person is an error.
func (c *statusCommand) Run() error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	lang := c.Lang
	if speaksJapanese(lang) {
		lang = "ja"
	}
	return app.PrintStatus(os.Stdout, cfg, lang)
}

type versionCommand struct{}

func (versionCommand) Run() error {
	fmt.Printf("monban-gateway %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

// gcPercent lets the heap grow by less than Go's own 100 between two collections: a Pi with 100,000 cards has more time
// than memory (`make footprint`).
const gcPercent = 40

func main() {
	debug.SetGCPercent(gcPercent)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var c commands
	parser, err := kong.New(&c,
		kong.Name("monban-gateway"),
		kong.Description("The gateway of monban, access control for server rooms: reads cards, watches doors, drives locks."),
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	if err != nil {
		fmt.Fprintln(os.Stderr, "BUG:", err)
		stop()
		os.Exit(1)
	}
	k, err := parser.Parse(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "monban-gateway: %v (see monban-gateway --help)\n", err)
		stop()
		os.Exit(2)
	}
	if err = asOwner(k, os.Geteuid(), os.Args[1:]); err == nil {
		err = k.Run()
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "monban-gateway:", err)
		stop()
		os.Exit(1)
	}
}

type witnessCommand struct {
	Config string `required:"" placeholder:"FILE" type:"existingfile" help:"The gateway's TOML file."`
}

func (c *witnessCommand) Run() error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	text, err := app.WitnessText(cfg.IdentityDir, cfg.DataDir)
	if err != nil {
		return err
	}
	fmt.Print(text)
	return nil
}
