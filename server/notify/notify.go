package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"monban/firmware/calendar"
	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/notify/route"
	"monban/server/review"
	"monban/server/store"
)

const (
	// look is how often the routing looks for work without being woken: what is due by time is due to the minute.
	look = time.Second
	// batch bounds one transaction of the routing, so that a flood of findings does not hold up the doors' records.
	batch = 200
	// old: findings from before the first start of the alerts are told only when they are younger.
	old = 24 * time.Hour
	// mostLines of a digest; the rest is counted.
	mostLines = 200
)

// Channel sends messages to one place.
type Channel interface {
	// Send gives the message up only after the other side has taken it. id is the same for every copy of it.
	Send(ctx context.Context, id string, m *Message) error
}

// Partly is what Send returns when a message has arrived, but not at everybody and never will: it is not sent again, and the page
// says why.
type Partly struct{ Why string }

func (p *Partly) Error() string { return p.Why }

// Named is a channel under its name in the configuration.
type Named struct {
	Name string
	Kind string // mail, webhook, syslog, mqtt
	Channel
}

// Config is what a Notifier works with. All fields but Log are required.
type Config struct {
	Store    *store.Store
	Tree     route.Tree // without Closed, which Closed gives
	Closed   func() calendar.Calendar
	ZoneOf   func(door string) string // the zone that a door leads into, "" = none
	Channels []Named
	Site     string
	Link     string // beginning of links to pages, "" = none
	CodeKey  [32]byte
	Faults   func(ctx context.Context) []string // items of the self-test that failed, for the digest; nil = nobody looks
	Now      func() time.Time
	Log      *slog.Logger
}

// Notifier routes and sends.
type Notifier struct {
	cfg    Config
	wake   chan struct{}
	queues map[string]*queue
}

// New makes a Notifier; it works in Run.
func New(cfg Config) *Notifier {
	n := &Notifier{cfg: cfg, wake: make(chan struct{}, 1), queues: map[string]*queue{}}
	for _, c := range cfg.Channels {
		n.queues[c.Name] = newQueue(n, c)
	}
	return n
}

// Wake says that the log has grown.
func (n *Notifier) Wake() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Run routes and sends until ctx ends.
func (n *Notifier) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, q := range n.queues {
		wg.Go(func() { q.run(ctx) })
	}
	t := time.NewTicker(look)
	defer t.Stop()
	for ctx.Err() == nil {
		more, err := n.pass(ctx, nil)
		if err != nil && ctx.Err() == nil {
			n.cfg.Log.LogAttrs(ctx, slog.LevelError, "alerts not routed, trying again", slog.Any("err", err))
		}
		if more && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-n.wake:
		case <-t.C:
		}
	}
	wg.Wait()
}

// Tree is the routes as they act now.
func (n *Notifier) Tree() *route.Tree {
	t := n.cfg.Tree
	t.Closed = n.cfg.Closed()
	return &t
}

// Code is what a door ("door") or gateway ("gateway") is called outside.
func (n *Notifier) Code(kind, id string) string { return Code(n.cfg.CodeKey, kind, id) }

// order asks for a digest.
type order struct {
	day    time.Time
	faults []string
}

// Digest sends the morning's list that was due at a time. A second call for the same day sends nothing.
func (n *Notifier) Digest(ctx context.Context, due time.Time) error {
	o := &order{day: due}
	if n.cfg.Faults != nil {
		o.faults = n.cfg.Faults(ctx)
	}
	for {
		more, err := n.pass(ctx, o)
		if err != nil || !more {
			return err
		}
	}
}

// pass routes what has come since the last one, in one transaction with what is to be sent: a kill loses neither and doubles
// neither. more: there is more to do at once.
func (n *Notifier) pass(ctx context.Context, digest *order) (more bool, err error) {
	now := n.cfg.Now()
	due := digest != nil
	err = n.cfg.Store.Read(ctx, func(r *store.ReadTx) error {
		cursor, err := r.AlertCursor()
		if errors.Is(err, store.ErrNotFound) {
			due = true
			return nil
		}
		if err == nil && !due {
			due, err = r.AlertsDue(cursor, now)
		}
		return err
	})
	if err != nil || !due {
		return false, err
	}
	tree := n.Tree()
	err = n.cfg.Store.Write(ctx, func(tx *store.Tx) error {
		more, err = n.step(tx, tree, now, digest)
		return err
	})
	if err == nil {
		for _, q := range n.queues {
			q.poke()
		}
	}
	return more, err
}

