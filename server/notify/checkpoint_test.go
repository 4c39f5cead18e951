package notify

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"monban/server/notify/route"
)

// EV-4, PR-6: the checkpoint goes to its channels once a day, over restarts and failures, and holds nothing but itself.
func TestCheckpointEachDay(t *testing.T) {
	b := newBench(t)
	const signed = "monban/01234567\n17\nqINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=\n\n\u2014 monban/01234567 AAAA"
	b.poc.fail = errors.New("connection refused")
	for day := range 2 {
		b.now = time.Date(2026, 11, 25+day, 6, 20, 0, 0, jst)
		for range 3 {
			if err := b.n.Checkpoint(t.Context(), b.now.Format(time.DateOnly), signed+"\n", []string{"poc", "duty", "taken-out"}); err != nil {
				t.Fatal(err)
			}
			b.work()
			b.restart()
			b.poc.fail = nil
			b.now = b.now.Add(time.Minute)
		}
		b.work()
		for name, f := range map[string]*fake{"poc": b.poc, "duty": b.duty} {
			if len(f.msgs) != day+1 || f.msgs[day].What != route.WhatCheckpoint || f.msgs[day].Log != signed || f.msgs[day].Case != 0 || f.msgs[day].Door+f.msgs[day].Gateway+f.msgs[day].Link != "" {
				t.Errorf("day %d: %s got %+v", day, name, f.msgs)
			}
		}
	}
}

// The checkpoint stands whole in the line of a log server, in both bodies.
func TestCheckpointLine(t *testing.T) {
	m := &Message{What: route.WhatCheckpoint, Log: "monban/01234567\n17\nqINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=\n\n\u2014 monban/01234567 AAAA"}
	cef := NewSyslog(SyslogConfig{Body: "cef", Lang: "en"}, testWords(t)).cef("x", m)
	if !strings.HasSuffix(cef, `cs4=monban/01234567\n17\nqINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs\=\n\n`+"\u2014"+` monban/01234567 AAAA`) || strings.Contains(cef, "\n") {
		t.Error(cef)
	}
	body, err := NewSyslog(SyslogConfig{Body: "ecs", Lang: "en"}, testWords(t)).ecs("x", m)
	var got struct {
		Monban struct {
			Checkpoint string `json:"checkpoint"`
		} `json:"monban"`
	}
	if err != nil || json.Unmarshal(body, &got) != nil || got.Monban.Checkpoint != m.Log {
		t.Errorf("%s %v", body, err)
	}
}
