package webtest

import (
	"context"
	"slices"
	"strconv"
	"time"

	"monban/server/review"
	"monban/server/web"
)

// Alerts is a memory of alerts and of who is told.
type Alerts struct {
	Board web.AlertBoard
	Fault string // of the next test message

	m    *Memory
	next int
}

// AlertBoard implements web.Alerts.
func (a *Alerts) AlertBoard(_ context.Context, q web.AlertQuery) (web.AlertBoard, error) {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	b := a.Board
	b.Silences, b.Alerts, b.Places = slices.Clone(b.Silences), slices.Clone(b.Alerts), slices.Clone(b.Places)
	for i := range b.Silences {
		if !q.Names {
			b.Silences[i].Reason = ""
		}
	}
	waits := 0
	b.Alerts = slices.DeleteFunc(b.Alerts, func(x web.AlertLine) bool {
		if !sees(q, &x) {
			return true
		}
		if x.Held != "" || !x.Acked.IsZero() {
			return false
		}
		waits++
		return waits <= q.Skip || waits > q.Skip+q.Limit
	})
	b.More = waits > q.Skip+q.Limit
	return b, nil
}

func sees(q web.AlertQuery, x *web.AlertLine) bool {
	return (q.Duress || x.Kind != string(review.Duress)) && q.In.Place(x.Door, x.Gateway)
}

// AcknowledgeAlert implements web.Alerts.
func (a *Alerts) AcknowledgeAlert(_ context.Context, id string, q web.AlertQuery, act web.Action) error {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	i := slices.IndexFunc(a.Board.Alerts, func(x web.AlertLine) bool { return x.ID == id && sees(q, &x) })
	if i < 0 {
		return web.ErrNotFound
	}
	if !a.Board.Alerts[i].Acked.IsZero() {
		return web.ErrState
	}
	if err := a.m.record(act); err != nil {
		return err
	}
	a.Board.Alerts[i].Acked, a.Board.Alerts[i].AckedBy = act.At, a.m.accounts[act.Actor].FullName
	return nil
}

// Silence implements web.Alerts.
func (a *Alerts) Silence(_ context.Context, o web.SilenceOrder, act web.Action) error {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	i := slices.IndexFunc(a.Board.Places, func(p web.AlertPlace) bool { return p.Door == o.Door && p.Gateway == o.Gateway })
	if i < 0 {
		return web.ErrNotFound
	}
	if o.Kind == string(review.ChainFork) || o.Kind == string(review.Duress) || o.For > 8*time.Hour || o.For <= 0 {
		return web.ErrNotSilenced
	}
	if err := a.m.record(act); err != nil {
		return err
	}
	a.next++
	a.Board.Silences = append([]web.SilenceLine{{ID: strconv.Itoa(12_000 + a.next), Kind: o.Kind, Place: a.Board.Places[i].Name, Door: o.Door, Gateway: o.Gateway, From: act.At, Until: act.At.Add(o.For),
		By: a.m.accounts[act.Actor].FullName, Reason: act.Reason, InForce: true}}, a.Board.Silences...)
	return nil
}

// EndSilence implements web.Alerts.
func (a *Alerts) EndSilence(_ context.Context, id string, act web.Action) error {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	i := slices.IndexFunc(a.Board.Silences, func(s web.SilenceLine) bool { return s.ID == id && s.InForce })
	if i < 0 {
		return web.ErrNotFound
	}
	if err := a.m.record(act); err != nil {
		return err
	}
	a.Board.Silences[i].InForce, a.Board.Silences[i].Until = false, act.At
	return nil
}

// TestChannel implements web.Alerts.
func (a *Alerts) TestChannel(_ context.Context, channel string, act web.Action) (string, error) {
	a.m.mu.Lock()
	defer a.m.mu.Unlock()
	i := slices.IndexFunc(a.Board.Channels, func(c web.ChannelLine) bool { return c.Name == channel })
	if i < 0 {
		return "", web.ErrNotFound
	}
	if err := a.m.record(act); err != nil {
		return "", err
	}
	if a.Fault != "" {
		return a.Fault, nil
	}
	a.Board.Channels[i].Sent = act.At
	return "", nil
}

