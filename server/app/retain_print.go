package app

import (
	"context"
	"fmt"
	"path/filepath"

	"monban/server/store"
)

// PrintRuns says of each run in a line how it stands, the newest first.
func (t *Retainer) PrintRuns(ctx context.Context, say func(string)) error {
	return t.store.Read(ctx, func(r *store.ReadTx) error {
		runs, err := r.DisposalRuns()
		for _, d := range runs {
			state := d.State
			if t.void(d) {
				state = "void: a typed name asked or approved, withdraw it"
			}
			say(fmt.Sprintf("%s  %s FY%d  %s  asked by %s  approved by %s  %d rows", d.ID, d.Class, d.Year, state, d.AskedBy, d.ApprovedBy, d.Rows))
		}
		return err
	})
}

// PrintHolds says of each hold in a line how it stands.
func (t *Retainer) PrintHolds(ctx context.Context, say func(string)) error {
	return t.store.Read(ctx, func(r *store.ReadTx) error {
		holds, err := r.Holds()
		for _, h := range holds {
			class := string(h.Class)
			if class == "" {
				class = "all"
			}
			say(fmt.Sprintf("%s  %s FY%d-FY%d  %s  look at it on %s", h.ID, class, h.FromFY, h.ToFY, h.State, h.Until))
		}
		return err
	})
}

// CopiesToLookAt lists where data of a disposed year may still lie that no run reaches: backups hold no keys but the directory and bodies of before.
func (s *Site) CopiesToLookAt() (out []string) {
	cfg := s.Config
	for _, pattern := range []string{cfg.Path("replaced-*"), cfg.Path("restore.new"), cfg.Path(backupTmp + "*"), cfg.Path("update-*")} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			continue // a pattern of ours
		}
		for _, name := range names {
			out = append(out, name+": a database of before, delete it")
		}
	}
	if cfg.Backup.Dir != "" {
		out = append(out, cfg.Backup.Dir+": backups of before the disposal; the newest is made after it, delete the others")
	}
	return append(out, "every other copy of keystore.json and of backups made by hand")
}
