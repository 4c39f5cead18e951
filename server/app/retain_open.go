package app

import (
	"encoding/json"
	"errors"
	"fmt"

	"monban/server/entrylog"
	"monban/server/incident"
	"monban/server/keystore"
	"monban/server/store"
)

// openCases counts what is still open by the class and fiscal year that it would be taken with: matters, findings that nobody has closed with what was done about
// them, and findings of incidents that go on. Such a year waits (EV-8).
func (t *Retainer) openCases(r store.Reader) (map[keystore.Period]int64, error) {
	open, err := r.OpenMatterPeriods(t.zone)
	if err != nil {
		return nil, err
	}
	if err := r.OpenFindingPeriods(t.zone, open); err != nil {
		return nil, err
	}
	going, err := r.OpenMatters(incident.Kind)
	if err != nil {
		return nil, err
	}
	for _, m := range going {
		var x incident.Record
		text, err := r.MatterText(m.Idx)
		if err == nil {
			err = json.Unmarshal(text.Doc, &x)
		}
		if err != nil { // nothing tells which findings it is about, so none of their years may go
			counts, err := r.Periods(t.zone)
			if err != nil {
				return nil, err
			}
			for _, c := range counts {
				if c.Class == entrylog.ClassViolation {
					open[keystore.Period{Class: c.Class, FiscalYear: c.Year}]++
				}
			}
			continue
		}
		met := map[int]bool{}
		for _, idx := range x.Findings {
			f, err := r.Finding(idx)
			if errors.Is(err, store.ErrNotFound) {
				continue // gone with its year, before this was looked at
			}
			if err != nil {
				return nil, fmt.Errorf("incident %s: %w", m.ID, err)
			}
			year := entrylog.FiscalYear(f.AtMS, t.zone)
			if !met[year] {
				met[year] = true
				open[keystore.Period{Class: entrylog.ClassViolation, FiscalYear: year}]++
			}
		}
	}
	return open, nil
}

// waits is an error while something of a class and year is open.
func (t *Retainer) waits(r store.Reader, class entrylog.Class, year int) error {
	open, err := t.openCases(r)
	if err != nil {
		return err
	}
	return openError(class, year, open[keystore.Period{Class: class, FiscalYear: year}])
}

func openError(class entrylog.Class, year int, n int64) error {
	if n == 0 {
		return nil
	}
	return fmt.Errorf("disposal: %s of fiscal year %d: %d findings, incidents or other matters are %w: close them first", class, year, n, store.ErrOpenCases)
}
