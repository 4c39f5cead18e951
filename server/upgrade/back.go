package upgrade

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// rollBack puts program and database of before back and starts them. cause is why.
func (u *Updater) rollBack(ctx context.Context, st *State, cause error) error {
	u.say("version %s is taken back: %v", st.Version, cause)
	if err := u.undo(ctx, st, false); err != nil {
		return fmt.Errorf("version %s: %w; and the way back broke off: %w: run `monban-server update resume`", st.Version, cause, err)
	}
	if err := u.Machine.Start(ctx); err != nil {
		return fmt.Errorf("version %s: %w; the version of before is in place, but does not start: %w", st.Version, cause, err)
	}
	if err := u.await(ctx, st, false); err != nil {
		return fmt.Errorf("version %s: %w; the version of before is in place, but: %w", st.Version, cause, err)
	}
	if err := u.note(ctx, u.Machine.Program(), st, "update_rolled_back", st.Reason); err != nil {
		return fmt.Errorf("version %s: %w; the version of before runs again; this was not logged: %w", st.Version, cause, err)
	}
	if err := u.forget(); err != nil {
		return err
	}
	return fmt.Errorf("version %s: %w; the version of before runs again with its database, and nothing was lost", st.Version, cause)
}

// undo brings a stopped machine back to where it was. It may be done again after it broke off anywhere. When the new version has opened, it
// changes nothing and says so: what was acknowledged since would be lost (I4).
func (u *Updater) undo(ctx context.Context, st *State, boot bool) error {
	marked, err := u.marked()
	if err != nil {
		return err
	}
	if !marked && st.Stage != StageStop && st.Stage != StageInstall && st.Stage != "" {
		// Either it has opened, or an undo before this one has put everything back and was cut off then.
		return u.opened()
	}
	if st.Stage == "" {
		return nil // nothing was touched yet
	}
	if !boot { // at boot nothing runs yet, and an order to stop would take back the start that waits for this
		if err := u.Machine.Stop(ctx); err != nil {
			return err
		}
	}
	u.step()
	if st.Stage != StageStop {
		if err := u.Machine.PutBack(ctx, filepath.Join(u.Dir, beforeDir)); err != nil {
			return fmt.Errorf("install the package of before: %w", err)
		}
	}
	u.step()
	if marked {
		if _, err := u.server(ctx, u.old(), "putback", "--from", filepath.Join(u.Data, copyName)); err != nil {
			return err
		}
	}
	return nil
}

// opened reports by nil that the program of before is in place already.
func (u *Updater) opened() error {
	same, err := sameBytes(u.old(), u.Machine.Program())
	if err != nil {
		return err
	}
	if !same {
		return errors.New("the new version has opened, and its database cannot go back")
	}
	return nil
}

// marked reports whether the server is to serve on trial.
func (u *Updater) marked() (bool, error) {
	_, err := os.Lstat(filepath.Join(u.Data, "update-trial"))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// after is for a version that was well on trial and is not after it has opened. Its records are acknowledged, so the database stays. The program
// of before comes back where it can read that database: when the new one brought no migration.
func (u *Updater) after(ctx context.Context, st *State, cause error) error {
	if len(st.Applied) > 0 {
		return errors.Join(u.forget(), fmt.Errorf("version %s runs, has acknowledged records, and is not well: %w; its database has a newer form than the program of before can read, so it stays: look at the journal, and ask for a release that mends it", st.Version, cause))
	}
	err := u.Machine.Stop(ctx)
	if err == nil {
		err = u.Machine.PutBack(ctx, filepath.Join(u.Dir, beforeDir))
	}
	if err == nil {
		err = u.Machine.Start(ctx)
	}
	if err == nil {
		err = u.await(ctx, st, false)
	}
	if err == nil {
		err = u.note(ctx, u.Machine.Program(), st, "update_rolled_back", st.Reason)
	}
	if err != nil {
		return fmt.Errorf("version %s: not well after it opened: %w; the program of before: %w", st.Version, cause, err)
	}
	return errors.Join(u.forget(), fmt.Errorf("version %s: not well after it opened: %w; the program of before runs again on the same database, which has the same form", st.Version, cause))
}

// Resume puts right what an update left that broke off: a power cut, a killed terminal. Before the new version has opened everything of before
// comes back; afterwards the new version stays. With boot nothing is started: the service manager does that when this has ended.
func (u *Updater) Resume(ctx context.Context, boot bool) error {
	st, err := u.State()
	if err != nil || st == nil {
		return err
	}
	l, err := u.lock()
	if errors.Is(err, ErrBusy) && boot {
		return nil // the update itself starts the server
	}
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }() // nothing was written through it
	marked, err := u.marked()
	if err != nil {
		return err
	}
	verb, what := "update_rolled_back", "the version of before is in place again"
	if !marked && (st.Stage == StageTrial || st.Stage == StageOpen) && u.opened() != nil {
		verb, what = "update_done", "version "+st.Version+" had opened and stays"
	} else if err := u.undo(ctx, st, boot); err != nil {
		return err
	}
	if !boot {
		if err := u.Machine.Start(ctx); err != nil {
			return err
		}
		if err := u.await(ctx, st, false); err != nil {
			return err
		}
	}
	if err := u.note(ctx, u.Machine.Program(), st, verb, st.Reason); err != nil {
		if !boot {
			return err
		}
		// A signer of its own starts after this. Without an end here each start would begin this anew, so the leaf of the end is missing then.
		u.say("no leaf %s: %v", verb, err)
	}
	u.say("the update to version %s broke off; %s", st.Version, what)
	return u.forget()
}
