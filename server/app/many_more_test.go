package app

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/firmware/wire"
	"monban/server/datarequest"
	"monban/server/review"
	"monban/server/rollout"
	"monban/server/store"
)

// manyCanaries has a gateway not answer the daily test, its link be down, or the officer's channel not take the message, on twenty days; on five
// nothing is wrong. What came a day late has not come.
func manyCanaries(t *testing.T) { // CanaryMissed
	o, c, box, _ := newCanary(t)
	c.wait = 60 * time.Millisecond
	var mute access.GatewayID // does not answer
	away := false             // and is not linked either
	doors := map[access.DoorID]access.GatewayID{}
	for _, d := range doorsOf(o.c.directory()) {
		doors[d.ID] = d.Gateway
	}
	o.onSend = func(w wire.Command) {
		gw := doors[w.Door]
		if o.fail = nil; gw != mute {
			o.recordsOf(gw, w.Door, 1, hex.EncodeToString(w.ID[:]), wire.Record{Event: door.EventCommandAccepted}, wire.Record{Event: door.EventCommandDone, Reason: access.ReasonUndecided})
		} else if away {
			o.fail = errors.New("not linked")
		}
	}
	fails := func(err error) { box.mu.Lock(); defer box.mu.Unlock(); box.fail = err }
	many(t, o.Site.Store, review.CanaryMissed, func(n int, yes bool, dice *rand.Rand) {
		o.at = time.Date(2026, 11, 24+n, 9, 0, 0, 0, o.Site.Zone)
		mute, away = "", false
		channel := false
		if yes {
			switch k := dice.IntN(3); k {
			case 2:
				channel = true
				fails(errors.New("550 no"))
			default:
				mute, away = []access.GatewayID{"gw-1", "gw-2"}[k], dice.IntN(2) == 0
			}
		}
		ok(c.send(t.Context(), o.at))(t)
		if !channel { // the message is on its way
			o.waitSent(c)
		}
		for range 2 {
			ok(c.check(t.Context(), o.at))(t)
		}
		if fails(nil); mute != "" && !away { // too late
			last := o.sent[len(o.sent)-1]
			for _, w := range o.sent {
				if doors[w.Door] == mute {
					last = w
				}
			}
			o.recordsOf(mute, last.Door, 1, hex.EncodeToString(last.ID[:]), wire.Record{Event: door.EventCommandAccepted}, wire.Record{Event: door.EventCommandDone, Reason: access.ReasonUndecided})
			ok(c.check(t.Context(), o.at))(t)
		}
	})
}

// waitSent waits until the newest canary's message has left.
func (o *orderDesk) waitSent(c *canary) {
	o.t.Helper()
	for limit := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		sent := false
		if err := o.Site.Store.Read(o.t.Context(), func(r *store.ReadTx) error {
			text, err := r.Setting(canarySetting)
			if err != nil {
				return err
			}
			var res canaryResult
			if err := json.Unmarshal([]byte(text), &res); err != nil {
				return err
			}
			d, err := r.DeliveryByKey(res.Key, c.channels[0])
			sent = d.State == store.DeliverySent
			return err
		}); err != nil {
			o.t.Fatal(err)
		}
		if sent {
			return
		}
		if time.Now().After(limit) {
			o.t.Fatal("the canary's message has not left")
		}
	}
}

