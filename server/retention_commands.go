package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"monban/server/app"
	"monban/server/entrylog"
)

type disposeCommands struct {
	Plan    disposePlanCommand    `cmd:"" help:"List what there is by class and fiscal year: how long it is kept, what is due, what a hold blocks, and the runs."`
	Ask     disposeAskCommand     `cmd:"" help:"Ask for the disposal of a class and fiscal year that is due."`
	Approve disposeApproveCommand `cmd:"" help:"Agree to a disposal that another person asked for, or withdraw it."`
	Run     disposeRunCommand     `cmd:"" help:"Carry out what was approved, and bring to its end what was cut off."`
	Years   disposeYearsCommand   `cmd:"" help:"Set how many fiscal years a class is kept."`

	Restrict disposeRestrictCommand `cmd:"" help:"Suspend the use of one record that a person has asked to have erased: no page shows whose it is."`
	Erase    disposeEraseCommand    `cmd:"" help:"Decide on such a request as another person: the record's personal data is erased, or the suspension ends."`
	Requests disposeRequestsCommand `cmd:"" help:"List such requests."`
}

// asOperator is the part that commands of retention share which need nobody else's word.
type asOperator struct {
	onSite
	Reason string `required:"" placeholder:"TEXT" help:"Why; goes into the log."`
	By     string `placeholder:"NAME" help:"Who does it; goes into the log. A note, not proof. Default: the user's name."`
}

func (o asOperator) operator() app.Operator {
	if o.By == "" {
		o.By = operator()
	}
	return app.Operator{Name: o.By}
}

// as has the account prove itself, and does what f does as it.
func (p *asPerson) as(ctx context.Context, page app.AsOnPage, f func(s *app.Site, t *app.Retainer, by app.Operator) error) error {
	return p.with(func(s *app.Site, t *app.Retainer) error {
		by, err := p.prove(ctx, s, page)
		if err != nil {
			return err
		}
		return f(s, t, by)
	})
}

// with opens the site, does what f does, and closes it.
func (o onSite) with(f func(s *app.Site, t *app.Retainer) error) error {
	s, err := o.open()
	if err != nil {
		return err
	}
	return errors.Join(f(s, s.Retainer()), s.Close())
}

type disposePlanCommand struct{ onSite }

