package downlink

import (
	"context"
	"log/slog"

	"monban/firmware/link"
)

// onEvents takes one batch of records: the machine checks signature, topic and form, Ingest commits,
// and only then is it acknowledged. A batch without an ack is repeated by its gateway (I2), whatever
// went wrong here:
//
//	crash point 1: filed, not committed     → repeated, committed once
//	crash point 2: committed, ack not sent  → repeated, found to be there, acknowledged
func (d *Downlink) onEvents(ctx context.Context, gw *gateway, m message) {
	defer d.guard(gw, m.kind)
	for _, a := range d.open(gw, m) {
		in, ok := a.(link.Ingest)
		if !ok {
			continue
		}
		d.count.batches.Add(1)
		wait, cancel := context.WithTimeout(ctx, storeTimeout)
		c, err := d.cfg.Ingest.Handle(wait, gw.id, in.Events, m.at)
		cancel()
		if err != nil {
			d.count.ingestErrors.Add(1)
			d.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "batch not committed", slog.String("gateway", string(gw.id)), slog.Any("error", err))
			continue
		}
		d.ack(gw, m.at, c)
	}
}
