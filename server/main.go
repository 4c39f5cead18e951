// Command monban-server decides who may enter, keeps the entry log, and serves the pages.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"monban/firmware/access"
	"monban/server/app"
	"monban/server/ca"
	"monban/server/config"
	"monban/server/world"
	"monban/server/world/story"
)

var version = "unknown" // set by the linker

type commands struct {
	Serve    serveCommand    `cmd:"" help:"Run the server until it is told to stop."`
	Setup    setupCommand    `cmd:"" help:"Prepare a new site: keys, certificate authority, database."`
	Import   importCommand   `cmd:"" help:"Read people, cards, doors, zones, grants, schedules and closed days from a folder of CSV files: all or nothing. The server must be stopped."`
	Signer   signerCommand   `cmd:"" help:"The signing keys in a process and user of their own."`
	CA       caCommand       `cmd:"" help:"The server's own certificates."`
	Gateway  gatewayCommand  `cmd:"" help:"Gateways' identities."`
	Backup   backupCommands  `cmd:"" help:"Copies of the database."`
	Export   exportCommand   `cmd:"" help:"Files for somebody who checks the log elsewhere. Each export is an entry of the log."`
	Restore  restoreCommand  `cmd:"" help:"Put a backup in the database's place and begin a new log that follows the old one. The server must be stopped; the site's secrets must be there."`
	Card     cardCommand     `cmd:"" help:"Suspend, report lost, revoke or re-activate a card. Works beside a running server, which does it at once."`
	Explain  explainCommand  `cmd:"" help:"Can this person pass this door at this time? Every check of the door's own decision, for each card. The server must be stopped."`
	Who      whoCommand      `cmd:"" help:"Who can pass this door at this time? The server must be stopped."`
	Rehearse rehearseCommand `cmd:"" help:"Try a draft (CSV files as for import) on past entries: who gains, who loses, and what would have been decided otherwise. Changes nothing. The server must be stopped."`

	LDAP    ldapCommand    `cmd:"" name:"ldap" help:"The city's directory."`
	Verify  verifyCommand  `cmd:"" help:"Walk the log from its first leaf and name whatever does not fit. Exit 0 clean, 1 findings, 2 could not check."`
	Log     logCommand     `cmd:"" help:"List the log's leaves. The server must be stopped."`
	Demo    demoCommand    `cmd:"" help:"Write the demo's configuration, keys and sample city hall; starts nothing."`
	Bench   benchCommand   `cmd:"" help:"Measure the goals as same-run ratios."`
	Doctor  doctorCommand  `cmd:"" help:"Check configuration, keys, certificates, database and clock, and say what to mend. The server must be stopped."`
	Version versionCommand `cmd:"" help:"Print the version."`

	Preflight preflightCommand `cmd:"" help:"Look at a machine before the visit: system, clock, memory, disk, ports, certificates, printing, and what to do. Needs no site. Exit 0 ready, 1 something must be mended."`
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
	a, err := app.New(ctx, cfg, logger(cfg), os.Stdout)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

type signerCommand struct {
	Serve signerServeCommand `cmd:"" default:"withargs" help:"Hold the keys of log, policy and command and sign for the server until told to stop."`
	Split signerSplitCommand `cmd:"" help:"Move those keys from the data directory into [signer] keys_dir. The server must be stopped."`
}

type signerServeCommand struct{ onSite }

func (c *signerServeCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	return app.RunSigner(ctx, cfg, logger(cfg))
}

type signerSplitCommand struct{ onSite }

func (c *signerSplitCommand) Run() error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	if err := app.SplitSigner(cfg); err != nil {
		return err
	}
	fmt.Printf("The keys of log, policy and command are in %s. Give it to the signer's user (chown -R), start `monban-server signer`, then serve.\n", cfg.Signer.KeysDir)
	return nil
}

type setupCommand struct{ onSite }

func (c *setupCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	if err := app.CreateSite(cfg, time.Now(), logger(cfg)); err != nil {
		return err
	}
	s, err := c.open()
	if err != nil {
		return err
	}
	days, err := s.ImportHolidays(ctx, time.Now())
	if err := errors.Join(err, s.Close()); err != nil {
		return fmt.Errorf("the site is prepared, but without national holidays; import closed_days.csv: %w", err)
	}
	fmt.Printf("Site %s is prepared in %s, with %d closed days.\nKeep safe, apart from the server and twice: %s and %s. Then: monban-server import, gateway add, serve.\n",
		cfg.Site, cfg.DataDir, days, cfg.Path("master.key"), cfg.Path("keys", "root.key"))
	return nil
}

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

