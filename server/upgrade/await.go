package upgrade

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// What a server has to be.
type wanted string

const (
	onTrial wanted = "on trial" // it holds everything back; all gateways of before, and doctor finds nothing new
	open    wanted = "open"     // it serves; all gateways of before, and doctor finds nothing new
	serves  wanted = "serving"  // it serves. A version that ran before is not sent away because a gateway has died meanwhile
)

// lookWithin bounds one look: a version that hangs must not hang the update.
const lookWithin = 30 * time.Second

// mostRestarts is how often a version on trial may end by itself while it is not well. A program that cannot start does so every few seconds; nobody at a
// door waits for the rest of Limit then.
const mostRestarts = 5

// await waits until the server is well for Settle without a break; its error says what the last look missed. It gives up only on a look that
// missed something. Between two looks at most a tenth of Limit and half of Settle are counted, so that a machine that stood still for minutes
// has not used them up: after it the server is looked at again.
func (u *Updater) await(ctx context.Context, st *State, want wanted) error {
	well := false
	var spent, good time.Duration
	for last := u.Now(); ; u.Wait(u.Every) {
		why := u.unwell(ctx, st, want)
		now := u.Now()
		took := now.Sub(last)
		last = now
		spent += min(took, u.Limit/10)
		if why != nil {
			if well = false; spent > u.Limit {
				return fmt.Errorf("not well within %s: %w", u.Limit, why)
			}
			if n, err := u.Machine.Restarts(ctx); err == nil && n >= mostRestarts && want == onTrial { // a count that cannot be had: Limit ends it
				return fmt.Errorf("it ended by itself and was started again %d times: %w", n, why)
			}
			continue
		}
		if !well {
			well, good = true, 0
		} else {
			good += min(took, u.Settle/2)
		}
		if good >= u.Settle {
			return nil
		}
	}
}

// unwell says what is missing: an answer, a gateway that was linked before, or a check of doctor that was good before.
func (u *Updater) unwell(ctx context.Context, st *State, want wanted) error {
	now, err := u.standing(ctx, u.Machine.Program())
	if err != nil {
		return err
	}
	if now.Trial != (want == onTrial) {
		return fmt.Errorf("it is on trial: %t", now.Trial)
	}
	if want == serves {
		return nil
	}
	for _, gw := range st.Linked {
		if !slices.Contains(now.Linked, gw) {
			return fmt.Errorf("gateway %s, which was linked before, is not back", gw)
		}
	}
	for _, f := range now.Faults {
		if !slices.ContainsFunc(st.Faults, func(g string) bool { return checkOf(f) == checkOf(g) }) {
			return fmt.Errorf("doctor: %s", f)
		}
	}
	return nil
}

func (u *Updater) standing(ctx context.Context, prog string) (s Standing, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	out, err := u.server(ctx, prog, "state")
	if err == nil {
		err = read(out, &s)
	}
	return s, err
}

// checkOf is the name of the check in a fault: its words may hold times and numbers.
func checkOf(fault string) string {
	name, _, _ := strings.Cut(fault, ":")
	return name
}
