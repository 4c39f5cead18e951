package webtest

import (
	"context"
	"crypto/rand"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"monban/server/web"
)

// Packs makes packs at once and keeps them in memory. A job DONE, one RUNS and one FAILED are there from the beginning.
type Packs struct {
	m  *Memory
	mu sync.Mutex

	Busy bool          // StartPack refuses
	Slow time.Duration // how long a pack takes on its way
	jobs []ownPack
}

type ownPack struct {
	web.PackJob
	account string
}

// late is at its end after a while.
type late struct{ after time.Duration }

func (l late) Read([]byte) (int, error) {
	time.Sleep(l.after)
	return 0, io.EOF
}

const packSum = "9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab"

// StartPack implements web.Packs.
func (p *Packs) StartPack(ctx context.Context, ask web.PackAsk, act web.Action) (string, error) {
	switch {
	case act.Reason == "":
		return "", web.FormFault{{Field: "reason", Word: "required"}}
	case ask.Use == "":
		return "", web.FormFault{{Field: "use", Word: "required"}}
	case ask.Kind == web.PackOfPerson && string(ask.Person) != "1001":
		return "", web.FormFault{{Field: "person", Word: "nobody"}}
	case p.Busy:
		return "", web.ErrBusy
	}
	if err := p.m.RecordAction(ctx, act); err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	j := web.PackJob{
		ID: rand.Text(), Kind: ask.Kind, First: ask.From.String(), Last: ask.To.String(), Person: string(ask.Person), Names: ask.Names,
		State: web.PackDone, Asked: act.At, Ended: act.At, Sum: packSum, Size: int64(len(packText)),
	}
	p.jobs = append([]ownPack{{j, act.Actor}}, p.jobs...)
	return j.ID, nil
}

const packText = "PK\x03\x04 a pack"

// PackJobs implements web.Packs.
func (p *Packs) PackJobs(_ context.Context, account string) (out []web.PackJob, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, j := range p.jobs {
		if j.account == account {
			out = append(out, j.PackJob)
		}
	}
	at := time.Now().Add(-time.Hour)
	return append(out,
		web.PackJob{ID: "RUNS", Kind: web.PackForAudit, First: "2025-04-01", Last: "2026-03-31", Names: true, State: web.PackRunning, Asked: at, Part: 41, Parts: 100},
		web.PackJob{ID: "DONE", Kind: web.PackForAudit, First: "2026-11-01", Last: "2026-11-30", State: web.PackDone, Asked: at, Ended: at, Sum: packSum, Size: 48_201_337},
		web.PackJob{ID: "NAMED", Kind: web.PackOfPerson, First: "2026-11-01", Last: "2026-11-01", Person: "1001", Names: true, State: web.PackDone, Asked: at, Ended: at, Sum: packSum, Size: 20_137},
		web.PackJob{ID: "FAILED", Kind: web.PackOfDay, First: "2026-11-03", Last: "2026-11-03", State: web.PackFailed, Asked: at, Ended: at, Fault: "export: the log has nothing of 2026-11-03 to 2026-11-03"},
	), nil
}

// OpenPack implements web.Packs.
func (p *Packs) OpenPack(ctx context.Context, id string, act web.Action) (io.ReadCloser, web.PackJob, error) {
	jobs, _ := p.PackJobs(ctx, act.Actor)
	i := slices.IndexFunc(jobs, func(j web.PackJob) bool { return j.ID == id && j.State == web.PackDone })
	if i < 0 {
		return nil, web.PackJob{}, web.ErrNotFound
	}
	act.Target = jobs[i].Sum
	if err := p.m.RecordAction(ctx, act); err != nil {
		return nil, web.PackJob{}, err
	}
	jobs[i].Size = int64(len(packText))
	half := len(packText) / 2
	return io.NopCloser(io.MultiReader(strings.NewReader(packText[:half]), late{p.Slow}, strings.NewReader(packText[half:]))), jobs[i], nil
}
