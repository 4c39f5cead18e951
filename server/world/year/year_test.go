package year

import (
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"monban/firmware/calendar"
)

func plan(seed uint64) Plan {
	return Plan{Seed: seed, First: calendar.Date{Year: 2025, Month: 4, Day: 1}, Days: 30, Staff: 20, Cases: 2, Near: 2}
}

// The sheet is worth nothing when it is written by the rules that it judges: nothing of the product is imported but the calendar.
func TestImportsNoRule(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	looked := 0
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		looked++
		tree, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, im := range tree.Imports {
			path, _ := strconv.Unquote(im.Path.Value) // it has parsed
			if strings.HasPrefix(path, "monban/") && path != "monban/firmware/calendar" || strings.Contains(path, ".") {
				t.Errorf("%s imports %s", f.Name(), path)
			}
		}
	}
	if looked < 5 {
		t.Errorf("looked at %d files", looked)
	}
}

// The same seed makes the same year, another one another.
func TestSeed(t *testing.T) {
	a, cards, err := Make(plan(1))
	if err != nil {
		t.Fatal(err)
	}
	b, again, err := Make(plan(1))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(a.Acts, b.Acts) || !reflect.DeepEqual(a.Sheet, b.Sheet) || !reflect.DeepEqual(cards, again) || !reflect.DeepEqual(a.Files, b.Files) {
		t.Error("one seed made two years")
	}
	if c, _, err := Make(plan(2)); err != nil || reflect.DeepEqual(a.Acts, c.Acts) {
		t.Error("two seeds made one year", err)
	}
}

// Bodies are at one place at a time, doors let one after another pass, and nobody comes to work on a holiday.
func TestBodies(t *testing.T) {
	for seed := range uint64(5) {
		y, _, err := Make(plan(seed + 1))
		if err != nil {
			t.Fatal(err)
		}
		at := map[string]string{}
		for _, p := range y.Sheet.Passages {
			d := y.Sheet.doors[p.Door]
			from, to := d.Outer, d.Inner
			if p.Out {
				from, to = to, from
			}
			if at[p.Person] != from {
				t.Fatalf("seed %d: %+v, and the body is in %q", seed, p, at[p.Person])
			}
			at[p.Person] = to
		}
		open := map[string]int64{}
		entries := 0
		for _, a := range y.Acts {
			switch {
			case a.Do == Open && open[a.Door] != 0, a.Do == Close && open[a.Door] == 0:
				t.Fatalf("seed %d: %+v, but it is so already", seed, a)
			case a.Do == Open:
				open[a.Door] = a.AtMS
			case a.Do == Close:
				open[a.Door] = 0
			}
			if a.Do == Read && strings.HasPrefix(a.Card, "c-s") {
				entries++
			}
		}
		holiday := calendar.Date{Year: 2025, Month: 4, Day: 29} // 昭和の日, a Tuesday
		for _, p := range y.Sheet.Passages {
			if strings.HasPrefix(p.Person, "s") && holiday.Start(y.Zone).UnixMilli() <= p.AtMS && p.AtMS < holiday.AddDays(1).Start(y.Zone).UnixMilli() {
				t.Errorf("seed %d: %s works on a holiday", seed, p.Person)
			}
		}
		for n := range 30 { // everybody has gone home at four in the morning
			for _, who := range y.Sheet.Inside(office, y.Plan.First.AddDays(n).Start(y.Zone).UnixMilli()+4*3_600_000) {
				if strings.HasPrefix(who, "s") {
					t.Errorf("seed %d: %s spends night %d in the office", seed, who, n)
				}
			}
		}
		if entries < 1000 {
			t.Errorf("seed %d: %d reads in a month of 20 people", seed, entries)
		}
	}
}

// Who is inside is what the bodies did.
func TestInside(t *testing.T) {
	s := Sheet{doors: map[string]Doorway{"a": {"a", "g", office, ""}, "b": {"b", "g", server, office}}, Passages: []Passage{
		{AtMS: 10, Person: "p", Door: "a"}, {AtMS: 20, Person: "q", Door: "a"}, {AtMS: 30, Person: "q", Door: "b"}, {AtMS: 40, Person: "p", Door: "a", Out: true},
	}}
	for _, x := range []struct {
		zone string
		ms   int64
		want []string
	}{{office, 9, nil}, {office, 10, []string{"p"}}, {office, 35, []string{"p", "q"}}, {server, 35, []string{"q"}}, {office, 40, []string{"q"}}} {
		if got := s.Inside(x.zone, x.ms); !slices.Equal(got, x.want) {
			t.Errorf("in %s at %d: %q, want %q", x.zone, x.ms, got, x.want)
		}
	}
}

// VR-1: docs/findings.md says which kinds the year seeds, with cases and near misses; of others it may name the test that has as many.
func TestFindingsTable(t *testing.T) {
	text, err := os.ReadFile("../../../docs/findings.md")
	if err != nil {
		t.Fatal(err)
	}
	y, _, err := Make(Plan{Seed: 1, First: calendar.Date{Year: 2025, Month: 4, Day: 1}, Days: 120, Staff: 8, Cases: 1, Near: 1})
	if err != nil {
		t.Fatal(err)
	}
	seeded := map[string]map[Verdict]bool{}
	for _, c := range y.Sheet.Cases {
		if c.Seeded && c.Verdict != May {
			if seeded[c.Kind] == nil {
				seeded[c.Kind] = map[Verdict]bool{}
			}
			seeded[c.Kind][c.Verdict] = true
		}
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		kind, want := strings.Trim(cells[1], " `"), "–"
		if rows++; seeded[kind][Must] {
			want = "cases"
			if seeded[kind][MustNot] {
				want = "cases, near misses"
			}
		}
		if got := strings.TrimSpace(cells[4]); got != want && !(want == "–" && strings.HasPrefix(got, "`server/")) {
			t.Errorf("%s: the table says %q, the seeds %q", kind, got, want)
		}
		delete(seeded, kind)
	}
	if rows < 50 || len(seeded) > 0 {
		t.Errorf("%d kinds in the table; not in it: %v", rows, seeded)
	}
}
