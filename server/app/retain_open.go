package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"monban/server/entrylog"
	"monban/server/incident"
	"monban/server/keystore"
	"monban/server/store"
)

// openCases counts what is still open by the class and fiscal year that it would be taken with: matters, findings that nobody has closed with what was done about
// them, and findings of incidents that go on. Such a year waits (EV-8).
// unread names the incidents that cannot be read.
func (t *Retainer) openCases(r store.Reader) (open map[keystore.Period]int64, unread map[keystore.Period][]string, err error) {
	if open, err = r.OpenMatterPeriods(t.zone); err != nil {
		return nil, nil, err
	}
	if err := r.OpenFindingPeriods(t.zone, open); err != nil {
		return nil, nil, err
	}
	going, err := r.OpenMatters(incident.Kind)
	if err != nil {
		return nil, nil, err
	}
	unread = map[keystore.Period][]string{}
	for _, m := range going {
		var x incident.Record
		text, err := r.MatterText(m.Idx)
		if err == nil {
			err = json.Unmarshal(text.Doc, &x)
		}
		if err != nil { // nothing tells which findings it is about, so none of their years may go: they were there before its newest step
			last, err := t.yearOf(r, m.Idx)
			if err != nil {
				return nil, nil, err
			}
			counts, err := r.Periods(t.zone)
			if err != nil {
				return nil, nil, err
			}
			for _, c := range counts {
				if p := (keystore.Period{Class: c.Class, FiscalYear: c.Year}); c.Class == entrylog.ClassViolation && c.Year <= last {
					open[p]++
					unread[p] = append(unread[p], m.ID)
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
				return nil, nil, fmt.Errorf("incident %s: %w", m.ID, err)
			}
			year := entrylog.FiscalYear(f.AtMS, t.zone)
			if !met[year] {
				met[year] = true
				open[keystore.Period{Class: entrylog.ClassViolation, FiscalYear: year}]++
			}
		}
	}
	return open, unread, nil
}

// yearOf is the fiscal year of a leaf.
func (t *Retainer) yearOf(r store.Reader, idx int64) (int, error) {
	leaf, err := r.Leaf(idx)
	if err != nil {
		return 0, err
	}
	p, err := entrylog.Parse(leaf.Body)
	if err != nil {
		return 0, fmt.Errorf("leaf %d: %w: run monban-server verify", idx, err)
	}
	return entrylog.FiscalYear(p.AtMS(), t.zone), nil
}

// waits is an error while something of a class and year is open.
func (t *Retainer) waits(r store.Reader, class entrylog.Class, year int) error {
	open, unread, err := t.openCases(r)
	if err != nil {
		return err
	}
	p := keystore.Period{Class: class, FiscalYear: year}
	return openError(class, year, open[p], unread[p])
}

func openError(class entrylog.Class, year int, n int64, unread []string) error {
	if n == 0 {
		return nil
	}
	if len(unread) > 0 {
		return fmt.Errorf("disposal: %s of fiscal year %d: %d findings, incidents or other matters are %w, and %s cannot be read, so nobody can close it: put a copy of the key store in its place (doctor)", class, year, n, store.ErrOpenCases, strings.Join(unread, ", "))
	}
	return fmt.Errorf("disposal: %s of fiscal year %d: %d findings, incidents or other matters are %w: close them first", class, year, n, store.ErrOpenCases)
}
