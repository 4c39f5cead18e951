package app

import (
	"errors"
	"fmt"
	"testing"

	"monban/firmware/calendar"
	"monban/firmware/door"
	"monban/server/datarequest"
	"monban/server/review"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

// dataDesk is a site with an entry of person 1002, whose account is section's.
func dataDesk(t *testing.T) (c *counter, d *dataRequests, entry string) {
	t.Helper()
	c = newCounter(t)
	c.pass(c.site.Ref(4568), store1, door.EventEntry)
	entry = fmt.Sprintf("%032x", 0)
	entry = entry[:6] + fmt.Sprintf("%02x", c.n) + entry[8:]
	c.clock(24, 11, 0)
	return c, &dataRequests{c.Visits, &Retainer{store: c.site.Store, keys: c.site.Store.Keys(), zone: c.site.Zone, now: c.Visits.now}}, entry
}

func (d *dataRequests) do(t *testing.T, id string, done datarequest.Done, by visit.Actor) error {
	t.Helper()
	return d.StepDataRequest(t.Context(), id, done, "", by, func(x *datarequest.Record, f datarequest.Facts, nowMS int64, today calendar.Date) error {
		switch done {
		case datarequest.Taken:
			return x.Take(by, nowMS)
		case datarequest.Extended:
			return x.Extend("量が多い", by, nowMS, today)
		case datarequest.Carried:
			return x.Carry(f, "", "通知した", by, nowMS)
		}
		return x.Decide(done, "理由", by, nowMS)
	})
}

// PR-3, PR-2, ADR 0072: a request and the suspension and erasure that follow from it are one transaction each; the entry is the person's own; who suspended it does not
// erase it; no leaf names anybody; another person's entry is refused, and nothing half-done stays.
func TestDataRequestInLog(t *testing.T) {
	c, d, entry := dataDesk(t)
	ctx := t.Context()
	x := datarequest.Record{Want: datarequest.Stop, Text: "﨑山の入室を消してほしい", Entry: entry}
	if _, err := d.BeginDataRequest(ctx, x, clerk); !errors.Is(err, datarequest.ErrEntry) {
		t.Errorf("of another's entry: %v", err)
	}
	id, err := d.BeginDataRequest(ctx, x, section)
	c.must(err)
	if own, err := d.OwnDataRequests(ctx, section); err != nil || len(own) != 1 || own[0].ID != id {
		t.Fatalf("own: %+v %v", own, err)
	}
	if own, err := d.OwnDataRequests(ctx, clerk); err != nil || len(own) != 0 {
		t.Errorf("another's: %+v %v", own, err)
	}
	c.must(d.do(t, id, datarequest.Taken, chief))
	if err := d.SuspendEntry(ctx, id, 1, entry, "本人の請求", chief); !errors.Is(err, datarequest.ErrState) {
		t.Errorf("from an older page: %v", err)
	}
	size := c.site.Store.Size()
	if err := d.SuspendEntry(ctx, id, 2, fmt.Sprintf("%032x", 77), "本人の請求", chief); !errors.Is(err, datarequest.ErrEntry) || c.site.Store.Size() != size {
		t.Errorf("no such entry: %v, %d leaves more", err, c.site.Store.Size()-size)
	}
	c.must(d.SuspendEntry(ctx, id, 2, entry, "本人の請求", chief))
	got, err := d.DataRequestByID(ctx, id)
	c.must(err)
	if got.Entry == nil || got.Entry.Readable || len(got.Held) != 1 || got.Held[0].State != store.RequestRestricted || got.Waits != 1 || got.Who != "﨑山 直子" {
		t.Fatalf("%+v %+v", got, got.Entry)
	}
	c.must(d.do(t, id, datarequest.Granted, chief))
	held := got.Held[0].ID
	if err := d.SettleEntry(ctx, id, 4, held, true, "認める", chief); !errors.Is(err, web.ErrSamePerson) {
		t.Errorf("erased by who suspended it: %v", err)
	}
	if err := d.SettleEntry(ctx, id, 4, held, true, "認める", section); !errors.Is(err, datarequest.ErrOwn) {
		t.Errorf("erased by the person: %v", err)
	}
	c.must(d.SettleEntry(ctx, id, 4, held, true, "認める", watchman))
	if err := d.SettleEntry(ctx, id, 4, held, false, "x", watchman); !errors.Is(err, datarequest.ErrState) {
		t.Errorf("settled from an older page: %v", err)
	}
	c.must(d.do(t, id, datarequest.Carried, chief))
	got, err = d.DataRequestByID(ctx, id)
	c.must(err)
	if got.Held[0].State != store.RequestErased || got.State() != datarequest.StateDone {
		t.Errorf("%+v", got)
	}
	key, _ := attemptKey(entry)
	c.must(c.site.Store.Read(ctx, func(r *store.ReadTx) error {
		row, err := r.AttemptRow(key)
		if err != nil {
			return err
		}
		if by, err := r.AttemptErased(row.First); err != nil || by != id {
			t.Errorf("erased by %q, want the request: %v", by, err)
		}
		return nil
	}))
	if list, err := d.ListDataRequests(ctx, false); err != nil || len(list) != 0 {
		t.Errorf("open: %+v %v", list, err)
	}
	if list, err := d.ListDataRequests(ctx, true); err != nil || len(list) != 1 {
		t.Errorf("all: %+v %v", list, err)
	}
	c.noNames("﨑山", "本人の請求")
}

// PR-3, VR-12: a correction is carried out when it stands beside the entry, not before.
func TestDataRequestCorrection(t *testing.T) {
	c, d, entry := dataDesk(t)
	ctx := t.Context()
	id, err := d.BeginDataRequest(ctx, datarequest.Record{Want: datarequest.Correction, Text: "目的が違う", Entry: entry}, section)
	c.must(err)
	c.must(errors.Join(d.do(t, id, datarequest.Taken, chief), d.do(t, id, datarequest.Granted, chief)))
	if err := d.do(t, id, datarequest.Carried, chief); !errors.Is(err, datarequest.ErrNotYet) {
		t.Errorf("carried before it was appended: %v", err)
	}
	c.must(c.CorrectRow(ctx, archive, entry, visit.Right{Purpose: "電池の交換"}, "本人の請求", chief))
	got, err := d.DataRequestByID(ctx, id)
	c.must(err)
	if got.Entry == nil || !got.Entry.Readable || got.Entry.Day != "2026-11-24" || len(got.Entry.Appended) != 1 || got.Entry.Appended[0].Purpose != "電池の交換" {
		t.Fatalf("%+v", got.Entry)
	}
	c.must(d.do(t, id, datarequest.Carried, chief))
}

// PR-3: a request past the law's day is a finding once, and once more when an extension is over; a decided one is none.
func TestLateDataRequestIsTold(t *testing.T) {
	c, d, _ := dataDesk(t)
	ctx := t.Context()
	late, err := d.BeginDataRequest(ctx, datarequest.Record{Want: datarequest.Disclosure, Text: "記録"}, section)
	c.must(err)
	done, err := d.BeginDataRequest(ctx, datarequest.Record{Want: datarequest.Disclosure, Text: "記録"}, section)
	c.must(err)
	for _, id := range []string{late, done} {
		c.must(d.do(t, id, datarequest.Taken, chief))
	}
	c.must(d.do(t, done, datarequest.Refused, chief))
	count := func(want int) {
		t.Helper()
		for range 2 {
			c.must(c.tellLateRequests(ctx))
		}
		n := countFindings(t, c.site.Store, review.DataRequestOverdue)
		if n != want {
			t.Errorf("%v: %d findings, want %d", c.at, n, want)
		}
	}
	c.clock(24+30, 23, 0) // the thirtieth day
	count(0)
	c.must(d.do(t, late, datarequest.Extended, chief))
	c.clock(24+31, 1, 0)
	count(0)
	c.clock(24+61, 1, 0)
	count(1)
	c.must(c.site.Store.Read(ctx, func(r *store.ReadTx) error {
		list, err := r.FindingsAfter(-1, 100)
		for _, f := range list {
			if f.Kind == string(review.DataRequestOverdue) && f.Detail != "extended" {
				t.Errorf("the finding of an extended request says %q", f.Detail)
			}
		}
		return err
	}))
}

// PR-3, RA-2, ADR 0102: the command line has the page's rules: nobody suspends or decides about an entry of their own, and what was suspended for a request on the page is
// decided there, where nothing is erased before the request is granted.
func TestTerminalHasTheRulesOfRequests(t *testing.T) {
	c, d, entry := dataDesk(t)
	ctx := t.Context()
	at := func(by visit.Actor) Operator { return Operator{Account: by.Account, Terminal: true} }
	size := c.site.Store.Size()
	if _, err := d.retain.Restrict(ctx, entry, "本人の申出", at(section)); !errors.Is(err, datarequest.ErrOwn) {
		t.Errorf("one's own entry was suspended: %v", err)
	}
	held, err := d.retain.Restrict(ctx, entry, "本人の申出", at(chief))
	c.must(err)
	before := c.site.Store.Size()
	for _, erase := range []bool{true, false} {
		if err := d.retain.Decide(ctx, held, "R8-1", erase, "認容", at(section)); !errors.Is(err, datarequest.ErrOwn) {
			t.Errorf("one's own entry was decided about: %v", err)
		}
	}
	if c.site.Store.Size() != before || before != size+1 {
		t.Errorf("%d leaves of what was refused", c.site.Store.Size()-size-1)
	}
	c.must(d.retain.Decide(ctx, held, "R8-1", false, "却下", at(watchman)))

	id, err := d.BeginDataRequest(ctx, datarequest.Record{Want: datarequest.Stop, Text: "消してほしい", Entry: entry}, section)
	c.must(err)
	c.must(d.do(t, id, datarequest.Taken, chief))
	c.must(d.SuspendEntry(ctx, id, 2, entry, "本人の請求", chief))
	got, err := d.DataRequestByID(ctx, id)
	c.must(err)
	before = c.site.Store.Size()
	refused := func(state string) {
		t.Helper()
		for _, erase := range []bool{true, false} {
			if err := d.retain.Decide(ctx, got.Held[0].ID, "R8-2", erase, "認容", at(watchman)); !errors.Is(err, web.ErrTerminalPage) {
				t.Errorf("%s, decided at the command line: %v", state, err)
			}
		}
	}
	refused("not granted")
	if c.site.Store.Size() != before {
		t.Error("what was refused left leaves")
	}
	c.must(d.do(t, id, datarequest.Granted, chief))
	refused("granted")
	c.clock(24, 12, 0)
	c.must(d.do(t, id, datarequest.Carried, chief))
	refused("carried out, its span over")
	got, err = d.DataRequestByID(ctx, id)
	c.must(err)
	c.must(d.SettleEntry(ctx, id, len(got.Turns), got.Held[0].ID, false, "止める期間の終わり", watchman))
}
