package app

import (
	"errors"
	"strings"
	"testing"
	"time"

	"monban/server/config"
	"monban/server/entrylog"
	"monban/server/review"
	"monban/server/store"
	"monban/server/web"
)

// VR-1, EV-1, D27: numbers of the configuration are noted as a leaf when they change. What finds more counts from the next start; what finds less
// waits for somebody's word over any number of starts, and the word is a leaf, too.
func TestThresholdsAreSettled(t *testing.T) {
	cfg := testSite(t)
	start := func(change func(*config.Review)) (now review.Settings, agree func() error, verbs string) {
		t.Helper()
		change(&cfg.Review)
		withSite(t, cfg, func(s *Site) {
			var err error
			if now, err = settleThresholds(t.Context(), s, quiet); err != nil {
				t.Fatal(err)
			}
			verbs = thresholdVerbs(t, s)
		})
		return now, func() (err error) {
			withSite(t, cfg, func(s *Site) {
				p := &thresholdPages{store: s.Store, running: now, asked: cfg.Thresholds()}
				err = p.AgreeThresholds(t.Context(), cfg.Thresholds(), web.Action{Kind: web.ActionThresholds, Actor: "BOSS", Reason: "髙橋の巡回", At: time.Now()})
			})
			return err
		}, verbs
	}
	now, _, verbs := start(func(*config.Review) {})
	if want := cfg.Thresholds(); !now.Same(&want) || verbs != "thresholds_changed" {
		t.Errorf("a new site: %+v, %q", now, verbs)
	}
	if _, _, verbs = start(func(*config.Review) {}); verbs != "thresholds_changed" {
		t.Errorf("nothing new is written down: %q", verbs)
	}
	less := func(r *config.Review) { r.UnknownCards, r.OverstayLevel1, r.CardRefusals = 8, config.D(0), 3 }
	for range 2 {
		now, _, verbs = start(less)
		if now.UnknownCards != 3 || now.OverstayMS[1] == 0 || now.CardRefusals != 3 || verbs != "thresholds_changed thresholds_changed" {
			t.Errorf("weaker numbers count by themselves, or stricter ones do not: %+v, %q", now, verbs)
		}
	}
	_, agree, _ := start(less)
	if err := agree(); err != nil {
		t.Fatal(err)
	}
	if err := agree(); !errors.Is(err, web.ErrState) {
		t.Errorf("agreed twice: %v", err)
	}
	now, _, verbs = start(less)
	if want := cfg.Thresholds(); !now.Same(&want) || verbs != "thresholds_changed thresholds_changed thresholds_agreed" {
		t.Errorf("after the word: %+v, %q", now, verbs)
	}
}

// thresholdVerbs are the acts of the log about thresholds.
func thresholdVerbs(t *testing.T, s *Site) string {
	t.Helper()
	var out []string
	err := s.Store.Read(t.Context(), func(r *store.ReadTx) error {
		size, err := r.LogSize()
		if err != nil {
			return err
		}
		leaves, err := r.Leaves(0, int(size))
		for i := range leaves {
			if leaves[i].Leaf.Kind != entrylog.KindAction {
				continue
			}
			p, err := entrylog.Parse(leaves[i].Leaf.Body)
			if err != nil {
				return err
			}
			if p.Action.ID == thresholdsKey {
				out = append(out, p.Action.Verb)
			}
			if strings.Contains(string(leaves[i].Leaf.Body), "髙橋") {
				t.Error("a leaf holds a reason's words (PR-2)")
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}
