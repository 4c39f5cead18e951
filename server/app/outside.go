package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"monban/server/attempt"
	"monban/server/logcheck"
	"monban/server/review"
	"monban/server/store"
	"monban/server/witness"
)

const (
	// askEvery is how often a witness of another house is asked: EV-4 wants one cosignature a day, and what is younger than the
	// newest one is what an insider could still write anew.
	askEvery = time.Hour
	// askAgain and askAgainMost: after no answer it is asked again, ever later.
	askAgain     = time.Minute
	askAgainMost = time.Hour
	// askSoon: a log that has just begun, e.g. after a restore, has its first checkpoint within a second.
	askSoon = time.Second
)

// outside has witnesses of other houses cosign the log's checkpoints (EV-4).
type outside struct {
	store *store.Store
	log   *slog.Logger
	keys  logcheck.Keys
	list  []*witness.Client
	now   func() time.Time
}

// newOutside reads the keys and certificates of the witnesses.
func newOutside(s *Site, log *slog.Logger, now func() time.Time) (*outside, error) {
	opt, err := logKeys(s.Config.Path(keysDir))
	if err != nil {
		return nil, err
	}
	o := &outside{store: s.Store, log: log, keys: logcheck.Keys{Log: opt.Log, Before: opt.Before}, now: now}
	for _, w := range s.Config.Witness {
		c, err := witness.New(witness.Config{VKey: w.VKey, URL: w.URL, CAFile: w.CAFile, Pin: w.Pin})
		if err != nil {
			return nil, err
		}
		o.list = append(o.list, c)
	}
	return o, nil
}

// ProveFrom implements witness.Log.
func (o *outside) ProveFrom(ctx context.Context, old int64) (string, int64, tlog.TreeProof, error) {
	signed, size, proof, err := o.store.ProveFrom(ctx, old)
	if errors.Is(err, store.ErrBehind) {
		err = fmt.Errorf("%w: %w", witness.ErrBehind, err)
	}
	return signed, size, proof, err
}

