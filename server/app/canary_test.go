package app

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/notify"
	"monban/server/notify/route"
	"monban/server/policypub"
	"monban/server/policypub/sitetest"
	"monban/server/review"
	"monban/server/store"
	"monban/server/visit"
)

// newCanary is a canary on the order desk, whose gateway gw-1 answers and whose gw-2 is away.
func newCanary(t *testing.T) (*orderDesk, *canary, *inbox, *notify.Notifier) {
	o := newOrderDesk(t)
	box := &inbox{}
	n := notify.New(notify.Config{
		Store: o.Site.Store, Tree: route.Tree{Limits: route.Defaults, Zone: o.Site.Zone}, Channels: []notify.Named{{Name: "officer", Kind: "mail", Channel: box}}, Site: "test-city",
		Now: sitetest.Now, Log: quiet, Closed: func() calendar.Calendar { return calendar.Calendar{} }, ZoneOf: func(string) string { return "" },
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); n.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	o.onSend = func(c wire.Command) {
		o.fail = nil
		if c.Door != lab {
			o.fail = errors.New("not linked")
			return
		}
		o.at = o.at.Add(40 * time.Millisecond)
		o.records(1, hex.EncodeToString(c.ID[:]), wire.Record{Event: door.EventCommandAccepted}, wire.Record{Event: door.EventCommandDone, Reason: access.ReasonUndecided})
	}
	return o, &canary{orders: o.c, alerts: n, store: o.Site.Store, channels: []string{"officer"}, wait: 300 * time.Millisecond}, box, n
}

func (o *orderDesk) missed() (out []string) {
	o.t.Helper()
	err := o.Site.Store.Read(o.t.Context(), func(r *store.ReadTx) error {
		list, _, err := r.Findings(true, 0, 100)
		for _, f := range list {
			if f.Kind == string(review.CanaryMissed) {
				out = append(out, f.Gateway+" "+f.Detail)
			}
		}
		return err
	})
	if err != nil {
		o.t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// The daily test goes from a gateway to the officer's channel and is measured; only looks are ordered, so no door moves. What does
// not come in by its hour is a finding, once: here the other gateway.
func TestCanary(t *testing.T) {
	o, c, box, _ := newCanary(t)
	due := o.at
	note, err := c.send(t.Context(), due)
	if err != nil || note != "1 of 2" {
		t.Fatalf("%q, %v", note, err)
	}
	for _, x := range o.sent {
		if x.Action != door.CommandSelfTest {
			t.Errorf("ordered %v", x.Action)
		}
	}
	for limit := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		box.mu.Lock()
		ids := slices.Clone(box.ids)
		box.mu.Unlock()
		if len(ids) == 1 && strings.HasPrefix(ids[0], "canary.2026-11-24.") && strings.HasSuffix(ids[0], ".officer") {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("sent %q", ids)
		}
	}
	var sent bool
	key := strings.TrimSuffix(box.ids[0], ".officer")
	for limit := time.Now().Add(time.Minute); !sent && time.Now().Before(limit); time.Sleep(10 * time.Millisecond) {
		err := o.Site.Store.Read(t.Context(), func(r *store.ReadTx) error {
			d, err := r.DeliveryByKey(key, "officer")
			sent = d.State == store.DeliverySent
			if !strings.Contains(d.Body, `"millis":40`) {
				t.Fatalf("message %s", d.Body)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, err := c.check(t.Context(), due); err != nil {
			t.Fatal(err)
		}
		if got := o.missed(); !slices.Equal(got, []string{"gw-2 2026-11-24"}) {
			t.Errorf("missed %q", got)
		}
	}
}

// OP-8: of a gateway whose doors are all out of service nobody is told each day that it did not answer, until one of them is back; the note of the run says so.
func TestCanaryOutOfService(t *testing.T) {
	o, c, _, _ := newCanary(t)
	due := o.at
	if _, err := c.send(t.Context(), due); err != nil {
		t.Fatal(err)
	}
	cfg := o.Site.Config
	cfg.Now = func() time.Time { return o.at }
	pub := policypub.New(cfg)
	if err := pub.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	desk := &outages{Visits: newVisits(pub, o.Site.Store, cfg.Now, quiet)}
	by := visit.Actor{Account: "manager", From: "lan"}
	for _, d := range o.c.directory().Doors {
		if d.Gateway != "gw-2" {
			continue
		}
		x := visit.Outage{Door: d.ID, Ticket: "T-1", Owner: "設備課", Why: "故障", FromMS: due.Add(-time.Hour).UnixMilli(), UntilMS: due.Add(48 * time.Hour).UnixMilli()}
		if err := desk.BeginOutage(t.Context(), x, by); err != nil {
			t.Fatal(err)
		}
	}
	note, err := c.check(t.Context(), due)
	if err != nil || !strings.HasSuffix(note, "out of service: gw-2") {
		t.Fatalf("%q, %v", note, err)
	}
	if got := o.missed(); slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "gw-2") }) {
		t.Errorf("missed %q", got)
	}
	if note, err := c.check(t.Context(), due.Add(49*time.Hour)); err != nil || !strings.Contains(note, "missed: gw-2") {
		t.Errorf("in service again: %q, %v", note, err)
	}
}

// A channel that does not take the message is missed, and so is a day on which no test was made at all.
func TestCanaryMissed(t *testing.T) {
	o, c, box, _ := newCanary(t)
	box.fail = errors.New("550 no")
	due := o.at
	if _, err := c.send(t.Context(), due); err != nil {
		t.Fatal(err)
	}
	if _, err := c.check(t.Context(), due); err != nil {
		t.Fatal(err)
	}
	if got := o.missed(); !slices.Equal(got, []string{" channel-officer/2026-11-24", "gw-2 2026-11-24"}) {
		t.Errorf("missed %q", got)
	}
	if note, err := c.check(t.Context(), due.Add(24*time.Hour)); err != nil || note != "missed: gw-2, gw-1, officer" {
		t.Errorf("next day %q, %v", note, err)
	}
	c.channels = nil
	if note, err := c.check(t.Context(), due); note != "not set up" || err != nil {
		t.Errorf("%q, %v", note, err)
	}
}
