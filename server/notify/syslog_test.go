package notify

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/leodido/go-syslog/v4/rfc5424"

	"monban/server/notify/route"
)

// rsyslog starts Debian's rsyslog with TLS; out is where it writes what it reads.
func rsyslog(t *testing.T) (addr string, cfg *tls.Config, out string) {
	t.Helper()
	program, err := exec.LookPath("rsyslogd")
	if err != nil {
		const why = "rsyslog is not installed (apt-get install rsyslog rsyslog-gnutls); no log server has read our messages"
		if os.Getenv("CI") == "true" {
			t.Fatal(why)
		}
		t.Skip("SKIPPED, NOT PASSED: " + why)
	}
	dir := t.TempDir()
	_, pool := testPair(t, dir)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = l.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	l.Close()
	out = filepath.Join(dir, "out")
	conf := filepath.Join(dir, "rsyslog.conf")
	text := fmt.Sprintf(`global(workDirectory="%[1]s" defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="%[1]s/cert.pem" defaultNetstreamDriverCertFile="%[1]s/cert.pem" defaultNetstreamDriverKeyFile="%[1]s/key.pem" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="off")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
input(type="imtcp" address="127.0.0.1" port="%[2]s")
template(name="raw" type="string" string="%%rawmsg%%\n")
action(type="omfile" file="%[3]s" template="raw")
`, dir, port, out)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	c := exec.Command(program, "-n", "-f", conf, "-i", filepath.Join(dir, "pid"))
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill() // of the process that this test started
		_ = c.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	cfg = &tls.Config{ServerName: "localhost", RootCAs: pool, MinVersion: tls.VersionTLS12}
	for limit := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		conn, err := tls.Dial("tcp", addr, cfg)
		if err == nil {
			conn.Close()
			return addr, cfg, out
		}
		if time.Now().After(limit) {
			t.Fatalf("rsyslog does not listen: %v", err)
		}
	}
}

// lines waits until the receiver has written so many.
func lines(t *testing.T, out string, n int) []string {
	t.Helper()
	for limit := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		data, _ := os.ReadFile(out) // not there yet
		list := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
		if len(data) > 0 && len(list) >= n {
			return list
		}
		if time.Now().After(limit) {
			t.Fatalf("of %d lines there are %q", n, list)
		}
	}
}

// A real log server reads our messages over TLS; another project's parser finds RFC 5424 in them, and the Japanese text is as it
// was written, in both bodies.
func TestSyslogIsReadByRsyslog(t *testing.T) {
	addr, cfg, out := rsyslog(t)
	m := forced()
	m.Link = `https://monban.example/findings/1234?a=b|c\d`
	for _, body := range []string{"cef", "ecs"} {
		c := NewSyslog(SyslogConfig{Server: addr, TLS: cfg, Body: body, Lang: "ja"}, testWords(t))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		err := c.Send(ctx, "a1234.alert.1."+body, m)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, line := range lines(t, out, 2) {
		parsed, err := rfc5424.NewParser().Parse([]byte(line))
		if err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		p := parsed.(*rfc5424.SyslogMessage)
		data := *p.StructuredData
		if *p.Priority != 10*8+2 || *p.Appname != "monban" || *p.MsgID != "alert" || p.Timestamp.UnixMilli() != m.AtMS || data["monban@32473"]["case"] != "1234" ||
			!strings.HasPrefix(data["monban@32473"]["id"], "a1234.alert.1.") {
			t.Errorf("%+v", p)
		}
		body := strings.TrimPrefix(*p.Message, "\ufeff")
		if i == 0 {
			if !strings.HasPrefix(body, "CEF:0|monban|monban|1|forced_open|扉のこじ開け|9|externalId=a1234.alert.1.cef rt=") || !strings.Contains(body, `request=https://monban.example/findings/1234?a\=b|c\\d `) ||
				!strings.HasSuffix(body, "msg=【門番】高:扉のこじ開け(事案1234)") {
				t.Error(body)
			}
			continue
		}
		var ecs struct {
			Message string
			Event   struct{ Action, ID string }
			Labels  map[string]string
		}
		if err := json.Unmarshal([]byte(body), &ecs); err != nil {
			t.Fatal(err)
		}
		if ecs.Message != "【門番】高:扉のこじ開け(事案1234)" || ecs.Event.Action != "forced_open" || ecs.Labels["door_code"] != "D-3F2A" {
			t.Errorf("%+v", ecs)
		}
	}
}

// To a log server that is not known, or that says nothing, nothing counts as delivered.
func TestSyslogFailsClosed(t *testing.T) {
	pair, pool := testPair(t, t.TempDir())
	_, other := testPair(t, t.TempDir())
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{*pair}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go conn.(*tls.Conn).Handshake() //nolint:errcheck // then it is silent and holds the connection
		}
	}()
	send := func(cfg *tls.Config) error {
		c := NewSyslog(SyslogConfig{Server: l.Addr().String(), TLS: cfg}, testWords(t))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		return c.Send(ctx, "id", &Message{What: route.WhatTest})
	}
	if err := send(&tls.Config{ServerName: "localhost", RootCAs: other}); err == nil {
		t.Error("an unknown certificate is believed")
	}
	if err := send(&tls.Config{ServerName: "localhost", RootCAs: pool}); err == nil {
		t.Error("a receiver that never reads counts as having read")
	}
}
