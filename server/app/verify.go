package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/server/checkstate"
	"monban/server/config"
	"monban/server/entrylog"
	"monban/server/keystore"
	"monban/server/logcheck"
	"monban/server/store"
)

// VerifyOptions of Verify.
type VerifyOptions struct {
	Database string // a database, a backup's folder, or what export made: bundle, pack, proof
	Keys     string // data directory; "" = where the database lies
	Openings bool
	Stamps   string    // file of certificates (PEM) of the time-stamping authorities that are believed; "" = not asked
	Held     []string  // files with checkpoints that others hold
	Policy   string    // file of a tlog-policy; "" = none. Of what export made
	Words    bool      // a page of plain words of a database too, in place of lines for a script
	Japanese bool      // the page's language
	Out      io.Writer // the result
	Progress io.Writer // a sign of life each two seconds; nil = none
	Resume   bool      // go on where a check by this account on this machine was broken off
	Every    int64     // after how many leaves or lines the state is saved; 0 = as set
}

// progressEvery is how often a long check says that it goes on.
const progressEvery = 2 * time.Second

// Verify walks the log of a database and prints each finding by table and key. It needs the public log
// key, and with Openings the year keys too. The error says that it could not check at all.
func Verify(ctx context.Context, o VerifyOptions) (findings int, err error) {
	info, err := os.Stat(o.Database)
	if err != nil {
		return 0, err
	}
	dir := filepath.Dir(o.Database)
	check := exportCheck(nil)
	if info.IsDir() { // a backup
		dir = o.Database
		m, err := readManifest(dir, "")
		if err != nil {
			return 0, err
		}
		if o.Openings && o.Keys != "" { // the master key is at hand
			if _, err := m.vouched(dir, filepath.Join(o.Keys, masterFile)); err != nil {
				return 0, err
			}
		}
		if m.MAC == "" {
			text := "note: " + BareBackup
			if o.Japanese {
				text = bareBackupJapanese
			}
			if _, err := fmt.Fprintln(o.Out, text); err != nil {
				return 0, err
			}
		}
		o.Database = filepath.Join(dir, databaseFile)
	} else if check, err = checkOf(o.Database); err != nil {
		return 0, err
	}
	if o.Keys != "" {
		dir = o.Keys
	}
	if check != nil {
		return verifyExport(ctx, o, dir, check)
	}
	if err := o.notFor("a database", "policy"); err != nil {
		return 0, err
	}
	opt, err := logKeys(filepath.Join(dir, keysDir))
	if err != nil {
		return 0, fmt.Errorf("%s: the public log key is needed to check anything: %w (name the data directory with --keys)", o.Database, err)
	}
	opt.Structure = true
	if opt.Stamps, err = stampTrust(&config.Timestamp{CAFile: o.Stamps}); err != nil {
		return 0, err
	}
	held, err := readHeld(o.Held)
	if err != nil {
		return 0, err
	}
	if opt.Held, err = logcheck.OpenHeld(&logcheck.Keys{Log: opt.Log, Before: opt.Before}, held); err != nil {
		return 0, err
	}
	if o.Openings {
		if opt.Keys, err = keystore.Open(filepath.Join(dir, keyStoreFile), filepath.Join(dir, masterFile), rand.Reader); err != nil {
			return 0, err
		}
	}
	states, err := o.states()
	if err != nil {
		return 0, err
	}
	opt.State, opt.Save, opt.Every = states.load, states.save, o.Every
	tell, stop := tellShare(o.Progress)
	opt.Progress = tell
	rep, err := store.ReportOnFile(ctx, o.Database, opt)
	stop()
	if err != nil {
		return 0, o.brokenOff(err, states.saved, rep.Resumed)
	}
	states.folder.Drop(rep.StateName)
	if !o.Words {
		return printResult(o, rep)
	}
	lines, err := logKeyLines(filepath.Join(dir, keysDir))
	if err != nil {
		return 0, err
	}
	rep.Database.Key, rep.Database.KeyBeside = lines[0], o.Keys == ""
	return found(rep.Result), rep.Page(o.Out, o.lang(), o.Database)
}

// exportCheck checks what export made and prints its page.
type exportCheck func(ctx context.Context, f *os.File, opt logcheck.Options, o *VerifyOptions) (findings int, err error)

// lang is the page's language.
func (o *VerifyOptions) lang() logcheck.Lang {
	if o.Japanese {
		return logcheck.Japanese
	}
	return logcheck.English
}

