package world

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/app"
	"monban/server/config"
	"monban/server/directory"
)

const (
	benchSite  = "bench-site"
	benchCards = 200 // people with one card each; their numbers are public and open nothing elsewhere
	facility   = 123
	firstCard  = 1000
)

func gatewayName(i int) access.GatewayID { return access.GatewayID(fmt.Sprintf("g-%04d", i)) }
func doorName(i int) access.DoorID       { return access.DoorID(fmt.Sprintf("d-%04d", i)) }

// benchFiles is a directory of n gateways with one door each, all into one zone that everybody may
// enter: what is measured is the way of an answer, not the refusal of it.
func benchFiles(n int) ([]directory.File, error) {
	var gateways, doors, people, cards, grants strings.Builder
	gateways.WriteString("gateway_id,name\n")
	doors.WriteString("door_id,name,name_en,gateway_id,enter_zone,exit_zone,kind,exit,offline,max_age\n")
	for i := range n {
		fmt.Fprintf(&gateways, "%s,計測 %d\n", gatewayName(i), i)
		fmt.Fprintf(&doors, "%s,計測扉 %d,Door %d,%s,room,,controlled,reader,cached,24h\n", doorName(i), i, i, gatewayName(i))
	}
	people.WriteString("person_id,name,name_reduced,kana,romaji,section,company,category,contract_from,contract_until\n")
	cards.WriteString("card_id,person_id,format,facility_code,card_number,assurance,status,pin,duress_pin\n")
	grants.WriteString("person_id,zone_id,schedule_id,valid_from,valid_until\n")
	for i := range benchCards {
		fmt.Fprintf(&people, "p%04d,髙橋 %d,高橋 %d,タカハシ,Takahashi,情報政策課,,staff,,\n", i, i, i)
		fmt.Fprintf(&cards, "c-%04d,p%04d,H10301,%d,%d,uid_only,active,,\n", i, i, facility, firstCard+i)
		fmt.Fprintf(&grants, "p%04d,room,always,,\n", i)
	}
	var files []directory.File
	for name, text := range map[string]string{
		"gateways.csv": gateways.String(), "doors.csv": doors.String(), "people.csv": people.String(), "cards.csv": cards.String(),
		"grants.csv":    grants.String(),
		"zones.csv":     "zone_id,name,name_en,level,min_assurance,pin_always,offline_grant_and_flag\nroom,計測室,Room,1,uid_only,no,no\n",
		"schedules.csv": "schedule_id,name,name_en,days,from,to\nalways,常時,Always,every,0:00,24:00\n",
	} {
		kind, ok := directory.KindOf(name)
		if !ok {
			return nil, fmt.Errorf("BUG: %s is of no kind", name)
		}
		files = append(files, directory.File{Name: name, Kind: kind, Data: []byte(text)})
	}
	return files, nil
}

// benchConfig writes and loads the configuration of a server whose data lies in dir/name.
func benchConfig(ctx context.Context, dir, name string, gateways int) (*config.Config, error) {
	mqtt, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	http, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf(`site = %q
time_zone = "Asia/Tokyo"
data_dir = %q

[mqtt]
listen = %q
max_gateways = %d

[http]
listen = %q

[log]
level = "warn"
`, benchSite, filepath.Join(dir, name), mqtt, max(gateways, 100), http)
	path := filepath.Join(dir, name+".toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("configuration of the bench: %w", err)
	}
	return config.Load(path)
}

// freePort finds a port that is free now. Somebody else may take it before our server does; the bench
// then fails and is run again.
func freePort(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// makeSite prepares a site of n gateways, their identities in dir/identity/ID, and leaves it closed.
func makeSite(ctx context.Context, dir, name string, n int, log *slog.Logger) (*config.Config, error) {
	cfg, err := benchConfig(ctx, dir, name, n)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if err := app.CreateSite(cfg, now, log); err != nil {
		return nil, err
	}
	s, err := app.OpenSite(cfg, now, log)
	if err != nil {
		return nil, err
	}
	defer s.Close() // what was written is committed; an error here is found by the next open
	// Gateways' keys before the import: what is published is keyed for each of them.
	for i := range n {
		if err := s.AddGateway(gatewayName(i), identityDir(dir, name, i), now); err != nil {
			return nil, err
		}
	}
	files, err := benchFiles(n)
	if err != nil {
		return nil, err
	}
	if _, err := s.Import(ctx, files, app.ImportOptions{Reason: "bench", Now: now}); err != nil {
		return nil, err
	}
	return cfg, nil
}

func identityDir(dir, name string, i int) string {
	return filepath.Join(dir, name+"-identity-"+string(gatewayName(i)))
}
