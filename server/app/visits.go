package app

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/policypub"
	"monban/server/review"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

// Visits is everything that pages do with visits, temporary cards, suspended cards, emergencies, equipment, keys and
// purposes. Each method is one transaction: the action leaf, the row, and, where doors change, the policy that follows.
// A refusal is a *visit.Error; ErrNotFound of the store means that there is no such matter. Who may call what is the pages'
// to decide (RA-1); that two different persons do what takes two is decided here.
type Visits struct {
	pub   *policypub.Publisher
	store *store.Store
	now   func() time.Time
	log   *slog.Logger
	round *round // nil = every reading reads the directory
}

// round is the directory as one round of the job has read it first: with thousands of people it is most of what the job would read, and each
// of its parts asks for the same. What moves a matter reads it anew in its own transaction.
type round struct{ dir *directory.Snapshot }

// directory reads the directory, once in a round of the job.
func (v *Visits) directory(r store.Reader) (*directory.Snapshot, error) {
	if v.round != nil && v.round.dir != nil {
		return v.round.dir, nil
	}
	dir, err := r.Directory()
	if err != nil {
		return nil, err
	}
	if v.round != nil {
		v.round.dir = &dir
	}
	return &dir, nil
}

func newVisits(pub *policypub.Publisher, s *store.Store, now func() time.Time, log *slog.Logger) *Visits {
	return &Visits{pub: pub, store: s, now: now, log: log}
}

// Visits gives the visits' service to pages.
func (a *App) Visits() *Visits { return a.visits }

func (v *Visits) nowMS() int64 { return v.now().UnixMilli() }

// visitTx is one transaction of a step.
type visitTx struct {
	*store.Tx
	site  *visit.Site
	nowMS int64
	v     *Visits
}

// run runs f in a transaction, with a new policy when doors change. f may run more than once.
func (v *Visits) run(ctx context.Context, publish bool, f func(t *visitTx) error) error {
	in := func(tx *store.Tx) error {
		dir, err := tx.Directory()
		if err != nil {
			return err
		}
		site, err := policypub.VisitSite(tx.Reader, &dir, v.store.Zone())
		if err != nil {
			return err
		}
		return f(&visitTx{Tx: tx, site: site, nowMS: v.nowMS(), v: v})
	}
	if !publish {
		return missing(v.store.Write(ctx, in))
	}
	_, err := v.pub.Change(ctx, func(tx *store.Tx) ([]directory.Change, error) { return nil, in(tx) })
	return missing(err)
}

// missing lets pages, too, see that there is no such matter.
func missing(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: %w", web.ErrNotFound, err)
	}
	return err
}

// deed says who does what, for the leaf.
type deed struct {
	by     visit.Actor
	verb   string
	reason string
}

// put writes a matter as it stands after a step.
func (t *visitTx) put(prev store.Matter, m visit.Matter, a deed) (store.Matter, error) {
	doc, err := json.Marshal(m)
	if err != nil {
		return store.Matter{}, err
	}
	h := m.Head()
	text := store.MatterText{
		ID: h.ID, Kind: h.Kind, State: h.State, Open: h.Open, Zone: h.Zone, Doors: h.Doors, FromMS: h.FromMS, UntilMS: h.UntilMS,
		Reason: a.reason, Doc: doc,
	}
	from := a.by.From
	if from == "" {
		from = "lan"
	}
	leaf := entrylog.Action{Account: a.by.Account, Verb: a.verb, From: from, Result: "ok", Reason: a.reason != "", AtMS: t.nowMS}
	return t.PutMatter(prev, text, leaf, entrylog.Opening{Subject: string(m.Subject()), Address: a.by.Address})
}

// number gives a new matter its id.
func (t *visitTx) number(kind string) (string, error) {
	return t.NextMatterID(kind, entrylog.FiscalYear(t.nowMS, t.v.store.Zone()))
}

// load reads one matter.
func load[T any, P interface {
	*T
	visit.Matter
}](r store.Reader, kind, id string) (P, store.Matter, error) {
	row, err := r.Matter(id)
	if err != nil {
		return nil, row, err
	}
	if row.Kind != kind {
		return nil, row, store.ErrNotFound
	}
	p, err := read[T, P](r, row)
	return p, row, err
}

func read[T any, P interface {
	*T
	visit.Matter
}](r store.Reader, row store.Matter) (P, error) {
	text, err := r.MatterText(row.Idx)
	if err != nil {
		return nil, fmt.Errorf("matter %s: %w", row.ID, err)
	}
	p := P(new(T))
	if err := json.Unmarshal(text.Doc, p); err != nil {
		return nil, fmt.Errorf("matter %s: %w", row.ID, err)
	}
	return p, nil
}

// list reads the matters of rows; one that was erased by a disposal is left out.
func list[T any, P interface {
	*T
	visit.Matter
}](r store.Reader, rows []store.Matter, err error) ([]T, error) {
	if err != nil {
		return nil, err
	}
	out := make([]T, 0, len(rows))
	for _, row := range rows {
		p, err := read[T, P](r, row)
		if errors.Is(err, store.ErrErased) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, *p)
	}
	return out, nil
}

