package webtest

import (
	"context"
	"slices"

	"monban/server/web"
)

// Privacy is a memory of purposes of use.
type Privacy struct {
	m    *Memory
	list []web.PurposeOfUse
}

// PurposesOfUse implements web.Privacy.
func (p *Privacy) PurposesOfUse(context.Context) (web.PurposesOfUse, error) {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	return web.PurposesOfUse{
		Purposes: slices.Concat([]web.PurposeOfUse{{Use: "entry_control", Name: "管理区域への入退室を管理するため", NameEN: "Controlling entry to controlled zones", Basis: "入退室管理規程"},
			{Use: "audit", Name: "監査及び自己点検のため", Basis: "入退室管理規程"}}, p.list),
		Entry: []web.FileItem{{Item: "name", Lines: []string{"入退室管理ファイル"}}, {Item: "section", Lines: []string{"(記入してください)"}}},
	}, nil
}

// RegisterPurpose implements web.Privacy.
func (p *Privacy) RegisterPurpose(_ context.Context, x web.PurposeOfUse, act web.Action) error {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	if x.Use == "" || x.Name == "" || x.Basis == "" {
		return web.ErrBadPurpose
	}
	if err := p.m.record(act); err != nil {
		return err
	}
	p.list = append(p.list, x)
	return nil
}

// EndPurpose implements web.Privacy.
func (p *Privacy) EndPurpose(_ context.Context, use string, act web.Action) error {
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	if use == "entry_control" {
		return web.ErrBadPurpose
	}
	i := slices.IndexFunc(p.list, func(x web.PurposeOfUse) bool { return x.Use == use })
	if i < 0 {
		return web.ErrNotFound
	}
	if err := p.m.record(act); err != nil {
		return err
	}
	p.list = slices.Delete(p.list, i, i+1)
	return nil
}
