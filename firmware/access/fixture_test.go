package access

import (
	"time"

	"pgregory.net/rapid"

	"monban/firmware/calendar"
	"monban/firmware/card"
	"monban/firmware/mono"
)

func tokyo(t rapid.TB) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// at gives the UTC milliseconds of a Japanese wall time such as "2026-11-24 09:00:00".
func at(t rapid.TB, wall string) int64 {
	t.Helper()
	tm, err := time.ParseInLocation(time.DateTime, wall, tokyo(t))
	if err != nil {
		t.Fatal(err)
	}
	return tm.UnixMilli()
}

func key(n byte) Key { return Key{0: n, 31: 0xff} }

const (
	staff = iota // person numbers of the fixture
	contractor
	visitor
)

// site is a small city hall: a server room with an exit reader, an archive behind it, a lobby door.
func site(t rapid.TB) Rules {
	day := calendar.Schedule{Windows: []calendar.Window{{Days: calendar.Weekdays, From: 8 * 3600, To: 18 * 3600}}}
	night := calendar.Schedule{Windows: []calendar.Window{{Days: calendar.EveryDay, From: 22 * 3600, To: 5 * 3600}}}
	fyEnd := at(t, "2027-04-01 00:00:00")
	return Rules{
		Version: 1, Site: "city-hall", TimeZone: "Asia/Tokyo",
		Persons: []Person{
			staff:      {ID: "p-staff", Active: true, Category: CategoryStaff},
			contractor: {ID: "p-contractor", Active: true, Category: CategoryContractor, ContractFromMS: at(t, "2026-04-01 00:00:00"), ContractUntilMS: fyEnd},
			visitor:    {ID: "p-visitor", Active: true, Category: CategoryVisitor},
		},
		Credentials: []Credential{
			{Key: key(3), Person: visitor, Status: CredentialActive, Assurance: card.UIDOnly},
			{Key: key(1), Person: staff, Status: CredentialActive, Assurance: card.MutualAuth, HasPIN: true, PIN: key(0x11), Duress: key(0x12)},
			{Key: key(2), Person: contractor, Status: CredentialActive, Assurance: card.MutualAuth},
			{Key: key(9), Person: NoPerson, Status: CredentialActive, Assurance: card.MutualAuth},
		},
		Zones: []Zone{
			{ID: "lobby", Level: 1, MinAssurance: card.UIDOnly},
			{ID: "server-room", Level: 3, MinAssurance: card.MutualAuth, RequirePIN: true},
			{ID: "archive", Level: 2, MinAssurance: card.CardAuth, OfflineRules: ZoneRuleGrantAndFlag},
		},
		Doors: []Door{
			{ID: "server-door", EnterZone: "server-room", ExitZone: "lobby", Sides: []Side{SideEnter, SideExit}, OfflineMode: OfflineCachedPIN, MaxAgeMS: 3600_000},
			{ID: "archive-door", EnterZone: "archive", ExitZone: "server-room", Sides: []Side{SideEnter}, OfflineMode: OfflineCached, MaxAgeMS: 24 * 3600_000},
			{ID: "front", EnterZone: "lobby", Sides: []Side{SideEnter}, OfflineMode: OfflineCached, MaxAgeMS: 24 * 3600_000},
		},
		Grants: []Grant{
			{Person: staff, Zone: "server-room", Schedule: 0, UntilMS: fyEnd},
			{Person: staff, Zone: "archive", Schedule: Always, UntilMS: fyEnd},
			{Person: staff, Zone: "lobby", Schedule: Always, UntilMS: fyEnd},
			{Person: contractor, Zone: "archive", Schedule: 1, UntilMS: fyEnd},
			{Person: visitor, Zone: "lobby", Schedule: Always, UntilMS: fyEnd},
		},
		Schedules: []calendar.Schedule{day, night},
		Calendar: calendar.NewCalendar(
			calendar.ClosedDay{Date: calendar.Date{Year: 2026, Month: 5, Day: 6}, Kind: calendar.Substitute, Name: "振替休日"},
			calendar.ClosedDay{Date: calendar.Date{Year: 2026, Month: 9, Day: 22}, Kind: calendar.CitizensHoliday, Name: "国民の休日"},
			calendar.ClosedDay{Date: calendar.Date{Year: 2026, Month: 12, Day: 29}, Kind: calendar.YearEnd},
		),
	}
}

func compile(t rapid.TB, r Rules) *Policy {
	t.Helper()
	p, err := Compile(r, tokyo(t))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// good is a request that the fixture grants: a Tuesday morning, with a PIN, over a lease.
func good(t rapid.TB) (View, Request) {
	return View{PIN: PINView{Known: true}}, Request{
		Door: "server-door", Side: SideEnter, Key: key(1), HasCard: true, Assurance: card.MutualAuth, PIN: PINOK,
		WallMS: at(t, "2026-11-24 09:00:00"), Clock: ClockNTP, Link: LinkLeased, AgeMS: 1000, At: mono.Time(7 * time.Second),
	}
}