// step moves one matter by a function that may refuse.
func step[T any, P interface {
	*T
	visit.Matter
}](ctx context.Context, v *Visits, kind, id string, publish bool, a deed, move func(t *visitTx, m P) error) (T, error) {
	var out T
	err := v.run(ctx, publish, func(t *visitTx) error {
		m, row, err := load[T, P](t.Reader, kind, id)
		if err != nil {
			return err
		}
		if err := move(t, m); err != nil {
			return err
		}
		if _, err := t.put(row, m, a); err != nil {
			return err
		}
		out = *m
		return nil
	})
	if err != nil {
		var none T
		return none, err
	}
	return out, nil
}

// begin writes a new matter that make makes; its id is set by name.
func begin[T any, P interface {
	*T
	visit.Matter
}](ctx context.Context, v *Visits, kind string, publish bool, a deed, make func(t *visitTx, id string) (T, error), after func(t *visitTx, row store.Matter, m P) error) (T, error) {
	var out T
	err := v.run(ctx, publish, func(t *visitTx) error {
		id, err := t.number(kind)
		if err != nil {
			return err
		}
		m, err := make(t, id)
		if err != nil {
			return err
		}
		row, err := t.put(store.Matter{}, P(&m), a)
		if err != nil {
			return err
		}
		out = m
		if after == nil {
			return nil
		}
		return after(t, row, P(&m))
	})
	if err != nil {
		var none T
		return none, err
	}
	return out, nil
}

// find makes a finding of a matter, once for its cause and detail. The leaf names nobody: cause is the leaf that began
// the matter.
func (t *visitTx) find(kind review.Kind, cause int64, detail string) error {
	told, err := t.CauseFound(string(kind), cause, detail)
	if err != nil || told {
		return err
	}
	f := review.New(kind, cause)
	_, err = t.AppendFinding(attempt.Finding{Kind: string(kind), Severity: f.Severity.String(), Cause: cause, Detail: detail, AtMS: t.nowMS}, nil)
	if err != nil {
		return fmt.Errorf("log finding %s: %w", kind, err)
	}
	return nil
}

// lent tells which open matter has a badge.
func (t *visitTx) lent() (visit.Lent, error) {
	held := map[string]string{}
	visits, err := list[visit.Visit](openOf(t.Reader, visit.KindVisit))
	if err != nil {
		return nil, err
	}
	for i := range visits {
		for _, b := range visits[i].Out() {
			held[b] = visits[i].ID
		}
	}
	cards, err := list[visit.TemporaryCard](openOf(t.Reader, visit.KindTemporary))
	for i := range cards {
		held[cards[i].Badge] = cards[i].ID
	}
	return func(badge string) string { return held[badge] }, err
}

func openOf(r store.Reader, kind string) (store.Reader, []store.Matter, error) {
	rows, err := r.OpenMatters(kind)
	return r, rows, err
}

// badge finds a badge by its inventory number or what is printed on it; nil when there is none.
func badgeOf(r store.Reader, name string) (*visit.Badge, error) {
	all, err := r.Badges()
	if err != nil || name == "" {
		return nil, err
	}
	for _, match := range []func(b *visit.Badge) bool{
		func(b *visit.Badge) bool { return b.ID == name }, func(b *visit.Badge) bool { return b.Label == name },
	} {
		for i := range all {
			if match(&all[i]) {
				return &all[i], nil
			}
		}
	}
	return nil, nil
}

// passages are what the log says of these persons from fromMS on, in order of time.
func passages(r store.Reader, dir *directory.Snapshot, zone *time.Location, persons map[directory.PersonID]bool, fromMS, toMS int64) ([]visit.Passage, error) {
	if len(persons) == 0 {
		return nil, nil
	}
	who := map[string]directory.PersonID{}
	for p := range persons {
		for ref := range r.PersonRefs(string(p)) {
			who[ref] = p
		}
	}
	rows, err := r.Passed(entrylog.Day(fromMS, zone), entrylog.Day(toMS, zone))
	if err != nil {
		return nil, err
	}
	var out []visit.Passage
	for _, row := range rows {
		p, known := who[string(row.PersonRef)]
		if !known || row.PersonRef == nil || row.PassedMS < fromMS || row.PassedMS > toMS {
			continue
		}
		x := passage(&row, dir)
		x.Person = p
		if x.Keyed, err = keyed(r, &row); err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

// passage is a line of the log as a passage, without the person.
func passage(row *attempt.Row, dir *directory.Snapshot) visit.Passage {
	x := visit.Passage{Attempt: hex.EncodeToString(row.ID[:]), AtMS: row.PassedMS, Door: access.DoorID(row.Door), In: row.Passage == string(door.EventEntry)}
	i := slices.IndexFunc(dir.Doors, func(d directory.Door) bool { return string(d.ID) == row.Door })
	if i >= 0 {
		x.Zone, x.Outside = dir.Doors[i].Enter, dir.Doors[i].Exit == "" && !x.In
	}
	return x
}

// passagesOf reads what the log says of the people of visits.
func passagesOf(r store.Reader, s *visit.Site, visits []visit.Visit, nowMS int64) ([]visit.Passage, error) {
	persons := map[directory.PersonID]bool{}
	from := nowMS
	for i := range visits {
		since, people := visits[i].People()
		for _, p := range people {
			persons[p] = true
		}
		if len(people) > 0 {
			from = min(from, since)
		}
	}
	return passages(r, s.Dir, s.Zone, persons, from, nowMS)
}
