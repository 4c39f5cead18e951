package app

import (
	"context"
	"fmt"
	"time"

	"monban/server/attempt"
	"monban/server/casework"
	"monban/server/review"
	"monban/server/store"
	"monban/server/visit"
)

// escalate lets findings that nobody has closed in time go up, one leaf a level (VR-3), and makes one finding of it, at most one
// a day and none while one is open, when some have reached the CISO office. It runs once a minute, outside of the other jobs' transaction.
func (v *Visits) escalate(ctx context.Context) error {
	type rise struct {
		finding int64
		to      casework.Level
	}
	var up []rise
	last := false // some are at the last level
	now := v.nowMS()
	err := v.read(ctx, func(r store.Reader, s *visit.Site) error {
		list, err := r.OpenSince(now)
		if err != nil {
			return err
		}
		for i := range list {
			level := levelOf(&list[i], s, now)
			switch review.Kind(list[i].Kind) {
			case review.ItemsOverdue: // what says that things are overdue is not itself
				continue
			case review.Duress: // the security officer's alone: no leaf points to it (AD-13)
				continue
			}
			if level == casework.Reviewer {
				continue
			}
			last = last || level == casework.CISOOffice
			acts, err := r.ActKinds(list[i].Idx)
			if err != nil {
				return err
			}
			for to := reached(acts) + 1; to <= level; to++ {
				up = append(up, rise{list[i].Idx, to})
			}
		}
		return nil
	})
	if err != nil || len(up) == 0 && !last {
		return err
	}
	return v.store.Write(ctx, func(tx *store.Tx) error {
		for _, x := range up {
			f, err := tx.Finding(x.finding)
			if err != nil {
				return err
			}
			if f.Status == attempt.StatusClosed {
				continue // closed meanwhile
			}
			a := store.FindingAct{Finding: x.finding, Kind: string(x.to.Risen()), AtMS: now}
			if _, err := tx.AppendFindingAct(a, "job", ""); err != nil {
				return fmt.Errorf("finding %d goes up: %w", x.finding, err)
			}
		}
		if !last {
			return nil
		}
		f := review.New(review.ItemsOverdue, review.NoCause)
		open, err := tx.OpenFinding(string(f.Kind), "", "", "")
		if err != nil || open {
			return err
		}
		// Closing it says that somebody has looked. While things stay overdue it comes again, but on another day.
		at := time.UnixMilli(now).In(v.store.Zone())
		day := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, at.Location())
		told, err := tx.ToldOn(string(f.Kind), "", "", "", f.Severity.String(), day.UnixMilli(), day.AddDate(0, 0, 1).UnixMilli())
		if err != nil || told {
			return err
		}
		_, err = tx.AppendFinding(attempt.Finding{Kind: string(f.Kind), Severity: f.Severity.String(), Cause: f.Cause, AtMS: now}, nil)
		return err
	})
}

func reached(rows []store.FindingAct) casework.Level {
	acts := make([]casework.Act, len(rows))
	for i := range rows {
		acts[i].Kind = casework.Kind(rows[i].Kind)
	}
	return casework.Reached(acts)
}

// levelOf is who has to look at a finding by now, if nobody has closed it.
func levelOf(f *attempt.Finding, s *visit.Site, nowMS int64) casework.Level {
	return casework.Rises(f.AtMS, review.Kind(f.Kind).Entry().DueDays, s.ClosingAfter).At(nowMS)
}
