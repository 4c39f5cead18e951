package app

import (
	"cmp"
	"context"
	"time"

	"monban/firmware/access"
	"monban/server/store"
	"monban/server/web"
)

// KeepComparison implements web.Reviews.
func (p *pages) KeepComparison(ctx context.Context, c web.PaperComparison, typed string, act web.Action) error {
	return p.store.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.AppendPaperCompared(store.PaperCompared{
			Zone: string(c.Zone), Day: c.Day, Matched: c.Matched, LogOnly: c.LogOnly, PaperOnly: c.PaperOnly, Account: act.Actor, AtMS: act.At.UnixMilli(),
		}, originOf(act), addressOf(act), typed)
		return err
	})
}

// Comparisons implements web.Reviews.
func (p *pages) Comparisons(ctx context.Context, zone access.ZoneID, from, to string, show bool) (out []web.PaperComparison, err error) {
	err = p.store.Read(ctx, func(r *store.ReadTx) error {
		list, err := r.PaperComparisons(string(zone), from, to)
		if err != nil {
			return err
		}
		for i := range list {
			c := &list[i]
			x := web.PaperComparison{
				Zone: zone, Day: c.Day, Matched: c.Matched, LogOnly: c.LogOnly, PaperOnly: c.PaperOnly, At: time.UnixMilli(c.AtMS), Leaf: uint64(c.Idx), By: c.Account,
			}
			if show {
				x.By = cmp.Or(accountName(r.Reader, c.Account), c.Account)
			}
			out = append(out, x)
		}
		return nil
	})
	return out, err
}
