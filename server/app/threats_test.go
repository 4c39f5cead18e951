package app

import (
	"errors"
	"testing"
	"time"

	"monban/server/review"
	"monban/server/web"
)

// A10, VR-1: a new version of the catalogue is there from its moment on, with a leaf that holds its words; one without a reason, or that says nothing new, is none.
func TestThreatsAreKept(t *testing.T) {
	cfg := testSite(t)
	at := time.Now()
	names := func(word string) map[review.Threat]review.ThreatName {
		out := map[review.Threat]review.ThreatName{}
		for _, x := range review.Threats() {
			out[x] = review.ThreatName{JA: word}
		}
		return out
	}
	withSite(t, cfg, func(s *Site) {
		p := &threatPages{s.Store}
		act := web.Action{At: at, Kind: web.ActionThreats, Actor: "a-1", Address: "192.0.2.1", Reason: "規程の改正"}
		bare := act
		bare.Reason = ""
		var fault web.FormFault
		if err := p.SaveThreats(t.Context(), names("なりすまし"), bare); !errors.As(err, &fault) {
			t.Errorf("without a reason: %v", err)
		}
		if err := p.SaveThreats(t.Context(), map[review.Threat]review.ThreatName{review.Habit: {JA: "x"}}, act); !errors.As(err, &fault) {
			t.Errorf("names are missing: %v", err)
		}
		for _, word := range []string{"なりすまし", "なりすまし", "不正入室"} { // the second says nothing new
			if err := p.SaveThreats(t.Context(), names(word), act); err != nil {
				t.Fatal(err)
			}
			act.At = act.At.Add(time.Minute)
		}
		c, err := p.Threats(t.Context())
		if err != nil || len(c.Versions) != 2 {
			t.Fatalf("%+v %v", c, err)
		}
		for ms, want := range map[int64]string{at.UnixMilli() - 1: "", at.UnixMilli(): "なりすまし", at.Add(time.Hour).UnixMilli(): "不正入室"} {
			v := c.At(ms)
			if got := v.Names[review.Tampering].JA; got != want {
				t.Errorf("at %d: %q, want %q", ms, got, want)
			}
		}
		if n := saidWhy(t, s.Store, "規程の改正", "不正入室"); n != 1 {
			t.Errorf("%d leaves hold the new words, want 1", n)
		}
	})
	if !hasAction(t, cfg, string(web.ActionThreats), review.ThreatsKey) {
		t.Error("no leaf")
	}
}
