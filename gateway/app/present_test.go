package app

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/card"
	"monban/gateway/config"
	"monban/gateway/controller"
)

// RR-3, D7, PR-2: the gateway that runs keeps a list of who is inside which another process prints without the server: numbers and no names,
// with what it does not know said. It is as old as its last write.
func TestPresentAtTheGateway(t *testing.T) {
	policy, err := access.Compile(access.Rules{
		Version: 1, Site: "s", TimeZone: "Asia/Tokyo",
		Persons:     []access.Person{{ID: "0123456789abcdef0123456789abcdef", Active: true, Category: access.CategoryStaff}},
		Credentials: []access.Credential{{Key: access.Key{1}, Status: access.CredentialActive, Assurance: card.UIDOnly}},
		Zones:       []access.Zone{{ID: "server-room", Level: 1, MinAssurance: card.UIDOnly, AntiPassback: access.AntiPassbackHard}},
		Doors:       []access.Door{{ID: "d", EnterZone: "server-room", Sides: []access.Side{access.SideEnter, access.SideExit}, MaxAgeMS: 1}},
	}, tokyoZone(t))
	if err != nil {
		t.Fatal(err)
	}
	a := &App{opt: Options{Log: slog.New(slog.DiscardHandler)}, places: controller.NewPlaces()}
	a.opt.Config = config.Config{DataDir: t.TempDir(), Site: "s", Gateway: "gw-1", Doors: []config.Door{{ID: "d"}}}
	if a.anchor, err = newAnchor(access.ClockNTP); err != nil {
		t.Fatal(err)
	}
	printed := func(at time.Time) string {
		t.Helper()
		var out strings.Builder
		if err := PrintPresent(&out, a.opt.Config, at); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if err := PrintPresent(&strings.Builder{}, a.opt.Config, time.Now()); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("without a file: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { a.keepPresent(ctx); close(done) }()
	wait := func(what string) string {
		t.Helper()
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if _, err := os.Stat(filepath.Join(a.opt.Config.DataDir, presentFile)); err != nil {
				continue
			}
			if out := printed(time.Now()); strings.Contains(out, what) {
				return out
			}
		}
		t.Fatalf("the list never says %q: %s", what, printed(time.Now()))
		return ""
	}
	wait("Who is inside is not known here") // no policy, no word of the server
	a.current.Store(policy)
	a.places.SetPolicy(policy, 1)
	in := access.NewState(access.KnowAll)
	entered := time.Date(2026, 11, 26, 7, 30, 0, 0, tokyoZone(t))
	access.Apply(in, access.Event{Kind: access.EventPassage, Person: "0123456789abcdef0123456789abcdef", Zone: "server-room", WallMS: entered.UnixMilli(), Party: 3})
	a.places.Rebuilt(in, 1)
	out := wait("0123-4567  11-26 07:30")
	for _, want := range []string{"[server-room]", "計 3人", "The server is not heard", "s / gw-1"} {
		if !strings.Contains(out, want) {
			t.Errorf("the list does not say %q:\n%s", want, out)
		}
	}
	for _, no := range []string{"89abcdef0123", "not known here", "old:"} {
		if strings.Contains(out, no) {
			t.Errorf("the list says %q:\n%s", no, out)
		}
	}
	a.linked.Store(true)
	a.places.Rebuilt(access.NewState(access.KnowAll), 2)
	if out := wait("計 0人"); strings.Contains(out, "The server is not heard") || strings.Contains(out, "0123-4567") {
		t.Errorf("after everybody left:\n%s", out)
	}
	stop()
	<-done
	if out := printed(time.Now().Add(time.Hour)); !strings.Contains(out, "see whether the gateway runs") {
		t.Errorf("an old list does not say so:\n%s", out)
	}
	if info, err := os.Stat(filepath.Join(a.opt.Config.DataDir, presentFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
}

func tokyoZone(t *testing.T) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	return loc
}
