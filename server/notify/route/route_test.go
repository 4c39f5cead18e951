package route

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/firmware/calendar"
	"monban/server/review"
)

var jst = time.FixedZone("JST", 9*3600)

func at(s string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04:05", s, jst)
	if err != nil {
		panic(err)
	}
	return t
}

// closed are days of the year end and holidays that requirements.md names.
func closed(t *testing.T) calendar.Calendar {
	t.Helper()
	var days []calendar.ClosedDay
	for _, d := range []string{"2026-11-23", "2026-09-22", "2026-05-06", "2026-12-29", "2026-12-30", "2026-12-31", "2027-01-01", "2027-01-02", "2027-01-03"} {
		date, err := calendar.ParseDate(d)
		if err != nil {
			t.Fatal(err)
		}
		days = append(days, calendar.ClosedDay{Date: date, Kind: calendar.OwnClosed, Name: "休"})
	}
	return calendar.NewCalendar(days...)
}

func tree(t *testing.T) *Tree {
	return &Tree{
		Root:   Route{Hours: []string{"poc"}, OffHours: []string{"duty"}, Then: []string{"chief", "ciso"}},
		Routes: []Route{{Name: "media", Zones: []string{"media-store"}, Least: review.Medium, Hours: []string{"keeper"}}, {Name: "power", Kinds: []review.Kind{review.MainsLost}, Hours: []string{"it"}}},
		Every:  []string{"siem"}, Digest: []string{"poc"}, Secret: []string{"duty", "chief"},
		Limits: Defaults, Hours: calendar.Hours{Open: 8*3600 + 1800, Close: 17*3600 + 900}, Closed: closed(t), Zone: jst,
	}
}

func item(id int64, k review.Kind, door string) Item {
	return Item{ID: id, Kind: k, Severity: k.Entry().Severity, Gateway: "gw-1", Door: door, Zones: []string{"server-room"}}
}

// told writes sends as text.
func told(sends []Send) string {
	var out []string
	for _, s := range sends {
		out = append(out, fmt.Sprintf("%d %s %s %d", s.Alert, s.What, s.Channel, s.Step))
	}
	return strings.Join(out, ", ")
}

func want(t *testing.T, what string, out Out, sends string) {
	t.Helper()
	if got := told(out.Sends); got != sends {
		t.Errorf("%s: told %q, want %q", what, got, sends)
	}
}

// AL-2, A28: the point of contact is there on open days from 08:30:00 until 17:15:00, which is excluded. Else what rings goes
// to the duty contact and the rest waits.
func TestBusinessCalendar(t *testing.T) {
	tr := tree(t)
	for when, open := range map[string]bool{
		"2026-11-23 10:00:00": false, // a holiday, Monday
		"2026-09-22 10:00:00": false, // 国民の休日
		"2026-05-06 10:00:00": false, // 振替休日
		"2026-11-24 08:29:59": false, "2026-11-24 08:30:00": true, "2026-11-24 17:14:59": true, "2026-11-24 17:15:00": false,
		"2026-11-28 10:00:00": false, // Saturday
		"2026-12-28 10:00:00": true, "2026-12-29 10:00:00": false, "2027-01-03 10:00:00": false, "2027-01-04 08:30:00": true,
	} {
		now := at(when)
		if tr.Open(now) != open {
			t.Errorf("%s: open %v", when, !open)
		}
		ring, rest := "1 alert duty 1, 1 alert siem 1", "1 alert siem 1"
		if open {
			ring, rest = "1 alert poc 1, 1 alert siem 1", "1 alert poc 1, 1 alert siem 1"
		}
		want(t, when+" forced", tr.Step(&State{}, now, Input{Items: []Item{item(1, review.ForcedOpen, "a")}}), ring)
		st := &State{}
		want(t, when+" held open", tr.Step(st, now, Input{Items: []Item{item(1, review.HeldOpen, "a")}}), rest)
		if held := st.Alerts[0].Held; (held == HeldHours) == open {
			t.Errorf("%s: held %q", when, held)
		}
	}
	for when, opens := range map[string]string{
		"2026-11-23 10:00:00": "2026-11-24 08:30:00", "2026-11-24 08:00:00": "2026-11-24 08:30:00", "2026-11-24 12:00:00": "2026-11-24 12:00:00",
		"2026-11-27 17:15:00": "2026-11-30 08:30:00", "2026-12-28 17:15:00": "2027-01-04 08:30:00",
	} {
		if got := tr.NextOpen(at(when)); !got.Equal(at(opens)) {
			t.Errorf("after %s it opens at %v", when, got)
		}
	}
}

