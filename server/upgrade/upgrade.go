// Package upgrade puts a checked release in the place of the running server, and back when it is not well (ADR 0075). The old program does it;
// the new one rehearses on a copy, then serves on trial with everything held back, and opens only when it is told to. Until then nothing was
// written, signed or acknowledged, so that program and database of before can be put back and no record is lost (I4).
//
// It must never start a program of which not every byte was signed, and never put a database back after the new version has opened.
//
// The doors: from the stop of the old server to the opening of the new one each gateway decides by the rules it holds, and its outbox keeps
// the records.
package upgrade

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"monban/firmware/update"
	"monban/server/bundle"
)

// Machine is what an update does to the machine.
type Machine interface {
	// Kind says which of a release's packages is for this machine: "deb" or "tar.gz".
	Kind() string
	// Program is the path of the installed program.
	Program() string
	// Keep saves what is installed in dir, so that PutBack can install it again.
	Keep(ctx context.Context, dir string) error
	// Install puts a package's files in place. It starts nothing that was stopped.
	Install(ctx context.Context, pkg string) error
	PutBack(ctx context.Context, dir string) error
	// Kept reports whether what is installed is what Keep has saved in dir, so that nothing has to be put back.
	Kept(ctx context.Context, dir string) (bool, error)
	// Hold keeps other programs from installing packages until release; ErrInUse when one does.
	Hold(ctx context.Context) (release func() error, err error)
	Stop(ctx context.Context) error
	Start(ctx context.Context) error
	// Restarts is how often the server has ended by itself since Start, and was started again.
	Restarts(ctx context.Context) (int, error)
}

// Server runs a program's command as the owner of the data directory and gives what it printed.
type Server interface {
	Run(ctx context.Context, program string, args ...string) ([]byte, error)
}

// Standing is how a server says it stands: the answer of `update state`.
type Standing struct {
	Trial  bool     `json:"trial"`
	Linked []string `json:"linked"`
	Faults []string `json:"faults"`
	Leaves int64    `json:"leaves"`
}

// Updater does it.
type Updater struct {
	Dir    string // /var/lib/monban-update
	Config string // the server's TOML file
	Data   string // its data directory
	// Database are the files of the database in Data; some may not be there.
	Database []string
	Machine  Machine
	Server   Server
	Own      int64 // number of the program that runs
	Out      io.Writer
	Limit    time.Duration // until when a new version must be well
	Settle   time.Duration // how long it has to be well without a break
	Every    time.Duration // how often it is looked at
	// Patience is how long another program that installs packages is waited for.
	Patience time.Duration
	Free     func(dir string) (device uint64, free int64, err error) // see Free
	Now      func() time.Time
	Wait     func(time.Duration)
	Step     func() // called before each thing that changes; nil = nobody looks. Tests break off there.

	release func() error // of what Machine.Hold gave; nil = not held
}

// Order is what a person asks for.
type Order struct {
	Bundle     string // folder of the release
	Root       string // at the first time: the root, which came another way
	Reason, By string
	Clock      update.Clock
}

// ErrNothingNew says that the release is no newer than what runs.
var ErrNothingNew = errors.New("the release is no newer than the program that runs here: nothing was changed")

func (u *Updater) step() {
	if u.Step != nil {
		u.Step()
	}
}

func (u *Updater) say(format string, args ...any) { _, _ = fmt.Fprintf(u.Out, format+"\n", args...) }

