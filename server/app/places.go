package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/server/authority"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/ingest"
	"monban/server/policypub"
	"monban/server/store"
)

// watchEvery is how often the watch over the people inside looks at the clock: well below any grace.
const watchEvery = time.Second

// openPlaces makes the authority with the places of everybody as the log has them.
func (a *App) openPlaces(ctx context.Context) error {
	a.authority = authority.New(a.pub)
	places := a.authority.Places()
	var err error
	if a.desks, err = openDesks(ctx, a.site.Store, func(id access.DoorID) bool { return a.pub.Site().Door(id) != nil }); err != nil {
		return err
	}
	least, err := card.ParseAssurance(a.site.Config.Login.DeskAssurance)
	if err != nil {
		return fmt.Errorf("login.desk_assurance: %w", err)
	}
	a.authority.SetDesks(a.desks, a.desks.Board, least)
	a.ingest.SetDesks(a.desks)
	a.ingest.Follow(places)
	if a.thresholds, err = settleThresholds(ctx, a.site, a.log); err != nil {
		return fmt.Errorf("thresholds: %w", err)
	}
	a.ingest.Configure(a.thresholds, a.awayNow)
	a.ingest.Links(a.linkedNow)
	return a.site.Store.Read(ctx, func(r *store.ReadTx) error {
		now := time.Now().UnixMilli()
		if err := places.Load(r, now, a.site.Store.Zone()); err != nil {
			return err
		}
		began, err := logBegan(r.Reader)
		if err != nil {
			return err
		}
		return a.ingest.Load(r, now, began)
	})
}

// logBegan is the time of the log's first entry, UTC ms.
func logBegan(r store.Reader) (int64, error) {
	first, err := r.Leaf(0)
	if err != nil {
		return 0, fmt.Errorf("begin of the log: %w", err)
	}
	genesis, err := entrylog.Parse(first.Body)
	if err != nil {
		return 0, fmt.Errorf("begin of the log: %w", err)
	}
	return genesis.System.AtMS, nil
}

// awayNow reports whether records of a gateway may be on their way: it is silent, or says that it has some.
func (a *App) awayNow(gw access.GatewayID) bool {
	b, ok := a.health.last(gw)
	return !ok || !b.linked(time.Now()) || b.Pending > 0
}

// linkedNow reports whether a gateway was heard within the life of a lease.
func (a *App) linkedNow(gw access.GatewayID) bool {
	b, ok := a.health.last(gw)
	return ok && b.linked(time.Now())
}

// watchPlaces logs what the watch finds: an escort who left, somebody left alone. What could not be
// written is tried again.
func (a *App) watchPlaces(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var due []access.Notice
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		a.publishStates(ctx)
		a.tellOffline(ctx)
		if due = append(due, a.authority.Places().Due(time.Now().UnixMilli())...); len(due) == 0 {
			continue
		}
		err := a.site.Store.Write(ctx, func(tx *store.Tx) error { return logNotices(tx, a.ingest, due) })
		if err != nil {
			a.log.LogAttrs(ctx, slog.LevelError, "finding of the people inside is not written, tried again", slog.Any("err", err))
			continue
		}
		due = nil
	}
}

// tellOffline makes a finding of each gateway that has fallen silent (OP-1). A server that has just started listens as long before
// it says so; what it cannot write it tries again the next second.
func (a *App) tellOffline(ctx context.Context) {
	site, now := a.pub.Site(), time.Now()
	if site == nil {
		return
	}
	limit := time.Duration(a.thresholds.OfflineMS) * time.Millisecond
	for i := range site.Directory().Gateways {
		gw := site.Directory().Gateways[i].ID
		since, known := a.health.silentSince(gw)
		told := a.told[gw]
		if !told.since.Equal(since) {
			told = silence{since: since}
		}
		if !known || now.Sub(since) < limit || now.Sub(a.began) < limit || told.done || now.Before(told.again) {
			continue
		}
		err := a.site.Store.Write(ctx, func(tx *store.Tx) error {
			againMS, err := a.ingest.Offline(tx, gw, since.UnixMilli(), now.UnixMilli())
			told.done, told.again = againMS == 0, time.UnixMilli(againMS)
			return err
		})
		if err != nil {
			a.log.LogAttrs(ctx, slog.LevelError, "a silent gateway is not logged, tried again", slog.String("gateway", string(gw)), slog.Any("err", err))
			continue
		}
		a.told[gw] = told
	}
}

// silence is what was done about a gateway of which nothing is heard.
type silence struct {
	since, again time.Time // when it began, and when to ask for it again
	done         bool
}