// checkOf tells from a file's beginning what it is; nil is none of what export makes.
func checkOf(path string) (exportCheck, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() // only read
	begin := make([]byte, 64)
	n, err := io.ReadFull(f, begin)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch begin = begin[:n]; {
	case logcheck.IsBundle(begin):
		return func(ctx context.Context, f *os.File, opt logcheck.Options, o *VerifyOptions) (int, error) {
			if err := o.notFor("a bundle", "openings"); err != nil {
				return 0, err
			}
			states, err := o.states()
			if err != nil {
				return 0, err
			}
			opt.State, opt.Save, opt.Every = states.load, states.save, o.Every
			rep, err := logcheck.CheckBundle(ctx, f, opt)
			if err != nil {
				return 0, o.brokenOff(err, states.saved, rep != nil && rep.Resumed)
			}
			states.folder.Drop(rep.StateName)
			return found(rep.Result), rep.Page(o.Out, o.lang(), o.Database)
		}, nil
	case logcheck.IsProof(begin):
		return func(_ context.Context, f *os.File, opt logcheck.Options, o *VerifyOptions) (int, error) {
			if err := o.notFor("the proof of one record", "openings", "timestamps", "resume"); err != nil {
				return 0, err
			}
			data, err := io.ReadAll(io.LimitReader(f, logcheck.MaxProof+1))
			if err != nil {
				return 0, err
			}
			rep, err := logcheck.CheckProof(data, opt)
			if err != nil {
				return 0, err
			}
			return found(&rep.Result), rep.Page(o.Out, o.lang(), o.Database)
		}, nil
	case logcheck.IsPack(begin):
		return func(ctx context.Context, f *os.File, opt logcheck.Options, o *VerifyOptions) (int, error) {
			if err := o.notFor("a pack", "openings", "resume"); err != nil {
				return 0, err
			}
			info, err := f.Stat()
			if err != nil {
				return 0, err
			}
			rep, err := logcheck.CheckPack(ctx, f, info.Size(), opt)
			if err != nil {
				return 0, err
			}
			return found(&rep.Result), rep.Page(o.Out, o.lang(), o.Database, "")
		}, nil
	}
	return nil, nil
}

// takenBy says what takes an option.
var takenBy = map[string]string{
	"policy":     "it judges what export made: monban-server export bundle, then verify --policy or monban-verify --policy",
	"openings":   "it is for a database; the openings in what export made are compared in any case",
	"timestamps": "it is for a database, a bundle, or a pack with log.monban in it",
	"resume":     "it is for a database or a bundle",
}

// notFor refuses options that the check of this kind of file has no use for: one that is dropped silently looks like one that was met.
func (o *VerifyOptions) notFor(kind string, names ...string) error {
	given := map[string]bool{"policy": o.Policy != "", "openings": o.Openings, "timestamps": o.Stamps != "", "resume": o.Resume}
	for _, name := range names {
		if given[name] {
			return fmt.Errorf("--%s does not apply to %s: %s", name, kind, takenBy[name])
		}
	}
	return nil
}

func found(r *entrylog.Result) int { return len(r.Findings) + r.More }

// verifyExport checks what export made as monban-verify does, with this site's keys when they are at hand.
func verifyExport(ctx context.Context, o VerifyOptions, dir string, check exportCheck) (int, error) {
	var opt logcheck.Options
	keys, err := logKeys(filepath.Join(dir, keysDir))
	switch {
	case err == nil:
		opt.Keys = append([]note.Verifier{keys.Log}, keys.Before...)
	case !errors.Is(err, fs.ErrNotExist) || o.Keys != "":
		return 0, err
	}
	if opt.Held, err = readHeld(o.Held); err != nil {
		return 0, err
	}
	if opt.Stamps, err = stampTrust(&config.Timestamp{CAFile: o.Stamps}); err != nil {
		return 0, err
	}
	if o.Policy != "" {
		text, err := os.ReadFile(o.Policy)
		if err != nil {
			return 0, err
		}
		if opt.Policy, err = logcheck.ParsePolicy(text); err != nil {
			return 0, fmt.Errorf("%s: %w", o.Policy, err)
		}
	}
	f, err := os.Open(o.Database)
	if err != nil {
		return 0, err
	}
	defer f.Close() // only read
	stop := tellProgress(o.Progress)
	defer stop()
	return check(ctx, f, opt, &o)
}

