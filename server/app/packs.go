package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"monban/firmware/calendar"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/packs"
	"monban/server/privacy"
	"monban/server/store"
	"monban/server/web"
)

// packDir is where packs that were asked for on a page lie for a day, below the data directory. No backup holds it.
const packDir = "packs"

// packPages implements web.Packs: jobs that write packs as the command line does.
type packPages struct {
	*pages
	out   *exporter
	spool *packs.Spool
}

// openPacks goes on with what a restart broke off.
func openPacks(s *Site, p *pages, out *exporter) (*packPages, error) {
	x := &packPages{pages: p, out: out}
	var err error
	x.spool, err = packs.Open(s.Config.Path(packDir), s.Keys.Derive("monban packs of the pages"), x.write, p.now, p.log)
	return x, err
}

// Close breaks off what runs and waits for it; the next start goes on.
func (p *packPages) Close() {
	if p != nil {
		p.spool.Close()
	}
}

// StartPack implements web.Packs.
func (p *packPages) StartPack(ctx context.Context, ask web.PackAsk, act web.Action) (string, error) {
	if bad := reasonFault(act.Reason); bad != nil {
		return "", bad
	}
	err := p.store.Read(ctx, func(r *store.ReadTx) error { return checkUse(r.Reader, privacy.Use(ask.Use)) })
	err = refusedUse(ctx, p.store, act.Actor, originOf(act), "pack", p.now().UnixMilli(), err)
	if errors.Is(err, privacy.ErrNotRegistered) || errors.Is(err, privacy.ErrNoPurpose) {
		return "", web.FormFault{{Field: "use", Word: "required"}}
	}
	if err != nil {
		return "", err
	}
	if ask.Kind == web.PackOfPerson && !slices.ContainsFunc(p.directory().People, func(x directory.Person) bool { return x.ID == ask.Person }) {
		return "", web.FormFault{{Field: "person", Word: "nobody"}}
	}
	id, err := p.spool.Start(packs.Job{
		Account: act.Actor, From: originOf(act), Address: addressOf(act), Kind: ask.Kind, First: ask.From.String(), Last: ask.To.String(),
		Person: string(ask.Person), Names: ask.Names, Use: ask.Use, Reason: act.Reason,
	})
	if errors.Is(err, packs.ErrBusy) {
		err = web.ErrBusy
	}
	return id, err
}

// write makes the pack of a job: the leaf that it is begun, its files, the leaf with its hash.
func (p *packPages) write(ctx context.Context, j packs.Job, w io.Writer, progress func(done, of int)) (string, error) {
	if err := p.store.Read(ctx, func(r *store.ReadTx) error { return checkUse(r.Reader, privacy.Use(j.Use)) }); err != nil {
		return "", err // it may have ended since
	}
	ask := PackExport{Kind: j.Kind, Person: directory.PersonID(j.Person), Names: j.Names}
	var err error
	if ask.From, err = calendar.ParseDate(j.First); err != nil {
		return "", err
	}
	if ask.To, err = calendar.ParseDate(j.Last); err != nil {
		return "", err
	}
	if j.Kind == web.PackForAudit {
		ask.Verifier = FindVerifier()
	}
	x := *p.out
	x.note = func(ctx context.Context, n exportNote) (int64, error) {
		a := entrylog.Action{Account: j.Account, Verb: n.Verb, Target: n.Target, ID: n.ID, From: j.From, Result: "ok", Reason: true, AtMS: p.now().UnixMilli()}
		return writeExportNote(ctx, p.store, a, entrylog.Opening{Address: j.Address, Subject: n.Subject, Text: n.Reason + "\npurpose " + j.Use})
	}
	return x.pack(ctx, w, ask, exportNote{Reason: j.Reason}, progress)
}

// PackJobs implements web.Packs.
func (p *packPages) PackJobs(_ context.Context, account string) (out []web.PackJob, err error) {
	for _, j := range p.spool.Jobs(account) {
		out = append(out, packJob(&j))
	}
	return out, nil
}

func packJob(j *packs.Job) web.PackJob {
	return web.PackJob{
		ID: j.ID, Kind: j.Kind, First: j.First, Last: j.Last, Person: j.Person, Names: j.Names, State: web.PackState(j.State), Asked: j.Asked, Ended: j.Ended,
		Sum: j.Sum, Size: j.Size, Fault: j.Fault, Part: j.Part, Parts: j.Parts,
	}
}

// OpenPack implements web.Packs. That it was taken is a leaf before a byte of it is given.
func (p *packPages) OpenPack(ctx context.Context, id string, act web.Action) (io.ReadCloser, web.PackJob, error) {
	r, j, err := p.spool.Read(act.Actor, id)
	if errors.Is(err, packs.ErrNone) {
		return nil, web.PackJob{}, web.ErrNotFound
	}
	if err != nil {
		return nil, web.PackJob{}, err
	}
	act.Target = j.Sum
	if err := (accounts{store: p.store}).RecordAction(ctx, act); err != nil {
		return nil, web.PackJob{}, errors.Join(fmt.Errorf("pack: %w", err), r.Close())
	}
	return r, packJob(&j), nil
}

// sweep takes away what is too old, and what was made before something was disposed of or erased: it may hold that.
func (p *packPages) sweep(ctx context.Context) {
	p.spool.Sweep()
	var newest int64
	err := p.store.Read(ctx, func(r *store.ReadTx) error {
		runs, err := r.DisposalRuns()
		for i := range runs {
			if runs[i].Done >= 0 {
				newest = max(newest, runs[i].DoneMS)
			}
		}
		if err != nil {
			return err
		}
		list, err := r.ErasureRequests()
		for i := range list {
			newest = max(newest, list[i].DecidedMS)
		}
		return err
	})
	if err != nil {
		if ctx.Err() == nil {
			p.log.LogAttrs(ctx, slog.LevelError, "packs of before a disposal stay until they are a day old", slog.Any("err", err))
		}
		return
	}
	p.spool.DropMadeBefore(time.UnixMilli(newest))
}
