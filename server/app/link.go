package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"monban/firmware/access"
	"monban/firmware/link"
	"monban/firmware/wire"
	"monban/server/authority"
	"monban/server/downlink"
	"monban/server/ingest"
	"monban/server/store"
)

// answers runs the authority inside the store's transactions.
type answers struct {
	store     *store.Store
	authority *authority.Authority
}

// Answer implements downlink.Authority. It returns after the decision is on the disk (I1).
func (a *answers) Answer(ctx context.Context, _ access.GatewayID, ask wire.Ask, at time.Time) (answer wire.Answer, err error) {
	if err := inDoubt(a.store); err != nil {
		return answer, err // the gateway decides by the rules it holds, which may be newer than ours
	}
	err = a.store.WriteUrgent(ctx, func(tx *store.Tx) error { // somebody stands at the door: before all records that wait
		answer, err = a.authority.Answer(tx, &ask, at.UnixMilli())
		return err
	})
	return answer, err
}

// inDoubt is an error while the database is not what was last signed (EV-3): its directory may be of
// yesterday, and a card that was revoked since would open doors (I5). So nothing is answered, no lease
// given and no policy published: doors decide with what their gateways hold.
func inDoubt(s *store.Store) error {
	if err := s.SignErr(); errors.Is(err, store.ErrHead) || errors.Is(err, store.ErrTrial) {
		return err
	}
	return nil
}

// batches runs the ingest pipeline inside the store's transactions.
type batches struct {
	store    *store.Store
	pipeline *ingest.Pipeline
	health   *health
}

// Handle implements downlink.Ingest. What it returns is on the disk (I4).
func (b *batches) Handle(ctx context.Context, gw access.GatewayID, events wire.Events, at time.Time) (downlink.Committed, error) {
	if err := inDoubt(b.store); err != nil {
		return downlink.Committed{}, err // nothing is acknowledged; the gateway keeps it and sends again
	}
	var done ingest.Result
	err := b.store.Write(ctx, func(tx *store.Tx) error {
		var err error
		done, err = b.pipeline.Handle(tx, gw, &events, at.UnixMilli())
		return err
	})
	if err == nil {
		err = b.store.SignErr() // committed, but not to be acknowledged while nothing is signed
	}
	if err != nil {
		return downlink.Committed{}, err
	}
	return downlink.Committed{
		Epoch: done.Epoch, Seq: done.Seq, Hash: done.Hash, Checkpoint: b.store.Checkpoint(), Fork: done.Forked,
	}, nil
}

// Watermark implements downlink.Ingest: how far the rows of the hello's epoch reach.
func (b *batches) Watermark(ctx context.Context, gw access.GatewayID, hello wire.Hello) (out downlink.Committed, err error) {
	b.health.said(gw, hello)
	if err := b.store.SignErr(); err != nil {
		return out, err // a welcome acknowledges too
	}
	err = b.store.Read(ctx, func(r *store.ReadTx) error {
		done, err := b.pipeline.Greet(r, &hello)
		out = downlink.Committed{Epoch: done.Epoch, Seq: done.Seq, Hash: done.Hash, Checkpoint: b.store.Checkpoint(), Fork: done.Forked}
		return err
	})
	return out, err
}

// listening passes on what gateways say of themselves.
type listening struct{ a *App }

// Heartbeat implements downlink.Health.
func (l listening) Heartbeat(gw access.GatewayID, hb wire.Heartbeat, at time.Time) {
	gap := l.a.health.heard(gw, hb, at)
	l.a.confirmed(gw, hb.Keys)
	if gap.Gateway == "" {
		return
	}
	owed := owedGap{Gap: gap, at: at}
	l.write(gw, "coverage", owed.append, func(err error) {
		if err != nil {
			l.a.health.owe(owed) // the sweep tries again
			return
		}
		l.a.health.paid(owed)
	})
}

// Backlog implements downlink.Health: until the records are in, nobody knows who is inside the zones at its doors (D7).
func (l listening) Backlog(gw access.GatewayID, outstanding bool) {
	l.a.authority.Places().Backlog(gw, outstanding)
}

const (
	// findingTime bounds the writing of one finding.
	findingTime = 10 * time.Second
	// findingsMost may wait for the disk at a time; what is dropped is told in the machine's log.
	findingsMost = 1000 // after an outage every gateway has one to tell
)

// Finding implements downlink.Health: what is odd about a gateway becomes an item for a person.
func (l listening) Finding(gw access.GatewayID, f link.Finding, at time.Time) {
	l.write(gw, string(f.Kind), func(tx *store.Tx) error {
		return l.a.ingest.Report(tx, gw, f.Kind, f.Epoch, f.Seq, at.UnixMilli())
	}, nil)
}

// write logs what the link has noticed. The link must not wait for the disk, so it is done on a
// goroutine of its own, which ends with the write; Run waits for them before the database is closed. ended, which may
// be nil, learns what came of it.
func (l listening) write(gw access.GatewayID, what string, f func(*store.Tx) error, ended func(error)) {
	if ended == nil {
		ended = func(error) {}
	}
	failed := func(err error) {
		ended(err)
		l.a.log.LogAttrs(context.Background(), slog.LevelError, "finding not logged",
			slog.String("kind", what), slog.String("gateway", string(gw)), slog.Any("err", err))
	}
	if l.a.writing.Add(1) > findingsMost {
		l.a.writing.Add(-1)
		failed(errors.New("too many at once"))
		return
	}
	l.a.findings.Go(func() {
		defer l.a.writing.Add(-1)
		ctx, cancel := context.WithTimeout(context.Background(), findingTime)
		defer cancel()
		if err := l.a.site.Store.Write(ctx, f); err != nil {
			failed(err)
			return
		}
		ended(nil)
	})
}
