package world

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A goal holds up to the goal itself; only a miss by more than 30 % fails a build (D29).
func TestRowStatus(t *testing.T) {
	for _, c := range []struct {
		row    Row
		status string
		missed bool
	}{
		{Row{Value: 7}, "-", false},
		{Row{Value: 2.5, Goal: 2.5}, "ok", false},
		{Row{Value: 2.51, Goal: 2.5}, "SHORT", false},
		{Row{Value: 3.25, Goal: 2.5}, "SHORT", false},
		{Row{Value: 3.26, Goal: 2.5}, "SHORT", true},
		{Row{Value: 9, Goal: 2.5, Loose: true}, "SHORT", false},
		{Row{Value: 0.65, Goal: 0.65, Least: true}, "ok", false},
		{Row{Value: 0.64, Goal: 0.65, Least: true}, "SHORT", false},
		{Row{Value: 0.45, Goal: 0.65, Least: true}, "SHORT", true},
	} {
		if got := c.row.Status(); got != c.status {
			t.Errorf("%+v: %s, want %s", c.row, got, c.status)
		}
		if got := c.row.missed(); got != c.missed {
			t.Errorf("%+v: missed %v, want %v", c.row, got, c.missed)
		}
	}
}

func TestReport(t *testing.T) {
	r := Report{When: "now", Quick: true, Rows: []Row{
		{Name: "floor", Value: 12.34567, Unit: "µs"}, {Name: "held", Value: 1, Unit: "x", Goal: 2},
		{Name: "short", Value: 9, Unit: "x", Goal: 2, Note: "why"},
	}}
	if diff := cmp.Diff([]string{"short"}, r.Missed()); diff != "" {
		t.Error(diff)
	}
	var b bytes.Buffer
	if err := r.Print(&b); err != nil {
		t.Fatal(err)
	}
	var got [][]string
	for line := range strings.Lines(b.String()) {
		got = append(got, strings.Fields(line))
	}
	want := [][]string{{"floor", "12.35", "µs", "-", "-"}, {"held", "1", "x", "<=", "2", "x", "ok"}, {"short", "9", "x", "<=", "2", "x", "SHORT", "why"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	path := filepath.Join(t.TempDir(), "bench.json")
	if err := r.Write(path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, back); diff != "" {
		t.Error(diff)
	}
}

func TestQuantile(t *testing.T) {
	sample := []int{5, 1, 4, 2, 3}
	for q, want := range map[float64]int{0: 1, 0.5: 3, 0.99: 5, 1: 5} {
		if got := quantile(sample, q); got != want {
			t.Errorf("quantile %v: %d, want %d", q, got, want)
		}
	}
	if got := quantile([]int(nil), 0.5); got != 0 {
		t.Errorf("of nothing: %d", got)
	}
	if diff := cmp.Diff([]int{5, 1, 4, 2, 3}, sample); diff != "" {
		t.Errorf("the sample was changed: %s", diff)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SliceOfN(rapid.IntRange(0, 100), 1, 50).Draw(t, "sample")
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		got, below, above := quantile(s, q), 0, 0
		for _, x := range s {
			if x < got {
				below++
			}
			if x > got {
				above++
			}
		}
		if float64(below) > q*float64(len(s)) || float64(above) > (1-q)*float64(len(s)) {
			t.Fatalf("quantile %v of %v is %d", q, s, got)
		}
	})
}

// The ratio is that of the same round, not of two medians: a slow second hits both sides.
func TestRoundsArePaired(t *testing.T) {
	r := rounds{
		trip:  []time.Duration{1, 1, 10},
		sync:  []time.Duration{1, 3, 90},
		badge: []time.Duration{4, 8, 100},
	}
	if got := r.paired(); got != 2 {
		t.Errorf("paired %v, want 2", got)
	}
	if got := r.tail(); got != 1 {
		t.Errorf("tail %v, want 1", got)
	}
}
