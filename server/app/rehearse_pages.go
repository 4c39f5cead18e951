package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"monban/server/directory"
	"monban/server/policypub"
	"monban/server/rehearse"
	"monban/server/store"
	"monban/server/web"
)

// Bounds of rehearsals: each reads the days of its period once, in the background, one after the other.
const (
	rehearsalLife  = 30 * time.Minute
	rehearsalLong  = 10 * time.Minute // after that one is given up
	rehearsalsKept = 8
	rehearsalShows = 500
)

// rehearsePages implements web.Rehearsals: rehearsals run in the background and are looked at by their page.
type rehearsePages struct {
	registry *Registry
	imports  *importPages
	audit    web.Audit
	current  func() *policypub.Current
	now      func() time.Time
	log      *slog.Logger

	one  sync.Mutex // one rehearsal at a time: doors come first
	mu   sync.Mutex
	jobs []*rehearsalJob // mu; oldest first
	wait sync.WaitGroup
	end  context.CancelFunc
	ctx  context.Context
}

type rehearsalJob struct {
	id, account string
	at          time.Time
	result      web.Rehearsal // mu of rehearsePages
}

func newRehearsePages(reg *Registry, imports *importPages, audit web.Audit, current func() *policypub.Current, log *slog.Logger) *rehearsePages {
	p := &rehearsePages{registry: reg, imports: imports, audit: audit, current: current, now: time.Now, log: log}
	p.ctx, p.end = context.WithCancel(context.Background())
	return p
}

// Close ends what runs and waits for it.
func (p *rehearsePages) Close() {
	p.end()
	p.wait.Wait()
}

// Rehearsable implements web.Rehearsals.
func (p *rehearsePages) Rehearsable(ctx context.Context, account string) (out []web.RehearsalChoice, err error) {
	list, err := p.registry.Proposals(ctx, false, 200)
	if err != nil {
		return nil, err
	}
	for i := range list {
		changes, err := list[i].ProposedChanges()
		if err != nil {
			return nil, err
		}
		out = append(out, web.RehearsalChoice{ID: "proposal/" + list[i].ID, Reason: list[i].Reason, At: moment(list[i].ProposedMS), Rows: len(changes)})
	}
	for _, d := range p.imports.own(account) {
		x := web.RehearsalChoice{ID: "import/" + d.id, At: d.at, Rows: len(d.files)}
		var names []string
		for _, f := range d.files {
			names = append(names, f.Name)
		}
		x.Files = strings.Join(names, ", ")
		out = append(out, x)
	}
	return out, nil
}

// draft makes the directory that a proposal or an import would leave.
func (p *rehearsePages) draft(ctx context.Context, cur *policypub.Current, account, what string) (*directory.Snapshot, error) {
	next := *cur.Directory()
	kind, id, _ := strings.Cut(what, "/")
	switch kind {
	case "proposal":
		proposal, _, err := p.registry.Proposal(ctx, id)
		if errors.Is(err, store.ErrNotFound) || err == nil && proposal.State != directory.ProposalOpen {
			return nil, web.ErrNotFound
		}
		if err != nil {
			return nil, err
		}
		stored, err := p.registry.Directory(ctx) // without what visits and the day add to the one in force
		if err != nil {
			return nil, err
		}
		if !proposal.Stands(&stored) {
			return nil, web.ErrStale
		}
		return &next, proposal.Apply(&next)
	case "import":
		d, err := p.imports.find(account, id)
		if err != nil {
			return nil, err
		}
		var wrong directory.Problems
		next, _, err = directory.Import(next, d.files, p.registry.importConfig(false))
		if errors.As(err, &wrong) {
			return nil, web.ErrStale // it had none when it was kept
		}
		return &next, err
	}
	return nil, web.ErrNotFound
}

// StartRehearsal implements web.Rehearsals.
func (p *rehearsePages) StartRehearsal(ctx context.Context, q web.RehearsalQuery, act web.Action) (string, error) {
	cur := p.current()
	if cur == nil {
		return "", rehearse.ErrNoPolicy
	}
	draft, err := p.draft(ctx, cur, act.Actor, q.What)
	if err != nil {
		return "", err
	}
	from, err := time.Parse(time.DateOnly, q.From)
	if err != nil {
		return "", err
	}
	until, err := time.Parse(time.DateOnly, q.Until)
	if err != nil {
		return "", err
	}
	job := &rehearsalJob{id: rand.Text(), account: act.Actor, at: p.now(), result: web.Rehearsal{Query: q, Of: int(until.Sub(from)/(24*time.Hour)) + 1}}
	if err := p.add(job); err != nil {
		return "", err
	}
	if err := p.audit.RecordAction(ctx, act); err != nil {
		p.set(job, func(r *web.Rehearsal) { r.Done, r.Fault = true, "broken" })
		return "", err
	}
	english := web.LanguageOf(ctx)
	p.wait.Go(func() {
		ctx, cancel := context.WithTimeout(web.WithLanguage(p.ctx, english), rehearsalLong)
		defer cancel()
		p.one.Lock()
		defer p.one.Unlock()
		p.run(ctx, job, cur, draft)
	})
	return job.id, nil
}

