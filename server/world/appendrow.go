package world

import (
	"context"
	"errors"
	"fmt"
	"time"

	"monban/server/app"
	"monban/server/signer"
	"monban/server/store"
)

// appendBatch is the rows of one commit in (e).
const appendBatch = 100

// appends measures (e): the chained log against a plain table.
func (b *bench) appends(ctx context.Context) (err error) {
	cfg, err := makeSite(ctx, b.dir, "append", 1, b.log)
	if err != nil {
		return err
	}
	s, err := app.OpenSite(cfg, time.Now(), b.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	logKey, err := s.Signer.Verifier(signer.RoleLog)
	if err != nil {
		return err
	}
	m, err := store.NewAppendMeter(cfg.Path("append.db"), store.Options{Zone: cfg.Location(), Keys: s.Store.Keys(), Signer: s.Signer, Log: logKey}, appendBatch)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	var ratio, rate []float64
	batches := max(b.appendRows/appendBatch, 1)
	for i := range b.appendPairs + 1 {
		times := [2]time.Duration{}
		for j := range 2 {
			chained := (i+j)%2 == 0 // the order changes with each pair
			run, k := m.Plain, 0
			if chained {
				run, k = m.Chained, 1
			}
			start := time.Now()
			if err := run(ctx, batches); err != nil {
				return err
			}
			times[k] = time.Since(start)
		}
		if i == 0 {
			continue // warm-up
		}
		ratio = append(ratio, float64(times[1])/float64(times[0]))
		rate = append(rate, float64(batches*appendBatch)/times[1].Seconds())
	}
	n := fmt.Sprintf("batches of %d, %d pairs of %d rows", appendBatch, len(ratio), batches*appendBatch)
	b.add(
		Row{Name: "e chained / plain append", Value: quantile(ratio, 0.5), Unit: "x", Goal: 2.2, Note: n + ", " + span(ratio)},
		Row{Name: "e chained append", Value: quantile(rate, 0.5), Unit: "/s", Note: "leaves with openings"},
	)
	return nil
}
