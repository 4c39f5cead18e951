package access_test

import (
	"fmt"
	"time"

	"monban/firmware/access"
	"monban/firmware/calendar"
	"monban/firmware/card"
)

// exampleRules: one member of staff who may enter the server room by day, one night worker.
func exampleRules() access.Rules {
	day := calendar.Schedule{Windows: []calendar.Window{{Days: calendar.Weekdays, From: 8 * 3600, To: 18 * 3600}}}
	night := calendar.Schedule{Windows: []calendar.Window{{Days: calendar.EveryDay, From: 22 * 3600, To: 5 * 3600}}}
	end := time.Date(2027, 3, 31, 15, 0, 0, 0, time.UTC).UnixMilli() // 2027-04-01 00:00 in Japan
	return access.Rules{
		Version: 1, Site: "city-hall", TimeZone: "Asia/Tokyo",
		Persons: []access.Person{
			{ID: "takahashi", Active: true, Category: access.CategoryStaff},
			{ID: "night-worker", Active: true, Category: access.CategoryContractor},
		},
		Credentials: []access.Credential{
			{Key: access.Key{1}, Person: 0, Status: access.CredentialActive, Assurance: card.MutualAuth},
			{Key: access.Key{2}, Person: 1, Status: access.CredentialActive, Assurance: card.MutualAuth},
		},
		Zones: []access.Zone{{ID: "server-room", Level: 3, MinAssurance: card.MutualAuth}},
		Doors: []access.Door{{ID: "door1", EnterZone: "server-room", Sides: []access.Side{access.SideEnter}, MaxAgeMS: 3_600_000}},
		Grants: []access.Grant{
			{Person: 0, Zone: "server-room", Schedule: 0, UntilMS: end},
			{Person: 1, Zone: "server-room", Schedule: 1, UntilMS: end},
		},
		Schedules: []calendar.Schedule{day, night},
	}
}

func ExampleDecide() {
	loc, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		fmt.Println(err)
		return
	}
	policy, err := access.Compile(exampleRules(), loc)
	if err != nil {
		fmt.Println(err)
		return
	}
	request := access.Request{
		Door: "door1", Side: access.SideEnter, Key: access.Key{1}, HasCard: true, Assurance: card.MutualAuth,
		WallMS: time.Date(2026, 11, 24, 9, 0, 0, 0, loc).UnixMilli(), Link: access.LinkServer,
	}
	decision := access.Decide(policy, access.View{}, request)
	fmt.Println(decision.Outcome, decision.Primary)

	request.Assurance = card.UIDOnly // the number alone, as any tool can copy it
	request.WallMS = time.Date(2026, 11, 24, 20, 0, 0, 0, loc).UnixMilli()
	decision = access.Decide(policy, access.View{}, request)
	fmt.Println(decision.Outcome, decision.Primary, "of", decision.Failed)
	// Output:
	// granted granted
	// denied outside_schedule of outside_schedule+assurance_low
}

// A schedule over midnight belongs to the day on which it begins.
func ExampleDecide_overMidnight() {
	loc, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		fmt.Println(err)
		return
	}
	policy, err := access.Compile(exampleRules(), loc)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, wall := range []string{"2026-11-24 21:59:59", "2026-11-24 22:00:00", "2026-11-25 04:59:59", "2026-11-25 05:00:00"} {
		t, err := time.ParseInLocation(time.DateTime, wall, loc)
		if err != nil {
			fmt.Println(err)
			return
		}
		d := access.Decide(policy, access.View{}, access.Request{
			Door: "door1", Side: access.SideEnter, Key: access.Key{2}, HasCard: true, Assurance: card.MutualAuth,
			WallMS: t.UnixMilli(), Link: access.LinkServer,
		})
		fmt.Println(wall, d.Primary)
	}
	// Output:
	// 2026-11-24 21:59:59 outside_schedule
	// 2026-11-24 22:00:00 granted
	// 2026-11-25 04:59:59 granted
	// 2026-11-25 05:00:00 outside_schedule
}
