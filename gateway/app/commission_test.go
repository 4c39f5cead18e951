package app

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/gateway/config"
)

// commissionSite is a gateway with an identity and one simulated door, whose server is not there.
func commissionSite(t *testing.T) config.Config {
	t.Helper()
	s := newTrustSite(t)
	leaf, key := s.certificate(s.tls[0], s.keys[0], 7)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s.put(certificateFile, slices.Concat(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	skey, _, err := note.GenerateKey(rand.Reader, wire.GatewayKeyName("hall", "gw"))
	if err != nil {
		t.Fatal(err)
	}
	s.put("note.key", []byte(skey+"\n"))
	of := `{"version": 1, "key": "` + strings.Repeat("a2V5", 10) + `a2U="}`
	s.put("symmetric.json", fmt.Appendf(nil, `{"card_key": %s, "pin_key": %s, "gateway_key": %s, "ask_key": %s}`, of, of, of, of))
	cfg, err := config.Parse("test", fmt.Appendf(nil, `gateway = "gw"
site = "hall"
server = "tls://127.0.0.1:1"
identity_dir = %q
data_dir = %q
[[door]]
id = "d1"
kind = "controlled"
exit = "button"
[[door.reader]]
side = "enter"
type = "wiegand"
formats = ["H10301"]
`, s.dir, filepath.Join(t.TempDir(), "data")))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func commissionOptions(t *testing.T, cfg config.Config) CommissionOptions {
	return CommissionOptions{Options: Options{Config: cfg, Sim: true, Version: "test", Log: slog.New(slog.DiscardHandler), Out: &screen{}}, Door: "d1", Dir: t.TempDir()}
}

// DS-8, ADR 0050: a port that is busy ends `commission` before the gateway is built, so that no watchdog is left armed
// with nobody to feed it; a gateway that cannot be built gives the port back.
func TestCommissionTakesThePortFirst(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := commissionSite(t)
	cfg.IdentityDir = t.TempDir() // New refuses it
	opt := commissionOptions(t, cfg)
	opt.Listen = l.Addr().String()
	if _, err := Commission(t.Context(), opt); err == nil || !strings.Contains(err.Error(), "page for a tablet") {
		t.Errorf("the port is busy: %v", err)
	}
	l.Close()
	if _, err := Commission(t.Context(), opt); err == nil || strings.Contains(err.Error(), "page for a tablet") {
		t.Errorf("no identity: %v", err)
	}
	if l, err = net.Listen("tcp", opt.Listen); err != nil {
		t.Fatalf("the port is not given back: %v", err)
	}
	l.Close()
}

// ADR 0050: how an acceptance ended is in the log whatever ended it: broken off, before the gateway's own end, so that it
// is never refused; after the gateway has stopped by itself, behind it.
func TestCommissionRecordsItsEnd(t *testing.T) {
	for name, row := range map[string]struct {
		quit bool
		want string
	}{
		"broken off":          {false, "commission not_accepted shutdown"},
		"the gateway stopped": {true, "commission shutdown not_accepted"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := commissionSite(t)
			opt := commissionOptions(t, cfg)
			out := &screen{}
			opt.Control, opt.Out = filepath.Join(t.TempDir(), "c"), out
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ended := make(chan error, 1)
			go func() {
				_, err := Commission(ctx, opt)
				_, _ = fmt.Fprintln(out, "ended:", err)
				ended <- err
			}()
			out.shows(t, "Acceptance of door d1")
			if row.quit {
				quit(t, opt.Control)
			} else {
				stop()
			}
			var err error
			select {
			case err = <-ended:
			case <-time.After(time.Minute):
				t.Fatal("the acceptance does not end")
			}
			if err == nil || !strings.Contains(err.Error(), "were not seen") || strings.Contains(err.Error(), "the gateway stopped") != row.quit {
				t.Errorf("%v", err)
			}
			var got []string
			for _, r := range records(t, cfg) {
				switch r.Event {
				case door.EventMaintenance:
					got = append(got, r.Detail)
				case door.EventShutdown:
					got = append(got, string(r.Event))
				}
			}
			if got := strings.Join(got, " "); got != row.want {
				t.Errorf("the records are %q, want %q", got, row.want)
			}
		})
	}
}

// quit tells the gateway behind a control socket to stop.
func quit(t *testing.T, path string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("unix", path)
		if err == nil {
			_, err = c.Write([]byte("quit\n"))
			c.Close()
		}
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}
