package web

import "net/http"

// Roles of the API beyond those of the pages.
const (
	// people are seen by those who decide about them, watch them or let them in; running the machines needs none.
	peopleRoles = groupF | groupS | groupR | groupA | groupC
	// suspendRoles take a card out of use, which only removes rights (AD-17, D27).
	suspendRoles = RoleSet(1<<RoleZoneManager | 1<<RoleSectionManager | 1<<RoleReception | 1<<RoleCSIRT)
	// reactivateRoles put it back.
	reactivateRoles = RoleSet(1<<RoleZoneManager | 1<<RoleCSIRT)
)

// apiRoutes is the API's part of the table: no cookie counts here, only a token, and every answer is JSON.
func apiRoutes() []route {
	list := []string{"limit", "after"}
	with := func(names ...string) []string { return append(names, list...) }
	return []route{
		{pattern: "GET /api/1/openapi.json", api: true, account: true, serve: (*Handler).apiDocument},
		{pattern: "GET /api/1/me", api: true, account: true, serve: (*Handler).apiMe},

		{pattern: "GET /api/1/doors", api: true, roles: desk, serve: (*Handler).apiDoors},
		{pattern: "GET /api/1/gateways", api: true, roles: groupS | groupD, serve: (*Handler).apiGateways},
		{pattern: "GET /api/1/zones", api: true, roles: desk, query: list, serve: (*Handler).apiZones},
		{pattern: "GET /api/1/schedules", api: true, roles: desk, query: list, serve: (*Handler).apiSchedules},
		{pattern: "GET /api/1/closed-days", api: true, roles: desk, query: with("from", "until"), serve: (*Handler).apiClosedDays},

		{pattern: "GET /api/1/people", api: true, roles: peopleRoles, query: with("q", "category", "active", "purpose"), serve: (*Handler).apiPeople},
		{pattern: "GET /api/1/people/{person}", api: true, roles: peopleRoles, query: []string{"purpose"}, serve: (*Handler).apiPerson},
		{pattern: "GET /api/1/grants", api: true, roles: groupF | groupS | groupA | groupC, query: with("person", "zone", "purpose"), serve: (*Handler).apiGrants},
		{pattern: "GET /api/1/groups", api: true, roles: groupF | groupS | groupA | groupC, query: list, serve: (*Handler).apiGroups},
		{pattern: "GET /api/1/contracts", api: true, roles: groupF | groupS | groupA | groupC, query: list, serve: (*Handler).apiContracts},
		{pattern: "GET /api/1/proposals", api: true, roles: groupF | groupS | groupA | groupC, query: list, serve: (*Handler).apiProposals},
		{pattern: "GET /api/1/visits", api: true, roles: groupF | groupS | groupR | groupA, query: with("day"), serve: (*Handler).apiVisits},
		{pattern: "POST /api/1/cards/{card}/suspend", api: true, roles: suspendRoles, serve: (*Handler).apiSuspend},
		{pattern: "POST /api/1/cards/{card}/lost", api: true, roles: suspendRoles, serve: (*Handler).apiLost},
		{pattern: "POST /api/1/cards/{card}/reactivate", api: true, roles: reactivateRoles, serve: (*Handler).apiReactivate},

		{pattern: "GET /api/1/log", api: true, roles: groupF | groupS | groupA | groupD, query: with("day", "door", "result", "q", "purpose"), serve: (*Handler).apiLog},
		{pattern: "GET /api/1/log/{attempt}", api: true, roles: groupF | groupS | groupA | groupD, serve: (*Handler).apiAttempt},
		{pattern: "GET /api/1/findings", api: true, roles: groupF | groupS | groupA | groupD, query: with("show"), serve: (*Handler).apiFindings},

		{pattern: "GET /api/1/judge", api: true, roles: groupF | groupS | groupA | groupC, query: []string{"person", "door", "side", "at", "purpose"}, serve: (*Handler).apiJudge},
		{pattern: "GET /api/1/entrants", api: true, roles: groupF | groupS | groupA | groupC, query: []string{"door", "at"}, serve: (*Handler).apiEntrants},

		{pattern: "GET /api/1/commands", api: true, roles: desk, serve: (*Handler).apiCommands},
		{pattern: "GET /api/1/commands/{id}", api: true, roles: desk, serve: (*Handler).apiCommand},
		{pattern: "POST /api/1/commands", api: true, roles: testRoles, serve: (*Handler).apiAsk},
		{pattern: "POST /api/1/commands/{id}/agree", api: true, roles: agreeRoles, serve: (*Handler).apiAgree},
		{pattern: "POST /api/1/commands/{id}/withdraw", api: true, roles: agreeRoles, serve: (*Handler).apiWithdraw},

		// What is not above: 403 as everywhere, in the API's form.
		{pattern: apiElse, api: true, account: true, serve: func(*Handler, http.ResponseWriter, *request) error { return errForbidden }},
	}
}

// apiElse catches the paths of the API that do not exist.
const apiElse = "/api/"
