package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/ca"
	"monban/server/config"
	"monban/server/directory"
	"monban/server/report"
	"monban/server/setup"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

// SetupSteps says how far the site is on its way to a guarded door: beside a running server by asking it, else by looking at the
// stopped site. Before `setup` has made the site, and before the configuration can be read, that is the first thing to do.
func SetupSteps(ctx context.Context, cfg *config.Config, now time.Time) ([]setup.Step, error) {
	there, err := exists(cfg.Path(siteKeysFile))
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, fmt.Errorf("%s: no site here yet, so nothing is done yet: begin with `monban-server setup --config FILE`", cfg.DataDir)
	}
	l, err := lock(cfg.Path(lockFile))
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		a, err := askServer(ctx, cfg.Path(requestDir), request{Steps: true})
		return a.Steps, err
	case err != nil:
		return nil, err
	}
	if err := l.Close(); err != nil {
		return nil, err
	}
	s, err := OpenSite(cfg, now, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	f, err := startupFacts(ctx, s, now, nil)
	if err := errors.Join(err, s.Close()); err != nil {
		return nil, err
	}
	return setup.Steps(f), nil
}

// Steps is SetupSteps of this running server.
func (a *App) Steps(ctx context.Context) ([]setup.Step, error) {
	f, err := startupFacts(ctx, a.site, time.Now(), func(id access.GatewayID, now time.Time) bool {
		b, heard := a.health.last(id)
		return heard && b.linked(now)
	})
	return setup.Steps(f), err
}

// startupPages implements web.Startup.
type startupPages struct {
	a     *App
	pages *pages
}

// SetupSteps implements web.Startup.
func (p *startupPages) SetupSteps(ctx context.Context) ([]setup.Step, error) { return p.a.Steps(ctx) }

