package app

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/gateway/hal"
	"monban/gateway/hal/sim"
	"monban/gateway/outbox"
)

// DS-8: a start says how the process before it ended: stopped in order, or not.
func TestLastEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "outbox.db")
	run := func(events ...door.Event) (before string) {
		o, err := outbox.Open(outbox.Config{Path: path, Gateway: "gw-1", Stamp: func() wire.Stamp { return wire.Stamp{} }})
		if err != nil {
			t.Fatal(err)
		}
		before = lastEnd(o)
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { o.Run(ctx); close(ended) }()
		for _, e := range events {
			done := make(chan outbox.Result, 1)
			o.Append(outbox.Entry{Record: wire.Record{Event: e}, Done: func(r outbox.Result) { done <- r }})
			if r := <-done; r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		stop()
		<-ended
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		return before
	}
	busy := slices.Repeat([]door.Event{door.EventLinkUp, door.EventLinkLost}, 100)
	for i, c := range []struct {
		before string
		events []door.Event
	}{
		{door.BootFirst, nil}, // killed before its first record
		{door.BootFirst, []door.Event{door.EventBoot, door.EventShutdown}},
		{door.BootClean, []door.Event{door.EventBoot, door.EventShutdown, door.EventLinkLost}}, // the link ends after the doors
		{door.BootClean, []door.Event{door.EventPolicyApplied, door.EventBoot}},
		{door.BootUnclean, append([]door.Event{door.EventBoot}, busy...)},
		{door.BootUnclean, append(append([]door.Event{door.EventBoot}, busy...), door.EventShutdown)},
		{door.BootClean, []door.Event{door.EventBoot}},
		{door.BootUnclean, nil},
		{door.BootUnclean, nil},
	} {
		if got := run(c.events...); got != c.before {
			t.Errorf("start %d: the one before ended %q, want %q", i, got, c.before)
		}
	}
}

// DS-8: mains and battery are events once a change; a line that cannot be read is the bad news.
func TestPowerWatch(t *testing.T) {
	h, err := sim.New(sim.Config{Anchor: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	p := h.Power()
	note := func(e door.Event, detail string) { got = append(got, string(e)+" "+detail) }
	var told []wire.Power // OP-1
	w := newPowerWatch(p, note, func(p wire.Power) { told = append(told, p) })
	for _, line := range []string{"", "mains lost", "", "battery low", "mains back", "mains lost", "battery ok", "mains back"} {
		if _, err := h.Do(line); err != nil {
			t.Fatal(err)
		}
		w.look()
	}
	for _, bad := range []string{"mains", "mains off", "battery back"} {
		if _, err := h.Do(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	w.look()
	w.look()
	want := []string{"mains_lost ", "battery_low ", "mains_back ", "mains_lost ", "battery_ok ", "mains_back ", "mains_lost line.unknown", "battery_low line.unknown"}
	if !slices.Equal(got, want) {
		t.Errorf("events %q, want %q", got, want)
	}
	board := []wire.Power{{Mains: "yes", Battery: "ok"}, {Mains: "no", Battery: "ok"}, {Mains: "no", Battery: "low"}, {Mains: "yes", Battery: "low"},
		{Mains: "no", Battery: "low"}, {Mains: "no", Battery: "ok"}, {Mains: "yes", Battery: "ok"}, {Mains: "unknown", Battery: "unknown"}}
	if !slices.Equal(told, board) {
		t.Errorf("told %q, want %q", told, board)
	}
	for _, c := range []struct {
		p    hal.Power
		want []wire.Power
	}{{hal.Power{}, nil}, {hal.Power{Mains: p.Mains}, []wire.Power{{Mains: "unknown", Battery: "none"}}}} {
		told = nil
		w := newPowerWatch(c.p, note, func(p wire.Power) { told = append(told, p) })
		w.look()
		w.look()
		if !slices.Equal(told, c.want) {
			t.Errorf("fitted %+v: told %q, want %q", c.p, told, c.want)
		}
	}
}
