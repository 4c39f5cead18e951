package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/app"
	"monban/server/ca"
	"monban/server/config"
)

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
	code, err := authority.Invite(c.ID, ca.By{User: operator()}, c.Reason, c.For, c.Replace, time.Now())
	if err != nil {
		return err
	}
	fmt.Printf("Code for %s, valid until %s:\n  %s\nOn the gateway: monban-gateway enrol --server HOST:PORT --gateway %s --out DIR   (asks for the code)\nThen compare the fingerprint it shows: monban-server gateway confirm --config %s %s FINGERPRINT\n",
		c.ID, time.Now().Add(c.For).Format(time.DateTime), code, c.ID, c.Config, c.ID)
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
	if err := authority.Confirm(c.ID, c.Fingerprint, ca.By{User: operator()}, time.Now()); err != nil {
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
