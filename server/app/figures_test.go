package app

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// OP-1: the figures are served on a port of their own while the server runs, and hold no names.
func TestMetricsOfARunningServer(t *testing.T) {
	cfg := testSite(t)
	cfg.Metrics.Listen = "127.0.0.1:0"
	a, _, stop := running(t, cfg)
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	rq, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+a.figuresListener.Addr().String()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(rq)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%d, %v", res.StatusCode, err)
	}
	for _, want := range []string{"\nmonban_log_leaves ", "\nmonban_log_in_doubt 0\n", "\nmonban_signing_failed 0\n", "\nmonban_disk_free_bytes "} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
