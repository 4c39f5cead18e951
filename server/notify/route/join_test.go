package route

import (
	"testing"
	"time"

	"monban/server/review"
)

// AL-1: a group that somebody has seen takes in nothing more: a door that is forced again is told again, and escalated. So it is
// when both come in one step.
func TestSeenGroupTakesNothingIn(t *testing.T) {
	tr, now := tree(t), at("2026-11-25 02:00:00")
	st := &State{}
	tr.Step(st, now, Input{Items: []Item{item(1, review.ForcedOpen, "a")}})
	tr.Step(st, now.Add(20*time.Second), Input{Handled: []int64{1}})
	want(t, "again", tr.Step(st, now.Add(2*time.Minute), Input{Items: []Item{item(2, review.ForcedOpen, "a")}}), "2 alert duty 1, 2 alert siem 1")
	want(t, "a third joins the second", tr.Step(st, now.Add(3*time.Minute), Input{Items: []Item{item(3, review.ForcedOpen, "a")}}), "")
	want(t, "how many", tr.Step(st, now.Add(7*time.Minute), Input{}), "2 more duty 2, 2 more siem 2")
	want(t, "nobody answers", tr.Step(st, now.Add(12*time.Minute), Input{}), "2 escalation chief 1")
	out := tr.Step(st, now.Add(7*time.Hour), Input{Digest: true})
	if len(out.Digest.Waiting) != 1 || out.Digest.Waiting[0].ID != 2 || out.Digest.Waiting[0].Count != 2 {
		t.Errorf("digest %+v", out.Digest)
	}

	st = &State{}
	tr.Step(st, now, Input{Items: []Item{item(1, review.ForcedOpen, "a")}})
	want(t, "seen and again at once", tr.Step(st, now.Add(time.Minute), Input{Handled: []int64{1}, Items: []Item{item(2, review.ForcedOpen, "a")}}), "2 alert duty 1, 2 alert siem 1")
}

// AL-2, AL-6: what was held before the office opened stands in the digest; the same again after it is told, not lost between the two.
func TestGroupAcrossTheDigest(t *testing.T) {
	for _, opens := range []bool{true, false} {
		tr := tree(t)
		if !opens { // the digest comes, but the office is closed
			tr.Hours.Open = 9 * 3600
		}
		st := &State{}
		tr.Step(st, at("2026-11-24 08:28:00"), Input{Items: []Item{item(1, review.CardScan, "a")}})
		out := tr.Step(st, at("2026-11-24 08:30:00"), Input{Digest: true})
		if len(out.Digest.Held) != 1 {
			t.Fatalf("digest %+v", out.Digest)
		}
		sends := "2 alert siem 1"
		if opens {
			sends = "2 alert poc 1, 2 alert siem 1"
		}
		want(t, "again", tr.Step(st, at("2026-11-24 08:31:00"), Input{Items: []Item{item(2, review.CardScan, "a")}}), sends)
		out = tr.Step(st, at("2026-11-25 08:30:00"), Input{Digest: true})
		if n := len(out.Digest.Held) + len(out.Digest.Waiting); n != 1 {
			t.Errorf("opens %v: the next digest has %d: %+v", opens, n, out.Digest)
		}
	}
	tr, st := tree(t), &State{}
	tr.Step(st, at("2026-11-24 08:28:00"), Input{Items: []Item{item(1, review.CardScan, "a")}})
	want(t, "the office has opened before the digest", tr.Step(st, at("2026-11-24 08:31:00"), Input{Items: []Item{item(2, review.CardScan, "a")}}), "2 alert poc 1, 2 alert siem 1")
}

// AL-3: the end of a silence is the end of it, also for a group that began within it.
func TestGroupAcrossTheEndOfASilence(t *testing.T) {
	tr, end := tree(t), at("2026-11-24 10:00:00")
	st := &State{Silences: []Silence{{ID: 9, Door: "a", From: end.Add(-time.Hour), Until: end}}}
	want(t, "in it", tr.Step(st, end.Add(-2*time.Minute), Input{Items: []Item{item(1, review.ForcedOpen, "a")}}), "1 alert siem 1")
	want(t, "in it too", tr.Step(st, end.Add(-time.Minute), Input{Items: []Item{item(2, review.ForcedOpen, "a")}}), "")
	want(t, "after it", tr.Step(st, end.Add(time.Minute), Input{Items: []Item{item(3, review.ForcedOpen, "a")}}), "3 alert poc 1, 3 alert siem 1")
}

// AL-3: a finding that makes its group severe sets the clock for the next contact; one of another route is told by that route.
func TestRiseInSeverity(t *testing.T) {
	tr, now := tree(t), at("2026-11-24 10:00:00")
	st := &State{}
	severe := item(2, review.HeldOpen, "a")
	severe.Severity = review.High
	tr.Step(st, now, Input{Items: []Item{item(1, review.HeldOpen, "a")}})
	want(t, "joins", tr.Step(st, now.Add(time.Minute), Input{Items: []Item{severe}}), "")
	tr.Step(st, now.Add(5*time.Minute), Input{})
	want(t, "nobody answers", tr.Step(st, now.Add(11*time.Minute), Input{}), "1 escalation chief 1")

	tr.Routes = append(tr.Routes, Route{Name: "severe", Least: review.High, Hours: []string{"officer"}})
	st = &State{}
	tr.Step(st, now, Input{Items: []Item{item(1, review.HeldOpen, "a")}})
	want(t, "another route", tr.Step(st, now.Add(time.Minute), Input{Items: []Item{severe}}), "2 alert officer 1, 2 alert siem 1")
}

// AL-1: a group that is being told goes on counting while many others ring; it neither tells each finding nor holds it back.
func TestGroupGoesOnInABurst(t *testing.T) {
	tr, now := tree(t), at("2026-11-24 10:00:00")
	tr.Limits.Burst = 1
	st := &State{}
	tr.Step(st, now, Input{Items: []Item{item(1, review.HeldOpen, "a")}})
	want(t, "joins", tr.Step(st, now.Add(time.Minute), Input{Items: []Item{item(2, review.HeldOpen, "a"), item(3, review.HeldOpen, "b")}}), "3 alert siem 1")
	want(t, "how many", tr.Step(st, now.Add(5*time.Minute), Input{}), "1 more poc 2, 1 more siem 2")
}
