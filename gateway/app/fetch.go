package app

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	release "monban/firmware/update"
	"monban/gateway/fetch"
	"monban/gateway/slot"
)

// openFetch gives nil where no server of updates is set, or where nobody would start what it brings.
func (a *App) openFetch() *fetch.Fetcher {
	cfg := a.opt.Config
	ctx := context.Background()
	if cfg.Updates.Server == "" {
		return nil
	}
	if a.opt.Slots == "" {
		a.opt.Log.LogAttrs(ctx, slog.LevelWarn, "no releases are fetched: the gateway must be started with `monban-gateway start`")
		return nil
	}
	store := &slot.Store{Dir: a.opt.Slots}
	running := a.opt.Own
	if a.opt.Brought {
		st, err := store.State()
		if err != nil { // nothing is fetched; updates complains about it
			return nil
		}
		if running = a.opt.Trial; running == 0 {
			running = st.Held.Number
		}
	}
	dir := cfg.Path("updates")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		a.opt.Log.LogAttrs(ctx, slog.LevelError, "no releases are fetched", slog.Any("err", err))
		return nil
	}
	f := fetch.New(fetch.Config{
		Server: cfg.Updates.Server, Client: a.updateClient, Dir: dir, Store: store, Root: cfg.Updates.Root,
		Path: programPath(), Arch: strings.TrimPrefix(programPath(), programPrefix), Own: a.opt.Own, Running: running, Trial: a.opt.Trial,
		Clock: func() (release.Clock, bool) { return updateClock(cfg.DataDir, a.opt.Own) }, Every: cfg.Updates.Every.Std(),
	})
	f.Told = func(change bool, text string, err error) {
		if change {
			a.opt.Log.LogAttrs(ctx, slog.LevelInfo, "update: "+text)
			return
		}
		a.opt.Log.LogAttrs(ctx, slog.LevelWarn, "update: "+text, slog.Any("err", err))
	}
	return f
}

// updateClient is the connection of one visit: certificate and roots of its moment, and no way elsewhere.
func (a *App) updateClient() *http.Client {
	cfg := a.id.TLS.Clone()
	cfg.RootCAs = a.trust.roots()
	cfg.Certificates, cfg.GetClientCertificate = nil, a.renewal.certificate
	return &http.Client{
		Transport: &http.Transport{
			TLSClientConfig: cfg, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 15 * time.Second, DisableCompression: true,
			DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext, MaxResponseHeaderBytes: 16 << 10, MaxConnsPerHost: 1,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