func readHeld(files []string) ([]logcheck.NamedNote, error) {
	var out []logcheck.NamedNote
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("held checkpoint: %w", err)
		}
		out = append(out, logcheck.NamedNote{Name: filepath.Base(name), Signed: string(text)})
	}
	return out, nil
}

// checkStates are this account's checks that were broken off: nowhere when it has no cache directory and does not ask for one.
type checkStates struct {
	folder checkstate.Folder
	load   func(string) ([]byte, error) // nil = nobody asked to go on
	saved  bool
}

func (o *VerifyOptions) states() (*checkStates, error) {
	folder, err := checkstate.Open("monban-server", time.Now())
	s := &checkStates{folder: folder}
	if o.Resume {
		if err != nil {
			return nil, fmt.Errorf("nowhere to find where a check was broken off: %w", err)
		}
		s.load = folder.Load
	}
	return s, nil
}

func (s *checkStates) save(name string, data []byte) {
	s.saved = true
	s.folder.Save(name, data)
}

// brokenOff says of a check that did not come to its end what to do next.
func (o *VerifyOptions) brokenOff(err error, saved, resumed bool) error {
	switch {
	case errors.Is(err, context.Canceled) && (saved || resumed):
		return fmt.Errorf("%w: go on with --resume", err)
	case o.Resume && !resumed:
		return fmt.Errorf("%w (without --resume the check begins anew)", err)
	}
	return err
}

func printResult(o VerifyOptions, rep *logcheck.Report) (int, error) {
	res := rep.Result
	var errs []error
	say := func(format string, args ...any) {
		for i, x := range args {
			if text, ok := x.(string); ok {
				args[i] = logcheck.Plain(text)
			}
		}
		if _, err := fmt.Fprintf(o.Out, format, args...); err != nil {
			errs = append(errs, err)
		}
	}
	for _, f := range res.Findings {
		say("%s %s: %s\n", f.Table, f.Key, f.What)
	}
	for _, s := range res.Successions {
		from, to := s.Lost()
		say("note: at leaf %d log %s took over from %s (%s, %s): ", s.Size, s.Origin, s.Before, s.Why, time.UnixMilli(s.AtMS).UTC().Format(time.RFC3339))
		if to > from {
			say("%d leaves of the old log, %d to %d, are lost; the last restored one is of %s\n", to-from, from, to-1, time.UnixMilli(s.SinceMS).UTC().Format(time.RFC3339))
		} else {
			say("no lost leaf is known; the last restored one is of %s\n", time.UnixMilli(s.SinceMS).UTC().Format(time.RFC3339))
		}
	}
	if res.More > 0 {
		say("and %d more\n", res.More)
	}
	if rep.Resumed {
		say("note: taken up at leaf %d: the leaves before it were hashed again; that rows and openings are what they say was checked before, not this time\n", rep.ResumedAt)
	}
	say("%d leaves, %d checkpoints", res.Leaves, res.Checkpoints)
	if o.Openings {
		say(", %d openings, %d without a key", res.Openings, res.Erased)
	}
	total := len(res.Findings) + res.More
	if total == 0 {
		say(": everything fits\n")
	} else {
		say(": %d findings\n", total)
	}
	return total, errors.Join(errs...)
}

// tellProgress says each two seconds how long it has taken; the returned function ends that.
func tellProgress(w io.Writer) (stop func()) {
	_, stop = tellShare(w)
	return stop
}

// tellShare is tellProgress of work that tells how much of it is done.
func tellShare(w io.Writer) (tell func(done, of int64), stop func()) {
	if w == nil {
		return func(int64, int64) {}, func() {}
	}
	var share atomic.Int64 // percent
	share.Store(-1)
	done, ended := make(chan struct{}), make(chan struct{})
	start := time.Now()
	go func() {
		defer close(ended)
		t := time.NewTicker(progressEvery)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case <-t.C:
				text := fmt.Sprintf("checking … %d s\n", int(time.Since(start).Seconds()))
				if n := share.Load(); n >= 0 {
					text = fmt.Sprintf("%3d %% %s", n, text)
				}
				_, _ = io.WriteString(w, text) // a sign of life, no result
			}
		}
	}()
	return func(n, of int64) { share.Store(100 * n / max(of, 1)) }, func() { close(done); <-ended }
}