type importCommand struct {
	onSite
	Dir    string `arg:"" type:"existingdir" help:"Folder with people.csv, cards.csv, doors.csv …"`
	DryRun bool   `help:"Only say what would change."`
	Reason string `default:"import from the command line" help:"Why; goes into the log."`
}

func (c *importCommand) Run(ctx context.Context) error {
	files, err := app.ReadImport(c.Dir)
	if err != nil {
		return err
	}
	s, err := c.open()
	if err != nil {
		return err
	}
	out, err := s.ImportRows(ctx, files, app.ImportOptions{Reason: c.Reason, Now: time.Now(), DryRun: c.DryRun})
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	for i := range out.Applied {
		fmt.Println(out.Applied[i].String())
	}
	for i := range out.Waiting {
		fmt.Println("needs a second person: " + out.Waiting[i].String())
	}
	for _, w := range out.Warnings {
		fmt.Println("look at " + w.String())
	}
	if c.DryRun {
		fmt.Printf("%d rows would change, %d of them once a second person agrees; nothing was changed\n", len(out.Applied)+len(out.Waiting), len(out.Waiting))
		return nil
	}
	fmt.Printf("%d rows changed\n", len(out.Applied))
	if out.Proposal != "" {
		fmt.Printf("%d rows wait. %s\n", len(out.Waiting), waits(out.Proposal))
	}
	return nil
}

// waits says what becomes of a proposal.
func waits(proposal string) string {
	return "It adds rights at level 2 or 3: proposal " + proposal + " is in force once a second person confirms it on the pages."
}

type caCommand struct {
	Renew caRenewCommand `cmd:"" help:"Make new issuing and server certificates with the root's key. The server must be stopped; gateways notice nothing."`
	Roll  caRollCommand  `cmd:"" help:"Change both roots with an overlap in which gateways trust old and new: start it, look at it (--status), end it (--finish). The server must be stopped but for --status."`
}

type caRollCommand struct {
	onSite
	Finish  bool     `xor:"what" help:"End it: only the new roots are trusted. Refused while a gateway has not confirmed."`
	Status  bool     `xor:"what" help:"Say which gateways have not confirmed yet."`
	RootKey string   `placeholder:"FILE" type:"existingfile" help:"The key that signs lists of keys (keys/root.key), from where it is kept; with --finish that of the next root. Default: the data directory."`
	Without []string `placeholder:"GATEWAY" help:"With --finish: do not wait for this gateway. It has to be enrolled again."`
	Reason  string   `placeholder:"TEXT" help:"Why; goes into the log."`
}

func (c *caRollCommand) Run() error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	if c.Status {
		st, err := app.Rolling(cfg)
		switch {
		case err != nil:
			return err
		case !st.UnderWay:
			fmt.Println("no change of the root is under way")
		case len(st.Waiting) == 0:
			fmt.Println("every gateway has confirmed; stop the server and run ca roll --finish")
		default:
			fmt.Printf("not confirmed yet: %s\n", strings.Join(st.Waiting, ", "))
		}
		return nil
	}
	if c.Reason == "" {
		return errors.New("ca roll: say why with --reason")
	}
	o := app.RollOptions{RootKey: c.RootKey, Without: c.Without, User: operator(), Reason: c.Reason, Now: time.Now()}
	if c.Finish {
		if err := app.FinishRoll(cfg, o); err != nil {
			return err
		}
		fmt.Printf("Only the new roots are trusted. Start serve; back up the keys, and keep %s and %s offline. The old roots' keys can be destroyed.\n",
			filepath.Join(cfg.CA.Dir, "root.key"), cfg.Path("keys", "root.key"))
		return nil
	}
	if err := app.StartRoll(cfg, o); err != nil {
		return err
	}
	fmt.Printf("Two roots are trusted from now on. Start serve; gateways learn of it and renew by themselves: see ca roll --status. Back up the keys, with %s and %s.\n",
		filepath.Join(cfg.CA.Dir, "next"), cfg.Path("keys", "next"))
	return nil
}

type caRenewCommand struct {
	onSite
	RootKey string   `required:"" placeholder:"FILE" type:"existingfile" help:"root.key, from where it is kept; it is only read."`
	Name    []string `placeholder:"NAME" help:"A further host name or address of the server."`
}

func (c *caRenewCommand) Run() error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	until, err := app.RenewCA(cfg, c.RootKey, c.Name, time.Now())
	if err != nil {
		return err
	}
	fmt.Printf("New certificates until %s. Take the root's key away again, then serve.\n", until.Local().Format(time.DateOnly))
	return nil
}

