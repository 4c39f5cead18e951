package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"monban/server/app"
	"monban/server/review"
)

// thresholdsCommand prints what the rules over time count by.
type thresholdsCommand struct{ onSite }

func (c *thresholdsCommand) Run(ctx context.Context) (err error) {
	s, err := c.open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	agreed, asked, err := app.ThresholdsOf(ctx, s)
	if err != nil {
		return err
	}
	now, waits := review.Settle(agreed, asked)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "number\tfrom the next start\tconfiguration")
	for _, n := range review.Numbers() {
		show := func(s *review.Settings) string {
			v := n.Of(s)
			switch {
			case n.Clock:
				return fmt.Sprintf("%02d:%02d", v/60, v%60)
			case n.Span:
				return (time.Duration(v) * time.Millisecond).String()
			}
			return fmt.Sprint(v)
		}
		fmt.Fprintf(w, "review.%s\t%s\t%s\n", n.Name, show(&now), show(&asked))
	}
	fmt.Fprintf(w, "review.walk\t%d places\t%d places\n", len(now.Walks), len(asked.Walks))
	if err := w.Flush(); err != nil {
		return err
	}
	if len(waits) > 0 {
		fmt.Printf("These find less than was agreed and wait for the CISO office (page of thresholds): %v\n", waits)
	}
	return nil
}
