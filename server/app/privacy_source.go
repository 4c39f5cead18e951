package app

import (
	"context"
	"errors"
	"fmt"

	"monban/server/directory"
	"monban/server/privacy"
	"monban/server/web"
)

// privacyPages implements web.Privacy.
type privacyPages struct {
	registry *Registry
	city     string
}

// PurposesOfUse implements web.Privacy.
func (p *privacyPages) PurposesOfUse(ctx context.Context) (out web.PurposesOfUse, err error) {
	reg, err := p.registry.Purposes(ctx)
	if err != nil {
		return out, err
	}
	dir, err := p.registry.Directory(ctx)
	if err != nil {
		return out, err
	}
	for _, x := range reg.Purposes {
		out.Purposes = append(out.Purposes, web.PurposeOfUse{Use: string(x.Use), Name: x.Name, NameEN: x.NameEN, Basis: x.Basis})
	}
	for _, e := range privacy.FileEntry(privacy.Facts{City: p.city, People: len(dir.People)}, reg) {
		out.Entry = append(out.Entry, web.FileItem{Item: string(e.Item), Lines: e.Lines})
	}
	return out, nil
}

// RegisterPurpose implements web.Privacy.
func (p *privacyPages) RegisterPurpose(ctx context.Context, x web.PurposeOfUse, act web.Action) error {
	purpose := privacy.Purpose{Use: privacy.Use(x.Use), Name: x.Name, NameEN: x.NameEN, Basis: x.Basis, Day: p.registry.Today().String()}
	if _, err := (privacy.Default()).With(purpose); err != nil {
		return fmt.Errorf("%w: %w", web.ErrBadPurpose, err)
	}
	return p.registry.RegisterPurpose(ctx, actorOf(act), act.Reason, purpose)
}

// EndPurpose implements web.Privacy.
func (p *privacyPages) EndPurpose(ctx context.Context, use string, act web.Action) error {
	if privacy.Use(use) == privacy.EntryControl {
		return web.ErrBadPurpose
	}
	err := p.registry.EndPurpose(ctx, actorOf(act), act.Reason, privacy.Use(use))
	if errors.Is(err, privacy.ErrNotRegistered) {
		return web.ErrNotFound
	}
	return err
}

func actorOf(act web.Action) directory.Actor { return directory.Actor{Account: act.Actor, From: "lan"} }
