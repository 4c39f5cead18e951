package visit

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"monban/firmware/access"
	"monban/server/directory"
)

// VE-1: purpose, system, period, persons and attendee are mandatory.
func TestApplicationFields(t *testing.T) {
	s := hall(t)
	now := s.at(24, 8, 0)
	if _, _, err := Apply(s.work(), applicant, now, s); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spoil func(*Application)
		want  *Error
	}{
		"no purpose":         {func(a *Application) { a.Purpose = " \u3000" }, ErrMissing},
		"no system":          {func(a *Application) { a.System = "" }, ErrMissing},
		"no persons":         {func(a *Application) { a.Guests = nil }, ErrMissing},
		"no attendee":        {func(a *Application) { a.Attendee = "" }, ErrMissing},
		"attendee not staff": {func(a *Application) { a.Attendee = "K-1" }, ErrNotStaff},
		"attendee left":      {func(a *Application) { a.Attendee = "1004" }, ErrNotStaff},
		"no zone":            {func(a *Application) { a.Zones = nil }, ErrMissing},
		"unknown zone":       {func(a *Application) { a.Zones = []access.ZoneID{"roof"} }, ErrUnknown},
		"end before start":   {func(a *Application) { a.UntilMS = a.FromMS }, ErrWindow},
		"over":               {func(a *Application) { a.FromMS, a.UntilMS = s.at(23, 9, 0), now }, ErrWindow},
		"too long":           {func(a *Application) { a.UntilMS = a.FromMS + 24*3_600_000 + 1 }, ErrWindow},
		"no type":            {func(a *Application) { a.Type = "" }, ErrMissing},
		"heads on no tour":   {func(a *Application) { a.Heads = 3 }, ErrTooMany},
		"a crowd":            {func(a *Application) { a.Guests = make([]Guest, MaxGuests+1) }, ErrTooMany},
		"no name":            {func(a *Application) { a.Guests[0].Name = "" }, ErrMissing},
		"control character":  {func(a *Application) { a.Guests[0].Name = "a\x00b" }, ErrText},
		"turned writing":     {func(a *Application) { a.Purpose = "x\u202ey" }, ErrText},
		"10 kB":              {func(a *Application) { a.Guests[0].Name = strings.Repeat("漢", 10_000) }, ErrText},
		"staff as guest":     {func(a *Application) { a.Guests[0].Person = "1001" }, ErrMissing},
		"My Number (VE-5)":   {func(a *Application) { a.Purpose = "本人 1234-5678-9018 確認" }, ErrMyNumber},
		"in a name (VE-5)":   {func(a *Application) { a.Guests[0].Name = "123456789018" }, ErrMyNumber},
	} {
		app := s.work()
		c.spoil(&app)
		_, _, err := Apply(app, applicant, now, s)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		refused(t, err, c.want)
	}
}

// VE-5: a contract number of twelve digits is only warned of.
func TestNumberWarns(t *testing.T) {
	s := hall(t)
	s.Dir.Contracts[0].ID = "123456789018"
	app := s.work()
	app.Contract = "123456789018"
	if _, warn, err := Apply(app, applicant, s.at(24, 8, 0), s); err != nil || len(warn) != 1 {
		t.Errorf("warnings %v, %v", warn, err)
	}
}

// VE-5: nothing here can hold the number of a document or a copy of one.
func TestNoIdentityNumber(t *testing.T) {
	var walk func(reflect.Type, string)
	walk = func(typ reflect.Type, path string) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			if typ.Elem().Kind() == reflect.Uint8 && typ.Kind() == reflect.Slice {
				t.Errorf("%s may hold a picture", path)
			}
			walk(typ.Elem(), path)
		case reflect.Struct:
			for i := range typ.NumField() {
				f := typ.Field(i)
				for _, bad := range []string{"number", "copy", "photo", "image", "birth", "address"} {
					if strings.Contains(strings.ToLower(f.Name), bad) {
						t.Errorf("%s.%s: VE-5 allows the kind of the document and the checker only", path, f.Name)
					}
				}
				if f.Name != "Identity" {
					walk(f.Type, path+"."+f.Name)
				}
			}
		}
	}
	for _, m := range []any{Visit{}, Permit{}, TemporaryCard{}, Emergency{}} {
		walk(reflect.TypeOf(m), reflect.TypeOf(m).Name())
	}
}

