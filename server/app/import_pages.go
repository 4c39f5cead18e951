package app

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"monban/server/directory"
	"monban/server/web"
)

// Bounds of drafts: they lie in memory, each as large as an upload.
const (
	draftLife     = 30 * time.Minute
	draftsInAll   = 8
	draftsAccount = 2 // the newest stay
)

// importPages implements web.Imports. A draft is kept in memory only: a file of cards holds numbers and PINs, and may not lie
// on a disk.
type importPages struct {
	registry *Registry
	now      func() time.Time

	mu     sync.Mutex
	drafts []importDraft // mu; oldest first
}

type importDraft struct {
	id, account string
	at          time.Time
	files       []directory.File
}

// tidy drops what is too old. The caller holds mu.
func (p *importPages) tidy() {
	now := p.now()
	kept := p.drafts[:0]
	for _, d := range p.drafts {
		if now.Sub(d.at) < draftLife {
			kept = append(kept, d)
		}
	}
	clear(p.drafts[len(kept):])
	p.drafts = kept
}

// keep puts a draft in place of the account's oldest when it has too many.
func (p *importPages) keep(d importDraft) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tidy()
	own := 0
	for _, x := range p.drafts {
		if x.account == d.account {
			own++
		}
	}
	for i := 0; own >= draftsAccount && i < len(p.drafts); i++ {
		if p.drafts[i].account == d.account {
			p.drafts = append(p.drafts[:i:i], p.drafts[i+1:]...)
			own, i = own-1, i-1
		}
	}
	if len(p.drafts) >= draftsInAll {
		return web.ErrTooMany
	}
	p.drafts = append(p.drafts, d)
	return nil
}

func (p *importPages) find(account, id string) (importDraft, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tidy()
	for _, d := range p.drafts {
		if d.id == id && d.account == account {
			return d, nil
		}
	}
	return importDraft{}, web.ErrNotFound
}

// own gives an account's drafts.
func (p *importPages) own(account string) (out []importDraft) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tidy()
	for _, d := range p.drafts {
		if d.account == account {
			out = append(out, d)
		}
	}
	return out
}

func (p *importPages) drop(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.drafts {
		if p.drafts[i].id == id {
			p.drafts = append(p.drafts[:i:i], p.drafts[i+1:]...)
			return
		}
	}
}

// DraftImport implements web.Imports.
func (p *importPages) DraftImport(ctx context.Context, account string, files []web.ImportFile) (web.ImportDraft, error) {
	d := importDraft{id: rand.Text(), account: account, at: p.now()}
	for _, f := range files {
		kind := directory.Kind(f.Kind)
		if kind == "" {
			kind, _ = directory.GuessKind(f.Name, f.Data)
		}
		d.files = append(d.files, directory.File{Name: f.Name, Kind: kind, Data: f.Data})
	}
	out, err := p.look(ctx, d)
	if err != nil || len(out.Problems) > 0 {
		out.ID = ""
		return out, err
	}
	return out, p.keep(d)
}

// look says what a draft would do to the directory as it is now.
func (p *importPages) look(ctx context.Context, d importDraft) (web.ImportDraft, error) {
	out := web.ImportDraft{ID: d.id}
	preview, err := p.registry.PreviewImport(ctx, d.files)
	if err != nil {
		return out, err
	}
	for _, f := range preview.Files {
		out.Files = append(out.Files, web.ImportLook{Name: f.Name, Kind: string(f.Kind), Encoding: f.Encoding, Rows: f.Rows, Head: f.Head, Sample: f.Sample})
	}
	if out.Problems = ruleProblems(preview.Problems); len(out.Problems) > 0 {
		return out, nil
	}
	o, err := p.registry.TryChange(ctx, directory.Actor{}, importing(d.files, p.registry.importConfig(false)))
	var wrong directory.Problems
	if errors.As(err, &wrong) {
		out.Problems = ruleProblems(wrong)
		return out, nil
	}
	out.Outcome = ruleOutcome(o)
	return out, err
}

// ImportByID implements web.Imports.
func (p *importPages) ImportByID(ctx context.Context, account, id string) (web.ImportDraft, error) {
	d, err := p.find(account, id)
	if err != nil {
		return web.ImportDraft{}, err
	}
	return p.look(ctx, d)
}

// ApplyImport implements web.Imports.
func (p *importPages) ApplyImport(ctx context.Context, id string, act web.Action) (web.RuleOutcome, error) {
	d, err := p.find(act.Actor, id)
	if err != nil {
		return web.RuleOutcome{}, err
	}
	out, err := p.registry.Import(ctx, actorOf(act), act.Reason, d.files)
	var wrong directory.Problems
	if errors.As(err, &wrong) {
		return web.RuleOutcome{Problems: ruleProblems(wrong)}, nil
	}
	if err != nil {
		return web.RuleOutcome{}, err
	}
	p.drop(id)
	return ruleOutcome(out), nil
}
