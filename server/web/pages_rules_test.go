package web_test

import "net/url"

// The pages of rules take part in the checks of all pages and routes.
func init() {
	pagePaths = append(pagePaths, "/zones", "/zones/server-room", "/zones/media-store", "/zones/none", "/zones/new", "/zones/server-room/edit")
	probes = append(probes,
		probe{"GET /zones", "/zones", nil},
		probe{"GET /zones/new", "/zones/new", nil},
		probe{"POST /zones/new", "/zones/new", url.Values{}},
		probe{"GET /zones/{zone}", "/zones/server-room", nil},
		probe{"GET /zones/{zone}/edit", "/zones/server-room/edit", nil},
		probe{"POST /zones/{zone}/edit", "/zones/server-room/edit", url.Values{"do": {"save"}, "name": {"x"}, "reason": {"x"}}},
	)
}
