package visit

import (
	"testing"

	"monban/firmware/access"
	"monban/server/directory"
)

func (s *Site) carry(dir Direction, items ...Item) Carry {
	return Carry{
		Direction: dir, Zone: "server-room", Doors: []access.DoorID{"front"}, Purpose: "ディスク交換", Attendee: "1002",
		Impact: Impact{Result: "none", Checker: "1002"}, Items: items,
	}
}

// EQ-1: no attendee, no session; purpose and the check of the effect are mandatory; serials may follow.
func TestCarryFields(t *testing.T) {
	s := hall(t)
	now := s.at(24, 10, 0)
	for name, c := range map[string]struct {
		spoil func(*Carry)
		want  *Error
	}{
		"no attendee":       {func(c *Carry) { c.Attendee = "" }, ErrMissing},
		"contractor":        {func(c *Carry) { c.Attendee = "K-1" }, ErrNotStaff},
		"no purpose":        {func(c *Carry) { c.Purpose = "" }, ErrMissing},
		"not checked":       {func(c *Carry) { c.Impact.Result = "" }, ErrImpact},
		"check refused":     {func(c *Carry) { c.Impact.Result = "refused" }, ErrImpact},
		"nobody checked":    {func(c *Carry) { c.Impact.Checker = "9" }, ErrImpact},
		"no direction":      {func(c *Carry) { c.Direction = "" }, ErrMissing},
		"no door":           {func(c *Carry) { c.Doors = nil }, ErrMissing},
		"another zone":      {func(c *Carry) { c.Zone, c.Doors = "media", []access.DoorID{"front"} }, ErrUnknown},
		"move to itself":    {func(c *Carry) { c.Direction, c.To = CarryTo, "server-room" }, ErrUnknown},
		"bare medium":       {func(c *Carry) { c.Items = []Item{{What: "LTO", Serial: "L1", Medium: true, PersonalData: true}} }, ErrProtection},
		"My Number as what": {func(c *Carry) { c.Items = []Item{{What: "123456789018"}} }, ErrMyNumber},
	} {
		x := s.carry(CarryIn, Item{What: "ディスク", Serial: "S1"})
		c.spoil(&x)
		if _, _, err := OpenCarry(x, nil, reception, now, s); err == nil {
			t.Errorf("%s: opened", name)
		} else {
			refused(t, err, c.want)
		}
	}
	c, warn, err := OpenCarry(s.carry(CarryIn, Item{What: "ディスク", Serial: "123456789018"}), nil, reception, now, s)
	if err != nil || len(warn) != 1 {
		t.Errorf("VE-5: a serial number warns: %v %v", warn, err)
	}
	if h := c.Head(); len(h.Doors) != 1 || h.UntilMS != 0 || !h.Open {
		t.Errorf("%+v", h)
	}
	// Delivery: it began with a card at the door, the list follows.
	c, _, err = OpenCarry(s.carry(CarryIn), nil, reception, now, s)
	must(t, err)
	must(t, c.Shut(reception, now+600_000))
	if !c.Head().Open || !owes(s, s.at(24, 17, 15), DueItems, &c) || owes(s, s.at(24, 17, 14), DueItems, &c) {
		t.Error("the list is owed at the day's closing time")
	}
	_, err = c.SetItems([]Item{{What: "ディスク", Serial: "S1"}}, nil, reception, s.at(24, 15, 0), s)
	must(t, err)
	_, err = c.SetItems([]Item{{What: "別物", Serial: "S2"}}, nil, reception, s.at(24, 15, 0), s)
	refused(t, err, ErrState) // a finished list is not rewritten
}

// EQ-3: what goes out was carried in, or is authorized; what never goes out is owed at the visit's end.
func TestCarryOut(t *testing.T) {
	s := hall(t)
	in, _, err := OpenCarry(s.carry(CarryIn, Item{What: "ノートPC", Serial: "PC-1"}, Item{What: "ディスク", Serial: "D-1", Stays: true}), nil, reception, s.at(24, 10, 0), s)
	must(t, err)
	in.ID, in.Visit = "carry-2026-00001", "visit-2026-00001"
	must(t, in.Shut(reception, s.at(24, 10, 5)))
	past := []Carry{in}
	_, _, err = OpenCarry(s.carry(CarryOut, Item{What: "見知らぬ箱", Serial: "X-9"}), past, reception, s.at(24, 11, 0), s)
	refused(t, err, ErrUnmatched)
	_, _, err = OpenCarry(s.carry(CarryOut, Item{What: "媒体", Medium: true, Count: 1}), past, reception, s.at(24, 11, 0), s)
	refused(t, err, ErrUnmatched) // a medium without a number is not packing
	allowed := s.carry(CarryOut, Item{What: "見知らぬ箱", Serial: "X-9"})
	allowed.Authorization = "許可 8-12"
	if _, _, err := OpenCarry(allowed, past, reception, s.at(24, 11, 0), s); err != nil {
		t.Error(err)
	}
	v := s.received(t, s.work())
	end := v.UntilMS + s.Settings.GraceMS
	if owes(s, end-1, DueCarryOut, &v, &in) || !owes(s, end, DueCarryOut, &v, &in) {
		t.Error("what was carried in and not out is owed at the visit's end and grace")
	}
	out, _, err := OpenCarry(s.carry(CarryOut, Item{What: "ノートPC", Serial: " pc-1"}), past, reception, s.at(24, 11, 30), s)
	must(t, err)
	out.ID, out.Visit = "carry-2026-00002", "visit-2026-00001"
	if owes(s, end, DueCarryOut, &v, &in, &out) {
		t.Error("it went out; the disk stays")
	}
	_, _, err = OpenCarry(s.carry(CarryOut, Item{What: "ノートPC", Serial: "PC-1"}), []Carry{in, out}, reception, s.at(24, 11, 40), s)
	refused(t, err, ErrUnmatched) // it is out already
	must(t, in.Settle(reception, s.at(24, 12, 0), "保管庫に預かり"))
	if owes(s, end, DueCarryOut, &v, &in) || in.Head().Open {
		t.Error("a person has said what became of it")
	}
}

