package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"monban/server/attempt"
	"monban/server/entrylog"
	"monban/server/keystore"
	"monban/server/retention"
	"monban/server/review"
	"monban/server/store"
	"monban/server/web"
)

// CarryOut carries out the runs that two persons wanted, one after the other, and brings to their end those that were cut off.
//
//	crash point 1: before the leaf disposal_started → the run is still approved; nothing is destroyed
//	crash point 2: after it → Resume, at the next start, goes on here
//	crash point 3: the key is gone in one file and not in the copy → opening the key store makes it good
//	crash point 4: between two batches → the row says which leaves are done; each batch is one transaction
//	crash point 5: before the file is compacted → compacted again
//	crash point 6: before the leaf disposal_done → as 5
func (t *Retainer) CarryOut(ctx context.Context) (done []store.DisposalRun, err error) {
	done, err = t.carryOut(ctx, nightTries, store.RunStarted, store.RunApproved)
	ids, failed := t.voidRuns(ctx)
	for _, id := range ids {
		failed = errors.Join(failed, fmt.Errorf("disposal run %s: %w: withdraw it and ask anew", id, web.ErrTyped))
	}
	return done, errors.Join(err, failed)
}

// void reports whether a run that has not begun was asked for or approved by a typed name: it is never carried out, and waits for somebody to withdraw it.
func (t *Retainer) void(d store.DisposalRun) bool {
	return (d.State == store.RunAsked || d.State == store.RunApproved) && (typed(d.AskedBy) || typed(d.ApprovedBy)) && !t.listed(d.ID)
}

// voidRuns lists the void ones that were approved.
func (t *Retainer) voidRuns(ctx context.Context) (ids []string, err error) {
	err = t.store.Read(ctx, func(r *store.ReadTx) error {
		runs, err := r.DisposalRuns()
		for _, d := range runs {
			if d.State == store.RunApproved && t.void(d) {
				ids = append(ids, d.ID)
			}
		}
		return err
	})
	return ids, err
}

// Resume brings to its end what has begun, and carries out what the key store's list says was destroyed and the database does not know of, because it
// was restored. The server does so before it serves anything (EV-9). later is why something could not be brought to its end that harms nobody by waiting: it
// is tried again each night.
func (t *Retainer) Resume(ctx context.Context) (later, err error) {
	err = t.applyList(ctx)
	if canWait(err) {
		later, err = err, nil
	}
	if err != nil {
		return nil, err
	}
	_, err = t.carryOut(ctx, 1, store.RunStarted)
	return errors.Join(later, err, t.emptyErased(ctx, 1)), nil // a power cut may have left what was erased in the write-ahead log
}

// nightTries is how often a run tries to empty the write-ahead log in one night; a start tries once.
const nightTries = 5

// canWait reports whether what was to be destroyed is gone here: a copy of the key store that is away gets its list when it is back, and the
// write-ahead log is emptied when nobody reads an old state any more.
func canWait(err error) bool {
	return errors.Is(err, keystore.ErrCopyAway) || errors.Is(err, store.ErrStillRead)
}

// carryOut goes on with the others when one cannot go; err says of each why.
func (t *Retainer) carryOut(ctx context.Context, tries int, states ...string) (done []store.DisposalRun, err error) {
	var runs []store.DisposalRun
	err = t.store.Read(ctx, func(r *store.ReadTx) error {
		runs, err = r.DisposalRuns()
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, d := range slices.Backward(runs) { // the oldest first
		if !slices.Contains(states, d.State) || t.void(d) {
			continue
		}
		x, failed := t.run(ctx, d, tries)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("disposal run %s: %w", d.ID, failed))
			if ctx.Err() != nil {
				break
			}
			continue
		}
		done = append(done, x)
	}
	return done, err
}

func (t *Retainer) at(name string) error {
	if t.step == nil {
		return nil
	}
	return t.step(name)
}

// run carries one run out from where it stands.
func (t *Retainer) run(ctx context.Context, d store.DisposalRun, tries int) (store.DisposalRun, error) {
	if d.State == store.RunApproved {
		var err error
		if d, err = t.start(ctx, d); err != nil {
			return d, err
		}
	}
	gone := t.listed(d.ID)
	if t.signed && !gone {
		if err := t.store.SignNow(ctx); err != nil {
			return d, fmt.Errorf("nothing was destroyed: %w", err)
		}
	}
	if err := t.at("started"); err != nil {
		return d, err
	}
	if !gone { // a hold may have come since the run began
		if err := t.held(ctx, d); err != nil {
			return d, fmt.Errorf("nothing was destroyed: %w", err)
		}
	}
	people, err := t.leaving(ctx, d)
	if err != nil {
		return d, err
	}
	entry := keystore.Disposal{Run: d.ID, Class: d.Class, FiscalYear: d.Year, Asked: d.AskedBy, Approved: d.ApprovedBy, AtMS: t.now().UnixMilli()}
	if d.Class == retention.ClassDirectory {
		entry.People = t.keys.Tags(d.ID, people)
	}
	files, err := t.keys.Destroy(entry)
	if err != nil && !gone {
		return d, err
	}
	away := err // of what was destroyed before, the rest goes although a copy is away; the run stays open
	if err := t.at("key"); err != nil {
		return d, err
	}
	if err := t.drop(ctx, d, people); err != nil {
		return d, err
	}
	if t.gone != nil {
		t.gone()
	}
	if t.copies != nil {
		if err := t.copies(); err != nil {
			return d, err
		}
	}
	if err := t.compact(ctx, d.ID, tries); err != nil {
		return d, err
	}
	if err := errors.Join(away, t.at("compact")); err != nil {
		return d, err
	}
	err = t.store.Write(ctx, func(tx *store.Tx) error {
		d, err = tx.FinishDisposal(d.ID, files, t.now().UnixMilli())
		return err
	})
	if err != nil {
		return d, err
	}
	return d, t.at("done")
}

