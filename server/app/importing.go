package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

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

// Import reads files into the directory: all or nothing, and publishes the policy that follows in the
// same transaction. A dry run says what would change.
func (s *Site) Import(ctx context.Context, files []directory.File, o ImportOptions) ([]directory.Change, error) {
	pub, err := s.publisher()
	if err != nil {
		return nil, err
	}
	cfg := directory.ImportConfig{Now: o.Now, Zone: s.Config.Location(), Cards: s.Keys, Relative: o.Relative}
	var planned []directory.Change
	changes, err := pub.Change(ctx, func(tx *store.Tx) ([]directory.Change, error) {
		got, err := directory.ImportFiles(tx, directory.Actor{From: "cli"}, o.Reason, files, cfg)
		if err != nil {
			return nil, err
		}
		if o.DryRun {
			planned = got
			return nil, errDryRun
		}
		return got, nil
	})
	if errors.Is(err, errDryRun) {
		return planned, nil
	}
	return changes, err
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
