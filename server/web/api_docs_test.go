package web_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"monban/server/web"
	"monban/server/web/webtest"
)

var (
	shBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")
	curlArg = regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`)
)

// curl is one command line of the page. Only the options that the page uses are understood; another one fails.
type curl struct {
	method, url, body string
	headers           []string
}

func parseCurl(line string) (c curl, err error) {
	c.method = "GET"
	args := curlArg.FindAllString(line, -1)
	for i := range args {
		args[i] = strings.Trim(args[i], `'"`)
	}
	for i := 1; i < len(args); i++ {
		switch {
		case args[i] == "-H" && i+1 < len(args):
			i++
			name, value, ok := strings.Cut(args[i], ": ")
			if !ok {
				return c, fmt.Errorf("header %q", args[i])
			}
			c.headers = append(c.headers, name, value)
		case args[i] == "-d" && i+1 < len(args):
			i++
			c.method, c.body = "POST", args[i]
		case args[i] == "-X" && i+1 < len(args):
			i++
			c.method = args[i]
		case strings.HasPrefix(args[i], "$MONBAN/") && c.url == "":
			c.url = strings.TrimPrefix(args[i], "$MONBAN")
		default:
			return c, fmt.Errorf("%q is not understood", args[i])
		}
	}
	return c, nil
}

// The page of the API works as it is written: each command is run, in order, and gets the status that stands below it.
func TestAPIPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	s := newAPISite(t, nil)
	n := 0
	for _, block := range shBlock.FindAllStringSubmatch(string(text), -1) {
		lines := strings.Split(strings.TrimSpace(block[1]), "\n")
		for i := 0; i+1 < len(lines); i += 2 {
			c, err := parseCurl(lines[i])
			if err != nil || !strings.HasPrefix(lines[i], "curl ") || !strings.HasPrefix(lines[i+1], "# ") {
				t.Fatalf("%s: %v", lines[i], err)
			}
			for j, h := range c.headers {
				c.headers[j] = strings.NewReplacer("$TOKEN", s.tokens["zone_manager"], "$OTHER", s.tokens["csirt"]).Replace(h)
			}
			code, body := s.checked(s.opOf(c.method, c.url), c.url, "", c.body, c.headers...)
			if fmt.Sprint(code) != strings.TrimPrefix(lines[i+1], "# ") {
				t.Errorf("%s: %d %s, the page says %s", lines[i], code, body, lines[i+1])
			}
			n++
		}
	}
	if n < 10 {
		t.Errorf("only %d commands on the page", n)
	}
	if _, err := parseCurl(`curl --insecure "$MONBAN/api/1/me"`); err == nil {
		t.Error("an option that is not understood is passed over")
	}
}

// opOf finds the operation of an address.
func (s *apiSite) opOf(method, url string) (found webtest.Operation) {
	s.Helper()
	path, _, _ := strings.Cut(url, "?")
	for _, o := range s.doc.Operations() {
		if o.Method == method && regexp.MustCompile("^"+regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(o.Path, "[^/]+")+"$").MatchString(path) && (found.Path == "" || !strings.Contains(o.Path, "{")) {
			found = o
		}
	}
	if found.Path == "" {
		s.Fatalf("the document has no %s %s", method, url)
	}
	return found
}

// The words of a refusal are the same in the page, the catalogue and the code: what the page names exists.
func TestAPIPageNames(t *testing.T) {
	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	s := newAPISite(t, func(c *web.Config) { c.SecondFactor = 1 << web.RoleCSIRT })
	_, pending := s.checked(s.op("GET /api/1/me"), "/api/1/me", s.tokens["csirt"], "")
	var p struct{ Type string }
	if err := json.Unmarshal([]byte(pending), &p); err != nil || !strings.Contains(string(text), "`"+strings.TrimPrefix(p.Type, "urn:monban:problem:")+"`") {
		t.Errorf("the page does not name %s, %v", p.Type, err)
	}
}
