package web

import (
	"net/http/httptest"
	"strconv"
	"testing"
)

// RR-1, RR-2: of more lines than a page holds each stands on exactly one day's page, with the number it has in the month.
func TestRegisterByDay(t *testing.T) {
	lines := func() (out []registerLine) {
		for i := range 3 * registerPageRows {
			out = append(out, registerLine{No: strconv.Itoa(i + 1), DayID: "2026-11-" + strconv.Itoa(10+i%7)})
		}
		return out
	}
	seen := map[string]int{}
	for day := range 7 {
		v := &registerView{Base: base(t, Japanese), Zone: "z", From: "2026-11-01", To: "2026-11-30", Lines: lines()}
		v.days(&request{Request: httptest.NewRequest("GET", "/register?part=2026-11-"+strconv.Itoa(10+day), nil)})
		if len(v.Days) != 7 || !v.Days[day].Current {
			t.Fatalf("%+v", v.Days)
		}
		for _, l := range v.Lines {
			seen[l.No]++
		}
	}
	for _, l := range lines() {
		if seen[l.No] != 1 {
			t.Fatalf("line %s is on %d pages", l.No, seen[l.No])
		}
	}
	v := &registerView{Base: base(t, Japanese), Lines: lines()[:registerPageRows]}
	if v.days(&request{Request: httptest.NewRequest("GET", "/register", nil)}); len(v.Lines) != registerPageRows || v.Days != nil {
		t.Error("a page that holds all is cut")
	}
}
