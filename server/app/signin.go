package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"

	"monban/server/config"
	"monban/server/store"
	"monban/server/web"
)

// publicURL is how browsers reach the pages: as configured, or localhost where there is no TLS. With TLS and without
// a configured name there is none, and no passkeys: a guess would bind them to the wrong name.
func (a *App) publicURL(cfg *config.Config) string {
	if cfg.HTTP.PublicURL != "" || cfg.HTTP.TLSCert != "" {
		return cfg.HTTP.PublicURL
	}
	_, port, err := net.SplitHostPort(a.listener.Addr().String())
	if err != nil {
		return ""
	}
	return "http://localhost:" + port
}

// warnPasskeys says at start that passkeys were made for another name: they are dead under this one.
func (a *App) warnPasskeys(ctx context.Context, public string) error {
	u, err := url.Parse(public)
	if err != nil {
		return fmt.Errorf("public address: %w", err)
	}
	return a.site.Store.Read(ctx, func(r *store.ReadTx) error {
		n, err := r.PasskeysForOther(u.Hostname())
		if err != nil {
			return err
		}
		if n > 0 {
			a.log.LogAttrs(ctx, slog.LevelWarn, "passkeys were made for another host name than http.public_url's and do not work: set the old name again, or let their owners make new ones",
				slog.Int("passkeys", n), slog.String("name", u.Hostname()))
		}
		return nil
	})
}

// rolesOf turns the configuration's names, which were checked, into a set.
func rolesOf(names []string) (s web.RoleSet) {
	for _, n := range names {
		if r, ok := web.ParseRole(n); ok {
			s |= 1 << r
		}
	}
	return s
}
