package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"monban/firmware/calendar"
	"monban/server/config"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/store"
)

// Check is one line of the doctor's report.
type Check struct {
	Name string
	Note string // begins with a space or ": "
	Err  error
}

// Doctor checks an installation that is not running, from the configuration on; it stops at the first
// fault that makes the rest meaningless.
func Doctor(ctx context.Context, path string, now time.Time) []Check {
	cfg, err := config.Load(path)
	checks := []Check{{Name: "configuration " + path, Err: err}}
	if err != nil {
		return checks
	}
	s, err := OpenSite(cfg, now, slog.New(slog.DiscardHandler))
	checks = append(checks, Check{Name: "keys, certificates, database in " + cfg.DataDir, Err: err})
	if err != nil {
		return checks
	}
	defer func() { _ = s.Close() }() // everything was only read
	checks = append(checks, clock(ctx, s, now), Check{Name: "database pages", Err: s.Store.QuickCheck(ctx)}, Check{Name: "keys of the records", Err: s.keysThere(ctx)})
	return append(checks, siteChecks(ctx, s, now)...)
}

// siteChecks are those that a running server can answer too.
func siteChecks(ctx context.Context, s *Site, now time.Time) (checks []Check) {
	cfg := s.Config
	checks = append(checks, owners(cfg), Check{Name: "list of refused certificates", Err: denyList(s.CA.ListErr())}, certificates(s.CA, now))
	checks = append(checks, rollCheck(cfg)...)
	checks = append(checks, masterCopies(cfg, now))
	checks = append(checks, pagesCheck(cfg, now)...)
	if cfg.Backup.Dir != "" {
		place := Check{Name: "place of nightly backups", Note: ": " + cfg.Backup.Dir}
		same := ""
		if same, place.Err = placeSaid(cfg); same != "" {
			place.Note = fmt.Sprintf(": %s, on the disk of the data directory: %s", cfg.Backup.Dir, same)
		}
		checks = append(checks, place, Check{Name: "keys of nightly backups", Err: recipientsThere(cfg)})
	}
	if err := foldersWritable(cfg); !errors.Is(err, errNotSetUp) {
		checks = append(checks, Check{Name: "folders of muster and key copies", Err: err})
	}
	checks = append(checks, Check{Name: "signing of checkpoints", Err: guided(s.Store.SignErr())})
	dir, err := s.Directory(ctx)
	checks = append(checks, Check{Name: "directory", Err: err, Note: fmt.Sprintf(": %d people, %d cards, %d doors, %d gateways",
		len(dir.People), len(dir.Credentials), len(dir.Doors), len(dir.Gateways))})
	for _, g := range dir.Gateways {
		_, err := s.Verifier(g.ID)
		if err != nil {
			err = fmt.Errorf("has no identity yet: run `monban-server gateway add %s`", g.ID)
		}
		checks = append(checks, Check{Name: "gateway " + string(g.ID), Err: err})
	}
	today := directory.DateOf(now.In(cfg.Location()))
	if len(dir.Items) > 0 {
		checks = append(checks, inventory(&dir, today))
	}
	checks = append(checks, lockout(&dir, today), rollover(&dir, today), rulesCheck(&dir, today))
	var accountsErr error
	err = s.Store.Read(ctx, func(r *store.ReadTx) error {
		n, err := r.AccountCount()
		if err == nil && n == 0 {
			accountsErr = fmt.Errorf("nobody can sign in yet: serve prints a set-up code")
		}
		return err
	})
	if err == nil {
		err = accountsErr
	}
	checks = append(checks, Check{Name: "accounts", Err: err})
	return append(checks, closedDays(dir.ClosedDays, calendar.DateOf(now.In(cfg.Location())).FiscalYear()))
}

// pagesCheck looks at the certificate of the pages; nothing while they are for this machine only.
func pagesCheck(cfg *config.Config, now time.Time) []Check {
	if cfg.HTTP.TLSCert == "" {
		return nil
	}
	c := Check{Name: "certificate of the pages"}
	end, err := certificateEnd(cfg)
	switch {
	case err != nil:
		c.Err = err
	case !now.Before(end):
		c.Err = fmt.Errorf("ended on %s: put a new one in the place of %s and start the server again", end.Format(time.DateOnly), cfg.HTTP.TLSCert)
	default:
		c.Note = fmt.Sprintf(": %d days left", int(end.Sub(now).Hours()/24))
	}
	return []Check{c}
}

// inventory names what is to be looked at: due counts and yearly checks (EQ-4, M2, M11), what is missing, and what is away for repair. A thing
// outside of the building that nobody has looked at in its interval is a fault (M15); the rest is work of an ordinary month.
func inventory(dir *directory.Snapshot, today directory.Date) Check {
	c := Check{Name: "inventory", Note: ": nothing is due"}
	var due, remote, away []string
	for _, x := range dir.ItemsDue(today) {
		due = append(due, string(x.ID))
		if x.Remote {
			remote = append(remote, string(x.ID))
		}
	}
	for _, x := range dir.Items {
		if x.State == directory.ItemRepair {
			away = append(away, string(x.ID))
		}
	}
	if len(due)+len(away) > 0 {
		c.Note = fmt.Sprintf(": to be looked at: %s; away for repair: %s", listOr(due), listOr(away))
	}
	if len(remote) > 0 {
		c.Err = fmt.Errorf("outside of the building and not looked at in time: %s: look, then note the day in inventory.csv (counted)", strings.Join(remote, ", "))
	}
	return c
}

