package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"text/template"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"monban/server/notify/route"
)

// WebhookConfig is one webhook channel.
type WebhookConfig struct {
	URL      string
	TLS      *tls.Config
	Secret   string // whsec_ and base64, as Standard Webhooks writes secrets
	Template string // of text/template, gives JSON; "" = the message as it is
	Lang     string
}

// Webhook posts messages, signed as Standard Webhooks says.
type Webhook struct {
	cfg    WebhookConfig
	words  words
	sign   *standardwebhooks.Webhook
	tmpl   *template.Template
	client *http.Client
}

// Posted is what a template sees: the facts and the texts in the channel's language.
type Posted struct {
	Message
	ID       string
	Subject  string
	Text     string
	Title    string // of the kind of finding
	Site     string
	Time     string // RFC 3339, the site's zone
	Language string
}

// NewWebhook makes a webhook channel. A template that does not give JSON for every kind of message is an error now.
func NewWebhook(cfg WebhookConfig, w *Words) (*Webhook, error) {
	c := &Webhook{cfg: cfg, words: w.in(cfg.Lang)}
	var err error
	if c.sign, err = standardwebhooks.NewWebhook(cfg.Secret); err != nil {
		return nil, errors.New("its secret is not whsec_ and base64") // the library's error holds the secret
	}
	if cfg.Template != "" {
		funcs := template.FuncMap{"json": func(v any) (string, error) {
			b, err := json.Marshal(v)
			return string(b), err
		}}
		if c.tmpl, err = template.New("webhook").Funcs(funcs).Option("missingkey=error").Parse(cfg.Template); err != nil {
			return nil, fmt.Errorf("template: %w", err)
		}
	}
	for _, m := range samples() {
		if _, err := c.payload("sample", &m); err != nil {
			return nil, err
		}
	}
	c.client = &http.Client{
		Transport: &http.Transport{TLSClientConfig: cfg.TLS, Proxy: nil, TLSHandshakeTimeout: sendTime / 3, DisableKeepAlives: true},
		// A signed message goes where the configuration says, and nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       sendTime,
	}
	return c, nil
}

// samples are messages of every kind, for templates to be tried on.
func samples() (out []Message) {
	for _, what := range []string{"alert", "more", "escalation", "digest", "canary", "checkpoint", "test", "overdue", "risen", "breach", "inside"} {
		out = append(out, Message{What: route.What(what), Case: 1, Kind: "forced_open", Severity: "high", Door: "D-0000", Count: 2, Step: 1, AtMS: 1_795_000_000_000, Link: "https://example/\"'<"})
	}
	return out
}

func (c *Webhook) payload(id string, m *Message) ([]byte, error) {
	p := Posted{Message: *m, ID: id, Subject: c.words.subject(m), Text: c.words.body(m), Site: c.words.site, Time: time.UnixMilli(m.AtMS).In(c.words.zone).Format(time.RFC3339), Language: c.words.lang}
	if m.Kind != "" {
		p.Title = c.words.kind(m.Kind)
	}
	if c.tmpl == nil {
		return json.Marshal(struct {
			Type string `json:"type"`
			Time string `json:"timestamp"`
			Data any    `json:"data"`
		}{"monban." + string(m.What), p.Time, struct {
			Message
			Site    string `json:"site"`
			Title   string `json:"title,omitempty"`
			Subject string `json:"subject"`
			Text    string `json:"text"`
		}{*m, p.Site, p.Title, p.Subject, p.Text}})
	}
	var b bytes.Buffer
	if err := c.tmpl.Execute(&b, p); err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	if !json.Valid(b.Bytes()) {
		return nil, fmt.Errorf("template: gives no JSON for a message of kind %q (write texts as {{json .Subject}})", m.What)
	}
	return b.Bytes(), nil
}

// withoutURL takes the URL out of an error: at many receivers its path is what lets one in.
func withoutURL(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}

// Send implements Channel: it returns nil after an answer of 2xx.
func (c *Webhook) Send(ctx context.Context, id string, m *Message) error {
	body, err := c.payload(id, m)
	if err != nil {
		return err
	}
	now := time.Now()
	signature, err := c.sign.Sign(id, now, body)
	if err != nil {
		return fmt.Errorf("webhook: %w", err)
	}
	rq, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("webhook: %w", withoutURL(err))
	}
	rq.Header.Set("Content-Type", "application/json")
	rq.Header.Set("User-Agent", "monban")
	rq.Header.Set(standardwebhooks.HeaderWebhookID, id)
	rq.Header.Set(standardwebhooks.HeaderWebhookTimestamp, fmt.Sprint(now.Unix()))
	rq.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	res, err := c.client.Do(rq)
	if err != nil {
		return fmt.Errorf("webhook: %w", withoutURL(err))
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // what it says is not of interest
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return fmt.Errorf("webhook: the receiver answers %s", res.Status)
	}
	return nil
}