type gatewayCommand struct {
	Invite  gatewayInviteCommand  `cmd:"" help:"Make a one-time code with which a gateway enrols over the network."`
	Pending gatewayPendingCommand `cmd:"" help:"List invited gateways and the fingerprints of those that came."`
	Confirm gatewayConfirmCommand `cmd:"" help:"Say that the fingerprint the gateway shows is the one that arrived here; it then gets its identity."`
	Deny    gatewayDenyCommand    `cmd:"" help:"Refuse every certificate of a gateway at once and end its connections."`
	Add     gatewayAddCommand     `cmd:"" help:"Make a gateway's identity as a folder to be carried: certificate, keys, what it has to trust. The server must be stopped."`
}

// identities is the part that commands on gateways' identities share; they work beside a running server.
type identities struct{ onSite }

func (c identities) open() (*ca.CA, error) {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return nil, err
	}
	return ca.Open(cfg.CA.Dir, time.Now())
}

// lists opens what works whatever has become of the certificates.
func (c identities) lists() (*ca.CA, error) {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return nil, err
	}
	return ca.OpenLists(cfg.CA.Dir)
}

func operator() string {
	u, err := user.Current()
	if err != nil {
		return "uid " + strconv.Itoa(os.Getuid())
	}
	return u.Username
}

type gatewayInviteCommand struct {
	identities
	ID      string        `arg:"" help:"The gateway's id in the directory."`
	For     time.Duration `default:"15m" help:"How long the code holds; up to 24h for a visit to a distant site."`
	Replace bool          `help:"A new device in the place of a dead or stolen one: the old one is refused as soon as the new one is there."`
	Reason  string        `required:"" placeholder:"TEXT" help:"Why; goes into the log."`
}

func (c *gatewayInviteCommand) Run() error {
	authority, err := c.open()
	if err != nil {
		return err
	}
	code, err := authority.Invite(c.ID, operator(), c.Reason, c.For, c.Replace, time.Now())
	if err != nil {
		return err
	}
	fmt.Printf("Code for %s, valid until %s:\n  %s\nOn the gateway: monban-gateway enrol --server HOST:PORT --gateway %s --out DIR %s\nThen compare the fingerprint it shows: monban-server gateway confirm --config %s %s FINGERPRINT\n",
		c.ID, time.Now().Add(c.For).Format(time.DateTime), code, c.ID, code, c.Config, c.ID)
	return nil
}

type gatewayPendingCommand struct{ identities }

func (c *gatewayPendingCommand) Run() error {
	authority, err := c.lists()
	if err != nil {
		return err
	}
	list, err := authority.Invites()
	if err != nil {
		return err
	}
	if len(list) == 0 {
		fmt.Println("no gateway is invited")
	}
	for _, in := range list {
		state := "has not come yet"
		switch {
		case in.Granted:
			state = "is enrolled"
		case in.Confirmed:
			state = "is confirmed, its identity is on the way"
		case time.Now().After(in.Until):
			state = "its code has expired"
		case in.Request != nil:
			state = "waits for: gateway confirm " + in.Gateway + " " + in.Request.Fingerprint
		}
		fmt.Printf("%s  until %s  %s\n", in.Gateway, in.Until.Local().Format(time.DateTime), state)
	}
	return nil
}

type gatewayConfirmCommand struct {
	identities
	ID          string `arg:"" help:"The gateway's id."`
	Fingerprint string `arg:"" help:"As the gateway shows it."`
}

func (c *gatewayConfirmCommand) Run() error {
	authority, err := c.open()
	if err != nil {
		return err
	}
	if err := authority.Confirm(c.ID, c.Fingerprint, operator(), time.Now()); err != nil {
		return err
	}
	fmt.Printf("%s is confirmed; it fetches its identity within seconds.\n", c.ID)
	return nil
}

type gatewayDenyCommand struct {
	identities
	ID     string `arg:"" help:"The gateway's id."`
	Reason string `required:"" placeholder:"TEXT" help:"Why; goes into the log."`
}

func (c *gatewayDenyCommand) Run() error {
	authority, err := c.lists()
	if err != nil {
		return err
	}
	n, err := authority.Refuse(c.ID, operator(), c.Reason, time.Now())
	if err != nil {
		return err
	}
	fmt.Printf("%d certificates of %s are refused; a running server ends its connections within seconds. Its doors go on by their offline mode.\n", n, c.ID)
	return nil
}

