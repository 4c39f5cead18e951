package webtest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"monban/firmware/access"
	"monban/server/web"
)

// AlertsCase is a source with one alert that waits, one of duress that waits, and one channel.
type AlertsCase struct {
	Source          web.Alerts
	Waiting, Duress string // ids
	Channel         string
	Now             time.Time
	Account         string
}

// CheckAlerts is what every source of alerts does (AL-3, AD-13).
func CheckAlerts(t T, c AlertsCase) {
	ctx := context.Background()
	act := func(kind web.ActionKind, target, reason string) web.Action {
		return web.Action{At: c.Now, Kind: kind, Actor: c.Account, Target: target, Address: "192.0.2.1", Reason: reason}
	}
	all := web.Reach{All: true}
	board := func(names, duress bool) web.AlertBoard {
		t.Helper()
		b, err := c.Source.AlertBoard(ctx, web.AlertQuery{In: all, Names: names, Duress: duress, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	want := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	has := func(b web.AlertBoard, id string) bool {
		return slices.ContainsFunc(b.Alerts, func(a web.AlertLine) bool { return a.ID == id })
	}
	if b := board(true, false); !has(b, c.Waiting) || has(b, c.Duress) {
		t.Errorf("without leave to know of duress the list is not right")
	}
	if b := board(true, true); !has(b, c.Waiting) || !has(b, c.Duress) {
		t.Errorf("with leave to know of duress the list is not right")
	}
	pages := func(in web.Reach, most int) (n int) { // how many wait, counted over pages of one
		t.Helper()
		for ; n < most; n++ {
			b, err := c.Source.AlertBoard(ctx, web.AlertQuery{In: in, Duress: true, Skip: n, Limit: 1})
			if err != nil {
				t.Fatal(err)
			}
			if !b.More {
				return n + 1
			}
		}
		return n
	}
	waiting := 0
	for _, a := range board(true, true).Alerts {
		if a.Acked.IsZero() && a.Held == "" {
			waiting++
		}
	}
	if n := pages(all, waiting+5); n != waiting {
		t.Errorf("%d pages of one for %d that wait", n, waiting)
	}
	nothing := web.Reach{Zones: []access.ZoneID{"nowhere"}}
	if b, err := c.Source.AlertBoard(ctx, web.AlertQuery{In: nothing, Duress: true, Limit: 100}); err != nil || len(b.Alerts) != 0 {
		t.Errorf("of another zone: %d alerts, %v", len(b.Alerts), err)
	}
	want("of another zone", c.Source.AcknowledgeAlert(ctx, c.Waiting, web.AlertQuery{In: nothing, Duress: true}, act(web.ActionAlertAcknowledged, c.Waiting, "")), web.ErrNotFound)
	ack := func(id string, duress bool) error {
		return c.Source.AcknowledgeAlert(ctx, id, web.AlertQuery{In: all, Duress: duress}, act(web.ActionAlertAcknowledged, id, ""))
	}
	want("duress that nobody may know of", ack(c.Duress, false), web.ErrNotFound)
	want("no such alert", ack("999999", true), web.ErrNotFound)
	want("no number", ack("x", true), web.ErrNotFound)
	want("first", ack(c.Waiting, false), nil)
	want("second", ack(c.Waiting, false), web.ErrState)
	want("duress", ack(c.Duress, true), nil)
	i := slices.IndexFunc(board(true, false).Alerts, func(a web.AlertLine) bool { return a.ID == c.Waiting })
	if a := board(true, false).Alerts[i]; !a.Acked.Equal(c.Now.Truncate(time.Millisecond)) && !a.Acked.Equal(c.Now) || a.AckedBy == "" {
		t.Errorf("acknowledged %v by %q", a.Acked, a.AckedBy)
	}

	place := board(true, false).Places[0]
	silence := func(o web.SilenceOrder) error {
		return c.Source.Silence(ctx, o, act(web.ActionAlertsSilenced, place.Value(), "工事のため"))
	}
	want("too long", silence(web.SilenceOrder{Door: place.Door, For: 8*time.Hour + time.Second}), web.ErrNotSilenced)
	want("no time", silence(web.SilenceOrder{Door: place.Door}), web.ErrNotSilenced)
	want("never silenced", silence(web.SilenceOrder{Door: place.Door, Kind: "chain_fork", For: time.Hour}), web.ErrNotSilenced)
	want("no such door", silence(web.SilenceOrder{Door: "nowhere", For: time.Hour}), web.ErrNotFound)
	want("no place", silence(web.SilenceOrder{For: time.Hour}), web.ErrNotFound)
	before := len(board(true, false).Silences)
	want("silenced", silence(web.SilenceOrder{Door: place.Door, Kind: "held_open", For: 8 * time.Hour}), nil)
	b := board(true, false)
	if len(b.Silences) != before+1 {
		t.Fatalf("%d silences, want %d", len(b.Silences), before+1)
	}
	s := b.Silences[0]
	if !s.InForce || s.Kind != "held_open" || s.Door != place.Door || s.Until.Sub(s.From) != 8*time.Hour || s.Reason != "工事のため" || s.By == "" {
		t.Errorf("silence %+v", s)
	}
	if got := board(false, false).Silences[0].Reason; got != "" {
		t.Errorf("without names the reason is %q", got)
	}
	end := func(id string) error {
		return c.Source.EndSilence(ctx, id, act(web.ActionSilenceEnded, id, ""))
	}
	want("no such silence", end("999999"), web.ErrNotFound)
	want("ended", end(s.ID), nil)
	want("ended twice", end(s.ID), web.ErrNotFound)

	if _, err := c.Source.TestChannel(ctx, "nowhere", act(web.ActionAlertTested, "nowhere", "")); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("no such channel: %v", err)
	}
	if fault, err := c.Source.TestChannel(ctx, c.Channel, act(web.ActionAlertTested, c.Channel, "")); fault != "" || err != nil {
		t.Errorf("test message: %q, %v", fault, err)
	}
	for _, p := range board(true, false).Places {
		if p.Name == "" || len(p.Code) != 6 || strings.Contains(p.Code, p.Name) {
			t.Errorf("place %+v", p)
		}
	}
}
