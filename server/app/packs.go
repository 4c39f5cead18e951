package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"

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
	out    *exporter
	folder *folder[packs.Spool]
}

// openPacks goes on with what a restart broke off.
func openPacks(ctx context.Context, s *Site, p *pages, out *exporter) *packPages {
	x := &packPages{pages: p, out: out}
	var err error
	x.folder, err = openFolder(func() (*packs.Spool, error) {
		return packs.Open(s.Config.Path(packDir), s.Keys.Derive("monban packs of the pages"), x.write, p.now, p.log)
	})
	if err != nil {
		p.log.LogAttrs(ctx, slog.LevelError, "no packs can be made until this is mended; doors are not touched", slog.Any("err", err))
	}
	return x
}

// Close breaks off what runs and waits for it; the next start goes on.
func (p *packPages) Close() {
	if p != nil {
		p.folder.close((*packs.Spool).Close)
	}
}

// spool gives the packs that may still be handed out.
func (p *packPages) spool(ctx context.Context) (*packs.Spool, error) {
	s, err := p.folder.get()
	if err != nil {
		return nil, err
	}
	return s, forget(ctx, p.store, s, nil)
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
	spool, err := p.spool(ctx)
	if err != nil {
		return "", err
	}
	id, err := spool.Start(packs.Job{
		Account: act.Actor, From: originOf(act), Address: addressOf(act), Kind: ask.Kind, First: ask.From.String(), Last: ask.To.String(),
		Person: string(ask.Person), Names: ask.Names, Use: ask.Use, Reason: act.Reason,
	})
	if errors.Is(err, packs.ErrBusy) {
		err = web.ErrBusy
	}
	if errors.Is(err, packs.ErrNoRoom) {
		err = errors.Join(err, web.ErrNoPlace)
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
func (p *packPages) PackJobs(ctx context.Context, account string) (out []web.PackJob, err error) {
	spool, err := p.spool(ctx)
	if err != nil {
		return nil, err
	}
	for _, j := range spool.Jobs(account) {
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
	spool, err := p.spool(ctx)
	if err != nil {
		return nil, web.PackJob{}, err
	}
	r, j, err := spool.Read(act.Actor, id)
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