// AL-6, D27: at night exactly these wake somebody, whatever their severity says.
func TestWhatRings(t *testing.T) {
	ring := []review.Kind{"forced_open", "duress", "fire_release", "tamper", "chain_fork", "log_doubt", "log_fork", "recovery_used", "emergency_entry", "emergency_begun", "escort_left"}
	// What is severe and waits for the morning all the same. A new severe kind has to be put into one of the two.
	wait := []review.Kind{
		"decision_mismatch", "sequence_gap", "gateway_rolled_back", "gateway_cloned", "log_succeeded", "command_unknown", "oral_denied", "entry_disowned", "emergency_unreported", "key_lost",
		"card_scan", "lost_card_used", "self_granted", "canary_missed", "witness_missing",
	}
	night := at("2026-11-25 02:00:00")
	for _, e := range review.Catalogue() {
		tr := tree(t)
		out := tr.Step(&State{}, night, Input{Items: []Item{item(1, e.Kind, "a")}})
		rang := slices.ContainsFunc(out.Sends, func(s Send) bool { return s.Channel == "duty" })
		if rang != slices.Contains(ring, e.Kind) {
			t.Errorf("%s at night: rang %v", e.Kind, rang)
		}
		if e.Severity == review.High && slices.Contains(ring, e.Kind) == slices.Contains(wait, e.Kind) {
			t.Errorf("%s is severe: does it ring at night, or wait for the morning?", e.Kind)
		}
		if e.Severity == review.High && e.Threat == review.Tampering && !rang {
			t.Errorf("%s: somebody breaks in, or writes the log anew, and it rings nobody", e.Kind)
		}
	}
}

// AD-13, D10: of a PIN under duress only channels marked for it hear, at first and when nobody answers; no digest names it.
func TestDuressGoesToTheOfficerAlone(t *testing.T) {
	tr, now := tree(t), at("2026-11-24 10:00:00")
	tr.Root.Hours = []string{"poc", "duty"}
	st := &State{}
	want(t, "at once", tr.Step(st, now, Input{Items: []Item{item(7, review.Duress, "a")}}), "7 alert duty 1")
	want(t, "escalated", tr.Step(st, now.Add(10*time.Minute), Input{}), "7 escalation chief 1")
	want(t, "the next contact may not know", tr.Step(st, now.Add(20*time.Minute), Input{}), "")
	out := tr.Step(st, now.Add(24*time.Hour), Input{Digest: true})
	if len(out.Digest.Held)+len(out.Digest.Waiting) != 0 {
		t.Errorf("a digest names it: %+v", out.Digest)
	}
	tr.Secret = nil
	want(t, "nobody may know", tr.Step(&State{}, now, Input{Items: []Item{item(8, review.Duress, "a")}}), "")
}

// AL-3: nobody acknowledges, so the next contact is told after ten minutes, and the next; once somebody has, it ends. What does
// not ring waits for the morning with that.
func TestEscalation(t *testing.T) {
	tr, now := tree(t), at("2026-11-25 02:00:00")
	st := &State{}
	tr.Step(st, now, Input{Items: []Item{item(1, review.Tamper, "a")}})
	want(t, "early", tr.Step(st, now.Add(10*time.Minute-time.Millisecond), Input{}), "")
	want(t, "first", tr.Step(st, now.Add(10*time.Minute), Input{}), "1 escalation chief 1")
	want(t, "not twice", tr.Step(st, now.Add(10*time.Minute), Input{}), "")
	want(t, "second", tr.Step(st, now.Add(20*time.Minute), Input{}), "1 escalation ciso 2")
	want(t, "no third", tr.Step(st, now.Add(40*time.Minute), Input{}), "")
	if len(st.Alerts) != 1 {
		t.Error("forgotten though nobody has acknowledged it")
	}

	st = &State{}
	tr.Step(st, now, Input{Items: []Item{item(1, review.Tamper, "a")}})
	tr.Step(st, now.Add(5*time.Minute), Input{Handled: []int64{1}})
	want(t, "taken", tr.Step(st, now.Add(time.Hour), Input{}), "")
	if len(st.Alerts) != 0 {
		t.Error("not done")
	}

	st, now = &State{}, at("2026-11-27 17:10:00") // Friday
	tr.Step(st, now, Input{Items: []Item{item(1, review.SequenceGap, "a")}})
	want(t, "severe but none of what rings", tr.Step(st, at("2026-11-28 03:00:00"), Input{}), "")
	want(t, "Monday", tr.Step(st, at("2026-11-30 08:40:00"), Input{}), "1 escalation chief 1")

	st = &State{}
	tr.Step(st, at("2026-11-24 10:00:00"), Input{Items: []Item{item(1, review.HeldOpen, "a")}})
	want(t, "not severe", tr.Step(st, at("2026-11-24 16:00:00"), Input{}), "")
}

