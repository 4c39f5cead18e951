package metrics

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

var full = Figures{
	At: time.Unix(1795000000, 0), Leaves: 12, OpenFindings: 3, InDoubt: true, DiskFree: 5 << 30,
	CertificateEnds: time.Unix(1796000000, 0), Backup: time.Unix(1794000000, 0), SelfTest: time.Unix(1794900000, 0),
	Failed: map[string]bool{"disk": true, "clock": false},
	Gateways: []Gateway{
		{ID: "gw-1", Linked: true, LastSeen: time.Unix(1794999999, 0), Pending: 4, CertificateEnds: time.Unix(1795100000, 0)},
		{ID: "gw-2"},
	},
}

func scrape(t *testing.T, source Source) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	Handler(source).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	return w.Code, w.Body.String()
}

func TestScrape(t *testing.T) {
	code, text := scrape(t, func(context.Context) (Figures, error) { return full, nil })
	if code != http.StatusOK {
		t.Fatalf("%d: %s", code, text)
	}
	for _, line := range []string{
		"monban_log_leaves 12", "monban_log_in_doubt 1", "monban_signing_failed 0", "monban_findings_open 3", `monban_selftest_failed{item="disk"} 1`,
		`monban_selftest_failed{item="clock"} 0`, `monban_gateway_linked{gateway="gw-1"} 1`, `monban_gateway_linked{gateway="gw-2"} 0`,
		`monban_gateway_pending_records{gateway="gw-1"} 4`, "monban_backup_time_seconds 1.794e+09",
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("no line %s in\n%s", line, text)
		}
	}
	if strings.Contains(text, `monban_gateway_heard_seconds{gateway="gw-2"}`) {
		t.Error("a gateway that was never heard has a time")
	}
	for name := range series {
		if !strings.Contains(text, "\n"+name) {
			t.Errorf("series %s has no value", name)
		}
	}
	// PR-2: ids of machines and nothing else.
	for _, m := range regexp.MustCompile(`(?m)^monban_\S+\{([a-z]+)=`).FindAllStringSubmatch(text, -1) {
		if m[1] != "gateway" && m[1] != "item" {
			t.Errorf("label %s", m[1])
		}
	}
}

// A server that cannot read its figures is down for Prometheus, and says nothing of why to whoever asks.
func TestSourceFails(t *testing.T) {
	code, text := scrape(t, func(context.Context) (Figures, error) { return full, errors.New("monban.db: disk I/O error") })
	if code != http.StatusInternalServerError || strings.Contains(text, "monban.db") {
		t.Errorf("%d: %s", code, text)
	}
}

var named = regexp.MustCompile(`monban_[a-z_]+`)

// The documents, the alert rules and the dashboard name series that there are; the documents name all of them.
func TestNamedSeries(t *testing.T) {
	for path, all := range map[string]bool{"../../docs/reference.md": true, "../../packaging/monitoring/alerts.yml": false, "../../packaging/monitoring/dashboard.json": false} {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for _, n := range named.FindAllString(string(data), -1) {
			found[n] = true
			if series[n] == nil {
				t.Errorf("%s names %s, which there is not", path, n)
			}
		}
		if len(found) < 8 {
			t.Errorf("%s names %d series only", path, len(found))
		}
		for n := range series {
			if all && !found[n] {
				t.Errorf("%s does not name %s", path, n)
			}
		}
		if strings.HasSuffix(path, ".json") && !json.Valid(data) {
			t.Errorf("%s is not JSON", path)
		}
	}
}

// OP-1: Prometheus itself reads the alert rules, each rings for its fault and none on a healthy server.
func TestAlertRules(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed (package prometheus)")
	}
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}} {
		cmd := exec.Command(promtool, args...)
		cmd.Dir = "../../packaging/monitoring"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// Each alert rule has its test, so that a new one is not forgotten.
func TestAlertRulesAreTested(t *testing.T) {
	read := func(name string) string {
		data, err := os.ReadFile("../../packaging/monitoring/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	tests, rules := read("alerts_test.yml"), regexp.MustCompile(`(?m)- alert: (\w+)$`).FindAllStringSubmatch(read("alerts.yml"), -1)
	if len(rules) < 10 {
		t.Errorf("%d rules", len(rules))
	}
	for _, m := range rules {
		if !regexp.MustCompile(`alertname: ` + m[1] + `, exp_alerts`).MatchString(tests) {
			t.Errorf("%s rings in no test", m[1])
		}
	}
}
