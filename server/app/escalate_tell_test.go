package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/firmware/calendar"
	"monban/firmware/door"
	"monban/server/attempt"
	"monban/server/directory"
	"monban/server/incident"
	"monban/server/notify"
	"monban/server/notify/route"
	"monban/server/review"
	"monban/server/store"
)

type deaf struct{}

func (deaf) Send(context.Context, string, *notify.Message) error { return nil }

// newNotices is a notifier that only queues: the server room's route, the CISO office's, and the rest.
func newNotices(c *counter) *notify.Notifier {
	named := func(name string) notify.Named { return notify.Named{Name: name, Kind: "mail", Channel: deaf{}} }
	return notify.New(notify.Config{
		Store: c.site.Store, Site: "test-city", Link: "https://monban.example", CodeKey: [32]byte{1}, Now: func() time.Time { return c.at }, Log: quiet,
		Tree: route.Tree{Root: route.Route{Hours: []string{"poc"}, OffHours: []string{"duty"}}, Routes: []route.Route{
			{Name: "ciso", Kinds: []review.Kind{review.ItemsOverdue}, Hours: []string{"ciso"}}, {Name: "room", Zones: []string{"server-room"}, Hours: []string{"room"}},
		}, Limits: route.Defaults, Hours: calendar.Hours{Open: 8*3600 + 1800, Close: 17*3600 + 900}, Zone: c.site.Zone},
		Closed: func() calendar.Calendar { return closedOf(c.pub.Site().Directory()) }, ZoneOf: func(string) string { return "" },
		Channels: []notify.Named{named("poc"), named("duty"), named("ciso"), named("room")},
	})
}

// queued takes what waits for the channels out of their queues.
func (c *counter) queued() (out []string) {
	c.t.Helper()
	for _, name := range []string{"poc", "duty", "ciso", "room"} {
		for {
			var d store.Delivery
			err := c.site.Store.Write(c.t.Context(), func(tx *store.Tx) (err error) {
				if d, err = tx.NextDelivery(name, c.at); err != nil {
					return err
				}
				d.State, d.Last = store.DeliverySent, c.at
				return tx.MoveDelivery(d)
			})
			if errors.Is(err, store.ErrNotFound) {
				break
			}
			c.must(err)
			var m notify.Message
			c.must(json.Unmarshal([]byte(d.Body), &m))
			out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %d %s", name, m.What, m.Count, m.Which)))
			for _, word := range []string{"server-room", "サーバ", "1001", "corridor"} { // AL-4, PR-6
				if strings.Contains(d.Body+d.Key, word) {
					c.t.Errorf("%s leaves the house: %s %s", word, d.Key, d.Body)
				}
			}
		}
	}
	return out
}

// VR-3, AL-2: both steps by which a finding goes up are told, each once and when the office is open, over restarts: the first by the route of the zone where
// it lies, the second by the CISO office's. Nobody is told of what is closed by then.
func TestRisenIsTold(t *testing.T) {
	c := newCounter(t)
	var shut int64
	c.must(c.site.Store.Write(t.Context(), func(tx *store.Tx) error {
		for _, f := range []attempt.Finding{
			{Kind: string(review.ForcedOpen), Severity: "high", Gateway: "gw-1", Door: "server-room-1"}, {Kind: string(review.Tamper), Severity: "high", Gateway: "gw-1", Door: "server-room-1"},
			{Kind: string(review.LogDoubt), Severity: "high"}, {Kind: string(review.Tamper), Severity: "high", Gateway: "gw-1", Door: "server-room-1"},
		} {
			f.AtMS = c.ms(20, 14, 0)
			idx, err := tx.AppendFinding(f, nil)
			if shut = idx; err != nil {
				return err
			}
		}
		return nil
	}))
	pass := func(day, hour, minute int, want ...string) {
		t.Helper()
		c.clock(day, hour, minute)
		for range 2 { // two processes
			p := &risenTeller{c.site.Store, newNotices(c), func() *directory.Snapshot { return c.pub.Site().Directory() }, func() time.Time { return c.at }}
			c.must(c.escalate(t.Context()))
			c.must(p.tell(t.Context()))
		}
		if got := c.queued(); !slices.Equal(got, want) {
			t.Errorf("%d %02d:%02d: told %q, want %q", day, hour, minute, got, want)
		}
	}
	pass(24, 17, 14)
	pass(24, 17, 15) // they go up when the office closes
	c.must(c.site.Store.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.AppendFindingAct(store.FindingAct{Finding: shut, Kind: "finding_mistake", Account: "a", AtMS: c.ms(24, 20, 0), Text: "x"}, "lan", "")
		return err
	}))
	pass(25, 8, 29)
	pass(25, 8, 30, "poc overdue 1", "room overdue 2")
	pass(26, 17, 15)
	pass(27, 9, 0, "ciso risen 3")
	pass(27, 9, 1)
}

