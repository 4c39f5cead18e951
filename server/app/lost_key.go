package app

import (
	"context"
	"fmt"
	"log/slog"

	"monban/server/attempt"
	"monban/server/review"
	"monban/server/store"
)

// keysThere is an error while a class and year has records whose key is not in the key store, for doctor and the self-test. Nothing stands still for it: doors and
// records of today need keys of today, which are made anew.
func (s *Site) keysThere(ctx context.Context) error {
	var lost []store.LostKey
	err := s.Store.Read(ctx, func(r *store.ReadTx) (err error) { lost, err = r.LostKeys(); return err })
	if err != nil || len(lost) == 0 {
		return err
	}
	err = lostError(s.Config.Path(keyStoreFile), lost[0])
	if len(lost) > 1 {
		err = fmt.Errorf("%w (and %d more)", err, len(lost)-1)
	}
	return err
}

func lostError(path string, x store.LostKey) error {
	if x.Alone {
		return fmt.Errorf("leaf %d does not open with the key of %s of fiscal year %d, which is there: somebody or the disk changed the record, or it alone has another key: leave %s as it is and run `monban-server verify --openings`", x.Leaf, x.Class, x.FiscalYear, path)
	}
	return fmt.Errorf("the key of %s of fiscal year %d is not in %s, and no disposal destroyed it: put a copy of the file in its place", x.Class, x.FiscalYear, path)
}

// tellLost makes a finding of each key that is lost, unless one is open: the same key can be lost twice.
func (t *Retainer) tellLost(ctx context.Context, log *slog.Logger, path string) error {
	var lost []store.LostKey
	err := t.store.Read(ctx, func(r *store.ReadTx) (err error) { lost, err = r.LostKeys(); return err })
	if err != nil {
		return err
	}
	for _, x := range lost {
		if x.Alone { // the self-test and doctor say it too; its finding is not that of a key
			log.LogAttrs(ctx, slog.LevelError, "a record cannot be read", slog.Any("err", lostError(path, x)), slog.Any("cause", x.Why))
			continue
		}
		log.LogAttrs(ctx, slog.LevelError, "a key is lost: names and purposes of that year cannot be read", slog.Any("err", lostError(path, x)), slog.Any("cause", x.Why))
		f := review.New(review.LogDoubt, review.NoCause)
		detail := fmt.Sprintf("keylost/%s/%d", x.Class, x.FiscalYear)
		err := t.store.Write(ctx, func(tx *store.Tx) error {
			open, err := tx.OpenFinding(string(f.Kind), "", "", detail)
			if err != nil || open {
				return err
			}
			_, err = tx.AppendFinding(attempt.Finding{Kind: string(f.Kind), Severity: f.Severity.String(), Cause: f.Cause, Detail: detail, AtMS: t.now().UnixMilli()}, nil)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