// manyRollouts begins a release again and again: a gateway goes back to what it ran, refuses, or is silent, at the first or the last of the two; five times
// all is well, or a person stops it, which is no finding.
func manyRollouts(t *testing.T) { // RolloutStopped
	s := newRolloutSite(t)
	many(t, s.store, review.RolloutStopped, func(n int, yes bool, dice *rand.Rand) {
		if err := s.begin(t.Context(), releaseNumber, "", monthly); err != nil {
			t.Fatal(err)
		}
		try := map[string]int{}
		step := func(gw string, w rollout.Word) {
			running := int64(100)
			if w == rollout.Kept {
				running = releaseNumber
			}
			got, _, err := s.said(t.Context(), gw, rollout.Seen{Running: running, Word: w, Number: releaseNumber, Try: try[gw]})
			if err != nil {
				t.Fatal(err)
			}
			if got > 0 {
				try[gw] = got
			}
		}
		order := []string{"gw-2", "gw-1"} // fewest doors first
		bad := -1
		if yes {
			bad = dice.IntN(2)
		}
		person := !yes && dice.IntN(2) == 0
		for i, gw := range order {
			step(gw, rollout.Idle)
			if person {
				if err := s.stop(t.Context(), monthly); err != nil {
					t.Fatal(err)
				}
				break
			}
			if i == bad {
				s.fails(gw, step, dice.IntN(2))
				break
			}
			for range 16 {
				step(gw, rollout.Kept)
				s.clock = s.clock.Add(time.Minute)
			}
		}
		for range 20 { // it is told once, also to a server that starts anew
			s.clock = s.clock.Add(time.Minute)
			for _, gw := range order {
				step(gw, rollout.Idle)
			}
		}
		s.rollouts = s.server(s.dir)
		if want := rollout.Stopped; yes || person {
			if st := s.status(); st.State != want {
				t.Errorf("number %d: %v, want %v", n, st.State, want)
			}
		} else if st := s.status(); st.State != rollout.Done {
			t.Errorf("number %d: %v", n, st.State)
		}
	})
}

// fails has a gateway whose turn it is go back (0) or be silent (1).
func (s *rolloutSite) fails(gw string, step func(string, rollout.Word), how int) {
	s.t.Helper()
	if how == 0 {
		step(gw, rollout.Failed)
		return
	}
	s.silent[gw] = s.clock
	for range 70 { // past rules.Limit
		s.clock = s.clock.Add(time.Minute)
		if err := s.step(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
	}
	delete(s.silent, gw)
}

// manyDataRequests lets twenty requests of people for their own data wait longer than the law's days, some after an extension; five are decided in time.
func manyDataRequests(t *testing.T) { // DataRequestOverdue
	c, d, _ := dataDesk(t)
	ctx := t.Context()
	many(t, c.site.Store, review.DataRequestOverdue, func(n int, yes bool, dice *rand.Rand) {
		id, err := d.BeginDataRequest(ctx, datarequest.Record{Want: datarequest.Disclosure, Text: fmt.Sprint("記録", n)}, section)
		c.must(err)
		c.must(d.do(t, id, datarequest.Taken, chief))
		wait := 31
		if dice.IntN(2) == 0 {
			c.at = c.at.AddDate(0, 0, dice.IntN(30))
			c.must(d.do(t, id, datarequest.Extended, chief))
			wait = 61
		}
		end := []datarequest.Done{datarequest.Refused, datarequest.Granted}[dice.IntN(2)]
		if !yes {
			c.must(d.do(t, id, end, chief))
		}
		for range 3 {
			c.at = c.at.AddDate(0, 0, wait)
			c.must(c.tellLateRequests(ctx))
		}
		if yes {
			c.must(d.do(t, id, end, chief))
		}
	})
}

// manySuccessions restores a backup twenty times, each of another age, onto a log that has gone on; five times the server is only started again.
func manySuccessions(t *testing.T) { // LogSucceeded
	cfg := testSite(t)
	leaves(t, cfg, 3)
	dice := rand.New(rand.NewPCG(3, 3))
	order := slices.Concat(slices.Repeat([]bool{true}, 20), slices.Repeat([]bool{false}, 5))
	dice.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	now := time.Now()
	for n, yes := range order {
		out := filepath.Join(t.TempDir(), "backup")
		ok(Backup(t.Context(), cfg, BackupOptions{Out: out, Now: now}))(t)
		seen := int64(-1)
		withSite(t, cfg, func(s *Site) { shown(t, s.Store, &seen) })
		leaves(t, cfg, 1+dice.IntN(5))
		var want []string
		if yes {
			want = []string{string(review.LogSucceeded)}
			now = now.Add(time.Second) // each log's name holds its second
			got := ok(Restore(t.Context(), cfg, RestoreOptions{Backup: out, Reason: "訓練", By: "kato", Now: now}))(t)
			seen = got.Leaves - 1
		}
		for range 2 {
			withSite(t, cfg, func(s *Site) {
				if diff := gocmp.Diff(want, shown(t, s.Store, &seen)); diff != "" {
					t.Errorf("number %d, restored %v: %s", n, yes, diff)
				}
			})
			want = nil // and not again at the next start
		}
	}
}
