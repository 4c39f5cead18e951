package sim

import (
	"fmt"
	"strings"
	"time"

	"monban/server/directory"
)

// SiteStart is a Tuesday, 24 November 2026, midnight in Tokyo.
func SiteStart(zone *time.Location) time.Time { return time.Date(2026, 11, 24, 0, 0, 0, 0, zone) }

// SiteFiles is a site of n gateways with a door each, of every offline mode, and people with cards; it
// is what the CSV import reads.
func SiteFiles(gateways, people int) []directory.File {
	var gw, doors, who, cards, grants strings.Builder
	gw.WriteString("gateway_id,name\n")
	doors.WriteString("door_id,name,name_en,gateway_id,enter_zone,exit_zone,kind,exit,offline,max_age\n")
	for i := range gateways {
		zone := []string{"hall", "vault"}[i%2]
		offline := []string{"cached,1h", "cached_pin,1h", "cached,10m", "deny,24h"}[i%4]
		exit := []string{"reader", "handle", "button"}[i%3]
		fmt.Fprintf(&gw, "gw-%d,箱 %d\n", i+1, i+1)
		fmt.Fprintf(&doors, "door-%d,扉 %d,Door %d,gw-%d,%s,,controlled,%s,%s\n", i+1, i+1, i+1, i+1, zone, exit, offline)
	}
	who.WriteString("person_id,name,name_reduced,kana,romaji,section,company,category,contract_from,contract_until\n")
	cards.WriteString("card_id,person_id,format,facility_code,card_number,assurance,status,pin,duress_pin\n")
	grants.WriteString("person_id,zone_id,schedule_id,valid_from,valid_until\n")
	for i := range people {
		fmt.Fprintf(&who, "p%03d,髙橋 %d,,,,情報政策課,,staff,,\n", i, i)
		fmt.Fprintf(&cards, "c-%03d,p%03d,H10301,123,%d,uid_only,active,%04d,\n", i, i, 2000+i, 3000+i)
		schedule := []string{"always", "office", "always", "night"}[i%4]
		fmt.Fprintf(&grants, "p%03d,hall,%s,,\n", i, schedule)
		if i%3 != 2 {
			fmt.Fprintf(&grants, "p%03d,vault,always,,\n", i)
		}
	}
	file := func(kind directory.Kind, text string) directory.File {
		return directory.File{Name: string(kind) + ".csv", Kind: kind, Data: []byte(text)}
	}
	return []directory.File{
		file(directory.KindGateways, gw.String()), file(directory.KindDoors, doors.String()), file(directory.KindPeople, who.String()),
		file(directory.KindCards, cards.String()), file(directory.KindGrants, grants.String()),
		file(directory.KindZones, "zone_id,name,name_en,level,min_assurance,pin_always,offline_grant_and_flag,two_person_within,escort,carry_in\n"+
			"hall,広間,Hall,1,uid_only,no,no,0s,none,free\nvault,金庫,Vault,3,uid_only,yes,no,0s,none,free\n"),
		file(directory.KindExceptions, "exception_id,subject,subject_id,what,reason,approver,valid_from,valid_until\n"+
			"e-1,zone,vault,two_person,simulation,simulation,2026-11-01,2027-10-31\ne-2,zone,vault,escort,simulation,simulation,2026-11-01,2027-10-31\n"+
			"e-3,zone,vault,carry_in,simulation,simulation,2026-11-01,2027-10-31\n"),
		file(directory.KindSchedules, "schedule_id,name,name_en,days,from,to\nalways,常時,Always,every,0:00,24:00\noffice,開庁,Office,weekdays,8:30,17:15\nnight,夜間,Night,every,22:00,5:00\n"),
	}
}
