package app

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"monban/firmware/access"
	"monban/server/attempt"
	"monban/server/casework"
	"monban/server/directory"
	"monban/server/notify"
	"monban/server/notify/route"
	"monban/server/review"
	"monban/server/store"
)

const (
	// risenSetting holds the leaf of the newest act of which it was told that a finding went up.
	risenSetting = "risen_told"
	// mostRisen is how many are told of at once; the rest follows a minute later.
	mostRisen = 500
)

// risenTeller tells zone manager and CISO office of what has gone up to them, each act once, over restarts, in office hours: findings go up when the office
// closes, and that wakes nobody (VR-3, AL-2).
type risenTeller struct {
	store     *store.Store
	alerts    *notify.Notifier
	directory func() *directory.Snapshot
	now       func() time.Time
}

// tell looks once.
func (p *risenTeller) tell(ctx context.Context) error {
	if !p.alerts.Open(p.now()) {
		return nil
	}
	read := func(r store.Reader) (list []store.Rise, err error) {
		cursor := int64(-1) // a site that is updated tells once of what has gone up and is still open
		text, err := r.Setting(risenSetting)
		if err == nil {
			cursor, err = strconv.ParseInt(text, 10, 64)
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		return r.RisesAfter(cursor, string(casework.ToZoneManager), string(casework.ToCISOOffice), mostRisen)
	}
	var list []store.Rise
	err := p.store.Read(ctx, func(r *store.ReadTx) (err error) {
		list, err = read(r.Reader)
		return err
	})
	if err != nil || len(list) == 0 {
		return err
	}
	return p.store.Write(ctx, func(tx *store.Tx) error {
		list, err := read(tx.Reader)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, x := range p.notices(tx.Reader, list) {
			if err := p.alerts.Tell(tx, x); err != nil {
				return fmt.Errorf("tell what has gone up: %w", err)
			}
		}
		return tx.SetSetting(risenSetting, strconv.FormatInt(list[len(list)-1].Idx, 10))
	})
}

// notices puts together what goes to one desk. Of what is closed again nobody is told.
func (p *risenTeller) notices(r store.Reader, list []store.Rise) (out []*notify.Notice) {
	dir := p.directory()
	type desk struct{ kind, zone string }
	desks := map[desk]*notify.Notice{}
	for i := range list {
		x := &list[i]
		if x.Finding.Status == attempt.StatusClosed {
			continue
		}
		d := desk{x.Kind, ""}
		n := notify.Notice{What: route.WhatRisen, Kind: review.ItemsOverdue}
		if x.Kind == string(casework.ToZoneManager) {
			d.zone = zoneOfFinding(r, dir, &x.Finding)
			n = notify.Notice{What: route.WhatOverdue, Zone: d.zone}
		}
		if desks[d] == nil {
			n.Severity, n.Path = review.Medium, "/findings"
			desks[d] = &n
			out = append(out, &n)
		}
		desks[d].Count++
		desks[d].Key = fmt.Sprintf("%s.%d", desks[d].What, x.Idx) // of the newest: an act is in one notice
		if s, _ := review.ParseSeverity(x.Finding.Severity); s > desks[d].Severity {
			desks[d].Severity = s
		}
	}
	return out
}

// zoneOfFinding is where a finding lies: its door's zone, else that of a door of its gateway, else the first of those of what it is about; "" = of no place.
func zoneOfFinding(r store.Reader, dir *directory.Snapshot, f *attempt.Finding) string {
	for i := range dir.Doors {
		if d := &dir.Doors[i]; f.Door != "" && d.ID == access.DoorID(f.Door) || f.Door == "" && f.Gateway != "" && d.Gateway == access.GatewayID(f.Gateway) {
			return string(d.Enter)
		}
	}
	if list, err := r.FindingZones(f); err == nil && len(list) > 0 {
		return list[0]
	}
	return "" // the root route's
}
