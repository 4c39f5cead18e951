package app

import (
	"context"
	"log/slog"
	"time"

	"monban/server/packs"
	"monban/server/report"
	"monban/server/store"
)

// withheldSince is when something was last taken out of what may be shown: a record erased, or its use suspended or given free again, a run of disposal begun
// or ended. What was asked for before that moment may hold it, also when it was made after: it may have been read before.
func withheldSince(r store.Reader) (time.Time, error) {
	var newest int64
	runs, err := r.DisposalRuns()
	if err != nil {
		return time.Time{}, err
	}
	for i := range runs {
		if runs[i].Started >= 0 { // from here on its openings cannot be relied on; what goes while it runs, madeBefore is told
			newest = max(newest, runs[i].ApprovedMS)
		}
		if runs[i].Done >= 0 {
			newest = max(newest, runs[i].DoneMS)
		}
	}
	list, err := r.ErasureRequests()
	if err != nil {
		return time.Time{}, err
	}
	for i := range list {
		newest = max(newest, list[i].AskedMS, list[i].DecidedMS)
	}
	if newest == 0 {
		return time.Time{}, nil
	}
	return time.UnixMilli(newest + 1), nil // what was asked for within the same millisecond goes too
}

// forget takes away packs and papers that may show what is withheld since. An error leaves them, and nothing is handed out before the next try.
func forget(ctx context.Context, s *store.Store, made *packs.Spool, papers *report.Spool) error {
	var since time.Time
	err := s.Read(ctx, func(r *store.ReadTx) (err error) { since, err = withheldSince(r.Reader); return err })
	if err != nil {
		return err
	}
	if made != nil {
		made.DropMadeBefore(since)
	}
	if papers != nil {
		papers.DropMadeBefore(since)
	}
	return nil
}

// sweepFiles takes away what is too old, and what was made before something was withheld.
func (a *App) sweepFiles(ctx context.Context) {
	made, err1 := a.packs.folder.get()
	papers, err2 := a.reports.folder.get()
	if err1 == nil {
		made.Sweep()
	}
	if err2 == nil {
		papers.Sweep()
	}
	if err := forget(ctx, a.site.Store, made, papers); err != nil && ctx.Err() == nil {
		a.log.LogAttrs(ctx, slog.LevelError, "packs and papers of before a disposal are not taken away yet", slog.Any("err", err))
	}
}

// dropFiles is told when a run of disposal has taken its rows: what was made of them goes at once, not when the run comes to its end.
func (a *App) dropFiles() {
	now := time.Now().Add(time.Millisecond)
	if made, err := a.packs.folder.get(); err == nil {
		made.DropMadeBefore(now)
	}
	if papers, err := a.reports.folder.get(); err == nil {
		papers.DropMadeBefore(now)
	}
}
