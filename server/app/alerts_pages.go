package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/config"
	"monban/server/entrylog"
	"monban/server/notify"
	"monban/server/notify/route"
	"monban/server/review"
	"monban/server/store"
	"monban/server/web"
)

const (
	// alertLimit is how many silences the page lists, and alerts that wait for nobody.
	alertLimit = 100
	// silencesFor is how long a silence that is over stands on the page.
	silencesFor = 7 * 24 * time.Hour
	// testWait is how long the page waits for a test message.
	testWait = 12 * time.Second
)

// alertPages implements web.Alerts.
type alertPages struct {
	store  *store.Store
	pages  *pages
	alerts *notify.Notifier
	cfg    *config.Alerts
	now    func() time.Time
	wait   time.Duration // for a test message
}

// AlertBoard implements web.Alerts.
func (p *alertPages) AlertBoard(ctx context.Context, q web.AlertQuery) (out web.AlertBoard, err error) {
	n, now, tree := p.pages.names(ctx), p.now(), p.alerts.Tree()
	out = web.AlertBoard{OfficeOpen: tree.Open(now), NextOpen: tree.NextOpen(now), Hours: p.cfg.Open + "–" + p.cfg.Close, DigestAt: p.cfg.DigestAt, Every: tree.Every, Digest: tree.Digest}
	for _, r := range tree.Filled() {
		x := web.RouteLine{Name: r.Name, Severity: severityOf(r.Least), Hours: r.Hours, OffHours: r.OffHours, Then: r.Then}
		for _, k := range r.Kinds {
			x.Kinds = append(x.Kinds, string(k))
		}
		for _, z := range r.Zones {
			name := n.zones[access.ZoneID(z)].Name
			if name == "" {
				name = z
			}
			x.Zones = append(x.Zones, name)
		}
		out.Routes = append(out.Routes, x)
	}
	dir := p.pages.directory()
	for _, d := range dir.Doors {
		out.Places = append(out.Places, web.AlertPlace{Door: d.ID, Name: n.door(d.ID), Code: p.alerts.Code("door", string(d.ID))})
	}
	for _, g := range dir.Gateways {
		out.Places = append(out.Places, web.AlertPlace{Gateway: g.ID, Name: string(g.ID), Code: p.alerts.Code("gateway", string(g.ID))})
	}
	err = p.store.Read(ctx, func(r *store.ReadTx) error {
		for i := range p.cfg.Channel {
			c := &p.cfg.Channel[i]
			s, err := r.ChannelState(c.Name)
			if err != nil {
				return err
			}
			out.Channels = append(out.Channels, web.ChannelLine{Name: c.Name, Kind: c.Type, Duress: c.Duress, Sent: s.Sent.Last, Failed: s.Failed.Last, Error: s.Failed.Error, Waiting: s.Waiting, GivenUp: s.GivenUp})
		}
		if err := p.silences(r.Reader, &out, n, now, q); err != nil {
			return err
		}
		list, err := r.AlertsIn(within(q.In), true, q.Duress, q.Skip, q.Limit+1)
		if err != nil {
			return err
		}
		if out.More = len(list) > q.Limit; out.More {
			list = list[:q.Limit]
		}
		rest, err := r.AlertsIn(within(q.In), false, q.Duress, 0, alertLimit)
		if err != nil {
			return err
		}
		list = append(list, rest...)
		slices.SortFunc(list, func(a, b store.Alert) int { return cmp.Compare(b.ID, a.ID) })
		for i := range list {
			a, err := alertLine(r.Reader, &list[i], n)
			if err != nil {
				return err
			}
			out.Alerts = append(out.Alerts, a)
		}
		return nil
	})
	return out, err
}

// severityOf is a severity as the pages know it; an unknown one is high, so that it is not overlooked.
func severityOf(s review.Severity) web.Severity {
	switch s {
	case review.Low:
		return web.SeverityLow
	case review.Medium:
		return web.SeverityMedium
	}
	return web.SeverityHigh
}

// silences lists the newest of the places that q reaches; those of others take no room.
func (p *alertPages) silences(r store.Reader, out *web.AlertBoard, n names, now time.Time, q web.AlertQuery) error {
	list, err := r.Silences(now.Add(-silencesFor), -1) // each is an act of a person within a day: there are few
	if err != nil {
		return err
	}
	for _, s := range list {
		if !q.In.Place(access.DoorID(s.Door), access.GatewayID(s.Gateway)) {
			continue
		}
		if len(out.Silences) == alertLimit {
			break
		}
		x := web.SilenceLine{ID: strconv.FormatInt(s.ID, 10), Kind: string(s.Kind), Door: access.DoorID(s.Door), Gateway: access.GatewayID(s.Gateway), Place: s.Gateway, From: s.From, Until: s.Until, By: fullName(r, s.Account), InForce: now.Before(s.Until)}
		if s.Door != "" {
			x.Place = n.door(access.DoorID(s.Door))
		}
		if q.Names {
			o, err := r.Opening(s.ID)
			if err != nil && !errors.Is(err, store.ErrErased) && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			if err == nil {
				x.Reason = o.Text
			}
		}
		out.Silences = append(out.Silences, x)
	}
	return nil
}