// compact leaves no bytes in the files of what a run dropped.
func (t *Retainer) compact(ctx context.Context, id string, tries int) error {
	var d store.DisposalRun
	err := t.store.Read(ctx, func(r *store.ReadTx) (err error) { d, err = r.DisposalRun(id); return err })
	if err != nil {
		return err
	}
	if _, before := t.compacted.Load(id); d.Rows > 0 && !before {
		if err := t.store.Compact(ctx); err != nil {
			return err
		}
		t.compacted.Store(id, true)
	}
	return t.store.EmptyWAL(ctx, tries)
}

// held is an error when a hold in force names what a run is of, or a case of it is open again.
func (t *Retainer) held(ctx context.Context, d store.DisposalRun) error {
	return t.store.Read(ctx, func(r *store.ReadTx) error {
		hold, err := r.Held(d.Class, d.Year)
		if err == nil && hold != "" {
			err = fmt.Errorf("%s of fiscal year %d %w (%s)", d.Class, d.Year, store.ErrHeld, hold)
		}
		if err == nil {
			err = t.waits(r.Reader, d.Class, d.Year)
		}
		return err
	})
}

// start writes the leaves that a run begins with, after a last look at the plan and at the copies of the key store.
func (t *Retainer) start(ctx context.Context, d store.DisposalRun) (store.DisposalRun, error) {
	if !t.listed(d.ID) { // of what was destroyed before a restore nothing is left to decide
		if typed(d.AskedBy) || typed(d.ApprovedBy) {
			return d, fmt.Errorf("%w: withdraw it and ask anew", web.ErrTyped)
		}
		if _, err := t.ready(ctx, d.Class, d.Year); err != nil {
			return d, err
		}
		if err := t.keys.CheckCopies(); err != nil {
			return d, err
		}
	}
	var sc store.Scope
	var err error
	if d.Class != retention.ClassDirectory {
		if sc, err = t.store.DisposalScope(ctx, d.Class, d.Year); err != nil {
			return d, err
		}
	}
	if err := t.at("scope"); err != nil {
		return d, err
	}
	id := t.keys.KeyID(keystore.Period{FiscalYear: d.Year, Class: d.Class})
	return d, t.store.Write(ctx, func(tx *store.Tx) error {
		x, err := tx.StartDisposal(d.ID, sc, id, t.listed(d.ID), t.now().UnixMilli())
		d = x
		return err
	})
}

func (t *Retainer) listed(run string) bool {
	return slices.ContainsFunc(t.keys.Disposals(), func(d keystore.Disposal) bool { return d.Run == run })
}

// leaving lists whom a run of the directory takes. A database that was restored from before the run may hold people who came back since: of those whom the list
// does not name none goes; and one who had not left yet when the backup was made goes too.
func (t *Retainer) leaving(ctx context.Context, d store.DisposalRun) (people []string, err error) {
	if d.Class != retention.ClassDirectory {
		return nil, nil
	}
	err = t.store.Read(ctx, func(r *store.ReadTx) error {
		noted, err := r.Noted(d.ID)
		if err != nil {
			return err
		}
		if _, known := t.keys.Took(d.ID, ""); known && !noted {
			people, err = r.People()
		} else {
			people, err = r.Leaving(d.ID, d.Year)
		}
		return err
	})
	return slices.DeleteFunc(people, func(p string) bool { took, known := t.keys.Took(d.ID, p); return known && !took }), err
}

// drop takes what the run names out of the database.
func (t *Retainer) drop(ctx context.Context, d store.DisposalRun, people []string) error {
	if d.Class == retention.ClassDirectory {
		if err := t.store.Write(ctx, func(tx *store.Tx) error { return tx.DropPeople(d.ID, people) }); err != nil {
			return err
		}
		if t.dropped != nil {
			if err := t.dropped(ctx); err != nil {
				return err
			}
		}
		return t.at("people")
	}
	limit := t.batch
	if limit == 0 {
		limit = dropBatch
	}
	for {
		var done bool
		err := t.store.Write(ctx, func(tx *store.Tx) (err error) {
			done, err = tx.DropBatch(d.ID, limit)
			return err
		})
		if err != nil || done {
			return err
		}
		if err := errors.Join(ctx.Err(), t.at("batch")); err != nil {
			return err
		}
	}
}

