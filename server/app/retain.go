package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"monban/firmware/calendar"
	"monban/server/entrylog"
	"monban/server/keystore"
	"monban/server/retention"
	"monban/server/store"
	"monban/server/web"
)

// Operator is who does something about retention: an account, at the pages or proved at the command line (Site.Prove), or a name that somebody typed there, which is
// a note and nobody's word.
type Operator struct {
	Account  string // "" = a typed name
	Name     string // as typed; goes into the opening
	Address  string // at the pages; at the command line, whose terminal
	Terminal bool   // the account was proved at the command line
}

// typedWord begins the word of a typed name.
const typedWord = "cli-"

// word names the operator where no name may stand.
func (o Operator) word() string {
	if o.Account != "" {
		return o.Account
	}
	sum := sha256.Sum256([]byte("monban/1 operator " + o.Name))
	return typedWord + hex.EncodeToString(sum[:8])
}

func (o Operator) leaf(tx *store.Tx, verb, target, id, reason string, now time.Time) (int64, error) {
	from := "lan"
	if o.Account == "" || o.Terminal {
		from = "cli"
	}
	return tx.AppendAction(entrylog.Action{Account: o.Account, Verb: verb, Target: target, ID: id, From: from, Result: "ok", Reason: true, AtMS: now.UnixMilli()},
		&entrylog.Opening{Name: o.Name, Address: o.Address, Text: reason})
}

// second refuses one person who acts as two, and a first who is only a name (RA-2).
func (o Operator) second(tx *store.Tx, first string) error {
	if typed(first) {
		return web.ErrTyped
	}
	return another(tx, first, o.Account)
}

// typed reports whether the word of somebody who acted is that of a typed name: before ADR 0102 it could be one of two persons.
func typed(word string) bool { return strings.HasPrefix(word, typedWord) }

// Errors of retention that pages and commands tell apart.
var (
	errNoReason     = errors.New("no reason given: it goes into the log")
	errBadRetention = errors.New("retention")
	errNoName       = errors.New("nobody named who does it: it goes into the log")
	errNoAccount    = errors.New("a name proves nobody: this takes an account")
)

func (o Operator) check(reason string) error {
	switch {
	case strings.TrimSpace(reason) == "":
		return errNoReason
	case o.Account == "" && strings.TrimSpace(o.Name) == "":
		return errNoName
	}
	return nil
}

// checkPerson is check for what makes one of two persons.
func (o Operator) checkPerson(reason string) error {
	if o.Account == "" {
		return errNoAccount
	}
	return o.check(reason)
}

// Retainer keeps what is to be kept and disposes of the rest (EV-8, EV-9).
type Retainer struct {
	store *store.Store
	keys  *keystore.KeyStore
	zone  *time.Location
	now   func() time.Time

	// step is told between the steps of a run, with their names; an error there ends it as a crash would. Tests use it.
	step func(name string) error
	// signed has the leaf that begins a run covered by a checkpoint before anything is destroyed. A restored database that is not served yet
	// cannot, and its keys are gone already.
	signed bool
	// dropped is called after people were taken out of the directory; nil = nobody keeps a copy of it.
	dropped func(context.Context) error
	// gone is called when a run has taken its rows; nil = nobody keeps files that were made of them.
	gone func()
	// copies takes away copies of the database that outlive nothing that is destroyed; nil = there are none.
	copies func() error
	// compacted are the runs after which this process wrote the database file anew.
	compacted sync.Map
	// batch is how many leaves a transaction takes: doors wait for it; 0 = dropBatch.
	batch int
}

// dropBatch keeps a transaction of a run well below the time that a door's answer may take.
const dropBatch = 250

// Retainer gives the retention of an open site.
func (s *Site) Retainer() *Retainer {
	return &Retainer{store: s.Store, keys: s.Store.Keys(), zone: s.Config.Location(), now: time.Now, signed: true, copies: func() error {
		return errors.Join(dropUpdateCopies(s.Config), dropBackupCopies(s.Config))
	}}
}

