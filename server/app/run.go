package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"monban/server/store"
	"monban/server/web"
)

// Run serves until ctx ends, or until a part ends by itself, which is an error.
func (a *App) Run(ctx context.Context) error {
	defer keepHeapRoom()()
	if err := a.offerSetup(ctx); err != nil {
		if ctx.Err() != nil {
			err = nil // told to end before it began
		}
		return errors.Join(err, a.close())
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	run := func(name string, f func() error) {
		wg.Go(func() {
			err := f()
			if ctx.Err() != nil {
				return // it was told to end
			}
			if err == nil {
				err = errors.New("ended by itself")
			}
			cancel(fmt.Errorf("%s: %w", name, err))
		})
	}
	if a.broker != nil {
		run("broker", func() error { return a.broker.Run(ctx) })
	}
	run("link", func() error { return a.downlink.Run(ctx) })
	run("pages", func() error {
		err := a.serveHTTP()
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		return err
	})
	if a.enrol != nil {
		run("enrolment", a.serveEnrolment)
	}
	if a.updates != nil {
		run("updates", a.serveUpdates)
	}
	run("roll-out", func() error { a.rollouts.run(ctx); return nil })
	if a.figures != nil {
		run("metrics", func() error { return a.figures.Serve(a.figuresListener) })
	}
	run("certificates", func() error { a.keepUp(ctx); return nil })
	if every := a.site.Config.LDAP.SyncEvery.Std(); a.directory != nil && every > 0 {
		run("directory", func() error { a.followDirectory(ctx, a.site.Config); return nil })
	}
	run("identities", func() error { a.followIdentities(ctx); return nil })
	run("requests", func() error { a.followRequests(ctx); return nil })
	run("alerts", func() error { a.alerts.Run(ctx); return nil })
	run("regular work", func() error { a.jobs.Run(ctx); return nil })
	run("witnesses outside", func() error { a.outside.run(ctx); return nil })
	run("live pages", func() error { a.followLog(ctx); return nil })
	if a.muster != nil {
		run("muster copy", func() error { a.muster.run(ctx); return nil })
	}
	run("sweep", func() error { a.sweep(ctx); return nil })
	run("service manager", func() error { a.supervise(ctx); return nil })
	run("people inside", func() error { a.watchPlaces(ctx); return nil })
	run("database", func() error {
		select {
		case <-ctx.Done():
			return nil
		case <-a.site.Store.Failed():
			return errors.New("the database can no longer be trusted after an input/output error: run verify, then start again")
		}
	})
	<-ctx.Done()
	a.pages.Close()
	a.rehearsals.Close()
	a.looks.Close()
	a.reports.Close()
	a.proofs.Close()
	stop, end := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer end()
	_ = a.http.Shutdown(stop) // what is still open after 5 s is cut below
	_ = a.http.Close()
	if a.enrol != nil {
		_ = a.enrol.Close() // a gateway asks again
	}
	if a.updates != nil {
		_ = a.updates.Close() // a gateway asks again
	}
	if a.figures != nil {
		_ = a.figures.Close() // Prometheus asks again
	}
	wg.Wait()
	a.findings.Wait() // each ends within findingTime; the database is closed after them
	err := context.Cause(ctx)
	last, done := context.WithTimeout(context.WithoutCancel(ctx), findingTime)
	defer done()
	if lost := a.health.store(last, a.site.Store); lost != nil {
		a.log.LogAttrs(last, slog.LevelError, "last heartbeats not kept", slog.Any("err", lost))
	}
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	return errors.Join(err, a.close())
}

func (a *App) serveHTTP() error {
	if a.http.TLSConfig != nil {
		return a.http.ServeTLS(a.listener, "", "")
	}
	return a.http.Serve(a.listener)
}

// offerSetup prints a fresh set-up code while there is no account (RA-3).
func (a *App) offerSetup(ctx context.Context) error {
	needed, err := accounts{a.site.Store}.SetupNeeded(ctx)
	if err != nil || !needed {
		return err
	}
	code, hash := web.NewSetupCode()
	err = a.site.Store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.EndSetupCodes(); err != nil { // of a start before this one: whoever has read it has it no longer
			return err
		}
		return tx.InsertSetupCode(hash, time.Now().Add(web.SetupCodeLife))
	})
	if err != nil {
		return fmt.Errorf("set-up code: %w", err)
	}
	scheme, host := "http", strings.Replace(a.listener.Addr().String(), "127.0.0.1", "localhost", 1)
	if a.http.TLSConfig != nil {
		scheme = "https"
	}
	_, _ = fmt.Fprintf(a.out, "Set-up code for the first administrator (%d minutes): %s\n  %s://%s/setup\n", int(web.SetupCodeLife.Minutes()), code, scheme, host)
	return nil
}