func alertLine(r store.Reader, a *store.Alert, n names) (web.AlertLine, error) {
	x := web.AlertLine{ID: strconv.FormatInt(a.ID, 10), Kind: string(a.Kind), Severity: severityOf(a.Severity), Door: access.DoorID(a.Door), Gateway: access.GatewayID(a.Gateway), Place: a.Gateway, Count: a.Count, At: a.First,
		Held: string(a.Held), Level: a.Level, Acked: a.Acked, AckedBy: fullName(r, a.AckedBy)}
	if a.Door != "" {
		x.Place = n.door(access.DoorID(a.Door))
	}
	for _, z := range strings.Fields(a.Zone) {
		x.Place = strings.TrimPrefix(x.Place+" / "+n.zone(access.ZoneID(z)), " / ")
	}
	sent, err := r.AlertDeliveries(a.ID)
	if err != nil {
		return x, err
	}
	for _, d := range sent {
		m := web.AlertMessage{Channel: d.Channel, What: d.What, State: d.State, At: d.Last, Error: d.Error}
		if d.Last.IsZero() {
			m.At = d.Made
		}
		x.Messages = append(x.Messages, m)
	}
	return x, nil
}

// AcknowledgeAlert implements web.Alerts.
func (p *alertPages) AcknowledgeAlert(ctx context.Context, id string, q web.AlertQuery, act web.Action) error {
	idx, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return web.ErrNotFound
	}
	err = p.store.Write(ctx, func(tx *store.Tx) error {
		a, err := tx.Alert(idx)
		if err != nil {
			return err
		}
		if a.Kind == review.Duress && !q.Duress {
			return web.ErrNotFound
		}
		if sees, err := tx.FindingWithin(a.ID, within(q.In)); err != nil || !sees {
			return cmp.Or(err, web.ErrNotFound)
		}
		if !a.Acked.IsZero() {
			return web.ErrState
		}
		seen := act
		if a.Kind == review.Duress { // the number is that of the finding's leaf: who reads leaves must not learn which it is (AD-13)
			seen.Target, seen.Filter = "", joined(act.Filter, "alert "+id)
		}
		if _, err := actAt(tx, seen); err != nil {
			return err
		}
		return tx.AcknowledgeAlert(idx, act.Actor, act.At)
	})
	return mapped(err)
}

// Silence implements web.Alerts.
func (p *alertPages) Silence(ctx context.Context, o web.SilenceOrder, act web.Action) error {
	if o.For <= 0 || o.For > route.MostSilence || o.Kind != "" && !route.Silenceable(review.Kind(o.Kind)) {
		return web.ErrNotSilenced
	}
	dir := p.pages.directory()
	known := false
	for _, d := range dir.Doors {
		known = known || o.Door != "" && d.ID == o.Door
	}
	for _, g := range dir.Gateways {
		known = known || o.Door == "" && g.ID == o.Gateway
	}
	if !known {
		return web.ErrNotFound
	}
	return p.store.Write(ctx, func(tx *store.Tx) error {
		s := store.AlertSilence{Silence: route.Silence{Kind: review.Kind(o.Kind), Door: string(o.Door), Gateway: string(o.Gateway), From: act.At, Until: act.At.Add(o.For)}, Account: act.Actor}
		leaf := entrylog.Action{Account: act.Actor, Verb: string(act.Kind), Target: "alert_place", ID: act.Target, From: originOf(act), Result: "ok", Reason: act.Reason != "", AtMS: act.At.UnixMilli()}
		_, err := tx.InsertSilence(s, leaf, &entrylog.Opening{Address: addressOf(act), Text: act.Reason, Target: fmt.Sprintf("%s %s", o.Kind, o.For)})
		return err
	})
}

// EndSilence implements web.Alerts.
func (p *alertPages) EndSilence(ctx context.Context, id string, act web.Action) error {
	idx, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return web.ErrNotFound
	}
	return mapped(p.store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.EndSilence(idx, act.At); err != nil {
			return err
		}
		_, err := actAt(tx, act)
		return err
	}))
}

// TestChannel implements web.Alerts.
func (p *alertPages) TestChannel(ctx context.Context, channel string, act web.Action) (string, error) {
	if !slices.ContainsFunc(p.cfg.Channel, func(c config.AlertChannel) bool { return c.Name == channel }) {
		return "", web.ErrNotFound
	}
	key := ""
	err := p.store.Write(ctx, func(tx *store.Tx) error {
		idx, err := actAt(tx, act)
		if err == nil {
			key, err = p.alerts.Test(tx, channel, idx)
		}
		return err
	})
	if err != nil {
		return "", mapped(err)
	}
	p.alerts.Poke(channel)
	const look = 50 * time.Millisecond
	t := time.NewTicker(look)
	defer t.Stop()
	for deadline := time.Now().Add(p.wait); ; {
		var d store.Delivery
		err := p.store.Read(ctx, func(r *store.ReadTx) (err error) {
			d, err = r.DeliveryByKey(key, channel)
			return err
		})
		if err != nil {
			return "", err
		}
		if d.State == store.DeliverySent || d.Error != "" {
			return d.Error, nil
		}
		if !time.Now().Before(deadline) {
			return "", web.ErrBusy
		}
		select {
		case <-ctx.Done():
			return "", web.ErrBusy
		case <-t.C:
		}
	}
}
