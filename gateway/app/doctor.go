package app

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"syscall"

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
	data := checkData(cfg.DataDir)
	if checks = append(checks, data); data.Err != nil {
		return checks
	}
	clock := Check{Name: "clock", Note: ": " + kernelClock().String()}
	if kernelClock() < access.ClockRTC {
		clock.Note += " (local decisions wait for the server's time)"
	}
	checks = append(checks, clock, owners(os.Geteuid(), cfg.DataDir, cfg.IdentityDir), checkOutbox(cfg))
	return append(checks, checkPolicy(cfg, keys)...)
}

// checkData looks at the data directory. The first start makes it, so before that its parent has to be there.
func checkData(dir string) Check {
	c := Check{Name: "data directory"}
	st, err := os.Stat(dir)
	if os.IsNotExist(err) {
		c.Note = ": not made yet"
		st, err = os.Stat(filepath.Dir(dir))
	}
	if err == nil && !st.IsDir() {
		err = fmt.Errorf("%s: is not a directory", dir)
	}
	c.Err = err
	return c
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

func checkPolicy(cfg config.Config, keys wire.Keys) []Check {
	c := Check{Name: "policy"}
	v, err := keys.Verifiers()
	if err != nil {
		c.Err = err
		return []Check{c}
	}
	cache, err := policycache.Open(policycache.Config{Dir: cfg.DataDir, Site: cfg.Site, Gateway: access.GatewayID(cfg.Gateway), Verifiers: v})
	if err != nil {
		c.Err = err
		return []Check{c}
	}
	s, ok := cache.Held()
	if !ok {
		c.Note = ": none yet, every entry is denied until the server sends one"
		return []Check{c}
	}
	c.Note = fmt.Sprintf(": version %d", s.Manifest.Version)
	rules, err := access.DecodeRules(s.Rules)
	if err != nil {
		c.Err = err
		return []Check{c}
	}
	return append([]Check{c}, lockout(rules, cfg.Doors)...)
}

// lockout asks of every door that guards the server whether somebody could enter it on this gateway alone
// (AD-18). Dates are left to the server's doctor: this machine may not know the day. An observed door
// has no lock.
func lockout(r *access.Rules, doors []config.Door) []Check {
	var checks []Check
	for _, d := range r.Doors {
		i := slices.IndexFunc(doors, func(own config.Door) bool { return own.ID == string(d.ID) })
		if !d.GuardsServer || i < 0 || doors[i].Kind != "controlled" {
			continue
		}
		usable := 0
		for _, c := range r.Credentials {
			if slices.Contains(d.Recovery, c.Key) && c.Status == access.CredentialActive && c.HasPIN &&
				c.Person != access.NoPerson && r.Persons[c.Person].Active {
				usable++
			}
		}
		check := Check{Name: "way in without the server, door " + string(d.ID), Note: fmt.Sprintf(": %d recovery cards", usable)}
		switch {
		case usable < access.MinRecovery:
			check.Err = fmt.Errorf("%d of its %d recovery cards can be used: name at least %d in recovery_cards of doors.csv at the server, or nobody gets in when it is away (AD-18)", usable, len(d.Recovery), access.MinRecovery)
		case d.OfflineMode == access.OfflineDeny:
			check.Err = fmt.Errorf("its offline mode is deny: set it to cached_pin in doors.csv at the server, or nobody gets in while it is away (AD-18)")
		}
		checks = append(checks, check)
	}
	return checks
}

// owners is the doctor's line on what belongs to another user than who runs this; the server's doctor has the same.
func owners(euid int, dirs ...string) Check {
	c := Check{Name: "owner of the files"}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // gone meanwhile, or not made yet
			}
			if d == nil {
				return err
			}
			info, statErr := d.Info()
			if statErr != nil {
				return nil //nolint:nilerr // gone meanwhile
			}
			if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != euid {
				return fmt.Errorf("%s belongs to %s, and the gateway cannot use it: as root, chown -R %s: %s", path, ownerName(st.Uid), ownerName(uint32(euid)), dir) //nolint:gosec // a user's number
			}
			return err
		})
		if err != nil {
			c.Err = err
			return c
		}
	}
	return c
}