// VE-1: applicant ≠ approver, whatever account the person uses; a guest does not approve either.
func TestApprover(t *testing.T) {
	s := hall(t)
	fresh := func() Visit {
		v, _, err := Apply(s.work(), applicant, s.at(24, 8, 0), s)
		must(t, err)
		return v
	}
	for _, by := range []Actor{applicant, {Account: "app"}, {Account: "other", Person: "1002"}, {Account: "worker", Person: "K-1"}} {
		v := fresh()
		refused(t, v.Approve(by, s.at(24, 8, 1), ""), ErrSamePerson)
		if v.State != Applied {
			t.Errorf("%+v moved it to %s", by, v.State)
		}
	}
	v := fresh()
	refused(t, v.Approve(approver, s.at(24, 12, 0), ""), ErrTooLate)
	must(t, v.Approve(approver, s.at(24, 8, 1), ""))
	refused(t, v.Approve(approver, s.at(24, 8, 1), ""), ErrState)
	v = fresh()
	refused(t, v.Refuse(approver, s.at(24, 8, 1), ""), ErrMissing) // the applicant is told why
	must(t, v.Refuse(approver, s.at(24, 8, 1), "期間が合わない"))
	refused(t, v.Receive(Reception{}, 0, nobody, reception, s.at(24, 9, 0), s), ErrState)
}

// VE-4, A21: workers are named on the contract; a subcontract needs its written approval; the contract is in force.
func TestContract(t *testing.T) {
	s := hall(t)
	now := s.at(24, 8, 0)
	app := s.work()
	app.Guests[0] = Guest{Name: "知らない人", Category: directory.Contractor}
	_, _, err := Apply(app, applicant, now, s)
	refused(t, err, ErrUnnamed)
	app = s.work()
	app.Contract = ""
	_, _, err = Apply(app, applicant, now, s)
	refused(t, err, ErrContract)
	s.Dir.Contracts[0].Tier = 2
	_, _, err = Apply(s.work(), applicant, now, s)
	refused(t, err, ErrTier)
	s.Dir.Contracts[0].Approval = "R8-17"
	if _, _, err = Apply(s.work(), applicant, now, s); err != nil {
		t.Error(err)
	}
	s.Dir.Contracts[0].ValidUntil = directory.Date{Year: 2026, Month: 11, Day: 23}
	_, _, err = Apply(s.work(), applicant, now, s)
	refused(t, err, ErrContract)
}

// VE-3, VE-5, VE-6: at the counter identity, conditions and a badge; nothing goes without one of them.
func TestReceive(t *testing.T) {
	s := hall(t)
	v := s.approved(t, s.work())
	good := Reception{Identity: CompanyCard, Conditions: 4, Badge: badge(1)}
	for name, c := range map[string]struct {
		spoil func(*Reception)
		at    int64
		want  *Error
	}{
		"no document":      {func(r *Reception) { r.Identity = "" }, 0, ErrIdentity},
		"odd document":     {func(r *Reception) { r.Identity = "小学校の成績表" }, 0, ErrIdentity},
		"old conditions":   {func(r *Reception) { r.Conditions = 3 }, 0, ErrConditions},
		"no badge":         {func(r *Reception) { r.Badge = nil }, 0, ErrBadge},
		"lost badge":       {func(r *Reception) { r.Badge.Status = BadgeLost }, 0, ErrBadge},
		"temporary card":   {func(r *Reception) { r.Badge.Kind = TemporaryKind }, 0, ErrBadge},
		"no escort's card": {func(r *Reception) { r.Badge = plain(1) }, 0, ErrCarrier},
		"contractor leads": {func(r *Reception) { r.Badge, r.Carrier = plain(1), "K-1" }, 0, ErrCarrier},
		"no such guest":    {func(r *Reception) { r.Guest = 1 }, 0, ErrState},
		"too early":        {func(r *Reception) {}, s.at(24, 8, 29), ErrTooEarly},
		"too late":         {func(r *Reception) {}, s.at(24, 12, 0), ErrTooLate},
	} {
		r := good
		r.Badge = badge(1)
		c.spoil(&r)
		at := c.at
		if at == 0 {
			at = s.at(24, 9, 0)
		}
		w := v
		if err := w.Receive(r, 4, nobody, reception, at, s); err == nil {
			t.Errorf("%s: received", name)
		} else {
			refused(t, err, c.want)
		}
		if w.State != Approved || w.Guests[0].Received() {
			t.Errorf("%s: something moved", name)
		}
	}
	refused(t, v.Receive(good, 4, func(string) string { return "visit-2026-00009" }, reception, s.at(24, 9, 0), s), ErrBadgeLent)
	must(t, v.Receive(good, 4, nobody, reception, s.at(24, 9, 0), s))
	g := v.Guests[0]
	if v.State != Running || g.Badge != "B-1" || g.Look != "黄" || g.Conditions != 4 || g.Identity != CompanyCard || g.Checked.Account != "rec" {
		t.Errorf("%+v", v)
	}
	refused(t, v.Receive(good, 4, nobody, reception, s.at(24, 9, 1), s), ErrState)
	must(t, v.ReturnBadge(0, false, outside, reception, s.at(24, 11, 0), ""))
	if v.State != Closed || v.Head().Open {
		t.Errorf("the last badge came back and the visit is %s", v.State)
	}
}

