package world

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/server/app"
	"monban/server/config"
	"monban/server/store"
	"monban/server/web"
)

const floodPassword = "correct horse battery staple"

// addReviewer gives the site an account that reads findings.
func addReviewer(t *testing.T, cfg *config.Config) {
	t.Helper()
	s, err := app.OpenSite(cfg, time.Now(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	hash, err := web.HashPassword(floodPassword, web.Cost{Memory: 64, Time: 1, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Store.Write(t.Context(), func(tx *store.Tx) error {
		return tx.InsertAccount(store.Account{ID: "a-1", Login: "reviewer", FullName: "﨑山 直子", PasswordHash: hash, CreatedMS: 1, Roles: []store.RoleAssignment{{Role: "reviewer"}}})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// findingsPage is the page of open findings as a reviewer sees it.
type findingsPage struct {
	t      *testing.T
	base   string
	client *http.Client
}

func newFindingsPage(t *testing.T, cfg *config.Config) *findingsPage {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &findingsPage{t: t, base: "http://" + cfg.HTTP.Listen, client: &http.Client{Jar: jar, Timeout: time.Minute}}
	if body := p.do(http.MethodPost, "/login", url.Values{"name": {"reviewer"}, "password": {floodPassword}}); strings.Contains(body, `type="password"`) {
		t.Fatal("the reviewer cannot sign in")
	}
	return p
}

func (p *findingsPage) do(method, path string, form url.Values) string {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	res, err := p.client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %d %v: %.300s", path, res.StatusCode, err, body)
	}
	return string(body)
}

var (
	pageRow  = regexp.MustCompile(`(?s)<tr role="row"><td.*?</tr>`)
	pageDoor = regexp.MustCompile(`計測扉 \d+`)
)

// top gives the doors of the forced doors among the first n lines.
func (p *findingsPage) top(n int) map[string]bool {
	out := map[string]bool{}
	list := pageRow.FindAllString(p.do(http.MethodGet, "/findings?lang=ja", nil), -1)
	for _, row := range slices.Clip(list)[:min(n, len(list))] {
		if strings.Contains(row, "扉のこじ開け") || strings.Contains(row, "Door forced open") {
			out[pageDoor.FindString(row)] = true
		}
	}
	return out
}
