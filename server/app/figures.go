package app

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"monban/server/config"
	"monban/server/metrics"
	"monban/server/store"
	"monban/server/web"
)

// openMetrics takes the port of the figures, if one is set.
func (a *App) openMetrics(ctx context.Context, cfg *config.Config, p *pages) (err error) {
	if cfg.Metrics.Listen == "" {
		return nil
	}
	if a.figuresListener, err = listen(ctx, cfg.Metrics.Listen); err != nil {
		return fmt.Errorf("metrics.listen: %w", err)
	}
	a.figures = &http.Server{
		Handler:           metrics.Handler(func(ctx context.Context) (metrics.Figures, error) { return a.measure(ctx, p) }),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, MaxHeaderBytes: 8 << 10,
	}
	return nil
}

// measure makes the figures of this moment.
func (a *App) measure(ctx context.Context, p *pages) (metrics.Figures, error) {
	f := metrics.Figures{At: p.now(), InDoubt: inDoubt(a.site.Store) != nil, SigningFails: a.site.Store.SignErr() != nil, CertificateEnds: a.site.CA.Expires()}
	list, err := p.ListGateways(ctx)
	if err != nil {
		return f, err
	}
	for i := range list {
		g := &list[i]
		f.Gateways = append(f.Gateways, metrics.Gateway{ID: string(g.ID), Linked: g.Linked, LastSeen: g.LastSeen, Pending: g.Pending, CertificateEnds: g.CertificateEnds})
	}
	err = a.site.Store.Read(ctx, func(r *store.ReadTx) error {
		size, err := r.LogSize()
		if err != nil {
			return err
		}
		f.Leaves = uint64(size)
		// Without the silent alerts: a figure that moves with them would tell of a PIN under duress (AD-13).
		_, f.OpenFindings, err = r.FindingsIn(within(web.Reach{All: true}), false, false, 0, 1)
		return err
	})
	if err != nil {
		return f, err
	}
	last, ok, err := p.SelfTest(ctx)
	if err != nil {
		return f, err
	}
	if ok {
		f.SelfTest, f.Failed = last.At, map[string]bool{}
		for _, x := range last.Items {
			f.Failed[x.Item] = x.State == "failed"
		}
	}
	if st, err := os.Stat(a.site.Config.Path(backupNote)); err == nil {
		f.Backup = st.ModTime()
	}
	var st unix.Statfs_t
	if err := unix.Statfs(a.site.Config.DataDir, &st); err != nil {
		return f, fmt.Errorf("free room of %s: %w", a.site.Config.DataDir, err)
	}
	f.DiskFree = st.Bavail * uint64(st.Bsize)
	return f, nil
}
