package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"monban/firmware/access"
	"monban/firmware/link"
	"monban/firmware/wire"
	"monban/server/ca"
	"monban/server/config"
	"monban/server/downlink"
	"monban/server/signer"
	"monban/server/store"
)

// trialFile lies in the data directory while a new version is tried (ADR 0075). `update apply` puts it there before it starts the new program;
// the server takes it away when it is told to open. While it lies there the database of before may be put back: nothing was written,
// signed or acknowledged.
const trialFile = "update-trial"

// errShut is what everything that would have to be written gets.
var errShut = errors.New("a new version of this server is being tried")

// Trial is the server while a new version is tried: it has migrated the database, holds its keys and ports, hears the gateways, and does
// nothing that could not be taken back. It returns nil at once when no new version is tried, and nil when it is told to open: then the
// caller serves as always. It returns ctx's end as nil too. Every error is one line.
//
// The doors: nobody is answered and no lease is given, so each gateway decides by the rules it holds, as without a server. Records are
// not acknowledged; the outboxes keep them (I4).
func Trial(ctx context.Context, cfg *config.Config, log *slog.Logger) (err error) {
	mark := cfg.Path(trialFile)
	there, err := exists(mark)
	if err != nil || !there {
		return err
	}
	log.LogAttrs(ctx, slog.LevelWarn, "a new version is tried: nothing is answered, written or acknowledged until `update apply` opens it")
	t := &trial{a: &App{log: log}, heard: newHealth(time.Now()), open: make(chan struct{})}
	listener, err := listen(ctx, cfg.HTTP.Listen)
	if err != nil {
		return err
	}
	t.a.listener = listener
	if err := t.serve(ctx, cfg); err != nil {
		return errors.Join(err, t.a.close())
	}
	return t.a.close()
}

type trial struct {
	a     *App // site, broker and listener only
	heard *health
	open  chan struct{} // closed by the request that opens
	once  sync.Once
}