// A16: a new version of the conditions is asked for at the next reception, and kept with the guest.
func TestConditionsAgain(t *testing.T) {
	s := hall(t)
	v := s.approved(t, s.tour("髙橋 一", "渡邉 二"))
	must(t, v.Receive(Reception{Identity: Passport, Conditions: 4, Badge: badge(1)}, 4, nobody, reception, s.at(24, 9, 0), s))
	refused(t, v.Receive(Reception{Guest: 1, Identity: Passport, Conditions: 4, Badge: badge(2)}, 5, nobody, reception, s.at(24, 9, 5), s), ErrConditions)
	must(t, v.Receive(Reception{Guest: 1, Identity: Passport, Conditions: 5, Badge: badge(2)}, 5, nobody, reception, s.at(24, 9, 5), s))
	if v.Guests[0].Conditions != 4 || v.Guests[1].Conditions != 5 {
		t.Errorf("%+v", v.Guests)
	}
}

// VE-12: 08:45, a disk has failed, the approver is in a meeting, the company sends a substitute.
func TestUrgentReceipt(t *testing.T) {
	s := hall(t)
	now := s.at(24, 8, 45)
	app := s.work()
	app.FromMS = now
	_, _, err := Urgent(app, "1003", reception, now, s)
	refused(t, err, ErrSamePerson) // the receptionist cannot be the one who said yes
	_, _, err = Urgent(app, "K-1", reception, now, s)
	refused(t, err, ErrNotStaff)
	v, _, err := Urgent(app, "1001", reception, now, s)
	must(t, err)
	if v.Oral.DueMS != s.at(25, 17, 15) {
		t.Errorf("to be confirmed until %d, want the next open day's closing time", v.Oral.DueMS)
	}
	refused(t, v.ChangeWorker(0, Guest{Name: "代理 太郎", Category: directory.Contractor}, applicant, now, "", s), ErrMissing)
	must(t, v.ChangeWorker(0, Guest{Name: "代理 太郎", Category: directory.Contractor}, applicant, now, "担当者が急病", s))
	if !v.Guests[0].Replaced.Done() || !v.Guests[1].Substitute || v.Guests[0].Name != "𠮷田 誠" {
		t.Errorf("%+v", v.Guests)
	}
	refused(t, v.Receive(Reception{Guest: 0, Identity: CompanyCard, Badge: badge(1)}, 0, nobody, reception, now, s), ErrState)
	must(t, v.Receive(Reception{Guest: 1, Identity: CompanyCard, Badge: badge(1)}, 0, nobody, reception, now, s))
	must(t, v.ReturnBadge(1, false, outside, reception, s.at(24, 10, 0), ""))
	if v.State != Closed || !v.Head().Open {
		t.Error("the visit is over; its approval by phone is still to be confirmed")
	}
	refused(t, v.ConfirmOral(false, reception, s.at(24, 11, 0), ""), ErrSamePerson)
	must(t, v.ConfirmOral(false, approver, s.at(24, 11, 0), ""))
	if v.Head().Open {
		t.Error("nothing is owed any more")
	}
	refused(t, v.ConfirmOral(true, approver, s.at(24, 11, 0), "x"), ErrState)
}

// VE-12: the next open day after Friday is Monday; closed days do not count (D11-23 is a holiday).
func TestOralOverHoliday(t *testing.T) {
	s := hall(t)
	now := s.at(20, 16, 0) // Friday
	app := s.work()
	app.FromMS, app.UntilMS = now, now+3_600_000
	v, _, err := Urgent(app, "1001", reception, now, s)
	must(t, err)
	if v.Oral.DueMS != s.at(24, 17, 15) {
		t.Error("Saturday, Sunday and the holiday are no open days")
	}
	must(t, v.ConfirmOral(true, approver, now, "承認していない"))
	if v.State != Withdrawn {
		t.Error("what nobody approved lets nobody in")
	}
	refused(t, v.Receive(Reception{Identity: CompanyCard, Badge: badge(1)}, 0, nobody, reception, now, s), ErrState)
}

