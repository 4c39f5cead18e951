package setup

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func now() time.Time { return time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC) }

// guarded is a site with nothing left to do.
func guarded() Facts {
	return Facts{
		Now: now(), Running: true, Administrators: 2, Organisation: true, Forms: true, Printed: true, PagesTLS: true, PagesEnd: now().AddDate(1, 0, 0), KeyCopies: 2, Synced: true,
		Gateways: []Gateway{{ID: "gw-1", Identity: true, Linked: true}}, Doors: 1, Observed: 1, Cards: 1, Holders: 1, Swipe: now(),
		Channels: 1, Alerted: now(), BackupPlace: true, Backup: now(),
	}
}

func states(f Facts) map[string]State {
	out := map[string]State{}
	for _, s := range Steps(f) {
		out[s.Key] = s.State
	}
	return out
}

func TestGuardedSiteIsDone(t *testing.T) {
	for _, s := range Steps(guarded()) {
		if s.State != Done || s.Do != (Text{}) {
			t.Errorf("%s: %+v", s.Key, s)
		}
	}
	if s, ok := Next(Steps(guarded())); ok {
		t.Errorf("next is %+v", s)
	}
	var nothing Facts
	if s, ok := Next(Steps(nothing)); !ok || s.Key != "account" {
		t.Errorf("an empty machine begins with %+v", s)
	}
}

// Each thing that is missing is asked for in its own step and in no other.
func TestEachStepByItself(t *testing.T) {
	for name, c := range map[string]struct {
		key   string
		state State
		spoil func(*Facts)
	}{
		"nobody":                 {"account", Open, func(f *Facts) { f.Administrators = 0 }},
		"one administrator":      {"account", Advice, func(f *Facts) { f.Administrators = 1 }},
		"whose papers":           {"forms", Open, func(f *Facts) { f.Organisation = false }},
		"forms":                  {"forms", Open, func(f *Facts) { f.Forms = false }},
		"nothing printed":        {"forms", Open, func(f *Facts) { f.Printed = false }},
		"this machine alone":     {"pages", Open, func(f *Facts) { f.PagesTLS, f.PagesLocal, f.PagesEnd = false, true, time.Time{} }},
		"certificate ended":      {"pages", Open, func(f *Facts) { f.PagesEnd = now() }},
		"certificate ends":       {"pages", Advice, func(f *Facts) { f.PagesEnd = now().AddDate(0, 0, 29) }},
		"no copy":                {"keys", Open, func(f *Facts) { f.KeyCopies = 0 }},
		"one copy":               {"keys", Open, func(f *Facts) { f.KeyCopies = 1 }},
		"clock":                  {"clock", Open, func(f *Facts) { f.Synced = false }},
		"clock unknown":          {"clock", Advice, func(f *Facts) { f.Synced, f.ClockUnknown = false, true }},
		"stranger":               {"gateway", Open, func(f *Facts) { f.Gateways[0] = Gateway{ID: "gw-1"} }},
		"invited":                {"gateway", Open, func(f *Facts) { f.Gateways[0] = Gateway{ID: "gw-1", Invited: true} }},
		"silent":                 {"gateway", Open, func(f *Facts) { f.Gateways[0].Linked = false }},
		"silent, server stopped": {"gateway", Done, func(f *Facts) { f.Gateways[0].Linked, f.Running = false, false }},
		"second is a stranger":   {"gateway", Advice, func(f *Facts) { f.Gateways = append(f.Gateways, Gateway{ID: "gw-2"}) }},
		"second is silent":       {"gateway", Advice, func(f *Facts) { f.Gateways = append(f.Gateways, Gateway{ID: "gw-2", Identity: true}) }},
		"no swipe":               {"swipe", Open, func(f *Facts) { f.Swipe = time.Time{} }},
		"no channel":             {"alert", Open, func(f *Facts) { f.Channels = 0 }},
		"channel not tried":      {"alert", Open, func(f *Facts) { f.Alerted = time.Time{} }},
		"certificate unreadable": {"pages", Open, func(f *Facts) { f.PagesFault = "pages.crt: no such file" }},
		"stick pulled out":       {"backup", Open, func(f *Facts) { f.PlaceFault = "/mnt/monban-backup is not there" }},
		"no place":               {"backup", Advice, func(f *Facts) { f.BackupPlace = false }},
		"neither place nor copy": {"backup", Open, func(f *Facts) { f.BackupPlace, f.Backup = false, time.Time{} }},
		"first one to come":      {"backup", Open, func(f *Facts) { f.Backup = time.Time{} }},
		"old":                    {"backup", Advice, func(f *Facts) { f.Backup = now().AddDate(0, 0, -4) }},
		"fault":                  {"doctor", Open, func(f *Facts) { f.Faults = []Text{{"1 April: few", "4 月 1 日：少数"}} }},
	} {
		f := guarded()
		c.spoil(&f)
		for key, state := range states(f) {
			want := Done
			if key == c.key {
				want = c.state
			}
			if state != want {
				t.Errorf("%s: step %s is %d, want %d", name, key, state, want)
			}
		}
	}
}

