package web_test

import "net/url"

// The pages of rules take part in the checks of all pages and routes.
func init() {
	pagePaths = append(pagePaths, "/zones", "/zones/server-room", "/zones/media-store", "/zones/none", "/zones/new", "/zones/server-room/edit")
	pagePaths = append(pagePaths, "/schedules", "/schedules/office", "/schedules/none", "/schedules/new", "/schedules/office/edit", "/closed-days", "/closed-days?year=2024")
	pagePaths = append(pagePaths, "/import", "/import?kind=people", "/import/DRAFT", "/import/NONE")
	pagePaths = append(pagePaths, "/rehearse", "/rehearse/DONE", "/rehearse/RUNS", "/rehearse/BROKEN", "/rehearse/NONE")
	pagePaths = append(pagePaths, "/groups", "/groups/new", "/groups/ops/edit", "/contracts", "/contracts/new", "/contracts/K-2026-3/edit", "/exceptions", "/exceptions/new?subject=zone&subject_id=media-store&what=escort", "/exceptions/EX-03/edit",
		"/conditions", "/conditions/new", "/recertify", "/recertify/server-room-2026-11-01", "/recertify/media-store-2026-04-10", "/recertify/none", "/renewals", "/thresholds", "/findings/threats")
	for _, list := range []struct{ path, row string }{{"/groups", "ops"}, {"/contracts", "K-2026-3"}, {"/exceptions", "EX-03"}} {
		probes = append(probes, probe{"GET " + list.path + "/{row}/edit", list.path + "/" + list.row + "/edit", nil}, probe{"POST " + list.path + "/{row}/edit", list.path + "/" + list.row + "/edit", url.Values{"do": {"save"}, "name": {"x"}, "reason": {"x"}}},
			probe{"POST " + list.path + "/{row}/remove", list.path + "/" + list.row + "/remove", url.Values{"do": {"save"}, "reason": {"x"}}})
	}
	for _, path := range []string{"/groups", "/contracts", "/exceptions", "/conditions"} {
		probes = append(probes, probe{"GET " + path, path, nil}, probe{"GET " + path + "/new", path + "/new", nil}, probe{"POST " + path + "/new", path + "/new", url.Values{}})
	}
	probes = append(probes,
		probe{"GET /zones", "/zones", nil},
		probe{"GET /zones/new", "/zones/new", nil},
		probe{"POST /zones/new", "/zones/new", url.Values{}},
		probe{"GET /zones/{zone}", "/zones/server-room", nil},
		probe{"GET /zones/{zone}/edit", "/zones/server-room/edit", nil},
		probe{"POST /zones/{zone}/edit", "/zones/server-room/edit", url.Values{"do": {"save"}, "name": {"x"}, "reason": {"x"}}},
		probe{"GET /schedules", "/schedules", nil},
		probe{"GET /findings/threats", "/findings/threats", nil},
		probe{"POST /findings/threats", "/findings/threats", url.Values{}},
		probe{"GET /thresholds", "/thresholds", nil},
		probe{"POST /thresholds/preview", "/thresholds/preview", url.Values{"unknown_cards": {"x"}}},
		probe{"GET /thresholds/preview/{look}", "/thresholds/preview/DONE", nil},
		probe{"POST /thresholds/agree", "/thresholds/agree", url.Values{"of": {"x"}, "reason": {"x"}}},
		probe{"GET /schedules/new", "/schedules/new", nil},
		probe{"POST /schedules/new", "/schedules/new", url.Values{}},
		probe{"GET /schedules/{schedule}", "/schedules/office", nil},
		probe{"GET /schedules/{schedule}/edit", "/schedules/office/edit", nil},
		probe{"POST /schedules/{schedule}/edit", "/schedules/office/edit", url.Values{"do": {"save"}, "name": {"x"}, "reason": {"x"}}},
		probe{"POST /schedules/{schedule}/remove", "/schedules/office/remove", url.Values{"do": {"check"}}},
		probe{"GET /closed-days", "/closed-days", nil},
		probe{"POST /closed-days", "/closed-days", url.Values{"do": {"save"}, "date": {"2026-12-28"}, "name": {"x"}, "reason": {"x"}}},
		probe{"POST /closed-days/{day}/remove", "/closed-days/2026-12-28/remove", url.Values{"do": {"save"}, "reason": {"x"}}},
		probe{"GET /import", "/import", nil},
		probe{"POST /import", "/import", url.Values{"kind": {"people"}}},
		probe{"GET /import/{draft}", "/import/DRAFT", nil},
		probe{"POST /import/{draft}", "/import/DRAFT", url.Values{"reason": {"x"}}},
		probe{"GET /rehearse", "/rehearse", nil},
		probe{"POST /rehearse", "/rehearse", url.Values{"what": {"import/DRAFT"}, "from": {"2026-11-01"}, "until": {"2026-11-25"}}},
		probe{"GET /rehearse/{rehearsal}", "/rehearse/DONE", nil},
		probe{"GET /recertify", "/recertify", nil},
		probe{"POST /recertify", "/recertify", url.Values{"zone": {"media-store"}, "reason": {"x"}}},
		probe{"GET /recertify/{round}", "/recertify/server-room-2026-11-01", nil},
		probe{"POST /recertify/{round}", "/recertify/server-room-2026-11-01", url.Values{"answer_1002": {"keep"}, "reason": {"x"}}},
		probe{"GET /renewals", "/renewals", nil},
		probe{"POST /renewals", "/renewals", url.Values{"grant": {"1001:server-room:office"}, "reason": {"x"}}},
	)
}
