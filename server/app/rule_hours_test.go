package app

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"monban/firmware/calendar"
	"monban/server/directory"
)

// AD-5: what a schedule's page says of the next 14 days is what the calendar of the doors says at every half hour of them: over the
// end of the year, a night that goes on past midnight, single dates and the last day of a term.
func TestSchedulePreviewIsTheDoorsCalendar(t *testing.T) {
	zone := time.FixedZone("JST", 9*3600)
	for _, day := range []string{"2026-12-24", "2026-09-15", "2026-04-28", "2028-02-25"} { // 2026-09-22 and 2026-05-06 are days between holidays
		now := ok(time.ParseInLocation(time.DateTime, day+" 11:00:00", zone))(t)
		d := newRulesDesk(t, &now)
		at := func(n int) string { return now.AddDate(0, 0, n).Format(time.DateOnly) }
		form := url.Values{"do": {"save"}, "reason": {"学期の時間"}, "schedule_id": {"school"}, "name": {"学期"}, "first_day": {at(-3)}, "last_day": {at(10)},
			"w0_days": {"mon", "tue", "wed", "thu", "fri"}, "w0_from": {"8:30"}, "w0_to": {"17:15"}, "w1_days": {"tue", "closed"}, "w1_from": {"22:00"}, "w1_to": {"5:00"},
			"d0_date": {at(1)}, "d1_date": {at(2)}, "d1_from": {"9:00"}, "d1_to": {"12:00"}, "d2_date": {at(2)}, "d2_from": {"13:00"}, "d2_to": {"24:00"}, "d3_date": {at(12)}, "d3_from": {"10:00"}, "d3_to": {"11:00"}}
		if code, body, to := d.as("a-1", "/schedules/new", form); code != http.StatusSeeOther {
			t.Fatalf("%d %s %s", code, to, mainOf(body))
		}
		dir := d.dir()
		var closed []calendar.ClosedDay
		for _, c := range dir.ClosedDays {
			closed = append(closed, calendar.ClosedDay{Date: calendar.Date(c.Day), Kind: calendar.OwnClosed, Name: c.Name})
		}
		days := calendar.NewCalendar(closed...)
		exception := func(n int, windows ...calendar.Window) calendar.Exception {
			return calendar.Exception{Date: calendar.DateOf(now.AddDate(0, 0, n)), Windows: windows}
		}
		want := calendar.Schedule{From: calendar.DateOf(now.AddDate(0, 0, -3)), Until: calendar.DateOf(now.AddDate(0, 0, 10)),
			Windows: []calendar.Window{{Days: calendar.Weekdays, From: 8*3600 + 1800, To: 17*3600 + 900}, {Days: calendar.Tuesday | calendar.ClosedDays, From: 22 * 3600, To: 5 * 3600}},
			Exceptions: []calendar.Exception{exception(1), exception(2, calendar.Window{From: 9 * 3600, To: 12 * 3600}, calendar.Window{From: 13 * 3600, To: 86400}),
				exception(12, calendar.Window{From: 10 * 3600, To: 11 * 3600})}}
		if err := want.Validate(); err != nil {
			t.Fatal(err)
		}
		list := ok((&rulePages{registry: d.registry}).RuleSchedules(t.Context(), 14))(t)
		inside := 0
		for _, s := range list {
			if s.ID != "school" {
				continue
			}
			if len(s.Days) != 14 {
				t.Fatalf("%d days", len(s.Days))
			}
			for n, x := range s.Days {
				if x.Day != at(n) {
					t.Fatalf("day %d is %s, want %s", n, x.Day, at(n))
				}
				for half := range 48 {
					second := half*1800 + 1
					got := false
					for _, span := range x.Spans {
						got = got || span.From <= second && second < span.To
					}
					moment := ok(time.ParseInLocation(time.DateOnly, x.Day, zone))(t).Add(time.Duration(second) * time.Second)
					if is := want.Contains(&days, moment, zone); got != is {
						t.Errorf("%s second %d: page %v, doors %v", x.Day, second, got, is)
					} else if is {
						inside++
					}
				}
			}
		}
		if inside == 0 {
			t.Error("the schedule never holds: nothing was compared")
		}
		_, body, _ := d.as("a-1", "/schedules/school", nil)
		d.want("the page of "+day, 200, body, 200, "as set for this date", "outside its first and last day", "22:00–24:00")
	}
}