// VR-3: what has gone up to the CISO office, and what says so, is in its list, open or closed again; nothing else is.
func TestRisenList(t *testing.T) {
	c := newCounter(t)
	var up int64
	c.must(c.site.Store.Write(t.Context(), func(tx *store.Tx) (err error) {
		for _, kind := range []review.Kind{review.Duress, review.Tamper, review.ForcedOpen} {
			if up, err = tx.AppendFinding(attempt.Finding{Kind: string(kind), Severity: "high", Gateway: "gw-1", Door: "server-room-1", AtMS: c.ms(27, 14, 0)}, nil); err != nil {
				return err
			}
		}
		if _, err := tx.AppendFinding(attempt.Finding{Kind: string(review.ItemsOverdue), Severity: "medium", AtMS: c.ms(27, 14, 0)}, nil); err != nil {
			return err
		}
		for _, kind := range []string{"finding_to_manager", "finding_to_ciso", "finding_mistake"} {
			if _, err := tx.AppendFindingAct(store.FindingAct{Finding: up, Kind: kind, AtMS: c.ms(27, 15, 0), Text: "x"}, "job", ""); err != nil {
				return err
			}
		}
		return nil
	}))
	for _, x := range []struct {
		in, risen *store.Within
		closed    bool
		want      string
	}{
		{&store.Within{}, nil, false, "items_overdue"}, {&store.Within{}, nil, true, "items_overdue forced_open"}, {&store.Within{}, &store.Within{}, true, ""},
		{&store.Within{}, &store.Within{Doors: []string{"server-room-1"}}, true, "forced_open"}, {nil, nil, false, "tamper items_overdue"},
	} {
		c.must(c.site.Store.Read(t.Context(), func(r *store.ReadTx) error {
			list, total, err := r.FindingsWithRisen(x.in, x.risen, x.closed, false, 0, 10)
			var got []string
			for _, f := range list {
				got = append(got, f.Kind)
			}
			if strings.Join(got, " ") != x.want || total != len(got) {
				t.Errorf("%+v: %q of %d", x, got, total)
			}
			return err
		}))
	}
}

// AL-5, AL-4: of a leak of personal data it is told that a report is due, and that it is late, each once and while the office is open, over restarts; not of
// one that is reported, of an incident without personal data, nor before its day. Known on the 24th: day 3 is the 26th, day 5 a Saturday and so the 30th,
// day 30 the 23rd of December.
func TestBreachIsTold(t *testing.T) {
	c := newCounter(t)
	in := &incidents{c.registers(), c.Visits}
	c.clock(24, 9, 0)
	begin := func(personal bool) string {
		id, err := in.BeginIncident(t.Context(), incident.Record{Class: incident.Leak, Title: "媒体の紛失", KnownMS: c.at.UnixMilli() - 60_000, Personal: personal}, chief)
		c.must(err)
		return id
	}
	late, timely := begin(true), begin(true)
	begin(false)
	report := func(id, verb string, f func(*incident.Record, int64) error) {
		t.Helper()
		c.must(in.StepIncident(t.Context(), id, verb, "", chief, f))
	}
	preliminary := func(x *incident.Record, nowMS int64) error { return x.Report(false, "x", chief, nowMS) }
	report(timely, "incident_reported", preliminary)
	report(timely, "incident_finished", func(x *incident.Record, nowMS int64) error { return x.Report(true, "x", chief, nowMS) })
	pass := func(day, hour, minute int, want ...string) {
		t.Helper()
		c.clock(day, hour, minute)
		for range 2 {
			c.must((&breachTeller{c.Visits, newNotices(c)}).tell(t.Context()))
		}
		if got := c.queued(); !slices.Equal(got, want) {
			t.Errorf("%d %02d:%02d: told %q, want %q", day, hour, minute, got, want)
		}
	}
	const december = 30
	pass(25, 9, 0)
	pass(26, 8, 29)
	pass(26, 8, 30, "poc breach 1 preliminary_due")
	pass(30, 17, 14)
	pass(december+1, 8, 29)
	pass(december+1, 8, 30, "poc breach 1 preliminary_late")
	report(late, "incident_reported", preliminary)
	pass(december+17, 9, 0)
	pass(december+18, 9, 0, "poc breach 1 final_due")
	pass(december+23, 9, 0)
	pass(december+24, 9, 0, "poc breach 1 final_late")
	pass(december+25, 9, 0)
}

// RR-6, AL-4: at closing time the zone's desk is told how many are still inside, once a day, also when the run is made again; nobody is told when nobody is, of
// whoever has left or whose word of it is confirmed, or hours later. Somebody in an inner zone counts there and not in the zone around it. What goes out says
// neither who nor where.
func TestInsideAtClosing(t *testing.T) {
	c := newCounter(t)
	pages := c.registers()
	pass := func(day, hour, minute int, want ...string) {
		t.Helper()
		due := c.clock(day, 17, 15)
		c.clock(day, hour, minute)
		for range 2 {
			_, err := (&insideTeller{pages, newNotices(c)}).tell(t.Context(), due)
			c.must(err)
		}
		if got := c.queued(); !slices.Equal(got, want) {
			t.Errorf("%d %02d:%02d: told %q, want %q", day, hour, minute, got, want)
		}
	}
	pass(24, 17, 15)
	c.clock(25, 10, 0)
	c.pass(c.site.Ref(4568), store1, door.EventEntry) // no exit is read there
	pass(25, 17, 15)
	c.clock(26, 10, 0)
	c.pass(c.site.Ref(4568), "server-room-1", door.EventEntry)
	pass(26, 20, 16)
	pass(26, 17, 15, "room inside 1")
	c.clock(27, 10, 0)
	c.pass(c.site.Ref(4568), "server-room-1", door.EventExit)
	pass(27, 17, 15)
	c.clock(30, 10, 0)
	c.pass(c.site.Ref(4568), "server-room-1", door.EventEntry)
	c.pass(c.site.Ref(4567), "server-room-1", door.EventEntry)
	pass(30, 17, 15, "room inside 2")
	c.clock(31, 9, 0)
	stated, err := c.StateExit(t.Context(), c.entryOf("1001"), c.at.Add(-15*time.Hour), chief)
	c.must(err)
	pass(31, 17, 15, "room inside 2")
	_, err = c.ConfirmExit(t.Context(), stated.ID, section)
	c.must(err)
	pass(32, 17, 15, "room inside 1")
}
