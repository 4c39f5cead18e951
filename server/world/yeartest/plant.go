package yeartest

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/firmware/card"
	"monban/firmware/mono"
	"monban/server/app"
	"monban/server/authority"
	"monban/server/directory"
	"monban/server/ingest"
	"monban/server/policypub"
	"monban/server/review"
	"monban/server/store"
	"monban/server/world/year"
)

// Plant is the site of a year at work: its doors, gateways and server, in the year's time on one goroutine.
type Plant struct {
	Site *app.Site
	Year *year.Year
	// Stuck and Wrong tell where the doors did not do what the world knows that they must: kept somebody out who may enter, let
	// somebody in who may not.
	Stuck, Wrong []string

	pub     *policypub.Publisher
	auth    *authority.Authority
	pipe    *ingest.Pipeline
	start   time.Time
	now     mono.Time // since start
	todo    timers
	seq     int
	dice    *rand.ChaCha8
	boxes   map[string]*box
	doors   map[string]*leaf
	cards   map[string]year.Card
	refs    map[string]card.Ref
	tx      yearTx   // of the stretch that runs
	settled []func() // what waits for the commit of the step that runs
	sent    int
	ticked  int
	desk    *counter

	silentMS int64 // how long a gateway may be silent before the server says so
}

// yearTx is the transaction of one stretch of the year. The year runs many steps in one commit; what has to happen after the commit
// happens after each step, for the next one needs it, and the transaction ends in success or the year does not go on.
type yearTx struct {
	*store.Tx
	p *Plant
}

// AfterCommit has f run after the step.
func (t yearTx) AfterCommit(f func()) { t.p.settled = append(t.p.settled, f) }

// step is one transaction of the server.
func (p *Plant) step(do func(tx yearTx) error) error {
	if err := do(p.tx); err != nil {
		return err
	}
	for len(p.settled) > 0 {
		f := p.settled[0]
		p.settled = p.settled[1:]
		f()
	}
	return nil
}

// New founds the site of a year in dir.
func New(ctx context.Context, dir string, y *year.Year, cards []year.Card) (*Plant, error) {
	site, err := found(ctx, dir, y)
	if err != nil {
		return nil, err
	}
	p := &Plant{
		Site: site, Year: y, start: y.Plan.First.Start(y.Zone), dice: rand.NewChaCha8([32]byte{byte(y.Plan.Seed)}),
		boxes: map[string]*box{}, doors: map[string]*leaf{}, cards: map[string]year.Card{}, refs: map[string]card.Ref{},
	}
	for _, c := range cards {
		p.cards[c.ID] = c
		if p.refs[c.ID], _, err = site.Keys.Card("H10301", c.Facility, c.Number); err != nil {
			return nil, errors.Join(err, site.Close())
		}
	}
	if err := p.open(ctx); err != nil {
		return nil, errors.Join(err, site.Close())
	}
	return p, nil
}

// open starts the server's parts and the gateways.
func (p *Plant) open(ctx context.Context) (err error) {
	if p.pub, err = publisher(p.Site, p.clock); err != nil {
		return err
	}
	if err := p.pub.Reload(ctx); err != nil {
		return err
	}
	p.auth, p.pipe = authority.New(p.pub), ingest.New(p.pub, p.Year.Zone)
	p.pipe.Follow(p.auth.Places())
	set := review.DefaultSettings()
	p.silentMS = set.OfflineMS
	set.AloneMS[2] = 4 * time.Hour.Milliseconds() // the city has no zone of level 3
	set.Walks = []review.Walk{{From: "depot-2", To: "annex-1", LeastMS: 10 * time.Minute.Milliseconds()}}
	p.pipe.Configure(set, func(gw access.GatewayID) bool { return !p.boxes[string(gw)].linked() })
	err = p.Site.Store.Read(ctx, func(r *store.ReadTx) error {
		if err := p.auth.Places().Load(r, p.wallMS(), p.Year.Zone); err != nil {
			return err
		}
		return p.pipe.Load(r, p.wallMS(), p.wallMS())
	})
	if err != nil {
		return err
	}
	p.every(watchEvery, p.watch)
	dir := p.pub.Site().Directory()
	for i := range dir.Gateways {
		p.boxes[string(dir.Gateways[i].ID)] = newBox(p, dir.Gateways[i].ID)
	}
	for i := range dir.Doors {
		p.boxes[string(dir.Doors[i].Gateway)].addDoor(&dir.Doors[i])
	}
	if err := p.openCounter(ctx); err != nil {
		return err
	}
	return p.policies(ctx)
}