// GatewayInvites implements web.Startup.
func (p *startupPages) GatewayInvites(ctx context.Context) (out []web.GatewayInvite, err error) {
	dir := p.a.pub.Site().Directory()
	invites, err := p.a.site.CA.Invites()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	for _, g := range dir.Gateways {
		x := web.GatewayInvite{ID: string(g.ID), Name: g.Name, State: "none"}
		_, err := p.a.site.Verifier(g.ID)
		switch {
		case err == nil:
			x.State = "enrolled"
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
		for _, in := range invites {
			if in.Gateway != x.ID || in.Granted || now.After(in.Until) {
				continue
			}
			x.Until = in.Until
			switch {
			case in.Confirmed:
				x.State = "confirmed"
			case in.Request != nil:
				x.State = "came"
			default:
				x.State = "invited"
			}
		}
		out = append(out, x)
	}
	return out, nil
}

// InviteGateway implements web.Startup. The leaf is made from the authority's note, within a second.
func (p *startupPages) InviteGateway(ctx context.Context, gateway string, life time.Duration, replace bool, act web.Action) (string, error) {
	if bad := reasonFault(act.Reason); bad != nil {
		return "", bad
	}
	if err := p.a.site.KnowsGateway(ctx, access.GatewayID(gateway)); err != nil {
		return "", web.ErrNotFound
	}
	return p.a.site.CA.Invite(gateway, ca.By{Account: act.Actor, Address: act.Address}, act.Reason, life, replace, act.At)
}

// ConfirmGateway implements web.Startup.
func (p *startupPages) ConfirmGateway(_ context.Context, gateway, fingerprint string, act web.Action) error {
	err := p.a.site.CA.Confirm(gateway, fingerprint, ca.By{Account: act.Actor, Address: act.Address}, act.At)
	switch {
	case errors.Is(err, ca.ErrNotCome):
		return web.ErrNotCome
	case errors.Is(err, ca.ErrOther):
		return web.ErrOtherGateway
	}
	return err
}

// DoorPaper implements web.Startup.
func (p *startupPages) DoorPaper(ctx context.Context, id access.DoorID) (web.DoorPaper, error) {
	dir := p.a.pub.Site().Directory()
	n := p.pages.names(ctx)
	for i := range dir.Doors {
		d := &dir.Doors[i]
		if d.ID != id {
			continue
		}
		out := web.DoorPaper{Door: id, Enter: d.Enter, Name: n.door(id), ZoneName: string(d.Enter), Gateway: string(d.Gateway), Observe: d.Kind == door.KindObserve, Guards: d.GuardsServer, Recovery: len(d.Recovery.List())}
		if z, ok := n.zones[d.Enter]; ok && z.Name != "" {
			out.ZoneName = z.Name
		}
		return out, nil
	}
	return web.DoorPaper{}, web.ErrNotFound
}

// startupFacts looks at a site. linked is nil where links cannot be known.
func startupFacts(ctx context.Context, s *Site, now time.Time, linked func(access.GatewayID, time.Time) bool) (setup.Facts, error) {
	cfg := s.Config
	f := setup.Facts{Now: now, Running: linked != nil, Channels: len(cfg.Alerts.Channel), BackupPlace: cfg.Backup.Dir != ""}
	dir, err := s.Directory(ctx)
	if err != nil {
		return f, err
	}
	today := directory.DateOf(now.In(cfg.Location()))
	f.Gateways, err = gatewayFacts(s, &dir, now, linked)
	if err != nil {
		return f, err
	}
	f.Doors = len(dir.Doors)
	for i := range dir.Doors {
		if dir.Doors[i].Kind == door.KindObserve {
			f.Observed++
		}
	}
	for i := range dir.Credentials {
		if dir.Credentials[i].Status == access.CredentialActive {
			f.Cards++
		}
	}
	holders := map[directory.PersonID]bool{}
	for i := range dir.Zones {
		for _, p := range dir.Entrants(dir.Zones[i].ID, today) {
			holders[p] = true
		}
	}
	f.Holders = len(holders)
	if err := s.Store.Read(ctx, func(r *store.ReadTx) error { return storedFacts(r, cfg, now, &f) }); err != nil {
		return f, err
	}
	f.PagesTLS = cfg.HTTP.TLSCert != ""
	f.PagesLocal = !f.PagesTLS
	if f.PagesTLS {
		end, err := certificateEnd(cfg)
		if err != nil { // the other steps stand all the same
			f.PagesFault = err.Error()
		}
		f.PagesEnd = end.In(cfg.Location())
	}
	if err := backupReady(cfg); err != nil {
		f.PlaceFault = err.Error()
	}
	if st, err := os.Stat(cfg.Path(backupNote)); err == nil {
		f.Backup = st.ModTime().In(cfg.Location())
	}
	copies, err := readCopies(cfg)
	if err != nil {
		return f, err
	}
	f.KeyCopies = len(copies)
	var t unix.Timex // no mode bits: only read
	state, err := unix.Adjtimex(&t)
	f.ClockUnknown = err != nil
	f.Synced = state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
	for _, c := range siteChecks(ctx, s, now) {
		if c.Err != nil {
			f.Faults = append(f.Faults, setup.Text{setup.English: strings.TrimPrefix(c.Line(false), badMark), setup.Japanese: strings.TrimPrefix(c.Line(true), badMark)})
		}
	}
	return f, nil
}

func gatewayFacts(s *Site, dir *directory.Snapshot, now time.Time, linked func(access.GatewayID, time.Time) bool) ([]setup.Gateway, error) {
	invites, err := s.CA.Invites()
	if err != nil {
		return nil, err
	}
	invited := map[string]bool{}
	for _, in := range invites {
		invited[in.Gateway] = !in.Granted && now.Before(in.Until)
	}
	var out []setup.Gateway
	for _, g := range dir.Gateways {
		_, err := s.Verifier(g.ID)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		out = append(out, setup.Gateway{
			ID: string(g.ID), Name: g.Name, Identity: err == nil, Linked: linked != nil && linked(g.ID, now), Invited: invited[string(g.ID)],
		})
	}
	return out, nil
}

// storedFacts are those that the database holds.
func storedFacts(r *store.ReadTx, cfg *config.Config, now time.Time, f *setup.Facts) error {
	list, err := r.Accounts()
	if err != nil {
		return err
	}
	for _, x := range list {
		if !x.Suspended && givesRights(x.Roles, now) {
			f.Administrators++
		}
	}
	org, err := storedOrganisation(r.Reader)
	if err != nil {
		return err
	}
	f.Organisation = org.Name != "" && org.Contact() != ""
	for key, is := range map[string]*bool{visit.SettingsKey: &f.Forms, report.FormsKey: &f.Forms, report.PrintedKey: &f.Printed} {
		switch _, err := r.Setting(key); {
		case err == nil:
			*is = true
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	newest, err := r.NewestPersonAttempt()
	switch {
	case err == nil:
		f.Swipe = time.UnixMilli(newest.ToMS).In(cfg.Location())
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	for i := range cfg.Alerts.Channel {
		c, err := r.ChannelState(cfg.Alerts.Channel[i].Name)
		if err != nil {
			return err
		}
		if at := c.Sent.Last; at.After(f.Alerted) {
			f.Alerted = at.In(cfg.Location())
		}
	}
	return nil
}

// givesRights reports whether somebody with these roles may make accounts and confirm what others ask for.
func givesRights(roles []store.RoleAssignment, now time.Time) bool {
	for _, x := range roles {
		if x.Zone != "" || now.UnixMilli() < x.FromMS || x.UntilMS != 0 && now.UnixMilli() >= x.UntilMS {
			continue
		}
		switch x.Role {
		case web.RoleCISO.String(), web.RoleChiefSecurity.String(), web.RoleSystemAdmin.String():
			return true
		}
	}
	return false
}

// certificateEnd reads when the certificate of the pages ends; it and its key must belong together.
func certificateEnd(cfg *config.Config) (time.Time, error) {
	pair, err := tls.LoadX509KeyPair(cfg.HTTP.TLSCert, cfg.HTTP.TLSKey)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: is not a certificate with its key %s: %w: put both there, PEM, readable for the server's user", cfg.HTTP.TLSCert, cfg.HTTP.TLSKey, err)
	}
	return pair.Leaf.NotAfter, nil
}
