package app

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"monban/server/config"
	"monban/server/ldap"
	"monban/server/oidc"
	"monban/server/store"
	"monban/server/web"
)

// secretFile reads the first line of a file that only its owner should read.
func secretFile(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("secret: %w", err)
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	if line = bytes.TrimRight(line, "\r"); len(line) == 0 {
		return "", fmt.Errorf("%s: its first line is empty", path)
	}
	return string(line), nil
}

// rootsOf reads a certificate authority; nil without a file means the system's.
func rootsOf(path string) (*x509.CertPool, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // nil is a choice of its own here
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s: holds no certificate", path)
	}
	return pool, nil
}

// openDirectory prepares the city's directory; nil when there is none.
func openDirectory(cfg config.LDAP) (*ldap.Directory, error) {
	if cfg.URL == "" {
		return nil, nil //nolint:nilnil // none is configured
	}
	password, err := secretFile(cfg.PasswordFile)
	if err != nil {
		return nil, err
	}
	roots, err := rootsOf(cfg.CAFile)
	if err != nil {
		return nil, err
	}
	c := ldap.Config{URL: cfg.URL, Roots: roots, BindDN: cfg.BindDN, Password: password, Base: cfg.Base, Filter: cfg.Filter, Nested: cfg.Nested}
	for _, g := range cfg.Group {
		c.Groups = append(c.Groups, ldap.GroupRole{Group: g.DN, Role: g.Role})
	}
	return ldap.New(c)
}

// provider joins the sign-in provider to the pages.
type provider struct {
	p     *oidc.Provider
	label string
}

// openProvider prepares the sign-in provider; nil when there is none.
func openProvider(cfg config.OIDC, public string) (web.Provider, error) {
	if cfg.Issuer == "" {
		return nil, nil //nolint:nilnil // none is configured
	}
	secret := ""
	var err error
	if cfg.SecretFile != "" {
		if secret, err = secretFile(cfg.SecretFile); err != nil {
			return nil, err
		}
	}
	roots, err := rootsOf(cfg.CAFile)
	if err != nil {
		return nil, err
	}
	p, err := oidc.New(oidc.Config{Issuer: cfg.Issuer, ClientID: cfg.ClientID, Secret: secret, Redirect: public + "/login/provider/back", Claim: cfg.Claim,
		StrongAMR: cfg.StrongAMR, Roots: roots})
	if err != nil {
		return nil, err
	}
	label := cfg.Label
	if label == "" {
		label = "OpenID Connect"
	}
	return provider{p, label}, nil
}

// Label implements web.Provider.
func (p provider) Label() string { return p.label }

// Start implements web.Provider.
func (p provider) Start(ctx context.Context, a web.ProviderAttempt, fresh bool) (string, error) {
	return p.p.Start(ctx, oidc.Attempt(a), fresh)
}

// Finish implements web.Provider.
func (p provider) Finish(ctx context.Context, code string, a web.ProviderAttempt) (web.Identity, error) {
	who, err := p.p.Finish(ctx, code, oidc.Attempt(a))
	return web.Identity(who), err
}

// finder is the part of the directory that a synchronisation asks.
type finder interface {
	Find(ctx context.Context, name string) (ldap.Entry, error)
}

// SyncLine says what the directory says of one account.
type SyncLine struct {
	Login     string
	Suspended bool     // it is suspended now, or would be
	Why       string   // gone, disabled
	Missing   []string // roles that its groups mean and it has not
	Extra     []string // roles of the table that it has without the group
}

func (l SyncLine) String() string {
	var parts []string
	if l.Suspended {
		parts = append(parts, "suspended: "+l.Why)
	}
	if len(l.Missing) > 0 {
		parts = append(parts, "groups mean, and it has not: "+strings.Join(l.Missing, ", "))
	}
	if len(l.Extra) > 0 {
		parts = append(parts, "has without the group: "+strings.Join(l.Extra, ", "))
	}
	return l.Login + "  " + strings.Join(parts, "; ")
}

// SyncOptions says how far a synchronisation may go.
type SyncOptions struct {
	DryRun bool
	Force  bool // also when most accounts would be suspended
	Table  []config.LDAPGroup
	Now    time.Time
}

