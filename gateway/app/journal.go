package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/gateway/config"
	"monban/gateway/outbox"
)

// journal records what is done with the gateway's tools while the gateway itself does not run. The records are sent when
// it runs again.
type journal struct {
	anchor *anchor
	outbox *outbox.Outbox
	end    context.CancelFunc
	ended  sync.WaitGroup
}

// openJournal takes the outbox, which only one process can hold.
func openJournal(cfg config.Config) (*journal, error) {
	a, err := newAnchor(kernelClock())
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	o, err := outbox.Open(outbox.Config{
		Path: cfg.Path("outbox.db"), Gateway: access.GatewayID(cfg.Gateway), Log: slog.New(slog.DiscardHandler),
		Stamp:    func() wire.Stamp { return a.stamp(a.moment()) },
		MaxBytes: int64(cfg.Outbox.MaxMiB) << 20, Reserve: int64(cfg.Outbox.ReserveMiB) << 20,
	})
	if err != nil {
		return nil, fmt.Errorf("%w; stop the gateway first: its readers and its records are its own while it runs", err)
	}
	a.notBefore(o.Trusted())
	j := &journal{anchor: a, outbox: o}
	ctx, end := context.WithCancel(context.Background())
	j.end = end
	j.ended.Go(func() { o.Run(ctx) })
	return j, nil
}

// note records one event of a door and returns when it is durable.
func (j *journal) note(id, detail string) error {
	done := make(chan error, 1)
	j.outbox.Append(outbox.Entry{
		Record: wire.Record{Door: access.DoorID(id), Event: door.EventMaintenance, Detail: detail, Stamp: j.anchor.stamp(j.anchor.moment())},
		Done:   func(r outbox.Result) { done <- r.Err },
	})
	if err := <-done; err != nil {
		return fmt.Errorf("record %s: %w", detail, err)
	}
	return nil
}

func (j *journal) close() error {
	j.end()
	j.ended.Wait()
	return j.outbox.Close()
}
