package app

import (
	"context"
	"errors"

	"monban/server/entrylog"
	"monban/server/review"
	"monban/server/store"
	"monban/server/web"
)

// threatPages implements web.Threats.
type threatPages struct{ store *store.Store }

func storedThreats(r store.Reader) (review.ThreatCatalogue, error) {
	text, err := r.Setting(review.ThreatsKey)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return review.ThreatCatalogue{}, err
	}
	return review.ParseThreats(text)
}

// Threats implements web.Threats.
func (p *threatPages) Threats(ctx context.Context) (c review.ThreatCatalogue, err error) {
	err = p.store.Read(ctx, func(r *store.ReadTx) error {
		c, err = storedThreats(r.Reader)
		return err
	})
	return c, err
}

// SaveThreats implements web.Threats: the new version and its leaf are one transaction.
func (p *threatPages) SaveThreats(ctx context.Context, names map[review.Threat]review.ThreatName, act web.Action) error {
	if bad := reasonFault(act.Reason); bad != nil {
		return bad
	}
	return p.store.Write(ctx, func(tx *store.Tx) error {
		old, err := storedThreats(tx.Reader)
		if err != nil {
			return err
		}
		next, changed, err := old.Changed(names, act.At.UnixMilli())
		if errors.Is(err, review.ErrThreats) {
			return web.FormFault{{Field: "reason", Word: "refused"}}
		}
		if err != nil || !changed {
			return err
		}
		text, err := next.Text()
		if err != nil {
			return err
		}
		if err := tx.SetSetting(review.ThreatsKey, text); err != nil {
			return err
		}
		said, err := (&review.ThreatCatalogue{Versions: next.Versions[len(next.Versions)-1:]}).Text()
		if err != nil {
			return err
		}
		_, err = tx.AppendAction(entrylog.Action{
			Account: act.Actor, Verb: string(act.Kind), Target: targetOf(act.Kind), ID: review.ThreatsKey, From: originOf(act), Result: "ok", Reason: true, AtMS: act.At.UnixMilli(),
		}, &entrylog.Opening{Address: addressOf(act), Text: act.Reason + "\n" + said})
		return err
	})
}
