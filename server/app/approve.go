package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/config"
	"monban/server/signer"
	"monban/server/store"
	"monban/server/web"
)

// approvals is what a signer of its own demands to see before it signs a command (D18, ADR 0031).
func approvals(cfg *config.Config, now func() time.Time) signer.Approvals {
	a := signer.Approvals{
		Read: commandOrder, Asked: map[string]string{}, Ordered: string(web.ActionCommandOrdered), Target: targetOf(web.ActionCommandOrdered),
		Two: map[string]bool{door.CommandUnlock.String(): true}, One: map[string]bool{},
		Within: requestLife, Life: wire.MaxCommandMS * time.Millisecond, Now: now,
	}
	for _, k := range []door.CommandKind{door.CommandUnlock, door.CommandRearm, door.CommandSelfTest} {
		a.Asked[string(askedAs(k))] = k.String()
	}
	for _, d := range cfg.Signer.OnePersonDoors {
		a.One[d] = true
	}
	return a
}

// commandOrder reads a command out of the text that is to be signed. A gateway compares everything before the body with
// what it must be, so what it takes for the body is what is read here.
func commandOrder(text string) (o signer.Order, err error) {
	_, rest, ok := strings.Cut(text, `","body":`)
	body, whole := strings.CutSuffix(rest, "}\n")
	if !ok || !whole {
		return o, errors.New("not the text of a command")
	}
	c, err := wire.ParseCommand([]byte(body))
	if err != nil {
		return o, err
	}
	return signer.Order{ID: c.ID, Door: string(c.Door), Action: c.Action.String(), PulseMS: c.PulseMS, Leaf: int64(c.Order)}, nil
}

// approver shows a signer of its own the leaves of an order.
type approver struct {
	store  *store.Store
	signer signer.Signer
}

// show has a checkpoint signed that holds the leaves, and shows them. nil means that the command may be signed once,
// within its life.
func (a approver) show(ctx context.Context, x store.Command) error {
	if err := a.store.SignNow(ctx); err != nil {
		return fmt.Errorf("have the order's leaves signed: %w", err)
	}
	var e signer.Evidence
	e.Size, _ = a.signer.LastCheckpoint()
	err := a.store.Read(ctx, func(r *store.ReadTx) error {
		for idx, to := range map[int64]*signer.LeafProof{x.RequestedIdx: &e.Asked, x.OrderedIdx: &e.Ordered} {
			body, proof, err := r.ProveLeaf(e.Size, idx)
			if err != nil {
				return err
			}
			*to = signer.LeafProof{Index: idx, Body: body, Proof: proof}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("prove the order's leaves: %w", err)
	}
	return a.signer.Approve(e)
}

// whyNotApproved is the word for a command that the signer refused.
const whyNotApproved = "not_approved"
