package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"monban/firmware/calendar"
	"monban/server/incident"
	"monban/server/notify"
	"monban/server/notify/route"
	"monban/server/review"
	"monban/server/store"
	"monban/server/visit"
)

// breachTeller tells, in office hours, of reports of a leak of personal data that are due or late (AL-5): each once of an incident, over restarts.
type breachTeller struct {
	visits *Visits
	alerts *notify.Notifier
}

// tell looks once.
func (p *breachTeller) tell(ctx context.Context) error {
	now := p.visits.now()
	if !p.alerts.Open(now) {
		return nil
	}
	type due struct{ id, which, key string }
	var list []due
	err := p.visits.read(ctx, func(r store.Reader, s *visit.Site) error {
		rows, err := r.OpenMatters(incident.Kind)
		if err != nil {
			return err
		}
		for _, row := range rows {
			x, err := read[incident.Record](r, row)
			if errors.Is(err, store.ErrErased) {
				continue
			}
			if err != nil {
				return err
			}
			d := deadlines(x, s)
			if d == nil {
				continue
			}
			n := due{id: x.ID, which: x.Notice(d, calendar.DateOf(now.In(s.Zone)))}
			n.key = fmt.Sprintf("breach_told.%s.%s", n.id, n.which)
			if n.which == "" {
				continue
			}
			if _, err := r.Setting(n.key); errors.Is(err, store.ErrNotFound) {
				list = append(list, n)
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || len(list) == 0 {
		return err
	}
	return p.visits.store.Write(ctx, func(tx *store.Tx) error {
		for _, n := range list {
			x := &notify.Notice{What: route.WhatBreach, Which: n.which, Severity: review.High, Count: 1, Path: "/incidents/" + n.id, Key: "breach." + n.id + "." + n.which}
			if err := errors.Join(p.alerts.Tell(tx, x), tx.SetSetting(n.key, now.UTC().Format(time.RFC3339))); err != nil {
				return err
			}
		}
		return nil
	})
}