// EQ-3, P8: a move into another zone is out of the one and into the other.
func TestCarryMove(t *testing.T) {
	s := hall(t)
	in, _, err := OpenCarry(s.carry(CarryIn, Item{What: "LTO", Serial: "L-1"}), nil, reception, s.at(24, 10, 0), s)
	must(t, err)
	in.ID = "a"
	move := s.carry(CarryTo, Item{What: "LTO", Serial: "L-1"})
	move.To, move.Doors = "media", []access.DoorID{"store"}
	m, _, err := OpenCarry(move, []Carry{in}, reception, s.at(24, 11, 0), s)
	must(t, err)
	m.ID = "b"
	if len(NotOut(in, []Carry{m})) != 0 || len(NotOut(m, nil)) != 1 {
		t.Error("the tape is owed in the media store now, not in the server room")
	}
	if !Inside([]Carry{in, m}, "media")["serial L-1"] || Inside([]Carry{in, m}, "server-room")["serial L-1"] {
		t.Error("the tape lies in the media store")
	}
}

// EQ-2: what a zone restricts is refused or flagged; what stays outside or has an exception in force is free.
func TestBringIn(t *testing.T) {
	s := hall(t)
	s.Dir.Exceptions = []directory.Exception{
		{ID: "E-1", From: directory.Date{Year: 2026, Month: 4, Day: 1}, Until: directory.Date{Year: 2027, Month: 3, Day: 31}},
		{ID: "E-0", From: directory.Date{Year: 2025, Month: 4, Day: 1}, Until: directory.Date{Year: 2026, Month: 3, Day: 31}},
	}
	receive := func(rule BringIn, d Declared) (Visit, error) {
		s.Settings.BringIn = map[access.ZoneID]BringIn{"server-room": rule}
		v := s.approved(t, s.tour("髙橋 一"))
		return v, v.Receive(Reception{Identity: Passport, Badge: badge(1), Declared: []Declared{d}}, 0, nobody, reception, s.at(24, 9, 0), s)
	}
	phone := Declared{What: "phone", Personal: true}
	_, err := receive(BringInDeny, phone)
	refused(t, err, ErrBringIn)
	_, err = receive(BringInDeny, Declared{What: "phone", Exception: "E-0"})
	refused(t, err, ErrUnknown) // VR-8: expired = off
	for _, d := range []Declared{{What: "phone", Outside: true}, {What: "phone", Exception: "E-1"}, {What: "computer", Carry: "carry-2026-00001"}} {
		if v, err := receive(BringInDeny, d); err != nil || v.Guests[0].Declared[0].Flagged {
			t.Errorf("%+v: %v", d, err)
		}
	}
	v, err := receive(BringInFlag, phone)
	must(t, err)
	if !v.Guests[0].Declared[0].Flagged || !owes(s, s.at(24, 9, 0), DueDeclared, &v) {
		t.Error("a flagged thing is looked at afterwards")
	}
	if v, err := receive(BringInFree, phone); err != nil || v.Guests[0].Declared[0].Flagged {
		t.Error("a zone without the rule asks for nothing")
	}
}

// EQ-4: a key is lent once, with a purpose, and missed when it is not back.
func TestKeyLoan(t *testing.T) {
	s := hall(t)
	now := s.at(24, 10, 0)
	free := func(string) bool { return false }
	k, err := LendKey(KeyLoan{Key: "KEY-1", Person: "1001", Purpose: "盤の点検", DueMS: s.at(24, 12, 0)}, free, reception, now, s)
	must(t, err)
	if k.Label != "正鍵" || len(k.Head().Doors) != 2 {
		t.Errorf("%+v: doors and name stand in the inventory", k)
	}
	if owes(s, s.at(24, 11, 59), DueKey, &k) || !owes(s, s.at(24, 12, 0), DueKey, &k) {
		t.Error("it is owed when it was to be back")
	}
	_, err = LendKey(k, func(key string) bool { return key == "KEY-1" }, reception, now, s)
	refused(t, err, ErrBadgeLent)
	for _, bad := range []KeyLoan{{Key: "KEY-9", Person: "1001", Purpose: "x"}, {Key: "KEY-1", Person: "1004", Purpose: "x"}} {
		_, err = LendKey(bad, free, reception, now, s)
		refused(t, err, ErrUnknown)
	}
	_, err = LendKey(KeyLoan{Key: "KEY-1", Person: "1001"}, free, reception, now, s)
	refused(t, err, ErrMissing)
	refused(t, k.Return(true, reception, now+1, ""), ErrMissing) // a lost key is explained
	must(t, k.Return(false, reception, now+60_000, ""))
	if k.Head().Open || k.Head().UntilMS != now+60_000 {
		t.Errorf("%+v", k.Head())
	}
}
