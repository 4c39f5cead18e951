package webtest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"monban/firmware/calendar"
	"monban/server/incident"
	"monban/server/visit"
	"monban/server/web"
)

// Incidents keeps incidents in memory; one is there from the beginning, about a leak.
type Incidents struct {
	m    *Memory
	mu   sync.Mutex
	list []incident.Record // mu
}

func newIncidents(m *Memory) *Incidents {
	now := jst().UnixMilli()
	x, _ := incident.Begin(incident.Record{Class: incident.Leak, Title: "媒体の所在不明", KnownMS: now - 3_600_000, Personal: true, Findings: []int64{10402}}, visit.Actor{Account: "CSIRT0"}, now)
	x.ID = "incident-2026-00001"
	_ = x.Write(now-7_200_000, "渡邉さんが棚の空きに気付いた", visit.Actor{Account: "CSIRT0"}, now)
	return &Incidents{m: m, list: []incident.Record{x}}
}

func (i *Incidents) detail(x *incident.Record) web.IncidentDetail {
	d := web.IncidentDetail{Record: *x, Names: map[string]string{"CSIRT0": Hokke.Name}}
	for _, f := range i.m.Items {
		for _, idx := range x.Findings {
			if f.Leaf == uint64(idx) {
				d.Found = append(d.Found, f)
			}
		}
	}
	if x.Personal {
		c := calendar.NewCalendar()
		due := incident.Breach{Known: calendar.DateOf(time.UnixMilli(x.KnownMS).In(jst().Location())), Attack: x.ByAttack}.Clock(&c)
		d.Due = &due
	}
	return d
}

// ListIncidents implements web.Incidents.
func (i *Incidents) ListIncidents(_ context.Context, all bool) (out []web.IncidentDetail, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for n := range i.list {
		if x := &i.list[n]; all || !x.Closed.Done() {
			out = append(out, i.detail(x))
		}
	}
	return out, nil
}

func (i *Incidents) find(id string) *incident.Record {
	for n := range i.list {
		if i.list[n].ID == id {
			return &i.list[n]
		}
	}
	return nil
}

// IncidentByID implements web.Incidents.
func (i *Incidents) IncidentByID(_ context.Context, id string, _, _ bool) (web.IncidentDetail, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	x := i.find(id)
	if x == nil {
		return web.IncidentDetail{}, web.ErrNotFound
	}
	return i.detail(x), nil
}

// BeginIncident implements web.Incidents.
func (i *Incidents) BeginIncident(_ context.Context, x incident.Record, by visit.Actor) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, idx := range x.Findings {
		known := false
		for _, f := range i.m.Items {
			known = known || f.Leaf == uint64(idx)
		}
		if !known {
			return "", web.ErrNotFound
		}
	}
	x, err := incident.Begin(x, by, jst().UnixMilli())
	if err != nil {
		return "", err
	}
	x.ID = fmt.Sprintf("incident-2026-%05d", len(i.list)+1)
	i.list = append(i.list, x)
	return x.ID, nil
}

// StepIncident implements web.Incidents.
func (i *Incidents) StepIncident(_ context.Context, id, _, _ string, _ visit.Actor, move func(x *incident.Record, nowMS int64) error) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	x := i.find(id)
	if x == nil {
		return web.ErrNotFound
	}
	moved := *x
	if err := move(&moved, jst().UnixMilli()); err != nil {
		return err
	}
	*x = moved
	return nil
}

// IncidentBundle implements web.Incidents.
func (i *Incidents) IncidentBundle(ctx context.Context, id string, names bool, use string, act web.Action) (out web.IncidentBundle, err error) {
	if out.IncidentDetail, err = i.IncidentByID(ctx, id, names, true); err != nil {
		return out, err
	}
	if names && (use == "" || act.Reason == "") {
		return out, web.FormFault{{Field: "use", Word: "required"}}
	}
	out.Checkpoint, out.Size, out.At = "example.jp/log\n10431\nAAAA\n", 10431, act.At
	out.Leaves = []web.ProvedLeaf{{Index: 10402, Body: []byte(`{"kind":"finding"}`), Proof: [][]byte{make([]byte, 32)}}}
	if out.Mask = strings.NewReplacer("渡邉", "●●").Replace; names {
		out.Mask, out.People = nil, []web.BundlePerson{{Finding: "f-2", Name: Yoshida.Name}}
	}
	return out, i.m.RecordAction(ctx, act)
}