func listOr(ids []string) string {
	if len(ids) == 0 {
		return "none"
	}
	return strings.Join(ids, ", ")
}

// guided adds to a log in doubt what to do.
func guided(err error) error {
	if !errors.Is(err, store.ErrHead) {
		return err
	}
	return fmt.Errorf("%w: find out who put this database there, and keep it; then put the right one back, or `monban-server restore` the newest backup (operations, Restore). Doors decide by themselves meanwhile", err)
}

// denyList says what it means that the list cannot be read.
func denyList(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: no gateway can connect anew until it can be read, and a denial in it may not be in force: mend its owner or the line, then deny again", err)
}

// rollCheck says how a change of the root stands; nothing when none is under way.
func rollCheck(cfg *config.Config) []Check {
	st, err := Rolling(cfg)
	c := Check{Name: "change of the root", Err: err}
	switch {
	case err != nil:
	case !st.UnderWay:
		return nil
	case len(st.Waiting) == 0:
		c.Note = ": every gateway has confirmed; end it with `ca roll --finish`"
	default:
		c.Note = ": waits for " + strings.Join(st.Waiting, ", ")
	}
	return []Check{c}
}

// lockout asks whether people could be kept from the server by the server's own door (AD-18).
func lockout(dir *directory.Snapshot, today directory.Date) Check {
	c := Check{Name: "way in without the server"}
	if probs := dir.Lockout(today); len(probs) > 0 {
		c.Err = fmt.Errorf("%s", strings.ReplaceAll(probs.Error(), "\n", "; "))
		return c
	}
	guards := 0
	for i := range dir.Doors {
		if dir.Doors[i].GuardsServer {
			guards++
		}
	}
	c.Note = fmt.Sprintf(": %d doors guard the server, each with recovery cards", guards)
	if guards == 0 {
		c.Note = ": no door is marked guards_server; mark the one in front of the server in doors.csv (AD-18)"
	}
	return c
}

// rollover asks whether at least two people could enter each zone on 1 April (AD-19). From 1 March on, and on the
// day itself, too few is a fault; before that it is a note, since nothing is renewed yet.
func rollover(dir *directory.Snapshot, today directory.Date) Check {
	c := Check{Name: "1 April"}
	gaps := dir.RolloverGaps(today)
	if len(gaps) == 0 {
		c.Note = ": at least two people can enter each zone"
		return c
	}
	var zones []string
	for _, g := range gaps {
		zones = append(zones, fmt.Sprintf("%s (%d)", g.Zone, len(g.People)))
	}
	text := fmt.Sprintf("fewer than two people could enter %s on %s; renew grants (AD-19)", strings.Join(zones, ", "), gaps[0].Day)
	if directory.RenewalsOpen(today) || today == gaps[0].Day {
		c.Err = fmt.Errorf("%s", text)
		return c
	}
	c.Note = ": " + text
	return c
}

// rulesCheck shows what is probably not meant in the directory.
func rulesCheck(dir *directory.Snapshot, today directory.Date) Check {
	c := Check{Name: "rules"}
	list := dir.Warnings(nil, true, today)
	const shown = 5
	for i, w := range list {
		if i == shown {
			c.Note += fmt.Sprintf("; and %d more", len(list)-shown)
			break
		}
		sep := "; "
		if i == 0 {
			sep = ": look at "
		}
		c.Note += sep + w.String()
	}
	return c
}

// closedDays counts the closed days of this fiscal year and the next (AD-5). None is a note and no
// fault: a site without schedules that tell holidays apart needs none.
func closedDays(days []directory.ClosedDay, year calendar.FiscalYear) Check {
	var count [2]int
	for _, d := range days {
		y := calendar.Date{Year: d.Day.Year, Month: d.Day.Month, Day: d.Day.Day}.FiscalYear()
		if y == year || y == year+1 {
			count[y-year]++
		}
	}
	c := Check{Name: "closed days", Note: fmt.Sprintf(": %d in %s, %d in %s", count[0], year.English(), count[1], (year + 1).English())}
	if count[0] == 0 || count[1] == 0 {
		c.Note += " (without closed_days.csv schedules take national holidays for working days)"
	}
	return c
}

// clock holds this machine's clock against the newest leaf: a clock that has gone back would date the
// next entries before the last ones.
func clock(ctx context.Context, s *Site, now time.Time) Check {
	c := Check{Name: "clock"}
	at, err := s.newest(ctx)
	if err == nil && at.After(now.Add(time.Minute)) {
		zone := s.Config.Location()
		err = fmt.Errorf("stands at %s, but the newest entry is of %s: set it before serve", now.In(zone).Format(time.DateTime), at.In(zone).Format(time.DateTime))
	}
	c.Err = err
	return c
}

// newest is the server time of the newest leaf.
func (s *Site) newest(ctx context.Context) (at time.Time, err error) {
	err = s.Store.Read(ctx, func(r *store.ReadTx) error {
		size, err := r.LogSize()
		if err != nil {
			return err
		}
		leaf, err := r.Leaf(size - 1) // there is a genesis leaf at least
		if err != nil {
			return err
		}
		parsed, err := entrylog.Parse(leaf.Body)
		if err != nil {
			return err
		}
		at = time.UnixMilli(parsed.AtMS())
		return nil
	})
	return at, err
}