type gatewayAddCommand struct {
	onSite
	ID      string `arg:"" help:"The gateway's id in the directory."`
	Out     string `required:"" placeholder:"DIR" help:"New folder for the identity; carry it to the gateway and delete it here."`
	Replace bool   `help:"For another device in the place of a dead or stolen one: the old one's certificates are refused, and the keys it shared with the server are made anew."`
}

func (c *gatewayAddCommand) Run(ctx context.Context) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	id := access.GatewayID(c.ID)
	err = s.KnowsGateway(ctx, id)
	switch {
	case err != nil:
	case c.Replace:
		err = s.ReplaceGateway(id, c.Out, operator(), time.Now())
	default:
		err = s.AddGateway(id, c.Out, time.Now())
	}
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	fmt.Printf("Identity of %s is in %s; set identity_dir to its place on the gateway.\n", c.ID, c.Out)
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

type restoreCommand struct {
	onSite
	Backup     string `arg:"" optional:"" type:"existingdir" help:"The backup's folder."`
	Reason     string `placeholder:"TEXT" help:"Why; goes into the log."`
	By         string `placeholder:"NAME" help:"Who restores; goes into the log. Default: the user's name."`
	Checkpoint string `type:"existingfile" placeholder:"FILE" help:"A newer checkpoint of the lost log than this machine has, e.g. one that was sent or printed."`
	RootKey    string `type:"existingfile" placeholder:"FILE" help:"root.key, when it is not in the data directory's keys."`
	Resume     bool   `help:"Bring a restore that broke off to its end."`
}

func (c *restoreCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	var done app.Restored
	switch {
	case c.Resume:
		done, err = app.ResumeRestore(cfg, nil)
	case c.Backup == "" || c.Reason == "":
		return errors.New("restore: name the backup's folder and a reason (--reason), or --resume")
	default:
		if c.By == "" {
			if u, err := user.Current(); err == nil {
				c.By = u.Username
			}
		}
		done, err = app.Restore(ctx, cfg, app.RestoreOptions{
			Backup: c.Backup, Reason: c.Reason, By: c.By, Checkpoint: c.Checkpoint, RootKey: c.RootKey, Now: time.Now(),
		})
	}
	if err != nil {
		return err
	}
	fmt.Printf("%d leaves are restored; log %s takes over from %s.\n", done.Leaves, done.Origin, done.Before)
	if done.LostTo > done.LostFrom {
		fmt.Printf("Leaves %d to %d of the old log are lost: what gateways recorded comes back from them, what operators did must be entered again.\n", done.LostFrom, done.LostTo-1)
	}
	if done.Aside != "" {
		fmt.Printf("The database that was there is in %s.\n", done.Aside)
	}
	fmt.Println("Start serve; back up the keys again: they have changed.")
	return nil
}

type cardCommand struct {
	onSite
	Card   string `arg:"" help:"The card's inventory id."`
	Status string `arg:"" enum:"active,suspended,lost,revoked" help:"active, suspended, lost or revoked (for good)."`
	Reason string `required:"" placeholder:"TEXT" help:"Why; goes into the log."`
}

func (c *cardCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	proposal, err := app.SetCard(ctx, cfg, c.Card, c.Status, c.Reason, logger(cfg))
	if err != nil {
		return err
	}
	if proposal != "" {
		fmt.Println(waits(proposal))
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

type demoCommand struct {
	Dir  string `default:"demo" help:"Folder of the demo."`
	HTTP string `default:"127.0.0.1:8080" help:"Address of the pages."`
	MQTT string `default:"127.0.0.1:8883" help:"Address of the broker."`
}

func (c *demoCommand) Run(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return app.WriteDemo(ctx, app.DemoOptions{Dir: c.Dir, HTTP: c.HTTP, MQTT: c.MQTT, Now: time.Now(), Log: log, Out: os.Stdout})
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
	Arm   string `hidden:"" help:"Run one arm's server process (used by bench itself)."`
}

func (c *benchCommand) Run(ctx context.Context) error {
	return world.Bench(ctx, world.BenchOptions{Out: c.Out, Quick: c.Quick, Dir: c.Dir, Arm: c.Arm, Version: version, Table: os.Stdout, In: os.Stdin})
}

type doctorCommand struct{ onSite }

func (c *doctorCommand) Run(ctx context.Context) error {
	bad := 0
	checks := app.Doctor(ctx, c.Config, time.Now())
	for _, k := range checks {
		if k.Err != nil {
			bad++
			fmt.Printf("BAD  %s: %v\n", k.Name, k.Err)
			continue
		}
		fmt.Printf("ok   %s%s\n", k.Name, k.Note)
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d checks failed", bad, len(checks))
	}
	return nil
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
	err = k.Run()
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
