package world

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// Row is one line of the benchmark's table.
type Row struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`            // "x" for a ratio, else µs, /s …
	Goal  float64 `json:"goal,omitempty"`  // 0 = a floor or a figure without goal
	Least bool    `json:"least,omitempty"` // the goal is a minimum
	Note  string  `json:"note,omitempty"`
	// Loose rows are printed as SHORT and never fail a build: a tail, which varies tenfold between like
	// runs, or a row whose run was crowded by other processes.
	Loose bool `json:"loose,omitempty"`
}

// Status is "ok", "SHORT" or "-" for a row without goal.
func (r Row) Status() string {
	switch {
	case r.Goal == 0:
		return "-"
	case r.Least && r.Value < r.Goal, !r.Least && r.Value > r.Goal:
		return "SHORT"
	default:
		return "ok"
	}
}

// missed reports whether a median misses its goal by more than 30 %, which alone fails a build (D29).
func (r Row) missed() bool {
	switch {
	case r.Goal == 0, r.Loose:
		return false
	case r.Least:
		return r.Value < r.Goal*0.7
	default:
		return r.Value > r.Goal*1.3
	}
}

// Report is a run's result, as written to bench.json.
type Report struct {
	When     string            `json:"when"`
	Commit   string            `json:"commit"`
	Machine  map[string]string `json:"machine"`
	Quick    bool              `json:"quick"`
	Rows     []Row             `json:"rows"`
	Versions map[string]string `json:"versions"`
}

// Print writes the table: name, value, goal, ok or SHORT.
func (r *Report) Print(w io.Writer) error {
	var b strings.Builder
	for _, row := range r.Rows {
		goal := "-"
		if row.Goal != 0 {
			sign := "<="
			if row.Least {
				sign = ">="
			}
			goal = fmt.Sprintf("%s %.4g %s", sign, row.Goal, row.Unit)
		}
		fmt.Fprintf(&b, "%-44s  %10.4g %-4s  %-12s  %-5s  %s\n", row.Name, row.Value, row.Unit, goal, row.Status(), row.Note)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Write stores the report as JSON.
func (r *Report) Write(path string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("bench report: %w", err)
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("bench report: %w", err)
	}
	return nil
}

// Missed lists the rows that miss their goal by more than 30 %.
func (r *Report) Missed() []string {
	var names []string
	for _, row := range r.Rows {
		if row.missed() {
			names = append(names, row.Name)
		}
	}
	return names
}

// quantile is the q-quantile (0–1) of a sample; it sorts a copy. An empty sample gives 0.
func quantile[T cmp.Ordered](sample []T, q float64) T {
	var zero T
	if len(sample) == 0 {
		return zero
	}
	s := slices.Clone(sample)
	slices.Sort(s)
	return s[min(len(s)-1, int(q*float64(len(s))))]
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
