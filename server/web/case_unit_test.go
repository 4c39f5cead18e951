package web

import (
	"testing"
	"time"

	"monban/firmware/access"
)

// VR-3, RA-1: a finding without a door is seen and worked by the manager of a zone that it lies in, by one of the whole site, and by an
// officer; what is severe or of no zone by an officer alone.
func TestWhoWorksAFindingOfAZone(t *testing.T) {
	now := time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)
	as := func(role Role, zone access.ZoneID) *request {
		a := Account{Roles: []Assignment{{Role: role, Zone: zone}}}
		return &request{account: &a, roles: a.rolesAt(now), now: now}
	}
	unsigned := CaseDetail{Finding: Finding{Kind: "unsigned_day", Severity: SeverityMedium}, Zones: []access.ZoneID{"archive"}}
	key, severe, nowhere := unsigned, unsigned, unsigned
	key.Zones, severe.Finding.Severity, nowhere.Zones = []access.ZoneID{"server-room", "archive"}, SeverityHigh, nil
	for _, c := range []struct {
		who                            string
		rq                             *request
		in                             Reach
		unsigned, key, severe, nowhere bool
	}{
		{"manager", as(RoleZoneManager, "archive"), Reach{Zones: []access.ZoneID{"archive"}}, true, true, false, false},
		{"manager of another", as(RoleZoneManager, "server-room"), Reach{Zones: []access.ZoneID{"server-room"}}, false, true, false, false},
		{"manager of all", as(RoleZoneManager, ""), Reach{All: true}, true, true, false, false},
		{"officer", as(RoleCSIRT, ""), Reach{All: true}, true, true, true, true},
		{"auditor", as(RoleAuditor, ""), Reach{All: true}, false, false, false, false},
	} {
		for what, x := range map[string]struct {
			c    *CaseDetail
			want bool
		}{"unsigned": {&unsigned, c.unsigned}, "key": {&key, c.key}, "severe": {&severe, c.severe}, "nowhere": {&nowhere, c.nowhere}} {
			if got := c.rq.mayWork(x.c); got != x.want {
				t.Errorf("%s works %s: %v", c.who, what, got)
			}
			if got := c.in.finding(&x.c.Finding, x.c.Zones); got != (x.want || c.in.All || c.unsigned && what == "severe") {
				t.Errorf("%s sees %s: %v", c.who, what, got)
			}
		}
	}
	if none := (Reach{}); none.finding(&unsigned.Finding, unsigned.Zones) {
		t.Error("the zero reach sees it")
	}
}
