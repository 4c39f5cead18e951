package web

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// RA-1, I9: a line of the table that says nothing about who may use it lets nobody in, whatever roles they have; and
// whoever has no role in force gets into nothing that asks for one.
func TestZeroRouteIsForbidden(t *testing.T) {
	h := &Handler{}
	h.settled.raise()
	everything := ^RoleSet(0)
	for _, c := range []struct {
		name  string
		route route
		roles RoleSet
		open  bool
	}{
		{"a route without roles", route{pattern: "GET /new"}, everything, false},
		{"a route without roles, nobody's", route{pattern: "GET /new"}, 0, false},
		{"no role", route{roles: all}, 0, false},
		{"another role", route{roles: groupD}, groupA, false},
		{"its role", route{roles: groupD}, groupD, true},
	} {
		rq := &request{Request: httptest.NewRequest(http.MethodGet, "/new", nil), now: time.Now(), account: &Account{ID: "X"}, roles: c.roles}
		if err := h.admit(httptest.NewRecorder(), rq, c.route); (err == nil) != c.open || err != nil && !errors.Is(err, errForbidden) {
			t.Errorf("%s: %v, want open: %v", c.name, err, c.open)
		}
	}
}