// dieAgain destroys again the keys that a key store of before has brought back: the log says that a run is done, and the list beside the keys does not know of it.
// That somebody put it there is a finding.
func (t *Retainer) dieAgain(ctx context.Context) (later error) {
	var back []store.DisposalRun
	err := t.store.Read(ctx, func(r *store.ReadTx) error {
		runs, err := r.DisposalRuns()
		if err != nil {
			return err
		}
		for _, d := range runs {
			if d.State != store.RunDone || t.listed(d.ID) || entrylog.FiscalYear(t.now().UnixMilli(), t.zone) < d.Year+2 {
				continue
			}
			gone, err := r.Disposed(d)
			if err != nil {
				return err
			}
			if gone {
				back = append(back, d)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, d := range slices.Backward(back) {
		f := review.New(review.LogDoubt, review.NoCause)
		detail := fmt.Sprintf("keystore/%s/%d", d.Class, d.Year)
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
		_, err = t.keys.Destroy(keystore.Disposal{Run: d.ID, Class: d.Class, FiscalYear: d.Year, Asked: d.AskedBy, Approved: d.ApprovedBy, AtMS: d.DoneMS})
		if err != nil && !canWait(err) {
			return fmt.Errorf("disposal run %s: %w", d.ID, err)
		}
		later = errors.Join(later, err)
	}
	return later
}

// applyList carries out what the key store says was destroyed. A database that was restored from a backup of before knows nothing of it.
func (t *Retainer) applyList(ctx context.Context) error {
	later := t.dieAgain(ctx)
	if later != nil && !canWait(later) {
		return later
	}
	for _, d := range t.keys.Disposals() {
		var x store.DisposalRun
		err := t.store.Write(ctx, func(tx *store.Tx) error {
			var err error
			put := tx.PutDisposalRun
			x, err = tx.DisposalRun(d.Run)
			switch {
			case errors.Is(err, store.ErrNotFound):
				put = tx.AddDisposalRun
				x = store.DisposalRun{ID: d.Run, Class: d.Class, Year: d.FiscalYear, AskedBy: d.Asked, AskedMS: d.AtMS, AskedIdx: -1, Started: -1, Done: -1}
			case err != nil:
				return err
			case x.Class != d.Class || x.Year != d.FiscalYear:
				return fmt.Errorf("disposal run %s: the key store says %s of fiscal year %d, the database %s of %d", d.Run, d.Class, d.FiscalYear, x.Class, x.Year)
			case x.State == store.RunStarted || x.State == store.RunDone:
				return nil
			}
			x.State, x.ApprovedBy, x.ApprovedMS = store.RunApproved, d.Approved, d.AtMS
			return put(x)
		})
		if err == nil && x.State == store.RunApproved {
			_, err = t.run(ctx, x, 1)
		}
		if canWait(err) {
			later = errors.Join(later, err)
			continue
		}
		if err != nil {
			return fmt.Errorf("what was disposed of before: %w", err)
		}
	}
	if err := t.applyErased(ctx); err != nil {
		return err
	}
	return later
}

// vouchedSetting is set in a database from which on the key store's file had a MAC of its lists.
const vouchedSetting = "keystore.vouched"

// vouchList refuses a key store whose list of what was destroyed has lost its MAC: who can write the file, and has no master key, could have a year destroyed by it, or
// a disposal forgotten. A file of before the MAC gets one, if write. Doors: the server does not start; they go on by their own rules.
func vouchList(ctx context.Context, s *store.Store, keys *keystore.KeyStore, path string, write bool) error {
	var once bool
	err := s.Read(ctx, func(r *store.ReadTx) error {
		_, err := r.Setting(vouchedSetting)
		if once = err == nil; errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		return err
	})
	if err != nil {
		return err
	}
	if once && !keys.Vouched() {
		return fmt.Errorf("%s: its list of what was destroyed had a MAC and has none now: somebody changed it; put a copy of the file in its place (docs/operations.md, Disposal)", path)
	}
	if once || !write {
		return nil
	}
	if !keys.Vouched() {
		if err := keys.Vouch(); err != nil {
			return err
		}
	}
	return s.Write(ctx, func(tx *store.Tx) error { return tx.SetSetting(vouchedSetting, "1") })
}

// applyErased does the same for single records, and puts on the list what a crash kept from it.
func (t *Retainer) applyErased(ctx context.Context) error {
	var have []keystore.Erasure
	err := t.store.Read(ctx, func(r *store.ReadTx) (err error) {
		have, err = r.Erasures()
		return err
	})
	if err != nil {
		return err
	}
	for _, e := range have {
		if err := t.keys.Erase(e); err != nil {
			return err
		}
	}
	for _, e := range t.keys.Erased() {
		if slices.Contains(have, e) {
			continue
		}
		err := t.store.Write(ctx, func(tx *store.Tx) error {
			there, err := tx.HasOpening(e.Index, e.Leaf)
			if err != nil || !there { // another leaf has that number now, or it was disposed of since
				return err
			}
			_, err = tx.EraseOpening(e.Index, e.Decision, true, t.now().UnixMilli())
			return err
		})
		if err != nil {
			return fmt.Errorf("what was erased before: %w", err)
		}
	}
	return nil
}
