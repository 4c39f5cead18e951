package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// errOpened says that the new version has opened. What it acknowledged since would be lost with its database (I4).
var errOpened = errors.New("the new version has opened, and its database cannot go back")

// rollBack puts program and database of before back and starts them. cause is why.
func (u *Updater) rollBack(ctx context.Context, st *State, cause error) error {
	u.say("version %s is taken back: %v", st.Version, cause)
	switch err := u.undo(ctx, st, false); {
	case errors.Is(err, errOpened):
		u.say("version %s has opened meanwhile, and stays", st.Version)
		return u.serving(ctx, st)
	case err != nil:
		return fmt.Errorf("version %s: %w; and the way back broke off: %w: run `monban-server update resume`", st.Version, cause, err)
	}
	if err := u.Machine.Start(ctx); err != nil {
		return fmt.Errorf("version %s: %w; the version of before is in place, but does not start: %w", st.Version, cause, err)
	}
	if err := u.end(ctx, st, "update_rolled_back"); err != nil {
		return fmt.Errorf("version %s: %w; the version of before is in place, but: %w", st.Version, cause, err)
	}
	return fmt.Errorf("version %s: %w; the version of before runs again with its database, and nothing was lost", st.Version, cause)
}

// end waits until the program that stays serves, notes what became of the update, and forgets it. What else is missing is said and does not
// keep the update under way: a gateway that died meanwhile may never come back.
func (u *Updater) end(ctx context.Context, st *State, verb string) error {
	if err := u.await(ctx, st, serves); err != nil {
		return err
	}
	if why := u.unwell(ctx, st, open); why != nil {
		u.say("not as before the update: %v", why)
	}
	if err := u.note(ctx, u.Machine.Program(), st, verb, st.Reason); err != nil {
		return fmt.Errorf("it runs; this was not logged: %w", err)
	}
	return u.forget()
}

// undo brings the machine back to where it was, stopped. It may be done again after it broke off anywhere. When the new version has opened, it
// changes nothing, leaves that version running, and says so by errOpened.
func (u *Updater) undo(ctx context.Context, st *State, boot bool) error {
	switch st.Stage {
	case "":
		return nil // nothing was touched yet
	case StageBack:
		return u.programBack(ctx, boot)
	case StageStop, StageInstall, StageTrial, StageOpen:
	}
	marked, err := u.marked()
	if err != nil {
		return err
	}
	if !marked && st.Stage != StageStop && st.Stage != StageInstall {
		// Either it has opened, or an undo before this one has put everything back and was cut off then.
		return u.opened()
	}
	same := st.Stage == StageStop
	if !same {
		if same, err = u.kept(ctx); err != nil {
			return err
		}
	}
	if err := u.stop(ctx, boot); err != nil {
		return err
	}
	if marked {
		// An order to open that was given up on may have come through until the stop. The mark says the truth only now.
		still, err := u.marked()
		if err != nil {
			return err
		}
		if !still {
			if boot {
				return errOpened
			}
			return errors.Join(u.Machine.Start(ctx), errOpened)
		}
	}
	u.step()
	if !same {
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

// stop stops the server, but not at boot: nothing runs yet then, and an order to stop would take back the start that waits for this.
func (u *Updater) stop(ctx context.Context, boot bool) error {
	if boot {
		return nil
	}
	return u.Machine.Stop(ctx)
}

// kept reports whether what is installed is what was before the update. Where it is not, it has to be put back, and before anything is stopped nobody
// else may be installing.
func (u *Updater) kept(ctx context.Context) (bool, error) {
	same, err := u.Machine.Kept(ctx, filepath.Join(u.Dir, beforeDir))
	if err == nil && same {
		return true, nil
	}
	return false, u.hold(ctx) // one that cannot be looked at is put back
}

// programBack puts the program of before back and leaves the database of the new version alone. It may be done again.
func (u *Updater) programBack(ctx context.Context, boot bool) error {
	same, err := u.kept(ctx)
	if err != nil {
		return err
	}
	if err := u.stop(ctx, boot); err != nil || same {
		return err
	}
	u.step()
	return u.Machine.PutBack(ctx, filepath.Join(u.Dir, beforeDir))
}

// opened is errOpened unless the program of before is in place already. That it cannot be known is neither.
func (u *Updater) opened() error {
	same, err := sameBytes(u.old(), u.Machine.Program())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errOpened // nothing is left that could go back, or something else is in place
	case err != nil:
		return fmt.Errorf("whether the new version has opened cannot be known: %w", err)
	case !same:
		return errOpened
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
// of before comes back where it can read what the new one has written: no migration, and every file of the data directory in a form that it says it knows.
func (u *Updater) after(ctx context.Context, st *State, cause error) error {
	if why := u.unreadable(ctx, st); why != nil {
		if err := u.note(ctx, u.Machine.Program(), st, "update_done", st.Reason); err != nil {
			u.say("no leaf update_done: %v", err)
		}
		err := fmt.Errorf("version %s runs, has acknowledged records, and is not well: %w; %w, so it stays: look at the journal, and ask for a release that mends it", st.Version, cause, why)
		return errors.Join(err, u.forget())
	}
	err := u.save(st, StageBack)
	if err == nil {
		err = u.programBack(ctx, false)
	}
	if err == nil {
		err = u.Machine.Start(ctx)
	}
	if err == nil {
		err = u.end(ctx, st, "update_rolled_back")
	}
	if err != nil {
		return fmt.Errorf("version %s: not well after it opened: %w; the program of before: %w", st.Version, cause, err)
	}
	return fmt.Errorf("version %s: not well after it opened: %w; the program of before runs again on the same database, which has the same form", st.Version, cause)
}

// unreadable says why the program of before cannot serve with what the new one has written; nil = it can.
func (u *Updater) unreadable(ctx context.Context, st *State) error {
	if len(st.Applied) > 0 {
		return errors.New("its database has a newer form than the program of before can read")
	}
	if _, err := u.server(ctx, u.old(), "reads"); err != nil {
		return fmt.Errorf("the program of before cannot read its data (%w)", err)
	}
	return nil
}

// Resume puts right what an update left that broke off: a power cut, a killed terminal. Before the new version has opened everything of before
// comes back; afterwards the new version stays. With boot nothing is started: the service manager does that when this has ended.
func (u *Updater) Resume(ctx context.Context, boot bool) error {
	if st, err := u.State(); err != nil || st == nil && boot {
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
	st, err := u.State()             // that of the lock's holder
	if err != nil {
		return err
	}
	if st == nil {
		return u.forget() // what an update has left that broke off before it had stopped anything
	}
	defer u.letGo()
	verb, what := "update_rolled_back", "the version of before is in place again"
	switch err := u.undo(ctx, st, boot); {
	case errors.Is(err, errOpened):
		verb, what = "update_done", "version "+st.Version+" had opened and stays"
	case err != nil:
		return err
	}
	if boot {
		// A signer of its own starts after this. Without an end here each start would begin this anew, so the leaf of the end is missing then.
		if err := u.note(ctx, u.Machine.Program(), st, verb, st.Reason); err != nil {
			u.say("no leaf %s: %v", verb, err)
		}
		err = u.forget()
	} else if err = u.Machine.Start(ctx); err == nil {
		err = u.end(ctx, st, verb)
	}
	if err == nil {
		u.say("the update to version %s broke off; %s", st.Version, what)
	}
	return err
}
