package notify

import (
	"context"
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"monban/server/notify/route"
	"monban/server/review"
)

var jst = time.FixedZone("JST", 9*3600)

func testWords(t *testing.T) *Words {
	t.Helper()
	w, err := NewWords(func(lang string, k review.Kind) string {
		if lang == "ja" {
			return "扉のこじ開け"
		}
		return "Door forced open"
	}, jst, "test-city", nil)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func forced() *Message {
	return &Message{What: route.WhatAlert, Case: 1234, Kind: review.ForcedOpen, Severity: "high", Door: "D-3F2A", Count: 1,
		AtMS: time.Date(2026, 11, 24, 10, 0, 0, 0, jst).UnixMilli(), Link: "https://monban.example/findings/1234"}
}

// The subject and the text come back as they were written, in Japanese and in English, over STARTTLS with a sign-in; the
// Message-ID is the one that was given.
func TestMailIsReadBackRight(t *testing.T) {
	pair, pool := testPair(t, t.TempDir())
	box, addr := startSMTP(t, pair, "p@ss 言葉")
	cfg := MailConfig{Server: addr, TLS: &tls.Config{ServerName: "localhost", RootCAs: pool}, User: "monban", Password: "p@ss 言葉",
		From: "monban@city.example", To: []string{"poc@city.example", "duty@city.example"}}
	for lang, want := range map[string]letter{
		"ja": {subject: "【門番】高:扉のこじ開け(事案1234)", body: "扉のこじ開け\n重要度:高\n事案番号:1234\n扉の符号:D-3F2A\n時刻:2026-11-24 10:00:00\n\nhttps://monban.example/findings/1234\n\n門番(test-city)からの自動送信です。\n"},
		"en": {subject: "[monban] high: Door forced open (case 1234)", body: "Door forced open\nSeverity: high\nCase: 1234\nDoor code: D-3F2A\nTime: 2026-11-24 10:00:00\n\nhttps://monban.example/findings/1234\n\nSent by monban (test-city).\n"},
	} {
		cfg.Lang = lang
		if err := NewMail(cfg, testWords(t)).Send(t.Context(), "a1234.alert.1.poc", forced()); err != nil {
			t.Fatal(err)
		}
		list := box.list()
		got := list[len(list)-1]
		if got.subject != want.subject || strings.TrimSpace(got.body) != strings.TrimSpace(want.body) {
			t.Errorf("%s: subject %q, body %q", lang, got.subject, got.body)
		}
		if got.id != "<a1234.alert.1.poc@test-city.monban.invalid>" || len(got.to) != 2 || got.importance != "high" || !box.secured {
			t.Errorf("%s: %+v, over TLS %v", lang, got, box.secured)
		}
	}
}

// Nothing leaves in clear text, to a server that is not known, or with a wrong password; each is an error that says so.
func TestMailFailsClosed(t *testing.T) {
	pair, pool := testPair(t, t.TempDir())
	_, other := testPair(t, t.TempDir())
	plain, plainAddr := startSMTP(t, nil, "")
	box, addr := startSMTP(t, pair, "right")
	base := MailConfig{From: "monban@city.example", To: []string{"poc@city.example"}, Lang: "ja"}
	for name, change := range map[string]func(*MailConfig){
		"no STARTTLS there": func(c *MailConfig) { c.Server = plainAddr },
		"unknown authority": func(c *MailConfig) { c.Server, c.TLS = addr, &tls.Config{ServerName: "localhost", RootCAs: other} },
		"another name":      func(c *MailConfig) { c.Server, c.TLS = addr, &tls.Config{ServerName: "mail.other", RootCAs: pool} },
		"wrong password": func(c *MailConfig) {
			c.Server, c.TLS, c.User, c.Password = addr, &tls.Config{ServerName: "localhost", RootCAs: pool}, "monban", "wrong"
		},
		"nobody listens": func(c *MailConfig) { c.Server = "127.0.0.1:1" },
	} {
		cfg := base
		change(&cfg)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		err := NewMail(cfg, testWords(t)).Send(ctx, "x", forced())
		cancel()
		if err == nil {
			t.Errorf("%s: sent", name)
		} else if strings.Contains(err.Error(), "wrong\"") {
			t.Errorf("%s: the error holds the password: %v", name, err)
		}
	}
	if len(plain.list())+len(box.list()) != 0 {
		t.Error("a mail arrived")
	}
}