// VE-8: with somebody inside by the log the visit stays open until a person says what happened.
func TestExitNotRecorded(t *testing.T) {
	s := hall(t)
	v := s.approved(t, s.work())
	must(t, v.Receive(Reception{Identity: CompanyCard, Badge: badge(1)}, 0, nobody, reception, s.at(24, 9, 0), s))
	inside := func(int) bool { return true }
	refused(t, v.Close(inside, reception, s.at(24, 11, 0), "x"), ErrState) // the badge is out
	must(t, v.ReturnBadge(0, false, inside, reception, s.at(24, 11, 0), ""))
	if v.State != Running {
		t.Fatal("closed while somebody is inside by the log")
	}
	refused(t, v.Close(inside, reception, s.at(24, 11, 0), ""), ErrInside)
	must(t, v.Close(inside, reception, s.at(24, 11, 0), "立会者と同時に退室、カード読取なし"))
	if v.State != Closed || v.Ended.Note == "" {
		t.Errorf("%+v", v)
	}
}

// Every matter reads back from its JSON as it was.
func TestDecode(t *testing.T) {
	s := hall(t)
	v := s.approved(t, s.tour("髙橋 一"))
	must(t, v.Receive(Reception{Identity: Passport, Badge: plain(1), Carrier: "1001"}, 0, nobody, reception, s.at(24, 9, 0), s))
	for _, m := range []Matter{&v, &Permit{}, &TemporaryCard{}, &Suspension{}, &Emergency{}, &Carry{}, &KeyLoan{}, &Purpose{}} {
		doc, err := json.Marshal(m)
		must(t, err)
		got, err := Decode(m.Head().Kind, doc)
		must(t, err)
		if !reflect.DeepEqual(got, m) {
			t.Errorf("%s:\n%+v\n%+v", m.Head().Kind, got, m)
		}
	}
	if _, err := Decode("coffee", []byte("{}")); err == nil {
		t.Error("an unknown kind was read")
	}
}

// VE-7: a slip shows the current visitor and no other.
func TestSlip(t *testing.T) {
	s := hall(t)
	v := s.received(t, s.tour("髙橋 一", "渡邉 二"))
	text, err := json.Marshal(v.SlipOf(0, s))
	must(t, err)
	if strings.Contains(string(text), "渡邉") || !strings.Contains(string(text), "髙橋 一") {
		t.Errorf("%s", text)
	}
	if got := v.SlipOf(0, s); got.Conditions != 4 || got.Label != "1" || got.Company != "議会事務局" {
		t.Errorf("%+v", got)
	}
	if got := v.SlipOf(2, s); got.Name != "" || got.Visit != "" {
		t.Errorf("%+v", got)
	}
}

// A visit to an inner zone may pass the doors of the zones around it, and no others.
func TestOuterZones(t *testing.T) {
	s := hall(t)
	for i := range s.Dir.Zones {
		switch s.Dir.Zones[i].ID {
		case "media":
			s.Dir.Zones[i].Parent = "server-room"
		case "server-room":
			s.Dir.Zones[i].Parent = "office" // no door leads into it: nothing to grant
		}
	}
	app := s.tour("髙橋 一")
	app.Zones = []access.ZoneID{"media"}
	v, _, err := Apply(app, applicant, s.at(24, 8, 0), s)
	must(t, err)
	if !reflect.DeepEqual(v.Zones, []access.ZoneID{"media", "server-room"}) {
		t.Errorf("%v", v.Zones)
	}
	if app.Zones[0] != "media" || len(app.Zones) != 1 {
		t.Error("the application itself was changed")
	}
	// Out of the inner zone is not out of the building.
	v.ID = "visit-2026-00001"
	must(t, v.Approve(approver, s.at(24, 8, 10), ""))
	must(t, v.Receive(Reception{Identity: Passport, Badge: badge(1)}, 0, nobody, reception, s.at(24, 9, 0), s))
	who := v.PersonID(0)
	log := []Passage{
		{AtMS: s.at(24, 9, 1), Zone: "server-room", In: true, Person: who}, {AtMS: s.at(24, 9, 2), Zone: "media", In: true, Person: who},
		{AtMS: s.at(24, 9, 3), Zone: "media", Person: who}, {AtMS: s.at(24, 9, 4), Zone: "server-room", Outside: true, Person: who},
	}
	for n, inside := range map[int]bool{1: true, 2: true, 3: true, 4: false} {
		if got := v.Match(log[:n])[0].Inside; got != inside {
			t.Errorf("after %d passages: inside %v", n, got)
		}
	}
}