// Rules are the periods in force.
func (t *Retainer) rules(r store.Reader) ([]retention.Rule, error) {
	set, err := r.RetentionYears()
	if err != nil {
		return nil, err
	}
	out := retention.Defaults()
	for i := range out {
		if n, ok := set[out[i].Class]; ok && retention.Settable(out[i].Class) {
			out[i].Years = n
		}
	}
	return out, nil
}

// SetYears gives a class another period. A shorter one destroys nothing by itself: each run takes two persons.
func (t *Retainer) SetYears(ctx context.Context, class entrylog.Class, years int, reason string, by Operator) error {
	if err := by.check(reason); err != nil {
		return err
	}
	if !retention.Settable(class) || years < 1 || years > retention.MaxYears {
		return fmt.Errorf("%w: %q cannot be kept for %d years: 1 to %d", errBadRetention, class, years, retention.MaxYears)
	}
	return t.store.Write(ctx, func(tx *store.Tx) error {
		if _, err := by.leaf(tx, "retention_set", "retention", fmt.Sprintf("%s:%d", class, years), reason, t.now()); err != nil {
			return err
		}
		return tx.SetRetentionYears(class, years)
	})
}

// RetentionPlan is what there is, by class and year, with what is due and what blocks it.
type RetentionPlan struct {
	Today calendar.Date
	Rules []retention.Rule
	Items []retention.Item
}

// Plan says what there is and what is due.
func (t *Retainer) Plan(ctx context.Context) (p RetentionPlan, err error) {
	p.Today = calendar.DateOf(t.now().In(t.zone))
	var holds []retention.Hold
	var items []retention.Item
	err = t.store.Read(ctx, func(r *store.ReadTx) error {
		if p.Rules, err = t.rules(r.Reader); err != nil {
			return err
		}
		if holds, err = holdsOf(r.Reader); err != nil {
			return err
		}
		counts, err := r.Periods(t.zone)
		if err != nil {
			return err
		}
		open, unread, err := t.openCases(r.Reader)
		if err != nil {
			return err
		}
		for _, c := range counts {
			if c.Class != entrylog.ClassSystem {
				k := keystore.Period{Class: c.Class, FiscalYear: c.Year}
				items = append(items, retention.Item{Class: c.Class, Year: c.Year, Count: c.Count, Open: open[k], Unread: unread[k]})
			}
		}
		gone, err := r.Gone()
		for year, people := range gone {
			items = append(items, retention.Item{Class: retention.ClassDirectory, Year: year, Count: int64(len(people))})
		}
		return err
	})
	p.Items = retention.Plan(items, p.Rules, holds, p.Today)
	return p, err
}

func holdsOf(r store.Reader) (out []retention.Hold, err error) {
	list, err := r.Holds()
	for _, h := range list {
		out = append(out, retention.Hold{ID: h.ID, Class: h.Class, FromFY: h.FromFY, ToFY: h.ToFY, Until: h.Until, Ended: h.State == store.HoldReleased})
	}
	return out, err
}

// PlaceHold stops the disposal of a class ("" = every one) and fiscal years until two persons release it.
func (t *Retainer) PlaceHold(ctx context.Context, class entrylog.Class, from, to int, until, reason string, by Operator) (id string, err error) {
	if err := by.check(reason); err != nil {
		return "", err
	}
	if _, err := calendar.ParseDate(until); err != nil {
		return "", fmt.Errorf("%w: hold until %q: no day YYYY-MM-DD", errBadRetention, until)
	}
	if class != "" && !retention.Settable(class) || from < 1970 || to > 9999 || to < from {
		return "", fmt.Errorf("%w: there is nothing of class %q and fiscal years %d to %d to hold", errBadRetention, class, from, to)
	}
	err = t.store.Write(ctx, func(tx *store.Tx) error {
		all, err := tx.Holds()
		if err != nil {
			return err
		}
		id = fmt.Sprintf("hold-%05d", len(all)+1)
		idx, err := by.leaf(tx, "hold_placed", "hold", fmt.Sprintf("%s:%s:%d-%d:%s", id, class, from, to, until), reason, t.now())
		if err != nil {
			return err
		}
		return tx.PutHold(store.Hold{ID: id, Class: class, FromFY: from, ToFY: to, Until: until, State: store.HoldInForce, PlacedBy: by.word(), PlacedMS: t.now().UnixMilli(), PlacedIdx: idx})
	})
	return id, err
}

