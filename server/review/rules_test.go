package review

import (
	"fmt"
	"os"
	"path/filepath"
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
			var before []Fact
			var got strings.Builder
			n := 0
			for line := range strings.Lines(in) {
				line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
				if line == "" {
					continue
				}
				n++
				f := parseFact(t, line)
				f.Leaf = int64(n)
				var past []Fact
				if NeedsBefore(f) {
					past = before
				}
				for _, found := range Judge(f, past) {
					fmt.Fprintf(&got, "%s %s severity=%s proof=%d", time.UnixMilli(found.AtMS).UTC().Format("15:04:05"), found.Kind, found.Severity, found.Cause)
					if found.Detail != "" {
						fmt.Fprintf(&got, " detail=%s", found.Detail)
					}
					got.WriteByte('\n')
				}
				before = append(before, f)
			}
			if diff := cmp.Diff(want, got.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func parseFact(t *testing.T, line string) Fact {
	t.Helper()
	words := strings.Fields(line)
	if len(words) < 3 {
		t.Fatalf("line %q", line)
	}
	at, err := time.Parse("15:04:05", words[0])
	if err != nil {
		t.Fatal(err)
	}
	f := Fact{AtMS: at.AddDate(2026, 10, 23).UnixMilli(), Event: door.Event(words[1]), Door: access.DoorID(words[2]), Gateway: "gw-1"}
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
