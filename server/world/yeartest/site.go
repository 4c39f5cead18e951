// Package yeartest moves the bodies of a made year (server/world/year) through the product: the gateways' door machines, the
// server's decisions, ingest with its findings, and the store, in the year's own time. What comes of it is compared with the year's
// answer sheet, which knows nothing of any of them.
//
// Real are gateway/controller's Machine, firmware/door, firmware/access, server/authority, server/ingest, server/review,
// server/policypub, server/directory and server/store. Left out are the network and its protocol (firmware/link), which the
// simulator and the end-to-end tests try hard enough: a cable that is whole carries everything at once, a cut one nothing.
package yeartest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"monban/firmware/access"
	"monban/server/app"
	"monban/server/config"
	"monban/server/directory"
	"monban/server/policypub"
	"monban/server/signer"
	"monban/server/world/year"
)

// siteName is the name of the made city's site.
const siteName = "year-site"

// found makes the site of a year in dir, as a city would set it up on the eve of the first day.
func found(ctx context.Context, dir string, y *year.Year) (*app.Site, error) {
	text := fmt.Sprintf("site = %q\ntime_zone = \"Asia/Tokyo\"\ndata_dir = %q\n\n[mqtt]\nlisten = \"127.0.0.1:0\"\n\n[http]\nlisten = \"127.0.0.1:0\"\n",
		siteName, filepath.Join(dir, "server"))
	path := filepath.Join(dir, "server.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("site of the year: %w", err)
	}
	cfg, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	log, eve := slog.New(slog.DiscardHandler), y.Plan.First.Start(y.Zone).Add(-time.Hour)
	if err := app.CreateSite(cfg, time.Now(), log); err != nil {
		return nil, err
	}
	s, err := app.OpenSite(cfg, time.Now(), log)
	if err != nil {
		return nil, err
	}
	for _, d := range y.Doors {
		gw := access.GatewayID(d.Gateway)
		if _, known := s.Keys.Gateways[gw]; known {
			continue
		}
		if err := s.AddGateway(gw, filepath.Join(dir, "identity-"+d.Gateway), time.Now()); err != nil {
			return nil, err
		}
	}
	var files []directory.File
	for name, data := range y.Files {
		kind, ok := directory.KindOf(name)
		if !ok {
			return nil, fmt.Errorf("BUG: %s is of no kind", name)
		}
		files = append(files, directory.File{Name: name, Kind: kind, Data: []byte(data)})
	}
	if _, err := s.Import(ctx, files, app.ImportOptions{Reason: "a made year", Now: eve}); err != nil {
		return nil, err
	}
	return s, nil
}

// publisher publishes the site's rules by the year's clock.
func publisher(s *app.Site, now func() time.Time) (*policypub.Publisher, error) {
	sign, err := s.Signer.NoteSigner(signer.RolePolicy)
	if err != nil {
		return nil, err
	}
	return policypub.New(policypub.Config{Store: s.Store, Signer: sign, Site: s.Config.Site, Keys: s.Keys, Now: now}), nil
}