func (n *Notifier) step(tx *store.Tx, tree *route.Tree, now time.Time, digest *order) (more bool, err error) {
	cursor, err := tx.AlertCursor()
	if errors.Is(err, store.ErrNotFound) {
		cursor, err = tx.LastFindingBefore(now.Add(-old))
	}
	if err != nil {
		return false, err
	}
	found, err := tx.FindingsAfter(cursor, batch)
	if err != nil {
		return false, err
	}
	more = len(found) == batch
	in := route.Input{}
	if digest != nil && !more {
		// A second run of the day would mark as told what its message, which is there already, does not hold.
		made, err := n.digestMade(tx, tree, digest)
		if err != nil {
			return false, err
		}
		in.Digest = !made
	}
	for _, f := range found {
		cursor = f.Idx
		it, err := n.item(tx.Reader, &f)
		if err != nil {
			return false, err
		}
		in.Items = append(in.Items, it)
	}
	if in.Handled, err = tx.HandledAlerts(); err != nil {
		return false, err
	}
	st, err := state(tx, now)
	if err != nil {
		return false, err
	}
	byID := map[int64]*route.Alert{}
	out := tree.Step(st, now, in)
	for _, a := range st.Alerts {
		byID[a.ID] = a
	}
	for _, a := range out.Changed {
		byID[a.ID] = a
		if err := tx.PutAlert(a); err != nil {
			return false, err
		}
	}
	for _, s := range out.Sends {
		if err := n.deliver(tx, byID[s.Alert], s, now); err != nil {
			return false, err
		}
	}
	if out.Digest != nil {
		if err := n.deliverDigest(tx, out.Digest, digest, now); err != nil {
			return false, err
		}
	}
	return more, tx.SetAlertCursor(cursor)
}

func (n *Notifier) item(r store.Reader, f *attempt.Finding) (route.Item, error) {
	severity, _ := review.ParseSeverity(f.Severity) // unknown reads high
	it := route.Item{ID: f.Idx, Kind: review.Kind(f.Kind), Severity: severity, Gateway: f.Gateway, Door: f.Door, Handled: f.Status != attempt.StatusOpen}
	if f.Door == "" {
		var err error
		it.Zones, err = r.FindingZones(f)
		return it, err
	}
	if z := n.cfg.ZoneOf(f.Door); z != "" {
		it.Zones = []string{z}
	}
	return it, nil
}

// state reads what Step works on.
func state(tx *store.Tx, now time.Time) (*route.State, error) {
	st := &route.State{}
	open, err := tx.OpenAlerts()
	if err != nil {
		return nil, err
	}
	for i := range open {
		st.Alerts = append(st.Alerts, &open[i].Alert)
	}
	const many = 1000 // silences in force at once
	silences, err := tx.Silences(now, many)
	if err != nil {
		return nil, err
	}
	for _, s := range silences {
		st.Silences = append(st.Silences, s.Silence)
	}
	return st, nil
}

// key names a message: the same one has the same name after any restart. The mark of the log is part of it, as a log that
// follows a restored one uses numbers of leaves again for other findings, and receivers drop what they think they have.
func key(r store.Reader, format string, args ...any) (string, error) {
	mark, err := r.LogMark()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(format, args...) + "." + mark, nil
}

func (o *order) key(r store.Reader, zone *time.Location) (string, error) {
	return key(r, "digest.%s", o.day.In(zone).Format(time.DateOnly))
}

// digestMade reports whether the digest of the day is on its way already, or has arrived.
func (n *Notifier) digestMade(tx *store.Tx, tree *route.Tree, o *order) (bool, error) {
	name, err := o.key(tx.Reader, tree.Zone)
	if err != nil {
		return false, err
	}
	for _, c := range tree.Digest {
		_, err := tx.DeliveryByKey(name, c)
		if !errors.Is(err, store.ErrNotFound) {
			return err == nil, err
		}
	}
	return false, nil
}

// deliver queues a message about an alert; an escalation is a leaf too (AL-3).
func (n *Notifier) deliver(tx *store.Tx, a *route.Alert, s route.Send, now time.Time) error {
	if _, known := n.queues[s.Channel]; !known {
		return nil // taken out of the settings since
	}
	m := Message{
		What: s.What, Case: a.ID, Kind: a.Kind, Severity: a.Severity.String(), Door: n.Code("door", a.Door), Gateway: n.Code("gateway", a.Gateway),
		Count: a.Count, AtMS: a.First.UnixMilli(), Link: n.link(fmt.Sprintf("/findings/%d", a.ID)),
	}
	if s.What == route.WhatEscalation {
		m.Step = s.Step
		leaf := entrylog.Action{Verb: "alert_escalated", Target: "alert", ID: fmt.Sprint(a.ID), From: "local", Result: "ok", AtMS: now.UnixMilli()}
		if a.Kind == review.Duress { // no leaf points to it (AD-13)
			leaf.ID = ""
		}
		if _, err := tx.AppendAction(leaf, &entrylog.Opening{Text: fmt.Sprintf("%d: %s", s.Step, s.Channel)}); err != nil {
			return err
		}
	}
	name, err := key(tx.Reader, "a%d.%s.%d", s.Alert, s.What, s.Step)
	if err != nil {
		return err
	}
	return n.enqueue(tx, name, s.Channel, a.ID, int(a.Severity), &m, now)
}

