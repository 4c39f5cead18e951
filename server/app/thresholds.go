package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"monban/server/entrylog"
	"monban/server/review"
	"monban/server/store"
	"monban/server/web"
)

// thresholdsKey is the setting that holds the agreed numbers of the rules over time, as JSON.
const thresholdsKey = "thresholds"

// agreedThresholds reads them; of a site that has never started they are what asked is.
func agreedThresholds(r store.Reader, asked review.Settings) (agreed review.Settings, text string, err error) {
	text, err = r.Setting(thresholdsKey)
	if errors.Is(err, store.ErrNotFound) {
		return asked, "", nil
	}
	if err != nil {
		return asked, "", err
	}
	agreed = review.DefaultSettings() // a number that is newer than what was agreed
	agreed.Walks = nil
	if err := json.Unmarshal([]byte(text), &agreed); err != nil {
		return asked, text, fmt.Errorf("setting %s: %w", thresholdsKey, err)
	}
	return agreed, text, nil
}

// settleThresholds gives the numbers that the rules count by until the next start. The configuration asks; what asks for fewer findings than was
// agreed waits for the CISO office (D27), and the rest is a leaf when it has changed (VR-1, EV-1).
func settleThresholds(ctx context.Context, s *Site, log *slog.Logger) (now review.Settings, err error) {
	asked := s.Config.Thresholds()
	err = s.Store.Write(ctx, func(tx *store.Tx) error {
		agreed, before, err := agreedThresholds(tx.Reader, asked)
		if err != nil {
			return err
		}
		var waits []string
		if now, waits = review.Settle(agreed, asked); len(waits) > 0 {
			log.LogAttrs(ctx, slog.LevelWarn, "thresholds ask for fewer findings than was agreed: they wait for the CISO office (page of thresholds)", slog.String("names", strings.Join(waits, " ")))
		}
		if before != "" && now.Same(&agreed) {
			return nil
		}
		return putThresholds(tx, before, now, entrylog.Action{Verb: "thresholds_changed", From: "local", AtMS: time.Now().UnixMilli()}, entrylog.Opening{})
	})
	return now, err
}

func putThresholds(tx *store.Tx, before string, now review.Settings, leaf entrylog.Action, o entrylog.Opening) error {
	text, err := json.Marshal(now)
	if err != nil {
		return err
	}
	if err := tx.SetSetting(thresholdsKey, string(text)); err != nil {
		return err
	}
	leaf.Target, leaf.ID, leaf.Result = "setting", thresholdsKey, "ok"
	o.Text = strings.Join([]string{o.Text, before, string(text)}, "\n")
	_, err = tx.AppendAction(leaf, &o)
	return err
}

// thresholdPages implements web.Thresholds.
type thresholdPages struct {
	store          *store.Store
	running, asked review.Settings
	looks          *previews
}

// Thresholds implements web.Thresholds.
func (p *thresholdPages) Thresholds(ctx context.Context) (out web.ThresholdState, err error) {
	out.Running, out.Asked = p.running, p.asked
	err = p.store.Read(ctx, func(r *store.ReadTx) error { out.Agreed, _, err = agreedThresholds(r.Reader, p.asked); return err })
	return out, err
}

// AgreeThresholds implements web.Thresholds.
func (p *thresholdPages) AgreeThresholds(ctx context.Context, asked review.Settings, act web.Action) error {
	if !asked.Same(&p.asked) {
		return web.ErrState
	}
	return p.store.Write(ctx, func(tx *store.Tx) error {
		agreed, before, err := agreedThresholds(tx.Reader, p.asked)
		if err != nil {
			return err
		}
		if agreed.Same(&asked) {
			return web.ErrState
		}
		leaf := entrylog.Action{Account: act.Actor, Verb: string(act.Kind), From: originOf(act), Reason: true, AtMS: act.At.UnixMilli()}
		return putThresholds(tx, before, asked, leaf, entrylog.Opening{Address: addressOf(act), Text: act.Reason})
	})
}

// ThresholdsOf reads what is agreed and what the configuration asks for.
func ThresholdsOf(ctx context.Context, s *Site) (agreed, asked review.Settings, err error) {
	asked = s.Config.Thresholds()
	err = s.Store.Read(ctx, func(r *store.ReadTx) error { agreed, _, err = agreedThresholds(r.Reader, asked); return err })
	return agreed, asked, err
}
