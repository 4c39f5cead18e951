package app

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"monban/firmware/calendar"
	"monban/server/directory"
	"monban/server/policypub"
	"monban/server/signer"
	"monban/server/store"
)

// ImportOptions of Import.
type ImportOptions struct {
	Reason   string // goes into the log
	Now      time.Time
	DryRun   bool
	Relative bool // allow relative dates (the demo's sample)
}

// ReadImport reads the CSV files of a folder that the import knows by name.
func ReadImport(dir string) ([]directory.File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	var files []directory.File
	for _, e := range entries {
		if e.IsDir() || !strings.EqualFold(filepath.Ext(e.Name()), ".csv") {
			continue
		}
		kind, ok := directory.KindOf(e.Name())
		if !ok {
			return nil, fmt.Errorf("%s: is no file the import knows; it reads %v (each with .csv)", filepath.Join(dir, e.Name()), directory.Kinds())
		}
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("import: %w", err)
		}
		files = append(files, directory.File{Name: filepath.Join(dir, e.Name()), Kind: kind, Data: data})
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: holds no CSV file; the import reads %v (each with .csv)", dir, directory.Kinds())
	}
	return files, nil
}

// errDryRun rolls a dry run back.
var errDryRun = errors.New("dry run")

// Import is ImportRows for callers that need only what is in force, or on a dry run would be.
func (s *Site) Import(ctx context.Context, files []directory.File, o ImportOptions) ([]directory.Change, error) {
	out, err := s.ImportRows(ctx, files, o)
	if o.DryRun {
		return append(out.Applied, out.Waiting...), err
	}
	return out.Applied, err
}

// ImportRows reads files into the directory: all or nothing, and publishes the policy that follows in the
// same transaction. Once a second person has an account, what adds rights at level 2 or 3 waits for them as a
// proposal (D27). A dry run says what would change.
func (s *Site) ImportRows(ctx context.Context, files []directory.File, o ImportOptions) (directory.Outcome, error) {
	reg, err := s.registry(func() time.Time { return o.Now })
	if err != nil {
		return directory.Outcome{}, err
	}
	actor := directory.Actor{From: "cli"}
	if o.DryRun {
		return reg.TryChange(ctx, actor, importing(files, reg.importConfig(o.Relative)))
	}
	return reg.importFiles(ctx, actor, o.Reason, files, reg.importConfig(o.Relative))
}

// registry makes the directory's service of this site.
func (s *Site) registry(now func() time.Time) (*Registry, error) {
	pub, err := s.publisher()
	if err != nil {
		return nil, err
	}
	return newRegistry(s.Store, pub, func() directory.CardMaker { return s.Keys }, now), nil
}

// holidayYears is how many fiscal years of closed days a new site knows, from its first on. Later
// years come by closed_days.csv, since a law may have changed by then; the doctor counts the days.
const holidayYears = 5

// ImportHolidays puts Japan's national holidays and the year-end closure 12/29–1/3 into the directory
// of a new site, so that no schedule takes them for working days because a file was forgotten (AD-5).
// Other countries' sites get none.
func (s *Site) ImportHolidays(ctx context.Context, now time.Time) (days int, err error) {
	if s.Config.TimeZone != "Asia/Tokyo" {
		return 0, nil
	}
	table, err := calendar.BuiltIn()
	if err != nil {
		return 0, err
	}
	first := calendar.DateOf(now.In(s.Config.Location())).FiscalYear()
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{{"date", "name"}}
	for _, d := range table.Calendar(first.Start(), (first + holidayYears - 1).End()).Closed {
		rows = append(rows, []string{d.Date.String(), d.Name})
	}
	if err := w.WriteAll(rows); err != nil {
		return 0, fmt.Errorf("national holidays: %w", err)
	}
	files := []directory.File{{Name: "built-in holidays", Kind: directory.KindClosedDays, Data: b.Bytes()}}
	changes, err := s.Import(ctx, files, ImportOptions{Reason: "national holidays, built in", Now: now})
	if err != nil {
		return 0, fmt.Errorf("national holidays: %w", err)
	}
	return len(changes), nil
}

// publisher makes the publisher of this site's policies.
func (s *Site) publisher() (*policypub.Publisher, error) {
	sign, err := s.Signer.NoteSigner(signer.RolePolicy)
	if err != nil {
		return nil, err
	}
	return policypub.New(policypub.Config{Store: s.Store, Signer: sign, Site: s.Config.Site, Keys: s.Keys, Now: time.Now}), nil
}

// Directory is the directory as it stands.
func (s *Site) Directory(ctx context.Context) (dir directory.Snapshot, err error) {
	err = s.Store.Read(ctx, func(r *store.ReadTx) error {
		dir, err = r.Directory()
		return err
	})
	return dir, err
}