// ReleaseHold ends a hold: the first call asks, another person's ends it. released says which it was.
func (t *Retainer) ReleaseHold(ctx context.Context, id, reason string, by Operator) (released bool, err error) {
	if err := by.checkPerson(reason); err != nil {
		return false, err
	}
	err = t.store.Write(ctx, func(tx *store.Tx) error {
		h, err := tx.Hold(id)
		if err != nil {
			return fmt.Errorf("hold %s: %w", id, err)
		}
		verb := "hold_release_asked"
		switch released = false; {
		case h.State == store.HoldInForce, h.State == store.HoldReleaseAsked && typed(h.AskedBy): // who typed a name did not ask
			h.State, h.AskedBy, h.AskedMS = store.HoldReleaseAsked, by.word(), t.now().UnixMilli()
		case h.State == store.HoldReleaseAsked:
			if err := by.second(tx, h.AskedBy); err != nil {
				return err
			}
			released, verb = true, "hold_released"
			h.State, h.ReleasedBy, h.ReleasedMS = store.HoldReleased, by.word(), t.now().UnixMilli()
		default:
			return web.ErrTooLate
		}
		if _, err := by.leaf(tx, verb, "hold", id, reason, t.now()); err != nil {
			return err
		}
		return tx.PutHold(h)
	})
	return released, err
}

// Ask asks for a run of a class and year that is due and that nothing blocks.
func (t *Retainer) Ask(ctx context.Context, class entrylog.Class, year int, reason string, by Operator) (id string, err error) {
	if err := by.checkPerson(reason); err != nil {
		return "", err
	}
	item, err := t.ready(ctx, class, year)
	if err != nil {
		return "", err
	}
	err = t.store.Write(ctx, func(tx *store.Tx) error {
		runs, err := tx.DisposalRuns()
		if err != nil {
			return err
		}
		if slices.ContainsFunc(runs, func(d store.DisposalRun) bool {
			return d.Class == class && d.Year == year && d.State != store.RunDone && d.State != store.RunWithdrawn
		}) {
			return web.ErrExists
		}
		id = fmt.Sprintf("disposal-%d-%05d", entrylog.FiscalYear(t.now().UnixMilli(), t.zone), t.lastRun(runs)+1)
		idx, err := by.leaf(tx, "disposal_asked", "disposal", fmt.Sprintf("%s:%s:%d", id, class, year), reason, t.now())
		if err != nil {
			return err
		}
		count := item.Count
		if class == retention.ClassDirectory {
			if count, err = tx.NotePeople(id, year); err != nil {
				return err
			}
		}
		return tx.AddDisposalRun(store.DisposalRun{ID: id, Class: class, Year: year, State: store.RunAsked, Count: count, AskedBy: by.word(), AskedMS: t.now().UnixMilli(), AskedIdx: idx, Started: -1, Done: -1})
	})
	return id, err
}

// lastRun is the highest number that a run has. The key store's list counts too: a restored database does not know all the numbers that were given.
func (t *Retainer) lastRun(runs []store.DisposalRun) (last int) {
	see := func(id string) {
		if n, err := strconv.Atoi(id[strings.LastIndexByte(id, '-')+1:]); err == nil {
			last = max(last, n)
		}
	}
	for _, d := range runs {
		see(d.ID)
	}
	for _, d := range t.keys.Disposals() {
		see(d.Run)
	}
	return last
}