func (n *Notifier) enqueue(tx *store.Tx, key, channel string, alert int64, severity int, m *Message, now time.Time) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return tx.InsertDelivery(store.Delivery{Key: key, Channel: channel, Alert: alert, What: string(m.What), Severity: severity, Body: string(body), Made: now})
}

func (n *Notifier) link(path string) string {
	if n.cfg.Link == "" {
		return ""
	}
	return strings.TrimSuffix(n.cfg.Link, "/") + path
}

// deliverDigest queues the morning's list; the day is its key.
func (n *Notifier) deliverDigest(tx *store.Tx, d *route.Digest, o *order, now time.Time) error {
	m := Message{What: route.WhatDigest, AtMS: now.UnixMilli(), Faults: o.faults, Link: n.link("/findings"), Log: strings.TrimSpace(n.cfg.Store.Checkpoint())}
	line := func(to *[]Line, a *route.Alert) {
		if len(m.Lines)+len(m.Waiting) >= mostLines {
			m.More++
			return
		}
		*to = append(*to, Line{Case: a.ID, Kind: a.Kind, Severity: a.Severity.String(), Door: n.Code("door", a.Door), Gateway: n.Code("gateway", a.Gateway), Count: a.Count, AtMS: a.First.UnixMilli(), Held: a.Held})
	}
	for _, a := range d.Held {
		line(&m.Lines, a)
	}
	for _, a := range d.Waiting {
		line(&m.Waiting, a)
	}
	for name := range n.queues {
		s, err := tx.ChannelState(name)
		if err != nil {
			return err
		}
		m.GivenUp += s.GivenUp
	}
	name, err := o.key(tx.Reader, n.cfg.Tree.Zone)
	if err != nil {
		return err
	}
	for _, c := range d.Channels {
		if _, known := n.queues[c]; !known {
			continue
		}
		if err := n.enqueue(tx, name, c, 0, 1, &m, now); err != nil {
			return err
		}
	}
	return nil
}

// Canary queues the message of the daily test: n devices answered, the slowest after so many milliseconds. The day is its key.
func (n *Notifier) Canary(tx *store.Tx, day string, channels []string, devices int, slowest int64) (name string, err error) {
	now := n.cfg.Now()
	if name, err = key(tx.Reader, "canary.%s", day); err != nil {
		return "", err
	}
	for _, c := range channels {
		if _, known := n.queues[c]; !known {
			continue
		}
		m := Message{What: route.WhatCanary, AtMS: now.UnixMilli(), Count: devices, Millis: slowest, Link: n.link("/alerts")}
		if err := n.enqueue(tx, name, c, 0, 1, &m, now); err != nil {
			return "", err
		}
	}
	return name, nil
}

// Checkpoint queues a signed checkpoint for channels, for somebody else to keep (EV-4): one a day, whatever restarts.
func (n *Notifier) Checkpoint(ctx context.Context, day, signed string, channels []string) error {
	now := n.cfg.Now()
	err := n.cfg.Store.Write(ctx, func(tx *store.Tx) error {
		name, err := key(tx.Reader, "checkpoint.%s", day)
		if err != nil {
			return err
		}
		for _, c := range channels {
			if _, known := n.queues[c]; !known {
				continue
			}
			m := Message{What: route.WhatCheckpoint, AtMS: now.UnixMilli(), Log: strings.TrimSpace(signed)}
			if err := n.enqueue(tx, name, c, 0, 1, &m, now); err != nil {
				return err
			}
		}
		return nil
	})
	for _, c := range channels {
		n.Poke(c)
	}
	return err
}

// Poke says that there is something new for a channel.
func (n *Notifier) Poke(channel string) {
	if q := n.queues[channel]; q != nil {
		q.poke()
	}
}

// Test queues a test message for a channel and gives its key; store.ErrNotFound when there is no such channel.
func (n *Notifier) Test(tx *store.Tx, channel string, leaf int64) (string, error) {
	if _, known := n.queues[channel]; !known {
		return "", store.ErrNotFound
	}
	now := n.cfg.Now()
	name, err := key(tx.Reader, "t%d", leaf)
	if err != nil {
		return "", err
	}
	m := Message{What: route.WhatTest, AtMS: now.UnixMilli(), Link: n.link("/alerts")}
	return name, n.enqueue(tx, name, channel, 0, 2, &m, now)
}
