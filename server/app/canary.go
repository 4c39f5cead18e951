package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/notify"
	"monban/server/review"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

const (
	// canaryWait is how long a gateway's answer to the daily test is waited for: longer than a restart of a gateway.
	canaryWait = 2 * time.Minute
	// canaryLook is how often its records are looked for.
	canaryLook = 50 * time.Millisecond
	// canarySetting holds the newest canary, JSON.
	canarySetting = "canary"
)

// canary is the daily test of the whole way from a gateway to the officer: each gateway is ordered to look at one of its doors,
// which moves nothing and lets nobody in; when its records are in the log a message goes to the channels. What does not come in
// by its hour is a finding (CanaryMissed). Its records are those of a self-test, and so stand in no register.
type canary struct {
	orders   *commands
	alerts   *notify.Notifier
	store    *store.Store
	channels []string
	wait     time.Duration
}

// canaryResult is what is stored of it.
type canaryResult struct {
	Day     string           `json:"day"`
	Key     string           `json:"key"`     // of the message
	Answers map[string]int64 `json:"answers"` // gateway → ms from the order to the record in the log
}

// doorsOf is one door of each gateway.
func doorsOf(dir directory.Snapshot) (out []directory.Door) {
	for _, d := range dir.Doors {
		if !slices.ContainsFunc(out, func(o directory.Door) bool { return o.Gateway == d.Gateway }) {
			out = append(out, d)
		}
	}
	return out
}

// send is the job: it orders, waits, and tells the channels.
func (c *canary) send(ctx context.Context, due time.Time) (string, error) {
	if len(c.channels) == 0 {
		return "not set up", nil
	}
	res := canaryResult{Day: due.In(c.store.Zone()).Format(time.DateOnly), Answers: map[string]int64{}}
	var waiting []store.Command
	for _, d := range doorsOf(c.orders.directory()) {
		x, err := c.order(ctx, d)
		if err != nil {
			return "", err
		}
		waiting = append(waiting, x)
	}
	asked := len(waiting)
	t := time.NewTicker(canaryLook)
	defer t.Stop()
	for deadline := time.Now().Add(c.wait); len(waiting) > 0 && time.Now().Before(deadline); {
		var still []store.Command
		err := c.store.Read(ctx, func(r *store.ReadTx) error {
			for _, x := range waiting {
				told, err := c.orders.told(r.Reader, x)
				if err != nil {
					return err
				}
				if told.state == web.CommandDone {
					res.Answers[x.Gateway] = c.orders.now().UnixMilli() - x.OrderedMS
				} else {
					still = append(still, x)
				}
			}
			return nil
		})
		if err != nil {
			return "", err
		}
		if waiting = still; len(waiting) == 0 {
			break
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-t.C:
		}
	}
	err := c.store.Write(ctx, func(tx *store.Tx) error {
		if len(res.Answers) > 0 {
			slowest := int64(0)
			for _, ms := range res.Answers {
				slowest = max(slowest, ms)
			}
			var err error
			if res.Key, err = c.alerts.Canary(tx, res.Day, c.channels, len(res.Answers), slowest); err != nil {
				return err
			}
		}
		text, err := json.Marshal(res)
		if err != nil {
			return err
		}
		return tx.SetSetting(canarySetting, string(text))
	})
	for _, name := range c.channels {
		c.alerts.Poke(name)
	}
	return fmt.Sprintf("%d of %d", len(res.Answers), asked), err
}

// order has a gateway look at a door. Nobody asked for it and no account stands in its leaf: it is the server's own.
func (c *canary) order(ctx context.Context, d directory.Door) (store.Command, error) {
	now := c.orders.now()
	x := store.Command{Gateway: string(d.Gateway), Door: string(d.ID), Action: door.CommandSelfTest.String(), State: store.CommandSent, RequestedMS: now.UnixMilli(), OrderedMS: now.UnixMilli()}
	_, _ = rand.Read(x.ID[:]) // crypto/rand never fails
	act := web.Action{At: now, Kind: web.ActionCommandOrdered, Target: target(x)}
	err := c.store.Write(ctx, func(tx *store.Tx) (err error) {
		if x.OrderedIdx, err = actAt(tx, act); err != nil {
			return err
		}
		x.RequestedIdx = x.OrderedIdx
		return tx.InsertCommand(x)
	})
	if err == nil {
		c.orders.send(ctx, x, act)
	}
	return x, err
}

// check is the job at the hour by which the canary must have arrived: each gateway that did not answer and each channel that did
// not take the message is a finding.
func (c *canary) check(ctx context.Context, due time.Time) (string, error) {
	if len(c.channels) == 0 {
		return "not set up", nil
	}
	day := due.In(c.store.Zone()).Format(time.DateOnly)
	var missed, away []string
	err := c.store.Write(ctx, func(tx *store.Tx) error {
		missed, away = nil, nil
		var res canaryResult
		text, err := tx.Setting(canarySetting)
		if err == nil {
			err = json.Unmarshal([]byte(text), &res)
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if res.Day != day {
			res = canaryResult{} // the test was not made today
		}
		for _, d := range doorsOf(c.orders.directory()) {
			if _, ok := res.Answers[string(d.Gateway)]; ok {
				continue
			}
			if out, err := outOfService(tx.Reader, c.orders.directory(), d.Gateway, due); err != nil || out {
				if err != nil {
					return err
				}
				away = append(away, string(d.Gateway))
				continue
			}
			missed = append(missed, string(d.Gateway))
			if err := canaryMissed(tx, string(d.Gateway), day, due); err != nil {
				return err
			}
		}
		for _, name := range c.channels {
			d, err := tx.DeliveryByKey(res.Key, name)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if err == nil && d.State == store.DeliverySent {
				continue
			}
			missed = append(missed, name)
			if err := canaryMissed(tx, "", "channel-"+name+"/"+day, due); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	var note []string
	if len(missed) > 0 {
		note = append(note, "missed: "+strings.Join(missed, ", "))
	}
	if len(away) > 0 {
		note = append(note, "out of service: "+strings.Join(away, ", "))
	}
	return strings.Join(note, "; "), nil
}

// outOfService reports whether somebody has taken every door of a gateway out of service (OP-8): it was asked all the same, as a broken reader keeps no gateway from
// answering, but nobody is told each day that it did not.
func outOfService(r store.Reader, dir directory.Snapshot, gateway access.GatewayID, at time.Time) (bool, error) {
	for _, d := range dir.Doors {
		if d.Gateway != gateway {
			continue
		}
		if out, err := r.MatterAtDoor(visit.KindOutage, string(d.ID), at.UnixMilli()); err != nil || !out {
			return false, err
		}
	}
	return true, nil
}

// canaryMissed writes the finding, once a day.
func canaryMissed(tx *store.Tx, gateway, detail string, at time.Time) error {
	f := review.New(review.CanaryMissed, review.NoCause)
	open, err := tx.OpenFinding(string(f.Kind), gateway, "", detail)
	if err != nil || open {
		return err
	}
	_, err = tx.AppendFinding(attempt.Finding{Kind: string(f.Kind), Severity: f.Severity.String(), Gateway: gateway, Cause: f.Cause, Detail: detail, AtMS: at.UnixMilli()}, nil)
	return err
}