// add keeps a job in place of those that are too old; while as many run as may, there is no room.
func (p *rehearsePages) add(job *rehearsalJob) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var kept []*rehearsalJob
	running := 0
	for _, j := range p.jobs {
		if p.now().Sub(j.at) < rehearsalLife {
			kept = append(kept, j)
			if !j.result.Done {
				running++
			}
		}
	}
	for i := 0; len(kept) >= rehearsalsKept && i < len(kept); i++ {
		if kept[i].result.Done {
			kept = append(kept[:i:i], kept[i+1:]...)
			i--
		}
	}
	p.jobs = kept
	if running >= rehearsalsKept/2 {
		return web.ErrTooMany
	}
	p.jobs = append(p.jobs, job)
	return nil
}

func (p *rehearsePages) set(job *rehearsalJob, change func(*web.Rehearsal)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&job.result)
}

// run compares. A panic of it ends the job, not the server.
func (p *rehearsePages) run(ctx context.Context, job *rehearsalJob, cur *policypub.Current, draft *directory.Snapshot) {
	defer func() {
		if v := recover(); v != nil {
			p.log.LogAttrs(ctx, slog.LevelError, "rehearsal", slog.Any("panic", v))
			p.set(job, func(r *web.Rehearsal) { r.Done, r.Fault = true, "broken" })
		}
	}()
	q := RehearseQuery{From: job.result.Query.From, Until: job.result.Query.Until, Day: func() { p.set(job, func(r *web.Rehearsal) { r.Days++ }) }}
	out, err := Rehearse(ctx, p.registry.store, cur, draft, q)
	if err != nil {
		p.log.LogAttrs(ctx, slog.LevelWarn, "rehearsal", slog.String("error", err.Error()))
		p.set(job, func(r *web.Rehearsal) { r.Done, r.Fault = true, "broken" })
		return
	}
	// The draft may name people and zones that are not in force yet; who has left stands in the one in force.
	names, before := namesOf(ctx, draft), namesOf(ctx, cur.Directory())
	people := map[directory.PersonID]string{}
	for _, s := range []*directory.Snapshot{cur.Directory(), draft} {
		for i := range s.People {
			people[s.People[i].ID] = s.People[i].Name
		}
	}
	p.set(job, func(r *web.Rehearsal) {
		r.Done, r.Compared, r.AlreadyOtherwise, r.Unreadable = true, out.Compared, out.AlreadyOtherwise, out.Unreadable
		for i, d := range out.Otherwise {
			if i == rehearsalShows {
				r.More = len(out.Otherwise) - i
				break
			}
			r.Entries = append(r.Entries, web.RehearsalEntry{Attempt: hex.EncodeToString(d.Attempt[:]), At: time.UnixMilli(d.AtMS), Person: d.Person, Name: people[directory.PersonID(d.Person)],
				Door: before.door(d.Request.Door), Was: d.Outcome, WasWhy: d.Reason, Is: d.Draft.Outcome, Why: d.Draft.Primary})
		}
		for _, x := range out.Rights {
			zone := names.zone(x.Zone)
			if zone == string(x.Zone) {
				zone = before.zone(x.Zone)
			}
			r.Rights = append(r.Rights, web.RehearsalRight{Person: string(x.Person), Name: people[x.Person], Zone: zone, Effect: string(x.Effect), Before: x.Before, After: x.After})
		}
	})
}

// RehearsalByID implements web.Rehearsals.
func (p *rehearsePages) RehearsalByID(_ context.Context, account, id string) (web.Rehearsal, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, j := range p.jobs {
		if j.id == id && j.account == account && p.now().Sub(j.at) < rehearsalLife {
			return j.result, nil // its lists are replaced as a whole, never changed
		}
	}
	return web.Rehearsal{}, web.ErrNotFound
}
