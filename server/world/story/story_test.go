package story

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every story in server/world/stories comes out as it says (D2; AD-1, AD-5, AD-7, AD-12, AD-13, DS-1, DS-2,
// DS-4, DS-6, I1–I10).
func TestStories(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../stories/*.story")
	if err != nil || len(files) < 12 {
		t.Fatalf("%d stories, err %v", len(files), err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".story"), func(t *testing.T) {
			t.Parallel()
			var trace strings.Builder
			res, err := Run(f, Options{Trace: &trace})
			if err != nil {
				t.Errorf("%v\n%s", err, tail(trace.String()))
			}
			for _, d := range res.Differs {
				t.Error(d)
			}
			if t.Failed() {
				t.Log(tail(trace.String()))
			}
		})
	}
}

func tail(s string) string { return s[max(0, len(s)-3000):] }

// What is wrong with a story is said with its file and line; what differs is no fault of the story.
func TestFaults(t *testing.T) {
	t.Parallel()
	const site = "zone room level=2\ngateway gw-1\ndoor front gateway=gw-1 zone=room\nperson sato\ncard c-1 person=sato\ngrant sato zone=room\n"
	for name, c := range map[string]struct{ text, fault, differs string }{
		"unknown word":       {site + "bagde front sato", `t.story:7: "bagde" is no word`, ""},
		"unknown door":       {site + "badge side sato", `t.story:7: no door is called "side"; the doors are front`, ""},
		"unknown card":       {site + "badge front abe", `t.story:7: no card and no person is called "abe"`, ""},
		"no exit reader":     {site + "badge front sato exit", `t.story:7: front has no reader at its exit`, ""},
		"too few words":      {site + "badge front", `t.story:7: is written: badge DOOR CARD`, ""},
		"site too late":      {site + "wait 1s\nperson abe", `t.story:8: person stands before everything`, ""},
		"bad row":            {"zone room level=7\ngateway gw-1", `t.story:1: column "level"`, ""},
		"unknown column":     {"zone room levle=1", `t.story:1: column "levle"`, ""},
		"the past":           {site + "at 08:00", `t.story:7: 2026-11-24 08:00:00 is past`, ""},
		"no duration":        {site + "wait soon", `t.story:7: "soon" is not a duration`, ""},
		"unknown reason":     {site + "badge front sato\nexpect denied reason=mood", `t.story:8: "mood" is no reason`, ""},
		"unknown expect":     {site + "expect luck", `t.story:7: "luck" cannot be expected`, ""},
		"unclosed quotation": {`person sato name="S`, `t.story:1: a quotation mark`, ""},
		"empty":              {"# nothing\n", `t.story: holds no line`, ""},
		"no folder":          {"site nowhere\nwait 1s", `t.story:1: the site's folder`, ""},
		"differs":            {site + "badge front sato\nexpect denied reason=no_grant", "", "t.story:8: expected denied reason=no_grant, got granted by=server reason=granted"},
		"door differs":       {site + "expect door front open", "", "t.story:7: expected door front open, it is secured"},
		"nothing happened":   {site + "expect granted", "", "t.story:7: expected granted, got nothing: nobody has presented a card"},
		"none such":          {site + "expect finding forced_open", "", "t.story:7: expected finding forced_open, there is none; the log has none"},
		"too many":           {site + "badge front sato\nexpect unlocks front 2", "", "t.story:8: expected unlocks of front 2 times, got 1"},
		"refused":            {"zone room\nperson sato\nperson abe\nstock B-1\ngateway gw-1\ndoor front gateway=gw-1 zone=room\napply v zone=room from=10:00 until=11:00 attendee=sato visitors=Ito by=sato\napprove v by=sato\napprove v by=abe", "", "t.story:8: was refused: same_person"},
		"not refused":        {site + "stock B-1\nperson abe\napply v zone=room from=10:00 until=11:00 attendee=sato visitors=Ito by=sato\napprove v by=abe\nexpect refused", "", "t.story:11: expected refused, it was done"},
		"other refusal":      {site + "person abe\napply v zone=room from=10:00 until=11:00 attendee=abe visitors=Ito by=sato\napprove v by=sato\nexpect refused too_late", "", "t.story:10: expected refused too_late, got refused same_person"},
		"no such matter":     {site + "approve v by=sato", `t.story:7: nothing that was begun is called "v"; there are none`, ""},
		"no such guest":      {site + "apply v zone=room from=10:00 until=11:00 attendee=sato visitors=Ito\nleft v Abe gone", `t.story:8: no guest is called "Abe"; the guests are Ito`, ""},
		"no such setting":    {"visit-settings closing_time=17:00\n" + site, `t.story:1: visits have no setting "closing_time"`, ""},
		"bad stock":          {"stock B-1 kind=guest\n" + site, "t.story:1: is written: stock", ""},
		"desk at night":      {site + "apply v zone=room from=25:00 until=26:00 attendee=sato visitors=Ito", `t.story:7: "25:00" is not a time`, ""},
		"server off":         {site + "power cut server\ncome p v", `t.story:8: nothing that was begun is called "p"`, ""},
		"line differs":       {site + "badge front sato\nwait 10s\nexpect line person=abe", "", `t.story:9: the line in the log has person="sato" (expected "abe")`},
	} {
		t.Run(name, func(t *testing.T) {
			res, err := Text("t.story", c.text, Options{})
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Errorf("got %v, want %q", err, c.fault)
				}
				return
			}
			if err != nil || len(res.Differs) != 1 || !strings.Contains(res.Differs[0].Error(), c.differs) {
				t.Errorf("got %v, err %v, want %q", res.Differs, err, c.differs)
			}
		})
	}
}

// docs/stories.md has a row for every line that can be written, and its examples come out as they say.
func TestDocumented(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../../docs/stories.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, u := range Usage() {
		if !strings.Contains(text, "| `"+strings.ReplaceAll(u, "|", `\|`)+"` |") {
			t.Errorf("docs/stories.md has no row for `%s`", u)
		}
	}
	if rows := strings.Count(text, "\n| `"); rows != len(Usage()) {
		t.Errorf("docs/stories.md has %d rows, the language %d kinds of line", rows, len(Usage()))
	}
	examples := 0
	for _, part := range strings.Split(text, "```story\n")[1:] {
		example, _, ok := strings.Cut(part, "```")
		if !ok {
			t.Fatal("an example is not closed")
		}
		examples++
		res, err := Text("docs/stories.md", example, Options{})
		if err != nil || len(res.Differs) > 0 {
			t.Errorf("example %d: %v %v", examples, err, res.Differs)
		}
	}
	if examples < 3 {
		t.Errorf("%d examples", examples)
	}
}