// sweep looks once a minute for decisions that no record has followed, ends expired sessions, keeps when each
// gateway was heard last, and does a new day's work.
func (a *App) sweep(ctx context.Context) {
	clock := func() {
		if err := watchClock(ctx, a.site.Store, time.Now()); err != nil && ctx.Err() == nil {
			a.log.LogAttrs(ctx, slog.LevelError, "the server's clock not looked at", slog.Any("err", err))
		}
	}
	clock() // before the time service has mended it
	t := time.NewTicker(time.Minute)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			clock()
			err := a.site.Store.Write(ctx, func(tx *store.Tx) error {
				now := time.Now().UnixMilli()
				return errors.Join(a.ingest.Sweep(tx, now), a.ingest.Tick(tx, now), a.orders.sweep(tx), tx.DeleteExpiredSessions(now))
			})
			err = errors.Join(err, a.registry.Daily(ctx))
			if err != nil && ctx.Err() == nil {
				a.log.LogAttrs(ctx, slog.LevelError, "sweep", slog.Any("err", err))
			}
			if err := a.orders.pages.tellUnsigned(ctx); err != nil && ctx.Err() == nil {
				a.log.LogAttrs(ctx, slog.LevelError, "unsigned days", slog.Any("err", err))
			}
			a.sweepFiles(ctx)
			if err := a.visits.sweep(ctx); err != nil && ctx.Err() == nil {
				a.log.LogAttrs(ctx, slog.LevelError, "sweep of visits", slog.Any("err", err))
			}
			if err := a.risen.tell(ctx); err != nil && ctx.Err() == nil {
				a.log.LogAttrs(ctx, slog.LevelError, "what has gone up not told, tried again in a minute", slog.Any("err", err))
			}
			if err := a.breaches.tell(ctx); err != nil && ctx.Err() == nil {
				a.log.LogAttrs(ctx, slog.LevelError, "reports of a leak not told, tried again in a minute", slog.Any("err", err))
			}
			if err := a.health.store(ctx, a.site.Store); err != nil && ctx.Err() == nil {
				a.log.LogAttrs(ctx, slog.LevelError, "gaps of gateways not logged, tried again in a minute", slog.Any("err", err))
			}
		}
	}
}

// followLog wakes the live pages when the log has grown.
func (a *App) followLog(ctx context.Context) {
	const every = 200 * time.Millisecond // a person does not notice, and an idle server does nothing else
	t := time.NewTicker(every)
	defer t.Stop()
	size := a.site.Store.Size()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if now := a.site.Store.Size(); now != size {
				size = now
				a.pages.Notify()
				a.alerts.Wake()
			}
		}
	}
}

// close gives everything back, in the order of dependence.
func (a *App) close() error {
	var errs []error
	a.packs.Close() // before the log that it writes to
	if a.broker != nil {
		errs = append(errs, a.broker.Close())
	}
	if a.listener != nil {
		if err := a.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if a.enrolListener != nil {
		if err := a.enrolListener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if a.updatesListener != nil {
		if err := a.updatesListener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if a.figuresListener != nil {
		if err := a.figuresListener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if a.site != nil {
		errs = append(errs, a.site.Close())
	}
	return errors.Join(errs...)
}
