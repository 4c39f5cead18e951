package app

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"monban/server/ingest"
	"monban/server/review"
	"monban/server/store"
	"monban/server/web"
)

// Bounds of looks at other numbers: one goes on at a time, doors come first.
const (
	previewsKept = 8
	previewLong  = 30 * time.Minute // after that one is given up
)

// previews are looks at what other numbers would have found. They live in memory and end with the server.
type previews struct {
	store  *store.Store
	ingest *ingest.Pipeline
	now    func() time.Time
	log    *slog.Logger

	ctx  context.Context
	end  context.CancelFunc
	work sync.WaitGroup

	mu   sync.Mutex
	list []*preview // mu; oldest first
}

type preview struct {
	id    string
	state web.ThresholdPreview // mu of previews
}

func newPreviews(s *store.Store, p *ingest.Pipeline, now func() time.Time, log *slog.Logger) *previews {
	x := &previews{store: s, ingest: p, now: now, log: log}
	x.ctx, x.end = context.WithCancel(context.Background())
	return x
}

// Close ends a look that goes on and waits for it.
func (x *previews) Close() {
	if x == nil {
		return
	}
	x.mu.Lock()
	x.end() // from here on none begins
	x.mu.Unlock()
	x.work.Wait()
}

func (x *previews) start(inForce, others review.Settings) (string, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range x.list {
		if !p.state.Over {
			return "", web.ErrTooMany
		}
	}
	if x.ctx.Err() != nil {
		return "", web.ErrTooMany
	}
	until := x.now()
	p := &preview{id: rand.Text(), state: web.ThresholdPreview{Others: others, From: until.AddDate(0, 0, -web.PreviewDays), Until: until}}
	x.list = append(x.list, p)
	x.list = x.list[max(0, len(x.list)-previewsKept):]
	x.work.Add(1)
	go x.run(p, inForce)
	return p.id, nil
}

func (x *previews) run(p *preview, inForce review.Settings) {
	defer x.work.Done()
	ctx, stop := context.WithTimeout(x.ctx, previewLong)
	defer stop()
	kinds, err := x.look(ctx, p, inForce)
	if err != nil && x.ctx.Err() == nil {
		x.log.LogAttrs(ctx, slog.LevelError, "the log could not be looked at with other thresholds", slog.Any("err", err))
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	p.state.Over, p.state.Failed, p.state.Kinds = true, err != nil, kinds
}

func (x *previews) look(ctx context.Context, p *preview, inForce review.Settings) ([]web.PreviewedKind, error) {
	var began int64
	err := x.store.Read(ctx, func(r *store.ReadTx) (err error) { began, err = logBegan(r.Reader); return err })
	if err != nil {
		return nil, err
	}
	look := x.ingest.NewPreview(inForce, p.state.Others, p.state.From.UnixMilli(), began)
	err = look.Run(ctx, func(ctx context.Context, f func(past ingest.Previewing) error) error {
		return x.store.Read(ctx, func(r *store.ReadTx) error { return f(r) })
	}, func(done, of int64) {
		x.mu.Lock()
		p.state.Done, p.state.Of = done, of
		x.mu.Unlock()
	})
	if err != nil {
		return nil, err
	}
	var out []web.PreviewedKind
	items := func(list []ingest.PreviewedFinding) (out []web.PreviewedItem) {
		for _, f := range list {
			out = append(out, web.PreviewedItem{At: time.UnixMilli(f.AtMS), Gateway: string(f.Gateway), Door: string(f.Door)})
		}
		return out
	}
	for _, k := range look.Result() {
		out = append(out, web.PreviewedKind{Kind: string(k.Kind), Now: k.Now, Others: k.Others, Gone: items(k.Gone), Further: items(k.Further)})
	}
	return out, nil
}

func (x *previews) state(id string) (web.ThresholdPreview, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, p := range x.list {
		if p.id == id {
			return p.state, nil
		}
	}
	return web.ThresholdPreview{}, web.ErrNotFound
}

// PreviewThresholds implements web.Thresholds.
func (p *thresholdPages) PreviewThresholds(_ context.Context, others review.Settings) (string, error) {
	return p.looks.start(p.running, others)
}

// ThresholdPreview implements web.Thresholds.
func (p *thresholdPages) ThresholdPreview(_ context.Context, id string) (web.ThresholdPreview, error) {
	return p.looks.state(id)
}
