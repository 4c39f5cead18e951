package app

import (
	"fmt"
	"log/slog"
	"os"

	"monban/firmware/access"
	"monban/firmware/wire"
	"monban/gateway/config"
	"monban/gateway/outbox"
	"monban/gateway/policycache"
)

// Check is one line of the doctor's report.
type Check struct {
	Name string
	Note string
	Err  error
}

// Doctor checks an installation that is not running.
func Doctor(path string) []Check {
	cfg, err := config.Load(path)
	checks := []Check{{Name: "configuration " + path, Err: err}}
	if err != nil {
		return checks
	}
	id, err := LoadIdentity(cfg.IdentityDir)
	checks = append(checks, Check{Name: "identity in " + cfg.IdentityDir, Err: err})
	if err != nil {
		return checks
	}
	keys, err := wire.OpenKeys(id.Root, cfg.Site, string(id.KeysNote))
	checks = append(checks, Check{Name: "list of the server's role keys", Err: err})
	if err != nil {
		return checks
	}
	st, err := os.Stat(cfg.DataDir)
	if err == nil && !st.IsDir() {
		err = fmt.Errorf("%s: is not a directory", cfg.DataDir)
	}
	checks = append(checks, Check{Name: "data directory", Err: err})
	if err != nil {
		return checks
	}
	clock := Check{Name: "clock", Note: ": " + kernelClock().String()}
	if kernelClock() < access.ClockRTC {
		clock.Note += " (local decisions wait for the server's time)"
	}
	checks = append(checks, clock, checkOutbox(cfg), checkPolicy(cfg, keys))
	return checks
}

func checkOutbox(cfg config.Config) Check {
	c := Check{Name: "outbox"}
	if _, err := os.Stat(cfg.Path("outbox.db")); os.IsNotExist(err) {
		c.Note = ": not made yet"
		return c
	}
	o, err := outbox.Open(outbox.Config{
		Path: cfg.Path("outbox.db"), Gateway: access.GatewayID(cfg.Gateway), Log: slog.New(slog.DiscardHandler),
		Stamp: func() wire.Stamp { return wire.Stamp{} },
	})
	if err != nil {
		c.Err = err
		return c
	}
	s := o.Stat()
	c.Note = fmt.Sprintf(": %d records wait for an ack, %d of %d MiB used", s.Pending, s.Used>>20, s.Cap>>20)
	c.Err = o.Close()
	return c
}

func checkPolicy(cfg config.Config, keys wire.Keys) Check {
	c := Check{Name: "policy"}
	v, err := keys.Verifiers()
	if err != nil {
		c.Err = err
		return c
	}
	cache, err := policycache.Open(policycache.Config{Dir: cfg.DataDir, Site: cfg.Site, Gateway: access.GatewayID(cfg.Gateway), Verifiers: v})
	if err != nil {
		c.Err = err
		return c
	}
	if s, ok := cache.Held(); ok {
		c.Note = fmt.Sprintf(": version %d", s.Manifest.Version)
	} else {
		c.Note = ": none yet, every entry is denied until the server sends one"
	}
	return c
}
