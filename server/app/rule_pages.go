package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/directory"
	"monban/server/web"
)

// rulePages implements web.Rules over the directory.
type rulePages struct {
	registry *Registry
}

// ordinary are the words of columns whose ordinary value a row leaves out.
var ordinary = map[directory.Kind]map[string]string{
	directory.KindZones: {"parent": "none", "anti_passback": "off", "escort": "none", "training": "off", "carry_in": "free", "two_person_always": "no", "staff_needed": "no"},
}

// RuleRows implements web.Rules.
func (r *rulePages) RuleRows(ctx context.Context, kind web.RuleKind) ([]web.RuleRow, error) {
	dir, err := r.registry.Directory(ctx)
	if err != nil {
		return nil, err
	}
	return ruleRows(ctx, &dir, directory.Kind(kind)), nil
}

func ruleRows(ctx context.Context, dir *directory.Snapshot, kind directory.Kind) (out []web.RuleRow) {
	for _, x := range dir.Rows(kind) {
		for column, word := range ordinary[kind] {
			if x.Values[column] == "" {
				x.Values[column] = word
			}
		}
		row := web.RuleRow{ID: x.ID, Name: x.Values["name"], Values: x.Values}
		if en := x.Values["name_en"]; en != "" && web.LanguageOf(ctx) == web.English {
			row.Name = en
		}
		out = append(out, row)
	}
	return out
}

// RuleZones implements web.Rules.
func (r *rulePages) RuleZones(ctx context.Context) (book web.ZoneBook, err error) {
	dir, err := r.registry.Directory(ctx)
	if err != nil {
		return book, err
	}
	today, n := r.registry.Today(), namesOf(ctx, &dir)
	rows := ruleRows(ctx, &dir, directory.KindZones)
	for i := range dir.Zones {
		z := &dir.Zones[i]
		x := web.RuleZone{RuleRow: rows[i], Parent: z.Parent, Level: z.Level, Fit: fitOf(&dir, z.ID, today, n)}
		for j := range dir.Doors {
			d := &dir.Doors[j]
			if d.Enter != z.ID {
				continue
			}
			line := web.RuleDoor{ID: string(d.ID), Name: n.door(d.ID), Controlled: d.Kind == door.KindControlled, Exit: directory.ExitSensingName(d.Sensing),
				ExitReader: d.Sensing == door.ExitReader, Mode: d.Mode}
			if d.Exit != "" {
				line.From = n.zone(d.Exit)
			}
			if d.Interlock != "" {
				line.Interlock = n.door(d.Interlock)
			}
			x.Doors = append(x.Doors, line)
		}
		for _, c := range z.Weaker() {
			w := web.RuleWeaker{Control: string(c)}
			if e := dir.Excepted(z.ID, c, today); e != nil {
				w.Exception, w.Until = string(e.ID), e.Until.String()
			}
			x.Weaker = append(x.Weaker, w)
		}
		book.Zones = append(book.Zones, x)
	}
	for level := 1; level < len(book.Presets); level++ {
		least := directory.LeastOf(level)
		for column, word := range ordinary[directory.KindZones] {
			if least[column] == "" {
				least[column] = word
			}
		}
		book.Presets[level] = least
	}
	return book, nil
}

func fitOf(dir *directory.Snapshot, zone access.ZoneID, today directory.Date, n names) web.RuleFit {
	f := dir.FitOf(zone, today)
	return web.RuleFit{Zone: string(zone), Name: n.zone(zone), People: f.People, NoCard: f.NoCard, Weak: f.Weak, NoPIN: f.NoPIN}
}

// EditRules implements web.Rules.
func (r *rulePages) EditRules(ctx context.Context, e web.RuleEdit, dry bool, act web.Action) (web.RuleOutcome, error) {
	var next directory.Snapshot
	edit := func(s *directory.Snapshot) error {
		var err error
		if next, err = r.edited(s, e); err == nil {
			*s = next
		}
		return err
	}
	var out directory.Outcome
	var err error
	if dry {
		out, err = r.registry.TryChange(ctx, actorOf(act), edit)
	} else {
		out, err = r.registry.Change(ctx, actorOf(act), act.Reason, edit)
	}
	var wrong directory.Problems
	switch {
	case errors.As(err, &wrong):
		return web.RuleOutcome{Problems: ruleProblems(wrong)}, nil
	case errors.Is(err, directory.ErrNoSuch):
		return web.RuleOutcome{}, fmt.Errorf("%w: %w", web.ErrNotFound, err)
	case err != nil:
		return web.RuleOutcome{}, err
	}
	o := ruleOutcome(out)
	n := namesOf(ctx, &next)
	for _, c := range slices.Concat(out.Applied, out.Waiting) {
		if c.Zone != nil && c.Op != directory.OpRemove {
			o.Fits = append(o.Fits, fitOf(&next, c.Zone.ID, r.registry.Today(), n))
		}
		if c.Schedule != nil && c.Op != directory.OpRemove {
			if o.Days, err = r.acts(&next, c.Schedule, previewDays); err != nil {
				return web.RuleOutcome{}, fmt.Errorf("schedule %s: %w", c.Schedule.ID, err)
			}
		}
	}
	return o, nil
}

func (r *rulePages) edited(s *directory.Snapshot, e web.RuleEdit) (directory.Snapshot, error) {
	kind := directory.Kind(e.Kind)
	if e.Remove == "" {
		next, _, err := directory.ImportForm(*s, kind, e.Rows, r.registry.importConfig(false))
		return next, err
	}
	next := *s
	return next, next.Remove(kind, e.Remove)
}

func ruleProblems(list directory.Problems) (out []web.RuleProblem) {
	for _, p := range list {
		x := web.RuleProblem{File: p.File, Row: p.Line, Column: p.Column, Text: p.Text}
		switch p.File {
		case formFile:
			x.File, x.Row = "", p.Line-2
		case "": // of the directory as a whole, or of the reason
			x.Row = -1
		}
		out = append(out, x)
	}
	return out
}

// formFile is what directory.ImportForm calls itself in problems.
const formFile = "form"

func ruleOutcome(out directory.Outcome) (o web.RuleOutcome) {
	o.Proposal = out.Proposal
	for i, list := range [][]directory.Change{out.Applied, out.Waiting} {
		o.Changes = append(o.Changes, ruleChanges(list, i == 1)...)
	}
	for _, w := range out.Warnings {
		o.Warnings = append(o.Warnings, web.RuleText{Noun: w.Noun, ID: w.ID, Text: w.Text})
	}
	return o
}

func ruleChanges(list []directory.Change, waits bool) (out []web.RuleChange) {
	for i := range list {
		c := &list[i]
		x := web.RuleChange{Op: string(c.Op), Noun: c.Noun(), ID: c.ID(), Waits: waits}
		for _, f := range c.Fields {
			x.Fields = append(x.Fields, web.RuleField(f))
		}
		if c.Op == directory.OpRemove { // what it was
			for _, f := range c.Values() {
				if f.Is != "" {
					x.Fields = append(x.Fields, web.RuleField{Name: f.Name, Was: f.Is})
				}
			}
		}
		out = append(out, x)
	}
	return out
}

// namesOf finds doors and zones of a directory by id, in the reader's language.
func namesOf(ctx context.Context, s *directory.Snapshot) names {
	p := pages{directory: func() directory.Snapshot { return *s }}
	return p.names(ctx)
}