// follow asks one witness until ctx ends, at once after a start: what it has seen is looked at before much is signed (EV-3).
func (o *outside) follow(ctx context.Context, c *witness.Client) {
	again := askAgain
	for ctx.Err() == nil {
		wait := askEvery
		switch err := o.ask(ctx, c); {
		case err == nil:
			again = askAgain
		case errors.Is(err, store.ErrNotSigned):
			wait = askSoon
		case errors.Is(err, witness.ErrUnavailable):
			wait, again = again, min(2*again, askAgainMost)
			fallthrough
		default:
			if ctx.Err() == nil {
				o.log.LogAttrs(ctx, slog.LevelWarn, "no cosignature", slog.String("witness", c.Name()), slog.Duration("again", wait), slog.Any("err", err))
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// ask has a witness cosign the newest checkpoint and keeps what it gives. One that holds another log, or more of this one, makes
// the server stop signing: its word is not signed, but it is the one that the site chose and TLS says that it is it.
func (o *outside) ask(ctx context.Context, c *witness.Client) error {
	from, err := o.held(ctx, c.Name())
	if err != nil {
		return err
	}
	signed, err := c.Ask(ctx, o, from)
	if errors.Is(err, witness.ErrProof) || errors.Is(err, witness.ErrBehind) {
		o.store.Contradicted(fmt.Errorf("witness %s: %w", c.Name(), err))
		return errors.Join(err, o.contradicted(ctx, c.Name()))
	}
	if err != nil {
		return err
	}
	return o.keep(ctx, c, signed)
}

// held is how many leaves of this log a witness cosigned last, as far as is known here; 0 = none.
func (o *outside) held(ctx context.Context, name string) (size int64, err error) {
	err = o.store.Read(ctx, func(r *store.ReadTx) error {
		list, err := r.Cosignatures(name, 1)
		if len(list) > 0 && list[0].Origin == o.keys.Log.Name() {
			size = list[0].Size
		}
		return err
	})
	return size, err
}

// keep stores a cosigned checkpoint after the log was compared with it.
func (o *outside) keep(ctx context.Context, c *witness.Client, signed string) error {
	x, root, err := store.OpenCosigned(c.VKey(), signed, o.keys.Of)
	if err != nil {
		return err
	}
	if x.Origin == o.keys.Log.Name() {
		if err := o.store.Beyond(ctx, "witness "+c.Name(), x.Size, root); err != nil {
			if errors.Is(err, store.ErrHead) {
				err = errors.Join(err, o.contradicted(ctx, c.Name()))
			}
			return err
		}
	}
	x.ReceivedMS = o.now().UnixMilli()
	return o.store.Write(ctx, func(tx *store.Tx) error { return tx.PutCosignature(x) })
}

// contradicted makes the finding of a witness that holds another log, of each once a day.
func (o *outside) contradicted(ctx context.Context, name string) error {
	return o.finding(ctx, review.LogFork, "outside:"+name)
}

// finding logs a finding of a kind and detail, once a day.
func (o *outside) finding(ctx context.Context, kind review.Kind, detail string) error {
	now := o.now()
	key, day := witnessSetting+"@"+string(kind)+"/"+detail, now.UTC().Format(time.DateOnly)
	return o.store.Write(ctx, func(tx *store.Tx) error {
		told, err := tx.Setting(key)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if told == day {
			return nil
		}
		f := review.New(kind, review.NoCause)
		_, err = tx.AppendFinding(attempt.Finding{Kind: string(f.Kind), Severity: f.Severity.String(), Cause: f.Cause, Detail: detail, AtMS: now.UnixMilli()}, nil)
		if err != nil {
			return fmt.Errorf("log finding %s: %w", f.Kind, err)
		}
		return tx.SetSetting(key, day)
	})
}

// missing lists the witnesses of which no cosignature came within a day, by this server's clock.
func (o *outside) missing(ctx context.Context) (names []string, err error) {
	now := o.now()
	err = o.store.Read(ctx, func(r *store.ReadTx) error {
		for _, c := range o.list {
			list, err := r.Cosignatures(c.Name(), 1)
			if err != nil {
				return err
			}
			if len(list) == 0 || now.Sub(time.UnixMilli(list[0].ReceivedMS)) > witnessOld {
				names = append(names, c.Name())
			}
		}
		return nil
	})
	return names, err
}

// check is the daily job: when of no witness outside a cosignature came within a day, that is a finding, and so an alert (EV-4).
func (o *outside) check(ctx context.Context, _ time.Time) (string, error) {
	if len(o.list) == 0 {
		return "not set up", nil
	}
	names, err := o.missing(ctx)
	if err != nil {
		return "", err
	}
	if len(names) < len(o.list) {
		return fmt.Sprintf("%d of %d", len(o.list)-len(names), len(o.list)), nil
	}
	return "none", o.finding(ctx, review.WitnessMissing, fmt.Sprintf("of-%d", len(names)))
}

// commit is the daily job that lets the log commit to the cosignatures of the days before: rows taken out later are missed (EV-4).
func (o *outside) commit(ctx context.Context, _ time.Time) (note string, err error) {
	now := o.now()
	err = o.store.Write(ctx, func(tx *store.Tx) error {
		n, err := tx.CommitCosignatures(now)
		note = fmt.Sprint(n)
		return err
	})
	return note, err
}

// age is the self-test's item: every witness outside has cosigned within a day (OP-2).
func (o *outside) age(ctx context.Context) error {
	if o == nil || len(o.list) == 0 {
		return errNotSetUp
	}
	names, err := o.missing(ctx)
	if err == nil && len(names) > 0 {
		err = fmt.Errorf("no cosignature within a day of %v: see the server's log for what they answer, or the folder of files", names)
	}
	return err
}

// bothAges is the self-test of witnesses inside and outside: each kind that is set up must have cosigned.
func bothAges(inside, outside error) error {
	switch {
	case errors.Is(inside, errNotSetUp):
		return outside
	case errors.Is(outside, errNotSetUp):
		return inside
	}
	return errors.Join(inside, outside)
}

// run asks the witnesses that have an address.
func (o *outside) run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, c := range o.list {
		if c.Online() {
			wg.Go(func() { o.follow(ctx, c) })
		}
	}
	<-ctx.Done()
	wg.Wait()
}