// stateEvery bounds how often a gateway is told who is inside: it decides by it only without the server,
// and adds its own passages itself. Each time its disk is written.
const stateEvery = 10 * time.Second

// publishStates tells each gateway with rules about who is inside what has changed (D7). What cannot be
// published now is tried again; until then an offline gateway knows what it knew.
func (a *App) publishStates(ctx context.Context) {
	site := a.pub.Site()
	if site == nil || !a.authority.Places().Urgent() && time.Since(a.stateAt) < stateEvery {
		return
	}
	a.stateAt = time.Now()
	for i := range site.Directory().Gateways {
		gw := site.Directory().Gateways[i].ID
		w, ok := a.authority.Places().Whereabouts(gw)
		if !ok {
			continue
		}
		if _, known := site.VersionsOf(gw); !known {
			continue // no keys yet
		}
		changed, err := a.pub.PublishState(ctx, gw, w)
		if err != nil && !errors.Is(err, policypub.ErrMoved) {
			a.log.LogAttrs(ctx, slog.LevelError, "who is inside is not published, tried again", slog.String("gateway", string(gw)), slog.Any("err", err))
		}
		if changed {
			a.downlink.PolicyChanged()
		}
	}
}

func logNotices(tx *store.Tx, p *ingest.Pipeline, due []access.Notice) error {
	for _, n := range due {
		if err := p.Notice(tx, n, time.Now().UnixMilli()); err != nil {
			return err
		}
	}
	return nil
}

// ZoneDesk is where an officer mends what the log says of who is where: each act is an action leaf with a
// reason (AD-9, AD-10, AD-13). Leaving never needs any of it.
type ZoneDesk struct {
	Store  *store.Store
	Places *authority.Places
	Site   func() *policypub.Current
	Now    func() time.Time
}

// Officer is who acts, by account and origin, and why.
type Officer struct {
	Account string
	From    string // class of the origin: "lan", "local", "cli"
	Address string
	Reason  string // required
}

// Forgive declares that a person is outside: the exit that was not recorded is known otherwise (AD-9).
func (d *ZoneDesk) Forgive(ctx context.Context, o Officer, person directory.PersonID) error {
	site := d.Site()
	if site == nil {
		return policypub.ErrNoGateway
	}
	if _, known := site.Policy.PersonNo(string(person)); !known {
		return fmt.Errorf("forgive: person: %w", directory.ErrNoSuch)
	}
	return d.act(ctx, o, store.ZoneAct{Kind: store.ActForgiven, Subject: string(person)})
}

// ResetZone declares a zone empty (AD-10). Whoever passes a door afterwards counts again.
func (d *ZoneDesk) ResetZone(ctx context.Context, o Officer, zone access.ZoneID) error {
	site := d.Site()
	if site == nil {
		return policypub.ErrNoGateway
	}
	if _, known := site.Policy.Zone(zone); !known {
		return fmt.Errorf("reset zone %s: %w", zone, directory.ErrNoSuch)
	}
	return d.act(ctx, o, store.ZoneAct{Kind: store.ActZoneReset, Subject: string(zone)})
}

// ResetPIN lifts the lockout of a card after too many wrong PINs (AD-13): at the server at once, at each gateway with its
// next state part, also at one that is away meanwhile.
func (d *ZoneDesk) ResetPIN(ctx context.Context, o Officer, card directory.CardID) error {
	site := d.Site()
	if site == nil {
		return policypub.ErrNoGateway
	}
	for i := range site.Directory().Credentials {
		if site.Directory().Credentials[i].ID == card {
			return d.act(ctx, o, store.ZoneAct{Kind: store.ActPINReset, Subject: string(card)})
		}
	}
	return fmt.Errorf("reset PIN: card: %w", directory.ErrNoSuch)
}

func (d *ZoneDesk) act(ctx context.Context, o Officer, a store.ZoneAct) error {
	if strings.TrimSpace(o.Reason) == "" {
		return directory.ErrNoReason
	}
	a.AtMS = d.Now().UnixMilli()
	err := d.Store.Write(ctx, func(tx *store.Tx) error {
		done, err := tx.AppendZoneAct(a, o.Account, o.From, o.Address, o.Reason)
		if err != nil {
			return err
		}
		tx.AfterCommit(func() { d.Places.Apply(done) })
		return nil
	})
	if err != nil {
		return errors.Join(fmt.Errorf("%s is not recorded, nothing has changed", a.Kind), err)
	}
	return nil
}
