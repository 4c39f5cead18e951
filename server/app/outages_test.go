package app

import (
	"errors"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/firmware/door"
	"monban/server/attempt"
	"monban/server/signoff"
	"monban/server/store"
	"monban/server/visit"
	"monban/server/web"
)

// OP-8, I10: while a door is on paper or its gateway is silent, lines of paper are typed in and compared by a second person; where the log
// has its own record they are refused. The register marks them, the day's review shows the door, and a day with such a line is not quiet.
func TestPaperInRegister(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	c.pass(c.site.Ref(4568), store1, door.EventEntry)
	c.clock(25, 9, 0)
	gw := c.pub.Site().Door(store1).Gateway
	c.must(c.site.Store.Write(ctx, func(tx *store.Tx) error {
		_, err := tx.AppendCoverage(attempt.Coverage{Gateway: string(gw), FromMS: c.ms(24, 13, 0), ToMS: c.ms(24, 15, 0), State: "dead"}, c.at.UnixMilli())
		return err
	}))
	p := c.registers()
	o := &outages{c.Visits, p.health}
	p.health.since = c.at // heard since the server began
	line := visit.PaperEntry{No: "入-00001-01", Door: store1, Name: "𠮷田 誠", Company: "北浜システムズ", Purpose: "定期点検", InMS: c.ms(24, 13, 10), OutMS: c.ms(24, 14, 0)}
	typed := func(what string, change func(x *visit.PaperEntry), want error) {
		t.Helper()
		x := line
		change(&x)
		if err := o.TypePaper(ctx, x, clerk); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	typed("recorded", func(x *visit.PaperEntry) { x.InMS = c.ms(24, 12, 0) }, visit.ErrNoGap)
	typed("out while recorded", func(x *visit.PaperEntry) { x.OutMS = c.ms(24, 15, 30) }, visit.ErrNoGap)
	typed("no door", func(x *visit.PaperEntry) { x.Door = "nowhere" }, visit.ErrUnknown)
	typed("in the gap", func(x *visit.PaperEntry) {}, nil)
	typed("this morning, not declared", func(x *visit.PaperEntry) { x.InMS, x.OutMS = c.ms(25, 8, 10), 0 }, visit.ErrNoGap)
	out := visit.Outage{Door: store1, Ticket: "修-12", Owner: "設備係", Why: "読取部の故障", FromMS: c.ms(25, 8, 0), UntilMS: c.ms(28, 8, 0)}
	c.must(o.BeginOutage(ctx, out, section))
	if err := o.BeginOutage(ctx, out, section); !errors.Is(err, visit.ErrState) {
		t.Errorf("twice: %v", err)
	}
	typed("declared", func(x *visit.PaperEntry) { x.No, x.InMS, x.OutMS = "入-00001-02", c.ms(25, 8, 10), 0 }, nil)
	papers, err := o.PaperEntries(ctx)
	c.must(err)
	if err := o.ComparePaper(ctx, papers[0].ID, clerk); !errors.Is(err, visit.ErrSamePerson) {
		t.Errorf("compared by who typed it: %v", err)
	}
	for i := range papers {
		c.must(o.ComparePaper(ctx, papers[i].ID, chief))
	}
	reg, err := p.Register(ctx, web.RegisterQuery{Zone: archive, From: "2026-11-24", To: "2026-11-25", Names: true})
	c.must(err)
	if len(reg.Rows) != 3 {
		t.Fatalf("%d rows", len(reg.Rows))
	}
	if r := reg.Rows[1]; r.Paper != "入-00001-01" || r.Who.Name != "𠮷田 誠" || r.PaperTyped != "clerk" || r.PaperSecond != "chief" || r.EnteredAt.UnixMilli() != line.InMS {
		t.Errorf("%+v", r)
	}
	masked, err := p.Register(ctx, web.RegisterQuery{Zone: archive, From: "2026-11-24", To: "2026-11-25"})
	c.must(err)
	if masked.Rows[1].Who.Name != "" || masked.Rows[1].Purpose != "" {
		t.Errorf("without names: %+v", masked.Rows[1])
	}
	c.clock(26, 9, 0)
	day, err := p.ReviewDay(ctx, archive, "2026-11-25", true)
	c.must(err)
	if len(day.Out) != 1 || day.Out[0].Ticket != "修-12" || day.Sheet.Quiet || day.Rows != 1 {
		t.Errorf("%+v", day)
	}
	// What is typed in after the signature opens the day again, visibly.
	c.sign("2026-11-25", signoff.Sign, chief, "", nil)
	typed("later", func(x *visit.PaperEntry) { x.No, x.InMS, x.OutMS = "入-00001-03", c.ms(25, 10, 10), 0 }, nil)
	if s := c.stands("2026-11-25", signoff.Additional); len(s.Late) != 1 {
		t.Errorf("late: %v", s.Late)
	}
	c.noNames("𠮷田", "北浜", "読取部")
}

// OP-6, OP-7, I2: during a drill everything is recorded and found as always, at its doors with a mark and elsewhere without; a disaster ends by itself.
func TestDrillHidesNothing(t *testing.T) {
	c := newCounter(t)
	ctx := t.Context()
	p := c.registers()
	o := &outages{c.Visits, p.health}
	c.must(o.BeginDrill(ctx, visit.Drill{Doors: []access.DoorID{store1}, Why: "避難訓練", FromMS: c.at.UnixMilli(), UntilMS: c.at.UnixMilli() + 3_600_000}, section))
	c.clock(24, 10, 5)
	c.found("forced_open", [16]byte{1})
	other := func() int64 {
		var idx int64
		c.must(c.site.Store.Write(ctx, func(tx *store.Tx) (err error) {
			idx, err = tx.AppendFinding(attempt.Finding{Kind: "forced_open", Severity: "high", Gateway: "gw-1", Door: "server-room-1", Cause: attempt.NoIndex, AtMS: c.at.UnixMilli()}, nil)
			return err
		}))
		return idx
	}
	other()
	list, total, err := p.ListFindings(ctx, web.FindingQuery{In: web.Reach{All: true}, Limit: 10})
	c.must(err)
	marks := map[access.DoorID]bool{}
	for _, f := range list {
		marks[f.Door] = f.Drill
	}
	if total != 2 || !marks[store1] || marks["server-room-1"] {
		t.Errorf("%d found, marks %v", total, marks)
	}
	c.pass(c.site.Ref(4567), store1, door.EventEntry)
	c.clock(24, 11, 30) // the drill is over
	c.pass(c.site.Ref(4568), store1, door.EventEntry)
	reg, err := p.Register(ctx, web.RegisterQuery{Zone: "media-store", From: "2026-11-24", To: "2026-11-24", Names: true})
	c.must(err)
	drills := 0
	for _, r := range reg.Rows {
		if r.Drill {
			drills++
		}
	}
	if len(reg.Rows) != 2 || drills != 1 {
		t.Errorf("%d rows, %d of them in the drill", len(reg.Rows), drills)
	}
	c.must(o.BeginDrill(ctx, visit.Drill{Disaster: true, Why: "地震", UntilMS: c.at.Add(2 * time.Hour).UnixMilli()}, watchman))
	if d, err := o.Disaster(ctx); err != nil || d == nil {
		t.Fatalf("%v %v", d, err)
	}
	c.clock(24, 13, 31)
	if d, err := o.Disaster(ctx); err != nil || d != nil {
		t.Errorf("it does not end by itself: %v %v", d, err)
	}
	c.must(c.expire(ctx))
	c.must(c.site.Store.Read(ctx, func(r *store.ReadTx) error {
		rows, err := r.OpenMatters(visit.KindDrill)
		if len(rows) != 0 {
			t.Errorf("%+v is open", rows)
		}
		return err
	}))
	c.noNames("避難", "地震")
}
