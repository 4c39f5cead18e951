package web

// Roles of the pages of rules (RA-1): who reads, and who changes. To change takes a fresh check of identity (D28) and,
// for what adds rights at level 2 or 3, a second person (D27).
const (
	ruleReaders  = groupF | groupS | groupA | groupC | groupD
	ruleChangers = groupC
)

// ruleRoutes is the part of the table for zones and all else that says who may enter.
func ruleRoutes() []route {
	return []route{
		{pattern: "GET /zones", roles: ruleReaders, serve: (*Handler).getZones},
		{pattern: "GET /zones/new", roles: ruleChangers, serve: (*Handler).getZoneNew},
		{pattern: "POST /zones/new", roles: ruleChangers, stepUp: stepUpFull, serve: (*Handler).postZone},
		{pattern: "GET /zones/{zone}", roles: ruleReaders, serve: (*Handler).getZone},
		{pattern: "GET /zones/{zone}/edit", roles: ruleChangers, serve: (*Handler).getZoneEdit},
		{pattern: "POST /zones/{zone}/edit", roles: ruleChangers, stepUp: stepUpFull, serve: (*Handler).postZone},
	}
}
