package review

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"monban/firmware/access"
	"monban/firmware/door"
)

// A story is lines "HH:MM:SS event door key=value…", then "-- want --" and the findings, each as
// "HH:MM:SS kind severity=… proof=N" where N counts the lines from 1.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.story")
	if err != nil || len(files) == 0 {
		t.Fatal("no stories", err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".story"), func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			in, want, ok := strings.Cut(string(data), "-- want --\n")
			if !ok {
				t.Fatal("no line -- want --")
			}
			var got strings.Builder
			set := DefaultSettings()
			w := NewWatch(set, 0)
			w.Areas(testAreas())
			n := 0
			say := func(list []Finding) {
				for _, found := range list {
					fmt.Fprintf(&got, "%s %s severity=%s proof=%d", time.UnixMilli(found.AtMS).UTC().Format("15:04:05"), found.Kind, found.Severity, found.Cause)
					if found.Detail != "" {
						fmt.Fprintf(&got, " detail=%s", found.Detail)
					}
					got.WriteByte('\n')
				}
			}
			for line := range strings.Lines(in) {
				line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
				if line = strings.TrimSpace(line); line == "" {
					continue
				}
				if rest, ok := strings.CutPrefix(line, "walk "); ok {
					var walk Walk
					if _, err := fmt.Sscanf(rest, "%s %s %d", &walk.From, &walk.To, &walk.LeastMS); err != nil {
						t.Fatalf("line %q: %v", line, err)
					}
					w.set.Walks = append(w.set.Walks, walk)
					continue
				}
				if clock, ok := strings.CutPrefix(line, "tick "); ok { // "tick 12:00:00", or with the zone that is not known
					clock, silent, _ := strings.Cut(clock, " ")
					say(w.Tick(parseTime(t, clock), func(z access.ZoneID) bool { return string(z) != silent }))
					continue
				}
				n++
				f := parseFact(t, line)
				f.Leaf = int64(n)
				say(Judge(f))
				say(w.Step(f))
			}
			if diff := cmp.Diff(want, got.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// testAreas is a hall of level 1 with the server room, level 3, in it, and a store beside it.
func testAreas() []Area {
	return []Area{{"hall", "", 1}, {"server-room", "hall", 3}, {"media-store", "", 2}}
}

// parseTime reads a time of the day of the stories, or with "N+" of the Nth day after it.
func parseTime(t *testing.T, s string) int64 {
	t.Helper()
	days := 0
	if n, rest, ok := strings.Cut(s, "+"); ok {
		if _, err := fmt.Sscanf(n, "%d", &days); err != nil {
			t.Fatal(err)
		}
		s = rest
	}
	at, err := time.Parse("15:04:05", s)
	if err != nil {
		t.Fatal(err)
	}
	return at.AddDate(2026, 10, 23+days).UnixMilli()
}

func parseFact(t *testing.T, line string) Fact {
	t.Helper()
	words := strings.Fields(line)
	if len(words) < 3 {
		t.Fatalf("line %q", line)
	}
	var err error
	f := Fact{AtMS: parseTime(t, words[0]), Event: door.Event(words[1]), Door: access.DoorID(words[2]), Gateway: "gw-1"}
	f.ReceivedMS, f.OpenDay, f.Used = f.AtMS, true, true
	clock := time.UnixMilli(f.AtMS).UTC()
	f.Minute = clock.Hour()*60 + clock.Minute()
	switch f.Event {
	case door.EventGranted:
		f.Outcome, f.Reason = access.Granted, access.ReasonGranted
	case door.EventDenied:
		f.Outcome = access.Denied
	}
	for _, w := range words[3:] {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "side":
			f.Side, err = access.ParseSide(value)
		case "by":
			f.By, err = access.ParseDecidedBy(value)
		case "reason":
			err = f.Reason.UnmarshalText([]byte(value))
		case "failed":
			f.Failed, err = access.ParseReasonSet(value)
		case "detail":
			f.Detail = value
		case "observed":
			f.Observed = true
		case "key_out":
			f.KeyOut = true
		case "carrying":
			f.Carrying = true
		case "judged":
			f.Rejudged = true
			err = f.Judged.Primary.UnmarshalText([]byte(value))
			f.Judged.Failed = f.Judged.Failed.With(f.Judged.Primary)
			if f.Judged.Primary == access.ReasonGranted {
				f.Judged.Outcome = access.Granted
			}
		case "missing":
			f.Judged.Missing, err = access.ParseKnowledgeSet(value)
		case "then":
			f.KnowsThen = true
			err = f.Then.Primary.UnmarshalText([]byte(value))
			if f.Then.Primary == access.ReasonGranted {
				f.Then.Outcome = access.Granted
			}
		case "rules":
			_, err = fmt.Sscanf(value, "%d-%d", &f.HeldRules, &f.NowRules)
		case "late":
			_, err = fmt.Sscanf(value, "%dms", &f.DelayMS)
		case "attempt":
			f.Attempt[0] = value[0]
		case "person":
			_, err = fmt.Sscanf(value, "%d", &f.Person)
		case "card":
			_, err = fmt.Sscanf(value, "%d", &f.Card)
		case "into":
			f.Into = access.ZoneID(value)
		case "from":
			f.From = access.ZoneID(value)
		case "escort":
			f.Escort = true
		case "outsider":
			f.Outsider = true
		case "together":
			f.Together = true
		case "closed_day":
			f.OpenDay = false
		case "unused":
			f.Used = false
		case "covered":
			f.Covered = true
		case "named":
			f.Named = true
		case "own":
			f.Own = value
		case "unsettled":
			f.Unsettled = true
		case "arrived":
			f.ReceivedMS, f.Late = parseTime(t, value), true
		case "width":
			_, err = fmt.Sscanf(value, "%d", &f.WidthMS)
		case "known_days": // the person passed a door first so many days ago
			_, err = fmt.Sscanf(value, "%d", &f.FirstMS)
			f.FirstMS = f.AtMS - f.FirstMS*day
		case "before", "after": // TIME/DOOR/ZONE[/within][/usual]
			var x Passage
			part := strings.Split(value, "/")
			x.Known, x.AtMS, x.Door, x.Into = true, parseTime(t, part[0]), access.DoorID(part[1]), access.ZoneID(part[2])
			x.Within, x.Usual = slices.Contains(part[3:], "within"), slices.Contains(part[3:], "usual")
			if key == "before" {
				f.Before = x
			} else {
				f.After = x
			}
		default:
			err = fmt.Errorf("unknown key %q", key)
		}
		if err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
	}
	return f
}

// VR-1: every kind stands in the catalogue once, with everything said about it.
func TestCatalogue(t *testing.T) {
	seen := map[Kind]bool{}
	for _, e := range Catalogue() {
		if seen[e.Kind] {
			t.Errorf("%s stands twice", e.Kind)
		}
		seen[e.Kind] = true
		if e.Threat == "" || e.DueDays < 1 || e.Title != "finding."+string(e.Kind) {
			t.Errorf("%+v is incomplete", e)
		}
		if got := e.Kind.Entry(); got != e {
			t.Errorf("Entry of %s = %+v", e.Kind, got)
		}
	}
	if got := Kind("nonsense").Entry(); got.Severity != High || got.DueDays != 1 {
		t.Errorf("an unknown kind reads %+v, want high and due at once", got)
	}
	for s := range Severity(3) {
		if got, ok := ParseSeverity(s.String()); !ok || got != s {
			t.Errorf("severity %d reads back as %v, %v", s, got, ok)
		}
	}
	if s, ok := ParseSeverity("huge"); ok || s != High || Severity(9).String() != "high" {
		t.Error("an unknown severity is not high")
	}
}
