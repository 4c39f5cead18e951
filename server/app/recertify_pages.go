package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/web"
)

// Rounds implements web.Recertifications.
func (r *rulePages) Rounds(ctx context.Context) (book web.RoundBook, err error) {
	dir, err := r.registry.Directory(ctx)
	if err != nil {
		return book, err
	}
	n, people := namesOf(ctx, &dir), map[directory.PersonID]*directory.Person{}
	for i := range dir.People {
		people[dir.People[i].ID] = &dir.People[i]
	}
	for i := range dir.Rounds {
		x := &dir.Rounds[i]
		out := web.RuleRound{ID: string(x.ID), Zone: x.Zone, ZoneName: n.zone(x.Zone), Opened: x.Opened.String(), Due: x.Due.String(), Closed: x.Closed.String()}
		for _, a := range x.Answers {
			y := web.RoundAnswer{Person: string(a.Person), Word: a.Word, Day: a.Day.String()}
			if p := people[a.Person]; p != nil {
				y.Name, y.Section = p.Name, sectionOf(p)
			}
			out.Answers = append(out.Answers, y)
		}
		book.Rounds = append(book.Rounds, out)
	}
	slices.SortStableFunc(book.Rounds, func(a, b web.RuleRound) int { return cmp.Compare(b.Opened, a.Opened) })
	for _, d := range dir.RoundsDue(r.registry.Today()) {
		book.Due = append(book.Due, web.RoundWaiting{Zone: d.Zone, ZoneName: n.zone(d.Zone), Last: d.Last.String(), Due: d.Due.String(), Open: string(d.Open)})
	}
	return book, nil
}

// OpenRound implements web.Recertifications.
func (r *rulePages) OpenRound(ctx context.Context, zone access.ZoneID, due string, act web.Action) error {
	var last directory.Date
	if due != "" {
		var err error
		if last, err = directory.ParseDate(due); err != nil {
			return fmt.Errorf("%w: %w", web.ErrState, err)
		}
	}
	_, err := r.registry.OpenRound(ctx, actorOf(act), act.Reason, zone, last)
	var wrong directory.Problems
	switch {
	case err == nil:
		return nil
	case errors.Is(err, directory.ErrNoSuch):
		return fmt.Errorf("%w: %w", web.ErrNotFound, err)
	case errors.As(err, &wrong):
		return fmt.Errorf("%w: %w", web.ErrBadReason, err)
	case errors.Is(err, directory.ErrRoundOpen):
		return fmt.Errorf("%w: %w", web.ErrState, err)
	}
	return err
}

// AnswerRound implements web.Recertifications.
func (r *rulePages) AnswerRound(ctx context.Context, id string, answers map[string]bool, act web.Action) (web.RuleOutcome, error) {
	return r.outcome(r.registry.Change(ctx, actorOf(act), act.Reason, func(s *directory.Snapshot) error {
		for _, p := range slices.Sorted(maps.Keys(answers)) {
			if err := s.AnswerRound(directory.RoundID(id), directory.PersonID(p), answers[p], r.registry.Today()); err != nil {
				return err
			}
		}
		return nil
	}))
}

// outcome gives what became of a change in the pages' words.
func (r *rulePages) outcome(out directory.Outcome, err error) (web.RuleOutcome, error) {
	var wrong directory.Problems
	switch {
	case errors.As(err, &wrong):
		return web.RuleOutcome{Problems: ruleProblems(wrong)}, nil
	case errors.Is(err, directory.ErrNoSuch):
		return web.RuleOutcome{}, fmt.Errorf("%w: %w", web.ErrNotFound, err)
	case err != nil:
		return web.RuleOutcome{}, err
	}
	return ruleOutcome(out), nil
}

// Renewals implements web.Recertifications.
func (r *rulePages) Renewals(ctx context.Context) (book web.RenewalBook, err error) {
	dir, err := r.registry.Directory(ctx)
	if err != nil {
		return book, err
	}
	today, n := r.registry.Today(), namesOf(ctx, &dir)
	people, groups, schedules := map[directory.PersonID]string{}, map[directory.GroupID]string{}, map[directory.ScheduleID]string{}
	for i := range dir.People {
		people[dir.People[i].ID] = dir.People[i].Name
	}
	for i := range dir.Groups {
		groups[dir.Groups[i].ID] = dir.Groups[i].Name
	}
	for _, row := range ruleRows(ctx, &dir, directory.KindSchedules) {
		schedules[directory.ScheduleID(row.ID)] = row.Name
	}
	book.Open, book.Until = directory.RenewalsOpen(today), today.FiscalYearEnd().String()
	for _, x := range dir.Renewals(today) {
		if !book.Open {
			break
		}
		g := web.RenewalGrant{ID: string(x.Grant.ID), Holder: people[x.Grant.Person], People: len(x.People), Zone: n.zone(x.Grant.Zone), ZoneID: x.Grant.Zone,
			Schedule: schedules[x.Grant.Schedule], Ends: x.Grant.ValidUntil.String(), From: x.From.String(), To: x.Until.String()}
		if x.Grant.Group != "" {
			g.Holder = groups[x.Grant.Group]
		}
		book.Grants = append(book.Grants, g)
	}
	for _, x := range dir.RolloverGaps(today) {
		g := web.RenewalGap{Zone: x.Zone, Name: n.zone(x.Zone), Day: x.Day.String()}
		for _, p := range x.People {
			g.People = append(g.People, people[p])
		}
		book.Gaps = append(book.Gaps, g)
	}
	return book, nil
}

// Renew implements web.Recertifications.
func (r *rulePages) Renew(ctx context.Context, ids []string, act web.Action) (web.RuleOutcome, error) {
	var grants []directory.GrantID
	for _, id := range ids {
		grants = append(grants, directory.GrantID(id))
	}
	return r.outcome(r.registry.Renew(ctx, actorOf(act), act.Reason, grants))
}