// Apply checks a release and puts it in place. Its error says what is wrong and what runs now.
func (u *Updater) Apply(ctx context.Context, o Order) error {
	l, err := u.lock()
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }() // nothing was written through it
	if st, err := u.State(); err != nil {
		return err
	} else if st != nil {
		return fmt.Errorf("the update to version %s broke off: run `monban-server update resume` first", st.Version)
	}
	list, err := u.check(o)
	if err != nil {
		return err
	}
	u.say("version %s: signed by enough keys, not older, not expired", list.Version)
	if err := u.clean(); err != nil { // of an update that broke off before it had begun
		return err
	}
	if err := u.room(list); err != nil {
		return err
	}
	pkg, fresh, err := u.fetch(o.Bundle, list)
	if err != nil {
		return err
	}
	st := &State{Version: list.Version, Reason: o.Reason, By: o.By}
	err = u.rehearse(ctx, fresh, st)
	if err == nil {
		err = u.hold(ctx)
	}
	if err != nil {
		return fmt.Errorf("%w; nothing was changed", errors.Join(err, u.clean()))
	}
	defer u.letGo()
	if err := u.note(ctx, u.Machine.Program(), st, "update_begun", st.Reason); err != nil {
		return fmt.Errorf("%w; nothing was changed", err)
	}
	// From here on whatever ends this process leaves a state that resume puts right.
	ctx = context.WithoutCancel(ctx)
	if err := u.exchange(ctx, pkg, fresh, st); err != nil {
		return u.rollBack(ctx, st, err)
	}
	why := u.await(ctx, st, onTrial)
	if why == nil {
		if err := u.save(st, StageOpen); err != nil {
			return u.rollBack(ctx, st, err)
		}
		_, why = u.server(ctx, u.Machine.Program(), "open")
	}
	if why != nil {
		return u.rollBack(ctx, st, why)
	}
	return u.serving(ctx, st)
}

// serving is for a version that has opened: it is well, or after says what becomes of it.
func (u *Updater) serving(ctx context.Context, st *State) error {
	if why := u.await(ctx, st, open); why != nil {
		return u.after(ctx, st, why)
	}
	return u.done(ctx, st)
}

// check looks at the whole folder and remembers what was signed well.
func (u *Updater) check(o Order) (*update.List, error) {
	path := filepath.Join(u.Dir, trustFile)
	trust, err := bundle.LoadTrust(path, o.Root)
	if err != nil {
		return nil, err
	}
	before := trust.Bytes()
	l, trust, err := bundle.Verify(o.Bundle, trust, o.Clock)
	if err == nil || !bytes.Equal(trust.Bytes(), before) {
		err = errors.Join(err, bundle.SaveTrust(path, trust))
	}
	if err != nil {
		return nil, err
	}
	if l.Number <= u.Own {
		return nil, fmt.Errorf("version %s: %w", l.Version, ErrNothingNew)
	}
	return l, nil
}

// fetch copies the packages out of the release, hashing on the way: what was signed is what arrives, whatever becomes of the stick. The new
// program comes out of the tar, in which every machine finds it.
func (u *Updater) fetch(folder string, l *update.List) (pkg, fresh string, err error) {
	dir := filepath.Join(u.Dir, newDir)
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o755)); err != nil {
		return "", "", err
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = root.Close() }() // only read
	files, err := u.files(l)
	if err != nil {
		return "", "", err
	}
	for _, f := range files {
		u.step()
		pkg = filepath.Join(dir, filepath.Base(f.Path))
		out, err := os.OpenFile(pkg, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return "", "", err
		}
		err = update.Copy(out, root.FS(), f)
		if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
			return "", "", err
		}
	}
	fresh = filepath.Join(dir, program)
	return pkg, fresh, takeProgram(filepath.Join(dir, filepath.Base(files[0].Path)), fresh)
}

