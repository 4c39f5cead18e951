package notify

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

var hookSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("a secret of thirty-two bytes....")) //nolint:gochecknoglobals // a constant but for its encoding

// hook is a receiver that checks signatures with the library of Standard Webhooks.
type hook struct {
	*httptest.Server
	cfg    WebhookConfig
	bodies []string
	ids    []string
	bad    []error
	status int
	to     string // redirects there
}

func newHook(t *testing.T) *hook {
	t.Helper()
	h := &hook{}
	check, err := standardwebhooks.NewWebhook(hookSecret)
	if err != nil {
		t.Fatal(err)
	}
	h.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := check.Verify(body, r.Header); err != nil {
			h.bad = append(h.bad, err)
		}
		h.bodies, h.ids = append(h.bodies, string(body)), append(h.ids, r.Header.Get("Webhook-Id"))
		if h.to != "" {
			http.Redirect(w, r, h.to, http.StatusTemporaryRedirect)
			return
		}
		if h.status != 0 {
			w.WriteHeader(h.status)
		}
	}))
	t.Cleanup(h.Close)
	roots := h.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	h.cfg = WebhookConfig{URL: h.URL + "/hook", TLS: &tls.Config{RootCAs: roots}, Secret: hookSecret, Lang: "ja"}
	return h
}

// The receiver's own library finds the signature right; the text is read back as written, the id is the message's.
func TestWebhookIsSigned(t *testing.T) {
	h := newHook(t)
	c, err := NewWebhook(h.cfg, testWords(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send(t.Context(), "a1234.alert.1.chat", forced()); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Type string
		Data struct {
			Subject, Text, Door string
			Case                int
		}
	}
	if err := json.Unmarshal([]byte(h.bodies[0]), &got); err != nil {
		t.Fatal(err)
	}
	if got.Type != "monban.alert" || got.Data.Subject != "【門番】高:扉のこじ開け(事案1234)" || got.Data.Case != 1234 || !strings.Contains(got.Data.Text, "扉の符号:D-3F2A") {
		t.Errorf("%+v", got)
	}
	if len(h.bad) != 0 || h.ids[0] != "a1234.alert.1.chat" {
		t.Errorf("signature: %v, ids %q", h.bad, h.ids)
	}
	other := h.cfg
	other.Secret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("another secret"))
	if c, err = NewWebhook(other, testWords(t)); err != nil {
		t.Fatal(err)
	}
	_ = c.Send(t.Context(), "x", forced())
	if len(h.bad) != 1 {
		t.Error("the receiver takes another's signature")
	}
}

// A template gives the receiver's own form; one that gives no JSON, or asks for what is not there, is an error at start.
func TestWebhookTemplates(t *testing.T) {
	h := newHook(t)
	h.cfg.Template = `{"text": {{json .Subject}}, "blocks": [{{json .Text}}], "link": {{json .Link}}}`
	c, err := NewWebhook(h.cfg, testWords(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Send(t.Context(), "id", forced()); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(h.bodies[0]), &got); err != nil || got["text"] != "【門番】高:扉のこじ開け(事案1234)" {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{`{"text": "{{.Text}}"}`, `{{.Person}}`, `{{`, `plain`, ` `} {
		h.cfg.Template = bad
		if _, err := NewWebhook(h.cfg, testWords(t)); err == nil || !strings.Contains(err.Error(), "template") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	h.cfg.Template, h.cfg.Secret = "", "whsec_no base64!"
	if _, err := NewWebhook(h.cfg, testWords(t)); err == nil || strings.Contains(err.Error(), "no base64!") {
		t.Errorf("secret: %v", err)
	}
}

// Only 2xx is a yes; a redirect is not followed, so no signed message goes elsewhere; an unknown certificate is refused.
func TestWebhookFailsClosed(t *testing.T) {
	h, other := newHook(t), newHook(t)
	c, err := NewWebhook(h.cfg, testWords(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, status := range []int{400, 404, 500, 503} {
		h.status = status
		if err := c.Send(t.Context(), "id", forced()); err == nil {
			t.Errorf("%d is taken for a yes", status)
		}
	}
	h.status, h.to = 0, other.URL
	if err := c.Send(t.Context(), "id", forced()); err == nil || len(other.bodies) != 0 {
		t.Errorf("redirect: %v, %d arrived", err, len(other.bodies))
	}
	h.to = ""
	h.cfg.TLS = &tls.Config{}
	if c, err = NewWebhook(h.cfg, testWords(t)); err != nil {
		t.Fatal(err)
	}
	if err := c.Send(t.Context(), "id", forced()); err == nil {
		t.Error("an unknown certificate is believed")
	}
}

// The path of a hook's URL is often what lets one in: no error holds it, as errors stand in logs and on a page.
func TestWebhookErrorsHoldNoURL(t *testing.T) {
	h := newHook(t)
	h.Close()
	for _, at := range []string{h.URL + "/hook/t0ken", "https://127.0.0.1:1/hook/t0ken", "gopher://x/t0ken", "https://x/t0ken\x7f"} {
		h.cfg.URL = at
		c, err := NewWebhook(h.cfg, testWords(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Send(t.Context(), "id", forced()); err == nil || strings.Contains(err.Error(), "t0ken") {
			t.Errorf("%q: %v", at, err)
		}
	}
}