func (t *trial) serve(ctx context.Context, cfg *config.Config) (err error) {
	a := t.a
	if a.site, err = openSite(&Site{Config: cfg, held: true}, time.Now(), a.log); err != nil {
		return err
	}
	if cause := a.site.Store.SignErr(); inDoubt(a.site.Store) != nil && !t.held() {
		return cause // the database is not what was last signed: no version should begin on it
	}
	address := cfg.MQTT.BrokerURL
	if address == "" {
		if a.broker, err = a.newBroker(cfg); err != nil {
			return err
		}
		address = "tls://" + a.broker.Addr()
	}
	sign, err := a.site.Signer.NoteSigner(signer.RoleLink)
	if err != nil {
		return err
	}
	down, err := downlink.New(downlink.Config{
		Site: cfg.Site, Broker: address, TLS: a.site.CA.ClientTLS(""), Name: ca.ServerName, Signer: sign, Keys: string(a.site.keysNote),
		Authority: shut{}, Ingest: shut{t.heard}, Health: shut{t.heard}, Policies: shut{}, Gateways: newVerifiers(a.site),
		AskTimeout: cfg.Ask.Timeout.Std(), AskWorkers: cfg.Ask.Workers, MaxGateways: cfg.MQTT.MaxGateways, Log: a.log,
	})
	if err != nil {
		return err
	}
	begun := time.Now()
	pages := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { shutPage(w, time.Since(begun)) }), ReadHeaderTimeout: 10 * time.Second, ErrorLog: nil}
	if cfg.HTTP.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(cfg.HTTP.TLSCert, cfg.HTTP.TLSKey)
		if err != nil {
			return fmt.Errorf("%s: is not a certificate with its key %s: %w", cfg.HTTP.TLSCert, cfg.HTTP.TLSKey, err)
		}
		pages.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	}
	a.http = pages
	if err := openRequests(cfg.Path(requestDir)); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	run := func(name string, f func() error) {
		wg.Go(func() {
			if err := f(); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	if a.broker != nil {
		run("broker", func() error { return a.broker.Run(ctx) })
	}
	run("link", func() error { return down.Run(ctx) })
	run("pages", func() error {
		if err := a.serveHTTP(); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	run("requests", func() error { t.follow(ctx); return nil })
	run("words", func() error { t.tellLong(ctx); return nil })
	run("service manager", func() error { supervise(ctx, a.log, a.site.Store.QuickCheck); return nil })
	select {
	case <-ctx.Done():
	case <-t.open:
		// What is asked from now on is done by the server that opens.
	}
	cause := context.Cause(ctx)
	cancel(nil)
	_ = pages.Close()
	wg.Wait()
	if cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// held reports whether nothing is wrong but that a version is tried.
func (t *trial) held() bool { return errors.Is(t.a.site.Store.SignErr(), store.ErrTrial) }

// follow does what `update` asks for.
func (t *trial) follow(ctx context.Context) {
	tick := time.NewTicker(requestEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := eachRequest(t.a.site.Config.Path(requestDir), func(path string) answer { return t.request(ctx, path) }); err != nil {
				t.a.log.LogAttrs(ctx, slog.LevelError, "requests of commands", slog.Any("err", err))
			}
			select {
			case <-t.open:
				return
			default:
			}
		}
	}
}

func (t *trial) request(ctx context.Context, path string) (out answer) {
	q, err := readRequest(path)
	switch {
	case err != nil:
	case q.Update == nil:
		err = errShut
	case q.Update.Open:
		if err = os.Remove(t.a.site.Config.Path(trialFile)); err == nil || errors.Is(err, fs.ErrNotExist) {
			err = syncDir(t.a.site.Config.DataDir) // from here on nothing may be put back
			t.once.Do(func() { close(t.open) })
		}
	case q.Update.Leaf == nil:
		out.Update = updateState(ctx, t.a.site, t.heard, time.Now())
		out.Update.Trial = true
	default:
		err = errShut
	}
	if err != nil {
		out.Error = err.Error()
	}
	return out
}

// trialLong is when a trial takes too long for any update: whoever began it is gone, and what should have ended it at the start has failed
// (monban-update.service).
const trialLong = 30 * time.Minute

const (
	shutWords = "サーバの新しい版を確かめています。扉はゲートウェイだけで動いています。数分後にもう一度開いてください。\nA new version of this server is being tried. The doors work by their gateways alone. Come back in some minutes.\n"
	longWords = "サーバの新しい版の確認が30分以上終わっていません。扉はゲートウェイだけで動いています。サーバの管理者に連絡してください：root で monban-server update resume\n" +
		"A new version of this server has been tried for more than 30 minutes. The doors work by their gateways alone. Tell who looks after the server: as root, monban-server update resume\n"
)

// shutPage tells whoever looks at the pages of a trial that has taken so long.
func shutPage(w http.ResponseWriter, took time.Duration) {
	words := shutWords
	if took >= trialLong {
		words = longWords
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Retry-After", "30")
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = w.Write([]byte(words))
}

// tellLong says in the journal that a trial takes too long, once.
func (t *trial) tellLong(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(trialLong):
		t.a.log.LogAttrs(ctx, slog.LevelError, "a new version has been tried for more than 30 minutes, and nobody ends it: run `monban-server update resume` as root; until then nothing is answered, written or acknowledged")
	}
}

// shut gives gateways nothing, and notes that they are there.
type shut struct{ heard *health }

// Answer implements downlink.Authority: the gateway decides by the rules it holds.
func (shut) Answer(context.Context, access.GatewayID, wire.Ask, time.Time) (wire.Answer, error) {
	return wire.Answer{}, errShut
}

// Handle implements downlink.Ingest: nothing is committed and nothing acknowledged; the gateway keeps it and sends again.
func (shut) Handle(context.Context, access.GatewayID, wire.Events, time.Time) (downlink.Committed, error) {
	return downlink.Committed{}, errShut
}

// Watermark implements downlink.Ingest: a welcome acknowledges too.
func (s shut) Watermark(_ context.Context, gw access.GatewayID, hello wire.Hello) (downlink.Committed, error) {
	s.heard.said(gw, hello)
	return downlink.Committed{}, errShut
}

// Heartbeat implements downlink.Health.
func (s shut) Heartbeat(gw access.GatewayID, hb wire.Heartbeat, at time.Time) {
	s.heard.heard(gw, hb, at)
}

// Backlog implements downlink.Health: who is inside is asked when the server opens.
func (shut) Backlog(access.GatewayID, bool) {}

// Finding implements downlink.Health: what is still odd when the server opens is found then.
func (shut) Finding(access.GatewayID, link.Finding, time.Time) {}

// Versions implements downlink.Policies: no lease, so the gateway is alone.
func (shut) Versions(access.GatewayID) (link.Versions, bool) { return link.Versions{}, false }

// Manifest implements downlink.Policies.
func (shut) Manifest(access.GatewayID) ([]byte, bool) { return nil, false }

// Chunk implements downlink.Policies.
func (shut) Chunk(access.GatewayID, wire.Hash) ([]byte, bool) { return nil, false }

// linkedNow lists the gateways that are linked, sorted.
func (h *health) linkedNow(now time.Time) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for _, id := range slices.Sorted(maps.Keys(h.beats)) {
		if h.beats[id].linked(now) {
			out = append(out, string(id))
		}
	}
	return out
}
