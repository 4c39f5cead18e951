package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// officeCSV is a directory of n people with one H10301 card each (facility code fc, numbers from
// first on), all of whom may always enter every zone, and the given doors.
func officeCSV(t *testing.T, n int, fc, first int, doors []doorSpec) map[string]string {
	t.Helper()
	var people, cards, grants, doorRows, gateways strings.Builder
	people.WriteString("person_id,name,category,section\n")
	cards.WriteString("card_id,person_id,format,facility_code,card_number,assurance,status,pin\n")
	grants.WriteString("person_id,zone_id,schedule_id,valid_until\n")
	names := []string{"髙橋", "﨑山", "𠮷田", "渡邉", "葛󠄀城", "神谷", "𩸽"}
	for i := range n {
		fmt.Fprintf(&people, "p%04d,%s %d号,staff,情報政策課\n", i, names[i%len(names)], i)
		fmt.Fprintf(&cards, "c%04d,p%04d,H10301,%d,%d,uid_only,active,\n", i, i, fc, first+i)
		fmt.Fprintf(&grants, "p%04d,room,always,2027-03-31\n", i)
	}
	doorRows.WriteString("door_id,name,gateway_id,enter_zone,exit_zone,kind,exit,offline,max_age\n")
	gateways.WriteString("gateway_id,name\n")
	seen := map[string]bool{}
	for _, d := range doors {
		fmt.Fprintf(&doorRows, "%s,扉 %s,%s,room,,controlled,%s,cached,24h\n", d.id, d.id, d.gateway, d.exit)
		if !seen[d.gateway] {
			seen[d.gateway] = true
			fmt.Fprintf(&gateways, "%s,%s\n", d.gateway, d.gateway)
		}
	}
	return map[string]string{
		"people.csv": people.String(), "cards.csv": cards.String(), "grants.csv": grants.String(),
		"doors.csv": doorRows.String(), "gateways.csv": gateways.String(),
		"zones.csv":     "zone_id,name,level,min_assurance,pin_always\nroom,サーバ室,1,uid_only,no\n",
		"schedules.csv": alwaysCSV,
	}
}

// doorSpec is one door of a test site.
type doorSpec struct{ id, gateway, exit string }

// toml is the door's part of its gateway's configuration.
func (d doorSpec) toml() string {
	t := fmt.Sprintf("[[door]]\nid = %q\nkind = \"controlled\"\nexit = %q\nrelease_time = \"1s\"\n\n[[door.reader]]\nside = \"enter\"\ntype = \"wiegand\"\nformats = [\"H10301\"]\n", d.id, d.exit)
	if d.exit == "reader" {
		t += "\n[[door.reader]]\nside = \"exit\"\ntype = \"wiegand\"\nformats = [\"H10301\"]\n"
	}
	return t
}

// gatewaysOf groups doors by gateway.
func gatewaysOf(doors []doorSpec) []gatewaySpec {
	var out []gatewaySpec
	for _, d := range doors {
		if len(out) == 0 || out[len(out)-1].id != d.gateway {
			out = append(out, gatewaySpec{id: d.gateway})
		}
		g := &out[len(out)-1]
		g.doors = append(g.doors, d.toml())
	}
	return out
}

// alwaysCSV is one schedule that always holds.
const alwaysCSV = "schedule_id,name,days,from,to\nalways,常時,every,0:00,24:00\n"