// sampleAlerts is a day of alerts.
func sampleAlerts(now time.Time) web.AlertBoard {
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	return web.AlertBoard{
		OfficeOpen: false, NextOpen: now.Add(14 * time.Hour), Hours: "08:30–17:15", DigestAt: "08:30", Every: []string{"siem"}, Digest: []string{"poc"},
		Channels: []web.ChannelLine{
			{Name: "poc", Kind: "mail", Sent: ago(time.Hour)},
			{Name: "duty", Kind: "mail", Duress: true, Sent: ago(26 * time.Hour), Failed: ago(3 * time.Minute), Error: "mail: dial failed: connection refused", Waiting: 2, GivenUp: 1},
			{Name: "siem", Kind: "syslog"},
		},
		Routes: []web.RouteLine{
			{Name: "media", Severity: web.SeverityMedium, Kinds: []string{"held_open", "forced_open"}, Zones: []string{"媒体保管庫"}, Hours: []string{"poc"}, OffHours: []string{"duty"}, Then: []string{"officer"}},
			{Hours: []string{"poc"}, OffHours: []string{"duty"}, Then: []string{"officer", "ciso"}},
		},
		Silences: []web.SilenceLine{
			{ID: "11990", Place: "サーバ室 入口", Door: "server-room-1", From: ago(time.Hour), Until: now.Add(time.Hour), By: "渡邉 三郎", Reason: "空調工事のため", InForce: true},
			{ID: "11800", Kind: "mains_lost", Place: "gw-2", Gateway: "gw-2", From: ago(30 * time.Hour), Until: ago(28 * time.Hour), By: "髙橋 一郎", Reason: "受電設備の点検"},
		},
		Alerts: []web.AlertLine{
			{ID: "10101", Kind: "forced_open", Severity: web.SeverityHigh, Place: "サーバ室 入口", Door: "server-room-1", Count: 1, At: ago(12 * time.Minute), Level: 1, Messages: []web.AlertMessage{
				{Channel: "duty", What: "alert", State: "waiting", At: ago(3 * time.Minute), Error: "mail: dial failed: connection refused"}, {Channel: "officer", What: "escalation", State: "sent", At: ago(2 * time.Minute)}}},
			{ID: "10090", Kind: "duress", Severity: web.SeverityHigh, Place: "サーバ室 入口", Door: "server-room-1", Count: 1, At: ago(50 * time.Minute), Messages: []web.AlertMessage{{Channel: "duty", What: "alert", State: "sent", At: ago(50 * time.Minute)}}},
			{ID: "10050", Kind: "held_open", Severity: web.SeverityMedium, Place: "媒体保管庫", Door: "media-store", Count: 3, At: ago(2 * time.Hour), Held: "hours"},
			{ID: "10001", Kind: "tamper", Severity: web.SeverityHigh, Place: "gw-2", Gateway: "gw-2", Count: 1, At: ago(25 * time.Hour), Acked: ago(24 * time.Hour), AckedBy: "﨑山 花子", Messages: []web.AlertMessage{
				{Channel: "duty", What: "alert", State: "sent", At: ago(25 * time.Hour)}, {Channel: "poc", What: "more", State: "given_up", At: ago(20 * time.Hour), Error: "mail: 550 no such mailbox"}}},
		},
		Places: []web.AlertPlace{
			{Door: "server-room-1", Name: "サーバ室 入口", Code: "D-3F2A"}, {Door: "media-store", Name: "媒体保管庫", Code: "D-91C0"},
			{Gateway: "gw-1", Name: "gw-1", Code: "G-0B77"}, {Gateway: "gw-2", Name: "gw-2", Code: "G-A41E"},
		},
	}
}

// SelfTest implements web.Machines.
func (m *Memory) SelfTest(context.Context) (web.SelfTest, bool, error) {
	return m.Tested, !m.Tested.At.IsZero(), nil
}

// sampleSelfTest is a morning's self-test with one fault.
func sampleSelfTest(now time.Time) web.SelfTest {
	at := now.Add(-5 * time.Hour)
	t := web.SelfTest{At: at, Runs: []web.JobRun{
		{Job: "digest", State: "done", Due: now.Add(-3 * time.Hour), Tries: 1, Missed: 2}, {Job: "self_test", State: "done", Due: at, Tries: 1, Note: "failed: backup"},
		{Job: "upkeep", State: "failed", Due: now.Add(-8 * time.Hour), Tries: 3, Note: "store: database is locked"},
	}}
	for _, item := range []string{"log", "witness", "clock", "disk", "backup", "certificates", "holidays", "folders"} {
		t.Items = append(t.Items, web.SelfTestItem{Item: item, State: "passed"})
	}
	t.Items[1].State = "not_set_up"
	t.Items[4].State, t.Items[4].Note = "failed", "the newest backup is 9 days old: run `monban-server backup`"
	return t
}