// syncAccounts suspends accounts whose owner the directory has no longer, or has disabled, and lists where roles and
// groups differ. It deletes nothing and gives nothing. When the directory cannot be asked about one account, nothing
// is done at all: half an answer suspends the wrong half.
func syncAccounts(ctx context.Context, s *store.Store, dir finder, o SyncOptions) ([]SyncLine, error) {
	var list []store.Account
	err := s.Read(ctx, func(r *store.ReadTx) (err error) {
		list, err = r.Accounts()
		return err
	})
	if err != nil {
		return nil, err
	}
	var lines []SyncLine
	var gone []store.Account
	asked := 0
	for _, a := range list {
		if a.Source != web.SourceDirectory || a.Suspended {
			continue
		}
		asked++
		e, err := dir.Find(ctx, a.Login)
		line := SyncLine{Login: a.Login}
		switch {
		case errors.Is(err, ldap.ErrNotFound):
			line.Suspended, line.Why = true, "not in the directory"
		case err != nil:
			return nil, fmt.Errorf("nothing was changed: %w", err)
		case e.Disabled:
			line.Suspended, line.Why = true, "disabled in the directory"
		default:
			line.Missing, line.Extra = compareRoles(a, e.Roles, o)
		}
		if line.Suspended {
			gone = append(gone, a)
		}
		if line.Suspended || len(line.Missing)+len(line.Extra) > 0 {
			lines = append(lines, line)
		}
	}
	if len(gone) > 1 && 2*len(gone) > asked && !o.Force {
		return lines, fmt.Errorf("nothing was changed: %d of %d accounts would be suspended; is ldap.base right? --force does it", len(gone), asked)
	}
	if o.DryRun {
		return lines, nil
	}
	for _, a := range gone {
		if err := suspendGone(ctx, s, a.ID, o.Now); err != nil {
			return lines, err
		}
	}
	return lines, nil
}

// compareRoles lists the roles of the table that groups mean and the account lacks, and the other way round.
func compareRoles(a store.Account, want []string, o SyncOptions) (missing, extra []string) {
	has := map[string]bool{}
	for _, r := range a.Roles {
		if r.FromMS <= o.Now.UnixMilli() && (r.UntilMS == 0 || o.Now.UnixMilli() < r.UntilMS) {
			has[r.Role] = true
		}
	}
	for _, r := range want {
		if !has[r] && !slices.Contains(missing, r) {
			missing = append(missing, r)
		}
	}
	for _, g := range o.Table {
		if has[g.Role] && !slices.Contains(want, g.Role) && !slices.Contains(extra, g.Role) {
			extra = append(extra, g.Role)
		}
	}
	return missing, extra
}

// suspendGone suspends one account and ends its sessions, with a leaf.
func suspendGone(ctx context.Context, s *store.Store, id string, now time.Time) error {
	const why = "directory: no longer there, or disabled"
	return s.Write(ctx, func(tx *store.Tx) error {
		a, err := tx.AccountByID(id)
		if err != nil || a.Suspended {
			return err
		}
		a.Suspended, a.SuspendedWhy = true, why
		if err := errors.Join(tx.UpdateAccount(a), tx.DeleteAccountSessions(id, "")); err != nil {
			return err
		}
		return act(tx, web.Action{At: now, Kind: web.ActionAccountSuspended, Target: id, Reason: why})
	})
}

// followDirectory synchronises now and then, until ctx ends.
func (a *App) followDirectory(ctx context.Context, cfg *config.Config) {
	t := time.NewTicker(cfg.LDAP.SyncEvery.Std())
	defer t.Stop()
	for {
		lines, err := syncAccounts(ctx, a.site.Store, a.directory, SyncOptions{Table: cfg.LDAP.Group, Now: time.Now()})
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			a.log.LogAttrs(ctx, slog.LevelWarn, "directory", slog.Any("err", err))
		}
		for _, l := range lines {
			a.log.LogAttrs(ctx, slog.LevelInfo, "directory", slog.Bool("suspended", l.Suspended && err == nil), slog.Any("missing", l.Missing), slog.Any("extra", l.Extra))
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// SyncDirectory is the synchronisation from the command line.
func (s *Site) SyncDirectory(ctx context.Context, o SyncOptions) ([]SyncLine, error) {
	dir, err := openDirectory(s.Config.LDAP)
	if err != nil {
		return nil, err
	}
	if dir == nil {
		return nil, errors.New("ldap.url is not set: there is no directory")
	}
	o.Table = s.Config.LDAP.Group
	return syncAccounts(ctx, s.Store, dir, o)
}

// TryDirectory asks the directory about one name, and about a password unless it is empty. It opens no site.
func TryDirectory(ctx context.Context, cfg *config.Config, name, password string) (string, error) {
	dir, err := openDirectory(cfg.LDAP)
	if err != nil {
		return "", err
	}
	if dir == nil {
		return "", errors.New("ldap.url is not set: there is no directory")
	}
	e, err := dir.Find(ctx, name)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "found: %s\n", e.DN)
	fmt.Fprintf(&b, "disabled: %v\n", e.Disabled)
	fmt.Fprintf(&b, "roles by groups: %s\n", strings.Join(e.Roles, ", "))
	if password == "" {
		return b.String() + "password: not tried\n", nil
	}
	good, err := dir.Verify(ctx, name, password)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(&b, "password: %s\n", map[bool]string{true: "right", false: "refused"}[good])
	return b.String(), nil
}
