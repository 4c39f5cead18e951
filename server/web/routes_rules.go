package web

import "slices"

// Roles of the pages of rules (RA-1): who reads, and who changes. To change takes a fresh check of identity (D28) and,
// for what adds rights at level 2 or 3, a second person (D27).
const (
	ruleReaders  = groupF | groupS | groupA | groupC | groupD
	ruleChangers = groupC
	ruleNames    = groupF | groupS | groupA | groupC // pages that name people
)

// ruleNav are the pages in the frame's navigation.
var ruleNav = navGroup{"nav.rules", "key", []navPage{{"/zones", "nav.zones"}, {"/schedules", "nav.schedules"}, {"/closed-days", "nav.closed_days"}, {"/import", "nav.import"}, {"/rehearse", "nav.rehearse"},
	{"/groups", "nav.groups"}, {"/contracts", "nav.contracts"}, {"/exceptions", "nav.exceptions"}, {"/conditions", "nav.conditions"}, {"/recertify", "nav.recertify"}, {"/renewals", "nav.renewals"}, {"/thresholds", "nav.thresholds"}}}

// ruleRoutes is the part of the table for zones and all else that says who may enter.
func ruleRoutes() []route {
	lists := slices.Concat(groupList.routes(ruleNames), contractList.routes(ruleNames), exceptionList.routes(ruleNames), conditionList.routes(ruleReaders))
	return append(lists, []route{
		{pattern: "GET /zones", roles: ruleReaders, serve: (*Handler).getZones},
		{pattern: "GET /zones/new", roles: ruleChangers, serve: (*Handler).getZoneNew},
		{pattern: "POST /zones/new", roles: ruleChangers, stepUp: stepUpFull, serve: (*Handler).postZone},
		{pattern: "GET /zones/{zone}", roles: ruleReaders, serve: (*Handler).getZone},
		{pattern: "GET /zones/{zone}/edit", roles: ruleChangers, serve: (*Handler).getZoneEdit},
		{pattern: "POST /zones/{zone}/edit", roles: ruleChangers, stepUp: stepUpFull, serve: (*Handler).postZone},

		{pattern: "GET /findings/threats", roles: threatRoles, serve: (*Handler).getThreats},
		{pattern: "POST /findings/threats", roles: groupC, stepUp: stepUpFull, serve: sitewide(groupC, (*Handler).postThreats)},
		{pattern: "GET /thresholds", roles: ruleReaders, serve: (*Handler).getThresholds},
		{pattern: "POST /thresholds/preview", roles: ruleReaders, serve: (*Handler).postThresholdPreview},
		{pattern: "GET /thresholds/preview/{look}", roles: ruleReaders, serve: (*Handler).getThresholdPreview},
		{pattern: "POST /thresholds/agree", roles: ruleChangers, stepUp: stepUpFull, serve: (*Handler).postThresholdsAgree},

		{pattern: "GET /schedules", roles: ruleReaders, serve: (*Handler).getSchedules},
		{pattern: "GET /schedules/new", roles: ruleChangers, serve: (*Handler).getScheduleNew},
		{pattern: "POST /schedules/new", roles: ruleChangers, stepUp: stepUpFull, serve: (*Handler).postSchedule},
		{pattern: "GET /schedules/{schedule}", roles: ruleReaders, serve: (*Handler).getSchedule},
		{pattern: "GET /schedules/{schedule}/edit", roles: ruleChangers, serve: (*Handler).getScheduleEdit},
		{pattern: "POST /schedules/{schedule}/edit", roles: ruleChangers, stepUp: stepUpFull, serve: (*Handler).postSchedule},
		{pattern: "POST /schedules/{schedule}/remove", roles: ruleChangers, stepUp: stepUpFull, serve: (*Handler).postScheduleRemove},

		{pattern: "GET /closed-days", roles: ruleReaders, serve: (*Handler).getClosedDays},
		{pattern: "POST /closed-days", roles: ruleChangers, stepUp: stepUpFull, serve: (*Handler).postClosedDay},
		{pattern: "POST /closed-days/{day}/remove", roles: ruleChangers, stepUp: stepUpFull, serve: (*Handler).postClosedDayRemove},

		{pattern: "GET /import", roles: ruleChangers, serve: (*Handler).getImport},
		{pattern: "POST /import", roles: ruleChangers, stepUp: stepUpFull, body: maxUploadBody, serve: (*Handler).postImport},
		{pattern: "GET /import/{draft}", roles: ruleChangers, serve: (*Handler).getImportDraft},
		{pattern: "POST /import/{draft}", roles: ruleChangers, stepUp: stepUpFull, serve: (*Handler).postImportDraft},

		{pattern: "GET /rehearse", roles: ruleChangers, serve: (*Handler).getRehearse},
		{pattern: "POST /rehearse", roles: ruleChangers, serve: (*Handler).postRehearse},
		{pattern: "GET /rehearse/{rehearsal}", roles: ruleChangers, serve: (*Handler).getRehearsal},

		{pattern: "GET /recertify", roles: ruleNames, serve: (*Handler).getRecertify},
		{pattern: "POST /recertify", roles: ruleChangers, stepUp: stepUpFull, serve: (*Handler).postRecertify},
		{pattern: "GET /recertify/{round}", roles: ruleNames, serve: (*Handler).getRound},
		{pattern: "POST /recertify/{round}", roles: ruleAnswerers, stepUp: stepUpFull, serve: (*Handler).postRound},
		{pattern: "GET /renewals", roles: ruleNames, serve: (*Handler).getRenewals},
		{pattern: "POST /renewals", roles: ruleChangers, stepUp: stepUpFull, serve: (*Handler).postRenewals},
	}...)
}