// One kind at one place is told once and counted; another kind or place is told by itself; after the group's time it begins anew.
func TestGroups(t *testing.T) {
	tr, now := tree(t), at("2026-11-24 10:00:00")
	st := &State{}
	want(t, "first", tr.Step(st, now, Input{Items: []Item{item(1, review.HeldOpen, "a")}}), "1 alert poc 1, 1 alert siem 1")
	want(t, "more", tr.Step(st, now.Add(time.Minute), Input{Items: []Item{item(2, review.HeldOpen, "a"), item(3, review.HeldOpen, "a")}}), "")
	want(t, "another door", tr.Step(st, now.Add(2*time.Minute), Input{Items: []Item{item(4, review.HeldOpen, "b")}}), "4 alert poc 1, 4 alert siem 1")
	want(t, "another kind", tr.Step(st, now.Add(2*time.Minute), Input{Items: []Item{item(5, review.LineFault, "a")}}), "5 alert poc 1, 5 alert siem 1")
	want(t, "how many", tr.Step(st, now.Add(5*time.Minute), Input{}), "1 more poc 3, 1 more siem 3")
	want(t, "anew", tr.Step(st, now.Add(5*time.Minute), Input{Items: []Item{item(6, review.HeldOpen, "a")}}), "6 alert poc 1, 6 alert siem 1")
}

// A lost gateway explains faults of its devices, for an hour; never a forced door or an opened box, and not those of another.
func TestInhibition(t *testing.T) {
	tr, now := tree(t), at("2026-11-24 10:00:00")
	st := &State{}
	lost := item(1, review.GatewayOffline, "")
	other := item(4, review.ReaderLost, "z")
	other.Gateway = "gw-2"
	tr.Step(st, now, Input{Items: []Item{lost}})
	want(t, "its reader", tr.Step(st, now.Add(time.Minute), Input{Items: []Item{item(2, review.ReaderLost, "a")}}), "2 alert siem 1")
	want(t, "its door", tr.Step(st, now.Add(time.Minute), Input{Items: []Item{item(3, review.ForcedOpen, "a")}}), "3 alert poc 1, 3 alert siem 1")
	want(t, "another's reader", tr.Step(st, now.Add(time.Minute), Input{Items: []Item{other}}), "4 alert poc 1, 4 alert siem 1")
	want(t, "later", tr.Step(st, now.Add(time.Hour), Input{Handled: []int64{3}, Items: []Item{item(5, review.ReaderLost, "a")}}), "5 alert poc 1, 5 alert siem 1")
}

// AL-1, AL-3: what a clock that was months ahead has left behind neither swallows, explains nor crowds out what comes when it is right again, and
// its next contact is told.
func TestClockWasAhead(t *testing.T) {
	tr, now := tree(t), at("2026-11-24 10:00:00")
	st := &State{}
	ahead := at("2027-03-04 10:00:00")
	forced := item(1, review.ForcedOpen, "a")
	tr.Step(st, ahead, Input{Items: []Item{forced, item(2, review.GatewayOffline, "")}})
	want(t, "the next contact", tr.Step(st, now, Input{}), "")
	want(t, "after ten minutes", tr.Step(st, now.Add(20*time.Minute), Input{}), "1 escalation chief 1")
	want(t, "the same door", tr.Step(st, now.Add(20*time.Minute), Input{Items: []Item{item(3, review.ForcedOpen, "a")}}), "3 alert poc 1, 3 alert siem 1")
	want(t, "not explained any more", tr.Step(st, now.Add(2*time.Hour), Input{Handled: []int64{1, 3}, Items: []Item{item(4, review.ReaderLost, "b")}}), "4 alert poc 1, 4 alert siem 1")

	st = &State{}
	tr.Step(st, now, Input{Items: []Item{forced}})
	tr.Step(st, ahead, Input{}) // told further, and put off, by the wrong clock
	tr.Step(st, now, Input{})
	want(t, "the one after", tr.Step(st, now.Add(20*time.Minute), Input{}), "1 escalation ciso 2")
}

