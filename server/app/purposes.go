package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/entrylog"
	"monban/server/privacy"
	"monban/server/review"
	"monban/server/store"
)

// purposes reads what the site's personal data may be used for.
func purposes(r store.Reader) (privacy.Register, error) {
	text, err := r.Setting(privacy.SettingsKey)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return privacy.Register{}, err
	}
	return privacy.Parse(text)
}

// checkUse refuses a use of personal data whose purpose is not registered (PR-1).
func checkUse(r store.Reader, use privacy.Use) error {
	reg, err := purposes(r)
	if err != nil {
		return err
	}
	return reg.Check(use)
}

// refusedUse writes down that somebody asked for personal data without a registered purpose and was refused: a leaf, and a finding while
// none of the same data is open (PR-1). cause is why it was refused; any other cause is left alone. It gives cause back, or why
// it could not be written.
func refusedUse(ctx context.Context, s *store.Store, account, from, data string, nowMS int64, cause error) error {
	if !errors.Is(cause, privacy.ErrNotRegistered) && !errors.Is(cause, privacy.ErrNoPurpose) {
		return cause
	}
	err := s.Write(ctx, func(tx *store.Tx) error {
		idx, err := tx.AppendAction(entrylog.Action{Account: account, Verb: "export_refused", Target: "export", ID: data, From: from, Result: "refused", AtMS: nowMS}, nil)
		if err != nil {
			return err
		}
		f := review.New(review.ExportNoPurpose, idx)
		open, err := tx.OpenFinding(string(f.Kind), "", "", data)
		if err != nil || open {
			return err
		}
		_, err = tx.AppendFinding(attempt.Finding{Kind: string(f.Kind), Severity: f.Severity.String(), Cause: idx, Detail: data, AtMS: nowMS}, nil)
		return err
	})
	if err != nil {
		return fmt.Errorf("refused, and that is not written: %w", err)
	}
	return cause
}

// Purposes is the register of purposes of use.
func (g *Registry) Purposes(ctx context.Context) (reg privacy.Register, err error) {
	err = g.store.Read(ctx, func(r *store.ReadTx) error {
		reg, err = purposes(r.Reader)
		return err
	})
	return reg, err
}

// RegisterPurpose adds a purpose of use, or changes its words. It needs a reason and is a leaf.
func (g *Registry) RegisterPurpose(ctx context.Context, actor directory.Actor, reason string, p privacy.Purpose) error {
	return g.changePurposes(ctx, actor, reason, "purpose_registered", p.Use, func(r privacy.Register) (privacy.Register, error) { return r.With(p) })
}

// EndPurpose takes a purpose of use away. It needs a reason and is a leaf.
func (g *Registry) EndPurpose(ctx context.Context, actor directory.Actor, reason string, use privacy.Use) error {
	return g.changePurposes(ctx, actor, reason, "purpose_ended", use, func(r privacy.Register) (privacy.Register, error) { return r.Without(use) })
}

func (g *Registry) changePurposes(ctx context.Context, actor directory.Actor, reason, verb string, use privacy.Use, change func(privacy.Register) (privacy.Register, error)) error {
	if strings.TrimSpace(reason) == "" {
		return directory.ErrNoReason
	}
	return g.store.Write(ctx, func(tx *store.Tx) error {
		old, err := purposes(tx.Reader)
		if err != nil {
			return err
		}
		next, err := change(old)
		if err != nil {
			return err
		}
		text, err := next.Text()
		if err != nil {
			return err
		}
		if err := tx.SetSetting(privacy.SettingsKey, text); err != nil {
			return err
		}
		before, err := old.Text()
		if err != nil {
			return err
		}
		leaf := entrylog.Action{
			Account: actor.Account, Verb: verb, Target: "purpose", ID: string(use), From: actor.From, Result: "ok", Reason: true, AtMS: g.now().UnixMilli(),
		}
		_, err = tx.AppendAction(leaf, &entrylog.Opening{Text: reason + "\n" + before + "\n" + text})
		return err
	})
}
