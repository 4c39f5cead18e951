package web_test

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/server/web"
)

var (
	foundLink = regexp.MustCompile(`<p class="finding-kind"><a href="/findings/([^"]+)"|<li><a href="/findings/([^"]+)"`)
	stepLink  = regexp.MustCompile(`<a class="step" href="([^"]+)" rel="(prev|next)"`)
)

// VR-1: the list of findings has every one: what waits, oldest first within a severity, and what is closed, the newest first, page after page and back,
// with what was chosen kept. An auditor reaches an old closed case by kind, place and days.
func TestFindingList(t *testing.T) {
	s := newSite(t, nil)
	s.mem.Items = nil
	begin := time.Date(2026, 4, 1, 9, 0, 0, 0, tokyo)
	for n := range 530 {
		f := web.Finding{ID: fmt.Sprintf("n-%d", n), Kind: []string{"held_open", "tamper", "no_entry"}[n%3], Severity: web.Severity(n % 2), At: begin.Add(time.Duration(n) * time.Hour),
			Detail: fmt.Sprint("more-", n+1), Count: n + 2, Door: "server-room-1", DoorName: "サーバ室 正面", Gateway: "gw-1", Open: n >= 270, Leaf: uint64(n + 100)} // each count is a line of its own
		if n%5 == 0 {
			f.Door, f.DoorName, f.Gateway = "media-store", "媒体保管庫", "gw-2"
		}
		s.mem.Items = append(s.mem.Items, f)
	}
	want := func(open bool, keep func(f *web.Finding) bool) (ids []string) {
		list := slices.DeleteFunc(slices.Clone(s.mem.Items), func(f web.Finding) bool { return f.Open != open || keep != nil && !keep(&f) })
		slices.SortStableFunc(list, func(a, b web.Finding) int {
			switch {
			case !open:
				return b.At.Compare(a.At)
			case a.Severity != b.Severity:
				return int(b.Severity) - int(a.Severity)
			}
			return a.At.Compare(b.At)
		})
		for _, f := range list {
			ids = append(ids, f.ID)
		}
		return ids
	}
	auditor := s.login(web.RoleAuditor.String())
	// walk follows the links of one direction from a page, and gives what the pages show.
	walk := func(at, direction, has string) (ids []string, pages int, last string) {
		for at != "" && pages < 20 {
			page := text(t, s.get(at, auditor))
			if has != "" && !strings.Contains(page, has) {
				t.Errorf("%s lacks %s", at, has)
			}
			var here []string
			for _, m := range foundLink.FindAllStringSubmatch(page, -1) {
				here = append(here, m[1]+m[2])
			}
			if direction == "prev" {
				ids = append(here, ids...)
			} else {
				ids = append(ids, here...)
			}
			pages, last, at = pages+1, at, ""
			for _, m := range stepLink.FindAllStringSubmatch(page, -1) {
				if m[2] == direction {
					at = html.UnescapeString(m[1])
				}
			}
		}
		return ids, pages, last
	}
	for name, x := range map[string]struct {
		at   string
		open bool
		keep func(f *web.Finding) bool
	}{
		"what waits":      {"/findings", true, nil},
		"what is closed":  {"/findings?show=closed", false, nil},
		"an old address":  {"/findings?show=all", false, nil},
		"of a kind":       {"/findings?show=closed&kind=tamper", false, func(f *web.Finding) bool { return f.Kind == "tamper" }},
		"of a zone":       {"/findings?zone=media-store", true, func(f *web.Finding) bool { return f.Door == "media-store" }},
		"at a door":       {"/findings?show=closed&door=server-room-1", false, func(f *web.Finding) bool { return f.Door == "server-room-1" }},
		"of two days":     {"/findings?show=closed&from=2026-04-02&until=2026-04-03", false, func(f *web.Finding) bool { d := f.At.In(tokyo).Day(); return f.At.Month() == 4 && (d == 2 || d == 3) }},
		"waiting, a kind": {"/findings?kind=no_entry", true, func(f *web.Finding) bool { return f.Kind == "no_entry" }},
	} {
		ids := want(x.open, x.keep)
		has := ""
		if x.keep != nil {
			has = "条件を解除"
		}
		got, pages, last := walk(x.at, "next", has)
		if !slices.Equal(got, ids) || pages != max(1, (len(ids)+99)/100) {
			t.Errorf("%s: %d pages with %d of %d, %v", name, pages, len(got), len(ids), got)
		}
		if back, n, _ := walk(last, "prev", has); !slices.Equal(back, ids) || n != pages {
			t.Errorf("%s, back: %d pages with %d of %d", name, n, len(back), len(ids))
		}
	}
	if page := text(t, s.get("/findings", auditor)); !strings.Contains(page, "全部で260件") || !strings.Contains(page, "待っている時間の長い順") {
		t.Error("the page does not say how many wait, or in which order")
	}
	for _, bad := range []string{"kind=x", "kind=duress", "zone=x", "door=x", "from=x", "until=2026-02-30", "after=x", "after=1.2", "before=1.2.3.4", "after=1.2.-3", "after=9.2.3", "after=1.2.3&before=1.2.3"} {
		s.status(bad, s.get("/findings?"+bad, auditor), http.StatusBadRequest)
	}
	gone := s.get("/findings?kind=tamper&after=2.9999999999999.9", auditor)
	if s.status("a page that is empty meanwhile", gone, http.StatusSeeOther); gone.Header.Get("Location") != "/findings?kind=tamper" {
		t.Error(gone.Header.Get("Location"))
	}
	// Who has a role for one zone chooses among its places, and a filter widens nothing.
	media := s.mediaOnly("media", "1004", web.RoleZoneManager)
	page := text(t, s.get("/findings", media))
	if strings.Contains(page, `value="server-room`) || !strings.Contains(page, `value="media-store"`) || strings.Contains(page, `value="duress"`) {
		t.Error("places of another zone, or a PIN under duress, are offered")
	}
	s.status("another zone", s.get("/findings?zone=server-room", media), http.StatusBadRequest)
	s.status("another door", s.get("/findings?door=server-room-1", media), http.StatusBadRequest)
	s.status("own zone", s.get("/findings?zone=media-store", media), http.StatusOK)
	if q := s.mem.AskedPage(); q.In.All || q.In.Door("server-room-1") || !q.In.Door("media-store") {
		t.Errorf("asked for %+v", q.In)
	}
	if page := text(t, s.get("/findings", s.login(web.RoleCSIRT.String()))); !strings.Contains(page, `value="duress"`) || !s.mem.AskedPage().Duress {
		t.Error("the security officer cannot choose a PIN under duress")
	}
	n := len(s.mem.Actions())
	s.get("/findings?"+url.Values{"show": {"closed"}, "kind": {"tamper"}}.Encode(), auditor)
	if got := s.mem.Actions()[n:]; len(got) != 1 || got[0].Kind != web.ActionViewFindings || !strings.Contains(got[0].Filter, "kind=tamper") {
		t.Errorf("leaves %+v", got)
	}
}
