package app

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/rehearse"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

// Bounds of what a page shows of one proposal: an import may hold thousands of rows.
const (
	proposalChanges = 200
	proposalRights  = 200
	proposalDays    = 30 // as directory.ErrDecided says
)

// askers tells accounts and the people behind them apart.
type askers struct {
	names  map[string]string
	person map[string]string
}

func (p *rightsPages) askers(ctx context.Context) (a askers, err error) {
	a = askers{map[string]string{}, map[string]string{}}
	err = p.pages.store.Read(ctx, func(r *store.ReadTx) error {
		list, err := r.Accounts()
		for _, x := range list {
			a.names[x.ID], a.person[x.ID] = x.FullName, x.Person
		}
		return err
	})
	return a, err
}

// same reports whether two accounts are one, or one person's.
func (a askers) same(x, y string) bool {
	return x != "" && (x == y || a.person[x] != "" && a.person[x] == a.person[y])
}

func (p *rightsPages) proposalLine(x *directory.Proposal, a askers, t *teller, me string) (l web.ProposalLine, changes []directory.Change, err error) {
	l = web.ProposalLine{ID: x.ID, Proposer: x.Proposer, ByName: cmp.Or(a.names[x.Proposer], x.Proposer), At: moment(x.ProposedMS), Reason: x.Reason, Mine: a.same(x.Proposer, me)}
	l.Until = l.At.AddDate(0, 0, proposalDays)
	if x.State != directory.ProposalOpen {
		return l, nil, nil
	}
	if changes, err = x.ProposedChanges(); err != nil {
		return l, nil, err
	}
	l.Changes = t.changes(changes)
	return l, changes, nil
}

// ListProposals implements web.Rights.
func (p *rightsPages) ListProposals(ctx context.Context, me string) (out []web.ProposalLine, err error) {
	list, err := p.registry.Proposals(ctx, false, 1000)
	if err != nil {
		return nil, err
	}
	dir, err := p.registry.Directory(ctx)
	if err != nil {
		return nil, err
	}
	a, err := p.askers(ctx)
	if err != nil {
		return nil, err
	}
	now := p.pages.now()
	for i := range list {
		l, _, err := p.proposalLine(&list[i], a, p.teller(ctx, &dir), me)
		if err != nil {
			return nil, err
		}
		if now.Before(l.Until) {
			out = append(out, l)
		}
	}
	return out, nil
}

// ProposalByID implements web.Rights.
func (p *rightsPages) ProposalByID(ctx context.Context, id, me string) (out web.ProposalFile, err error) {
	x, _, err := p.registry.Proposal(ctx, id)
	if err != nil {
		return out, mapped(err)
	}
	dir, err := p.registry.Directory(ctx)
	if err != nil {
		return out, err
	}
	a, err := p.askers(ctx)
	if err != nil {
		return out, err
	}
	t := p.teller(ctx, &dir)
	line, changes, err := p.proposalLine(&x, a, t, me)
	if err != nil {
		return out, err
	}
	out.ProposalLine = line
	out.Decided = x.State != directory.ProposalOpen || !p.pages.now().Before(out.Until)
	if x.State == directory.ProposalOpen {
		out.Stale = !x.Stands(&dir)
		out.Rights = p.effects(&dir, changes, t)
	}
	if n := len(out.Rights) - proposalRights; n > 0 {
		out.More, out.Rights = n, out.Rights[:proposalRights]
	}
	return out, nil
}

// effects says whom changes let in and whom not any more. A card, a PIN or a longer validity gives nobody a new right; it makes those that
// somebody has count, or for longer.
func (p *rightsPages) effects(dir *directory.Snapshot, changes []directory.Change, t *teller) (out []web.RightEffect) {
	draft := *dir
	draft.Put(changes)
	right := func(person directory.PersonID, zone access.ZoneID, effect string) {
		out = append(out, web.RightEffect{Person: string(person), PersonName: named(t.people[person], string(person)), Zone: zone, ZoneName: t.zone(zone), Level: t.names.zones[zone].Level, Effect: effect})
	}
	for _, r := range rehearse.Rights(dir, &draft) {
		right(r.Person, r.Zone, string(r.Effect))
	}
	// One walk over all grants for all changes: a proposal of the April transfers has hundreds of each.
	zones := map[directory.PersonID][]access.ZoneID{}
	for i := range changes {
		if c := &changes[i]; c.Op != directory.OpRemove && (c.Credential != nil || c.Person != nil) {
			zones[c.Subject()] = nil
		}
	}
	if len(zones) == 0 {
		return out
	}
	draft.EachRight(func(holder directory.PersonID, g *directory.Grant, _ *directory.Group) {
		if list, asked := zones[holder]; asked {
			zones[holder] = append(list, g.Zone)
		}
	})
	type held struct {
		person directory.PersonID
		zone   access.ZoneID
	}
	said := make(map[held]bool, len(out))
	for _, e := range out {
		said[held{directory.PersonID(e.Person), e.Zone}] = true
	}
	for i := range changes {
		who := changes[i].Subject()
		slices.Sort(zones[who])
		for _, z := range zones[who] {
			if k := (held{who, z}); !said[k] {
				said[k] = true
				right(who, z, "keeps")
			}
		}
	}
	return out
}

func proposalError(err error) error {
	for is, say := range map[error]error{directory.ErrSamePerson: web.ErrSamePerson, directory.ErrDecided: web.ErrTooLate, directory.ErrStale: web.ErrStale, store.ErrNotFound: web.ErrNotFound,
		visit.ErrSamePerson: web.ErrSamePerson, visit.ErrState: web.ErrState, visit.ErrRevoked: web.ErrRevoked, visit.ErrUnknown: web.ErrNotFound} {
		if errors.Is(err, is) {
			return say
		}
	}
	var probs directory.Problems
	if errors.As(err, &probs) {
		return web.ErrStale // it was valid when it was proposed
	}
	return err
}

// ConfirmProposal implements web.Rights.
func (p *rightsPages) ConfirmProposal(ctx context.Context, id string, act web.Action) error {
	_, err := p.registry.ConfirmProposal(ctx, actorOf(act), id)
	return proposalError(err)
}

// WithdrawProposal implements web.Rights.
func (p *rightsPages) WithdrawProposal(ctx context.Context, id string, act web.Action) error {
	if bad := reasonFault(act.Reason); bad != nil {
		return bad
	}
	return proposalError(p.registry.WithdrawProposal(ctx, actorOf(act), act.Reason, id))
}
