package app

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"monban/firmware/access"
	"monban/server/directory"
	"monban/server/store"
	"monban/server/web"
	"monban/server/web/webtest"
)

// program is something that uses the API of a running server.
type program struct {
	*testing.T
	app  *App
	base string
	doc  *webtest.Document
}

func newProgram(t *testing.T) *program {
	t.Helper()
	a, _, stop := running(t, testSite(t))
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	text, err := os.ReadFile("../web/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	p := &program{T: t, app: a, base: "http://" + a.listener.Addr().String()}
	if p.doc, err = webtest.ParseDocument(text); err != nil {
		t.Fatal(err)
	}
	return p
}

// token makes an account with a role and a token of it.
func (p *program) token(id string, role web.Role, person string) string {
	p.Helper()
	token, hash := web.NewToken()
	err := p.app.site.Store.Write(p.Context(), func(tx *store.Tx) error {
		return errors.Join(
			tx.InsertAccount(store.Account{ID: id, Login: id, FullName: "試験 " + id, Person: person, PasswordHash: "x", CreatedMS: 1, Roles: []store.RoleAssignment{{Role: role.String()}}}),
			tx.InsertToken(store.APIToken{ID: "T" + id, Hash: hash, Account: id, Name: "試験", Roles: []string{role.String()}, Orders: true, CreatedMS: 1, ExpiresMS: time.Now().Add(time.Hour).UnixMilli()}))
	})
	if err != nil {
		p.Fatal(err)
	}
	return token
}

// call asks as an operation and compares the answer with the document.
func (p *program) call(pattern, path, token, body string) (int, string) {
	p.Helper()
	i := slices.IndexFunc(p.doc.Operations(), func(o webtest.Operation) bool { return o.Method+" "+o.Path == pattern })
	if i < 0 {
		p.Fatalf("the document has no %s", pattern)
	}
	o := p.doc.Operations()[i]
	r, err := http.NewRequestWithContext(p.Context(), o.Method, p.base+path, strings.NewReader(body))
	if err != nil {
		p.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		p.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.Fatal(err)
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err := o.Check(res.StatusCode, kind, text); err != nil {
		p.Errorf("%s: %v\n%.300s", path, err, text)
	}
	return res.StatusCode, string(text)
}

// AD-1, RA-1: what the API of a real server says of the sample city hall fits its description, names what stands in the directory, and holds no
// PIN and no reference of a card.
func TestAPIOverStore(t *testing.T) {
	p := newProgram(t)
	token := p.token("officer", web.RoleCSIRT, "")
	dir := p.app.pub.Site().Directory()
	var secrets []string
	for _, c := range dir.Credentials {
		for _, b := range [][]byte{c.Ref[:], c.PIN[:], c.Duress[:]} {
			if slices.ContainsFunc(b, func(x byte) bool { return x != 0 }) {
				secrets = append(secrets, hex.EncodeToString(b), base64.StdEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b))
			}
		}
	}
	pins := regexp.MustCompile(`"(2468|1357|7531|8024|9173|6042|3819|5260|7418)"`)
	paths := map[string]string{
		"GET /api/1/people": "/api/1/people?limit=500&purpose=x", "GET /api/1/people/{person}": "/api/1/people/" + string(dir.People[0].ID) + "?purpose=x", "GET /api/1/judge": "/api/1/judge?purpose=x&person=" + string(dir.People[0].ID) + "&door=" + string(dir.Doors[0].ID),
		"GET /api/1/entrants": "/api/1/entrants?door=" + string(dir.Doors[0].ID), "GET /api/1/grants": "/api/1/grants?limit=500", "GET /api/1/zones": "/api/1/zones", "GET /api/1/schedules": "/api/1/schedules",
		"GET /api/1/closed-days": "/api/1/closed-days?limit=500", "GET /api/1/groups": "/api/1/groups", "GET /api/1/contracts": "/api/1/contracts", "GET /api/1/doors": "/api/1/doors", "GET /api/1/gateways": "/api/1/gateways",
		"GET /api/1/log": "/api/1/log", "GET /api/1/findings": "/api/1/findings?show=all", "GET /api/1/commands": "/api/1/commands", "GET /api/1/proposals": "/api/1/proposals", "GET /api/1/visits": "/api/1/visits", "GET /api/1/me": "/api/1/me",
	}
	for pattern, path := range paths {
		code, body := p.call(pattern, path, token, "")
		if code != http.StatusOK {
			t.Errorf("%s: %d %s", path, code, body)
		}
		if m := pins.FindString(body); m != "" {
			t.Errorf("%s holds the PIN %s", path, m)
		}
		for _, s := range secrets {
			if strings.Contains(body, s) {
				t.Errorf("%s holds a reference", path)
			}
		}
		var list struct{ Items []json.RawMessage }
		want := map[string]int{"GET /api/1/people": len(dir.People), "GET /api/1/grants": len(dir.Grants), "GET /api/1/zones": len(dir.Zones), "GET /api/1/schedules": len(dir.Schedules),
			"GET /api/1/closed-days": len(dir.ClosedDays), "GET /api/1/groups": len(dir.Groups), "GET /api/1/contracts": len(dir.Contracts), "GET /api/1/doors": len(dir.Doors), "GET /api/1/gateways": len(dir.Gateways)}[pattern]
		if err := json.Unmarshal([]byte(body), &list); err != nil || want > 0 && len(list.Items) != want {
			t.Errorf("%s: %d lines, %v; want %d", path, len(list.Items), err, want)
		}
	}
	used, tokened := 0, false
	for _, x := range actions(t, p.app.site.Store) {
		if x.Verb == string(web.ActionTokenUsed) {
			used++
		}
		tokened = tokened || x.Verb == string(web.ActionViewPeople) && x.From == "api" && x.Reason && x.ID == ""
	}
	if used != 1 || !tokened {
		t.Errorf("%d leaves of first use, people seen by the API: %v", used, tokened)
	}
}

// AD-17, D27: the counter stops a card by the API at once; the holder is asked about its uses; to make it good again waits for another person. A right
// at level 2 that nobody stopped a card for becomes a proposal.
func TestAPIStopsCard(t *testing.T) {
	p := newProgram(t)
	counter, manager := p.token("counter", web.RoleReception, ""), p.token("manager", web.RoleZoneManager, "")
	status := func(id directory.CardID) access.CredentialStatus {
		for _, c := range p.app.pub.Site().Directory().Credentials {
			if c.ID == id {
				return c.Status
			}
		}
		return 0
	}
	const suspend, lost, reactivate = "POST /api/1/cards/{card}/suspend", "POST /api/1/cards/{card}/lost", "POST /api/1/cards/{card}/reactivate"
	why := `{"reason":"置き忘れの届け出"}`
	for _, c := range []struct {
		pattern, token, body, want string
		code                       int
		then                       access.CredentialStatus
	}{
		{suspend, counter, `{"reason":"置き忘れの届け出","last_sure":"2020-01-01T00:00:00Z"}`, `"suspended"`, 200, access.CredentialSuspended},
		{suspend, counter, why, "wrong_state", 409, access.CredentialSuspended},
		{reactivate, counter, why, "forbidden", 403, access.CredentialSuspended},
		{reactivate, manager, why, `"suspended"`, 202, access.CredentialSuspended},
		{reactivate, manager, why, "second_person", 409, access.CredentialSuspended},
		{lost, counter, why, `"lost"`, 200, access.CredentialLost},
	} {
		path := strings.ReplaceAll(strings.TrimPrefix(c.pattern, "POST "), "{card}", "C-001")
		code, body := p.call(c.pattern, path, c.token, c.body)
		if code != c.code || !strings.Contains(body, c.want) || status("C-001") != c.then {
			t.Errorf("%s: %d %s, card %v", path, code, body, status("C-001"))
		}
	}
	if code, _ := p.call(suspend, "/api/1/cards/"+url.PathEscape("C-404")+"/suspend", counter, why); code != 404 {
		t.Errorf("a card that does not exist: %d", code)
	}
	stopped, err := p.app.visits.Suspensions(t.Context())
	if err != nil || len(stopped) == 0 || stopped[0].Stopped.Account != "counter" {
		t.Errorf("matters %+v, %v", stopped, err)
	}
	// The sample's C-008 was suspended by the import: there is no matter to ask in.
	code, body := p.call(reactivate, "/api/1/cards/C-008/reactivate", manager, why)
	proposals, err := p.app.registry.Proposals(t.Context(), false, 10)
	if err != nil || (code == 202) != (len(proposals) == 1) || code/100 != 2 || (code == 202) != (status("C-008") == access.CredentialSuspended) {
		t.Errorf("card without a matter: %d %s, %d proposals, %v, %v", code, body, len(proposals), status("C-008"), err)
	}
	for _, x := range actions(t, p.app.site.Store) {
		if x.Account == "counter" && x.From != "api" {
			t.Errorf("leaf %+v", x)
		}
	}
}
