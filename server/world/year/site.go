package year

import (
	"fmt"
	"strings"
)

// Zones of the site. The server room and the media store lie in the office.
const (
	office = "office"
	server = "server-room"
	media  = "media-store"
	annex  = "annex" // a plant room with a handle inside and no reader there
	depot  = "depot" // a store in another building, hardly used: most seeded cases happen there
	vault  = "vault" // in the same building; asks for a PIN
	lab    = "lab"   // in the same building; outsiders enter with an escort only
	// In the old town hall, for what is done at the counter.
	archive = "archive" // visitors come here
	records = "records" // every entry has to have a purpose
	twin    = "twin"    // nobody should be alone
)

// within reports whether a zone is, or lies in, another.
func within(in, zone string) bool {
	return in == zone || zone == office && (in == server || in == media)
}

// doorways are the site's doors.
func doorways() []Doorway {
	return []Doorway{
		{"office-1", "gw-1", office, ""},
		{"office-2", "gw-2", office, ""},
		{"server-1", "gw-2", server, office},
		{"media-1", "gw-1", media, office},
		{"annex-1", "gw-3", annex, ""},
		{"back-1", "gw-3", office, ""}, // observed: deliveries
		{"depot-1", "gw-4", depot, ""},
		{"depot-2", "gw-5", depot, ""},
		{"vault-1", "gw-4", vault, ""},
		{"lab-1", "gw-5", lab, ""},
		{"archive-1", "gw-6", archive, ""},
		{"archive-2", "gw-6", archive, ""},
		{"records-1", "gw-7", records, ""},
		{"twin-1", "gw-7", twin, ""},
		{"twin-2", "gw-6", twin, ""},
	}
}

// facility is the facility code of the city's cards; a stranger's cards have another.
const (
	facility  = 123
	strangers = 77
	firstCard = 5000
)

// person is a body with a card.
type person struct {
	id, name, section string
	category          string // staff, contractor
	company           string
	card              string
	number            uint64
	pin               string
	duress            string
	training          string // until, "" = the fiscal year's end
	grants            []grant
	place             string // where the body is
	free              int64  // busy until, UTC ms
	left              bool   // does not work here any more

	// What sensors could know of this person, for what follows from it.
	sensed string           // where the last passage that was sensed led
	since  int64            // when the person was last sensed to come in from outside
	first  int64            // first sensed passage, 0 = none
	used   map[string]int64 // when each door was last entered by, as sensed
	missed bool             // a contact has missed a passage since
}

type grant struct{ zone, schedule string }

// names of the site's people: surnames that stress what shows them.
var surnames = []string{"髙橋", "﨑山", "𠮷田", "渡邉", "葛󠄀城", "神谷", "塚本", "小林", "佐藤", "渡邊", "濵田", "齋藤"}

// newPerson adds somebody with a card. grants are pairs of zone and schedule.
func (m *maker) newPerson(prefix, section string, grants ...grant) *person {
	n := len(m.people)
	p := &person{
		id: fmt.Sprintf("%s%04d", prefix, n), section: section, category: "staff", number: uint64(firstCard + n), grants: grants,
	}
	p.name = fmt.Sprintf("%s %d", surnames[n%len(surnames)], n)
	p.card = "c-" + p.id
	m.people = append(m.people, p)
	m.cards = append(m.cards, Card{ID: p.card, Person: p.id, Facility: facility, Number: p.number})
	return p
}

// stranger is a card that the site does not know.
func (m *maker) stranger() string {
	m.unknown++
	id := fmt.Sprintf("x-%d", m.unknown)
	m.cards = append(m.cards, Card{ID: id, Facility: strangers, Number: uint64(m.unknown)})
	return id
}