// ready is the plan's item of a class and year, or why a run of it may not be.
func (t *Retainer) ready(ctx context.Context, class entrylog.Class, year int) (retention.Item, error) {
	p, err := t.Plan(ctx)
	if err != nil {
		return retention.Item{}, err
	}
	i := slices.IndexFunc(p.Items, func(x retention.Item) bool { return x.Class == class && x.Year == year })
	if i < 0 {
		return retention.Item{}, fmt.Errorf("disposal: there is nothing of %s of fiscal year %d: %w", class, year, web.ErrNotFound)
	}
	x := p.Items[i]
	if !x.Due {
		return x, fmt.Errorf("disposal: %s of fiscal year %d is due on %s: %w", class, year, x.DueOn, web.ErrNotAllowed)
	}
	if len(x.Holds) > 0 {
		return x, fmt.Errorf("disposal: %s of fiscal year %d %w (%s)", class, year, store.ErrHeld, strings.Join(x.Holds, ", "))
	}
	return x, openError(class, year, x.Open, x.Unread)
}

// Approve is the second person; with withdraw anybody's "no". An approved run is carried out by CarryOut.
func (t *Retainer) Approve(ctx context.Context, id, reason string, withdraw bool, by Operator) error {
	if err := by.check(reason); err != nil {
		return err
	}
	if !withdraw {
		if err := by.checkPerson(reason); err != nil {
			return err
		}
		if err := t.approvable(ctx, id); err != nil {
			return err
		}
	}
	return t.store.Write(ctx, func(tx *store.Tx) error {
		d, err := tx.DisposalRun(id)
		if err != nil {
			return fmt.Errorf("disposal run %s: %w", id, err)
		}
		verb := "disposal_approved"
		switch {
		case withdraw && (d.State == store.RunAsked || d.State == store.RunApproved):
			verb, d.State = "disposal_withdrawn", store.RunWithdrawn
		case withdraw || d.State != store.RunAsked:
			return web.ErrTooLate
		default:
			if err := by.second(tx, d.AskedBy); err != nil {
				return err
			}
			d.State, d.ApprovedBy, d.ApprovedMS = store.RunApproved, by.word(), t.now().UnixMilli()
		}
		if _, err := by.leaf(tx, verb, "disposal", id, reason, t.now()); err != nil {
			return err
		}
		if d.State == store.RunWithdrawn {
			if err := tx.ForgetPeople(d.ID); err != nil {
				return err
			}
		}
		return tx.PutDisposalRun(d)
	})
}

// approvable is an error when what a run is of is not due, held, or has matters that are still open.
func (t *Retainer) approvable(ctx context.Context, id string) error {
	var d store.DisposalRun
	err := t.store.Read(ctx, func(r *store.ReadTx) (err error) { d, err = r.DisposalRun(id); return err })
	if err != nil {
		return fmt.Errorf("disposal run %s: %w", id, err)
	}
	if d.State == store.RunAsked {
		_, err = t.ready(ctx, d.Class, d.Year)
	}
	return err
}

// withdrawRestored withdraws what a restored database says was asked for or approved and the key store's list does not have as destroyed: it may have been
// withdrawn, and holds placed, since the backup was made.
func (t *Retainer) withdrawRestored(ctx context.Context, by Operator) error {
	return t.store.Write(ctx, func(tx *store.Tx) error {
		runs, err := tx.DisposalRuns()
		if err != nil {
			return err
		}
		for _, d := range runs {
			if d.State != store.RunAsked && d.State != store.RunApproved || t.listed(d.ID) {
				continue
			}
			if _, err := by.leaf(tx, "disposal_withdrawn", "disposal", d.ID, "the database was restored from a backup", t.now()); err != nil {
				return err
			}
			d.State = store.RunWithdrawn
			if err := errors.Join(tx.ForgetPeople(d.ID), tx.PutDisposalRun(d)); err != nil {
				return err
			}
		}
		return nil
	})
}
