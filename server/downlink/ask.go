package downlink

import (
	"context"
	"log/slog"
	"time"

	"monban/firmware/link"
	"monban/firmware/wire"
)

// askWorker decides asks, in no order: they are independent, and many wait for the same commit.
// Its owner is Run.
func (d *Downlink) askWorker(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-d.asks:
			d.onAsk(ctx, a.gw, a.m)
		}
	}
}

// onAsk opens one ask and answers it. Every way out without an answer leaves the decision to the
// gateway, which denies or uses its snapshot (D8); the door stays locked meanwhile.
func (d *Downlink) onAsk(ctx context.Context, gw *gateway, m message) {
	defer d.guard(gw, m.kind)
	if time.Since(m.at) >= d.cfg.AskTimeout {
		d.count.asksLate.Add(1) // the gateway no longer waits; a grant now would only confuse the log
		return
	}
	for _, a := range d.open(gw, m) {
		if q, ok := a.(link.Decide); ok {
			d.count.asks.Add(1)
			d.answer(ctx, gw, m.at, q.Ask)
		}
	}
}

func (d *Downlink) answer(ctx context.Context, gw *gateway, at time.Time, ask wire.Ask) {
	ctx, cancel := context.WithDeadline(ctx, at.Add(d.cfg.AskTimeout))
	defer cancel()
	done := false
	defer func() {
		if !done { // also after a panic in the authority: a repeated ask is then tried again
			d.count.askErrors.Add(1)
			d.act(gw, at, d.step(gw, link.Undecided{ID: ask.ID}))
		}
	}()
	ans, err := d.cfg.Authority.Answer(ctx, gw.id, ask, at)
	if err != nil {
		d.cfg.Log.LogAttrs(ctx, slog.LevelWarn, "ask not answered", slog.String("gateway", string(gw.id)), slog.Any("error", err))
		return
	}
	done = true
	d.count.answers.Add(1)
	d.act(gw, at, d.step(gw, link.Decided{Answer: ans}))
}