// AD-5, D27: a schedule that somebody enters a protected zone by gets more hours only with a second person; hours less are in force at
// once. A row that cannot be meant is marked where it stands.
func TestSchedulePages(t *testing.T) {
	now := noonOfTest()
	d := newRulesDesk(t, &now)
	form := func(change url.Values) url.Values {
		in := url.Values{"do": {"save"}, "reason": {"開庁時間の変更"}, "name": {"開庁時間"}, "name_en": {"Office hours"}, "w0_days": {"mon", "tue", "wed", "thu", "fri"}, "w0_from": {"8:30"}, "w0_to": {"17:15"}}
		for k, v := range change {
			in[k] = v
		}
		return in
	}
	_, body, to := d.as("a-1", "/schedules/office/edit", form(nil))
	d.want("the same again", 200, body, 200, "nothing to change")
	if to != "" {
		t.Errorf("the same again leads to %s", to)
	}
	// Nobody enters a protected zone by the office hours of the sample: give somebody a right first.
	ok(d.registry.Change(t.Context(), directory.Actor{From: "cli"}, "試験", func(s *directory.Snapshot) error {
		return s.PutGrant(d.registry.Today(), directory.Grant{Person: "1001", Zone: "media-store", Schedule: "office"})
	}))(t)
	for _, p := range ok(d.registry.Proposals(t.Context(), false, 10))(t) {
		ok(d.registry.ConfirmProposal(t.Context(), directory.Actor{Account: "a-2", From: "lan"}, p.ID))(t)
	}
	for what, c := range map[string]struct {
		change url.Values
		to     string
	}{
		"more hours":          {url.Values{"w0_to": {"18:00"}}, "/schedules/office?done=rule_proposed"},
		"a Saturday":          {url.Values{"d0_date": {"2026-11-28"}, "d0_from": {"9:00"}, "d0_to": {"12:00"}}, "/schedules/office?done=rule_proposed"},
		"a day without hours": {url.Values{"d0_date": {"2026-11-27"}}, "/schedules/office?done=rule_changed"},
	} {
		if code, body, to := d.as("a-1", "/schedules/office/edit", form(c.change)); code != http.StatusSeeOther || to != c.to {
			t.Errorf("%s: %d %s\n%.2000s", what, code, to, mainOf(body))
		}
	}
	for what, c := range map[string]struct {
		change url.Values
		field  string
	}{
		"no day": {url.Values{"w1_from": {"9:00"}, "w1_to": {"10:00"}}, "f-w1_days-fault"}, "no end": {url.Values{"w0_to": {""}}, "f-w0_to-fault"}, "no time": {url.Values{"w0_from": {"half past"}}, "f-w0_from-fault"},
		"the same": {url.Values{"w0_to": {"8:30"}}, "f-w0_to-fault"}, "no such date": {url.Values{"d1_date": {"2026-02-30"}, "d1_from": {"1:00"}, "d1_to": {"2:00"}}, "f-d1_date-fault"},
		"no name": {url.Values{"name": {""}}, "f-name-fault"}, "ends before it begins": {url.Values{"first_day": {"2027-01-01"}, "last_day": {"2026-01-01"}}, `role="alert"`},
		"a hostile name": {url.Values{"name": {"時\u202e間\x00"}}, "f-name-fault"}, "a formula": {url.Values{"name_en": {"@SUM(1)"}}, "f-name_en-fault"},
	} {
		code, body, _ := d.as("a-1", "/schedules/office/edit", form(c.change))
		if code != http.StatusUnprocessableEntity || !strings.Contains(body, c.field) {
			t.Errorf("%s: %d, without %s\n%.2500s", what, code, c.field, mainOf(body))
		}
	}
	// What is in use cannot be taken out.
	code, body, _ := d.as("a-1", "/schedules/office/remove", url.Values{"do": {"save"}, "reason": {"不要"}})
	d.want("a schedule in use", code, body, http.StatusUnprocessableEntity, `role="alert"`)
	for _, account := range []string{"auditor", "admin", "manager"} {
		if code, _, _ := d.as(account, "/schedules/office", nil); code != http.StatusOK {
			t.Errorf("%s does not see the schedule: %d", account, code)
		}
		for _, path := range []string{"/schedules/office/edit", "/schedules/office/remove", "/closed-days", "/closed-days/2026-11-23/remove"} {
			if code, _, _ := d.as(account, path, form(nil)); code != http.StatusForbidden {
				t.Errorf("%s may post %s: %d", account, path, code)
			}
		}
	}
}

// AD-5: closed days by fiscal year; one less gives rights, so it waits; the year without holidays is told of.
func TestClosedDayPages(t *testing.T) {
	now := noonOfTest()
	d := newRulesDesk(t, &now)
	code, _, to := d.as("a-1", "/closed-days", url.Values{"do": {"save"}, "date": {"2026-12-28"}, "name": {"市制記念日"}, "reason": {"条例第3条"}})
	if code != http.StatusSeeOther || to != "/closed-days?done=rule_changed" {
		t.Errorf("added: %d %s", code, to)
	}
	_, body, _ := d.as("auditor", "/closed-days", nil)
	d.want("the year", 200, body, 200, "市制記念日", "FY2026")
	_, body, _ = d.as("auditor", "/closed-days?year=2034", nil)
	d.want("a far year", 200, body, 200, "FY2034", "The holidays of FY2034 seem to be missing")
	code, body, _ = d.as("a-1", "/closed-days", url.Values{"do": {"check"}, "date": {"2026-13-01"}, "name": {"x"}})
	d.want("no day", code, body, http.StatusUnprocessableEntity, "f-date-fault")
	code, body, _ = d.as("a-1", "/closed-days/2026-12-28/remove", url.Values{"do": {"check"}})
	d.want("look before it is taken out", code, body, http.StatusOK, "市制記念日", "becomes a proposal", `name="reason"`)
	code, _, to = d.as("a-1", "/closed-days/2026-12-28/remove", url.Values{"do": {"save"}, "reason": {"誤り"}})
	if code != http.StatusSeeOther || to != "/closed-days?done=rule_proposed" {
		t.Errorf("taken out: %d %s", code, to)
	}
	if code, _, _ = d.as("a-1", "/closed-days/2019-01-01/remove", url.Values{"do": {"check"}}); code != http.StatusNotFound {
		t.Errorf("a day that is none: %d", code)
	}
}