// files are what an update takes out of a release: the tar, and last the package for this machine, which may be the same.
func (u *Updater) files(l *update.List) (out []update.File, err error) {
	for _, kind := range slices.Compact([]string{"tar.gz", u.Machine.Kind()}) {
		f, err := l.Find(fmt.Sprintf("packages/%s_%s_%s.%s", program, l.Version, runtime.GOARCH, kind))
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// server has a program do one step of an update, as the owner of the data.
func (u *Updater) server(ctx context.Context, prog string, what string, args ...string) ([]byte, error) {
	out, err := u.Server.Run(ctx, prog, append([]string{"update", what, "--config", u.Config}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return out, nil
}

// rehearse makes a backup beside the running server and has the new program bring a copy of it up to date and verify it. Nothing that
// serves is touched.
func (u *Updater) rehearse(ctx context.Context, fresh string, st *State) error {
	was, err := u.standing(ctx, u.Machine.Program())
	if err != nil {
		return fmt.Errorf("the server must be running: an update has to bring back what was there: %w", err)
	}
	st.Linked, st.Faults = was.Linked, was.Faults
	backup := filepath.Join(u.Data, backupName)
	if _, err := u.server(ctx, u.Machine.Program(), "copy", "--to", backup); err != nil {
		return err
	}
	out, err := u.server(ctx, fresh, "try", "--backup", backup)
	if err != nil {
		return fmt.Errorf("version %s on a copy of the database: %w", st.Version, err)
	}
	var tried struct {
		Leaves  int64
		Applied []int64
	}
	if err := read(out, &tried); err != nil {
		return fmt.Errorf("version %s on a copy of the database: %w", st.Version, err)
	}
	if tried.Applied == nil { // it would look as if no migration kept the program of before from coming back
		return fmt.Errorf("version %s on a copy of the database: it does not say which migrations it brings", st.Version)
	}
	st.Applied = tried.Applied
	u.say("on a copy of the database the new version applied %d migrations and verified %d leaves", len(tried.Applied), tried.Leaves)
	return u.clean()
}

func (u *Updater) note(ctx context.Context, prog string, st *State, verb, reason string) error {
	_, err := u.server(ctx, prog, "note", "--verb", verb, "--version-is", st.Version, "--reason", reason, "--by", st.By)
	return err
}

// exchange stops the old server and starts the new one on trial.
func (u *Updater) exchange(ctx context.Context, pkg, fresh string, st *State) error {
	if err := u.keep(ctx); err != nil {
		return fmt.Errorf("keep the installed package: %w", err)
	}
	if err := u.save(st, StageStop); err != nil {
		return err
	}
	if err := u.Machine.Stop(ctx); err != nil {
		return err
	}
	u.say("the server is stopped; doors go on with what their gateways hold")
	u.step()
	if err := os.RemoveAll(filepath.Join(u.Data, copyName)); err != nil {
		return err
	}
	// Copy and mark under one lock of the data: nobody writes in between what the way back would lose.
	if _, err := u.server(ctx, u.old(), "take", "--to", filepath.Join(u.Data, copyName), "--version-is", st.Version); err != nil {
		return err
	}
	u.step()
	if err := u.save(st, StageInstall); err != nil {
		return err
	}
	if err := u.Machine.Install(ctx, pkg); err != nil {
		return err
	}
	u.step()
	if same, err := sameBytes(fresh, u.Machine.Program()); err != nil || !same {
		return errors.Join(errors.New("the installed program is not the one that was rehearsed"), err)
	}
	if err := u.save(st, StageTrial); err != nil {
		return err
	}
	if err := u.Machine.Start(ctx); err != nil {
		return err
	}
	u.say("version %s runs on trial: it hears the gateways and holds everything back", st.Version)
	return nil
}

// keep saves program and package of before. The folder has its name once it is whole and on the disk: at boot its program is run (monban-update.service).
func (u *Updater) keep(ctx context.Context) error {
	before := filepath.Join(u.Dir, beforeDir)
	made := before + ".new"
	if err := errors.Join(os.RemoveAll(before), os.RemoveAll(made), os.Mkdir(made, 0o755)); err != nil {
		return err
	}
	if err := copyProgram(u.Machine.Program(), filepath.Join(made, program)); err != nil {
		return err
	}
	u.step()
	if err := u.Machine.Keep(ctx, made); err != nil {
		return err
	}
	if err := syncFolder(made); err != nil {
		return err
	}
	if err := os.Rename(made, before); err != nil {
		return err
	}
	return syncFolder(u.Dir)
}

// old is the program of before.
func (u *Updater) old() string { return filepath.Join(u.Dir, beforeDir, program) }

// done ends a good update.
func (u *Updater) done(ctx context.Context, st *State) error {
	if err := u.note(ctx, u.Machine.Program(), st, "update_done", st.Reason); err != nil {
		return fmt.Errorf("version %s runs and is well; this was not logged: %w", st.Version, err)
	}
	u.say("version %s runs and is well", st.Version)
	return u.forget()
}
