package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"monban/server/app"
	"monban/server/config"
	"monban/server/rollout"
)

type rolloutCommands struct {
	Begin  rolloutBeginCommand  `cmd:"" help:"Check a release and give the gateways their turns, beside the running server. As the server's user."`
	Status rolloutStatusCommand `cmd:"" help:"Show how the roll-out stands: who is done, whose turn it is, why it is stopped. Exit 1 when it is stopped."`
	Stop   rolloutStopCommand   `cmd:"" help:"Give no turn any more. What a gateway has taken already it tries, and goes back from by itself."`
	Resume rolloutResumeCommand `cmd:"" help:"Go on with a roll-out that is stopped; the gateway that stopped it has another turn."`
}

// deciding is what every act on a roll-out needs.
type deciding struct {
	onSite
	Reason string `required:"" placeholder:"TEXT" help:"Why; goes into the log."`
	By     string `placeholder:"NAME" help:"Who does it; goes into the log. A note, not proof. Default: the user's name."`
}

func (c *deciding) by() string {
	if c.By == "" {
		return operator()
	}
	return c.By
}

type rolloutBeginCommand struct {
	deciding
	Release string `arg:"" type:"existingdir" help:"Folder of the release: the bundle, as it came."`
	Root    string `default:"/etc/monban/release.root" placeholder:"FILE" help:"At the first time: the root, which came another way than the bundle."`
	First   string `placeholder:"GATEWAY" help:"Who has the first turn. Default: the gateway with the fewest controlled doors."`
}

func (c *rolloutBeginCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	s, err := app.BeginRollout(ctx, cfg, app.RolloutBegin{Dir: c.Release, Root: c.Root, First: c.First, By: c.by(), Reason: c.Reason})
	if err != nil {
		return err
	}
	return printRollout(os.Stdout, s, time.Now())
}

type rolloutStatusCommand struct {
	onSite
	JSON bool `help:"For programs."`
}

func (c *rolloutStatusCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	s, err := app.AskRollout(ctx, cfg)
	if err != nil {
		return err
	}
	if c.JSON {
		return app.PrintJSON(os.Stdout, s)
	}
	if err := printRollout(os.Stdout, s, time.Now()); err != nil {
		return err
	}
	if s.State == rollout.Stopped {
		return fmt.Errorf("the roll-out is stopped: %s", causeWords(s))
	}
	return nil
}

type rolloutStopCommand struct{ deciding }

func (c *rolloutStopCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	s, err := app.StopRollout(ctx, cfg, c.by(), c.Reason)
	if err != nil {
		return err
	}
	return printRollout(os.Stdout, s, time.Now())
}

type rolloutResumeCommand struct {
	deciding
	Without string `placeholder:"GATEWAY" help:"Leave this gateway out from now on."`
}

func (c *rolloutResumeCommand) Run(ctx context.Context) error {
	cfg, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	s, err := app.ResumeRollout(ctx, cfg, c.Without, c.by(), c.Reason)
	if err != nil {
		return err
	}
	return printRollout(os.Stdout, s, time.Now())
}

func causeWords(s app.RolloutStatus) string {
	switch s.Cause {
	case rollout.RolledBack:
		return "gateway " + s.Where + " was not well with it and runs the version before"
	case rollout.Refused:
		return "gateway " + s.Where + " did not take it; its journal says why"
	case rollout.NoWord:
		return "gateway " + s.Where + " was not done in its time, or did not ask"
	case rollout.Gone:
		return "gateway " + s.Where + ", which was done, is silent or runs something older"
	case rollout.Person:
		return "somebody stopped it; the log says who and why"
	}
	return string(s.Cause)
}

// printRollout writes the state for a person.
func printRollout(out io.Writer, s app.RolloutStatus, now time.Time) error {
	if s.Number == 0 {
		_, err := fmt.Fprintln(out, "No release was rolled out yet.")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(w, "Version %s: %s", s.Version, s.State)
	if s.Cause != "" {
		_, _ = fmt.Fprintf(w, ": %s", causeWords(s))
	}
	_, _ = fmt.Fprintln(w)
	for _, g := range s.Gateways {
		word := string(g.Word)
		if word == "" {
			word = "has not asked yet"
		}
		heard := "not heard"
		if !g.Heard.IsZero() {
			heard = "heard " + now.Sub(g.Heard).Round(time.Second).String() + " ago"
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", g.ID, g.Stage, word, heard)
	}
	return w.Flush() // writes to out, whose error it gives
}
