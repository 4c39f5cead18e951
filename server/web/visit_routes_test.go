package web_test

import (
	"net/url"
	"testing"
)

// visitProbes are the pages of visits, of what is lent, and of one's own records.
var visitProbes = []probe{
	{"GET /visits", "/visits", nil},
	{"GET /visits/receive", "/visits/receive", nil},
	{"GET /visits/urgent", "/visits/urgent", nil},
	{"POST /visits/urgent", "/visits/urgent", url.Values{}},
	{"POST /visits/return", "/visits/return", url.Values{}},
	{"GET /visits/{id}", "/visits/visit-2026-00001", nil},
	{"GET /visits/{id}/receive", "/visits/visit-2026-00001/receive", nil},
	{"POST /visits/{id}/receive/identity", "/visits/visit-2026-00001/receive/identity", url.Values{}},
	{"POST /visits/{id}/receive/conditions", "/visits/visit-2026-00001/receive/conditions", url.Values{}},
	{"POST /visits/{id}/receive/badges", "/visits/visit-2026-00001/receive/badges", url.Values{}},
	{"GET /visits/{id}/slip/{guest}", "/visits/visit-2026-00001/slip/1", nil},
	{"POST /visits/{id}/approve", "/visits/visit-2026-00001/approve", url.Values{}},
	{"POST /visits/{id}/refuse", "/visits/visit-2026-00001/refuse", url.Values{}},
	{"POST /visits/{id}/oral", "/visits/visit-2026-00001/oral", url.Values{}},
	{"POST /visits/{id}/oral-denied", "/visits/visit-2026-00001/oral-denied", url.Values{}},
	{"POST /visits/{id}/extend", "/visits/visit-2026-00001/extend", url.Values{}},
	{"POST /visits/{id}/withdraw", "/visits/visit-2026-00003/withdraw", url.Values{"note": {"\x00"}}},
	{"POST /visits/{id}/worker", "/visits/visit-2026-00001/worker", url.Values{}},
	{"POST /visits/{id}/handover", "/visits/visit-2026-00001/handover", url.Values{}},
	{"POST /visits/{id}/heads", "/visits/visit-2026-00001/heads", url.Values{}},
	{"POST /visits/{id}/left", "/visits/visit-2026-00001/left", url.Values{}},
	{"POST /visits/{id}/close", "/visits/visit-2026-00001/close", url.Values{}},
	{"GET /applications", "/applications", nil},
	{"GET /applications/new", "/applications/new", nil},
	{"POST /applications/new", "/applications/new", url.Values{}},
	{"GET /applications/permit", "/applications/permit", nil},
	{"POST /applications/permit", "/applications/permit", url.Values{}},
	{"POST /permits/{id}/approve", "/permits/permit-2026-00005/approve", url.Values{}},
	{"POST /permits/{id}/refuse", "/permits/permit-2026-00005/refuse", url.Values{}},
	{"POST /permits/{id}/end", "/permits/permit-2026-00005/end", url.Values{"note": {"\x00"}}},
	{"POST /permits/{id}/receive", "/permits/NONE/receive", url.Values{}},
	{"GET /temporary", "/temporary", nil},
	{"POST /temporary", "/temporary", url.Values{}},
	{"POST /temporary/return", "/temporary/return", url.Values{}},
	{"GET /stopped", "/stopped", nil},
	{"POST /stopped", "/stopped", url.Values{}},
	{"POST /stopped/{id}/ask", "/stopped/NONE/ask", url.Values{}},
	{"POST /stopped/{id}/resume", "/stopped/NONE/resume", url.Values{}},
	{"POST /stopped/{id}/revoke", "/stopped/NONE/revoke", url.Values{}},
	{"GET /equipment", "/equipment", nil},
	{"POST /equipment", "/equipment", url.Values{}},
	{"POST /equipment/{id}/shut", "/equipment/NONE/shut", url.Values{}},
	{"POST /equipment/{id}/items", "/equipment/NONE/items", url.Values{}},
	{"POST /equipment/{id}/settle", "/equipment/NONE/settle", url.Values{}},
	{"GET /ledgers", "/ledgers", nil},
	{"POST /ledgers/keys", "/ledgers/keys", url.Values{}},
	{"POST /ledgers/keys/{id}/return", "/ledgers/keys/NONE/return", url.Values{}},
	{"POST /ledgers/badges", "/ledgers/badges", url.Values{}},
	{"POST /ledgers/badges/{id}/status", "/ledgers/badges/NONE/status", url.Values{}},
	{"GET /ledgers/forms", "/ledgers/forms", nil},
	{"POST /ledgers/forms", "/ledgers/forms", url.Values{}},
	{"GET /emergency", "/emergency", nil},
	{"POST /emergency", "/emergency", url.Values{}},
	{"POST /emergency/{id}/agree", "/emergency/NONE/agree", url.Values{}},
	{"POST /emergency/{id}/end", "/emergency/NONE/end", url.Values{}},
	{"POST /emergency/{id}/report", "/emergency/NONE/report", url.Values{}},
	{"GET /dues", "/dues", nil},
	{"POST /dues/exits/{id}/confirm", "/dues/exits/NONE/confirm", url.Values{}},
	{"GET /me/own", "/me/own", nil},
	{"POST /me/own/purpose", "/me/own/purpose", url.Values{}},
	{"POST /me/own/correction", "/me/own/correction", url.Values{}},
	{"POST /me/own/exit", "/me/own/exit", url.Values{}},
	{"POST /me/own/stop", "/me/own/stop", url.Values{}},
	{"POST /me/own/answer", "/me/own/answer", url.Values{}},
}

// RA-1: the matrix of routes and roles, for these pages in a table of their own.
func TestVisitRouteMatrix(t *testing.T) {
	checkMatrix(t, visitProbes, "testdata/visits.golden")
}
