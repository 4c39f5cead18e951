package notify

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"monban/server/notify/route"
)

// SyslogConfig is one syslog channel.
type SyslogConfig struct {
	Server string // host:port
	TLS    *tls.Config
	Body   string // cef, ecs
	Lang   string
}

// Syslog sends messages as RFC 5424 over TLS (RFC 5425), one connection a message.
type Syslog struct {
	cfg   SyslogConfig
	words words
	host  string
}

// NewSyslog makes a syslog channel.
func NewSyslog(cfg SyslogConfig, w *Words) *Syslog {
	host, err := os.Hostname()
	if err != nil || !printable(host) {
		host = "-"
	}
	return &Syslog{cfg, w.in(cfg.Lang), host}
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return s != "" && len(s) <= 255
}

// Send implements Channel. Syslog has no answer; we end our half of the connection and wait for the other side to end its own,
// which a receiver does after it has read everything.
func (c *Syslog) Send(ctx context.Context, id string, m *Message) error {
	line, err := c.line(id, m)
	if err != nil {
		return err
	}
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: sendTime / 3}, Config: c.cfg.TLS}
	raw, err := d.DialContext(ctx, "tcp", c.cfg.Server)
	if err != nil {
		return fmt.Errorf("syslog: %w", err)
	}
	conn := raw.(*tls.Conn)
	defer conn.Close()
	if until, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(until); err != nil {
			return fmt.Errorf("syslog: %w", err)
		}
	}
	if _, err := fmt.Fprintf(conn, "%d %s", len(line), line); err != nil {
		return fmt.Errorf("syslog: %w", err)
	}
	if err := conn.CloseWrite(); err != nil {
		return fmt.Errorf("syslog: %w", err)
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(conn, 4<<10)); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("syslog: the receiver did not end the connection, so it may not have read the message: %w", err)
	}
	return nil
}

// line is the RFC 5424 message: facility 10 (security), the id as structured data, the body in UTF-8 with its mark.
func (c *Syslog) line(id string, m *Message) (string, error) {
	const facility = 10
	severity := map[string]int{"high": 2, "medium": 4, "low": 6}[m.Severity]
	if severity == 0 {
		severity = 5
	}
	body := c.cef(id, m)
	if c.cfg.Body == "ecs" {
		b, err := c.ecs(id, m)
		if err != nil {
			return "", err
		}
		body = string(b)
	}
	return fmt.Sprintf("<%d>1 %s %s monban - %s [monban@32473 id=\"%s\" case=\"%d\"] \ufeff%s", facility*8+severity,
		time.UnixMilli(m.AtMS).UTC().Format("2006-01-02T15:04:05.000Z"), c.host, m.What, id, m.Case, body), nil
}

// name is what a message is about, as a machine word.
func name(m *Message) string {
	if m.Kind != "" {
		return string(m.Kind)
	}
	return string(m.What)
}

// cef is ArcSight's format, version 0.
func (c *Syslog) cef(id string, m *Message) string {
	head := strings.NewReplacer(`\`, `\\`, `|`, `\|`, "\n", " ", "\r", " ")
	value := strings.NewReplacer(`\`, `\\`, `=`, `\=`, "\n", `\n`, "\r", `\r`)
	title := c.words.subject(m)
	if m.Kind != "" {
		title = c.words.kind(m.Kind)
	}
	level := map[string]int{"high": 9, "medium": 6, "low": 3}[m.Severity]
	var b strings.Builder
	fmt.Fprintf(&b, "CEF:0|monban|monban|1|%s|%s|%d|", head.Replace(name(m)), head.Replace(title), level)
	var pairs []string
	add := func(k, v string) {
		if v != "" {
			pairs = append(pairs, k+"="+value.Replace(v))
		}
	}
	add("externalId", id)
	add("rt", strconv.FormatInt(m.AtMS, 10))
	add("cat", string(m.What))
	if m.Count > 0 {
		add("cnt", strconv.Itoa(m.Count))
	}
	if m.Case > 0 {
		add("cs1Label", "case")
		add("cs1", strconv.FormatInt(m.Case, 10))
	}
	if m.Door != "" {
		add("cs2Label", "doorCode")
		add("cs2", m.Door)
	}
	if m.Gateway != "" {
		add("cs3Label", "deviceCode")
		add("cs3", m.Gateway)
	}
	add("request", m.Link)
	add("msg", c.words.subject(m))
	if m.What == route.WhatCheckpoint {
		add("cs4Label", "checkpoint")
		add("cs4", m.Log)
	}
	return b.String() + strings.Join(pairs, " ")
}

// ecs is Elastic's common schema as one line of JSON.
func (c *Syslog) ecs(id string, m *Message) ([]byte, error) {
	kind := "alert"
	if m.What == route.WhatCanary || m.What == route.WhatTest || m.What == route.WhatDigest || m.What == route.WhatCheckpoint {
		kind = "event"
	}
	own := map[string]any{"count": m.Count, "step": m.Step}
	if m.What == route.WhatCheckpoint {
		own["checkpoint"] = m.Log
	}
	return json.Marshal(map[string]any{
		"@timestamp": time.UnixMilli(m.AtMS).UTC().Format("2006-01-02T15:04:05.000Z"),
		"ecs":        map[string]string{"version": "8.11.0"},
		"event": map[string]any{"id": id, "kind": kind, "category": []string{"intrusion_detection"}, "action": name(m), "module": "monban", "reason": string(m.What),
			"severity": map[string]int{"high": 9, "medium": 6, "low": 3}[m.Severity], "reference": m.Link},
		"message": c.words.subject(m),
		"labels":  map[string]string{"case": strconv.FormatInt(m.Case, 10), "door_code": m.Door, "device_code": m.Gateway, "site": c.words.site},
		"monban":  own,
	})
}