func (c *disposePlanCommand) Run(ctx context.Context) error {
	return c.with(func(_ *app.Site, t *app.Retainer) error {
		p, err := t.Plan(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("Today is %s.\n", p.Today)
		for _, x := range p.Items {
			due := "never"
			if !x.DueOn.IsZero() {
				due = x.DueOn.String()
			}
			state := ""
			switch {
			case len(x.Holds) > 0:
				state = "held by " + strings.Join(x.Holds, ", ")
			case x.Due && x.Open > 0:
				state = fmt.Sprintf("due, waits: %d findings, incidents or other matters are still open", x.Open)
			case x.Due:
				state = "due"
			}
			if len(x.Unread) > 0 {
				state += " (cannot be read: " + strings.Join(x.Unread, ", ") + ")"
			}
			fmt.Printf("%-10s FY%d  %8d  due on %s  %s\n", x.Class, x.Year, x.Count, due, state)
		}
		return t.PrintRuns(ctx, func(line string) { fmt.Println(line) })
	})
}

type disposeAskCommand struct {
	asPerson
	Class      string `arg:"" help:"register, action, violation or directory."`
	FiscalYear int    `arg:"" help:"The year in which it was written, from 1 April."`
}

func (c *disposeAskCommand) Run(ctx context.Context) error {
	return c.as(ctx, app.AsDisposalAsked, func(_ *app.Site, t *app.Retainer, by app.Operator) error {
		id, err := t.Ask(ctx, entrylog.Class(c.Class), c.FiscalYear, c.Reason, by)
		if err != nil {
			return err
		}
		fmt.Printf("%s waits for another person's account: the page Retention, or monban-server dispose approve %s --by ACCOUNT\n", id, id)
		return nil
	})
}

type disposeApproveCommand struct {
	asPerson
	ID       string `arg:"" help:"The run, as ask and plan print it."`
	Withdraw bool   `help:"No: it is not to be. Anybody may say so: --by is a name then, a note and not proof."`
}

func (c *disposeApproveCommand) Run(ctx context.Context) error {
	if c.Withdraw {
		return c.with(func(_ *app.Site, t *app.Retainer) error {
			err := t.Approve(ctx, c.ID, c.Reason, true, asOperator{By: c.By}.operator())
			if err == nil {
				fmt.Printf("%s is withdrawn; nothing was destroyed.\n", c.ID)
			}
			return err
		})
	}
	return c.as(ctx, app.AsDisposalDecided, func(_ *app.Site, t *app.Retainer, by app.Operator) error {
		if err := t.Approve(ctx, c.ID, c.Reason, false, by); err != nil {
			return err
		}
		fmt.Printf("%s is approved. monban-server dispose run, or the running server tonight, destroys it for good.\n", c.ID)
		return nil
	})
}

type disposeRunCommand struct{ onSite }

func (c *disposeRunCommand) Run(ctx context.Context) error {
	return c.with(func(s *app.Site, t *app.Retainer) error {
		done, err := t.CarryOut(ctx)
		for _, d := range done {
			fmt.Printf("%s: %s of fiscal year %d is destroyed: %d rows. The record of it is leaf %d.\n", d.ID, d.Class, d.Year, d.Rows, d.Done)
		}
		if err != nil {
			return err
		}
		if len(done) == 0 {
			fmt.Println("No run is approved.")
			return nil
		}
		printCopies(s)
		return nil
	})
}

func printCopies(s *app.Site) {
	fmt.Println("Destroy by hand what this program does not reach (docs/operations.md, Disposal):")
	for _, line := range s.CopiesToLookAt() {
		fmt.Println(" ", line)
	}
}

type disposeYearsCommand struct {
	asOperator
	Class string `arg:"" help:"register, action, violation or directory."`
	Years int    `arg:"" help:"Full fiscal years after the one of creation."`
}

func (c *disposeYearsCommand) Run(ctx context.Context) error {
	return c.with(func(_ *app.Site, t *app.Retainer) error {
		return t.SetYears(ctx, entrylog.Class(c.Class), c.Years, c.Reason, c.operator())
	})
}

type holdCommands struct {
	List    holdListCommand    `cmd:"" help:"List the holds."`
	Place   holdPlaceCommand   `cmd:"" help:"Stop the disposal of fiscal years until two persons release them."`
	Release holdReleaseCommand `cmd:"" help:"Ask for the release of a hold; another person's same command ends it."`
}

type holdListCommand struct{ onSite }

func (c *holdListCommand) Run(ctx context.Context) error {
	return c.with(func(_ *app.Site, t *app.Retainer) error {
		return t.PrintHolds(ctx, func(line string) { fmt.Println(line) })
	})
}

type holdPlaceCommand struct {
	asOperator
	Class string `placeholder:"CLASS" help:"register, action, violation or directory; default: all."`
	From  int    `required:"" placeholder:"YEAR" help:"First fiscal year."`
	To    int    `required:"" placeholder:"YEAR" help:"Last fiscal year."`
	Until string `required:"" placeholder:"DAY" help:"YYYY-MM-DD on which somebody looks whether it is still needed. It does not end by itself."`
}

func (c *holdPlaceCommand) Run(ctx context.Context) error {
	return c.with(func(_ *app.Site, t *app.Retainer) error {
		id, err := t.PlaceHold(ctx, entrylog.Class(c.Class), c.From, c.To, c.Until, c.Reason, c.operator())
		if err == nil {
			fmt.Printf("%s is in force.\n", id)
		}
		return err
	})
}

type holdReleaseCommand struct {
	asPerson
	ID string `arg:"" help:"The hold."`
}

func (c *holdReleaseCommand) Run(ctx context.Context) error {
	return c.as(ctx, app.AsHoldReleased, func(_ *app.Site, t *app.Retainer, by app.Operator) error {
		released, err := t.ReleaseHold(ctx, c.ID, c.Reason, by)
		switch {
		case err != nil:
			return err
		case released:
			fmt.Printf("%s is released.\n", c.ID)
		default:
			fmt.Printf("The release of %s is asked for; it goes on blocking until another person says the same.\n", c.ID)
		}
		return nil
	})
}

type disposeRestrictCommand struct {
	asPerson
	Attempt string `arg:"" name:"entry" help:"The entry: 32 hexadecimal digits, the last part of its page's address."`
}

func (c *disposeRestrictCommand) Run(ctx context.Context) error {
	return c.as(ctx, app.AsRecordDecided, func(_ *app.Site, t *app.Retainer, by app.Operator) error {
		id, err := t.Restrict(ctx, c.Attempt, c.Reason, by)
		if err == nil {
			fmt.Printf("%s: the record is not used until another person decides.\n", id)
		}
		return err
	})
}

type disposeEraseCommand struct {
	asPerson
	ID       string `arg:"" help:"The request."`
	Decision string `required:"" placeholder:"WORD" help:"Number of the decision: letters, digits and -._/ only."`
	Refuse   bool   `help:"The record stays, and is used again."`
}

func (c *disposeEraseCommand) Run(ctx context.Context) error {
	return c.as(ctx, app.AsRecordDecided, func(s *app.Site, t *app.Retainer, by app.Operator) error {
		err := t.Decide(ctx, c.ID, c.Decision, !c.Refuse, c.Reason, by)
		if err == nil && !c.Refuse {
			fmt.Printf("%s: the record's personal data is erased here.\n", c.ID)
			printCopies(s)
		}
		return err
	})
}

type disposeRequestsCommand struct{ onSite }

func (c *disposeRequestsCommand) Run(ctx context.Context) error {
	return c.with(func(_ *app.Site, t *app.Retainer) error {
		return t.PrintRequests(ctx, func(line string) { fmt.Println(line) })
	})
}