func (p *Plant) clock() time.Time { return p.start.Add(time.Duration(p.now)) }
func (p *Plant) wallMS() int64    { return p.start.UnixMilli() + int64(p.now)/1e6 }
func (p *Plant) fill(b []byte)    { _, _ = p.dice.Read(b) } // a ChaCha8 never fails

// stretch is how much of the year goes into one commit.
const stretch = 15 * time.Minute

// Run lets the whole year happen.
func (p *Plant) Run(ctx context.Context) error {
	end := mono.Time(p.Year.Plan.First.AddDays(p.Year.Plan.Days).Start(p.Year.Zone).Sub(p.start))
	acts := p.Year.Acts
	for day := p.Year.Plan.First; p.now < end; {
		until := min(p.now.Add(stretch), end)
		// What the office does to cards and people is a transaction of its own, and so is the day's first policy.
		var office *year.Act
		for i := range acts {
			if at := p.mono(acts[i].AtMS); at > until {
				break
			}
			if isOffice(acts[i].Do) {
				until, office = p.mono(acts[i].AtMS), &acts[i]
				break
			}
		}
		ran := false
		err := p.Site.Store.Write(ctx, func(tx *store.Tx) error {
			if ran {
				return errors.New("BUG: a stretch of the year cannot run twice")
			}
			ran, p.tx = true, yearTx{tx, p}
			var err error
			acts, err = p.stretch(acts, until)
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", p.clock().In(p.Year.Zone).Format(time.DateTime), err)
		}
		if office != nil {
			acts = acts[1:]
			if err := p.office(ctx, office); err != nil {
				return err
			}
		}
		if err := p.sweep(ctx); err != nil {
			return fmt.Errorf("%s: %w", p.Tell(p.wallMS()), err)
		}
		if today := calendar.DateOf(p.clock().In(p.Year.Zone)); today != day {
			day = today
			if err := p.newDay(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *Plant) mono(ms int64) mono.Time { return mono.Time((ms - p.start.UnixMilli()) * 1e6) }

// stretch runs acts and timers in their order until a moment, and gives the acts that are left. An act of the office at that moment is
// left too.
func (p *Plant) stretch(acts []year.Act, until mono.Time) ([]year.Act, error) {
	for {
		next := until
		if len(p.todo) > 0 {
			next = min(next, p.todo[0].at)
		}
		if len(acts) > 0 && p.mono(acts[0].AtMS) <= next && !isOffice(acts[0].Do) {
			p.now = max(p.now, p.mono(acts[0].AtMS))
			if err := p.do(&acts[0]); err != nil {
				return acts, err
			}
			acts = acts[1:]
			continue
		}
		if len(p.todo) > 0 && p.todo[0].at <= until {
			t := heap.Pop(&p.todo).(timer)
			p.now = max(p.now, t.at)
			if err := t.do(); err != nil {
				return acts, err
			}
			continue
		}
		p.now = until
		return acts, nil
	}
}

// The server looks at who is inside each second, and once a minute at what never got a record; a year is spared some of that.
const (
	watchEvery = 30 * time.Second
	sweepEvery = 40
	tickEvery  = 2
)

// every does something again and again.
func (p *Plant) every(d time.Duration, do func() error) {
	p.after(d, func() error {
		p.every(d, do)
		return do()
	})
}

// watch is what the server does by the clock: it looks at who is inside and at what never got a record.
func (p *Plant) watch() error {
	if p.ticked++; p.ticked%sweepEvery == 0 {
		if err := p.step(func(tx yearTx) error { return p.pipe.Sweep(tx, p.wallMS()) }); err != nil {
			return err
		}
	}
	if err := p.tellOffline(); err != nil {
		return err
	}
	return p.step(func(tx yearTx) error {
		if p.ticked%tickEvery == 0 {
			if err := p.pipe.Tick(tx, p.wallMS()); err != nil {
				return err
			}
		}
		for _, n := range p.auth.Places().Due(p.wallMS()) {
			if err := p.pipe.Notice(tx, n, p.wallMS()); err != nil {
				return err
			}
		}
		return nil
	})
}

// newDay publishes the day's rules and closes what was found before, as reviewers do each morning: what is open and the same is not
// told again.
func (p *Plant) newDay(ctx context.Context) error {
	if err := p.pub.Reload(ctx); err != nil {
		return err
	}
	if err := p.policies(ctx); err != nil {
		return err
	}
	return p.Site.Store.Write(ctx, func(tx *store.Tx) error {
		list, _, err := tx.FindingsWithDuress(false, 0, 10_000)
		if err != nil {
			return err
		}
		for _, f := range list {
			a := store.FindingAct{Finding: f.Idx, Kind: "finding_justified", Account: "reviewer", AtMS: p.wallMS(), Text: "確認済み"}
			if _, err := tx.AppendFindingAct(a, "page", ""); err != nil {
				return err
			}
		}
		return nil
	})
}

func isOffice(d year.Deed) bool {
	return d == year.SetCard || d == year.SetHolder || d == year.Transfer || d == year.Grant || d == year.Counter
}

// office changes the directory.
func (p *Plant) office(ctx context.Context, a *year.Act) error {
	p.now = max(p.now, p.mono(a.AtMS))
	if a.Do == year.Counter {
		if err := p.errand(ctx, a.Errand); err != nil {
			return fmt.Errorf("%s: %w", p.Tell(p.wallMS()), err)
		}
		return p.policies(ctx)
	}
	actor, ms := directory.Actor{From: "cli"}, p.wallMS()
	_, err := p.pub.Change(ctx, func(tx *store.Tx) ([]directory.Change, error) {
		switch a.Do {
		case year.SetCard:
			status, err := statusOf(a.Word)
			if err != nil {
				return nil, err
			}
			return directory.SetCardStatus(tx, actor, "a made year", ms, directory.CardID(a.Card), status)
		case year.SetHolder:
			return directory.SetPersonActive(tx, actor, "a made year", ms, directory.PersonID(a.Person), a.On)
		case year.Grant:
			return p.grantBy(tx, a)
		default:
			return directory.Update(tx, actor, "a made year", ms, func(s *directory.Snapshot) error {
				for i := range s.People {
					if string(s.People[i].ID) == a.Person {
						s.People[i].Section = a.Word
					}
				}
				return nil
			})
		}
	})
	if err != nil {
		return fmt.Errorf("%s of %s%s: %w", a.Word, a.Card, a.Person, err)
	}
	return p.policies(ctx)
}

func statusOf(word string) (access.CredentialStatus, error) {
	switch word {
	case "active":
		return access.CredentialActive, nil
	case "suspended":
		return access.CredentialSuspended, nil
	case "lost":
		return access.CredentialLost, nil
	}
	return 0, fmt.Errorf("BUG: no status %q", word)
}

// timer is something due at a time; those of one time run in the order in which they were made.
type timer struct {
	at  mono.Time
	seq int
	do  func() error
}

type timers []timer

func (q timers) Len() int { return len(q) }
func (q timers) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q timers) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *timers) Push(x any)   { *q = append(*q, x.(timer)) }
func (q *timers) Pop() any {
	old := *q
	t := old[len(old)-1]
	*q = old[:len(old)-1]
	return t
}

func (p *Plant) after(d time.Duration, do func() error) {
	p.seq++
	heap.Push(&p.todo, timer{p.now.Add(max(d, 0)), p.seq, do})
}
