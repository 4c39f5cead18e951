package visit

import (
	"errors"
	"testing"

	"monban/firmware/access"
	"monban/server/directory"
)

const hourMS = 3_600_000

func doorSite() *Site {
	return &Site{Dir: &directory.Snapshot{Doors: []directory.Door{{ID: "d1", Enter: "z1"}, {ID: "d2", Enter: "z2"}}}}
}

// OP-8: a door is in paper mode with ticket, owner and an end of at most 30 days; it ends by itself.
func TestOutage(t *testing.T) {
	now := int64(1_800_000_000_000)
	by, s := Actor{Account: "a"}, doorSite()
	good := Outage{Door: "d1", Ticket: "T-1", Owner: "設備係", Why: "読取部の故障", FromMS: now - hourMS, UntilMS: now + 24*hourMS}
	for name, c := range map[string]struct {
		change func(x *Outage)
		want   error
	}{
		"no such door":      {func(x *Outage) { x.Door = "d9" }, ErrUnknown},
		"no ticket":         {func(x *Outage) { x.Ticket = "" }, ErrMissing},
		"no owner":          {func(x *Outage) { x.Owner = " " }, ErrMissing},
		"no reason":         {func(x *Outage) { x.Why = "" }, ErrMissing},
		"over before now":   {func(x *Outage) { x.UntilMS = now }, ErrWindow},
		"31 days":           {func(x *Outage) { x.UntilMS = x.FromMS + outageMost + 1 }, ErrWindow},
		"begun 31 days ago": {func(x *Outage) { x.FromMS = now - outageMost - 1 }, ErrWindow},
	} {
		x := good
		c.change(&x)
		if _, err := BeginOutage(x, by, now, s); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	x, err := BeginOutage(good, by, now, s)
	if err != nil || x.Zone != "z1" || !x.Head().Open {
		t.Fatalf("%+v %v", x, err)
	}
	y := x
	if y.Expire(x.UntilMS-1) || !y.Expire(x.UntilMS) || y.Head().Open || y.Until() != x.UntilMS {
		t.Error("it does not end by itself at its end")
	}
	if err := x.End("交換した", by, now+1); err != nil || x.Until() != now+1 || !errors.Is(x.End("", by, now), ErrState) {
		t.Errorf("%+v %v", x, err)
	}
}

// OP-8: a line of paper counts only where the log has no record of its own, and after a second person's look.
func TestPaperEntry(t *testing.T) {
	now := int64(1_800_000_000_000)
	gaps := []Span{{now - 10*hourMS, now - 5*hourMS}, {now - hourMS, 0}}
	good := PaperEntry{No: "紙-0001-3", Name: "𠮷田 誠", Purpose: "定期点検", InMS: now - 9*hourMS, OutMS: now - 8*hourMS}
	for name, c := range map[string]struct {
		change func(x *PaperEntry)
		want   error
	}{
		"no number":          {func(x *PaperEntry) { x.No = "" }, ErrMissing},
		"no name":            {func(x *PaperEntry) { x.Name = "" }, ErrMissing},
		"no purpose":         {func(x *PaperEntry) { x.Purpose = "" }, ErrMissing},
		"in while recorded":  {func(x *PaperEntry) { x.InMS, x.OutMS = now-4*hourMS, 0 }, ErrNoGap},
		"out while recorded": {func(x *PaperEntry) { x.OutMS = now - 5*hourMS }, ErrNoGap},
		"out before in":      {func(x *PaperEntry) { x.OutMS = x.InMS }, ErrNoGap},
		"in the future":      {func(x *PaperEntry) { x.InMS = now + 1 }, ErrNoGap},
		"no time":            {func(x *PaperEntry) { x.InMS = 0 }, ErrNoGap},
	} {
		x := good
		c.change(&x)
		if _, err := TypePaper(x, gaps, Actor{Account: "a"}, now); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	x, err := TypePaper(good, gaps, Actor{Account: "a", Person: "1"}, now)
	if err != nil || !x.Head().Open {
		t.Fatal(err)
	}
	if err := x.Compare(Actor{Account: "b", Person: "1"}, now); !errors.Is(err, ErrSamePerson) {
		t.Errorf("the same person twice: %v", err)
	}
	if err := x.Compare(Actor{Account: "b", Person: "2"}, now); err != nil || x.Head().Open || !errors.Is(x.Compare(Actor{Account: "c"}, now), ErrState) {
		t.Errorf("%+v %v", x, err)
	}
	if _, err := TypePaper(PaperEntry{No: "1", Name: "a", Purpose: "b", InMS: now - 60_000}, gaps, Actor{}, now); err != nil {
		t.Errorf("in a gap that goes on, without an exit: %v", err)
	}
}

// OP-6, OP-7: a drill names its doors and ends within half a day, a disaster is of the whole site and ends within a day; both by themselves.
func TestDrill(t *testing.T) {
	now := int64(1_800_000_000_000)
	by, s := Actor{Account: "a"}, doorSite()
	drill := Drill{Doors: []access.DoorID{"d1"}, Why: "避難訓練", FromMS: now, UntilMS: now + hourMS}
	for name, c := range map[string]struct {
		x    Drill
		want error
	}{
		"no doors":     {Drill{Why: "x", FromMS: now, UntilMS: now + 1}, ErrMissing},
		"no such door": {Drill{Doors: []access.DoorID{"d9"}, Why: "x", FromMS: now, UntilMS: now + 1}, ErrUnknown},
		"no reason":    {Drill{Doors: drill.Doors, FromMS: now, UntilMS: now + 1}, ErrMissing},
		"of the past":  {Drill{Doors: drill.Doors, Why: "x", FromMS: now - hourMS, UntilMS: now + 1}, ErrWindow},
		"13 hours":     {Drill{Doors: drill.Doors, Why: "x", FromMS: now, UntilMS: now + 13*hourMS}, ErrWindow},
		"25 hours":     {Drill{Disaster: true, Why: "x", UntilMS: now + 25*hourMS}, ErrWindow},
	} {
		if _, err := BeginDrill(c.x, by, now, s); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	x, err := BeginDrill(drill, by, now, s)
	if err != nil || x.Head().Doors[0] != "d1" || x.Head().State != "drill" {
		t.Fatalf("%+v %v", x, err)
	}
	d, err := BeginDrill(Drill{Disaster: true, Doors: drill.Doors, Why: "地震", UntilMS: now + 24*hourMS}, by, now, s)
	if err != nil || len(d.Doors) != 0 || d.Head().State != "disaster" {
		t.Fatalf("%+v %v", d, err)
	}
	if d.Expire(now+24*hourMS-1) || !d.Expire(now+24*hourMS) || d.Head().Open {
		t.Error("a disaster does not end by itself")
	}
	if err := x.End(by, now+5); err != nil || x.Head().UntilMS != now+5 || !errors.Is(x.End(by, now+6), ErrState) {
		t.Errorf("%+v %v", x, err)
	}
}