// AL-3: a silence holds one door or device back until its end, and nothing that must never be held back.
func TestSilences(t *testing.T) {
	tr, now := tree(t), at("2026-11-24 10:00:00")
	end := now.Add(2 * time.Hour)
	silences := []Silence{{ID: 9, Door: "a", From: now, Until: end}, {ID: 10, Gateway: "gw-2", Kind: review.MainsLost, From: now, Until: end}, {ID: 11, From: now, Until: end}}
	step := func(when time.Time, it Item) (string, Held) {
		st := &State{Silences: silences}
		out := tr.Step(st, when, Input{Items: []Item{it}})
		return told(out.Sends), st.Alerts[0].Held
	}
	if sends, held := step(end.Add(-time.Millisecond), item(1, review.ForcedOpen, "a")); held != HeldSilenced || sends != "1 alert siem 1" {
		t.Errorf("in it: %q %q", sends, held)
	}
	if _, held := step(end, item(1, review.ForcedOpen, "a")); held != HeldNot {
		t.Errorf("at its end: %q", held)
	}
	if _, held := step(now, item(1, review.ForcedOpen, "b")); held != HeldNot {
		t.Errorf("another door: %q", held)
	}
	for _, k := range []review.Kind{review.Duress, review.ChainFork, review.LogDoubt, review.LogFork, review.GatewayCloned, review.GatewayRolledBack} {
		if _, held := step(now, item(1, k, "a")); held == HeldSilenced {
			t.Errorf("%s is silenced", k)
		}
	}
	mains := item(1, review.MainsLost, "")
	mains.Gateway = "gw-2"
	if _, held := step(now, mains); held != HeldSilenced {
		t.Errorf("kind of a gateway: %q", held)
	}
}

// AL-1: nothing is dropped. Whatever comes in a flood stands in an alert: told, counted, or in the digest; and the severe ones
// are told at once.
func TestFloodDropsNothing(t *testing.T) {
	tr, now := tree(t), at("2026-11-24 10:00:00")
	st := &State{}
	var severe, told []int64
	n := 0
	for i := range int64(4000) {
		it := item(i, review.HeldOpen, fmt.Sprint("door-", i%100))
		if i%200 == 199 {
			it = item(i, review.ForcedOpen, fmt.Sprint("hidden-", i))
			severe = append(severe, i)
		}
		out := tr.Step(st, now.Add(time.Duration(i)*time.Millisecond), Input{Items: []Item{it}})
		for _, s := range out.Sends {
			if s.Channel == "poc" {
				n++
				if s.What == WhatAlert && slices.Contains(severe, s.Alert) {
					told = append(told, s.Alert)
				}
			}
		}
	}
	if !slices.Equal(severe, told) {
		t.Errorf("of %d hidden alarms %d were told", len(severe), len(told))
	}
	if n > len(severe)+Defaults.Burst {
		t.Errorf("%d messages", n)
	}
	sum := 0
	for _, a := range st.Alerts {
		sum += a.Count
	}
	if sum != 4000 {
		t.Errorf("%d findings in alerts, want 4000", sum)
	}
	out := tr.Step(st, now.Add(24*time.Hour), Input{Digest: true})
	held := 0
	for _, a := range out.Digest.Held {
		held += a.Count
	}
	if len(out.Digest.Waiting) != len(severe)+Defaults.Burst || held == 0 {
		t.Errorf("digest: %d held, %d waiting", held, len(out.Digest.Waiting))
	}
	if out := tr.Step(st, now.Add(48*time.Hour), Input{Digest: true}); len(out.Digest.Held) != 0 {
		t.Error("the next digest repeats what was held")
	}
}

// Routes: the first that takes a finding counts, and what it does not say comes from the root.
func TestRoutes(t *testing.T) {
	tr, now := tree(t), at("2026-11-24 10:00:00")
	media := item(1, review.HeldOpen, "m")
	media.Zones = []string{"media-store"}
	want(t, "zone", tr.Step(&State{}, now, Input{Items: []Item{media}}), "1 alert keeper 1, 1 alert siem 1")
	want(t, "kind", tr.Step(&State{}, now, Input{Items: []Item{item(2, review.MainsLost, "")}}), "2 alert it 1, 2 alert siem 1")
	st := &State{}
	media.Kind, media.Severity = review.ForcedOpen, review.High
	want(t, "zone at night", tr.Step(st, at("2026-11-25 02:00:00"), Input{Items: []Item{media}}), "1 alert duty 1, 1 alert siem 1")
	want(t, "then", tr.Step(st, at("2026-11-25 02:10:00"), Input{}), "1 escalation chief 1")
	tr.Root.Hours, tr.Root.Then = nil, nil
	st = &State{}
	want(t, "nobody", tr.Step(st, now, Input{Items: []Item{item(3, review.HeldOpen, "a")}}), "3 alert siem 1")
	if st.Alerts[0].Held != HeldNobody {
		t.Errorf("held %q: it would be in no digest", st.Alerts[0].Held)
	}
}
