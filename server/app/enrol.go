package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/ca"
	"monban/server/config"
	"monban/server/entrylog"
	"monban/server/store"
)

// openEnrolment takes the port on which gateways get and renew their identity, when one is configured.
func (a *App) openEnrolment(ctx context.Context, cfg *config.Config) error {
	if cfg.Enrol.Listen == "" {
		return nil
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Enrol.Listen)
	if err != nil {
		return fmt.Errorf("enrolment cannot listen on %s: %w (set [enrol] listen to a free port)", cfg.Enrol.Listen, unwrapped(err))
	}
	a.enrolListener = l
	a.enrol = ca.NewEnrolServer(ca.NewEnrolment(ca.EnrolConfig{
		CA: a.site.CA, Validity: cfg.CA.DeviceValidity.Std(), Now: time.Now, Grant: a.grant, Log: a.log,
	}), a.log)
	return nil
}

func (a *App) serveEnrolment() error {
	err := a.enrol.ServeTLS(a.enrolListener, "", "")
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// grant makes the server believe a new gateway's note key. Keys first, then the policy that is keyed
// for it, the verifier last: whatever breaks before, a gateway that had an identity goes on with it.
func (a *App) grant(ctx context.Context, g ca.Grant) (ca.Granted, error) {
	a.granting.Lock()
	defer a.granting.Unlock()
	id := access.GatewayID(g.Gateway)
	if err := a.site.KnowsGateway(ctx, id); err != nil {
		return ca.Granted{}, fmt.Errorf("%w: %w", ca.ErrUnknown, err)
	}
	if err := a.site.trust(id, g.NoteKey, g.Replace, func() error {
		a.pub.SetKeys(a.site.Keys)
		return a.pub.Reload(ctx)
	}); err != nil {
		return ca.Granted{}, err
	}
	a.verifiers.forget(id)
	a.downlink.Forget(id)
	a.ingest.Forget(id)
	root, err := os.ReadFile(a.site.Config.Path(keysDir, "root.vkey"))
	if err != nil {
		return ca.Granted{}, fmt.Errorf("root's verifier: %w", err)
	}
	sym, err := a.site.Keys.Symmetric(id)
	if err != nil {
		return ca.Granted{}, err
	}
	return ca.Granted{KeysNote: string(a.site.keysNote), RootVKey: strings.TrimSpace(string(root)), Symmetric: json.RawMessage(sym)}, nil
}

// followIdentities makes leaves of what was done to identities, also by commands in other processes.
func (a *App) followIdentities(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	said := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			err := a.site.CA.ListErr()
			if err != nil && !said {
				a.log.LogAttrs(ctx, slog.LevelError, "the list of refused certificates cannot be read: no gateway connects anew until it can", slog.Any("err", err))
			}
			said = err != nil
			if err := a.site.CA.Drain(func(events []ca.Event) error { return a.logIdentities(ctx, events) }); err != nil && ctx.Err() == nil {
				a.log.LogAttrs(ctx, slog.LevelError, "events of identities are not logged yet", slog.Any("err", err))
			}
		}
	}
}

func (a *App) logIdentities(ctx context.Context, events []ca.Event) error {
	return a.site.Store.Write(ctx, func(tx *store.Tx) error {
		for _, e := range events {
			leaf := entrylog.Action{Verb: e.Verb, Target: "gateway", ID: e.Gateway, From: "cli", Result: "ok", Reason: e.Reason != "", AtMS: e.At.UnixMilli()}
			if e.Target != "" {
				leaf.Target, leaf.ID = e.Target, a.site.Config.Site
			}
			switch {
			case e.Account != "":
				leaf.Account, leaf.From = e.Account, "lan"
			case e.User == "":
				leaf.From = "remote" // the gateway itself
			}
			if _, err := tx.AppendAction(leaf, &entrylog.Opening{Address: e.Address, Text: strings.Trim(e.User+"\n"+e.Reason, "\n")}); err != nil {
				return err
			}
		}
		return nil
	})
}

// RenewCA makes the server's own certificates anew and gives when they end. The server must be stopped.
func RenewCA(cfg *config.Config, rootKey string, names []string, now time.Time) (time.Time, error) {
	l, err := lock(cfg.Path(lockFile))
	if err != nil {
		return time.Time{}, err
	}
	defer l.Close() // nothing was written through it
	if err := ca.Renew(cfg.CA.Dir, rootKey, names, now); err != nil {
		return time.Time{}, err
	}
	c, err := ca.Open(cfg.CA.Dir, now)
	if err != nil {
		return time.Time{}, err
	}
	_, issuing, _, _ := c.Ends()
	return issuing, nil
}
