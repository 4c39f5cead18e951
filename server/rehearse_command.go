package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"monban/firmware/access"
	"monban/server/app"
	"monban/server/directory"
	"monban/server/rehearse"
)

// atFlag is a moment in the site's time zone.
type atFlag struct {
	At string `placeholder:"TIME" help:"2026-11-24 08:30 or 2026-11-24 08:30:00, in the site's time zone; now when left out."`
}

func (f atFlag) ms(zone *time.Location) (int64, error) {
	if f.At == "" {
		return time.Now().UnixMilli(), nil
	}
	for _, layout := range []string{time.DateTime, "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, f.At, zone); err == nil {
			return t.UnixMilli(), nil
		}
	}
	return 0, fmt.Errorf("--at %q: want YYYY-MM-DD HH:MM", f.At)
}

type explainCommand struct {
	onSite
	atFlag
	Person string `arg:"" help:"Person id."`
	Door   string `arg:"" help:"Door id."`
	Exit   bool   `help:"Ask for the exit side."`
}

func (c *explainCommand) Run(ctx context.Context) (err error) {
	s, err := c.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	at, err := c.ms(s.Config.Location())
	if err != nil {
		return err
	}
	cur, err := s.Current(ctx)
	if err != nil {
		return err
	}
	q := rehearse.Question{Person: directory.PersonID(c.Person), Door: access.DoorID(c.Door), AtMS: at}
	if c.Exit {
		q.Side = access.SideExit
	}
	answers, err := rehearse.Explain(app.World(cur), q)
	if err != nil {
		return err
	}
	fmt.Printf("%s at %s, %s:\n", c.Person, c.Door, time.UnixMilli(at).In(s.Config.Location()).Format("2006-01-02 15:04:05 MST"))
	for _, a := range answers {
		printAnswer(os.Stdout, &a)
	}
	return nil
}

func printAnswer(w io.Writer, a *rehearse.Answer) {
	card := "without a card"
	if a.Card != "" {
		card = "card " + string(a.Card)
	}
	fmt.Fprintf(w, "%s: %s (%s)\n", card, a.Decision.Outcome, a.Decision.Primary)
	for _, l := range a.Lines {
		fmt.Fprintf(w, "  %-10s  %s", l.Check, l.Result)
		for _, r := range l.Reasons {
			fmt.Fprintf(w, " %s", r)
		}
		fmt.Fprintln(w)
	}
}

type whoCommand struct {
	onSite
	atFlag
	Door string `arg:"" help:"Door id."`
}

func (c *whoCommand) Run(ctx context.Context) (err error) {
	s, err := c.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	at, err := c.ms(s.Config.Location())
	if err != nil {
		return err
	}
	cur, err := s.Current(ctx)
	if err != nil {
		return err
	}
	list, err := rehearse.WhoCan(app.World(cur), access.DoorID(c.Door), at)
	if err != nil {
		return err
	}
	fmt.Printf("%d can enter at %s, %s:\n", len(list), c.Door, time.UnixMilli(at).In(s.Config.Location()).Format("2006-01-02 15:04:05 MST"))
	for _, e := range list {
		fmt.Printf("  %-12s  card %-10s  %s\n", e.Person, e.Card, e.Outcome)
	}
	return nil
}

type rehearseCommand struct {
	onSite
	Dir   string `arg:"" type:"existingdir" help:"Folder with CSV files as for import: the draft."`
	From  string `required:"" placeholder:"DAY" help:"First day, YYYY-MM-DD."`
	Until string `required:"" placeholder:"DAY" help:"Last day, YYYY-MM-DD."`
	JSON  bool   `help:"One JSON object a line."`
}

func (c *rehearseCommand) Run(ctx context.Context) (err error) {
	s, err := c.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	files, err := app.ReadImport(c.Dir)
	if err != nil {
		return err
	}
	got, err := s.RehearseFiles(ctx, files, time.Now(), app.RehearseQuery{From: c.From, Until: c.Until})
	if err != nil {
		return err
	}
	return printRehearsal(os.Stdout, got, s.Config.Location(), c.JSON)
}

// rehearsed is one line of --json.
type rehearsed struct {
	At      string   `json:"at,omitempty"`
	Person  string   `json:"person"`
	Door    string   `json:"door,omitempty"`
	Zone    string   `json:"zone,omitempty"`
	Effect  string   `json:"effect"` // gains, loses, changes; of an entry: its outcome by the draft
	Reason  string   `json:"reason,omitempty"`
	Before  []string `json:"before,omitempty"`
	After   []string `json:"after,omitempty"`
	Attempt string   `json:"attempt,omitempty"`
}

func printRehearsal(w io.Writer, r *app.Rehearsal, zone *time.Location, asJSON bool) error {
	var lines []rehearsed
	for _, x := range r.Rights {
		lines = append(lines, rehearsed{Person: string(x.Person), Zone: string(x.Zone), Effect: string(x.Effect), Before: x.Before, After: x.After})
	}
	for _, x := range r.Otherwise {
		lines = append(lines, rehearsed{
			At: time.UnixMilli(x.AtMS).In(zone).Format(time.RFC3339), Person: x.Person, Door: string(x.Request.Door),
			Effect: x.Draft.Outcome.String(), Reason: x.Draft.Primary.String(), Attempt: fmt.Sprintf("%x", x.Attempt),
		})
	}
	if asJSON {
		enc := json.NewEncoder(w)
		for _, l := range lines {
			if err := enc.Encode(l); err != nil {
				return err
			}
		}
		return nil
	}
	fmt.Fprintf(w, "%d rights change:\n", len(r.Rights))
	for _, l := range lines[:len(r.Rights)] {
		fmt.Fprintf(w, "  %s %s %s: %v -> %v\n", l.Person, l.Effect, l.Zone, l.Before, l.After)
	}
	fmt.Fprintf(w, "%d of %d past decisions would come out otherwise:\n", len(r.Otherwise), r.Compared)
	for _, l := range lines[len(r.Rights):] {
		fmt.Fprintf(w, "  %s %s %s: %s (%s)\n", l.At, l.Person, l.Door, l.Effect, l.Reason)
	}
	if r.AlreadyOtherwise > 0 {
		fmt.Fprintf(w, "%d were decided otherwise than the rules in force would today; they are not the draft's doing.\n", r.AlreadyOtherwise)
	}
	if r.Unreadable > 0 {
		fmt.Fprintf(w, "%d could not be compared: their inputs were erased or never sent.\n", r.Unreadable)
	}
	return nil
}