// files writes the site as the CSV import takes it.
func (m *maker) files() map[string]string {
	var people, cards, grants, gateways, doors, closed, items strings.Builder
	people.WriteString("person_id,name,name_reduced,kana,romaji,section,company,category,contract_from,contract_until,kind,training_until,conditions,may_escort\n")
	cards.WriteString("card_id,person_id,format,facility_code,card_number,assurance,status,pin,duress_pin\n")
	grants.WriteString("person_id,zone_id,schedule_id,valid_from,valid_until\n")
	first, last := m.plan.First, m.plan.First.AddDays(m.plan.Days+1)
	for _, p := range m.people {
		contract, kind, escort := ",", "regular", "yes"
		if p.category != "staff" {
			contract, kind, escort = fmt.Sprintf("%s,%s", first, last), "outsourcer", "no"
		}
		training := p.training
		if training == "" {
			training = last.AddDays(300).String()
		}
		fmt.Fprintf(&people, "%s,%s,,,,%s,%s,%s,%s,%s,%s,,%s\n", p.id, p.name, p.section, p.company, p.category, contract, kind, training, escort)
		fmt.Fprintf(&cards, "c-%s,%s,H10301,%d,%d,uid_only,active,%s,%s\n", p.id, p.id, facility, p.number, p.pin, p.duress)
		for _, g := range p.grants {
			fmt.Fprintf(&grants, "%s,%s,%s,%s,%s\n", p.id, g.zone, g.schedule, first, last)
		}
	}
	gateways.WriteString("gateway_id,name\n")
	doors.WriteString("door_id,name,name_en,gateway_id,enter_zone,exit_zone,kind,exit,offline,max_age\n")
	seen := map[string]bool{}
	for _, d := range doorways() {
		if !seen[d.Gateway] {
			seen[d.Gateway] = true
			fmt.Fprintf(&gateways, "%s,装置 %s\n", d.Gateway, d.Gateway)
		}
		kind, exit := "controlled", "reader"
		switch d.ID {
		case "annex-1":
			exit = "handle"
		case "back-1":
			kind, exit = "observe", "none"
		}
		fmt.Fprintf(&doors, "%s,扉 %s,Door %s,%s,%s,%s,%s,%s,cached,24h\n", d.ID, d.ID, d.ID, d.Gateway, d.Inner, d.Outer, kind, exit)
	}
	items.WriteString("item_id,kind,name,doors\n")
	for _, k := range m.keys {
		fmt.Fprintf(&items, "%s,key,鍵 %s,%s\n", k.id, k.id, k.door)
	}
	closed.WriteString("date,name\n")
	for _, c := range m.cal.Closed {
		fmt.Fprintf(&closed, "%s,%s\n", c.Date, c.Name)
	}
	return map[string]string{
		"people.csv": people.String(), "cards.csv": cards.String(), "grants.csv": grants.String(), "gateways.csv": gateways.String(),
		"doors.csv": doors.String(), "closed_days.csv": closed.String(), "inventory.csv": items.String(),
		"zones.csv": "zone_id,name,name_en,level,min_assurance,pin_always,offline_grant_and_flag,parent,anti_passback,training,escort,escort_within,escort_grace,min_inside,max_inside\n" +
			"office,執務室,Office,1,uid_only,no,no,,off,off,none,,,,\nserver-room,サーバ室,Server room,2,uid_only,yes,no,office,soft,off,,,,,\n" +
			"media-store,媒体保管庫,Media store,1,uid_only,no,no,office,off,flag,none,,,,\nannex,分庁舎機械室,Plant room,1,uid_only,no,no,,off,off,none,,,,\n" +
			"vault,金庫室,Vault,2,uid_only,yes,no,,off,off,,,,,\nlab,実験室,Lab,1,uid_only,no,no,,off,off,outsiders,30s,3m,,\n" +
			"depot,倉庫,Depot,1,uid_only,no,no,,soft,flag,none,,,,\n" +
			"archive,書庫,Archive,1,uid_only,no,no,,off,off,none,,,,\nrecords,公文書室,Records,1,uid_only,no,no,,off,off,none,,,,\ntwin,検査室,Inspection,1,uid_only,no,yes,,off,off,none,,,2,10\n",
		"schedules.csv": "schedule_id,name,name_en,days,from,to\nalways,常時,Always,every,0:00,24:00\nwork,勤務時間,Work,weekdays,6:00,22:30\n" +
			"rounds,巡回,Rounds,every,22:00,6:00\nevening,夜間作業,Evening work,every,20:00,23:30\n" +
			"day,開庁時間,Office hours,weekdays,8:30,17:15\n",
	}
}
