package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/sumdb/note"

	"monban/server/entrylog"
	"monban/server/keystore"
	"monban/server/signer"
	"monban/server/store"
)

// VerifyOptions of Verify.
type VerifyOptions struct {
	Database string
	Keys     string // data directory; "" = where the database lies
	Openings bool
	Out      io.Writer // the result
	Progress io.Writer // a sign of life each two seconds; nil = none
}

// progressEvery is how often a long check says that it goes on.
const progressEvery = 2 * time.Second

// Verify walks the log of a database and prints each finding by table and key. It needs the public log
// key, and with Openings the year keys too. The error says that it could not check at all.
func Verify(ctx context.Context, o VerifyOptions) (findings int, err error) {
	dir := o.Keys
	if dir == "" {
		dir = filepath.Dir(o.Database)
	}
	vkey, err := os.ReadFile(filepath.Join(dir, keysDir, "log.vkey"))
	if err != nil {
		return 0, fmt.Errorf("%s: the public log key is needed to check anything: %w (name the data directory with --keys)", o.Database, err)
	}
	opt := store.VerifyOptions{Structure: true}
	if opt.Log, err = note.NewVerifier(firstLine(vkey)); err != nil {
		return 0, fmt.Errorf("public log key: %w", err)
	}
	if opt.Before, err = signer.OldLogKeys(filepath.Join(dir, keysDir)); err != nil {
		return 0, err
	}
	if o.Openings {
		if opt.Keys, err = keystore.Open(filepath.Join(dir, keyStoreFile), filepath.Join(dir, masterFile), rand.Reader); err != nil {
			return 0, err
		}
	}
	stop := tellProgress(o.Progress)
	res, err := store.VerifyFile(ctx, o.Database, opt)
	stop()
	if err != nil {
		return 0, err
	}
	return printResult(o, res)
}

func printResult(o VerifyOptions, res entrylog.Result) (int, error) {
	var errs []error
	say := func(format string, args ...any) {
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
	say("%d leaves, %d checkpoints", res.Leaves, res.Checkpoints)
	if o.Openings {
		say(", %d openings, %d erased", res.Openings, res.Erased)
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
	if w == nil {
		return func() {}
	}
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
				_, _ = fmt.Fprintf(w, "checking … %d s\n", int(time.Since(start).Seconds())) // a sign of life, no result
			}
		}
	}()
	return func() { close(done); <-ended }
}