// What cannot be done yet is not asked for: no card before a door, no swipe before a card with a right, no door before a gateway.
func TestLaterSteps(t *testing.T) {
	f := guarded()
	f.Gateways, f.Doors, f.Observed, f.Cards, f.Holders, f.Swipe = nil, 0, 0, 0, 0, time.Time{}
	got := states(f)
	for key, want := range map[string]State{"gateway": Open, "door": Later, "card": Later, "swipe": Later} {
		if got[key] != want {
			t.Errorf("empty: %s is %d, want %d", key, got[key], want)
		}
	}
	f.Gateways = guarded().Gateways
	if got = states(f); got["door"] != Open || got["card"] != Later {
		t.Errorf("with a gateway: %v", got)
	}
	if f.Doors = 1; states(f)["card"] != Open || states(f)["swipe"] != Later {
		t.Errorf("with a door: %v", states(f))
	}
	if f.Cards = 1; states(f)["card"] != Open || states(f)["swipe"] != Later {
		t.Errorf("with a card without a right: %v", states(f))
	}
	if f.Holders = 1; states(f)["card"] != Done || states(f)["swipe"] != Open {
		t.Errorf("with a right: %v", states(f))
	}
}

// Whatever is known, each step has a title, says how it stands in both languages, and says what to do exactly when something is to be done now.
func TestEveryStepSpeaks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.SampledFrom([]time.Time{{}, now(), now().AddDate(0, 0, -10), now().AddDate(0, 0, 10), now().AddDate(2, 0, 0)})
		n := rapid.IntRange(0, 3)
		yes := rapid.Bool()
		f := Facts{
			Now: now(), Running: yes.Draw(t, "running"), Administrators: n.Draw(t, "administrators"), Organisation: yes.Draw(t, "organisation"), Forms: yes.Draw(t, "forms"), Printed: yes.Draw(t, "printed"), PagesTLS: yes.Draw(t, "tls"),
			PagesEnd: at.Draw(t, "end"), KeyCopies: n.Draw(t, "copies"), Synced: yes.Draw(t, "synced"), ClockUnknown: yes.Draw(t, "unknown"),
			Doors: n.Draw(t, "doors"), Observed: n.Draw(t, "observed"), Cards: n.Draw(t, "cards"), Holders: n.Draw(t, "holders"), Swipe: at.Draw(t, "swipe"),
			Channels: n.Draw(t, "channels"), Alerted: at.Draw(t, "alerted"), BackupPlace: yes.Draw(t, "place"), Backup: at.Draw(t, "backup"),
			Faults: rapid.SliceOfN(rapid.Just(Text{"a fault", "異常"}), 0, 3).Draw(t, "faults"),
		}
		f.PagesLocal = !f.PagesTLS
		for range n.Draw(t, "gateways") {
			g := Gateway{Identity: yes.Draw(t, "identity"), Invited: yes.Draw(t, "invited")}
			g.Linked = g.Identity && f.Running && yes.Draw(t, "linked")
			f.Gateways = append(f.Gateways, g)
		}
		steps := Steps(f)
		if len(steps) != len(Keys()) {
			t.Fatalf("%d steps", len(steps))
		}
		for i, s := range steps {
			if s.Key != Keys()[i] {
				t.Errorf("step %d is %s", i, s.Key)
			}
			for _, l := range []Language{English, Japanese} {
				if Title(s.Key).In(l) == "" || s.What.In(l) == "" || strings.Contains(s.What.In(l)+s.Do.In(l), "%!") {
					t.Errorf("%s in %d: %q %q", s.Key, l, s.What.In(l), s.Do.In(l))
				}
				if (s.Do.In(l) != "") != (s.State == Open || s.State == Advice) {
					t.Errorf("%s in %d: state %d and to do %q", s.Key, l, s.State, s.Do.In(l))
				}
			}
		}
	})
}

// DS-11, OP-9: where a code is to be typed the words say what asks for it: on the line of a command others could read it.
func TestWhatAsksForTheCode(t *testing.T) {
	for _, key := range []string{"gateway.invite", "gateway.compare"} {
		if s := sentences[key]; !strings.Contains(s[English], "when monban-gateway enrol asks for it") || !strings.Contains(s[Japanese], "monban-gateway enrol で尋ねられたとき") {
			t.Errorf("%s: %q", key, s)
		}
	}
}

// No sentence is left over, and none is in one language only.
func TestSentences(t *testing.T) {
	for key, s := range sentences {
		if s[English] == "" || s[Japanese] == "" || s[English] == s[Japanese] {
			t.Errorf("%s: %q", key, s)
		}
		if slices.Index(Keys(), strings.TrimPrefix(key, "title.")) < 0 && strings.HasPrefix(key, "title.") {
			t.Errorf("%s names no step", key)
		}
		if strings.Count(s[English], "%") != strings.Count(s[Japanese], "%") {
			t.Errorf("%s: the languages want different things: %q", key, s)
		}
	}
}
